"""SDP rules that one session description alone decides: its lines, and what MSRP asks of an m-line.

RFC 8866 5 and 9, RFC 4975 6, 8 and 9, RFC 6135 4.4.
"""

from __future__ import annotations

import re

from harness.bodies.fault import Fault
from harness.bodies.sdp import SdpFault
from harness.bodies.sdp_attributes import parse_format_list, parse_max_size, type_accepted
from harness.bodies.session_description import Attribute
from harness.errors import BodySyntaxError, MsrpSyntaxError
from harness.msrp.uri import parse_msrp_uri
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import shown
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Violation
from harness.verify.negotiation_items import Description, MsrpEnd, Role
from harness.verify.session_services import is_chat, is_file, live_ends

MSRP_PROTOCOLS = ("TCP/MSRP", "TCP/TLS/MSRP")
SHORT_SESSION_ID = 13
"""A session-id of so many characters cannot hold 80 bits: there are 69 of them (RFC 4975 9, 14.1)."""

_ONCE_REQUIRED = frozenset("vos")
_PORTS = range(1, 65536)
_DELIMITER = re.compile(rb"\r?\n--")
_CONTAINERS = ("message/cpim", "multipart/")
_ORDER_FAULTS = {
    SdpFault.ORDER: "the order of RFC 8866 5",
    SdpFault.LETTER: "type letters of RFC 8866 5",
    SdpFault.LINE: "type=value in each line",
    SdpFault.EMPTY_LINE: "no empty line",
}
_ORIGIN = "o=<name> <digits> <digits> <network> <family> <address>"


def at(description: Description, offset: int, expected: str, actual: str, message: str = "") -> Violation:
    """A violation at an octet of the description."""
    return Violation(expected, shown(actual), "body", description.offset + offset, message)


def at_attribute(end: MsrpEnd, found: Attribute | None, expected: str, actual: str) -> Violation:
    """A violation at an attribute of an m-line, at the m-line where it has none."""
    return at(end.description, end.media.offset if found is None else found.offset, expected, actual)


# -- the lines ----------------------------------------------------------------------------------------------


@rule("sdp.order", on=Kind.SDP)
def order(description: Description, flow: Flow) -> Outcomes:
    if description.sdp is None:
        return
    yield APPLIES
    for fault in _line_faults(description):
        expected = _ORDER_FAULTS.get(SdpFault(fault.what))
        if fault.what == SdpFault.TWICE and fault.text[:1] not in _ONCE_REQUIRED:
            expected = "a line that may stand once, once"
        if expected is not None:
            yield at(description, fault.offset, expected, fault.text or "an empty line")
            return


@rule("sdp.required", on=Kind.SDP)
def required(description: Description, flow: Flow) -> Outcomes:
    yield APPLIES
    if description.error is not None and description.error.what != "m=":
        yield at(description, 0, "a session description", str(description.error))
    for fault in _line_faults(description):
        if fault.what == SdpFault.MISSING:
            yield at(description, fault.offset, f"a line {fault.text}", "none")
        elif fault.what == SdpFault.VERSION:
            yield at(description, fault.offset, "v=0", f"v={fault.text}")
        elif fault.what == SdpFault.TWICE and fault.text[:1] in _ONCE_REQUIRED:
            yield at(description, fault.offset, f"one line {fault.text[:2]}", f"a second one, {fault.text}")


@rule("sdp.s-not-empty", on=Kind.SDP)
def name_not_empty(description: Description, flow: Flow) -> Outcomes:
    yield from _faults(description, SdpFault.SESSION_NAME, "s=- where a session has no name")


@rule("sdp.crlf", on=Kind.SDP)
def line_ends(description: Description, flow: Flow) -> Outcomes:
    yield from _faults(description, SdpFault.LINE_END, "CRLF at the end of each line")


@rule("sdp.o-numeric", on=Kind.SDP)
def origin_numeric(description: Description, flow: Flow) -> Outcomes:
    yield from _faults(description, SdpFault.ORIGIN, _ORIGIN)


@rule("sdp.direction-once", on=Kind.SDP)
def direction_once(description: Description, flow: Flow) -> Outcomes:
    yield from _faults(description, SdpFault.DIRECTION, "one direction for a level")


def _line_faults(description: Description) -> list[Fault]:
    """Faults of its lines. What follows a delimiter that ended no part is for sip.multipart.boundary."""
    inside = len(description.raw) < len(description.entry.sip.body)
    delimiter = _DELIMITER.search(description.raw) if inside else None
    faults = description.sdp.faults if description.sdp else ()
    return [fault for fault in faults if delimiter is None or fault.offset < delimiter.start()]


def _faults(description: Description, what: SdpFault, expected: str) -> Outcomes:
    """The first fault of a kind."""
    if description.sdp is None:
        return
    yield APPLIES
    for fault in _line_faults(description):
        if fault.what == what:
            yield at(description, fault.offset, expected, f"{fault.what} {fault.text!r}")
            return


# -- m-lines ------------------------------------------------------------------------------------------------


@rule("sdp.m.message", on=Kind.SDP)
def media_line(description: Description, flow: Flow) -> Outcomes:
    if description.error is not None and description.error.what == "m=":
        yield at(
            description, description.error.offset, "m=message <port> TCP/MSRP *", description.error.value
        )
    for end in description.ends:
        media = end.media
        if not end.port and media.media == "message":  # a refusal is read by its port
            continue
        yield APPLIES
        if (media.media, media.formats) == ("message", ("*",)) and media.protocol in MSRP_PROTOCOLS:
            continue
        line = f"m={media.media} {media.port} {media.protocol} {' '.join(media.formats)}"
        yield at(description, media.offset, "m=message <port> TCP/MSRP or TCP/TLS/MSRP *", line)


@rule("session.sdp.media", on=Kind.SDP)
def message_over_msrp(description: Description, flow: Flow) -> Outcomes:
    if description.sdp is None or description.role is Role.CAPABILITY:
        return
    known = {end.index for end in description.ends}
    for index, media in enumerate(description.sdp.media):
        if media.media != "message" or not media.port or not is_chat(description):
            continue
        yield APPLIES
        if index not in known:
            yield at(description, media.offset, " or ".join(MSRP_PROTOCOLS), media.protocol)


@rule("session.sdp.media.single", on=Kind.SDP)
def single_media(description: Description, flow: Flow) -> Outcomes:
    if description.sdp is None or description.role is Role.CAPABILITY or not is_chat(description):
        return
    if not live_ends(description):
        return
    yield APPLIES
    live = [media for media in description.sdp.media if media.port]
    if len(live) > 1:
        kinds = ", ".join(f"{media.media} {media.port}" for media in live)
        yield at(description, live[1].offset, "one m-line with a port, of MSRP", kinds)


# -- a=path -------------------------------------------------------------------------------------------------


@rule("sdp.path.present", on=Kind.SDP)
def path_present(description: Description, flow: Flow) -> Outcomes:
    for end in live_ends(description):
        yield APPLIES
        found = end.media.attribute("path")
        if found is None or not found.value:
            actual = "none" if found is None else "no value"
            if found is None and description.sdp is not None and description.sdp.attribute("path"):
                actual = "one of the session, which holds for no m-line"
            yield at_attribute(end, found, "a=path with the MSRP URI of this side", actual)


@rule("sdp.path.one-line", on=Kind.SDP)
def path_in_one_line(description: Description, flow: Flow) -> Outcomes:
    for end in live_ends(description):
        found = end.media.all("path")
        if not found:
            continue
        yield APPLIES
        if len(found) > 1:
            yield at_attribute(end, found[1], "one a=path with all URIs", f"{len(found)} lines")


@rule("sdp.path.uri", on=Kind.SDP)
def path_uri(description: Description, flow: Flow) -> Outcomes:
    for end in live_ends(description):
        found = end.media.attribute("path")
        if found is None or not found.value:
            continue
        yield APPLIES
        pieces = found.value.split(" ")
        for index, piece in enumerate(pieces):
            expected = _wrong_uri(piece, last=index == len(pieces) - 1)
            if expected:
                yield at_attribute(end, found, expected, piece or "two spaces in a row")
                break


def _wrong_uri(text: str, *, last: bool) -> str:
    """What a URI of a path should be where it is not; empty when it is right."""
    try:
        uri = parse_msrp_uri(text, strict=True)
    except MsrpSyntaxError as error:
        return f"an MSRP URI ({error.clause})" if text else "URIs separated by single spaces"
    if uri.port not in _PORTS:
        return "a port from 1 to 65535"
    if uri.transport.lower() != "tcp":
        return ";tcp"
    return "a session-id in the last URI" if last and not uri.session_id else ""


@rule("sdp.path.session-id-entropy", on=Kind.SDP)
def session_id_entropy(description: Description, flow: Flow) -> Outcomes:
    for end in live_ends(description):
        session_id = end.session_id
        if not session_id:
            continue
        yield APPLIES
        if len(session_id) <= SHORT_SESSION_ID and _is_first(end, session_id, flow):
            yield at_attribute(
                end,
                end.media.attribute("path"),
                "80 random bits, 14 characters or more",
                f"{session_id}: {len(session_id)} characters",
            )


def _is_first(end: MsrpEnd, session_id: str, flow: Flow) -> bool:
    """Whether no earlier description of this side had the session-id: a refresh repeats it."""
    return all(
        known.description.place >= end.description.place
        for session in flow.assembly.negotiations.sessions_named(session_id)
        for known in session.ends
        if known.session_id == session_id and known.by_caller is end.by_caller
    )


# -- types and sizes ----------------------------------------------------------------------------------------


@rule("sdp.accept-types.present", on=Kind.SDP)
def accept_types_present(description: Description, flow: Flow) -> Outcomes:
    for end in live_ends(description):
        yield APPLIES
        found = end.media.attribute("accept-types")
        if found is None or not found.value:
            yield at_attribute(end, found, "a=accept-types", "none" if found is None else "no value")
            continue
        try:
            parse_format_list(found.value)
        except BodySyntaxError:
            yield at_attribute(end, found, "type/subtype, type/* or *, with single spaces", found.value)
            continue
        if found.value != found.value.strip() or "  " in found.value:
            yield at_attribute(end, found, "entries separated by single spaces", found.value)


@rule("sdp.accept-types.cpim", on=Kind.SDP)
def cpim_accepted(description: Description, flow: Flow) -> Outcomes:
    for end in live_ends(description):
        if "file-selector" not in end.media:
            yield from _without_cpim(end)


@rule("sdp.accept-types.cpim.ft", on=Kind.SDP)
def cpim_accepted_for_files(description: Description, flow: Flow) -> Outcomes:
    for end in live_ends(description):
        if is_file(end) and end.direction.receives:
            yield from _without_cpim(end)


def _without_cpim(end: MsrpEnd) -> Outcomes:
    if not end.accept_types:
        return
    yield APPLIES
    if not type_accepted(end.accept_types, "message/cpim"):
        found = end.media.attribute("accept-types")
        yield at_attribute(end, found, "message/cpim in accept-types", " ".join(end.accept_types))


@rule("sdp.accept-wrapped.needs-container", on=Kind.SDP)
def wrapped_needs_container(description: Description, flow: Flow) -> Outcomes:
    for end in live_ends(description):
        found = end.media.attribute("accept-wrapped-types")
        if found is None or not end.wrapped_types or not end.accept_types:
            continue
        yield APPLIES
        listed = [entry.lower() for entry in end.accept_types]
        if not any(entry.startswith((*_CONTAINERS, "*", "message/*")) for entry in listed):
            yield at_attribute(
                end, found, "a container such as message/cpim in accept-types", " ".join(listed)
            )
        again = [entry for entry in end.wrapped_types if entry.lower() in listed]
        if again:
            yield at_attribute(end, found, "no entry of accept-types again", " ".join(again))


@rule("sdp.max-size", on=Kind.SDP)
def max_size_digits(description: Description, flow: Flow) -> Outcomes:
    for end in description.ends:
        found = end.media.attribute("max-size")
        if found is None:
            continue
        yield APPLIES
        try:
            parse_max_size(found.value or "")
        except BodySyntaxError:
            yield at_attribute(end, found, "digits", found.value or "no value")


@rule("sdp.setup.connection-attr", on=Kind.SDP)
def connection_attribute(description: Description, flow: Flow) -> Outcomes:
    for end in live_ends(description):
        yield APPLIES
        found = end.attribute("connection")
        if found is not None:
            yield at_attribute(end, found, "no a=connection", str(found))
