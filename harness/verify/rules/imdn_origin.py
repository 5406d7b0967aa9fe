"""Rules about whose notification it is, and of which conversation (RFC 5438 7.1.2, 12.2, CPM)."""

from __future__ import annotations

from harness.bodies.imdn import Imdn
from harness.cpm.services import Service
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import is_anonymous, party_of, stated_services, uri_of
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Unverifiable, Violation
from harness.verify.items import CpimItem, SipEntry
from harness.verify.rules.cpim_addresses import ANONYMOUS
from harness.verify.rules.imdn_chain import (
    addressees_of,
    at_item,
    by_message,
    comparable,
    opening_of,
    originals_of,
    says,
    senders_of,
)


@rule("imdn.from-is-recipient", on=Kind.CPIM)
def from_is_recipient(item: CpimItem, flow: Flow) -> Outcomes:
    """The recipient-uri of the document decides; without one the sender, when nothing in the chain hides it.

    A network that writes anonymous into one IMDN of a message and a number into the other shows that its From
    is not the recipient's identity, so it proves nothing (RFC 5438 7.1.2 matches by the XML alone).
    """
    for imdn in item.imdns:
        originals = [known for known in originals_of(item, imdn, flow) if by_message(known)]
        addressed = {party for known in originals for party in addressees_of(known)}
        if not addressed:
            continue
        stated = imdn.original_recipient_uri or imdn.recipient_uri
        makers = {party_of(uri)} if stated and (uri := uri_of(stated)) else senders_of(item)
        if not stated and _hidden(item, imdn, flow):
            yield Unverifiable("the IMDNs of this message do not show who made them")
            continue
        yield APPLIES
        if makers and not makers & addressed and comparable(makers, addressed):
            yield at_item(
                item, f"an IMDN of {', '.join(sorted(addressed))}", f"one of {', '.join(sorted(makers))}"
            )


@rule("imdn.same-conversation", on=Kind.CPIM)
def same_conversation(item: CpimItem, flow: Flow) -> Outcomes:
    """The session in which deferred messages are fetched is none of the conversations they belong to."""
    own = item.by_sip.sip.get("Conversation-ID") if item.by_sip and by_message(item) else None
    for imdn in item.imdns if own else ():
        openings = [carrier for known in originals_of(item, imdn, flow) if (carrier := opening_of(known))]
        carriers = [each for each in openings if Service.DEFERRED.icsi not in stated_services(each.sip)]
        ids = [value for carrier in carriers if (value := carrier.sip.get("Conversation-ID"))]
        if not ids:
            continue
        yield APPLIES
        if own not in ids:
            yield Violation(
                f"Conversation-ID: {ids[-1]}", own or "none", "Conversation-ID", item=item.carrier
            )


@rule("imdn.contribution-id", on=Kind.REQUEST, methods=("MESSAGE",))
def contribution_id(entry: SipEntry, flow: Flow) -> Outcomes:
    if not any(item.is_notification for item in entry.bodies):
        return
    yield APPLIES
    if not (entry.sip.get("Contribution-ID") or "").strip():
        yield Violation("Contribution-ID", "none", "start line")


@rule("imdn.no-network-positive", on=Kind.CPIM)
def made_in_between(item: CpimItem, flow: Flow) -> Outcomes:
    """What names a host alone as its sender was made by a server. One for a list bundles those of others."""
    sender = item.cpim.from_ if item.cpim else None
    uri = uri_of(sender.uri) if sender is not None else None
    if uri is None or len(item.imdns) != 1 or not says(item.imdns[0], "delivered"):
        return
    yield APPLIES
    recipient = uri_of(item.imdns[0].recipient_uri or "")
    if not uri.user and uri.scheme.startswith("sip") and (recipient is None or not recipient.user):
        yield at_item(item, "delivered from the recipient alone", f"delivered from {uri.host}")


def _hidden(item: CpimItem, imdn: Imdn, flow: Flow) -> bool:
    """Somewhere in the IMDNs on this message its sender is anonymous."""
    chain = [known.item for known in flow.assembly.notifications(imdn.message_id)]
    return any(_is_anonymous(known) for known in (*chain, item) if known.sender is item.sender)


def _is_anonymous(item: CpimItem) -> bool:
    address = item.cpim.from_ if item.cpim else None
    hidden = item.by_sip is not None and is_anonymous(item.by_sip.from_)
    return hidden or (address is not None and address.uri.lower() == ANONYMOUS)
