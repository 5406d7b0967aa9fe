"""The traps of RFC 4475 3 and RFC 5118 4: what is read of such messages, and the faults with their octets.

The messages of the corpus are our own; each is called as the one that its RFC describes. What the agent and
the peer answer is in tests/harness/peer/test_torture.py, with the sections.
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
        ("Via", "RFC 3261 25.1 via-params", b";;;,;,\r\n"),
        ("header parameter", "RFC 3261 25.1", b";;;\r\n"),
    ],
    "clerr": [("Content-Length", "RFC 3261 18.3", b"8888\r\n")],
    "ncl": [("Content-Length", "RFC 3261 20.14", b"-17\r\n")],
    "scalar02": [
        ("CSeq", "RFC 3261 8.1.1.5", b"18446744073709551621 REGISTER"),
        ("Max-Forwards", "RFC 3261 20.22", b"256\r\n"),
        ("Expires", "RFC 3261 20.19", b"40000"),
        ("expires", "RFC 3261 25.1", b"<sip:hilda@client12"),
    ],
    "quotbal": [("display name", "RFC 3261 25.1 quoted-string", b'"Jana, Dr. <sip')],
    "ltgtruri": [
        ("Request-URI", "RFC 3261 7.1", b"<sip:lena@home.example>"),
        ("URI", "RFC 3261 25.1", b"<sip:lena@home.example>"),
    ],
    "lwsruri": [
        ("Request-URI", "RFC 3261 7.1", b"sip:lena@home.example; lr SIP"),
        ("URI", "RFC 3261 25.1 SIP-URI", b"; lr SIP"),
    ],
    "lwsstart": [("request line", "RFC 3261 7.1", b"INVITE   sip:")],
    "trws": [("request line", "RFC 3261 7.1", b"OPTIONS sip:")],
    "escruri": [("Request-URI", "RFC 3261 19.1.1", b"?Subject=")],
    "baddate": [("Date", "RFC 3261 20.17", b"Sun, 16 Mar 2014 08:15:00 CET")],
    "regbadct": [("addr-spec", "RFC 3261 20", b"?Route=%3C")],
    "badaspec": [("URI", "RFC 3261 25.1", b"  sip:theo@home.example >")],
    "baddn": [
        ("display name", "RFC 3261 25.1 display-name", b"Ursel, Prof. <"),
        ("display name", "RFC 3261 25.1 display-name", b"Theo, Sen. <"),
    ],
    "badvers": [("SIP-Version", "RFC 3261 7.1", b"OPTIONS sip:theo@home.example SIP/3.1")],
    "mismatch01": [("CSeq", "RFC 3261 8.1.1.5", b"44 INVITE")],
    "badbranch": [("Via", "RFC 3261 8.1.1.7", b"SIP/2.0/UDP 198.51.100.27;branch=z9hG4bK\r\n")],
    "insuf": [
        ("From", "RFC 3261 8.1.1.3", b"v=0"),
        ("To", "RFC 3261 8.1.1.2", b"v=0"),
        ("Call-ID", "RFC 3261 8.1.1.4", b"v=0"),
        ("Max-Forwards", "RFC 3261 8.1.1.6", b"v=0"),
    ],
    "multi01": [
        ("CSeq", "RFC 3261 7.3.1", b"CSeq: 61 INVITE"),
        ("Call-ID", "RFC 3261 7.3.1", b"Call-ID: told-twice@198.51.100.33"),
        ("To", "RFC 3261 7.3.1", b"To: sip:hanna@shop"),
        ("From", "RFC 3261 7.3.1", b"From: sip:ingo@away.example"),
        ("Max-Forwards", "RFC 3261 7.3.1", b"Max-Forwards: 7"),
    ],
    "mcl01": [
        ("Content-Length", "RFC 3261 7.3.1", b"Content-Length: 7\r\n"),
        ("body", "RFC 3261 18.3", b"or all of this line?"),
    ],
    "dblreq": [("body", "RFC 3261 18.3", b"\r\nINVITE sip:tina@home.example")],
    "mismatch02": [("CSeq", "RFC 3261 8.1.1.5", b"45 INVITE")],
    "scalarlg": [("CSeq", "RFC 3261 8.1.1.5", b"%d OPTIONS" % (2**70 + 3))],
    "inv2543": [("Max-Forwards", "RFC 3261 8.1.1.6", b"v=0")],
    "ipv6-bad": [("URI", "RFC 3261 25.1 SIP-URI", b"2001:db8:5::60 SIP/2.0")],
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
    assert (message.cseq.number, message.cseq.method, message.max_forwards) == (317, "INVITE", 42)
    assert dict(message.request_uri.parameters) == {"odd-parameter": None}
    assert (message.to.tag, message.from_.tag) == ("to-77x", "f-41")
    assert message.from_.display == 'Ole "the" \\ Berg'
    assert [str(via) for via in message.vias] == [
        "SIP/2.0/UDP 198.51.100.9;branch=no-cookie-at-all",
        "SIP/2.0/TCP hop2.home.example;branch=z9hG4bKhop-2",
        "SIP/2.0/UDP 10.77.0.1;branch=z9hG4bKhop-1",
    ]
    assert message.get("Subject") == ""
    assert message.get("Unheard-Of") == ",;;=;,,;"
    assert message.get("Made-Up-Header") == "first line of it and the second and a third"
    assert message.contacts[0].display == 'Say "ah"'
    assert dict(message.contacts[0].parameters) == {"mood": "good", "flag": None, "q": "0.75"}
    assert len(message.body) == message.content_length == 163


def test_intmeth_keeps_unusual_characters() -> None:
    message = request("intmeth")
    assert message.method == "-.!%*_+`'~Peculiar.Method0987"
    assert message.to.display == "ESC:\x1b NUL:\x00 TAB:\x09 DEL:\x7f"
    assert message.request_uri.user == "a-_.!~*'()&=+$,;?/z;;"
    assert message.request_uri.password == "p&=+$,w-_.!~*'(word)"
    assert message.from_.display == ".tokens% of!all *kinds_+ `'~"
    assert message.from_.tag == "`'~-.!%*_+tag"
    assert message.from_.parameters["!%*_+`'~-.PARAM"] == "čeština κείμενο"
    assert message.get("!%*_+`'~-.SOME-HEADER") == "\u200b手紙が届いた"


def test_escapes_are_kept_and_read_once() -> None:
    message = request("esc01")
    assert message.request_uri.user == "sip%3Amia%40away.example"
    assert unescape(message.to.uri.user or "") == "mia"
    (contact,) = message.contacts
    assert contact.uri.host == "client3.away.example"
    assert unescape(contact.uri.parameters["c%6flour"] or "") == "blue%25"


def test_escaped_nulls_do_not_shorten_the_user_part() -> None:
    message = request("escnull")
    assert unescape(message.to.uri.user or "") == "nil\x00nil"
    one, other = message.contacts
    assert not one.uri.equivalent(other.uri)


def test_percent_is_no_escape_outside_uris() -> None:
    message = request("esc02")
    assert message.method == "ME%53SAG%45"
    assert message.to.display == "%5A%GG"
    assert [contact.uri.user for contact in message.contacts] == ["first", "third"]
    assert message.get("Cont%61ct") == "<sip:second@client6.home.example>"


def test_display_name_may_touch_its_bracket() -> None:
    assert request("lwsdisp").from_.display == "quentin"


def test_longreq_counts_every_via_spelling() -> None:
    message = request("longreq")
    assert [via.host for via in message.vias[:-1]] == [f"relay{40 - n}.home.example" for n in range(36)]
    assert message.vias[-1].received == "203.0.113.9"
    assert message.vias[-1].branch == "branch" * 60
    assert message.to.uri.port == 6400
    assert message.to.display == f"Rosa {'Very ' * 30}Long"
    assert message.from_.uri.user == "sender" * 40
    assert len(message.call_id) == len("dialogue") * 24 + len(".of.considerable.length")


def test_octets_after_the_body_of_a_datagram_are_no_body() -> None:
    message = request("dblreq")
    assert message.body == b""
    assert message.raw[message.body_offset :].startswith(b"\r\nINVITE sip:tina@home.example SIP/2.0\r\n")


def test_semicolon_and_escaped_at_sign_in_a_user_part() -> None:
    uri = request("semiuri").request_uri
    user = unescape(uri.user or "")
    assert (user, uri.host, len(uri.parameters)) == ("vera;ext=12@away.example", "home.example", 0)
    assert request("semiuri").values("Accept")[-1] == "message/sipfrag"


def test_unknown_transports_are_read() -> None:
    assert [via.transport for via in request("transports").vias] == ["UDP", "TLS", "PIGEON", "SCTP", "TCP"]


def test_binary_body_is_kept() -> None:
    message = request("mpart01")
    every = bytes(range(256))
    assert every + b"\r\n\r\nSIP/2.0 200 OK\r\n\r\n" + every[::-1] in message.body
    assert len(message.body) == message.content_length
    assert message.content_type is not None
    assert message.content_type.essence == "multipart/mixed"


def test_reason_phrases_may_be_unusual_or_empty() -> None:
    unusual, empty = read("unreason"), read("noreason")
    assert isinstance(unusual, Response)
    assert isinstance(empty, Response)
    assert unusual.status == 200
    assert unusual.reason == '~ 100 % / 2 (πάντα ῥεῖ), то есть хорошо = "ja"'
    assert (empty.status, empty.reason) == (100, "")


def test_missing_octets_leave_the_body_that_is_there() -> None:
    assert request("clerr").body.endswith(b"m=text 30012 RTP/AVP 98\r\n")
    assert request("ncl").body.endswith(b"m=text 30012 RTP/AVP 98\r\n")


def test_tolerated_start_lines_are_still_taken_apart() -> None:
    assert request("ltgtruri").uri == "<sip:lena@home.example>"
    assert request("lwsruri").uri == "sip:lena@home.example; lr"
    assert request("lwsstart").uri == "sip:lena@home.example"
    assert request("trws").request_uri.host == "home.example"
    assert request("badvers").method == "OPTIONS"


def test_other_schemes_are_opaque() -> None:
    uri = request("unkscm").request_uri
    assert (uri.scheme, uri.opaque, uri.host) == ("homemadescheme", "opaque-words", "")
    message = request("unksm2")
    assert [str(value.uri) for value in (message.to, message.from_, *message.contacts)] == [
        "issn:10001234",
        "https://away.example/carla",
        "nick:Carla_C",
    ]


def test_unknown_authorization_scheme() -> None:
    (credentials,) = request("regaut01").credentials
    assert credentials.scheme == "SecretHandshake"
    assert credentials.parameters["left-hand"] == "up"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n\r\n",
        b"SIP/2.0 4294967496 OK and then some\r\n\r\n",
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
    assert (dict(outside.parameters), dict(outside.uri.parameters)) == ({"strange": None}, {})
    assert (dict(inside.parameters), dict(inside.uri.parameters)) == ({}, {"strange": None})
    assert escaped.uri.headers == "Route=%3Csip:relay.home.example%3Blr%3E"


def test_an_invite_of_rfc_2543_has_all_octets_of_the_datagram_as_its_body() -> None:
    message = request("inv2543")
    assert (message.via.branch, message.from_.tag, message.content_length) == (None, None, None)
    assert message.body.startswith(b"v=0\r\n")
    assert message.body.endswith(b"m=audio 30010 RTP/AVP 8\r\n")


@pytest.mark.parametrize(
    ("name", "host", "port"),
    [
        ("ipv6-good", "2001:db8:5::60", None),
        ("port-ambiguous", "2001:db8:5::60:5081", None),
        ("port-unambiguous", "2001:db8:5::60", 5081),
        ("ipv6-correct-abnf-2-colons", "2001:db8:5::198.51.100.42", None),
        ("ipv6-bug-abnf-3-colons", "2001:db8:5::198.51.100.42", None),
    ],
)
def test_brackets_tell_address_and_port_apart(name: str, host: str, port: int | None) -> None:
    uri = request(name).request_uri
    assert (uri.host, uri.port) == (host, port)


@pytest.mark.parametrize("name", ["via-received-param-with-delim", "via-received-param-no-delim"])
def test_received_is_read_with_and_without_brackets(name: str) -> None:
    via = request(name).via
    assert (via.host, via.received, via.port) == ("2001:db8:7::1", "2001:db8:7::f", None)


def test_addresses_of_both_families_stand_side_by_side() -> None:
    assert [(via.host, via.port, via.received) for via in request("mult-ip-in-header").vias] == [
        ("2001:db8:7::1", 5064, None),
        ("198.51.100.38", None, None),
        ("2001:db8:7::f", None, "203.0.113.38"),
    ]
    mapped = request("ipv4-mapped-ipv6")
    assert [(via.host, via.port) for via in mapped.vias] == [
        ("::ffff:198.51.100.40", 20660),
        ("::ffff:198.51.100.41", None),
    ]
    assert mapped.contacts[0].uri.host == "::ffff:198.51.100.41"
