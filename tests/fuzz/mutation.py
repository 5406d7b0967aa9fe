"""Changes that keep the structure of a protocol text: lines doubled and swapped, pieces spliced and repeated.

Driven by a random.Random, so that hypothesis and atheris steer it alike and a failure can be had again.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

PIECES = (
    b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b";", b",", b'"', b"\\", b"<", b">", b"=", b"%", b"%00",
    b"\x00", b"\xff", b"[", b"]", b"@", b"*", b"?", b"/", b"&", b"(", b"-", b"--", b"-------", b"0", b"-1",
    b"4294967296", b"9" * 30, b"tag=", b"Via: ", b"SIP/2.0", b"MSRP ", b"\r\n\r\n", b"\r\n ", b"<a>", b"</a>",
    b"&amp;", b"&a;", b"<![CDATA[", "ä".encode(), "\u2028".encode(), b"\xed\xa0\x80",
)  # fmt: skip
LONGEST = 20_000  # octets of a mutant


def _lines(data: bytes) -> list[bytes]:
    return data.splitlines(keepends=True) or [b""]


def _place(random: Random, data: bytes) -> int:
    return random.randint(0, len(data))


def _flip(data: bytes, random: Random, seeds: Sequence[bytes]) -> bytes:
    if not data:
        return data
    place = random.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << random.randrange(8)]) + data[place + 1 :]


def _insert(data: bytes, random: Random, seeds: Sequence[bytes]) -> bytes:
    place = _place(random, data)
    return data[:place] + random.choice(PIECES) * random.choice((1, 1, 1, 2, 50)) + data[place:]


def _cut(data: bytes, random: Random, seeds: Sequence[bytes]) -> bytes:
    start, end = sorted((_place(random, data), _place(random, data)))
    return data[:start] + data[min(end, start + random.choice((1, 4, 200))) :]


def _truncate(data: bytes, random: Random, seeds: Sequence[bytes]) -> bytes:
    return data[: _place(random, data)]


def _repeat(data: bytes, random: Random, seeds: Sequence[bytes]) -> bytes:
    start = _place(random, data)
    piece = data[start : start + random.choice((1, 2, 8, 40))]
    return data[:start] + piece * random.choice((2, 3, 100)) + data[start + len(piece) :]


def _double_line(data: bytes, random: Random, seeds: Sequence[bytes]) -> bytes:
    lines = _lines(data)
    place = random.randrange(len(lines))
    return b"".join([*lines[: place + 1], *lines[place:]])


def _drop_line(data: bytes, random: Random, seeds: Sequence[bytes]) -> bytes:
    lines = _lines(data)
    del lines[random.randrange(len(lines))]
    return b"".join(lines)


def _swap_lines(data: bytes, random: Random, seeds: Sequence[bytes]) -> bytes:
    lines = _lines(data)
    one, other = random.randrange(len(lines)), random.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return b"".join(lines)


def _splice(data: bytes, random: Random, seeds: Sequence[bytes]) -> bytes:
    other = random.choice(seeds)
    return data[: _place(random, data)] + other[_place(random, other) :]


def _splice_lines(data: bytes, random: Random, seeds: Sequence[bytes]) -> bytes:
    lines, others = _lines(data), _lines(random.choice(seeds))
    place = random.randint(0, len(lines))
    return b"".join([*lines[:place], random.choice(others), *lines[place:]])


_CHANGES = (
    _flip, _insert, _cut, _truncate, _repeat, _double_line, _drop_line, _swap_lines, _splice, _splice_lines,
)  # fmt: skip


def mutate(data: bytes, random: Random, seeds: Sequence[bytes]) -> bytes:
    """The octets after one to six changes."""
    for _ in range(random.randint(1, 6)):
        data = random.choice(_CHANGES)(data, random, seeds)[:LONGEST]
    return data
