"""SIP rules that one message alone decides (RFC 3261 7, 8.1.1, 18.1.1, 20)."""

from __future__ import annotations

import re

from harness.evidence.timeline import Transport
from harness.sip.framing import FramingError
from harness.sip.headers import COMPACT_FORMS, KNOWN_HEADERS, SINGLE_HEADERS
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import option_tags, shown
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Severity, Unverifiable, Violation
from harness.verify.items import SipEntry, reading

LARGEST_DATAGRAM = 1300
"""Octets of a request over UDP where the path MTU is not known (RFC 3261 18.1.1)."""

_TOKEN = rb"[A-Za-z0-9\-.!%*_+`'~]+"
_REQUEST_LINE = re.compile(_TOKEN + rb" [^<>\x00-\x20\x7f-\xff]+ SIP/2\.0")
_STATUS_LINE = re.compile(rb"SIP/2\.0 [1-6][0-9][0-9] [^\r\n]*")
_START_LINE = "three parts, single spaces, SIP/2.0 and CRLF"
_LINE_ENDS = frozenset({"LF without CR", "CR without LF"})
_TOO_LARGE = ("message", "header")
"""SipSyntaxError.what where a stream is larger than what is read, or ends within a message."""

_MANDATORY = ("To", "From", "CSeq", "Call-ID", "Via")

# P-Access-Network-Info is a comma list since RFC 7315; the CPM ids have rules of their own.
_ONCE = SINGLE_HEADERS - {
    "P-Access-Network-Info",
    "Contribution-ID",
    "Conversation-ID",
    "InReplyTo-Contribution-ID",
}

_VENDOR_PREFIXES = (
    "x-",
    "p-com.",
    "p-siemens",
    "p-nokia",
    "p-ericsson",
    "p-huawei",
    "p-mavenir",
    "p-rcs",
    "p-lgu",
    "p-skt",
    "p-kt",
)


@rule("sip.start-line", on=Kind.SIP)
def start_line(entry: SipEntry, flow: Flow) -> Outcomes:
    yield APPLIES
    message = entry.sip
    pattern = _REQUEST_LINE if message.is_request else _STATUS_LINE
    start = message.raw.find(message.start_line)
    ended = message.raw[start + len(message.start_line) :].startswith(b"\r\n")
    if pattern.fullmatch(message.start_line) is None or not ended:
        line = message.start_line.decode("utf-8", "backslashreplace")
        yield Violation(_START_LINE, shown(repr(line)), "start line", start)
        return
    if entry.incomplete or entry.error is not None:
        return
    for fault in message.faults:
        if fault.what == "message" or (fault.what == "header" and fault.text in _LINE_ENDS):
            yield Violation(
                "CRLF at the end of each header line, and an empty line", fault.text, octet=fault.offset
            )
            return


@rule("sip.start-line", on=Kind.BROKEN)
def no_message(entry: SipEntry, flow: Flow) -> Outcomes:
    """Octets at a SIP port that are no message."""
    error = entry.error
    if error is None or error.what == "Content-Length" or entry.follows is not None:
        return
    yield APPLIES
    line = entry.raw.lstrip(b"\r\n").split(b"\n", 1)[0].rstrip(b"\r")
    if error.what in _TOO_LARGE and (_begins_well(line) or entry.incomplete):
        yield Unverifiable("the message has no end in what was seen")
        return
    text = line[:200].decode("utf-8", "backslashreplace")
    yield Violation(_START_LINE, shown(repr(text)), "start line", error.offset)


@rule("sip.message.whole", on=Kind.BROKEN)
def message_whole(entry: SipEntry, flow: Flow) -> Outcomes:
    """A connection that was reset or closed within a message, whoever ended it."""
    if isinstance(entry.error, FramingError) and entry.error.cut:
        line = entry.raw.lstrip(b"\r\n").split(b"\n", 1)[0].rstrip(b"\r")
        if _begins_well(line):
            yield Violation(
                "the rest of the message before its connection ends", f"{len(entry.raw)} octets of it"
            )


def _begins_well(line: bytes) -> bool:
    """A start line, or what may become one."""
    if _REQUEST_LINE.fullmatch(line) or _STATUS_LINE.fullmatch(line):
        return True
    parts = line.split(b" ")
    return b"SIP/2.0".startswith(parts[0]) or (re.fullmatch(rb"[A-Z]+", parts[0]) is not None)


@rule("sip.mandatory-headers", on=Kind.SIP)
def mandatory_headers(entry: SipEntry, flow: Flow) -> Outcomes:
    if entry.incomplete:
        return
    yield APPLIES
    missing = [name for name in _MANDATORY if entry.sip.get(name) is None]
    if entry.response is not None and entry.transaction is not None:
        # Nothing to copy: the request had none either (8.2.6.2).
        missing = [name for name in missing if entry.transaction.request.sip.get(name) is not None]
    if missing:
        yield Violation(
            "To, From, CSeq, Call-ID and Via", f"no {', '.join(missing)}", octet=entry.sip.body_offset
        )


@rule("sip.header.duplicate-single", on=Kind.SIP)
def duplicate_single(entry: SipEntry, flow: Flow) -> Outcomes:
    yield APPLIES
    for name in sorted(_ONCE):
        fields = entry.sip.all_fields(name)
        if len(fields) > 1:
            yield Violation("one field", f"{len(fields)} fields", name, fields[1].offset)


@rule("sip.via.branch-cookie", on=Kind.REQUEST)
def branch_cookie(entry: SipEntry, flow: Flow) -> Outcomes:
    if entry.sip.get("Via") is None:
        return
    yield APPLIES
    branch = entry.branch or ""
    if not branch.startswith("z9hG4bK") or branch == "z9hG4bK":
        # By the letter of 7.3.1 parameter values are free of case; the magic cookie is written out.
        folded = branch.lower().startswith("z9hg4bk") and branch != "z9hG4bK"
        severity = Severity.SHOULD if folded else None
        actual = shown(branch) or "no branch"
        yield Violation("a branch that goes on after z9hG4bK", actual, "Via", severity=severity)


@rule("sip.via.transport", on=Kind.REQUEST)
def via_transport(entry: SipEntry, flow: Flow) -> Outcomes:
    via = entry.via
    if via is None:
        return
    yield APPLIES
    if entry.transport is Transport.TCP and via.transport.upper() in ("TLS", "WS", "WSS"):
        yield Unverifiable("TLS may end before the place of the capture")
    elif via.protocol.upper() != "SIP/2.0" or via.transport.upper() != entry.transport.value:
        yield Violation(f"SIP/2.0/{entry.transport}", f"{via.protocol}/{via.transport}", "Via")


@rule("sip.via.transport-param", on=Kind.REQUEST)
def via_transport_parameter(entry: SipEntry, flow: Flow) -> Outcomes:
    if entry.via is None:
        return
    yield APPLIES
    if "transport" in entry.via.parameters:
        value = entry.via.parameters.get("transport")
        yield Violation("the transport in the sent-protocol only", f";transport={value}", "Via")


@rule("sip.max-forwards.present", on=Kind.REQUEST)
def max_forwards_present(entry: SipEntry, flow: Flow) -> Outcomes:
    yield APPLIES
    value = entry.sip.get("Max-Forwards")
    if value is None:
        yield Violation("Max-Forwards", "none")
    elif not _is_number(value, 255):
        yield Violation("a number from 0 to 255", shown(value), "Max-Forwards")


def _is_number(text: str, limit: int) -> bool:
    """Decimal digits, leading zeros allowed, up to the limit."""
    significant = text.lstrip("0") or "0"
    return re.fullmatch(r"[0-9]+", text) is not None and len(significant) <= 20 and int(significant) <= limit


@rule("sip.max-forwards.origin-70", on=Kind.REQUEST)
def max_forwards_origin(entry: SipEntry, flow: Flow) -> Outcomes:
    value = reading(lambda: entry.sip.max_forwards)
    if value is None or len(entry.vias) != 1:
        return
    yield APPLIES
    if value != 70:
        yield Violation("70", str(value), "Max-Forwards")


@rule("sip.max-forwards.not-in-response", on=Kind.RESPONSE)
def max_forwards_in_response(entry: SipEntry, flow: Flow) -> Outcomes:
    yield APPLIES
    value = entry.sip.get("Max-Forwards")
    if value is not None:
        yield Violation("no Max-Forwards in a response", value, "Max-Forwards")


@rule("sip.max-forwards.via-count", on=Kind.REQUEST)
def max_forwards_via_count(entry: SipEntry, flow: Flow) -> Outcomes:
    value = reading(lambda: entry.sip.max_forwards)
    hops = len(entry.vias) - 1
    if value is None or hops < 0:
        return
    yield APPLIES
    if 70 - value != hops:
        yield Violation(f"{70 - hops} with {hops + 1} Via values", str(value), "Max-Forwards")


@rule("sip.cseq.method", on=Kind.REQUEST)
def cseq_method(entry: SipEntry, flow: Flow) -> Outcomes:
    cseq = entry.cseq
    if cseq is None:
        return
    yield APPLIES
    if cseq.method != entry.method:
        yield Violation(entry.method, cseq.method, "CSeq")


@rule("sip.cseq.range", on=Kind.REQUEST)
def cseq_range(entry: SipEntry, flow: Flow) -> Outcomes:
    value = entry.sip.get("CSeq")
    if value is None:
        return
    yield APPLIES
    number = value.split()[0] if value.split() else ""
    if not _is_number(number, 2**31 - 1):
        yield Violation("a decimal number below 2**31", shown(value), "CSeq")


@rule("sip.content-length.exact", on=Kind.SIP)
@rule("sip.content-length.exact", on=Kind.BROKEN)
def content_length_exact(entry: SipEntry, flow: Flow) -> Outcomes:
    if entry.error is not None:
        yield from _broken_framing(entry)
        return
    yield APPLIES
    if entry.incomplete:
        yield Unverifiable("the capture lacks the end of the datagram")
    if entry.incomplete or entry.reliable:
        return
    for fault in entry.sip.faults:
        if fault.what == "Content-Length":
            yield Violation("the octets of the body", fault.text, "Content-Length", fault.offset)
        elif fault.what == "body":
            yield Violation(
                "nothing behind the body",
                fault.text,
                "Content-Length",
                fault.offset,
                severity=Severity.SHOULD,
            )


def _broken_framing(entry: SipEntry) -> Outcomes:
    error = entry.error
    if entry.follows is not None:
        line = entry.raw.split(b"\n", 1)[0].decode("utf-8", "backslashreplace")
        expected = "a message behind the body its Content-Length measures"
        yield Violation(expected, shown(repr(line)), "Content-Length", item=entry.follows)
    elif isinstance(error, FramingError) and error.exceeded is not None:  # a limit of this program
        yield Unverifiable(str(error))
    elif error is not None and error.what == "Content-Length":
        yield Violation("one Content-Length that fits the body", str(error), "Content-Length", error.offset)


@rule("sip.content-length.udp", on=Kind.SIP)
def content_length_udp(entry: SipEntry, flow: Flow) -> Outcomes:
    message = entry.sip
    if entry.reliable:
        return
    yield APPLIES
    if message.get("Content-Length") is not None:
        return
    if any(nearest(field.canonical) == "Content-Length" for field in message.fields):
        return  # one slip, one finding: sip.header.name-spelling
    yield Violation("Content-Length", "none", octet=message.body_offset)


@rule("sip.udp-1300", on=Kind.REQUEST)
def small_over_udp(entry: SipEntry, flow: Flow) -> Outcomes:
    """What the path takes as a whole is not in a capture, so the limit for a path not known holds."""
    if entry.reliable or (entry.method == "MESSAGE" and not entry.to_tag):
        return  # a message: pager.size-limit.whole-request
    yield APPLIES
    if len(entry.raw) > LARGEST_DATAGRAM:
        yield Violation(
            f"TCP for more than {LARGEST_DATAGRAM} octets", f"{len(entry.raw)} over UDP", "start line"
        )


@rule("sip.content-type.present", on=Kind.SIP)
def content_type_present(entry: SipEntry, flow: Flow) -> Outcomes:
    if not entry.sip.body:
        return
    yield APPLIES
    if entry.sip.get("Content-Type") is None:
        yield Violation("Content-Type", f"a body of {len(entry.sip.body)} octets without a type", "body")


@rule("sip.header.name-spelling", on=Kind.SIP)
def name_spelling(entry: SipEntry, flow: Flow) -> Outcomes:
    yield APPLIES
    for field in entry.sip.fields:
        lower = field.name.lower()
        if field.canonical in KNOWN_HEADERS or lower in COMPACT_FORMS or lower.startswith(_VENDOR_PREFIXES):
            continue
        near = nearest(field.name)
        message = f"probable misspelling of {near}" if near else "header in no known list"
        yield Violation(near or "a known header name", field.name, field.name, field.offset, message)


def nearest(name: str) -> str | None:
    """The known header an unknown name of six letters or more is one or two slips away from."""
    if len(name) < 6 or name in KNOWN_HEADERS:
        return None
    found = [
        (distance(name.lower(), known.lower()), known)
        for known in KNOWN_HEADERS
        if abs(len(known) - len(name)) < 3
    ]
    best = min(found, default=(9, ""))
    return best[1] if best[0] <= 2 else None


def distance(one: str, other: str) -> int:
    """Insertions, deletions and replacements between two words."""
    row = list(range(len(other) + 1))
    for i, left in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, right in enumerate(other, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (left != right))
    return row[-1]


@rule("sip.405.allow", on=Kind.RESPONSE)
def allow_in_405(entry: SipEntry, flow: Flow) -> Outcomes:
    if entry.status != 405:
        return
    yield APPLIES
    if entry.sip.get("Allow") is None:
        yield Violation("Allow", "none")


@rule("sip.415.accept", on=Kind.RESPONSE)
def accept_in_415(entry: SipEntry, flow: Flow) -> Outcomes:
    names = ("Accept", "Accept-Encoding", "Accept-Language")
    if entry.status != 415:
        return
    yield APPLIES
    if not any(entry.sip.get(name) is not None for name in names):
        yield Violation("Accept, Accept-Encoding or Accept-Language", "none of them")


@rule("sip.100.no-pani", on=Kind.RESPONSE)
def access_network_in_100(entry: SipEntry, flow: Flow) -> Outcomes:
    value = entry.sip.get("P-Access-Network-Info")
    if entry.status != 100:
        return
    yield APPLIES
    if value is not None:
        yield Violation("no P-Access-Network-Info in a 100", shown(value), "P-Access-Network-Info")


@rule("sip.100rel.require-only-invite", on=Kind.REQUEST)
def reliable_only_in_invite(entry: SipEntry, flow: Flow) -> Outcomes:
    if entry.method == "INVITE":
        return
    yield APPLIES
    if "100rel" in option_tags(entry.sip, "Require"):
        yield Violation("100rel required in INVITE only", f"in {entry.method}", "Require")
