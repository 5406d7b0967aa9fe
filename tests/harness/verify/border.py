"""A capture of both sides of a session border controller: each message twice, with other addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.evidence.timeline import Address, Entry, Event, Packet, Timeline

INSIDE, CORE = "192.0.2.1", "192.0.2.20"
_HANDSET, _BORDER = "10.0.0.5", "10.0.0.1"
_PASSING = 0.004


def both_sides(timeline: Timeline, *, new_calls: bool, one_address: bool) -> Timeline:
    """The capture of an element that passes on what it gets.

    new_calls: it opens calls of its own (other Call-ID, tags and Via), else it adds a Via as a proxy does.
    one_address: it has the same address on both sides.
    """
    inside = _BORDER if one_address else INSIDE
    entries: list[tuple[float, int, Entry, bool]] = []
    for order, entry in enumerate(timeline):
        entries.append((entry.time, 2 * order, entry, False))
        if isinstance(entry, Packet):
            sent = entry.source.host == _HANDSET
            entries.append((entry.time + (_PASSING if sent else -_PASSING), 2 * order + sent, entry, True))
    both = Timeline(clock=lambda: entries[-1][0])
    for time, _, entry, beyond in sorted(entries, key=lambda each: each[:2]):
        if isinstance(entry, Event):
            both.event(entry.layer, entry.name, entry.text, at=time, **entry.fields)
            continue
        ends, data = (entry.source, entry.destination), entry.data
        connection = entry.connection
        if beyond:
            ends = _beyond(entry.source, inside), _beyond(entry.destination, inside)
            data = _passed_on(data, inside, new_calls, entry.source.host == _HANDSET)
            connection = None if connection is None else connection + 100
        both.packet(
            entry.layer, entry.transport, *ends, data, connection=connection, missing=entry.missing, at=time
        )
    return both


def _beyond(end: Address, inside: str) -> Address:
    return Address(inside if end.host == _HANDSET else CORE, end.port)


def _passed_on(data: bytes, inside: str, new_calls: bool, up: bool) -> bytes:
    if data.startswith(b"MSRP "):
        return _addresses(data, inside)
    head, blank, body = data.partition(b"\r\n\r\n")
    body = _addresses(body, inside) if b"m=message" in body else body
    return b"\r\n".join(_lines(head, len(body), inside, new_calls, up)) + blank + body


def _lines(head: bytes, octets: int, inside: str, new_calls: bool, up: bool) -> Iterator[bytes]:
    first = True
    for line in head.split(b"\r\n"):
        if line.startswith(b"Via:") and first:
            first = False
            branch = re.search(rb"branch=([^;\s]+)", line)
            assert branch is not None
            yield line.split(b" ")[0] + b" SIP/2.0/TCP " + inside.encode() + b";branch=" + branch[1] + b"x"
            if not new_calls:
                yield line
        elif new_calls and line.startswith(b"Call-ID:"):
            yield line + b"-inside"
        elif new_calls and line.startswith((b"From:", b"To:")):
            yield re.sub(rb"tag=([^;\s]+)", rb"tag=\1i", line)
        elif line.startswith(b"Content-Length:"):
            yield b"Content-Length: " + str(octets).encode()
        elif line.startswith(b"P-Preferred-Identity:"):
            yield line.replace(b"Preferred", b"Asserted")
        else:
            yield _addresses(line, inside) if new_calls else line


def _addresses(text: bytes, inside: str) -> bytes:
    """Each host in it by the one that stands there on the inner side."""
    hosts = {_HANDSET.encode(): inside.encode(), _BORDER.encode(): CORE.encode()}
    return re.sub(rb"10\.0\.0\.[15](?!\d)", lambda found: hosts[found[0]], text)
