"""Which contacts a caller prefers: the example of RFC 3841 7.2.5 and what its rules say besides."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.sip.caller_preferences import AcceptContact, RejectContact
from harness.sip.contact_choice import feature_set, matches, ordered
from harness.sip.grammar import parse_parameters
from harness.sip.headers import NameAddr

CONTACTS = [
    NameAddr.parse(text)
    for text in (
        '<sip:u1@h.example.com>;audio;video;methods="INVITE,BYE";q=0.2',
        '<sip:u2@h.example.com>;audio="FALSE";methods="INVITE";actor="msg-taker";q=0.2',
        '<sip:u3@h.example.com>;audio;actor="msg-taker";methods="INVITE";video;q=0.3',
        '<sip:u4@h.example.com>;audio;methods="INVITE,OPTIONS";q=0.2',
        "<sip:u5@h.example.com>;q=0.5",
    )
]


def users(contacts: list[NameAddr]) -> list[str | None]:
    return [contact.uri.user for contact in contacts]


def accept(*values: str) -> list[AcceptContact]:
    return [AcceptContact.parse(value) for value in values]


def reject(*values: str) -> list[RejectContact]:
    return [RejectContact.parse(value) for value in values]


def test_the_example_of_the_rfc() -> None:
    wishes = accept("*;audio;require", "*;video;explicit", '*;methods="BYE";class="business";q=1.0')
    refused = reject('*;actor="msg-taker";video')
    assert users(ordered(CONTACTS[::-1], wishes, refused)) == ["u5", "u1", "u4"]


def test_what_is_asked_for_explicitly_must_be_named() -> None:
    assert users(ordered(CONTACTS, accept("*;video;require;explicit"))) == ["u5", "u3", "u1"]
    assert users(ordered(CONTACTS, accept("*;video;require"))) == ["u5", "u3", "u1", "u2", "u4"]


def test_a_wish_nobody_fulfils_leaves_those_without_features() -> None:
    assert users(ordered(CONTACTS, accept("*;isfocus;require;explicit"))) == ["u5"]
    assert ordered(CONTACTS[:4], accept("*;isfocus;require;explicit")) == []


def test_a_contact_is_refused_only_for_what_it_says_of_itself() -> None:
    assert users(ordered(CONTACTS, reject=reject('*;class="business"'))) == ["u5", "u3", "u1", "u2", "u4"]
    assert users(ordered(CONTACTS, reject=reject("*;video"))) == ["u5", "u2", "u4"]


def test_the_method_and_the_event_package_are_preferences_too() -> None:
    assert users(ordered(CONTACTS, method="BYE")) == ["u5", "u1"]
    assert users(ordered(CONTACTS[:4], method="REFER")) == ["u3", "u1", "u2", "u4"]  # rather than nobody
    events = [NameAddr.parse(f'<sip:{name}@h>;events="{name}"') for name in ("reg", "conference")]
    assert users(ordered(events, method="SUBSCRIBE", event="conference")) == ["conference"]


def test_without_any_preference_the_q_value_decides() -> None:
    assert users(ordered(CONTACTS)) == ["u5", "u3", "u1", "u2", "u4"]
    assert users(ordered([NameAddr.parse("<sip:a@h>;q=x"), NameAddr.parse("<sip:b@h>;q=0.9")])) == ["a", "b"]


@pytest.mark.parametrize(
    ("one", "other", "match"),
    [
        (';type="A"', ';type="a"', True),  # tokens without case
        (';+x="<A>"', ';+x="<a>"', False),  # strings with
        (';+x="<a>"', ';+x="<a>"', True),
        (';+x="<a>"', ';+x="a"', False),
        (';type="a,b"', ';type="b,c"', True),
        (';type="a"', ';type="!a"', False),
        (';type="!a"', ';type="b"', True),
        (';type="!a"', ';type="!a"', True),
        (";audio", ';audio="TRUE"', True),
        (";audio", ';audio="FALSE"', False),
        (";audio", ";video", True),  # what one does not name excludes nothing
        (';+x="#>=3"', ';+x="#<=3"', True),
        (';+x="#>=3"', ';+x="#<=2.9"', False),
        (';+x="#1:5"', ';+x="#=5"', True),
        (';+x="!#1:5"', ';+x="#2:3"', False),
        (';+x="!#1:5"', ';+x="#2:6"', True),
        (';+x="#=1"', ';+x="one"', False),
        (';+x="#=1"', ';+x="!one"', True),
        (';+x="#"', ';+x="one"', True),  # nobody can be asked for what cannot be read
        (";+video", ';video="FALSE"', False),
    ],
)
def test_feature_sets_match_when_something_can_have_both(one: str, other: str, match: bool) -> None:
    left, right = (feature_set(parse_parameters(text)) for text in (one, other))
    assert matches(left, right) is match
    assert matches(right, left) is match


FEATURES = st.lists(
    st.sampled_from([";audio", ';audio="FALSE"', ";video", ';type="!a"', ';+x="#1:2"', ';+x="#=2"']),
    max_size=3,
).map("".join)


@given(
    st.lists(FEATURES, max_size=5),
    st.lists(st.tuples(FEATURES, st.sampled_from(["", ";require", ";explicit"])), max_size=3),
    st.lists(FEATURES, max_size=2),
)
def test_contacts_are_never_made_up_and_implied_wishes_never_leave_nobody(
    contacts: list[str], wishes: list[tuple[str, str]], refused: list[str]
) -> None:
    wanted, unwanted = accept(*(f"*{a}{b}" for a, b in wishes)), reject(*(f"*{text}" for text in refused))
    given_ = [NameAddr.parse(f"<sip:{number}@h>{text}") for number, text in enumerate(contacts)]
    chosen = ordered(given_, wanted, unwanted)
    assert len(set(chosen)) == len(chosen)
    assert set(chosen) <= set(given_)
    assert bool(ordered(given_, method="MESSAGE")) is bool(given_)
