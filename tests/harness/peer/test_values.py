"""Identities, header changes and reading what the handset sends: properties over any input."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.agent.sip.agent import Incoming
from harness.errors import UsageError
from harness.evidence.timeline import Address, Transport
from harness.peer.answers import Answer, AnswerQueue, changed
from harness.peer.config import FarParty, PeerConfig, Subscriber
from harness.peer.identities import bare, canonical, number_of, same_user
from harness.peer.received import notifications_in, read_message
from harness.sip.message import build_request


@given(st.text())
def test_any_text_has_a_canonical_form_and_is_itself(text: str) -> None:
    assert same_user(text, text)
    assert isinstance(canonical(text), str)
    assert isinstance(bare(text), str)
    number_of(text)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("sip:+491701234567@a.example;user=phone", "tel:+49-170-1234567", True),
        ("+491701234567", "tel:+491701234567", True),
        ("sip:Ann@A.example", "sip:Ann@a.EXAMPLE;x=y", True),
        ("sip:Ann@a.example", "sip:ann@a.example", False),
        ("sip:%41nn@a.example", "sip:Ann@a.example", True),
        ("tel:+491701234567", "tel:+491701234568", False),
    ],
)
def test_who_is_who(one: str, other: str, same: bool) -> None:
    assert same_user(one, other) is same


ROWS = st.lists(st.tuples(st.sampled_from(["Via", "To", "X"]), st.text(max_size=3)))


@given(ROWS)
def test_no_change_changes_nothing(rows: list[tuple[str, str]]) -> None:
    assert changed(rows, {}) == rows


@given(ROWS)
def test_changes_replace_leave_out_and_add(rows: list[tuple[str, str]]) -> None:
    result = changed(rows, {"via": None, "TO": "one", "New": ["a", "b"]})
    assert [value for name, value in result if name.lower() == "to"] == ["one"]
    assert not any(name == "Via" for name, _ in result)
    assert result[-2:] == [("New", "a"), ("New", "b")] or not rows


@given(st.binary(max_size=200), st.sampled_from(["message/cpim", "text/plain", "message/imdn+xml"]))
def test_any_body_can_be_read(body: bytes, content_type: str) -> None:
    request = build_request(
        "MESSAGE",
        "sip:a@b.example",
        [
            ("Via", "SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKx"),
            ("From", "<sip:ue@b.example>;tag=x"),
            ("To", "<sip:a@b.example>"),
            ("Call-ID", "x"),
            ("CSeq", "1 MESSAGE"),
            ("Content-Type", content_type),
        ],
        body,
    )
    at = Address("127.0.0.1", 5060)
    message = read_message(Incoming(request, Transport.UDP, at, at, None), 1, 0.0)
    assert message.is_notification in (True, False)
    assert all(isinstance(str(each), str) for each in notifications_in(message, 200))
    assert message.sender == "sip:ue@b.example"


@pytest.mark.parametrize(("status", "count"), [(100, 1), (700, 1), (408, 1), (200, 0)])
def test_answers_nobody_may_give(status: int, count: int) -> None:
    with pytest.raises(UsageError):
        AnswerQueue().add(Answer(status), count)


def test_far_parties() -> None:
    number = FarParty.of("+491701234567", "b.example")
    assert (number.sip, number.tel) == ("sip:+491701234567@b.example;user=phone", "tel:+491701234567")
    assert FarParty.of("sip:bot@b.example", "b.example").tel is None
    with pytest.raises(UsageError):
        FarParty.of("nobody", "b.example")


def test_configurations_that_cannot_work() -> None:
    with pytest.raises(UsageError):
        PeerConfig("b.example", listen=())
    with pytest.raises(UsageError):
        Subscriber("x", ())
    with pytest.raises(UsageError):
        Subscriber("x", ("sip:x@b",), k=bytes(16))
    with pytest.raises(UsageError):
        Subscriber("x", ("sip:x@b",), sqn=1 << 48)
