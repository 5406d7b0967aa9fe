"""The simulated instrument's language: framing, headers, errors and status."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruments.simulated.cell import SimulatedCell, Timing
from instruments.simulated.cmw500 import Cmw500Dialect
from instruments.simulated.scpi import QUEUE_LENGTH, Interpreter, MessageFramer, Overrun


class Box:
    """A dialect run without a socket."""

    def __init__(self) -> None:
        self.cell = SimulatedCell(timing=Timing(cell_on=0.005, cell_off=0.005))
        self.dialect = Cmw500Dialect(self.cell)
        self.interpreter: Interpreter = self.dialect.interpreter()
        self._runner = asyncio.Runner()

    def __enter__(self) -> Box:
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.close()

    def __call__(self, message: str | bytes) -> str:
        data = message.encode("latin-1") if isinstance(message, str) else message
        return self._runner.run(self.interpreter.run(data)).decode().rstrip("\n")

    def error(self) -> str:
        return self("SYST:ERR?")


@pytest.fixture
def box() -> Iterator[Box]:
    with Box() as box:
        yield box


class TestHeaders:
    @pytest.mark.parametrize(
        "header",
        [
            "CONFigure:LTE:SIGN:CELL:MCC?",
            ":CONF:LTE:SIGN:CELL:MCC?",
            "conf:lte:sign1:cell:mcc?",
            "CONFIGURE:LTE:SIGNALING:CELL:MCC?",
            "  CONF:LTE:SIGN:CELL:MCC?  ",
        ],
    )
    def test_long_short_and_any_case(self, box: Box, header: str) -> None:
        assert box(header) == "1"

    @pytest.mark.parametrize("header", ["CONFI:LTE:SIGN:CELL:MCC?", "CONF:LTE:SIGN:CELL?", "MCC?", "*FOO?"])
    def test_anything_else_is_undefined(self, box: Box, header: str) -> None:
        assert box(header) == ""
        assert box.error().startswith('-113,"Undefined header')

    def test_an_optional_node_may_be_left_out(self, box: Box) -> None:
        assert (
            box("CONF:LTE:SIGN:DL:RSEP:LEV?") == box("CONF:LTE:SIGN:DL:PCC:RSEPre:LEVel?") == "-8.500000E+01"
        )

    def test_a_suffix_the_box_has_not(self, box: Box) -> None:
        assert box("CONF:LTE:SIGN2:CELL:MCC?") == ""
        assert box.error().startswith("-114")
        assert box("CONF:DATA:CONT:IMS2:SUSage?") == "INT"

    def test_compound_headers_go_on_where_the_last_was(self, box: Box) -> None:
        assert box("CONF:LTE:SIGN:CELL:MCC 262;MNC 2;*OPC?;TAC 9;:SYST:ERR?") == '1;0,"No error"'
        assert box("CONF:LTE:SIGN:CELL:MCC?;MNC?;TAC?") == "262;2;9"

    def test_after_a_command_error_the_rest_is_dropped(self, box: Box) -> None:
        assert box("*OPC?;NOPE;*IDN?") == "1"

    def test_after_an_execution_error_the_rest_runs(self, box: Box) -> None:
        assert box("CONF:LTE:SIGN:CELL:MCC 1000;*OPC?") == "1"
        assert box.error().startswith('-222,"Data out of range')


class TestErrors:
    @pytest.mark.parametrize(
        ("message", "number"),
        [
            ("CONF:LTE:SIGN:CELL:MCC", -109),
            ("CONF:LTE:SIGN:CELL:MCC 1,2", -108),
            ("CONF:LTE:SIGN:CELL:MCC? 1", -108),
            ("CONF:LTE:SIGN:CELL:MCC abc", -104),
            ("CONF:LTE:SIGN:CELL:MCC #15abcde", -104),
            ("CONF:LTE:SIGN:CELL:MCC #9", -104),
            ("CONF:LTE:SIGN:CELL:MCC -1", -222),
            ("CONF:LTE:SIGN:CELL:MNC 100", -222),
            ("CONF:LTE:SIGN:CELL:MNC:DIG FOUR", -224),
            ("CONF:LTE:SIGN:CELL:PCC:CID:EUTR #B" + "1" * 29, -222),
            ("CALL:LTE:SIGN:PSW:ACT CONN", -221),
            ("CALL:LTE:SIGN:PSW:ACT DANCE", -224),
            ("CONF:DATA:CONT:IMS2:EXT:PCSC:ADDR:IPVF 10.0.0.1", -104),
            ("CONF:DATA:CONT:IMS2:EXT:PCSC:ADDR:IPVF 'a.b'", -224),
            ("CONF:DATA:CONT:IMS2:EXT:PCSC:ADDR:IPVF 'a", -151),
            ("SOUR:LTE:SIGN:CELL:STAT MAYBE", -224),
            ("*IDN", -113),
            ("*RST?", -113),
            ("::", -102),
            ("\x00\x01", -101),
            ("é", -101),
        ],
    )
    def test_each_mistake_has_its_number(self, box: Box, message: str, number: int) -> None:
        assert box(message) == ""
        assert box.error().startswith(f"{number},")
        assert box.error() == '0,"No error"'

    def test_all_errors_at_once_and_their_count(self, box: Box) -> None:
        box("A?")
        box("B?")
        assert box("SYST:ERR:COUN?") == "2"
        assert box("SYST:ERR:ALL?") == '-113,"Undefined header;A?",-113,"Undefined header;B?"'
        assert box("SYST:ERR:ALL?") == '0,"No error"'

    def test_a_full_queue_says_so_and_keeps_the_first(self, box: Box) -> None:
        for _ in range(QUEUE_LENGTH + 5):
            box("A?")
        errors = [box.error() for _ in range(QUEUE_LENGTH + 1)]
        assert errors[0].startswith("-113")
        assert errors[-2] == '-350,"Queue overflow"'
        assert errors[-1] == '0,"No error"'


class TestStatus:
    def test_event_bits(self, box: Box) -> None:
        assert box("*ESR?") == "128"
        box("NOPE")
        box("CONF:LTE:SIGN:CELL:MCC 1000")
        box("*OPC")
        assert box("*ESR?") == str(0x20 + 0x10 + 0x01)
        assert box("*ESR?") == "0"

    def test_status_byte(self, box: Box) -> None:
        box("*CLS;*ESE 32;*SRE 32")
        assert box("*STB?") == "0"
        box("NOPE")
        assert box("*STB?") == str(0x04 + 0x20 + 0x40)
        box("*CLS")
        assert box("*STB?") == "0"

    def test_opc_query_waits_for_the_cell(self, box: Box) -> None:
        query = "SOUR:LTE:SIGN:CELL:STAT ON;:SOUR:LTE:SIGN:CELL:STAT:ALL?;:SOUR:LTE:SIGN:CELL:STAT?;*OPC?;"
        assert box(query + ":SOUR:LTE:SIGN:CELL:STAT:ALL?") == "ON,PEND;PEND;1;ON,ADJ"
        off = "SOUR:LTE:SIGN:CELL:STAT OFF;:SOUR:LTE:SIGN:CELL:STAT:ALL?;*OPC?;:SOUR:LTE:SIGN:CELL:STAT:ALL?"
        assert box(off) == "OFF,PEND;1;OFF,ADJ"

    def test_reset_gives_the_settings_back(self, box: Box) -> None:
        box("CONF:LTE:SIGN:CELL:MCC 262;TAC 5;MNC:DIG THR")
        box("*RST")
        assert box("CONF:LTE:SIGN:CELL:MCC?;TAC?;MNC:DIG?") == "1;1;TWO"


class TestSettings:
    @pytest.mark.parametrize(
        ("setting", "query", "reply"),
        [
            ("CELL:PCC:CID:EUTRan #H101", "CELL:PCC:CID:EUTRan?", "#B0000000000000000000100000001"),
            ("CELL:RCAuse:ATTach IUE3", "CELL:RCAuse:ATTach?", "IUE3"),
            ("CELL:RCAuse:ATTach C17", "CELL:RCAuse:ATTach?", "C17"),
            ("CELL:RCAuse:ATTach ON", "CELL:RCAuse:ATTach?", "IUE3"),
            ("CELL:RCAuse:ATTach OFF", "CELL:RCAuse:ATTach?", "OFF"),
            ("PCC:BAND OB3", "PCC:BAND?", "OB3"),
            ("DL:PCC:RSEPre:LEVel -130", "DL:PCC:RSEPre:LEVel?", "-1.300000E+02"),
        ],
    )
    def test_values_read_back(self, box: Box, setting: str, query: str, reply: str) -> None:
        box(f"CONF:LTE:SIGN:{setting}")
        assert box(f"CONF:LTE:SIGN:{query}") == reply
        assert box.error() == '0,"No error"'

    def test_digits_cannot_be_cut_off(self, box: Box) -> None:
        box("CONF:LTE:SIGN:CELL:MNC:DIG THR;:CONF:LTE:SIGN:CELL:MNC 410;MNC:DIG TWO")
        assert box.error().startswith('-221,"Settings conflict')

    def test_no_handset(self, box: Box) -> None:
        assert box("SENS:LTE:SIGN:UES:IMSI?") == "NAV"
        assert box("FETC:LTE:SIGN:PSW:STAT?") == "OFF"


class TestFraming:
    def test_messages_end_at_line_feeds(self) -> None:
        framer = MessageFramer()
        assert framer.receive(b"*IDN?\r\n*OP") == [b"*IDN?"]
        assert framer.receive(b"C?\n") == [b"*OPC?"]

    def test_a_block_may_hold_line_feeds(self) -> None:
        message = b"DATA #210" + b"\n;\n;\n;\n;\n;" + b";*OPC?"
        framer = MessageFramer()
        got = [m for octet in message + b"\n" for m in framer.receive(bytes([octet]))]
        assert got == [message]

    def test_too_much_is_dropped_and_counted(self) -> None:
        framer = MessageFramer(limit=10)
        assert framer.receive(b"x" * 11) == []
        assert framer.receive(b"xx\nok\n") == [Overrun(13), b"ok"]

    def test_a_huge_block_is_dropped_whole(self) -> None:
        framer = MessageFramer(limit=100)
        out = framer.receive(b"D #3500" + b"\n" * 200)
        out += framer.receive(b"\n" * 300 + b"\nok\n")
        assert out == [Overrun(507), b"ok"]

    @given(st.binary(max_size=200), st.integers(1, 7))
    def test_pieces_do_not_matter(self, data: bytes, step: int) -> None:
        stream = data + b"\n"
        framer = MessageFramer()
        pieces = [m for i in range(0, len(stream), step) for m in framer.receive(stream[i : i + step])]
        assert pieces == MessageFramer().receive(stream)


@given(
    st.one_of(
        st.binary(max_size=80), st.text(alphabet=":;*?,'\"#SYTERCONFLIGNMA 0123", max_size=80).map(str.encode)
    )
)
def test_no_message_does_harm(message: bytes) -> None:
    with Box() as box:
        box(message)
        assert box("*OPC?") == "1"
