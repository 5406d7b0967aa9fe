"""The handset's log as a stream: a reader thread over `logcat`, lines on the timeline, excerpts per test.

The reader outlives a reboot or a lost cable: it opens logcat again from the time of the last line it has
seen.
"""

from __future__ import annotations

import contextlib
import logging
import re
import socket
import threading
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.errors import HandsetLost
from harness.evidence.timeline import Layer, Timeline

if TYPE_CHECKING:
    from adbutils import AdbConnection

    from devices.adb_transport import AdbTransportLink

log = logging.getLogger(__name__)
BUFFERS = ("main", "system", "radio", "crash")
KEPT = 200_000
_RETRY = 0.5
_STAMP = re.compile(r"\s*(\d+\.\d+)\s")


class LogcatStream:
    """Reads `logcat -v threadtime -v epoch` of one handset from start() to stop()."""

    def __init__(
        self,
        link: AdbTransportLink,
        timeline: Timeline,
        *,
        buffers: Sequence[str] = BUFFERS,
        backlog: bool = False,
    ) -> None:
        self._link = link
        self._timeline = timeline
        self._buffers = tuple(buffers)
        self._backlog = backlog
        self._lines: deque[tuple[float, str]] = deque(maxlen=KEPT)
        self._last_stamp = ""
        self._at_last_stamp: list[str] = []
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._connection: AdbConnection | None = None
        self._lock = threading.Lock()

    def start(self) -> None:
        """Begin to read. Returns when logcat runs; raises HandsetLost when it cannot be started."""
        if self._thread is not None:
            return
        self._stopping.clear()
        self._connection = self._link.stream(self._command())
        self._thread = threading.Thread(target=self._read, name=f"logcat {self._link.serial}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the reader and wait for it."""
        thread, self._thread = self._thread, None
        self._stopping.set()
        with self._lock:
            if self._connection is not None:
                _shut(self._connection)
        if thread is not None:
            thread.join(self._link.deadline)

    def excerpt(self, since: float = 0.0, until: float | None = None) -> list[str]:
        """The lines read between two timeline times (seconds), oldest first."""
        return [
            text for when, text in tuple(self._lines) if when >= since and (until is None or when <= until)
        ]

    def _command(self) -> str:
        start = f"-T {self._last_stamp}" if self._last_stamp else "" if self._backlog else "-T 1"
        buffers = " ".join(f"-b {name}" for name in self._buffers)
        return f"logcat -v threadtime -v epoch {buffers} {start}".rstrip()

    def _read(self) -> None:
        while not self._stopping.is_set():
            connection = self._connection
            if connection is not None:
                self._read_connection(connection)
            if self._stopping.is_set():
                return
            self._timeline.event(Layer.LOGCAT, "interrupted", serial=self._link.serial)
            self._reopen()

    def _reopen(self) -> None:
        while not self._stopping.wait(_RETRY):
            try:
                connection = self._link.stream(self._command())
            except HandsetLost as error:
                log.debug("logcat of %s: %s", self._link.serial, error)
                continue
            with self._lock:
                self._connection = connection
                if self._stopping.is_set():
                    _shut(connection)
            return

    def _read_connection(self, connection: AdbConnection) -> None:
        connection.conn.settimeout(None)  # stop() shuts the socket down, which wakes the read
        resumed, held = list(self._at_last_stamp), b""
        try:
            while data := connection.conn.recv(65536):
                *lines, held = (held + data).split(b"\n")
                for line in lines:
                    self._line(line.decode("utf-8", "replace").rstrip("\r"), resumed)
        except OSError:
            pass
        finally:
            connection.conn.close()

    def _line(self, text: str, resumed: list[str]) -> None:
        if not text or text.startswith("--------- "):
            return
        if text in resumed:  # -T starts with the time given: those lines were read before the interruption
            resumed.remove(text)
            return
        if match := _STAMP.match(text):
            if match.group(1) != self._last_stamp:
                self._last_stamp, self._at_last_stamp = match.group(1), []
            self._at_last_stamp.append(text)
        event = self._timeline.event(Layer.LOGCAT, "line", serial=self._link.serial, text=text)
        self._lines.append((event.time, text))


def _shut(connection: AdbConnection) -> None:
    with contextlib.suppress(OSError):  # the reader may have closed it already
        connection.conn.shutdown(socket.SHUT_RDWR)
