"""The m-line of an MSRP session as typed values (RFC 4975 8)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from types import MappingProxyType

from harness.bodies.file_attributes import FileDescription, read_file
from harness.bodies.sdp_attributes import (
    Direction,
    Fingerprint,
    Setup,
    parse_chatroom,
    parse_fingerprint,
    parse_format_list,
    parse_max_size,
    parse_setup,
)
from harness.bodies.session_description import (
    Attribute,
    Connection,
    MediaDescription,
    SessionDescription,
    literal_address,
)
from harness.errors import BodySyntaxError
from harness.msrp.uri import MsrpUri, parse_msrp_uri

PROTOCOLS: Mapping[str, bool] = {"TCP/MSRP": False, "TCP/TLS/MSRP": True}
"""Protocol of the m-line -> whether it is TLS (RFC 4975 8.1)."""

Resolved = Mapping[str, Collection[str]]
"""Host name in lower case -> its addresses; names that are not there have not been looked up."""

NOTHING_RESOLVED: Resolved = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class MsrpMedia:
    """One MSRP m-line with all that holds for it.

    path: the first hop first, the session last. connection, port: of c= and m=. setup is None where it is
    absent, holdconn, or no value of RFC 4145 4: all three are taken as absent (RFC 6135 4.2.1).
    """

    tls: bool
    path: tuple[MsrpUri, ...]
    connection: Connection
    port: int
    setup: Setup | None
    cema: bool
    direction: Direction
    accepts: tuple[str, ...]
    accepts_wrapped: tuple[str, ...]
    max_size: int | None
    fingerprints: tuple[Fingerprint, ...]
    chatroom: frozenset[str] | None
    file: FileDescription | None

    @property
    def uri(self) -> MsrpUri:
        """The session of who wrote this."""
        return self.path[-1]

    @property
    def behind_relay(self) -> bool:
        """Whether relays stand before the endpoint (RFC 4975 8.3)."""
        return len(self.path) > 1

    def address_in_path(self, resolved: Resolved) -> bool:
        """Whether c= and m= name the address of a URI of the path (RFC 6714 4.4).

        A name that was not looked up is taken to match: only what is known to differ shows a middlebox.
        """
        return any(
            self.port == uri.port and _same_host(self.connection.host, uri.host, resolved)
            for uri in self.path
        )


def is_msrp(media: MediaDescription) -> bool:
    """Whether an m-line proposes MSRP (RFC 4975 8.1)."""
    return media.media == "message" and media.protocol.upper() in PROTOCOLS


def read_msrp_media(session: SessionDescription, media: MediaDescription) -> MsrpMedia:
    """The typed values of an MSRP m-line.

    Raises BodySyntaxError or MsrpSyntaxError for what is absent or cannot be read.
    """
    if not is_msrp(media):
        raise BodySyntaxError("m=", f"{media.media} {media.protocol}", media.offset, "RFC 4975 8.1")
    tls = PROTOCOLS[media.protocol.upper()]
    path = _path(media)
    if path[-1].secure != tls:
        raise BodySyntaxError(
            "path", str(path[-1]), media.offset, "RFC 4975 6, 8.1", f"m= says {media.protocol}"
        )
    connection = session.connection_of(media)
    if connection is None:
        raise BodySyntaxError("c=", "", media.offset, "RFC 8866 5.7", "absent or unreadable")
    setup = session.attribute_of(media, "setup")
    wrapped, max_size, chatroom = (media.attribute(name) for name in _OPTIONAL)
    fingerprints = session.attributes_of(media, "fingerprint")
    return MsrpMedia(
        tls=tls,
        path=path,
        connection=connection,
        port=media.port,
        setup=_known(parse_setup(None if setup is None else setup.value)),
        cema="msrp-cema" in media,
        direction=session.direction_of(media),
        accepts=parse_format_list(*_text(_required(media, "accept-types"))),
        accepts_wrapped=() if wrapped is None else parse_format_list(*_text(wrapped)),
        max_size=None if max_size is None else parse_max_size(*_text(max_size)),
        fingerprints=tuple(parse_fingerprint(*_text(each)) for each in fingerprints),
        chatroom=None if chatroom is None else parse_chatroom(chatroom.value, chatroom.value_offset),
        file=read_file(media),
    )


_OPTIONAL = ("accept-wrapped-types", "max-size", "chatroom")


def _known(setup: Setup | None) -> Setup | None:
    return None if setup is Setup.HOLDCONN else setup


def _text(attribute: Attribute) -> tuple[str, int]:
    return attribute.value or "", attribute.value_offset


def _required(media: MediaDescription, name: str) -> Attribute:
    found = media.attribute(name)
    if found is None:
        raise BodySyntaxError(f"a={name}", "", media.offset, "RFC 4975 8", "absent")
    return found


def _path(media: MediaDescription) -> tuple[MsrpUri, ...]:
    """The URIs of a=path, more than one space between two allowed."""
    text, offset = _text(_required(media, "path"))
    uris = []
    for piece in text.split(" "):
        if piece:
            uris.append(parse_msrp_uri(piece, offset))
        offset += len(piece.encode()) + 1
    if not uris or uris[-1].session_id is None:
        raise BodySyntaxError("a=path", text, media.offset, "RFC 4975 8.2", "names no session")
    return tuple(uris)


def _same_host(one: str, other: str, resolved: Resolved) -> bool:
    if one.lower() == other.lower():
        return True
    addresses, others = _addresses(one, resolved), _addresses(other, resolved)
    return addresses is None or others is None or not addresses.isdisjoint(others)


def _addresses(host: str, resolved: Resolved) -> frozenset[IPv4Address | IPv6Address] | None:
    literal = literal_address(host)
    if literal is not None:
        return frozenset((literal,))
    found = resolved.get(host.lower())
    return (
        None if found is None else frozenset(a for text in found if (a := literal_address(text)) is not None)
    )
