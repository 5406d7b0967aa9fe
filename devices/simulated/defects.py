"""Named defects of the simulated handset, each tied to the one rule that has to report it.

A defect is either a change of what goes out (a function on a stage) or a deviation of behaviour that the
client asks for by name (`has`). They are switched by the property debug.rcslab.defects, names separated by
commas.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from devices.simulated.defect import Defect, Stage
from devices.simulated.session_defects import SESSION_DEFECTS
from devices.simulated.text_defects import TEXT_DEFECTS
from harness.errors import UsageError

PROPERTY = "debug.rcslab.defects"

DEFECTS: dict[str, Defect] = {defect.name: defect for defect in (*TEXT_DEFECTS, *SESSION_DEFECTS)}


class Defects:
    """The defects switched on now."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._active: dict[str, Defect] = {}
        self.switch(names)

    def switch(self, names: Iterable[str]) -> None:
        """Switch exactly these on. Raises UsageError for an unknown name; then nothing changes."""
        wanted = [name.strip() for name in names if name.strip()]
        unknown = [name for name in wanted if name not in DEFECTS]
        if unknown:
            raise UsageError(f"no defect {', '.join(unknown)}; there are: {', '.join(DEFECTS)}")
        self._active = {name: DEFECTS[name] for name in wanted}

    @property
    def active(self) -> tuple[str, ...]:
        """Names of those that are on."""
        return tuple(self._active)

    def has(self, name: str) -> bool:
        """Whether a defect is on. Raises KeyError for one that does not exist: a slip of ours."""
        return DEFECTS[name].name in self._active

    def touch(self, stage: Stage) -> bool:
        """Whether one that is on changes what this stage is given."""
        return any(defect.stage is stage for defect in self._active.values())

    def apply(self, stage: Stage, value: Any) -> Any:
        """The value with every active defect of the stage in it."""
        for defect in self._active.values():
            if defect.stage is stage and defect.change is not None:
                value = defect.change(value)
        return value
