"""Where in a timeline and in a message a finding is."""

from __future__ import annotations

from sys import intern

from harness.verify.finding import Violation, Where
from harness.verify.items import CpimItem, Item, SipEntry
from harness.verify.messages import message_of
from harness.verify.msrp_items import MsrpEntry


def where_of(item: Item, violation: Violation | None = None) -> Where:
    """The place of a violation in an item, else of the item as a whole."""
    header = violation.header if violation else ""
    octet = violation.octet if violation else None
    entry = message_of(item)
    if entry is None:
        return Where(item.number, item.time, str(item.layer), item.label, header=header)
    if octet is None and header and not isinstance(item, CpimItem):
        octet = _place_of(entry, header)
    return Where(
        item.number,
        item.time,
        str(item.layer),
        item.label,
        intern(str(entry.source)),
        intern(str(entry.destination)),
        intern(header),
        octet,
        entry.place,
    )


def _place_of(entry: SipEntry | MsrpEntry, header: str) -> int | None:
    """The octet of the message where its body, its start line or a header begins."""
    if entry.message is None:
        return None
    if header == "start line":
        return 0
    if header == "body":
        return entry.message.body_offset
    found = entry.sip.field(header) if isinstance(entry, SipEntry) else entry.msrp.header(header)
    return found.offset if found else None
