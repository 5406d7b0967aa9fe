"""The head of a message: start line and header fields (RFC 3261 7.1 to 7.3).

Reading finds the rows and their names. Offsets, texts and faults are made on first use, from the same rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate, pairwise, repeat
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from harness.sip.fault import Fault
from harness.sip.grammar import is_token, octets
from harness.sip.headers import COMPACT_FORMS, KNOWN_HEADERS, SINGLE_HEADERS, header_key
from harness.sip.start_line import StartLine, read_start_line

HEADER_END = re.compile(rb"\r?\n\r?\n")
_BLANK = re.compile(rb"(?:\r?\n)+")
_FIELD_END = re.compile(rb"\r?\n(?![ \t])")
_FOLD = re.compile(rb"(?<![ \t])(?:[ \t]*+\r?\n[ \t]++)++")
_LINE_ENDS = re.compile(r"[\r\n]+")
_LEADING = re.compile(rb"[ \t\r\n]*+")
_CONTROLS = bytes({*range(0x20), 0x7F} - {*b"\t\r\n"})
_ALONE = (
    (re.compile(rb"(?<!\r)\n"), "LF without CR"),
    (re.compile(rb"\r(?!\n)"), "CR without LF"),
)
_CONTROL = re.compile(rb"(?<!\\)[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


Numbers = Mapping[str | None, tuple[int, ...]]


class HeaderField(NamedTuple):
    """One header field row.

    name is as sent, canonical the long form in registered capitalisation when known; value is unfolded and
    trimmed; offset is the octet of the name from the start of the message; raw is the whole field with its
    line ends and folded lines.
    """

    name: str
    canonical: str
    value: str
    offset: int
    raw: bytes

    def octet(self, index: int = 0) -> int:
        """The octet of the message where the character `index` of value stands, folding accounted for."""
        leading = _LEADING.match(self.raw, self.raw.find(b":") + 1)
        place = leading.end() if leading else 0
        wanted = octets(self.value[:index])
        for fold in _FOLD.finditer(self.raw, place):
            if fold.start() - place >= wanted:
                break
            wanted -= fold.start() - place + 1  # a fold counts as one space
            place = fold.end()
            wanted = max(wanted, 0)
        return self.offset + min(place + wanted, len(self.raw))


class Head:
    """Start line and header fields. Rows are counted from 0; one that is no header field has no key.

    line is what start_line says, which is without its line end. rows are the octets of the fields with their
    line ends, keys what headers.header_key makes of their names. proper: every row ends with CRLF, and no CR
    or LF stands alone. numbers are the rows of each key, in order.
    """

    __slots__ = (
        "_before", "_fields", "_offset", "body_offset", "keys", "line", "numbers", "proper", "rows",
        "start_line",
    )  # fmt: skip

    def __init__(
        self,
        line: StartLine,
        start_line: bytes,
        offset: int,
        rows: tuple[bytes, ...],
        keys: tuple[str | None, ...],
        body_offset: int,
        proper: bool,
        before: Sequence[Fault] = (),
    ) -> None:
        self.line, self.start_line, self.rows = line, start_line, rows
        self.keys, self.numbers = _numbered_again(keys) if len(keys) <= _MOST_KEPT else _numbered(keys)
        self.body_offset, self.proper = body_offset, proper
        self._offset, self._before = offset, before
        self._fields: tuple[HeaderField, ...] | None = None

    def first(self, key: str) -> int | None:
        """The first row with that key, None when there is none."""
        numbers = self.numbers.get(key)
        return numbers[0] if numbers else None

    def text(self, number: int) -> str:
        """The value of a row, unfolded and trimmed; octets that are no UTF-8 as escapes."""
        return value_of(self.rows[number])

    def field(self, number: int) -> HeaderField:
        """A row that has a key, as a field."""
        if self._fields is None:
            places = accumulate(map(len, self.rows), initial=self._offset)
            self._fields = tuple(map(_field, self.rows, self.keys, places))
        return self._fields[number]

    @property
    def field_count(self) -> int:
        """How many rows are header fields."""
        return len(self.rows) - len(self.numbers.get(None, ()))

    @property
    def fields(self) -> tuple[HeaderField, ...]:
        """The rows that are header fields, in order."""
        return tuple(self.field(number) for number, key in enumerate(self.keys) if key is not None)

    def octets(self) -> bytes:
        """The head as it is on the wire, the empty line with it."""
        return b"".join((self.start_line, b"\r\n", *self.rows, b"\r\n"))

    def tidied(self) -> Head:
        """The same without rows that are no header fields, and each row with proper line ends."""
        tidy = self.proper and None not in self.numbers and self._offset == len(self.start_line) + 2
        if tidy and not self._before:
            return self
        rows = [_tidied(row) for row, key in zip(self.rows, self.keys, strict=True) if key is not None]
        return written_head(self.start_line, rows, [key for key in self.keys if key is not None])

    def with_rows(self, rows: Iterable[bytes], keys: Iterable[str | None]) -> Head:
        """A tidy head with other rows."""
        kept, offset = tuple(rows), self._offset
        end = offset + sum(map(len, kept)) + 2
        return Head(
            self.line, self.start_line, offset, kept, tuple(keys), end, proper=True, before=self._before
        )

    def faults(self) -> list[Fault]:
        """What is wrong with start line, line ends and rows."""
        block = b"".join(self.rows)
        lines = _line_faults(block, self._offset, self.proper)
        return [*self._before, *lines, *self._row_faults(block.isascii())]

    def _row_faults(self, ascii_only: bool) -> list[Fault]:
        if ascii_only and None not in self.numbers and len(self.numbers) == len(self.keys):
            return []
        faults: list[Fault] = []
        seen: set[str] = set()
        place = self._offset
        for row, key in zip(self.rows, self.keys, strict=True):
            if key is None:
                text = f"no header field: {row[:60].decode('utf-8', 'backslashreplace')!r}"
                faults.append(Fault("header", place, "RFC 3261 7.3.1", text))
            else:
                faults += _octet_faults(row, key, place)
                if key in SINGLE_HEADERS and key in seen:
                    faults.append(Fault(key, place, "RFC 3261 7.3.1", "occurs more than once"))
                seen.add(key)
            place += len(row)
        return faults


class UnreadHead(Head):
    """That of a message as it was written, read when somebody asks: most responses are only sent."""

    __slots__ = ("_message",)

    def __init__(self, message: bytes) -> None:
        self._message = message

    if not TYPE_CHECKING:  # a type checker would take any attribute for one that is there

        def __getattr__(self, name: str) -> object:
            if name not in Head.__slots__:
                raise AttributeError(f"a head has no {name}")
            read = read_head(self._message)
            for slot in Head.__slots__:
                setattr(self, slot, getattr(read, slot))
            return getattr(self, name)


def read_head(data: bytes) -> Head:
    """The head of the message that data starts with. Raises SipSyntaxError without a usable start line."""
    faults: list[Fault] = []
    start = _skip_blank(data, faults) if data[:1] in b"\r\n" else 0
    first, end = data.find(b"\n", start) + 1, data.find(b"\r\n\r\n", start) + 2
    body_offset = end + 2
    block = data[first:end]
    rows = block.splitlines(keepends=True)
    names = map(_FIRST, map(bytes.partition, rows, repeat(b":")))
    keys = list(map(_KEYS.get, names))
    proper = 0 < first <= end and block.count(b"\r\n") == len(rows)
    if not proper or None in keys:  # a folded line, another line end, a name not met yet, or no header
        first, end, body_offset = _bounds(data, start, faults)
        block = data[first:end]
        rows = _unfolded(block)
        keys = [_key(row) for row in rows]
        proper = block.count(b"\r\n") == block.count(b"\n") == block.count(b"\r") and block[-1:] in b"\n"
    start_line = data[start:first].rstrip(b"\r\n")
    line = read_start_line(start_line, start, faults)
    return Head(line, start_line, first, tuple(rows), tuple(keys), body_offset, proper, faults)


def written_head(start_line: bytes, rows: Iterable[bytes], keys: Iterable[str | None]) -> Head:
    """The head a receiver reads from these rows, each a field that ends with CRLF."""
    faults: list[Fault] = []
    line = read_start_line(start_line, 0, faults)
    return Head(line, start_line, len(start_line) + 2, (), (), 0, True, faults).with_rows(rows, keys)


def _skip_blank(data: bytes, faults: list[Fault]) -> int:
    blank = _BLANK.match(data)
    if blank is None:
        return 0
    faults.append(Fault("start line", 0, "RFC 3261 7.5", "empty lines before the start line"))
    return blank.end()


def _bounds(data: bytes, start: int, faults: list[Fault]) -> tuple[int, int, int]:
    """Where the header fields start, where they end, and where the body starts."""
    empty = HEADER_END.search(data, start)
    if empty is None:
        end = body_offset = len(data)
        faults.append(Fault("message", len(data), "RFC 3261 7", "no empty line after the headers"))
    else:
        end, body_offset = data.index(b"\n", empty.start()) + 1, empty.end()
    return (data.find(b"\n", start, end) + 1) or end, end, body_offset


def _unfolded(block: bytes) -> list[bytes]:
    """The rows of fields, each with the lines folded into it."""
    places = [0, *(match.end() for match in _FIELD_END.finditer(block))]
    if places[-1] < len(block):
        places.append(len(block))
    return [block[start:end] for start, end in pairwise(places)]


# Names as sent and their keys: the registered ones, and others as they come, a few hundred at most.
_KEYS: dict[bytes, str] = {name.encode(): header_key(name) for name in (*KNOWN_HEADERS, *COMPACT_FORMS)}
_MOST_KEYS = 1024
_FIRST = itemgetter(0)


def _key(row: bytes) -> str | None:
    """The key of a row, None when it is no header field."""
    name, colon, _ = row.partition(b":")
    name = name.rstrip(b" \t")
    key = _KEYS.get(name)
    if key is None:
        text = name.decode("utf-8", "backslashreplace")
        if not is_token(text):
            return None
        key = header_key(text)
        if len(_KEYS) < _MOST_KEYS and len(name) < 64:
            _KEYS[name] = key
    return key if colon else None


def _numbered(keys: tuple[str | None, ...]) -> tuple[tuple[str | None, ...], Numbers]:
    """The keys, and the rows of each."""
    numbers: dict[str | None, list[int]] = {}
    for number, key in enumerate(keys):
        numbers.setdefault(key, []).append(number)
    return keys, {key: tuple(rows) for key, rows in numbers.items()}


# A sender writes its headers in the same order in message after message, which then share keys and numbers.
_numbered_again = lru_cache(maxsize=512)(_numbered)
_MOST_KEPT = 64  # rows


def value_of(row: bytes) -> str:
    """The value of a row, unfolded and trimmed; octets that are no UTF-8 as escapes."""
    value = row.partition(b":")[2].strip(b" \t\r\n")
    if b"\n" in value:
        value = _FOLD.sub(b" ", value)
    return value.decode("utf-8", "backslashreplace")


def name_of(row: bytes) -> str:
    """The name of a row as it was sent."""
    return row.partition(b":")[0].rstrip(b" \t").decode("utf-8", "backslashreplace")


def _tidied(row: bytes) -> bytes:
    """A row as it was received when its line ends are proper, else written anew."""
    if row.endswith(b"\r\n") and row.count(b"\n") == row.count(b"\r") == row.count(b"\r\n"):
        return row
    value = _LINE_ENDS.sub(" ", value_of(row))
    return f"{name_of(row)}: {value}\r\n".encode()


def _field(row: bytes, key: str | None, offset: int) -> HeaderField:
    name = name_of(row)
    canonical = key if key in KNOWN_HEADERS else name
    return HeaderField(name, canonical, value_of(row), offset, row)


def _line_faults(block: bytes, start: int, proper: bool) -> list[Fault]:
    faults: list[Fault] = []
    if len(block.translate(None, _CONTROLS)) < len(block):
        control = _CONTROL.search(block)  # "\\" before it makes a quoted-pair
        if control:
            place, text = start + control.start(), f"control character {control[0]!r}"
            faults.append(Fault("header", place, "RFC 3261 25.1", text))
    for alone, name in () if proper else _ALONE:
        bare = alone.search(block)
        if bare:
            faults.append(Fault("header", start + bare.start(), "RFC 3261 7", name))
    if block[:1] in (b" ", b"\t"):
        faults.append(Fault("header", start, "RFC 3261 7.3.1", "first header line starts with white space"))
    return faults


def _octet_faults(row: bytes, key: str, offset: int) -> list[Fault]:
    if row.isascii():
        return []
    try:
        row.decode("utf-8")
    except UnicodeDecodeError as error:
        what = _field(row, key, offset).canonical
        return [Fault(what, offset + error.start, "RFC 3261 7.3.1", "not UTF-8")]
    return []
