"""Where an agent listens, and which of its addresses it shows to whom (RFC 3261 18.1.1, RFC 3581)."""

from __future__ import annotations

from functools import partial

from harness.agent.sip.via_routing import same_host
from harness.agent.sip.ways_out import Hop, same_family
from harness.agent.sockets.listening_sockets import is_wildcard, source_towards
from harness.errors import UsageError
from harness.evidence.timeline import Address, Transport


class OwnAddresses:
    """The listening addresses: plain for UDP and TCP, secured for TLS."""

    def __init__(self) -> None:
        self.plain: list[Address] = []
        self.secured: list[Address] = []

    def clear(self) -> None:
        """Nothing listens any more."""
        self.plain.clear()
        self.secured.clear()

    def sent_by(self, hop: Hop, local: Address | None) -> Address:
        """Where we listen for what comes back by another way: the sent-by of a Via (RFC 3261 18.1.1).

        Raises UsageError when nothing listens on an address of the hop's family.
        """
        best = [self.secured, self.plain] if hop.transport is Transport.TLS else [self.plain, self.secured]
        for listening in best:
            family = [each for each in listening if same_family(each.host, hop.host)]
            if family:
                return _shown_as(nearest(family, local), local, hop)
        raise UsageError(f"no Via for {hop.host}: the agent listens on no address of that family")

    def source_for(self, target: Address, local: Address | None) -> str | None:
        """The host a connection is opened from: the one the other end knows us by, if it can be told."""
        for address in (local, *self.plain, *self.secured):
            if address is not None and same_family(address.host, target.host):
                return None if is_wildcard(address.host) else address.host
        return None

    def named(self, host: str, port: int | None) -> Address | None:
        """The listening address a Via names, if it is one of ours."""
        named = Address(host, port or 0)
        return named if any(_covers(each, named) for each in (*self.plain, *self.secured)) else None

    def is_secured(self, local: Address) -> bool:
        """Whether an address is one for TLS."""
        return any(_covers(each, local) for each in self.secured)


def nearest(listening: list[Address], local: Address | None) -> Address:
    """The one that is closest to the address asked for: itself, the same host, all hosts, any."""
    return min(listening, key=partial(_distance, local))


def reached_at(listening: list[Address], local: Address) -> Address:
    """The listener for whom our side of an exchange is `local`, as the other end can use it.

    Raises UsageError when none listens on an address of that family.
    """
    family = [each for each in listening if same_family(each.host, local.host)]
    if not family:
        raise UsageError(f"nothing listens where {local.host} is: listen on an address of that family too")
    found = nearest(family, local)
    return Address(local.host, found.port) if is_wildcard(found.host) else found


def _distance(local: Address | None, listening: Address) -> int:
    if listening == local:
        return 0
    if local is not None and same_host(listening.host, local.host):
        return 1
    return 2 if is_wildcard(listening.host) else 3


def _covers(listening: Address, address: Address) -> bool:
    """Whether what comes to an address comes to that listener."""
    if listening.port != address.port:
        return False
    wild = is_wildcard(listening.host) and same_family(listening.host, address.host)
    return wild or same_host(listening.host, address.host)


def _shown_as(listening: Address, local: Address | None, hop: Hop) -> Address:
    """A listening address as others can use it."""
    if not is_wildcard(listening.host):
        return listening
    known = local is not None and same_family(local.host, listening.host) and not is_wildcard(local.host)
    return Address(local.host if local and known else source_towards(hop.host), listening.port)
