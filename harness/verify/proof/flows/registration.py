"""Registrations by AKA, with IPsec, over TLS, refreshed and ended (RFC 3310, RFC 3329, RFC 5626)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from harness.evidence.timeline import Layer, Transport
from harness.verify.proof.flows.sip import register
from harness.verify.proof.messages import UE_CONTACT, answer
from harness.verify.proof.script import Script, Step

DIGEST_NONCE = "dcd98b7102dd2f0e8b11d0f600bfb0c0"
AKA_NONCE = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
"""RAND 00 to 0f and AUTN 10 to 1f."""
NEXT_AKA_NONCE = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="
AUTS = "AAECAwQFBgcICQoLDA0="
EMPTY_PASSWORD = "f895e343bb15df0877522deb49fd4b72"
"""The response over AKA_NONCE with an empty password, worked out beside this program."""
DIGEST_RESPONSE = "6629fae49393a05397450978507c4ef1"
SERVER = (
    "ipsec-3gpp;q=0.9;alg=hmac-sha-1-96;ealg=null;prot=esp;mod=trans;spi-c=11;spi-s=12;port-c=31;port-s=32"
)
CLIENT = "ipsec-3gpp;alg=hmac-sha-1-96;ealg=null;prot=esp;mod=trans;spi-c=1;spi-s=2;port-c=21;port-s=22"
UUID = "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
INSTANCE = '+sip.instance="<urn:gsma:imei:49015420-323751-0>"'
AGREE = ("Require: sec-agree", "Proxy-Require: sec-agree")


def register_aka() -> Script:
    """As register, with a challenge of AKA."""
    script = register().everywhere(DIGEST_NONCE, AKA_NONCE, 1, 2)
    return script.everywhere("algorithm=MD5", "algorithm=AKAv1-MD5", 1, 2)


def register_ipsec() -> Script:
    """As register_aka, with an agreement on IPsec."""
    script = register_aka().line(0, f"Security-Client: {CLIENT}", *AGREE)
    script.line(1, f"Security-Server: {SERVER}")
    script.line(2, f"Security-Client: {CLIENT}", f"Security-Verify: {SERVER}", *AGREE)
    return script.line(4, f"Security-Verify: {SERVER}", *AGREE)


def register_out_of_step() -> Script:
    """As register_aka, but first the number of the challenge is out of step: 401 3, REGISTER 4, 200 5."""
    script = register_aka().copy(2, 2).copy(1, 3)
    script.sub(2, "nc=00000001,", f'nc=00000001,auts="{AUTS}",').sub(2, DIGEST_RESPONSE, EMPTY_PASSWORD)
    script.sub(3, "z9hG4bKreg1", "z9hG4bKreg2").sub(3, "CSeq: 1", "CSeq: 2").sub(3, AKA_NONCE, NEXT_AKA_NONCE)
    script.sub(4, AKA_NONCE, NEXT_AKA_NONCE)
    return script.everywhere("z9hG4bKreg2", "z9hG4bKreg3", 4, 5).everywhere("CSeq: 2", "CSeq: 3", 4, 5)


def register_over_tls() -> Script:
    """As register, over TLS."""
    script = register()
    script.steps = [replace(step, transport=Transport.TLS) for step in script.steps]
    return script.everywhere("SIP/2.0/TCP", "SIP/2.0/TLS").everywhere("rport=40000", "rport=5060")


def register_outbound() -> Script:
    """As register, over a flow of its own by RFC 5626."""
    script = register()
    for index in (0, 2):
        script.sub(index, "path,gruu", "path,gruu,outbound").sub(index, ";expires=", ";reg-id=1;expires=")
    return script.line(3, "Require: outbound").sub(3, ";expires=", ";reg-id=1;expires=")


def _again(step: Step, number: int, expires: int, after: float) -> tuple[Step, Step]:
    """The REGISTER once more, and its 200."""
    text = step.text.replace("z9hG4bKreg2", f"z9hG4bKreg{number}").replace("CSeq: 2", f"CSeq: {number}")
    text = text.replace("nc=00000001", f"nc=0000000{number - 1}")
    text = text.replace(";expires=600000", f";expires={expires}")
    request = replace(step, text=text, after=after)
    granted = (f"Contact: <{UE_CONTACT}>;expires=1200",) if expires else ()
    return request, answer(request, "200 OK", "netreg1", granted)


def registered_and_gone() -> Script:
    """Granted 1200 s, the registration is refreshed after half of them (8) and ended (10)."""
    script = register().sub(3, ";expires=600000", ";expires=1200")
    attempt = script.steps[2]
    script.steps += _again(attempt, 3, 600000, 600.0)
    script.steps += _again(attempt, 4, 0, 30.0)
    return script


def restarted() -> Script:
    """As registered_and_gone, of a handset without IMEI that then starts again: REGISTER 12, 401, 14, 200."""
    script = registered_and_gone().sub(4, f"Contact: <{UE_CONTACT}>", f"Contact: <{UE_CONTACT}>;{INSTANCE}")
    script.everywhere("urn:gsma:imei:49015420-323751-0", UUID)
    script.steps += [replace(script.steps[0], after=30.0), *script.steps[1:4]]
    script.everywhere("reg9d8", "anew9d8", 12, 13, 14, 15).everywhere(
        "z9hG4bKreg", "z9hG4bKanew", 12, 13, 14, 15
    )
    return script.saw(632.0, Layer.ADB, "reboot", serial="a")


REGISTRATION_FLOWS: dict[str, Callable[[], Script]] = {
    "register_aka": register_aka,
    "register_ipsec": register_ipsec,
    "register_out_of_step": register_out_of_step,
    "register_over_tls": register_over_tls,
    "register_outbound": register_outbound,
    "registered_and_gone": registered_and_gone,
    "restarted": restarted,
}
