"""Memory of an MSRP transfer of 2 GB, from file to file, timeline on at both ends: the most a process had."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from benchmarks.child_process import ChildProcess
from benchmarks.frame import CannotRun, Effort, Row, Target, run

OCTETS = 2_000_000_000
TARGET = Target(100, "ours", at_most=True)


def rows(effort: Effort) -> Iterator[Row]:
    """In chunks of the size the standard has (RFC 4975 7.1.1) and in large ones."""
    octets = effort.times(OCTETS)
    for chunk in (65_536, 2048):
        common = [f"--octets={octets}", f"--chunk={chunk}", "--uvloop"]
        with ChildProcess("benchmarks.msrp_ends", "receive", *common) as receiver:
            port = f"--port={receiver.ready['port']}"
            with ChildProcess("benchmarks.msrp_ends", "send", port, "--from-file", *common) as sender:
                ends = {"sender": sender.ready, "receiver": receiver.says()}
        for name, said in ends.items():
            if said is None:
                raise CannotRun(f"the {name} did not end well")
            what = f"most memory for MSRP {octets / 1e9:g} GB in {chunk:,}-octet chunks"
            note = f"{said['processor'][0]:.0f} s of processor time"
            yield Row(what, "MB", said["memory"], target=TARGET, setting=name, note=note)


if __name__ == "__main__":
    sys.exit(run({"msrp_memory": rows}))
