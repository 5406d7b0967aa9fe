"""Session descriptions as no offer or answer may be, on purpose (RFC 4975 8, RFC 4145 4)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import StrEnum

_CLOSED_PORT = b"1"  # of tcpmux (RFC 1078), which nobody runs


class WrongSdp(StrEnum):
    """What is wrong with it."""

    NO_PATH = "no a=path"
    UNREACHABLE_PATH = "a path where nobody listens"
    UNKNOWN_SETUP = "a=setup with a value nobody knows"
    UNKNOWN_TYPES = "types nobody knows"
    NO_TYPES = "no a=accept-types"
    SECOND_LINE = "a second m-line that was not offered"
    NO_SDP = "no session description at all"


def _edited(pattern: bytes, replacement: bytes) -> Callable[[bytes], bytes]:
    return lambda sdp: re.sub(b"(?m)" + pattern, replacement, sdp)


def _unreachable(sdp: bytes) -> bytes:
    moved = _edited(rb"^(m=message )\d+", rb"\g<1>" + _CLOSED_PORT)(sdp)
    return _edited(rb"^(a=path:\w+://(?:\[[^\]]*\]|[^:/]*):)\d+", rb"\g<1>" + _CLOSED_PORT)(moved)


_CHANGES: Mapping[WrongSdp, Callable[[bytes], bytes]] = {
    WrongSdp.NO_PATH: _edited(rb"^a=path:.*\r\n", b""),
    WrongSdp.UNREACHABLE_PATH: _unreachable,
    WrongSdp.UNKNOWN_SETUP: _edited(rb"^a=setup:\w+", b"a=setup:sideways"),
    WrongSdp.UNKNOWN_TYPES: _edited(
        rb"^(a=accept-(?:wrapped-)?types:).*\r\n", b"\\g<1>application/x-unknown\r\n"
    ),
    WrongSdp.NO_TYPES: _edited(rb"^a=accept-(?:wrapped-)?types:.*\r\n", b""),
    WrongSdp.SECOND_LINE: lambda sdp: sdp + sdp[sdp.index(b"m=") :],
    WrongSdp.NO_SDP: lambda _: b"hello\r\n",
}


def spoiled(sdp: bytes, how: WrongSdp) -> bytes:
    """The description with this wrong in it."""
    return _CHANGES[how](sdp)
