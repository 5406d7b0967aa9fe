"""Session descriptions that are wrong on purpose: exactly that is wrong with them."""

from __future__ import annotations

import pytest

from harness.agent.msrp.media import read_msrp_media
from harness.bodies.sdp import parse_sdp
from harness.errors import BodySyntaxError
from harness.peer.wrong_sdp import WrongSdp, spoiled

RIGHT = (
    b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
    b"m=message 2855 TCP/MSRP *\r\na=path:msrp://192.0.2.1:2855/a786hjs2;tcp\r\na=setup:actpass\r\n"
    b"a=accept-types:message/cpim\r\na=accept-wrapped-types:text/plain\r\na=sendrecv\r\n"
)


@pytest.mark.parametrize(
    ("how", "gone", "come"),
    [
        (WrongSdp.NO_PATH, b"a=path:msrp://192.0.2.1:2855/a786hjs2;tcp\r\n", b""),
        (WrongSdp.UNKNOWN_SETUP, b"a=setup:actpass", b"a=setup:sideways"),
        (
            WrongSdp.UNKNOWN_TYPES,
            b"message/cpim\r\na=accept-wrapped-types:text/plain",
            b"application/x-unknown\r\na=accept-wrapped-types:application/x-unknown",
        ),
        (WrongSdp.NO_TYPES, b"a=accept-types:message/cpim\r\na=accept-wrapped-types:text/plain\r\n", b""),
        (WrongSdp.SECOND_LINE, RIGHT, RIGHT + RIGHT[RIGHT.index(b"m=") :]),
    ],
)
def test_only_this_is_wrong(how: WrongSdp, gone: bytes, come: bytes) -> None:
    assert spoiled(RIGHT, how) == RIGHT.replace(gone, come)


@pytest.mark.parametrize("host", ["192.0.2.1", "[2001:db8::1]", "peer.example"])
def test_nobody_listens_at_the_path(host: str) -> None:
    wrong = spoiled(RIGHT.replace(b"//192.0.2.1:", f"//{host}:".encode()), WrongSdp.UNREACHABLE_PATH)
    assert b"m=message 1 TCP/MSRP" in wrong
    assert f"a=path:msrp://{host}:1/a786hjs2;tcp\r\n".encode() in wrong


def test_no_description_at_all() -> None:
    with pytest.raises(BodySyntaxError):
        parse_sdp(spoiled(RIGHT, WrongSdp.NO_SDP))


def test_what_it_began_with_was_right() -> None:
    description = parse_sdp(RIGHT)
    assert read_msrp_media(description, description.media[0]).port == 2855
