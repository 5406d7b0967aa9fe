"""Sessions that say more in their descriptions: offered again, one after another, with CEMA, over TLS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from harness.bodies.sdp_attributes import certificate_fingerprint
from harness.evidence.timeline import Layer, Transport
from harness.verify.proof.changes import Change, both, edit
from harness.verify.proof.flows.msrp import FAR_PATH, chat
from harness.verify.proof.flows.sip import session_mo, session_mt
from harness.verify.proof.script import Script

UE_ID, FAR_ID = "k3Jx8Qw2Zr7Lt5Yv9Bn1", "p4Mz6Hs8Dc2Vf0Gk7Ja3"
LAST = "a=sendrecv"
"""The last line of each description: others are put before it."""


def also(index: int, *lines: str) -> Change:
    """More lines in a description."""
    return edit(index, f"{LAST}\r\n", "".join(f"{line}\r\n" for line in (*lines, LAST)))


CEMA = both(also(0, "a=msrp-cema"), also(3, "a=msrp-cema"))


def offered_again(script: Script) -> Script:
    """The descriptions of INVITE and 200 again in the UPDATE (5) and its 200 (6)."""
    for index, source in ((5, 0), (6, 3)):
        script.line(index, "Content-Type: application/sdp")
        script.body(index, script.steps[source].text.partition("\r\n\r\n")[2])
    return script


def sessions(script: Script, *own_ids: str, ended: bool = True) -> Script:
    """The session of the flow again and again, each time with another session-id of the handset.

    ended: each has its BYE; else they stand beside each other.
    """
    steps = []
    for number, session_id in enumerate(own_ids):
        for step in script.steps if ended else script.steps[:7]:
            text = step.text.replace("z9hG4bK", f"z9hG4bKs{number}")
            for old, new in (
                ("Call-ID: inv", f"Call-ID: s{number}inv"),
                ("ueinv81c2", f"ueinv{number}"),
                ("faransw42", f"faransw{number}"),
                ("000000000010\r\n", f"0000000001{number:02}\r\n"),
            ):
                text = text.replace(old, new)
            steps.append(replace(step, text=text))
        place = len(steps) - (9 if ended else 7)
        repeated = (
            Script(steps).sub(place, UE_ID, session_id).sub(place + 3, FAR_ID, f"{FAR_ID}{number * 7919:x}")
        )
        steps = repeated.steps
    return Script(steps)


def elsewhere(script: Script, address: str = "10.0.0.77:20000") -> Script:
    """The answer of the chat names another place than the one the handset connects to."""
    host, _, port = address.rpartition(":")
    script.everywhere(FAR_PATH, FAR_PATH.replace("10.0.0.1:20000", address))
    answer = script.steps[3].text
    answer = answer.replace("c=IN IP4 10.0.0.1", f"c=IN IP4 {host}").replace(
        "message 20000", f"message {port}"
    )
    return script.change(3, text=answer).body(3, answer.partition("\r\n\r\n")[2])


def reoffered_mo() -> Script:
    """The session of session_mo, its UPDATE with the same offer again."""
    return offered_again(session_mo())


def sessions_mo() -> Script:
    """Three sessions of the handset, one after another: nine steps each."""
    return sessions(session_mo(), UE_ID, "h8Fd2Sa6Pq0Wm4Ec9Xz5", "b7Vn1Gt5Yr3Jk9Lp2Ho6")


def chat_with_cema() -> Script:
    """The chat through a middlebox, whose address is in the c-line of the answer and not in its path."""
    return CEMA(elsewhere(chat()).sub(3, "c=IN IP4 10.0.0.77", "c=IN IP4 10.0.0.1"))


def cema_answered() -> Script:
    """session_mt, the handset answering that it knows CEMA."""
    return also(2, "a=msrp-cema")(session_mt())


def chat_with_max_size() -> Script:
    """The chat between ends that take messages up to a size."""
    return both(also(0, "a=max-size:20971520"), also(3, "a=max-size:20971520"))(chat())


CERTIFICATES = (b"the certificate of the handset", b"the certificate of the network")
"""What is hashed for a fingerprint are the octets, whatever they say."""


def chat_over_tls() -> Script:
    """The chat over TLS, its fingerprints in the descriptions; the network tells what the handset showed."""
    script = chat().everywhere("msrp://", "msrps://")
    for index, certificate in zip((0, 3), CERTIFICATES, strict=True):
        script.sub(index, "TCP/MSRP", "TCP/TLS/MSRP")
        also(index, f"a=fingerprint:{certificate_fingerprint(certificate)}")(script)
    for index, step in enumerate(script.steps):
        if step.msrp:
            script.change(index, transport=Transport.TLS)
    return shown_certificate(script, CERTIFICATES[0])


def shown_certificate(script: Script, certificate: bytes) -> Script:
    """What the handset shows in its handshake."""
    script.seen.clear()
    shown = {"certificate": certificate.hex(), "self_signed": True}
    ends = {"connection": 1, "local": "10.0.0.1:20000", "remote": "10.0.0.5:50001"}
    return script.saw(0.55, Layer.MSRP, "tls", **ends, **shown)


NEGOTIATION_FLOWS: dict[str, Callable[[], Script]] = {
    "reoffered_mo": reoffered_mo,
    "sessions_mo": sessions_mo,
    "chat_with_cema": chat_with_cema,
    "cema_answered": cema_answered,
    "chat_with_max_size": chat_with_max_size,
    "chat_over_tls": chat_over_tls,
}
