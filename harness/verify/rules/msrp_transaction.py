"""Rules about MSRP responses and REPORTs: what is due and how it goes back (RFC 4975 7.1.2 to 7.2)."""

from __future__ import annotations

import re

from harness.msrp.message import COMMENTS, Flag
from harness.msrp.reassembly import Coverage
from harness.msrp.transactions import ANSWER_SECONDS
from harness.msrp.uri import MsrpUri
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import shown
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, IN_A_GAP, Outcomes, Party, Unverifiable, Violation
from harness.verify.items import SipEntry
from harness.verify.msrp_items import ChunkedMessage, MsrpEntry
from harness.verify.rules.cross_layer import radio_switched
from harness.verify.rules.msrp_paths import moved

_STATUS = re.compile(r"(?P<namespace>[0-9]{3}) (?P<code>[0-9]{3})(?: .*)?")
_REPORTED = 2.0
"""Seconds from the response to the end of the session in which a REPORT may not have been ready."""
_AT_ONCE = 10.0
"""Seconds in which a response that comes "immediately" comes (7.2)."""


@rule("msrp.response.tid", on=Kind.MSRP_RESPONSE)
def response_tid(entry: MsrpEntry, flow: Flow) -> Outcomes:
    yield APPLIES
    if entry.transaction is not None or entry.amid:
        return
    if not flow.from_start:
        yield Unverifiable("the request it answers was not captured")
    elif not flow.assembly.msrp.entries_towards(entry):
        yield Violation(
            "a response on the connection of its request", f"{entry.tid}, and no request on it", "start line"
        )
    else:
        yield Violation(
            "the transaction id of a request on this connection", shown(entry.tid), "start line", 5
        )


@rule("msrp.response.paths", on=Kind.MSRP_RESPONSE)
def response_paths(entry: MsrpEntry, flow: Flow) -> Outcomes:
    if entry.transaction is None:
        return
    yield APPLIES
    request = entry.transaction.request
    back = request.from_path if request.method not in ("SEND", "REPORT") else request.from_path[:1]
    if back:
        yield from _compared("To-Path", entry.to_path, back, entry, request)
    if request.to_path:
        yield from _compared("From-Path", entry.from_path[-1:], request.to_path[:1], entry, request)
    if request.method == "SEND" and len(entry.from_path) > 1:
        yield Violation("the one URI of the responder", str(len(entry.from_path)), "From-Path")


def _compared(
    name: str, own: tuple[MsrpUri, ...], wanted: tuple[MsrpUri, ...], entry: MsrpEntry, request: MsrpEntry
) -> Outcomes:
    ids = [uri.session_id for uri in own] == [uri.session_id for uri in wanted]
    if own != wanted and not (ids and _of_another_hop(entry, request)):
        expected = f"{name}: {' '.join(map(str, wanted))}, back to where {request.label} came from"
        yield Violation(shown(expected, 200), shown(entry.msrp.get(name) or "none", 200), name)


def _of_another_hop(entry: MsrpEntry, request: MsrpEntry) -> bool:
    """A middlebox writes other addresses on this way, which sdp.cema.session-match tells."""
    session = request.session
    return session is None or entry.sender is not Party.HANDSET or moved(request, session) is not None


@rule("msrp.response.codes", on=Kind.MSRP_RESPONSE)
def response_codes(entry: MsrpEntry, flow: Flow) -> Outcomes:
    yield APPLIES
    if entry.status not in COMMENTS:
        yield Violation("a status that is defined", str(entry.status), "start line")


@rule("msrp.response.extra-headers", on=Kind.MSRP_RESPONSE)
def repeats_what_it_answers(entry: MsrpEntry, flow: Flow) -> Outcomes:
    """The grammar lets any header into a response, and asks for none beside the paths (9)."""
    request = entry.transaction.request if entry.transaction is not None else None
    if request is None:
        return
    given = entry.msrp.get("Message-ID")
    if given is not None:
        yield APPLIES
        if given != request.message_id:
            yield Violation(f"Message-ID: {request.message_id}, as in {request.label}", given, "Message-ID")
    span = entry.byte_range
    if span is None:
        return
    yield APPLIES
    asked = request.byte_range
    if asked is not None and any(
        None not in pair and pair[0] != pair[1] for pair in zip(span, asked, strict=True)
    ):
        yield Violation(f"Byte-Range: {asked}, as in {request.label}", str(span), "Byte-Range")


@rule("msrp.response.required", on=Kind.MSRP_REQUEST, methods=("SEND",), after=ANSWER_SECONDS, receiver=True)
def response_required(entry: MsrpEntry, flow: Flow) -> Outcomes:
    transaction = entry.transaction
    if entry.request is None or entry.request.failure_report != "yes" or transaction is None:
        return
    yield APPLIES
    if transaction.responses or _is_over(entry, flow):
        return
    if radio_switched(flow, entry.began - flow.settings.cell_tolerance, entry.time + ANSWER_SECONDS):
        yield Unverifiable("the radio was switched while the response was due")
        return
    yield Violation(f"a response within {ANSWER_SECONDS:.0f} s", "none", "start line")


@rule("msrp.response.required", on=Kind.MSRP_RESPONSE)
def response_unwanted(entry: MsrpEntry, flow: Flow) -> Outcomes:
    transaction = entry.transaction
    if transaction is None or transaction.request.request is None or transaction.method != "SEND":
        return
    yield APPLIES
    asked = transaction.request.request.failure_report
    if asked == "no" or (asked == "partial" and entry.status == 200):
        expected = "no response" if asked == "no" else "no 200"
        yield Violation(f"{expected} to Failure-Report: {asked}", f"{entry.status}", "start line")
    elif transaction.responses[0] is not entry:
        yield Violation(
            "one response to a request",
            f"{entry.status} after {transaction.responses[0].status}",
            "start line",
        )


@rule("msrp.response.latency", on=Kind.MSRP_RESPONSE)
def latency(entry: MsrpEntry, flow: Flow) -> Outcomes:
    if entry.transaction is None or entry.transaction.method != "SEND":
        return
    yield APPLIES
    seconds = entry.time - entry.transaction.request.time
    if seconds > _AT_ONCE:
        yield Violation("a response at once", f"after {seconds:.1f} s", "start line")


@rule("msrp.report.form", on=Kind.MSRP_REQUEST, methods=("REPORT",))
def report_form(entry: MsrpEntry, flow: Flow) -> Outcomes:
    yield APPLIES
    for name in ("Success-Report", "Failure-Report"):
        if entry.msrp.get(name) is not None:
            yield Violation(f"no {name} in a REPORT", entry.msrp.get(name) or "", name)
    if entry.flag is not Flag.COMPLETE:
        yield Violation("$ at the end of a REPORT", str(entry.flag), "body")
    values = entry.msrp.get_all("Status")
    if len(values) != 1:
        yield Violation("one Status in a REPORT", str(len(values)) if values else "none", "Status")
        return
    status = _STATUS.fullmatch(values[0])
    if status is None or status["namespace"] != "000":
        yield Violation("Status: 000, a status of three digits, a comment", shown(values[0]), "Status")
        return
    about_content = entry.part_of is None or entry.part_of.first.has_body
    if status["code"] != "200" and about_content and entry.msrp.get("Byte-Range") is None:
        yield Violation("Byte-Range in a failure REPORT on a chunk", "none", "start line")


@rule("msrp.report.byte-range", on=Kind.MSRP_REQUEST, methods=("REPORT",))
def report_range(entry: MsrpEntry, flow: Flow) -> Outcomes:
    if not _is_success(entry):
        return
    yield APPLIES
    if entry.msrp.get("Byte-Range") is None:
        yield Violation("Byte-Range in a success REPORT", "none", "start line")


@rule("msrp.report.only-if-asked", on=Kind.MSRP_REQUEST, methods=("REPORT",))
def only_if_asked(entry: MsrpEntry, flow: Flow) -> Outcomes:
    success = _is_success(entry)
    if success is None or entry.message_id is None:
        return
    message = entry.part_of
    if message is None or message.first.request is None:
        yield Unverifiable(f"the message {entry.message_id} it reports on was not captured")
        return
    yield APPLIES
    asked = [chunk.request for chunk in message.chunks if chunk.request is not None]
    if success and all(chunk.success_report != "yes" for chunk in asked):
        yield Violation(
            f"no success REPORT for {message.first.label} with Success-Report: no", "one", "Status"
        )
    if not success and all(chunk.failure_report == "no" for chunk in asked):
        yield Violation(
            f"no failure REPORT for {message.first.label} with Failure-Report: no", "one", "Status"
        )


@rule("msrp.report.no-response", on=Kind.MSRP_RESPONSE)
def no_response(entry: MsrpEntry, flow: Flow) -> Outcomes:
    if entry.transaction is not None and entry.transaction.method == "REPORT":
        yield Violation("no response to a REPORT", entry.label, "start line")


@rule("msrp.report.no-response", on=Kind.MSRP_REQUEST, methods=("REPORT",))
def no_report(entry: MsrpEntry, flow: Flow) -> Outcomes:
    """A REPORT on a message of its own sender answers the REPORT on it."""
    yield APPLIES
    if entry.part_of is not None or entry.session is None:
        return
    for known in reversed(flow.assembly.msrp.messages):
        if known.message_id == entry.message_id and known.session is entry.session and known.reports:
            yield Violation("no REPORT on a REPORT", f"one on {known.label} of its own", "Message-ID")
            return


@rule("msrp.report.coverage", on=Kind.REQUEST, methods=("BYE",))
def report_coverage(bye: SipEntry, flow: Flow) -> Outcomes:
    """Judged when the session ends: no text says by when a success report is due."""
    for session in flow.assembly.negotiations.sessions_of(bye.dialog) if bye.dialog else ():
        for message in flow.assembly.msrp.messages_of(session):
            taken = message.last.transaction.accepted if message.last.transaction else None
            asked = message.first.request
            if asked is None or asked.success_report != "yes" or not message.complete or taken is None:
                continue
            if taken.time + _REPORTED > bye.time:
                continue
            yield APPLIES
            if _covered(message):
                continue
            if not flow.from_start:
                yield Unverifiable("a REPORT may not have been captured", message.last)
                continue
            if flow.assembly.incomplete:
                yield IN_A_GAP
                continue
            expected = f"success reports on all {message.total} octets of {message.label}"
            yield Violation(expected, f"{len(message.reports)} REPORTs", item=taken)


def _covered(message: ChunkedMessage) -> bool:
    """Every octet was reported on, in whatever pieces; without Byte-Range the whole message was."""
    covered = Coverage()
    for report in message.reports:
        span = report.byte_range
        if not _is_success(report):
            continue
        end = span.end if span is not None and span.end is not None else message.total
        covered.add(max(span.start - 1, 0) if span is not None else 0, end or 0)
    return covered.covers(message.total or 0)


def _is_success(entry: MsrpEntry) -> bool | None:
    """Whether the REPORT tells of success; None when its Status cannot be read."""
    status = _STATUS.fullmatch(entry.msrp.get("Status") or "")
    return None if status is None else status["code"] == "200"


def _is_over(entry: MsrpEntry, flow: Flow) -> bool:
    """The connection ended, or its session, before a response was due."""
    due = entry.time + ANSWER_SECONDS
    end = flow.assembly.msrp.closed.get(entry.connection or 0)
    closed = end is not None and end.time <= due
    byes = entry.dialog.byes if entry.dialog else []
    return closed or any(bye.time <= due for bye in byes)
