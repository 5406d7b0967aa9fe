"""Pager MESSAGEs terminated by our peer over UDP, transactions and timeline on; the load comes from SIPp.

A rate counts when no call fails, nothing is sent twice and 99 % are answered within 20 ms. Each trial has a
fresh process.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from benchmarks.child_process import ChildProcess
from benchmarks.frame import Effort, Row, Target, run
from benchmarks.handsets import registered, users
from benchmarks.sipp import Load, answering, load, program

SECONDS = 4.0
HELD_SECONDS = 45.0
"""Longer than a transaction over UDP lives (timer J, 32 s): in the end there are as many as ever."""
SLOWEST = 0.020
FIRST_RATE = 250
HIGHEST_RATE = 64_000
STEPS = 4
LOOPS = ("asyncio", "uvloop")
HANDSETS = (1, 1000)
WHAT = "pager MESSAGE terminated over UDP, no loss, 99 % in 20 ms"
TARGET = Target(12_000, "ours")

_Trial = Callable[[int], Load]


@dataclass(slots=True)
class _Best:
    """The highest rate without a loss, and the load it was seen in."""

    rate: int
    load: Load | None

    @property
    def note(self) -> str:
        return self.load.times if self.load else f"not even {FIRST_RATE} /s"


def rows(effort: Effort) -> Iterator[Row]:
    """Ours beside a bare responder on asyncio and SIPp's own server; then from 1 to 1,000 handsets."""
    program()
    seconds = max(1.0, SECONDS * effort.scale)
    server = _highest(partial(_sipp_server, seconds))
    for loop in LOOPS:
        yield _processor_time(loop, seconds)
        responder = _highest(partial(_trial, "bare", loop, 1, seconds))
        for handsets in HANDSETS:
            ours = _highest(partial(_trial, "peer", loop, handsets, seconds))
            for name, other in ((f"bare responder, {loop}", responder), ("SIPp's server (C++)", server)):
                ratio = ours.rate / other.rate if other.rate else None
                setting = _setting(loop, handsets)
                yield Row(WHAT, "/s", ours.rate, name, other.rate, ratio, TARGET, setting, ours.note)
            if effort.scale >= 1 and ours.rate:
                yield _held(loop, handsets, round(ours.rate * 0.7))


def _setting(loop: str, handsets: int) -> str:
    return f"{loop}, {handsets:,} handset{'s' * (handsets > 1)}"


def _highest(trial: _Trial) -> _Best:
    """The highest rate that is clean: doubled until it is not, then halved in between."""
    good, bad, best = 0, 0, None
    rate = FIRST_RATE
    steps = STEPS
    while steps and rate <= HIGHEST_RATE:
        seen = trial(rate)
        if seen.clean and seen.percentiles[2] <= SLOWEST:
            good, best = rate, seen
        else:
            bad = rate
        if bad:
            steps -= 1
        rate = (good + bad) // 2 if bad else 2 * rate
    return _Best(good, best)


def _processor_time(loop: str, seconds: float) -> Row:
    """At a leisurely rate: unlike a rate, it hardly depends on what else the machine does."""
    ours, bare = (loaded(name, loop, 1, 2 * seconds, FIRST_RATE) for name in ("peer", "bare"))
    return Row(
        "processor time for a pager MESSAGE over UDP",
        "µs",
        1e6 * ours.processor_seconds,
        f"bare responder, {loop}",
        1e6 * bare.processor_seconds,
        bare.processor_seconds / ours.processor_seconds,
        setting=_setting(loop, 1),
    )


def _held(loop: str, handsets: int, rate: int) -> Row:
    """A load for longer than any transaction lives: what is kept then is all that is ever kept."""
    held = loaded("peer", loop, handsets, HELD_SECONDS, rate)
    seen = held.load
    note = f"{seen.times}, {seen.failed} failed, {seen.retransmissions} sent twice"
    return Row(
        f"memory after {HELD_SECONDS:.0f} s of {rate:,} MESSAGE/s",
        "MB",
        held.memory,
        setting=_setting(loop, handsets),
        note=note,
    )


def _sipp_server(seconds: float, rate: int) -> Load:
    with answering("message-uas.xml") as address:
        return load(address, "message-uac.xml", users(1), rate, seconds)


def _trial(responder: str, loop: str, handsets: int, seconds: float, rate: int) -> Load:
    return loaded(responder, loop, handsets, seconds, rate).load


class Loaded(NamedTuple):
    """memory: of the process, at the end, megabytes. processor_seconds: for one message."""

    load: Load
    memory: float
    processor_seconds: float


def loaded(responder: str, loop: str, count: int, seconds: float, rate: int) -> Loaded:
    """A load from so many handsets on a fresh process."""
    numbers = users(count)
    options = ["--uvloop"] if loop == "uvloop" else []
    with ChildProcess("benchmarks.responders", responder, *options) as child:
        address = child.ready["udp"]
        if responder == "peer":
            with registered(address, numbers):
                pass  # and gone from their socket: the load has its own
        before = child.processor_seconds
        seen = load(address, "message-uac.xml", numbers, rate, seconds)
        return Loaded(seen, child.memory, (child.processor_seconds - before) / (rate * seconds))


if __name__ == "__main__":
    sys.exit(run({"pager_load": rows}))
