"""Findings as one HTML page that needs nothing else: matrix, ladder, messages with their octets marked.

The page's style and script are files beside this module. What came from a capture is in the page as JSON
without a "<", and the page's own policy lets no other script run and nothing be loaded.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from html import escape
from importlib import metadata, resources
from string import Template
from typing import Any

from harness.verify.judgement import Judgement, overall
from harness.verify.report.as_json import written
from harness.verify.report.beside import NOTHING_BESIDE, Beside
from harness.verify.report.page_data import page_data
from harness.verify.report.printable import printable


def to_html(judgements: Sequence[Judgement], *, beside: Beside = NOTHING_BESIDE) -> str:
    """The page. Messages are in it when the judgements have a transcript."""
    data = page_data(judgements, beside)
    style, script = _part("page.css"), _part("page.js")
    flows = (
        f'<script type="application/json" id="flow-{key}">{_inert(messages)}</script>'
        for key, messages in data.flows.items()
        if messages
    )
    return Template(_part("page.html")).substitute(
        title=_escaped(f"rcslab verify: {_names(judgements)}: {overall(judgements)}"),
        verdict=overall(judgements),
        style=style,
        style_hash=_hash(style),
        script=script,
        script_hash=_hash(script),
        report=_inert(data.report),
        flows="\n".join(flows),
        footer=_escaped(f"Made by rcslab {metadata.version('rcslab')}. Secrets are masked."),
    )


def _part(name: str) -> str:
    return resources.files("harness.verify.report").joinpath("page", name).read_text(encoding="utf-8")


def _names(judgements: Sequence[Judgement]) -> str:
    first = judgements[0].name if judgements else "nothing"
    return f"{first} and {len(judgements) - 1} more" if len(judgements) > 1 else first


def _inert(value: Any) -> str:
    """JSON in which nothing can end the element that holds it, or begin another."""
    text = written(value, indent=None).strip()
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _escaped(text: str) -> str:
    return escape(printable(text))
