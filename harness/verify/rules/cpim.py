"""CPIM rules (RFC 3862, RFC 4975 13, RFC 5438 7.1.1). They leave the MIME headers of the content alone."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import replace

from harness.bodies.cpim import CORE_NAMESPACE, IMDN_NAMESPACE, CpimFault, CpimHeader, CpimMessage
from harness.bodies.timestamp import parse_timestamp
from harness.cpm.services import Service
from harness.errors import BodySyntaxError
from harness.evidence.timeline import Layer
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import covers, shown, stated_services
from harness.verify.engine import Flow
from harness.verify.finding import Outcomes, Severity, Violation
from harness.verify.items import CpimItem, Dialog, SipEntry

ANONYMOUS = "sip:anonymous@anonymous.invalid"

CORE_NAMES = ("From", "To", "cc", "DateTime", "Subject", "NS", "Require")
IMDN_NAMES = ("Message-ID", "Disposition-Notification", "Original-To", "IMDN-Record-Route", "IMDN-Route")
_MAY_REPEAT = frozenset({"NS", "To", "cc"})

_STRUCTURE = {
    CpimFault.LINE_END: "CRLF at the end of each line",
    CpimFault.NO_EMPTY_LINE: "CPIM headers, empty line, MIME headers, empty line, content",
    CpimFault.LEADING_EMPTY_LINE: "CPIM headers from the first octet",
}
_OLD_UTF8 = re.compile(
    rb"(?:[\x00-\x7f]|[\xc0-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf7][\x80-\xbf]{3}"
    rb"|[\xf8-\xfb][\x80-\xbf]{4}|[\xfc-\xfd][\x80-\xbf]{5})*"
)
_LINE_FORM = {
    CpimFault.COLON_SPACE: "name, colon, one space, value",
    CpimFault.FOLDING: "a header on one line",
    CpimFault.HEADER_LINE: "name, colon, one space, value",
    CpimFault.HEADER_NAME: "a header name of name characters",
    CpimFault.PARAMETER: "parameters as ;name=value",
}


@rule("cpim.structure", on=Kind.CPIM)
def structure(item: CpimItem, flow: Flow) -> Outcomes:
    if item.cpim is None:
        actual = shown(item.raw[:60].decode("utf-8", "backslashreplace"))
        yield Violation("a CPIM object", actual, "body", item.offset)
        return
    for violation in _by_fault(item, item.cpim, _STRUCTURE):
        # No clause says that there is a header at all.
        leading = violation.expected == _STRUCTURE[CpimFault.LEADING_EMPTY_LINE]
        yield replace(violation, severity=Severity.SHOULD) if leading else violation


@rule("cpim.structure.rfc5438-form", on=Kind.CPIM)
def rfc5438_form(item: CpimItem, flow: Flow) -> Outcomes:
    if item.cpim is not None and item.cpim.layout == "rfc5438":
        first = min((field.offset for field in item.cpim.mime), default=0)
        yield Violation(
            "an empty line between CPIM and MIME headers", "one block", "body", item.offset + first
        )


@rule("cpim.header.colon-space", on=Kind.CPIM)
def colon_space(item: CpimItem, flow: Flow) -> Outcomes:
    if item.cpim is None:
        return
    seen: set[int] = set()
    for violation in _by_fault(item, item.cpim, _LINE_FORM):
        foreign_name = not violation.actual.partition(":")[0].isascii()
        if violation.octet is not None and violation.octet not in seen and not foreign_name:
            seen.add(violation.octet)
            yield violation


@rule("cpim.header.utf8", on=Kind.CPIM)
def header_utf8(item: CpimItem, flow: Flow) -> Outcomes:
    if item.cpim is None:
        return
    for violation in _by_fault(item, item.cpim, {CpimFault.UTF8: "valid UTF-8"}):
        line = item.raw[(violation.octet or 0) - item.offset :].split(b"\n", 1)[0]
        # The grammar of 3.6 lets older UTF-8 pass, such as surrogates written one by one.
        yield replace(violation, severity=Severity.SHOULD) if _OLD_UTF8.fullmatch(line) else violation
    for violation in _by_fault(item, item.cpim, {CpimFault.HEADER_NAME: "a header name in US-ASCII"}):
        if not violation.actual.partition(":")[0].isascii():
            yield violation


@rule("cpim.header.no-control", on=Kind.CPIM)
def no_control(item: CpimItem, flow: Flow) -> Outcomes:
    if item.cpim is not None:
        yield from _by_fault(item, item.cpim, {CpimFault.CONTROL: "control characters escaped"})


@rule("cpim.header.escape", on=Kind.CPIM)
def header_escape(item: CpimItem, flow: Flow) -> Outcomes:
    if item.cpim is not None:
        yield from _by_fault(item, item.cpim, {CpimFault.ESCAPE: "the escapes of RFC 3862 2.3"})


@rule("cpim.header.case", on=Kind.CPIM)
def header_case(item: CpimItem, flow: Flow) -> Outcomes:
    if item.cpim is None:
        return
    for header in item.cpim.headers:
        right = _right_spelling(item.cpim, header)
        foreign = "." not in header.name and _default_namespace(item.cpim, header) != CORE_NAMESPACE
        if right is not None and not foreign:
            yield _at(item, header, right, header.name)


def _default_namespace(cpim: CpimMessage, header: CpimHeader) -> str:
    """The namespace of names without prefix at the place of the header (RFC 3862 3.4)."""
    urn = CORE_NAMESPACE
    for known in cpim.headers:
        if known.offset >= header.offset:
            break
        prefix, bracket, rest = known.value.partition("<")
        if known.name == "NS" and bracket and not prefix.strip():
            urn = rest.partition(">")[0]
    return urn


@rule("cpim.from-to.present", on=Kind.CPIM)
def from_to(item: CpimItem, flow: Flow) -> Outcomes:
    cpim = item.cpim
    if cpim is None:
        return
    if item.layer is Layer.MSRP:
        yield from _one_from(item, cpim)
        yield from _some_to(item, cpim)
    elif cpim.asks_for_imdn and not _present(cpim, "From"):
        # Where a notification goes without one is open (RFC 5438 7.2.1), but no text forbids to ask.
        expected = "From in a message that asks for a notification"
        yield Violation(expected, "none", "body", item.offset, severity=Severity.SHOULD)
    escapes = {fault.offset for fault in cpim.faults if fault.what == CpimFault.ESCAPE}
    for name in ("From", "To", "cc"):
        pairs = zip(cpim.fields(CORE_NAMESPACE, name), cpim.addresses(name), strict=True)
        for header, address in pairs:
            if not address.well_formed and header.offset not in escapes:
                yield _at(item, header, f"{name}: [name] <absolute URI>", header.value)


@rule("cpim.from-to.present.sip", on=Kind.CPIM)
def from_to_sip(item: CpimItem, flow: Flow) -> Outcomes:
    cpim = item.cpim
    if cpim is None or item.layer is Layer.MSRP:
        return
    if cpim.get("From") is not None or not cpim.asks_for_imdn:
        yield from _one_from(item, cpim)
    yield from _some_to(item, cpim)


@rule("cpim.anonymous-1to1", on=Kind.CPIM)
def anonymous_one_to_one(item: CpimItem, flow: Flow) -> Outcomes:
    if item.cpim is None or item.layer is not Layer.MSRP or not _in_one_to_one(item):
        return
    for name in ("From", "To"):
        for address in item.cpim.addresses(name):
            if address.uri.lower() != ANONYMOUS:
                yield Violation(f"{name}: <{ANONYMOUS}>", shown(address.uri), "body", item.offset)


@rule("cpim.anonymous-mixed", on=Kind.CPIM)
def anonymous_mixed(item: CpimItem, flow: Flow) -> Outcomes:
    conversation = _conversation(item)
    own = _is_anonymous(item)
    if not conversation or own is None:
        return
    earlier = _same_conversation(item, conversation, flow)
    last = next(earlier, None)
    if last is None or _is_anonymous(last) is own or any(_is_anonymous(known) is own for known in earlier):
        return  # no alternation, or one that was told when it began
    words = {True: "anonymous", False: "real"}
    yield Violation(
        f"the From of one conversation as in {last.label}: {words[not own]}", words[own], "body", item.offset
    )


@rule("cpim.datetime.present", on=Kind.CPIM)
def datetime_present(item: CpimItem, flow: Flow) -> Outcomes:
    if item.cpim is not None and item.cpim.asks_for_imdn and not _present(item.cpim, "DateTime"):
        yield Violation("DateTime in a message that asks for a notification", "none", "body", item.offset)


@rule("cpim.datetime.rfc3339", on=Kind.CPIM)
def datetime_rfc3339(item: CpimItem, flow: Flow) -> Outcomes:
    for header in item.cpim.fields(CORE_NAMESPACE, "DateTime") if item.cpim else ():
        try:
            stamp = parse_timestamp(re.sub(r"\A0000-", "0004-", header.value))  # a year that has no datetime
        except BodySyntaxError:
            yield _at(item, header, "an RFC 3339 date-time such as 2015-02-17T06:54:27Z", header.value)
            continue
        if stamp.lower_case:
            yield _at(item, header, "T and Z in upper case", header.value, Severity.SHOULD)


@rule("cpim.ns.declared", on=Kind.CPIM)
def ns_declared(item: CpimItem, flow: Flow) -> Outcomes:
    cpim = item.cpim
    if cpim is None or any(header.name != "NS" and header.name.lower() == "ns" for header in cpim.headers):
        return
    declared: set[str] = set()
    told: set[str] = set()
    for header in cpim.headers:
        prefix, dot, name = header.name.rpartition(".")
        if header.name == "NS":
            declared.add(header.value.partition("<")[0].strip())
        elif dot and prefix not in told and not _is_bound(cpim, prefix, name, declared):
            told.add(prefix)
            # Bound to another URN the name is legal, and hardly meant.
            severity = Severity.SHOULD if prefix in declared else None
            expected = f"an NS header that declares {prefix} before"
            yield _at(item, header, expected, header.name, severity)


@rule("cpim.single-occurrence", on=Kind.CPIM)
def single_occurrence(item: CpimItem, flow: Flow) -> Outcomes:
    if item.cpim is None or item.layer is not Layer.MSRP:
        return
    for name in CORE_NAMES:
        headers = item.cpim.fields(CORE_NAMESPACE, name)
        # A second From is what cpim.from-to.present reports.
        if len(headers) > 1 and name not in _MAY_REPEAT and name != "From":
            yield _at(item, headers[1], f"{name} once", f"{len(headers)} times")


@rule("cpim.content-type.present", on=Kind.CPIM)
def content_type_present(item: CpimItem, flow: Flow) -> Outcomes:
    if item.cpim is None or item.cpim.layout == "rfc5438":
        return
    kinds = {fault.what for fault in item.cpim.faults}
    if CpimFault.NO_CONTENT_TYPE in kinds and CpimFault.NO_EMPTY_LINE not in kinds:
        place = item.offset + item.cpim.content_offset
        yield Violation("Content-Type among the MIME headers", "none", "body", place)


@rule("cpim.content-length.exact", on=Kind.CPIM)
def content_length(item: CpimItem, flow: Flow) -> Outcomes:
    declared = item.cpim.mime_get("Content-Length") if item.cpim else None
    if item.cpim is None or declared is None:
        return
    content = item.cpim.content
    expected = f"Content-Length: {len(content)}"
    if not re.fullmatch(r"[0-9]+", declared):
        yield Violation(expected, shown(declared), "body", item.offset)
        return
    more = len(content) - int(declared)
    if more:
        line_end = abs(more) == 2 or abs(more) == 1
        forgiven = line_end and (more < 0 or content.endswith(b"\r\n"[2 - more :]))
        yield Violation(expected, declared, "body", item.offset, severity=Severity.INFO if forgiven else None)


def _by_fault(item: CpimItem, cpim: CpimMessage, expected: dict[CpimFault, str]) -> Iterator[Violation]:
    told: set[str] = set()
    for fault in cpim.faults:
        kind = CpimFault(fault.what)
        if kind in expected and not (kind is CpimFault.LINE_END and kind in told):
            told.add(kind)
            yield Violation(expected[kind], shown(fault.text) or "none", "body", item.offset + fault.offset)


def _at(
    item: CpimItem, header: CpimHeader, expected: str, actual: str, severity: Severity | None = None
) -> Violation:
    return Violation(expected, shown(actual), "body", item.offset + header.offset, severity=severity)


def _present(cpim: CpimMessage, name: str) -> bool:
    """The header is there, in its own or (what cpim.header.case reports) in another spelling."""
    return bool(cpim.fields(CORE_NAMESPACE, name)) or any(
        header.name.lower() == name.lower() for header in cpim.headers
    )


def _one_from(item: CpimItem, cpim: CpimMessage) -> Outcomes:
    count = len(cpim.fields(CORE_NAMESPACE, "From"))
    if count > 1 or (count == 0 and not _present(cpim, "From")):
        yield Violation("exactly one From", str(count), "body", item.offset)


def _some_to(item: CpimItem, cpim: CpimMessage) -> Outcomes:
    if not _present(cpim, "To"):
        yield Violation("at least one To", "none", "body", item.offset)


def misspelled(cpim: CpimMessage, name: str) -> bool:
    """A header of the IMDN namespace is there in another spelling (what cpim.header.case reports)."""
    return any(_right_spelling(cpim, header) == f"{_imdn_prefix(cpim)}.{name}" for header in cpim.headers)


def _right_spelling(cpim: CpimMessage, header: CpimHeader) -> str | None:
    prefix, dot, name = header.name.rpartition(".")
    known: Collection[str] = CORE_NAMES if not dot else IMDN_NAMES
    if dot and cpim.namespaces.get(prefix, IMDN_NAMESPACE if prefix == "imdn" else "") != IMDN_NAMESPACE:
        return None
    for right in known:
        if name != right and name.lower() == right.lower():
            return f"{prefix}.{right}" if dot else right
    return None


def _imdn_prefix(cpim: CpimMessage) -> str:
    return next((prefix for prefix, urn in cpim.namespaces.items() if urn == IMDN_NAMESPACE), "imdn")


def _is_bound(cpim: CpimMessage, prefix: str, name: str, declared: set[str]) -> bool:
    if prefix not in declared:
        return False
    return prefix != "imdn" or name not in IMDN_NAMES or cpim.namespaces.get(prefix) == IMDN_NAMESPACE


def _conversation(item: CpimItem) -> str | None:
    carrier = item.carrier
    if item.layer is not Layer.SIP or carrier.method != "MESSAGE" or carrier.message is None:
        return None
    return carrier.message.get("Conversation-ID")


def _same_conversation(item: CpimItem, conversation: str, flow: Flow) -> Iterator[CpimItem]:
    """Earlier CPIM messages of the same side in the conversation that have a From, newest first."""
    for known in reversed(flow.assembly.cpim_items()):
        before = known.place < item.place and known.sender is item.sender
        if before and _conversation(known) == conversation and _is_anonymous(known) is not None:
            yield known


def _is_anonymous(item: CpimItem) -> bool | None:
    address = item.cpim.from_ if item.cpim else None
    return None if address is None else address.uri.lower() == ANONYMOUS


def _in_one_to_one(item: CpimItem) -> bool:
    """The INVITE of the MSRP session names the service of sessions, and no focus takes part."""
    dialog: Dialog | None = item.carrier.dialog
    if dialog is None:
        return False
    invite = dialog.creation.request
    ends: list[SipEntry] = [invite, *dialog.creation.responses]
    focus = any("isfocus" in contact.parameters for end in ends for contact in end.contacts)
    services = stated_services(invite.sip)
    one_to_one = Service.SESSION.icsi in services
    return one_to_one and not focus and not any(covers(Service.SESSION_GROUP.icsi, urn) for urn in services)
