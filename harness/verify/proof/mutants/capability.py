"""Capabilities that are asked for, told and used wrongly (RFC 3264 9, RFC 3840, RFC 5547 8.5, RCC.07)."""

from __future__ import annotations

from harness.cpm.profiles import Profile
from harness.cpm.technology import SIP_IM_TAG
from harness.verify.proof.flows.capability import CHAT_TAG, TAGS, media
from harness.verify.proof.messages import FAR, ICSI
from harness.verify.proof.mutant import HANDSET, NETWORK, Change, Mutant
from harness.verify.proof.script import Script


def with_media(*attributes: str, port: int = 0) -> Change:
    """The media the handset takes in its answer."""

    def change(script: Script) -> Script:
        script.line(9, "Content-Type: application/sdp")
        return script.body(9, media("10.0.0.5", *attributes, port=port))

    return change


def refused(status: str) -> Change:
    """The answer of the handset, without what it can do."""
    return lambda script: script.sub(9, "200 OK", status).without(9, "Contact")


FILES = "file-selector"


MUTANTS = [
    Mutant(
        "options.contact-tags",
        HANDSET,
        "capable",
        lambda s: s.sub(9, f"{ICSI}msg,{ICSI}session", f"{ICSI}msg"),
    ),
    Mutant(
        "options.contact-tags",
        HANDSET,
        "capable",
        lambda s: s.sub(9, f"{ICSI}session", f"{ICSI}session,{ICSI}filetransfer"),
    ),
    Mutant("options.contact-tags", HANDSET, "capable", lambda s: s.sub(9, f";{TAGS}", "")),
    Mutant(
        "options.contact-tags",
        HANDSET,
        "capable",
        lambda s: s.sub(10, f"{ICSI}msg,{ICSI}session", f"{ICSI}msg"),
    ),
    Mutant(
        "options.tag-known",
        NETWORK,
        "capable",
        lambda s: s.sub(8, f"{ICSI}session", f"{ICSI}session,urn%3Aurn-7%3A3gpp-service.ims.icsi.acme.x"),
    ),
    Mutant("options.accept-contact", HANDSET, "capable", lambda s: s.without(10, "Accept-Contact")),
    Mutant("options.accept-contact", HANDSET, "capable", lambda s: s.sub(10, CHAT_TAG, "audio")),
    Mutant(
        "options.request-uri", HANDSET, "capable", lambda s: s.everywhere(FAR, "sip:bob@example.org", 10, 11)
    ),
    Mutant("options.result-mapping", HANDSET, "capable", refused("408 Request Timeout")),
    Mutant("options.result-mapping", HANDSET, "capable", refused("404 Not Found")),
    Mutant(
        "options.result-mapping",
        NETWORK,
        "capable",
        lambda s: (
            s.sub(11, "200 OK", "408 Request Timeout")
            .without(11, "Contact")
            .without(11, "Content-Type")
            .body(11, "")
        ),
    ),
    Mutant("options.sdp-ft", HANDSET, "capable", with_media(FILES, port=20000)),
    Mutant(
        "options.sdp-ft",
        HANDSET,
        "capable",
        with_media(FILES, "file-transfer-id:vBnG916bdberum2fFEABR1FR3ExZMUrd"),
    ),
    Mutant(
        "options.sdp-ft",
        NETWORK,
        "capable",
        lambda s: s.sub(11, "a=file-selector\r\n", "").sub(
            11, f"{ICSI}session", f"{ICSI}session,{ICSI}filetransfer"
        ),
    ),
    Mutant("options.sip-im-tag", HANDSET, "options_simple_im", lambda s: s.sub(1, f";{SIP_IM_TAG}", "")),
    Mutant(
        "options.sip-im-tag",
        HANDSET,
        "options_mt",
        lambda s: s.sub(1, f"{TAGS}", f"{TAGS};{SIP_IM_TAG}"),
        profile=Profile.UP2,
    ),
    Mutant(
        "options.consistency",
        HANDSET,
        "capable",
        lambda s: s.drop(8, 9, 10, 11).everywhere(f"{ICSI}msg,", "", 0, 2),
        ("pager.mt.accept-contact",),
        "notifications on what the handset sent come by the service it did not register",
    ),
]
