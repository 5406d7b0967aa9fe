"""The AT port of the simulated handset: a pseudo-terminal over the baseband.

Commands and results follow V.250 and TS 27.007 (SMS settings: TS 27.005). The port is published by a symbolic
link that is put in place atomically, so its path stays the same when the port goes away and comes back.
"""

from __future__ import annotations

import asyncio
import contextlib
import csv
import ipaddress
import logging
import os
import re
import tty
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from devices.simulated.baseband import Baseband, Change, Functionality, Registration

log = logging.getLogger(__name__)

LINE_OCTETS: Final = 4096
ACCESS_E_UTRAN: Final = 7
BACKLOG_OCTETS: Final = 64 * 1024

# TS 27.007 9.2.1
CME_ERRORS: Final[Mapping[int, str]] = {
    3: "operation not allowed",
    4: "operation not supported",
    10: "SIM not inserted",
    30: "no network service",
    50: "incorrect parameters",
    100: "unknown",
}

Reply = list[str]
Handler = Callable[[list[str]], Reply]


class _CmeError(Exception):
    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(CME_ERRORS[number])


class _SyntaxError(Exception):
    """Plain ERROR, whatever +CMEE says."""


class AtInterpreter:
    """Command lines to result lines, without a port. Unsolicited result codes go to `unsolicited`."""

    def __init__(self, baseband: Baseband, unsolicited: Callable[[str], None]) -> None:
        self._baseband = baseband
        self._unsolicited = unsolicited
        self._reset()
        self._clock_offset = timedelta()
        self._told: dict[str, str] = {}
        self._plain: dict[str, Handler] = self._plain_commands()
        self._extended: dict[str, tuple[Handler | None, Handler | None, Handler | None]] = (
            self._extended_commands()
        )
        self._remember()
        self._unsubscribe = baseband.subscribe(self._on_change)

    def close(self) -> None:
        """Stop listening to the baseband."""
        self._unsubscribe()

    def _reset(self) -> None:
        self.echo, self.verbose, self.quiet = True, True, False
        self._error_mode = 0
        self._numbers = {"+CREG": 0, "+CGREG": 0, "+CEREG": 0, "+CIREG": 0, "+CIREP": 0, "+CSCON": 0}
        self._cgerep = (0, 0)
        self._operator_format = 0
        self._operator_mode = 0
        self._text_mode = 0
        self._contexts: dict[int, tuple[str, str]] = {1: ("IPV4V6", "ims")}

    # ---- lines in, lines out

    def run(self, line: str) -> list[str]:
        """Result lines of one command line, the final result last; nothing for a line that is no command."""
        text = line.strip()
        if text[:2].upper() != "AT":
            return []
        out: Reply = []
        try:
            for command in self._commands(text[2:].strip()):
                out += self._run_one(command)
        except _CmeError as error:
            return [*out, self._cme(error.number)]
        except _SyntaxError:
            return [*out, "ERROR"]
        return [*out, "OK"]

    def _cme(self, number: int) -> str:
        if self._error_mode == 0:
            return "ERROR"
        return f"+CME ERROR: {CME_ERRORS[number] if self._error_mode == 2 else number}"

    @staticmethod
    def _commands(text: str) -> list[str]:
        """V.250 5.2.1: basic commands follow each other directly, extended ones end at a semicolon."""
        commands = []
        while text:
            if text[0] in "+^%*":
                match = re.match(r'(?:[^;"]|"[^"]*")*', text)
                assert match is not None
                commands.append(match[0].strip())
                text = text[match.end() + 1 :].strip()
            elif match := re.match(r"&?[A-Za-z]\d*", text):
                commands.append(match[0])
                text = text[match.end() :].lstrip("; ")
            else:
                raise _SyntaxError
        return commands

    def _run_one(self, command: str) -> Reply:
        if command[0] not in "+^%*":
            match = re.fullmatch(r"(&?[A-Za-z])(\d*)", command)
            assert match is not None
            handler = self._plain.get(match[1].upper())
            if handler is None:
                raise _SyntaxError
            return handler([match[2]])
        match = re.fullmatch(r"([+^%*][A-Za-z0-9]+)\s*(=\?|\?|=(.*))?", command, re.DOTALL)
        if match is None or match[1].upper() not in self._extended:
            raise _SyntaxError if match is None else _CmeError(4)
        name, form = match[1].upper(), match[2]
        execute, read, test = self._extended[name]
        handler = {"?": read, "=?": test}.get(form, execute)
        arguments = _split(match[3]) if match[3] is not None else []
        if handler is None:
            raise _CmeError(4)
        try:
            return handler(arguments)
        except (IndexError, ValueError):
            raise _CmeError(50) from None

    # ---- V.250 basic commands

    def _plain_commands(self) -> dict[str, Handler]:
        def switch(name: str) -> Handler:
            def handler(arguments: list[str]) -> Reply:
                if arguments[0] not in ("", "0", "1"):
                    raise _SyntaxError
                setattr(self, name, arguments[0] == "1")
                return []

            return handler

        def identification(_: list[str]) -> Reply:
            identity = self._baseband.identity
            return [
                f"Manufacturer: {identity.manufacturer}",
                f"Model: {identity.model}",
                f"Revision: {identity.revision}",
                f"IMEI: {identity.imei}",
                "+GCAP: +CGSM",
            ]

        def defaults(_: list[str]) -> Reply:
            self._reset()
            self._remember()
            return []

        return {
            "E": switch("echo"),
            "V": switch("verbose"),
            "Q": switch("quiet"),
            "I": identification,
            "Z": defaults,
            "&F": defaults,
            "H": lambda _: [],
        }

    # ---- TS 27.007

    def _extended_commands(self) -> dict[str, tuple[Handler | None, Handler | None, Handler | None]]:
        identity = self._baseband.identity

        def says(value: str) -> tuple[Handler | None, Handler | None, Handler | None]:
            return (lambda _: [value], None, lambda _: [])

        return {
            "+CGMI": says(identity.manufacturer),
            "+CGMM": says(identity.model),
            "+CGMR": says(identity.revision),
            "+CGSN": (self._serial_number, None, lambda _: ["+CGSN: (0-3)"]),
            "+CIMI": (lambda _: [self._with_sim(identity.imsi)], None, lambda _: []),
            "+CCID": (lambda _: [f"+CCID: {self._with_sim(identity.iccid)}"], None, lambda _: []),
            "+ICCID": (lambda _: [f"+ICCID: {self._with_sim(identity.iccid)}"], None, lambda _: []),
            "+CPIN": (None, lambda _: [f"+CPIN: {self._with_sim('READY')}"], lambda _: []),
            "+CNUM": (lambda _: [f'+CNUM: ,"{self._with_sim(identity.msisdn)}",145'], None, lambda _: []),
            "+CSCA": (None, lambda _: [f'+CSCA: "{self._with_sim(identity.sms_centre)}",145'], lambda _: []),
            "+CMGF": (
                self._set_text_mode,
                lambda _: [f"+CMGF: {self._text_mode}"],
                lambda _: ["+CMGF: (0,1)"],
            ),
            "+CPAS": (lambda _: ["+CPAS: 0"], None, lambda _: ["+CPAS: (0,3,4)"]),
            "+CFUN": (
                self._set_functionality,
                lambda _: [f"+CFUN: {self._baseband.functionality.value}"],
                lambda _: ["+CFUN: (0,1,4),(0)"],
            ),
            "+CMEE": (
                self._set_error_mode,
                lambda _: [f"+CMEE: {self._error_mode}"],
                lambda _: ["+CMEE: (0-2)"],
            ),
            "+COPS": (self._set_operator, lambda _: [self._operator()], self._operators),
            "+CREG": self._reporting("+CREG", 3),
            "+CGREG": self._reporting("+CGREG", 3),
            "+CEREG": self._reporting("+CEREG", 3),
            "+CIREG": self._reporting("+CIREG", 2),
            "+CIREP": self._reporting("+CIREP", 1),
            "+CSCON": self._reporting("+CSCON", 1),
            "+CGEREP": (
                self._set_cgerep,
                lambda _: ["+CGEREP: {},{}".format(*self._cgerep)],
                lambda _: ["+CGEREP: (0-2),(0,1)"],
            ),
            "+CSQ": (lambda _: [self._csq()], None, lambda _: ["+CSQ: (0-31,99),(0-7,99)"]),
            "+CESQ": (
                lambda _: [self._cesq()],
                None,
                lambda _: ["+CESQ: (99),(99),(255),(255),(255),(0-97,255)"],
            ),
            "+CGDCONT": (
                self._set_context,
                self._list_contexts,
                lambda _: ['+CGDCONT: (1-8),"IPV4V6",,,(0),(0)'],
            ),
            "+CGATT": (
                self._set_attached,
                lambda _: [f"+CGATT: {int(self._baseband.registered)}"],
                lambda _: ["+CGATT: (0,1)"],
            ),
            "+CGACT": (self._set_active, self._list_active, lambda _: ["+CGACT: (0,1)"]),
            "+CGPADDR": (self._addresses, None, self._context_ids("+CGPADDR")),
            "+CGCONTRDP": (self._dynamic_parameters, None, self._context_ids("+CGCONTRDP")),
            "+CCLK": (self._set_clock, lambda _: [self._clock()], lambda _: []),
        }

    def _with_sim(self, value: str) -> str:
        if not self._baseband.sim_present:
            raise _CmeError(10)
        return value

    def _serial_number(self, arguments: list[str]) -> Reply:
        kind = int(arguments[0]) if arguments else 0
        imei, version = self._baseband.imei, self._baseband.identity.software_version
        if not arguments:
            return [imei]
        values = {0: imei, 1: imei, 2: imei[:14] + version, 3: version}
        return [f'+CGSN: "{values[kind]}"'] if kind in values else self._refuse(50)

    @staticmethod
    def _refuse(number: int) -> Reply:
        raise _CmeError(number)

    def _set_functionality(self, arguments: list[str]) -> Reply:
        level = int(arguments[0])
        if len(arguments) > 1 and arguments[1] != "0":
            raise _CmeError(4)
        self._baseband.set_functionality(level)
        return []

    def _set_error_mode(self, arguments: list[str]) -> Reply:
        self._error_mode = _within(arguments[0], 2)
        return []

    def _set_text_mode(self, arguments: list[str]) -> Reply:
        self._text_mode = _within(arguments[0], 1)
        return []

    def _set_cgerep(self, arguments: list[str]) -> Reply:
        self._cgerep = (_within(arguments[0], 2), _within(arguments[1], 1) if len(arguments) > 1 else 0)
        return []

    # operator selection (TS 27.007 7.3)

    def _set_operator(self, arguments: list[str]) -> Reply:
        mode = int(arguments[0])
        if mode == 3:
            self._operator_format = _within(arguments[1], 2)
        elif mode == 2:
            self._baseband.detach()
            self._operator_mode = 2
        elif mode == 0 or (mode in (1, 4) and self._is_in_range(arguments[2])):
            self._operator_mode = mode
            if not self._baseband.registered:
                self._baseband.reattach()
        else:
            raise _CmeError(30 if mode in (1, 4) else 50)
        return []

    def _is_in_range(self, operator: str) -> bool:
        cell = self._baseband.cell
        return cell is not None and cell.plmn == operator

    def _operator(self) -> str:
        cell = self._baseband.cell
        if cell is None or not self._baseband.registered:
            return f"+COPS: {self._operator_mode}"
        name = cell.plmn if self._operator_format == 2 else f"Test {cell.plmn}"
        return f'+COPS: {self._operator_mode},{self._operator_format},"{name}",{ACCESS_E_UTRAN}'

    def _operators(self, _: list[str]) -> Reply:
        cell = self._baseband.cell
        if cell is None:
            return ["+COPS: ,(0-4),(0-2)"]
        state = 2 if self._baseband.registered else 3 if self._baseband.reject_cause else 1
        name = f"Test {cell.plmn}"
        return [f'+COPS: ({state},"{name}","{name}","{cell.plmn}",{ACCESS_E_UTRAN}),,(0-4),(0-2)']

    # registration (TS 27.007 7.2, 10.1.20, 10.1.22, 8.71, 8.73)

    def _reporting(self, name: str, highest: int) -> tuple[Handler | None, Handler | None, Handler | None]:
        def execute(arguments: list[str]) -> Reply:
            self._numbers[name] = _within(arguments[0] if arguments else "0", highest)
            return []

        def read(_: list[str]) -> Reply:
            number = self._numbers[name]
            return [f"{name}: {number},{self._state_of(name, number)}"]

        return execute, read, lambda _: [f"{name}: (0-{highest})"]

    def _state_of(self, name: str, number: int) -> str:
        baseband = self._baseband
        if name == "+CIREG":
            registered = int(baseband.ims_registered)
            # 8.71: extended information 4 is SMS over IMS, 1 would be voice, which this handset has not.
            return f"{registered},4" if number == 2 and registered else f"{registered}"
        if name == "+CIREP":
            return str(int(baseband.registered))
        if name == "+CSCON":
            return str(int(baseband.rrc_connected))
        return self._registration(name, number)

    def _registration(self, name: str, number: int) -> str:
        baseband, cell = self._baseband, self._baseband.cell
        # 10.1.20: GPRS registration says nothing of E-UTRAN.
        state = Registration.NOT_SEARCHING if name == "+CGREG" else baseband.registration
        text = str(state.value)
        if number >= 2 and cell and state in (Registration.HOME, Registration.ROAMING):
            text += f',"{cell.tac:04X}","{cell.eci:08X}",{ACCESS_E_UTRAN}'
        elif number == 3 and state is Registration.DENIED and baseband.reject_cause is not None:
            text += f",,,,0,{baseband.reject_cause}"
        return text

    # signal (TS 27.007 8.5, 8.69)

    def _csq(self) -> str:
        power = self._baseband.signal_dbm
        return "+CSQ: 99,99" if power is None else f"+CSQ: {_clamp((power + 20 + 113) / 2, 31)},99"

    def _cesq(self) -> str:
        power = self._baseband.signal_dbm
        rsrp = 255 if power is None else _clamp(power + 141, 97)
        rsrq = 255 if power is None else 20
        return f"+CESQ: 99,99,255,255,{rsrq},{rsrp}"

    # packet domain (TS 27.007 10.1)

    def _set_context(self, arguments: list[str]) -> Reply:
        number = int(arguments[0])
        if not 1 <= number <= 8:
            raise _CmeError(50)
        if len(arguments) == 1:
            self._contexts.pop(number, None)
        else:
            self._contexts[number] = (arguments[1], arguments[2] if len(arguments) > 2 else "")
        return []

    def _list_contexts(self, _: list[str]) -> Reply:
        return [f'+CGDCONT: {n},"{kind}","{apn}",,0,0' for n, (kind, apn) in sorted(self._contexts.items())]

    def _set_attached(self, arguments: list[str]) -> Reply:
        if _within(arguments[0], 1):
            if not self._baseband.registered:
                self._baseband.reattach()
        else:
            self._baseband.detach()
        return []

    def _set_active(self, arguments: list[str]) -> Reply:
        state = _within(arguments[0], 1)
        active = self._baseband.pdn is not None
        if bool(state) != active:
            raise _CmeError(30 if state else 3)
        return []

    def _list_active(self, _: list[str]) -> Reply:
        return [f"+CGACT: {n},{int(self._is_active(n))}" for n in sorted(self._contexts)]

    def _is_active(self, context: int) -> bool:
        return context == 1 and self._baseband.pdn is not None

    def _context_ids(self, name: str) -> Handler:
        return lambda _: [f"{name}: (1)"] if self._baseband.pdn else [f"{name}: ()"]

    def _asked_contexts(self, arguments: list[str]) -> list[int]:
        return [int(argument) for argument in arguments] if arguments else sorted(self._contexts)

    def _addresses(self, arguments: list[str]) -> Reply:
        out = []
        for number in self._asked_contexts(arguments):
            pdn = self._baseband.pdn if self._is_active(number) else None
            if pdn is None:
                out.append(f"+CGPADDR: {number}")
                continue
            addresses = [pdn.address, *([pdn.ipv6] if pdn.ipv6 else [])]
            out.append(",".join([f"+CGPADDR: {number}", *(f'"{dotted(a)}"' for a in addresses)]))
        return out

    def _dynamic_parameters(self, arguments: list[str]) -> Reply:
        """10.1.23: two addresses of each kind fit a line; what is left goes onto further lines."""
        pdn = self._baseband.pdn
        if pdn is None or 1 not in self._asked_contexts(arguments):
            return []
        local = [(pdn.address, "255.255.255.0"), *([(pdn.ipv6, "ffff:ffff:ffff:ffff::")] if pdn.ipv6 else [])]
        proxies = list(pdn.pcscf)
        out = []
        for start in range(max(len(local), (len(proxies) + 1) // 2)):
            mine = ""
            if start < len(local):
                address, mask = local[start]
                mine = f"{dotted(address)}.{dotted(mask)}"
            pair = [f'"{dotted(p)}"' for p in proxies[2 * start : 2 * start + 2]]
            out.append(f'+CGCONTRDP: 1,5,"{pdn.apn}","{mine}","","","",' + ",".join(pair or ['""']))
        return out

    # clock (TS 27.007 8.15)

    def _clock(self) -> str:
        now = datetime.now(UTC) + self._clock_offset
        return f'+CCLK: "{now:%y/%m/%d,%H:%M:%S}+00"'

    def _set_clock(self, arguments: list[str]) -> Reply:
        match = re.fullmatch(r"(\d\d/\d\d/\d\d,\d\d:\d\d:\d\d)([+-]\d\d)?", ",".join(arguments))
        if match is None:
            raise _CmeError(50)
        wanted = datetime.strptime(match[1], "%y/%m/%d,%H:%M:%S").replace(tzinfo=UTC)
        self._clock_offset = wanted - datetime.now(UTC)
        return []

    # ---- unsolicited result codes

    def _urc_texts(self) -> dict[str, str]:
        """What each report says now, in the form its mode asks for."""
        texts = {
            name: f"{name}: {self._registration(name, self._numbers[name])}"
            for name in ("+CREG", "+CGREG", "+CEREG")
        }
        texts["+CIREG"] = "+CIREGU: " + self._state_of("+CIREG", self._numbers["+CIREG"])
        texts["+CIREP"] = "+CIREPI: " + self._state_of("+CIREP", 0)
        texts["+CSCON"] = "+CSCON: " + self._state_of("+CSCON", 0)
        return texts

    def _remember(self) -> None:
        self._told = self._urc_texts()
        self._had_pdn = self._baseband.pdn is not None

    def _on_change(self, change: str) -> None:
        texts = self._urc_texts()
        for name, text in texts.items():
            if self._numbers[name] and text != self._told.get(name):
                self._unsolicited(text)
        if change == Change.PDN and self._cgerep[0]:
            active = self._baseband.pdn is not None
            radio = self._baseband.functionality is Functionality.FULL
            if active != self._had_pdn:
                lost = "+CGEV: NW DETACH" if radio else "+CGEV: ME DETACH"
                self._unsolicited("+CGEV: ME PDN ACT 1" if active else lost)
        if change == Change.SIM:
            self._unsolicited("+CPIN: READY" if self._baseband.sim_present else "+CPIN: NOT READY")
        self._remember()


def dotted(address: str) -> str:
    """An address as 27.007 writes it by default: octets in decimal with dots, sixteen of them for IPv6."""
    return ".".join(str(octet) for octet in ipaddress.ip_address(address).packed)


def _split(text: str) -> list[str]:
    """Parameters of an extended command, quotes taken off."""
    return next(csv.reader([text], skipinitialspace=True), [""])


def _within(text: str, highest: int) -> int:
    value = int(text)
    if not 0 <= value <= highest:
        raise _CmeError(50)
    return value


def _clamp(value: float, highest: int) -> int:
    return max(0, min(highest, round(value)))


class SimulatedModem:
    """The port. Start it in the event loop the baseband lives in.

    path is where the symbolic link to the terminal is put; its folder must exist.
    """

    def __init__(self, baseband: Baseband, path: Path) -> None:
        self.path = path
        self._baseband = baseband
        self._interpreter: AtInterpreter | None = None
        self._master = self._slave = -1
        self._input = bytearray()
        self._output = bytearray()

    def start(self) -> None:
        """Open the terminal and put the link in place."""
        self._master, self._slave = os.openpty()
        # The slave end stays open here: without it the master reads EIO whenever no client has the port open.
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self._interpreter = AtInterpreter(self._baseband, self._send_line)
        asyncio.get_running_loop().add_reader(self._master, self._on_readable)
        self._publish(os.ttyname(self._slave))

    def close(self) -> None:
        """Take the link away and close the terminal, as when the handset is unplugged."""
        if self._master < 0:
            return
        with contextlib.suppress(OSError):
            if self.path.readlink() == Path(os.ttyname(self._slave)):
                self.path.unlink()
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._master)
        loop.remove_writer(self._master)
        for descriptor in (self._master, self._slave):
            os.close(descriptor)
        self._master = self._slave = -1
        self._input.clear()
        self._output.clear()
        if self._interpreter:
            self._interpreter.close()

    def _publish(self, terminal: str) -> None:
        new = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        new.unlink(missing_ok=True)
        new.symlink_to(terminal)
        new.replace(self.path)

    def _on_readable(self) -> None:
        try:
            data = os.read(self._master, 4096)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            log.warning("modem port %s: %s", self.path, error)
            asyncio.get_running_loop().remove_reader(self._master)
            return
        for octet in data:
            self._take(octet)

    def _take(self, octet: int) -> None:
        assert self._interpreter is not None
        if self._interpreter.echo:
            self._send(bytes([octet]))
        if octet == 0x0D:
            line, self._input = self._input.decode("latin-1"), bytearray()
            for result in self._interpreter.run(line) if len(line) < LINE_OCTETS else ["ERROR"]:
                self._send_line(result)
        elif octet == 0x08:
            del self._input[-1:]
        elif octet != 0x0A and len(self._input) < LINE_OCTETS:
            self._input.append(octet)

    def _send_line(self, text: str) -> None:
        assert self._interpreter is not None
        if self._interpreter.quiet:
            return
        codes = {"OK": "0", "ERROR": "4"}
        if self._interpreter.verbose:
            self._send(f"\r\n{text}\r\n".encode("latin-1", "replace"))
        elif text in codes:
            self._send(f"{codes[text]}\r".encode())
        else:
            self._send(f"{text}\r\n".encode("latin-1", "replace"))

    def _send(self, data: bytes) -> None:
        """Write what the terminal takes now and the rest when it can; nobody may be reading for hours."""
        if len(self._output) + len(data) > BACKLOG_OCTETS:
            log.warning("modem port %s: nobody reads, %d octets dropped", self.path, len(data))
            return
        self._output += data
        self._flush()

    def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        while self._output and self._master >= 0:
            try:
                del self._output[: os.write(self._master, self._output)]
            except (BlockingIOError, InterruptedError):
                loop.add_writer(self._master, self._flush)
                return
        if self._master >= 0:
            loop.remove_writer(self._master)
