"""Rules about the chunks of an MSRP message: ids, ranges and flags over all of them (RFC 4975 7.1, 7.1.1)."""

from __future__ import annotations

from harness.msrp.message import Flag
from harness.verify.catalogue import Kind, rule
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, IN_A_GAP, Outcomes, Severity, Unverifiable, Violation
from harness.verify.items import CpimItem
from harness.verify.msrp_items import BEGINNING, ChunkedMessage, MsrpEntry
from harness.verify.rules.file_content import counts_from_file_range
from harness.verify.rules.msrp_message import counts_delimiter

FAIR_OCTETS = 2048
_GRACE = 1.0
"""Seconds for a response to reach the sender."""
_PATIENCE = 2.0
"""Seconds for which a chunk may go on while a response waits, before it is told."""


@rule("msrp.message-id.same-over-chunks", on=Kind.MSRP_REQUEST, methods=("SEND",))
def same_over_chunks(entry: MsrpEntry, flow: Flow) -> Outcomes:
    message = entry.part_of
    if message is None or message.first is not entry:
        return
    yield APPLIES
    before = message.again
    if before is None:
        if entry.start > 1:
            yield from _chunk_of_nothing(entry, message, flow)
    elif _failed_before(before, message, flow):
        return  # msrp.resend-same-id demands it
    elif before.complete and not _goes_beyond(entry, before) and not _was_refused(before):
        chunk, known = entry.body.read(BEGINNING), _content(before)
        alike = known == chunk if message.complete else known.startswith(chunk)
        same = alike and entry.start == 1
        elsewhere = before.last.connection != entry.connection
        if same and elsewhere and not _is_answered(before) and not flow.from_start:
            yield Unverifiable(f"the end of the connection of {before.last.label} was not captured")
            return
        yield Violation(
            "a Message-ID of its own for each message",
            f"{message.message_id} as in {before.last.label}, {'the same' if same else 'other'} content",
            "Message-ID",
            severity=Severity.INFO if same else None,
        )


def _chunk_of_nothing(entry: MsrpEntry, message: ChunkedMessage, flow: Flow) -> Outcomes:
    """The first chunk seen does not begin the message: the rest may have gone over a session that failed."""
    elsewhere = any(
        known.message_id == message.message_id and known is not message and known.sender is message.sender
        for known in flow.assembly.msrp.messages
    )
    if elsewhere or counts_from_file_range(entry):
        return
    if not flow.from_start or message.session is None:
        yield Unverifiable(f"the first chunks of {message.message_id} were not captured")
        return
    expected = f"octets from 1 on with Message-ID {message.message_id} first"
    yield Violation(expected, f"octet {entry.start}", "Byte-Range")


@rule("msrp.resend-same-id", on=Kind.CPIM)
def sent_again_under_its_id(item: CpimItem, flow: Flow) -> Outcomes:
    """A message that had no response when its session failed, sent again: its imdn.Message-ID tells."""
    message = item.carrier.part_of if isinstance(item.carrier, MsrpEntry) else None
    if message is None or item.message_id is None:
        return
    for known in flow.assembly.originals(item.message_id):
        before = known.carrier.part_of if isinstance(known.carrier, MsrpEntry) else None
        if before is None or before is message or before.sender is not message.sender:
            continue
        if known.place >= item.place or not _failed_before(before, message, flow):
            continue
        yield APPLIES
        if before.message_id != message.message_id:
            expected = f"Message-ID: {before.message_id}, as before the session failed"
            yield Violation(expected, message.message_id, "Message-ID", item=message.first)


def _failed_before(before: ChunkedMessage, message: ChunkedMessage, flow: Flow) -> bool:
    """Whether the connection of a message ended without a response to it, before the other began."""
    line = before.last.connection
    end = flow.assembly.msrp.closed.get(line or 0)
    return (
        not _is_answered(before)
        and end is not None
        and line != message.first.connection
        and end.time <= message.first.began
    )


def _is_answered(message: ChunkedMessage) -> bool:
    transaction = message.last.transaction
    return transaction is not None and bool(transaction.responses)


@rule("msrp.byte-range.required", on=Kind.MSRP_REQUEST, methods=("SEND",))
def range_required(entry: MsrpEntry, flow: Flow) -> Outcomes:
    if entry.part_of is None or entry.part_of.first is entry:
        return
    yield APPLIES
    if entry.msrp.get("Byte-Range") is None:
        yield Violation("Byte-Range in each chunk after the first", "none", "start line")


@rule("msrp.byte-range.first-chunk", on=Kind.MSRP_REQUEST, methods=("SEND",))
def range_of_first(entry: MsrpEntry, flow: Flow) -> Outcomes:
    if entry.part_of is None or entry.part_of.first is not entry:
        return
    yield APPLIES
    if entry.msrp.get("Byte-Range") is None:
        yield Violation("Byte-Range in the first chunk too", "none", "start line")


@rule("msrp.byte-range.continuity", on=Kind.MSRP_REQUEST, methods=("SEND",))
def continuity(entry: MsrpEntry, flow: Flow) -> Outcomes:
    before = _before(entry)
    if before is None or entry.byte_range is None or before.flag is not Flag.MORE:
        return
    if not entry.body.size:
        return  # of nothing, the range begins at 1 (7.1.1)
    yield APPLIES
    relayed = max(len(entry.from_path), len(before.from_path)) > 1
    severity = Severity.INFO if relayed else None
    due = before.start + before.body.size
    if entry.start != due:
        if flow.assembly.incomplete:
            yield IN_A_GAP
            return
        expected = f"Byte-Range from {due}, behind {before.label}"
        yield Violation(expected, f"from {entry.start}", "Byte-Range", severity=severity)
    totals = {span.total for each in (entry, before) if (span := each.byte_range)} - {None}
    if len(totals) > 1 and before.byte_range is not None:
        expected = f"a total of {before.byte_range.total} as in {before.label}"
        yield Violation(expected, str(entry.byte_range.total), "Byte-Range")


@rule("msrp.byte-range.exact", on=Kind.MSRP_REQUEST, methods=("SEND",))
def exact(entry: MsrpEntry, flow: Flow) -> Outcomes:
    span = entry.byte_range
    if span is None or span.end is None or not entry.has_body or entry.overrun or counts_delimiter(entry):
        return
    yield APPLIES
    declared = span.end - span.start + 1
    if declared != entry.body.size:
        yield Violation(f"the {entry.body.size} octets of the body", f"{declared} in {span}", "Byte-Range")


@rule("msrp.byte-range.end-total", on=Kind.MSRP_REQUEST, methods=("SEND",))
def end_total(entry: MsrpEntry, flow: Flow) -> Outcomes:
    yield APPLIES
    if not entry.has_body:
        if entry.flag is not Flag.COMPLETE:
            yield Violation("$ behind a SEND without a body", str(entry.flag), severity=Severity.INFO)
        return
    before = entry.part_of.again if entry.part_of and entry.part_of.first is entry else None
    if before is not None and before.aborted:
        text = f"a chunk of {before.message_id} after {before.last.label}"
        yield Violation("no chunk of a message that was given up with #", text, "Message-ID")
    elif before is not None and before.complete and _goes_beyond(entry, before):
        end = entry.start + entry.body.size - 1
        text = f"octets {entry.start} to {end}"
        yield Violation(
            f"nothing beyond octet {before.total}, where {before.last.label} had $", text, "Byte-Range"
        )
    span = entry.byte_range
    if span is None or span.total is None or entry.overrun:
        return
    end = span.start + entry.body.size - 1
    flags = f"{entry.flag} at octet {end} of {span.total}"
    delimiter = counts_delimiter(entry) and span.total == end + 2
    if end > span.total:
        yield Violation(f"not more than the {span.total} octets of the total", flags, "Byte-Range")
    elif end == span.total and entry.flag is not Flag.COMPLETE:
        severity = Severity.INFO if entry.flag is Flag.ABORTED else None
        yield Violation("$ behind the end of the message", flags, severity=severity)
    elif end < span.total and entry.flag is Flag.COMPLETE and not delimiter:
        yield Violation("+ (or #) before the end of the message", flags)


@rule("msrp.chunk-2048", on=Kind.MSRP_REQUEST, methods=("SEND",))
def chunk_2048(entry: MsrpEntry, flow: Flow) -> Outcomes:
    span = entry.byte_range
    if entry.body.size <= FAIR_OCTETS:
        return
    yield APPLIES
    if span is not None and span.end is not None:
        expected = f"* as range-end in a chunk above {FAIR_OCTETS} octets"
        yield Violation(expected, f"{span}, {entry.body.size} octets", "Byte-Range")


@rule("msrp.chunk-small", on=Kind.MSRP_REQUEST, methods=("SEND",))
def chunk_small(entry: MsrpEntry, flow: Flow) -> Outcomes:
    """Told once for each message."""
    if entry.part_of is None or entry.flag is not Flag.MORE:
        return
    yield APPLIES
    if _is_small(entry) and next(filter(_is_small, entry.part_of.chunks)) is entry:
        expected = f"chunks of {FAIR_OCTETS} octets or more, but for the last one"
        yield Violation(expected, f"{entry.body.size} octets", "Byte-Range")


def _is_small(entry: MsrpEntry) -> bool:
    span = entry.byte_range
    interrupted = span is not None and span.end is None
    last = span is not None and span.total == entry.start + entry.body.size - 1
    return entry.flag is Flag.MORE and entry.body.size < FAIR_OCTETS and not interrupted and not last


@rule("msrp.send.interrupt", on=Kind.MSRP_REQUEST, methods=("SEND",))
def interrupt(entry: MsrpEntry, flow: Flow) -> Outcomes:
    """A chunk that went on for seconds while a request of the other end waited for its response."""
    if entry.body.size <= FAIR_OCTETS:
        return
    yield APPLIES
    if entry.time - entry.began < _PATIENCE:
        return
    for asked in reversed(flow.assembly.msrp.entries_towards(entry)):
        if asked.time < entry.began:
            return
        waits = asked.method == "SEND" and asked.request is not None and asked.request.failure_report == "yes"
        answered = asked.transaction.responses if asked.transaction else []
        if waits and not answered and entry.time - asked.time > _PATIENCE:
            seconds = entry.time - asked.time
            text = f"it went on for {seconds:.1f} s while {asked.label} had no response"
            yield Violation("a chunk that gives way to a response that is due", text)
            return


@rule("msrp.reports.same-over-chunks", on=Kind.MSRP_REQUEST, methods=("SEND",))
def reports_same(entry: MsrpEntry, flow: Flow) -> Outcomes:
    first = entry.part_of.first if entry.part_of else entry
    if entry.request is None or first.request is None or first is entry:
        return
    yield APPLIES
    for name, own, wanted in (
        ("Success-Report", entry.request.success_report, first.request.success_report),
        ("Failure-Report", entry.request.failure_report, first.request.failure_report),
    ):
        if own != wanted:
            yield Violation(f"{name}: {wanted} as in {first.label}", own, name)


@rule("msrp.413-stop", on=Kind.MSRP_REQUEST, methods=("SEND",))
def stop_after_413(entry: MsrpEntry, flow: Flow) -> Outcomes:
    if entry.part_of is None:
        return
    before = _before(entry) or (entry.part_of.again.last if entry.part_of.again else None)
    refusal = before.transaction.final if before is not None and before.transaction else None
    if refusal is None or refusal.status != 413:
        return
    yield APPLIES
    if refusal.time + _GRACE < entry.began:
        text = f"octets from {entry.start} on after {refusal.label}"
        yield Violation(f"no more chunks of {entry.message_id}", text, "Message-ID")


def _before(entry: MsrpEntry) -> MsrpEntry | None:
    """The chunk of the message that came before this one."""
    chunks = entry.part_of.chunks if entry.part_of else []
    if len(chunks) > 1 and chunks[-1] is entry:
        return chunks[-2]
    return None


def _goes_beyond(entry: MsrpEntry, message: ChunkedMessage) -> bool:
    """It continues where the message ended."""
    return message.total is not None and entry.start > message.total


def _was_refused(message: ChunkedMessage) -> bool:
    final = message.last.transaction.final if message.last.transaction else None
    return final is not None and final.status != 200


def _content(message: ChunkedMessage) -> bytes:
    return message.read(BEGINNING)
