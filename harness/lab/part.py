"""What every part of lab.yaml is: known keys, values that do not change, paths that start at the file."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationInfo

FOLDER = "folder"
"""Key of the validation context: the folder of the lab file."""


class Part(BaseModel):
    """A mapping of lab.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def beside_the_file(path: Path | None, info: ValidationInfo) -> Path | None:
    """A path of the lab file, which is relative to it."""
    folder = (info.context or {}).get(FOLDER)
    return folder / path if folder is not None and path is not None else path
