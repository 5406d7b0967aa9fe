"""Offer and answer for MSRP: who connects where, relays, middleboxes, TLS, files, and what is refused."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from harness.agent.msrp.answer import answer_offer
from harness.agent.msrp.negotiation import (
    ENDED,
    FallBack,
    Negotiated,
    NoStream,
    Refusal,
    WarningCode,
    new_origin,
    read_description,
)
from harness.agent.msrp.offer import make_offer, take_answer
from harness.agent.msrp.plan import MsrpPlan, Role
from harness.agent.msrp.services import SERVICE_MEDIA, Flow, service_terms
from harness.agent.msrp.terms import MsrpTerms
from harness.bodies.file_attributes import FileDescription, FileHash, FileRange, FileSelector
from harness.bodies.multipart import build_multipart
from harness.bodies.offer_answer import check_answer, check_revision
from harness.bodies.sdp import parse_sdp, write_sdp
from harness.bodies.sdp_attributes import Direction, Setup, certificate_fingerprint
from harness.bodies.session_description import Origin, SessionDescription
from harness.errors import UsageError

CORPUS = Path(__file__).parents[2] / "corpora" / "sdp"
ORIGIN = Origin("-", 100, 1, "IN", "IP4", "192.0.2.1")
FAR_ORIGIN = Origin("far", 200, 7, "IN", "IP4", "198.51.100.7")
OURS = MsrpTerms("msrp://192.0.2.1:2855/ourSession0001;tcp", accepts=("message/cpim", "text/plain"))
THEIRS = MsrpTerms("msrp://198.51.100.7:4000/farSession0001;tcp", accepts=("message/cpim", "text/plain"))


def read(name: str) -> SessionDescription:
    return parse_sdp((CORPUS / f"{name}.sdp").read_bytes())


def offer_of(*lines: str, host: str = "198.51.100.7", connection: str | None = None) -> SessionDescription:
    """A chat offer as octets of a hand-written description; lines come after the m-line."""
    family = "IP6" if ":" in host else "IP4"
    head = ("v=0", f"o=far 200 7 IN {family} {host}", "s=-", f"c=IN {family} {connection or host}", "t=0 0")
    return parse_sdp("".join(line + "\r\n" for line in (*head, *lines)).encode())


CHAT = ("m=message 4000 TCP/MSRP *", "a=accept-types:message/cpim")
PATH = "a=path:msrp://198.51.100.7:4000/farSession0001;tcp"


def answered(offer: SessionDescription, *terms: MsrpTerms) -> Negotiated:
    own = FAR_ORIGIN if offer.origin == ORIGIN else ORIGIN
    outcome = answer_offer(offer, terms or (OURS,), own)
    assert isinstance(outcome, Negotiated), outcome
    assert check_answer(offer, outcome.description) == ()
    return outcome


def plan_of(outcome: object) -> MsrpPlan:
    assert isinstance(outcome, Negotiated), outcome
    assert outcome.plan is not None, outcome.streams
    return outcome.plan


def line_of(description: SessionDescription, place: int = 0) -> list[str]:
    """The octets of an m-line that a description is written with, as lines."""
    text = write_sdp(description).decode().split("\r\n")
    starts = [index for index, line in enumerate(text) if line.startswith("m=")]
    return text[starts[place] : (starts[place + 1 :] or [-1])[0]]


# What the documents and the trace show


def test_a_plain_chat_in_the_form_of_rfc_4975_11_1() -> None:
    offer, answer = read("plain_offer"), read("plain_answer")
    mara = MsrpTerms("msrp://desk.mara.example.net:5150/Yc4tR9wPz1;tcp", accepts=("text/plain",))
    odd = MsrpTerms("msrp://odd.example.net:6240/Gm0fJ6sXq8Vd;tcp", accepts=("text/plain",))
    assert plan_of(take_answer(offer, answer, [mara])) == MsrpPlan(
        Role.ACTIVE,
        ("msrp://desk.mara.example.net:5150/Yc4tR9wPz1;tcp",),
        ("msrp://odd.example.net:6240/Gm0fJ6sXq8Vd;tcp",),
        ("odd.example.net", 6240),
        accepts=("text/plain",),
        remote_accepts=("text/plain",),
    )
    origin = Origin("odd", 73360, 4, "IN", "IP4", "odd.example.net")
    outcome = answer_offer(offer, [odd], origin)
    plan = plan_of(outcome)
    assert (plan.role, plan.connect_to) == (Role.PASSIVE, None)
    assert plan.remote_path == ("msrp://desk.mara.example.net:5150/Yc4tR9wPz1;tcp",)
    assert isinstance(outcome, Negotiated)
    assert write_sdp(outcome.description) == (
        b"v=0\r\no=odd 73360 4 IN IP4 odd.example.net\r\ns=-\r\n"
        b"c=IN IP4 odd.example.net\r\nt=0 0\r\nm=message 6240 TCP/MSRP *\r\n"
        b"a=path:msrp://odd.example.net:6240/Gm0fJ6sXq8Vd;tcp\r\na=setup:passive\r\n"
        b"a=accept-types:text/plain\r\na=sendrecv\r\n"
    )


def test_the_chat_of_the_trace_seen_from_both_sides() -> None:
    offer, answer = read("trace_chat_offer"), read("trace_chat_answer")
    types = ("message/cpim", "application/im-iscomposing+xml")
    wrapped = ("text/plain", "message/imdn+xml")
    handset = MsrpTerms(
        "msrp://172.16.80.82:8881/vrhyu7FpMQRki1rQtp;tcp", accepts=types, accepts_wrapped=wrapped
    )
    assert plan_of(take_answer(offer, answer, [handset])) == MsrpPlan(
        Role.ACTIVE,
        ("msrp://172.16.80.82:8881/vrhyu7FpMQRki1rQtp;tcp",),
        ("msrp://172.16.139.157:49488/n04s00i7t0+42;tcp",),
        ("172.16.139.157", 49488),
        accepts=types,
        accepts_wrapped=wrapped,
        remote_accepts=types,
        remote_accepts_wrapped=wrapped,
        remote_max_size=20971520,
    )
    plan = plan_of(answered(offer, service_terms(Flow.SESSION, OURS, answers=True)))
    assert (plan.role, plan.connect_to, plan.direction) == (Role.PASSIVE, None, Direction.SENDRECV)
    assert plan.remote_accepts_wrapped == wrapped


def test_the_file_of_the_trace_offered_passive_makes_the_handset_connect() -> None:
    offer, answer = read("trace_push_offer"), read("trace_push_answer")
    handset = MsrpTerms(
        "msrp://[2001::1:88fe:fccf:2870:5dee]:8884/cOFNEcnwa8ymev7B0g3M7qUayrk4RR;tcp",
        accepts=("image/jpeg", "message/cpim"),
        cema=True,
    )
    outcome = answered(offer, handset)
    plan = plan_of(outcome)
    assert (plan.role, plan.cema, plan.direction) == (Role.ACTIVE, True, Direction.RECVONLY)
    assert plan.connect_to == ("2001:0:0:1::2", 16012)
    assert plan.remote_path[-1] == "msrp://[2001:0000:0000:0001:0000:0000:0000:0002]:16012/e4a55405c2;tcp"
    assert line_of(outcome.description) == [
        "m=message 8884 TCP/MSRP *",
        "a=path:msrp://[2001::1:88fe:fccf:2870:5dee]:8884/cOFNEcnwa8ymev7B0g3M7qUayrk4RR;tcp",
        "a=setup:active",
        "a=accept-types:image/jpeg message/cpim",
        "a=recvonly",
        "a=msrp-cema",
        'a=file-selector:name:"1MB.jpg" type:image/jpeg size:1049274 '
        "hash:sha-1:ce:55:63:5a:01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:0f:10",
        "a=file-transfer-id:0dc99042ca5344798bbb19883d4f6bbf",
    ]
    assert "c=IN IP6 2001::1:88fe:fccf:2870:5dee\r\n" in write_sdp(outcome.description).decode()
    server = MsrpTerms(
        "msrp://[2001:0000:0000:0001:0000:0000:0000:0002]:16012/e4a55405c2;tcp",
        setup=Setup.PASSIVE,
        cema=True,
        direction=Direction.SENDONLY,
    )
    plan = plan_of(take_answer(offer, answer, [server]))
    assert (plan.role, plan.connect_to, plan.remote_accepts) == (Role.PASSIVE, None, ("image/jpeg",))


def test_a_chat_room_in_the_form_of_rfc_7701_9_1() -> None:
    offer, answer = read("chatroom_offer"), read("chatroom_answer")
    mara = MsrpTerms("msrp://phone.mara.example.net:5400/Jb6Vt1oXn4;tcp")
    plan = plan_of(take_answer(offer, answer, [mara]))
    assert plan.chatroom == {"nickname", "private-messages"}
    assert plan.connect_to == ("rooms.example.net", 8050)
    room = replace(OURS, chatroom=("nickname",))
    assert "a=chatroom:nickname" in line_of(answered(offer, room).description)
    assert "a=chatroom" in line_of(answered(offer, replace(OURS, chatroom=())).description)
    assert plan_of(answered(read("types_offer"))).chatroom is None


# Who connects (RFC 4145 4.1, RFC 6135 4.2)


@pytest.mark.parametrize(
    ("setup", "choice", "role"),
    [
        (None, Role.ACTIVE, Role.PASSIVE),  # the offerer is active by default
        ("active", Role.ACTIVE, Role.PASSIVE),
        ("passive", Role.PASSIVE, Role.ACTIVE),
        ("actpass", Role.ACTIVE, Role.ACTIVE),
        ("actpass", Role.PASSIVE, Role.PASSIVE),
        ("holdconn", Role.ACTIVE, Role.PASSIVE),  # RFC 6135 4.2.1: as if it were not there
        ("whatever", Role.ACTIVE, Role.PASSIVE),  # so is what nobody knows (RFC 8866 5)
    ],
)
def test_what_answers_a_setup(setup: str | None, choice: Role, role: Role) -> None:
    lines = () if setup is None else (f"a=setup:{setup}",)
    outcome = answered(offer_of(*CHAT, PATH, *lines), replace(OURS, answers=choice))
    plan = plan_of(outcome)
    assert plan.role is role
    assert plan.connect_to == (("198.51.100.7", 4000) if role is Role.ACTIVE else None)
    assert f"a=setup:{role}" in line_of(outcome.description)


@pytest.mark.parametrize(
    ("ours", "theirs", "role"),
    [
        ("active", None, Role.ACTIVE),
        ("active", "passive", Role.ACTIVE),
        ("active", "actpass", Role.ACTIVE),
        ("active", "holdconn", Role.ACTIVE),
        ("active", "whatever", Role.ACTIVE),
        ("active", "active", None),
        ("actpass", None, Role.ACTIVE),  # RFC 6135 4.2.2: who does not know COMEDIA is passive
        ("actpass", "passive", Role.ACTIVE),
        ("actpass", "active", Role.PASSIVE),
        ("actpass", "actpass", Role.ACTIVE),
        ("passive", "active", Role.PASSIVE),
        ("passive", "passive", None),
        ("passive", None, None),
        ("holdconn", None, Role.ACTIVE),
        ("holdconn", "passive", Role.ACTIVE),
        ("holdconn", "active", None),
    ],
)
def test_what_an_answer_makes_of_our_setup(ours: str, theirs: str | None, role: Role | None) -> None:
    terms = replace(OURS, setup=Setup(ours))
    offer = make_offer([terms], ORIGIN, strict=False)
    answer = offer_of(*CHAT, PATH, *(() if theirs is None else (f"a=setup:{theirs}",)))
    outcome = take_answer(offer, answer, [terms])
    assert isinstance(outcome, Negotiated)
    if role is None:
        (stream,) = outcome.streams
        assert isinstance(stream, NoStream) and outcome.plan is None
        assert (stream.clause, stream.warning) == ("RFC 4145 4.1, RFC 6135 4.2", WarningCode.ATTRIBUTE)
    else:
        assert plan_of(outcome).role is role


@pytest.mark.parametrize(
    "terms",
    [
        replace(OURS, setup=Setup.PASSIVE),
        replace(OURS, setup=Setup.HOLDCONN),
        replace(OURS, setup=Setup.ACTPASS, uri="msrp://192.0.2.1:9/x;tcp"),
        replace(OURS, setup=Setup.ACTPASS, uri="msrp://0.0.0.0:2855/x;tcp"),
    ],
    ids=lambda terms: f"{terms.setup} {terms.uri}",
)
def test_an_offer_against_rfc_6135_is_made_only_on_purpose(terms: MsrpTerms) -> None:
    with pytest.raises(UsageError):
        make_offer([terms], ORIGIN)
    assert f"a=setup:{terms.setup}" in line_of(make_offer([terms], ORIGIN, strict=False))


def test_an_active_offer_has_port_9_in_m_line_and_path() -> None:
    offer = make_offer([replace(OURS, uri="msrp://192.0.2.1:9/ourSession0001;tcp")], ORIGIN)
    assert write_sdp(offer) == (
        b"v=0\r\no=- 100 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
        b"m=message 9 TCP/MSRP *\r\na=path:msrp://192.0.2.1:9/ourSession0001;tcp\r\na=setup:active\r\n"
        b"a=accept-types:message/cpim text/plain\r\na=sendrecv\r\n"
    )


def test_a_side_without_a_port_takes_the_other_role() -> None:
    offer = offer_of(*CHAT, PATH, "a=setup:actpass")
    plan = plan_of(answered(offer, replace(OURS, uri="msrp://192.0.2.1:9/x;tcp", answers=Role.PASSIVE)))
    assert plan.role is Role.ACTIVE
    hidden = offer_of("m=message 9 TCP/MSRP *", CHAT[1], PATH.replace(":4000", ":9"), "a=setup:actpass")
    assert plan_of(answered(hidden, replace(OURS, answers=Role.ACTIVE))).role is Role.PASSIVE


def test_two_sides_without_a_port_cannot_meet() -> None:
    offer = offer_of(*CHAT, PATH, "a=setup:active")
    outcome = answer_offer(offer, [replace(OURS, uri="msrp://192.0.2.1:9/x;tcp")], ORIGIN)
    assert isinstance(outcome, Refusal)
    assert (outcome.status, outcome.clause) == (488, "RFC 6135 4.2")


def test_nobody_connects_to_port_9() -> None:
    answer = offer_of("m=message 9 TCP/MSRP *", CHAT[1], PATH.replace(":4000", ":9"), "a=setup:passive")
    outcome = take_answer(make_offer([OURS], ORIGIN), answer, [OURS])
    assert isinstance(outcome, Negotiated)
    (stream,) = outcome.streams
    assert isinstance(stream, NoStream) and stream.clause == "RFC 6135 4.2.2"


# IPv6, relays and TLS


def test_the_address_of_an_ipv6_path_is_connected_to_without_brackets() -> None:
    offer = offer_of(
        *CHAT, "a=path:msrp://[2001:db8::7]:4000/farSession0001;tcp", "a=setup:passive", host="2001:db8::7"
    )
    ours = replace(OURS, uri="msrp://[2001:db8::1]:2855/ourSession0001;tcp")
    outcome = answered(offer, ours)
    assert plan_of(outcome).connect_to == ("2001:db8::7", 4000)
    assert "\r\nc=IN IP6 2001:db8::1\r\n" in write_sdp(outcome.description).decode()


def test_the_first_uri_of_a_path_is_connected_to_and_the_last_is_the_session() -> None:
    relayed = "a=path:msrp://relay.example.com:9000/r1;tcp msrp://198.51.100.7:4000/farSession0001;tcp"
    plan = plan_of(answered(offer_of(*CHAT, relayed, "a=setup:passive")))
    assert plan.connect_to == ("relay.example.com", 9000)
    assert plan.remote_path[-1] == "msrp://198.51.100.7:4000/farSession0001;tcp"
    assert plan.to_path == plan.remote_path


def test_our_relays_are_in_the_path_and_are_connected_to_whatever_our_role() -> None:
    # RFC 4976 5.1: A behind B and C writes "C B A", and sends to "B C" and what F wrote.
    relays = ("msrp://c.example.com:2856/c;tcp", "msrp://b.example.com:2855/b;tcp")
    terms = MsrpTerms("msrp://192.0.2.1:9/a;tcp", relays=relays)
    far = "a=path:msrp://d:1/d;tcp msrp://e:2/e;tcp msrp://198.51.100.7:4000/f;tcp"
    outcome = answered(offer_of(*CHAT, far, "a=setup:active"), terms)
    plan = plan_of(outcome)
    assert plan.role is Role.PASSIVE
    assert plan.connect_to == ("b.example.com", 2855)
    assert plan.to_path == (
        "msrp://b.example.com:2855/b;tcp", "msrp://c.example.com:2856/c;tcp",
        "msrp://d:1/d;tcp", "msrp://e:2/e;tcp", "msrp://198.51.100.7:4000/f;tcp",
    )  # fmt: skip
    path = "a=path:msrp://c.example.com:2856/c;tcp msrp://b.example.com:2855/b;tcp msrp://192.0.2.1:9/a;tcp"
    assert path in line_of(outcome.description)


def test_tls_in_the_form_of_rfc_4975_14_4() -> None:
    certificate = b"the octets of our certificate"
    ours = replace(
        OURS,
        secure_uri="msrps://192.0.2.1:2856/ourSession0002;tcp",
        fingerprints=(certificate_fingerprint(certificate),),
        answers=Role.ACTIVE,
    )
    outcome = answered(read("tls_offer"), ours)
    plan = plan_of(outcome)
    assert plan.tls and plan.own_uri == "msrps://192.0.2.1:2856/ourSession0002;tcp"
    assert [str(each) for each in plan.fingerprints] == [
        "sha-1 C0:5E:83:1B:F4:29:77:AD:60:92:3D:EE:08:B1:4C:D6:35:7A:9F:12"
    ]
    written = line_of(outcome.description)
    assert written[0] == "m=message 2856 TCP/TLS/MSRP *"
    assert f"a=fingerprint:{certificate_fingerprint(certificate)}" in written


@pytest.mark.parametrize(
    ("path", "relays"),
    [
        ("msrps://relay.example.com:9000/r;tcp msrps://198.51.100.7:4000/f;tcp", ()),
        ("msrps://198.51.100.7:4000/f;tcp", ("msrps://own.example.com:2855/o;tcp",)),
    ],
)
def test_a_fingerprint_says_nothing_of_the_certificate_of_a_relay(path: str, relays: tuple[str, ...]) -> None:
    lines = (
        "m=message 4000 TCP/TLS/MSRP *",
        CHAT[1],
        f"a=path:{path}",
        "a=setup:passive",
        "a=fingerprint:sha-1 00",
    )
    ours = replace(OURS, secure_uri="msrps://192.0.2.1:2856/s;tcp", relays=relays)
    plan = plan_of(answered(offer_of(*lines), ours))
    assert plan.tls and plan.fingerprints == ()


def test_tls_that_we_do_not_speak_is_refused_and_so_is_msrps_without_tls() -> None:
    outcome = answer_offer(read("tls_offer"), [OURS], ORIGIN)
    assert isinstance(outcome, Refusal)
    assert (outcome.status, outcome.warning) == (488, WarningCode.TRANSPORT)
    outcome = answer_offer(offer_of(*CHAT, PATH.replace("msrp:", "msrps:")), [OURS], ORIGIN)
    assert isinstance(outcome, Refusal)
    assert (outcome.status, outcome.clause) == (488, "RFC 4975 6, 8.1")


def test_an_answer_in_another_protocol_than_offered_cannot_be_taken() -> None:
    ours = replace(OURS, secure=True, secure_uri="msrps://192.0.2.1:2856/s;tcp")
    outcome = take_answer(make_offer([ours], ORIGIN), offer_of(*CHAT, PATH), [ours])
    assert isinstance(outcome, Negotiated)
    (stream,) = outcome.streams
    assert isinstance(stream, NoStream) and stream.warning is WarningCode.TRANSPORT


# CEMA (RFC 6714)

MIDDLEBOX = "203.0.113.9"
CEMA = replace(OURS, cema=True)


def cema_answer(
    *lines: str, port: int = 7000, connection: str = MIDDLEBOX, path: str = PATH
) -> SessionDescription:
    return offer_of(f"m=message {port} TCP/MSRP *", CHAT[1], path, *lines, connection=connection)


OWN_RELAY = ("msrp://own.example.com:2855/o;tcp",)
RELAYED = PATH.replace("a=path:", "a=path:msrp://relay.example.com:9000/r;tcp ")


@pytest.mark.parametrize(
    ("answer", "target", "cema"),
    [
        # Both sides know CEMA: c= and m=, wherever the path points.
        (cema_answer("a=setup:passive", "a=msrp-cema"), (MIDDLEBOX, 7000), True),
        (cema_answer("a=setup:passive", "a=msrp-cema", path=RELAYED), (MIDDLEBOX, 7000), True),
        # Only we do, and are active: c= and m= all the same (4.2, "in other cases").
        (cema_answer("a=setup:passive"), (MIDDLEBOX, 7000), True),
        (cema_answer(), (MIDDLEBOX, 7000), True),
        # No middlebox: c= and m= are the path's.
        (cema_answer("a=setup:passive", port=4000, connection="198.51.100.7"), ("198.51.100.7", 4000), True),
        # A relay without CEMA and without a middlebox: RFC 4975, no new offer.
        (cema_answer("a=setup:passive", port=4000, connection="198.51.100.7", path=RELAYED),
         ("relay.example.com", 9000), False),
        # We wait.
        (cema_answer("a=setup:active", "a=msrp-cema"), None, True),
        (cema_answer("a=setup:active", port=4000, connection="198.51.100.7"), None, True),
    ],
)  # fmt: skip
def test_where_a_cema_offerer_connects(
    answer: SessionDescription, target: tuple[str, int] | None, cema: bool
) -> None:
    terms = replace(CEMA, setup=Setup.ACTPASS)
    offer = make_offer([terms], ORIGIN)
    assert {"a=msrp-cema", "a=setup:actpass"} <= set(line_of(offer))
    plan = plan_of(take_answer(offer, answer, [terms]))
    assert (plan.connect_to, plan.cema) == (target, cema)


@pytest.mark.parametrize(
    ("terms", "answer"),
    [
        (CEMA, cema_answer("a=setup:active")),  # passive, and the path is not where the middlebox is
        (CEMA, cema_answer("a=setup:passive", path=RELAYED)),  # their relay cannot be reached past it
        (replace(CEMA, relays=("msrp://own-relay.example.com:2855/o;tcp",)), cema_answer("a=setup:passive")),
    ],
)
def test_a_middlebox_before_a_side_without_cema_asks_for_a_new_offer(
    terms: MsrpTerms, answer: SessionDescription
) -> None:
    terms = replace(terms, setup=Setup.ACTPASS)
    offer = make_offer([terms], ORIGIN)
    outcome = take_answer(offer, answer, [terms])
    assert isinstance(outcome, FallBack)
    assert "a=msrp-cema" not in line_of(outcome.offer)
    assert check_revision(offer, outcome.offer) == ()
    assert outcome.offer.origin == replace(ORIGIN, version=2)
    plan = plan_of(take_answer(outcome.offer, answer, outcome.terms))
    assert not plan.cema
    assert plan.connect_to != (MIDDLEBOX, 7000)


def test_names_are_compared_by_their_addresses_where_these_are_known() -> None:
    terms = replace(CEMA, setup=Setup.ACTPASS)
    offer = make_offer([terms], ORIGIN)
    named = "a=path:msrp://far.example.com:7000/farSession0001;tcp"
    answer = cema_answer("a=setup:active", path=named)
    elsewhere = {"far.example.com": ["198.51.100.7", "198.51.100.8"]}
    assert isinstance(take_answer(offer, answer, [terms], resolved=elsewhere), FallBack)
    there = {"far.example.com": ["198.51.100.7", MIDDLEBOX]}
    assert plan_of(take_answer(offer, answer, [terms], resolved=there)).role is Role.PASSIVE
    assert plan_of(take_answer(offer, answer, [terms])).role is Role.PASSIVE  # not known to differ


def test_ipv6_addresses_are_compared_as_addresses() -> None:
    path = "a=path:msrp://[2001:0DB8:0000:0000:0000:0000:0000:0007]:4000/farSession0001;tcp"
    offer = offer_of(*CHAT, path, "a=setup:active", host="2001:db8::7")
    outcome = answered(offer, replace(CEMA, strict_cema=True))
    assert "a=msrp-cema" in line_of(outcome.description)


def test_a_cema_answerer_connects_to_the_middlebox() -> None:
    offer = cema_answer("a=setup:actpass", "a=msrp-cema")
    outcome = answered(offer, replace(CEMA, answers=Role.ACTIVE))
    plan = plan_of(outcome)
    assert (plan.connect_to, plan.cema) == ((MIDDLEBOX, 7000), True)
    assert plan.remote_path[-1] == "msrp://198.51.100.7:4000/farSession0001;tcp"
    assert {"a=msrp-cema", "a=setup:active"} <= set(line_of(outcome.description))


def test_an_offer_that_lacks_cema_behind_a_middlebox_is_refused_only_by_the_strict() -> None:
    offer = cema_answer("a=setup:active")
    outcome = answer_offer(offer, [replace(CEMA, strict_cema=True)], ORIGIN)
    assert isinstance(outcome, Refusal)
    assert (outcome.status, outcome.clause) == (488, "RFC 6714 4.3")
    assert "a=msrp-cema" not in line_of(answered(offer, CEMA).description)
    handset = read("trace_chat_offer")  # port 9 on the m-line, 8881 in the path
    assert isinstance(answer_offer(handset, [replace(CEMA, strict_cema=True)], ORIGIN), Refusal)
    assert plan_of(answered(handset, CEMA)).role is Role.PASSIVE


@pytest.mark.parametrize(
    ("relays", "offer", "setup", "cema"),
    [
        # 4.3, criterion 1: relays on both sides.
        (OWN_RELAY, cema_answer("a=setup:actpass", "a=msrp-cema", path=RELAYED),
         "passive", False),
        # 2: their relay, and they connect.
        ((), cema_answer("a=setup:active", "a=msrp-cema", path=RELAYED), "passive", False),
        ((), cema_answer("a=msrp-cema", path=RELAYED), "passive", False),
        # 3: our relay, and we have to connect.
        (OWN_RELAY, cema_answer("a=setup:passive", "a=msrp-cema"), "active", False),
        # Else CEMA: our relay makes us passive and shows in c= and m=.
        (OWN_RELAY, cema_answer("a=setup:actpass", "a=msrp-cema"), "passive", True),
        ((), cema_answer("a=setup:actpass", "a=msrp-cema", path=RELAYED), "active", True),
    ],
)  # fmt: skip
def test_relays_and_cema_in_an_answer(
    relays: tuple[str, ...], offer: SessionDescription, setup: str, cema: bool
) -> None:
    outcome = answered(offer, replace(CEMA, relays=relays, answers=Role.ACTIVE))
    written = line_of(outcome.description)
    assert f"a=setup:{setup}" in written
    assert ("a=msrp-cema" in written) is cema
    shown = ("own.example.com", 2855) if relays and cema else ("192.0.2.1", 2855)
    connection = outcome.description.connection
    assert connection is not None
    assert (connection.host, outcome.description.media[0].port) == shown


def test_a_cema_offerer_behind_a_relay_offers_actpass_at_the_relays_address() -> None:
    offer = make_offer([replace(CEMA, relays=("msrp://own.example.com:2855/o;tcp",))], ORIGIN)
    assert {"a=setup:actpass", "a=msrp-cema", "m=message 2855 TCP/MSRP *"} <= set(line_of(offer))
    assert offer.connection is not None and offer.connection.host == "own.example.com"


# What is refused, m-line by m-line


@pytest.mark.parametrize(
    ("lines", "clause", "warning"),
    [
        ((*CHAT,), "RFC 4975 8", WarningCode.ATTRIBUTE),  # no path
        ((CHAT[0], PATH), "RFC 4975 8", WarningCode.ATTRIBUTE),  # no accept-types
        ((*CHAT, "a=path:"), "RFC 4975 8.2", WarningCode.ATTRIBUTE),
        ((*CHAT, "a=path:msrp://198.51.100.7:4000;tcp"), "RFC 4975 8.2", WarningCode.ATTRIBUTE),
        ((*CHAT, "a=path:sip:far@198.51.100.7"), "RFC 4975 9 MSRP-URI", WarningCode.ATTRIBUTE),
        ((CHAT[0], PATH, "a=accept-types:cpim"), "RFC 4975 8.6", WarningCode.ATTRIBUTE),
        ((CHAT[0], PATH, "a=accept-types:image/png"), "RFC 4975 8.6", WarningCode.FORMAT),
        ((*CHAT, PATH, "a=max-size:big"), "RFC 4975 8.6", WarningCode.ATTRIBUTE),
        ((*CHAT, PATH, "a=file-selector:size:big"), "RFC 5547 6", WarningCode.ATTRIBUTE),
        ((*CHAT, PATH, "a=fingerprint:sha-1 zz"), "RFC 8122 5", WarningCode.ATTRIBUTE),
        ((*CHAT, PATH.replace(":4000", ""), "a=setup:passive"), "RFC 6135 4.2", WarningCode.ATTRIBUTE),
        (("m=audio 4000 RTP/AVP 0",), "RFC 4975 8.1", WarningCode.MEDIA_TYPE),
        (("m=message 4000 SCTP/MSRP *", CHAT[1], PATH), "RFC 4975 8.1", WarningCode.MEDIA_TYPE),
    ],
)
def test_an_offer_nothing_of_which_can_be_accepted(
    lines: tuple[str, ...], clause: str, warning: WarningCode
) -> None:
    outcome = answer_offer(offer_of(*lines), [OURS], ORIGIN)
    assert isinstance(outcome, Refusal)
    assert (outcome.status, outcome.clause, outcome.warning) == (488, clause, warning)


def test_of_two_m_lines_one_is_taken_and_the_other_gets_port_0() -> None:
    second = PATH.replace("0001", "0002")
    offer = offer_of(*CHAT, PATH, *CHAT, second)
    outcome = answered(offer)
    assert isinstance(outcome.streams[0], MsrpPlan) and isinstance(outcome.streams[1], NoStream)
    assert line_of(outcome.description, 1) == ["m=message 0 TCP/MSRP *"]
    both = answered(offer, OURS, replace(OURS, uri="msrp://192.0.2.1:2855/ourSession0002;tcp"))
    assert [isinstance(each, MsrpPlan) and each.remote_path[-1][-4:] for each in both.streams] == [";tcp"] * 2
    assert [each.remote_path[-1] for each in both.streams if isinstance(each, MsrpPlan)] == [
        "msrp://198.51.100.7:4000/farSession0001;tcp",
        "msrp://198.51.100.7:4000/farSession0002;tcp",
    ]


def test_terms_stay_with_the_place_of_their_m_line() -> None:
    second = PATH.replace("0001", "0002")
    offer = offer_of("m=message 0 TCP/MSRP *", *CHAT, second)
    other = replace(OURS, uri="msrp://192.0.2.1:2855/ourSession0002;tcp")
    outcome = answered(offer, OURS, other)
    assert outcome.streams[0] == ENDED
    assert plan_of(outcome).own_uri == other.uri


def test_a_bad_m_line_and_a_voice_one_get_port_0_beside_a_good_one() -> None:
    offer = offer_of("m=audio 5000 RTP/AVP 0 8", "a=rtpmap:0 PCMU/8000", *CHAT, *CHAT, PATH)
    outcome = answered(offer, OURS, OURS)
    assert [type(each) for each in outcome.streams] == [NoStream, NoStream, MsrpPlan]
    assert line_of(outcome.description, 0) == ["m=audio 0 RTP/AVP 0 8"]
    assert line_of(outcome.description, 1) == ["m=message 0 TCP/MSRP *"]


def test_an_answer_that_declines_is_no_plan() -> None:
    outcome = take_answer(make_offer([OURS], ORIGIN), offer_of("m=message 0 TCP/MSRP *"), [OURS])
    assert isinstance(outcome, Negotiated)
    assert outcome.plan is None
    assert outcome.streams == (NoStream("declined", "RFC 3264 6"),)


def test_an_answer_without_path_is_no_plan_and_one_without_an_m_line_is_refused() -> None:
    offer = make_offer([OURS], ORIGIN)
    outcome = take_answer(offer, offer_of(*CHAT), [OURS])
    assert isinstance(outcome, Negotiated) and outcome.plan is None
    outcome = take_answer(offer, offer_of(), [OURS])
    assert isinstance(outcome, Refusal)
    assert outcome.clause == "RFC 3264 6"


@pytest.mark.parametrize("data", [b"", b"hello", b"v=0\r\nm=message\r\n", b"v=0\r\nq=1\r\n"])
def test_octets_that_are_no_description_get_400(data: bytes) -> None:
    outcome = read_description(data)
    assert isinstance(outcome, Refusal)
    assert outcome.status == 400


def test_a_description_is_found_in_a_multipart_body() -> None:
    body = build_multipart(
        [
            ([("Content-Type", "message/cpim")], b"From: <sip:a@b>\r\n\r\n\r\n"),
            ([("Content-Type", "application/sdp")], (CORPUS / "trace_push_offer.sdp").read_bytes()),
        ],
        "da96a",
    )
    found = read_description(body, "multipart/mixed;boundary=da96a")
    assert found == read("trace_push_offer")


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("text/plain", b"v=0\r\n", 415),
        (None, b"v=0\r\n", 400),
        ("multipart/mixed;boundary=x", b"--x\r\nContent-Type: text/plain\r\n\r\n--x--", 415),
        ("multipart/mixed", b"--x\r\n\r\n--x--", 400),
    ],
)
def test_a_body_without_a_description_is_refused(content_type: str | None, body: bytes, status: int) -> None:
    found = read_description(body, content_type)
    assert isinstance(found, Refusal) and found.status == status


# Later offers


def test_a_refresh_repeats_the_description_and_a_change_counts_up() -> None:
    offer = make_offer([OURS], ORIGIN)
    again = make_offer([OURS], ORIGIN, previous=offer)
    assert write_sdp(again) == write_sdp(offer)
    changed = make_offer([replace(OURS, direction=Direction.INACTIVE)], ORIGIN, previous=again)
    assert changed.origin == replace(ORIGIN, version=2)
    remote = offer_of(*CHAT, PATH)
    first = answered(remote)
    second = answer_offer(remote, [OURS], replace(ORIGIN, session_id=999), previous=first.description)
    assert isinstance(second, Negotiated)
    assert write_sdp(second.description) == write_sdp(first.description)


def test_a_stream_is_ended_by_port_0_and_stays_ended() -> None:
    file = FileDescription(FileSelector("a.txt", "text/plain", 4), "id1", disposition="render")
    terms = service_terms(Flow.FILE_PUSH, OURS, file=file)
    offer = make_offer([terms], ORIGIN)
    ended = make_offer([None], ORIGIN, previous=offer)
    assert line_of(ended) == [
        "m=message 0 TCP/MSRP *",
        'a=file-selector:name:"a.txt" type:text/plain size:4',
        "a=file-transfer-id:id1",
    ]  # RFC 5547 8.1: the id stays
    outcome = answered(ended, THEIRS)
    assert outcome.streams == (ENDED,)
    assert line_of(outcome.description) == line_of(ended)
    taken = take_answer(ended, outcome.description, [None])
    assert isinstance(taken, Negotiated) and taken.streams == (ENDED,)
    with pytest.raises(UsageError):
        make_offer([], ORIGIN, previous=offer)
    with pytest.raises(UsageError):
        make_offer([None], ORIGIN)


# Services


@pytest.mark.parametrize("flow", Flow)
def test_each_service_is_offered_as_its_row_says_and_answered_the_other_way(flow: Flow) -> None:
    row = SERVICE_MEDIA[flow]
    offer = make_offer([service_terms(flow, OURS, content_type="image/jpeg")], ORIGIN)
    far = answer_offer(
        offer, [service_terms(flow, THEIRS, content_type="image/jpeg", answers=True)], FAR_ORIGIN
    )
    assert isinstance(far, Negotiated)
    assert check_answer(offer, far.description) == ()
    assert f"a={row.direction}" in line_of(offer)
    near = plan_of(take_answer(offer, far.description, [service_terms(flow, OURS)]))
    away = plan_of(far)
    assert (near.direction.sends, near.direction.receives) == (away.direction.receives, away.direction.sends)


FILE = FileDescription(
    FileSelector("Harbour at six.jpg", "image/jpeg", 7311, (FileHash("sha-1", bytes(20)),)),
    transfer_id="kD84hsT2mVq0Zr6yLw1Nc9Xp",
    disposition="attachment",
    icon="harbour@mara.example.net",
    range=FileRange(1, 7311),
)


def test_a_pushed_file_is_told_in_full_and_answered_without_icon_disposition_and_date() -> None:
    offer = make_offer([service_terms(Flow.FILE_PUSH, OURS, content_type="image/jpeg", file=FILE)], ORIGIN)
    told = [line for line in line_of(offer) if line.startswith("a=file-")]
    assert told == [f"a={each}" for each in FILE.attributes]
    assert {"a=sendonly", "a=accept-types:message/cpim image/jpeg", "a=accept-wrapped-types:*"} <= set(
        line_of(offer)
    )
    answer = answered(offer, service_terms(Flow.FILE_PUSH, THEIRS, content_type="image/jpeg", answers=True))
    written = line_of(answer.description)
    assert [line for line in written if line.startswith("a=file-")] == [told[0], told[1], told[4]]
    assert "a=recvonly" in written


def test_a_pulled_file_is_answered_with_its_hash() -> None:
    wanted = FileDescription(FileSelector(hashes=FILE.selector.hashes), "newId", disposition="render")
    offer = make_offer([service_terms(Flow.FILE_PULL, OURS, content_type="image/jpeg", file=wanted)], ORIGIN)
    zeros = ":".join(["00"] * 20)
    assert [line for line in line_of(offer) if line.startswith("a=file-")] == [
        f"a=file-selector:hash:sha-1:{zeros}",
        "a=file-transfer-id:newId",
    ]
    terms = service_terms(Flow.FILE_PULL, THEIRS, content_type="image/jpeg", file=FILE, answers=True)
    written = line_of(answered(offer, terms).description)
    assert [line for line in written if line.startswith("a=file-")] == [
        f"a=file-selector:type:image/jpeg hash:sha-1:{zeros}",
        "a=file-transfer-id:newId",
    ]
    assert "a=sendonly" in written


def test_a_large_message_tells_its_size_only() -> None:
    offer = make_offer([service_terms(Flow.LARGE, OURS, content_type="text/plain", file=FILE)], ORIGIN)
    assert [line for line in line_of(offer) if line.startswith("a=file-")] == [
        "a=file-selector:size:7311",
        "a=file-transfer-id:kD84hsT2mVq0Zr6yLw1Nc9Xp",
    ]


def test_a_new_origin_is_written_for_the_family_of_its_host() -> None:
    assert new_origin("192.0.2.1").address_type == "IP4"
    assert new_origin("2001:db8::1").address_type == "IP6"
    assert new_origin("192.0.2.1").session_id != new_origin("192.0.2.1").session_id


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*.sdp")), ids=lambda path: path.stem)
def test_mutated_descriptions_end_as_values(path: Path) -> None:
    data = path.read_bytes()
    chance = random.Random(path.stem)
    secure = replace(CEMA, secure_uri="msrps://192.0.2.1:2856/s;tcp")
    for _ in range(200):
        octets = bytearray(data)
        for _ in range(chance.randint(1, 3)):
            place = chance.randrange(len(octets))
            octets[place : place + chance.randint(0, 2)] = chance.randbytes(chance.randint(0, 2))
        description = read_description(bytes(octets))
        if isinstance(description, SessionDescription):
            outcome = answer_offer(description, [secure], ORIGIN)
            if isinstance(outcome, Negotiated):
                write_sdp(outcome.description)
            take_answer(make_offer([OURS], ORIGIN), description, [OURS])
