"""The same flow under any link, in any tunnel and in any file reads the same as bare."""

from __future__ import annotations

import bz2
import gzip
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import CaptureError
from harness.evidence.capture import write_capture
from harness.evidence.capture_file import CaptureFile
from harness.evidence.capture_reader import read_capture
from harness.evidence.frame import Frame
from harness.evidence.timeline import Address, Entry, Event, Layer, Packet, Timeline, Transport
from tests.harness.evidence.wrapping import RAW, WRAPPINGS, Frames, esp, ethernet, fragments, user_plane

SEED = Path(__file__).parents[2] / "corpora" / "seed"
TOOLS = all(shutil.which(tool) for tool in ("tshark", "editcap", "mergecap", "text2pcap"))
needs_tools = pytest.mark.skipif(not TOOLS, reason="Wireshark's tools are not installed (Debian: tshark)")


def run(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=50).stdout


def content(entries: list[Entry]) -> list[tuple[object, ...]]:
    """What an entry says, without the event of the reader about the capture itself."""
    return [
        (each.time, each.source, each.destination, each.transport, each.data, each.connection, each.missing)
        if isinstance(each, Packet)
        else (each.time, each.name, each.text)
        for each in entries
        if not (isinstance(each, Event) and each.name == "capture-ignored")
    ]


def flow(tmp_path: Path, request_of: Callable[..., bytes], answer_of: Callable[[int], bytes]) -> Path:
    """SIP over UDP and TCP, over both IP versions: IPv4 here, what the traces have beside."""
    a, b = Address("192.0.2.1", 40000), Address("192.0.2.2", 5060)
    timeline = Timeline()
    timeline.packet(Layer.SIP, Transport.UDP, a, b, request_of(1, b"x" * 900), at=1e9)
    timeline.packet(Layer.SIP, Transport.UDP, b, a, answer_of(1), at=1e9 + 0.25)
    timeline.packet(Layer.SIP, Transport.TCP, a, b, request_of(2, b"y" * 1500), connection=1, at=1e9 + 1)
    timeline.packet(Layer.SIP, Transport.TCP, b, a, answer_of(2), connection=1, at=1e9 + 1.5)
    write_capture(tmp_path / "flow.pcapng", timeline)
    return tmp_path / "flow.pcapng"


@pytest.fixture
def captures(
    tmp_path: Path, request_of: Callable[..., bytes], answer_of: Callable[[int], bytes]
) -> list[Path]:
    return [flow(tmp_path, request_of, answer_of), *sorted(SEED.glob("*.pcapng"))]


def pcap(
    frames: list[Frame], link_type: int, wrap: Frames, order: str = "<", magic: int = 0xA1B2C3D4
) -> bytes:
    """Written by hand: draft-ietf-opsawg-pcap 4, 5."""
    ticks = 10**9 if magic == 0xA1B23C4D else 10**6
    octets = struct.pack(order + "IHHIIII", magic, 2, 4, 0, 0, 262_144, link_type)
    for frame in frames:
        time = round(frame.time * 1e6) * (ticks // 10**6)
        for data in wrap(frame.data):
            octets += struct.pack(order + "IIII", time // ticks, time % ticks, len(data), len(data)) + data
    return octets


@pytest.mark.parametrize("name", WRAPPINGS)
def test_a_flow_reads_the_same_in_any_wrapping(name: str, captures: list[Path], tmp_path: Path) -> None:
    link_type, wrap = WRAPPINGS[name]
    for bare in captures:
        path = tmp_path / "wrapped"
        path.write_bytes(pcap(list(CaptureFile(bare)), link_type, wrap))
        assert content(list(read_capture(path))) == content(list(read_capture(bare))), bare.name


@pytest.mark.interop
@needs_tools
@pytest.mark.parametrize("name", [name for name in WRAPPINGS if "128" not in name])
def test_wireshark_sees_the_same_sip_in_it(name: str, captures: list[Path], tmp_path: Path) -> None:
    """So that what is written here is what it says. Of ESP it takes check values of 96 bits for given."""
    link_type, wrap = WRAPPINGS[name]
    path = tmp_path / "wrapped.pcap"
    path.write_bytes(pcap(list(CaptureFile(captures[0])), link_type, wrap))
    esp = ("-o", "esp.enable_null_encryption_decode_heuristic:TRUE")
    seen = run("tshark", "-r", path, *esp, "-Y", "sip", "-T", "fields", "-e", "sip.Call-ID").split()
    again = ["1"] * (name == "fragments that overlap")  # it shows what comes behind the last one too
    assert seen == ["1", "1", *again, "2", "2"]


@pytest.mark.parametrize("magic", [0xA1B2C3D4, 0xA1B23C4D])
@pytest.mark.parametrize("order", ["<", ">"])
def test_a_flow_reads_the_same_in_any_pcap(
    order: str, magic: int, captures: list[Path], tmp_path: Path
) -> None:
    for bare in captures:
        octets = pcap(list(CaptureFile(bare)), RAW, lambda packet: [packet], order, magic)
        for name, packed in (("plain", octets), ("packed", gzip.compress(octets))):
            (tmp_path / name).write_bytes(packed)
            assert content(list(read_capture(tmp_path / name))) == content(list(read_capture(bare)))


@pytest.mark.interop
@needs_tools
@pytest.mark.parametrize("kind", ["pcap", "nsecpcap", "pcapng", "modpcap"])
def test_a_flow_reads_the_same_in_what_editcap_writes(
    kind: str, captures: list[Path], tmp_path: Path
) -> None:
    for bare in captures:
        path = tmp_path / "converted"
        run("editcap", "-F", kind, bare, path)
        assert content(list(read_capture(path))) == content(list(read_capture(bare)))


@pytest.mark.interop
@needs_tools
def test_interfaces_of_several_links_in_one_file(captures: list[Path], tmp_path: Path) -> None:
    """mergecap gives each file an interface of its own."""
    frames = list(CaptureFile(captures[0]))
    parts = []
    for number, name in enumerate(("Ethernet", "Linux cooked, version 2", "GTP-U over IPv6", "BSD loopback")):
        link_type, wrap = WRAPPINGS[name]
        part = tmp_path / f"part{number}.pcap"
        magic = 0xA1B23C4D if number % 2 else 0xA1B2C3D4
        part.write_bytes(pcap(frames[number::4], link_type, wrap, magic=magic))
        parts.append(part)
    run("mergecap", "-w", tmp_path / "merged.pcapng", *parts)
    assert content(list(read_capture(tmp_path / "merged.pcapng"))) == content(list(read_capture(captures[0])))
    (tmp_path / "sections").write_bytes(
        b"".join(_converted(part, tmp_path).read_bytes() for part in parts)  # in the order of the files
    )
    assert content(list(read_capture(tmp_path / "sections"))) == content(list(read_capture(captures[0])))


def _converted(part: Path, tmp_path: Path) -> Path:
    path = tmp_path / f"{part.stem}.pcapng"
    run("editcap", "-F", "pcapng", part, path)
    return path


@pytest.mark.interop
@needs_tools
def test_what_text2pcap_makes_of_a_dump(tmp_path: Path, request_of: Callable[..., bytes]) -> None:
    octets = request_of(7)
    dump = "\n".join(f"{at:06x} {octets[at : at + 16].hex(' ')}" for at in range(0, len(octets), 16))
    (tmp_path / "dump.txt").write_text(dump + "\n")
    run("text2pcap", "-u", "5060,5062", "-4", "192.0.2.1,192.0.2.2", tmp_path / "dump.txt", tmp_path / "made")
    (packet,) = [each for each in read_capture(tmp_path / "made") if isinstance(each, Packet)]
    assert (packet.data, packet.source.port, packet.destination.host) == (octets, 5060, "192.0.2.2")


@pytest.mark.interop
@needs_tools
def test_a_capture_of_both_a_tunnel_and_what_came_out_of_it_has_each_message_once(
    captures: list[Path], tmp_path: Path
) -> None:
    frames = list(CaptureFile(captures[0]))
    (tmp_path / "bare.pcap").write_bytes(pcap(frames, RAW, lambda packet: [packet]))
    later = [frame._replace(time=frame.time + 0.002) for frame in frames]
    (tmp_path / "tunnel.pcap").write_bytes(pcap(later, 1, lambda packet: [ethernet(user_plane(packet))]))
    run("mergecap", "-w", tmp_path / "both", tmp_path / "bare.pcap", tmp_path / "tunnel.pcap")
    both = list(read_capture(tmp_path / "both"))
    assert content(both) == content(list(read_capture(captures[0])))
    (event,) = [each for each in both if isinstance(each, Event)]
    assert event.fields["counts"] == {"copies of datagrams": 2}


def test_a_lost_fragment_leaves_the_beginning_of_its_message(captures: list[Path], tmp_path: Path) -> None:
    frames = list(CaptureFile(captures[0]))
    path = tmp_path / "lossy"
    path.write_bytes(pcap(frames, RAW, lambda packet: fragments(packet, 808)[:1]))
    first = next(each for each in read_capture(path) if isinstance(each, Packet))
    whole = next(each for each in read_capture(captures[0]) if isinstance(each, Packet))
    assert whole.data.startswith(first.data) and len(first.data) == 800
    assert first.missing and first.note.startswith("the capture left out the last ")


def test_esp_that_encrypts_is_left_aside_and_counted(captures: list[Path], tmp_path: Path) -> None:
    """Nothing of it fits by chance: no padding, no checksum."""

    def encrypted(packet: bytes) -> list[bytes]:
        head = 20 if packet[0] >> 4 == 4 else 40
        wrapped = esp(packet, 12)
        return [wrapped[: head + 8] + bytes(octet ^ 0xA5 for octet in wrapped[head + 8 :])]

    path = tmp_path / "encrypted"
    frames = list(CaptureFile(captures[0]))
    path.write_bytes(pcap(frames, RAW, encrypted))
    (event,) = read_capture(path)
    assert isinstance(event, Event)
    assert event.fields["counts"] == {"IP packets of protocol 50": len(frames)}


def test_esp_whose_padding_fits_by_chance_is_left_aside(captures: list[Path], tmp_path: Path) -> None:
    """The checksum of what it would carry does not."""

    def changed(packet: bytes) -> list[bytes]:
        wrapped = bytearray(esp(packet, 12))
        wrapped[32] ^= 0xFF  # behind the IP header, and the SPI and number of ESP
        return [bytes(wrapped)]

    path = tmp_path / "changed"
    frames = list(CaptureFile(captures[0]))
    path.write_bytes(pcap(frames, RAW, changed))
    (event,) = read_capture(path)
    assert isinstance(event, Event)
    assert event.fields["counts"] == {"IP packets of protocol 50": len(frames)}


def test_what_is_packed_otherwise_is_told_how_to_unpack(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(bz2.compress(b"anything"))
    with pytest.raises(CaptureError, match=r"got a bzip2 file; unpack it first \(bzip2 -d\)"):
        list(read_capture(tmp_path / "x"))
