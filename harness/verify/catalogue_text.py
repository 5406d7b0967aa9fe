"""The catalogue for people: a line per rule, and a page for one."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.cpm.profiles import Profile
from harness.verify.catalogue import Rule
from harness.verify.proof.example import Example, example_of
from harness.verify.proof.reading import READINGS

CONFIDENCE = {
    "T": "the clause was read in its text",
    "I": "seen in implementations",
    "M": "from memory",
    "S": "seen in a field trace",
    "P": "a comparison only a lab can make",
}


def rule_line(rule: Rule, profile: Profile) -> str:
    """Id, severity under the profile, whether it fails a run, whom it judges, clause."""
    severity = rule.severity_under(profile)
    weight = "fails" if rule.fails_under(profile) else ""
    checked = "" if rule.implemented else "not checked"
    return f"{rule.id:48} {severity:6} {weight:5} {rule.judged:7} {rule.clause:40.40} {checked}".rstrip()


def rule_page(rule: Rule) -> str:
    """All there is to say of one rule, with an example that passes and one that fails."""
    return "\n".join(_page(rule)) + "\n"


def _page(rule: Rule) -> Iterator[str]:
    yield f"{rule.id}: {rule.check}"
    yield ""
    by_profile = ", ".join(
        f"{profile} {rule.severity_under(profile)}{' (fails a run)' if rule.fails_under(profile) else ''}"
        for profile in Profile
    )
    yield f"severity:   {by_profile}"
    yield f"clause:     {rule.clause}"
    yield f"confidence: {_meaning(rule.confidence)}"
    yield f"judges:     {rule.judged}, in {rule.flow}; priority {rule.priority}"
    if rule.part_of:
        yield f"part of:    {rule.part_of}"
    if rule.note:
        yield f"note:       {rule.note}"
    example = example_of(rule.id)
    yield from _example(example) if example is not None else _readings(rule.id)


def _meaning(confidence: str) -> str:
    """What it says, and what the letters in it mean."""
    if confidence in CONFIDENCE:
        return f"{confidence}, {CONFIDENCE[confidence]}"
    letters = re.findall(r"\b[TIMSP]\b", confidence)
    return confidence + "".join(f"; {letter}: {CONFIDENCE[letter]}" for letter in letters)


def _readings(rule: str) -> Iterator[str]:
    """What stands for an example of a rule that reports nothing: it says how messages are to be read."""
    for reading in READINGS:
        if reading.rule == rule:
            told = ", ".join(reading.reported) or "nothing"
            yield f"\nreads: flow {reading.flow} in such a form, and reports {told} (shown by --prove)"


def _example(example: Example) -> Iterator[str]:
    yield f"\npasses (flow {example.flow}):"
    yield from (
        f"    {line}"
        for line in example.passes or ["  the same messages, as long as the lab does not know that"]
    )
    yield "\nfails:"
    yield from (f"    {line}" for line in example.fails)
    finding = example.finding
    yield f"\n    {finding.where}: expected {finding.expected}, got {finding.actual}"
