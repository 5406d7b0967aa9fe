"""Each operation of each driver against the lines it is expected to say; no line more, none less."""

from __future__ import annotations

import re

import pytest

from harness.errors import InstrumentRefused
from harness.evidence.timeline import Timeline
from instruments.capability import Operation
from instruments.drivers import Driver, driver_named, drivers
from tests.instruments.transcript import Transcript
from tests.instruments.transcripts import Spoken, cmw500, cmx500, md8475, mt8821c, uxm

BY_DRIVER: dict[str, list[Spoken]] = {
    "cmw500": cmw500.SPOKEN,
    "md8475": md8475.SPOKEN,
    "mt8821c": mt8821c.SPOKEN,
    "uxm": uxm.SPOKEN,
    "cmx500": cmx500.SPOKEN,
}
ALL = [(name, each) for name, spoken in BY_DRIVER.items() for each in spoken]
IMPOSSIBLE = [
    ("cmw500", lambda d: d.bar(True), "barred"),
    ("cmw500", lambda d: d.save_log("x"), "log"),
    ("md8475", lambda d: d.connect(), "connect"),
    ("md8475", lambda d: d.reject_attach(7), "attach reject"),
    ("md8475", lambda d: d.subscriber("0" * 32, "0" * 32), "subscriber key"),
    ("mt8821c", lambda d: d.configure(tac=1, eci=2), "eci"),
    ("mt8821c", lambda d: d.ue_imsi(), "ue imsi"),
    ("mt8821c", lambda d: d.ue_addresses(), "ue ipv4"),
    ("mt8821c", lambda d: d.load_scenario("x", 1), "scenario"),
    ("uxm", lambda d: d.configure(mcc="001"), "mcc"),
    ("uxm", lambda d: d.physical_cell(band=1, identity=2), "physical cell id"),
    ("uxm", lambda d: d.set_pcscf("10.0.0.1"), "pcscf ipv4"),
    ("uxm", lambda d: d.detach(), "detach"),
    ("cmx500", lambda d: d.configure(mcc="001", mnc="01", tac=1), "tac"),
    ("cmx500", lambda d: d.power(-85), "power"),
    ("cmx500", lambda d: d.out_of_service(), "service"),
]


def made(driver: Driver, transcript: Transcript) -> object:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    made = driver.make(transcript, Timeline())
    made._clock, made._sleep = (lambda: now[0]), sleep
    return made


def pair(line: str) -> tuple[str, str | None]:
    text, arrow, reply = line.partition(" -> ")
    return text, reply if arrow else None


@pytest.mark.parametrize(("name", "spoken"), ALL, ids=[f"{name}-{each.operation}" for name, each in ALL])
def test_what_a_driver_says(name: str, spoken: Spoken) -> None:
    transcript = Transcript(*(pair(line) for line in spoken.lines))
    assert spoken.call(made(driver_named(name), transcript)) == spoken.returns
    transcript.assert_used()


@pytest.mark.parametrize(("name", "call", "operation"), IMPOSSIBLE)
def test_what_no_source_gives_is_refused_by_name_before_anything_is_said(name, call, operation) -> None:
    driver = made(driver_named(name), Transcript())
    with pytest.raises(InstrumentRefused, match=f"an operation '{operation}'.*no source we have gives one"):
        call(driver)


@pytest.mark.parametrize("name", drivers())
def test_every_operation_of_a_driver_has_a_transcript(name: str) -> None:
    assert {each.operation for each in BY_DRIVER[name]} == driver_named(name).table.operations


@pytest.mark.parametrize("name", drivers())
def test_every_row_is_said_in_some_transcript(name: str) -> None:
    """A row that nothing uses has no place; what only the probe asks needs no transcript."""
    said = [pair(line)[0] for each in BY_DRIVER[name] for line in each.lines]
    unused = []
    for row in driver_named(name).table.capabilities:
        text = row.command or row.query or ""
        pattern = re.escape(text).replace(re.escape("{value}"), ".+")
        if not any(re.fullmatch(pattern, line) for line in said):
            unused.append(row.operation)
    assert unused == []


def test_a_transcript_notices_a_line_too_many_and_one_too_few() -> None:
    cmw = driver_named("cmw500")
    with pytest.raises(AssertionError, match="more than the script expects"):
        made(cmw, Transcript()).reset()
    with pytest.raises(AssertionError, match="never sent"):
        Transcript(("*RST", None)).assert_used()
    with pytest.raises(AssertionError):
        made(cmw, Transcript(("PRESET", None))).reset()
    assert Operation.RESET in cmw.table
