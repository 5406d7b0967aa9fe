"""Captures judged: pcap or pcapng -> timeline -> findings, the same way as in a live lab."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.errors import ExitCode
from harness.evidence.capture import capture_to_timeline
from harness.evidence.timeline import DATAGRAMS_LOST, OCTETS_LOST, Event, Packet, Timeline, Transport
from harness.sip.stun import is_stun
from harness.verify.engine import Verifier, VerifySettings
from harness.verify.finding import Verdict
from harness.verify.judgement import Judgement

NOTICES = ("capture-truncated", "capture-ignored", OCTETS_LOST, DATAGRAMS_LOST)

SHOWN_HOLES = 4


def judge_captures(
    paths: Sequence[Path], profile: str, settings: VerifySettings | None = None
) -> list[Judgement]:
    """Judge each file by itself. Raises: CaptureError for one that is no capture or cannot be read."""
    timelines = [(path, capture_to_timeline(path)) for path in paths]
    judgements = []
    for path, timeline in timelines:
        verifier = Verifier(profile, settings)
        verifier.judge(timeline)
        judgements.append(Judgement.of(str(path), verifier, notices(timeline)))
    return judgements


def notices(timeline: Timeline) -> list[str]:
    """What the timeline says about itself: what the capture did not have, or what was lost."""
    said = [entry.text for entry in timeline if isinstance(entry, Event) and entry.name in NOTICES]
    stun = sum(
        isinstance(entry, Packet) and entry.transport is Transport.UDP and is_stun(entry.data)
        for entry in timeline
    )
    if stun:
        said.append(f"{stun} STUN messages beside SIP, which are not judged (RFC 5626 8)")
    cut = [entry for entry in timeline if isinstance(entry, Packet) and entry.missing]
    if cut:
        octets = sum(packet.missing for packet in cut)
        said.append(f"{octets} octets are missing at {len(cut)} places of the capture{_places(cut)}")
    return said


def _places(cut: Sequence[Packet]) -> str:
    """Where the first holes are."""
    shown = [f"{packet.missing} from {packet.source} to {packet.destination}" for packet in cut[:SHOWN_HOLES]]
    more = f" and {len(cut) - SHOWN_HOLES} more" if len(cut) > SHOWN_HOLES else ""
    return f": {', '.join(shown)}{more}"


def exit_code(judgements: Sequence[Judgement]) -> int:
    """1 when a finding fails a run, 2 when a file holds nothing to judge, 3 when a rule broke, else 0."""
    if any(judgement.verdict is Verdict.FAIL for judgement in judgements):
        return ExitCode.FAILED
    if any(not judgement.judged for judgement in judgements):
        return ExitCode.UNUSABLE
    return ExitCode.INFRA if any(j.verdict is Verdict.INCONC for j in judgements) else ExitCode.CLEAN
