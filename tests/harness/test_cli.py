"""The command: what it refuses and how, its exit codes, its formats."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from jsonschema import Draft202012Validator

from harness.evidence.capture import capture_octets
from harness.evidence.timeline import Address, Layer, Timeline, Transport

SEED = Path(__file__).parents[1] / "corpora" / "seed" / "pager.pcapng"
RCSLAB = [sys.executable, "-m", "harness.cli"]
COMMANDS = [
    "run",
    "doctor",
    "verify",
    "peer",
    "rules",
    "instruments",
    "instrument-probe",
    "app-probe",
    "simulate",
    "simulate handset",
    "simulate network-simulator",
]


def nothing_was_started(lab) -> bool:
    return not lab.results.exists() and lab.files() == [] and lab.processes() == {}


# lab.yaml


DUT = "benches.a.handsets.dut"


@pytest.mark.parametrize("command", ["run", "doctor"])
@pytest.mark.parametrize(
    ("old", "new", "field", "words"),
    [
        ("adb: simulated", "abd: simulated", f"{DUT}.abd", "unknown key"),
        ("port: 0 ", "port: many ", "benches.a.peer.port", "expected a whole number, got 'many'"),
        ("${SIM_A_OPC}", "${SIM_X}", f"{DUT}.sim.opc", "SIM_X is not set; set it in the environment"),
        ("app: google_messages", "app: telegram", f"{DUT}.app", "messaging app 'telegram' is unknown"),
        (
            "driver: cmw500",
            "driver: cmu200",
            "benches.a.network_simulator.driver",
            "no network simulator driver 'cmu200'; there are: cmw500, cmx500, md8475, mt8821c, uxm",
        ),
        ('msisdn: "+12025550101"', 'msisdn: "0170"', f"{DUT}.msisdn", "expected an E.164 number in quotes"),
    ],
)
def test_a_wrong_lab_file_is_told_by_line_and_column(here, rcslab, command, old, new, field, words):
    rows = here.write((old, new)).read_text().splitlines()
    line = next(number for number, row in enumerate(rows, 1) if new in row)
    column = rows[line - 1].index(field.rpartition(".")[2] + ":") + 1
    said = rcslab(command, "--lab", here.file)
    assert said.code == 2
    assert said.out == ""
    assert said.errors.startswith(f"rcslab: {here.file}:{line}:{column}: {field}: {words}")
    assert nothing_was_started(here)


def test_a_bench_that_is_there_twice_is_told_by_line_and_column(here, rcslab):
    rows = here.write(("  b:\n", "  a:\n")).read_text().splitlines()
    said = rcslab("run")
    line = len(rows) - rows[::-1].index("  a:")
    assert said.code == 2
    assert said.errors.startswith(f"rcslab: {here.file}:{line}:3: a: appears twice in the same mapping")
    assert nothing_was_started(here)


def test_a_lab_file_that_is_not_there_is_named(here, rcslab):
    said = rcslab("run", "--lab", here.folder / "no.yaml")
    assert (said.code, said.errors) == (2, f"rcslab: {here.folder}/no.yaml: no such file\n")
    here.file.unlink()
    said = rcslab("doctor")
    assert said.code == 2
    assert "no lab.yaml in" in said.errors


# run


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nosuch.robot"], "no suite at nosuch.robot"),
        (["--nosuchoption"], "Robot refuses its options: option --nosuchoption not recognized"),
        (["suite.robot", "--include", "nobody"], "contains no tests matching tag 'nobody'"),
        (["broken.robot"], "Suite 'Broken' contains no tests"),
        (["--bench", "z"], "no bench 'z'; this lab has: a, b"),
        (["--personality", "nobody"], "no personality 'nobody'; there are: reference"),
        (["--profile", "nobody"], "'nobody' is not one of 'ietf', 'rcs51', 'up2'"),
        (["--bench"], "requires an argument"),
        (["--bench", "a", "--bench", "z"], "no bench 'z'; this lab has: a, b"),
        (["--bench", "a", "--bench", "a"], "a bench is named twice: a, a"),
        (["--bench", "a", "--benches", "2"], "give it once for each, without --benches"),
        (["--benches", "3"], "this lab has 2 benches, not 3: a, b"),
        (["--benches", "0"], "Invalid value for '--benches'"),
        (["suite.robot", "--benches", "2", "--include", "nobody"], "contains no tests matching tag 'nobody'"),
    ],
)
def test_a_run_that_cannot_be_meant_starts_nothing(here, rcslab, arguments, words):
    here.suite("*** Test Cases ***\nOne\n    Log    one\n")
    (here.folder / "broken.robot").write_text("no suite at all\n")
    said = rcslab("run", *arguments)
    assert said.code == 2
    assert words in said.errors
    assert "Traceback" not in said.errors
    assert nothing_was_started(here)


# verify


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "got an empty file"),
        (b"# rcslab\n", "got a file that begins with octets 23 20"),
        (b"\x1f\x8b\x08\x00", "the gzip data end too early"),
        (SEED.read_bytes()[:10], "without byte-order magic"),
        (b"\xd4\xc3\xb2\xa1\x02\x00", "got 6 octets of a 24-octet header"),
    ],
)
def test_what_is_no_capture_is_refused(rcslab, tmp_path: Path, content, words):
    path = tmp_path / "file"
    path.write_bytes(content)
    said = rcslab("verify", path)
    assert said.code == 2
    assert said.out == ""
    assert f"{path}: expected a pcap or pcapng capture" in said.errors
    assert words in said.errors


def test_a_folder_and_a_missing_file_are_refused(rcslab, tmp_path: Path):
    assert "got a directory; name the files in it" in rcslab("verify", tmp_path).errors
    said = rcslab("verify", SEED, tmp_path / "nothing")
    assert (said.code, said.out) == (2, "")
    assert "No such file" in said.errors


def test_a_capture_cut_anywhere_is_told_to_be_cut(rcslab, tmp_path: Path):
    octets, path = SEED.read_bytes(), tmp_path / "cut.pcapng"
    whole, codes = block_ends(octets), set()
    for end in range(12, len(octets), 97):
        path.write_bytes(octets[:end])
        said = rcslab("verify", path)
        codes.add(said.code)
        assert ("packets before it were read" in said.out) == (end not in whole)
        assert "Traceback" not in said.errors
    assert codes == {0, 1, 2}
    path.write_bytes(octets[:-1])
    found = json.loads(rcslab("verify", "--format", "json", path).out)
    assert "ends inside the block" in found["captures"][0]["notices"][0]
    for format_ in ("junit", "html"):
        assert "ends inside the block" in rcslab("verify", "--format", format_, path).out


def block_ends(octets: bytes) -> set[int]:
    ends, at = set(), 0
    while at < len(octets):
        at += int.from_bytes(octets[at + 4 : at + 8], "little")
        ends.add(at)
    return ends


def test_a_capture_without_sip_is_unusable(rcslab, tmp_path: Path):
    timeline = Timeline()
    there, back = Address("127.0.0.1", 4000), Address("127.0.0.1", 53)
    timeline.packet(Layer.SIP, Transport.UDP, there, back, b"\x12\x34\x01\x00")
    path = tmp_path / "dns.pcapng"
    path.write_bytes(capture_octets(list(timeline)))
    said = rcslab("verify", path)
    assert said.code == 2
    assert "no SIP or MSRP in it that could be judged" in said.errors
    assert "1 UDP datagrams of other protocols" in said.out


def test_the_json_of_a_verdict(rcslab):
    said = rcslab("verify", "--format", "json", SEED)
    assert said.code == 1
    found = json.loads(said.out)
    assert found.keys() >= {"captures", "findings", "verdict"}
    assert found["verdict"] == "fail"
    keys = {"rule", "severity", "confidence", "party", "message", "where", "expected", "actual", "clause"}
    assert all(finding.keys() >= keys for finding in found["findings"])
    assert all(isinstance(finding["where"], dict) for finding in found["findings"])


def test_the_schema_of_the_json_is_printed_and_takes_it(rcslab):
    schema = rcslab("verify", "--schema")
    assert schema.code == 0
    found = json.loads(rcslab("verify", "--format", "json", SEED).out)
    Draft202012Validator(json.loads(schema.out)).validate(found)


def test_every_format_is_well_formed(rcslab):
    junit = ElementTree.fromstring(rcslab("verify", "--format", "junit", SEED).out)
    assert junit.tag == "testsuites"
    assert junit.findall(".//failure")
    html = rcslab("verify", "--format", "html", SEED).out
    assert html.startswith("<!doctype html>")
    assert "http://" not in html and "src=" not in html
    text = rcslab("verify", SEED).out
    assert text.splitlines()[0].startswith(f"{SEED}: fail, profile rcs51, 9 items")
    assert rcslab("verify", "--format", "xml", SEED).code == 2


def write(folder, name, text):
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


WAIVER = "waivers: [{rule: imdn.xml.datetime-present, reason: known, owner: lab, expires: 2099-01-01}]"


def test_known_findings_are_waived_and_compared(rcslab, tmp_path):
    waivers = write(tmp_path, "waivers.yaml", WAIVER)
    before = rcslab("verify", "--format", "json", SEED)
    said = rcslab("verify", "--waivers", waivers, "--baseline", write(tmp_path, "old.json", before.out), SEED)
    assert (before.code, said.code) == (1, 0)
    assert "waived: known (lab, until 2099-01-01)" in said.out
    assert "new since the baseline: none" in said.out and "gone since the baseline: none" in said.out


def test_coverage_is_told_and_required(rcslab, tmp_path):
    plan = write(tmp_path, "plan.yaml", "rules: [pager.no-contact, msrp.chunk-2048]\nclauses: [RFC 3428 4]\n")
    waivers = write(tmp_path, "waivers.yaml", WAIVER)
    said = rcslab("verify", "--waivers", waivers, "--coverage", "--require-coverage", plan, SEED)
    assert said.code == 1
    assert "required coverage: MISSING\n  rule msrp.chunk-2048: no MSRP request came" in said.out
    assert "rules exercised" in said.out and "RFC 3428:" in said.out
    met = write(tmp_path, "met.yaml", "rules: [pager.no-contact]")
    assert rcslab("verify", "--waivers", waivers, "--require-coverage", met, SEED).code == 0


ECHO = "rule: sip.via.echo, reason: a, owner: b"
UNUSABLE_FILES = [
    (
        "--waivers",
        f"waivers: [{{{ECHO.replace('sip.via.echo', 'x.y')}, expires: 2099-01-01}}]",
        "no rule 'x.y'",
    ),
    ("--waivers", f"waivers: [{{{ECHO}}}]", "waivers.0.expires: this key is required; see docs/verify.md"),
    ("--waivers", f"waivers: [{{{ECHO}, expires: 2099-13-01}}]", "a date in it is none"),
    ("--waivers", f"waivers: [{{{ECHO}, expires: 2099-01-01, party: lab}}]", "expected handset or network"),
    ("--require-coverage", "clauses: [RFC 9999 1]", ":1:11: clauses.0: no rule is of RFC 9999 1"),
    ("--require-coverage", "clauses: [nonsense]", "expected a document and a section"),
    ("--baseline", "waivers: x", "cannot be read as a baseline"),
    ("--baseline", "{}", "wrong: the baseline is not what `rcslab verify --format json` writes"),
]


@pytest.mark.parametrize(("option", "text", "error"), UNUSABLE_FILES)
def test_files_beside_a_capture_that_are_wrong(rcslab, tmp_path, option, text, error):
    said = rcslab("verify", option, write(tmp_path, "wrong", text), SEED)
    assert (said.code, said.out) == (2, "")
    assert error in said.errors


def test_what_network_simulators_can_do_and_what_one_answers(rcslab, tmp_path):
    assert "| mcc: mobile country code | A | B | A | - | C |" in rcslab("instruments").out
    assert "TAC? BTS1" in rcslab("instruments", "md8475").out
    assert json.loads(rcslab("instruments", "uxm", "--format", "json").out)["uxm"][0]["confidence"] == "B"
    assert rcslab("instruments", "cmu200").code == 2
    nobody = rcslab("instrument-probe", "cmw500", "TCPIP::127.0.0.1::1::SOCKET", "--timeout", "0.5")
    assert nobody.code == 3 and "TCPIP::127.0.0.1::1::SOCKET" in nobody.errors


# rules, help, pipes


def test_the_catalogue(rcslab):
    lines = rcslab("rules").out.splitlines()
    assert len(lines) > 400
    one = rcslab("rules", "sip.via.echo").out
    assert one.startswith("sip.via.echo: ") and "RFC 3261 8.2.6.2" in one
    assert (
        one.index("passes (flow ")
        < one.index("fails:")
        < one.index("    > Via: SIP/2.0/TCP 10.0.0.5:5060;branch=z9hG4bKmox")
    )
    found = json.loads(rcslab("rules", "sip.via", "--format", "json").out)
    assert {rule["id"] for rule in found} >= {"sip.via.echo"}
    fatal = rcslab("rules", "msrp", "--fails", "--clause", "rfc 4975", "--judged", "either").out.splitlines()
    assert fatal and all(line.startswith("msrp.") and " fails either " in line for line in fatal)
    assert rcslab("rules", "--severity", "MUST", "--profile", "ietf", "--judged", "tool").out.count("\n") > 5
    assert "RFC 3428 4 " in rcslab("rules", "pager", "--clauses").out
    said = rcslab("rules", "sip.nothing")
    assert (said.code, said.out) == (2, "")
    assert "no rule 'sip.nothing' in the catalogue" in said.errors


def test_a_rule_whose_id_others_begin_with_is_explained_too(rcslab):
    assert rcslab("rules", "sip.cseq.monotonic").out.startswith("sip.cseq.monotonic: ")
    assert rcslab("rules", "sip.cseq.monotonic.").out.startswith("sip.cseq.monotonic.network: ")


def test_what_is_asked_of_the_catalogue_in_vain(rcslab):
    assert "did you mean sip.via.echo" in rcslab("rules", "sip.via.eco").errors
    assert (
        "no rule meets all of these options" in rcslab("rules", "sip.via.echo", "--severity", "INFO").errors
    )


def test_the_proof_of_some_rules(rcslab):
    said = rcslab("rules", "pager.no-contact", "--prove")
    assert said.code == 0
    assert "3 of 3 mutants caught" in said.out and said.out.endswith("proof:       whole\n")
    found = json.loads(rcslab("rules", "cpim.ns.prefix-any", "--prove", "--format", "json").out)
    assert found["whole"] is True and {each["rule"] for each in found["readings"]} == {"cpim.ns.prefix-any"}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(rcslab, command: str):
    said = rcslab(*command.split(), "--help")
    assert said.code == 0
    assert said.out.lower().startswith("usage: rcslab")
    assert len(said.out.splitlines()) > 5


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nothing"],
        ["verify"],
        ["rules", "--nothing"],
        ["peer", "--port", "70000"],
        ["doctor", "--format", "html"],
        ["simulate"],
        ["simulate", "handset", "--nothing"],
        ["simulate", "network-simulator", "--socket-port", "x"],
    ],
)
def test_a_wrong_command_line_is_refused(rcslab, arguments):
    said = rcslab(*arguments)
    assert said.code == 2
    assert said.errors
    assert "Traceback" not in said.errors


@pytest.mark.parametrize("option", ["--personality", "--defect"])
def test_a_simulated_handset_refuses_what_it_does_not_know(own_lab, option):
    done = own_lab.run("simulate", "handset", option, "nothing")
    assert (done.returncode, done.stdout) == (2, "")
    assert "nothing" in done.stderr and "there are: " in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [("rules",), ("verify", "--format", "json", SEED)])
def test_a_reader_that_leaves_early_is_no_error_of_ours(own_lab, arguments):
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*RCSLAB, *map(str, arguments)],
        stdout=writer,
        stderr=subprocess.PIPE,
        env=own_lab.environment,
        timeout=20,
        check=False,
    )
    os.close(writer)
    assert done.stderr == b""


# doctor


def test_the_doctor_looks_at_everything(rcslab):
    said = rcslab("doctor")
    assert said.code == 0
    assert "ok   a: lease" in said.out and "ok   b: dut modem" in said.out
    checks = json.loads(rcslab("doctor", "--bench", "a", "--format", "json").out)
    assert all(check.keys() == {"part", "ok", "text", "mend"} for check in checks)
    assert not [check for check in checks if check["part"].startswith("b:")]


def test_the_doctor_reads_the_certificate_of_the_peer(here, rcslab, authority):
    good, key = authority.issue("ims.example", "sip:rcs.example")
    with here.edited() as lab:
        lab["benches"]["a"]["peer"]["tls"] = {"certificate": str(good), "key": str(key)}
        lab["benches"]["b"]["peer"]["tls"] = {"certificate": str(authority.issue(days=-1)[0]), "key": "no"}
        lab["benches"]["b"]["peer"]["msrp_tls"] = {"certificate": str(good), "key": str(key)}
    said = rcslab("doctor")
    assert said.code == 3
    (msrp,) = [line for line in said.out.splitlines() if line.startswith("ok   b: MSRP over TLS")]
    assert "fingerprint sha-256 " in msrp and "good until 20" in msrp
    (fine,) = [line for line in said.out.splitlines() if line.startswith("ok   a: TLS")]
    (bad,) = [line for line in said.out.splitlines() if line.startswith("BAD")]
    assert f"{good} for rcs.example, good until 20" in fine
    assert bad.startswith("BAD  b: TLS") and "the private key cannot be read" in bad


@pytest.mark.parametrize("dialect", ["cmw500", "md8475"])
def test_the_doctor_asks_a_network_simulator_as_its_driver_speaks(here, rcslab, dialect):
    box = here.start("simulate", "network-simulator", "--dialect", dialect)
    resource = json.loads(box.stdout.readline())["visa_socket"]
    with here.edited(visa=5) as lab:
        lab["benches"]["b"]["network_simulator"] |= {"driver": dialect, "resource": resource}
    said = rcslab("doctor", "--bench", "b")
    box.terminate()
    (line,) = [line for line in said.out.splitlines() if f" b: {dialect} " in line]
    assert line.startswith("ok ") and line.endswith(f" at {resource}")
    assert {"cmw500": "CMW", "md8475": "MD8475A simulated"}[dialect] in line


def test_the_doctor_names_what_is_broken_and_how_to_mend_it(here, rcslab):
    with here.edited(visa=1, at=1) as lab:
        lab["benches"]["a"]["handsets"]["dut"]["modem"] = "/dev/nothing"
        lab["benches"]["b"]["network_simulator"]["resource"] = "TCPIP::127.0.0.1::9::SOCKET"
    said = rcslab("doctor")
    assert said.code == 3
    modem, instrument = [line for line in said.out.splitlines() if line.startswith("BAD")]
    assert modem.startswith("BAD  a: dut modem ")
    assert "modem port at /dev/nothing: expected the port to open, got" in modem and "; " in modem
    assert instrument.startswith("BAD  b: md8475 ")
    assert "     mend with: ls -l /dev/serial/by-id/" in said.out.splitlines()
    assert "instrument at TCPIP::127.0.0.1::9::SOCKET: expected" in instrument and "; " in instrument
    assert here.files() == []
