"""What a driver says to its instrument for each operation, written by hand from the tables' sources.

A line is what is written, or `question? -> reply`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from instruments.capability import Operation
from instruments.network_simulator import NetworkSimulator


@dataclass(frozen=True, slots=True)
class Spoken:
    """One call, the lines it leads to, and what it returns."""

    operation: Operation
    call: Callable[[NetworkSimulator], Any]
    lines: tuple[str, ...]
    returns: Any = None


def said(operation: Operation, call: Callable[[Any], Any], *lines: str, returns: Any = None) -> Spoken:
    return Spoken(operation, call, lines, returns)
