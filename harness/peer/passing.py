"""Sees a SIP message pass on the wire: what is on the timeline has surely left, or come."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

from harness.evidence.timeline import Entry, Packet, Timeline


class Passing:
    """The next message with this Call-ID that is wanted; told once, in the loop that made this.

    wanted: whether octets are such a message. Of one that comes it is told before anything that follows from
    it: its octets are on the timeline first.
    """

    def __init__(
        self,
        timeline: Timeline,
        call_id: str,
        told: Callable[[Packet], None],
        wanted: Callable[[bytes], bool] = lambda _: True,
    ) -> None:
        self._told: Callable[[Packet], None] | None = told
        loop = asyncio.get_running_loop()
        named = rb"\r\n(?:Call-ID|i)[ \t]*:[ \t]*%s[ \t]*\r\n" % re.escape(call_id.encode())
        mark = re.compile(named, re.IGNORECASE)

        def listener(entry: Entry) -> None:
            if isinstance(entry, Packet) and wanted(entry.data) and mark.search(entry.data):
                loop.call_soon_threadsafe(self._passed, entry)

        self.stop = timeline.listen(listener)

    def _passed(self, entry: Packet) -> None:
        told, self._told = self._told, None
        if told is not None:
            self.stop()
            told(entry)
