"""Reports: what a person and a pipeline read."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from harness.evidence.capture import capture_to_timeline
from harness.verify.engine import Verifier
from harness.verify.finding import Verdict
from harness.verify.report import FORMATS, Judgement, overall, to_html, to_json, to_junit, to_text

PAGER = Path(__file__).parents[2] / "corpora/seed/pager.pcapng"


@pytest.fixture
def judgement():
    verifier = Verifier("ietf")
    verifier.judge(capture_to_timeline(PAGER))
    return Judgement.of("pager.pcapng", verifier)


@pytest.fixture
def clean(flow):
    verifier = Verifier()
    verifier.judge(flow("options_mt").timeline())
    return Judgement.of("clean.pcapng", verifier)


def test_text_says_who_what_where_and_by_which_clause(judgement):
    text = to_text([judgement])
    assert text.startswith("pager.pcapng: fail, profile ietf, 9 items, ")
    assert "MESSAGE #1  2015-02-17 06:54:27.412  handset -> network  [2001::1:88fe:fccf:2870:5dee]:" in text
    assert "  FAIL MUST   pager.no-contact: MESSAGE and its 2xx have no Contact." in text
    assert "Contact at octet " in text and "RFC 3428 4" in text


def test_json_holds_findings_captures_and_verdict(judgement, clean):
    value = json.loads(to_json([judgement, clean]))
    assert value["verdict"] == "fail"
    assert [(item["name"], item["verdict"]) for item in value["captures"]] == [
        ("pager.pcapng", "fail"),
        ("clean.pcapng", "pass"),
    ]
    finding = next(item for item in value["findings"] if item["rule"] == "pager.no-contact")
    assert set(finding) >= {
        "rule",
        "severity",
        "confidence",
        "party",
        "message",
        "where",
        "expected",
        "actual",
        "clause",
    }
    assert finding["party"] == "handset" and finding["where"]["header"] == "Contact"


def test_junit_fails_only_what_fails_a_run(judgement, clean):
    root = ElementTree.fromstring(to_junit([judgement, clean]))
    failed = {case.get("name") for case in root.iter("testcase") if case.find("failure") is not None}
    assert failed == {"pager.no-contact", "ims.sip-instance.non-register", "imdn.xml.datetime-present"}
    assert [suite.get("failures") for suite in root] == ["3", "0"]
    assert [suite.get("tests") for suite in root][1] == "1"


def test_html_is_one_page_with_nothing_remote(judgement):
    page = to_html([judgement])
    assert page.startswith("<!doctype html>") and "pager.no-contact" in page
    assert "http" not in page.replace("urn:", "") and "<script" not in page
    assert "&lt;sip:001011234567890@" in page


def test_characters_xml_cannot_carry_are_replaced(flow):
    verifier = Verifier()
    verifier.judge(flow("pager_mo").line(0, "Frobnic\x01ate: \x02").timeline())
    for render in FORMATS.values():
        render([Judgement.of("odd\x00", verifier)])
    ElementTree.fromstring(to_junit([Judgement.of("odd", verifier)]))


def test_the_worst_verdict_counts(judgement, clean):
    empty = Judgement.of("empty", Verifier())
    assert overall([clean, judgement, empty]) is Verdict.FAIL
    assert overall([clean, empty]) is Verdict.INCONC
    assert overall([clean]) is Verdict.PASS
    assert overall([]) is Verdict.INCONC
