"""The engine: entries of a timeline in, findings out. A live lab and a capture take the same way.

verifier = Verifier(Profile.RCS51)
findings = verifier.judge(timeline)          # may be called again as the timeline grows
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from heapq import heappop, heappush
from typing import NamedTuple

from harness.cpm.profiles import DEFAULT_PROFILE, Profile
from harness.evidence.timeline import Entry
from harness.verify.alike import SAME_AS_BEFORE
from harness.verify.assembly import Assembly
from harness.verify.catalogue import Check, Judged, Kind, Rule, load_catalogue, load_checks
from harness.verify.excerpt import Excerpt, excerpt_of
from harness.verify.finding import (
    APPLIES,
    IN_A_GAP,
    INTERNAL,
    Applies,
    Finding,
    Open,
    Outcome,
    Party,
    Severity,
    Unverifiable,
    Verdict,
    Violation,
    Where,
    verdict,
)
from harness.verify.flows import Flows, UserFlow
from harness.verify.items import CpimItem, EventItem, Item, SipEntry
from harness.verify.masking import masked_text
from harness.verify.msrp_items import ChunkedMessage, MsrpEntry
from harness.verify.negotiation_items import Description
from harness.verify.party_names import PartyNames
from harness.verify.places import where_of
from harness.verify.transcript import Transcript

MOST_EXCERPTS = 1000
"""Findings of a rule that carry the line they are about: a bad capture has any number of findings."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class VerifySettings:
    """What the lab knows and a message cannot tell.

    pager_limit: octets of content above which a message goes as large message. icsis: ICSIs (plain URNs) that
    the configuration of the handset enables at least, None when unknown. from_start: whether the timeline
    shows the handset from its start; None lets the assembly tell.
    """

    pager_limit: int = 1300
    icsis: frozenset[str] | None = None
    iaris: frozenset[str] | None = None
    """IARIs (plain URNs) of the applications the configuration enables, all of them; None when unknown."""
    from_start: bool | None = None
    ipsec: bool = False
    clock_tolerance: float = 2.0
    """Seconds by which clocks of handset, instrument and this host may differ."""
    cell_tolerance: float = 2.0
    """Seconds after a change of cell in which the cell before may still be named."""
    registration_window: float = 3.0
    """Seconds round a change of registration in which modem and registrar may differ."""
    group_limit: int = 100
    """Recipients the configuration allows in the list of an ad-hoc group."""
    conference_factory: str | None = None
    """URI at which groups are founded, None when unknown."""
    deferred_messages: str | None = None
    """URI from which deferred messages are fetched, None when unknown."""
    groups: frozenset[str] = frozenset()
    """URIs of pre-defined groups."""
    not_exchanged: frozenset[str] = frozenset()
    """Feature tags of REGISTER that capability exchange leaves out, as harness.cpm.services writes them."""


@dataclass(frozen=True, slots=True)
class Flow:
    """What a rule function may look back on beside its item: everything linked up to that item.

    now: the time the timeline has reached, seconds since the epoch.
    """

    assembly: Assembly
    settings: VerifySettings
    profile: Profile

    @property
    def now(self) -> float:
        return self.assembly.now

    @property
    def from_start(self) -> bool:
        """What was not seen did not happen: the timeline has the start of the handset and no gap."""
        known = self.settings.from_start
        return bool(self.assembly.from_start if known is None else known) and not self.assembly.incomplete


@dataclass(order=True, slots=True)
class _Waiting:
    due: float
    place: int
    checks: tuple[Check, ...] = field(compare=False)
    item: Item = field(compare=False)


class _Plan(NamedTuple):
    """The checks for items of one sort: those to make at once, and those that wait, by what they wait for."""

    now: tuple[Check, ...]
    later: tuple[tuple[float | str, tuple[Check, ...]], ...]


class Verifier:
    """Judges one timeline. `findings` and `open` grow as it is fed; both keep the order of the timeline.

    forgets: what is over is let go, so that memory is that of what is open, however long the timeline. Then
    `assembly` holds no more than that.
    """

    def __init__(
        self,
        profile: Profile | str = DEFAULT_PROFILE,
        settings: VerifySettings | None = None,
        transcript: Transcript | None = None,
        *,
        forgets: bool = False,
    ) -> None:
        self.profile = Profile(profile)
        self.settings = settings or VerifySettings()
        self.assembly = Assembly(forgets=forgets)
        self.findings: list[Finding] = []
        self.open: list[Open] = []
        """Rules that could not be decided: never a fail."""
        self.exercised: Counter[str] = Counter()
        """By rule: how many items it applied to."""
        self.kinds: Counter[Kind] = Counter()
        """How many items of each kind, the narrowest, came."""
        self.judged = 0
        """Number of items rules were called for."""
        self.names = PartyNames()
        self.assembly.on_forget = self.names.forget_sessions
        self.flows = Flows()
        self.transcript = transcript
        """For a report that shows messages."""
        self._flow = Flow(self.assembly, self.settings, self.profile)
        self._catalogue = load_catalogue()
        self._bits = {rule: 1 << place for place, rule in enumerate(self._catalogue)}
        self._plans: dict[tuple[Kind, str | None, Party, bool], _Plan] = {}
        self._methods = _named_methods()
        self._excerpts: Counter[str] = Counter()
        self._waiting: list[_Waiting] = []
        self.seen = 0
        """Number of the last entry taken in."""
        self._order = 0
        self._now = float("-inf")

    def use(self, settings: VerifySettings) -> None:
        """Judge by these settings from the next entry on."""
        self.settings = settings
        self._flow = Flow(self.assembly, settings, self.profile)

    def judge(self, entries: Iterable[Entry], since: int = 0) -> list[Finding]:
        """Take in the entries not yet seen and give the findings on items whose number is larger than
        `since`.

        Entries already fed (by their number) are passed over, so the whole timeline may be given each time.
        """
        whole: ChunkedMessage | None = None
        for item in self.assembly.feed(self._new(entries)):
            if whole is not None and not isinstance(item, CpimItem):
                whole.let_go()  # of what a capture holds nothing else would
                whole = None
            self._expire(item.time)
            self._judge_item(item)
            if self.assembly.forgets and isinstance(item, ChunkedMessage) and item.complete:
                whole = item
            if isinstance(item, MsrpEntry) and item.message is not None:
                item.message.forget()  # a transfer may have a million chunks
        self._expire(self._now)
        self.findings.sort(key=lambda finding: finding.where.entry)
        self.names.settle()
        self.flows.all()
        return [finding for finding in self.findings if finding.where.entry > since]

    def _new(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """Entries not seen before, one at a time: there may be more than memory should hold."""
        for entry in entries:
            if entry.number > self.seen:
                self.seen, self._now = entry.number, max(self._now, entry.time)
                yield entry

    def verdict(self, party: Party | None = None) -> Verdict:
        """The verdict on what was judged so far; inconc when there was nothing to judge."""
        return verdict(self.findings, party) if self.judged else Verdict.INCONC

    def exercised_in(self, flow: UserFlow) -> list[str]:
        """The rules that applied to something in a flow."""
        return [rule for rule, bit in self._bits.items() if flow.exercised & bit]

    def _meet(self, item: SipEntry | MsrpEntry) -> None:
        """See whose a message is and which flow it is part of."""
        if isinstance(item, SipEntry):
            self.names.learn(item)
        self.flows.add(item)
        sender = self.names.sender(item)
        sender.judged += 1
        if self.transcript is not None:
            self.transcript.add(item, sender, self.names.receiver(item))

    def _judge_item(self, item: Item) -> None:
        if isinstance(item, SipEntry) and item.retransmission_of is not None:
            if self.transcript is not None:
                self.transcript.repeat(item)
            return
        if isinstance(item, SipEntry | MsrpEntry):
            self._meet(item)
        self.judged += isinstance(item, SipEntry | MsrpEntry | CpimItem)
        self._order += 1
        plan = self._plan_for(item)
        self._call(plan.now, item)
        for after, checks in plan.later:
            heappush(self._waiting, _Waiting(item.time + self._delay(after), self._order, checks, item))

    def _plan_for(self, item: Item) -> _Plan:
        kind = _kind(item)
        self.kinds[kind] += 1
        method = None
        if isinstance(item, SipEntry | MsrpEntry):
            method = item.method
            if method not in self._methods:
                method = ""
        key = kind, method, item.sender, isinstance(item, MsrpEntry) and item.alike
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = _plan(self.profile, *key)
        return plan

    def _delay(self, after: float | str) -> float:
        delay: float = getattr(self.settings, after) if isinstance(after, str) else after
        return delay

    def _expire(self, now: float) -> None:
        while self._waiting and self._waiting[0].due <= now:
            waiting = heappop(self._waiting)
            sender = waiting.item.sender
            self._call([check for check in waiting.checks if _judges(check, sender)], waiting.item)

    def _call(self, checks: Iterable[Check], item: Item) -> None:
        flow, applied = self._flow, 0
        for check in checks:
            try:
                outcomes = list(check.function(item, flow))
            except Exception as error:  # noqa: BLE001 - a defect in one rule must not lose the others
                _log.exception("rule %s broke on %s", check.id, item.label)
                self.findings.append(self._broken(self._catalogue[check.id], item, error))
                continue
            if outcomes:
                self.exercised[check.id] += 1
                applied |= self._bits[check.id]
                if len(outcomes) > 1 or outcomes[0] is not APPLIES:
                    self._take(check, item, outcomes)
        if applied:
            self.flows.of(item).exercised |= applied

    def _take(self, check: Check, item: Item, outcomes: Iterable[Outcome]) -> None:
        rule = self._catalogue[check.id]
        for outcome in outcomes:
            if isinstance(outcome, Applies):
                continue
            blamed = outcome.item or item
            if isinstance(outcome, Unverifiable):
                self._leave_open(rule, outcome, blamed, check.receiver)
            elif check.after and self.assembly.incomplete:
                self._leave_open(rule, IN_A_GAP, blamed, check.receiver)
            else:
                self.findings.append(self._finding(rule, outcome, blamed, check.receiver))

    def _leave_open(self, rule: Rule, outcome: Unverifiable, item: Item, receiver: bool) -> None:
        of_receiver = receiver and outcome.item is None
        whose = self.names.receiver(item) if of_receiver else self.names.sender(item)
        self.open.append(Open(rule.id, where_of(item), masked_text(outcome.why), whose, self.flows.of(item)))

    def _finding(self, rule: Rule, violation: Violation, item: Item, receiver: bool) -> Finding:
        severity = rule.severity_under(self.profile).at_most(violation.severity)
        of_receiver = receiver and violation.item is None
        party = item.sender.other if of_receiver else item.sender
        where, flow = where_of(item, violation), self.flows.of(item)
        flow.findings += 1
        if self.transcript is not None:
            self.transcript.keep(item, self.names.sender(item), self.names.receiver(item))
        return Finding(
            rule=rule.id,
            severity=severity,
            confidence=rule.confidence,
            party=party,
            message=masked_text(violation.message) or rule.check,
            where=where,
            expected=masked_text(violation.expected),
            actual=masked_text(violation.actual),
            clause=rule.clause,
            fails=rule.hard_fail and severity is Severity.MUST and party is not Party.UNKNOWN,
            whose=self.names.receiver(item) if of_receiver else self.names.sender(item),
            flow=flow,
            excerpt=self._excerpt(rule, violation, item, where),
        )

    def _excerpt(self, rule: Rule, violation: Violation, item: Item, where: Where) -> Excerpt | None:
        self._excerpts[rule.id] += 1
        if self._excerpts[rule.id] > MOST_EXCERPTS:
            return None
        return excerpt_of(item, where.header, where.octet, violation.actual, violation.expected)

    def _broken(self, rule: Rule, item: Item, error: Exception) -> Finding:
        return Finding(
            rule=INTERNAL,
            severity=Severity.INFO,
            confidence="",
            party=Party.LAB,
            message=f"rule {rule.id} broke; this is a defect of rcslab, not of the message",
            where=where_of(item),
            expected="a judgement",
            actual=masked_text(f"{type(error).__name__}: {error}"),
            clause="",
            whose=self.names.lab,
            flow=self.flows.of(item),
        )


# Items of the kind on the left are of that on the right too, whose rules come first.
BROADER = {
    Kind.REQUEST: Kind.SIP,
    Kind.RESPONSE: Kind.SIP,
    Kind.MSRP_REQUEST: Kind.MSRP,
    Kind.MSRP_RESPONSE: Kind.MSRP,
}
_PLAIN_KINDS: tuple[tuple[type[Item], Kind], ...] = (
    (CpimItem, Kind.CPIM),
    (EventItem, Kind.EVENT),
    (Description, Kind.SDP),
    (ChunkedMessage, Kind.MSRP_MESSAGE),
)


def _plan(profile: Profile, kind: Kind, method: str | None, sender: Party, alike: bool) -> _Plan:
    """The checks under a profile for items of a kind and method, by whose they are.

    method: None where methods do not count. alike: of chunks that go on as those before, and of responses.
    """
    checks = [
        check
        for on in (BROADER.get(kind), kind)
        for check in load_checks()
        if check.on is on
        and profile in check.profiles
        and not (alike and check.id in SAME_AS_BEFORE)
        and (not check.methods or method is None or method in check.methods)
    ]
    later: dict[float | str, list[Check]] = {}
    for check in checks:
        if check.after:  # who sent the item may be known better by then
            later.setdefault(check.after, []).append(check)
    return _Plan(
        tuple(check for check in checks if not check.after and _judges(check, sender)),
        tuple((after, tuple(waiting)) for after, waiting in later.items()),
    )


def _judges(check: Check, sender: Party) -> bool:
    """Whether it is for what this party sent or, when it judges the receiver, got."""
    party = sender.other if check.receiver else sender
    return load_catalogue()[check.id].judged in (Judged.EITHER, party.value)


def _kind(item: Item) -> Kind:
    """The narrowest one."""
    if isinstance(item, SipEntry):
        if item.message is None:
            return Kind.BROKEN
        return Kind.REQUEST if item.request is not None else Kind.RESPONSE
    if isinstance(item, MsrpEntry):
        if item.message is None or item.cut:
            return Kind.BROKEN_MSRP
        return Kind.MSRP_REQUEST if item.request is not None else Kind.MSRP_RESPONSE
    return next(kind for made, kind in _PLAIN_KINDS if isinstance(item, made))


@cache
def _named_methods() -> frozenset[str]:
    """All that checks are for. There are not many; those in messages may be any number."""
    return frozenset().union(*(check.methods for check in load_checks()))
