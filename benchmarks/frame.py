"""The frame of all benchmarks: rows, fair timing, the table, `--json`.

A benchmark is a module of this package with `def rows(effort: Effort) -> Iterator[Row]`. It runs alone
(`python -m benchmarks.sip_parse`) or with all others (`python -m benchmarks`, `make bench`).
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Target:
    """What is wanted of a row: of its `ratio` or of `ours`, at least `value` (or at most)."""

    value: float
    of: str = "ratio"
    at_most: bool = False

    def met(self, row: Row) -> bool | None:
        """Whether the row reaches it; None when the row has no such figure."""
        figure = row.ratio if self.of == "ratio" else row.ours
        if figure is None:
            return None
        return figure <= self.value if self.at_most else figure >= self.value

    def text(self, unit: str) -> str:
        """As the table shows it."""
        shown = f"{self.value:g} x" if self.of == "ratio" else f"{self.value:,.6g} {unit}"
        return f"{'at most' if self.at_most else 'at least'} {shown}"


@dataclass(frozen=True, slots=True)
class Row:
    """One measure. unit: of both figures. setting: what else decides the figure (loop, handsets, chunk size).

    alternative and theirs: the library or program measured in the same run, and its figure; None where there
    is none. ratio: ours to theirs, larger is better. note: a remark, or why nothing was measured.
    """

    what: str
    unit: str
    ours: float | None
    alternative: str | None = None
    theirs: float | None = None
    ratio: float | None = None
    target: Target | None = None
    setting: str = ""
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None without a target or a figure."""
        return None if self.target is None else self.target.met(self)


class Effort(NamedTuple):
    """How hard to try. rounds: of each measure; scale: 1 for a full run, less for a short one."""

    rounds: int = 7
    scale: float = 1.0

    def times(self, full: int) -> int:
        """A number of repetitions, scaled."""
        return max(1, round(full * self.scale))


class CannotRun(Exception):
    """Something a benchmark needs is not on this machine."""


Rows = Callable[[Effort], Iterable[Row]]


class Rates(NamedTuple):
    """Operations per second of CPU time. best: of each; ratio: of the first to each, median of the rounds."""

    best: Mapping[str, float]
    ratio: Mapping[str, float]


def rates(effort: Effort, runners: Mapping[str, Callable[[], object]], seconds: float = 0.25) -> Rates:
    """Time callables that do one operation each, in turns, so that a slow moment of the machine hits all.

    The first runner is ours. CPU time, not wall time: other programs may run. seconds: of one turn.
    """
    per_turn = {name: _repetitions(run, seconds * effort.scale) for name, run in runners.items()}
    seen: dict[str, list[float]] = {name: [] for name in runners}
    for _ in range(effort.rounds):
        for name, run in runners.items():
            seen[name].append(_turn(run, per_turn[name]))
    ours = seen[next(iter(runners))]
    return Rates(
        {name: max(figures) for name, figures in seen.items()},
        {
            name: statistics.median(mine / other for mine, other in zip(ours, figures, strict=True))
            for name, figures in seen.items()
        },
    )


def _repetitions(run: Callable[[], object], seconds: float) -> int:
    count = 1
    while True:
        rate = _turn(run, count)
        if count / rate > seconds / 10:
            return max(1, round(rate * seconds))
        count *= 4


def _turn(run: Callable[[], object], count: int) -> float:
    begun = time.process_time()
    for _ in range(count):
        run()
    return count / max(time.process_time() - begun, 1e-9)


def compare(
    effort: Effort,
    what: str,
    runners: Mapping[str, Callable[[], object]],
    target: Target | None = None,
    *,
    target_against: str | None = None,
    setting: str = "",
) -> Iterator[Row]:
    """One row for each alternative. The first runner is ours; the target is for the named alternative."""
    found = rates(effort, runners)
    ours, *others = runners
    for other in others:
        wanted = target if target_against in (None, other) else None
        yield Row(what, "/s", found.best[ours], other, found.best[other], found.ratio[other], wanted, setting)


# -- printing


def machine() -> str:
    """What it ran on, in one line."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in _lines_of("/proc/cpuinfo")
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    cores = len(os.sched_getaffinity(0))
    load = os.getloadavg()[0]
    return (
        f"{model}, {cores} cores, {platform.python_implementation()} {platform.python_version()}, "
        f"Linux {platform.release()}, load {load:.1f}"
    )


def _lines_of(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def as_json(rows: Iterable[Row]) -> str:
    """All rows, with the machine."""
    listed = [asdict(row) | {"met": row.met} for row in rows]
    return json.dumps({"machine": machine(), "rows": listed}, indent=2)


HEADINGS = ("what", "ours", "alternative", "", "ratio", "target", "met", "note")
_MET = {True: "yes", False: "NO", None: ""}


def as_table(rows: Iterable[Row]) -> str:
    """All rows in columns, and the machine line."""
    cells = [HEADINGS, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADINGS))]
    text = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]
    text.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([*text, "", machine()])


def _cells(row: Row) -> tuple[str, ...]:
    return (
        f"{row.what} [{row.setting}]" if row.setting else row.what,
        _figure(row.ours, row.unit),
        row.alternative or "",
        _figure(row.theirs, row.unit),
        "" if row.ratio is None else f"{row.ratio:.2f} x",
        "" if row.target is None else row.target.text(row.unit),
        _MET[row.met],
        row.note,
    )


def _figure(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"


# -- running


def collect(name: str, rows: Rows, effort: Effort) -> list[Row]:
    """The rows of one benchmark; when it cannot run here, one row that says why."""
    try:
        return list(rows(effort))
    except CannotRun as reason:
        return [Row(name, "", None, note=f"not run: {reason}")]


def run(
    benchmarks: Mapping[str, Rows],
    arguments: list[str] | None = None,
    *,
    table: Callable[[Iterable[Row]], str] = as_table,
) -> int:
    """The command line: run benchmarks, print their rows. 1 for a target missed under --check, else 0."""
    options = _options(arguments)
    effort = Effort(rounds=3, scale=0.2) if options.quick else Effort(rounds=options.rounds)
    found: list[Row] = []
    for name, rows in benchmarks.items():
        if not options.json and len(benchmarks) > 1:
            print(f"{name} ...", file=sys.stderr, flush=True)
        found += collect(name, rows, effort)
    print(as_json(found) if options.json else table(found))
    return 1 if options.check and any(row.met is False for row in found) else 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print rows as JSON")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a target is missed")
    parser.add_argument("--quick", action="store_true", help="a short run: figures are rough")
    parser.add_argument("--rounds", type=int, default=Effort().rounds, help="rounds of each measure")
    return parser.parse_args(arguments)


def installed(module: str) -> object:
    """An alternative's module. Raises CannotRun when it is not installed (extra `bench`)."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise CannotRun(f"{module} is not installed: {error}") from error
