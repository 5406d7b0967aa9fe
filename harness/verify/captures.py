"""Captures judged: pcap or pcapng -> entries of a timeline -> findings, the same way as in a live lab."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from harness.errors import ExitCode
from harness.evidence.capture_reader import read_capture
from harness.evidence.timeline import DATAGRAMS_LOST, OCTETS_LOST, Entry, Packet, Transport
from harness.sip.stun import is_stun
from harness.verify.engine import Verifier, VerifySettings
from harness.verify.finding import Verdict
from harness.verify.judgement import Judgement
from harness.verify.transcript import Transcript

NOTICES = ("capture-truncated", "capture-ignored", OCTETS_LOST, DATAGRAMS_LOST)

SHOWN_HOLES = 4


def judge_captures(
    paths: Sequence[Path],
    profile: str,
    settings: VerifySettings | None = None,
    *,
    with_messages: bool = False,
) -> list[Judgement]:
    """Judge each file by itself; with_messages for a report that shows them.

    Raises: CaptureError for one that is no capture or cannot be read.
    """
    judgements = []
    for path in paths:
        transcript = Transcript() if with_messages else None
        verifier = Verifier(profile, settings, transcript, forgets=True)
        watched = Notices()
        verifier.judge(watched.passing(read_capture(path)))
        judgements.append(Judgement.of(str(path), verifier, watched.lines() + beyond(verifier)))
    return judgements


class Notices:
    """What entries say about themselves: what the capture did not have, what was lost, what is not judged."""

    def __init__(self) -> None:
        self._said: list[str] = []
        self._stun = self._holes = self._missing = 0
        self._shown: list[str] = []

    def passing(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """The same entries, looked at while they pass."""
        for entry in entries:
            if isinstance(entry, Packet):
                if entry.missing:
                    self._hole(entry)
                if entry.transport is Transport.UDP and is_stun(entry.data):
                    self._stun += 1
            elif entry.name in NOTICES:
                self._said.append(entry.text)
            yield entry

    def lines(self) -> list[str]:
        """A line for each kind."""
        said = list(self._said)
        if self._stun:
            said.append(f"{self._stun} STUN messages beside SIP, which are not judged (RFC 5626 8)")
        if self._holes:
            more = f" and {self._holes - SHOWN_HOLES} more" if self._holes > SHOWN_HOLES else ""
            places = f": {', '.join(self._shown)}{more}"
            said.append(f"{self._missing} octets are missing at {self._holes} places of the capture{places}")
        return said

    def _hole(self, packet: Packet) -> None:
        self._holes += 1
        self._missing += packet.missing
        if len(self._shown) < SHOWN_HOLES:
            self._shown.append(f"{packet.missing} from {packet.source} to {packet.destination}")


def beyond(verifier: Verifier) -> list[str]:
    """What was not judged since it is judged elsewhere."""
    legs = verifier.assembly.legs
    if not legs.passed_over:
        return []
    hosts = ", ".join(sorted(legs.seen_twice))
    return [
        f"{legs.passed_over} messages between {hosts} are those of the handset's side once more: not judged"
    ]


def notices(entries: Iterable[Entry]) -> list[str]:
    """What the entries say about themselves."""
    watched = Notices()
    for _ in watched.passing(entries):
        pass
    return watched.lines()


def exit_code(judgements: Sequence[Judgement]) -> int:
    """1 when a finding fails a run, 2 when a file holds nothing to judge, 3 when a rule broke, else 0."""
    if any(judgement.verdict is Verdict.FAIL for judgement in judgements):
        return ExitCode.FAILED
    if any(not judgement.judged for judgement in judgements):
        return ExitCode.UNUSABLE
    return ExitCode.INFRA if any(j.verdict is Verdict.INCONC for j in judgements) else ExitCode.CLEAN
