"""MSRP throughput: 20 MB messages in chunks, each chunk answered, two processes, timeline on at both ends.

A rate is octets of content by the processor time of the busier end: what comes through where each end has a
core of its own. The rate by the clock, with whatever else runs, is in the note.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import NamedTuple

from benchmarks.child_process import ChildProcess
from benchmarks.frame import CannotRun, Effort, Row, Target, run

OCTETS = 20_000_000
TARGETS = {65_536: Target(1000, "ours"), 2048: Target(120, "ours")}
LOOPS = ("asyncio", "uvloop")
ALTERNATIVES = {"-streams": "asyncio streams", "-bare": "bare minimum"}


def rows(effort: Effort) -> Iterator[Row]:
    """Both chunk sizes, with and without uvloop, beside asyncio's own streams and the bare minimum."""
    messages = effort.rounds + 1  # the first one warms up
    octets = effort.times(OCTETS)
    for chunk, target in TARGETS.items():
        for loop in LOOPS:
            ours = transfer("", loop, chunk, octets, messages)
            for kind, name in ALTERNATIVES.items():
                other = transfer(kind, loop, chunk, octets, messages)
                yield Row(
                    f"MSRP 20 MB, {chunk:,}-octet chunks, each answered",
                    "MB/s",
                    ours.rate,
                    f"{name}, {loop}",
                    other.rate,
                    ours.rate / other.rate,
                    target,
                    loop,
                    f"ours {ours.note}",
                )


class Transfer(NamedTuple):
    """rate: megabytes a second of the busier end. note: of each end, and by the clock.

    memory: the most the receiver had, megabytes; 0 where it is not ours.
    """

    rate: float
    note: str
    memory: float


def transfer(
    kind: str, loop: str, chunk: int, octets: int, messages: int, *, sessions: int = 1, each: int = 1
) -> Transfer:
    """Send messages one after the other; the fastest counts, the first one warms up.

    kind: the alternative, empty for ours. With several sessions at once, or several messages of each, what
    all of them send counts as one.
    """
    common = [f"--octets={octets}", f"--chunk={chunk}", f"--messages={messages}"]
    common += [f"--sessions={sessions}", f"--each={each}"]
    common += ["--uvloop"] if loop == "uvloop" else []
    with ChildProcess("benchmarks.msrp_ends", f"receive{kind}", *common) as receiver:
        port = f"--port={receiver.ready['port']}"
        with ChildProcess("benchmarks.msrp_ends", f"send{kind}", port, *common) as sender:
            received, sent = receiver.says(), sender.ready
    if received is None:
        raise CannotRun("the receiver did not get everything")
    seconds = sent["processor"], received["processor"], sent["wall"]
    rates = [octets * sessions * each / min(end[1:]) / 1e6 for end in seconds]
    note = "sends {:,.0f}, takes {:,.0f}, by the clock {:,.0f}".format(*rates)
    return Transfer(min(rates[:2]), note, received.get("memory", 0.0))


if __name__ == "__main__":
    sys.exit(run({"msrp_throughput": rows}))
