"""The tables as a page: what each driver can and cannot do, for docs/instruments.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from instruments.capability import CapabilityTable, Operation

BEGIN = "<!-- what the drivers can do: written by `rcslab instruments`, not by hand -->"
END = "<!-- end of what the drivers can do -->"


def matrix(tables: Mapping[str, CapabilityTable]) -> str:
    """Operations by driver: the confidence of the row, or a dash where no source gives one."""
    head = f"| operation | {' | '.join(tables)} |\n|---|{'---|' * len(tables)}\n"
    return head + "".join(_row(operation, tables) for operation in Operation)


def _row(operation: Operation, tables: Mapping[str, CapabilityTable]) -> str:
    cells = [table.row(operation).grade if operation in table else "-" for table in tables.values()]
    return f"| {operation}: {operation.meaning} | {' | '.join(cells)} |\n"


def rows(table: CapabilityTable) -> Iterator[str]:
    """Each row of a table, for people at a terminal."""
    for row in table.capabilities:
        texts = [text for text in (row.command, row.query) if text]
        unit = f" [{row.unit}]" if row.unit else ""
        yield f"{row.operation}: {row.meaning}{unit} ({row.grade}: {row.source})"
        yield from (f"    {text}" for text in texts)
        if row.allowed:
            yield f"    allowed: {row.allowed}"
        if row.replies:
            yield f"    replies: {', '.join(f'{reply} {value}' for reply, value in row.replies.items())}"
