"""SEND requests received in one session: checks, reassembly, responses, reports (RFC 4975 7.1.3 to 7.3.1)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from harness.errors import MsrpSyntaxError
from harness.msrp.content import BodySink, MemorySink, NoSink
from harness.msrp.message import BYTE_RANGE, COMMENTS, Flag, MsrpRequest
from harness.msrp.reassembly import IncomingMessage
from harness.msrp.session_events import (
    BodilessReceived,
    MessageLost,
    MessageProgress,
    MessageReceived,
    RequestRefused,
    SessionEvent,
)

T = TypeVar("T")
_RANGE_LINE = re.compile(rb"\r\nByte-Range:[ \t]*([0-9]+-[0-9*]+/([0-9*]+))[ \t]*(?=\r\n)", re.IGNORECASE)
MOST_REMEMBERED = 1024  # Message-IDs of messages done with or refused


@dataclass(frozen=True, slots=True)
class ReceivingRules:
    """What a session takes.

    accepts: whether a media type is taken, else 415. max_size: octets of a whole message, else 413; None for
    any. open_messages: how many may be incomplete at once, else 413. refuse: a status to refuse the first
    chunk of a message with (403, 413, ...), or None. silent: whether SENDs with this Message-ID get no
    response, as of one who is gone. new_sink: where content goes.
    """

    accepts: Callable[[str], bool] = lambda _: True
    max_size: int | None = None
    open_messages: int = 32
    refuse: Callable[[MsrpRequest], int | None] = lambda _: None
    silent: Callable[[str], bool] = lambda _: False
    new_sink: Callable[[MsrpRequest], BodySink] = lambda _: MemorySink()


class Refusal(Exception):
    """A request is answered with an error."""

    def __init__(self, status: int, comment: str = "") -> None:
        self.status, self.comment = status, comment or COMMENTS[status]
        super().__init__(self.comment)


class Responder:
    """Writes responses to requests, where one is due (7.1.4, 7.2). silent: see ReceivingRules."""

    def __init__(self, silent: Callable[[str], bool] = lambda _: False) -> None:
        self._silent = silent

    def response(self, request: MsrpRequest, status: int, comment: str) -> bytes | None:
        """The response, or None: to REPORT ever, to `Failure-Report: no`, of success to "partial"."""
        way_back = self.way_back(request, status)
        tid = request.tid
        if way_back is None:
            return None
        return b"MSRP %b %03d %b\r\n%b-------%b$\r\n" % (tid, status, comment.encode(), way_back, tid)

    def way_back(self, request: MsrpRequest, status: int) -> bytes | None:
        """To-Path and From-Path of the response: for SEND to the previous hop, else all the way (7.2).

        None where no response is due, or the paths cannot be read.
        """
        if self._silent(request.message_id or ""):
            return None
        wanted = request.fields.get(b"failure-report", b"yes").lower()
        if request.method == "REPORT" or wanted == b"no" or (wanted == b"partial" and status == 200):
            return None
        try:
            back = request.from_path[:1] if request.method == "SEND" else request.from_path
            return f"To-Path: {' '.join(back)}\r\nFrom-Path: {request.to_path[0]}\r\n".encode()
        except MsrpSyntaxError:
            return None


class ChunkRun:
    """Chunks of one message that follow each other and have the same head, but for the range they cover.

    Most chunks of a long message do: they are known by comparing octets, without reading their headers.
    """

    __slots__ = ("_after", "_before", "_total", "key", "message", "way_back")

    def __init__(
        self, first: MsrpRequest, key: bytes, message: IncomingMessage, way_back: bytes | None
    ) -> None:
        """way_back: path lines of the responses, None when they want none."""
        self.key, self.message, self.way_back = key, message, way_back
        match = _RANGE_LINE.search(first.raw, first.line_end, first.body_offset)
        assert match is not None, "a chunk of a run has a Byte-Range"
        self._before = first.raw[first.line_end : match.start(1)]
        self._after = first.raw[match.end(1) : first.body_offset]
        self._total = match[2]

    def position_of(self, request: MsrpRequest) -> int | None:
        """Where the body of the next chunk begins; None when it has another head."""
        if not request.has_at(self._before, request.line_end):
            return None
        after = request.body_offset - len(self._after)
        match = request.match_at(BYTE_RANGE, request.line_end + len(self._before), after)
        if match is None or match[3] != self._total or not request.has_at(self._after, after):
            return None
        start = int(match[1])
        return start - 1 if start else None


class Reception:
    """The receiving half of a session. out: where responses and reports go, to be sent first."""

    def __init__(
        self,
        rules: ReceivingRules,
        own_uri: str,
        events: list[SessionEvent],
        new_tid: Callable[[], bytes],
    ) -> None:
        self.out: list[bytes] = []
        self._rules, self._own_uri, self._events, self._new_tid = rules, own_uri.encode(), events, new_tid
        self._responder = Responder(rules.silent)
        self._open: dict[bytes, IncomingMessage] = {}
        self._refused: dict[bytes, Refusal] = {}
        self._done: dict[bytes, None] = {}
        self._moved: dict[bytes, IncomingMessage] = {}
        self._chunk: tuple[MsrpRequest, IncomingMessage, int] | None = None  # one that comes in blocks
        self._run: ChunkRun | None = None

    def receive(self, request: MsrpRequest) -> None:
        """A SEND that came whole."""
        try:
            if not request.has_body:
                self._bodiless(request)
                return
            message, position = self._begin(request)
            payload = request.payload
            self._take(message, position, payload)
        except Refusal as refusal:
            self.refuse(request, refusal)
        else:
            # Of nothing, Byte-Range begins at 1 wherever it stands (7.1.1).
            end = position + len(payload) if payload else message.coverage.end
            self._finish(request, message, end, request.flag)

    def receive_next(self, request: MsrpRequest) -> bool:
        """A SEND that came whole, if it is the next of a run of chunks. False when it is not."""
        run = self._run
        position = None if run is None else run.position_of(request)
        if run is None or position is None or request.flag is not Flag.MORE:
            return False
        payload = request.payload
        if not payload:
            return False
        try:
            self._take(run.message, position, payload)
        except Refusal as refusal:
            self.refuse(request, refusal)
            return True
        if run.way_back is not None:
            self.out.append(b"MSRP %b 200 OK\r\n%b-------%b$\r\n" % (request.tid, run.way_back, request.tid))
        if run.message.complete:
            self._complete(run.key, run.message, request)
        else:
            self._moved[run.key] = run.message
        return True

    def begin(self, request: MsrpRequest) -> None:
        """A SEND whose body comes in blocks begins. It may be refused before it ends (10.5)."""
        self._chunk = None
        try:
            message, position = self._begin(request)
            self._chunk = request, message, position
        except Refusal as refusal:
            self.refuse(request, refusal)

    def block(self, data: bytes) -> None:
        """The next octets of it."""
        if self._chunk is None:
            return
        request, message, position = self._chunk
        try:
            self._take(message, position, data)
            self._chunk = request, message, position + len(data)
        except Refusal as refusal:
            self._chunk = None
            self.refuse(request, refusal)

    def end(self, flag: Flag) -> None:
        """Its end-line."""
        if self._chunk is not None:
            request, message, position = self._chunk
            self._chunk = None
            self._finish(request, message, position, flag)

    def close(self, reason: str) -> None:
        """The session is over: what is not complete never will be."""
        self._chunk = None
        for message in self._open.values():
            message.sink.discard()
            self._events.append(MessageLost(message, reason))
        self._open.clear()
        self._moved.clear()
        self._run = None

    def stop(self, message_id: str, status: int) -> None:
        """Take no more of a message that is coming: what comes of it next is refused (10.5).

        Nothing happens when no such message is open.
        """
        key = message_id.encode()
        if key not in self._open:
            return
        refusal = Refusal(status, COMMENTS.get(status, "Refused"))
        if self._chunk is not None and self._chunk[1] is self._open[key]:
            request, self._chunk = self._chunk[0], None
            self.refuse(request, refusal)
        else:
            _remember(self._refused, key, refusal)
            self._drop(key, f"refused with {status} {refusal.comment}")

    def progress(self) -> None:
        """Tell of each message of which something came since the last time."""
        if self._moved:
            self._events += [MessageProgress(message) for message in self._moved.values()]
            self._moved.clear()

    def respond(self, request: MsrpRequest, status: int, comment: str = "") -> None:
        """Answer a request, where an answer is due."""
        response = self._responder.response(request, status, comment or COMMENTS.get(status, ""))
        if response is not None:
            self.out.append(response)

    def refuse(self, request: MsrpRequest, refusal: Refusal) -> None:
        """Answer with an error. Unless it may be corrected (400), its message is not taken any more."""
        if request.method == "SEND" and refusal.status != 400:
            key = request.fields.get(b"message-id", b"")
            _remember(self._refused, key, refusal)
            self._drop(key, f"answered {refusal.status} {refusal.comment}")
        self._events.append(RequestRefused(request, refusal.status, refusal.comment))
        self.respond(request, refusal.status, refusal.comment)

    def _begin(self, request: MsrpRequest) -> tuple[IncomingMessage, int]:
        """The message a chunk belongs to, and the position of its body. Raises Refusal."""
        if request.unclear:
            raise Refusal(400)
        key = request.fields.get(b"message-id")
        if not key:
            raise Refusal(400, "Bad Request: Message-ID")
        try:
            covered = request.byte_range
        except MsrpSyntaxError as error:
            raise Refusal(400, f"Bad Request: {error.what}") from error
        if covered is not None and covered.start == 0:
            raise Refusal(400, "Bad Request: Byte-Range counts from 1")
        message = self._open.get(key)
        if message is None:
            message = self._new_message(key, request)
        if covered is None:
            return message, 0  # a whole message, or its first chunk (7.1.1, 7.3.1)
        if covered.total is not None:
            self._announce(message, covered.total)
        return message, covered.start - 1

    def _new_message(self, key: bytes, request: MsrpRequest) -> IncomingMessage:
        refused = self._refused.get(key)
        if refused is not None:
            raise Refusal(refused.status, refused.comment)
        content_type = request.get("Content-Type")
        if content_type is None:
            raise Refusal(400, "Bad Request: no Content-Type")
        if not self._rules.accepts(content_type):
            raise Refusal(415)
        if len(self._open) >= self._rules.open_messages:
            raise Refusal(413, "Too Many Messages At Once")
        status = self._rules.refuse(request)
        if status is not None:
            raise Refusal(status, COMMENTS.get(status, "Refused"))
        again = key in self._done
        sink = NoSink() if again else self._rules.new_sink(request)
        message = IncomingMessage(key.decode("utf-8", "backslashreplace"), request, sink, again)
        self._open[key] = message
        return message

    def _announce(self, message: IncomingMessage, total: int) -> None:
        if total != message.announced:
            if message.announced is not None:
                message.fault(f"the total changed from {message.announced} to {total}")
            message.announced = total
        if self._rules.max_size is not None and total > self._rules.max_size:
            raise Refusal(413)

    def _take(self, message: IncomingMessage, position: int, data: bytes | memoryview) -> None:
        """Put octets of a chunk in place. Raises Refusal."""
        if not data:
            return
        end = position + len(data)
        if message.total is not None and end > message.total:
            raise Refusal(400, "Bad Request: past the end of the message")
        if self._rules.max_size is not None and end > self._rules.max_size:
            raise Refusal(413)
        if not message.coverage.fits(position):
            raise Refusal(413, "Too Many Gaps")
        try:
            message.write(position, data)
        except OSError as error:
            raise Refusal(413, "Cannot Be Stored") from error

    def _bodiless(self, request: MsrpRequest) -> None:
        """A SEND without a body says nothing, unless it ends a message that is not complete (7.1)."""
        if request.unclear:
            raise Refusal(400)
        message = self._open.get(request.fields.get(b"message-id", b""))
        if message is not None:
            self._finish(request, message, message.coverage.end, request.flag)
            return
        self._events.append(BodilessReceived(request))
        self.respond(request, 200)

    def _finish(self, request: MsrpRequest, message: IncomingMessage, end: int, flag: Flag) -> None:
        """A chunk is there up to its end-line. end: the position after its body."""
        message.end(end, flag)
        self.respond(request, 200)
        key = request.fields[b"message-id"]
        if flag is Flag.ABORTED:
            self._drop(key, "aborted by its sender")
        elif message.complete:
            self._complete(key, message, request)
        else:
            self._moved[key] = message
            if b"byte-range" in request.fields and request.has_body:
                self._run = ChunkRun(request, key, message, self._responder.way_back(request, 200))

    def _complete(self, key: bytes, message: IncomingMessage, request: MsrpRequest) -> None:
        assert message.total is not None
        self._run = None
        del self._open[key]
        self._moved.pop(key, None)
        _remember(self._done, key, None)
        message.sink.finish(message.total)
        self._events.append(MessageReceived(message, message.again))
        if request.fields.get(b"success-report", b"no").lower() == b"yes":
            self._report_success(message.total, request)

    def _report_success(self, octets: int, request: MsrpRequest) -> None:
        """One report on the whole message (7.1.3)."""
        fields, tid = request.fields, self._new_tid()
        self.out.append(
            b"MSRP %b REPORT\r\nTo-Path: %b\r\nFrom-Path: %b\r\nMessage-ID: %b\r\n"
            b"Byte-Range: 1-%d/%d\r\nStatus: 000 200 OK\r\n-------%b$\r\n"
            % (tid, fields[b"from-path"], self._own_uri, fields[b"message-id"], octets, octets, tid)
        )

    def _drop(self, key: bytes, reason: str) -> None:
        self._run = None
        message = self._open.pop(key, None)
        self._moved.pop(key, None)
        if message is not None:
            message.sink.discard()
            self._events.append(MessageLost(message, reason))


def _remember(memory: dict[bytes, T], key: bytes, value: T) -> None:
    memory[key] = value
    if len(memory) > MOST_REMEMBERED:
        del memory[next(iter(memory))]
