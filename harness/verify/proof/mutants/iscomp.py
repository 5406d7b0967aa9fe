"""Signs of typing, spoiled one by one (RFC 3994)."""

from __future__ import annotations

from harness.evidence.timeline import Layer
from harness.verify.proof.cpim_changes import in_chat
from harness.verify.proof.flows.composing import ACTIVE, COMPOSING, XML, bare, seen, wrapped
from harness.verify.proof.flows.msrp import answered, content
from harness.verify.proof.flows.sip import pager_mo
from harness.verify.proof.imdn_changes import inserted
from harness.verify.proof.messages import ANONYMOUS, UE, imdn_body
from harness.verify.proof.mutant import HANDSET, NETWORK, Change, Mutant
from harness.verify.proof.script import Script

# chat_typing: active and idle of the handset, then of the far end.
TYPES, STOPS, FAR_TYPES, FAR_STOPS = 20, 22, 24, 26
STATE = "<state>active</state>"
REFRESH = "<refresh>90</refresh>"


def both(rule: str, old: str, new: str, *, idle: bool = False) -> list[Mutant]:
    """A document of either side with other text."""
    steps = (STOPS, FAR_STOPS) if idle else (TYPES, FAR_TYPES)
    parties = (HANDSET, NETWORK)
    return [
        Mutant(rule, party, "chat_typing", in_chat(step, (old, new)))
        for party, step in zip(parties, steps, strict=True)
    ]


def again(index: int, document: str, after: float) -> Change:
    """The handset says this too, so many seconds later."""
    return inserted(index, *bare(True, 9, document, after))


def by_message(wrapped: bool) -> Change:
    """The first text of pager_mo is a sign of typing."""

    def change(script: Script) -> Script:
        script.drop(2, 3, 4, 5)
        if wrapped:
            body = script.steps[0].text.partition("\r\n\r\n")[2]
            head = body[: body.index("NS: imdn")]
            mime = f"Content-Type: {COMPOSING}\r\nContent-Length: {len(ACTIVE)}"
            return script.body(0, f"{head}\r\n{mime}\r\n\r\n{ACTIVE}")
        script.sub(0, "Content-Type: message/cpim", f"Content-Type: {COMPOSING}")
        return script.body(0, ACTIVE)

    return change


def refused_and_sent_again(script: Script) -> Script:
    """The handset types by MESSAGE, gets 415, and types on."""
    by_message(True)(script).sub(1, "200 OK", "415 Unsupported Media Type").line(1, "Accept: text/plain")
    later = by_message(True)(pager_mo())
    for old, new in (("z9hG4bKmoa", "z9hG4bKmoz"), ("calla9d", "callz9d"), ("froma8", "fromz8")):
        later.everywhere(old, new)
    later.everywhere("bbb-000000000001", "bbb-000000000009")
    script.steps += later.steps
    return script


def asked_by_id(script: Script) -> Script:
    """The sign of typing in the group has an id."""
    ids = "NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: Ty1aB2cD3eF4gH5iJ6k"
    return in_chat(7, ("DateTime", f"{ids}\r\nDateTime"))(script)


def reported(script: Script) -> Script:
    """The focus reports a sign of typing delivered."""
    asked_by_id(script)
    body = imdn_body(ANONYMOUS, UE, "Not5aB2cD3eF4gH5iJ6k", "Ty1aB2cD3eF4gH5iJ6k", "delivery", "delivered")
    told = content(False, "nR1kX2mP9sLw", "Rep1kQ2mP9sLw", body.replace("20Z</datetime>", "21Z</datetime>"))
    script.steps[9:9] = answered(told)
    return script


def still_shown(script: Script) -> Script:
    """Idle came at 17.6 s, and the screen shows for long who types."""
    return script.saw(30.0, Layer.ADB, "screen", **seen("They are typing")).wait(20.0)


def shown_for_paused(script: Script) -> Script:
    """The far end says what nobody knows, and the screen shows it as typing."""
    in_chat(FAR_STOPS, (" idle ", "paused"))(script)
    return still_shown(script)


DOCUMENT = [
    *both("iscomp.xml", "</isComposing>", ""),
    *both("iscomp.xml", "im-iscomposing", "im-composing"),
    *both("iscomp.xml", XML, f'{XML}<!DOCTYPE x [<!ENTITY a "aaa">]>'),
    *both("iscomp.xml", "<refresh>", "<since>1</since><refresh>"),
    *both("iscomp.xml.schema", STATE, ""),
    *both("iscomp.xml.schema", f"{STATE}<contenttype>text/plain</contenttype>{REFRESH}", f"{REFRESH}{STATE}"),
    *both("iscomp.xml.schema", "<refresh>", "<refresh>90</refresh><refresh>"),
    *both("iscomp.xml.schema", ">90<", ">soon<"),
    *both("iscomp.xml.schema", ">90<", ">0<"),
    *both("iscomp.state", ">active<", ">Active<"),
    *both("iscomp.refresh", ">90<", ">59<"),
    *both("iscomp.lastactive", "2003-01-27T10:43:00Z", "2003-01-27 10:43", idle=True),
    *both("iscomp.contenttype", "text/plain", "text plain"),
    Mutant("iscomp.state", HANDSET, "group_typing", in_chat(7, (">active<", ">Active<"))),
]
WHERE = [
    Mutant("iscomp.form", HANDSET, "chat", inserted(20, *wrapped(True, 1, ACTIVE))),
    Mutant("iscomp.form", NETWORK, "chat", inserted(20, *wrapped(False, 1, ACTIVE))),
    Mutant(
        "iscomp.media-type",
        HANDSET,
        "chat_typing",
        lambda s: s.sub(3, f" {COMPOSING}", ""),
    ),
    Mutant(
        "iscomp.media-type",
        NETWORK,
        "chat_typing",
        lambda s: s.sub(0, f" {COMPOSING}", ""),
        ("session.sdp.accept-types",),
        "the SDP of the handset takes no signs of typing, as that of a chat has to",
    ),
    Mutant("iscomp.not-pager", HANDSET, "pager_mo", by_message(True)),
    Mutant(
        "iscomp.not-pager",
        HANDSET,
        "pager_mo",
        by_message(False),
        ("pager.content-type.cpm",),
        "the document is sent as it is, where CPM has all in CPIM",
    ),
    Mutant(
        "iscomp.stop-after-415",
        HANDSET,
        "pager_mo",
        refused_and_sent_again,
        ("iscomp.not-pager",),
        "what may be refused so is a sign of typing by MESSAGE",
    ),
    Mutant("iscomp.no-imdn", HANDSET, "group_typing", asked_by_id),
    Mutant(
        "iscomp.no-imdn",
        NETWORK,
        "group_typing",
        reported,
        ("iscomp.no-imdn", "imdn.only-requested"),
        "only what has an id can be reported, and it asked for nothing",
    ),
]
WHEN = [
    Mutant("iscomp.rate", HANDSET, "chat_typing", again(22, ACTIVE, 5.0)),
    Mutant("iscomp.rate", HANDSET, "chat_typing", again(24, ACTIVE.replace("active", "idle"), 15.0)),
    Mutant("iscomp.idle-after", HANDSET, "chat_typing", lambda s: s.drop(*range(22, 31)).wait(140.0)),
    Mutant("iscomp.receiver", HANDSET, "typing_seen", still_shown),
    Mutant(
        "iscomp.state.receiver",
        HANDSET,
        "typing_seen",
        shown_for_paused,
        ("iscomp.state",),
        "what the far end has to send for it",
    ),
]
MUTANTS = [*DOCUMENT, *WHERE, *WHEN]
