"""The CMW500 driver against an expected wire script, and over pyvisa against the simulated box."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest

from devices.simulated.air_link import AirLink
from devices.simulated.baseband import Baseband
from harness.errors import InstrumentRefused, NotSeen, UsageError
from harness.evidence.timeline import Event, Layer, Timeline
from instruments.capability import Capability, CapabilityTable, Confidence, Operation
from instruments.cmw500 import TABLE, Cmw500
from instruments.network_simulator import CellIdentity, CellState, NetworkSimulator
from instruments.visa import VisaSession
from tests.instruments.transcript import Transcript

Script = Callable[..., Cmw500]


@pytest.fixture
def script(timeline: Timeline) -> Iterator[Script]:
    """Make a driver over a script; every line must have been used at the end of the test."""
    transcripts: list[Transcript] = []

    def make(*lines: tuple[str, str | None], step: float = 0.0) -> Cmw500:
        transcripts.append(Transcript(*lines))
        now = [0.0]

        def sleep(seconds: float) -> None:
            now[0] += seconds + step

        return Cmw500(transcripts[-1], timeline, clock=lambda: now[0], sleep=sleep)

    yield make
    for transcript in transcripts:
        transcript.assert_used()


IDENTITY_LINES = (
    ("CONFigure:LTE:SIGN:CELL:MNC:DIGits?", "TWO"),
    ("CONFigure:LTE:SIGN:CELL:MCC?", "1"),
    ("CONFigure:LTE:SIGN:CELL:MNC?", "1"),
    ("CONFigure:LTE:SIGN:CELL:TAC?", "7"),
    ("CONFigure:LTE:SIGN:CELL:PCC:CID:EUTRan?", "#B0000000000000000000100000001"),
)


class TestWire:
    """What the driver sends, line by line."""

    def test_cell_on_polls_until_adjusted_and_reports_what_is_broadcast(
        self, script: Script, timeline: Timeline
    ) -> None:
        driver = script(
            ("SOURce:LTE:SIGN:CELL:STATe ON", None),
            ("SOURce:LTE:SIGN:CELL:STATe:ALL?", "ON,PEND"),
            ("SOURce:LTE:SIGN:CELL:STATe:ALL?", "ON,ADJ"),
            *IDENTITY_LINES,
        )
        driver.cell_on(timeout=5)
        begun, event = timeline.since(0)
        assert isinstance(begun, Event) and begun.name == "cell-change"
        assert isinstance(event, Event)
        assert (event.layer, event.name) == (Layer.VISA, "cell")
        assert event.fields == {"on": True, "mcc": "001", "mnc": "01", "tac": 7, "eci": 0x101}

    def test_a_cell_that_never_adjusts_is_refused_at_the_deadline(self, script: Script) -> None:
        driver = script(
            ("SOURce:LTE:SIGN:CELL:STATe ON", None),
            ("SOURce:LTE:SIGN:CELL:STATe:ALL?", "ON,PEND"),
            ("SOURce:LTE:SIGN:CELL:STATe:ALL?", "ON,PEND"),
            step=10.0,
        )
        with pytest.raises(InstrumentRefused, match="to say that it is ON within 5 s"):
            driver.cell_on(timeout=5)

    @pytest.mark.parametrize(
        ("reply", "state"),
        [
            ("ON", CellState.ON),
            ("SIGN", CellState.REGISTERING),
            ("ATT", CellState.ATTACHED),
            ("CEST", CellState.CONNECTED),
        ],
    )
    def test_packet_states(self, script: Script, reply: str, state: CellState) -> None:
        driver = script(
            ("SOURce:LTE:SIGN:CELL:STATe:ALL?", "ON,ADJ"), ("FETCh:LTE:SIGN:PSWitched:STATe?", reply)
        )
        assert driver.state() is state

    @pytest.mark.parametrize(
        ("reply", "state"),
        [
            ("OFF,ADJ", CellState.OFF),
            ("ON,PEND", CellState.STARTING),
            ("OFF,PEND", CellState.STARTING),
        ],
    )
    def test_without_a_signal_the_handset_is_not_asked_for(
        self, script: Script, reply: str, state: CellState
    ) -> None:
        driver = script(("SOURce:LTE:SIGN:CELL:STATe:ALL?", reply))
        assert driver.state() is state

    def test_a_reply_the_table_does_not_know_is_shown_literally(self, script: Script) -> None:
        driver = script(("SOURce:LTE:SIGN:CELL:STATe:ALL?", "RFH,ADJ"))
        with pytest.raises(InstrumentRefused, match="'RFH,ADJ'"):
            driver.state()

    def test_a_three_digit_mnc_sets_the_length_first(self, script: Script) -> None:
        driver = script(
            ("CONFigure:LTE:SIGN:CELL:MCC 310", None),
            ("CONFigure:LTE:SIGN:CELL:MNC:DIGits THRee", None),
            ("CONFigure:LTE:SIGN:CELL:MNC 410", None),
            ("CONFigure:LTE:SIGN:CELL:TAC 5", None),
            ("CONFigure:LTE:SIGN:CELL:PCC:CID:EUTRan #B0000000000000000000000000011", None),
            ("SOURce:LTE:SIGN:CELL:STATe:ALL?", "OFF,ADJ"),
        )
        driver.configure(mcc="310", mnc="410", tac=5, eci=3)

    @pytest.mark.parametrize(("digits", "mnc"), [("TWO", "01"), ("THR", "001")])
    def test_the_mnc_has_as_many_digits_as_the_instrument_says(
        self, script: Script, digits: str, mnc: str
    ) -> None:
        driver = script(
            ("CONFigure:LTE:SIGN:CELL:MNC:DIGits?", digits),
            ("CONFigure:LTE:SIGN:CELL:MCC?", "1"),
            ("CONFigure:LTE:SIGN:CELL:MNC?", "1"),
            ("CONFigure:LTE:SIGN:CELL:TAC?", "7"),
            ("CONFigure:LTE:SIGN:CELL:PCC:CID:EUTRan?", "#B0000000000000000000000000011"),
        )
        assert driver.cell_identity() == CellIdentity("001", mnc, 7, 3)

    def test_a_two_digit_mnc_sets_the_length_last(self, script: Script) -> None:
        driver = script(
            ("CONFigure:LTE:SIGN:CELL:MNC 1", None),
            ("CONFigure:LTE:SIGN:CELL:MNC:DIGits TWO", None),
            ("SOURce:LTE:SIGN:CELL:STATe:ALL?", "OFF,ADJ"),
        )
        driver.configure(mnc="01")

    @pytest.mark.parametrize(
        ("addresses", "lines"),
        [
            (["10.0.0.1"], [("IPVFour '10.0.0.1'", None), ("IPVSix?", '""')]),
            (
                ["2001:db8::1"],
                [("IPVFour?", '"10.0.0.1"'), ("IPVFour ''", None), ("IPVSix '2001:db8::1'", None)],
            ),
            (["::1", "10.0.0.2"], [("IPVFour '10.0.0.2'", None), ("IPVSix '::1'", None)]),
        ],
    )
    def test_pcscf_by_address_family(
        self, script: Script, addresses: list[str], lines: list[tuple[str, str | None]]
    ) -> None:
        node = "CONFigure:DATA:CONTrol:IMS2:EXTern:PCSCf:ADDRess:"
        written = [(node + text, reply) for text, reply in lines]
        driver = script(("CONFigure:DATA:CONTrol:IMS2:SUSage EXTernal", None), *written)
        driver.set_pcscf(*addresses)

    def test_handset_values_are_unquoted_and_nav_is_none(self, script: Script) -> None:
        driver = script(
            ("SENSe:LTE:SIGN:UESinfo:IMSI?", '"001010123456789"'),
            ("SENSe:LTE:SIGN:UESinfo:IMEI?", "NAV"),
            ("SENSe:LTE:SIGN:UESinfo:UEADdress:IPV4?", '"10.0.0.2","10.0.0.3"'),
            ("SENSe:LTE:SIGN:UESinfo:UEADdress:IPV6?", '"INV"'),
        )
        assert driver.ue_imsi() == "001010123456789"
        assert driver.ue_imei() is None
        assert driver.ue_addresses() == ("10.0.0.2", "10.0.0.3")

    @pytest.mark.parametrize(("cause", "value"), [(None, "OFF"), (7, "EPS7"), (17, "C17")])
    def test_reject_causes(self, script: Script, cause: int | None, value: str) -> None:
        driver = script((f"CONFigure:LTE:SIGN:CELL:RCAuse:ATTach {value}", None))
        driver.reject_attach(cause)

    def test_out_of_service_is_a_level_nobody_hears_and_the_one_before(self, script: Script) -> None:
        level = "CONFigure:LTE:SIGN:DL:PCC:RSEPre:LEVel"
        driver = script(
            (f"{level}?", "-8.500000E+01"),
            (f"{level} -140", None),
            *IDENTITY_LINES,
            ("SOURce:LTE:SIGN:CELL:STATe:ALL?", "ON,ADJ"),
            ("FETCh:LTE:SIGN:PSWitched:STATe?", "ATT"),
            (f"{level} -85", None),
            *IDENTITY_LINES,
        )
        driver.out_of_service()
        assert driver.state() is CellState.OUT_OF_SERVICE
        driver.recover()
        driver.recover()  # in service already

    def test_connection_actions(self, script: Script) -> None:
        driver = script(
            ("CALL:LTE:SIGN:PSWitched:ACTion CONNect", None),
            ("CALL:LTE:SIGN:PSWitched:ACTion DISConnect", None),
            ("CALL:LTE:SIGN:PSWitched:ACTion DETach", None),
            ("SENSe:LTE:SIGN:RRCState?", "IDLE"),
        )
        driver.connect()
        driver.release()
        driver.detach()
        assert not driver.rrc_connected()

    def test_garbage_for_a_number_is_shown_literally(self, script: Script) -> None:
        driver = script(("CONFigure:LTE:SIGN:CELL:MNC:DIGits?", "TWO"), ("CONFigure:LTE:SIGN:CELL:MCC?", "x"))
        with pytest.raises(InstrumentRefused, match="'x'"):
            driver.cell_identity()

    @pytest.mark.parametrize(
        "values", [{"mcc": "1"}, {"mnc": "1"}, {"mnc": "x1"}, {"tac": 65536}, {"eci": 1 << 28}]
    )
    def test_what_no_network_broadcasts_is_a_usage_error(
        self, script: Script, values: dict[str, str]
    ) -> None:
        with pytest.raises(UsageError):
            script().configure(**values)  # type: ignore[arg-type]

    def test_a_host_name_is_no_pcscf_address(self, script: Script) -> None:
        with pytest.raises(UsageError, match=r"pcscf\.example"):
            script().set_pcscf("pcscf.example")

    def test_an_attach_that_does_not_come_is_the_handsets_failure(self, script: Script) -> None:
        driver = script(
            ("SOURce:LTE:SIGN:CELL:STATe:ALL?", "ON,ADJ"),
            ("FETCh:LTE:SIGN:PSWitched:STATe?", "ON"),
        )
        with pytest.raises(NotSeen, match="expected attached within 0 s, got on"):
            driver.wait_state(CellState.ATTACHED, timeout=0)


class TestTable:
    def test_every_capability_names_its_source_and_can_do_something(self) -> None:
        for capability in TABLE.capabilities:
            assert capability.source and capability.meaning
            assert capability.command or capability.query

    def test_an_absent_operation_is_refused_by_name(self) -> None:
        with pytest.raises(InstrumentRefused, match="bar cell"):
            TABLE.command("bar cell", "TCPIP::x")

    def test_a_query_only_operation_has_no_command(self) -> None:
        with pytest.raises(InstrumentRefused, match="a command 'ue imsi'"):
            TABLE.command("ue imsi", "TCPIP::x")

    def test_two_declarations_of_one_operation_are_a_mistake(self) -> None:
        twice = Capability("x", "x", "x", Confidence.C, query="X?")
        with pytest.raises(ValueError, match="twice"):
            CapabilityTable("box", [twice, twice])


@pytest.fixture(params=["visa_socket", "visa_hislip"])
def driver(request: pytest.FixtureRequest, box, timeline: Timeline) -> Iterator[NetworkSimulator]:  # type: ignore[no-untyped-def]
    driver = Cmw500(VisaSession(box.addresses[request.param], timeline, timeout=2), timeline)
    driver.open()
    yield driver
    driver.close()


@contextlib.contextmanager
def handset_on(box) -> Iterator[Baseband]:  # type: ignore[no-untyped-def]
    """A simulated handset's radio on the air link of the box."""

    async def start() -> tuple[Baseband, AirLink]:
        baseband = Baseband()
        host, port = box.addresses["air"].rsplit(":", 1)
        link = AirLink(baseband, host, int(port), loss_delay=0.01, retry=0.01)
        link.start()
        return baseband, link

    baseband, link = box.run(start())
    yield baseband
    box.run(link.close())


class TestSimulatedBox:
    """The same driver over pyvisa, raw socket and HiSLIP."""

    def test_a_handset_attaches_and_leaves_with_the_cell(
        self, driver: NetworkSimulator, box, timeline: Timeline
    ) -> None:  # type: ignore[no-untyped-def]
        driver.configure(mcc="001", mnc="01", tac=1, eci=0x101)
        driver.set_pcscf("127.0.0.1", "::1")
        with handset_on(box) as baseband:
            driver.cell_on(timeout=5)
            assert driver.wait_state(CellState.ATTACHED, timeout=5) is CellState.ATTACHED
            assert driver.ue_imsi() == baseband.imsi
            assert driver.ue_imei() == baseband.imei
            box.run(baseband.wait_for(lambda b: b.registered, 5))
            assert baseband.pdn is not None
            assert driver.ue_addresses() == (baseband.pdn.address, "::1")
            assert baseband.pdn.pcscf == ("127.0.0.1", "::1")
            driver.cell_off(timeout=5)
            assert driver.state() is CellState.OFF
            assert driver.ue_imsi() is None
            box.run(baseband.wait_for(lambda b: b.cell is None, 5))
        cells = [e.fields["on"] for e in timeline if isinstance(e, Event) and e.name == "cell"]
        assert cells == [True, False]

    def test_configure_while_on_reports_the_new_cell(
        self, driver: NetworkSimulator, timeline: Timeline
    ) -> None:
        driver.cell_on(timeout=5)
        driver.configure(mcc="310", mnc="410")
        last = [e for e in timeline if isinstance(e, Event) and e.name == "cell"][-1]
        assert (last.fields["mcc"], last.fields["mnc"]) == ("310", "410")
        assert driver.cell_identity() == CellIdentity("310", "410", 1, 0x100)

    def test_reject_detach_and_power(self, driver: NetworkSimulator, box) -> None:  # type: ignore[no-untyped-def]
        with handset_on(box) as baseband:
            driver.reject_attach(11)
            driver.cell_on(timeout=5)
            box.run(baseband.wait_for(lambda b: b.reject_cause == 11, 5))
            driver.reject_attach(None)
            driver.cell_off(timeout=5)
            driver.cell_on(timeout=5)
            box.run(baseband.wait_for(lambda b: b.registered, 5))
            driver.power(-135)
            box.run(baseband.wait_for(lambda b: b.cell is None, 5))
            driver.wait_state(CellState.ON, timeout=5)
            driver.power(-80)
            driver.wait_state(CellState.ATTACHED, timeout=5)
            driver.connect()
            assert driver.state() is CellState.CONNECTED
            driver.release()
            assert not driver.rrc_connected()

    def test_an_action_without_a_handset_is_refused_with_the_queue_text(
        self, driver: NetworkSimulator
    ) -> None:
        driver.cell_on(timeout=5)
        with pytest.raises(InstrumentRefused, match="-221"):
            driver.connect()
        assert driver.state() is CellState.ON

    def test_reset_switches_the_cell_off(self, driver: NetworkSimulator) -> None:
        driver.cell_on(timeout=5)
        driver.reset()
        assert driver.state() is CellState.OFF


# The simulated box has no SMS service.
NOT_SIMULATED = {"sms result", Operation.SMS_FROM_UE}


def test_every_text_of_the_table_is_understood_by_the_simulated_box(box, timeline: Timeline) -> None:  # type: ignore[no-untyped-def]
    """One sweep: each query is answered, and each reply map covers the answer."""
    with VisaSession(box.addresses["visa_socket"], timeline, timeout=0.2) as session:
        for capability in TABLE.capabilities:
            if capability.query and capability.operation not in NOT_SIMULATED:
                reply = session.query(capability.query)
                assert not capability.replies or reply in capability.replies
