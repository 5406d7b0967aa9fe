"""Rules about DateTime and about the content below the CPIM headers (RFC 3862 2.4, 4.4, RFC 2045)."""

from __future__ import annotations

import re

from harness.bodies.cpim import CORE_NAMESPACE, CpimFault, CpimMessage
from harness.bodies.encoding import decode_content, is_decodable
from harness.bodies.timestamp import parse_timestamp
from harness.cpm.profiles import Profile
from harness.errors import BodySyntaxError
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import shown
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Party, Severity, Unverifiable, Violation
from harness.verify.items import CpimItem
from harness.verify.msrp_items import MsrpEntry
from harness.verify.rules.cpim import at_header, is_present

PLAUSIBLE_SECONDS = 300.0
"""What DateTime may be ahead of the time of the capture, whose clock is another."""
WAITED_SECONDS = 86_400.0
"""What it may be behind: a handset without coverage keeps what its user wrote."""
_CLOCKED = 946_684_800.0  # the year 2000: what is older comes from a trace without dates
_LONGEST_BLOCK = 4096
_CPIM = "message/cpim"


@rule("cpim.datetime.present", on=Kind.CPIM)
def datetimeis_present(item: CpimItem, flow: Flow) -> Outcomes:
    if item.cpim is None or not item.cpim.asks_for_imdn:
        return
    yield APPLIES
    if not is_present(item.cpim, "DateTime"):
        yield Violation("DateTime in a message that asks for a notification", "none", "body", item.offset)


@rule("cpim.datetime.rfc3339", on=Kind.CPIM)
def datetime_rfc3339(item: CpimItem, flow: Flow) -> Outcomes:
    for header in item.cpim.fields(CORE_NAMESPACE, "DateTime") if item.cpim else ():
        yield APPLIES
        try:
            stamp = parse_timestamp(re.sub(r"\A0000-", "0004-", header.value))  # a year that has no datetime
        except BodySyntaxError:
            yield at_header(item, header, "an RFC 3339 date-time such as 2015-02-17T06:54:27Z", header.value)
            continue
        if stamp.lower_case:
            yield at_header(item, header, "T and Z in upper case", header.value, Severity.SHOULD)


@rule("cpim.datetime.plausible", on=Kind.CPIM)
def datetime_plausible(item: CpimItem, flow: Flow) -> Outcomes:
    """What the network passes on may have waited there; nothing is written after it was sent."""
    written = _written_at(item)
    if written is None or item.time < _CLOCKED:
        return
    yield APPLIES
    ahead = written - item.time
    late = item.sender is Party.HANDSET and not _sent_before(item, flow) and -ahead > WAITED_SECONDS
    if ahead > PLAUSIBLE_SECONDS or late:
        expected = "DateTime near the time of the message"
        actual = f"{abs(ahead):.0f} s {'after' if ahead > 0 else 'before'} it"
        yield Violation(expected, actual, "body", item.offset)
        return
    before = _message_before(item, flow)
    earlier = _written_at(before) if before is not None else None
    if before is not None and earlier is not None and earlier - written > flow.settings.clock_tolerance:
        expected = f"DateTime not before that of {before.label}"
        yield Violation(expected, f"{earlier - written:.0f} s before it", "body", item.offset)


@rule("cpim.content-type.present", on=Kind.CPIM)
def content_type_present(item: CpimItem, flow: Flow) -> Outcomes:
    if item.cpim is None or item.cpim.layout == "rfc5438":
        return
    yield APPLIES
    kinds = {fault.what for fault in item.cpim.faults}
    if CpimFault.NO_CONTENT_TYPE in kinds and CpimFault.NO_EMPTY_LINE not in kinds:
        place = item.offset + item.cpim.content_offset
        yield Violation("Content-Type among the MIME headers", "none", "body", place)


@rule("cpim.content-length.exact", on=Kind.CPIM)
def content_length(item: CpimItem, flow: Flow) -> Outcomes:
    declared = item.cpim.mime_get("Content-Length") if item.cpim else None
    if item.cpim is None or declared is None:
        return
    yield APPLIES
    content = item.cpim.content
    octets = _octets_of_content(item, item.cpim)
    expected = f"Content-Length: {octets}"
    if not re.fullmatch(r"[0-9]+", declared):
        yield Violation(expected, shown(declared), "body", item.offset)
        return
    more = octets - int(declared)
    if more:
        line_end = abs(more) == 2 or abs(more) == 1
        forgiven = line_end and (more < 0 or content.endswith(b"\r\n"[2 - more :]))
        yield Violation(expected, declared, "body", item.offset, severity=Severity.INFO if forgiven else None)


@rule("cpim.content-length.present", on=Kind.CPIM, profiles=(Profile.RCS51, Profile.UP2))
def content_length_present(item: CpimItem, flow: Flow) -> Outcomes:
    """A client that leaves it out does so always: its first message is enough."""
    if item.cpim is None or not item.cpim.mime or not item.cpim.content:
        return
    yield APPLIES
    if _has_length(item):
        return
    before = (known for known in reversed(flow.assembly.cpim_items()) if known.place < item.place)
    if not any(known.sender is item.sender and not _has_length(known) for known in before):
        expected = "Content-Length among the MIME headers, as clients write it"
        yield Violation(expected, "none", "body", item.offset)


def _has_length(item: CpimItem) -> bool:
    cpim = item.cpim
    return cpim is None or not cpim.content or cpim.mime_get("Content-Length") is not None


@rule("cpim.content-type.charset", on=Kind.CPIM)
def charset(item: CpimItem, flow: Flow) -> Outcomes:
    """A text in US-ASCII needs no charset (RFC 2046 4.1.2)."""
    kind = item.cpim.content_type if item.cpim else None
    if item.cpim is None or kind is None or kind.essence != "text/plain" or item.beginning:
        return
    yield APPLIES
    stated = (kind.parameters.get("charset") or "").lower()
    if stated not in ("", "utf-8", "us-ascii"):
        yield Violation("charset=UTF-8", stated, "body", item.offset)
        return
    try:
        octets = item.cpim.decoded()
    except BodySyntaxError:
        return  # cpim.cte
    place = item.offset + item.cpim.content_offset
    if stated != "utf-8" and not octets.isascii():
        yield Violation("charset=UTF-8 for text beyond US-ASCII", stated or "none", "body", place)
        return
    try:
        octets.decode("utf-8")
    except UnicodeDecodeError as error:
        actual = shown(octets[error.start : error.start + 8].decode("utf-8", "backslashreplace"))
        yield Violation("text in UTF-8", actual, "body", place + error.start)


@rule("cpim.cte", on=Kind.CPIM)
def transfer_encoding(item: CpimItem, flow: Flow) -> Outcomes:
    encoding = item.cpim.mime_get("Content-Transfer-Encoding") if item.cpim else None
    if item.cpim is None or encoding is None or item.beginning:
        return
    yield APPLIES
    if not is_decodable(None, encoding):
        yield Violation(
            "7bit, 8bit, binary, quoted-printable or base64", shown(encoding), "body", item.offset
        )
        return
    try:
        decode_content(item.cpim.content, None, encoding)
    except BodySyntaxError as error:
        place = item.offset + item.cpim.content_offset
        yield Violation(f"content in {encoding}", shown(str(error)), "body", place)


@rule("cpim.whole-before-chunk", on=Kind.MSRP_REQUEST, methods=("SEND",))
def headers_in_first_chunk(entry: MsrpEntry, flow: Flow) -> Outcomes:
    """A sender that wraps each chunk does so in the second already; later ones are not read."""
    message = entry.part_of
    if message is None or message.content_type != _CPIM or len(message.chunks) != 2 or entry.start == 1:
        return
    yield APPLIES
    try:
        block, empty, _ = message.first.body.read(_LONGEST_BLOCK).partition(b"\r\n\r\n")
        begins = entry.body.read(len(block + empty))
    except OSError as error:
        yield Unverifiable(f"the octets of the chunks are gone: {error}")
        return
    if block and empty and begins == block + empty:
        expected = "the octets that follow in the CPIM object"
        yield Violation(expected, "its headers once more", "body", 0)


def _octets_of_content(item: CpimItem, cpim: CpimMessage) -> int:
    """Also of an object of which only the beginning is kept."""
    message = item.carrier.part_of if isinstance(item.carrier, MsrpEntry) else None
    if item.beginning and message is not None and message.total is not None:
        return message.total - cpim.content_offset
    return len(cpim.content)


def _written_at(item: CpimItem) -> float | None:
    """DateTime in seconds since the epoch."""
    moment = item.cpim.datetime if item.cpim else None
    return moment.timestamp() if moment is not None else None


def _sent_before(item: CpimItem, flow: Flow) -> bool:
    """The same message went out before: DateTime is that of its first time."""
    copies = flow.assembly.originals(item.message_id) if item.message_id else []
    return any(known.place < item.place and known.sender is item.sender for known in copies)


def _message_before(item: CpimItem, flow: Flow) -> CpimItem | None:
    """The message the handset sent before this one; of the network, many may write at once."""
    if item.sender is not Party.HANDSET or _sent_before(item, flow):
        return None
    before = (known for known in reversed(flow.assembly.cpim_items()) if known.place < item.place)
    return next((known for known in before if known.sender is item.sender), None)
