"""A mutant: a conformant flow in which exactly one thing is wrong, and what the rules say of it.

A module of harness.verify.proof.mutants holds the mutants of a protocol as a table, `MUTANTS`:

    Mutant("sip.via.branch-cookie", HANDSET, "pager_mo", everywhere("=z9hG4bKmoa", "=1moa", 0, 1)),
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from harness.cpm.profiles import DEFAULT_PROFILE, Profile
from harness.verify.engine import VerifySettings
from harness.verify.finding import Party
from harness.verify.proof.flows import FLOWS
from harness.verify.proof.script import Script

Change = Callable[[Script], Script]
HANDSET, NETWORK = Party.HANDSET, Party.NETWORK


@dataclass(frozen=True, slots=True)
class Mutant:
    """One way to break one rule.

    rule: the rule that has to report it. party: whose message it spoils. flow: name of the conformant flow
    it is made from. change: what is spoiled. beside: the other rules that report it too; why: the reason they
    do. settings: what the lab knows, when the rule needs it. profile: under which the rule is evaluated.
    """

    rule: str
    party: Party
    flow: str
    change: Change = field(compare=False)
    beside: tuple[str, ...] = ()
    why: str = ""
    settings: VerifySettings = field(default_factory=VerifySettings)
    profile: Profile = DEFAULT_PROFILE

    def __post_init__(self) -> None:
        if bool(self.beside) != bool(self.why):
            raise ValueError(f"{self.name}: rules that fire beside it need a reason, a reason needs rules")

    @property
    def name(self) -> str:
        return f"{self.rule} by {self.party} in {self.flow}"

    def script(self) -> Script:
        """The spoiled flow."""
        return self.change(FLOWS[self.flow]())


@cache
def load_mutants() -> tuple[Mutant, ...]:
    """Every mutant, by module and place in its table."""
    return tuple(_declared())


def _declared() -> Iterator[Mutant]:
    package = import_module("harness.verify.proof.mutants")
    for found in sorted(iter_modules(package.__path__), key=lambda module: module.name):
        yield from import_module(f"{package.__name__}.{found.name}").MUTANTS
