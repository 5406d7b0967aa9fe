"""Headers of event notification and REFER: read, written, refused at the octet."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import SipSyntaxError, UsageError
from harness.sip.event_headers import Event, ReferredBy, ReferSub, ReferTo, SubscriptionState
from harness.sip.grammar import NO_PARAMETERS, Parameters
from harness.sip.header_value import HeaderType
from harness.sip.message import parse_message
from harness.sip.session_headers import Replaces
from harness.sip.uri import Uri
from tests.harness.sip.written_headers import PRINTABLE, TOKENS, assert_refused, parameters

READ: list[tuple[str, HeaderType, str]] = [
    ("reg", Event("reg"), "reg"),
    (
        "presence.winfo;id=q;x=1",
        Event("presence.winfo", "q", Parameters([("x", "1")])),
        "presence.winfo;id=q;x=1",
    ),
    ("active;expires=3600", SubscriptionState("active", expires=3600), "active;expires=3600"),
    ("Pending", SubscriptionState("pending"), "pending"),
    (
        "terminated ; reason=PROBATION;retry-after=30;x",
        SubscriptionState("terminated", "probation", None, 30, Parameters([("x", None)])),
        "terminated;reason=probation;retry-after=30;x",
    ),
    ("false", ReferSub(wanted=False), "false"),
    ("TRUE;a=b", ReferSub(wanted=True, parameters=Parameters([("a", "b")])), "true;a=b"),
]


@pytest.mark.parametrize(("text", "value", "written"), READ)
def test_values_are_read_and_written(text: str, value: HeaderType, written: str) -> None:
    assert type(value).parse(text) == value
    assert str(value) == written


@pytest.mark.parametrize(
    ("kind", "text", "octet"),
    [
        (Event, "", 0),
        (Event, ".reg", 0),
        (Event, "reg.", 3),
        (Event, "reg;id", 4),
        (Event, 'reg;id="1"', 7),
        (SubscriptionState, "active,pending", 6),
        (SubscriptionState, "active;expires=soon", 15),
        (SubscriptionState, "terminated;reason=", 10),
        (SubscriptionState, "terminated;x=1;retry-after=4294967296", 27),
        (ReferSub, "no", 0),
    ],
)
def test_what_is_wrong_is_told_with_its_octet(kind: type[HeaderType], text: str, octet: int) -> None:
    assert_refused(kind, text, octet)


def test_events_match_by_package_and_id_with_case() -> None:
    asked = Event.parse("foo; id=1234")  # the examples of RFC 6665 8.2.1
    assert asked.matches(Event.parse("foo; param=abcd; id=1234"))
    assert not asked.matches(Event.parse("foo"))
    assert not asked.matches(Event.parse("Foo; id=1234"))


def test_refer_to() -> None:
    message = parse_message(  # RFC 3515 2.1
        b"REFER sip:b@h SIP/2.0\r\n"
        b"r: <sip:dave@denver.example.org?Replaces=12345%40192.168.118.3%3B"
        b"to-tag%3D12345%3Bfrom-tag%3D5FFE-3994>\r\n\r\n"
    )
    target = message.typed(ReferTo)
    assert target is not None
    assert target.replaces == Replaces("12345@192.168.118.3", "12345", "5FFE-3994")
    assert target.headers == (("Replaces", "12345@192.168.118.3;to-tag=12345;from-tag=5FFE-3994"),)
    assert target.method == "INVITE"
    assert ReferTo.parse("<sip:carol@cleveland.example.org;method=SUBSCRIBE>").method == "SUBSCRIBE"
    assert ReferTo.parse("http://www.ietf.org").uri.scheme == "http"
    assert ReferTo.parse("sip:alice@atlanta.example.com").replaces is None


def test_referred_by() -> None:
    value = ReferredBy.parse('sip:r@ref.example;cid="2UWQFN309shb3@ref.example"')  # RFC 3892 4
    assert value.content_id == "2UWQFN309shb3@ref.example"
    assert str(value) == 'sip:r@ref.example;cid="2UWQFN309shb3@ref.example"'
    assert str(ReferredBy.parse("<sip:a@h>").with_content_id("x.y@[::1]")) == '<sip:a@h>;cid="x.y@[::1]"'
    with pytest.raises(UsageError):
        value.with_content_id("<x@y>")


@pytest.mark.parametrize(
    "make",
    [
        lambda: Event("a..b"),
        lambda: Event("a", ""),
        lambda: SubscriptionState("active now"),
        lambda: SubscriptionState("active", expires=-1),
        lambda: SubscriptionState("terminated", "no resource"),
    ],
)
def test_what_could_not_be_read_is_not_made(make: type[HeaderType]) -> None:
    with pytest.raises(UsageError):
        make()


LOWER = TOKENS.map(str.lower)
SECONDS = st.none() | st.integers(0, 2**32 - 1)
URIS = st.sampled_from([Uri("sip", "a", "h.example", 5070), Uri("tel", "+1234", "")])


@given(
    st.one_of(
        st.builds(
            Event, st.from_regex(r"[a-z!%]+(\.[A-Z'~]+)*", fullmatch=True), st.none() | TOKENS, parameters()
        ),
        st.builds(SubscriptionState, LOWER, st.none() | LOWER, SECONDS, SECONDS, parameters()),
        st.builds(ReferSub, st.booleans(), parameters()),
        st.builds(ReferTo, st.none() | PRINTABLE, URIS, parameters()),
        st.builds(ReferredBy, st.none() | PRINTABLE, URIS, parameters()),
    )
)
def test_what_is_written_reads_the_same(value: HeaderType) -> None:
    assert type(value).parse(str(value)) == value


@given(st.sampled_from([Event, SubscriptionState, ReferTo, ReferSub, ReferredBy]), st.text())
def test_no_text_raises_anything_but_our_own_error(kind: type[HeaderType], text: str) -> None:
    try:
        kind.parse(text)
    except SipSyntaxError as error:
        assert 0 <= error.offset <= len(text.encode("utf-8", "surrogatepass"))


def test_compact_forms_are_the_same_headers() -> None:
    message = parse_message(b"NOTIFY sip:b@h SIP/2.0\r\no: reg\r\nu: reg, refer\r\nb: <sip:a@h>\r\n\r\n")
    assert message.typed(Event) == Event("reg", None, NO_PARAMETERS)
    assert message.tokens("Allow-Events") == ["reg", "refer"]
    assert str(message.typed(ReferredBy)) == "<sip:a@h>"
