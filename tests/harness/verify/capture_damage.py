"""What happens to a capture: packets lost, doubled, out of order, and a beginning that is missing."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from harness.evidence.capture import capture_octets
from harness.evidence.frame import Frame
from harness.evidence.pcapng import LINKTYPE_RAW, read_pcapng
from harness.evidence.timeline import Timeline, Transport
from harness.verify.captures import judge_captures
from harness.verify.proof.script import Script

_CLOSE = 1.0
"""Seconds between packets that may have changed places."""
_COPY = 0.001


class Damage(NamedTuple):
    """One thing that happened at one packet, and the packets there are then."""

    what: str
    at: int
    frames: list[Frame]


def over_udp(script: Script) -> Script:
    """The same flow with its SIP in datagrams."""
    for index, step in enumerate(script.steps):
        if not step.msrp:
            text = step.text.replace("SIP/2.0/TCP", "SIP/2.0/UDP").replace(";transport=tcp", "")
            script.change(index, transport=Transport.UDP, text=text)
    return script


def frames_of(timeline: Timeline) -> list[Frame]:
    """The IP packets of a timeline."""
    file = BytesIO(capture_octets(list(timeline)))
    return list(read_pcapng(file.read(24), file.read))


def pcap(frames: list[Frame], link_type: int = LINKTYPE_RAW) -> bytes:
    """A pcap file of them, in nanoseconds."""
    rows = []
    for frame in frames:
        ticks = round(frame.time * 1e6) * 1000
        row = struct.pack("<IIII", ticks // 10**9, ticks % 10**9, len(frame.data), len(frame.data))
        rows.append(row + frame.data)
    head = struct.pack("<IHHIIII", 0xA1B23C4D, 2, 4, 0, 0, 262_144, link_type)
    return head + b"".join(rows)


def damages(frames: list[Frame]) -> Iterator[Damage]:
    """Every packet lost, every one doubled, every two that are close swapped, and every late beginning."""
    for at, frame in enumerate(frames):
        yield Damage("lost", at, frames[:at] + frames[at + 1 :])
        copy = frame._replace(time=frame.time + _COPY)
        yield Damage("doubled", at, [*frames[: at + 1], copy, *frames[at + 1 :]])
        if at:
            yield Damage("begun", at, frames[at:])
        following = frames[at + 1] if at + 1 < len(frames) else None
        if following is not None and following.time - frame.time < _CLOSE:
            swapped = following._replace(time=frame.time), frame._replace(time=following.time)
            yield Damage("swapped", at, [*frames[:at], *swapped, *frames[at + 2 :]])


def reported(path: Path, profile: str = "rcs51") -> Counter[tuple[str, str]]:
    """(rule, party) of what is found in a capture, and how often."""
    (judgement,) = judge_captures([path], profile)
    return Counter((finding.rule, finding.party.value) for finding in judgement.findings)
