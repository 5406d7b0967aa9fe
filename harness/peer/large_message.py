"""Standalone messages in large message mode, both ways: INVITE, one message in CPIM by MSRP, BYE.

OMA CPM as far as headers and types go, RFC 5547 6 (file-selector tells the size). Notifications are MESSAGEs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.agent.failures import TransportFailed
from harness.agent.msrp.cpim_content import size_of
from harness.agent.msrp.services import Flow
from harness.agent.msrp.terms import MsrpTerms
from harness.bodies.file_attributes import FileDescription, FileSelector
from harness.bodies.sdp_attributes import Setup
from harness.bodies.timestamp import format_timestamp
from harness.cpm.services import Service
from harness.cpm.tokens import new_id
from harness.errors import NotSeen, UsageError
from harness.msrp.session import SendOptions
from harness.peer.answers import HeaderChanges
from harness.peer.config import FarParty
from harness.peer.invitations import Invitations
from harness.peer.listed_recipients import history_part
from harness.peer.msrp_service import MsrpService
from harness.peer.mt_invite import Invited
from harness.peer.mt_request import registered
from harness.peer.pager import DISPOSITION
from harness.peer.service_session import SentInSession, ServiceSession
from harness.peer.service_table import Asked
from harness.sip.session_headers import Reason

_AS_USUAL = SendOptions()
_COMPLETED = Reason("SIP", 200, "Call completed")
TEXT = "text/plain;charset=UTF-8"


@dataclass(eq=False, slots=True, weakref_slot=True)
class LargeMessage(ServiceSession):
    """One large message and its session.

    message_id: imdn.Message-ID of one of ours. sent: how MSRP took it, None for one that was not sent.
    failure: why it was not, or did not arrive. delivery: under way, for `finish`. Of the handset's,
    `received` has the message.
    """

    message_id: str | None = None
    sent: SentInSession | None = None
    failure: str = ""
    delivery: asyncio.Task[None] | None = None

    @property
    def paused(self) -> bool:
        """Whether the handset has answered what came before SendOptions.pause_at, and the rest waits."""
        return self.accepted and self.call.handle.paused

    @property
    def number(self) -> int:
        """Of the timeline when one of ours was sent, 0 for one that was not."""
        return self.sent.number if self.sent is not None else 0

    @property
    def announced_size(self) -> int | None:
        """Octets the INVITE of the handset says its content has (RFC 5547 6), None where it says nothing."""
        file = self.asked.file if self.asked is not None else None
        return file.selector.size if file is not None else None

    @property
    def delivered(self) -> bool:
        """True when the handset took the INVITE and every chunk of ours."""
        return self.accepted and self.sent is not None and self.sent.accepted


class LargeMessages(MsrpService[LargeMessage]):
    """Those the handset sends, and those sent from here."""

    flows = (Flow.LARGE,)

    def __init__(self, invitations: Invitations) -> None:
        super().__init__(invitations, LargeMessage)

    def takes(self, asked: Asked) -> bool:
        """Those to one recipient."""
        return super().takes(asked) and not asked.listed

    def terms(self, session: LargeMessage) -> Sequence[MsrpTerms | None]:
        """It takes one message of any type in CPIM."""
        return [
            self.invitations.terms(
                session.flow, session.local, answers=True, largest=self.largest, content_type="*"
            )
        ]

    async def send_large(
        self,
        to_aor: str,
        content: str | bytes | Path,
        *,
        sender: str | FarParty | None = None,
        disposition: Sequence[str] = DISPOSITION,
        content_type: str = TEXT,
        message_id: str | None = None,
        conversation_id: str | None = None,
        contribution_id: str | None = None,
        in_reply_to: str | None = None,
        headers: HeaderChanges | None = None,
        cpim: HeaderChanges | None = None,
        mime: HeaderChanges | None = None,
        shown: bytes | None = None,
        setup: Setup = Setup.ACTPASS,
        alter: Callable[[MsrpTerms], MsrpTerms] = lambda terms: terms,
        strict: bool = True,
        options: SendOptions = _AS_USUAL,
        cut: int | None = None,
        times: int = 1,
        hang_up: bool = True,
        wait: bool = True,
    ) -> LargeMessage:
        """Send a message to a registered handset: the INVITE, the message, and BYE when it is answered.

        to_aor: identity or number of the handset. content: text, octets, or a file. sender: number, URI or
        party, the configured far party when None. disposition: values of Disposition-Notification. headers,
        cpim, mime: SIP headers of the INVITE, CPIM headers and headers of the content to change, add or leave
        out. shown: the other recipients, as in `Pager.send_text`. alter: the terms of the offer as a test
        wants them (a size that lies, another type). strict:
        False for an offer against RFC 6135. options: chunks and reports. cut: see `send`. times: how often
        the message goes, always with one Message-ID, as when answers are lost. hang_up: False leaves the BYE
        to `end`. wait: False returns when the session is there, and leaves the rest to `finish`.

        A handset that refuses, does not connect or answers no chunk shows in the result. Notifications come
        by MESSAGE, later. Raises NotSeen when the handset is not registered, UsageError, OSError.
        """
        octets = _octets(content)
        target = registered(self.invitations.registrar, to_aor, Service.LARGE)
        large = self.calling(
            Flow.LARGE,
            target,
            sender=self._pcscf.config.party_of(sender),
            conversation_id=conversation_id,
            contribution_id=contribution_id,
        )
        large.message_id = message_id or self._pcscf.config.personality.message_ids()
        terms = self._offer(large, size_of(octets), content_type, setup)
        self.prepare(large, [alter(terms)], strict=strict)
        reply = {} if in_reply_to is None else {"InReplyTo-Contribution-ID": in_reply_to}
        parts = () if shown is None else (history_part(shown),)
        await self.call(large, Invited({**reply, **(headers or {})}, parts=parts))
        if not large.accepted:
            large.failure = large.outcome.failure if large.outcome is not None else ""
            return large
        delivery = self._deliver(
            large,
            octets,
            content_type,
            times,
            hang_up,
            disposition=disposition,
            message_id=large.message_id,
            cpim={"DateTime": self._now(), **(cpim or {})} if times > 1 else cpim,
            mime=mime,
            options=replace(options, message_id=options.message_id or new_id()),
            cut=cut,
            text=content if isinstance(content, str) else None,
        )
        if wait:
            await delivery
        else:
            large.delivery = asyncio.create_task(delivery)
        return large

    def _now(self) -> str:
        """DateTime of a message that goes several times and is the same each time."""
        return format_timestamp(datetime.fromtimestamp(self._pcscf.timeline.now(), UTC))

    async def finish(self, large: LargeMessage) -> LargeMessage:
        """Send the rest of a message that was begun, and wait for its end, which shows in it.

        Raises UsageError for one that was not begun so.
        """
        if large.delivery is None:
            raise UsageError(f"{large}: there is nothing left to be sent")
        large.call.handle.go_on()
        await large.delivery
        return large

    def _offer(self, large: LargeMessage, size: int, content_type: str, setup: Setup) -> MsrpTerms:
        essence = content_type.partition(";")[0].strip()
        return self.invitations.terms(
            Flow.LARGE,
            large.local,
            answers=False,
            setup=setup,
            content_type=essence,
            file=FileDescription(FileSelector(size=size), transfer_id=new_id()),
        )

    async def _deliver(
        self,
        large: LargeMessage,
        octets: bytes | Path,
        content_type: str,
        times: int,
        hang_up: bool,
        **how: Any,
    ) -> None:
        """Send it and hang up; a session that broke has nobody at its other end who would hear that."""
        for _ in range(times):
            await self._send_once(large, octets, content_type, how)
        if hang_up and large.ending is None and not large.call.handle.failed:
            await self.end(large, _COMPLETED)

    async def _send_once(
        self, large: LargeMessage, octets: bytes | Path, content_type: str, how: dict[str, Any]
    ) -> None:
        """What keeps it from being sent shows in the message."""
        try:
            large.sent = await self.send(large, octets, content_type, **how)
        except (NotSeen, TransportFailed, UsageError) as error:
            large.failure = str(error)
        else:
            outcome = large.sent.outcome
            large.failure = "" if outcome.good else f"{outcome.status or 'no answer'}: {outcome.comment}"


def _octets(content: str | bytes | Path) -> bytes | Path:
    return content.encode() if isinstance(content, str) else content
