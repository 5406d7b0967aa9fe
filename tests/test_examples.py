"""The tests that README.md and docs/ show: their keywords are there and take what they are given."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from robot import run

HOME = Path(__file__).resolve().parents[1]
PAGES = [HOME / "README.md", *sorted((HOME / "docs").glob("*.md"))]
EXAMPLES = re.compile(r"^```robotframework\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHOWN = [page for page in PAGES if EXAMPLES.search(page.read_text("utf-8"))]


@pytest.mark.parametrize("page", SHOWN, ids=lambda page: page.name)
def test_the_examples_of_a_page_could_be_run(page: Path, tmp_path: Path) -> None:
    text = "\n".join(EXAMPLES.findall(page.read_text("utf-8")))
    suite = tmp_path / "examples.robot"
    suite.write_text(text.replace("../resources", str(HOME / "robot/resources")), "utf-8")
    said = (tmp_path / "said.txt").open("w+", encoding="utf-8")
    with said:
        wrong = run(str(suite), dryrun=True, outputdir=str(tmp_path), stdout=said, stderr=said)
        said.seek(0)
        assert wrong == 0, said.read()


def test_there_are_pages_with_examples() -> None:
    assert {page.name for page in SHOWN} == {"README.md", "services.md"}
