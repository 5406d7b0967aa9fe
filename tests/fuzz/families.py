"""Octets that grow by one repeated construct: what a parser that goes back and forth is slow at."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from harness.evidence.internet import Endpoints, udp_packet
from harness.evidence.tcp import Conversation


@dataclass(frozen=True, slots=True)
class Family:
    """`make(size)` gives about size octets: head, as many units as fit, tail."""

    head: bytes
    unit: bytes
    tail: bytes = b""

    def make(self, size: int) -> bytes:
        return self.head + self.unit * max(1, (size - len(self.head)) // len(self.unit)) + self.tail

    def __str__(self) -> str:
        return f"{self.head[-40:]!r} + n * {self.unit[:40]!r} + {self.tail[:20]!r}"


UNITS = (
    b",", b'"', b"\\", b"<", b">", b"(", b"[", b";", b";a=b", b';a="', b'"\\', b"\r\n ", b"=", b"%41", b"%",
    b"@", b":", b"a", b" ", b"\t", b"\r", b"\n", b"\x00", b"\xc3\xa4", b"-", b"a ", b"a,", b"<a>,", b"&a=b",
    b".", b"9", b"*", b"?", b"/", b"+1", b"<sip:a@h>,", b"SIP/2.0/UDP h,", b'a="b",', b"\r\n",
    b"A: b\r\n", b"::",
)  # fmt: skip
HEAD = (
    b"MESSAGE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\nFrom: <sip:a@h>;tag=a\r\n"
    b"To: <sip:b@h>\r\nCall-ID: c\r\nCSeq: 1 MESSAGE\r\nMax-Forwards: 70\r\n"
)
WHOLE = HEAD + b"Content-Length: 0\r\n\r\n"
NAMES = (b"Via", b"Contact", b"CSeq", b"Call-ID", b"Content-Type", b"Authorization", b"Date", b"l")
MSRP = b"MSRP aaaa1234 SEND\r\nTo-Path: msrp://a/b;tcp\r\nFrom-Path: msrp://c/d;tcp\r\n"
MSRP_END = b"\r\n-------aaaa1234$\r\n"
CONTENT = b"\r\n\r\nContent-Type: text/plain\r\n\r\nx"


def _units(
    *heads: bytes, tails: tuple[bytes, ...] = (b"",), more: tuple[bytes, ...] = ()
) -> Iterator[Family]:
    for head in heads:
        for unit in (*UNITS, *more):
            for tail in tails:
                yield Family(head, unit, tail)


def _sip() -> Iterator[Family]:
    yield from _units(*(HEAD + name + b": " for name in NAMES), tails=(b"\r\n\r\n",))
    yield from _units(b"A ", tails=(b" SIP/2.0\r\n\r\n",))
    yield from _units(b"A sip:a@h SIP/2.0", HEAD, tails=(b"\r\n\r\n",))
    yield from _units(b"", WHOLE)
    yield Family(b"", WHOLE)
    for name in (*NAMES, b"Route", b"v", b"X"):
        yield Family(HEAD, name + b": <sip:a@h>;a=b\r\n", b"\r\n")


def _stream() -> Iterator[Family]:
    """What the framer reads itself; the headers are the message's."""
    yield from _units(b"", WHOLE, HEAD, HEAD + b"Content-Length: ")
    yield Family(b"", WHOLE)
    yield Family(HEAD, b"l: 1\r\n", b"\r\n")


def _msrp() -> Iterator[Family]:
    own = (b"-------", b"-------aaaa1234", b"\r\n-------", b"\r\n-------aaaa1234", b"\r\n-------aaaa1234x")
    typed = MSRP + b"Content-Type: text/plain\r\n\r\n"
    yield from _units(b"", typed, more=own)
    path = b"MSRP aaaa1234 SEND\r\nTo-Path: msrp://h/a;tcp "
    yield from _units(MSRP, MSRP + b"Byte-Range: ", typed, path, tails=(MSRP_END,), more=own)
    yield Family(path[:-1], b";t", b"\t" + MSRP_END)
    yield Family(b"", MSRP + b"Message-ID: 1\r\nByte-Range: 1-*/*\r\n\r\nx\r\n-------aaaa1234+\r\n")
    yield Family(b"", b"MSRP aaaa1234 200 OK\r\n-------aaaa1234$\r\n")


def _cpim() -> Iterator[Family]:
    first = b"From: <sip:a@h>\r\n"
    heads = (b"", b"From: ", b"Subject:;", b"NS: ", first + b"\r\nContent-Type: ", first + b"\r\n")
    own = (b"NS: a <b>\r\n", b"a.b: c\r\n", b"From: <a:b>\r\n", b"\\u0041")
    yield from _units(*heads, tails=(CONTENT,), more=own)


def _imdn() -> Iterator[Family]:
    yield Family(b"<imdn>", b"<a>")
    yield Family(b"<imdn>", b"<a/>", b"</imdn>")
    yield Family(b"<imdn>", b"<!--x-->", b"</imdn>")
    yield Family(b"<imdn>", b"&amp;", b"</imdn>")
    yield Family(b"<imdn>", b"<!--")
    yield Family(b"<imdn ", b'a="b" ', b"/>")
    yield Family(b"<imdn><message-id>", b"a", b"</message-id></imdn>")
    yield Family(b"<imdn>", b"<message-id>x</message-id>", b"</imdn>")
    yield Family(b"<imdn>", b"\n<a x='y'>z</a>", b"</imdn>")
    yield Family(b"", b"\n", b"<imdn/>x")


def _documents(root: bytes) -> Iterator[Family]:
    """XML of a namespace: what repeats inside its root."""
    head = b"<" + root + b' version="1" state="full" entity="e">'
    tail = b"</" + root.split(b" ")[0] + b">"
    for unit in (b"<a>", b"<a/>", b"&amp;", b"<!--x-->", b"\n<a b='c'>d</a>", b"x", b"<?a?>"):
        yield Family(head, unit, tail)
    own = (
        b"<registration aor='a' id='b' state='active'/>", b"<users state='partial'/>",
        b"<registration aor='a' id='b' state='active'><contact id='c' state='active' event='created'/>"
        b"</registration>", b"<users><user entity='a'/></users>",
    )  # fmt: skip
    for unit in own:
        yield Family(head, unit, tail)


def _multipart() -> Iterator[Family]:
    own = (
        b"--b\r\n",
        b"\r\n--b\r\n",
        b"--b",
        b"\r\n--",
        b"\r\n--bb",
        b"\r\n--b \t",
        b"\r\n--b\r\nA: b\r\n\r\n",
    )
    heads = (b"b\n--b\r\nA: b\r\n\r\n", b"b\n--b\r\nA: ")
    yield from _units(*heads, tails=(b"\r\n--b--\r\n",), more=own)


def _cutter() -> Iterator[Family]:
    msrp = b"MSRP aaaa1234 SEND\r\n-------aaaa1234$\r\n"
    own = (WHOLE, msrp, b"INVITE a SIP/2.0\r\n", b"INVITE ", b"SIP/2.0 200 ")
    yield from _units(HEAD, more=own)
    for unit in (b"a", b" ", b"\r\n "):
        yield Family(b"SIP/2.0 200 ", unit)
        yield Family(b"MSRP aaaa1234 SEND\r\n", unit)


def _sdp() -> Iterator[Family]:
    head = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
    media = head + b"m=message 9 TCP/MSRP *\r\n"
    heads = (head + b"a=", media + b"a=path:", media + b"a=file-selector:", media + b"a=accept-types:")
    own = (b"a=b\r\n", b"m=message 9 TCP/MSRP *\r\n", b"msrp://h:1/a;tcp ", b"t=0 0\r\n", b"a=setup:a\r\n")
    yield from _units(*heads, tails=(b"\r\n",), more=own)
    for unit in own:
        yield Family(media, unit)


ENDS = (b"!", b'"')
FAMILIES: dict[str, Callable[[], Iterator[Family]]] = {
    "sip_message": _sip,
    "sip_stream": _stream,
    "sip_headers": lambda: _units(b"", b"<sip:a@h>", b"SIP/2.0/UDP h", b'"', b"Digest a", tails=(b"!",)),
    "sip_uri": lambda: _units(b"", b"sip:", b"sip:a@h;a", b"sip:a@h?", b"tel:+", b"tel:1;", tails=ENDS),
    "sip_digest": lambda: _units(b"Digest ", b"Digest a=b,", b'Digest nonce="', tails=ENDS),
    "msrp_message": _msrp,
    "msrp_stream": _msrp,
    "msrp_path": lambda: _units(b"", b"msrp://h/a;tcp", b"msrp://", b"msrp://h/", b"msrp://a@h/", tails=ENDS),
    "cpim": _cpim,
    "imdn": _imdn,
    "reginfo": lambda: _documents(b'reginfo xmlns="urn:ietf:params:xml:ns:reginfo"'),
    "conference_info": lambda: _documents(b'conference-info xmlns="urn:ietf:params:xml:ns:conference-info"'),
    "msrp_connection": _msrp,
    "multipart": _multipart,
    "sdp": _sdp,
    "body_values": lambda: _units(b"", b"a/b", b"a/b;", b'a/b;c="', tails=ENDS),
    "message_cutter": _cutter,
}


# -- captures grow by frames, not by octets


def _written(packets: list[bytes]) -> bytes:
    """A pcap file of raw IP packets."""
    rows = [
        struct.pack("<IIII", number // 1000, number % 1000, len(each), len(each)) + each
        for number, each in enumerate(packets)
    ]
    return struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101) + b"".join(rows)


_ENDS = Endpoints.of(("192.0.2.1", 5060), ("192.0.2.2", 5060))


def _datagrams(count: int) -> bytes:
    return _written([udp_packet(_ENDS, WHOLE, number % 65536) for number in range(count)])


def _segments(count: int, order: int = 1, octets: bytes = WHOLE) -> bytes:
    conversation = Conversation(_ENDS, 1)
    opening = conversation.open()
    data = [packet for _ in range(count) for packet in conversation.data(_ENDS, octets)]
    return _written([*opening, *data[::order], *conversation.close()])


def _connections(count: int) -> bytes:
    ends = [Endpoints.of((f"10.0.{at >> 8}.{at & 255}", 40000), ("192.0.2.2", 5060)) for at in range(count)]
    return _written([packet for each in ends for packet in Conversation(each, 1).open()])


def _fragments(count: int) -> bytes:
    """Of one datagram, which lacks its end."""
    head = udp_packet(_ENDS, bytes(8), 1)
    parts = [head[:6] + struct.pack(">H", 0x2000 | at % 8000) + head[8:] for at in range(count)]
    return _written(parts)


def _answers_first(count: int) -> bytes:
    """What one end sends acknowledges what of the other end comes after all of it."""
    conversation = Conversation(_ENDS, 1)
    opening, back = conversation.open(), _ENDS.reverse()
    asked = [packet for _ in range(count) for packet in conversation.data(_ENDS, WHOLE)]
    answers = [packet for _ in range(count) for packet in conversation.data(back, WHOLE)]
    return _written([*opening, *answers, *asked, *conversation.close()])


CAPTURES: dict[str, Callable[[int], bytes]] = {
    "datagrams": _datagrams,
    "segments in order": _segments,
    "segments in reverse": lambda count: _segments(count, -1),
    "segments of which every other is lost": lambda count: _segments(2 * count, 2),
    "segments of one octet": lambda count: _segments(count, 1, b"A"),
    "segments that begin a line that never ends": lambda count: _segments(count, 1, b"INVITE "),
    "connections that are opened": _connections,
    "fragments of one datagram": _fragments,
    "answers before what they answer": _answers_first,
    "segments of a header that never ends": lambda count: _segments(count, 1, b"INVITE a SIP/2.0\r\n"),
}
