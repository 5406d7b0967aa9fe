"""Ten thousand handsets registered at our peer and held: the memory of its process.

The REGISTERs come from SIPp: over UDP, and over TCP with a connection for each handset that stays open.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator

from benchmarks.child_process import ChildProcess
from benchmarks.frame import CannotRun, Effort, Row, Target, run
from benchmarks.sipp import Load, load, program

HANDSETS = 10_000
RATE = 400
"""Registrations per second: all are made before the first transaction ends (timer J, 32 s)."""
SETTLED_SECONDS = 34.0
SOURCES = 20
"""Addresses the connections come from: a peer limits how many one address may open."""
TARGET = Target(200, "ours", at_most=True)


def rows(effort: Effort) -> Iterator[Row]:
    """The memory right after the last registration, and when the transactions have gone."""
    program()
    handsets = effort.times(HANDSETS)
    target = TARGET if handsets == HANDSETS else None
    for transport in ("UDP", "TCP"):
        with ChildProcess("benchmarks.responders", "peer", "--uvloop") as child:
            before = child.memory
            if transport == "UDP":
                _over_udp(child.ready["udp"], handsets)
                at_once = child.memory
                time.sleep(SETTLED_SECONDS * effort.scale)
                settled = child.memory
            else:
                at_once, settled = _over_tcp(child, handsets, SETTLED_SECONDS * effort.scale)
        what = f"{handsets:,} registered handsets held"
        each = 1000 * (at_once - before) / handsets
        note = f"{before:.0f} MB before; {each:.1f} kB each"
        yield Row(what, "MB", at_once, target=target, setting=transport, note=note)
        each = 1000 * (settled - before) / handsets
        yield Row(
            f"{what}, transactions gone",
            "MB",
            settled,
            target=target,
            setting=transport,
            note=f"{each:.1f} kB each",
        )


def _users(first: int, count: int) -> list[str]:
    return [f"+4917{number:08d}" for number in range(first, first + count)]


def _over_udp(address: str, handsets: int) -> None:
    _refuse_losses(load(address, "register-uac.xml", _users(0, handsets), RATE, handsets / RATE))


def _over_tcp(child: ChildProcess, handsets: int, hold: float) -> tuple[float, float]:
    """Memory once all are registered, and after `hold` seconds more; every connection is still open then."""
    each = handsets // SOURCES
    seconds = handsets / RATE
    done: list[Load] = []

    def register(source: int) -> None:
        users = _users(source * each, each)
        held = seconds + hold + 5
        seen = load(
            child.ready["tcp"],
            "register-uac.xml",
            users,
            RATE / SOURCES,
            seconds,
            source=f"127.0.1.{source + 1}",
            held=held,
        )
        done.append(seen)

    threads = [threading.Thread(target=register, args=(source,)) for source in range(SOURCES)]
    for thread in threads:
        thread.start()
    time.sleep(seconds + 2)
    at_once = child.memory
    time.sleep(hold)
    settled = child.memory
    for thread in threads:
        thread.join()
    for seen in done:
        _refuse_losses(seen)
    return at_once, settled


def _refuse_losses(seen: Load) -> None:
    if seen.failed:
        raise CannotRun(f"{seen.failed} registrations failed")


if __name__ == "__main__":
    sys.exit(run({"registered_handsets": rows}))
