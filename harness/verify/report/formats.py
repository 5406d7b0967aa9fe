"""All formats of a report by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.verify.judgement import Judgement
from harness.verify.report.as_html import to_html
from harness.verify.report.as_json import to_json
from harness.verify.report.as_junit import to_junit
from harness.verify.report.as_text import to_text

FORMATS: dict[str, Callable[[Sequence[Judgement]], str]] = {
    "text": to_text,
    "json": to_json,
    "junit": to_junit,
    "html": to_html,
}
