"""A file in gzip: several members, and the padding that tapes and blocks leave behind and between them."""

from __future__ import annotations

import gzip
from io import BytesIO

import pytest

from harness.evidence.packed_file import PIECE, PackedFile


def unpacked(octets: bytes) -> bytes:
    packed, found = PackedFile(BytesIO(octets)), b""
    while piece := packed.read():
        found += piece
    return found


@pytest.mark.parametrize("padding", [b"", b"\0" * 512, b"\0" * (3 * PIECE)])
def test_members_follow_each_other_whatever_pads_them(padding: bytes) -> None:
    assert unpacked(gzip.compress(b"one, ") + padding + gzip.compress(b"two") + padding) == b"one, two"


def test_what_follows_the_last_member_and_is_none_is_left() -> None:
    assert unpacked(gzip.compress(b"one") + b"a signature") == b"one"
