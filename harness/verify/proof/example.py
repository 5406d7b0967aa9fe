"""An example for a rule: the place of a conformant flow where it holds, and the same place in a mutant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from typing import Any

from harness.verify.engine import Verifier
from harness.verify.finding import Finding
from harness.verify.proof.flows import FLOWS
from harness.verify.proof.mutant import Mutant, load_mutants
from harness.verify.proof.script import Script, Step

SHOWN = 110
"""Characters of a line that an example shows."""
MOST = 24
"""Lines of a side that an example shows."""
Opcode = tuple[str, int, int, int, int]


@dataclass(frozen=True, slots=True)
class Example:
    """Lines of a flow that pass and of a mutant that fail, and the finding on them."""

    flow: str
    passes: tuple[str, ...]
    fails: tuple[str, ...]
    finding: Finding

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)


def example_of(rule: str) -> Example | None:
    """The mutant of the rule that changes least, beside the flow it is made from; None when it has none."""
    examples = [_example(mutant) for mutant in load_mutants() if mutant.rule == rule]
    return min(examples, key=lambda each: len(each.passes) + len(each.fails), default=None)


def _example(mutant: Mutant) -> Example:
    before, after = _lines(FLOWS[mutant.flow]()), _lines(mutant.script())
    found = Verifier(mutant.profile, mutant.settings).judge(mutant.script().timeline())
    own = next(each for each in found if (each.rule, each.party) == (mutant.rule, mutant.party))
    groups = list(SequenceMatcher(a=before, b=after, autojunk=False).get_grouped_opcodes(1))
    passes = [line for group in groups for line in _spot(before, [step[1:3] for step in group], group)]
    fails = [line for group in groups for line in _spot(after, [step[3:5] for step in group], group)]
    return Example(mutant.flow, _short(passes), _short(fails), own)


def _short(lines: list[str]) -> tuple[str, ...]:
    if len(lines) <= MOST:
        return tuple(lines)
    return (*lines[: MOST - 1], f"  ... and {len(lines) - MOST + 1} lines more")


def _lines(script: Script) -> list[str]:
    return [line for step in script.steps for line in _of_step(step)]


def _of_step(step: Step) -> Iterator[str]:
    """Who sends it and when, then its lines."""
    layer = "MSRP" if step.msrp else "SIP"
    way = "handset -> network" if step.handset else "network -> handset"
    yield f"[{layer} over {step.transport}, {way}, {step.after:g} s later]"
    if step.event:
        yield f"[connection {step.event}]"
    yield from (line if len(line) <= SHOWN else line[: SHOWN - 3] + "..." for line in step.text.split("\r\n"))


def _spot(lines: list[str], ranges: list[tuple[int, int]], group: list[Opcode]) -> Iterator[str]:
    """The lines of these ranges below the head of their message; those of one side alone marked by ">"."""
    first = ranges[0][0]
    above = range(min(first, len(lines) - 1), 0, -1)
    head = next((place for place in above if lines[place].startswith("[")), 0)
    if head < first:
        yield f"  {lines[head]}"
        yield from (f"  {line}" for line in lines[head + 1 : min(head + 2, first)])
    if head + 2 < first:
        yield "  ..."
    for (tag, *_), (start, end) in zip(group, ranges, strict=True):
        yield from (f"{' ' if tag == 'equal' else '>'} {line}" for line in lines[start:end])
