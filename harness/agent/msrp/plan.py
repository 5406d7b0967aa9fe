"""What offer and answer settled about one MSRP session: all its transport has to know (RFC 4975 8)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from harness.bodies.file_attributes import FileDescription
from harness.bodies.sdp_attributes import Direction, Fingerprint


class Role(StrEnum):
    """Who opens the connection (RFC 6135 4.2)."""

    ACTIVE = "active"
    """We connect, and send a SEND at once (RFC 4975 5.4)."""
    PASSIVE = "passive"
    """We wait for a SEND whose To-Path names our URI."""


@dataclass(frozen=True, slots=True)
class MsrpPlan:
    """One negotiated MSRP session, seen from us.

    own_path, remote_path: the path attributes as written, endpoint last, relays before it. connect_to: host
    (a literal without brackets, or a name) and port, of our relay where we have one; None when we wait. tls:
    TCP/TLS/MSRP and msrps. fingerprints: those of the other side's certificate, empty where it has to be
    verified by name (RFC 4975 5.4, 14.4), as that of a relay (RFC 6135 4.3). cema: addresses come from c=
    and m=, so the path of the other side may name another address than the one it connects from or listens
    on (RFC 6714). direction: ours, of what both allow (RFC 3264 6.1, RFC 4975 8.9). accepts, accepts_wrapped:
    types we announced; remote_*: what the other side announced, which binds what we send (RFC 4975 8.6).
    max_size, remote_max_size: octets of one whole message, None for no limit. chatroom: what the other side
    can do in a chat room, None when it says nothing (RFC 7701 8). remote_file: what the other side says of
    the file it sends or wants (RFC 5547).
    """

    role: Role
    own_path: tuple[str, ...]
    remote_path: tuple[str, ...]
    connect_to: tuple[str, int] | None
    tls: bool = False
    fingerprints: tuple[Fingerprint, ...] = ()
    cema: bool = False
    direction: Direction = Direction.SENDRECV
    accepts: tuple[str, ...] = ("*",)
    accepts_wrapped: tuple[str, ...] = ()
    remote_accepts: tuple[str, ...] = ("*",)
    remote_accepts_wrapped: tuple[str, ...] = ()
    max_size: int | None = None
    remote_max_size: int | None = None
    chatroom: frozenset[str] | None = None
    remote_file: FileDescription | None = None

    @property
    def own_uri(self) -> str:
        """Our session: the last URI of To-Path in what we receive, From-Path in what we send."""
        return self.own_path[-1]

    @property
    def to_path(self) -> tuple[str, ...]:
        """To-Path of our requests: our relays from us outwards, then their path (RFC 4976 5.1)."""
        return (*reversed(self.own_path[:-1]), *self.remote_path)
