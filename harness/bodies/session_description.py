"""Session descriptions as values (RFC 8866): what sdp.py reads and writes.

A description that was read knows the octet where each line starts; comparing descriptions leaves that out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address

from harness.bodies.fault import Fault
from harness.bodies.sdp_attributes import Direction

# Attributes that count in a media description only: RFC 4975 15.7, 5547 6, 6714 8.1, 7701 8.
MEDIA_LEVEL_ONLY = frozenset(
    {
        *("path", "accept-types", "accept-wrapped-types", "max-size", "msrp-cema", "chatroom"),
        *("file-selector", "file-transfer-id", "file-disposition", "file-date", "file-icon", "file-range"),
    }
)

_DIRECTIONS = frozenset(Direction)


@dataclass(frozen=True, slots=True)
class SdpLine:
    """One `letter=value` line: value as text, offset of the letter, raw octets with the line end."""

    letter: str
    value: str
    offset: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class Origin:
    """o=: who made the description, and which version of it this is (RFC 8866 5.2)."""

    username: str
    session_id: int
    version: int
    network_type: str
    address_type: str
    address: str
    offset: int = field(default=0, compare=False)

    def __str__(self) -> str:
        numbers = f"{self.session_id} {self.version}"
        return f"{self.username} {numbers} {self.network_type} {self.address_type} {self.address}"


@dataclass(frozen=True, slots=True)
class Connection:
    """c=: where media is received (RFC 8866 5.7). address keeps the `/ttl` of multicast."""

    network_type: str
    address_type: str
    address: str
    offset: int = field(default=0, compare=False)

    @property
    def host(self) -> str:
        """The address without what follows a slash: a literal without brackets, or a name."""
        return self.address.partition("/")[0]

    def __str__(self) -> str:
        return f"{self.network_type} {self.address_type} {self.address}"


@dataclass(frozen=True, slots=True)
class Time:
    """t= with its r= and z= lines: seconds since 1900, 0 for no bound (RFC 8866 5.9)."""

    start: int = 0
    stop: int = 0
    repeats: tuple[str, ...] = ()
    zones: str | None = None


@dataclass(frozen=True, slots=True)
class Attribute:
    """a=name or a=name:value; value None for the first. offset is that of its line."""

    name: str
    value: str | None = None
    offset: int = field(default=0, compare=False)

    @property
    def value_offset(self) -> int:
        """Octet where the value starts."""
        return self.offset + len("a=:") + len(self.name.encode())

    def __str__(self) -> str:
        return self.name if self.value is None else f"{self.name}:{self.value}"


@dataclass(frozen=True, slots=True)
class MediaDescription:
    """m= and what belongs to it (RFC 8866 5.14). offset is that of the m-line."""

    media: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    port_count: int = 1
    title: str | None = None
    connections: tuple[Connection, ...] = ()
    bandwidths: tuple[str, ...] = ()
    key: str | None = None
    attributes: tuple[Attribute, ...] = ()
    offset: int = field(default=0, compare=False)

    def attribute(self, name: str) -> Attribute | None:
        """The first attribute of that name in this media description."""
        return next((each for each in self.attributes if each.name == name), None)

    def all(self, name: str) -> tuple[Attribute, ...]:
        """Every attribute of that name in this media description."""
        return tuple(each for each in self.attributes if each.name == name)

    def __contains__(self, name: object) -> bool:
        return any(each.name == name for each in self.attributes)


@dataclass(frozen=True, slots=True)
class SessionDescription:
    """A session description. raw, lines and faults are there when it was read, not when it is built.

    origin is None where the o-line cannot be read, name where there is no s-line.
    """

    origin: Origin | None
    connection: Connection | None = None
    media: tuple[MediaDescription, ...] = ()
    name: str | None = "-"
    information: str | None = None
    uri: str | None = None
    emails: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    bandwidths: tuple[str, ...] = ()
    times: tuple[Time, ...] = (Time(),)
    key: str | None = None
    attributes: tuple[Attribute, ...] = ()
    raw: bytes = field(default=b"", compare=False, repr=False)
    lines: tuple[SdpLine, ...] = field(default=(), compare=False, repr=False)
    faults: tuple[Fault, ...] = field(default=(), compare=False)

    def attribute(self, name: str) -> Attribute | None:
        """The first session-level attribute of that name."""
        return next((each for each in self.attributes if each.name == name), None)

    def attribute_of(self, media: MediaDescription, name: str) -> Attribute | None:
        """The attribute that holds for a media description: its own, else the session's."""
        return next(iter(self.attributes_of(media, name)), None)

    def attributes_of(self, media: MediaDescription, name: str) -> tuple[Attribute, ...]:
        """Every attribute of that name that holds for a media description, of one level only."""
        own = media.all(name)
        if own or name in MEDIA_LEVEL_ONLY:
            return own
        return tuple(each for each in self.attributes if each.name == name)

    def connection_of(self, media: MediaDescription) -> Connection | None:
        """The c-line that holds for a media description (RFC 8866 5.7)."""
        return next(iter(media.connections), self.connection)

    def direction_of(self, media: MediaDescription) -> Direction:
        """The direction that holds for a media description; sendrecv where none is written."""
        for level in (media.attributes, self.attributes):
            for each in level:
                if each.name in _DIRECTIONS:
                    return Direction(each.name)
        return Direction.SENDRECV


def literal_address(text: str) -> IPv4Address | IPv6Address | None:
    """The IP address a text stands for, None when it is a name."""
    try:
        return ip_address(text)
    except ValueError:
        return None
