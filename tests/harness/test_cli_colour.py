"""Colour goes to a terminal and nowhere else, unless the user says so."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

SEED = Path(__file__).parents[1] / "corpora" / "seed" / "pager.pcapng"
VERIFY = [sys.executable, "-m", "harness.cli", "verify", str(SEED)]


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "TERM", "COLUMNS")}
    return kept | {"TERM": "xterm"} | more


def on_a_terminal(*options: str, **more: str) -> str:
    ours, theirs = pty.openpty()
    child = subprocess.Popen([*VERIFY, *options], stdout=theirs, env=environment(**more))
    os.close(theirs)
    said = bytearray()
    try:
        while piece := os.read(ours, 65536):
            said += piece
    except OSError:
        pass  # Linux tells the end of a pty so
    child.wait()
    os.close(ours)
    return said.decode()


@pytest.mark.parametrize(
    ("options", "more", "coloured"),
    [
        ((), {}, True),
        ((), {"NO_COLOR": "1"}, False),
        ((), {"TERM": "dumb"}, False),
        (("--no-color",), {}, False),
        (("--color",), {"NO_COLOR": "1"}, True),
        (("--format", "json", "--color"), {}, False),
    ],
)
def test_colour_on_a_terminal(options, more, coloured):
    said = on_a_terminal(*options, **more)
    assert "pager.pcapng" in said
    assert ("\x1b[" in said) is coloured


@pytest.mark.parametrize(("options", "coloured"), [((), False), (("--color",), True)])
def test_colour_in_a_pipe(options, coloured):
    found = subprocess.run(
        [*VERIFY, *options], capture_output=True, text=True, env=environment(), check=False
    )
    assert ("\x1b[" in found.stdout) is coloured
