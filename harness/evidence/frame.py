"""What a capture file gives before anything is decoded: frames, and where the file stopped making sense."""

from __future__ import annotations

from typing import NamedTuple

MOST_FRAME = 1024 * 1024
"""Octets of a frame; no link carries more, and none is read that announces more."""


class Frame(NamedTuple):
    """A frame as captured.

    time: seconds since the Unix epoch. data may be shorter than `length`, the octets on the wire.
    interface: name the capture gives it, "" when it gives none.
    """

    time: float
    link_type: int
    data: bytes
    length: int
    interface: str = ""


class Damage(Exception):
    """The file stops making sense at an octet. What came before stays."""
