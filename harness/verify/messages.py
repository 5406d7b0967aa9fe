"""The message on the wire that an item came with."""

from __future__ import annotations

from harness.verify.items import CpimItem, EventItem, Item, SipEntry
from harness.verify.msrp_items import ChunkedMessage, MsrpEntry
from harness.verify.negotiation_items import Description


def message_of(item: Item) -> SipEntry | MsrpEntry | None:
    """The message itself, the carrier of a body, the last chunk; None for an event."""
    if isinstance(item, EventItem):
        return None
    if isinstance(item, CpimItem):
        return item.carrier
    if isinstance(item, Description):
        return item.entry
    return item.last if isinstance(item, ChunkedMessage) else item
