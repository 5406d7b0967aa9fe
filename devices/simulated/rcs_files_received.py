"""Files that come to the RCS client: the offer, its answer, the content, and what is fetched after all.

RFC 5547 8.2.2, 8.3.1 and 8.4. What is not as announced failed; what arrived whole is notified by MESSAGE.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import dataclass

from devices.simulated.conversations import OfferKind
from devices.simulated.rcs_access import RcsSettings
from devices.simulated.rcs_conversations import Recent
from devices.simulated.rcs_groups import RcsGroups
from devices.simulated.rcs_notifications import Received
from devices.simulated.rcs_sessions import Arrival, Hooks, Media, RcsSessions, SessionCall
from devices.simulated.rcs_texts import TextShelf
from harness.agent.background import Background
from harness.agent.msrp.content import SpooledContent
from harness.agent.msrp.services import CPIM, Flow
from harness.agent.msrp.session import MsrpUser, ReceivedMessage
from harness.agent.session.multipart_content import parts_of
from harness.agent.session.user import Ending
from harness.bodies.cpim import CpimMessage, parse_cpim
from harness.bodies.file_attributes import FileDescription, FileHash, FileRange, FileSelector
from harness.cpm.tokens import new_id
from harness.errors import BodySyntaxError, RcsLabError, UsageError

_log = logging.getLogger(__name__)

LARGEST_FILE = 100 * 1024 * 1024
"""Octets of the largest file that is taken."""
STOP_SECONDS = 1.0
"""How long the next chunk, which gets 413, is waited for before the stream is closed without one."""
LINGER_SECONDS = 30.0
"""How long a session may stay once its file is here, before we hang up for the sender."""
_NO_ANSWER, _DECLINED, _NOT_ACCEPTABLE = 480, 603, 488
_HEAD_OCTETS = 64 * 1024
_PIECE_OCTETS = 1024 * 1024


@dataclass(eq=False, slots=True)
class IncomingFile:
    """A file that is offered, or on its way here.

    offer_id: what the app calls it. key: sender and Contribution-ID, under which the rest of it may come.
    place: the conversation it is shown in, that of its sender or a group.
    before: what came of it in an earlier transfer. coming: Message-ID of MSRP of what comes now.
    """

    offer_id: str
    key: tuple[str, str]
    arrival: Arrival
    told: FileDescription
    place: str
    before: SpooledContent | None = None
    call: SessionCall | None = None
    coming: str = ""
    done: bool = False
    cancelled: bool = False
    closing: bool = False
    timer: asyncio.TimerHandle | None = None

    @property
    def number(self) -> str:
        """Of who sends it."""
        return self.key[0]

    @property
    def in_group(self) -> bool:
        """Whether it came from a focus."""
        return self.place != self.number

    @property
    def start(self) -> int:
        """The octet the transfer begins with, from 1."""
        return self.told.range.start if self.told.range is not None else 1

    def stop_timer(self) -> None:
        """Nothing is waited for any more."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class ReceivedFiles:
    """What comes, and what broke off and may go on."""

    def __init__(
        self, shelf: TextShelf, settings: RcsSettings, groups: RcsGroups, background: Background
    ) -> None:
        self._shelf, self._app, self._settings, self._groups = shelf, shelf.app, settings, groups
        self._background = background
        self._offers: dict[str, IncomingFile] = {}
        self._coming: dict[str, IncomingFile] = {}
        self._broken: Recent[tuple[str, str], IncomingFile] = Recent()
        self._sessions: RcsSessions | None = None

    def ready(self, sessions: RcsSessions) -> None:
        """Registered: what broke off can be fetched."""
        self._sessions = sessions

    def gone(self) -> None:
        """Nothing can be fetched now."""
        self._sessions = None

    def close(self) -> None:
        """The handset is switched off."""
        for file in (*self._offers.values(), *self._coming.values()):
            file.stop_timer()

    # -- the offer

    def offered(self, arrival: Arrival, told: FileDescription) -> None:
        """A file is offered: the app's settings or its user answer; the rest of a file is taken at once."""
        key = arrival.number, arrival.request.get("Contribution-ID") or ""
        known = self._broken.pop(key, None) or self._replaced(key, told)
        place = self._groups.key_for(arrival.request) or arrival.number
        file = IncomingFile(new_id(24), key, arrival, told, place)
        if (told.selector.size or 0) > LARGEST_FILE:
            arrival.refuse(_NOT_ACCEPTABLE, ("Warning", f'399 handset "above {LARGEST_FILE} octets"'))
        elif file.start == 1:
            self._ask(file)
        elif known is None or known.before is None or known.before.size < file.start - 1:
            arrival.refuse(_NOT_ACCEPTABLE, ("Warning", '399 handset "the octets before are not here"'))
        else:
            known.before.finish(file.start - 1)
            file.offer_id, file.before = known.offer_id, known.before
            self._background.spawn(self._accept(file))

    def _replaced(self, key: tuple[str, str], told: FileDescription) -> IncomingFile | None:
        """A transfer that its sender lost and we did not yet, when the rest of it is offered."""
        live = next((file for file in self._coming.values() if file.key == key), None)
        if live is None or live.done or live.call is None or told.range is None or not live.call.alive:
            return None
        live.call.handle.close("it goes on in another session")
        live.done = True  # whatever becomes of the old session is not told any more
        self._background.spawn(live.call.hang_up())
        return live

    def _ask(self, file: IncomingFile) -> None:
        self._offers[file.offer_id] = file
        file.arrival.on_over = lambda ending: self._withdrawn(file, ending)
        selector = file.told.selector
        self._app.offered(
            file.place,
            file.offer_id,
            OfferKind.FILE,
            sender=file.number,
            name=selector.name or "file",
            type=selector.type or "application/octet-stream",
            size=selector.size or 0,
        )
        if file.offer_id in self._offers:
            file.arrival.ring()
            loop = asyncio.get_running_loop()
            file.timer = loop.call_later(self._settings.ring_seconds, file.arrival.refuse, _NO_ANSWER)

    def answer(self, offer_id: str, accept: bool) -> bool:
        """The user, or a setting, answers. False when it is no offer of a file, or one that is over."""
        file = self._offers.pop(offer_id, None)
        if file is None:
            return self._answer_again(offer_id, accept)
        file.stop_timer()
        if accept:
            self._background.spawn(self._accept(file))
        else:
            file.arrival.refuse(_DECLINED)
        return True

    def _answer_again(self, offer_id: str, accept: bool) -> bool:
        """A file that broke off is fetched, or never will be."""
        file = next((each for each in self._broken.values() if each.offer_id == offer_id), None)
        if file is None:
            return False
        if accept and self._sessions is not None:
            del self._broken[file.key]
            self._background.spawn(self._fetch(self._sessions, file))
        elif accept:
            self._app.file_failed(offer_id, "no connection", again=True)
        return True

    async def _fetch(self, sessions: RcsSessions, broken: IncomingFile) -> None:
        """Ask for the octets that are missing (8.2.2). It is the message that was sent once."""
        selector, before = broken.told.selector, broken.before
        span = FileRange(before.size + 1, selector.size) if before is not None and before.size else None
        told = FileDescription(selector, transfer_id=new_id(32), range=span)
        file = IncomingFile(
            broken.offer_id, broken.key, broken.arrival, told, broken.place, before if span else None
        )
        self._coming[file.offer_id] = file
        ids = self._shelf.conversations.id_of(file.number), self._shelf.personality.ids.make()
        media = Media((selector.type or "*").partition(";")[0], told, LARGEST_FILE)
        call = sessions.invite(Flow.FILE_PULL, file.arrival.target, ids, self._hooks(file), media)
        outcome = await call.begun()
        if outcome.session is None:
            self._over(file, outcome.failure if outcome.response is None else outcome.response.reason)

    def _hooks(self, file: IncomingFile) -> Hooks:
        return Hooks(
            msrp=lambda call: self._user(file, call), ended=lambda _, ending: self._ended(file, ending)
        )

    def _withdrawn(self, file: IncomingFile, ending: Ending) -> None:
        """It ended before the user answered."""
        if self._offers.pop(file.offer_id, None) is not None:
            file.stop_timer()
            self._app.offer_over(file.offer_id, "no answer" if ending.by_us else str(ending.cause))

    async def _accept(self, file: IncomingFile) -> None:
        self._coming[file.offer_id] = file
        kind = (file.told.selector.type or "*").partition(";")[0]
        call = await file.arrival.accept(self._hooks(file), Media(kind, max_size=LARGEST_FILE))
        if call is None:
            self._over(file, "not possible")
        elif file.cancelled:
            await call.hang_up()

    # -- the content

    def _user(self, file: IncomingFile, call: SessionCall) -> MsrpUser:
        file.call = call
        return MsrpUser(
            message=lambda message: self._came(file, message),
            progress=lambda identifier, octets, _: self._progress(file, identifier, octets),
            partial=lambda message: self._broke_off(file, message),
            request=lambda _, status: self._refused(file, status),
        )

    def _progress(self, file: IncomingFile, identifier: str, octets: int) -> None:
        file.coming = identifier
        size = file.told.selector.size or octets
        self._app.file_progress(file.offer_id, file.start - 1 + octets, size)

    def _broke_off(self, file: IncomingFile, message: ReceivedMessage) -> None:
        """Keep what there is of a bare file."""
        if file.cancelled or _essence(message.content_type) == CPIM:
            return
        if file.before is None:
            file.before = message.content
        else:
            place = file.before.size
            for piece in _pieces(message.content):
                file.before.write(place, piece)
                place += len(piece)
            file.before.finish(place)

    def _came(self, file: IncomingFile, message: ReceivedMessage) -> None:
        """All of it is here. A repeat after a lost response counts once (RFC 4975 5.4)."""
        if file.done or file.cancelled or file.call is None:
            return
        file.done = True
        if file.before is not None and not self._begins_there(file, file.call):
            file.before = None
        file.timer = asyncio.get_running_loop().call_later(LINGER_SECONDS, self._linger, file.call)
        try:
            cpim, kind, start = _unwrapped(file.arrival, message)
        except BodySyntaxError as error:
            _log.warning("an unreadable file from %s: %s", file.number, error)
            self._app.file_failed(file.offer_id, "unreadable")
            return
        if not self._as_announced(file, message.content, kind, start):
            self._app.file_failed(file.offer_id, "not the file that was offered")
            return
        try:
            path = self._stored(file, message.content, start)
        except OSError as error:
            self._app.file_failed(file.offer_id, str(error))
            return
        if cpim is not None:
            self._notify(file, cpim, file.call)
        self._app.file_done(file.offer_id, path)

    def _begins_there(self, file: IncomingFile, call: SessionCall) -> bool:
        """Whether what came is the range we asked for; who sends that repeats it (8.3.2)."""
        remote = call.handle.plan.remote_file
        return call.invite is None or (remote is not None and remote.range == file.told.range)

    def _stored(self, file: IncomingFile, content: SpooledContent, start: int) -> str:
        """Write it under Download; where it lies. Raises OSError."""
        files, path = self._app.files, self._app.new_download(file.told.selector.name or "file")
        files.write(path, b"")
        for piece in self._octets(file, content, start):
            files.write(path, piece, append=True)
        return path

    def _notify(self, file: IncomingFile, cpim: CpimMessage, call: SessionCall) -> None:
        """It is here: delivered, and displayed once its conversation is on screen."""
        parties, notifications = call.parties, self._shelf.notifications
        received = Received.of(cpim, parties.target, parties.conversation, self._shelf.clock(), file=True)
        if notifications.is_repeat(received):
            return
        if not self._shelf.personality.own_conversation and not file.in_group:
            self._shelf.conversations.learn(file.number, parties.conversation)
        notifications.delivered(file.place, received)

    def _octets(self, file: IncomingFile, content: SpooledContent, start: int) -> Iterator[bytes]:
        if file.before is not None:
            yield from _pieces(file.before)
        yield from _pieces(content, start)

    def _as_announced(self, file: IncomingFile, content: SpooledContent, kind: str, start: int) -> bool:
        """Size, type and every hash that can be computed (8.3.1)."""
        wanted = file.told.selector
        hashes = FileHash.of(self._octets(file, content, start), *(each.algorithm for each in wanted.hashes))
        known = {each.algorithm: each for each in hashes}
        size = content.size - start + (file.before.size if file.before is not None else 0)
        asked = tuple(each for each in wanted.hashes if each.algorithm in known)
        fits = FileSelector(None, wanted.type, wanted.size, asked).selects(
            FileSelector(None, kind, size, hashes)
        )
        if not fits:
            _log.warning("%d octets of %s from %s are not %s", size, kind, file.number, wanted)
        return fits

    def _linger(self, call: SessionCall) -> None:
        self._background.spawn(call.hang_up())

    # -- the end

    def cancel(self, offer_id: str) -> None:
        """The user gives it up: 413 to what comes, port 0, BYE (8.4)."""
        file = self._coming.get(offer_id)
        if file is None or file.done or file.cancelled:
            return
        file.cancelled = True
        if file.call is None:
            return
        if file.coming and file.call.alive:
            file.call.handle.stop(file.coming)
            file.timer = asyncio.get_running_loop().call_later(STOP_SECONDS, self._give_up, file)
        else:
            self._give_up(file)

    def _give_up(self, file: IncomingFile) -> None:
        self._background.spawn(self._close_stream(file))

    def _refused(self, file: IncomingFile, status: int) -> None:
        """The other side knows that the user gave the file up."""
        if file.cancelled and status >= 300:
            self._give_up(file)

    async def _close_stream(self, file: IncomingFile) -> None:
        """Port 0 with the same id, then the session, which has nothing else (8.4)."""
        file.stop_timer()
        call = file.call
        if file.closing or call is None or call.session is None or call.session.has_ended():
            return
        file.closing = True
        try:
            await call.change([None])
        except (RcsLabError, UsageError) as error:
            _log.info("no port 0 to %s: %s", file.number, error)
        await call.hang_up()

    def _ended(self, file: IncomingFile, ending: Ending) -> None:
        self._over(file, "broken off" if ending.by_us else str(ending.cause))

    def _over(self, file: IncomingFile, why: str) -> None:
        file.stop_timer()
        self._coming.pop(file.offer_id, None)
        if file.done or file.cancelled:
            return
        self._broken[file.key] = file
        # A member may send the rest once more, but is not asked for it: the group knows of no such request.
        self._app.file_failed(file.offer_id, why, again=not file.in_group)


def _unwrapped(arrival: Arrival, message: ReceivedMessage) -> tuple[CpimMessage | None, str, int]:
    """The CPIM headers of a file, its type, and where it begins in what came. Raises BodySyntaxError."""
    if _essence(message.content_type) == CPIM:
        cpim = parse_cpim(message.content.read(0, _HEAD_OCTETS))
        return cpim, cpim.mime_get("Content-Type") or "", cpim.content_offset
    for part in parts_of(arrival.request):
        if part.content_type is not None and part.content_type.essence == CPIM:
            return parse_cpim(part.decoded()), message.content_type, 0
    return None, message.content_type, 0


def _essence(kind: str) -> str:
    return kind.partition(";")[0].strip().lower()


def _pieces(content: SpooledContent, start: int = 0) -> Iterator[bytes]:
    for place in range(start, content.size, _PIECE_OCTETS):
        yield content.read(place, _PIECE_OCTETS)
