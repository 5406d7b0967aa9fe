"""How figures grow with the handsets or sessions that share a process, from 1 to 1,000 or 10,000.

Time is processor time of the busier end, so that a busy machine changes it little; each figure is of a fresh
process. It prints the table of docs/performance.md. Chats that are held grow in held_sessions.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product

from benchmarks.child_process import ChildProcess
from benchmarks.frame import Effort, Row, machine, run
from benchmarks.handsets import allow_files, registered, users
from benchmarks.msrp_throughput import transfer
from benchmarks.pager_load import loaded
from benchmarks.sipp import program

LOOPS = ("asyncio", "uvloop")
STEPS = (1, 10, 100, 1000)
REGISTERED = (*STEPS, 10_000)

REFRESHES = 1000
"""Measured in one turn, of as many turns as there are rounds; a turn before them warms up."""
PAGER_RATE = 1000
PAGER_SECONDS = 4.0

CHUNKS = (65_536, 2048)
MESSAGE_OCTETS = 262_144
MESSAGES = 1000
"""Measured in one turn: in each of a thousand sessions one, in a single session all of them."""
_TURNS = 3


@dataclass(frozen=True, slots=True)
class Step(Row):
    """A figure at one number of handsets or sessions. loop: the event loop it is with."""

    count: int = 0
    loop: str = ""


def steps(effort: Effort) -> Iterator[Row]:
    """Each figure at each step, with each loop; told on standard error as it comes."""
    for row in _measured(effort):
        told = f"{row.what}, {row.count:,}, {row.loop}: {_shown(row.ours)} {row.unit}"
        print(told, file=sys.stderr, flush=True)
        yield row


def _measured(effort: Effort) -> Iterator[Step]:
    program()
    counts = REGISTERED if effort.scale >= 1 else STEPS
    for transport, count, loop in product(("UDP", "TCP"), counts, LOOPS):
        yield from _registered(loop, transport, count, effort)
    for chunk, count, loop in product(CHUNKS, STEPS, LOOPS):
        yield from _sessions(loop, chunk, count, effort)
    for count, loop in product(STEPS, LOOPS):
        yield _pager(loop, count, effort)


def _registered(loop: str, transport: str, count: int, effort: Effort) -> Iterator[Step]:
    """Memory once all are registered, transactions included; then the time of a refresh beside them."""
    allow_files(count)
    refreshes = max(100, effort.times(REFRESHES))
    options = ["--uvloop"] if loop == "uvloop" else []
    with (
        ChildProcess("benchmarks.responders", "peer", *options) as child,
        registered(child.ready[transport.lower()], users(count), transport) as held,
    ):
        memory, turns = child.memory, list[float]()
        for _ in range(min(effort.rounds, _TURNS) + 1):
            begun = child.processor_seconds
            for place in range(refreshes):
                held[place % count].register()
            turns.append((child.processor_seconds - begun) / refreshes)
    what = f"handsets registered over {transport}"
    yield Step(f"{what}: memory", "MB", memory, count=count, loop=loop)
    yield Step(f"{what}: a REGISTER takes", "µs", 1e6 * min(turns[1:]), count=count, loop=loop)


def _sessions(loop: str, chunk: int, count: int, effort: Effort) -> Iterator[Step]:
    """What comes through all sessions together, and the most memory the receiver had for it."""
    allow_files(count)
    turns = min(effort.rounds, _TURNS) + 1
    each = max(1, effort.times(MESSAGES) // count)
    seen = transfer("", loop, chunk, MESSAGE_OCTETS, turns, sessions=count, each=each)
    what = f"MSRP sessions that send at once, {chunk:,}-octet chunks"
    yield Step(f"{what}: in all", "MB/s", seen.rate, note=seen.note, count=count, loop=loop)
    yield Step(f"{what}: most memory", "MB", seen.memory, count=count, loop=loop)


def _pager(loop: str, count: int, effort: Effort) -> Step:
    """No figure where a MESSAGE failed: the time would be shared by some that took none."""
    seen = loaded("peer", loop, count, max(1.0, PAGER_SECONDS * effort.scale), PAGER_RATE)
    what = f"handsets that send, {PAGER_RATE:,} MESSAGEs a second over UDP: one takes"
    note = f"{seen.load.times}, {seen.load.failed} failed"
    figure = None if seen.load.failed else 1e6 * seen.processor_seconds
    return Step(what, "µs", figure, note=note, count=count, loop=loop)


# -- printing


def as_growth(rows: Iterable[Row]) -> str:
    """A table of a page: a line for each figure with the loops side by side, a column for each step."""
    figures: dict[str, dict[int, dict[str, float | None]]] = {}
    units: dict[str, str] = {}
    remarks = []
    for row in rows:
        if isinstance(row, Step):
            figures.setdefault(row.what, {}).setdefault(row.count, {})[row.loop] = row.ours
            units[row.what] = row.unit
        else:
            remarks.append(f"{row.what}: {row.note}")
    counts = sorted({count for line in figures.values() for count in line})
    table = [["", *(f"{count:,}" for count in counts)], ["---"] * (len(counts) + 1)]
    for what, line in figures.items():
        table.append(
            [f"{what}, {' / '.join(LOOPS)}", *(_cell(line.get(count), units[what]) for count in counts)]
        )
    text = ["| " + " | ".join(cells) + " |" for cells in table]
    return "\n".join([*text, "", *remarks, machine()])


def _cell(by_loop: dict[str, float | None] | None, unit: str) -> str:
    if by_loop is None:
        return ""
    return " / ".join(_shown(by_loop.get(loop)) for loop in LOOPS) + f" {unit}"


def _shown(figure: float | None) -> str:
    return "-" if figure is None else f"{figure:,.0f}"


if __name__ == "__main__":
    sys.exit(run({"growth": steps}, table=as_growth))
