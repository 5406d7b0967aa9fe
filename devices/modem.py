"""AT commands to a handset's modem port (V.250, TS 27.007), over a tty path or a `socket://host:port` URL.

One reader thread owns what arrives and tells final results, information lines, echo and unsolicited result
codes apart by their text, never by their place: a report may land between an answer and its OK.
"""

from __future__ import annotations

import contextlib
import csv
import ipaddress
import logging
import re
import termios
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from enum import IntEnum
from types import TracebackType
from typing import Any, Final

import serial

from harness.errors import HandsetError, NotSeen, SerialPortLost
from harness.evidence.timeline import Layer, Timeline

log = logging.getLogger(__name__)

# Seconds a command may take, by the longest prefix that matches; the rest takes DEFAULT_SECONDS.
DEADLINES: Final[dict[str, float]] = {
    "+COPS=?": 180.0,
    "+COPS=": 120.0,
    "+CMGS": 60.0,
    "+CFUN=": 15.0,
    "+CGATT=": 60.0,
    "+CGACT=": 60.0,
}
DEFAULT_SECONDS: Final = 3.0
IDLE_SECONDS: Final = 0.2
RESYNC_ATTEMPTS: Final = 3
RESYNC_SECONDS: Final = 0.5
REPORTS_KEPT: Final = 1000
LINE_OCTETS: Final = 64 * 1024
# What pyserial lets through when a port vanishes under it.
PORT_ERRORS: Final = (serial.SerialException, OSError, termios.error, TypeError, ValueError)

_FINAL = re.compile(r"OK$|ERROR$|\+CM[ES] ERROR:|NO CARRIER$|BUSY$|NO ANSWER$|NO DIALTONE$|CONNECT( |$)")
# Result codes that come unasked (TS 27.007, TS 27.005 3.4.1). Anything else that arrives while a command
# without a prefix is in flight is its answer; what arrives while none is counts as unsolicited as well.
_REPORT = re.compile(
    r"\+(?:C(?:5G|G|E)?REG|CIREGU|CIREP[IH]|CSCON|CGEV|CPIN|CMTI?|CDSI?|CBMI?|CTZV|CTZE|CLIP|CRING|CCWA|"
    r"CUSD):|RING$"
)
# The answer to a question about these has a number in second place, the unsolicited form has not.
_REPORTED_STATE = re.compile(r"\+(?:C(?:5G|G|E)?REG|CSCON):")
_READ_FORM = re.compile(r"\+\w+:\s*\d+,\s*\d+\s*(?:,|$)")
REMEDY: Final = (
    "check the cable and that the handset still offers its modem port (AT access is off on production "
    "firmware), and that no other program has the port open"
)


class AtError(HandsetError):
    """The modem answered a command with an error, or with something that cannot be read."""

    def __init__(self, port: str, command: str, result: str) -> None:
        self.port, self.command, self.result = port, command, result
        super().__init__(f"modem {port}: {command} was answered {result!r}")


class RegistrationState(IntEnum):
    """<stat> of +CEREG (TS 27.007 10.1.22)."""

    NOT_SEARCHING = 0
    HOME = 1
    SEARCHING = 2
    DENIED = 3
    UNKNOWN = 4
    ROAMING = 5
    EMERGENCY_ONLY = 8


@dataclass(frozen=True, slots=True)
class Registration:
    """EPS registration. tac and ci are None where the modem does not say; access is <AcT>, 7 for E-UTRAN."""

    stat: RegistrationState
    tac: int | None = None
    ci: int | None = None
    act: int | None = None
    reject_cause: int | None = None

    @property
    def registered(self) -> bool:
        """At home or roaming."""
        return self.stat in (RegistrationState.HOME, RegistrationState.ROAMING)


@dataclass(frozen=True, slots=True)
class ImsRegistration:
    """+CIREG (TS 27.007 8.71). services is the <ext_info> bit mask: 1 voice, 2 text, 4 SMS, 8 video."""

    registered: bool
    services: int | None = None


@dataclass(frozen=True, slots=True)
class Signal:
    """Reference signal power and quality, dBm and dB; None where the modem does not know."""

    rsrp_dbm: float | None
    rsrq_db: float | None


@dataclass(slots=True)
class _Command:
    """The one command in flight."""

    text: str
    prefixes: tuple[str, ...]
    lines: list[str] = field(default_factory=list)
    final: str | None = None


class Modem:
    """A modem port. Calls may come from any thread; one command is in flight at a time.

    port: a tty path (a link is followed anew at each opening, so it survives replugging) or a pyserial URL.
    Raises SerialPortLost when the port is gone or silent, AtError when a command is refused; after
    SerialPortLost the next call opens the port again.
    """

    def __init__(
        self,
        port: str,
        timeline: Timeline,
        *,
        baud_rate: int = 115200,
        default_seconds: float = DEFAULT_SECONDS,
    ) -> None:
        self.port = port
        self._timeline = timeline
        self._baud_rate = baud_rate
        self._default_seconds = default_seconds
        self._calls = threading.RLock()
        self._state = threading.Condition()
        self._serial: serial.Serial | None = None
        self._reader: threading.Thread | None = None
        self._failure = ""
        self._command: _Command | None = None
        self._last_octet = 0.0
        self._reports: deque[tuple[int, str]] = deque(maxlen=REPORTS_KEPT)
        self._report_count = 0
        self._listening = False

    # ---- life

    def open(self) -> None:
        """Open the port exclusively, throw away what is pending, and agree on the form of answers."""
        with self._calls:
            self.close()
            self._serial = self._open_port()
            self._failure, self._listening = "", False
            self._reader = threading.Thread(
                target=self._read, args=(self._serial,), name=f"modem {self.port}", daemon=True
            )
            self._reader.start()
            try:
                # Reports queued while nobody had the port open come first: wait until the line is quiet.
                self._resynchronise()
                self._listening = True
                for text in ("ATE0", "ATV1", "ATQ0", "AT+CMEE=1"):
                    self._execute(text, (), self._default_seconds)
            except (SerialPortLost, AtError):
                self.close()
                raise

    def close(self) -> None:
        """Release the port. Never raises."""
        with self._calls:
            port, self._serial = self._serial, None
            if port is not None:
                with contextlib.suppress(*PORT_ERRORS, AttributeError):
                    port.cancel_read()
            if self._reader is not None and self._reader is not threading.current_thread():
                self._reader.join(1.0)
                self._reader = None
            if port is not None:
                with contextlib.suppress(*PORT_ERRORS):
                    port.close()

    def __enter__(self) -> Modem:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open_port(self) -> serial.Serial:
        options: dict[str, Any] = {"baudrate": self._baud_rate, "timeout": 0.2, "write_timeout": 2.0}
        if "://" not in self.port:
            options["exclusive"] = True
        try:
            port = serial.serial_for_url(self.port, **options)
            with contextlib.suppress(*PORT_ERRORS):
                port.reset_input_buffer()
        except PORT_ERRORS as error:
            raise self._lost("the port to open", str(error)) from error
        return port

    # ---- commands

    def command(
        self, text: str, prefix: str | tuple[str, ...] = "", timeout: float | None = None
    ) -> list[str]:
        """Send one command line and give its information lines.

        prefix: what those lines start with ("+CEREG:"); empty takes every line that is not unsolicited. The
        deadline in seconds comes from DEADLINES unless given. Raises AtError, SerialPortLost.
        """
        prefixes = (prefix,) if isinstance(prefix, str) else prefix
        seconds = timeout if timeout is not None else self._deadline_of(text)
        with self._calls:
            if self._serial is None or self._failure:
                self.open()
            return self._execute(text, tuple(p for p in prefixes if p), seconds)

    def _deadline_of(self, text: str) -> float:
        bare = text.upper().removeprefix("AT")
        matching = [key for key in DEADLINES if bare.startswith(key)]
        return DEADLINES[max(matching, key=len)] if matching else self._default_seconds

    def _execute(self, text: str, prefixes: tuple[str, ...], seconds: float) -> list[str]:
        try:
            done = self._transact(text, prefixes, seconds)
        except TimeoutError:
            self._event_command(text, [], "")
            self._recover()
            raise self._lost(f"a final result of {text} within {seconds:g} s", "silence") from None
        final = done.final or ""
        self._event_command(text, done.lines, final)
        if final != "OK" and not final.startswith("CONNECT"):
            raise AtError(self.port, text, final)
        return done.lines

    def _transact(self, text: str, prefixes: tuple[str, ...], seconds: float) -> _Command:
        """One command line and its final result. Raises TimeoutError, SerialPortLost."""
        port = self._serial
        assert port is not None
        command = _Command(text, prefixes)
        with self._state:
            self._command = command
        try:
            port.write(text.encode("ascii", "replace") + b"\r")
        except PORT_ERRORS as error:
            with self._state:
                self._command = None
            self._fail(str(error))
        with self._state:
            self._state.wait_for(lambda: command.final is not None or self._failure, seconds)
            self._command = None
            if command.final is not None:
                return command
            if self._failure:
                raise self._lost(f"a final result of {text}", self._failure)
            raise TimeoutError

    def _recover(self) -> None:
        """After a timeout: quiet line, AT until it answers, else close; the next call opens again."""
        try:
            self._resynchronise()
        except SerialPortLost:
            log.warning("modem %s does not answer AT any more", self.port)
            self.close()

    def _resynchronise(self) -> None:
        """Send nothing until the line is idle, then AT. A late answer to an old command is dropped so."""
        for _ in range(RESYNC_ATTEMPTS):
            self._wait_idle()
            with contextlib.suppress(TimeoutError):
                if self._transact("AT", (), RESYNC_SECONDS).final == "OK":
                    self._wait_quiet_answer()
                    return
        raise self._lost(f"OK to AT, asked {RESYNC_ATTEMPTS} times", "silence or errors")

    def _wait_quiet_answer(self) -> None:
        """Leave room for an answer that belongs to the command before AT."""
        self._wait_idle(IDLE_SECONDS / 4)

    def _wait_idle(self, idle: float = IDLE_SECONDS, longest: float = 2.0) -> None:
        """Wait until nothing has arrived for `idle` seconds, at most `longest`."""
        end = time.monotonic() + longest
        with self._state:
            self._last_octet = max(self._last_octet, time.monotonic() - idle / 2)
            while (now := time.monotonic()) < end:
                left = self._last_octet + idle - now
                if left <= 0 or self._failure:
                    return
                self._state.wait(left)

    # ---- the reader thread

    def _read(self, port: serial.Serial) -> None:
        """Own the port's input until the port is closed or lost."""
        buffer = bytearray()
        while self._serial is port:
            try:
                data = port.read(max(1, port.in_waiting))
            except PORT_ERRORS as error:
                if self._serial is port:
                    self._set_failure(str(error))
                return
            if data:
                buffer += data
                self._take(buffer)

    def _take(self, buffer: bytearray) -> None:
        with self._state:
            self._last_octet = time.monotonic()
            self._state.notify_all()
        *lines, rest = re.split(rb"[\r\n]+", bytes(buffer))
        buffer[:] = rest if len(rest) <= LINE_OCTETS else b""
        for line in lines:
            if text := line.decode("latin-1").strip():
                self._classify(text)

    def _classify(self, line: str) -> None:
        with self._state:
            command = self._command
            if command is not None and command.final is None:
                if line == command.text:
                    return  # echo
                if _FINAL.match(line):
                    command.final = line
                    self._state.notify_all()
                    return
                if self._belongs(line, command):
                    command.lines.append(line)
                    return
            if not self._listening:
                log.debug("modem %s: line from before the port was opened: %r", self.port, line)
                return
            if not _REPORT.match(line):
                log.info("modem %s: line of no command: %r", self.port, line)
            self._report_count += 1
            self._reports.append((self._report_count, line))
            self._state.notify_all()
        self._timeline.event(Layer.AT, "urc", line, port=self.port, line=line)

    @staticmethod
    def _belongs(line: str, command: _Command) -> bool:
        """By prefix where one is expected; else whatever is no report of something else."""
        if _REPORTED_STATE.match(line) and not (command.text.endswith("?") and _READ_FORM.match(line)):
            return False
        if command.prefixes:
            return line.startswith(command.prefixes)
        return not _REPORT.match(line) or line.split(":")[0] + "?" in command.text.upper()

    def _set_failure(self, text: str) -> None:
        with self._state:
            self._failure = text or "the port was closed"
            self._state.notify_all()

    def _fail(self, text: str) -> None:
        self._set_failure(text)
        raise self._lost("the port to take a command", text)

    def _lost(self, expected: str, actual: str) -> SerialPortLost:
        self._timeline.event(Layer.AT, "lost", actual, port=self.port, expected=expected)
        return SerialPortLost("modem port", self.port, expected, actual, REMEDY)

    def _event_command(self, text: str, lines: list[str], final: str) -> None:
        self._timeline.event(
            Layer.AT, "command", text, port=self.port, command=text, lines=list(lines), final=final
        )

    # ---- unsolicited result codes

    @property
    def last_report(self) -> int:
        """Number of the latest unsolicited result code; `wait_urc` takes it as `after`."""
        with self._state:
            return self._report_count

    def wait_urc(self, prefix: str, timeout: float, after: int | None = None) -> str:
        """The next unsolicited result code that starts with prefix, of those numbered above `after`.

        Without `after` only those that come from now on count. Raises NotSeen at the deadline in seconds,
        SerialPortLost when the port vanishes meanwhile.
        """
        with self._state:
            start = self._report_count if after is None else after
        found: list[str] = []

        def look() -> bool:
            found[:] = [line for number, line in self._reports if number > start and line.startswith(prefix)]
            return bool(found) or bool(self._failure)

        with self._state:
            self._state.wait_for(look, timeout)
            failure = self._failure
        if found:
            return found[0]
        if failure:
            raise self._lost(f"{prefix} within {timeout:g} s", failure)
        raise NotSeen(f"modem {self.port}: expected {prefix} within {timeout:g} s, and it did not come")

    # ---- what keywords ask

    def imei(self) -> str:
        """IMEI, 15 digits with a right check digit (TS 23.003 6.2.1). Raises AtError for anything else."""
        line = self._single("AT+CGSN")
        digits = line.split(":")[-1].strip().strip('"')
        if not (len(digits) == 15 and digits.isdecimal() and luhn_holds(digits)):
            raise AtError(self.port, "AT+CGSN", f"{line} (15 digits with a right check digit were expected)")
        return digits

    def imsi(self) -> str:
        """IMSI of the SIM. Raises AtError "+CME ERROR: 10" without one."""
        line = self._single("AT+CIMI")
        digits = line.split(":")[-1].strip().strip('"')
        if not (digits.isdecimal() and 6 <= len(digits) <= 15):
            raise AtError(self.port, "AT+CIMI", f"{line} (6 to 15 digits were expected)")
        return digits

    def functionality(self, level: int | None = None) -> int:
        """Set AT+CFUN when a level is given (0 minimum, 1 full, 4 RF off), and give the level in force."""
        if level is not None:
            self.command(f"AT+CFUN={level}")
        return self._integer("AT+CFUN?", "+CFUN", self._fields("AT+CFUN?", "+CFUN"), 0)

    def registration(self) -> Registration:
        """EPS registration with location (+CEREG, mode 3 where the modem has it, else 2)."""
        self._report_mode("+CEREG", 3, 2)
        command = "AT+CEREG?"
        values = self._fields(command, "+CEREG")
        stat = self._integer(command, "+CEREG", values, 1)
        try:
            return Registration(
                stat=RegistrationState(stat),
                tac=_hex(values, 2),
                ci=_hex(values, 3),
                act=_decimal(values, 4),
                reject_cause=_decimal(values, 6),
            )
        except ValueError:
            raise AtError(self.port, command, "+CEREG: " + ",".join(values)) from None

    def ims_registration(self) -> ImsRegistration:
        """IMS registration (+CIREG, mode 2). Raises AtError where the modem has no such command."""
        self._report_mode("+CIREG", 2, 1)
        values = self._fields("AT+CIREG?", "+CIREG")
        registered = self._integer("AT+CIREG?", "+CIREG", values, 1)
        return ImsRegistration(registered == 1, _hex(values, 2))

    def pcscf(self, cid: int = 1) -> list[str]:
        """P-CSCF addresses the network gave for a context, IPv6 in colon form (+CGCONTRDP, 10.1.23)."""
        command = f"AT+CGCONTRDP={cid}"
        found: list[str] = []
        for line in self.command(command, "+CGCONTRDP:"):
            for text in _parameters(line)[7:9]:
                if text and (address := self._address(command, line, text)) not in found:
                    found.append(address)
        return found

    def addresses(self, cid: int = 1) -> list[str]:
        """IP addresses of a context, IPv6 in colon form (+CGPADDR)."""
        command = f"AT+CGPADDR={cid}"
        return [
            self._address(command, line, text)
            for line in self.command(command, "+CGPADDR:")
            for text in _parameters(line)[1:]
            if text
        ]

    def signal(self) -> Signal:
        """Signal of the serving cell (+CESQ, 8.69)."""
        values = self._fields("AT+CESQ", "+CESQ")
        rsrq = self._integer("AT+CESQ", "+CESQ", values, 4)
        rsrp = self._integer("AT+CESQ", "+CESQ", values, 5)
        return Signal(
            rsrp_dbm=None if rsrp == 255 else rsrp - 141.0,
            rsrq_db=None if rsrq == 255 else rsrq / 2 - 20.0,
        )

    def operator(self) -> str | None:
        """Numeric PLMN of the network in use ("00101"), None when not registered (+COPS)."""
        self.command("AT+COPS=3,2")
        values = self._fields("AT+COPS?", "+COPS")
        return values[2] if len(values) > 2 else None

    def sim_state(self) -> str:
        """+CPIN: READY, SIM PIN, and so on. Raises AtError "+CME ERROR: 10" without a SIM."""
        return self._fields("AT+CPIN?", "+CPIN")[0]

    # ---- reading answers

    def _report_mode(self, name: str, wanted: int, fallback: int) -> None:
        try:
            self.command(f"AT{name}={wanted}")
        except AtError:
            self.command(f"AT{name}={fallback}")

    def _single(self, command: str) -> str:
        lines = self.command(command)
        if len(lines) != 1:
            raise AtError(self.port, command, f"{lines} (one line was expected)")
        return lines[0]

    def _fields(self, command: str, name: str) -> list[str]:
        lines = self.command(command, f"{name}:")
        if not lines:
            raise AtError(self.port, command, f"OK without a {name}: line")
        return _parameters(lines[-1])

    def _integer(self, command: str, name: str, values: list[str], index: int) -> int:
        try:
            return int(values[index])
        except (IndexError, ValueError):
            raise AtError(self.port, command, f"{name}: {','.join(values)}") from None

    def _address(self, command: str, line: str, text: str) -> str:
        try:
            return parse_address(text)
        except ValueError:
            raise AtError(self.port, command, line) from None


def parse_address(text: str) -> str:
    """An address in 27.007 form (octets in decimal with dots, 4 or 16 of them) or in usual form.

    Raises ValueError for anything else.
    """
    octets = text.split(".")
    if len(octets) == 16:
        return str(ipaddress.IPv6Address(bytes(int(octet) for octet in octets)))
    return str(ipaddress.ip_address(text))


def luhn_holds(digits: str) -> bool:
    """The last digit is the right Luhn check digit (TS 23.003 annex B)."""
    total = 0
    for index, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + index % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _parameters(line: str) -> list[str]:
    """Parameters of an information line, with or without a blank after the colon, quotes taken off."""
    text = line.split(":", 1)[1].strip()
    return [part.strip() for part in next(csv.reader([text], skipinitialspace=True), [])]


def _hex(values: list[str], index: int) -> int | None:
    return int(values[index], 16) if len(values) > index and values[index] else None


def _decimal(values: list[str], index: int) -> int | None:
    return int(values[index]) if len(values) > index and values[index] else None
