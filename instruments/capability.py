"""Capability tables: what an instrument driver can do, declared with the source that says so.

A driver is a table and little else. What no source gives is absent from the table, and asking for it is
refused by name; nothing is invented.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from harness.errors import InstrumentRefused


class Confidence(StrEnum):
    """How far a command text can be trusted. None of it was tried by us on a real instrument."""

    A = "vendor's package or reference, or two independent code bases that ran on hardware"
    B = "one code base known to have run on hardware"
    C = "one source, never seen confirmed"


@dataclass(frozen=True, slots=True)
class Capability:
    """One operation.

    command: text that sets or does it; `{value}` stands for the argument. query: text that asks.
    replies: reply text to value; empty when any reply is taken. allowed: values that can be set, for people.
    """

    operation: str
    meaning: str
    source: str
    confidence: Confidence
    command: str | None = None
    query: str | None = None
    replies: Mapping[str, Any] = field(default_factory=dict)
    allowed: str = ""


class CapabilityTable:
    """The operations of one instrument family, by name."""

    def __init__(self, instrument: str, capabilities: Iterable[Capability]) -> None:
        self.instrument = instrument
        self.capabilities = tuple(capabilities)
        self._by_name = {c.operation: c for c in self.capabilities}
        if len(self._by_name) != len(self.capabilities):
            raise ValueError(f"{instrument}: an operation is declared twice")

    def command(self, operation: str, address: str, value: object = "") -> str:
        """The text that does `operation`. Raises InstrumentRefused when the table has none."""
        template = self._get(operation, address).command
        if template is None:
            raise self._absent(operation, address, "a command")
        return template.replace("{value}", str(value))

    def query(self, operation: str, address: str) -> str:
        """The text that asks for `operation`. Raises InstrumentRefused when the table has none."""
        text = self._get(operation, address).query
        if text is None:
            raise self._absent(operation, address, "a query")
        return text

    def value(self, operation: str, address: str, reply: str) -> Any:
        """What `reply` means. Raises InstrumentRefused with the literal text when the table does not say."""
        replies = self._get(operation, address).replies
        if reply not in replies:
            raise InstrumentRefused(
                part=f"{self.instrument} {operation}",
                address=address,
                expected=f"one of {', '.join(replies)}",
                actual=repr(reply),
                remedy="find its meaning in the instrument's manual and add it to the driver's table",
            )
        return replies[reply]

    def _get(self, operation: str, address: str) -> Capability:
        if operation not in self._by_name:
            raise self._absent(operation, address, "an operation")
        return self._by_name[operation]

    def _absent(self, operation: str, address: str, what: str) -> InstrumentRefused:
        return InstrumentRefused(
            part=f"{self.instrument} driver",
            address=address,
            expected=f"{what} {operation!r} in its table",
            actual="none: no source we have gives one",
            remedy="do it by hand at the instrument, or add the command with its source to the table",
        )
