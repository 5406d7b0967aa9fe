"""SDP attributes that describe a file to be transferred (RFC 5547 6)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import TypeVar

from harness.bodies.mime import TOKEN
from harness.bodies.session_description import Attribute, MediaDescription
from harness.errors import BodySyntaxError

_CLAUSE = "RFC 5547 6"

HASHES: Mapping[str, str] = {
    "md5": "md5",
    "sha-1": "sha1",
    "sha-224": "sha224",
    "sha-256": "sha256",
    "sha-384": "sha384",
    "sha-512": "sha512",
}
"""Names of the IANA registry "Hash Function Textual Names", and what computes them (RFC 5547 6)."""

_TEXT = r'"([^"\x00\r\n]*)"'
_NAME = re.compile(rf"name:{_TEXT}")
_TYPE = re.compile(rf"type:({TOKEN.pattern}/{TOKEN.pattern}(?:;{TOKEN.pattern}={_TEXT})*)")
_SIZE = re.compile(r"size:([0-9]{1,19})")
_HASH = re.compile(rf"hash:({TOKEN.pattern}):([0-9A-Fa-f]{{2}}(?::[0-9A-Fa-f]{{2}})*)")
_OTHER = re.compile(rf"(?!(?:name|type|size|hash):){TOKEN.pattern}:(?:{_TEXT}|[^ \"]+)")
_RANGE = re.compile(r"([1-9][0-9]{0,18})-([1-9][0-9]{0,18}|\*)")
_DATE = re.compile(rf"(creation|modification|read):{_TEXT}(?: |\Z)")
_ZONE = re.compile(r"[+-][0-9]{4}")
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")
# What a name must not hold as it is: what the grammar excludes, and directory separators.
_ENCODED = re.compile(r'[\x00\r\n"%/\\]')

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class FileHash:
    """A hash of the whole file. algorithm in lower case ("sha-1"), digest in octets."""

    algorithm: str
    digest: bytes

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.digest.hex(':').upper()}"

    @classmethod
    def of(cls, pieces: Iterable[bytes], *algorithms: str) -> tuple[FileHash, ...]:
        """The hashes of a file, read once; an algorithm nobody here knows has none."""
        found = {
            name: hashlib.new(HASHES[name], usedforsecurity=False) for name in algorithms if name in HASHES
        }
        for piece in pieces:
            for each in found.values():
                each.update(piece)
        return tuple(cls(name, each.digest()) for name, each in found.items())


@dataclass(frozen=True, slots=True)
class FileSelector:
    """a=file-selector: what is known of the file.

    name is decoded, and may hold what means a directory here: never use it as a path. type is a media type,
    its parameters as written in SDP. size in octets of the file alone, without wrapper. Without any selector
    the attribute only says that file transfer is understood (RFC 5547 8.5).
    """

    name: str | None = None
    type: str | None = None
    size: int | None = None
    hashes: tuple[FileHash, ...] = ()

    def selects(self, file: FileSelector) -> bool:
        """Whether it is a file of which all is known (8.3.2); a hash by a function not tried fits none."""
        return (
            self.name in (None, file.name)
            and self.size in (None, file.size)
            and (self.type is None or (file.type is not None and _essence(self.type) == _essence(file.type)))
            and all(each in file.hashes for each in self.hashes)
        )

    def __bool__(self) -> bool:
        return any(part is not None for part in (self.name, self.type, self.size)) or bool(self.hashes)

    def __str__(self) -> str:
        parts = [
            *(() if self.name is None else (f'name:"{_encode(self.name)}"',)),
            *(() if self.type is None else (f"type:{self.type}",)),
            *(() if self.size is None else (f"size:{self.size}",)),
            *(f"hash:{each}" for each in self.hashes),
        ]
        return " ".join(parts)


@dataclass(frozen=True, slots=True)
class FileRange:
    """a=file-range: octets of the file, counted from 1, both ends included; stop None for `*`."""

    start: int
    stop: int | None = None

    def __str__(self) -> str:
        return f"{self.start}-{'*' if self.stop is None else self.stop}"


@dataclass(frozen=True, slots=True)
class FileDates:
    """a=file-date: aware datetimes."""

    creation: datetime | None = None
    modification: datetime | None = None
    read: datetime | None = None

    def __str__(self) -> str:
        named = (("creation", self.creation), ("modification", self.modification), ("read", self.read))
        return " ".join(f'{name}:"{_written_date(date)}"' for name, date in named if date is not None)


@dataclass(frozen=True, slots=True)
class FileDescription:
    """All that one media description says about its file. icon is a Content-ID without brackets."""

    selector: FileSelector
    transfer_id: str | None = None
    disposition: str | None = None
    dates: FileDates | None = None
    icon: str | None = None
    range: FileRange | None = None

    @property
    def attributes(self) -> tuple[Attribute, ...]:
        """As attributes of a media description, in the order of the RFC's examples."""
        values = (
            ("file-transfer-id", self.transfer_id),
            ("file-disposition", self.disposition),
            ("file-date", self.dates),
            ("file-icon", None if self.icon is None else f"cid:{self.icon}"),
            ("file-range", self.range),
        )
        others = tuple(Attribute(name, str(value)) for name, value in values if value is not None)
        return (Attribute("file-selector", str(self.selector) or None), *others)


def read_file(media: MediaDescription) -> FileDescription | None:
    """The file of a media description; None without file-selector. Raises BodySyntaxError for a bad value."""
    selector = media.attribute("file-selector")
    if selector is None:
        return None
    return FileDescription(
        parse_file_selector(selector.value or "", selector.value_offset),
        transfer_id=_read(media, "file-transfer-id", _token),
        disposition=_read(media, "file-disposition", _token),
        dates=_read(media, "file-date", parse_file_dates),
        icon=_read(media, "file-icon", parse_file_icon),
        range=_read(media, "file-range", parse_file_range),
    )


def parse_file_selector(text: str, offset: int = 0) -> FileSelector:
    """Read a=file-selector; a selector of an unknown name is passed over. Raises BodySyntaxError."""
    name, type_, size, hashes = None, None, None, list[FileHash]()
    for match in _selectors(text, offset):
        if match.re is _NAME:
            name = _decode(match[1])
        elif match.re is _TYPE:
            type_ = match[1]
        elif match.re is _SIZE:
            size = int(match[1])
        elif match.re is _HASH:
            hashes.append(FileHash(match[1].lower(), bytes.fromhex(match[2].replace(":", ""))))
    return FileSelector(name, type_, size, tuple(hashes))


def parse_file_range(text: str, offset: int = 0) -> FileRange:
    """Read a=file-range. Raises BodySyntaxError, also for a stop before the start."""
    match = _RANGE.fullmatch(text)
    if match is None or (match[2] != "*" and int(match[2]) < int(match[1])):
        raise BodySyntaxError("file-range", text, offset, _CLAUSE)
    return FileRange(int(match[1]), None if match[2] == "*" else int(match[2]))


def parse_file_dates(text: str, offset: int = 0) -> FileDates:
    """Read a=file-date. Raises BodySyntaxError: a date twice, or one without a numeric zone."""
    found: dict[str, datetime] = {}
    position = 0
    while position < len(text):
        match = _DATE.match(text, position)
        if match is None or match[1] in found:
            raise BodySyntaxError("file-date", text, offset + _octets(text[:position]), _CLAUSE)
        found[match[1]] = _date(match[2], offset + _octets(text[:position]))
        position = match.end()
    return FileDates(found.get("creation"), found.get("modification"), found.get("read"))


def parse_file_icon(text: str, offset: int = 0) -> str:
    """Read a=file-icon: the Content-ID of the part that holds the icon. Raises BodySyntaxError."""
    scheme, _, content_id = text.partition(":")
    if scheme.lower() != "cid" or not content_id or " " in content_id:
        raise BodySyntaxError("file-icon", text, offset, "RFC 5547 6, RFC 2392 2")
    return content_id


def _read(media: MediaDescription, name: str, parse: Callable[[str, int], _Value]) -> _Value | None:
    found = media.attribute(name)
    return None if found is None else parse(found.value or "", found.value_offset)


def _essence(kind: str) -> str:
    """A media type without parameters."""
    return kind.partition(";")[0].strip().lower()


def _token(text: str, offset: int) -> str:
    if not TOKEN.fullmatch(text):
        raise BodySyntaxError("token", text, offset, _CLAUSE)
    return text


def _selectors(text: str, offset: int) -> Iterator[re.Match[str]]:
    position = 0
    while position < len(text):
        tried = (pattern.match(text, position) for pattern in (_NAME, _TYPE, _SIZE, _HASH, _OTHER))
        match = next(
            (found for found in tried if found and text[found.end() : found.end() + 1] in ("", " ")), None
        )
        if match is None:
            raise BodySyntaxError(
                "file-selector", text[position:], offset + _octets(text[:position]), _CLAUSE
            )
        yield match
        position = match.end() + 1


def _octets(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _encode(name: str) -> str:
    return _ENCODED.sub(lambda match: f"%{ord(match[0]):02X}", name)


def _decode(name: str) -> str:
    octets = _PERCENT.sub(lambda match: bytes([int(match[1], 16)]), name.encode("utf-8", "replace"))
    return octets.decode("utf-8", "replace")


def _date(text: str, offset: int) -> datetime:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, IndexError, OverflowError):
        date = None
    if date is None or not _ZONE.search(text):
        raise BodySyntaxError("file-date", text, offset, f"{_CLAUSE}, RFC 5322 3.3")
    return date if date.tzinfo else date.replace(tzinfo=UTC)  # -0000 says UTC and nothing of the place


def _written_date(date: datetime) -> str:
    if date.tzinfo is None:
        raise BodySyntaxError("file-date", date.isoformat(), 0, _CLAUSE, "a zone is needed")
    return format_datetime(date)
