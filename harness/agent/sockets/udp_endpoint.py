"""One UDP socket of the agent. Every datagram is put on the timeline here, once."""

from __future__ import annotations

import asyncio
import logging
from asyncio.trsock import TransportSocket
from collections.abc import Callable
from typing import cast

from harness.agent.failures import TransportFailed
from harness.agent.sockets.listening_sockets import dropped_by_kernel, is_wildcard, source_towards
from harness.evidence.timeline import DATAGRAMS_LOST, Address, Layer, Timeline, Transport

LARGEST_DATAGRAM = 65_507  # octets of payload over IPv4
CHECKED_EVERY = 64  # datagrams between two looks at what the kernel dropped
MOST_ROUTES = 4096  # other ends whose route is remembered
_log = logging.getLogger(__name__)

Inspect = Callable[[bytes], tuple[object, str]]
"""Reads a datagram before it is recorded: what it holds, and the note for the timeline (empty if none)."""


class UdpEndpoint(asyncio.DatagramProtocol):
    """A bound UDP socket.

    Args: layer names the protocol on the timeline. inspect reads octets, receive is called with what it
    found: the source, and our address, which on a socket of all addresses is the one the kernel would answer
    from. dropped is told how many datagrams more never came because the kernel had no room for them; the
    timeline says so too.
    """

    def __init__(
        self,
        timeline: Timeline,
        layer: Layer,
        local: Address,
        inspect: Inspect,
        receive: Callable[[object, Address, Address, UdpEndpoint], None],
        dropped: Callable[[int], None],
    ) -> None:
        self.local = local
        self._wildcard = is_wildcard(local.host)
        self._towards: dict[str, str] = {}
        self._timeline, self._layer = timeline, layer
        self._inspect, self._receive, self._dropped = inspect, receive, dropped
        self._transport: asyncio.DatagramTransport | None = None
        self._socket: TransportSocket | None = None
        self._until_check, self._known_drops = CHECKED_EVERY, 0
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Loops need not derive their transports from the abstract class.
        self._transport = cast(asyncio.DatagramTransport, transport)
        self._socket = transport.get_extra_info("socket")

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._until_check -= 1
        if not self._until_check:
            self._look_for_drops()
        source = Address(*addr[:2])
        found, note = self._inspect(data)
        local = self.local_towards(source) if self._wildcard else self.local
        self._timeline.packet(self._layer, Transport.UDP, source, local, data, note=note)
        try:
            self._receive(found, source, local, self)
        except Exception:  # noqa: BLE001 - the next datagram may be a good one
            _log.exception("a datagram from %s could not be handled", source)

    def error_received(self, exc: Exception) -> None:
        # An ICMP error for some earlier datagram: the transaction timers judge, not the kernel.
        _log.debug("UDP socket %s: %s", self.local, exc)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if not self.closed.done():
            self.closed.set_result(None)

    def send(self, data: bytes, target: Address, *, note: str = "") -> None:
        """Send one datagram; note goes on the timeline.

        Raises TransportFailed when the socket is closed or the datagram too large.
        """
        if self._transport is None or self._transport.is_closing():
            raise TransportFailed(Transport.UDP, target, "the socket is closed")
        if len(data) > LARGEST_DATAGRAM:
            raise TransportFailed(Transport.UDP, target, f"{len(data)} octets do not fit into one datagram")
        local = self.local_towards(target) if self._wildcard else self.local
        self._timeline.packet(self._layer, Transport.UDP, local, target, data, note=note)
        self._transport.sendto(data, tuple(target))

    def local_towards(self, other: Address) -> Address:
        """Our address as the other end sees it, where the socket listens on all of them."""
        host = self._towards.get(other.host)
        if host is None:
            if len(self._towards) >= MOST_ROUTES:
                self._towards.clear()
            try:
                host = source_towards(other.host)
            except OSError:  # no route back: the address that was bound is all that is known
                host = self.local.host
            self._towards[other.host] = host
        return Address(host, self.local.port)

    def close(self) -> None:
        """Close the socket after what is queued."""
        if self._transport is not None:
            self._look_for_drops()
            self._transport.close()

    def _look_for_drops(self) -> None:
        self._until_check = CHECKED_EVERY
        drops = dropped_by_kernel(self._socket) if self._socket is not None else 0
        more, self._known_drops = drops - self._known_drops, drops
        if more > 0:
            text = f"{more} datagrams to {self.local} were dropped by the kernel before they could be read"
            self._timeline.event(self._layer, DATAGRAMS_LOST, text, local=str(self.local), datagrams=more)
            self._dropped(more)
