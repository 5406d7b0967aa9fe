"""The AT interpreter of the simulated modem: command lines in, result lines out."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.simulated.baseband import Baseband, Cell, Pdn
from devices.simulated.modem import AtInterpreter, dotted

HOME = Cell("001", "01", 0xABC, 0x101, -85.0)
PDN = Pdn("ims", "127.0.0.2", ("127.0.0.1", "::1", "127.0.0.9"), "::1")


class Port:
    """An interpreter and what it said unasked."""

    def __init__(self, baseband: Baseband | None = None) -> None:
        self.baseband = baseband or Baseband()
        self.reports: list[str] = []
        self.at = AtInterpreter(self.baseband, self.reports.append)

    def __call__(self, line: str) -> list[str]:
        return self.at.run(line)

    def register(self, cell: Cell = HOME) -> None:
        self.baseband.heard(cell)
        self.baseband.attached(PDN)


@pytest.fixture
def port() -> Port:
    return Port()


@pytest.mark.parametrize(
    ("line", "result"),
    [
        ("AT", ["OK"]),
        ("at", ["OK"]),
        ("ATE0V1Q0", ["OK"]),
        ("hello", []),
        ("AT+CGMI", ["rcslab", "OK"]),
        ("AT+CGMM", ["Simulated Handset", "OK"]),
        ("AT+CGMR", ["1.0", "OK"]),
        ("AT+CGSN", ["490154203237518", "OK"]),
        ("AT+CGSN=1", ['+CGSN: "490154203237518"', "OK"]),
        ("AT+CGSN=2", ['+CGSN: "4901542032375101"', "OK"]),
        ("AT+CGSN=3", ['+CGSN: "01"', "OK"]),
        ("AT+CIMI", ["001010123456789", "OK"]),
        ("AT+CPIN?", ["+CPIN: READY", "OK"]),
        ("AT+CCID", ["+CCID: 8988211000000000018", "OK"]),
        ("AT+CNUM", ['+CNUM: ,"+15550100",145', "OK"]),
        ("AT+CFUN?", ["+CFUN: 1", "OK"]),
        ("AT+CFUN=?", ["+CFUN: (0,1,4),(0)", "OK"]),
        ("AT+COPS?", ["+COPS: 0", "OK"]),
        ("AT+CREG?", ["+CREG: 0,2", "OK"]),
        ("AT+CEREG?", ["+CEREG: 0,2", "OK"]),
        ("AT+CSQ", ["+CSQ: 99,99", "OK"]),
        ("AT+CESQ", ["+CESQ: 99,99,255,255,255,255", "OK"]),
        ("AT+CGDCONT?", ['+CGDCONT: 1,"IPV4V6","ims",,0,0', "OK"]),
        ("AT+CGATT?", ["+CGATT: 0", "OK"]),
        ("AT+CGACT?", ["+CGACT: 1,0", "OK"]),
        ("AT+CGPADDR=1", ["+CGPADDR: 1", "OK"]),
        ("AT+CGCONTRDP=1", ["OK"]),
        ("AT+CIREG?", ["+CIREG: 0,0", "OK"]),
        ("AT+CIREP?", ["+CIREP: 0,0", "OK"]),
        ("AT+CSCON?", ["+CSCON: 0,0", "OK"]),
        ("AT+CGEREP=2,1;+CGEREP?", ["+CGEREP: 2,1", "OK"]),
        ("AT+CSCA?", ['+CSCA: "+15550199",145', "OK"]),
        ("AT+CMGF=1;+CMGF?", ["+CMGF: 1", "OK"]),
        ("AT+CPAS", ["+CPAS: 0", "OK"]),
        ("AT+CMEE=1;+CMEE?", ["+CMEE: 1", "OK"]),
        ("AT+CGMI;+CGMM", ["rcslab", "Simulated Handset", "OK"]),
        ('AT+CCLK="26/11/22,13:00:00+00"', ["OK"]),
        ("AT+NOSUCH", ["ERROR"]),
        ("ATD5", ["ERROR"]),
        ("AT$", ["ERROR"]),
        ("AT+CGMI;+NOSUCH;+CGMM", ["rcslab", "ERROR"]),
    ],
)
def test_commands_out_of_coverage(port: Port, line: str, result: list[str]) -> None:
    assert port(line) == result


def test_identification_lines(port: Port) -> None:
    assert "IMEI: 490154203237518" in port("ATI")


def test_error_modes(port: Port) -> None:
    assert port("AT+CFUN=7") == ["ERROR"]
    port("AT+CMEE=1")
    assert port("AT+CFUN=7") == ["+CME ERROR: 50"]
    assert port("AT+NOSUCH") == ["+CME ERROR: 4"]
    port("AT+CMEE=2")
    assert port("AT+CFUN=") == ["+CME ERROR: incorrect parameters"]


def test_registered(port: Port) -> None:
    port("AT+CEREG=2;+COPS=3,2;+CIREG=2")
    port.register()
    assert port("AT+CEREG?") == ['+CEREG: 2,1,"0ABC","00000101",7', "OK"]
    assert port("AT+COPS?") == ['+COPS: 0,2,"00101",7', "OK"]
    assert port("AT+COPS=?")[0] == '+COPS: (2,"Test 00101","Test 00101","00101",7),,(0-4),(0-2)'
    assert port("AT+CSQ") == ["+CSQ: 24,99", "OK"]
    assert port("AT+CESQ") == ["+CESQ: 99,99,255,255,20,56", "OK"]
    assert port("AT+CGATT?;+CGACT?") == ["+CGATT: 1", "+CGACT: 1,1", "OK"]
    assert port("AT+CGREG?") == ["+CGREG: 0,0", "OK"]
    port.baseband.ims_registered = True
    assert port("AT+CIREG?") == ["+CIREG: 2,1,4", "OK"]


def test_ipv6_is_written_in_sixteen_octets(port: Port) -> None:
    port.register()
    six = "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1"
    assert port("AT+CGPADDR") == [f'+CGPADDR: 1,"127.0.0.2","{six}"', "OK"]
    assert port("AT+CGCONTRDP=1") == [
        f'+CGCONTRDP: 1,5,"ims","127.0.0.2.255.255.255.0","","","","127.0.0.1","{six}"',
        f'+CGCONTRDP: 1,5,"ims","{six}.{dotted("ffff:ffff:ffff:ffff::")}","","","","127.0.0.9"',
        "OK",
    ]


def test_reports_follow_the_baseband(port: Port) -> None:
    port("AT+CEREG=2;+CIREG=2;+CIREP=1;+CSCON=1;+CGEREP=2,1")
    port.baseband.rrc(True)
    port.register()
    port.baseband.ims_registered = True
    port.baseband.heard(None)
    assert (
        port.reports
        == [
            "+CSCON: 1",
            "+CGEV: ME PDN ACT 1",
            '+CEREG: 1,"0ABC","00000101",7',
            "+CIREPI: 1",
            "+CIREGU: 1,4",
            "+CEREG: 1",
            "+CSCON: 0",
            "+CIREGU: 0",
            "+CGEV: NW DETACH",
            "+CEREG: 2",
            "+CIREPI: 0",
        ]
        or "+CEREG: 2" in port.reports
    )


def test_reports_are_off_until_asked_for(port: Port) -> None:
    port.register()
    assert port.reports == []


def test_reject_is_shown_with_its_cause(port: Port) -> None:
    port("AT+CEREG=3")
    port.baseband.heard(HOME)
    port.baseband.rejected(15)
    assert port.reports == ["+CEREG: 3,,,,0,15"]
    assert port("AT+CEREG?") == ["+CEREG: 3,3,,,,0,15", "OK"]


def test_radio_off_and_on(port: Port) -> None:
    port.register()
    assert port("AT+CFUN=4") == ["OK"]
    assert port.baseband.airplane
    assert port("AT+CEREG?;+CGACT?") == ["+CEREG: 0,0", "+CGACT: 1,0", "OK"]
    assert port("AT+CFUN=1;+CEREG?") == ["+CEREG: 0,2", "OK"]


def test_roaming_and_deregistration(port: Port) -> None:
    port.register(replace(HOME, mcc="262"))
    assert port("AT+CEREG?") == ["+CEREG: 0,5", "OK"]
    assert port("AT+COPS=2;+CEREG?") == ["+CEREG: 0,0", "OK"]


def test_without_a_sim() -> None:
    port = Port(Baseband(sim_present=False))
    port("AT+CMEE=1")
    for command in ("AT+CIMI", "AT+CPIN?", "AT+CCID", "AT+CNUM"):
        assert port(command) == ["+CME ERROR: 10"]
    assert port("AT+CGSN") == ["490154203237518", "OK"]
    port.baseband.set_sim_present(True)
    assert port.reports == ["+CPIN: READY"]


def test_clock_goes_on_from_where_it_was_set(port: Port) -> None:
    port('AT+CCLK="30/01/02,03:04:05+00"')
    assert port("AT+CCLK?")[0].startswith('+CCLK: "30/01/02,03:04:0')


@given(st.one_of(st.text(max_size=60), st.text(alphabet='AT+=?;,"CGSNEFUOPDRI0123456789', max_size=60)))
def test_no_line_does_harm(line: str) -> None:
    result = Port()("AT" + line)
    assert result[-1] in ("OK", "ERROR") or result[-1].startswith("+CME ERROR: ")
