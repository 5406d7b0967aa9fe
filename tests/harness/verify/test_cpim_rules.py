"""CPIM rules: levels of sub-cases, what is legal, and where a finding points (mutants are in the proof)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.verify.chains import CPIM_OCTETS
from harness.verify.engine import Verifier
from harness.verify.proof.changes import TEXT
from harness.verify.proof.cpim_changes import in_chat
from harness.verify.proof.flows.msrp import chat
from harness.verify.proof.flows.written import WRAPPER, in_chunks
from harness.verify.proof.messages import ANONYMOUS, FAR, UE


def own(found):
    return [(rule, party) for rule, party in found if rule.startswith("cpim.")]


def sub(index, old, new):
    return lambda script: script.sub(index, old, new)


BODY_FROM = f"\r\n\r\nFrom: <{UE}>\r\n"


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
    assert own(judged(change(script), "ietf")) == []


def test_a_finding_points_at_the_octet_of_the_header(flow):
    script = flow("pager_mo").sub(0, "DateTime: ", "DateTime:")
    (finding,) = [f for f in Verifier("rcs51").judge(script.timeline()) if f.rule.startswith("cpim.")]
    assert script.steps[0].text.encode()[finding.where.octet :].startswith(b"DateTime:2023")


def test_always_anonymous_is_clean(flow, judged):
    script = flow("pager_mo")
    for index in (2, 4):
        script.sub(index, f"\r\n\r\nFrom: <{FAR}>", f"\r\n\r\nFrom: <{ANONYMOUS}>")
    assert own(judged(script)) == []


def chat_of(**changes: str):
    """A chat in which a text has real names; text of its INVITE and 200 changed."""
    script = in_chat(TEXT, (f"To: <{ANONYMOUS}>", f"To: <{FAR}>"))(chat())
    for old, new in changes.values():
        script.everywhere(old, new, 0, 3)
    return script


@pytest.mark.parametrize(
    "change",
    [
        ("oma.cpm.session", "oma.cpm.session.group"),
        ("oma.cpm.session", "oma.cpm.largemsg"),
        (':5060>;+g.3gpp.icsi-ref="urn', ':5060>;isfocus;+g.3gpp.icsi-ref="urn'),
    ],
    ids=["group", "large", "focus"],
)
def test_real_names_are_right_where_more_than_two_talk(judged, change):
    assert "cpim.anonymous-1to1" in {rule for rule, _ in judged(chat_of())}
    assert "cpim.anonymous-1to1" not in {rule for rule, _ in judged(chat_of(change=change))}


def test_some_headers_may_stand_twice_in_a_session(judged):
    more = f"To: <{ANONYMOUS}>\r\nTo: <{ANONYMOUS}>\r\nNS: a <urn:a>\r\nNS: b <urn:b>\r\n"
    assert own(judged(in_chat(TEXT, (f"To: <{ANONYMOUS}>\r\n", more))(chat()))) == []


@pytest.mark.parametrize("charset", ["", ";charset=us-ascii", ";charset=utf-8", ';charset="UTF-8"'])
def test_a_text_in_ascii_needs_no_charset(flow, judged, charset):
    assert own(judged(sub(0, ";charset=UTF-8", charset)(flow("pager_mo")))) == []


def test_a_text_that_waited_in_the_network_is_old(flow, judged):
    script = flow("pager_mt").everywhere("2023-11-14T22:13:20Z", "2023-11-12T22:13:20Z")
    assert own(judged(script)) == []
    assert own(judged(flow("pager_mo").everywhere("2023-11-14T22:13:20Z", "2023-11-12T22:13:20Z"))) == [
        ("cpim.datetime.plausible", "handset")
    ]


def test_a_trace_without_dates_says_nothing_about_the_time_of_a_text(flow, judged):
    undated = [replace(entry, time=entry.time - 1_700_000_000.0) for entry in flow("pager_mo").timeline()]
    verifier = Verifier("rcs51")
    verifier.judge(undated)
    assert own((each.rule, each.party.value) for each in verifier.findings) == []


def test_the_length_of_an_object_too_long_to_be_kept_counts_all_of_it(judged):
    """The inner Content-Length of a wrapped file is judged by the octets of the message."""
    content = "x" * CPIM_OCTETS
    mime = f"Content-Type: image/jpeg\r\nContent-Length: {len(content)}"
    whole = f"{WRAPPER}\r\n{mime}\r\n\r\n{content}"
    script = chat()
    script.steps[8:20] = in_chunks(*(whole[at : at + 2**18] for at in range(0, len(whole), 2**18)))
    assert own(judged(script)) == []
    shorter = script.sub(8, f"Length: {len(content)}", f"Length: {len(content) - 9}")
    assert own(judged(shorter)) == [("cpim.content-length.exact", "handset")]


def test_headers_repeated_in_the_text_itself_are_no_new_object(judged):
    """A text about CPIM may have header lines where a chunk begins."""
    script = chat()
    head = f"{WRAPPER}\r\nContent-Type: text/plain\r\nContent-Length: 0000\r\n\r\n"
    first = head.ljust(2048, "x")
    second = f"{WRAPPER}, it said"
    length = len(first) + len(second) - len(head)
    script.steps[8:20] = in_chunks(first.replace("0000", f"{length:04d}"), second)
    assert own(judged(script)) == []
