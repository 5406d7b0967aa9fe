"""The messages of RFC 4475 3 and RFC 5118 4: what is read of them, and the faults with their octets.

The corpus names each as its RFC does. Three bodies of RFC 5118 got the Content-Length they have. What the
agent and the peer answer is in tests/harness/peer/test_torture.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import SipSyntaxError
from harness.sip.message import Request, Response, parse_message
from harness.sip.uri import unescape

CORPUS = Path(__file__).parent / "corpus"


def read(name: str) -> Request | Response:
    return parse_message((CORPUS / f"{name}.sip").read_bytes())


def request(name: str) -> Request:
    message = read(name)
    assert isinstance(message, Request)
    return message


@pytest.mark.parametrize(
    "name",
    [
        "wsinv", "intmeth", "esc01", "escnull", "esc02", "lwsdisp", "longreq", "semiuri",
        "transports", "mpart01", "unreason", "noreason", "unkscm", "novelsc", "unksm2", "bext01", "invut",
        "regaut01", "bcast", "zeromf", "cparam01", "cparam02", "regescrt", "sdp01", "ipv6-good",
        "port-ambiguous", "port-unambiguous", "via-received-param-with-delim",
        "via-received-param-no-delim", "ipv6-in-sdp", "mult-ip-in-header", "mult-ip-in-sdp",
        "ipv4-mapped-ipv6", "ipv6-bug-abnf-3-colons", "ipv6-correct-abnf-2-colons", "handset",
    ],
)  # fmt: skip
def test_unusual_but_valid_messages_have_no_faults(name: str) -> None:
    assert read(name).check() == ()


# message -> (what, clause, the octets that start at the fault's offset)
FAULTS: dict[str, list[tuple[str, str, bytes]]] = {
    "badinv01": [
        ("Via", "RFC 3261 25.1 via-params", b";;,;,,\r\n"),
        ("header parameter", "RFC 3261 25.1", b";;;;\r\n"),
    ],
    "clerr": [("Content-Length", "RFC 3261 18.3", b"9999\r\n")],
    "ncl": [("Content-Length", "RFC 3261 20.14", b"-999\r\n")],
    "scalar02": [
        ("CSeq", "RFC 3261 8.1.1.5", b"36893488147419103232 REGISTER"),
        ("Max-Forwards", "RFC 3261 20.22", b"300\r\n"),
        ("Expires", "RFC 3261 20.19", b"10000"),
        ("expires", "RFC 3261 25.1", b"<sip:user@host129"),
    ],
    "quotbal": [("display name", "RFC 3261 25.1 quoted-string", b'"Mr. J. User <sip')],
    "ltgtruri": [
        ("Request-URI", "RFC 3261 7.1", b"<sip:user@example.com>"),
        ("URI", "RFC 3261 25.1", b"<sip:user@example.com>"),
    ],
    "lwsruri": [
        ("Request-URI", "RFC 3261 7.1", b"sip:user@example.com; lr SIP"),
        ("URI", "RFC 3261 25.1 SIP-URI", b"; lr SIP"),
    ],
    "lwsstart": [("request line", "RFC 3261 7.1", b"INVITE  sip:")],
    "trws": [("request line", "RFC 3261 7.1", b"OPTIONS sip:")],
    "escruri": [("Request-URI", "RFC 3261 19.1.1", b"?Route=%3C")],
    "baddate": [("Date", "RFC 3261 20.17", b"Fri, 01 Jan 2010 16:00:00 EST")],
    "regbadct": [("addr-spec", "RFC 3261 20", b"?Route=%3C")],
    "badaspec": [("URI", "RFC 3261 25.1", b" sip:t.watson@example.org >")],
    "baddn": [
        ("display name", "RFC 3261 25.1 display-name", b"Bell, Alexander <"),
        ("display name", "RFC 3261 25.1 display-name", b"Watson, Thomas <"),
    ],
    "badvers": [("SIP-Version", "RFC 3261 7.1", b"OPTIONS sip:t.watson@example.org SIP/7.0")],
    "mismatch01": [("CSeq", "RFC 3261 8.1.1.5", b"8 INVITE")],
    "badbranch": [("Via", "RFC 3261 8.1.1.7", b"SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK\r\n")],
    "insuf": [
        ("From", "RFC 3261 8.1.1.3", b"v=0"),
        ("To", "RFC 3261 8.1.1.2", b"v=0"),
        ("Call-ID", "RFC 3261 8.1.1.4", b"v=0"),
        ("Max-Forwards", "RFC 3261 8.1.1.6", b"v=0"),
    ],
    "multi01": [
        ("CSeq", "RFC 3261 7.3.1", b"CSeq: 59 INVITE"),
        ("Call-ID", "RFC 3261 7.3.1", b"Call-ID: multi01.98asdh@192.0.2.2"),
        ("To", "RFC 3261 7.3.1", b"To: sip:other"),
        ("From", "RFC 3261 7.3.1", b"From: sip:caller@example.net"),
        ("Max-Forwards", "RFC 3261 7.3.1", b"Max-Forwards: 5"),
    ],
    "mcl01": [
        ("Content-Length", "RFC 3261 7.3.1", b"Content-Length: 5\r\n"),
        ("body", "RFC 3261 18.3", b"y to know how many"),
    ],
    "dblreq": [("body", "RFC 3261 18.3", b"\r\nINVITE sip:joe@example.com")],
    "mismatch02": [("CSeq", "RFC 3261 8.1.1.5", b"8 INVITE")],
    "scalarlg": [("CSeq", "RFC 3261 8.1.1.5", b"9292394834772304023312 OPTIONS")],
    "inv2543": [("Max-Forwards", "RFC 3261 8.1.1.6", b"v=0")],
    "ipv6-bad": [("URI", "RFC 3261 25.1 SIP-URI", b"2001:db8::10 SIP/2.0")],
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_name_the_production_the_clause_and_the_octet(name: str) -> None:
    message = read(name)
    faults = message.check()
    assert [(fault.what, fault.clause) for fault in faults] == [row[:2] for row in FAULTS[name]]
    for fault, (_, _, octets) in zip(faults, FAULTS[name], strict=True):
        assert message.raw[fault.offset :].startswith(octets)
        assert fault.offset < len(message.raw) or fault.offset == message.body_offset


def test_every_corpus_message_is_judged() -> None:
    names = {path.stem for path in CORPUS.glob("*.sip")}
    assert len(names) == 61
    assert set(FAULTS) < names


def test_wsinv_is_read_through_its_white_space() -> None:
    message = request("wsinv")
    assert message.cseq.number == 9
    assert message.cseq.method == "INVITE"
    assert message.max_forwards == 68
    assert message.to.tag == "1918181833n"
    assert message.from_.display == 'J Rosenberg \\"'
    assert [str(via) for via in message.vias] == [
        "SIP/2.0/UDP 192.0.2.2;branch=390skdjuw",
        "SIP/2.0/TCP spindle.example.com;branch=z9hG4bK9ikj8",
        "SIP/2.0/UDP 192.168.255.111;branch=z9hG4bK30239",
    ]
    assert message.get("Subject") == ""
    assert message.get("NewFangledHeader") == "newfangled value continued newfangled value"
    assert message.contacts[0].display == 'Quoted string ""'
    assert dict(message.contacts[0].parameters) == {
        "newparam": "newvalue",
        "secondparam": None,
        "q": "0.33",
    }
    assert len(message.body) == 150


def test_intmeth_keeps_unusual_characters() -> None:
    message = request("intmeth")
    assert message.method == "!interesting-Method0123456789_*+`.%indeed'~"
    assert message.to.display == "BEL:\x07 NUL:\x00 DEL:\x7f"
    assert message.request_uri.user == "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"
    assert message.request_uri.password == "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"
    assert message.from_.display == "token1~` token2'+_ token3*%!.-"
    assert message.from_.tag == "_token~1'+`*%!-."
    assert message.from_.parameters["fromparam''~+*_!.-%"] == "работающий"
    assert message.get("EXTENSIONHEADER-!.%*+_`'~") == "\ufeff大停電"


def test_escapes_are_kept_and_read_once() -> None:
    message = request("esc01")
    assert message.request_uri.user == "sips%3Auser%40example.com"
    assert unescape(message.to.uri.user or "") == "user"
    (contact,) = message.contacts
    assert contact.uri.host == "host5.example.net"
    assert unescape(contact.uri.parameters["n%61me"] or "") == "value%41"


def test_escaped_nulls_do_not_shorten_the_user_part() -> None:
    message = request("escnull")
    assert unescape(message.to.uri.user or "") == "null-\x00-null"
    one, other = message.contacts
    assert not one.uri.equivalent(other.uri)


def test_percent_is_no_escape_outside_uris() -> None:
    message = request("esc02")
    assert message.method == "RE%47IST%45R"
    assert message.to.display == "%Z%45"
    assert [contact.uri.user for contact in message.contacts] == ["alias1", "alias3"]
    assert message.get("C%6Fntact") == "<sip:alias2@host2.example.com>"


def test_display_name_may_touch_its_bracket() -> None:
    assert request("lwsdisp").from_.display == "caller"


def test_longreq_counts_every_via_spelling() -> None:
    message = request("longreq")
    assert len(message.vias) == 34
    assert message.vias[-1].received == "192.0.2.5"
    assert message.to.uri.port == 6000
    assert len(message.call_id) == len("longreq.one" + "really" * 20 + "longcallid")


def test_octets_after_the_body_of_a_datagram_are_no_body() -> None:
    message = request("dblreq")
    assert message.body == b""
    assert message.raw[message.body_offset :].startswith(b"\r\nINVITE sip:joe@example.com SIP/2.0\r\n")


def test_semicolon_and_escaped_at_sign_in_a_user_part() -> None:
    uri = request("semiuri").request_uri
    assert (unescape(uri.user or ""), uri.host, len(uri.parameters)) == (
        "user;par=u@example.net",
        "example.com",
        0,
    )
    assert request("semiuri").values("Accept")[-1] == "message/sipfrag"


def test_unknown_transports_are_read() -> None:
    assert [via.transport for via in request("transports").vias] == ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]


def test_binary_body_is_kept() -> None:
    message = request("mpart01")
    assert b"\r\n\r\n\x30\x82\x01\x52\x06\x09\x2a\x86" in message.body
    assert b"\x02\x08\x01\x95\x00\x71\x02" in message.body
    assert len(message.body) == 553
    assert message.content_type is not None
    assert message.content_type.essence == "multipart/mixed"


def test_reason_phrases_may_be_unusual_or_empty() -> None:
    unusual, empty = read("unreason"), read("noreason")
    assert isinstance(unusual, Response)
    assert isinstance(empty, Response)
    assert (unusual.status, unusual.reason) == (200, "= 2**3 * 5**2 но сто девяносто девять - простое")
    assert (empty.status, empty.reason) == (100, "")


def test_missing_octets_leave_the_body_that_is_there() -> None:
    assert request("clerr").body.endswith(b"a=rtpmap:31 LPC\r\n")
    assert request("ncl").body.endswith(b"a=rtpmap:31 LPC\r\n")


def test_tolerated_start_lines_are_still_taken_apart() -> None:
    assert request("ltgtruri").uri == "<sip:user@example.com>"
    assert request("lwsruri").uri == "sip:user@example.com; lr"
    assert request("lwsstart").uri == "sip:user@example.com"
    assert request("trws").request_uri.host == "example.com"
    assert request("badvers").method == "OPTIONS"


def test_other_schemes_are_opaque() -> None:
    uri = request("unkscm").request_uri
    assert (uri.scheme, uri.opaque, uri.host) == ("nobodyknowsthisscheme", "totallyopaquecontent", "")
    message = request("unksm2")
    assert [str(value.uri) for value in (message.to, message.from_, *message.contacts)] == [
        "isbn:2983792873",
        "http://www.example.com",
        "name:John_Smith",
    ]


def test_unknown_authorization_scheme() -> None:
    (credentials,) = request("regaut01").credentials
    assert credentials.scheme == "NoOneKnowsThisScheme"
    assert credentials.parameters["opaque-data"] == "here"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n\r\n",
        b"SIP/2.0 4294967301 better not break the receiver\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"SIP/2.0 20 OK\r\n\r\n",
        b"INVITE SIP/2.0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_what_has_no_start_line_is_no_message(data: bytes) -> None:
    with pytest.raises(SipSyntaxError) as caught:
        parse_message(data)
    assert caught.value.what == "start line"


def test_the_handset_message_is_read_in_its_compact_form() -> None:
    message = request("handset")
    assert (message.via.host, message.via.port, message.via.wants_rport) == ("2001:db8::7", 5060, True)
    assert message.via.rport is None
    assert message.via.sent_by == "[2001:db8::7]:5060"
    assert message.request_uri.number == "+491701234567"
    assert message.to.uri.number == "+491701234567"
    assert message.to.uri.equivalent(message.request_uri)
    assert [route.uri.host for route in message.routes] == ["2001:db8::1", "scscf.example.org"]
    (accepted,) = message.accept_contacts
    assert accepted.features == {
        "+g.3gpp.icsi-ref": ("urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg",),
    }
    assert message.get("Session-Expires") == "1800;refresher=uac"
    assert message.get("Request-Disposition") == "no-fork"
    assert message.get("Supported") == "timer, 100rel"
    field = message.field("Conversation-ID")
    assert field is not None
    assert (field.name, field.canonical) == ("conversation-id", "Conversation-ID")
    assert message.raw[field.offset :].startswith(b"conversation-id: f81d4fae")
    assert message.body.decode().endswith("Grüße ☎")


def test_contact_parameters_belong_to_the_value_unless_in_brackets() -> None:
    """RFC 4475 3.3.12 to 3.3.14."""
    (outside,), (inside,), (escaped,) = (request(n).contacts for n in ("cparam01", "cparam02", "regescrt"))
    assert (dict(outside.parameters), dict(outside.uri.parameters)) == ({"unknownparam": None}, {})
    assert (dict(inside.parameters), dict(inside.uri.parameters)) == ({}, {"unknownparam": None})
    assert escaped.uri.headers == "Route=%3Csip:sip.example.com%3E"


def test_an_invite_of_rfc_2543_has_all_octets_of_the_datagram_as_its_body() -> None:
    message = request("inv2543")
    assert (message.via.branch, message.from_.tag, message.content_length) == (None, None, None)
    assert message.body.startswith(b"v=0\r\n")
    assert message.body.endswith(b"m=audio 49217 RTP/AVP 0\r\n")


@pytest.mark.parametrize(
    ("name", "host", "port"),
    [
        ("ipv6-good", "2001:db8::10", None),
        ("port-ambiguous", "2001:db8::10:5070", None),
        ("port-unambiguous", "2001:db8::10", 5070),
        ("ipv6-correct-abnf-2-colons", "2001:db8::192.0.2.1", None),
        ("ipv6-bug-abnf-3-colons", "2001:db8::192.0.2.1", None),
    ],
)
def test_brackets_tell_address_and_port_apart(name: str, host: str, port: int | None) -> None:
    uri = request(name).request_uri
    assert (uri.host, uri.port) == (host, port)


@pytest.mark.parametrize("name", ["via-received-param-with-delim", "via-received-param-no-delim"])
def test_received_is_read_with_and_without_brackets(name: str) -> None:
    via = request(name).via
    assert (via.host, via.received, via.port) == ("2001:db8::9:1", "2001:db8::9:255", None)


def test_addresses_of_both_families_stand_side_by_side() -> None:
    assert [(via.host, via.port, via.received) for via in request("mult-ip-in-header").vias] == [
        ("2001:db8::9:1", 6050, None),
        ("192.0.2.1", None, None),
        ("2001:db8::9:255", None, "192.0.2.200"),
    ]
    mapped = request("ipv4-mapped-ipv6")
    assert [(via.host, via.port) for via in mapped.vias] == [
        ("::ffff:192.0.2.10", 19823),
        ("::ffff:192.0.2.2", None),
    ]
    assert mapped.contacts[0].uri.host == "::ffff:192.0.2.2"
