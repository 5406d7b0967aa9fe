"""IMS rules on who a party says it is: P-Preferred- and P-Asserted-Identity, Privacy, User-Agent.

RFC 3323 4, RFC 3325 9, RFC 5438 12.1.1, TS 24.229 5.1.2A.1.1.
"""

from __future__ import annotations

import re

from harness.sip.headers import NameAddr
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import is_anonymous, party_of, shown, uri_of
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Party, Violation
from harness.verify.items import SipEntry, reading
from harness.verify.rules.ims_service import INITIAL

_INITIAL_WITH_IDENTITY = ("INVITE", "MESSAGE", "OPTIONS", "SUBSCRIBE", "REFER")
_NOWHERE = "anonymous.invalid"
_PRODUCT = re.compile(r"(?:IM-client|CPM-client)/OMA\d+\.\d+ \S+/\S+", re.IGNORECASE)


def identities(entry: SipEntry, name: str) -> list[NameAddr] | None:
    values = entry.sip.values(name)
    parsed = [reading(lambda value=value: NameAddr.parse(value)) for value in values]  # type: ignore[misc]
    return None if any(item is None for item in parsed) else [item for item in parsed if item is not None]


def _wrong_identities(entry: SipEntry, name: str) -> Outcomes:
    """Not one, nor one sip(s) and one tel value (RFC 3325 9.1, 9.2)."""
    parsed = identities(entry, name)
    schemes = sorted(item.uri.scheme.lower().rstrip("s") for item in parsed or ())
    if parsed is not None and (schemes in (["sip"], ["tel"]) or schemes == ["sip", "tel"]):
        return
    yield Violation("one value, or one sip and one tel", shown(entry.sip.get(name) or ""), name)


@rule("ims.ppi.form", on=Kind.REQUEST)
def ppi_form(entry: SipEntry, flow: Flow) -> Outcomes:
    if entry.sip.get("P-Preferred-Identity") is not None:
        yield APPLIES
        yield from _wrong_identities(entry, "P-Preferred-Identity")


@rule("ims.ppi.from-consistent", on=Kind.REQUEST, methods=_INITIAL_WITH_IDENTITY)
def ppi_from(entry: SipEntry, flow: Flow) -> Outcomes:
    preferred = identities(entry, "P-Preferred-Identity")
    if not preferred or entry.from_ is None or entry.to_tag or is_anonymous(entry.from_):
        return
    yield APPLIES
    own = party_of(entry.from_.uri)
    if own not in {party_of(item.uri) for item in preferred}:
        state = flow.assembly.registration_of(entry)
        known = f"; registered: {', '.join(state.associated)}" if state and state.associated else ""
        yield Violation(
            f"the identity of From, {shown(entry.from_.uri.text)}{known}",
            shown(entry.sip.get("P-Preferred-Identity") or ""),
            "P-Preferred-Identity",
        )


@rule("ims.pai.present", on=Kind.REQUEST, methods=_INITIAL_WITH_IDENTITY)
def pai_present(entry: SipEntry, flow: Flow) -> Outcomes:
    if entry.to_tag:
        return
    yield APPLIES
    if entry.sip.get("P-Asserted-Identity") is not None:
        yield from _wrong_identities(entry, "P-Asserted-Identity")
    elif not _privacy(entry) & {"id", "user", "header"}:
        yield Violation("P-Asserted-Identity", "none")


@rule("ims.user-agent", on=Kind.REQUEST)
def user_agent(entry: SipEntry, flow: Flow) -> Outcomes:
    if entry.method not in INITIAL or entry.to_tag:
        return
    yield APPLIES
    value = entry.sip.get("User-Agent")
    if value is None or not _PRODUCT.match(value):
        yield Violation(
            "IM-client/OMA1.0 vendor/model-sw client/version", shown(value or "none"), "User-Agent"
        )


@rule("ims.ppi.registered", on=Kind.REQUEST, methods=_INITIAL_WITH_IDENTITY)
def ppi_registered(entry: SipEntry, flow: Flow) -> Outcomes:
    preferred = identities(entry, "P-Preferred-Identity")
    state = flow.assembly.registration_of(entry)
    if not preferred or state is None or entry.to_tag:
        return
    yield APPLIES
    own = [uri for text in (state.aor, *state.associated) if (uri := uri_of(text)) is not None]
    parties = {party_of(uri) for uri in own}
    for item in preferred:
        if party_of(item.uri) not in parties:
            expected = f"one of {', '.join(uri.text for uri in own)}"
            yield Violation(shown(expected, 160), shown(item.uri.text), "P-Preferred-Identity")


def _privacy(entry: SipEntry) -> set[str]:
    """The values of Privacy, lower case (RFC 3323 4.2)."""
    return {value.strip().lower() for value in re.split("[;,]", entry.sip.get("Privacy") or "")}


@rule("ims.privacy.anonymous", on=Kind.REQUEST, methods=INITIAL)
def anonymous_everywhere(entry: SipEntry, flow: Flow) -> Outcomes:
    """A privacy service takes Privacy out once it is done (RFC 3323 5), so of the network it is not asked."""
    if entry.to_tag or entry.from_ is None or not is_anonymous(entry.from_):
        return
    yield APPLIES
    if entry.from_.uri.host.lower() != _NOWHERE:
        yield Violation(f"sip:anonymous@{_NOWHERE}", shown(entry.from_.uri.text), "From")
    if entry.sender is Party.HANDSET and "id" not in _privacy(entry):
        yield Violation("Privacy: id", entry.sip.get("Privacy") or "none", "Privacy")
    for item in entry.bodies:
        shown_as = item.cpim.from_ if item.cpim is not None else None
        if item.requested and not item.is_notification:
            asked = ", ".join(sorted(item.requested))
            yield Violation("no notification asked for", asked, "body")
        if shown_as is not None and not _hides(shown_as.uri):
            yield Violation("an anonymous From in CPIM", shown(shown_as.uri), "body")


def _hides(text: str) -> bool:
    uri = uri_of(text)
    return uri is not None and is_anonymous(NameAddr(None, uri))
