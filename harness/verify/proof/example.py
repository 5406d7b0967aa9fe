"""An example for a rule: the place of a conformant flow where it holds, and the same place in a mutant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Any

from harness.verify.engine import Verifier, VerifySettings
from harness.verify.finding import Finding
from harness.verify.proof.flows import FLOWS
from harness.verify.proof.mutant import Mutant, load_mutants
from harness.verify.proof.script import Script, Seen, Step

SHOWN = 110
"""Characters of a line that an example shows."""
MOST = 24
"""Lines of a side that an example shows."""
_AROUND = 30
"""Characters shown before the place where a long line differs, and kept free behind it."""
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
    """The mutant of the rule that changes least, beside the flow it is made from; None when it has none.

    One that changes nothing but what the lab knows shows no messages, and stands behind the others.
    """
    examples = [_example(mutant) for mutant in load_mutants() if mutant.rule == rule]
    return min(examples, key=_lines_shown, default=None)


def _lines_shown(example: Example) -> tuple[bool, int]:
    return not example.passes, len(example.passes) + len(example.fails)


def _known(settings: VerifySettings) -> Iterator[str]:
    """What the lab was told beyond what it takes for granted."""
    for name, value in asdict(settings).items():
        if value != getattr(VerifySettings(), name):
            told = ", ".join(sorted(map(str, value))) if isinstance(value, frozenset) else str(value)
            yield f"{name}: {told or 'none'}"


def _example(mutant: Mutant) -> Example:
    before, after = _lines(FLOWS[mutant.flow]()), _lines(mutant.script())
    found = Verifier(mutant.profile, mutant.settings).judge(mutant.script().timeline())
    own = next(each for each in found if (each.rule, each.party) == (mutant.rule, mutant.party))
    groups = list(SequenceMatcher(a=before, b=after, autojunk=False).get_grouped_opcodes(1))
    passes = [line for group in groups for line in _spot(before, after, group)]
    fails = [line for group in groups for line in _spot(after, before, [_turned(step) for step in group])]
    fails += [f"  [the lab knows {known}]" for known in _known(mutant.settings)]
    return Example(mutant.flow, _short(passes), _short(fails), own)


def _short(lines: list[str]) -> tuple[str, ...]:
    if len(lines) <= MOST:
        return tuple(lines)
    return (*lines[: MOST - 1], f"  ... and {len(lines) - MOST + 1} lines more")


def _lines(script: Script) -> list[str]:
    """The messages, and what drivers saw between them."""
    lines, now = [], 0.0
    waiting = sorted(script.seen, key=lambda each: each.after)
    for step in script.steps:
        now += step.after
        while waiting and waiting[0].after <= now:
            lines.append(_of_seen(waiting.pop(0)))
        lines += _of_step(step)
    return [*lines, *map(_of_seen, waiting)]


def _of_seen(seen: Seen) -> str:
    told = ", ".join(f"{name}={value}" for name, value in seen.fields.items())
    line = f"[{seen.layer} {seen.name}, {seen.after:g} s from the start: {told}]"
    return line if len(line) <= SHOWN else line[: SHOWN - 4] + "...]"


def _of_step(step: Step) -> Iterator[str]:
    """Who sends it and when, then its lines."""
    layer = "MSRP" if step.msrp else "SIP"
    way = "handset -> network" if step.handset else "network -> handset"
    yield f"[{layer} over {step.transport}, {way}, {step.after:g} s later]"
    if step.event:
        yield f"[connection {step.event}]"
    yield from step.text.split("\r\n")


def _turned(step: Opcode) -> Opcode:
    """The same step, seen from the other side."""
    tag, start, end, other_start, other_end = step
    return tag, other_start, other_end, start, end


def _spot(lines: list[str], others: list[str], group: list[Opcode]) -> Iterator[str]:
    """The lines of these steps below the head of their message; those of one side alone marked by ">"."""
    first = group[0][1]
    above = range(min(first, len(lines) - 1), 0, -1)
    head = next((place for place in above if lines[place].startswith("[")), 0)
    if head < first:
        yield f"  {lines[head]}"
        yield from (f"  {_cut(line)}" for line in lines[head + 1 : min(head + 2, first)])
    if head + 2 < first:
        yield "  ..."
    for tag, start, end, other_start, other_end in group:
        meant = others[other_start:other_end] if tag == "replace" else []
        for line, other in zip_longest(lines[start:end], meant[: end - start], fillvalue=""):
            yield f"{' ' if tag == 'equal' else '>'} {_cut(line, _same_beginning(line, other))}"


def _same_beginning(line: str, other: str) -> int:
    """How many characters two lines have in common at their beginning."""
    for place, (one, two) in enumerate(zip(line, other, strict=False)):
        if one != two:
            return place
    return min(len(line), len(other))


def _cut(line: str, place: int = 0) -> str:
    """A long line cut to the length that is shown, so that the place is in it."""
    if len(line) <= SHOWN:
        return line
    if place < SHOWN - 2 * _AROUND:
        return f"{line[: SHOWN - 3]}..."
    start = line[: line.find(":") + 2] if ":" in line[:_AROUND] else ""
    rest = line[place - _AROUND :]
    room = SHOWN - len(start) - 6
    return f"{start}...{rest}" if len(rest) <= room + 3 else f"{start}...{rest[:room]}..."
