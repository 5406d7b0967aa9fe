"""A browser for the tests of the page, and pages to open in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.evidence.timeline import Timeline
from harness.verify.engine import Verifier
from harness.verify.judgement import Judgement
from harness.verify.report.as_html import to_html
from harness.verify.transcript import Transcript

from .chromium import CHROMIUM, Browser


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed; apt-get install chromium")
    found = Browser(tmp_path_factory.mktemp("chromium"))
    yield found
    found.close()


@pytest.fixture(scope="session")
def judgement() -> Callable[..., Judgement]:
    def judge(timeline: Timeline, name: str = "a capture", profile: str = "ietf") -> Judgement:
        verifier = Verifier(profile, transcript=Transcript())
        verifier.judge(timeline)
        return Judgement.of(name, verifier)

    return judge


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    def write(*judgements: Judgement) -> Path:
        path = tmp_path_factory.mktemp("page") / "report.html"
        path.write_text(to_html(judgements), encoding="utf-8")
        return path

    return write
