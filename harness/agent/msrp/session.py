"""One MSRP session of the endpoint as its user has it: send and wait for the outcome, be told what comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from harness.agent.msrp.content import Content, SpooledContent, source_of
from harness.agent.msrp.plan import MsrpPlan
from harness.agent.msrp.services import COMPOSING, IMDN
from harness.bodies.sdp_attributes import type_accepted
from harness.errors import UsageError
from harness.msrp.as_written import WrittenChunk
from harness.msrp.chunking import Outcome, OutgoingMessage
from harness.msrp.message import MsrpRequest
from harness.msrp.reassembly import IncomingMessage
from harness.msrp.reception import ReceivingRules
from harness.msrp.session import MsrpSession, SendOptions, SessionSettings
from harness.msrp.session_events import (
    BodilessReceived,
    MessageLost,
    MessageProgress,
    MessageReceived,
    MessageSent,
    NicknameAnswered,
    NicknameAsked,
    ReportReceived,
    RequestRefused,
    SessionFailed,
)

if TYPE_CHECKING:
    from harness.agent.msrp.line import MsrpLine


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """A message that came. again: its Message-ID was there before (RFC 4975 5.4). faults: what was odd."""

    message_id: str
    content_type: str
    content: SpooledContent
    head: MsrpRequest
    again: bool
    faults: tuple[str, ...]


@dataclass(slots=True)
class MsrpUser:
    """What the user of a session is told, each in the loop of the endpoint. Nothing is by default.

    message: one that is complete. progress: octets of one that came so far, and all there will be (None when
    not known). lost: one that will not be complete, and why. partial: what came of it without a gap. report:
    on a message of ours. sent: an outcome, which a late error may change. request: a SEND without body, or a
    request that was refused, with the status. nickname_asked: and the answer it was given. failed: the
    session can not go on. accept: a status to refuse a message with, seen by its first chunk. silent:
    whether chunks of the message with this Message-ID get no response. nickname: the answer to a wanted one
    (RFC 7701).
    """

    message: Callable[[ReceivedMessage], None] = lambda _: None
    progress: Callable[[str, int, int | None], None] = lambda *_: None
    lost: Callable[[str, str], None] = lambda *_: None
    partial: Callable[[ReceivedMessage], None] = lambda _: None
    report: Callable[[ReportReceived], None] = lambda _: None
    sent: Callable[[OutgoingMessage], None] = lambda _: None
    request: Callable[[MsrpRequest, int], None] = lambda *_: None
    nickname_asked: Callable[[str, int], None] = lambda *_: None
    failed: Callable[[str], None] = lambda _: None
    accept: Callable[[MsrpRequest], int | None] = lambda _: None
    silent: Callable[[str], bool] = lambda _: False
    nickname: Callable[[str], int] = lambda _: 403


_AS_USUAL = SendOptions()
_CONTROL = (IMDN, COMPOSING)


class SessionHandle:
    """A session that was opened.

    ready: done once it has its connection; holds TransportFailed when there will be none.
    """

    def __init__(
        self,
        plan: MsrpPlan,
        user: MsrpUser,
        content: Callable[[], SpooledContent],
        new_tid: Callable[[], bytes],
        closed: Callable[[SessionHandle, str], None],
    ) -> None:
        self.plan, self.user = plan, user
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.line: MsrpLine | None = None
        self._closed = closed
        self._outcomes: dict[OutgoingMessage, asyncio.Future[Outcome]] = {}
        self._nicknames: list[tuple[str, asyncio.Future[int]]] = []
        rules = ReceivingRules(
            accepts=partial(type_accepted, plan.accepts),
            max_size=plan.max_size,
            refuse=lambda request: user.accept(request),
            silent=lambda message_id: user.silent(message_id),
            new_sink=lambda _: content(),
        )
        self.session = MsrpSession(
            SessionSettings(plan.own_uri, plan.to_path, rules, lambda wanted: user.nickname(wanted)), new_tid
        )

    @property
    def failed(self) -> bool:
        """Whether nothing can be sent any more."""
        return self.session.failed

    async def send(
        self,
        content: Content,
        content_type: str,
        options: SendOptions = _AS_USUAL,
        *,
        control: bool = False,
        anyway: bool = False,
    ) -> Outcome:
        """Send a message and wait for its outcome. Cancelling the wait aborts the message.

        control: it is no payload but a report or the like, in CPIM, which no direction binds (RFC 4975 8.9).
        anyway: send what the other side did not say it takes, in a direction there is not as well. Raises
        UsageError for that without it (8.6, 8.9), for what would not be MSRP and in a failed session; OSError
        for a file.
        """
        return await self._outcome(self.post(content, content_type, options, control=control, anyway=anyway))

    async def send_as_written(self, chunks: Iterable[WrittenChunk], content_type: str) -> Outcome:
        """Send a message in these chunks, right or wrong, and wait for its outcome. Raises UsageError."""
        message = self.session.send_as_written(chunks, content_type)
        self.flush()
        return await self._outcome(message)

    async def _outcome(self, message: OutgoingMessage) -> Outcome:
        """Cancelling the wait aborts the message."""
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._outcomes[message] = future
        if message.outcome is not None:
            return message.outcome
        try:
            return await future
        except asyncio.CancelledError:
            message.abort()
            self.flush()
            raise
        finally:
            self._outcomes.pop(message, None)

    def post(
        self,
        content: Content,
        content_type: str,
        options: SendOptions = _AS_USUAL,
        *,
        control: bool = False,
        anyway: bool = False,
    ) -> OutgoingMessage:
        """Begin to send a message; `user.sent` has the outcome. Raises as `send`."""
        if not anyway:
            self._demand_taken(content_type, control)
        message = self.session.send(source_of(content), content_type, options)
        self.flush()
        return message

    def _demand_taken(self, content_type: str, control: bool) -> None:
        plan = self.plan
        if not type_accepted(plan.remote_accepts, content_type):
            taken = " ".join(plan.remote_accepts)
            raise UsageError(f"the other side takes {taken}, not {content_type} (RFC 4975 8.6)")
        if not (plan.direction.sends or control or type_accepted(_CONTROL, content_type)):
            text = f"the session is {plan.direction} for us: no payload can be sent in it (RFC 4975 8.9)"
            raise UsageError(f"{text}; offer it anew, or send with anyway=True to see what comes of it")

    def keep_alive(self) -> OutgoingMessage:
        """Send a SEND without a body (RFC 4975 7.1)."""
        message = self.session.send(None)
        self.flush()
        return message

    async def nickname(self, nickname: str) -> int:
        """Ask for a nickname, "" for none any more; gives the status (RFC 7701 7.1). Raises UsageError."""
        self.session.ask_nickname(nickname)
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._nicknames.append((nickname, future))
        self.flush()
        return await future

    def report(self, received: ReceivedMessage, status: int, comment: str = "") -> None:
        """Send a REPORT on a whole message that came (RFC 4975 7.1.4)."""
        message = IncomingMessage(received.message_id, received.head, received.content)
        message.coverage.add(0, received.content.size)
        message.total = received.content.size
        self.session.report(message, status, comment)
        self.flush()

    @property
    def paused(self) -> bool:
        """Whether a message of ours pauses (SendOptions.pause_at), and what went of it is answered."""
        return self.session.paused

    def go_on(self) -> None:
        """Send the rest of messages that pause."""
        self.session.go_on()
        self.flush()

    def stop(self, message_id: str, status: int = 413) -> None:
        """Refuse the rest of a message that is coming: its next chunk gets the status (RFC 4975 10.5)."""
        self.session.stop(message_id, status)
        self.flush()

    def hold(self, on: bool = True) -> None:
        """Let the connection of the session stand still, or move again (on purpose). Nothing without one."""
        if self.line is not None:
            self.line.hold(on)

    def close(self, reason: str = "the session was closed") -> None:
        """End the session, as after BYE. Its connection ends too when no other session uses it."""
        self._closed(self, reason)

    def flush(self) -> None:
        """Send what waits, and tell what happened."""
        if self.line is not None:
            self.line.flush()
        self.tell()

    def tell(self) -> None:
        """Tell the user what happened in the session."""
        user = self.user
        for event in self.session.take_events():
            match event:
                case MessageReceived():
                    self._message(event)
                case MessageProgress():
                    self._progress(event.message)
                case MessageLost():
                    user.lost(event.message.message_id, event.reason)
                    user.partial(_partial(event.message))
                case MessageSent():
                    self._sent(event.message)
                case ReportReceived():
                    user.report(event)
                case BodilessReceived():
                    user.request(event.request, 200)
                case RequestRefused():
                    user.request(event.request, event.status)
                case NicknameAsked():
                    user.nickname_asked(event.nickname, event.status)
                case NicknameAnswered():
                    self._nickname(event)
                case SessionFailed():
                    self._failed(event.reason)

    def _message(self, event: MessageReceived) -> None:
        self.user.message(_received(event.message, event.again))

    def _progress(self, message: IncomingMessage) -> None:
        total = message.announced if message.total is None else message.total
        self.user.progress(message.message_id, message.coverage.octets, total)

    def _sent(self, message: OutgoingMessage) -> None:
        future = self._outcomes.get(message)
        if future is not None and not future.done() and message.outcome is not None:
            future.set_result(message.outcome)
        self.user.sent(message)

    def _nickname(self, event: NicknameAnswered) -> None:
        for place, (nickname, future) in enumerate(self._nicknames):
            if nickname == event.nickname:
                del self._nicknames[place]
                if not future.done():
                    future.set_result(event.status)
                return

    def _failed(self, reason: str) -> None:
        for _, future in self._nicknames:
            if not future.done():
                future.set_exception(UsageError(f"the MSRP session has failed: {reason}"))
        self._nicknames.clear()
        self.user.failed(reason)


def _received(message: IncomingMessage, again: bool = False) -> ReceivedMessage:
    content = message.sink if isinstance(message.sink, SpooledContent) else SpooledContent()
    head, faults = message.head, tuple(message.faults)
    return ReceivedMessage(message.message_id, message.content_type, content, head, again, faults)


def _partial(message: IncomingMessage) -> ReceivedMessage:
    """What there is of it up to the first gap."""
    received = _received(message)
    spans = message.coverage.spans
    received.content.finish(spans[0][1] if spans and spans[0][0] == 0 else 0)
    return received
