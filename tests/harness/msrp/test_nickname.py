"""Nicknames in a chat room (RFC 7701 7.1 and 7.3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import MsrpSyntaxError, UsageError
from harness.msrp.nickname import parse_nickname, write_nickname
from harness.msrp.session_events import NicknameAnswered, NicknameAsked

ALICE, BOB = "msrp://alice.example.com:7394/2s93i9ek2a;tcp", "msrp://bob.example.com:8493/si438dsaodes;tcp"


def asked(value: str | None) -> bytes:
    lines = ["MSRP d93kswow NICKNAME", f"To-Path: {BOB}", f"From-Path: {ALICE}"]
    lines += [f"Use-Nickname: {value}"] if value is not None else []
    return "".join(f"{line}\r\n" for line in [*lines, "-------d93kswow$"]).encode()


def policy(nickname: str) -> int:
    return 425 if nickname == "Alice the great" else 200


@pytest.mark.parametrize(
    ("value", "status", "nickname"),
    [
        ('"Alice in Wonderland"', 200, "Alice in Wonderland"),
        ('"Alice the great"', 425, "Alice the great"),
        ('""', 200, ""),
        ('"a \\"b\\" \\\\ü"', 200, 'a "b" \\ü'),
    ],
)
def test_a_nickname_is_answered_as_the_chat_room_decides(wire, value, status, nickname) -> None:
    session = wire.bound(nickname=policy)
    (response,) = wire.give(asked(value))
    assert (response.status, response.to_path) == (status, (ALICE,))
    assert session.take_events() == [NicknameAsked(nickname, status)]


@pytest.mark.parametrize("value", ["Alice", '"Alice', '"a"b"', '"a\\b"', '"' + "ü" * 512 + '"', ""])
def test_a_malformed_nickname_is_answered_424(wire, value) -> None:
    wire.bound(nickname=policy)
    assert [each.status for each in wire.give(asked(value))] == [424]


def test_a_room_without_nicknames_answers_403_first_and_a_missing_header_is_400(wire, new_wire) -> None:
    wire.bound()
    assert [each.status for each in wire.give(asked('"Alice"'), asked("Alice"))] == [403, 403]
    assert [each.status for each in wire.give(asked(None))] == [400]


@pytest.mark.parametrize("status", [200, 403, 424, 425, 481])
def test_our_own_nickname(wire, answer, status) -> None:
    session = wire.bound()
    session.ask_nickname('Bob "the builder"')
    (request,) = wire.take()
    assert (request.method, request.get("Use-Nickname")) == ("NICKNAME", '"Bob \\"the builder\\""')
    assert (request.to_path, request.from_path, request.faults) == ((ALICE,), (BOB,), ())
    assert (request.get("Success-Report"), request.get("Failure-Report")) == (None, None)
    wire.give(answer(request, status))
    assert session.take_events() == [NicknameAnswered('Bob "the builder"', status, "Whatever")]


def test_no_answer_in_time_is_408(wire) -> None:
    session = wire.bound()
    session.ask_nickname("")
    wire.take()
    wire.pass_time(30)
    assert session.take_events() == [NicknameAnswered("", 408, "Timeout")]


def test_a_nickname_that_is_none_is_not_written(wire) -> None:
    for wrong in ("a\r\nb", "x" * 1024):
        with pytest.raises(UsageError):
            wire.bound().ask_nickname(wrong)
    with pytest.raises(UsageError):
        wire.session("msrp://b:1/third;tcp").ask_nickname("x")


@given(st.text(st.characters(min_codepoint=0x20, exclude_characters="\x7f", exclude_categories=["Cs"])))
def test_what_is_written_is_read_back(nickname: str) -> None:
    if len(nickname.encode()) <= 1023:
        assert parse_nickname(write_nickname(nickname)) == nickname


@given(st.text())
def test_no_text_raises_anything_but_our_own_error(value: str) -> None:
    try:
        parse_nickname(value)
    except MsrpSyntaxError as error:
        assert error.clause == "RFC 7701 7.1"
