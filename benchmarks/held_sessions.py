"""Live chats held between two processes of ours: SIP session and MSRP connection each, a message a second.

Transactions, session timers and timeline are on. A chat is held when both its sessions live and each message
was answered 200 before the next was due.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

from benchmarks.child_process import ChildProcess
from benchmarks.frame import CannotRun, Effort, Row, Target, run

SECONDS = 20.0
LOOPS = ("asyncio", "uvloop")
CHATS = (1, 10, 100, 1000)
WHAT = "live chats held, a message each per second"


def rows(effort: Effort) -> Iterator[Row]:
    """From one chat to a thousand, with each loop."""
    for loop in LOOPS:
        for chats in CHATS:
            yield _held(loop, chats, max(3.0, SECONDS * effort.scale))


def _held(loop: str, chats: int, seconds: float) -> Row:
    options = ["--uvloop"] if loop == "uvloop" else []
    with ChildProcess("benchmarks.chat_ends", *options) as peer:
        before = peer.memory
        load = ["--handsets", peer.ready["sip"], str(chats), str(seconds)]
        with ChildProcess("benchmarks.chat_ends", *options, *load) as handsets:
            each = 1000 * (peer.memory - before) / chats
            begun = time.monotonic(), peer.processor_seconds, handsets.processor_seconds
            said = handsets.says()
            if said is None:
                raise CannotRun("the handsets ended before their time")
            took = time.monotonic() - begun[0]
            shares = [
                (end.processor_seconds - start) / took
                for end, start in zip((peer, handsets), begun[1:], strict=True)
            ]
    rate, median, slow = said["sent"] / said["seconds"], 1e3 * said["median"], 1e3 * said["slow"]
    note = (
        f"{rate:,.0f} messages/s, answered within {median:.1f} ms (50 %) and {slow:.1f} ms (99 %); "
        f"{shares[0]:.0%} of a core here, {shares[1]:.0%} for the handsets; {each:.0f} kB each"
    )
    setting = f"{loop}, {chats:,} chat{'s' * (chats > 1)}"
    return Row(WHAT, "", said["held"], target=Target(chats, "ours"), setting=setting, note=note)


if __name__ == "__main__":
    sys.exit(run({"held_sessions": rows}))
