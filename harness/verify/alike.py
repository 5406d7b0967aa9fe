"""Chunks that go on as the ones before them, and their responses: a transfer has a million of them.

A chunk is alike when its head says the same as that of the chunk before, but for the transaction id and a
range that begins where the other ended, when it is as long, and when nothing was negotiated in between. Rules
named here say of it what they said of the one before, and are not asked again. All others are.
"""

from __future__ import annotations

from harness.msrp.message import Flag
from harness.verify.msrp_items import ChunkedMessage, MsrpEntry

SAME_AS_BEFORE = frozenset(
    {
        "cpim.whole-before-chunk",
        "ft.accept-types",
        "ft.range.vs-byte-range",
        "groupdata.type",
        "iscomp.media-type",
        "msrp.byte-range.continuity",
        "msrp.byte-range.end-total",
        "msrp.byte-range.exact",
        "msrp.byte-range.first-chunk",
        "msrp.byte-range.required",
        "msrp.byte-range.syntax",
        "msrp.chunk-2048",
        "msrp.chunk-small",
        "msrp.content-type.last",
        "msrp.end-line",
        "msrp.keepalive",
        "msrp.message-id.bodiless",
        "msrp.message-id.present",
        "msrp.message-id.same-over-chunks",
        "msrp.message.whole",
        "msrp.no-cte",
        "msrp.no-mime-without-body",
        "msrp.open.direction",
        "msrp.open.empty-byte-range",
        "msrp.open.first-send",
        "msrp.open.first-send.delay",
        "msrp.open.session-bound",
        "msrp.path-first",
        "msrp.relay.use-path",
        "msrp.report.no-response",
        "msrp.reports.same-over-chunks",
        "msrp.reports.values",
        "msrp.response.codes",
        "msrp.response.extra-headers",
        "msrp.response.flag",
        "msrp.response.paths",
        "msrp.start-line",
        "msrp.to-path.matches-sdp",
        "msrp.type.allowed",
        "sdp.cema.connect-address",
        "sdp.cema.session-match",
        "sdp.fingerprint",
    }
)
_FIRST_ONES = 2  # chunks that rules look at in full, the first one and one that goes on
_RANGE = b"\r\nByte-Range:"


def goes_on(entry: MsrpEntry, message: ChunkedMessage) -> bool:
    """Whether a chunk, which is not yet among those of the message, is alike the one before it."""
    span, session = entry.byte_range, entry.session
    if span is None or session is None or entry.flag is not Flag.MORE:
        message.shape = None
        return False
    size = entry.body.size
    shape = (
        _head(entry.raw),
        size,
        span.total,
        span.end is None or span.end - span.start + 1 == size,
        span.end is None,
        entry.source,
        entry.destination,
        entry.connection,
        len(session.ends),
        len(session.exchanges),
    )
    alike = shape == message.shape and span.start == message.due and len(message.chunks) > _FIRST_ONES
    message.shape, message.due = shape, span.start + size
    return alike


def answers_alike(entry: MsrpEntry, before: MsrpEntry | None) -> bool:
    """Whether the response to an alike chunk is alike the response before it, of the same sender."""
    transaction = entry.transaction
    return (
        before is not None
        and transaction is not None
        and transaction.request.alike
        and len(transaction.responses) == 1
        and entry.status == before.status == 200
        and entry.session is before.session
        and entry.has_body == before.has_body
        and _behind_start(entry.raw) == _behind_start(before.raw)
    )


def _head(raw: bytes) -> tuple[bytes, bytes] | None:
    """The header lines but for Byte-Range; None where that is written in another way."""
    at = raw.find(_RANGE)
    if at < 0:
        return None
    return raw[raw.find(b"\r\n") : at], raw[raw.find(b"\r\n", at + 2) :]


def _behind_start(raw: bytes) -> bytes:
    """A response without its start line and the end-line, which hold the transaction id."""
    end = raw.rfind(b"-------")
    return raw[raw.find(b"\r\n") : end if end > 0 else len(raw)]
