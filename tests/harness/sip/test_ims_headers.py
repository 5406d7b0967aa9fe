"""Privacy, services and the headers of RFC 7315: read, written, refused at the octet."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import SipSyntaxError, UsageError
from harness.sip.grammar import Parameters, quote
from harness.sip.header_value import HeaderType
from harness.sip.ims_headers import (
    AccessNetworkInfo,
    AssertedService,
    AssociatedUri,
    CalledPartyId,
    ChargingFunctionAddresses,
    ChargingVector,
    PreferredService,
    Privacy,
    VisitedNetworkId,
)
from harness.sip.message import parse_message
from harness.sip.uri import Uri
from tests.harness.sip.written_headers import PRINTABLE, TOKENS, assert_refused, parameters

CELL = '3GPP-E-UTRAN-FDD;utran-cell-id-3gpp="26201ABCD1234567"'
READ: list[tuple[str, HeaderType, str]] = [
    ("Header ; user;critical", Privacy(("header", "user", "critical")), "header;user;critical"),
    (  # RFC 6050 6
        "urn:urn-7:3gpp-service.exampletelephony.version1",
        AssertedService("3gpp-service.exampletelephony.version1"),
        "urn:urn-7:3gpp-service.exampletelephony.version1",
    ),
    ("URN:URN-7:a.b", PreferredService("a.b"), "urn:urn-7:a.b"),
    (
        '"Visited network number 1"',
        VisitedNetworkId("Visited network number 1"),
        '"Visited network number 1"',
    ),
    ("other.net;a", VisitedNetworkId("other.net", Parameters([("a", None)])), "other.net;a"),
    (
        CELL,
        AccessNetworkInfo("3GPP-E-UTRAN-FDD", Parameters([("utran-cell-id-3gpp", '"26201ABCD1234567"')])),
        CELL,
    ),
    (
        'IEEE-802.11; "x;y" ;network-provided',
        AccessNetworkInfo("IEEE-802.11", Parameters([('"x;y"', None), ("network-provided", None)])),
        'IEEE-802.11;"x;y";network-provided',
    ),
    (  # RFC 7315 4.6
        "icid-value=1234bc9876e; icid-generated-at=192.0.6.8; orig-ioi=home1.net",
        ChargingVector(
            "1234bc9876e", Parameters([("icid-generated-at", "192.0.6.8"), ("orig-ioi", "home1.net")])
        ),
        "icid-value=1234bc9876e;icid-generated-at=192.0.6.8;orig-ioi=home1.net",
    ),
    (
        "ccf=192.0.8.1; ecf=[5555::b99:c88:d77:e66];ccf-2=192.0.8.3",
        ChargingFunctionAddresses(
            Parameters([("ccf", "192.0.8.1"), ("ecf", "[5555::b99:c88:d77:e66]"), ("ccf-2", "192.0.8.3")])
        ),
        "ccf=192.0.8.1;ecf=[5555::b99:c88:d77:e66];ccf-2=192.0.8.3",
    ),
]


@pytest.mark.parametrize(("text", "value", "written"), READ)
def test_values_are_read_and_written(text: str, value: HeaderType, written: str) -> None:
    assert type(value).parse(text) == value
    assert str(value) == written


@pytest.mark.parametrize(
    ("kind", "text", "octet"),
    [
        (Privacy, "", 0),
        (Privacy, "é;user", 0),
        (Privacy, "user;;id", 5),
        (Privacy, "user,id", 0),
        (PreferredService, "urn%3Aurn-7%3Aa", 0),
        (PreferredService, "urn:urn-7:a..b", 0),
        (AssertedService, "urn:urn-7:" + "a" * 28, 0),
        (VisitedNetworkId, "a b", 2),
        (VisitedNetworkId, '"a', 0),
        (AccessNetworkInfo, "", 0),
        (AccessNetworkInfo, '"3GPP-E-UTRAN"', 0),
        (AccessNetworkInfo, "3GPP-E-UTRAN;a=", 13),
        (AccessNetworkInfo, "3GPP-E-UTRAN;;a", 13),
        (ChargingVector, "orig-ioi=a", 0),
        (ChargingVector, "icid-value", 0),
        (ChargingVector, "icid-value=<a>", 0),
        (ChargingVector, 'icid-value=a;transit-ioi="b.1,c"', 25),
        (ChargingFunctionAddresses, "", 0),
        (ChargingFunctionAddresses, "ccf=a;=b", 5),
    ],
)
def test_what_is_wrong_is_told_with_its_octet(kind: type[HeaderType], text: str, octet: int) -> None:
    assert_refused(kind, text, octet)


def test_a_message_carries_them() -> None:
    message = parse_message(  # RFC 7315 4.2, 4.3 and TS 24.229
        b"INVITE sip:u@h SIP/2.0\r\n"
        b"P-Called-Party-ID: <sip:user1-business@example.com>\r\n"
        b'P-Visited-Network-ID: other.net,"Visited network number 1"\r\n'
        b"P-Associated-URI: <sip:a@h>, <tel:+4915112345678>;x\r\n"
        b"P-Access-Network-Info: " + CELL.encode() + b", 3GPP-UTRAN;network-provided\r\n"
        b"P-Charging-Function-Addresses: ccf=a;ccf-2=b, ecf=c\r\n\r\n"
    )
    called = message.typed(CalledPartyId)
    assert called is not None
    assert str(called.uri) == "sip:user1-business@example.com"
    assert [value.network for value in message.typed_list(VisitedNetworkId)] == [
        "other.net",
        "Visited network number 1",
    ]
    assert [str(value.uri) for value in message.typed_list(AssociatedUri)] == [
        "sip:a@h",
        "tel:+4915112345678",
    ]
    cell, provided = message.typed_list(AccessNetworkInfo)
    assert (cell.cell, cell.network_provided) == ("26201ABCD1234567", False)
    assert (provided.cell, provided.network_provided) == (None, True)
    first, second = message.typed_list(ChargingFunctionAddresses)
    assert (first.addresses("ccf"), first.addresses("ecf"), second.addresses("ecf")) == (
        ("a", "b"),
        (),
        ("c",),
    )


def test_nobody_but_oneself_may_be_associated() -> None:
    message = parse_message(b"SIP/2.0 200 OK\r\nP-Associated-URI:\r\n\r\n")
    assert message.typed_list(AssociatedUri) == []


def test_charging_vector_names_the_networks() -> None:
    vector = ChargingVector.parse('icid-value="a b";term-ioi=t;transit-ioi="x.1, void"')
    assert (vector.icid, vector.terminating_network, vector.originating_network) == ("a b", "t", None)
    assert vector.transit_networks == ("x.1", "void")
    assert vector.generated_at is None


def test_services_compare_without_case() -> None:
    assert PreferredService("A.b").same(AssertedService("a.B"))
    assert "user" in Privacy(("user",))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Privacy(()),
        lambda: Privacy(("a;b",)),
        lambda: PreferredService("a_b"),
        lambda: AccessNetworkInfo("a b"),
        lambda: ChargingFunctionAddresses(Parameters()),
    ],
)
def test_what_could_not_be_read_is_not_made(make: type[HeaderType]) -> None:
    with pytest.raises(UsageError):
        make()


SERVICE_IDS = st.from_regex(r"[A-Za-z0-9-]{1,27}(\.[A-Za-z0-9-]+)*", fullmatch=True)
URIS = st.sampled_from([Uri("sip", "a", "h.example", 5070), Uri("tel", "+1234", "")])
INFOS = st.lists(
    st.tuples(TOKENS, st.none() | TOKENS | PRINTABLE.map(quote)) | st.tuples(PRINTABLE.map(quote), st.none())
).map(Parameters)


@given(
    st.one_of(
        st.builds(Privacy, st.lists(TOKENS.map(str.lower), min_size=1).map(tuple)),
        st.builds(PreferredService, SERVICE_IDS),
        st.builds(AssertedService, SERVICE_IDS),
        st.builds(AssociatedUri, st.none() | PRINTABLE, URIS, parameters()),
        st.builds(CalledPartyId, st.none() | PRINTABLE, URIS, parameters()),
        st.builds(VisitedNetworkId, PRINTABLE, parameters()),
        st.builds(AccessNetworkInfo, TOKENS, INFOS),
        st.builds(ChargingVector, PRINTABLE, parameters()),
        st.builds(ChargingFunctionAddresses, parameters().filter(bool)),
    )
)
def test_what_is_written_reads_the_same(value: HeaderType) -> None:
    assert type(value).parse(str(value)) == value


KINDS: list[type[HeaderType]] = [
    Privacy, PreferredService, AssertedService, AssociatedUri, CalledPartyId, VisitedNetworkId,
    AccessNetworkInfo, ChargingVector, ChargingFunctionAddresses,
]  # fmt: skip


@given(st.sampled_from(KINDS), st.text() | st.text('a1;,="\\ .<>:[]'))
def test_no_text_raises_anything_but_our_own_error(kind: type[HeaderType], text: str) -> None:
    try:
        kind.parse(text)
    except SipSyntaxError as error:
        assert 0 <= error.offset <= len(text.encode("utf-8", "surrogatepass"))
