"""One UDP socket of the agent. Every datagram is put on the timeline here, once."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import deque
from collections.abc import Callable

from harness.agent.failures import TransportFailed
from harness.agent.sockets.listening_sockets import dropped_by_kernel, is_wildcard, source_towards
from harness.evidence.timeline import DATAGRAMS_LOST, Address, Layer, Timeline, Transport

LARGEST_DATAGRAM = 65_507  # octets of payload over IPv4
LARGEST_READ = 65_535  # no datagram is larger (RFC 768)
READ_AT_ONCE = 32  # datagrams taken before the loop gets its turn
CHECKED_EVERY = 64  # datagrams between two looks at what the kernel dropped
MOST_ROUTES = 4096  # other ends whose route is remembered
_log = logging.getLogger(__name__)

Inspect = Callable[[bytes], tuple[object, str]]
"""Reads a datagram before it is recorded: what it holds, and the note for the timeline (empty if none)."""


class UdpEndpoint:
    """A bound UDP socket that takes many datagrams in one round of the loop.

    A transport of asyncio takes one, and under load the round costs more than the datagram.

    Args: bound does not block and is closed here. layer names the protocol on the timeline. inspect reads
    octets, receive is called with what it found: the source, and our address, which on a socket of all
    addresses is the one the kernel would answer from. dropped is told how many datagrams more never came
    because the kernel had no room for them; the timeline says so too.
    """

    def __init__(
        self,
        bound: socket.socket,
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
        self._until_check, self._known_drops = CHECKED_EVERY, 0
        self._socket, self._loop = bound, asyncio.get_running_loop()
        self._waiting: deque[tuple[bytes, Address]] = deque()  # for room in the send buffer
        self._closing = False
        self.closed = self._loop.create_future()
        self._loop.add_reader(bound, self._read)

    def _read(self) -> None:
        """Take what has come."""
        for _ in range(READ_AT_ONCE):
            try:
                data, source = self._socket.recvfrom(LARGEST_READ)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                # An ICMP error for some earlier datagram: the transaction timers judge, not the kernel.
                _log.debug("UDP socket %s: %s", self.local, error)
                return
            self.datagram_received(data, source)
            if self._closing:
                return

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Record a datagram, and hand up what it holds."""
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

    def send(self, data: bytes, target: Address, *, note: str = "") -> None:
        """Send one datagram; note goes on the timeline.

        Raises TransportFailed when the socket is closed or the datagram too large.
        """
        if self._closing:
            raise TransportFailed(Transport.UDP, target, "the socket is closed")
        if len(data) > LARGEST_DATAGRAM:
            raise TransportFailed(Transport.UDP, target, f"{len(data)} octets do not fit into one datagram")
        local = self.local_towards(target) if self._wildcard else self.local
        self._timeline.packet(self._layer, Transport.UDP, local, target, data, note=note)
        if self._waiting or not self._sent(data, target):
            if not self._waiting:
                self._loop.add_writer(self._socket, self._send_waiting)
            self._waiting.append((data, target))

    def _sent(self, data: bytes, target: Address) -> bool:
        """False when there is no room for the datagram now."""
        try:
            self._socket.sendto(data, target)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError as error:  # as for one received
            _log.debug("UDP socket %s, to %s: %s", self.local, target, error)
        return True

    def _send_waiting(self) -> None:
        while self._waiting and self._sent(*self._waiting[0]):
            self._waiting.popleft()
        if not self._waiting:
            self._loop.remove_writer(self._socket)
            if self._closing:
                self._end()

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
        if self._closing:
            return
        self._closing = True
        self._look_for_drops()
        self._loop.remove_reader(self._socket)
        if not self._waiting:
            self._end()

    def _end(self) -> None:
        self._socket.close()
        self.closed.set_result(None)

    def _look_for_drops(self) -> None:
        self._until_check = CHECKED_EVERY
        drops = dropped_by_kernel(self._socket)
        more, self._known_drops = drops - self._known_drops, drops
        if more > 0:
            text = f"{more} datagrams to {self.local} were dropped by the kernel before they could be read"
            self._timeline.event(self._layer, DATAGRAMS_LOST, text, local=str(self.local), datagrams=more)
            self._dropped(more)
