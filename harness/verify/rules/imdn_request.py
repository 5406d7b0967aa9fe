"""Rules about messages that ask for notifications (RFC 5438 6.2, 6.3, 7.1.1)."""

from __future__ import annotations

import re

from harness.cpm.profiles import Profile
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import same_uri_text
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Severity
from harness.verify.items import CpimItem, SipEntry
from harness.verify.msrp_items import MsrpEntry
from harness.verify.rules.cpim import misspelled
from harness.verify.rules.cpim_addresses import ANONYMOUS
from harness.verify.rules.imdn_chain import (
    TOKEN,
    at_item,
    is_for_several,
    mime_value,
    requests_in,
    was_accepted,
)

KNOWN_REQUESTS = frozenset({"positive-delivery", "negative-delivery", "processing", "display"})

_PARAMETER = rf' *; *[!#-\'*+\-0-9A-Z^_`a-z|~]+=(?:{TOKEN}|"(?:[^"\\]|\\.)*")'
_REQUEST = re.compile(rf"(?:{TOKEN}(?:{_PARAMETER})*(?: *, *{TOKEN}(?:{_PARAMETER})*)*)?")
_COUNTED = re.compile(r"(.*?)(\d+)")
_NARROW = (
    (re.compile(r"[0-9]+"), 10, "digits"),
    (re.compile(r"[0-9a-f]+|[0-9A-F]+"), 16, "hexadecimal digits"),
)


@rule("imdn.request.message-id", on=Kind.CPIM)
def request_message_id(item: CpimItem, flow: Flow) -> Outcomes:
    cpim = item.cpim
    if cpim is None or not cpim.asks_for_imdn or item.is_notification or misspelled(cpim, "Message-ID"):
        return
    yield APPLIES
    value = item.message_id
    if value is None:
        yield at_item(item, "imdn.Message-ID in a message that asks for a notification", "none")
    elif not re.fullmatch(TOKEN, value):
        yield at_item(item, "imdn.Message-ID: a token", value or "nothing")


@rule("imdn.request.message-id.entropy", on=Kind.CPIM)
def message_id_entropy(item: CpimItem, flow: Flow) -> Outcomes:
    value = item.message_id
    if not value:
        return
    yield APPLIES
    for alphabet, size, name in _NARROW:
        if alphabet.fullmatch(value):
            if size ** len(value) < 2**64:
                yield at_item(item, "64 random bits in imdn.Message-ID", f"{value}: {len(value)} {name}")
                return
            break
    before = next(
        (
            known.message_id
            for known in reversed(flow.assembly.cpim_items())
            if known.place < item.place and known.sender is item.sender and known.message_id
        ),
        None,
    )
    if _counts_on(before, value):
        yield at_item(item, "64 random bits in imdn.Message-ID", f"{value} after {before}: a counter")


@rule("imdn.message-id.unique", on=Kind.CPIM)
def message_id_unique(item: CpimItem, flow: Flow) -> Outcomes:
    value = item.message_id
    if not value or item.cpim is None or not item.cpim.content:
        return
    yield APPLIES
    if any(imdn.message_id == value for imdn in item.imdns):
        yield at_item(item, "an imdn.Message-ID of its own", f"{value}, the id of the message it reports on")
    for known in flow.assembly.originals(value):
        if known is item or known.place >= item.place or not _same_sender(known, item):
            continue
        if known.cpim is None or not known.cpim.content or not _written_alike(known, item):
            continue
        if _content(known) != _content(item):
            yield at_item(item, "a unique imdn.Message-ID", f"{value} with other content in {known.label}")
        elif (
            _same_leg(known.carrier, item.carrier)
            and was_accepted(known)
            and not _may_be_sent_again(known, flow)
        ):
            yield at_item(item, "a unique imdn.Message-ID", f"{value} as in {known.label}", Severity.INFO)
        return
    before = flow.assembly.remembered.other_message(item)
    if before is not None:
        yield at_item(item, "a unique imdn.Message-ID", f"{value} with other content in {before}")


@rule("imdn.request.values", on=Kind.CPIM)
def request_values(item: CpimItem, flow: Flow) -> Outcomes:
    for value in requests_in(item):
        yield APPLIES
        if not _REQUEST.fullmatch(value):
            yield at_item(item, "a comma list of tokens", value)


@rule("imdn.request.values.unknown-token", on=Kind.CPIM)
def unknown_token(item: CpimItem, flow: Flow) -> Outcomes:
    requests = requests_in(item)
    if requests:
        yield APPLIES
    if len(requests) > 1:
        yield at_item(item, "Disposition-Notification once", f"{len(requests)} times")
    for value in requests:
        tokens = (part.partition(";")[0].strip() for part in value.split(",")) if value.strip() else ()
        for token in tokens:
            if re.fullmatch(TOKEN, token) and token not in KNOWN_REQUESTS:
                near = f" (meant: {token.lower()})" if token.lower() in KNOWN_REQUESTS else ""
                yield at_item(item, f"one of {', '.join(sorted(KNOWN_REQUESTS))}", token + near)


@rule("imdn.request.rcs", on=Kind.CPIM, profiles=(Profile.RCS51, Profile.UP2))
def asks_for_both(item: CpimItem, flow: Flow) -> Outcomes:
    """A message that asks for nothing at all may be one its user wants no notification for."""
    readable = all(_REQUEST.fullmatch(value) for value in requests_in(item))
    if not item.requested or not readable or item.is_notification or is_for_several(item):
        return
    yield APPLIES
    lacking = [each for each in ("positive-delivery", "display") if each not in item.requested]
    if lacking:
        asked = ", ".join(sorted(item.requested))
        yield at_item(item, f"{', '.join(lacking)} in Disposition-Notification", asked)


def _may_be_sent_again(known: CpimItem, flow: Flow) -> bool:
    """Its connection ended, so that its sender may not know that it was taken (RFC 4975 5.4)."""
    return known.by_sip is None and known.carrier.connection in flow.assembly.msrp.closed


def _same_leg(one: SipEntry | MsrpEntry, other: SipEntry | MsrpEntry) -> bool:
    return one.layer is other.layer and (one.source.host, one.destination.host) == (
        other.source.host,
        other.destination.host,
    )


def _same_sender(one: CpimItem, other: CpimItem) -> bool:
    """One side, and of the network one far party: CPIM From equal or hidden."""
    if one.sender is not other.sender:
        return False
    left, right = (item.cpim.from_ if item.cpim else None for item in (one, other))
    if left is None or right is None or ANONYMOUS in (left.uri.lower(), right.uri.lower()):
        return True
    return same_uri_text(left.uri, right.uri)


def _content(item: CpimItem) -> tuple[str, bytes]:
    assert item.cpim is not None
    kind = item.cpim.content_type
    return (kind.essence if kind else ""), item.cpim.content


def _written_alike(one: CpimItem, other: CpimItem) -> bool:
    """One Content-Transfer-Encoding: only then do the octets tell whether the content is the same."""
    name = "Content-Transfer-Encoding"
    return (mime_value(one, name) or "").lower() == (mime_value(other, name) or "").lower()


def _counts_on(before: str | None, value: str) -> bool:
    one, other = _COUNTED.fullmatch(before or ""), _COUNTED.fullmatch(value)
    return one is not None and other is not None and one[1] == other[1] and int(other[2]) - int(one[2]) == 1
