"""What a test needs of the network simulator, known before it starts: from the keywords in it.

A keyword declares by `@needs` the operations it cannot do without. A test is looked through as it is written,
with the keywords of its suite and of the resource files that suite imports.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from robot.running import ResourceFile

from instruments.capability import Operation

Function = TypeVar("Function", bound=Callable[..., Any])


def needs(*operations: Operation) -> Callable[[Function], Function]:
    """Declare what a keyword needs of the network simulator."""

    def declare(function: Function) -> Function:
        function.needs = frozenset(operations)  # type: ignore[attr-defined]
        return function

    return declare


def needs_of(keyword: Callable[..., Any]) -> frozenset[Operation]:
    """What a keyword declares."""
    declared: frozenset[Operation] = getattr(keyword, "needs", frozenset())
    return declared


def needed_by(test: Any, keywords: Mapping[str, Callable[..., Any]]) -> dict[Operation, str]:
    """The operations a test needs, each with the first keyword that does.

    test: a TestCase of robot.running. keywords: functions of the library by keyword name.
    """
    ours: dict[str, frozenset[Operation]] = {
        _plain(name): needs_of(function) for name, function in keywords.items()
    }
    written = _written_for(test.parent)
    found: dict[Operation, str] = {}
    seen: set[str] = set()
    waiting = list(_calls(test))
    while waiting:
        name = waiting.pop(0)
        plain = _plain(name.rpartition(".")[2])
        if plain in seen:
            continue
        seen.add(plain)
        for operation in ours.get(plain, ()):
            found.setdefault(operation, name)
        waiting += _calls(written[plain]) if plain in written else ()
    return found


def _plain(name: str) -> str:
    """As Robot compares names of keywords."""
    return name.lower().replace(" ", "").replace("_", "")


def _calls(item: Any) -> Iterator[str]:
    """The names of keywords that something runs: steps, setup and teardown, and what is in blocks."""
    for step in (getattr(item, "setup", None), *getattr(item, "body", ()), getattr(item, "teardown", None)):
        if not step:
            continue
        if name := getattr(step, "name", None):
            yield name
            # Keywords such as Run Keyword And Expect Error take the name of another.
            yield from (word for word in getattr(step, "args", ()) if isinstance(word, str))
        if getattr(step, "body", None):
            yield from _calls(step)


def _written_for(suite: Any) -> dict[str, Any]:
    """The user keywords a suite can see: its own, and those of resource files, theirs too."""
    found: dict[str, Any] = {}
    if suite is None or getattr(suite, "resource", None) is None:
        return found
    _collect(suite.resource, Path(suite.source or "."), found, set())
    return found


def _collect(resource: Any, source: Path, found: dict[str, Any], read: set[Path]) -> None:
    for keyword in resource.keywords:
        found.setdefault(_plain(keyword.name), keyword)
    for imported in resource.imports:
        if imported.type.upper() != "RESOURCE":
            continue
        path = (source.parent / imported.name.replace("${CURDIR}", str(source.parent))).resolve()
        if path not in read and path.is_file():
            read.add(path)
            _collect(_resource(path), path, found, read)


@cache
def _resource(path: Path) -> Any:
    return ResourceFile.from_file_system(path)
