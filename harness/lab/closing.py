"""Ending what was started, all of it, whatever one part of it says."""

from __future__ import annotations

import logging
from contextlib import ExitStack

_log = logging.getLogger(__name__)


def close_all(stack: ExitStack) -> None:
    """Run every callback of the stack. What fails is logged: it must not hide why the end came."""
    try:
        stack.close()
    except Exception:  # noqa: BLE001 - drivers of all kinds end here, and none may keep the rest from ending
        _log.exception("a part of the bench did not end cleanly")
