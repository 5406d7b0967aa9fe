"""All formats of a report by name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from harness.verify.judgement import Judgement
from harness.verify.report.as_html import to_html
from harness.verify.report.as_json import json_pieces
from harness.verify.report.as_junit import to_junit
from harness.verify.report.as_text import to_text
from harness.verify.report.beside import NOTHING_BESIDE, Beside


class Render(Protocol):
    """Makes a report of judgements and of what stands beside them, in pieces to be written one by one."""

    def __call__(self, judgements: Sequence[Judgement], *, beside: Beside = ...) -> Iterable[str]: ...


class _Whole(Protocol):
    def __call__(self, judgements: Sequence[Judgement], *, beside: Beside = ...) -> str: ...


def _in_one(render: _Whole) -> Render:
    def pieces(judgements: Sequence[Judgement], *, beside: Beside = NOTHING_BESIDE) -> Iterable[str]:
        return (render(judgements, beside=beside),)

    return pieces


FORMATS: dict[str, Render] = {
    "text": _in_one(to_text),
    "json": json_pieces,
    "junit": _in_one(to_junit),
    "html": _in_one(to_html),
}
