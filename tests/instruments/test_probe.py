"""A probe asks each query of a table once, and says where the table is wrong."""

from __future__ import annotations

import json
from pathlib import Path

from harness.evidence.timeline import Timeline
from instruments import md8475
from instruments.capability import Capability, CapabilityTable, Confidence
from instruments.drivers import drivers
from instruments.network_simulator import CellState
from instruments.probe import Answer, lines, probe
from instruments.table_page import BEGIN, END, matrix
from instruments.visa import VisaSession

DOCS = Path(__file__).resolve().parents[2] / "docs" / "instruments.md"


def row(operation, **how):
    return Capability(operation, "meaning", "source", Confidence.B, **how)


TABLE = CapabilityTable(
    "CMW500",
    [
        row("known", query="SOURce:LTE:SIGN:CELL:STATe:ALL?", replies={"OFF,ADJ": CellState.OFF}),
        row("other", query="SENSe:LTE:SIGN:RRCState?", replies={"ASLEEP": True}),
        row("any", query="CONFigure:LTE:SIGN:CELL:TAC?"),
        row("gone", query="NOT:A:HEADER?"),
        row("set", command="*RST"),
    ],
)


def test_what_a_box_answers(box, timeline: Timeline):
    seen = []
    with VisaSession(box.addresses["visa_socket"], timeline, timeout=0.3) as session:
        report = probe(TABLE, session, seen.append)
    assert [each.answer for each in report.probed] == [
        Answer.UNDERSTOOD,
        Answer.UNMAPPED,
        Answer.UNDERSTOOD,
        Answer.REFUSED,
    ]
    assert list(report.probed) == seen
    assert not report.whole and report.not_asked == ("set",)
    assert "-113" in report.probed[3].error and report.probed[1].reply == "IDLE"
    said = "\n".join(lines(report))
    assert "not in the table other" in said and "*RST" not in said
    assert json.loads(json.dumps(report.as_dict()))["identity"] == report.identity


def test_a_query_that_is_never_answered_is_told_and_the_next_is_asked(timeline: Timeline):
    from instruments.simulated.network_simulator import Dialect, Options
    from tests.instruments.conftest import FAST, RunningBox

    running = RunningBox(Options(dialect=Dialect.MD8475, timing=FAST))
    link = {"termination": md8475.TERMINATION, "error_suffix": md8475.ERROR_SUFFIX, "no_error": "0"}
    table = CapabilityTable("MD8475", [row("silent", query="WHAT?"), row("there", query="STAT?")])
    try:
        with VisaSession(running.addresses["visa_socket"], timeline, timeout=0.2, **link) as session:
            report = probe(table, session)
    finally:
        running.close()
    assert [each.answer for each in report.probed] == [Answer.SILENT, Answer.UNDERSTOOD]


def test_the_page_of_the_docs_is_what_the_tables_say():
    text = DOCS.read_text("utf-8")
    written = text[text.index(BEGIN) + len(BEGIN) : text.index(END)].strip()
    assert written == matrix({name: driver.table for name, driver in drivers().items()}).strip()
