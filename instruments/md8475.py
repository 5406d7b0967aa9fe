"""Anritsu MD8475A and MD8475B: a table and its use. Not SCPI: words and spaces, NUL at the end, and each
command asks for its own error.

Source: the driver of the Android test suite (ACTS), which ran on the instrument; the B version has the same
commands there. Confidence B unless told otherwise.
"""

from __future__ import annotations

import csv
from typing import ClassVar, Final
from urllib.parse import quote

from harness.errors import InstrumentRefused
from instruments.capability import Capability, CapabilityTable, Confidence, Operation
from instruments.network_simulator import CellIdentity, CellState
from instruments.table_driver import POLL_LONGEST, TableDriver

TERMINATION: Final = "\0"
ERROR_SUFFIX: Final = ";ERROR?"
NO_ERROR: Final = "0"

_ACTS: Final = "ACTS md8475a"
_B: Final = Confidence.B
_CELL: Final = "BTS1"
_PDN: Final = 1
_NETWORK: Final = 1
IDENTITY_SECONDS: Final = 6.0
"""How long a handset may take to say who it is."""
_NUMBER: Final = "001122334455"
NO_SOFTWARE: Final = "NOTEXIST"
LAUNCH_SECONDS: Final = 300.0
STOP_SECONDS: Final = 60.0
NO_ADDRESS: Final = frozenset({"", "0.0.0.0", "::"})

# What the handset does, of which there are two columns: the whole, and its packet domain.
_CALL_STATES: Final = {
    "NONE": CellState.STARTING,
    "NOTRUN": CellState.STARTING,
    "POWEROFF": CellState.ON,
    "REGISTRATION": CellState.REGISTERING,
    "DETACH": CellState.ON,
    "IDLE": CellState.ATTACHED,
    "ORIGINATION": CellState.CONNECTED,
    "HANDOVER": CellState.CONNECTED,
    "UPDATING": CellState.REGISTERING,
    "TERMINATION": CellState.CONNECTED,
    "COMMUNICATION": CellState.CONNECTED,
    "UERELEASE": CellState.CONNECTED,
    "NWRELEASE": CellState.CONNECTED,
}


def _set(operation: str, meaning: str, word: str, *, allowed: str = "", unit: str = "") -> Capability:
    """A setting of the cell: `WORD value,BTS1`, and `WORD? BTS1`."""
    command, query = f"{word} {{value}},{_CELL}", f"{word}? {_CELL}"
    return Capability(operation, meaning, _ACTS, _B, command=command, query=query, allowed=allowed, unit=unit)


TABLE: Final = CapabilityTable(
    "MD8475",
    [
        Capability(Operation.RESET, "settings to default", _ACTS, _B, command="*RST"),
        Capability("launch", "start the simulation software, up to 300 s", _ACTS, _B, command="RUN"),
        Capability(
            Operation.SCENARIO,
            "load a file of simulation parameters",
            _ACTS,
            _B,
            command='LOADSIMPARAM "{value}"',
        ),
        Capability(
            "cell parameters", "load a file of cell parameters", _ACTS, _B, command='LOADCELLPARAM "{value}"'
        ),
        Capability(
            Operation.CELL,
            "start and stop the simulation, up to 300 s",
            _ACTS,
            _B,
            command="{value}",
            query="STAT?",
            replies={"NOTEXIST": CellState.OFF, "NOTRUN": CellState.OFF, "RUNNING": CellState.ON},
            allowed="START, STOP",
        ),
        Capability(
            Operation.UE_STATE,
            "what the handset does: the whole, and its packet domain",
            _ACTS,
            _B,
            query=f"CALLSTAT? {_CELL}",
            replies=_CALL_STATES,
        ),
        _set(Operation.MCC, "mobile country code", "MCC", allowed="three digits"),
        _set(Operation.MNC, "mobile network code", "MNC", allowed="two or three digits"),
        _set(Operation.TAC, "tracking area code", "TAC", allowed="0 to 65535, decimal"),
        _set(Operation.ECI, "cell identity", "CELLID", allowed="0 to 268435455, decimal"),
        _set(Operation.PHYSICAL_ID, "physical cell identity", "PHYCELLID", allowed="0 to 503"),
        _set(Operation.BAND, "operating band", "BAND"),
        _set(Operation.CHANNEL, "downlink channel", "DLCHAN"),
        _set(
            Operation.BANDWIDTH,
            "bandwidth",
            "BANDWIDTH",
            allowed="1.4MHz, 3MHz, 5MHz, 10MHz, 15MHz, 20MHz",
            unit="MHz",
        ),
        _set(Operation.POWER, "output level", "OLVL", unit="dBm"),
        Capability("apply", "take over what was set while it runs", _ACTS, _B, command="APPLYPARAM"),
        Capability(
            Operation.SERVICE,
            "take the cell out of service, and back",
            _ACTS,
            _B,
            command=f"OUTOFSERVICE {{value}},{_CELL}",
            query=f"OUTOFSERVICE? {_CELL}",
            replies={"IN": CellState.ON, "OUT": CellState.OUT_OF_SERVICE},
            allowed="IN, OUT",
        ),
        Capability(
            Operation.BARRED,
            "bar the cell",
            _ACTS,
            _B,
            command=f"CELLBARRED {{value}},{_CELL}",
            allowed="BARRED, NOTBARRED",
        ),
        Capability(
            "identity mode",
            "let it take messages",
            _ACTS,
            _B,
            command="TMMESSAGEMODE 141155,USERDATA",
        ),
        Capability(
            "identity request",
            "which identity to ask for: 075501 IMSI, 075502 IMEI",
            _ACTS,
            _B,
            command="TMUSERDATA 141155, {value}, 24",
        ),
        Capability("identity send", "ask for it", _ACTS, _B, command="TMSENDUSERMSG 141155"),
        Capability("sequence", "the newest line of the sequence log", _ACTS, _B, query="SEQLOG?"),
        Capability(Operation.UE_IMSI, "by an identity request to the handset", _ACTS, _B, query="SEQLOG?"),
        Capability(Operation.UE_IMEI, "by an identity request to the handset", _ACTS, _B, query="SEQLOG?"),
        Capability(
            Operation.UE_IPV4,
            "IPv4 address that the first PDN gives",
            _ACTS,
            _B,
            query=f"PDNIPV4? {_PDN}",
        ),
        Capability(
            Operation.UE_IPV6,
            "IPv6 address that the first PDN gives",
            _ACTS,
            _B,
            query=f"PDNIPV6? {_PDN}",
        ),
        Capability(
            Operation.RELEASE,
            "release the connection: the handset is idle",
            _ACTS,
            _B,
            command=f"RESETSIMULATION IDLE,{_CELL}",
        ),
        Capability(
            Operation.DETACH,
            "the handset counts as switched off until it attaches anew",
            _ACTS,
            _B,
            command="RESETSIMULATION POWEROFF",
        ),
        Capability(
            Operation.PCSCF_IPV4,
            "P-CSCF of the first PDN, IPv4",
            _ACTS,
            _B,
            command=f"PDNPCSCFIPV4 {_PDN},{{value}}",
            query=f"PDNPCSCFIPV4? {_PDN}",
        ),
        Capability(
            Operation.PCSCF_IPV6,
            "P-CSCF of the first PDN, IPv6",
            _ACTS,
            _B,
            command=f"PDNPCSCFIPV6 {_PDN},{{value}}",
            query=f"PDNPCSCFIPV6? {_PDN}",
        ),
        Capability(
            Operation.IMS_SERVER,
            "the instrument's IMS server",
            _ACTS,
            _B,
            command=f"IMS{{value}}VN {_NETWORK}",
            query=f"IMSVNSTAT? {_NETWORK}",
            allowed="START, STOP",
        ),
        Capability(
            Operation.IMS_STATE,
            "what the handset does at that server",
            _ACTS,
            _B,
            query=f"IMSCSCFSTAT? {_NETWORK}",
            replies={
                "OFF": False,
                "SIPIDLE": True,
                "CONNECTED": True,
                "CALLING": True,
                "RINGING": True,
            },
        ),
        Capability(
            Operation.SMS_TO_UE,
            "send an SMS; the text is percent-encoded",
            _ACTS,
            _B,
            command="SENDSMS {value}",
        ),
        Capability(Operation.SMS_FROM_UE, "the last SMS", _ACTS, _B, query="RECEIVESMS?"),
        Capability(
            Operation.LOG, "save the sequence log as a file", _ACTS, _B, command='SAVESEQLOG "{value}"'
        ),
    ],
)


class Md8475(TableDriver):
    """What differs from the table: two columns of state, steps to ask a handset who it is, START and STOP."""

    TABLE: ClassVar[CapabilityTable] = TABLE

    def open(self) -> None:
        """Also starts the simulation software, where it does not run; that takes a minute."""
        super().open()
        if self._ask(Operation.CELL) != NO_SOFTWARE:
            return
        self._do("launch", timeout=LAUNCH_SECONDS)
        if not self._wait_for(
            lambda: self._ask(Operation.CELL) != NO_SOFTWARE, LAUNCH_SECONDS, "start of the software"
        ):
            raise InstrumentRefused(
                "MD8475 software",
                self._session.resource,
                f"it to run within {LAUNCH_SECONDS:g} s",
                NO_SOFTWARE,
                "start it at the instrument",
            )

    def reset(self) -> None:
        self._turn("OFF", STOP_SECONDS)
        super().reset()

    def load_scenario(self, path: str, timeout: float) -> None:
        """A file of simulation parameters, or of cell parameters (.wnscp, .wnscp2). The simulation stops."""
        self._turn("OFF", timeout)
        cell = path.lower().endswith((".wnscp", ".wnscp2"))
        self._do("cell parameters" if cell else Operation.SCENARIO, path, timeout=timeout)

    def _turn(self, value: str, timeout: float) -> None:
        """START is refused while the simulation runs, and STOP while it does not: neither is needed then."""
        if (self._value(Operation.CELL) is CellState.ON) == (value == "ON"):
            return
        self._do(Operation.CELL, "START" if value == "ON" else "STOP", timeout=timeout)

    def _generator(self) -> CellState:
        if self._value(Operation.CELL) is CellState.OFF:
            return CellState.OFF
        return CellState.STARTING if self._of_handset() is CellState.STARTING else CellState.ON

    def state(self) -> CellState:
        if self._value(Operation.CELL) is CellState.OFF:
            return CellState.OFF
        service: CellState = self._value(Operation.SERVICE)
        return service if service is CellState.OUT_OF_SERVICE else self._of_handset()

    def _of_handset(self) -> CellState:
        """The first column, unless the packet domain communicates."""
        reply = self._ask(Operation.UE_STATE)
        whole, packet, *_ = [*(field.strip() for field in reply.split(",")), "", ""]
        state: CellState = self.TABLE.value(Operation.UE_STATE, self._session.resource, whole)
        return CellState.CONNECTED if packet == "COMMUNICATION" else state

    def _apply(self) -> None:
        if self._value(Operation.CELL) is CellState.ON:
            self._do("apply")

    def cell_identity(self) -> CellIdentity:
        return CellIdentity(
            self._ask(Operation.MCC).zfill(3),
            self._ask(Operation.MNC).zfill(2),
            self._number(Operation.TAC),
            self._number(Operation.ECI),
        )

    def _bandwidth_text(self, megahertz: float) -> str:
        return f"{megahertz:g}MHz"

    def ue_imsi(self) -> str | None:
        return self._identity(Operation.UE_IMSI, "075501")

    def ue_imei(self) -> str | None:
        return self._identity(Operation.UE_IMEI, "075502")

    def _identity(self, operation: Operation, request: str) -> str | None:
        """Ask the handset, and read its answer from the sequence log; None when there is no handset."""
        if self.state() not in (CellState.ATTACHED, CellState.CONNECTED):
            return None
        self._do("identity mode")
        self._do("identity request", request)
        before = self._log_index()
        self._do("identity send")
        deadline = self._clock() + IDENTITY_SECONDS
        while self._clock() < deadline:
            found = self._in_log(operation.value.rpartition(" ")[2].upper(), before)
            if found is not None:
                return found
            self._sleep(POLL_LONGEST)
        return None

    def _log_index(self) -> int:
        return self._line(self._ask("sequence"))[0]

    def _in_log(self, name: str, after: int) -> str | None:
        """The value of the newest line that names it, of those later than `after`."""
        line = self._ask("sequence")
        index, fields = self._line(line)
        while index > after:
            if name in fields:
                return fields[-1] or None
            index -= 1
            fields = self._line(self._session.query(f"SEQLOG? {index}"))[1]
        return None

    def _line(self, reply: str) -> tuple[int, list[str]]:
        fields = [field.strip() for field in next(csv.reader([reply], skipinitialspace=True), [])]
        if not fields or not fields[0].isdecimal():
            raise self._unreadable("sequence", "a line that begins with its number", reply)
        return int(fields[0]), fields

    def _addresses(self, operation: Operation) -> tuple[str, ...]:
        reply = self._ask(operation)
        return () if reply in NO_ADDRESS else (reply,)

    def ue_addresses(self) -> tuple[str, ...]:
        """The address the PDN gives; nobody has it while there is no handset."""
        attached = self.state() in (CellState.ATTACHED, CellState.CONNECTED)
        return super().ue_addresses() if attached else ()

    def _barred_text(self, barred: bool) -> str:
        return "BARRED" if barred else "NOTBARRED"

    def ims_server(self, on: bool) -> None:
        self._do(Operation.IMS_SERVER, "START" if on else "STOP")

    def send_sms(self, text: str, sender: str, timeout: float) -> None:
        encoded = quote(text, safe="")
        arguments = f"/?PhoneNumber={_NUMBER}&Sender={sender}&Text={encoded}&DCS=00"
        self._do(Operation.SMS_TO_UE, arguments, timeout=timeout)
