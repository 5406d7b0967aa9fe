"""One message cut into chunks and written (RFC 4975 5.1, 7.1 and 7.1.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from harness.msrp.content import ContentSource
from harness.msrp.message import COMMENTS, Flag
from harness.msrp.reassembly import Coverage
from harness.msrp.transactions import Transaction

SMALL_CHUNK = 2048  # octets; a larger chunk can be interrupted, so its range-end is "*" (7.1.1)
PIECE = 64 * 1024  # octets of a body that are read and written at a time


class Report(StrEnum):
    """Values of Success-Report and Failure-Report (7.1.1)."""

    YES = "yes"
    NO = "no"
    PARTIAL = "partial"
    """Only of Failure-Report: errors are answered, success is not."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How sending a message ended.

    status: 200 when every chunk was answered so; else the first other one that came, 408 for no answer in
    time (10.4); None when no answer is due, or we stopped before one said no. octets: of content written.
    """

    status: int | None
    comment: str
    octets: int
    aborted: bool = False

    @property
    def good(self) -> bool:
        """Whether nothing speaks against the message having arrived."""
        return self.status in (None, 200) and not self.aborted


class OutgoingMessage:
    """A message on its way: what was written, answered and reported of it.

    Args: paths is the block of To-Path and From-Path lines. source None makes a bodiless SEND. headers come
    before Content-Type. chunk_octets: of the body of one chunk, None for one chunk as long as nothing
    interrupts it. ended is called when there is an outcome, and again if a good one turns bad. pause_at:
    octets written from where on no further chunk is begun; may be changed.
    """

    __slots__ = (
        *("_after", "_ahead", "_before", "_carried", "_chunk_octets", "_ended", "_exhausted", "_new_tid"),
        *("_source", "_stopped", "failure_report", "finished", "message_id", "octets", "open", "outcome"),
        *("_short", "pause_at", "reported", "success_report", "taken", "total", "unanswered"),
    )

    def __init__(
        self,
        message_id: str,
        paths: bytes,
        source: ContentSource | None,
        content_type: str = "",
        *,
        new_tid: Callable[[], bytes],
        headers: Iterable[tuple[str, str]] = (),
        success_report: Report = Report.NO,
        failure_report: Report = Report.YES,
        chunk_octets: int | None = SMALL_CHUNK,
        ended: Callable[[OutgoingMessage], None] = lambda _: None,
        pause_at: int | None = None,
    ) -> None:
        self.message_id, self._source, self._ended = message_id, source, ended
        self.pause_at = pause_at
        self.success_report, self.failure_report = success_report, failure_report
        self.total = source.size if source is not None else 0
        self.octets = 0  # of the content written
        self.unanswered = 0  # chunks
        self.outcome: Outcome | None = None
        self.reported = Coverage()
        self.taken = Coverage()  # of the content, by responses of 200
        self.open: Transaction | None = None  # a chunk begun and not ended
        self.finished = False  # nothing more will be written
        self._stopped = self._exhausted = self._short = False
        self._ahead = b""  # read and not written
        self._carried = b""  # the last octets of the open chunk
        self._new_tid, self._chunk_octets = new_tid, chunk_octets
        reports = [("Success-Report", "yes")] if success_report is Report.YES else []
        reports += [("Failure-Report", failure_report)] if failure_report is not Report.YES else []
        self._before = b" SEND\r\n" + paths + _lines([("Message-ID", message_id), *reports]) + b"Byte-Range: "
        rows = [*headers, ("Content-Type", content_type)] if source is not None else headers
        self._after = _lines(rows) + (b"\r\n" if source is not None else b"")

    @property
    def held(self) -> bool:
        """Whether it pauses: nothing of it is to be written now."""
        return self.pause_at is not None and self.octets >= self.pause_at and not self._stopped

    @property
    def timed(self) -> bool:
        """Whether a missing answer to a chunk is a failure (7.1.1)."""
        return self.failure_report is Report.YES

    def write(self, out: list[bytes]) -> Transaction:
        """Append the next piece. The chunk it belongs to is ended when `open` is None afterwards."""
        chunk = self.open
        if chunk is None:
            return self._write_bodiless(out) if self._source is None else self._begin(out)
        if self._stopped:
            return self._end(chunk, Flag.ABORTED, out)
        piece, last = self._read(self._room(chunk))
        if b"-------" + chunk.tid in self._carried + piece:  # the end-line must not be in the body (7.1)
            self._ahead = piece + self._ahead
            return self._end(chunk, Flag.MORE, out)
        return self._go_on(chunk, piece, last, out)

    def interrupt(self, out: list[bytes]) -> Transaction:
        """End the open chunk, so that something else can be sent (7.1.1)."""
        assert self.open is not None, "a chunk is open"
        return self._end(self.open, Flag.ABORTED if self._stopped else Flag.MORE, out)

    def abort(self) -> None:
        """Send no more of it by our own wish, and say so with "#" (7.1).

        The outcome is there once what was sent is answered, at once where nothing was.
        """
        if self.finished:
            return
        self._stopped = True
        if self.open is None and not self.octets:
            self._let_go()
            self._settle(self._cut_short())

    def answered(self, transaction: Transaction, status: int, comment: str) -> None:
        """A response to one of its chunks, or a local timeout as 408 (10.4)."""
        if transaction.timed:
            self.unanswered -= 1
        if status != 200:
            self.fail(status, comment)
            return
        self.taken.add(transaction.start, transaction.start + transaction.octets)
        if self.finished and not self.unanswered:
            self._settle(self._cut_short() if self._short else Outcome(200, comment, self.octets))

    def fail(self, status: int, comment: str = "") -> None:
        """A response, report or timeout says that it does not arrive: send no more (7.3.2, 10.5)."""
        self._stop(Outcome(status, comment or COMMENTS.get(status, ""), self.octets))

    def give_up(self, reason: str) -> None:
        """There is no way to send any more."""
        self._stop(Outcome(None, reason, self.octets, aborted=True))

    def _stop(self, outcome: Outcome) -> None:
        """An open chunk ends with "#". No chunk follows, not even to say so."""
        self._stopped = True
        if self.open is None:
            self._let_go()
        self._settle(outcome)

    def _begin(self, out: list[bytes]) -> Transaction:
        limit = self._chunk_octets or PIECE + 1
        piece, last = (b"", True) if self._stopped else self._read(min(limit, PIECE))
        tid = self._new_tid()
        while tid in piece:
            tid = self._new_tid()
        chunk = Transaction(tid, self, self.timed, self.octets)
        at_once = last or len(piece) == limit
        out += (b"MSRP ", tid, self._before, self._range(len(piece), at_once), self._after)
        self.open, self._carried = chunk, b""
        self.unanswered += chunk.timed
        return self._go_on(chunk, piece, last, out)

    def _go_on(self, chunk: Transaction, piece: bytes, last: bool, out: list[bytes]) -> Transaction:
        out.append(piece)
        chunk.octets += len(piece)
        self.octets += len(piece)
        if last:
            short = self.total is not None and self.octets < self.total
            return self._end(chunk, Flag.ABORTED if short or self._stopped else Flag.COMPLETE, out)
        if not self._room(chunk):
            return self._end(chunk, Flag.MORE, out)
        self._carried = piece[-len(chunk.tid) - 7 :]
        return chunk

    def _end(self, chunk: Transaction, flag: Flag, out: list[bytes]) -> Transaction:
        out += (b"\r\n-------", chunk.tid, _END[flag])
        self.open = None
        if flag is not Flag.MORE:
            self._finish(flag)
        return chunk

    def _write_bodiless(self, out: list[bytes]) -> Transaction:
        tid = self._new_tid()
        out += (b"MSRP ", tid, self._before, b"1-0/0\r\n", self._after, b"-------", tid, b"$\r\n")
        self.unanswered += self.timed
        self._finish(Flag.COMPLETE)
        return Transaction(tid, self, self.timed)

    def _finish(self, flag: Flag) -> None:
        self._let_go()
        self._short = flag is Flag.ABORTED
        if self._short and not (self.timed and self.unanswered):
            self._settle(self._cut_short())
        elif not self.timed:
            self._settle(Outcome(None, "no answer is due", self.octets))
        elif not self.unanswered:
            self._settle(Outcome(200, COMMENTS[200], self.octets))

    def _cut_short(self) -> Outcome:
        why = "aborted" if self._stopped else "the source ended early"
        return Outcome(None, why, self.octets, aborted=True)

    def _let_go(self) -> None:
        """Nothing more is written: what only writing needs is not kept, the content above all."""
        self.finished, self._source = True, None
        self._ahead = self._carried = self._before = self._after = b""

    def _range(self, octets: int, at_once: bool) -> bytes:
        """Byte-Range of a chunk with so many octets, or an open end (7.1.1)."""
        total = b"*" if self.total is None else b"%d" % self.total
        if not octets:  # of nothing, the range begins at 1 all the same
            return b"1-0/%b\r\n" % total
        if at_once and octets <= SMALL_CHUNK:
            return b"%d-%d/%b\r\n" % (self.octets + 1, self.octets + octets, total)
        return b"%d-*/%b\r\n" % (self.octets + 1, total)

    def _room(self, chunk: Transaction) -> int:
        """How many octets may follow at once in this chunk."""
        return PIECE if self._chunk_octets is None else min(PIECE, self._chunk_octets - chunk.octets)

    def _read(self, octets: int) -> tuple[bytes, bool]:
        """The next octets of the content, and whether they are the last."""
        assert self._source is not None
        # Where the total is not known, one octet more tells whether anything follows.
        reach = octets + 1 if self.total is None else min(octets, self.total - self.octets)
        missing = reach - len(self._ahead)
        if missing > 0 and not self._exhausted:
            more = self._source.read(missing)
            self._exhausted = len(more) < missing
            self._ahead = self._ahead + more if self._ahead else more
        piece, self._ahead = self._ahead[:octets], self._ahead[octets:]
        done = self._exhausted or self.octets + len(piece) == self.total
        return piece, done and not self._ahead

    def _settle(self, outcome: Outcome) -> None:
        if self.outcome is None or (self.outcome.good and not outcome.good):
            self.outcome = outcome
            self._ended(self)


_END = {flag: f"{flag}\r\n".encode() for flag in Flag}


def _lines(rows: Iterable[tuple[str, str]]) -> bytes:
    return "".join(f"{name}: {value}\r\n" for name, value in rows).encode()
