"""Findings as JSON, in the form that report.schema.json beside this file publishes.

What is added raises the minor version, what changes or goes raises the major one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterable, Iterator, Sequence
from importlib import metadata, resources
from typing import Any

from harness.verify.finding import Finding, Open
from harness.verify.flows import UserFlow
from harness.verify.judgement import JUDGED, Judgement, overall
from harness.verify.matrix import Cell, counted_cells, matrix_of
from harness.verify.party_names import NamedParty
from harness.verify.report.beside import NOTHING_BESIDE, Beside

VERSION = "1.0"


def to_json(judgements: Sequence[Judgement], *, beside: Beside = NOTHING_BESIDE) -> str:
    """{"version": ..., "verdict": ..., "captures": [...], "findings": [...], "not_verifiable": [...]}."""
    return "".join(json_pieces(judgements, beside=beside))


def json_pieces(judgements: Sequence[Judgement], *, beside: Beside = NOTHING_BESIDE) -> Iterator[str]:
    """The same in pieces: of a bad capture there may be more than memory should hold."""
    parts: dict[str, Any] = {
        "version": VERSION,
        "tool": {"name": "rcslab", "version": metadata.version("rcslab")},
        "captures": (_capture(judgement) for judgement in judgements),
        "findings": (
            _finding(judgement, finding) for judgement in judgements for finding in judgement.findings
        ),
        "not_verifiable": (
            _undecided(judgement, item) for judgement in judgements for item in judgement.open
        ),
        "verdict": overall(judgements),
        **beside.as_dict(),
    }
    before = "{"
    for name, value in parts.items():
        yield f"{before}\n  {json.dumps(name)}: "
        yield from _items(value) if isinstance(value, Generator) else [_indented(value, "  ")]
        before = ","
    yield "\n}\n"


def _items(values: Iterable[Any]) -> Iterator[str]:
    before = "["
    for value in values:
        yield f"{before}\n    {_indented(value, '    ')}"
        before = ","
    yield "[]" if before == "[" else "\n  ]"


def _indented(value: Any, margin: str) -> str:
    return written(value).rstrip("\n").replace("\n", f"\n{margin}")


def schema() -> str:
    """The JSON Schema (draft 2020-12) of to_json."""
    return resources.files("harness.verify.report").joinpath("report.schema.json").read_text(encoding="utf-8")


_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def written(value: Any, indent: int | None = 2) -> str:
    """The value as JSON in UTF-8 and a line end; octets that are no UTF-8 as \\x9f."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    return _LONE_SURROGATE.sub(lambda match: f"\\\\x{ord(match[0]) & 0xFF:02x}", text) + "\n"


def _capture(judgement: Judgement) -> dict[str, Any]:
    cells = matrix_of(judgement)
    return {
        "name": judgement.name,
        "profile": judgement.profile,
        "items": judgement.judged,
        "verdict": judgement.verdict,
        "parties": {party.value: judgement.verdict_of(party) for party in JUDGED},
        "named_parties": [_party(judgement, party, found) for party, found in judgement.by_party().items()],
        "flows": [_flow(judgement, flow, cells[flow]) for flow in judgement.flows],
        "notices": list(judgement.notices),
    }


def _party(judgement: Judgement, party: NamedParty, found: Sequence[Finding]) -> dict[str, Any]:
    return {
        "name": party.name,
        "party": party.party,
        "verdict": judgement.verdict_of_named(party, found),
        "instance": party.instance or None,
        "identities": list(party.identities),
        "product": party.product or None,
        "addresses": list(party.addresses),
        "messages": judgement.messages_of(party),
        "findings": len(found),
        "failing_rules": list(dict.fromkeys(finding.rule for finding in found if finding.fails)),
    }


def _flow(judgement: Judgement, flow: UserFlow, cells: dict[str, Cell]) -> dict[str, Any]:
    return {
        "name": flow.name,
        "act": flow.act,
        "number": flow.number,
        "began": flow.time,
        "messages": judgement.messages_of(flow),
        "rules": counted_cells(cells),
        "not_passed": {rule: cell for rule, cell in sorted(cells.items()) if cell is not Cell.PASS},
    }


def _finding(judgement: Judgement, finding: Finding) -> dict[str, Any]:
    return {"capture": judgement.name, **finding.as_dict()}


def _undecided(judgement: Judgement, item: Open) -> dict[str, Any]:
    return {
        "capture": judgement.name,
        "rule": item.rule,
        "where": str(item.where),
        "whose": item.whose.name if item.whose else None,
        "flow": item.flow.name if item.flow else None,
        "why": item.why,
    }
