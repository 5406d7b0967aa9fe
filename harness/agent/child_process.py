"""Runs a part as a child that ends with its parent from its first moment on: standard input is watched before
the part is imported, which takes most of a second.
"""

from __future__ import annotations

import contextlib
import os
import runpy
import sys
import threading

COMMAND = ("-c", "from harness.agent.child_process import run; run()")
"""What Python is given before the name of the part's module and its arguments."""
_taken_over = threading.Event()


def run() -> None:
    """Run the module that the first argument names; it takes the others."""
    threading.Thread(target=_end_with_the_parent, name="parent", daemon=True).start()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


def take_over() -> None:
    """The part watches standard input itself from now on, to end in order."""
    _taken_over.set()


def _end_with_the_parent() -> None:
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    if not _taken_over.is_set():
        os._exit(0)  # nothing was begun yet
