"""The MD8475's language over the simulated cell: words and spaces, NUL at the end, an error for each command.

A message is a query (`MCC? BTS1`), or a command with `;ERROR?`, which is answered by a number: 0 for done.
START is answered when the simulation runs.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Any, Final

from instruments.simulated.cell import PacketState, SimulatedCell

IDENTITY: Final = "ANRITSU,MD8475A simulated,0,1.0"
END: Final = b"\0"
MESSAGE_OCTETS: Final = 64 * 1024
ERROR_QUERY: Final = "ERROR?"
UNKNOWN: Final = 9999
WRONG_PARAMETER: Final = 2
NOT_NOW: Final = 1

_STATES: Final = {
    PacketState.OFF: "NOTRUN",
    PacketState.ON: "POWEROFF",
    PacketState.SIGNALLING: "REGISTRATION",
    PacketState.ATTACHED: "IDLE",
    PacketState.CONNECTED: "IDLE",
}
_BANDWIDTHS: Final = {"1.4": "B014", "3": "B030", "5": "B050", "10": "B100", "15": "B150", "20": "B200"}
_IDENTITIES: Final = {"075501": ("IMSI", "imsi"), "075502": ("IMEI", "imei")}


class _Refused(Exception):
    """The number that a command is answered with."""


class MessageSplitter:
    """Octets in, messages without their NUL out."""

    def __init__(self) -> None:
        self._held = b""

    def receive(self, data: bytes) -> list[bytes]:
        """The messages that these octets complete. What has no end and grows too long is dropped."""
        *whole, self._held = (self._held + data).split(END)
        if len(self._held) > MESSAGE_OCTETS:
            self._held = b""
        return whole


class Md8475Dialect:
    """The commands of the simulated instrument, bound to one cell."""

    def __init__(self, cell: SimulatedCell, identity: str = IDENTITY) -> None:
        self._cell, self._identity = cell, identity
        self._in_service, self._barred = True, False
        self._asked = ""
        self._log: list[str] = ["start of the log"]
        self._queries: dict[str, Callable[[], str]] = {
            "*IDN?": lambda: self._identity,
            "STAT?": lambda: "RUNNING" if cell.switched_on else "NOTRUN",
            "CALLSTAT? BTS1": self._call_state,
            "OUTOFSERVICE? BTS1": lambda: "IN" if self._in_service else "OUT",
            "PDNIPV4? 1": lambda: cell.ue.ipv4 if cell.ue else "0.0.0.0",
            "PDNIPV6? 1": lambda: cell.ue.ipv6 if cell.ue else "::",
            "PDNPCSCFIPV4? 1": lambda: cell.settings.pcscf_ipv4 or "0.0.0.0",
            "PDNPCSCFIPV6? 1": lambda: cell.settings.pcscf_ipv6 or "::",
            "SEQLOG?": lambda: self._line(len(self._log) - 1),
            **{f"{word}? BTS1": self._reader(name) for word, name in _SETTINGS.items()},
        }
        self._commands: dict[str, Callable[[str], None]] = {
            "START": lambda _: self._start(),
            "STOP": lambda _: self._stop(),
            "APPLYPARAM": lambda _: None,
            "*RST": lambda _: self._reset(),
            "OUTOFSERVICE": self._set_service,
            "CELLBARRED": self._set_barred,
            "RESETSIMULATION": self._reset_handset,
            "PDNPCSCFIPV4": lambda text: self._set_pcscf("pcscf_ipv4", text),
            "PDNPCSCFIPV6": lambda text: self._set_pcscf("pcscf_ipv6", text),
            "TMMESSAGEMODE": lambda _: None,
            "TMUSERDATA": self._choose_identity,
            "TMSENDUSERMSG": lambda _: self._ask_identity(),
            **{word: self._writer(word) for word in _SETTINGS},
        }

    async def run(self, message: bytes) -> bytes:
        """Run one message, give the response octets (b"" for a command that does not ask for its error)."""
        text, _, asked = message.decode("latin-1").strip().partition(";")
        if text.partition(" ")[0].endswith("?"):
            reply = self._answer(text)
            return reply.encode("latin-1") + END if reply is not None else b""
        number = self._do(text)
        if text == "START" and number == 0:
            await self._cell.settled()  # busy until the simulation runs
        return f"{number}".encode() + END if asked.strip() == ERROR_QUERY else b""

    def _answer(self, text: str) -> str | None:
        """The reply; None for what is no query of this instrument, which stays silent."""
        if line := re.fullmatch(r"SEQLOG\? (\d+)", text):
            number = int(line[1])
            return self._line(number) if number < len(self._log) else None
        query = self._queries.get(text)
        return query() if query else None

    def _do(self, text: str) -> int:
        word, _, argument = text.partition(" ")
        command = self._commands.get(word)
        if command is None:
            return UNKNOWN
        try:
            command(argument.strip())
        except _Refused as refused:
            return int(refused.args[0])
        return 0

    # ---- simulation

    def _start(self) -> None:
        if self._cell.switched_on:
            raise _Refused(NOT_NOW)
        self._in_service = True
        self._cell.switch(True)

    def _stop(self) -> None:
        if not self._cell.switched_on:
            raise _Refused(NOT_NOW)
        self._cell.switch(False)

    def _call_state(self) -> str:
        if not self._cell.on_air:
            return "NOTRUN,NOTRUN"
        state = self._cell.packet_state
        packet = "COMMUNICATION" if state is PacketState.CONNECTED else "DETACH"
        return f"{_STATES[state]},{packet if state is not PacketState.ATTACHED else 'IDLE'}"

    def _set_service(self, text: str) -> None:
        wanted = text.partition(",")[0]
        if wanted not in ("IN", "OUT"):
            raise _Refused(WRONG_PARAMETER)
        self._in_service = wanted == "IN"
        self._cell.bar(self._barred or not self._in_service)

    def _set_barred(self, text: str) -> None:
        wanted, _, cell = text.partition(",")
        if wanted not in ("BARRED", "NOTBARRED") or cell != "BTS1":
            raise _Refused(WRONG_PARAMETER)
        self._barred = wanted == "BARRED"
        self._cell.bar(self._barred or not self._in_service)

    def _reset(self) -> None:
        if self._cell.switched_on:
            raise _Refused(NOT_NOW)
        self._in_service, self._barred = True, False
        self._cell.reset()

    def _reset_handset(self, text: str) -> None:
        actions = {"IDLE": self._cell.disconnect, "POWEROFF": self._cell.detach}
        action = actions.get(text.partition(",")[0])
        if action is None:
            raise _Refused(WRONG_PARAMETER)
        if not action():
            raise _Refused(NOT_NOW)

    # ---- settings

    def _reader(self, name: str) -> Callable[[], str]:
        def read() -> str:
            settings = self._cell.settings
            special: dict[str, Callable[[], str]] = {
                "mcc": lambda: settings.mcc_text,
                "mnc": lambda: settings.mnc_text,
                "band": lambda: settings.band.removeprefix("OB"),
                "bandwidth": lambda: f"{int(settings.bandwidth[1:]) / 10:g}MHz",
                "power_dbm": lambda: f"{settings.power_dbm:g}",
            }
            return special.get(name, lambda: str(getattr(settings, name)))()

        return read

    def _writer(self, word: str) -> Callable[[str], None]:
        name, convert = _SETTINGS[word], _CONVERT.get(word, _whole)

        def write(text: str) -> None:
            value, _, cell = text.rpartition(",")
            if cell != "BTS1":
                raise _Refused(WRONG_PARAMETER)
            changes = convert(value)
            self._cell.configure(**(changes if isinstance(changes, dict) else {name: changes}))

        return write

    def _set_pcscf(self, name: str, text: str) -> None:
        pdn, _, address = text.partition(",")
        try:
            known = str(ipaddress.ip_address(address)) if address else ""
        except ValueError:
            raise _Refused(WRONG_PARAMETER) from None
        if pdn != "1":
            raise _Refused(WRONG_PARAMETER)
        self._cell.configure(**{name: "" if known in ("0.0.0.0", "::") else known, "external_ims": True})

    # ---- who the handset is

    def _choose_identity(self, text: str) -> None:
        self._asked = text.split(",")[1].strip() if "," in text else ""
        if self._asked not in _IDENTITIES:
            raise _Refused(WRONG_PARAMETER)

    def _ask_identity(self) -> None:
        name, attribute = _IDENTITIES.get(self._asked, ("", ""))
        if not name or self._cell.ue is None:
            raise _Refused(NOT_NOW)
        self._log.append(f'"UE","IDENTITY RESPONSE","{name}","{getattr(self._cell.ue, attribute)}"')
        self._log.append('"UE","MEASUREMENT REPORT"')

    def _line(self, number: int) -> str:
        return f"{number},{self._log[number]}"


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise _Refused(WRONG_PARAMETER)
    return int(text)


def _mnc(text: str) -> dict[str, Any]:
    if not re.fullmatch(r"\d{2,3}", text):
        raise _Refused(WRONG_PARAMETER)
    return {"mnc": int(text), "mnc_digits": len(text)}


def _power(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise _Refused(WRONG_PARAMETER) from None


def _bandwidth(text: str) -> str:
    known = _BANDWIDTHS.get(text.removesuffix("MHz"))
    if known is None:
        raise _Refused(WRONG_PARAMETER)
    return known


_SETTINGS: Final = {
    "MCC": "mcc",
    "MNC": "mnc",
    "TAC": "tac",
    "CELLID": "eci",
    "PHYCELLID": "physical_id",
    "BAND": "band",
    "DLCHAN": "channel",
    "BANDWIDTH": "bandwidth",
    "OLVL": "power_dbm",
}
_CONVERT: Final[dict[str, Callable[[str], Any]]] = {
    "MNC": _mnc,
    "BAND": lambda text: f"OB{_whole(text)}",
    "BANDWIDTH": _bandwidth,
    "OLVL": _power,
}
