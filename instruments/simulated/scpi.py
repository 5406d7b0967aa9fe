"""The language of a simulated instrument: SCPI-99 messages, headers and errors, IEEE 488.2 status.

A dialect declares its commands in SCPI's own notation (`CONFigure:LTE:SIGN<1>:CELL:MCC`); this module frames,
parses, runs them and keeps the error queue. No sockets here: the servers bring octets and take replies.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

MESSAGE_OCTETS: Final = 256 * 1024
QUEUE_LENGTH: Final = 32
NO_ERROR: Final = '0,"No error"'

# SCPI-99 volume 2 chapter 21.8
ERROR_TEXTS: Final[Mapping[int, str]] = {
    -101: "Invalid character",
    -102: "Syntax error",
    -104: "Data type error",
    -108: "Parameter not allowed",
    -109: "Missing parameter",
    -113: "Undefined header",
    -114: "Header suffix out of range",
    -141: "Invalid character data",
    -151: "Invalid string data",
    -161: "Invalid block data",
    -221: "Settings conflict",
    -222: "Data out of range",
    -224: "Illegal parameter value",
    -310: "System error",
    -350: "Queue overflow",
    -363: "Input buffer overrun",
}

# IEEE 488.2 11.5.1.1: bits of the standard event status register
OPERATION_COMPLETE: Final = 0x01
DEVICE_ERROR: Final = 0x08
EXECUTION_ERROR: Final = 0x10
COMMAND_ERROR: Final = 0x20
POWER_ON: Final = 0x80
# IEEE 488.2 11.2.1 and SCPI-99 9: bits of the status byte
ERROR_QUEUED: Final = 0x04
MESSAGE_AVAILABLE: Final = 0x10
EVENT_SUMMARY: Final = 0x20
MASTER_SUMMARY: Final = 0x40


class ScpiError(Exception):
    """An error for the queue. detail is the device dependent part after the semicolon."""

    def __init__(self, number: int, detail: str = "") -> None:
        self.number, self.detail = number, detail
        super().__init__(f"{number} {ERROR_TEXTS[number]} {detail}")

    @property
    def is_command_error(self) -> bool:
        """-1xx: the parser lost its place, the rest of the message is dropped (IEEE 488.2 11.5.1.1.4)."""
        return -200 < self.number <= -100


class Status:
    """Error queue and status registers of the instrument, shared by all its connections."""

    def __init__(self, queue_length: int = QUEUE_LENGTH) -> None:
        self.event_status = POWER_ON
        self.event_enable = 0
        self.service_enable = 0
        self._errors: deque[str] = deque()
        self._length = queue_length

    def report(self, error: ScpiError) -> None:
        """Queue the error and set its bit. A full queue ends in -350 (SCPI-99 21.8.1)."""
        band = {-1: COMMAND_ERROR, -2: EXECUTION_ERROR, -3: DEVICE_ERROR}
        self.event_status |= band[-(abs(error.number) // 100)]
        if len(self._errors) >= self._length:
            self._errors[-1] = f'-350,"{ERROR_TEXTS[-350]}"'
            return
        text = ERROR_TEXTS[error.number]
        detail = error.detail.replace('"', "'")[:120]
        self._errors.append(f'{error.number},"{text};{detail}"' if detail else f'{error.number},"{text}"')

    def next_error(self) -> str:
        """Oldest error, removed from the queue."""
        return self._errors.popleft() if self._errors else NO_ERROR

    def all_errors(self) -> str:
        """Every error, removed from the queue, separated by commas."""
        errors = list(self._errors) or [NO_ERROR]
        self._errors.clear()
        return ",".join(errors)

    def error_count(self) -> int:
        """Errors waiting."""
        return len(self._errors)

    def take_event_status(self) -> int:
        """*ESR?: reading clears."""
        value, self.event_status = self.event_status, 0
        return value

    def clear(self) -> None:
        """*CLS."""
        self.event_status = 0
        self._errors.clear()

    def status_byte(self, message_available: bool = False) -> int:
        """*STB? with the master summary bit."""
        value = ERROR_QUEUED if self._errors else 0
        value |= MESSAGE_AVAILABLE if message_available else 0
        value |= EVENT_SUMMARY if self.event_status & self.event_enable else 0
        return value | (MASTER_SUMMARY if value & self.service_enable else 0)


# ---- octets to messages


class Overrun(NamedTuple):
    """A message longer than the input buffer was thrown away."""

    octets: int


_BLOCK_START = re.compile(rb"[ ,\t]#([1-9])")
_LONGEST_BLOCK_HEAD: Final = 12


def _block_end(data: bytes | bytearray, start: re.Match[bytes]) -> int | None:
    """Where the definite length block ends (488.2 7.7.6); None when its digits are not all there."""
    digits = bytes(data[start.end() : start.end() + int(start[1])])
    if len(digits) < int(start[1]) or not digits.isdigit():
        return None
    return start.end() + len(digits) + int(digits)


class MessageFramer:
    """Cuts a stream into program messages at line feeds, stepping over definite length blocks."""

    def __init__(self, limit: int = MESSAGE_OCTETS) -> None:
        self._buffer = bytearray()
        self._limit = limit
        self._scan = 0
        self._dropped = 0

    def receive(self, data: bytes) -> list[bytes | Overrun]:
        """Take octets, give the whole messages they complete. More than the limit is dropped, not kept."""
        self._buffer += data
        out: list[bytes | Overrun] = []
        while (end := self._terminator()) is not None:
            out.append(self._cut(end))
        if len(self._buffer) > self._limit:
            self._dropped += len(self._buffer)
            self._scan = max(0, self._scan - len(self._buffer))
            self._buffer.clear()
        return out

    def _terminator(self) -> int | None:
        """Index of the next line feed outside a block. `_scan` is where the search goes on."""
        while True:
            newline = self._buffer.find(b"\n", self._scan)
            stop = len(self._buffer) if newline < 0 else newline
            block = _BLOCK_START.search(self._buffer, self._scan, max(stop, self._scan))
            end = _block_end(self._buffer, block) if block else None
            if end is not None:
                self._scan = end
            elif newline >= 0:
                return newline
            else:
                self._scan = max(self._scan, len(self._buffer) - _LONGEST_BLOCK_HEAD)
                return None

    def _cut(self, end: int) -> bytes | Overrun:
        message = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        dropped, self._dropped, self._scan = self._dropped, 0, 0
        if dropped or len(message) > self._limit:
            return Overrun(dropped + len(message))
        return message.rstrip(b"\r")


# ---- messages to units


def split_outside_quotes(text: str, separator: str) -> list[str]:
    """Split at a separator that is not inside a quoted string. Raises ScpiError -151 for an open quote."""
    parts, start, quote = [], 0, ""
    for index, char in enumerate(text):
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char == separator:
            parts.append(text[start:index])
            start = index + 1
    if quote:
        raise ScpiError(-151, text[start:])
    parts.append(text[start:])
    return parts


class Unit(NamedTuple):
    """One program message unit: header nodes in capitals, and its parameters as sent."""

    header: str
    is_query: bool
    parameters: tuple[str, ...]


_HEADER = re.compile(
    r"(\*[A-Za-z]+|:?[A-Za-z][A-Za-z0-9_]*(?::[A-Za-z][A-Za-z0-9_]*)*)(\??)(?:\s+(.*))?$", re.DOTALL
)


def parse_unit(text: str) -> Unit:
    """Read one unit. Raises ScpiError -102 when it has no header, -151 for an open quote."""
    match = _HEADER.match(text)
    if match is None:
        raise ScpiError(-102, text)
    header, query, rest = match.groups()
    tail = (rest or "").strip()
    parameters = tuple(part.strip() for part in split_outside_quotes(tail, ",")) if tail else ()
    return Unit(header.upper(), bool(query), parameters)


# ---- parameters


def a_string(text: str) -> str:
    """String program data (488.2 7.7.5)."""
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1].replace(text[0] * 2, text[0])
    raise ScpiError(-104, f"string expected: {text}")


def a_number(text: str, low: float, high: float) -> float:
    """Decimal numeric data within low..high (both included)."""
    if text.startswith("#"):
        return float(an_integer(text, int(low), int(high)))
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", text):
        raise ScpiError(-104, f"number expected: {text}")
    value = float(text)
    if not low <= value <= high:
        raise ScpiError(-222, f"{text} not in {low:g}..{high:g}")
    return value


_RADIX: Final[Mapping[str, int]] = {"B": 2, "Q": 8, "H": 16}


def an_integer(text: str, low: int, high: int) -> int:
    """Whole number, decimal or non-decimal (`#B101`, `#H1F`; 488.2 7.7.4)."""
    if text.startswith("#"):
        try:
            value = int(text[2:66], _RADIX[text[1:2].upper()])
        except (KeyError, ValueError):
            raise ScpiError(-104, f"number expected: {text}") from None
    else:
        value = round(a_number(text, -1e300, 1e300))
    if not low <= value <= high:
        raise ScpiError(-222, f"{text} not in {low}..{high}")
    return value


def a_choice(text: str, choices: Sequence[str]) -> str:
    """Character data: one of choices in SCPI notation (`THRee`). Gives the short form."""
    for choice in choices:
        if text.upper() in (choice.upper(), short_form(choice)):
            return short_form(choice)
    if re.fullmatch(r"[A-Za-z]\w*", text):
        raise ScpiError(-224, text)
    raise ScpiError(-104, f"character data expected: {text}")


def a_switch(text: str) -> bool:
    """Boolean: ON, OFF, 1, 0."""
    return a_choice({"1": "ON", "0": "OFF"}.get(text, text), ("ON", "OFF")) == "ON"


def short_form(mnemonic: str) -> str:
    """Short form of a mnemonic in SCPI notation: its capitals and digits."""
    return "".join(char for char in mnemonic if not char.islower())


# ---- commands

Setter = Callable[[tuple[str, ...]], None]
Reader = Callable[[], "str | Awaitable[str]"]


@dataclass(frozen=True, slots=True)
class Command:
    """One declared command.

    header: SCPI notation; capitals are the short form, `<2>` allows a suffix up to 2, `[:X]` is optional.
    parameters: how many the setting form takes. write and read: what it does; None when it has no such form.
    """

    header: str
    write: Setter | None = None
    read: Reader | None = None
    parameters: int = 1


_PATTERN_NODE = re.compile(r"([A-Za-z0-9]+?)(?:<(\d+)>)?")


@dataclass(slots=True)
class _Node:
    command: Command | None = None
    children: dict[str, _Node] = field(default_factory=dict)
    suffixed: dict[str, _Node] = field(default_factory=dict)
    highest_suffix: int = 1


def _variants(header: str) -> list[str]:
    """Headers with each optional node left out and kept."""
    match = re.search(r"\[(:[^\]]+)\]", header)
    if match is None:
        return [header]
    before, after = header[: match.start()], header[match.end() :]
    return _variants(before + after) + _variants(before + match.group(1) + after)


class CommandTree:
    """Finds a command by its header, long or short form, any case."""

    def __init__(self, commands: Iterable[Command]) -> None:
        self._root = _Node()
        for command in commands:
            for variant in _variants(command.header):
                self._add(variant, command)

    def _add(self, header: str, command: Command) -> None:
        node = self._root
        for text in header.split(":"):
            match = _PATTERN_NODE.fullmatch(text.removeprefix("*"))
            assert match is not None, header
            star = "*" if text.startswith("*") else ""
            names = {star + match[1].upper(), star + short_form(match[1])}
            known = node.suffixed if match[2] else node.children
            child = next((known[name] for name in names if name in known), None) or _Node()
            known.update(dict.fromkeys(names, child))
            child.highest_suffix = int(match[2] or 1)
            node = child
        node.command = command

    def find(self, path: Sequence[str]) -> Command | None:
        """The command at path. Raises ScpiError -114 for a suffix the instrument does not have."""
        node: _Node | None = self._root
        for text in path:
            assert node is not None
            node = node.children.get(text) or self._by_suffix(node, text)
            if node is None:
                return None
        return node.command if node else None

    @staticmethod
    def _by_suffix(node: _Node, text: str) -> _Node | None:
        name = text.rstrip("0123456789")
        child = node.suffixed.get(text) or node.suffixed.get(name)
        if child is not None and not 1 <= int(text[len(name) :][:9] or 1) <= child.highest_suffix:
            raise ScpiError(-114, text)
        return child


class Interpreter:
    """Runs program messages of one connection against the instrument's commands."""

    def __init__(self, tree: CommandTree, status: Status) -> None:
        self._tree, self._status = tree, status

    async def run(self, message: bytes | Overrun) -> bytes:
        """Run one message, give the response octets (b"" when it asked nothing, or only got errors)."""
        replies: list[str] = []
        try:
            if isinstance(message, Overrun):
                raise ScpiError(-363, f"{message.octets} octets")
            await self._run_units(self._readable(message), replies)
        except ScpiError as error:
            self._status.report(error)
        return ";".join(replies).encode("ascii", "replace") + b"\n" if replies else b""

    @staticmethod
    def _readable(message: bytes) -> str:
        text = message.decode("latin-1")
        if (block := _BLOCK_START.search(message)) and _block_end(message, block) is not None:
            raise ScpiError(-104, f"no command takes a block: {text[: block.start()]}")
        if not all(char.isprintable() or char == "\t" for char in text) or not text.isascii():
            raise ScpiError(-101, text.encode("ascii", "backslashreplace").decode("ascii"))
        return text

    async def _run_units(self, text: str, replies: list[str]) -> None:
        path: tuple[str, ...] = ()
        for part in split_outside_quotes(text, ";"):
            if not part.strip():
                continue
            unit = parse_unit(part.strip())
            nodes = (unit.header,) if unit.header.startswith("*") else self._absolute(unit.header, path)
            try:
                command = self._tree.find(nodes)
                reply = await self._run(unit, command)
            except ScpiError as error:
                if error.is_command_error:
                    raise
                self._status.report(error)
                reply = None
            if reply is not None:
                replies.append(reply)
            if not unit.header.startswith("*"):
                path = nodes[:-1]

    @staticmethod
    def _absolute(header: str, path: tuple[str, ...]) -> tuple[str, ...]:
        """SCPI-99 volume 1 6.2.4: a header without a leading colon goes on where the last one was."""
        nodes = tuple(header.removeprefix(":").split(":"))
        return nodes if header.startswith(":") else path + nodes

    async def _run(self, unit: Unit, command: Command | None) -> str | None:
        if unit.is_query:
            if command is None or command.read is None:
                raise ScpiError(-113, unit.header + "?")
            if unit.parameters:
                raise ScpiError(-108, unit.parameters[0])
            reply = command.read()
            return reply if isinstance(reply, str) else await reply
        if command is None or command.write is None:
            raise ScpiError(-113, unit.header)
        if len(unit.parameters) < command.parameters:
            raise ScpiError(-109, unit.header)
        if len(unit.parameters) > command.parameters:
            raise ScpiError(-108, unit.parameters[command.parameters])
        command.write(unit.parameters)
        return None


def status_commands(
    status: Status, identity: str, reset: Callable[[], None], completed: Callable[[], Awaitable[None]]
) -> list[Command]:
    """The IEEE 488.2 common commands and SYSTem:ERRor. `completed` waits until no operation is pending."""

    async def opc_query() -> str:
        await completed()
        return "1"

    def set_event_enable(parameters: tuple[str, ...]) -> None:
        status.event_enable = an_integer(parameters[0], 0, 255)

    def set_service_enable(parameters: tuple[str, ...]) -> None:
        status.service_enable = an_integer(parameters[0], 0, 255)

    def opc(_: tuple[str, ...]) -> None:
        status.event_status |= OPERATION_COMPLETE

    return [
        Command("*IDN", read=lambda: identity),
        Command("*RST", write=lambda _: reset(), parameters=0),
        Command("*CLS", write=lambda _: status.clear(), parameters=0),
        Command("*OPC", write=opc, read=opc_query, parameters=0),
        Command("*WAI", write=lambda _: None, parameters=0),
        Command("*TST", read=lambda: "0"),
        Command("*ESR", read=lambda: str(status.take_event_status())),
        Command("*ESE", write=set_event_enable, read=lambda: str(status.event_enable)),
        Command("*SRE", write=set_service_enable, read=lambda: str(status.service_enable)),
        Command("*STB", read=lambda: str(status.status_byte())),
        Command("SYSTem:ERRor[:NEXT]", read=status.next_error),
        Command("SYSTem:ERRor:ALL", read=status.all_errors),
        Command("SYSTem:ERRor:COUNt", read=lambda: str(status.error_count())),
        Command("SYSTem:VERSion", read=lambda: "1999.0"),
    ]
