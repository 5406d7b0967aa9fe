"""All formats of a report by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from harness.verify.judgement import Judgement
from harness.verify.report.as_html import to_html
from harness.verify.report.as_json import to_json
from harness.verify.report.as_junit import to_junit
from harness.verify.report.as_text import to_text
from harness.verify.report.beside import Beside


class Render(Protocol):
    """Makes a report of judgements and of what stands beside them."""

    def __call__(self, judgements: Sequence[Judgement], *, beside: Beside = ...) -> str: ...


FORMATS: dict[str, Render] = {
    "text": to_text,
    "json": to_json,
    "junit": to_junit,
    "html": to_html,
}
