"""SDP: forms of the RFCs and of a trace, what is wrong with a description, hostile input, round trips."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.bodies.sdp import SdpFault, parse_sdp, write_sdp
from harness.bodies.sdp_attributes import Direction
from harness.bodies.session_description import (
    Attribute,
    Connection,
    MediaDescription,
    Origin,
    SessionDescription,
    Time,
)
from harness.errors import BodySyntaxError

CORPUS = Path(__file__).parents[2] / "corpora" / "sdp"
EXAMPLES = sorted(CORPUS.glob("*.sdp"))
SEVERAL = (CORPUS / "several_media.sdp").read_bytes()
CHAT = (CORPUS / "trace_chat_offer.sdp").read_bytes()


def faults_of(data: bytes) -> list[SdpFault]:
    return [SdpFault(fault.what) for fault in parse_sdp(data).faults]


def test_every_field_of_a_description_reads_as_it_says() -> None:
    session = parse_sdp(SEVERAL)
    assert session.faults == ()
    assert session.origin == Origin("kim", 5077312648, 5077312651, "IN", "IP4", "203.0.113.40")
    assert (session.name, session.information) == ("Weekly round", "Third of May")
    assert session.uri == "http://rounds.example.org/third.html"
    assert (session.emails, session.phones) == (("Kim Osei <kim@rounds.example.org>",), ("+1 202 555-0143",))
    assert session.times == (Time(0, 0),)
    assert [(each.media, each.port, each.protocol, each.formats) for each in session.media] == [
        ("audio", 30012, "RTP/AVP", ("0",)),
        ("audio", 30016, "RTP/AVP", ("0",)),
        ("video", 30020, "RTP/AVP", ("99",)),
    ]
    addresses = [session.connection_of(each) for each in session.media]
    assert [each and each.host for each in addresses] == ["203.0.113.40", "203.0.113.40", "2001:db8:40::7"]
    rtpmap = session.media[2].attribute("rtpmap")
    assert rtpmap is not None and rtpmap.value == "99 h263-1998/90000"
    assert SEVERAL[rtpmap.value_offset :] == b"99 h263-1998/90000\r\n"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_line_of_an_example_is_kept_with_its_octets(path: Path) -> None:
    data = path.read_bytes()
    session = parse_sdp(data)
    assert b"".join(line.raw for line in session.lines) == session.raw == data
    for line in session.lines:
        assert data[line.offset :].startswith(f"{line.letter}={line.value}\r\n".encode())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_written_as_it_was_read(path: Path) -> None:
    data = path.read_bytes()
    assert write_sdp(parse_sdp(data), strict=False) == data


@pytest.mark.parametrize(
    ("name", "length"),
    [
        ("trace_chat_offer", 332),
        ("trace_chat_answer", 380),
        ("trace_push_offer", 550),
        ("trace_push_answer", 514),
    ],
)
def test_the_descriptions_of_the_trace_have_the_lengths_declared_there(name: str, length: int) -> None:
    data = (CORPUS / f"{name}.sdp").read_bytes()
    assert len(data) == length
    assert parse_sdp(data).faults == ()


def test_bare_line_feeds_and_a_missing_last_line_end_are_read_and_told() -> None:
    session = parse_sdp(CHAT.replace(b"\r\n", b"\n").rstrip(b"\n"))
    assert session == parse_sdp(CHAT)
    assert {fault.what for fault in session.faults} == {SdpFault.LINE_END}
    assert len(session.faults) == CHAT.count(b"\r\n")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (b"v=0", b"v=1", [SdpFault.VERSION]),
        (b"v=0\r\n", b"", [SdpFault.MISSING]),
        (b"t=0 0\r\n", b"", [SdpFault.MISSING]),
        (b"t=0 0", b"t=now 0", [SdpFault.TIME]),
        (b"t=0 0", b"r=7d 1h 0\r\nt=0 0", [SdpFault.ORDER]),
        (b"s=SS VOIP", b"s=", [SdpFault.SESSION_NAME]),
        (b"s=SS VOIP\r\n", b"", [SdpFault.MISSING]),
        (b"c=IN IP4 172.16.80.82\r\n", b"", [SdpFault.MISSING]),
        (b"c=IN IP4 172.16.80.82", b"c=IN IP6 172.16.80.82", [SdpFault.CONNECTION]),
        (b"o=SAMSUNG-IMS-UE 1234564", b"o=SAMSUNG IMS UE 1234564", [SdpFault.ORIGIN]),
        (b"1234564 0", b"0x12 0", [SdpFault.ORIGIN]),
        (b"1234564 0", b"9223372036854775808 0", [SdpFault.ORIGIN]),
        (b"1234564 0", b"9223372036854775807 0", []),
        (b"message 9 TCP/MSRP *", b"message  9 TCP/MSRP *", [SdpFault.MEDIA]),
        (b"message 9 TCP/MSRP *", b"message 9 TCP/MSRP", [SdpFault.MEDIA]),
        (b"a=sendrecv", b"a=sendrecv\r\na=sendonly", [SdpFault.DIRECTION]),
        (b"a=sendrecv", b"a=send recv", [SdpFault.ATTRIBUTE]),
        (b"a=sendrecv", b"a=setup:", [SdpFault.ATTRIBUTE]),
        (b"a=sendrecv", b"x=1", [SdpFault.LETTER]),
        (b"a=sendrecv", b"a =sendrecv", [SdpFault.LINE]),
        (b"a=sendrecv", b"\r\na=sendrecv", [SdpFault.EMPTY_LINE]),
        (b"a=sendrecv", b"c=IN IP4 10.0.0.1", [SdpFault.ORDER]),
        (b"a=sendrecv", b"i=late", [SdpFault.ORDER]),
        (b"i=A VOIP Session", b"i=A\r\ni=B", [SdpFault.TWICE]),
        (b"i=A VOIP Session", b"i=\xff\xfe", [SdpFault.UTF8]),
        (b"i=A VOIP Session", b"i=a\x00b", [SdpFault.CONTROL]),
        (b"t=0 0", b"b=fast\r\nt=0 0", [SdpFault.BANDWIDTH]),
        (b"t=0 0", b"b=AS:64\r\nt=0 0\r\nr=604800 3600 0 90000\r\nz=0 -1h", []),
    ],
)
def test_what_is_wrong_is_told_once_and_the_rest_is_read(
    old: bytes, new: bytes, expected: list[SdpFault]
) -> None:
    assert CHAT.count(old) == 1
    data = CHAT.replace(old, new)
    assert faults_of(data) == expected
    assert parse_sdp(data).media[0].port == 9


def test_a_fault_names_the_octet_and_the_clause() -> None:
    data = CHAT.replace(b"a=setup:active", b"x=1")
    (fault,) = parse_sdp(data).faults
    assert data[fault.offset :].startswith(b"x=1")
    assert fault.clause == "RFC 8866 5"


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"\r\n\r\n", b"hello", b"<sdp/>", b"v=0\r\nm=message\r\n"),
        b"v=0\r\nm=message nine TCP/MSRP *\r\n",
        b"v=0\r\nm=message 65536 TCP/MSRP *\r\n",
        b"v=0\r\nm=message 9/0 TCP/MSRP *\r\n",
        b"v=0\r\nm=mess\xffage 9 TCP/MSRP *\r\n",
        b"v=0\r\nm=message 9 TCP/ *\r\n",
    ],
)
def test_what_nobody_can_use_is_refused(data: bytes) -> None:
    with pytest.raises(BodySyntaxError):
        parse_sdp(data)


def test_direction_and_attributes_fall_back_to_the_session_where_they_may() -> None:
    data = (
        CHAT.replace(b"a=sendrecv\r\n", b"")
        .replace(b"a=setup:active\r\n", b"")
        .replace(b"t=0 0\r\n", b"t=0 0\r\na=recvonly\r\na=setup:passive\r\na=path:msrp://a:1/b;tcp\r\n")
    )
    session = parse_sdp(data)
    media = session.media[0]
    assert session.direction_of(media) is Direction.RECVONLY
    setup, path = session.attribute_of(media, "setup"), session.attribute_of(media, "path")
    assert setup == Attribute("setup", "passive")
    assert path is not None and path.value == "msrp://172.16.80.82:8881/vrhyu7FpMQRki1rQtp;tcp"
    bare = replace(media, attributes=())
    assert session.attribute_of(bare, "path") is None
    assert parse_sdp(CHAT).direction_of(bare) is Direction.SENDRECV


def test_an_unknown_attribute_is_kept_and_no_fault() -> None:
    data = CHAT.replace(b"a=sendrecv", b"a=x-vendor:a:b c")
    session = parse_sdp(data)
    assert session.faults == ()
    assert session.media[0].attributes[-1] == Attribute("x-vendor", "a:b c")


def chat(**changes: object) -> SessionDescription:
    media = MediaDescription("message", 9, "TCP/MSRP", ("*",), attributes=(Attribute("setup", "active"),))
    origin = Origin("-", 1, 1, "IN", "IP4", "192.0.2.1")
    session = SessionDescription(origin, Connection("IN", "IP4", "192.0.2.1"), (media,))
    return replace(session, **changes)  # type: ignore[arg-type]


def test_a_built_description_is_written_in_the_order_of_the_rfc() -> None:
    assert write_sdp(chat()) == (
        b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
        b"m=message 9 TCP/MSRP *\r\na=setup:active\r\n"
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"origin": None},
        {"origin": Origin("a b", 1, 1, "IN", "IP4", "192.0.2.1")},
        {"origin": Origin("-", 2**63, 1, "IN", "IP4", "192.0.2.1")},
        {"origin": Origin("-", 1, -1, "IN", "IP4", "192.0.2.1")},
        {"connection": None},
        {"connection": Connection("IN", "IP6", "192.0.2.1")},
        {"name": ""},
        {"name": None},
        {"name": "a\r\na=inactive"},
        {"name": "\udc80"},
        {"times": ()},
        {"bandwidths": ("fast",)},
        {"attributes": (Attribute("setup:active"),)},
        {"attributes": (Attribute("two words"),)},
        {"attributes": (Attribute("setup", ""),)},
        {"attributes": (Attribute("sendonly"), Attribute("recvonly"))},
        {"media": (MediaDescription("message", 9, "TCP/MSRP", ()),)},
        {"media": (MediaDescription("message", 65536, "TCP/MSRP", ("*",)),)},
        {"media": (MediaDescription("a b", 9, "TCP/MSRP", ("*",)),)},
        {"media": (MediaDescription("message", 9, "TCP//MSRP", ("*",)),)},
        {"media": (MediaDescription("message", 9, "TCP/MSRP", ("* *",)),)},
    ],
    ids=repr,
)
def test_the_writer_refuses_what_rfc_8866_refuses(wrong: dict[str, object]) -> None:
    with pytest.raises(BodySyntaxError):
        write_sdp(chat(**wrong))


TEXT = st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters="\x00\r\n"), min_size=1, max_size=20
)
TOKENS = st.text(st.sampled_from("abcXYZ019!#$%&'*+-.^_`{|}~"), min_size=1, max_size=8)
ADDRESSES = st.one_of(
    st.ip_addresses(v=4).map(lambda address: ("IP4", str(address))),
    st.ip_addresses(v=6).map(lambda address: ("IP6", str(address))),
    st.just(("IP4", "host.example.com")),
)
NUMBERS = st.integers(0, 2**63 - 1)
CONNECTIONS = st.builds(lambda address: Connection("IN", *address), ADDRESSES)
ATTRIBUTES = st.lists(
    st.builds(Attribute, TOKENS.filter(lambda name: name not in set(Direction)), st.none() | TEXT), max_size=4
).map(tuple)
MEDIA = st.builds(
    MediaDescription,
    media=TOKENS,
    port=st.integers(0, 65535),
    protocol=st.lists(TOKENS, min_size=1, max_size=3).map("/".join),
    formats=st.lists(TOKENS, min_size=1, max_size=3).map(tuple),
    port_count=st.integers(1, 99999),
    title=st.none() | TEXT,
    connections=st.lists(CONNECTIONS, max_size=2).map(tuple),
    bandwidths=st.lists(st.builds("{}:{}".format, TOKENS, NUMBERS), max_size=2).map(tuple),
    key=st.none() | TEXT,
    attributes=ATTRIBUTES,
)
TIMES = st.builds(Time, NUMBERS, NUMBERS, st.lists(TEXT, max_size=2).map(tuple), st.none() | TEXT)
SESSIONS = st.builds(
    SessionDescription,
    origin=st.builds(
        lambda name, number, version, address: Origin(name, number, version, "IN", *address),
        *(TOKENS, NUMBERS, NUMBERS, ADDRESSES),
    ),
    connection=CONNECTIONS,
    media=st.lists(MEDIA, max_size=3).map(tuple),
    name=TEXT,
    information=st.none() | TEXT,
    uri=st.none() | TEXT,
    emails=st.lists(TEXT, max_size=2).map(tuple),
    phones=st.lists(TEXT, max_size=2).map(tuple),
    times=st.lists(TIMES, min_size=1, max_size=3).map(tuple),
    key=st.none() | TEXT,
    attributes=ATTRIBUTES,
)


@given(SESSIONS)
def test_what_is_written_reads_back_the_same(session: SessionDescription) -> None:
    again = parse_sdp(write_sdp(session))
    assert again == session
    assert again.faults == ()


@given(st.binary(max_size=300))
def test_no_octets_raise_anything_but_our_own_error(data: bytes) -> None:
    with suppress(BodySyntaxError):
        parse_sdp(data)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_mutations_of_an_example_raise_nothing_but_our_own_error(path: Path) -> None:
    data = path.read_bytes()
    chance = random.Random(path.stem)
    for _ in range(300):
        octets = bytearray(data)
        for _ in range(chance.randint(1, 4)):
            place = chance.randrange(len(octets))
            octets[place : place + chance.randint(0, 3)] = chance.randbytes(chance.randint(0, 3))
        try:
            session = parse_sdp(bytes(octets))
        except BodySyntaxError:
            continue
        assert all(0 <= fault.offset <= len(octets) for fault in session.faults)
        write_sdp(session, strict=False)


HOSTILE: dict[str, Callable[[int], bytes]] = {
    "attributes": lambda size: CHAT + b"a=a\r\n" * size,
    "repeats": lambda size: b"v=0\r\nt=0 0\r\n" + b"r=1 1 0\r\n" * size,
    "times": lambda size: b"v=0\r\n" + b"t=0 0\r\n" * size,
    "media": lambda size: b"v=0\r\n" + b"m=a 1 b *\r\n" * size,
    "line feeds": lambda size: b"v=0\r\n" + b"\n" * 5 * size,
    "carriage returns": lambda size: b"v=0\r\n" + b"\r" * 5 * size,
    "one long line": lambda size: b"v=0\r\ns=" + b"/" * 5 * size,
    "spaces in m=": lambda size: b"v=0\r\nm=a 1 b" + b" *" * 3 * size,
    "slashes in m=": lambda size: b"v=0\r\nm=a 1 b" + b"/b" * 3 * size + b" *",
    "digits": lambda size: b"v=0\r\no=- " + b"1" * 5 * size + b" 1 IN IP4 a\r\n",
}


@pytest.mark.parametrize("shape", HOSTILE)
def test_time_grows_with_the_length_and_not_with_its_square(
    shape: str, assert_linear: Callable[..., None]
) -> None:
    assert_linear(parse_sdp, HOSTILE[shape])
