"""A probe: each query of a driver's table sent to a connected instrument once, and what it answered.

The report is what a lab hands in to confirm or correct a table. Nothing is set at the instrument.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from harness.errors import InstrumentLost, InstrumentRefused
from instruments.capability import Capability, CapabilityTable
from instruments.table_driver import Connection


class Answer(StrEnum):
    """What came of a query."""

    UNDERSTOOD = "understood"
    UNMAPPED = "not in the table"
    REFUSED = "refused"
    SILENT = "no reply"


@dataclass(frozen=True, slots=True)
class Probed:
    """One query. reply: as it came; meaning: what the table makes of it; error: of the instrument or link."""

    operation: str
    query: str
    source: str
    confidence: str
    answer: Answer
    reply: str = ""
    meaning: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """All queries of a table, and rows that cannot be asked for."""

    instrument: str
    identity: str
    resource: str
    probed: tuple[Probed, ...]
    not_asked: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Whether every query was understood."""
        return all(each.answer is Answer.UNDERSTOOD for each in self.probed)

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)


def probe(
    table: CapabilityTable, session: Connection, on_answer: Callable[[Probed], None] = lambda probed: None
) -> ProbeReport:
    """Ask everything there is to ask. Raises: InstrumentLost when the instrument is gone for good."""
    identity = session.open()
    probed = []
    for row in table.capabilities:
        if row.query is not None:
            probed.append(_ask(table, row, row.query, session))
            on_answer(probed[-1])
    silent = tuple(row.operation for row in table.capabilities if row.query is None)
    return ProbeReport(table.instrument, identity, session.resource, tuple(probed), silent)


def _ask(table: CapabilityTable, row: Capability, query: str, session: Connection) -> Probed:
    def told(answer: Answer, **more: str) -> Probed:
        confidence = row.asked or row.confidence
        return Probed(row.operation, query, row.source, confidence.name, answer, **more)

    try:
        reply = session.query(query).strip()
    except InstrumentRefused as error:
        return told(Answer.REFUSED, error=error.actual)
    except InstrumentLost as error:
        session.open()  # raises when it is more than this query that is not answered
        return told(Answer.SILENT, error=error.actual)
    if not row.replies:
        return told(Answer.UNDERSTOOD, reply=reply)
    first = reply.partition(",")[0].strip() if reply not in row.replies else reply
    if first not in row.replies:
        return told(Answer.UNMAPPED, reply=reply)
    return told(Answer.UNDERSTOOD, reply=reply, meaning=str(row.replies[first]))


def lines(report: ProbeReport) -> Iterator[str]:
    """For people."""
    yield f"{report.instrument} driver at {report.resource}: {report.identity}"
    for each in report.probed:
        said = each.reply or each.error
        meaning = f" ({each.meaning})" if each.meaning else ""
        yield f"{each.answer:16} {each.operation:20} {each.query:56} {said}{meaning}".rstrip()
    yield f"not asked, since nothing asks for them: {', '.join(report.not_asked) or 'none'}"
