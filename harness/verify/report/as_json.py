"""Findings as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from harness.verify.judgement import JUDGED, Judgement, overall


def to_json(judgements: Sequence[Judgement]) -> str:
    """{"captures": [...], "findings": [...], "not_verifiable": [...], "verdict": ...}."""
    several: dict[str, Any] = {
        "captures": [
            {
                "name": judgement.name,
                "profile": judgement.profile,
                "items": judgement.judged,
                "verdict": judgement.verdict,
                "parties": {party.value: judgement.verdict_of(party) for party in JUDGED},
                "notices": list(judgement.notices),
            }
            for judgement in judgements
        ],
        "findings": [
            {"capture": judgement.name, **finding.as_dict()}
            for judgement in judgements
            for finding in judgement.findings
        ],
        "not_verifiable": [
            {"capture": judgement.name, "rule": item.rule, "where": str(item.where), "why": item.why}
            for judgement in judgements
            for item in judgement.open
        ],
        "verdict": overall(judgements),
    }
    return json.dumps(several, indent=2, ensure_ascii=False) + "\n"
