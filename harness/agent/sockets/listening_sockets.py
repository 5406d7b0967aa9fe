"""Sockets to listen on: UDP and TCP on one port, since a large request comes by TCP (RFC 3261 18.2.1)."""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
from typing import NamedTuple

from harness.errors import AddressTaken, LabError
from harness.evidence.timeline import Address

BACKLOG = 128
RECEIVE_OCTETS = 8 * 1024 * 1024  # of a datagram socket
# Linux socket options that Python does not name, and the nine counters of the second, the last of them drops.
_SO_RCVBUFFORCE, _SO_MEMINFO, _MEMINFO = 33, 55, struct.Struct("9I")
ATTEMPTS = 64  # how many ports of the kernel's choice are tried until one is free for both


class SocketPair(NamedTuple):
    """Bound sockets on one address and port; `stream` listens."""

    datagram: socket.socket
    stream: socket.socket
    address: Address


def open_pair(part: str, host: str, port: int) -> SocketPair:
    """UDP and TCP sockets on one port of `host` (a literal or a local name); port 0 lets the kernel choose.

    Raises AddressTaken when the port is in use for either, LabError when the address cannot be used at all.
    """
    for _ in range(ATTEMPTS):
        stream = open_stream(part, host, port)
        found = address_of(stream)
        try:
            return SocketPair(_bound(part, socket.SOCK_DGRAM, host, found.port), stream, found)
        except AddressTaken:
            stream.close()
            if port:
                raise
    raise _taken(part, f"{host}:0", "no port was free for both UDP and TCP")


def open_stream(part: str, host: str, port: int) -> socket.socket:
    """A listening TCP socket. Raises as `open_pair`."""
    stream = _bound(part, socket.SOCK_STREAM, host, port)
    try:
        stream.listen(BACKLOG)
    except OSError as error:  # somebody who bound the port at the same moment listens already
        stream.close()
        raise _refused(part, str(Address(host, port)), error) from error
    return stream


def address_of(bound: socket.socket) -> Address:
    """The local address of a bound socket."""
    host, port = bound.getsockname()[:2]
    return Address(host, port)


def source_towards(host: str) -> str:
    """The local address the kernel would use to reach a literal host. Nothing is sent.

    Raises OSError when there is no route.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((host, 9))
        return str(probe.getsockname()[0])


def is_wildcard(host: str) -> bool:
    """Whether a host stands for every address of its family."""
    return host in ("0.0.0.0", "::")


def _bound(part: str, kind: socket.SocketKind, host: str, port: int) -> socket.socket:
    shown = str(Address(host, port))
    try:
        family, _, protocol, _, address = socket.getaddrinfo(host, port, type=kind)[0]
    except OSError as error:
        raise _refused(part, shown, error) from error
    # Named, or the loop takes what it accepts for no TCP and leaves Nagle's algorithm on: 40 ms on an answer.
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setblocking(False)
        if kind == socket.SOCK_STREAM:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        else:
            _widen(bound)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind(address)
    except OSError as error:
        bound.close()
        raise _refused(part, f"{shown}/{'TCP' if kind == socket.SOCK_STREAM else 'UDP'}", error) from error
    return bound


def _widen(datagram: socket.socket) -> None:
    """Room for a burst that comes while the loop is busy; above the system's limit only with privileges."""
    datagram.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_OCTETS)
    with contextlib.suppress(PermissionError):
        datagram.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, RECEIVE_OCTETS)


def dropped_by_kernel(datagram: socket.socket) -> int:
    """Datagrams that found no room in the receive buffer of this socket so far; 0 where no kernel tells."""
    try:
        *_, drops = _MEMINFO.unpack(datagram.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size))
    except OSError:
        return 0
    return int(drops)


def _refused(part: str, address: str, error: OSError) -> LabError:
    if error.errno == errno.EADDRINUSE:
        return _taken(part, address, "the port is in use")
    remedy = "name an address of this machine (ip address) and a port above 1023"
    return LabError(part, address, "an address to listen on", error.strerror or str(error), remedy)


def _taken(part: str, address: str, actual: str) -> AddressTaken:
    remedy = "stop what listens there (ss -lntup shows it) or choose another port (0: any free one)"
    return AddressTaken(part, address, "a port free for UDP and TCP", actual, remedy)
