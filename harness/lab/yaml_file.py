"""Files that people write for the lab: YAML, checked by a model; errors name line, column and field."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from harness.errors import LabFileError
from harness.lab.lab_file_errors import first_error
from harness.lab.part import Part

Model = TypeVar("Model", bound=Part)


def load_part(file: Path, model: type[Model], expected: str) -> Model:
    """A file beside lab.yaml as its model. expected: what it is, for the error. Raises: LabFileError."""
    tree = read_yaml(file, expected)
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        raise first_error(file, tree, error, "docs/verify.md") from None


def read_yaml(file: Path, expected: str) -> Any:
    """The tree of a file that is a mapping, with the places of its keys.

    expected: what it should have been, for the error. Raises: LabFileError.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise LabFileError(file, 0, 0, "", "no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise LabFileError(
            file, 0, 0, "", f"cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from None
    try:
        tree = YAML(typ="rt").load(text)
    except DuplicateKeyError as error:
        mark = error.problem_mark
        key = re.search(r'duplicate key "([^"]*)"', str(error.problem))
        name = key.group(1) if key else "?"
        message = "appears twice in the same mapping; rename or remove one"
        raise LabFileError(file, mark.line + 1, mark.column + 1, name, message) from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        raise LabFileError(file, line, column, "", f"not YAML: {error.problem or error.context}") from None
    except YAMLError as error:
        raise LabFileError(file, 0, 0, "", f"not YAML: {error}") from None
    except ValueError as error:  # of a date such as 2026-13-01
        raise LabFileError(file, 0, 0, "", f"a date in it is none: {error}") from None
    if not isinstance(tree, Mapping):
        raise LabFileError(file, 1, 1, "", f"expected {expected}, got something else")
    return tree
