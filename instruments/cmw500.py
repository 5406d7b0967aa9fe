"""Rohde & Schwarz CMW500, LTE signalling application with the data application unit: a table and its use.

Sources in the table: RsCmwLteSig and RsCmwDau are the vendor's Python packages, "reference" is the remote
control reference in the instrument's on-line help, ACTS is the Android test suite's driver.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable
from typing import Any, Final, Protocol

from harness.errors import InstrumentRefused, NotSeen, UsageError
from harness.evidence.timeline import Layer, Timeline
from instruments.capability import Capability, CapabilityTable, Confidence
from instruments.network_simulator import CellIdentity, CellState

POLL_FIRST: Final = 0.02
POLL_LONGEST: Final = 0.25
ECI_HIGHEST: Final = (1 << 28) - 1
NO_VALUE: Final = frozenset({"", "NAV", "INV"})

_CELL = "CONFigure:LTE:SIGN:CELL"
_UE = "SENSe:LTE:SIGN:UESinfo"
_ACTION = "CALL:LTE:SIGN:PSWitched:ACTion"
_IMS = "CONFigure:DATA:CONTrol:IMS2"

# Attach reject cause mnemonics that are not "C<number>" (reference, CELL:RCAuse:ATTach).
_NAMED_CAUSES: Final = {3: "IUE3", 7: "EPS7", 11: "PLMN11", 12: "TANA12", 22: "CONG22"}

_PACKET_STATES: Final = {
    "OFF": CellState.OFF,
    "ON": CellState.ON,
    "SIGN": CellState.REGISTERING,
    "ATT": CellState.ATTACHED,
    "CONN": CellState.ATTACHED,
    "PAG": CellState.ATTACHED,
    "CEST": CellState.CONNECTED,
    "DISC": CellState.CONNECTED,
    "SMES": CellState.CONNECTED,
    "RMES": CellState.CONNECTED,
    "IHAN": CellState.CONNECTED,
    "OHAN": CellState.CONNECTED,
}

TABLE: Final = CapabilityTable(
    "CMW500",
    [
        Capability("reset", "settings to default, cell off", "IEEE 488.2", Confidence.A, command="*RST"),
        Capability(
            "cell state",
            "generator on or off, and whether its signal is what was asked for yet",
            "RsCmwLteSig Source/Cell/State, ACTS, reference",
            Confidence.A,
            command="SOURce:LTE:SIGN:CELL:STATe {value}",
            query="SOURce:LTE:SIGN:CELL:STATe:ALL?",
            replies={
                "OFF,ADJ": CellState.OFF,
                "OFF,PEND": CellState.STARTING,
                "ON,PEND": CellState.STARTING,
                "ON,ADJ": CellState.ON,
            },
            allowed="ON, OFF",
        ),
        Capability(
            "packet state",
            "what the handset does on this cell",
            "RsCmwLteSig Pswitched/State, ACTS, reference",
            Confidence.A,
            query="FETCh:LTE:SIGN:PSWitched:STATe?",
            replies=_PACKET_STATES,
        ),
        Capability(
            "rrc state",
            "RRC connected or idle",
            "RsCmwLteSig",
            Confidence.A,
            query="SENSe:LTE:SIGN:RRCState?",
            replies={"IDLE": False, "CONN": True},
        ),
        Capability(
            "mcc",
            "mobile country code",
            "RsCmwLteSig Configure/Cell",
            Confidence.A,
            command=f"{_CELL}:MCC {{value}}",
            query=f"{_CELL}:MCC?",
            allowed="0 to 999, decimal",
        ),
        Capability(
            "mnc",
            "mobile network code",
            "RsCmwLteSig Configure/Cell/Mnc",
            Confidence.A,
            command=f"{_CELL}:MNC {{value}}",
            query=f"{_CELL}:MNC?",
            allowed="0 to 99 or 999, decimal",
        ),
        Capability(
            "mnc digits",
            "number of digits of the MNC",
            "RsCmwLteSig Configure/Cell/Mnc",
            Confidence.A,
            command=f"{_CELL}:MNC:DIGits {{value}}",
            query=f"{_CELL}:MNC:DIGits?",
            replies={"TWO": 2, "THR": 3},
            allowed="TWO, THRee",
        ),
        Capability(
            "tac",
            "tracking area code",
            "RsCmwLteSig Configure/Cell",
            Confidence.A,
            command=f"{_CELL}:TAC {{value}}",
            query=f"{_CELL}:TAC?",
            allowed="0 to 65535, decimal",
        ),
        Capability(
            "eci",
            "E-UTRAN cell identity",
            "RsCmwLteSig Configure/Cell/Pcc/Cid",
            Confidence.A,
            command=f"{_CELL}:PCC:CID:EUTRan {{value}}",
            query=f"{_CELL}:PCC:CID:EUTRan?",
            allowed="#B0 to 28 bits",
        ),
        Capability(
            "power",
            "reference signal energy per resource element, dBm/15 kHz",
            "RsCmwLteSig Configure/Downlink/Pcc/Rsepre, reference",
            Confidence.A,
            command="CONFigure:LTE:SIGN:DL:PCC:RSEPre:LEVel {value}",
            query="CONFigure:LTE:SIGN:DL:PCC:RSEPre:LEVel?",
            allowed="dBm; the range depends on path and attenuation",
        ),
        Capability(
            "ue imsi",
            "IMSI of the handset",
            "RsCmwLteSig Sense/UesInfo, three drivers",
            Confidence.A,
            query=f"{_UE}:IMSI?",
        ),
        Capability(
            "ue imei",
            "IMEI of the handset",
            "RsCmwLteSig Sense/UesInfo, three drivers",
            Confidence.A,
            query=f"{_UE}:IMEI?",
        ),
        Capability(
            "ue ipv4",
            "IPv4 addresses of the handset",
            "RsCmwLteSig Sense/UesInfo/UeAddress",
            Confidence.A,
            query=f"{_UE}:UEADdress:IPV4?",
        ),
        Capability(
            "ue ipv6",
            "IPv6 addresses of the handset",
            "RsCmwLteSig Sense/UesInfo/UeAddress",
            Confidence.A,
            query=f"{_UE}:UEADdress:IPV6?",
        ),
        Capability(
            "connection",
            "set up, release, or end the registration of the handset",
            "RsCmwLteSig Call/Pswitched, ACTS, reference",
            Confidence.A,
            command=f"{_ACTION} {{value}}",
            allowed="CONNect, DISConnect, DETach",
        ),
        Capability(
            "attach reject",
            "reject attach requests with a cause",
            "RsCmwLteSig Configure/Cell/Rcause, reference",
            Confidence.A,
            command=f"{_CELL}:RCAuse:ATTach {{value}}",
            query=f"{_CELL}:RCAuse:ATTach?",
            allowed="OFF, IUE3, EPS7, PLMN11, TANA12, CONG22, C<number>",
        ),
        Capability(
            "ims server",
            "use of the instrument's own or an external IMS server",
            "reference, Configuring IMS Services",
            Confidence.C,
            command=f"{_IMS}:SUSage {{value}}",
            query=f"{_IMS}:SUSage?",
            allowed="INTernal, EXTernal",
        ),
        Capability(
            "pcscf ipv4",
            "external P-CSCF handed to the handset, IPv4",
            "RsCmwDau Configure/Data/Control/Ims/Extern, reference",
            Confidence.A,
            command=f"{_IMS}:EXTern:PCSCf:ADDRess:IPVFour '{{value}}'",
            query=f"{_IMS}:EXTern:PCSCf:ADDRess:IPVFour?",
        ),
        Capability(
            "pcscf ipv6",
            "external P-CSCF handed to the handset, IPv6",
            "reference, Configuring IMS Services",
            Confidence.C,
            command=f"{_IMS}:EXTern:PCSCf:ADDRess:IPVSix '{{value}}'",
            query=f"{_IMS}:EXTern:PCSCf:ADDRess:IPVSix?",
        ),
    ],
)


class Connection(Protocol):
    """What the driver needs of its VISA session."""

    resource: str
    identity: str

    def open(self) -> str: ...
    def close(self) -> None: ...
    def query(self, text: str, timeout: float | None = None) -> str: ...
    def command(self, text: str, timeout: float | None = None) -> None: ...


class Cmw500:
    """The NetworkSimulator protocol over a VISA session. See that protocol for the meaning of each call."""

    def __init__(
        self,
        session: Connection,
        timeline: Timeline,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._session, self._timeline = session, timeline
        self._clock, self._sleep = clock, sleep

    def open(self) -> None:
        self._session.open()

    def close(self) -> None:
        self._session.close()

    def identify(self) -> str:
        return self._session.query("*IDN?")

    def reset(self) -> None:
        self._do("reset")

    # ---- cell

    def cell_on(self, timeout: float) -> None:
        self._switch("ON", CellState.ON, timeout)

    def cell_off(self, timeout: float) -> None:
        self._switch("OFF", CellState.OFF, timeout)

    def _switch(self, value: str, wanted: CellState, timeout: float) -> None:
        deadline = self._clock() + timeout
        self._announce_change()
        self._do("cell state", value)
        last = self._poll(self._generator, frozenset({wanted}), deadline)
        if last is not wanted:
            raise InstrumentRefused(
                "CMW500 cell",
                self._session.resource,
                f"{TABLE.query('cell state', '')} to say {value},ADJ within {timeout:g} s",
                last.value,
                "look at the instrument's front panel; raise the cell timeout in lab.yaml if it is only slow",
            )
        self._report_cell(on=wanted is CellState.ON)

    def state(self) -> CellState:
        generator = self._generator()
        if generator is not CellState.ON:
            return generator
        state: CellState = self._value("packet state")
        return state

    def wait_state(self, *states: CellState, timeout: float) -> CellState:
        last = self._poll(self.state, frozenset(states), self._clock() + timeout)
        if last not in states:
            wanted = " or ".join(state.value for state in states)
            raise NotSeen(
                f"network simulator at {self._session.resource}: expected {wanted} within {timeout:g} s, "
                f"got {last.value}"
            )
        return last

    def configure(
        self,
        mcc: str | None = None,
        mnc: str | None = None,
        tac: int | None = None,
        eci: int | None = None,
    ) -> None:
        _check_identity(mcc, mnc, tac, eci)
        self._announce_change()
        if mcc is not None:
            self._do("mcc", int(mcc))
        if mnc is not None:
            self._set_mnc(mnc)
        if tac is not None:
            self._do("tac", tac)
        if eci is not None:
            self._do("eci", f"#B{eci:028b}")
        if self._generator() is CellState.ON:
            self._report_cell(on=True)

    def _set_mnc(self, mnc: str) -> None:
        """In the order that no intermediate state contradicts: a two-digit value fits either length."""
        steps: list[tuple[str, object]] = [
            ("mnc", int(mnc)),
            ("mnc digits", "TWO" if len(mnc) == 2 else "THRee"),
        ]
        for operation, value in steps if len(mnc) == 2 else reversed(steps):
            self._do(operation, value)

    def cell_identity(self) -> CellIdentity:
        digits: int = self._value("mnc digits")
        return CellIdentity(
            mcc=f"{self._number('mcc'):03d}",
            mnc=f"{self._number('mnc'):0{digits}d}",
            tac=self._number("tac"),
            eci=self._number("eci"),
        )

    def power(self, dbm: float) -> None:
        self._do("power", f"{dbm:g}")

    def set_pcscf(self, *addresses: str) -> None:
        chosen = {"pcscf ipv4": "", "pcscf ipv6": ""}
        for address in addresses:
            try:
                version = ipaddress.ip_address(address).version
            except ValueError:
                raise UsageError(f"P-CSCF {address!r}: an IPv4 or IPv6 literal was expected") from None
            chosen[f"pcscf ipv{version}"] = address
        self._do("ims server", "EXTernal")
        for operation, address in chosen.items():
            # What was never set is left alone: whether a box takes an empty address is not known.
            if address or any(self._strings(operation)):
                self._do(operation, address)

    # ---- handset

    def ue_imsi(self) -> str | None:
        return next(iter(self._strings("ue imsi")), None)

    def ue_imei(self) -> str | None:
        return next(iter(self._strings("ue imei")), None)

    def ue_addresses(self) -> tuple[str, ...]:
        return self._strings("ue ipv4") + self._strings("ue ipv6")

    def rrc_connected(self) -> bool:
        connected: bool = self._value("rrc state")
        return connected

    def connect(self) -> None:
        self._do("connection", "CONNect")

    def release(self) -> None:
        self._do("connection", "DISConnect")

    def detach(self) -> None:
        self._do("connection", "DETach")

    def reject_attach(self, cause: int | None) -> None:
        value = "OFF" if cause is None else _NAMED_CAUSES.get(cause, f"C{cause}")
        self._do("attach reject", value)

    # ---- table to wire

    def _do(self, operation: str, value: object = "") -> None:
        self._session.command(TABLE.command(operation, self._session.resource, value))

    def _ask(self, operation: str) -> str:
        return self._session.query(TABLE.query(operation, self._session.resource)).strip()

    def _value(self, operation: str) -> Any:
        return TABLE.value(operation, self._session.resource, self._ask(operation))

    def _generator(self) -> CellState:
        state: CellState = self._value("cell state")
        return state

    def _number(self, operation: str) -> int:
        reply = self._ask(operation)
        try:
            return int(reply[2:], 2) if reply[:2].upper() == "#B" else int(reply)
        except ValueError:
            raise self._unreadable(operation, "a whole number", reply) from None

    def _strings(self, operation: str) -> tuple[str, ...]:
        """A comma list of quoted strings; the instrument says NAV or INV where it has no value."""
        reply = self._ask(operation)
        values = [part.strip() for part in reply.split(",")]
        for value in values:
            if value not in NO_VALUE and (len(value) < 2 or value[0] not in "'\"" or value[-1] != value[0]):
                raise self._unreadable(operation, "quoted strings", reply)
        return tuple(value[1:-1] for value in values if value not in NO_VALUE and value[1:-1] not in NO_VALUE)

    def _unreadable(self, operation: str, expected: str, reply: str) -> InstrumentRefused:
        return InstrumentRefused(
            f"CMW500 {operation}",
            self._session.resource,
            expected,
            repr(reply),
            "compare the reply with the instrument's manual and correct the driver's table",
        )

    def _poll(
        self, read: Callable[[], CellState], wanted: frozenset[CellState], deadline: float
    ) -> CellState:
        """Ask until the state is wanted or time is up; the instrument offers no event to wait for."""
        pause = POLL_FIRST
        while (state := read()) not in wanted and (left := deadline - self._clock()) > 0:
            self._sleep(min(pause, left))
            pause = min(pause * 1.5, POLL_LONGEST)
        return state

    def _announce_change(self) -> None:
        """From here until the next "cell" event it is not known what the cell sends."""
        self._timeline.event(Layer.VISA, "cell-change", resource=self._session.resource)

    def _report_cell(self, on: bool) -> None:
        cell = self.cell_identity()
        self._timeline.event(
            Layer.VISA,
            "cell",
            "cell on" if on else "cell off",
            on=on,
            mcc=cell.mcc,
            mnc=cell.mnc,
            tac=cell.tac,
            eci=cell.eci,
        )


def _check_identity(mcc: str | None, mnc: str | None, tac: int | None, eci: int | None) -> None:
    """Raises UsageError for what no network could broadcast (TS 23.003 2.2, 19.4.2.3, 19.6)."""
    if mcc is not None and not (len(mcc) == 3 and mcc.isdecimal()):
        raise UsageError(f"MCC {mcc!r}: three digits were expected")
    if mnc is not None and not (len(mnc) in (2, 3) and mnc.isdecimal()):
        raise UsageError(f"MNC {mnc!r}: two or three digits were expected")
    if tac is not None and not 0 <= tac <= 0xFFFF:
        raise UsageError(f"TAC {tac}: 0 to 65535 was expected")
    if eci is not None and not 0 <= eci <= ECI_HIGHEST:
        raise UsageError(f"E-UTRAN cell identity {eci}: 0 to {ECI_HIGHEST} was expected")
