"""The classic pcap file, in microseconds or nanoseconds and either byte order (draft-ietf-opsawg-pcap)."""

from __future__ import annotations

import struct

from harness.evidence.frame import Frame, Recording

HEADER_OCTETS = 24
MAGICS = {
    b"\xd4\xc3\xb2\xa1": ("<", 10**6),
    b"\xa1\xb2\xc3\xd4": (">", 10**6),
    b"\x4d\x3c\xb2\xa1": ("<", 10**9),
    b"\xa1\xb2\x3c\x4d": (">", 10**9),
}


def read_pcap(octets: bytes) -> Recording:
    """The frames of the file; `octets` begins with one of MAGICS and has the whole file header."""
    order, ticks_per_second = MAGICS[octets[:4]]
    (network,) = struct.unpack_from(order + "I", octets, 20)
    link_type = network & 0xFFFF
    recording = Recording([], "")
    offset = HEADER_OCTETS
    while offset < len(octets):
        body = offset + 16
        if body > len(octets):
            recording.fault = f"ends inside the record at octet {offset}"
            break
        seconds, fraction, captured, length = struct.unpack_from(order + "IIII", octets, offset)
        if body + captured > len(octets):
            recording.fault = (
                f"ends inside the record at octet {offset}, which announces {captured} octets "
                f"where {len(octets) - body} are left"
            )
            break
        time = (seconds * ticks_per_second + fraction) / ticks_per_second
        recording.frames.append(Frame(time, link_type, octets[body : body + captured], length))
        offset = body + captured
    return recording
