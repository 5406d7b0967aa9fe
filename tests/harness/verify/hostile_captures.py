"""Files that were damaged, or made to break a reader of captures, by name. Each is made when asked for."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from harness.evidence.internet import Endpoints, ip_header, udp_packet
from harness.evidence.tcp import Conversation

SEED = Path(__file__).parents[2] / "corpora" / "seed"
PAGER, SESSION = SEED / "pager.pcapng", SEED / "session.pcapng"
ENDS = Endpoints.of(("192.0.2.1", 40000), ("192.0.2.2", 5060))
RAW = 101
_SECTION = struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
REQUEST = (
    b"MESSAGE sip:+12345678901@example.net SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.1:40000;branch=z9hG4bK1\r\n"
    b"Max-Forwards: 70\r\nFrom: <sip:a@example.net>;tag=1\r\nTo: <sip:b@example.net>\r\nCall-ID: 1\r\n"
    b"CSeq: 1 MESSAGE\r\nContent-Type: text/plain\r\nContent-Length: "
)


def pcap(packets: list[bytes], link_type: int = RAW) -> bytes:
    """A pcap file of packets that come each a millisecond after the other."""
    rows = [
        struct.pack("<IIII", at // 1000, at % 1000 * 1000, len(packet), len(packet)) + packet
        for at, packet in enumerate(packets)
    ]
    return struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, link_type) + b"".join(rows)


def pcapng(*blocks: tuple[int, bytes]) -> bytes:
    """A pcapng file of blocks: type and body."""
    made = [_SECTION]
    for kind, body in blocks:
        length = 12 + len(body)
        made.append(struct.pack("<II", kind, length) + body + struct.pack("<I", length))
    return b"".join(made)


def interface(link_type: int = RAW, options: bytes = b"") -> tuple[int, bytes]:
    return 1, struct.pack("<HHI", link_type, 0, 0) + options


def packet(data: bytes, ticks: int = 1, number: int = 0, captured: int | None = None) -> tuple[int, bytes]:
    size = len(data) if captured is None else captured
    head = struct.pack("<IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, size, size)
    return 6, head + data + bytes(-len(data) % 4)


def stream(*data: bytes, skip: int = 0) -> list[bytes]:
    """A TCP connection. skip: octets that are missing behind the first piece."""
    conversation = Conversation(ENDS, 1000)
    packets = conversation.open()
    for at, piece in enumerate(data):
        if at == 1:
            conversation.skip(ENDS, skip)
        packets += conversation.data(ENDS, piece)
    return packets


UDP = udp_packet(ENDS, REQUEST + b"2\r\n\r\nhi", 7)


def cut() -> Iterator[tuple[str, bytes]]:
    for seed in (PAGER, SESSION):
        octets = seed.read_bytes()
        for at in range(1, 20):
            yield f"{seed.stem} cut at {at}/20", octets[: len(octets) * at // 20]


def flipped() -> Iterator[tuple[str, bytes]]:
    random = Random(4975)
    kinds = {"pcapng": SESSION.read_bytes(), "pcap": pcap([UDP, *stream(REQUEST + b"2\r\n\r\nhi")])}
    kinds["gzip"] = gzip.compress(kinds["pcapng"], mtime=0)
    for kind, octets in kinds.items():
        for number in range(30):
            changed = bytearray(octets)
            for _ in range(random.choice((1, 1, 3, 40))):
                changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
            yield f"{kind} with bits flipped, {number}", bytes(changed)


def other_links() -> Iterator[tuple[str, bytes]]:
    others = (50, 104, 105, 108, 109, 113, 127, 147, 187, 228, 229, 239, 252, 258, 276, 65535)
    for link_type in (*range(20), *others):
        yield f"link type {link_type}", pcap([UDP, UDP[:3], b"", b"\x60", b"\x00" * 40], link_type)


def lengths() -> Iterator[tuple[str, bytes]]:
    record = struct.pack("<IIII", 1, 0, 0xFFFFFFFF, 0xFFFFFFFF)
    yield "a record of 4 GB", pcap([UDP]) + record + bytes(1000)
    yield "a record of 4 GB in gzip", gzip.compress(pcap([UDP]) + record + bytes(1000), mtime=0)
    yield "records of nothing", pcap([b""] * 20)
    yield "nothing but zeros", pcap([UDP]) + bytes(100_000)
    yield "a header alone", pcap([])
    yield "a block of 4 GB", pcapng(interface(), packet(UDP)) + struct.pack("<II", 6, 0xFFFFFFFC) + bytes(64)
    yield "another block of 4 GB", pcapng(interface()) + struct.pack("<II", 99, 0xFFFFFFFC) + bytes(64)
    yield "a section of 4 GB", struct.pack("<III", 0x0A0D0D0A, 0xFFFFFFFC, 0x1A2B3C4D) + bytes(64)
    yield "a packet longer than its block", pcapng(interface(), packet(UDP, captured=0xFFFFFFFF))
    yield "a packet of no interface", pcapng(packet(UDP))
    yield "a packet of another interface", pcapng(interface(), packet(UDP, number=7))
    yield (
        "an option longer than its block",
        pcapng(interface(options=struct.pack("<HH", 2, 0xFFFF) + b"abcd")),
    )
    for exponent in (0, 0x7F, 0x80, 0xFF):
        option = struct.pack("<HHB3x", 9, 1, exponent)
        for ticks in (0, (1 << 64) - 1):
            yield f"time {ticks} in {exponent}", pcapng(interface(options=option), packet(UDP, ticks))
    for offset in (-(1 << 63), (1 << 63) - 1):
        option = struct.pack("<HHq", 14, 8, offset)
        yield f"time offset {offset}", pcapng(interface(options=option), packet(UDP))
    for at, width in ((2, 2), (20 + 4, 2), (0, 1)):
        for value in (0, 255):
            changed = bytearray(UDP)
            changed[at : at + width] = bytes([value]) * width
            yield f"octets {at} of a packet all {value}", pcap([bytes(changed), UDP])


def messages() -> Iterator[tuple[str, bytes]]:
    yield "a body of 4 GB announced", pcap(stream(REQUEST + b"4294967295\r\n\r\n", b"x" * 60_000))
    yield "a body of 4 GB in a datagram", pcap([udp_packet(ENDS, REQUEST + b"4294967295\r\n\r\n", 1)])
    paths = b"To-Path: msrp://b:1/y;tcp\r\nFrom-Path: msrp://a:1/x;tcp\r\nMessage-ID: 1\r\n"
    for span in (b"1-4294967295/4294967295", b"4294967295-*/*", b"0-0/0", b"1-*/18446744073709551616"):
        send = b"MSRP a786hjs2 SEND\r\n" + paths + b"Byte-Range: " + span + b"\r\nContent-Type: a/b\r\n\r\nhi"
        yield f"Byte-Range {span.decode()}", pcap(stream(send + b"\r\n-------a786hjs2$\r\n"))


def gzips() -> Iterator[tuple[str, bytes]]:
    packed = gzip.compress(SESSION.read_bytes(), mtime=0)
    yield "gzip", packed
    yield (
        "gzip in two members",
        packed[:0]
        + b"".join(
            gzip.compress(part, mtime=0) for part in (SESSION.read_bytes()[:999], SESSION.read_bytes()[999:])
        ),
    )
    yield "gzip cut", packed[: len(packed) // 2]
    yield "gzip with another checksum", packed[:-8] + bytes(8)
    yield "gzip and something else", packed + b"something else"
    yield "gzip and zeros", packed + bytes(1000)
    yield "gzip of gzip", gzip.compress(packed, mtime=0)
    yield "gzip header alone", packed[:10]
    yield "gzip of nothing", gzip.compress(b"", mtime=0)


def bomb(head: bytes, block: bytes, times: int) -> bytes:
    """A gzip file of a head and of blocks that shrink to a thousandth."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    first = deflate.compress(head) + deflate.flush(zlib.Z_FULL_FLUSH)
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    again = deflate.compress(block) + deflate.flush(zlib.Z_FULL_FLUSH)
    return b"\x1f\x8b\x08" + bytes(6) + b"\xff" + first + again * times


def _records() -> bytes:
    record = struct.pack("<IIII", 1, 0, 1 << 20, 1 << 20) + bytes(1 << 20)
    return bomb(pcap([UDP]), record, 4000)


def _syn(number: int) -> bytes:
    ends = Endpoints.of((f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 40000), ("192.0.2.2", 5060))
    return Conversation(ends, 1000).open()[0]


def _fragment(number: int) -> bytes:
    head = bytearray(ip_header(ENDS, 17, 1400, number % 65536))
    head[6:8] = b"\x20\x00"
    return bytes(head) + bytes(1400)


SMALL: dict[str, Callable[[], Iterator[tuple[str, bytes]]]] = {
    "cut": cut,
    "bits flipped": flipped,
    "other link types": other_links,
    "lengths that lie": lengths,
    "messages that lie": messages,
    "gzip": gzips,
}
_ANNOUNCED = REQUEST + b"4294967295\r\n\r\n"
_PIECE = b"x" * 60_000
# What would take a gigabyte, or an hour, of a reader that trusts it.
HEAVY: dict[str, Callable[[], bytes]] = {
    "a bomb of records": _records,
    "a bomb of a block": lambda: bomb(pcapng() + struct.pack("<II", 99, 0xFFFFFFFC), bytes(1 << 20), 4000),
    "a bomb of zeros": lambda: bomb(pcap([UDP]), bytes(1 << 20), 4000),
    "a hole that is never filled": lambda: pcap(stream(REQUEST + b"0\r\n\r\n", *[_PIECE] * 1200, skip=9)),
    "octets that come in reverse": lambda: pcap(stream(REQUEST + b"0\r\n\r\n", *[_PIECE] * 1200)[::-1]),
    "connections that are opened only": lambda: pcap([_syn(number) for number in range(50_000)]),
    "fragments without others": lambda: pcap([_fragment(number) for number in range(50_000)]),
    "a body without end": lambda: pcap(stream(_ANNOUNCED, *[_PIECE] * 1300)),
    "a header without end": lambda: pcap(stream(REQUEST[:-2], *[_PIECE] * 500)),
    "interfaces without packets": lambda: pcapng(*[interface()] * 50_000),
}
