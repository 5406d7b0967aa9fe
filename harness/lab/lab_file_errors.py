"""What is wrong in a lab file: line, column and field, in the words of the file and not of the model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from harness.errors import LabFileError

# Types of pydantic's errors, and what a value should have been in the words of a lab file.
_EXPECTED = {
    "model_type": "keys with values, see {}",
    "dict_type": "keys with values, see {}",
    "tuple_type": "a list in [ ]",
    "string_type": "text; put the value in quotes",
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    "path_type": "the path of a file",
}
_OTHER_WORDS = {
    "extra_forbidden": "unknown key; see {} for the keys there are",
    "missing": "this key is required; see {}",
}


def first_error(file: Path, tree: Any, error: ValidationError, page: str = "docs/lab.md") -> LabFileError:
    """The error that helps most of those the model has with the tree of a file. page: that describes it."""
    errors = error.errors(include_url=False, include_input=True, include_context=False)
    # A misspelt key makes two errors, "missing" and "unknown"; the second is the one that helps.
    first = next((one for one in errors if one["type"] == "extra_forbidden"), errors[0])
    loc = tuple(part for part in first["loc"] if part != "[key]")
    line, column = place_of(tree, loc)
    more = error.error_count() - 1
    tail = f" (and {more} more)" if more else ""
    return LabFileError(file, line, column, dotted(loc), _in_our_words(first, page) + tail)


def _in_our_words(error: ErrorDetails, page: str) -> str:
    """What is wrong with a value, and the value unless it may be a secret."""
    if error["type"] in _OTHER_WORDS:
        return _OTHER_WORDS[error["type"]].format(page)
    if error["type"] == "value_error":
        return error["msg"].removeprefix("Value error, ")
    known = _EXPECTED.get(error["type"])
    expected = known.format(page) if known else error["msg"].removeprefix("Input should be ")
    if error["type"].startswith(("greater_than", "less_than")):
        expected = f"a number {expected}"
    return f"expected {expected}" + ("" if "sim" in error["loc"] else f", got {_as_written(error['input'])}")


def _as_written(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return "keys with values" if isinstance(value, Mapping) else repr(value)


def place_of(tree: Any, loc: tuple[str | int, ...]) -> tuple[int, int]:
    """Line and column, from 1, of the deepest part of loc that the file has."""
    node, place = tree, (1, 1)
    for part in loc:
        try:
            if isinstance(node, Mapping):
                line, column = node.lc.key(part)  # type: ignore[attr-defined]
            else:
                line, column = node.lc.item(part)
            node = node[part]
        except (KeyError, IndexError, TypeError, AttributeError):
            break
        place = (line + 1, column + 1)
    return place


def dotted(loc: tuple[str | int, ...]) -> str:
    """The name of a field."""
    return ".".join(str(part) for part in loc)
