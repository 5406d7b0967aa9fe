"""What every part of lab.yaml is: known keys, values that do not change, paths that start at the file."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationInfo

FOLDER = "folder"
"""Key of the validation context: the folder of the lab file."""


class Part(BaseModel):
    """A mapping of lab.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def beside_the_file(path: Path | None, info: ValidationInfo) -> Path | None:
    """A path of the lab file, which is relative to it."""
    folder = (info.context or {}).get(FOLDER)
    return folder / path if folder is not None and path is not None else path


def in_form(pattern: str, form: str) -> AfterValidator:
    """Text that the pattern matches whole. form: the words for it in the error, with an example."""

    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"expected {form}, got {value!r}")
        return value

    return AfterValidator(check)


E164 = in_form(r"\+[1-9]\d{6,14}", 'an E.164 number in quotes, as "+12025550101"')
