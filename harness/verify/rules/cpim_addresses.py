"""Rules about who a CPIM object is from and to (RFC 3862 4.1 to 4.3, RFC 4975 13)."""

from __future__ import annotations

from collections.abc import Iterator

from harness.bodies.cpim import (
    CORE_NAMESPACE,
    CpimAddress,
    CpimFault,
    CpimHeader,
    CpimMessage,
    parse_cpim_address,
)
from harness.cpm.services import Service
from harness.evidence.timeline import Layer
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import covers, party_of, shown, stated_services, uri_of
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Severity, Violation
from harness.verify.items import CpimItem, Dialog, SipEntry
from harness.verify.rules.cpim import at_header, is_present
from harness.verify.rules.imdn_chain import (
    by_message,
    comparable,
    identities,
    is_hidden,
    sip_addressees_of,
)

ANONYMOUS = "sip:anonymous@anonymous.invalid"
_SENDERS = ("From", "P-Preferred-Identity", "P-Asserted-Identity", "Referred-By")


@rule("cpim.from-to.present", on=Kind.CPIM)
def from_to(item: CpimItem, flow: Flow) -> Outcomes:
    cpim = item.cpim
    if cpim is None:
        return
    yield APPLIES
    if item.layer is Layer.MSRP:
        yield from _one_from(item, cpim)
        yield from _some_to(item, cpim)
    elif cpim.asks_for_imdn and not is_present(cpim, "From"):
        # Where a notification goes without one is open (RFC 5438 7.2.1), but no text forbids to ask.
        expected = "From in a message that asks for a notification"
        yield Violation(expected, "none", "body", item.offset, severity=Severity.SHOULD)
    for name in ("From", "To"):
        for header, address in _addresses(cpim, name):
            if not address.well_formed and not _in_brackets(header):
                yield at_header(item, header, f"{name}: [name] <absolute URI>", header.value)


@rule("cpim.from-to.uri-brackets", on=Kind.CPIM)
def form_of_addresses(item: CpimItem, flow: Flow) -> Outcomes:
    """What cpim.from-to.present leaves: the name before the brackets, and the courtesy copies."""
    cpim = item.cpim
    if cpim is None:
        return
    escapes = {fault.offset for fault in cpim.faults if fault.what == CpimFault.ESCAPE}
    for name in ("From", "To", "cc"):
        for header, address in _addresses(cpim, name):
            yield APPLIES
            told = header.offset in escapes or (name != "cc" and not _in_brackets(header))
            if not address.well_formed and not told:
                yield at_header(
                    item, header, f"{name}: [words or a quoted name] <absolute URI>", header.value
                )


@rule("cpim.from-to.present.sip", on=Kind.CPIM)
def from_to_sip(item: CpimItem, flow: Flow) -> Outcomes:
    cpim = item.cpim
    if cpim is None or item.layer is Layer.MSRP:
        return
    yield APPLIES
    if cpim.get("From") is not None or not cpim.asks_for_imdn:
        yield from _one_from(item, cpim)
    yield from _some_to(item, cpim)


@rule("cpim.anonymous-1to1", on=Kind.CPIM)
def anonymous_one_to_one(item: CpimItem, flow: Flow) -> Outcomes:
    if item.cpim is None or item.layer is not Layer.MSRP or not _in_one_to_one(item):
        return
    yield APPLIES
    for name in ("From", "To"):
        for address in item.cpim.addresses(name):
            if address.uri.lower() != ANONYMOUS:
                yield Violation(f"{name}: <{ANONYMOUS}>", shown(address.uri), "body", item.offset)


@rule("cpim.anonymous-pager", on=Kind.CPIM)
def real_names_of_a_text(item: CpimItem, flow: Flow) -> Outcomes:
    """Hidden, or the identities of the MESSAGE. A notification goes where the message came from."""
    cpim = item.cpim
    if cpim is None or not by_message(item) or item.is_notification:
        return
    for name, known in (("From", identities(item.by_sip, _SENDERS)), ("To", sip_addressees_of(item))):
        for address in cpim.addresses(name):
            uri = uri_of(address.uri)
            if uri is None or is_hidden(uri) or not comparable({party_of(uri)}, known):
                continue
            yield APPLIES
            if party_of(uri) not in known:
                expected = f"{name} of the MESSAGE in CPIM: {', '.join(sorted(known))}"
                yield Violation(expected, shown(address.uri), "body", item.offset)


@rule("cpim.anonymous-mixed", on=Kind.CPIM)
def anonymous_mixed(item: CpimItem, flow: Flow) -> Outcomes:
    conversation = _conversation(item)
    own = _is_anonymous(item)
    if not conversation or own is None:
        return
    earlier = _same_conversation(item, conversation, flow)
    last = next(earlier, None)
    if last is None:
        return
    yield APPLIES
    if _is_anonymous(last) is own or any(_is_anonymous(known) is own for known in earlier):
        return  # no alternation, or one that was told when it began
    words = {True: "anonymous", False: "real"}
    yield Violation(
        f"the From of one conversation as in {last.label}: {words[not own]}", words[own], "body", item.offset
    )


def _addresses(cpim: CpimMessage, name: str) -> Iterator[tuple[CpimHeader, CpimAddress]]:
    """Each header of that name as it stands, and as an address."""
    return zip(cpim.fields(CORE_NAMESPACE, name), cpim.addresses(name), strict=True)


def _in_brackets(header: CpimHeader) -> bool:
    """An absolute URI in angle brackets, whatever stands before them."""
    _, bracket, rest = header.value.rpartition("<")
    return bool(bracket) and parse_cpim_address(f"<{rest}").well_formed


def _one_from(item: CpimItem, cpim: CpimMessage) -> Outcomes:
    count = len(cpim.fields(CORE_NAMESPACE, "From"))
    if count > 1 or (count == 0 and not is_present(cpim, "From")):
        yield Violation("exactly one From", str(count), "body", item.offset)


def _some_to(item: CpimItem, cpim: CpimMessage) -> Outcomes:
    if not is_present(cpim, "To"):
        yield Violation("at least one To", "none", "body", item.offset)


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
