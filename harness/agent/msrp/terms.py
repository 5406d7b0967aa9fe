"""What one side wants of an MSRP session, and the m-line it writes for it (RFC 4975 8, 6135, 6714)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.agent.msrp.plan import Role
from harness.bodies.file_attributes import FileDescription
from harness.bodies.sdp_attributes import Direction, Fingerprint, Setup
from harness.bodies.session_description import (
    Attribute,
    Connection,
    MediaDescription,
    literal_address,
)
from harness.errors import UsageError
from harness.msrp.uri import parse_msrp_uri

DISCARD_PORT = 9
_NO_ADDRESS = ("0.0.0.0", "::")


@dataclass(frozen=True, slots=True)
class MsrpTerms:
    """What we want of one MSRP session.

    uri, secure_uri: our session over TCP and over TLS; None where we do not do that. Both carry the port we
    listen on, or 9 where we only connect. relays: URIs of our relays in the order of a path, the outermost
    first (RFC 4976 5.1). setup: what we offer, active or actpass. answers: what we take when the choice is
    ours. secure: whether we offer TLS. fingerprints: of our certificate. direction: what we are ready to do;
    an answer takes away what the offer does not allow. cema: whether we do RFC 6714; strict_cema: whether
    that makes us refuse an offer whose c= and m= differ from its path, as RFC 6714 4.3 demands: real handsets
    put port 9 on the m-line and another in the path. m_port: what we write there ourselves, as they do;
    None for the port of our URI.
    """

    uri: str | None
    secure_uri: str | None = None
    relays: tuple[str, ...] = ()
    setup: Setup = Setup.ACTIVE
    answers: Role = Role.PASSIVE
    secure: bool = False
    fingerprints: tuple[Fingerprint, ...] = ()
    direction: Direction = Direction.SENDRECV
    accepts: tuple[str, ...] = ("*",)
    accepts_wrapped: tuple[str, ...] = ()
    max_size: int | None = None
    cema: bool = False
    strict_cema: bool = False
    m_port: int | None = None
    chatroom: tuple[str, ...] | None = None
    file: FileDescription | None = None

    def path(self, tls: bool) -> tuple[str, ...] | None:
        """Our path attribute, None where we have no session over that transport."""
        uri = self.secure_uri if tls else self.uri
        return None if uri is None else (*self.relays, uri)


def is_reachable(host: str, port: int | None) -> bool:
    """Whether that is an address and a port to connect to (RFC 6135 4.2.2)."""
    return port not in (None, 0, DISCARD_PORT) and host not in _NO_ADDRESS


@dataclass(frozen=True, slots=True)
class OwnMedia:
    """How we take part in one m-line: what is written of us beyond the terms."""

    terms: MsrpTerms
    tls: bool
    setup: Setup
    cema: bool
    direction: Direction
    file: tuple[Attribute, ...] = ()

    @property
    def path(self) -> tuple[str, ...]:
        """Our path. Raises UsageError when the terms have no session over this transport."""
        path = self.terms.path(self.tls)
        if path is None:
            raise UsageError(f"the terms have no MSRP session over {'TLS' if self.tls else 'TCP'}")
        return path

    @property
    def reachable(self) -> bool:
        """Whether the other side can connect to us, or to a relay of ours."""
        first = parse_msrp_uri(self.path[0])
        return is_reachable(first.host, first.port)

    def description(self) -> MediaDescription:
        """The m-line, with c= of its own.

        c= and m= repeat our own URI (RFC 4975 8.1), or the address of our outermost relay where RFC 6714
        says so (4.2, 4.3).
        """
        shown = parse_msrp_uri(self.path[0] if self.cema else self.path[-1])
        return MediaDescription(
            "message",
            self.terms.m_port or shown.port or DISCARD_PORT,
            "TCP/TLS/MSRP" if self.tls else "TCP/MSRP",
            ("*",),
            connections=(connection_to(shown.host),),
            attributes=tuple(self._attributes()),
        )

    def _attributes(self) -> Iterator[Attribute]:
        terms = self.terms
        yield Attribute("path", " ".join(self.path))
        yield Attribute("setup", self.setup)
        yield Attribute("accept-types", " ".join(terms.accepts))
        if terms.accepts_wrapped:
            yield Attribute("accept-wrapped-types", " ".join(terms.accepts_wrapped))
        if terms.max_size is not None:
            yield Attribute("max-size", str(terms.max_size))
        yield Attribute(self.direction)
        if self.cema:
            yield Attribute("msrp-cema")
        if self.tls:
            yield from (Attribute("fingerprint", str(each)) for each in terms.fingerprints)
        if terms.chatroom is not None:
            yield Attribute("chatroom", " ".join(terms.chatroom) or None)
        yield from self.file


def connection_to(host: str) -> Connection:
    """c= for a host: a literal, or a name, which goes as IP4."""
    address = literal_address(host)
    family = "IP6" if address is not None and address.version == 6 else "IP4"
    return Connection("IN", family, host)
