"""One MSRP connection and the sessions that share it, sans-IO (RFC 4975 5.4, 7.1.1 and 7.3).

Octets in; octets out when there is room for them. Responses and reports go first, an open chunk gives way to
them; messages take turns chunk by chunk. Every session leaves its events in its own list.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from harness.errors import MsrpSyntaxError
from harness.msrp.chunking import SMALL_CHUNK, OutgoingMessage, Report
from harness.msrp.framing import (
    ChunkBlock,
    ChunkEnd,
    ChunkHead,
    FramingError,
    MsrpEvent,
    MsrpFramer,
    MsrpLimits,
)
from harness.msrp.message import COMMENTS, MsrpRequest, MsrpResponse
from harness.msrp.reception import Responder
from harness.msrp.session import MsrpSession
from harness.msrp.transactions import Transaction, Transactions

MOST_UNANSWERED = 4096  # chunks sent and not answered before sending waits for answers
_MOST_ROUTES = 256  # ways in which To-Path was written that are remembered
_HEAD = 256  # octets a chunk roughly has besides its body


class Directory(Protocol):
    """Knows the sessions of an endpoint."""

    def session_for(self, uri: str, connection: MsrpConnection) -> MsrpSession | int | None:
        """The session a SEND is for that comes on this connection, or the status to refuse it with.

        uri: of To-Path. 481 for no session, 506 for one that lives on another connection (5.4). None when it
        cannot be told yet: what came waits for `resume`.
        """


class MsrpConnection:
    """Sessions over one connection.

    notes: what was met that no session is told, each with its name for the timeline. broken: the place of the
    next message is lost. progressed: the last octets completed a message, or a block of one.
    """

    def __init__(
        self, directory: Directory, limits: MsrpLimits | None = None, *, window: int = MOST_UNANSWERED
    ) -> None:
        self.urgent: list[bytes] = []
        self.sessions: list[MsrpSession] = []
        self.notes: list[tuple[str, str]] = []
        self.transactions = Transactions()
        self.progressed = False
        self._directory, self._window = directory, window
        self._framer = MsrpFramer(limits or MsrpLimits())
        self._responder = Responder()
        self._routes: dict[bytes, MsrpSession] = {}
        self._queue: deque[OutgoingMessage] = deque()
        self._writing: OutgoingMessage | None = None  # the one with an open chunk
        self._reading: MsrpSession | None = None  # the one whose chunk comes in blocks
        self._running: MsrpSession | None = None  # the one the last request was for
        self._wants: list[Transaction] = []  # requests in `urgent` that want an answer
        self._held: list[MsrpEvent] = []  # what came from a request on whose session is not known yet
        self._undecided = False  # it is not known for the last request

    @property
    def broken(self) -> bool:
        return self._framer.broken

    @property
    def pending_octets(self) -> int:
        """Octets of a message that is not complete."""
        return self._framer.pending_octets

    # Sessions

    def attach(self, session: MsrpSession) -> None:
        """A session lives here from now on."""
        self.sessions.append(session)
        session.bind(self)

    def detach(self, session: MsrpSession, reason: str) -> None:
        """It does not any more; requests for it are answered 481."""
        if session in self.sessions:
            self.sessions.remove(session)
            self._routes = {path: other for path, other in self._routes.items() if other is not session}
            self._reading = None if self._reading is session else self._reading
            self._running = None if self._running is session else self._running
            session.unbind(reason)

    def close(self, reason: str) -> None:
        """The connection is gone."""
        self.transactions.clear()
        self._queue.clear()
        self._held.clear()
        self._writing = None
        for session in tuple(self.sessions):
            self.detach(session, reason)

    # In

    def receive(self, data: bytes) -> list[FramingError]:
        """Octets that came. Returns the errors of the stream among them."""
        events = self._framer.receive(data)
        self.progressed = bool(events)
        if self._held:
            self._held += events
            return []
        return self._take(events)

    def resume(self) -> list[FramingError]:
        """Look once more for the session that could not be told. Returns errors that came after it."""
        held, self._held = self._held, []
        return self._take(held)

    def _take(self, events: list[MsrpEvent]) -> list[FramingError]:
        errors = []
        for number, event in enumerate(events):
            if isinstance(event, MsrpRequest):
                self._receive_request(event)
            elif isinstance(event, MsrpResponse):
                self._receive_response(event)
            elif isinstance(event, FramingError):
                errors.append(event)
            else:
                self._receive_part(event)
            if self._undecided:
                self._undecided, self._held = False, events[number:]
                break
        return errors

    def _receive_request(self, request: MsrpRequest) -> None:
        if self._running is not None and self._running.receive_next(request):
            return
        self._running = session = self._session_of(request)
        if session is not None:
            session.receive(request)

    def _receive_part(self, part: ChunkHead | ChunkBlock | ChunkEnd) -> None:
        if isinstance(part, ChunkHead):
            session = self._session_of(part.request)
            self._reading = session if session is not None and session.begin_chunk(part.request) else None
        elif self._reading is None:
            return
        elif isinstance(part, ChunkBlock):
            self._reading.chunk_block(part.data)
        else:
            self._reading.end_chunk(part.flag)
            self._reading = None

    def _receive_response(self, response: MsrpResponse) -> None:
        transaction = self.transactions.take(response.tid)
        if transaction is None:
            self.notes.append(("unexpected response", f"{response.status} to {response.transaction_id}"))
        else:
            transaction.owner.answered(transaction, response.status, response.comment)

    def _session_of(self, request: MsrpRequest) -> MsrpSession | None:
        """The session a request is for; None when there is none, which is then answered (7.3)."""
        path = request.fields.get(b"to-path", b"")
        session = self._routes.get(path)
        if session is None:
            found = self._find(request)
            if not isinstance(found, MsrpSession):
                self._undecided = found is None
                if found is not None:
                    self._refuse(request, found)
                return None
            if len(self._routes) >= _MOST_ROUTES:
                self._routes.clear()
            session = self._routes[path] = found
        return session

    def _find(self, request: MsrpRequest) -> MsrpSession | int | None:
        try:
            uri = request.to_path[0]
        except MsrpSyntaxError:
            return 400
        found = self._directory.session_for(uri, self)
        if isinstance(found, MsrpSession) and found not in self.sessions:
            if request.method != "SEND":  # the first SEND binds a session to a connection (5.4)
                return 481
            self.attach(found)
        return found

    def _refuse(self, request: MsrpRequest, status: int) -> None:
        comment = COMMENTS[status]
        try:
            _ = request.byte_range
            status, comment = (400, COMMENTS[400]) if request.unclear else (status, comment)
        except MsrpSyntaxError as error:
            status, comment = 400, f"{COMMENTS[400]}: {error.what}"
        self.notes.append((f"answered {status}", f"{request.method} {request.transaction_id}: {comment}"))
        response = self._responder.response(request, status, comment)
        if response is not None:
            self.urgent.append(response)

    # Out

    def enqueue(self, message: OutgoingMessage) -> None:
        """Send a message as soon as it is its turn."""
        self._queue.append(message)

    def wait_for(self, transaction: Transaction) -> None:
        """A request was put into `urgent` and wants an answer."""
        self._wants.append(transaction)

    @property
    def has_output(self) -> bool:
        """Whether there is anything to send now."""
        return bool(self.urgent) or (self._may_write and (self._writing is not None or self._waits))

    @property
    def _waits(self) -> bool:
        """Whether a message wants to be written now."""
        return any(not message.held for message in self._queue)

    @property
    def _may_write(self) -> bool:
        return len(self.transactions) < self._window

    def output(self, octets: int, now: float) -> bytes:
        """What is to be sent now: all that is urgent, and of messages about so many octets."""
        out: list[bytes] = []
        if self.urgent:
            if self._writing is not None:
                self._ended(self._writing, self._writing.interrupt(out), now)
            out += self.urgent
            self.urgent.clear()
            for transaction in self._wants:
                self.transactions.sent(transaction, now)
            self._wants.clear()
        while octets > 0 and self._may_write:
            message = self._writing or self._next()
            if message is None:
                break
            before = message.octets
            self._write(message, out, now)
            octets -= message.octets - before + _HEAD
        return b"".join(out)

    def _next(self) -> OutgoingMessage | None:
        for _ in range(len(self._queue)):
            message = self._queue.popleft()
            if message.held:
                self._queue.append(message)
            elif not message.finished:
                return message
        return None

    def _write(self, message: OutgoingMessage, out: list[bytes], now: float) -> None:
        chunk = message.write(out)
        if message.open is None:
            self._ended(message, chunk, now)
            return
        if self._writing is None:
            self._writing = message
            if message.failure_report is not Report.NO:
                self.transactions.begin(chunk)
        if self._queue and chunk.octets >= SMALL_CHUNK:  # somebody else wants to send (7.1.1)
            self._ended(message, message.interrupt(out), now)

    def _ended(self, message: OutgoingMessage, chunk: Transaction, now: float) -> None:
        """A chunk was written to its end-line."""
        self._writing = None
        if message.failure_report is not Report.NO:
            self.transactions.sent(chunk, now)
        if not message.finished:
            self._queue.append(message)

    # Time

    def expire(self, now: float) -> None:
        """Give up on what was not answered in time: as if 408 had come (10.4)."""
        for transaction in self.transactions.expired(now):
            transaction.owner.answered(transaction, 408, COMMENTS[408])
