"""MIME header fields inside CPIM and multipart bodies (RFC 2045, folding as RFC 5322 2.2.3)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from harness.bodies.fault import Fault
from harness.errors import BodySyntaxError

TOKEN = re.compile(r"[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]+")
_LINE = re.compile(rb"([^\r\n]*(?:\r(?!\n)[^\r\n]*)*)(\r\n|\n|\Z)")
_FIELD = re.compile(r"([!-9;-~]+)[ \t]*:[ \t]*(.*)", re.DOTALL)
_PARAMETER = re.compile(r""";\s*+([^\s=;"]+)\s*+=\s*+("(?:[^"\\]|\\.)*"|[^;]*)""", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class MimeField(NamedTuple):
    """One MIME header field: name as sent, value unfolded and trimmed, raw octets with line ends."""

    name: str
    value: str
    offset: int
    raw: bytes


class Line(NamedTuple):
    """One line: its text without the line end, the line end, and where it starts."""

    text: bytes
    end: bytes
    offset: int

    @property
    def next_offset(self) -> int:
        return self.offset + len(self.text) + len(self.end)


@dataclass(frozen=True, slots=True)
class ContentType:
    """type and subtype in lower case and the parameters, names in lower case (RFC 2045 5.1)."""

    type: str
    subtype: str
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def essence(self) -> str:
        return f"{self.type}/{self.subtype}"

    def __str__(self) -> str:
        return self.essence + "".join(f";{name}={_written(value)}" for name, value in self.parameters.items())


def parse_content_type(text: str, offset: int = 0) -> ContentType:
    """Read the value of Content-Type. Raises BodySyntaxError when there is no type/subtype."""
    essence, semicolon, _ = text.partition(";")
    kind, slash, subtype = essence.strip().lower().partition("/")
    if not slash or not TOKEN.fullmatch(kind) or not TOKEN.fullmatch(subtype):
        raise BodySyntaxError("Content-Type", text, offset, "RFC 2045 5.1")
    return ContentType(kind, subtype, parse_mime_parameters(text[len(essence) :] if semicolon else ""))


def parse_mime_parameters(text: str) -> dict[str, str]:
    """Read `;name=value` pairs; the first of a name counts, what is no pair is passed over."""
    found: dict[str, str] = {}
    for match in _PARAMETER.finditer(text):
        value = match[2].strip()
        if len(value) >= 2 and value[0] == value[-1] == '"':
            value = re.sub(r"\\(.)", r"\1", value[1:-1], flags=re.DOTALL)
        found.setdefault(match[1].lower(), value)
    return found


def read_line(data: bytes, offset: int) -> Line:
    """The line that starts at offset, ended by CRLF, LF or the end of the data."""
    match = _LINE.match(data, offset)
    assert match is not None  # the pattern matches the empty text too
    return Line(match[1], match[2], offset)


def looks_like_field(line: bytes) -> bool:
    """Whether a line reads as `name: value`."""
    return _FIELD.fullmatch(line.decode("utf-8", "replace")) is not None


def parse_mime_fields(lines: Iterable[Line]) -> tuple[list[MimeField], list[Fault]]:
    """Read header lines (without the empty one), joining folded ones."""
    groups: list[list[Line]] = []
    faults: list[Fault] = []
    for line in lines:
        if line.text[:1] in (b" ", b"\t") and groups:
            groups[-1].append(line)
        else:
            groups.append([line])
    fields = []
    for group in groups:
        text = b"".join(line.text for line in group).decode("utf-8", "replace")
        match = _FIELD.fullmatch(text)
        if match is None:
            faults.append(Fault("MIME header", group[0].offset, "RFC 2045 3", text[:80]))
            continue
        raw = b"".join(line.text + line.end for line in group)
        fields.append(MimeField(match[1], match[2].strip(" \t"), group[0].offset, raw))
    return fields, faults


def mime_value(fields: Iterable[MimeField], name: str) -> str | None:
    """The value of the first field of that name in any case."""
    wanted = name.lower()
    for item in fields:
        if item.name.lower() == wanted:
            return item.value
    return None


def write_mime_fields(fields: Iterable[tuple[str, str]], *, strict: bool = True) -> bytes:
    """Write header lines, each with its CRLF. strict refuses bad names, line ends and control characters."""
    written = []
    for name, value in fields:
        if strict and not TOKEN.fullmatch(name):
            raise BodySyntaxError("MIME header name", name, 0, "RFC 2045 3")
        if strict and (_CONTROL.search(value) or value != value.strip(" \t")):
            raise BodySyntaxError(f"{name} value", value, 0, "RFC 2045 3")
        written.append(encode_text(f"{name}: {value}", strict=strict) + b"\r\n")
    return b"".join(written)


def encode_text(text: str, *, strict: bool = True) -> bytes:
    """Text as UTF-8. A lone surrogate is refused when strict, else written although it is no UTF-8."""
    try:
        return text.encode("utf-8", "strict" if strict else "surrogatepass")
    except UnicodeEncodeError as error:
        raise BodySyntaxError("text", ascii(text), 0, "RFC 3629 3", "a lone surrogate") from error


def _written(value: str) -> str:
    if TOKEN.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
