"""What the targets of the fuzzers share: how octets become text, reads and values."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from harness.errors import WireError

Fuzz = Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class Target:
    """A parser under attack. seeds: octets it reads without complaint, or nearly."""

    name: str
    fuzz_one: Fuzz
    seeds: tuple[bytes, ...]


def text(data: bytes) -> str:
    """As header values come out of octets, half a character included."""
    return data.decode("utf-8", "backslashreplace")


def properties(found: object) -> None:
    """Read every property: typed values are parsed on first use."""
    for name, member in inspect.getmembers(type(found)):
        if isinstance(member, property):
            try:
                getattr(found, name)
            except WireError:
                continue


def pieces(data: bytes) -> Iterator[bytes]:
    """The octets in unequal reads, cut where their own values say."""
    place = 0
    while place < len(data):
        step = 1 + data[place] % 97
        yield data[place : place + step]
        place += step


def shown(events: list[Any]) -> list[tuple[object, ...]]:
    """What must not depend on the reads; the text of an error may show more or less of what follows."""
    return [
        (event.what, event.offset, event.clause) if isinstance(event, WireError) else _octets_of(event)
        for event in events
    ]


def _octets_of(event: object) -> tuple[object, ...]:
    return type(event).__name__, getattr(event, "raw", str(event)), getattr(event, "body", None)
