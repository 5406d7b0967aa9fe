"""Capabilities by OPTIONS both ways, beside the registration they repeat (RFC 3840, RFC 3264 9)."""

from __future__ import annotations

from collections.abc import Callable

from harness.cpm.services import iari_feature
from harness.cpm.technology import SIP_IM_TAG
from harness.verify.proof.flows.sip import options_mt, pager_mo, register
from harness.verify.proof.messages import (
    AGENT,
    ALLOW,
    FAR,
    FAR_CONTACT,
    ICSI,
    PANI,
    ROUTE,
    UE,
    UE_CONTACT,
    answer,
    h,
)
from harness.verify.proof.script import Script, Step, crlf

TAGS = f'+g.3gpp.icsi-ref="{ICSI}msg,{ICSI}session"'
CHAT_TAG = iari_feature("rcse.im")
SIMPLE_IM = f"{CHAT_TAG};{SIP_IM_TAG}"


def media(host: str, *attributes: str, port: int = 0) -> str:
    """What media a side takes: nothing is offered."""
    return crlf(
        "v=0",
        f"o=- 7 7 IN IP4 {host}",
        "s=-",
        f"c=IN IP4 {host}",
        "t=0 0",
        f"m=message {port} TCP/MSRP *",
        "a=accept-types:message/cpim",
        *(f"a={each}" for each in attributes),
    )


def options_of_handset() -> list[Step]:
    """The handset asks what the far end can do, and is told, with the media it takes."""
    request = h(
        [
            f"OPTIONS {FAR} SIP/2.0",
            "Via: SIP/2.0/TCP 10.0.0.5:5060;branch=z9hG4bKask6f3a91c2;rport",
            "Max-Forwards: 70",
            ROUTE,
            f"From: <{UE}>;tag=ask81c2",
            f"To: <{FAR}>",
            "Call-ID: ask9d8f7e6a5b4c3d2e@10.0.0.5",
            "CSeq: 1 OPTIONS",
            f"P-Preferred-Identity: <{UE}>",
            PANI,
            f"Contact: <{UE_CONTACT}>;{TAGS}",
            f"Accept-Contact: *;{CHAT_TAG}",
            "Accept: application/sdp",
            ALLOW,
            AGENT,
        ]
    )
    told = (f"Contact: <{FAR_CONTACT}>;{TAGS}", ALLOW, "Supported: timer", "Content-Type: application/sdp")
    return [request, answer(request, "200 OK", "farask1", told, media("10.0.0.1", "file-selector"))]


def capable() -> Script:
    """The handset registers (0 to 7), is asked (8, 9), asks (10, 11) and sends a text (12 to 17)."""
    return Script([*register().steps, *options_mt().steps, *options_of_handset(), *pager_mo().steps])


def options_simple_im() -> Script:
    """As options_mt, between clients of OMA SIMPLE IM."""
    return options_mt().everywhere(TAGS, SIMPLE_IM)


CAPABILITY_FLOWS: dict[str, Callable[[], Script]] = {
    "capable": capable,
    "options_simple_im": options_simple_im,
}
