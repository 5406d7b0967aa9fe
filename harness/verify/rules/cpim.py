"""Rules about the CPIM object and its header block (RFC 3862 2, 3, RFC 4975 13).

Addresses are in cpim_addresses.py, what is below the headers in cpim_content.py.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import replace

from harness.bodies.cpim import CORE_NAMESPACE, IMDN_NAMESPACE, CpimFault, CpimHeader, CpimMessage
from harness.evidence.timeline import Layer
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import shown
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Severity, Violation
from harness.verify.items import CpimItem
from harness.verify.rules.imdn_chain import originals_of

CORE_NAMES = ("From", "To", "cc", "DateTime", "Subject", "NS", "Require")
IMDN_NAMES = ("Message-ID", "Disposition-Notification", "Original-To", "IMDN-Record-Route", "IMDN-Route")
_NAME = r"[!#-'*+\-0-9A-Z^_`a-z|~]+"
_REQUIRED = re.compile(rf"(?:{_NAME}\.)?{_NAME}")
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
    yield APPLIES
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
    if item.cpim is None:
        return
    yield APPLIES
    if item.cpim.layout == "rfc5438":
        first = min((field.offset for field in item.cpim.mime), default=0)
        yield Violation(
            "an empty line between CPIM and MIME headers", "one block", "body", item.offset + first
        )


@rule("cpim.header.colon-space", on=Kind.CPIM)
def colon_space(item: CpimItem, flow: Flow) -> Outcomes:
    if item.cpim is None:
        return
    yield APPLIES
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
    yield APPLIES
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
        yield APPLIES
        yield from _by_fault(item, item.cpim, {CpimFault.CONTROL: "control characters escaped"})


@rule("cpim.header.escape", on=Kind.CPIM)
def header_escape(item: CpimItem, flow: Flow) -> Outcomes:
    if item.cpim is None:
        return
    block = item.raw[: item.cpim.content_offset]
    if b"\\" in block or b'"' in block:
        yield APPLIES
    yield from _by_fault(item, item.cpim, {CpimFault.ESCAPE: "the escapes of RFC 3862 2.3"})


@rule("cpim.header.case", on=Kind.CPIM)
def header_case(item: CpimItem, flow: Flow) -> Outcomes:
    if item.cpim is None:
        return
    yield APPLIES
    for header in item.cpim.headers:
        right = _right_spelling(item.cpim, header)
        foreign = "." not in header.name and _default_namespace(item.cpim, header) != CORE_NAMESPACE
        if right is not None and not foreign:
            yield at_header(item, header, right, header.name)


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


@rule("cpim.ns.declared", on=Kind.CPIM)
def ns_declared(item: CpimItem, flow: Flow) -> Outcomes:
    cpim = item.cpim
    if cpim is None or any(header.name != "NS" and header.name.lower() == "ns" for header in cpim.headers):
        return
    declared: set[str] = set()
    told: set[str] = set()
    if any("." in header.name for header in cpim.headers):
        yield APPLIES
    for header in cpim.headers:
        prefix, dot, name = header.name.rpartition(".")
        if header.name == "NS":
            declared.add(header.value.partition("<")[0].strip())
        elif dot and prefix not in told and not _is_bound(cpim, prefix, name, declared):
            told.add(prefix)
            # Bound to another URN the name is legal, and hardly meant.
            severity = Severity.SHOULD if prefix in declared else None
            expected = f"an NS header that declares {prefix} before"
            yield at_header(item, header, expected, header.name, severity)


@rule("cpim.single-occurrence", on=Kind.CPIM)
def single_occurrence(item: CpimItem, flow: Flow) -> Outcomes:
    if item.cpim is None or item.layer is not Layer.MSRP:
        return
    yield APPLIES
    for name in CORE_NAMES:
        headers = item.cpim.fields(CORE_NAMESPACE, name)
        # A second From is what cpim.from-to.present reports.
        if len(headers) > 1 and name not in _MAY_REPEAT and name != "From":
            yield at_header(item, headers[1], f"{name} once", f"{len(headers)} times")


@rule("cpim.require", on=Kind.CPIM)
def require_names_what_is_declared(item: CpimItem, flow: Flow) -> Outcomes:
    cpim = item.cpim
    if cpim is None:
        return
    for header in cpim.fields(CORE_NAMESPACE, "Require"):
        yield APPLIES
        for name in (each.strip() for each in header.value.split(",")):
            prefix, dot, _ = name.rpartition(".")
            if not _REQUIRED.fullmatch(name):
                yield at_header(item, header, "header names with commas between them", name or "nothing")
            elif dot and prefix not in cpim.namespaces:
                yield at_header(item, header, f"an NS header that declares {prefix}", name)


@rule("cpim.require", on=Kind.CPIM)
def required_is_understood(item: CpimItem, flow: Flow) -> Outcomes:
    """A receiver that delivers a message says that it understood what the message requires."""
    for imdn in item.imdns:
        required = [known for known in originals_of(item, imdn, flow) if _required(known)]
        if not required or imdn.status not in ("delivered", "displayed"):
            continue
        yield APPLIES
        foreign = [name for name in _required(required[-1]) if not _is_documented(required[-1], name)]
        if foreign:
            # What a receiver knows beside the documents a capture cannot tell.
            expected = f"no {imdn.status} for a message that requires {', '.join(foreign)}"
            yield Violation(expected, str(imdn.status), "body", item.offset, severity=Severity.SHOULD)


def _required(item: CpimItem) -> list[str]:
    """The names in its Require headers."""
    fields = item.cpim.fields(CORE_NAMESPACE, "Require") if item.cpim else []
    return [name.strip() for field in fields for name in field.value.split(",")]


def _is_documented(item: CpimItem, name: str) -> bool:
    """A header of RFC 3862 or RFC 5438, which every client of this service knows."""
    prefix, dot, local = name.rpartition(".")
    if not dot:
        return local in CORE_NAMES
    urn = item.cpim.namespaces.get(prefix) if item.cpim else None
    return (urn == IMDN_NAMESPACE and local in IMDN_NAMES) or (urn == CORE_NAMESPACE and local in CORE_NAMES)


def _by_fault(item: CpimItem, cpim: CpimMessage, expected: dict[CpimFault, str]) -> Iterator[Violation]:
    told: set[str] = set()
    for fault in cpim.faults:
        kind = CpimFault(fault.what)
        if kind in expected and not (kind is CpimFault.LINE_END and kind in told):
            told.add(kind)
            yield Violation(expected[kind], shown(fault.text) or "none", "body", item.offset + fault.offset)


def at_header(
    item: CpimItem, header: CpimHeader, expected: str, actual: str, severity: Severity | None = None
) -> Violation:
    """A violation at a CPIM header."""
    return Violation(expected, shown(actual), "body", item.offset + header.offset, severity=severity)


def is_present(cpim: CpimMessage, name: str) -> bool:
    """The header is there, in its own or (what cpim.header.case reports) in another spelling."""
    return bool(cpim.fields(CORE_NAMESPACE, name)) or any(
        header.name.lower() == name.lower() for header in cpim.headers
    )


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
