"""Wireshark's programs as judges of what we and others put on the wire."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .loopback import Program

DUMPCAP, TSHARK = shutil.which("dumpcap"), shutil.which("tshark")
# Ports that the kernel chose may belong to other dissectors: content first.
HEURISTICS = ("-o", "tcp.try_heuristic_first:TRUE", "-o", "udp.try_heuristic_first:TRUE")


def tshark(capture: Path, *options: str) -> list[str]:
    """What tshark prints for a capture, by lines."""
    assert TSHARK is not None
    command = [TSHARK, "-r", str(capture), *HEURISTICS, *options]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=50).stdout.splitlines()


def malformed(capture: Path) -> list[str]:
    """The SIP and MSRP of a capture that tshark calls malformed; empty where there is no tshark to ask.

    What else there is (TLS, keep-alives) may meet a port of the kernel's choice that some dissector owns.
    """
    return tshark(capture, "-Y", "_ws.malformed && (sip || msrp)") if TSHARK is not None else []


@contextmanager
def recording(folder: Path, own_network: bool) -> Iterator[Path | None]:
    """Record the loopback; None where that is the whole machine's, or where nobody can record."""
    if not own_network or DUMPCAP is None:
        yield None
        return
    path, last = folder / "wire.pcapng", b"the last datagram of the test"
    recorder = Program(folder, DUMPCAP, "-q", "-i", "lo", "-w", path)
    try:
        recorder.wait_for("File:")
        yield path
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as marker:
            marker.sendto(last, ("127.0.0.1", 9))
        end = time.monotonic() + 10
        while last not in path.read_bytes():  # what it has seen reaches the file in its own time
            recorder.linger(end, "the last datagram")
        recorder.process.send_signal(signal.SIGINT)
        assert recorder.ended() == 0, recorder.said
    finally:
        recorder.end()


def merged(folder: Path) -> Path:
    """All captures of a folder in one."""
    path = folder / "merged.pcapng"
    program = shutil.which("mergecap")
    assert program is not None, "mergecap comes with tshark"
    subprocess.run([program, "-a", "-w", path, *sorted(folder.glob("*.pcapng"))], check=True, timeout=50)
    return path
