"""Pager mode messages: RFC 3428 and CPM standalone messages, spoiled one by one."""

from __future__ import annotations

from dataclasses import replace

from harness.cpm.services import Service
from harness.evidence.timeline import Transport
from harness.verify.engine import VerifySettings
from harness.verify.proof.imdn_changes import MO_ID
from harness.verify.proof.messages import FAR, ICSI, PPS
from harness.verify.proof.mutant import HANDSET, NETWORK, Mutant
from harness.verify.proof.script import Script


def with_text(script: Script, size: int) -> Script:
    """The first text of the handset, with so many octets."""
    script.steps = script.steps[:2]
    script.sub(0, "Content-Length: 12\r\n\r\nhello, world", f"Content-Length: {size}\r\n\r\n{'x' * size}")
    return script


def over_udp(script: Script) -> Script:
    """The first text of the handset and its answer over UDP, told so in their Via."""
    script.change(0, transport=Transport.UDP).change(1, transport=Transport.UDP)
    return script.everywhere("SIP/2.0/TCP", "SIP/2.0/UDP", 0, 1)


def overtaken(script: Script) -> Script:
    """Another text to the same address before the first is answered."""
    script.drop(2, 3, 4, 5)
    text, accepted = script.steps
    for old, new in (
        ("z9hG4bKmoa", "z9hG4bKmoz"),
        ("calla9d8f", "callz9d8f"),
        ("froma81c2", "fromz81c2"),
        ("bbb-000000000001", "bbb-000000000009"),
        (MO_ID, "Msg9aB2cD3eF4gH5iJ6k"),
        ("hello, world", "hullo, world"),
        ("netA1", "netZ1"),
    ):
        text, accepted = (replace(each, text=each.text.replace(old, new)) for each in (text, accepted))
    script.steps[1:1] = [text]
    script.steps.append(accepted)
    return script


def in_a_capture(script: Script) -> Script:
    """The same, where nobody says that the capture has the start."""
    script.start = False
    return overtaken(script)


OTHER_SERVICE = "the other headers still name the service that the flow had"

MUTANTS = [
    Mutant("pager.method", HANDSET, "pager_mo", lambda s: s.line(0, "Event: reg")),
    Mutant(
        "pager.method",
        HANDSET,
        "session_mo",
        lambda s: s.sub(0, f"{PPS}session", f"{PPS}msg"),
        ("ims.p-preferred-service.value", "ims.accept-contact.equals-pps"),
        OTHER_SERVICE,
    ),
    Mutant(
        "pager.method.out-of-dialog",
        HANDSET,
        "pager_mo",
        lambda s: s.sub(0, f"To: <{FAR}>", f"To: <{FAR}>;tag=x"),
        ("sip.from.tag", "sip.response.echo"),
        "a To tag of no dialog, which the answer does not repeat",
    ),
    Mutant("pager.no-contact", HANDSET, "pager_mo", lambda s: s.line(0, "Contact: <sip:a@10.0.0.5>")),
    Mutant("pager.no-contact", NETWORK, "pager_mo", lambda s: s.line(1, "m: <sip:a@10.0.0.1>")),
    Mutant("pager.no-contact", HANDSET, "pager_mt", lambda s: s.line(1, "Contact: <sip:a@10.0.0.5>")),
    Mutant(
        "pager.2xx-no-body",
        NETWORK,
        "pager_mo",
        lambda s: s.line(1, "Content-Type: text/plain").body(1, "ok"),
    ),
    Mutant(
        "pager.2xx-no-body",
        HANDSET,
        "pager_mt",
        lambda s: s.line(1, "Content-Type: text/plain").body(1, "ok"),
    ),
    Mutant("pager.content-type", HANDSET, "pager_mo", lambda s: s.sub(0, "message/cpim", "text/plain")),
    Mutant(
        "pager.content-type",
        NETWORK,
        "pager_mo",
        lambda s: s.sub(2, "message/cpim", "message/imdn+xml"),
        ("imdn.order.network",),
        "a notification that cannot be read is none, so that displayed comes first",
    ),
    Mutant(
        "pager.content-type",
        HANDSET,
        "pager_list",
        lambda s: s.sub(0, "Content-Disposition: recipient-list", "Content-ID: <a@b>"),
    ),
    Mutant(
        "pager.content-type.cpm",
        HANDSET,
        "pager_mo",
        lambda s: s.sub(0, "message/cpim", "text/plain").body(0, "hello"),
    ),
    Mutant(
        "pager.accept-contact.icsi",
        HANDSET,
        "pager_mo",
        lambda s: s.sub(0, f'icsi-ref="{ICSI}msg"', f'icsi-ref="{ICSI}session"'),
        ("ims.accept-contact.equals-pps",),
        OTHER_SERVICE,
    ),
    Mutant(
        "pager.accept-contact.icsi",
        NETWORK,
        "pager_mt",
        lambda s: s.without(0, "Accept-Contact"),
        ("ims.accept-contact.present.network",),
        "the header is missing altogether",
    ),
    Mutant("pager.list.require", HANDSET, "pager_list", lambda s: s.without(0, "Require")),
    Mutant(
        "pager.list.require",
        HANDSET,
        "pager_mo",
        lambda s: s.line(0, "Require: recipient-list-message"),
    ),
    Mutant("pager.list.require", HANDSET, "pager_list", lambda s: s.sub(0, "</list></res", "</res")),
    Mutant(
        "pager.list.service",
        HANDSET,
        "pager_list",
        lambda s: s.sub(0, "cpm.msg.group", "cpm.msg"),
        ("ims.p-preferred-service.value",),
        "the service of a single message on a message to a list",
    ),
    Mutant("pager.size-limit", HANDSET, "pager_mo", lambda s: with_text(s, 1301)),
    Mutant(
        "pager.switch-to-large",
        HANDSET,
        "pager_mo",
        lambda s: with_text(s, 1301),
        settings=VerifySettings(icsis=frozenset({Service.PAGER.icsi, Service.LARGE.icsi})),
    ),
    Mutant("pager.one-outstanding", HANDSET, "pager_mo", overtaken),
    Mutant("pager.one-outstanding", HANDSET, "pager_mo", in_a_capture),
    Mutant(
        "pager.size-limit.whole-request",
        HANDSET,
        "pager_mo",
        lambda s: over_udp(with_text(s, 400)),
    ),
    Mutant(
        "pager.small-in-large",
        HANDSET,
        "session_mo",
        lambda s: s.sub(0, f"{PPS}session", f"{PPS}largemsg").sub(
            0, "a=sendrecv", "a=sendonly\r\na=file-selector:size:1300"
        ),
        ("ims.accept-contact.equals-pps", "large.invite.icsi", "large.sdp.direction.answer"),
        "a chat that is made a large message in two places alone",
    ),
]
