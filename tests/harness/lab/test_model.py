"""lab.yaml: what is refused, and where the error points."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent

import pytest

from harness.agent.sockets.connection_watch import ConnectionLimits
from harness.agent.sockets.tls_settings import TlsSettings
from harness.errors import LabFileError, UsageError
from harness.lab.bench import peer_config
from harness.lab.limits_part import LimitsPart
from harness.lab.model import find_lab_file, load_lab
from harness.msrp.framing import MsrpLimits
from harness.peer.config import MsrpTlsListening
from harness.peer.limits import PeerLimits
from harness.sip.framing import Limits

GOOD = dedent(
    """\
    secrets: sim.env
    benches:
      a:
        peer: {address: 127.0.0.1, port: 0, domain: example.org}
        handsets:
          dut:
            adb: simulated
            msisdn: "+12025550101"
            imsi: "001010123456789"
            sim: {k: "${SIM_K}", opc: "${SIM_K}"}
        network_simulator: {resource: simulated}
    """
)
K = "465b5ce8b199b49faa5f0a2ee238a6bc"


@pytest.fixture
def write(tmp_path: Path):
    def put(text: str) -> Path:
        (tmp_path / "sim.env").write_text(f"# a comment\nSIM_K={K}\n")
        path = tmp_path / "lab.yaml"
        path.write_text(text)
        return path

    return put


def test_a_good_file_is_read_with_its_secrets_hidden(write):
    lab = load_lab(write(GOOD), environment={}).lab
    sim = lab.benches["a"].handsets["dut"].sim
    assert sim.k is not None and sim.k.get_secret_value() == K
    assert K not in repr(lab)


def test_files_of_tls_lie_beside_the_lab_file(write, tmp_path):
    text = GOOD.replace("port: 0", "port: 0, tls: {certificate: tls/peer.pem, ca: /etc/ca.pem}")
    tls = load_lab(write(text), environment={}).lab.benches["a"].peer.tls
    assert (tls.certificate, tls.key, tls.ca) == (tmp_path / "tls/peer.pem", None, Path("/etc/ca.pem"))
    assert tls.port == 5061


def test_msrp_over_tls_has_files_of_its_own_and_is_offered(write, tmp_path):
    text = GOOD.replace("port: 0", "port: 0, msrp_tls: {certificate: tls/msrp.pem, key: tls/msrp.key}")
    config = peer_config(load_lab(write(text), environment={}).lab.benches["a"])
    settings = TlsSettings(tmp_path / "tls/msrp.pem", tmp_path / "tls/msrp.key")
    assert config.msrp_tls == MsrpTlsListening(0, settings, offered=True)
    assert config.msrp_tls_listen == [("127.0.0.1", 0)] and config.tls is None


def test_limits_that_are_not_set_are_those_of_the_peer(write):
    assert load_lab(write(GOOD), environment={}).lab.limits.peer == PeerLimits()
    text = (
        "limits:\n  sip: {headers: 20, rest_seconds: 1.5}\n"
        "  msrp: {message_octets: 4096, quiet_seconds: null, connections_per_source: 2}\n"
    )
    lab = load_lab(write(text + GOOD), environment={}).lab
    limits = peer_config(lab.benches["a"], lab.limits).limits
    assert limits == PeerLimits(
        Limits(fields=20),
        ConnectionLimits(rest_seconds=1.5),
        MsrpLimits(message_octets=4096),
        ConnectionLimits(rest_seconds=30.0, message_seconds=None, quiet_seconds=None, per_source=2),
    )


def test_each_limit_of_lab_yaml_has_a_row_in_the_documentation():
    text = (Path(__file__).parents[3] / "docs/lab.md").read_text("utf-8")
    for part in LimitsPart.model_fields:
        column = 3 if part == "sip" else 4
        rows = dict(re.findall(r"(?m)^\| `(\w+)`[^|]*\|[^|]*\|[^|]*(\|[^|]*\|[^|]*)\|$", text))
        for name, value in getattr(LimitsPart(), part).model_dump().items():
            shown = rows[name].split("|")[column - 2].strip().strip("`").replace(",", "")
            assert shown == ("null" if value is None else f"{value:.12g}"), (part, name)


@pytest.mark.parametrize(
    ("limits", "place", "field", "words"),
    [
        ("sip: {headrs: 9}", "2:9", "limits.sip.headrs", "unknown key"),
        ("sip: {headers: few}", "2:9", "limits.sip.headers", "a whole number, got 'few'"),
        ("sip: {headers: 3}", "2:9", "limits.sip.headers", "a number greater than or equal to 16, got 3"),
        ("sip: {body_octets: 1 MB}", "2:9", "limits.sip.body_octets", "a whole number"),
        ("msrp: {head_octets: 262144}", "2:10", "limits.msrp.head_octets", "less than or equal to 131072"),
        ("msrp: {body_octets: 4096}", "2:10", "limits.msrp.body_octets", "unknown key"),
        ("msrp: {rest_seconds: 0}", "2:10", "limits.msrp.rest_seconds", "greater than 0"),
        ("msrp: {rest_seconds: null}", "2:10", "limits.msrp.rest_seconds", "a number, got null"),
        ("tcp: {}", "2:3", "limits.tcp", "unknown key"),
    ],
)
def test_a_limit_that_is_none_is_refused_where_it_stands(write, limits, place, field, words):
    path = write(f"limits:\n  {limits}\n{GOOD}")
    with pytest.raises(LabFileError) as caught:
        load_lab(path, environment={})
    assert f":{place}: {field}: " in str(caught.value) and words in str(caught.value)


def test_a_value_of_a_sim_is_not_told_when_it_is_wrong(write):
    with pytest.raises(LabFileError) as caught:
        load_lab(write(GOOD.replace("sim: {k:", "sim: {password: 314159, k:")), environment={})
    assert "sim.password: expected text" in str(caught.value) and "314159" not in str(caught.value)


def test_the_environment_wins_over_the_secrets_file(write):
    other = "0" * 32
    lab = load_lab(write(GOOD), environment={"SIM_K": other}).lab
    sim = lab.benches["a"].handsets["dut"].sim
    assert sim.k is not None and sim.k.get_secret_value() == other


@pytest.mark.parametrize(
    ("old", "new", "place", "field", "words"),
    [
        ("adb: simulated", "abd: simulated", "7:9", "benches.a.handsets.dut.abd", "unknown key"),
        ("port: 0", "prot: 0", "4:32", "benches.a.peer.prot", "unknown key"),
        ("port: 0", "port: many", "4:32", "benches.a.peer.port", "a whole number, got 'many'"),
        ("127.0.0.1", "localhost", "4:12", "benches.a.peer.address", "localhost"),
        ("12025550101", "0170", "8:9", "benches.a.handsets.dut.msisdn", "got '+0170'"),
        ("secrets: sim.env", "secrets: no.env", "1:1", "secrets", "no.env cannot be read"),
        (', opc: "${SIM_K}"', "", "10:9", "benches.a.handsets.dut.sim", "aka needs `k` and `opc`"),
        (
            "example.org",
            "example.org, authentication: digest",
            "10:9",
            "benches.a.handsets.dut.sim",
            "needs `password`",
        ),
        ("port: 0", "algorithms: [SHA]", "4:32", "benches.a.peer.algorithms", "SHA is no algorithm"),
        ("port: 0", "algorithms: [MD5]", "4:5", "benches.a.peer", "aka needs an algorithm of it"),
        ("port: 0", "tls: {port: 0}", "4:32", "benches.a.peer.tls.certificate", "required"),
        (
            "port: 0",
            "tls: {certificate: a.pem, client_certificate: perhaps}",
            "4:58",
            "benches.a.peer.tls.client_certificate",
            "'none', 'optional' or 'required'",
        ),
        ("port: 0", "msrp_tls: {port: 0}", "4:32", "benches.a.peer.msrp_tls.certificate", "required"),
        (
            "port: 0",
            "msrp_tls: {certificate: a.pem, client_certificate: none}",
            "4:63",
            "benches.a.peer.msrp_tls.client_certificate",
            "unknown key",
        ),
        (
            "port: 0",
            "msrp_tls: {certificate: a.pem, offer: seldom}",
            "4:63",
            "benches.a.peer.msrp_tls.offer",
            "true or false, got 'seldom'",
        ),
        ("port: 0", "mechanisms: [tls, digest]", "4:32", "benches.a.peer.mechanisms", "a q of its own"),
        ("port: 0", "mechanisms: [tls tls]", "4:32", "benches.a.peer.mechanisms", "RFC 3329 2.2"),
        (
            "adb: simulated",
            "adb: simulated\n        simulated: {transport: tls}",
            "3:3",
            "benches.a",
            "dut speaks TLS and the peer does not",
        ),
        (
            "adb: simulated",
            "adb: simulated\n        simulated: {msrp: tls}",
            "3:3",
            "benches.a",
            "dut has MSRP over TLS and the peer has not",
        ),
        (
            "adb: simulated",
            "adb: simulated\n        simulated: {msrp: udp}",
            "8:21",
            "benches.a.handsets.dut.simulated.msrp",
            "expected 'tcp' or 'tls', got 'udp'",
        ),
        ("127.0.0.1", "0.0.0.0", "4:12", "benches.a.peer.address", "nothing a handset can be given"),
        ("address: 127.0.0.1", "address: []", "4:12", "benches.a.peer.address", "one address or more"),
        ("benches:", "profile: rcs\nbenches:", "2:1", "profile", "'ietf', 'rcs51' or 'up2'"),
        ("    network_simulator: {resource: simulated}\n", "", "3:3", "benches.a", "dut is simulated"),
        (
            "port: 0",
            "msrp_tls: true",
            "4:32",
            "benches.a.peer.msrp_tls",
            "keys with values, see docs/lab.md, got true",
        ),
        ("SIM_K", "SIM_X", "10:15", "benches.a.handsets.dut.sim.k", "SIM_X is not set"),
        ("sim: {k:", "sim: {amf: 12, k:", "10:15", "benches.a.handsets.dut.sim.amf", "quotes"),
    ],
)
def test_an_error_names_line_column_and_field(write, old, new, place, field, words):
    path = write(GOOD.replace(old, new))
    with pytest.raises(LabFileError) as caught:
        load_lab(path, environment={})
    text = str(caught.value)
    assert text.startswith(f"{path}:{place}: {field}: ")
    assert words in text


def test_a_bench_that_appears_twice_is_refused(write):
    path = write(GOOD + "  a:\n    peer: {domain: example.org}\n")
    with pytest.raises(LabFileError, match=r":12:3: a: appears twice"):
        load_lab(path, environment={})


def test_one_handset_on_two_benches_is_refused(write):
    text = GOOD.replace("adb: simulated", "adb: R58M").replace("a:\n", "a:\n", 1)
    second = text.split("benches:\n")[1].replace("  a:", "  b:", 1)
    path = write(text + second)
    with pytest.raises(LabFileError, match=r"benches\.b\.handsets\.dut\.adb: R58M is already used by"):
        load_lab(path, environment={})


@pytest.mark.parametrize("text", ["", "- 1\n", "benches: [\n", "a: b: c\n", "benches:\n\t- x\n", "\x00"])
def test_what_is_not_a_lab_file_gives_an_error_of_the_file(write, text):
    path = write(text)
    with pytest.raises(LabFileError, match=r"lab\.yaml"):
        load_lab(path, environment={})


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(LabFileError, match="no such file"):
        load_lab(tmp_path / "lab.yaml")
    with pytest.raises(UsageError, match="--lab FILE"):
        find_lab_file(tmp_path)


def test_the_file_is_found_from_a_folder_below(write, tmp_path: Path):
    path = write(GOOD)
    below = tmp_path / "x" / "y"
    below.mkdir(parents=True)
    assert find_lab_file(below) == path.resolve()


def test_an_unknown_bench_lists_those_there_are(write):
    with pytest.raises(UsageError, match="this lab has: a"):
        load_lab(write(GOOD), environment={}).bench("z")


def test_simulated_settings_on_a_real_handset_are_refused(write):
    text = GOOD.replace("adb: simulated", "adb: R58M\n        simulated: {personality: reference}")
    with pytest.raises(LabFileError, match="needs `adb: simulated`"):
        load_lab(write(text), environment={})
