"""The grammar of the handset's shell."""

from __future__ import annotations

import contextlib
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.simulated.shell_syntax import Kind, ShellSyntaxError, When, parse


def words(line: str) -> list[str]:
    (step,) = parse(line)
    (command,) = step.commands
    return ["".join(piece.text for piece in word) for word in command.words]


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",))), min_size=1))
def test_what_a_host_quotes_arrives_as_it_was(arguments: list[str]) -> None:
    assert words(shlex.join(["x", *arguments])) == ["x", *arguments]


@given(st.text())
def test_no_line_raises_anything_else(line: str) -> None:
    with contextlib.suppress(ShellSyntaxError):
        parse(line)


def test_lists_and_pipes() -> None:
    steps = parse("a 1; b && c || d | e\nf &")
    assert [(step.when, len(step.commands), step.background) for step in steps] == [
        (When.ALWAYS, 1, False),
        (When.ALWAYS, 1, False),
        (When.SUCCESS, 1, False),
        (When.FAILURE, 2, False),
        (When.ALWAYS, 1, True),
    ]


def test_expansions_only_where_they_count() -> None:
    ((command,),) = (step.commands for step in parse("""echo '$A' "$A" $? "\\$A" $(id -u) 5$"""))
    kinds = [[piece.kind for piece in word if piece.text] for word in command.words]
    assert kinds == [
        [Kind.TEXT], [Kind.TEXT], [Kind.PARAMETER], [Kind.PARAMETER], [Kind.TEXT], [Kind.SUBSTITUTION],
        [Kind.TEXT, Kind.TEXT],
    ]  # fmt: skip


def test_redirections() -> None:
    (step,) = parse("cmd >/dev/null 2>&1 <in")
    assert [(r.descriptor, r.operator, r.target[0].text) for r in step.commands[0].redirections] == [
        (1, ">", "/dev/null"),
        (2, ">&", "1"),
        (0, "<", "in"),
    ]


@pytest.mark.parametrize(
    "line", ["echo 'open", 'echo "open', "a | ", "a &&", "; a", "if true", "echo $(x", "a )", "a >"]
)
def test_wrong_lines(line: str) -> None:
    with pytest.raises(ShellSyntaxError):
        parse(line)
