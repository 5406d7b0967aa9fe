"""The MD8475 driver against an expected wire script, and over pyvisa against the simulated box."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from devices.simulated.air_link import AirLink
from devices.simulated.baseband import Baseband
from harness.errors import InstrumentLost, InstrumentRefused
from harness.evidence.timeline import Event, Layer, Timeline
from instruments.drivers import open_driver
from instruments.md8475 import Md8475
from instruments.network_simulator import CellIdentity, CellState, NetworkSimulator
from instruments.simulated.md8475 import MessageSplitter
from instruments.simulated.network_simulator import Dialect, Options
from instruments.visa import VisaSession
from tests.instruments.conftest import FAST, RunningBox
from tests.instruments.transcript import Transcript

Script = Callable[..., Md8475]
IDENTITY_LINES = (
    ("MCC? BTS1", "001"),
    ("MNC? BTS1", "01"),
    ("TAC? BTS1", "7"),
    ("CELLID? BTS1", "257"),
)


@pytest.fixture
def script(timeline: Timeline) -> Iterator[Script]:
    """Make a driver over a script; every line must have been used at the end of the test."""
    transcripts: list[Transcript] = []

    def make(*lines: tuple[str, str | None]) -> Md8475:
        transcripts.append(Transcript(*lines))
        now = [0.0]

        def sleep(seconds: float) -> None:
            now[0] += seconds

        return Md8475(transcripts[-1], timeline, clock=lambda: now[0], sleep=sleep)

    yield make
    for transcript in transcripts:
        transcript.assert_used()


class TestWire:
    """What the driver sends, line by line."""

    def test_cell_on_starts_the_simulation_and_waits_for_the_handset_states(
        self, script: Script, timeline: Timeline
    ) -> None:
        driver = script(
            ("STAT?", "NOTRUN"),
            ("START", None),
            ("STAT?", "RUNNING"),
            ("CALLSTAT? BTS1", "NOTRUN,NOTRUN"),
            ("STAT?", "RUNNING"),
            ("CALLSTAT? BTS1", "POWEROFF,POWEROFF"),
            *IDENTITY_LINES,
        )
        driver.cell_on(timeout=300)
        event = list(timeline)[-1]
        assert isinstance(event, Event)
        assert event.fields == {"on": True, "mcc": "001", "mnc": "01", "tac": 7, "eci": 257}

    def test_a_simulation_that_runs_is_not_started_again(self, script: Script) -> None:
        driver = script(
            ("STAT?", "RUNNING"), ("STAT?", "RUNNING"), ("CALLSTAT? BTS1", "IDLE,IDLE"), *IDENTITY_LINES
        )
        driver.cell_on(timeout=5)

    def test_cell_off(self, script: Script) -> None:
        script(("STAT?", "RUNNING"), ("STOP", None), ("STAT?", "NOTRUN"), *IDENTITY_LINES).cell_off(timeout=5)

    @pytest.mark.parametrize(
        ("reply", "state"),
        [
            ("POWEROFF,POWEROFF", CellState.ON),
            ("REGISTRATION,REGISTRATION", CellState.REGISTERING),
            ("IDLE,DETACH", CellState.ATTACHED),
            ("IDLE,COMMUNICATION", CellState.CONNECTED),
            ("COMMUNICATION", CellState.CONNECTED),
        ],
    )
    def test_states(self, script: Script, reply: str, state: CellState) -> None:
        lines = (("STAT?", "RUNNING"), ("OUTOFSERVICE? BTS1", "IN"), ("CALLSTAT? BTS1", reply))
        assert script(*lines).state() is state

    def test_a_state_the_table_does_not_know_is_shown_literally(self, script: Script) -> None:
        driver = script(("STAT?", "RUNNING"), ("OUTOFSERVICE? BTS1", "IN"), ("CALLSTAT? BTS1", "ASLEEP"))
        with pytest.raises(InstrumentRefused, match="'ASLEEP'"):
            driver.state()

    def test_out_of_service_and_back(self, script: Script) -> None:
        driver = script(
            ("OUTOFSERVICE OUT,BTS1", None),
            *IDENTITY_LINES,
            ("STAT?", "RUNNING"),
            ("OUTOFSERVICE? BTS1", "OUT"),
            ("OUTOFSERVICE IN,BTS1", None),
            *IDENTITY_LINES,
        )
        driver.out_of_service()
        assert driver.state() is CellState.OUT_OF_SERVICE
        driver.recover()

    def test_what_is_set_while_it_runs_is_applied(self, script: Script) -> None:
        driver = script(
            ("MCC 310,BTS1", None),
            ("MNC 410,BTS1", None),
            ("TAC 5,BTS1", None),
            ("CELLID 3,BTS1", None),
            ("STAT?", "RUNNING"),
            ("APPLYPARAM", None),
            ("STAT?", "RUNNING"),
            ("CALLSTAT? BTS1", "IDLE"),
            *IDENTITY_LINES,
        )
        driver.configure(mcc="310", mnc="410", tac=5, eci=3)

    def test_radio_settings(self, script: Script) -> None:
        off = (("STAT?", "NOTRUN"), ("STAT?", "NOTRUN"), *IDENTITY_LINES)
        driver = script(
            ("PHYCELLID 7,BTS1", None),
            ("BAND 3,BTS1", None),
            ("DLCHAN 1300,BTS1", None),
            *off,
            ("BANDWIDTH 1.4MHz,BTS1", None),
            *off,
            ("OLVL -60.5,BTS1", None),
        )
        driver.physical_cell(identity=7, band=3, channel=1300)
        driver.bandwidth(1.4)
        driver.power(-60.5)

    def test_the_identity_is_asked_of_the_handset_and_read_from_the_log(self, script: Script) -> None:
        driver = script(
            ("STAT?", "RUNNING"),
            ("OUTOFSERVICE? BTS1", "IN"),
            ("CALLSTAT? BTS1", "IDLE"),
            ("TMMESSAGEMODE 141155,USERDATA", None),
            ("TMUSERDATA 141155, 075501, 24", None),
            ("SEQLOG?", '41,"UE","x"'),
            ("TMSENDUSERMSG 141155", None),
            ("SEQLOG?", '41,"UE","x"'),
            ("SEQLOG?", '43,"UE","later"'),
            ("SEQLOG? 42", '42,"UE","IDENTITY","IMSI","001010123456789"'),
        )
        assert driver.ue_imsi() == "001010123456789"

    def test_without_a_handset_nobody_is_asked(self, script: Script) -> None:
        lines = (("STAT?", "RUNNING"), ("OUTOFSERVICE? BTS1", "IN"), ("CALLSTAT? BTS1", "POWEROFF"))
        driver = script(*lines, *lines)
        assert driver.ue_imei() is None
        assert driver.ue_addresses() == ()

    def test_pcscf_and_ims_server(self, script: Script) -> None:
        driver = script(
            ("PDNPCSCFIPV4 1,10.0.0.1", None),
            ("PDNPCSCFIPV6? 1", "::"),
            ("IMSSTARTVN 1", None),
            ("IMSSTOPVN 1", None),
            ("IMSCSCFSTAT? 1", "SIPIDLE"),
        )
        driver.set_pcscf("10.0.0.1")
        driver.ims_server(True)
        driver.ims_server(False)
        assert driver.ims_registered()


# -- over the wire


@pytest.fixture
def box() -> Iterator[RunningBox]:
    running = RunningBox(Options(dialect=Dialect.MD8475, timing=FAST))
    yield running
    running.close()


@pytest.fixture
def driver(box: RunningBox, timeline: Timeline) -> Iterator[NetworkSimulator]:
    made = open_driver("md8475", box.addresses["visa_socket"], timeline, 3.0)
    made.open()
    yield made
    made.close()


def test_a_handset_attaches_to_the_simulated_box(
    box: RunningBox, driver: NetworkSimulator, timeline: Timeline
) -> None:
    driver.configure(mcc="001", mnc="01", tac=9, eci=0x200)
    driver.set_pcscf("127.0.0.9")
    assert driver.state() is CellState.OFF and driver.ue_imsi() is None
    driver.cell_on(timeout=5)
    assert driver.cell_identity() == CellIdentity("001", "01", 9, 0x200)
    host, _, port = box.addresses["air"].rpartition(":")

    async def handset() -> AirLink:
        baseband = Baseband()
        link = AirLink(baseband, host, int(port))
        link.start()
        return link

    link = box.run(handset())
    try:
        assert driver.wait_state(CellState.ATTACHED, timeout=5) is CellState.ATTACHED
        assert (driver.ue_imsi() or "").startswith("00101")
        assert len(driver.ue_imei() or "") >= 14
        assert driver.ue_addresses() == ("127.0.0.2", "::1")
        driver.out_of_service()
        assert driver.state() is CellState.OUT_OF_SERVICE
        driver.recover()
        driver.wait_state(CellState.ATTACHED, timeout=5)
        driver.bar(True)
        driver.wait_state(CellState.ON, timeout=5)
        driver.bar(False)
        driver.wait_state(CellState.ATTACHED, timeout=5)
        driver.detach()
        driver.wait_state(CellState.ATTACHED, timeout=5)
        driver.reset()
        assert driver.state() is CellState.OFF
    finally:
        box.run(link.close())
    names = [entry.name for entry in timeline if isinstance(entry, Event) and entry.layer is Layer.VISA]
    assert {"query", "write", "cell", "cell-change"} <= set(names)


def test_an_error_is_the_answer_to_the_command(box: RunningBox, timeline: Timeline) -> None:
    link = {"termination": "\0", "error_suffix": ";ERROR?", "no_error": "0"}
    with VisaSession(box.addresses["visa_socket"], timeline, timeout=0.5, **link) as session:
        with pytest.raises(InstrumentRefused, match=r"TAC x,BTS1 to be accepted.*error 2"):
            session.command("TAC x,BTS1")
        with pytest.raises(InstrumentRefused, match="error 9999"):
            session.command("NOTACOMMAND")
        session.command("TAC 3,BTS1")
        assert session.query("TAC? BTS1") == "3"


def test_a_query_it_does_not_know_stays_silent_and_the_next_one_is_answered(
    box: RunningBox, timeline: Timeline
) -> None:
    link = {"termination": "\0", "error_suffix": ";ERROR?", "no_error": "0"}
    with VisaSession(box.addresses["visa_socket"], timeline, timeout=0.2, **link) as session:
        with pytest.raises(InstrumentLost, match=r"a reply to NOTHING\?"):
            session.query("NOTHING?")
        assert session.query("STAT?") == "NOTRUN"


def test_messages_are_cut_at_their_end_however_they_come() -> None:
    splitter = MessageSplitter()
    assert splitter.receive(b"STA") == []
    assert splitter.receive(b"T?\0MCC? BTS1\0S") == [b"STAT?", b"MCC? BTS1"]
    assert splitter.receive(b"x" * 70_000) == []
    assert splitter.receive(b"TAT?\0") == [b"TAT?"]
