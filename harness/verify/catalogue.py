"""The catalogue of rules: catalogue.json beside this file, read at the first call of `load_catalogue`.

A rule function ties itself to its entry with `@rule("its.id", on=Kind.REQUEST)`. The function is pure:

    @rule("sip.max-forwards.origin-70", on=Kind.REQUEST)
    def origin_70(entry: SipEntry, flow: Flow) -> Outcomes: ...

It is called once for each item of the kind whose sender the entry's `judged` names (handset, network,
either), in the order of the timeline, and sees nothing that came after the item. It yields APPLIES once it
knows that the item concerns it, then what is wrong or cannot be decided.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass, field
from enum import Enum, StrEnum
from functools import cache
from importlib import import_module, resources
from pkgutil import iter_modules
from typing import Any

from harness.cpm.profiles import Profile
from harness.verify.finding import Outcomes, Severity


class Judged(StrEnum):
    """Whose messages a rule judges. `either`: the sender's, whoever it is. `tool`: a demand on this
    program.
    """

    HANDSET = "handset"
    NETWORK = "network"
    EITHER = "either"
    TOOL = "tool"


class Kind(Enum):
    """What a rule function is called with."""

    SIP = "a SipEntry with a message, request or response"
    REQUEST = "a SipEntry whose message is a Request"
    RESPONSE = "a SipEntry whose message is a Response"
    BROKEN = "a SipEntry without a message: octets meant as SIP that cannot be parsed (entry.error)"
    SDP = "a Description: the session description of a SIP message, with what it offers or answers"
    MSRP = "an MsrpEntry with a message, request or response"
    MSRP_REQUEST = "an MsrpEntry whose message is a request: a chunk of a SEND, a REPORT or another"
    MSRP_RESPONSE = "an MsrpEntry whose message is a response"
    MSRP_MESSAGE = "a ChunkedMessage: complete, or given up by its sender"
    BROKEN_MSRP = "an MsrpEntry of octets that cannot be parsed (entry.error), or cut by the connection's end"
    CPIM = "a CpimItem: CPIM found in a SIP body or in an MSRP message"
    EVENT = "an EventItem: what a driver did or saw"


@dataclass(frozen=True, slots=True)
class Rule:
    """One checkable statement.

    check: what is checked, in a sentence. severity: the highest it can give; `profiles` has the exceptions.
    hard_fail: a finding fails a run by itself while the severity under the profile is MUST. confidence: T
    clause read in the text, I seen in an implementation, M from memory, S seen in a field trace, P a
    comparison only a lab can make. priority: 1 first release. part_of: the rule it was split off. note: why
    it is not as a source has it, or what of it messages cannot tell.
    """

    id: str
    priority: int
    flow: str
    judged: Judged
    check: str
    severity: Severity
    profiles: dict[Profile, Severity]
    hard_fail: bool
    clause: str
    confidence: str
    part_of: str | None = None
    note: str = ""

    def severity_under(self, profile: Profile) -> Severity:
        """The severity that holds under the profile."""
        return self.profiles.get(profile, self.severity)

    def fails_under(self, profile: Profile) -> bool:
        """Whether a finding fails a run by itself under the profile."""
        return self.hard_fail and self.severity_under(profile) is Severity.MUST

    def as_dict(self) -> dict[str, Any]:
        """JSON values, with the severity under each profile and whether it is implemented."""
        severities = {profile.value: self.severity_under(profile).value for profile in Profile}
        return asdict(self) | {"severities": severities, "implemented": self.implemented}

    @property
    def implemented(self) -> bool:
        """Whether a rule function exists (or, for a demand on the tool, the tool meets it)."""
        return self.id in MET_BY_THE_TOOL or any(check.id == self.id for check in load_checks())


MET_BY_THE_TOOL = frozenset(
    {
        "sip.header.compact-forms",  # harness.sip.headers expands them
        "x.mt-direction-label",  # parties.py
        "x.incomplete-capture",  # Unverifiable
        "x.capture-side",  # negotiation.py: sessions are known by session-ids
        "msrp.uri.compare",  # harness.msrp.uri
        "sdp.ipv6.compare",  # harness.msrp.uri and parties.py
        "sdp.crlf.receiver",  # harness.bodies.sdp
        "x.cpim-message-correlation",  # assembly.py
        "cpim.ns.prefix-any",  # harness.bodies.cpim resolves by URN
        "cpim.structure.rfc5438-form.receive",
        "x.elided-input",  # sip_streams.py: a body with a mark for what was left out is incomplete
    }
)


@cache
def load_catalogue() -> dict[str, Rule]:
    """All rules by id, in the order of the data file."""
    text = resources.files("harness.verify").joinpath("catalogue.json").read_text(encoding="utf-8")
    return {entry["id"]: _rule(entry) for entry in json.loads(text)}


def _rule(entry: dict[str, Any]) -> Rule:
    return Rule(
        id=entry["id"],
        priority=entry["priority"],
        flow=entry["flow"],
        judged=Judged(entry["judged"]),
        check=entry["check"],
        severity=Severity(entry["severity"]),
        profiles={Profile(name): Severity(value) for name, value in entry.get("profiles", {}).items()},
        hard_fail=entry["hard_fail"],
        clause=entry["clause"],
        confidence=entry["confidence"],
        part_of=entry.get("part_of"),
        note=entry.get("note", ""),
    )


RuleFunction = Callable[..., Outcomes]


@dataclass(frozen=True, slots=True)
class Check:
    """A rule function and when to call it."""

    id: str
    on: Kind
    function: RuleFunction
    methods: frozenset[str] = field(default_factory=frozenset)
    after: float | str = 0.0
    profiles: frozenset[Profile] = frozenset(Profile)
    receiver: bool = False


def rule(
    rule_id: str,
    *,
    on: Kind,
    methods: Collection[str] = (),
    after: float | str = 0.0,
    profiles: Collection[Profile] = tuple(Profile),
    receiver: bool = False,
) -> Callable[[RuleFunction], RuleFunction]:
    """Declare a rule function for a catalogue id. May be stacked: one function may hold several declarations.

    methods: call only for SIP and MSRP messages whose method (response: that of its request) is one of
    these; no effect on other kinds. after: seconds; call only once the timeline has gone that far beyond
    the item (for what must follow it: an answer, an ACK), or the name of a setting that says so; when the
    timeline ends before, the rule is not evaluated. profiles: evaluated only under these. receiver: the
    party judged is the one the item went to (who did not answer, did not repeat), not its sender.
    """

    def declare(function: RuleFunction) -> RuleFunction:
        check = Check(rule_id, on, function, frozenset(methods), after, frozenset(profiles), receiver)
        declared: list[Check] = getattr(function, "checks", [])
        function.checks = [*declared, check]  # type: ignore[attr-defined]
        return function

    return declare


@cache
def load_checks() -> tuple[Check, ...]:
    """The declarations of every module in harness.verify.rules, by module name and place in the module."""
    return tuple(_declared())


def _declared() -> Iterator[Check]:
    package = import_module("harness.verify.rules")
    for found in sorted(iter_modules(package.__path__), key=lambda module: module.name):
        module = import_module(f"{package.__name__}.{found.name}")
        for value in vars(module).values():
            if getattr(value, "__module__", None) == module.__name__:
                yield from getattr(value, "checks", ())
