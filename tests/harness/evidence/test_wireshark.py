"""Wireshark opens and decodes what is written, and its tools' variants of a capture read the same."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.evidence.capture import capture_to_timeline, write_capture
from harness.evidence.timeline import Address, Layer, Packet, Timeline, Transport

SEED = Path(__file__).parents[2] / "corpora/seed"
PAGER = SEED / "pager.pcapng"
CHECKSUMS = [part for layer in ("ip", "tcp", "udp") for part in ("-o", f"{layer}.check_checksum:TRUE")]

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(
        shutil.which("tshark") is None or shutil.which("editcap") is None,
        reason="tshark and editcap are not installed (Debian: tshark)",
    ),
]
Make = Callable[..., bytes]


def run(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=50).stdout


def fields(path: Path, name: str) -> Counter[str]:
    lines = run("tshark", "-r", path, "-T", "fields", "-e", name, "-Y", name).splitlines()
    return Counter(value for line in lines for value in line.split(","))


def complaints(path: Path) -> str:
    return run("tshark", "-r", path, *CHECKSUMS, "-q", "-z", "expert,warn").strip()


@pytest.fixture
def mixed(tmp_path: Path, request_of: Make, answer_of: Make) -> Path:
    """SIP over UDP and TCP and MSRP between ports the kernel might choose, over both IP versions."""
    # Ports that Wireshark gives to other dissectors are left out here: see harness/evidence/capture.py.
    choose = random.Random(4975)
    ports = iter(choose.sample(range(50_010, 54_000), 200))
    timeline, time = Timeline(), 1e9
    for number in range(40):
        hosts = ("127.0.0.1", "127.0.0.1") if number % 2 else ("2001:db8::1", "2001:db8::2")
        a, b = (Address(host, next(ports)) for host in hosts)
        time += 1
        if number % 4 < 2:
            timeline.packet(Layer.SIP, Transport.UDP, a, b, request_of(number), at=time)
            timeline.packet(Layer.SIP, Transport.UDP, b, a, answer_of(number), at=time + 0.1)
            continue
        octets = request_of(number, b"x" * (100_000 if number == 38 else 300))
        cut = choose.randrange(1, len(octets))
        for part in (octets[:cut], octets[cut:]):
            timeline.packet(Layer.SIP, Transport.TCP, a, b, part, connection=number, at=time)
        timeline.packet(Layer.SIP, Transport.TCP, b, a, answer_of(number), connection=number, at=time + 0.1)
        path = f"\r\nTo-Path: msrp://{a};tcp\r\nFrom-Path: msrp://{b};tcp\r\n".encode()
        c, d = Address(a.host, next(ports)), Address(b.host, next(ports))
        send = b"MSRP d93kswow SEND" + path + b"Message-ID: 1\r\nByte-Range: 1-2/2\r\n"
        send += b"Content-Type: text/plain\r\n\r\nhi\r\n-------d93kswow$\r\n"
        answer = b"MSRP d93kswow 200 OK" + path + b"-------d93kswow$\r\n"
        timeline.packet(Layer.MSRP, Transport.TCP, c, d, send, connection=100 + number, at=time)
        timeline.packet(Layer.MSRP, Transport.TCP, d, c, answer, connection=100 + number, at=time)
    write_capture(tmp_path / "mixed.pcapng", list(timeline))
    return tmp_path / "mixed.pcapng"


def test_wireshark_decodes_sip_and_msrp_on_any_port(mixed: Path) -> None:
    assert fields(mixed, "sip.Method") == {"MESSAGE": 40}
    assert fields(mixed, "sip.Status-Code") == {"200": 40}
    assert fields(mixed, "msrp.method") == {"SEND": 20}
    assert fields(mixed, "msrp.status.code") == {"200": 20}


def test_wireshark_decodes_what_travelled_inside_tls(
    tmp_path: Path, request_of: Make, answer_of: Make
) -> None:
    a, b = Address("127.0.0.1", 50_011), Address("127.0.0.1", 5061)
    timeline = Timeline()
    timeline.packet(Layer.SIP, Transport.TLS, a, b, request_of(1), connection=1, at=1e9)
    timeline.packet(Layer.SIP, Transport.TLS, b, a, answer_of(1), connection=1, at=1e9 + 1)
    path = tmp_path / "tls.pcapng"
    write_capture(path, timeline)
    assert (fields(path, "sip.Method"), fields(path, "sip.Status-Code")) == ({"MESSAGE": 1}, {"200": 1})
    assert complaints(path) == ""
    packets = [each for each in capture_to_timeline(path) if isinstance(each, Packet)]
    assert [each.transport for each in packets] == [Transport.TLS] * 2


def test_wireshark_has_nothing_to_complain_of(mixed: Path) -> None:
    assert complaints(mixed) == ""
    assert complaints(PAGER) == complaints(SEED / "session.pcapng") == ""


def test_of_a_capture_with_holes_wireshark_notes_the_holes_only(tmp_path: Path) -> None:
    rows = complaints(SEED / "filetransfer.pcapng").splitlines()
    noted = [row.split(maxsplit=3)[1:] for row in rows if row.split()[:1] and row.split()[0].isdigit()]
    assert noted and {(group, protocol) for group, protocol, _ in noted} == {("Sequence", "TCP")}
    assert fields(SEED / "filetransfer.pcapng", "msrp.transaction.id")


def test_wireshark_shows_notes_and_findings_as_comments(tmp_path: Path, finding: Callable) -> None:  # type: ignore[type-arg]
    entries = list(capture_to_timeline(PAGER))
    write_capture(tmp_path / "a.pcapng", entries, [finding("pager.no-contact", 1)])
    shown = run("tshark", "-r", tmp_path / "a.pcapng", "-T", "fields", "-e", "frame.comment", "-Y", "sip")
    assert shown.splitlines()[0].startswith("MUST pager.no-contact (handset): what is wrong")


@pytest.mark.parametrize("kind", ["pcap", "nsecpcap", "pcapng"])
def test_the_variants_of_editcap_read_the_same(tmp_path: Path, mixed: Path, kind: str) -> None:
    for source in (PAGER, mixed):
        run("editcap", "-F", kind, source, tmp_path / "variant")
        assert list(capture_to_timeline(tmp_path / "variant")) == list(capture_to_timeline(source))


def test_a_capture_cut_to_short_frames_says_so(tmp_path: Path) -> None:
    run("editcap", "-s", "600", PAGER, tmp_path / "short")
    found = [each for each in capture_to_timeline(tmp_path / "short") if isinstance(each, Packet)]
    notes = {each.transport: each.note for each in found if each.missing}
    assert notes[Transport.UDP].startswith("the capture left out the last ")
    assert notes[Transport.TCP].startswith("gap: the capture has not ")
