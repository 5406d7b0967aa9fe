"""JSON reports keep to the schema that is published, whatever was in the capture."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from harness.evidence.capture import capture_to_timeline
from harness.verify import engine
from harness.verify.catalogue import Kind, load_checks, rule
from harness.verify.engine import Verifier
from harness.verify.finding import Severity
from harness.verify.judgement import Judgement
from harness.verify.report.as_json import VERSION, json_pieces, schema, to_json

SEED = Path(__file__).parents[2] / "corpora/seed"
VALIDATOR = Draft202012Validator(json.loads(schema()))


def judgement(timeline, name="a capture", profile="rcs51"):
    verifier = Verifier(profile)
    verifier.judge(timeline)
    return Judgement.of(name, verifier, ["a notice"])


def valid(*judgements):
    text = to_json(judgements)
    text.encode("utf-8")
    value = json.loads(text)
    VALIDATOR.validate(value)
    return value


def test_the_schema_itself_is_valid():
    Draft202012Validator.check_schema(json.loads(schema()))


def test_the_version_is_one_the_schema_takes():
    assert valid()["version"] == VERSION


def test_reports_of_conformant_flows_are_valid(conformant):
    found = valid(judgement(conformant.timeline()))
    (capture,) = found["captures"]
    assert capture["flows"] and sum(flow["rules"]["fail"] for flow in capture["flows"]) == 0


@pytest.mark.parametrize("name", ["pager", "session", "filetransfer"])
@pytest.mark.parametrize("profile", ["ietf", "rcs51", "up2"])
def test_reports_of_field_traces_are_valid(name, profile):
    found = valid(judgement(capture_to_timeline(SEED / f"{name}.pcapng"), profile=profile))
    flows = {flow["name"] for flow in found["captures"][0]["flows"]}
    parties = {party["name"] for party in found["captures"][0]["named_parties"]}
    assert found["findings"]
    assert {finding["flow"] for finding in found["findings"]} <= flows
    assert {finding["whose"] for finding in found["findings"]} <= parties


def test_a_report_of_hostile_octets_is_valid(flow):
    script = flow("pager_mo").line(0, "Contact: \udcff\x00<sip:\u202ex>", "Fr\udc9bom: \x1b[2J", "\udcfe")
    assert valid(judgement(script.timeline(), "odd \udcff \ud83d"))["findings"]


def test_a_rule_that_broke_is_valid_and_said_to_be_ours(flow, monkeypatch):
    def broken(entry, flow):
        raise RuntimeError("no such thing \udcff")

    rule("sip.via.echo", on=Kind.RESPONSE)(broken)
    checks = (*broken.checks, *load_checks())
    monkeypatch.setattr(engine, "load_checks", lambda: checks)
    found = valid(judgement(flow("pager_mt").timeline()))
    internal = [finding for finding in found["findings"] if finding["rule"] == "internal"]
    assert {finding["whose"] for finding in internal} == {"lab"}
    assert found["verdict"] == "inconc"


def test_the_matrix_tells_what_did_not_pass(flow):
    found = valid(
        judgement(flow("pager_mo").line(0, "Contact: <sip:me@10.0.0.5>").timeline(), profile="ietf")
    )
    (flow_told,) = found["captures"][0]["flows"]
    assert flow_told["not_passed"] == {"pager.no-contact": "fail"}
    assert flow_told["rules"]["fail"] == 1 and flow_told["rules"]["pass"] > 20


def test_it_is_written_finding_by_finding():
    found = judgement(capture_to_timeline(SEED / "pager.pcapng"))
    pieces = list(json_pieces([found]))
    assert max(map(len, pieces)) < len("".join(pieces)) // 4
    assert json.loads("".join(pieces))["findings"] == json.loads(json.dumps(valid(found)["findings"]))


def test_the_schema_refuses_what_it_does_not_name(flow):
    found = valid(judgement(flow("pager_mo").line(0, "Contact: <sip:x>").timeline(), profile="ietf"))
    assert found["findings"][0]["severity"] in list(Severity)
    for spoil in (
        lambda value: value["findings"][0].update(surprise=1),
        lambda value: value["findings"][0].pop("whose"),
        lambda value: value.update(verdict="maybe"),
        lambda value: value["captures"][0]["flows"][0].update(act="dance"),
    ):
        spoilt = json.loads(json.dumps(found))
        spoil(spoilt)
        assert list(VALIDATOR.iter_errors(spoilt))
