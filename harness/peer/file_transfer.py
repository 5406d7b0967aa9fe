"""File transfer of the far party by MSRP, pushed and pulled both ways: INVITE, one file, BYE.

RFC 5547, RFC 4975. A bare file has its CPIM headers, which ask for notifications, in the INVITE (OMA CPM, by
field traces); those are MESSAGEs. Who receives a file that is not as announced takes the transfer for failed
(RFC 5547 8.3.1), and notifies nothing.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Sequence

from harness.agent.failures import TransportFailed
from harness.agent.msrp.cpim_content import first, pieces_of
from harness.agent.msrp.services import CPIM, Flow
from harness.agent.msrp.session import MsrpUser
from harness.agent.msrp.session import ReceivedMessage as MsrpMessage
from harness.agent.msrp.terms import MsrpTerms
from harness.agent.session.invite_server import IncomingInvite
from harness.agent.session.user import Content
from harness.bodies.cpim import build_cpim
from harness.bodies.file_attributes import FileDescription, FileRange, FileSelector
from harness.bodies.sdp_attributes import Setup
from harness.cpm.services import Service
from harness.cpm.tokens import new_id
from harness.errors import NotSeen, UsageError
from harness.msrp.content import PieceSource
from harness.msrp.session import SendOptions
from harness.peer.answers import Answer, HeaderChanges
from harness.peer.config import FarParty
from harness.peer.foci import Foci
from harness.peer.focus import Focus
from harness.peer.group_files import GroupFiles
from harness.peer.invitations import Invitations
from harness.peer.journal import EventKind, PeerEvent, Recent
from harness.peer.listed_recipients import LIST_INVITE, history_part
from harness.peer.msrp_service import MsrpService
from harness.peer.mt_invite import Invited
from harness.peer.mt_request import registered
from harness.peer.pager import DISPOSITION, cpim_rows
from harness.peer.service_session import SessionMessage
from harness.peer.service_table import Asked
from harness.peer.transferred_file import (
    ID_LENGTH,
    FileTransfer,
    OwnFile,
    ReceivedFile,
    content_pieces,
    head_in_invite,
    held_after,
    icon_of,
    read_file_of,
)
from harness.sip.message import Response
from harness.sip.session_headers import Reason

_AS_USUAL = SendOptions()
_COMPLETED = Reason("SIP", 200, "Call completed")
_BEGINNINGS = 32  # of files that broke off, kept to be resumed


class FileTransfers(MsrpService[FileTransfer]):
    """Files of the handset, and files of the far parties.

    shared: what the handset may pull. arrived: what came of it. stop_after: octets of the next file of the
    handset after which it is refused with 413; hold_after: octets after which its connection stands still
    until `SessionHandle.hold(False)`; None for none. All but `arrived` may be set.
    """

    flows = (Flow.FILE_PUSH, Flow.FILE_PULL)
    option_tags = (LIST_INVITE,)

    def __init__(self, invitations: Invitations, foci: Foci) -> None:
        super().__init__(invitations, FileTransfer)
        self._in_groups = GroupFiles(invitations.pcscf, foci)
        self.shared: list[OwnFile] = []
        self.arrived: Recent[ReceivedFile] = Recent()
        self.stop_after: int | None = None
        self.hold_after: int | None = None
        self._beginnings: dict[tuple[str, str], MsrpMessage] = {}

    # -- the handset originates

    def session_of(self, invite: IncomingInvite, asked: Asked) -> FileTransfer:
        """With what its offer tells of the file, and for a pull the file that fits."""
        transfer = super().session_of(invite, asked)
        transfer.described, transfer.focus = asked.file, self._in_groups.focus_of(asked)
        if transfer.flow is Flow.FILE_PULL and asked.file is not None:
            wanted = asked.file.selector
            transfer.own = next((file for file in self.shared if wanted.selects(file.selector)), None)
        return transfer

    def usual(self, session: FileTransfer) -> Answer:
        """488 for a file that is not there to be pulled, or not begun to be resumed (8.3.1, 8.3.2)."""
        answer = self._in_groups.refusal(session) or super().usual(session)
        span, missing = session.span, ""
        if session.flow is Flow.FILE_PULL:
            missing = "" if session.own is not None else "no such file"
        elif span is not None and span.start > 1 and not self._goes_on(session):
            missing = f"octets before {span.start} are not here"
        if not answer.accepts or not missing:
            return answer
        return Answer(488, {"Warning": f'399 {self._pcscf.config.domain} "{missing}"'})

    def terms(self, session: FileTransfer) -> Sequence[MsrpTerms | None]:
        """The type of the file, or any where the offer names none."""
        kind = session.told.selector.type if session.told is not None else None
        mine = FileDescription(session.own.selector) if session.own is not None else None
        return [
            self.invitations.terms(
                session.flow,
                session.local,
                answers=True,
                largest=self.largest,
                content_type=kind or (session.own.type if session.own is not None else "*"),
                file=mine,
            )
        ]

    def contact(self, asked: Asked, uri: str) -> str:
        """In a group that of the focus."""
        focus = self._in_groups.focus_of(asked)
        return self._in_groups.contact(focus) if focus is not None else super().contact(asked, uri)

    def begun(self, session: FileTransfer) -> None:
        """What the handset pulls goes at once."""
        if session.flow is Flow.FILE_PULL and session.invite is not None:
            self._pcscf.spawn(self._deliver(session), f"the file of {session}")

    def user(self, session: FileTransfer, place: int) -> MsrpUser:
        """What broke off is kept, to be gone on with."""
        user = super().user(session, place)
        user.partial = lambda message: self._broke_off(session, message)
        return user

    def progress(self, session: FileTransfer, message_id: str, octets: int, total: int | None) -> None:
        """Refuse the rest where a test wants that."""
        session.coming = message_id
        if self.stop_after is not None and octets >= self.stop_after:
            self.stop_after = None
            session.call.handle.stop(message_id)
        if self.hold_after is not None and octets >= self.hold_after:
            self.hold_after = None
            session.call.handle.hold(True)

    def answer_as_usual(self) -> None:
        """Take whole files of any size, share none."""
        super().answer_as_usual()
        self.shared.clear()
        self.stop_after = self.hold_after = self.largest = None

    def let_go(self) -> None:
        """Let go of all that came: a run of days has no file of the system open for each."""
        for file in self.arrived:
            file.let_go()
        self.arrived.clear()
        self._beginnings.clear()

    def read(self, session: FileTransfer, message: MsrpMessage, number: int, time: float) -> SessionMessage:
        """A bare file has its CPIM headers in the INVITE."""
        read = super().read(session, message, number, time)
        head = head_in_invite(session)
        return read if read.cpim is not None or head is None else dataclasses.replace(read, cpim=head)

    def notify(self, session: FileTransfer, message: SessionMessage) -> None:
        """Look at what came, then let the notifications follow."""
        self._pcscf.spawn(self._examine(session, message), f"the file in {session}")

    async def _examine(self, session: FileTransfer, message: SessionMessage) -> None:
        before = self._before(session)
        session.came = await asyncio.to_thread(read_file_of, message, before)
        self._beginnings.pop((session.handset, session.contribution_id), None)
        self.arrived.append(session.came)
        self._pcscf.journal.add(EventKind.FILE_RECEIVED, str(session.came), session.came)
        if session.came.as_announced:
            members = self._in_groups.notifiers(session)
            self.invitations.notifications.on_text(message, members if session.focus is not None else (None,))

    def _broke_off(self, session: FileTransfer, message: MsrpMessage) -> None:
        kind = message.content_type.partition(";")[0].strip().lower()
        if kind == CPIM or not message.content.size:
            return  # what is wrapped begins with its headers each time
        before = self._before(session)
        if before is None:
            self._beginnings[session.handset, session.contribution_id] = message
        else:
            place = before.content.size
            for piece in content_pieces(message.content):
                before.content.write(place, piece)
                place += len(piece)
            before.content.finish(place)
        while len(self._beginnings) > _BEGINNINGS:
            del self._beginnings[next(iter(self._beginnings))]

    def _goes_on(self, session: FileTransfer) -> bool:
        """Whether what was before is here; a transfer that only the handset knows to be lost ends now."""
        for live in self.sessions:
            same = (live.handset, live.contribution_id) == (session.handset, session.contribution_id)
            if same and live.ending is None and live.came is None and live.invite is not None:
                for handle in filter(None, live.call.handles):
                    handle.close("it goes on in another session")
                self._pcscf.spawn(self._leave(live), f"the end of {live}")
        return self._before(session) is not None

    async def _leave(self, live: FileTransfer) -> None:
        await self.end(live)

    def _before(self, session: FileTransfer) -> MsrpMessage | None:
        """The octets before those of a transfer, as an earlier one of the same file brought them."""
        span = session.span
        known = self._beginnings.get((session.handset, session.contribution_id))
        if known is None or span is None or span.start == 1 or known.content.size < span.start - 1:
            return None
        known.content.finish(span.start - 1)
        return known

    # -- the handset terminates

    async def push(
        self,
        to_aor: str,
        file: OwnFile,
        *,
        sender: str | FarParty | None = None,
        group: Focus | None = None,
        disposition: Sequence[str] = DISPOSITION,
        message_id: str | None = None,
        conversation_id: str | None = None,
        contribution_id: str | None = None,
        headers: HeaderChanges | None = None,
        shown: bytes | None = None,
        wrapped: bool = False,
        start: int = 1,
        announce: Callable[[FileDescription], FileDescription] = lambda described: described,
        alter: Callable[[MsrpTerms], MsrpTerms] = lambda terms: terms,
        setup: Setup = Setup.ACTPASS,
        strict: bool = True,
        options: SendOptions = _AS_USUAL,
        cut: int | None = None,
        hold: int | None = None,
        hang_up: bool = True,
        wait: bool = True,
    ) -> FileTransfer:
        """Offer a file to a registered handset, and send it once it is accepted; BYE when it is answered.

        to_aor: identity or number of the handset. sender: number, URI or party, the configured far party when
        None. group: in which they do so as a member. disposition: values of Disposition-Notification. shown:
        the other recipients, as in `Pager.send_text`. wrapped: inside CPIM in MSRP, else its headers go in
        the INVITE. start: octet of the file to begin at, from 1, where an earlier transfer of this
        contribution_id broke off. announce: what the offer tells, as a test wants it (a size that lies);
        alter: the terms as a test wants them; strict: False for an offer against RFC 6135. options: chunks
        and reports. cut: octets after which it is aborted with "#". hold: octets after which its connection
        stands still until `SessionHandle.hold(False)`. hang_up: False leaves the BYE to `end`. wait: False
        returns when the INVITE is under way: `over` of the transfer tells when all is done.

        A handset that refuses, does not connect or answers no chunk shows in the result. Notifications come
        by MESSAGE, later. Raises NotSeen when the handset is not registered, UsageError, OSError.
        """
        target = registered(self.invitations.registrar, to_aor, Service.FILE_TRANSFER)
        party = self._pcscf.config.party_of(sender)
        transfer = self.calling(
            Flow.FILE_PUSH,
            target,
            sender=party if group is None else group.party,
            conversation_id=conversation_id if group is None else group.conversation_id,
            contribution_id=contribution_id,
        )
        transfer.focus, transfer.sender = group, party
        transfer.own, transfer.wrapped, transfer.message_id = file, wrapped, message_id or new_id()
        transfer.number = len(self._pcscf.timeline)
        span = FileRange(start, file.size) if start > 1 else None
        transfer.described = announce(await asyncio.to_thread(file.described, span))
        self.prepare(transfer, [alter(self._offer(transfer, file.type, setup))], strict=strict)
        parts = [] if wrapped else [self._head(transfer, file, disposition)]
        parts += [history_part(shown)] if shown is not None else []
        icon = icon_of(file, transfer.described)
        rows = {**dict(self._in_groups.rows(group, party) if group is not None else ()), **(headers or {})}
        contact = self._in_groups.contact(group) if group is not None else None
        await self.call(transfer, Invited(rows, contact, parts, related=icon), wait=False)
        work = self._push(transfer, disposition, options, cut, hold, hang_up)
        if wait:
            await work
        else:
            self._pcscf.spawn(work, f"the file of {transfer}")
        return transfer

    async def pull(
        self,
        to_aor: str,
        selector: FileSelector,
        *,
        sender: str | FarParty | None = None,
        conversation_id: str | None = None,
        contribution_id: str | None = None,
        headers: HeaderChanges | None = None,
        span: FileRange | None = None,
        setup: Setup = Setup.ACTPASS,
    ) -> FileTransfer:
        """Ask a registered handset for a file; the answer shows in the result, `wait_file` brings the file.

        span: of its octets. Otherwise as `push`.
        """
        target = registered(self.invitations.registrar, to_aor, Service.FILE_TRANSFER)
        transfer = self.calling(
            Flow.FILE_PULL,
            target,
            sender=self._pcscf.config.party_of(sender),
            conversation_id=conversation_id,
            contribution_id=contribution_id,
        )
        transfer.described = FileDescription(selector, transfer_id=new_id(ID_LENGTH), range=span)
        self.prepare(transfer, [self._offer(transfer, selector.type or "*", setup)])
        return await self.call(transfer, Invited(headers or {}))

    def _offer(self, transfer: FileTransfer, kind: str, setup: Setup) -> MsrpTerms:
        return self.invitations.terms(
            transfer.flow,
            transfer.local,
            answers=False,
            setup=setup,
            largest=self.largest if transfer.flow is Flow.FILE_PULL else None,
            content_type=kind.partition(";")[0].strip(),
            file=transfer.described,
        )

    def _head(self, transfer: FileTransfer, file: OwnFile, disposition: Sequence[str]) -> Content:
        """The CPIM headers of a bare file, without content."""
        now, identifier = self._pcscf.timeline.now(), transfer.message_id or ""
        rows = cpim_rows(now, *transfer.cpim_parties, identifier, disposition)
        octets = build_cpim(rows, [("Content-Type", file.type), ("Content-Length", "0")], b"")
        return Content(CPIM, octets, (("Content-Disposition", "render;handling=optional"),))

    async def _push(
        self,
        transfer: FileTransfer,
        disposition: Sequence[str],
        options: SendOptions,
        cut: int | None,
        hold: int | None,
        hang_up: bool,
    ) -> None:
        await self.answered(transfer)
        if transfer.accepted:
            await self._deliver(transfer, disposition, options, cut, hold, hang_up=hang_up)
        else:
            transfer.failure = transfer.outcome.failure if transfer.outcome is not None else ""
            transfer.over.set()

    async def _deliver(
        self,
        transfer: FileTransfer,
        disposition: Sequence[str] = (),
        options: SendOptions = _AS_USUAL,
        cut: int | None = None,
        hold: int | None = None,
        *,
        hang_up: bool = True,
    ) -> None:
        """Send it; what keeps it from being sent shows in the transfer."""
        try:
            await self._send_file(transfer, disposition, options, cut, hold)
        except (NotSeen, TransportFailed, UsageError) as error:
            transfer.failure = str(error)
        if transfer.sent is not None and not transfer.sent.accepted:
            outcome = transfer.sent.outcome
            transfer.failure = f"{outcome.status or 'no answer'}: {outcome.comment}"
        if hang_up and transfer.ending is None and transfer.accepted:
            await self.end(transfer, _COMPLETED)
        transfer.over.set()

    async def _send_file(
        self,
        transfer: FileTransfer,
        disposition: Sequence[str],
        options: SendOptions,
        cut: int | None,
        hold: int | None,
    ) -> None:
        file = transfer.own
        assert file is not None, "we send"
        handle = await self.opened(transfer)
        if transfer.wrapped:
            party, to = transfer.cpim_parties
            transfer.sent = await self.send(
                transfer, file.content, file.type, sender=party, recipient=to,
                disposition=disposition, message_id=transfer.message_id, options=options, cut=cut,
            )  # fmt: skip
            return
        span = transfer.span or FileRange(1)
        stop = min(file.size, span.stop or file.size)
        size = max(stop - span.start + 1, 0)
        pieces = first(pieces_of(file.content, span.start - 1), size if cut is None else min(cut, size))
        if hold is not None:
            pieces = held_after(pieces, hold, handle.hold)
        transfer.sent = await self.send_bare(
            transfer, PieceSource(pieces, size), file.type, options=options, anyway=True
        )

    # -- both

    async def close_stream(self, transfer: FileTransfer) -> Response:
        """Give the file up by a re-INVITE with port 0 and the same id (8.4). Raises as MsrpCall.change."""
        return await transfer.call.change([None])

    async def refresh(self, transfer: FileTransfer) -> Response:
        """Offer the same once more, which is no second transfer (8.1). Raises as MsrpCall.change."""
        return await transfer.call.change()

    def stop(self, transfer: FileTransfer, status: int = 413) -> None:
        """Refuse the rest of the file that is coming. Raises UsageError where nothing comes."""
        if not transfer.coming:
            raise UsageError(f"{transfer}: nothing of a file has come")
        transfer.call.handle.stop(transfer.coming, status)

    async def wait_file(
        self, name: str | None = None, *, timeout: float, after: int = 0, transfer: FileTransfer | None = None
    ) -> ReceivedFile:
        """The first file of the handset that came whole, of this name if one is given. Raises NotSeen."""

        def fits(event: PeerEvent) -> bool:
            found = event.subject
            return (
                event.kind is EventKind.FILE_RECEIVED
                and name in (None, found.name)
                and transfer in (None, found.transfer)
            )

        found = await self._wait(fits, "a file" if name is None else f"a file {name!r}", timeout, after)
        assert isinstance(found, ReceivedFile)
        return found
