"""Encodings of content: what real clients send, what is cut off or unknown, and bombs."""

from __future__ import annotations

import base64
import gzip
import random
import tracemalloc
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.bodies.cpim import build_cpim, parse_cpim
from harness.bodies.encoding import DECODED_LIMIT, decode_content, is_decodable
from harness.bodies.imdn import build_imdn, parse_imdn
from harness.bodies.multipart import build_multipart, split_multipart
from harness.errors import BodySyntaxError

IMDN = build_imdn("PH7qAIV8cgH5", "2015-02-17T06:54:27Z", "delivery")
# The zlib stream of RFC 1950 for "hello", written down once so that the reader does not judge its own writer.
HELLO = bytes.fromhex("789ccb48cdc9c907 00062c0215".replace(" ", ""))


def raw_deflate(data: bytes) -> bytes:
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflater.compress(data) + deflater.flush()


def cpim_of(content: bytes, *encodings: tuple[str, str]) -> bytes:
    mime = [*encodings, ("Content-Type", "message/imdn+xml"), ("Content-Disposition", "notification")]
    return build_cpim([("From", "<sip:a@example.com>"), ("To", "<sip:b@example.com>")], mime, content)


def test_deflate_is_the_zlib_format() -> None:
    assert decode_content(HELLO, "deflate") == b"hello"


@pytest.mark.parametrize(
    ("coding", "encode"),
    [
        ("deflate", zlib.compress),
        ("Deflate", raw_deflate),  # without its frame, as some send it (RFC 9110 8.4.1.2)
        ("gzip", gzip.compress),
        ("x-gzip", gzip.compress),
        ("identity", bytes),
        ("", bytes),
        ("deflate, gzip", lambda data: gzip.compress(zlib.compress(data))),
        ("identity, deflate", zlib.compress),
    ],
)  # fmt: skip
def test_an_imdn_inside_cpim_is_read_whatever_its_coding(coding: str, encode) -> None:  # type: ignore[no-untyped-def]
    cpim = parse_cpim(cpim_of(encode(IMDN), ("Content-Encoding", coding)))
    assert cpim.decodable
    assert parse_imdn(cpim.decoded()).message_id == "PH7qAIV8cgH5"


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [
        ("base64", base64.encodebytes),
        ("Quoted-Printable", lambda data: data.replace(b"=", b"=3D")),
        ("binary", bytes),
        ("8bit", bytes),
        ("7bit", bytes),
    ],
)
def test_transfer_encodings_are_undone_first(encoding: str, encode) -> None:  # type: ignore[no-untyped-def]
    content = encode(IMDN)
    assert parse_cpim(cpim_of(content, ("Content-Transfer-Encoding", encoding))).decoded() == IMDN
    both = encode(zlib.compress(IMDN)) if encoding == "base64" else None
    if both is not None:
        headers = (("Content-Transfer-Encoding", encoding), ("Content-Encoding", "deflate"))
        assert parse_cpim(cpim_of(both, *headers)).decoded() == IMDN


def test_a_part_is_decoded_like_cpim() -> None:
    body = build_multipart([([("Content-Encoding", "deflate")], zlib.compress(IMDN))], "b")
    (part,) = split_multipart(body, "b").parts
    assert part.decodable
    assert part.decoded() == IMDN


@pytest.mark.parametrize(
    ("content", "coding", "transfer"),
    [
        (zlib.compress(IMDN)[:-5], "deflate", None),
        (zlib.compress(IMDN)[:20], "deflate", None),
        (gzip.compress(IMDN)[:-1], "gzip", None),
        (IMDN, "deflate", None),
        (b"", "gzip", None),
        (IMDN, "br", None),
        (IMDN, "gzip, gzip, gzip, gzip", None),
        (b"a", None, "base64"),
        (IMDN, None, "uuencode"),
    ],
)
def test_what_cannot_be_decoded_is_named_with_its_octet(
    content: bytes, coding: str | None, transfer: str | None
) -> None:
    with pytest.raises(BodySyntaxError) as caught:
        decode_content(content, coding, transfer, offset=77)
    assert caught.value.offset == 77


def test_unknown_encodings_are_known_to_be_unknown() -> None:
    assert is_decodable(None) and is_decodable("gzip, deflate", "BASE64")
    assert not is_decodable("deflate, br") and not is_decodable(None, "uuencode")
    assert not parse_cpim(cpim_of(IMDN, ("Content-Encoding", "br"))).decodable


@pytest.mark.parametrize("encode", [zlib.compress, raw_deflate, gzip.compress], ids=["zlib", "raw", "gzip"])
def test_exactly_the_limit_is_decoded_and_one_octet_more_is_not(encode) -> None:  # type: ignore[no-untyped-def]
    coding = "gzip" if encode is gzip.compress else "deflate"
    assert len(decode_content(encode(bytes(1000)), coding, limit=1000)) == 1000
    with pytest.raises(BodySyntaxError, match="more than 1000 octets"):
        decode_content(encode(bytes(1001)), coding, limit=1000)


def bomb(layers: int, size: int = 64 << 20) -> bytes:
    """Zeros, compressed once or several times."""
    content = bytes(size)
    for _ in range(layers):
        content = zlib.compress(content, 9)
    return content


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_a_bomb_takes_no_more_memory_than_the_limit(layers: int) -> None:
    content = bomb(layers)
    tracemalloc.start()
    try:
        with pytest.raises(BodySyntaxError, match="more than"):
            decode_content(content, ", ".join(["deflate"] * layers))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * DECODED_LIMIT


@given(st.binary(max_size=200), st.sampled_from(["deflate", "gzip", "gzip, deflate", "x"]), st.booleans())
def test_no_octets_raise_anything_but_our_own_error(data: bytes, coding: str, base: bool) -> None:
    with suppress(BodySyntaxError):
        decode_content(data, coding, "base64" if base else None)


@pytest.mark.parametrize("coding", ["deflate", "gzip"])
def test_damaged_streams_raise_our_own_error_or_give_octets(coding: str) -> None:
    chance = random.Random(coding)
    whole = (gzip.compress if coding == "gzip" else zlib.compress)(IMDN)
    for _ in range(300):
        octets = bytearray(whole)
        octets[chance.randrange(len(octets))] = chance.randrange(256)
        with suppress(BodySyntaxError):
            assert len(decode_content(bytes(octets), coding)) <= DECODED_LIMIT
