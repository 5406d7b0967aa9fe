"""How text is marked on a terminal (ECMA-48 SGR), and how long lines are cut round what is marked in them."""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len

WIDTH = 110
"""Columns of a report that goes to no terminal."""
_CODES = {
    "fail": "1;31",
    "warn": "33",
    "info": "2",
    "pass": "32",
    "inconc": "35",
    "title": "1",
    "party": "1;36",
    "rule": "1",
    "mark": "1;31",
    "dim": "2",
}


@dataclass(frozen=True, slots=True)
class Style:
    """colour: whether to use it. width: columns there are."""

    colour: bool = False
    width: int = WIDTH

    def __call__(self, role: str, text: str) -> str:
        """The text in the colour of its role, which is a key of the table above."""
        return f"\x1b[{_CODES[role]}m{text}\x1b[0m" if self.colour and text else text


def cut_round(text: str, start: int, end: int, width: int) -> tuple[str, int, int]:
    """The text cut to a width round the characters from start to end, and where those are now."""
    if cell_len(text) <= width:
        return text, start, end
    middle = width // 3
    low = max(0, min(start - middle, len(text) - width + 1))
    ahead = "…" if low else ""
    shown = ahead + text[low:]
    start, end = start - low + len(ahead), end - low + len(ahead)
    if cell_len(shown) > width:
        while cell_len(shown) > width - 1:
            shown = shown[: -max(1, (cell_len(shown) - width + 1) // 2)]
        shown += "…"
    return shown, min(start, len(shown)), min(end, len(shown))
