"""Multipart bodies (RFC 2046 section 5.1): split into parts with offsets, and build."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from harness.bodies.fault import Fault
from harness.bodies.mime import (
    Line,
    MimeField,
    parse_mime_fields,
    read_line,
    write_mime_fields,
)
from harness.bodies.mime_content import MimeContent
from harness.errors import BodySyntaxError

_CLAUSE = "RFC 2046 5.1.1"
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")


class MultipartFault(StrEnum):
    """What can be wrong with a multipart body that is still readable (values of Fault.what)."""

    NOT_CLOSED = "close delimiter"
    LINE_END = "line end"
    PART = "part"
    MIME_HEADER = "MIME header"


@dataclass(frozen=True, slots=True)
class Part(MimeContent):
    """One body part. Offsets count from the start of the multipart body; raw is headers and content."""

    mime: tuple[MimeField, ...]
    content: bytes
    offset: int
    content_offset: int
    raw: bytes

    @property
    def disposition(self) -> str | None:
        """Content-Disposition without its parameters, in lower case."""
        value = self.mime_get("Content-Disposition")
        return None if value is None else value.partition(";")[0].strip().lower()


@dataclass(frozen=True, slots=True)
class Multipart:
    """A multipart body taken apart. closed: the close delimiter was there."""

    raw: bytes
    boundary: str
    preamble: bytes
    parts: tuple[Part, ...]
    epilogue: bytes
    closed: bool
    faults: tuple[Fault, ...] = ()


def split_multipart(data: bytes, boundary: str) -> Multipart:
    """Take a multipart body apart. Raises BodySyntaxError when the boundary is empty or stands nowhere."""
    delimiters = list(_delimiters(data, boundary)) if boundary else []
    if not delimiters:
        raise BodySyntaxError("boundary", boundary, 0, _CLAUSE, "no delimiter line in the body")
    faults: list[Fault] = []
    parts: list[Part] = []
    closed = False
    epilogue = b""
    for index, match in enumerate(delimiters):
        if match[1]:
            closed, epilogue = True, data[match.end() :]
            break
        last = index + 1 == len(delimiters)
        end = len(data) if last else delimiters[index + 1].start()
        start = read_line(data, match.end()).next_offset
        if start >= len(data) and last:
            break
        if data[match.end() : match.end() + 2] != b"\r\n":
            faults.append(Fault(MultipartFault.LINE_END, match.end(), _CLAUSE, ""))
        if start > end:
            faults.append(Fault(MultipartFault.PART, start, _CLAUSE, "no header, no empty line, no content"))
        parts.append(_part(data, start, max(start, end), faults))
    if not closed:
        faults.append(Fault(MultipartFault.NOT_CLOSED, len(data), _CLAUSE, boundary))
    preamble = data[: delimiters[0].start()]
    return Multipart(data, boundary, preamble, tuple(parts), epilogue, closed, tuple(faults))


def build_multipart(
    parts: Iterable[tuple[Iterable[tuple[str, str]], bytes]],
    boundary: str,
    *,
    preamble: bytes = b"",
    epilogue: bytes = b"",
    strict: bool = True,
) -> bytes:
    """Write (headers, content) parts between delimiters, without a line end after the close delimiter.

    strict refuses, with BodySyntaxError, a boundary RFC 2046 does not allow, content in which it occurs at
    the start of a line, and no part at all.
    """
    written = [(write_mime_fields(headers, strict=strict), content) for headers, content in parts]
    if strict:
        _refuse(boundary, [preamble, *(item for part in written for item in part)], empty=not written)
    mark = b"--" + boundary.encode("utf-8", "surrogatepass")
    lead = preamble + b"\r\n" if preamble else b""
    body = b"\r\n".join(mark + b"\r\n" + fields + b"\r\n" + content for fields, content in written)
    return lead + body + b"\r\n" + mark + b"--" + epilogue


def _refuse(boundary: str, texts: list[bytes], *, empty: bool) -> None:
    if not _BOUNDARY.fullmatch(boundary):
        raise BodySyntaxError("boundary", boundary, 0, _CLAUSE)
    if empty:
        raise BodySyntaxError("multipart", "", 0, _CLAUSE, "no part")
    mark = b"--" + boundary.encode("ascii")
    for text in texts:
        if text.startswith(mark) or b"\n" + mark in text:
            raise BodySyntaxError("boundary", boundary, 0, _CLAUSE, "occurs in the content")


def _delimiters(data: bytes, boundary: str) -> Iterable[re.Match[bytes]]:
    mark = re.escape(boundary.encode("utf-8", "surrogatepass"))
    return re.finditer(rb"(?:\A|\r\n|\n)--" + mark + rb"(--)?[ \t]*(?=\r\n|\n|\Z)", data)


def _part(data: bytes, start: int, end: int, faults: list[Fault]) -> Part:
    raw = data[start:end]
    lines: list[Line] = []
    offset = 0
    while offset < len(raw):
        line = read_line(raw, offset)
        offset = line.next_offset
        if not line.text:
            break
        lines.append(Line(line.text, line.end, start + line.offset))
    fields, found = parse_mime_fields(lines)
    faults += [Fault(MultipartFault.MIME_HEADER, item.offset, item.clause, item.text) for item in found]
    return Part(tuple(fields), raw[offset:], start, start + offset, raw)
