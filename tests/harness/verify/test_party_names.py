"""Handsets of one capture are told apart by IMEI or identity, network elements by product and address."""

from __future__ import annotations

from harness.evidence.timeline import Address, Layer, Packet, Timeline, Transport
from harness.verify.engine import Verifier
from harness.verify.finding import Party, Verdict
from harness.verify.judgement import Judgement
from harness.verify.party_names import MOST_NAMED

NET = Address("10.0.0.1", 5060)
IMEI = {"1": "35209900-176148-0", "2": "35209900-999999-0"}


def register(number: str, handset: str = "1", host: str = "10.0.0.5") -> bytes:
    instance = f';+sip.instance="<urn:gsma:imei:{IMEI[handset]}>"' if handset in IMEI else ""
    return (
        f"REGISTER sip:example.org SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP {host}:5060;branch=z9hG4bKr{number}{handset}\r\n"
        f"Max-Forwards: 70\r\nFrom: <sip:{number}@example.org>;tag=1\r\nTo: <sip:{number}@example.org>\r\n"
        f"Call-ID: r{number}{handset}\r\nCSeq: 1 REGISTER\r\n"
        f"Contact: <sip:{number}@{host}:5060>{instance}\r\n"
        "Content-Length: 0\r\n\r\n"
    ).encode()


def text(number: str, far: str = "+49179000000", host: str = "10.0.0.5", agent: str = "") -> bytes:
    product = f"User-Agent: {agent}\r\n" if agent else ""
    return (
        f"MESSAGE sip:{far}@example.org SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP {host}:5060;branch=z9hG4bKm{number}{far}\r\n"
        f"Max-Forwards: 70\r\nP-Access-Network-Info: IEEE-802.11\r\n{product}"
        f"From: <sip:{number}@example.org>;tag=2\r\nTo: <sip:{far}@example.org>\r\n"
        f"Call-ID: m{number}{far}{host}\r\nCSeq: 1 MESSAGE\r\nContact: <sip:x@{host}>\r\n"
        "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\nHi"
    ).encode()


def answer(request: bytes, server: str = "", associated: str = "") -> bytes:
    head = request.decode().partition("\r\n\r\n")[0].split("\r\n")[1:]
    kept = [line for line in head if line.partition(":")[0] in ("Via", "From", "To", "Call-ID", "CSeq")]
    kept = [f"{line};tag=net" if line.startswith("To:") else line for line in kept]
    extra = [f"Server: {server}"] if server else []
    extra += [f"P-Associated-URI: {associated}"] if associated else []
    return "\r\n".join(["SIP/2.0 200 OK", *kept, *extra, "Content-Length: 0", "", ""]).encode()


def judged(*packets: tuple[str | Address, str | Address, bytes]) -> Judgement:
    trace = Timeline(clock=lambda: 0.0)
    for number, (source, target, octets) in enumerate(packets):
        ends = [Address(end, 5060) if isinstance(end, str) else end for end in (source, target)]
        trace.packet(Layer.SIP, Transport.UDP, ends[0], ends[1], octets, at=float(number))
    verifier = Verifier("ietf")
    verifier.judge(trace)
    return Judgement.of("capture", verifier)


def blamed(judgement: Judgement, rule: str = "pager.no-contact") -> list[str]:
    return [finding.whose.name for finding in judgement.findings if finding.rule == rule]


def test_two_handsets_are_told_apart_by_their_imei():
    judgement = judged(
        ("10.0.0.5", NET, register("+491711111")),
        ("10.0.0.6", NET, register("+491722222", "2", "10.0.0.6")),
        ("10.0.0.6", NET, text("+491722222", host="10.0.0.6")),
    )
    assert blamed(judgement) == [f"handset IMEI {IMEI['2']}, +491722222"]
    verdicts = {
        party.name: judgement.verdict_of_named(party, found) for party, found in judgement.by_party().items()
    }
    assert verdicts[f"handset IMEI {IMEI['1']}, +491711111"] is Verdict.PASS
    assert verdicts[f"handset IMEI {IMEI['2']}, +491722222"] is Verdict.FAIL


def test_two_handsets_behind_one_address_are_told_apart_by_their_identity():
    judgement = judged(
        ("10.0.0.5", NET, register("+491711111", "1")),
        ("10.0.0.5", NET, register("+491722222", "2")),
        ("10.0.0.5", NET, text("+491722222")),
    )
    assert blamed(judgement) == [f"handset IMEI {IMEI['2']}, +491722222"]


def test_two_handsets_of_one_subscription_are_told_apart_by_their_address():
    judgement = judged(
        ("10.0.0.5", NET, register("+491711111", "1")),
        ("10.0.0.6", NET, register("+491711111", "2", "10.0.0.6")),
        ("10.0.0.6", NET, text("+491711111", host="10.0.0.6")),
    )
    assert blamed(judgement) == [f"handset IMEI {IMEI['2']}, +491711111"]


def test_an_imei_that_comes_later_names_what_came_before():
    judgement = judged(
        ("10.0.0.5", NET, text("+491711111")),
        ("10.0.0.5", NET, register("+491711111", "1")),
    )
    assert blamed(judgement) == [f"handset IMEI {IMEI['1']}, +491711111"]
    assert sum(party.party == "handset" for party in judgement.parties) == 1


def test_an_identity_the_registrar_associates_is_the_same_handset():
    asked = register("+491711111", "1")
    judgement = judged(
        ("10.0.0.5", NET, asked),
        (NET, "10.0.0.5", answer(asked, associated="<tel:+491733333>, <sip:second@example.org>")),
        ("10.0.0.7", NET, text("+491733333", host="10.0.0.7")),
    )
    assert blamed(judgement)[0].startswith(f"handset IMEI {IMEI['1']}")


def test_a_handset_without_imei_is_named_by_its_number():
    assert blamed(judged(("10.0.0.5", NET, text("+491711111")))) == ["handset +491711111"]


def test_network_elements_are_named_by_product_and_address():
    asked = register("+491711111")
    one, other = text("+491711111"), text("+491711111", "+491790001")
    judgement = judged(
        ("10.0.0.5", NET, asked),
        (NET, "10.0.0.5", answer(asked, "CPM-serv/OMA2.0 Acme")),
        ("10.0.0.5", NET, one),
        (NET, "10.0.0.5", answer(one)),
        ("10.0.0.5", "10.0.0.2", other),
        ("10.0.0.2", "10.0.0.5", answer(other, "Other/1")),
    )
    names = [party.name for party in judgement.parties if party.party == "network"]
    assert names == ["network: CPM-serv/OMA2.0 Acme at 10.0.0.1", "network: Other/1 at 10.0.0.2"]


def test_a_load_of_handsets_is_not_named_one_by_one():
    packets = [("10.0.0.5", NET, text(f"+4917{number:07}")) for number in range(MOST_NAMED + 50)]
    judgement = judged(*packets)
    assert len(judgement.parties) <= MOST_NAMED + 2
    assert "handset: others, not named one by one" in {party.name for party in judgement.parties}


def test_a_port_of_a_host_with_one_handset_is_that_handset():
    judgement = judged(
        ("10.0.0.5", NET, register("+491711111", "1")),
        (Address("10.0.0.5", 49152), NET, b"MESSAGE sip:x\r\n\r\n"),
    )
    assert [party.name for party in judgement.parties] == [f"handset IMEI {IMEI['1']}, +491711111"]


def test_msrp_is_of_the_handset_that_set_its_session_up(flow):
    """Its connection comes from another address than its SIP, and its number has been of another handset."""
    script = flow("chat")
    trace = Timeline(clock=lambda: 0.0)
    own = Address("10.0.0.5", 40000)
    for handset, source in (("2", Address("10.0.0.6", 5060)), ("1", own)):
        octets = register("+491700000001", handset, source.host)
        trace.packet(Layer.SIP, Transport.TCP, source, NET, octets, connection=90, at=1.0)
    for entry in script.timeline():
        if isinstance(entry, Packet):
            ends = [
                Address("10.0.0.77", end.port)
                if entry.layer is Layer.MSRP and end.host == "10.0.0.5"
                else end
                for end in (entry.source, entry.destination)
            ]
            trace.packet(
                entry.layer, entry.transport, *ends, entry.data, connection=entry.connection, at=entry.time
            )
    verifier = Verifier()
    verifier.judge(trace)
    sent = [entry for entry in verifier.assembly.msrp.entries if entry.sender is Party.HANDSET]
    verifier.names.settle()
    assert sent and {verifier.names.sender(entry).final.instance for entry in sent} == {f"IMEI {IMEI['1']}"}


def test_a_refused_registration_gives_nobody_an_identity():
    asked = register("+491711111")
    refused = answer(asked, associated="<tel:+491733333>").replace(
        b"SIP/2.0 200 OK", b"SIP/2.0 403 Forbidden"
    )
    judgement = judged(
        ("10.0.0.5", NET, asked),
        (NET, "10.0.0.5", refused),
        ("10.0.0.9", NET, text("+491733333", host="10.0.0.9")),
    )
    assert blamed(judgement) == ["handset +491733333"]


def test_who_is_anonymous_is_not_known_by_that():
    judgement = judged(
        ("10.0.0.5", NET, text("anonymous")),
        ("10.0.0.6", NET, text("anonymous", host="10.0.0.6")),
    )
    assert len(set(blamed(judgement))) == 2
