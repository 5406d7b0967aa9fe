"""MSRP as bare as asyncio lets it be: the ceiling our ends are measured against.

Chunks are found by their end-line and answered, one write for each read. No sessions, nothing kept.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

HOST = "127.0.0.1"
ALICE, BOB = f"msrp://{HOST}:9/2s93i9ek2a4kd93kswow;tcp", f"msrp://{HOST}:2855/si438dsaodes9di4eae9;tcp"
_READ = 256 * 1024
_WRITE = 256 * 1024
_BACK = b"To-Path: %b\r\nFrom-Path: %b\r\n-------" % (ALICE.encode(), BOB.encode())


class _Reader(asyncio.BufferedProtocol):
    """Cuts what comes into messages, and gives the identifiers of those each read completed."""

    def __init__(self) -> None:
        self._buffer = bytearray(_READ)
        self._kept = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._buffer

    def buffer_updated(self, octets: int) -> None:
        data = self._kept + memoryview(self._buffer)[:octets]
        place, tids = 0, []
        while (line := data.find(b"\r\n", place)) >= 0:
            tid = data[place:line].split(b" ", 2)[1]
            end = data.find(b"\r\n-------" + tid, line)
            after = end + 9 + len(tid) + 3
            if end < 0 or after > len(data):
                break
            tids.append(tid)
            place = after
        self._kept = data[place:]
        self.completed(tids)

    def completed(self, tids: list[bytes]) -> None:
        raise NotImplementedError


class Receiver(_Reader):
    """Answers every chunk. done is called with the processor seconds of each message."""

    def __init__(self, chunks: int, done: Callable[[float], None]) -> None:
        super().__init__()
        self._chunks, self._done = chunks, done
        self._left, self._begun = chunks, time.process_time()

    def completed(self, tids: list[bytes]) -> None:
        self.transport.writelines([b"MSRP %b 200 OK\r\n%b%b$\r\n" % (tid, _BACK, tid) for tid in tids])
        self._left -= len(tids)
        if not self._left:
            self._done(time.process_time() - self._begun)
            self._left, self._begun = self._chunks, time.process_time()


class Sender(_Reader):
    """Writes chunks as there is room, and counts the answers."""

    def __init__(self) -> None:
        super().__init__()
        self._room = asyncio.Event()
        self._room.set()
        self._answered = asyncio.Event()
        self._left = 0

    def pause_writing(self) -> None:
        self._room.clear()

    def resume_writing(self) -> None:
        self._room.set()

    def completed(self, tids: list[bytes]) -> None:
        self._left -= len(tids)
        if not self._left:
            self._answered.set()

    async def send(self, octets: int, chunk: int) -> None:
        """Send a message and wait until every chunk is answered."""
        body = bytes(chunk)
        self._left = -(-octets // chunk)
        self._answered.clear()
        batch: list[bytes] = []
        for number in range(self._left):
            start = number * chunk
            tid = b"d93kswow%08d" % number
            flag = b"$" if start + chunk >= octets else b"+"
            head = (
                b"MSRP %b SEND\r\nTo-Path: %b\r\nFrom-Path: %b\r\nMessage-ID: 12339sdqwer\r\n"
                b"Byte-Range: %d-*/%d\r\nContent-Type: application/octet-stream\r\n\r\n"
                % (tid, BOB.encode(), ALICE.encode(), start + 1, octets)
            )
            batch += (head, body[: octets - start], b"\r\n-------%b%b\r\n" % (tid, flag))
            if len(batch) * chunk >= 3 * _WRITE or flag == b"$":
                await self._room.wait()
                self.transport.writelines(batch)
                batch = []
        await self._answered.wait()
