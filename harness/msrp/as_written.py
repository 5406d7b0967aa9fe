"""A message whose chunks are written as somebody wants them, right or wrong (RFC 4975 7.1)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from harness.msrp.chunking import OutgoingMessage
from harness.msrp.content import MemorySource
from harness.msrp.message import Flag
from harness.msrp.transactions import Transaction


@dataclass(frozen=True, slots=True)
class WrittenChunk:
    """One chunk. byte_range: the value of its Byte-Range, whatever the body is."""

    byte_range: str
    body: bytes
    flag: Flag = Flag.COMPLETE


class MessageAsWritten(OutgoingMessage):
    """Sends its chunks in order and waits for their answers; the outcome is that of any message."""

    __slots__ = ("_chunks", "_tid")

    def __init__(
        self,
        message_id: str,
        paths: bytes,
        chunks: Iterable[WrittenChunk],
        content_type: str,
        *,
        new_tid: Callable[[], bytes],
        ended: Callable[[OutgoingMessage], None] = lambda _: None,
    ) -> None:
        super().__init__(message_id, paths, MemorySource(b""), content_type, new_tid=new_tid, ended=ended)
        self._chunks, self._tid = deque(chunks), new_tid

    def write(self, out: list[bytes]) -> Transaction:
        """Append the next chunk."""
        chunk, tid = self._chunks.popleft(), self._tid()
        while tid in chunk.body:
            tid = self._tid()
        lines = (b"MSRP ", tid, self._before, chunk.byte_range.encode(), b"\r\n", self._after)
        out += (*lines, chunk.body, b"\r\n-------", tid, f"{chunk.flag}\r\n".encode())
        self.unanswered += 1
        transaction = Transaction(tid, self, True, self.octets, len(chunk.body))
        self.octets += len(chunk.body)
        if not self._chunks:
            self._finish(Flag.COMPLETE)
        return transaction
