"""Requests that name their service wrongly: service headers, feature tags, CPM ids (RFC 6050, RFC 3841)."""

from __future__ import annotations

from harness.cpm.services import iari_feature
from harness.verify.proof.messages import CONVERSATION, ICSI
from harness.verify.proof.mutant import HANDSET, NETWORK, Mutant
from harness.verify.proof.script import Script

PPS = "P-Preferred-Service: urn:urn-7:3gpp-service.ims.icsi.oma.cpm."
TAG = f'+g.3gpp.icsi-ref="{ICSI}msg"'
PLACE_TAG = iari_feature("rcs.geopush")
OTHER = "11111111-2222-4333-8444-555555555555"


def second_text(script: Script) -> Script:
    """Another text of the handset later on, with an IMDN id of its own."""
    script.steps = [*script.steps[:2], *script.steps[:2]]
    for index in (2, 3):
        script.everywhere("z9hG4bKmoa", "z9hG4bKmoz", index).everywhere("calla", "callz", index)
        script.everywhere("Msg1aB2cD3eF4gH5iJ6k", "Msg9aB2cD3eF4gH5iJ6k", index)
        script.everywhere("000000000001\r\n", "000000000099\r\n", index)
    return script


MUTANTS = [
    Mutant(
        "ims.p-preferred-service.present", HANDSET, "pager_mo", lambda s: s.without(0, "P-Preferred-Service")
    ),
    Mutant(
        "ims.p-preferred-service.plain-urn",
        HANDSET,
        "pager_mo",
        lambda s: s.sub(0, f"{PPS}msg", f"P-Preferred-Service: {ICSI}msg"),
    ),
    Mutant(
        "ims.p-preferred-service.plain-urn",
        HANDSET,
        "pager_mo",
        lambda s: s.sub(0, f"{PPS}msg", f'P-Preferred-Service: "{PPS[21:]}msg"'),
    ),
    Mutant(
        "ims.p-preferred-service.plain-urn",
        HANDSET,
        "pager_mo",
        lambda s: s.sub(0, f"{PPS}msg", f"{PPS}msg\r\n{PPS}msg"),
    ),
    Mutant(
        "ims.p-preferred-service.value",
        HANDSET,
        "session_mo",
        lambda s: s.sub(0, f"{PPS}session", f"{PPS}session.x"),
    ),
    Mutant("ims.p-preferred-service.not-in-response", NETWORK, "pager_mo", lambda s: s.line(1, f"{PPS}msg")),
    Mutant(
        "ims.p-preferred-service.not-in-response", HANDSET, "session_mo", lambda s: s.line(7, f"{PPS}session")
    ),
    Mutant(
        "ims.accept-contact.present",
        HANDSET,
        "pager_mo",
        lambda s: s.without(0, "Accept-Contact"),
        ("pager.accept-contact.icsi",),
        "the header is missing altogether",
    ),
    Mutant(
        "ims.accept-contact.present.network",
        NETWORK,
        "pager_mt",
        lambda s: s.without(0, "Accept-Contact"),
        ("pager.accept-contact.icsi",),
        "the header is missing altogether",
    ),
    Mutant("ims.accept-contact.grammar", HANDSET, "pager_mo", lambda s: s.sub(0, TAG, f"{TAG};x;x")),
    Mutant("ims.accept-contact.grammar", HANDSET, "pager_mo", lambda s: s.sub(0, TAG, f"{TAG};{TAG}")),
    Mutant(
        "ims.accept-contact.icsi-encoding",
        HANDSET,
        "pager_mo",
        lambda s: s.sub(
            0,
            'Accept-Contact: *;+g.3gpp.icsi-ref="urn%3Aurn-7%3A',
            'Accept-Contact: *;+g.3gpp.icsi-ref="urn:urn-7:',
        ),
    ),
    Mutant(
        "ims.accept-contact.icsi-encoding.needless",
        HANDSET,
        "pager_mo",
        lambda s: s.sub(0, TAG, TAG.replace("oma.cpm", "oma%2Ecpm")),
    ),
    Mutant(
        "ims.accept-contact.tag-name",
        HANDSET,
        "pager_mo",
        lambda s: s.sub(0, "+g.3gpp.icsi-ref", "+g.3gpp.icsi_ref"),
        ("pager.accept-contact.icsi",),
        "a tag by another name is none",
    ),
    Mutant(
        "ims.accept-contact.tag-extra",
        HANDSET,
        "pager_mo",
        lambda s: s.sub(0, TAG, f"{TAG};{TAG.replace('icsi-ref', 'app_ref')}"),
    ),
    Mutant(
        "ims.accept-contact.list",
        HANDSET,
        "pager_mo",
        lambda s: s.sub(0, TAG, TAG[:-1] + f', {ICSI}largemsg"'),
    ),
    Mutant(
        "ims.accept-contact.equals-pps",
        HANDSET,
        "pager_mo",
        lambda s: s.sub(0, TAG, TAG.replace("oma.cpm.msg", "oma.cpm.largemsg")),
        ("pager.accept-contact.icsi",),
        "another service than that of a pager message",
    ),
    Mutant(
        "ims.contact.feature-tag",
        HANDSET,
        "refused_mo",
        lambda s: s.sub(0, f'5060>;+g.3gpp.icsi-ref="{ICSI}session"', "5060>"),
    ),
    Mutant(
        "ims.contact.feature-tag.network",
        NETWORK,
        "session_mo",
        lambda s: s.sub(2, f';+g.3gpp.icsi-ref="{ICSI}session"', ""),
    ),
    Mutant(
        "ims.contact.feature-tag-match",
        HANDSET,
        "refused_mo",
        lambda s: s.sub(
            0, f'5060>;+g.3gpp.icsi-ref="{ICSI}session"', f'5060>;+g.3gpp.icsi-ref="{ICSI}largemsg"'
        ),
    ),
    Mutant("ims.request-disposition", HANDSET, "pager_mo", lambda s: s.without(0, "Request-Disposition")),
    Mutant("ims.request-disposition", HANDSET, "pager_mo", lambda s: s.sub(0, "no-fork", "no-fork, fork")),
    Mutant("ims.conversation-id.present", HANDSET, "refused_mo", lambda s: s.without(0, "Conversation-ID")),
    Mutant(
        "ims.conversation-id.stable",
        HANDSET,
        "pager_mo",
        lambda s: second_text(s).everywhere(CONVERSATION, OTHER, 2, 3),
    ),
    Mutant("ims.contribution-id.present", HANDSET, "refused_mo", lambda s: s.without(0, "Contribution-ID")),
    Mutant(
        "ims.contribution-id.present",
        HANDSET,
        "pager_mo",
        lambda s: second_text(s).everywhere("000000000099\r\n", "000000000001\r\n", 2, 3),
    ),
    Mutant(
        "ims.contribution-id.entropy",
        NETWORK,
        "pager_mt",
        lambda s: s.everywhere("0b0f8f6e-1111-4aaa-8bbb-00000000000d", "f415972d55", 0, 1),
    ),
    Mutant(
        "ims.ids.uuid",
        HANDSET,
        "pager_mo",
        lambda s: s.everywhere(
            "0b0f8f6e-1111-4aaa-8bbb-000000000001", "0b0f8f6e11114aaa8bbb000000000001", 0, 1
        ),
    ),
    Mutant("ims.ids.echo-in-2xx", NETWORK, "session_mo", lambda s: s.without(3, "Contribution-ID")),
    Mutant("ims.ids.echo-in-2xx", HANDSET, "pager_mt", lambda s: s.without(1, "Conversation-ID")),
    Mutant("ims.inreplyto", HANDSET, "pager_mt", lambda s: s.line(2, f"InReplyTo-Contribution-ID: {OTHER}")),
    Mutant("ims.p-early-media", HANDSET, "session_mo", lambda s: s.line(0, "P-Early-Media: supported")),
    Mutant(
        "imdn.feature-tag", NETWORK, "pager_mo", lambda s: s.sub(2, "oma.cpm.msg", "oma.cpm.filetransfer")
    ),
    Mutant(
        "ims.p-asserted-service",
        NETWORK,
        "pager_mt",
        lambda s: s.sub(0, "P-Asserted-Service", "P-Preferred-Service"),
    ),
    Mutant("ims.p-asserted-service", NETWORK, "pager_mt", lambda s: s.without(0, "P-Asserted-Service")),
    Mutant("ims.request-disposition", HANDSET, "pager_mo", lambda s: s.sub(0, "no-fork", "no-fork, spoon")),
    Mutant(
        "ims.accept-contact.split",
        HANDSET,
        "pager_mo",
        lambda s: s.sub(0, TAG, f"{TAG};{PLACE_TAG};require;explicit"),
    ),
    Mutant(
        "ims.accept-contact.require-explicit", HANDSET, "pager_mo", lambda s: s.sub(0, TAG, f"{TAG};require")
    ),
    Mutant(
        "ims.accept-contact.require-explicit",
        HANDSET,
        "pager_mo",
        lambda s: s.line(0, f"Accept-Contact: *;{PLACE_TAG}"),
    ),
    Mutant("ims.accept-contact.grammar", NETWORK, "pager_mt", lambda s: s.sub(0, TAG, f"{TAG};{TAG}")),
    Mutant(
        "ims.accept-contact.list",
        NETWORK,
        "pager_mt",
        lambda s: s.sub(0, TAG, TAG[:-1] + f', {ICSI}largemsg"'),
    ),
    Mutant("ims.conversation-id.present", NETWORK, "cancelled_mt", lambda s: s.without(0, "Conversation-ID")),
    Mutant("ims.contribution-id.present", NETWORK, "cancelled_mt", lambda s: s.without(0, "Contribution-ID")),
]
