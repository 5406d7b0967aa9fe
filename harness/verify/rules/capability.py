"""Rules on capabilities exchanged by OPTIONS: the feature tags of both Contacts (RFC 3840, RCC.07)."""

from __future__ import annotations

from harness.cpm.services import FEATURE_TAGS, IARI_TAG, ICSI_TAG, encode_urn
from harness.sip.grammar import Parameters
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import tag_values
from harness.verify.engine import Flow
from harness.verify.finding import Outcomes, Party, Unverifiable, Violation
from harness.verify.items import SipEntry

KNOWN = frozenset(tag.text.lower() for tag in FEATURE_TAGS)
_FOR_THE_NETWORK = frozenset(
    {"+g.3gpp.smsip", "+g.3gpp.nw-init-ussi", "+g.3gpp.mid-call", "+g.3gpp.srvcc-alerting"}
    | {"+g.3gpp.ps2cs-srvcc-orig-pre-alerting"}
)
"""Tags that are told to the network in REGISTER and to nobody else."""


def _tags(parameters: Parameters) -> frozenset[str]:
    """Feature tags of a Contact as harness.cpm.services writes them, one for each URN, in lower case."""
    found = set()
    for name in parameters:
        lower = name.lower()
        if lower in (ICSI_TAG, IARI_TAG):
            found |= {f'{lower}="{encode_urn(urn)}"'.lower() for urn in tag_values(parameters, name)}
        elif lower.startswith("+g."):
            found.add(lower)
    return frozenset(found)


def _shown_by(entry: SipEntry) -> frozenset[str]:
    return frozenset().union(*(_tags(contact.parameters) for contact in entry.contacts))


def _exchanges(entry: SipEntry) -> bool:
    """A query outside dialogs that shows what its sender can do, or a 2xx to one."""
    request = entry if entry.request is not None else entry.transaction.request if entry.transaction else None
    accepted = entry.request is not None or 200 <= entry.status < 300
    return accepted and request is not None and not request.to_tag and bool(_shown_by(request))


@rule("options.contact-tags", on=Kind.SIP, methods=("OPTIONS",))
def shows_what_it_can_do(entry: SipEntry, flow: Flow) -> Outcomes:
    """Of the network a party that is not known to RCS may answer without any."""
    if not _exchanges(entry) or entry.sender is not Party.HANDSET:
        return
    own = _shown_by(entry)
    if not own:
        yield Violation("a Contact with the feature tags of the handset", "none", "Contact")
        return
    registered = _registered(entry, flow)
    if registered is None:
        yield Unverifiable("what the handset has registered was not seen")
        return
    leave_out = _FOR_THE_NETWORK | {text.lower() for text in flow.settings.not_exchanged}
    missing, extra = registered - own - leave_out, own - registered
    if missing:
        yield Violation("the tags of its REGISTER", f"no {', '.join(sorted(missing))}", "Contact")
    if extra:
        yield Violation("the tags of its REGISTER", f"{', '.join(sorted(extra))} besides", "Contact")


def _registered(entry: SipEntry, flow: Flow) -> frozenset[str] | None:
    state = flow.assembly.registration_at(entry.time)
    return None if state is None else frozenset().union(*(_tags(each.parameters) for each in state.asked))


@rule("options.tag-known", on=Kind.SIP, methods=("OPTIONS",))
def tags_are_known(entry: SipEntry, flow: Flow) -> Outcomes:
    if not _exchanges(entry):
        return
    unknown = sorted(_shown_by(entry) - KNOWN)
    if unknown:
        yield Violation("tags of RCS (harness/cpm/services.py)", ", ".join(unknown), "Contact")
