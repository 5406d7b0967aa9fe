"""A run beside an earlier one: which findings are new, which are gone, which stay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from harness.errors import UsageError
from harness.verify.finding import Finding

Key = tuple[str, str, str, str, str]


@dataclass(frozen=True, slots=True)
class Known:
    """A finding by what stays the same from run to run: not its place on the timeline, not its ids.

    what: the message it is on, without its number ("200 to MESSAGE"). count: how often.
    """

    capture: str
    rule: str
    party: str
    what: str
    header: str
    count: int

    def __str__(self) -> str:
        where = f"{self.what}, {self.header}" if self.header else self.what
        times = f" ({self.count} times)" if self.count > 1 else ""
        return f"{self.rule} ({self.party}): {where} in {self.capture}{times}"

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {name: getattr(self, name) for name in ("capture", "rule", "party", "what", "header", "count")}


@dataclass(frozen=True, slots=True)
class Comparison:
    """Findings of now against those of before, each with how often: a difference in number is new or gone."""

    new: tuple[Known, ...]
    gone: tuple[Known, ...]
    stays: tuple[Known, ...]

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {name: [each.as_dict() for each in getattr(self, name)] for name in ("new", "gone", "stays")}


def compare(findings: Iterable[tuple[str, Finding]], previous: Any) -> Comparison:
    """(capture, finding) of now beside the JSON of an earlier `verify`.

    Raises UsageError when that is no such JSON.
    """
    now = Counter(_key(capture, finding.as_dict()) for capture, finding in findings)
    before = Counter(_keys_of(previous))
    return Comparison(_known(now - before), _known(before - now), _known(now & before))


def _keys_of(previous: Any) -> Iterable[Key]:
    try:
        return [_key(found["capture"], found) for found in previous["findings"]]
    except (KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            "the baseline is not what `rcslab verify --format json` writes: expected "
            f'{{"findings": [...]}} with capture, rule, party and where, got something else ({error!r})'
        ) from None


def _key(capture: str, finding: Mapping[str, Any]) -> Key:
    where = finding["where"]
    what = str(where["label"]).partition(" #")[0]
    return PurePath(capture).name, str(finding["rule"]), str(finding["party"]), what, str(where["header"])


def _known(counted: Counter[Key]) -> tuple[Known, ...]:
    return tuple(Known(*key, count) for key, count in sorted(counted.items()))
