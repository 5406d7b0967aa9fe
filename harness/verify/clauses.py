"""Clauses of documents, as the catalogue names them: "RFC 3261 8.2.6.2, 18.2.1; RFC 3581 4"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_DOCUMENT = re.compile(
    r"(?P<document>RFC \d+|TS \d+\.\d+|RCC\.\d+|OMA CPM(?: Conv)?|XML 1\.0)\s*(?P<rest>[^;]*)"
)


@dataclass(frozen=True, slots=True, order=True)
class Clause:
    """A section of a document; section is empty for the document as a whole."""

    document: str
    section: str

    def covers(self, other: Clause) -> bool:
        """Whether the other is this section, or inside it."""
        inside = other.section == self.section or other.section.startswith(f"{self.section}.")
        return self.document == other.document and (not self.section or inside)

    def __str__(self) -> str:
        return f"{self.document} {self.section}".rstrip()


def clauses_of(text: str) -> tuple[Clause, ...]:
    """The clauses a catalogue entry rests on, in its order; none for a field trace and the like."""
    return tuple(dict.fromkeys(_clauses(text)))


def parse_clause(text: str) -> Clause | None:
    """One clause, None for what is none."""
    found = clauses_of(text)
    return found[0] if len(found) == 1 else None


def _clauses(text: str) -> Iterator[Clause]:
    for part in text.split(";"):
        for found in _DOCUMENT.finditer(part):
            sections = [word for word in _sections(found["rest"]) if word]
            for section in sections or [""]:
                yield Clause(found["document"], section)


def _sections(rest: str) -> Iterator[str]:
    """ "7.1, 8.2/3 (note)": 7.1, 8.2, 3."""
    plain = re.sub(r"\([^)]*\)", "", rest)
    for word in re.split(r"[,/]|\band\b", plain):
        found = re.match(r"\s*(?:App(?:endix)?\.? )?([A-Z]?\d*(?:\.[0-9A-Z]+)*)(?![A-Za-z])", word)
        if found:
            yield found.group(1)
