"""A peer in a process of its own, for tests of what it takes in memory: one file comes, or goes.

Told on standard output: its SIP port, then octets, SHA-1 and growth of memory in MiB.
"""

from __future__ import annotations

import sys
from pathlib import Path

from harness.agent.loop_thread import LoopThread
from harness.evidence.timeline import Timeline
from harness.msrp.session import SendOptions
from harness.peer.config import PeerConfig
from harness.peer.peer import Peer
from harness.peer.transferred_file import OwnFile

SECONDS = 100


def most() -> int:
    """MiB of memory held at most so far."""
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) // 1024


def main(ue: str, path: str) -> None:
    """Receive a file, or send the one under `path`."""
    with LoopThread("lone-peer") as loop:
        peer = Peer(PeerConfig("ims.example"), Timeline())
        addresses = loop.call(peer.start(), 5)
        print(addresses.sip_udp[0].port, flush=True)
        before = most()
        if path:
            loop.call(peer.registrar.wait_registered(timeout=SECONDS), SECONDS)
            pushing = peer.file_transfers.push(
                ue, OwnFile(Path(path), "large.bin"), options=SendOptions(chunk_octets=None)
            )
            transfer = loop.call(pushing, SECONDS)
            told = f"{transfer.sent.outcome.octets} {transfer.delivered}"
        else:
            file = loop.call(peer.file_transfers.wait_file(timeout=SECONDS), SECONDS)
            told = f"{file.size} {file.sha1} {len(file.faults)}"
        print(told, most() - before, flush=True)
        sys.stdin.readline()
        loop.call(peer.stop(), 5)


if __name__ == "__main__":
    main(*sys.argv[1:])
