"""Rules about one MSRP message: start line, transaction id, headers, body and end-line (RFC 4975 7.1, 9)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from harness.msrp.framing import FramingError
from harness.msrp.message import BYTE_RANGE, IDENT, Flag
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import shown
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Severity, Unverifiable, Violation
from harness.verify.msrp_items import MsrpEntry
from harness.verify.msrp_streams import EndLineError
from harness.verify.rules.cross_layer import radio_switched

_LINE = re.compile(rb"MSRP (?P<tid>\S+) (?:(?P<method>[A-Z]+)|[0-9]{3}(?: [^\r\n]*)?)\r\n")
_FEW = 10
"""Characters of a transaction id: 62 * 67**9 ids are fewer than 2**64."""
_COUNTED = re.compile(r"(.*?)(\d+)")
_SAMPLE = 8
# What ids are made of, the narrowest first: so many of them would show what else there is.
_ALPHABETS = (
    (re.compile("[0-9]+"), 10, "digits"),
    (re.compile("[0-9a-f]+|[0-9A-F]+"), 16, "hexadecimal digits"),
    (re.compile("[0-9a-z]+|[0-9A-Z]+"), 36, "digits and letters of one case"),
    (re.compile("[A-Za-z]+"), 52, "letters"),
    (re.compile(".*"), 67, "characters"),
)
_REPORTS = {"Success-Report": ("yes", "no"), "Failure-Report": ("yes", "no", "partial")}


@rule("msrp.start-line", on=Kind.BROKEN_MSRP)
def start_line(entry: MsrpEntry, flow: Flow) -> Outcomes:
    """Octets on an MSRP connection that are no message."""
    error = entry.error
    if not isinstance(error, FramingError) or error.what == "response":
        return
    if error.exceeded is not None:
        yield Unverifiable(f"what begins there is too large to be read: {error}")
        return
    raw = entry.body.read(4096)
    if _LINE.match(raw) or _goes_on(entry):  # msrp.tid.syntax, msrp.end-line.not-in-body
        return
    line = raw.partition(b"\n")[0].rstrip(b"\r")[:200].decode("utf-8", "backslashreplace")
    yield Violation("MSRP, a transaction id, and a method or a status", shown(repr(line)), "start line", 0)


@rule("msrp.start-line", on=Kind.MSRP)
@rule("msrp.end-line", on=Kind.MSRP)
@rule("msrp.message.whole", on=Kind.MSRP)
def as_framed(entry: MsrpEntry, flow: Flow) -> Outcomes:
    """What the framing took for a message is one from its start line to its end-line."""
    yield APPLIES


@rule("msrp.tid.syntax", on=Kind.MSRP)
def tid_syntax(entry: MsrpEntry, flow: Flow) -> Outcomes:
    if entry.transaction is not None and entry.response is not None:
        return  # it has to repeat that of the request
    yield APPLIES
    if IDENT.fullmatch(entry.msrp.tid) is None:
        yield Violation(_IDENT, shown(entry.tid), "start line", 5)


@rule("msrp.tid.syntax", on=Kind.BROKEN_MSRP)
def tid_unreadable(entry: MsrpEntry, flow: Flow) -> Outcomes:
    line = _LINE.match(entry.body.read(4096)) if isinstance(entry.error, FramingError) else None
    if line is not None and line["method"] and entry.error is not None and entry.error.what == "start line":
        yield Violation(_IDENT, shown(line["tid"].decode("utf-8", "backslashreplace")), "start line", 5)


_IDENT = "4 to 32 letters, digits or . - + % =, the first one a letter or a digit"


@rule("msrp.tid.entropy", on=Kind.MSRP_REQUEST)
def tid_entropy(entry: MsrpEntry, flow: Flow) -> Outcomes:
    """Told once for each sender on a connection."""
    yield APPLIES
    if len(entry.tid) > _FEW:
        return
    requests = (known for known in flow.assembly.msrp.entries_from(entry) if known.request is not None)
    if next((known for known in requests if len(known.tid) <= _FEW), entry) is entry:
        text = f"{entry.tid}: {len(entry.tid)} characters"
        yield Violation(
            "64 random bits in the transaction id, which takes 11 characters", text, "start line", 5
        )


@rule("msrp.tid.pattern", on=Kind.MSRP_REQUEST)
def tid_pattern(entry: MsrpEntry, flow: Flow) -> Outcomes:
    last = list(islice(_requests_back(entry, flow), 3))
    if len(last) < 2:
        return
    yield APPLIES
    if _counts_on(last[1], last[0]):
        if len(last) < 3 or not _counts_on(last[2], last[1]):
            yield Violation(
                "random transaction ids", f"{last[0]} after {last[1]}: a counter", "start line", 5
            )
        return
    sample = list(islice(_requests_back(entry, flow), _SAMPLE + 1))
    if len(sample) != _SAMPLE or any(
        _counts_on(one, other) for one, other in zip(sample[1:], sample, strict=False)
    ):
        return  # told when there are as many for the first time
    size, name = next(
        (size, name) for alphabet, size, name in _ALPHABETS if all(map(alphabet.fullmatch, sample))
    )
    length = min(map(len, sample))
    if length > _FEW and size**length < 2**64:
        text = f"{_SAMPLE} ids of {length} {name}"
        yield Violation("64 random bits in the transaction id", text, "start line", 5)


@rule("msrp.tid.unique", on=Kind.MSRP_REQUEST)
def tid_unique(entry: MsrpEntry, flow: Flow) -> Outcomes:
    yield APPLIES
    for known in flow.assembly.msrp.transactions_with(entry):
        other = known.request
        waits = other.request is not None and other.request.failure_report == "yes" and other.method == "SEND"
        if other is not entry and waits and not known.responses and entry.began >= other.time:
            text = f"{entry.tid}, the id of {other.label}, which has no response yet"
            yield Violation("a transaction id no pending request has", text, "start line", 5)
            return


@rule("msrp.path-first", on=Kind.MSRP)
def path_first(entry: MsrpEntry, flow: Flow) -> Outcomes:
    yield APPLIES
    names = [each.name.lower() for each in entry.msrp.headers]
    if names[:2] != ["to-path", "from-path"]:
        actual = ", ".join(each.name for each in entry.msrp.headers[:3]) or "none"
        yield Violation("To-Path, then From-Path, then the other headers", shown(actual), "start line")
    elif len(set(names[:2])) + len(names[2:]) != len(set(names[:2]) | set(names[2:])) and (
        {"to-path", "from-path"} & set(names[2:])
    ):
        yield Violation("To-Path and From-Path once", "twice", "To-Path")


@rule("msrp.response.flag", on=Kind.MSRP_RESPONSE)
def response_flag(entry: MsrpEntry, flow: Flow) -> Outcomes:
    yield APPLIES
    if entry.flag is not Flag.COMPLETE:
        yield Violation("$ at the end of a response", str(entry.flag), "body")
    if entry.has_body or entry.msrp.get("Content-Type") is not None:
        yield Violation("a response without a body", f"{entry.body.size} octets of one", "body")


@rule("msrp.response.flag", on=Kind.BROKEN_MSRP)
def response_with_body(entry: MsrpEntry, flow: Flow) -> Outcomes:
    if entry.error is not None and entry.error.what == "response":
        yield Violation("a response without a body", "a long one", "body")


@rule("msrp.end-line", on=Kind.BROKEN_MSRP)
def end_line(entry: MsrpEntry, flow: Flow) -> Outcomes:
    if isinstance(entry.error, EndLineError) and entry.error.what == "end-line":
        expected = "seven hyphens, the transaction id of the start line, and $, + or #"
        yield Violation(expected, shown(str(entry.error.value)), octet=entry.error.offset)


@rule("msrp.body.delimiter-crlf", on=Kind.BROKEN_MSRP)
def no_delimiter(entry: MsrpEntry, flow: Flow) -> Outcomes:
    if isinstance(entry.error, EndLineError) and entry.error.what == "line end":
        yield Violation("CRLF between body and end-line", "none", octet=entry.error.offset)


@rule("msrp.body.delimiter-crlf", on=Kind.MSRP_REQUEST)
def delimiter_counted(entry: MsrpEntry, flow: Flow) -> Outcomes:
    if not entry.has_body:
        return
    yield APPLIES
    if counts_delimiter(entry):
        size = entry.body.size
        yield Violation(
            f"the {size} octets before the CRLF of the end-line", f"{size + 2} in Byte-Range", "Byte-Range"
        )


def counts_delimiter(entry: MsrpEntry) -> bool:
    """Byte-Range counts the CRLF before the end-line as two octets of the body."""
    span = entry.byte_range
    return (
        span is not None
        and entry.has_body
        and span.end is not None
        and (span.end - span.start + 1 == entry.body.size + 2)
    )


@rule("msrp.end-line.not-in-body", on=Kind.MSRP_REQUEST)
def end_line_behind_body(entry: MsrpEntry, flow: Flow) -> Outcomes:
    """What is left of a body that ended too early shows as octets that are no message, further down."""
    if entry.has_body:
        yield APPLIES


@rule("msrp.end-line.not-in-body", on=Kind.BROKEN_MSRP)
def end_line_in_body(entry: MsrpEntry, flow: Flow) -> Outcomes:
    before = entry.follows
    if before is not None and _goes_on(entry):
        text = f"the end-line of {before.label} after {before.body.size} octets of its body, which goes on"
        yield Violation("a transaction id whose end-line is not in the body", text, item=before)


def _goes_on(entry: MsrpEntry) -> bool:
    """Octets that are the rest of the body before: it is shorter than Byte-Range says."""
    before = entry.follows
    span = before.byte_range if before is not None and before.has_body else None
    if before is None or span is None:
        return False
    last = span.end if span.end is not None else span.total
    return before.flag is Flag.COMPLETE and last is not None and last - span.start + 1 > before.body.size


@rule("msrp.content-type.last", on=Kind.MSRP_REQUEST)
def content_type_last(entry: MsrpEntry, flow: Flow) -> Outcomes:
    if not entry.has_body:
        return
    yield APPLIES
    names = [each.name for each in entry.msrp.headers]
    if not names or names[-1].lower() != "content-type":
        given = any(name.lower() == "content-type" for name in names)
        actual = f"{names[-1]} behind it" if given else "no Content-Type"
        yield Violation("Content-Type as the last header before a body", shown(actual), "Content-Type")


@rule("msrp.no-mime-without-body", on=Kind.MSRP_REQUEST)
def mime_without_body(entry: MsrpEntry, flow: Flow) -> Outcomes:
    if entry.has_body:
        return
    yield APPLIES
    names = [each.name for each in entry.msrp.headers if each.name.lower().startswith("content-")]
    if names:
        yield Violation("no MIME header in a request without a body", ", ".join(names), names[0])
    elif any(fault.what == "message" and fault.clause == "RFC 4975 7.1" for fault in entry.msrp.faults):
        yield Violation("the end-line right behind the last header", "an empty line before it", "body")


@rule("msrp.no-cte", on=Kind.MSRP_REQUEST)
def no_transfer_encoding(entry: MsrpEntry, flow: Flow) -> Outcomes:
    yield APPLIES
    value = entry.msrp.get("Content-Transfer-Encoding")
    if value is not None:
        yield Violation("content as it is, without transfer encoding", value, "Content-Transfer-Encoding")


@rule("msrp.message-id.present", on=Kind.MSRP_REQUEST, methods=("SEND", "REPORT"))
def message_id(entry: MsrpEntry, flow: Flow) -> Outcomes:
    yield APPLIES
    values = entry.msrp.get_all("Message-ID")
    if len(values) > 1:
        yield Violation("one Message-ID", f"{len(values)} of them", "Message-ID")
    elif values and IDENT.fullmatch(values[0].encode("utf-8", "replace")) is None:
        yield Violation(f"Message-ID: {_IDENT}", shown(values[0]) or "nothing", "Message-ID")
    elif not values and (entry.has_body or entry.method == "REPORT"):
        yield Violation(f"Message-ID in a {entry.method}", "none", "start line")


@rule("msrp.message-id.bodiless", on=Kind.MSRP_REQUEST, methods=("SEND",))
def message_id_bodiless(entry: MsrpEntry, flow: Flow) -> Outcomes:
    if entry.has_body:
        return
    yield APPLIES
    if entry.message_id is None:
        yield Violation("Message-ID in a SEND without a body too", "none", "start line")


@rule("msrp.byte-range.syntax", on=Kind.MSRP)
def byte_range_syntax(entry: MsrpEntry, flow: Flow) -> Outcomes:
    values = entry.msrp.get_all("Byte-Range")
    if not values:
        return
    yield APPLIES
    if len(values) > 1:
        yield Violation("one Byte-Range", f"{len(values)} of them", "Byte-Range")
    for value in values[:1]:
        if BYTE_RANGE.fullmatch(value.encode("utf-8", "replace")) is None:
            yield Violation(
                "Byte-Range: start-end/total, * for an end or total not known", shown(value), "Byte-Range"
            )
        elif entry.has_body and entry.start < 1:
            yield Violation("a Byte-Range that counts from 1", shown(value), "Byte-Range")


@rule("msrp.open.empty-byte-range", on=Kind.MSRP_REQUEST, methods=("SEND",))
def empty_byte_range(entry: MsrpEntry, flow: Flow) -> Outcomes:
    if entry.has_body or entry.msrp.get("Byte-Range") is None:
        return
    yield APPLIES
    if entry.start != 1:
        yield Violation(
            "a Byte-Range from 1 where there is no content, as 1-0/0", str(entry.byte_range), "Byte-Range"
        )


@rule("msrp.reports.values", on=Kind.MSRP_REQUEST, methods=("SEND",))
def report_values(entry: MsrpEntry, flow: Flow) -> Outcomes:
    for name, allowed in _REPORTS.items():
        values = entry.msrp.get_all(name)
        if not values:
            continue
        yield APPLIES
        if len(values) > 1:
            yield Violation(f"{name} once", f"{len(values)} times", name)
        for value in values[:1]:
            if value.lower() not in allowed:
                yield Violation(
                    f"{name}: {', '.join(allowed[:-1])} or {allowed[-1]}", shown(value) or "nothing", name
                )
            elif value not in allowed:
                yield Violation(f"{name}: {value.lower()}", value, name, severity=Severity.INFO)


@rule("msrp.message.whole", on=Kind.BROKEN_MSRP)
def message_whole(entry: MsrpEntry, flow: Flow) -> Outcomes:
    """A connection that was closed or reset within a message."""
    if entry.cut is None or entry.message is None:
        return
    if entry.cut.by == str(entry.destination):
        yield Unverifiable("the receiver of the message ended the connection")
        return
    if radio_switched(flow, entry.began - flow.settings.cell_tolerance, entry.cut.time):
        yield Unverifiable("the radio was switched while the message was under way")
        return
    octets = len(entry.raw) + entry.body.size
    yield Violation(
        f"the end-line before the connection ends ({entry.cut.text})", f"{octets} octets of a {entry.method}"
    )


def _requests_back(entry: MsrpEntry, flow: Flow) -> Iterator[str]:
    """Transaction ids of the sender's requests on the connection, the newest first."""
    for known in reversed(flow.assembly.msrp.entries_from(entry)):
        if known.request is not None and known.place <= entry.place:
            yield known.tid


def _counts_on(before: str, value: str) -> bool:
    one, other = _COUNTED.fullmatch(before), _COUNTED.fullmatch(value)
    return one is not None and other is not None and one[1] == other[1] and int(other[2]) - int(one[2]) == 1
