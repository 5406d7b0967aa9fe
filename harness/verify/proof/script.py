"""A flow as a script: messages in order with the times between them, and what drivers saw meanwhile.

A script makes a timeline, as a capture or a live lab would. Mutants change its messages by index.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from harness.evidence.timeline import Address, Layer, Timeline, Transport

HANDSET = Address("10.0.0.5", 5060)
NETWORK = Address("10.0.0.1", 5060)
START = 1_700_000_000.0
"""When a flow begins, seconds since the epoch."""


@dataclass(frozen=True)
class Step:
    """One message. handset: who sends it. after: seconds since the step before. msrp: the number of the MSRP
    connection it goes over, 0 for SIP. event: no message but the end of that connection, with this text.
    """

    handset: bool
    text: str
    after: float = 0.1
    transport: Transport = Transport.TCP
    msrp: int = 0
    event: str = ""
    missing: int = 0
    note: str = ""


@dataclass(frozen=True)
class Seen:
    """What a driver or the lab saw: an event of the timeline. after: seconds since the start of the flow."""

    after: float
    layer: Layer
    name: str
    fields: Mapping[str, Any]


@dataclass
class Script:
    """Messages in order; mutants change them by index. start: the timeline has the start of the handset."""

    steps: list[Step] = field(default_factory=list)
    start: bool = True
    seen: list[Seen] = field(default_factory=list)

    def saw(self, after: float, layer: Layer, name: str, /, **fields: Any) -> Script:
        """Add an event of a driver at that many seconds after the start of the flow."""
        self.seen.append(Seen(after, layer, name, fields))
        return self

    def sub(self, index: int, old: str, new: str) -> Script:
        """Replace text of a message once; Content-Length follows a changed body."""
        text = self.steps[index].text
        if old not in text:
            raise ValueError(f"{old!r} is not in step {index}:\n{text}")
        changed = text.replace(old, new, 1)
        if changed.partition("\r\n\r\n")[2] != text.partition("\r\n\r\n")[2]:
            changed = measured(changed)
        self.steps[index] = replace(self.steps[index], text=changed)
        return self

    def everywhere(self, old: str, new: str, *indexes: int) -> Script:
        for index in indexes or range(len(self.steps)):
            self.steps[index] = replace(self.steps[index], text=self.steps[index].text.replace(old, new))
        return self

    def line(self, index: int, *lines: str) -> Script:
        """Add header lines below the start line."""
        first, _, rest = self.steps[index].text.partition("\r\n")
        self.steps[index] = replace(self.steps[index], text="\r\n".join((first, *lines, rest)))
        return self

    def without(self, index: int, name: str) -> Script:
        """Drop a header."""
        text, count = re.subn(rf"\r\n{re.escape(name)}:[^\r]*", "", self.steps[index].text, count=1)
        assert count, f"no {name} in step {index}"
        self.steps[index] = replace(self.steps[index], text=text)
        return self

    def body(self, index: int, body: str) -> Script:
        head = self.steps[index].text.partition("\r\n\r\n")[0]
        self.steps[index] = replace(self.steps[index], text=measured(f"{head}\r\n\r\n{body}"))
        return self

    def drop(self, *indexes: int) -> Script:
        self.steps = [step for index, step in enumerate(self.steps) if index not in indexes]
        return self

    def insert(self, index: int, step: Step) -> Script:
        self.steps.insert(index, step)
        return self

    def copy(self, source: int, index: int, **changes: object) -> Script:
        """Insert a copy of a message."""
        self.steps.insert(index, replace(self.steps[source], **changes))  # type: ignore[arg-type]
        return self

    def change(self, index: int, **changes: object) -> Script:
        self.steps[index] = replace(self.steps[index], **changes)  # type: ignore[arg-type]
        return self

    def wait(self, seconds: float) -> Script:
        """Let time pass at the end: a keep-alive long after."""
        self.steps.append(Step(True, "\r\n\r\n", seconds))
        return self

    def timeline(self, *, loopback: bool = False, start: bool | None = None) -> Timeline:
        now = START
        trace = Timeline(clock=lambda: now)
        if self.start if start is None else start:
            trace.event(Layer.LAB, "test-start", name="flow", at=now)
        waiting = sorted(self.seen, key=lambda each: each.after)
        for step in self.steps:
            now += step.after
            while waiting and START + waiting[0].after <= now:
                _event(trace, waiting.pop(0))
            if step.msrp:
                self._msrp(trace, step, now)
                continue
            own, far = HANDSET, NETWORK
            if step.transport is Transport.TCP:
                own = Address(own.host, 40000)
            if loopback:
                own, far = Address("127.0.0.1", own.port + 1), Address("127.0.0.1", far.port)
            source, destination = (own, far) if step.handset else (far, own)
            trace.packet(
                Layer.SIP,
                step.transport,
                source,
                destination,
                step.text.encode("utf-8", "surrogateescape"),
                connection=1 if step.transport is Transport.TCP else None,
                note=step.note,
                at=now,
            )
        for each in waiting:
            _event(trace, each)
        return trace

    def _msrp(self, trace: Timeline, step: Step, now: float) -> None:
        own, far = Address("10.0.0.5", 50000 + step.msrp), Address("10.0.0.1", 20000)
        if step.event:
            ends = {"local": str(far), "remote": str(own), "connection": step.msrp}
            side = "opened_by" if step.event.startswith(("accepted", "opened")) else "closed_by"
            ends[side] = str(own if step.handset else far)
            trace.event(Layer.MSRP, "connection", step.event, at=now, **ends)
            return
        source, destination = (own, far) if step.handset else (far, own)
        trace.packet(
            Layer.MSRP,
            step.transport,
            source,
            destination,
            step.text.encode("utf-8", "surrogateescape"),
            connection=step.msrp,
            missing=step.missing,
            at=now,
        )


def _event(trace: Timeline, seen: Seen) -> None:
    trace.event(seen.layer, seen.name, at=START + seen.after, **seen.fields)


def measured(text: str) -> str:
    """The message with the Content-Length of its body."""
    head, _, body = text.partition("\r\n\r\n")
    return re.sub(r"Content-Length: \d+", f"Content-Length: {len(body.encode())}", head) + "\r\n\r\n" + body


def crlf(*lines: str) -> str:
    return "".join(f"{line}\r\n" for line in lines)
