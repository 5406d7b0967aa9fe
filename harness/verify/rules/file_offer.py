"""Rules on the SDP of a file transfer: selector, id, direction, range, and what an answer repeats.

RFC 5547 6, 7, 8.1 to 8.3 and 8.5; a large message, announced by its size alone, is not meant here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.bodies.file_attributes import FileSelector, parse_file_dates, parse_file_selector
from harness.bodies.mime import TOKEN
from harness.bodies.sdp_attributes import Direction, type_accepted
from harness.bodies.session_description import Attribute
from harness.cpm.services import Service
from harness.errors import BodySyntaxError
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import shown
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Severity, Violation
from harness.verify.negotiation_items import Description, MsrpEnd, Role
from harness.verify.rules.chat_session import another_service
from harness.verify.rules.offer_answer import offer_of
from harness.verify.rules.sdp_form import at, at_attribute
from harness.verify.rules.standalone_session import wrong_direction
from harness.verify.session_services import initial_invite, is_file, live_ends, named_service, receives_file

SHORT_ID = 10
"""Characters of a file-transfer-id that hold less than 64 random bits."""
_SHA1_OCTETS = 20
_SELECTOR_LINE = re.compile(rb"^a=file-selector:[^\r\n]*(?P<rest>(?:\r?\n[ \t][^\r\n]*)*)", re.MULTILINE)
_HASHES = re.compile(r'hash:([^:\s"]+):([0-9A-Fa-f:]+)')
_QUOTED = re.compile(r'"[^"]*"')
_ONCE = ("name:", "size:", "type:")
_NAME = re.compile(r'name:"([^"]*)"')
_RANGE = re.compile(r"([1-9][0-9]*)-([1-9][0-9]*|\*)")
_WEEKDAY = re.compile(r"\s*(Mon|Tue|Wed|Thu|Fri|Sat|Sun)\s*,", re.IGNORECASE)
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DATES = re.compile(r'(creation|modification|read):"([^"]*)"')


def files(description: Description) -> list[MsrpEnd]:
    """The live m-lines that are, or should be, of a file."""
    named = _names_files(description)
    return [end for end in live_ends(description) if named or is_file(end)]


def _names_files(description: Description) -> bool:
    invite = initial_invite(description.entry)
    return invite is not None and named_service(invite) is Service.FILE_TRANSFER


@rule("ft.selector.no-folding", on=Kind.SDP)
def selector_on_one_line(description: Description, flow: Flow) -> Outcomes:
    """SDP has no lines that go on in the next; the figures of RFC 5547 are folded for print alone."""
    selector = _SELECTOR_LINE.search(description.raw)
    if selector is None:
        return
    yield APPLIES
    if selector["rest"]:
        octet = description.offset + selector.start("rest")
        yield Violation(
            "a=file-selector on one line", shown(selector["rest"].decode(errors="replace")), "body", octet
        )


def _pairs(description: Description) -> Iterator[tuple[MsrpEnd, MsrpEnd]]:
    """(offered, answered) for the files of an answer, refused ones too."""
    offer, named = offer_of(description), _names_files(description)
    for end in description.ends if offer is not None else ():
        offered = offer.end(end.index) if offer is not None else None
        if offered is not None and offered.port and (named or is_file(offered)):
            yield offered, end


def _selector(end: MsrpEnd) -> FileSelector | None:
    """The selector, None where it is absent or malformed."""
    found = end.media.attribute("file-selector")
    try:
        return parse_file_selector(found.value or "") if found else None
    except BodySyntaxError:
        return None


# -- service and direction ----------------------------------------------------------------------------------


@rule("ft.icsi", on=Kind.SDP)
def service_of_file(description: Description, flow: Flow) -> Outcomes:
    yield from another_service(description, Service.FILE_TRANSFER)


@rule("ft.push.direction", on=Kind.SDP)
def push_direction(description: Description, flow: Flow) -> Outcomes:
    if description.role is Role.OFFER:
        for end in files(description):
            yield APPLIES
            if end.direction is Direction.SENDRECV:
                yield at(description, end.media.offset, "sendonly to push or recvonly to pull", end.direction)
    elif any(_pairs(description)):
        yield from wrong_direction(description, Direction.SENDONLY)


@rule("ft.pull.direction", on=Kind.SDP)
def pull_direction(description: Description, flow: Flow) -> Outcomes:
    if any(_pairs(description)):
        yield from wrong_direction(description, Direction.RECVONLY)


# -- file-selector ------------------------------------------------------------------------------------------


@rule("ft.selector.present", on=Kind.SDP)
def selector_present(description: Description, flow: Flow) -> Outcomes:
    if description.role is Role.CAPABILITY:
        for end in description.ends:
            found = end.media.attribute("file-selector")
            if found is None:
                continue
            yield APPLIES
            if found.value:
                yield at_attribute(end, found, "file-selector without selectors in OPTIONS", str(found))
        return
    for end in files(description):
        yield from _missing_selector(end)


def _missing_selector(end: MsrpEnd) -> Outcomes:
    yield APPLIES
    found = end.media.all("file-selector")
    if not found:
        yield at_attribute(end, None, "a=file-selector", "none")
    elif len(found) > 1:
        yield at_attribute(end, found[1], "one a=file-selector for an m-line", f"{len(found)}")
    elif not (found[0].value or "").strip():
        yield at_attribute(end, found[0], "a selector: name, type, size or hash", "none")
    elif end.description.role is Role.OFFER and end.direction is Direction.SENDONLY:
        selector = _selector(end)
        if selector is not None and not (selector.type or selector.size is not None or selector.hashes):
            yield at_attribute(end, found[0], "type, size or hash of what is sent", str(found[0]))


@rule("ft.selector.rcs-set", on=Kind.SDP)
def selectors_of_rcs(description: Description, flow: Flow) -> Outcomes:
    for end in files(description):
        selector = _selector(end)
        if selector is None or description.role is not Role.OFFER or end.direction is not Direction.SENDONLY:
            continue
        yield APPLIES
        known = {"name": selector.name, "type": selector.type, "size": selector.size}
        missing = [name for name, value in known.items() if value is None]
        if selector and missing:
            found = end.media.attribute("file-selector")
            yield at_attribute(end, found, "name, type and size", f"no {', no '.join(missing)}")


@rule("ft.selector.syntax", on=Kind.SDP)
def selector_syntax(description: Description, flow: Flow) -> Outcomes:
    for end in files(description):
        found = end.media.attribute("file-selector")
        if found is None or not found.value:
            continue
        yield APPLIES
        wrong = _wrong_selector(found.value)
        if wrong:
            yield at_attribute(end, found, wrong, str(found))


def _wrong_selector(value: str) -> str:
    """What the selector should be where it is not; empty when it is right."""
    try:
        selector = parse_file_selector(value)
    except BodySyntaxError as error:
        return f"the grammar of RFC 5547 6 (it ends at {error.value[:20]!r})"
    bare = _QUOTED.sub('""', value)
    for name in _ONCE:
        if sum(part.startswith(name) for part in bare.split(" ")) > 1:
            return f"{name[:-1]} once"
    if re.search(r"(?:^| )size:0", bare):
        return "a size that begins with a digit above 0"
    written = _NAME.search(value)
    if written and re.search(r"%(?![0-9A-Fa-f]{2})", written[1]):
        return "% as %25 in a name"
    if any(item.algorithm == "sha-1" and len(item.digest) != _SHA1_OCTETS for item in selector.hashes):
        return "20 octets of sha-1"
    return ""


def _own_selectors(description: Description) -> Iterator[MsrpEnd]:
    """Files whose selector is not just that of the offer, which an answer has to copy (8.3.1)."""
    copied = [
        answered
        for offered, answered in _pairs(description)
        if offered.value("file-selector") == answered.value("file-selector")
    ]
    return (end for end in files(description) if end not in copied)


@rule("ft.selector.hex-case", on=Kind.SDP)
def hash_in_upper_case(description: Description, flow: Flow) -> Outcomes:
    for end in _own_selectors(description):
        found = end.media.attribute("file-selector")
        digits = [
            digest for _, digest in _HASHES.findall(_QUOTED.sub("", (found.value or "") if found else ""))
        ]
        if not digits:
            continue
        yield APPLIES
        if any(digest != digest.upper() for digest in digits):
            yield at_attribute(end, found, "upper-case digits", digits[0])


@rule("ft.selector.name-safe", on=Kind.SDP)
def safe_name(description: Description, flow: Flow) -> Outcomes:
    for end in _own_selectors(description):
        found = end.media.attribute("file-selector")
        name = _NAME.search((found.value or "") if found else "")
        if name is None:
            continue
        yield APPLIES
        if "/" in name[1] or name[1] in (".", ".."):
            yield at_attribute(end, found, "a name without directories, / as %2F", name[1])
        elif "\\" in name[1]:
            # No separator where the handset runs; for the far end it may be one (6, note).
            violation = at_attribute(
                end, found, "\\ as %5C, which some far ends take for a directory", name[1]
            )
            yield Violation(
                violation.expected, violation.actual, "body", violation.octet, severity=Severity.INFO
            )


@rule("ft.selector.copied", on=Kind.SDP)
def selectors_copied(description: Description, flow: Flow) -> Outcomes:
    for offered, answered in _pairs(description):
        asked, given = _selector(offered), _selector(answered)
        if asked is None or given is None or not receives_file(answered):
            continue
        yield APPLIES
        for name in ("name", "type", "size"):
            wanted, got = getattr(asked, name), getattr(given, name)
            if wanted is not None and wanted != got:
                found = answered.media.attribute("file-selector")
                yield at_attribute(answered, found, f"{name} of the offer, {wanted}", str(got or "none"))


@rule("ft.selector.on-reject", on=Kind.SDP)
def refusal_mirrors(description: Description, flow: Flow) -> Outcomes:
    for offered, answered in _pairs(description):
        if answered.port:
            continue
        yield APPLIES
        for name in ("file-selector", "file-transfer-id"):
            wanted, got = offered.media.attribute(name), answered.media.attribute(name)
            if wanted is not None and (got is None or got.value != wanted.value):
                yield at_attribute(answered, got, f"a={wanted} of the offer", str(got or "none"))


# -- file-transfer-id ---------------------------------------------------------------------------------------


@rule("ft.id.present", on=Kind.SDP)
def id_present(description: Description, flow: Flow) -> Outcomes:
    for end in files(description):
        yield APPLIES
        found = end.media.attribute("file-transfer-id")
        if found is None or not TOKEN.fullmatch(found.value or ""):
            yield at_attribute(end, found, "a=file-transfer-id with a token", str(found or "none"))
    for offered, answered in _pairs(description):
        wanted, got = (side.media.attribute("file-transfer-id") for side in (offered, answered))
        if answered.port and wanted and got and wanted.value != got.value:
            yield at_attribute(answered, got, f"the id of the offer, {wanted.value}", got.value or "none")


@rule("ft.id.random", on=Kind.SDP)
def id_long_enough(description: Description, flow: Flow) -> Outcomes:
    if description.role is not Role.OFFER or description.entry.to_tag:
        return
    for end in files(description):
        found = end.media.attribute("file-transfer-id")
        if found is None or not found.value:
            continue
        yield APPLIES
        if len(found.value) <= SHORT_ID:
            yield at_attribute(end, found, "a large random id, such as 32 characters", found.value)


@rule("ft.id.selector-change", on=Kind.SDP)
def id_of_one_file(description: Description, flow: Flow) -> Outcomes:
    if description.role is not Role.OFFER or description.dialog is None:
        return
    for end in files(description):
        for session in flow.assembly.negotiations.sessions_of(description.dialog):
            for known in session.ends_of(end.by_caller):
                if known.description.place >= description.place:
                    continue
                yield APPLIES
                if _another_file(known, end):
                    found = end.media.attribute("file-selector")
                    yield at_attribute(end, found, "a new file-transfer-id for another file", str(found))
                    return


def _another_file(before: MsrpEnd, now: MsrpEnd) -> bool:
    """The same id, and a name, size or hash that changed; one that is added or left out changes nothing."""
    ids = [end.media.attribute("file-transfer-id") for end in (before, now)]
    old, new = _selector(before), _selector(now)
    if None in ids or old is None or new is None or ids[0] != ids[1]:
        return False
    pairs = ((old.name, new.name), (old.size, new.size), (old.hashes or None, new.hashes or None))
    return any(one is not None and other is not None and one != other for one, other in pairs)


# -- the other attributes -----------------------------------------------------------------------------------


def _not_here(description: Description, name: str) -> Outcomes:
    """The attribute in the answer of a receiver (8.3.1)."""
    for offered, answered in _pairs(description):
        if not receives_file(answered) or offered.direction is not Direction.SENDONLY:
            continue
        yield APPLIES
        found = answered.media.attribute(name)
        if found is not None:
            yield at_attribute(answered, found, f"no {name} in the answer of who receives", str(found))


@rule("ft.disposition", on=Kind.SDP)
def disposition(description: Description, flow: Flow) -> Outcomes:
    for end in files(description):
        found = end.media.attribute("file-disposition")
        if found is None:
            continue
        yield APPLIES
        if not TOKEN.fullmatch(found.value or ""):
            yield at_attribute(end, found, "one token", str(found))
    yield from _not_here(description, "file-disposition")


@rule("ft.disposition.value", on=Kind.SDP)
def disposition_value(description: Description, flow: Flow) -> Outcomes:
    for end in files(description):
        found = end.media.attribute("file-disposition")
        if found is None or not TOKEN.fullmatch(found.value or ""):
            continue
        yield APPLIES
        value = found.value or ""
        if value.lower() not in ("render", "attachment"):
            yield at_attribute(end, found, "render or attachment", value)


@rule("ft.date", on=Kind.SDP)
def dates(description: Description, flow: Flow) -> Outcomes:
    for end in files(description):
        found = end.media.attribute("file-date")
        if found is None or receives_file(end):
            continue
        yield APPLIES
        try:
            parse_file_dates(found.value or "")
        except BodySyntaxError:
            yield at_attribute(end, found, 'creation:"<RFC 5322 date with +HHMM>" and the like', str(found))
            continue
        wrong = _wrong_weekday(found.value or "")
        if wrong:
            yield at_attribute(end, found, f"the weekday of the date, {wrong}", str(found))
    yield from _not_here(description, "file-date")


def _wrong_weekday(value: str) -> str:
    """The right weekday of the first date that shows a wrong one; empty when none does."""
    dated = parse_file_dates(value)
    for kind, text in _DATES.findall(value):
        shown, date = _WEEKDAY.match(text), getattr(dated, kind)
        if shown and date is not None and _WEEKDAYS[date.weekday()] != shown[1].lower():
            return _WEEKDAYS[date.weekday()].title()
    return ""


@rule("ft.icon.push-answer", on=Kind.SDP)
def icon_in_answer(description: Description, flow: Flow) -> Outcomes:
    yield from _not_here(description, "file-icon")


@rule("ft.range.form", on=Kind.SDP)
def range_form(description: Description, flow: Flow) -> Outcomes:
    for end in files(description):
        found = end.media.attribute("file-range")
        if found is None:
            continue
        yield APPLIES
        if _range(found) is None:
            yield at_attribute(end, found, "start-stop, counted from 1, or start-*", str(found))
    for offered, answered in _pairs(description):
        wanted, got = (side.media.attribute("file-range") for side in (offered, answered))
        asked, given = _range(wanted), _range(got)
        if not answered.port or asked is None:
            continue
        yield APPLIES
        if given != asked if got is None or given else False:
            yield at_attribute(answered, got, f"a={wanted} of the offer", str(got or "none"))


def _range(found: Attribute | None) -> tuple[int, int | None] | None:
    match = _RANGE.fullmatch((found.value or "") if found else "")
    if match is None:
        return None
    start, stop = int(match[1]), None if match[2] == "*" else int(match[2])
    return None if stop is not None and stop < start else (start, stop)


@rule("ft.range.answer-only", on=Kind.SDP)
def range_not_offered(description: Description, flow: Flow) -> Outcomes:
    for offered, answered in _pairs(description):
        if not answered.port or "file-range" in offered.media:
            continue
        yield APPLIES
        found = answered.media.attribute("file-range")
        if found is not None:
            yield at_attribute(answered, found, "no file-range, since the offer has none", str(found))


@rule("ft.accept-types.value", on=Kind.SDP)
def type_of_file(description: Description, flow: Flow) -> Outcomes:
    for end in files(description):
        selector = _selector(end)
        kind = selector.type if selector else None
        if kind is None or not end.accept_types:
            continue
        yield APPLIES
        wrapped = type_accepted(end.accept_types, "message/cpim") and type_accepted(end.wrapped_types, kind)
        if not (wrapped or type_accepted(end.accept_types, kind)):
            found = end.media.attribute("accept-types")
            yield at_attribute(
                end, found, f"{kind}, or message/cpim with it inside", " ".join(end.accept_types)
            )
