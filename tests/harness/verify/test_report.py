"""Reports: what a person and a pipeline read."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from harness.evidence.capture import capture_to_timeline
from harness.verify.captures import judge_captures
from harness.verify.engine import Verifier
from harness.verify.finding import Verdict
from harness.verify.judgement import Judgement, overall
from harness.verify.report.as_html import to_html
from harness.verify.report.as_json import to_json
from harness.verify.report.as_junit import to_junit
from harness.verify.report.as_text import to_text
from harness.verify.report.formats import FORMATS
from harness.verify.report.summary import by_party
from harness.verify.transcript import Transcript

SEED = Path(__file__).parents[2] / "corpora/seed"
PAGER = SEED / "pager.pcapng"


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
    assert text.splitlines()[1] == (
        "handset: fail by ims.sip-instance.non-register, pager.no-contact; "
        "network: fail by imdn.xml.datetime-present"
    )
    assert "  FAIL MUST   pager.no-contact: MESSAGE and its 2xx have no Contact." in text
    assert "Contact at octet " in text and "RFC 3428 4" in text


def test_json_holds_findings_captures_and_verdict(judgement, clean):
    value = json.loads(to_json([judgement, clean]))
    assert value["verdict"] == "fail"
    assert [(item["name"], item["verdict"]) for item in value["captures"]] == [
        ("pager.pcapng", "fail"),
        ("clean.pcapng", "pass"),
    ]
    assert value["captures"][0]["parties"] == {"handset": "fail", "network": "fail"}
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
    assert not re.search(r"https?://|\ssrc=|\shref=\"[^#]|@import|url\(", page)


def test_data_in_the_page_cannot_end_its_element(flow):
    script = flow("pager_mo").line(0, "Contact: </script><script>x</script> <!-- ]]> &lt; <sip:x>")
    verifier = Verifier("ietf", transcript=Transcript())
    verifier.judge(script.timeline())
    page = to_html([Judgement.of("</script>", verifier)])
    blocks = re.findall(r'<script type="application/json" id="[\w-]+">(.*?)</script>', page, re.DOTALL)
    assert len(blocks) == 2 and not re.search("[<>&]", "".join(blocks))
    assert "</script><script>x" in json.dumps([json.loads(block) for block in blocks])


def test_characters_xml_cannot_carry_are_replaced(flow):
    verifier = Verifier()
    verifier.judge(flow("pager_mo").line(0, "Frobnic\x01ate: \x02").timeline())
    for render in FORMATS.values():
        assert "".join(render([Judgement.of("odd\x00", verifier)]))
    ElementTree.fromstring(to_junit([Judgement.of("odd", verifier)]))


def test_the_worst_verdict_counts(judgement, clean):
    empty = Judgement.of("empty", Verifier())
    assert overall([clean, judgement, empty]) is Verdict.FAIL
    assert overall([clean, empty]) is Verdict.INCONC
    assert overall([clean]) is Verdict.PASS
    assert overall([]) is Verdict.INCONC


def test_a_party_is_not_failed_by_what_the_other_sent():
    verifier = Verifier("rcs51")
    verifier.judge(capture_to_timeline(PAGER))
    judgement = Judgement.of("pager.pcapng", verifier)
    assert by_party(judgement) == "handset: pass; network: fail by imdn.xml.datetime-present"
    assert by_party(Judgement.of("empty", Verifier())) == "handset: inconc; network: inconc"


def test_the_marks_are_told_where_there_are_findings(judgement, clean):
    assert "FAIL fails a run" in to_text([judgement, clean])
    assert "FAIL" not in to_text([clean])


def test_holes_are_told_with_their_places():
    (found,) = judge_captures([SEED / "filetransfer.pcapng"], "rcs51")
    (notice,) = found.notices
    assert notice == (
        "1323699 octets are missing at 2 places of the capture: "
        "118830 from [2001::1:88fe:fccf:2870:5dee]:8884 to [2001:0:0:1::2]:16012, "
        "1204869 from [2001:0:0:1::2]:16012 to [2001::1:88fe:fccf:2870:5dee]:8884"
    )
