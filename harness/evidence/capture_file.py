"""A capture file as frames in the order of time, whatever kind it is, with little of it in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import attrgetter
from pathlib import Path

from harness.errors import CaptureError
from harness.evidence.frame import Damage, Frame
from harness.evidence.packed_file import PackedFile
from harness.evidence.pcap import HEADER_OCTETS, MAGICS, read_pcap
from harness.evidence.pcapng import SECTION, read_pcapng

_EXPECTED = "expected a pcap or pcapng capture"
_BYTE_ORDER_MAGICS = (b"\x4d\x3c\x2b\x1a", b"\x1a\x2b\x3c\x4d")
_OTHER_KINDS = (
    (b"\x28\xb5\x2f\xfd", "a zstd file; unpack it first (zstd -d)"),
    (b"\x04\x22\x4d\x18", "an lz4 file; unpack it first (lz4 -d)"),
    (b"\xfd7zXZ", "an xz file; unpack it first (xz -d)"),
    (b"BZh", "a bzip2 file; unpack it first (bzip2 -d)"),
    (b"PK\x03\x04", "a zip file; unpack it first (unzip)"),
    (b"snoop\0", "a snoop file; convert it (editcap -F pcapng)"),
)
_DISORDER_FRAMES = 8192
_DISORDER_OCTETS = 8 * 1024 * 1024
"""How many frames, or octets of them, may lie between a frame and its place by time."""
_LATEST = 253_402_300_799.0  # the last second of the year 9999, which a calendar can still show


class CaptureFile:
    """Iterate over it once: the frames by time.

    fault: empty, or where and how the file is cut or damaged; frames: how many were read before; late: frames
    that came too late to be put in their place by time, and have the time of the one before. All three are
    whole after the last frame.

    Raises: CaptureError, at the first frame, when the file cannot be read or is no capture.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fault = ""
        self.frames = self.late = 0
        self._earliest = 0.0

    def __iter__(self) -> Iterator[Frame]:
        """The frames, which are sorted a stretch at a time: files of several sources need not be in order."""
        stretch: list[Frame] = []
        octets, by_time = 0, attrgetter("time")
        for frame in self._frames():
            stretch.append(frame)
            octets += len(frame.data)
            if len(stretch) >= 2 * _DISORDER_FRAMES or octets >= 2 * _DISORDER_OCTETS:
                stretch.sort(key=by_time)
                half = len(stretch) // 2
                yield from self._in_place(stretch[:half])
                del stretch[:half]
                octets = sum(len(kept.data) for kept in stretch)
        stretch.sort(key=by_time)
        yield from self._in_place(stretch)

    def _in_place(self, frames: list[Frame]) -> Iterator[Frame]:
        earliest = self._earliest
        for frame in frames:
            time = frame.time
            if earliest <= time <= _LATEST:
                earliest = time
                yield frame
            else:
                self.late += time < earliest
                earliest = min(max(time, earliest), _LATEST)
                yield frame._replace(time=earliest)
        self._earliest = earliest

    def _frames(self) -> Iterator[Frame]:
        """The frames in the order of the file."""
        try:
            with self.path.open("rb") as file:
                packed = PackedFile(file)
                start, damage = _start_of(packed)
                frames = self._kind(packed.packed, start, damage)(start, packed.read)
                for frame in frames:
                    self.frames += 1
                    yield frame
        except IsADirectoryError as error:
            raise CaptureError(f"{self.path}: {_EXPECTED}, got a directory; name the files in it") from error
        except OSError as error:
            if self.frames:
                self.fault = f"cannot be read on: {error.strerror or error}"
                return
            raise CaptureError(
                f"{self.path}: {_EXPECTED}, got {error.strerror or error}; check the path"
            ) from error
        except Damage as damage:
            self.fault = str(damage)

    def _kind(
        self, packed: bool, start: bytes, damage: str
    ) -> Callable[[bytes, Callable[[], bytes]], Iterator[Frame]]:
        """How to read a file that begins so. Raises CaptureError."""
        inside = " in gzip" if packed else ""
        if not start:
            what = damage or f"an empty file{inside}; capture again"
        elif start[:4] == SECTION:
            if start[8:12] in _BYTE_ORDER_MAGICS:
                return read_pcapng
            what = f"a pcapng section header{inside} without byte-order magic"
        elif start[:4] in MAGICS:
            if len(start) >= HEADER_OCTETS:
                return read_pcap
            what = f"{len(start)} octets of a {HEADER_OCTETS}-octet header{inside}"
        else:
            what = f"a file{inside} that begins with octets {start[:8].hex(' ')}"
            what = next((name for magic, name in _OTHER_KINDS if start.startswith(magic)), what)
        raise CaptureError(f"{self.path}: {_EXPECTED}, got {what}")


def _start_of(packed: PackedFile) -> tuple[bytes, str]:
    """The beginning of the file, long enough to tell what it is; and what hindered reading more."""
    start = b""
    try:
        while len(start) < HEADER_OCTETS and (more := packed.read()):
            start += more
    except Damage as damage:
        return start, str(damage)
    return start, ""
