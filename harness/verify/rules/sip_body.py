"""SIP rules on bodies and their parts (RFC 2046 5.1.1; RFC 3261 7.4, 20.11; RFC 5621 8)."""

from __future__ import annotations

import re

from harness.bodies.multipart import Part, split_multipart
from harness.errors import BodySyntaxError
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import is_encoded, shown
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Severity, Unverifiable, Violation
from harness.verify.items import SipEntry

_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")

_OPTIONAL = re.compile(r";\s*handling\s*=\s*\"?optional\b", re.IGNORECASE)
_OF_A_SESSION = frozenset({"session", "early-session"})
_INVENTED = ("application/x-rcslab", "application/vnd.rcslab")
"""How types begin that this program invents to be refused."""
_IN_AN_INVITE = frozenset(
    {
        *("application/sdp", "application/resource-lists+xml", "message/cpim", "application/pidf+xml"),
        *("application/vnd.gsma.rcspushlocation+xml", "application/vnd.gsma.rcs-ft-http+xml"),
        *("application/vnd.gsma.groupdata+xml", "application/vnd.3gpp.ims+xml", "application/isup"),
        *("application/rs-metadata+xml", "application/vnd.etsi.cug+xml", "application/vnd.3gpp.cw+xml"),
    }
)


@rule("sip.100.no-body", on=Kind.RESPONSE)
def body_in_100(entry: SipEntry, flow: Flow) -> Outcomes:
    if entry.status != 100:
        return
    yield APPLIES
    if entry.sip.body:
        yield Violation("no body in a 100", f"{len(entry.sip.body)} octets", "body")


@rule("sip.multipart.boundary", on=Kind.SIP)
def multipart_boundary(entry: SipEntry, flow: Flow) -> Outcomes:
    kind, message = entry.content_type, entry.sip
    if kind is None or kind.type.lower() != "multipart" or not message.body:
        return
    if is_encoded(message):
        return
    if entry.incomplete:
        yield Unverifiable("the capture lacks the end of the datagram")
        return
    yield APPLIES
    boundary = kind.parameters.get("boundary")
    if not boundary or _BOUNDARY.fullmatch(boundary) is None:
        yield Violation("a boundary of 1 to 70 characters", shown(boundary or "none"), "Content-Type")
        return
    mark = re.escape(boundary.encode())
    opened = re.search(rb"(?:\A|\r\n)--" + mark + rb"[ \t]*\r\n", message.body)
    closed = re.search(rb"\r\n--" + mark + rb"--[ \t]*(?:\r\n|\Z)", message.body)
    if opened is None:
        yield Violation(f"a line --{boundary}", "none", "body")
    elif closed is None:
        yield Violation(
            f"a last line --{boundary}--", "none", "body", message.body_offset + len(message.body)
        )
    elif re.search(rb"(?:\A|\r\n)--" + mark + rb"(?:--)?[ \t]+(?:\r\n|\Z)", message.body):
        yield Violation("no padding behind a delimiter", "white space", "body", severity=Severity.INFO)


@rule("sip.multipart.part-length", on=Kind.SIP)
def multipart_part_length(entry: SipEntry, flow: Flow) -> Outcomes:
    message = entry.sip
    for part in _parts(entry):
        declared = part.mime_get("Content-Length")
        if declared is None:
            continue
        yield APPLIES
        if declared.strip() != str(len(part.content)):
            place = message.body_offset + part.offset
            yield Violation(f"{len(part.content)} octets in the part", declared, "body", place)


def _parts(entry: SipEntry) -> tuple[Part, ...]:
    """The parts of a multipart body that can be read."""
    kind = entry.content_type
    if kind is None or kind.type.lower() != "multipart" or entry.incomplete:
        return ()
    try:
        return split_multipart(entry.sip.body, kind.parameters.get("boundary") or "").parts
    except BodySyntaxError:
        return ()


@rule("sip.multipart.disposition", on=Kind.REQUEST, methods=("INVITE",))
def description_is_of_the_session(entry: SipEntry, flow: Flow) -> Outcomes:
    for part in _parts(entry):
        if _essence(part) != "application/sdp":
            continue
        yield APPLIES
        if (part.disposition or "session") not in _OF_A_SESSION:
            place = entry.sip.body_offset + part.offset
            yield Violation("session, or no disposition", shown(part.disposition or ""), "body", place)


@rule("sip.multipart.disposition", on=Kind.RESPONSE, methods=("INVITE",))
def unknown_part_is_refused(entry: SipEntry, flow: Flow) -> Outcomes:
    """A part has to be understood unless it says that it is optional (RFC 3261 20.11)."""
    request = entry.transaction.request if entry.transaction else None
    if request is None or entry.status < 200:
        return
    kind = request.content_type
    if kind is None or kind.essence != "multipart/mixed":
        return
    unknown = {_essence(part) for part in _parts(request) if _is_required(part)} - _IN_AN_INVITE
    unknown = {essence for essence in unknown if essence and not essence.startswith(("multipart/", "image/"))}
    if not unknown:
        return
    yield APPLIES
    if entry.status < 300:
        # A type of another document may be understood; one of our invention cannot.
        invented = {essence for essence in unknown if essence.startswith(_INVENTED)}
        expected = f"415 to a part of type {', '.join(sorted(invented or unknown))}"
        severity = None if invented else Severity.INFO
        yield Violation(expected, str(entry.status), "start line", severity=severity)


def _essence(part: Part) -> str:
    return part.content_type.essence if part.content_type else ""


def _is_required(part: Part) -> bool:
    text = part.mime_get("Content-Disposition") or ""
    return _OPTIONAL.search(text) is None
