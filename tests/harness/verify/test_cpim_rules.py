"""CPIM rules: each is broken by one spoiled body and by nothing else of its group."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from harness.bodies.cpim import parse_cpim
from harness.cpm.profiles import Profile
from harness.evidence.timeline import Layer
from harness.verify.assembly import Assembly
from harness.verify.engine import Flow, Verifier, VerifySettings
from harness.verify.finding import Party
from harness.verify.items import CpimItem
from harness.verify.rules import cpim as rules

UE = "sip:+491700000001@example.org;user=phone"
FAR = "sip:+491700000002@example.org;user=phone"
ANONYMOUS = "sip:anonymous@anonymous.invalid"
NS = "NS: imdn <urn:ietf:params:imdn>\r\n"
HEADERS = f"From: <{UE}>\r\nTo: <{FAR}>\r\n"


def own(found):
    return [(rule, party) for rule, party in found if rule.startswith("cpim.")]


def sub(index, old, new):
    return lambda script: script.sub(index, old, new)


BODY_FROM = f"\r\n\r\nFrom: <{UE}>\r\n"
SPOILED = [
    ("cpim.structure", sub(0, "display\r\n\r\nContent-Type", "display\r\n\r\nhello\r\nContent-Type")),
    ("cpim.structure", sub(0, "Content-Length: 12\r\n\r\nhello, world", "Content-Length: 0")),
    ("cpim.structure", sub(0, f"To: <{FAR}>\r\nDateTime", f"To: <{FAR}>\nDateTime")),
    ("cpim.structure", sub(0, "display\r\n\r\nContent-Type", "display\r\n\nContent-Type")),
    ("cpim.structure", sub(0, BODY_FROM, f"\r\n\r\n\r\nFrom: <{UE}>\r\n")),
    ("cpim.structure", lambda s: s.body(0, "hello, world")),
    ("cpim.structure.rfc5438-form", sub(0, "display\r\n\r\nContent-Type", "display\r\nContent-Type")),
    ("cpim.header.colon-space", sub(0, "DateTime: ", "DateTime:")),
    ("cpim.header.colon-space", sub(0, "DateTime: ", "DateTime:  ")),
    ("cpim.header.colon-space", sub(0, "DateTime: ", "Subject: a \r\nDateTime: ")),
    ("cpim.header.colon-space", sub(0, "DateTime: ", "Subject: a\r\n b\r\nDateTime: ")),
    ("cpim.header.colon-space", sub(0, "DateTime: ", "Sub ject: a\r\nDateTime: ")),
    ("cpim.header.colon-space", sub(0, "DateTime: ", "no header\r\nDateTime: ")),
    (
        "cpim.header.utf8",
        lambda s: s.sub(0, "DateTime: ", "Subject: ~\r\nDateTime: ").everywhere("~", "\udcff", 0),
    ),
    ("cpim.header.utf8", sub(0, "DateTime: ", "Süb: a\r\nDateTime: ")),
    ("cpim.header.no-control", sub(0, "DateTime: ", "Subject: a\x07b\r\nDateTime: ")),
    ("cpim.header.escape", sub(0, "DateTime: ", "Subject: a\\x\r\nDateTime: ")),
    ("cpim.header.escape", sub(0, "DateTime: ", "Subject: \\u0041\r\nDateTime: ")),
    ("cpim.header.escape", sub(0, BODY_FROM, f'\r\n\r\nFrom: "a"b" <{UE}>\r\n')),
    ("cpim.header.case", sub(0, BODY_FROM, f"\r\n\r\nfrom: <{UE}>\r\n")),
    ("cpim.header.case", sub(0, "DateTime: ", "Datetime: ")),
    ("cpim.header.case", sub(0, "\r\nNS: ", "\r\nns: ")),
    ("cpim.header.case", sub(0, "imdn.Message-ID", "imdn.Message-Id")),
    ("cpim.from-to.present", sub(0, BODY_FROM, "\r\n\r\n")),
    ("cpim.from-to.present", sub(0, BODY_FROM, f"\r\n\r\nFrom: {UE}\r\n")),
    ("cpim.from-to.present", sub(0, BODY_FROM, "\r\n\r\nFrom: <+491700000001>\r\n")),
    ("cpim.from-to.present.sip", sub(0, BODY_FROM, f"{BODY_FROM}From: <{UE}>\r\n")),
    ("cpim.from-to.present.sip", sub(0, f"{BODY_FROM}To: <{FAR}>\r\n", BODY_FROM)),
    ("cpim.datetime.present", sub(0, "DateTime: 2023-11-14T22:13:20Z\r\n", "")),
    ("cpim.datetime.rfc3339", sub(0, "DateTime: 2023-11-14T22:13:20Z", "DateTime: 2023-11-14 22:13:20Z")),
    ("cpim.datetime.rfc3339", sub(0, "DateTime: 2023-11-14T22:13:20Z", "DateTime: 2023-11-14T22:13:20")),
    ("cpim.datetime.rfc3339", sub(0, "DateTime: 2023-11-14T22:13:20Z", "DateTime: 2023-11-31T22:13:20Z")),
    ("cpim.ns.declared", sub(0, NS, "")),
    ("cpim.ns.declared", lambda s: s.sub(0, NS, "").sub(0, "display\r\n", f"display\r\n{NS}")),
    ("cpim.ns.declared", sub(0, "<urn:ietf:params:imdn>", "<urn:example:other>")),
    ("cpim.content-type.present", sub(0, "Content-Type: text/plain;charset=UTF-8\r\n", "")),
    (
        "cpim.content-length.exact",
        sub(0, "Content-Length: 12\r\n\r\nhello", "Content-Length: 9\r\n\r\nhello"),
    ),
    (
        "cpim.content-length.exact",
        sub(0, "Content-Length: 12\r\n\r\nhello", "Content-Length: x\r\n\r\nhello"),
    ),
    ("cpim.content-length.exact", sub(0, "hello, world", "hello, world\r\n")),
]


@pytest.mark.parametrize(("rule", "spoil"), SPOILED, ids=[case[0] for case in SPOILED])
def test_a_spoiled_body_breaks_exactly_this_rule(flow, judged, rule, spoil):
    script = flow("pager_mo")
    script.steps = script.steps[:2]
    assert own(judged(spoil(script))) == [(rule, "handset")]


@pytest.mark.parametrize(
    ("rule", "severity", "spoil"),
    [
        ("cpim.content-length.exact", "INFO", sub(0, "hello, world", "hello, world\r\n")),
        ("cpim.content-length.exact", "INFO", sub(0, "hello, world", "hello, world\n")),
        ("cpim.content-length.exact", "SHOULD", sub(0, "hello, world", "hello, world!!")),
        ("cpim.datetime.rfc3339", "SHOULD", sub(0, "DateTime: 2023-11-14T22", "DateTime: 2023-11-14t22")),
        ("cpim.datetime.rfc3339", "MUST", sub(0, "DateTime: 2023-11-14T22", "DateTime: 2023-11-14 22")),
    ],
)
def test_sub_cases_have_their_own_level(flow, rule, severity, spoil):
    findings = Verifier("rcs51").judge(spoil(flow("pager_mo")).timeline())
    assert [(f.rule, f.severity) for f in findings if f.rule.startswith("cpim.")] == [(rule, severity)]


@pytest.mark.parametrize(
    "change",
    [
        sub(0, "Content-Type: text/plain;charset=UTF-8", "content-type: text/plain;\r\n charset=UTF-8"),
        sub(0, "DateTime: ", "Subject: \r\nDateTime: "),
        sub(0, "DateTime: ", "Subject:;lang=fr beau\r\nDateTime: "),
        sub(0, "DateTime: ", "Unknown-Header: x\r\nDateTime: "),
        sub(0, BODY_FROM, f'\r\n\r\nFrom: "A \\"B\\"" <{UE}>\r\n'),
        sub(0, "DateTime: 2023-11-14T22:13:20Z", "DateTime: 2023-11-14T23:13:20.1234567+01:00"),
        sub(0, "Content-Length: 12\r\n\r\nhello", "\r\nhello"),
        lambda s: s.everywhere("NS: imdn <", "NS: zz <").everywhere("\r\nimdn.", "\r\nzz."),
    ],
)
def test_what_rfc_3862_allows_is_clean(flow, judged, change):
    script = flow("pager_mo")
    script.steps = script.steps[:2]
    assert own(judged(change(script))) == []


def test_a_finding_points_at_the_octet_of_the_header(flow):
    script = flow("pager_mo").sub(0, "DateTime: ", "DateTime:")
    (finding,) = [f for f in Verifier("rcs51").judge(script.timeline()) if f.rule.startswith("cpim.")]
    assert script.steps[0].text.encode()[finding.where.octet :].startswith(b"DateTime:2023")


def test_anonymous_and_real_from_in_one_conversation(flow, judged):
    script = flow("pager_mo").sub(2, f"\r\n\r\nFrom: <{FAR}>", f"\r\n\r\nFrom: <{ANONYMOUS}>")
    assert own(judged(script)) == [("cpim.anonymous-mixed", "network")]


def test_always_anonymous_is_clean(flow, judged):
    script = flow("pager_mo")
    for index in (2, 4):
        script.sub(index, f"\r\n\r\nFrom: <{FAR}>", f"\r\n\r\nFrom: <{ANONYMOUS}>")
    assert own(judged(script)) == []


def over_msrp(headers: str, *, service: str = "session", focus: bool = False) -> CpimItem:
    """A CPIM message of an MSRP session set up by an INVITE of that service."""
    raw = (headers + "\r\nContent-Type: text/plain\r\n\r\nhi").encode()
    urn = f"urn:urn-7:3gpp-service.ims.icsi.oma.cpm.{service}"
    contact = SimpleNamespace(parameters={"isfocus": None} if focus else {})
    sip = SimpleNamespace(values=lambda name: [urn] if name == "P-Preferred-Service" else [])
    invite = SimpleNamespace(sip=sip, contacts=[contact])
    dialog = SimpleNamespace(creation=SimpleNamespace(request=invite, responses=[]))
    carrier = SimpleNamespace(
        layer=Layer.MSRP, dialog=dialog, number=1, time=0.0, place=1, sender=Party.HANDSET, label="SEND #1"
    )
    return CpimItem(carrier, 0, raw, parse_cpim(raw))  # type: ignore[arg-type]


BOTH = f"From: <{ANONYMOUS}>\r\nTo: <{ANONYMOUS}>\r\n"
ON_MSRP = [
    ("cpim.anonymous-1to1", over_msrp(HEADERS)),
    ("cpim.from-to.present", over_msrp(f"To: <{ANONYMOUS}>\r\n")),
    ("cpim.from-to.present", over_msrp(f"From: <{ANONYMOUS}>\r\n")),
    ("cpim.from-to.present", over_msrp(f"From: <{ANONYMOUS}>\r\n{BOTH}")),
    ("cpim.single-occurrence", over_msrp(f"{BOTH}Subject: a\r\nSubject:;lang=fr b\r\n")),
    (None, over_msrp(BOTH)),
    (None, over_msrp(f"{BOTH}To: <{ANONYMOUS}>\r\nNS: a <urn:a>\r\nNS: b <urn:b>\r\n")),
    (None, over_msrp(HEADERS, focus=True)),
    (None, over_msrp(HEADERS, service="session.group")),
    (None, over_msrp(HEADERS, service="largemsg")),
]


@pytest.mark.parametrize(("rule", "item"), ON_MSRP)
def test_rules_of_cpim_over_msrp(rule, item):
    flow = Flow(Assembly(), VerifySettings(), Profile.RCS51)
    functions = [value for value in vars(rules).values() if getattr(value, "checks", None)]
    broken = {check.id for function in functions for check in function.checks if list(function(item, flow))}
    assert broken == ({rule} if rule else set())
