"""Values of MSRP attributes in SDP: lists of types, setup, fingerprints, chat rooms."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.bodies.sdp_attributes import (
    Fingerprint,
    Setup,
    certificate_fingerprint,
    fingerprint_matches,
    parse_chatroom,
    parse_fingerprint,
    parse_format_list,
    parse_max_size,
    parse_setup,
    type_accepted,
)
from harness.errors import BodySyntaxError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("*", ("*",)),
        ("message/cpim text/plain text/html", ("message/cpim", "text/plain", "text/html")),
        ("message/cpim  image/*", ("message/cpim", "image/*")),
        ('text/plain;charset=utf-8 a/b;c="d e \\" f"', ("text/plain;charset=utf-8", 'a/b;c="d e \\" f"')),
    ],
)
def test_lists_of_types(text: str, expected: tuple[str, ...]) -> None:
    assert parse_format_list(text) == expected


@pytest.mark.parametrize(
    "text", ["", " ", "text", "text/", "text/plain,text/html", "a/b;c", 'a/b;c="d', "**"]
)
def test_what_is_no_list_of_types(text: str) -> None:
    with pytest.raises(BodySyntaxError) as caught:
        parse_format_list(text, 40)
    assert (caught.value.offset, caught.value.clause) == (40, "RFC 4975 8.6")


@pytest.mark.parametrize(
    ("formats", "media_type", "expected"),
    [
        (("message/cpim",), "message/cpim", True),
        (("message/cpim",), "Message/CPIM", True),
        (("text/plain;charset=utf-8",), "text/plain", True),
        (("text/plain",), "text/plain; charset=utf-8", True),
        (("text/plain",), "text/html", False),
        (("image/*",), "image/jpeg", True),
        (("image/*",), "imagery/jpeg", False),
        (("*",), "application/x-anything", True),
        ((), "text/plain", False),
    ],
)
def test_what_a_list_lets_through(formats: tuple[str, ...], media_type: str, expected: bool) -> None:
    assert type_accepted(formats, media_type) is expected


def test_setup_knows_four_values_and_no_other() -> None:
    assert [parse_setup(text) for text in ("active", "passive", "actpass", "holdconn")] == list(Setup)
    assert [parse_setup(text) for text in (None, "", "Active", "both")] == [None] * 4


def test_max_size_is_digits() -> None:
    assert parse_max_size("20971520") == 20971520
    for text in ("", "-1", "20k", "1" * 20, "٣"):
        with pytest.raises(BodySyntaxError):
            parse_max_size(text)


def test_chat_room_tokens() -> None:
    assert parse_chatroom("nickname private-messages com.example.chat.foo") == {
        "nickname",
        "private-messages",
        "com.example.chat.foo",
    }
    assert parse_chatroom(None) == frozenset()
    for text in ("nickname nickname", "nickname,private-messages", "nickname  x"):
        with pytest.raises(BodySyntaxError):
            parse_chatroom(text)


PRINTED = "4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB"


def test_the_fingerprint_of_rfc_4975() -> None:
    found = parse_fingerprint(f"SHA-1 {PRINTED}")
    assert found == Fingerprint("sha-1", bytes.fromhex(PRINTED.replace(":", "")))
    assert str(found) == f"sha-1 {PRINTED}"
    assert parse_fingerprint(f"sha-1 {PRINTED.lower()}") == found


@pytest.mark.parametrize(
    "text", ["", "sha-1", f"sha-1  {PRINTED}", "sha-1 4A-AD", "sha-1 4A:A", f"{PRINTED}"]
)
def test_what_is_no_fingerprint(text: str) -> None:
    with pytest.raises(BodySyntaxError):
        parse_fingerprint(text)


def test_a_certificate_matches_by_the_strongest_hash_offered() -> None:
    certificate = b"the octets of a certificate"
    sha_1 = Fingerprint("sha-1", hashlib.sha1(certificate).digest())
    sha_256 = Fingerprint("sha-256", hashlib.sha256(certificate).digest())
    wrong = Fingerprint("sha-256", bytes(32))
    assert certificate_fingerprint(certificate) == sha_256
    assert fingerprint_matches([sha_1, sha_256], certificate)
    assert fingerprint_matches([wrong, sha_256], certificate)  # one of several certificates
    assert not fingerprint_matches([sha_1, wrong], certificate)  # RFC 8122 5.1: the preferred set decides
    assert not fingerprint_matches([], certificate)


def test_md5_is_neither_made_nor_believed() -> None:
    certificate = b"the octets of a certificate"
    md5 = Fingerprint("md5", hashlib.md5(certificate).digest())
    assert not fingerprint_matches([md5], certificate)
    with pytest.raises(BodySyntaxError):
        certificate_fingerprint(certificate, "md5")


@given(st.text(max_size=60))
def test_no_text_raises_anything_but_our_own_error(text: str) -> None:
    for parse in (
        parse_format_list,
        parse_fingerprint,
        parse_chatroom,
        parse_max_size,
        parse_setup,
    ):
        with suppress(BodySyntaxError):
            parse(text)  # type: ignore[operator]


@pytest.mark.parametrize("piece", ['"\\', '\\"', '"', "a/b;c=", "a/b ", 'a/b;c="d" ', ";", "/", '""'])
def test_lists_of_types_are_read_in_linear_time(piece: str, assert_linear: Callable[..., None]) -> None:
    assert_linear(parse_format_list, lambda size: 'a/b;c="' + piece * size, 5_000)
