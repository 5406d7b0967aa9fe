"""A part that runs as a child ends with its parent, also before it has begun to serve."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from harness.agent.child_process import COMMAND

SLOW_TO_IMPORT = """
import sys, threading
print(sys.argv, __name__, flush=True)
threading.Event().wait()
"""
SERVES = """
import asyncio
from harness.agent.part_process import serve
async def run(ready, stop):
    ready({"at": "work"})
    await stop.wait()
    print("ended in order", flush=True)
asyncio.run(serve(run, until_stdin_closes=True))
"""


def start(folder: Path, source: str) -> subprocess.Popen[str]:
    (folder / "some_part.py").write_text(source)
    return subprocess.Popen(
        [sys.executable, *COMMAND, "some_part", "--name", "x"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": f"{folder}:{Path(__file__).parents[3]}"},
        text=True,
    )


def test_it_ends_while_it_is_still_imported(tmp_path: Path) -> None:
    with start(tmp_path, SLOW_TO_IMPORT) as process:
        assert process.stdout is not None and process.stdin is not None
        assert process.stdout.readline().endswith("some_part.py', '--name', 'x'] __main__\n")
        process.stdin.close()
        assert process.wait(10) == 0


def test_it_ends_in_order_once_it_serves(tmp_path: Path) -> None:
    with start(tmp_path, SERVES) as process:
        assert process.stdout is not None and process.stdin is not None
        assert process.stdout.readline() == '{"at": "work"}\n'
        process.stdin.close()
        assert process.stdout.read() == "ended in order\n"
        assert process.wait(10) == 0
