"""One line of the doctor."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at and how it is. ok False means that a run on this lab would fail: text says how to
    mend it, and mend is the command that does, where one does.
    """

    part: str
    ok: bool
    text: str
    mend: str = ""

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)
