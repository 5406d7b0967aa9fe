"""One MSRP session, sans-IO: requests in, responses and events out, messages to send (RFC 4975 7).

A session lives on one connection at a time (connection.py), which gives it the requests that are for it and
takes what it has to send.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from harness.errors import MsrpSyntaxError, UsageError
from harness.msrp.as_written import MessageAsWritten, WrittenChunk
from harness.msrp.building import build_report, build_request, demand_header
from harness.msrp.chunking import SMALL_CHUNK, OutgoingMessage, Report
from harness.msrp.content import ContentSource
from harness.msrp.message import COMMENTS, IDENT, ByteRange, Flag, MsrpRequest
from harness.msrp.nickname import parse_nickname, write_nickname
from harness.msrp.reassembly import IncomingMessage
from harness.msrp.reception import ReceivingRules, Reception, Refusal
from harness.msrp.session_events import (
    MessageSent,
    NicknameAnswered,
    NicknameAsked,
    ReportReceived,
    RequestRefused,
    SessionEvent,
    SessionFailed,
)
from harness.msrp.transactions import Transaction, TransactionIds

LARGEST_OTHER_BODY = 10240  # octets of the body of a request that is no SEND (7.1)
_ENDS_SESSION = frozenset({481, 506})  # (10.8, 10.10)
_STOP_SENDING = 413
_MOST_SETTLED = 128  # messages kept for a report after their outcome


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """What offer and answer settled, and what we take.

    own_uri: identifies us in the session. to_path: To-Path of our requests, the next hop first. nickname: the
    status a wanted nickname is answered with, "" for none any more; 403 where there are no nicknames
    (RFC 7701 7.1).
    """

    own_uri: str
    to_path: tuple[str, ...]
    rules: ReceivingRules = field(default_factory=ReceivingRules)
    nickname: Callable[[str], int] = lambda _: 403


@dataclass(frozen=True, slots=True)
class SendOptions:
    """How a message is sent (7.1.1).

    headers: of MIME and extensions, Content-Type excepted. message_id: None for a new one, that of before
    when a message is sent again (5.4). chunk_octets: of the body of each chunk, None for chunks that only
    other traffic ends. pause_at: octets of the content after whose chunk the message waits for `go_on`.
    """

    headers: tuple[tuple[str, str], ...] = ()
    message_id: str | None = None
    success_report: Report = Report.NO
    failure_report: Report = Report.YES
    chunk_octets: int | None = SMALL_CHUNK
    pause_at: int | None = None


class Link(Protocol):
    """The connection a session lives on, as the session sees it."""

    urgent: list[bytes]

    def enqueue(self, message: OutgoingMessage) -> None:
        """Send a message as soon as it is its turn."""

    def wait_for(self, transaction: Transaction) -> None:
        """A request was put into `urgent` and wants an answer."""


class MsrpSession:
    """The state of one session. `events` is taken and cleared by who uses it."""

    def __init__(self, settings: SessionSettings, new_tid: Callable[[], bytes] | None = None) -> None:
        self.settings = settings
        self.events: list[SessionEvent] = []
        self.link: Link | None = None
        self.failed = False
        self._new_tid = new_tid or TransactionIds()
        self._reception = Reception(settings.rules, settings.own_uri, self.events, self._new_tid)
        self._waiting: list[OutgoingMessage] = []  # until there is a connection
        self._sent: dict[str, OutgoingMessage] = {}  # those a report or a late error may be about
        self._settled: dict[str, None] = {}  # those of them with an outcome, the oldest first
        to_path = " ".join(settings.to_path)
        self._paths = f"To-Path: {to_path}\r\nFrom-Path: {settings.own_uri}\r\n".encode()

    # Its connection

    def bind(self, link: Link) -> None:
        """The session lives on this connection from now on; what waited is sent."""
        self.link = link
        self._reception.out = link.urgent
        for message in self._waiting:
            link.enqueue(message)
        self._waiting.clear()

    def unbind(self, reason: str) -> None:
        """The connection is gone, and with it the session (5.4)."""
        self.link = None
        self._reception.out = []
        self._reception.close(reason)
        self._fail(reason)

    @property
    def waits(self) -> bool:
        """Whether a message waits for the session to have a connection."""
        return bool(self._waiting)

    # Sending

    def send(
        self, source: ContentSource | None, content_type: str = "", options: SendOptions = SendOptions()
    ) -> OutgoingMessage:
        """Begin to send a message; source None for a SEND without a body (7.1).

        Raises UsageError for what would not be MSRP, and when the session has failed.
        """
        self._demand_alive()
        if (source is None) != (not content_type):
            raise UsageError("a body needs a Content-Type, and no body has none (RFC 4975 7.1)")
        if options.success_report is Report.PARTIAL:
            raise UsageError("Success-Report is yes or no (RFC 4975 9)")
        if options.chunk_octets is not None and options.chunk_octets < 1:
            raise UsageError("a chunk has at least one octet")
        identifier = secrets.token_hex(16) if options.message_id is None else options.message_id
        if IDENT.fullmatch(identifier.encode()) is None:
            raise UsageError(f"{identifier!r} is no Message-ID (RFC 4975 9)")
        for name, value in (*options.headers, ("Content-Type", content_type)):
            demand_header(name, value)
        message = OutgoingMessage(
            identifier,
            self._paths,
            source,
            content_type,
            new_tid=self._new_tid,
            headers=options.headers,
            success_report=options.success_report,
            failure_report=options.failure_report,
            chunk_octets=options.chunk_octets,
            ended=self._message_ended,
            pause_at=options.pause_at,
        )
        return self._enqueued(message)

    def send_as_written(self, chunks: Iterable[WrittenChunk], content_type: str) -> OutgoingMessage:
        """Begin to send a message in these chunks, right or wrong. Raises UsageError as `send`."""
        self._demand_alive()
        demand_header("Content-Type", content_type)
        message = MessageAsWritten(
            secrets.token_hex(16),
            self._paths,
            chunks,
            content_type,
            new_tid=self._new_tid,
            ended=self._message_ended,
        )
        return self._enqueued(message)

    def _enqueued(self, message: OutgoingMessage) -> OutgoingMessage:
        self._sent[message.message_id] = message
        if self.link is None:
            self._waiting.append(message)
        else:
            self.link.enqueue(message)
        return message

    @property
    def paused(self) -> bool:
        """Whether a message pauses, and what was sent of it is answered."""
        return any(each.held and not each.unanswered for each in self._sent.values())

    def go_on(self) -> None:
        """Send the rest of what pauses."""
        for message in self._sent.values():
            message.pause_at = None

    def ask_nickname(self, nickname: str) -> None:
        """Ask for a nickname, "" to be rid of it; a NicknameAnswered follows (RFC 7701 7.1, 7.3).

        Raises UsageError for what is none, and when there is no connection.
        """
        self._demand_alive()
        if self.link is None:
            raise UsageError("the MSRP session has no connection yet")
        rows = [("Use-Nickname", write_nickname(nickname))]
        request = build_request(
            "NICKNAME", self.settings.to_path, [self.settings.own_uri], rows,
            transaction_id=self._new_tid().decode(),
        )  # fmt: skip
        self.link.urgent.append(request.raw)
        self.link.wait_for(Transaction(request.tid, _Nickname(nickname, self.events), timed=True))

    def stop(self, message_id: str, status: int) -> None:
        """Refuse the rest of a message that is coming (10.5)."""
        self._reception.stop(message_id, status)

    def report(
        self, message: IncomingMessage, status: int, comment: str = "", byte_range: ByteRange | None = None
    ) -> None:
        """Send a REPORT on a message that came, as on one that failed further on (7.1.4).

        byte_range: None for all that came. A failure is not reported to who wants no reports of failure, nor
        anything when there is no connection any more (7.1.2).
        """
        if self.link is None or (status != 200 and message.head.failure_report == "no"):
            return
        covered = byte_range or ByteRange(1, message.coverage.end, message.total or message.announced)
        self.link.urgent.append(build_report(message.head, status, comment or None, covered).raw)

    # Receiving

    def receive(self, request: MsrpRequest) -> None:
        """A request that came whole."""
        if request.method == "SEND":
            self._reception.receive(request)
        elif request.method == "REPORT":
            self._receive_report(request)
        else:
            self._receive_other(request)

    def receive_next(self, request: MsrpRequest) -> bool:
        """A request with the head of the one before, but for its range. False when it is another."""
        return self._reception.receive_next(request)

    def begin_chunk(self, request: MsrpRequest) -> bool:
        """A request whose body comes in blocks. False when nobody wants the blocks."""
        if request.method == "SEND":
            self._reception.begin(request)
            return True
        if request.method != "REPORT":
            self._refuse_large(request)
        return False

    def chunk_block(self, data: bytes) -> None:
        """The next octets of its body."""
        self._reception.block(data)

    def end_chunk(self, flag: Flag) -> None:
        """Its end-line."""
        self._reception.end(flag)

    def take_events(self) -> list[SessionEvent]:
        """What happened since the last time."""
        self._reception.progress()
        taken = list(self.events)
        self.events.clear()
        return taken

    def _receive_report(self, request: MsrpRequest) -> None:
        """7.3.2. Never answered; silently ignored when the message is not known."""
        message = self._sent.get(request.message_id or "")
        if message is None:
            return
        try:
            status, covered = request.status, request.byte_range
        except MsrpSyntaxError as error:
            self.events.append(RequestRefused(request, 400, f"Bad Request: {error.what}"))
            return
        if status is None:
            self.events.append(RequestRefused(request, 400, "Bad Request: no Status"))
            return
        self.events.append(ReportReceived(message, status, covered))
        if status.namespace != "000":
            return
        if status.code != 200:
            message.fail(status.code, status.comment)
            if status.code != _STOP_SENDING and covered is not None:
                self._fail(f"a report says {status.code} of octets {covered} (RFC 4975 7.3.2)")
        elif covered is not None and covered.start:
            message.reported.add(covered.start - 1, covered.end or message.octets)
        else:
            message.reported.add(0, message.octets)

    def _receive_other(self, request: MsrpRequest) -> None:
        if len(request.payload) > LARGEST_OTHER_BODY:
            self._refuse_large(request)
        elif request.method == "NICKNAME":
            self._receive_nickname(request)
        else:
            self._reception.refuse(request, Refusal(501))

    def _refuse_large(self, request: MsrpRequest) -> None:
        refusal = Refusal(400, f"Bad Request: a body above {LARGEST_OTHER_BODY} octets")
        self._reception.refuse(request, refusal)

    def _receive_nickname(self, request: MsrpRequest) -> None:
        header = request.header("Use-Nickname")
        if header is None:
            self._reception.refuse(request, Refusal(400, "Bad Request: no Use-Nickname"))
            return
        try:
            nickname = parse_nickname(header.value, header.offset)
        except MsrpSyntaxError:
            # Whether there are nicknames at all is seen first (RFC 7701 7.1).
            self._reception.refuse(request, Refusal(403 if self.settings.nickname("") == 403 else 424))
            return
        status = self.settings.nickname(nickname)
        self.events.append(NicknameAsked(nickname, status))
        self._reception.respond(request, status)

    # How it ends

    def _message_ended(self, message: OutgoingMessage) -> None:
        self.events.append(MessageSent(message))
        self._settled[message.message_id] = None
        if len(self._settled) > _MOST_SETTLED:
            oldest = next(iter(self._settled))
            del self._settled[oldest]
            self._sent.pop(oldest, None)
        outcome = message.outcome
        if outcome is not None and outcome.status in _ENDS_SESSION:
            self._fail(f"the other end answers {outcome.status} {outcome.comment}")

    def _fail(self, reason: str) -> None:
        if self.failed:
            return
        self.failed = True
        for message in list(self._sent.values()):
            if message.outcome is None:
                message.give_up(reason)
        self._waiting.clear()
        self.events.append(SessionFailed(reason))

    def _demand_alive(self) -> None:
        if self.failed:
            raise UsageError("the MSRP session has failed; negotiate a new one (RFC 4975 5.4)")


class _Nickname:
    """Who waits for the answer to a NICKNAME."""

    def __init__(self, nickname: str, events: list[SessionEvent]) -> None:
        self._nickname, self._events = nickname, events

    def answered(self, transaction: Transaction, status: int, comment: str) -> None:
        self._events.append(NicknameAnswered(self._nickname, status, comment or COMMENTS.get(status, "")))
