"""What a capture file gives before anything is decoded: frames, and where the file stopped making sense."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame as captured.

    time: seconds since the Unix epoch. data may be shorter than `length`, the octets on the wire.
    interface: name the capture gives it, "" when it gives none.
    """

    time: float
    link_type: int
    data: bytes
    length: int
    interface: str = ""


@dataclass(slots=True)
class Recording:
    """The frames of a file. fault: empty, or where and how the file is cut or damaged."""

    frames: list[Frame]
    fault: str
