"""Registration rules: feature tags, instance (RFC 3840, 5626, 7255), sec-agree (RFC 3329)."""

from __future__ import annotations

from harness.cpm.services import IARI_TAG, ICSI_TAG, decode_urn
from harness.evidence.timeline import Layer, Transport
from harness.sip.grammar import parse_parameters, split_list
from harness.sip.headers import NameAddr
from harness.sip.message import Request
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import option_tags, parameter_map, same_uri, shown, tag_values, uri_of
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Severity, Violation
from harness.verify.items import EventItem, RegistrationState, SipEntry, Transaction, reading

INSTANCE = "+sip.instance"
_FOR_GRUU = "Supported: gruu"
_IMEI_URN = "<urn:gsma:imei:"
_3GPP_DOMAIN = ".3gppnetwork.org"
_BASE_TAGS = frozenset(
    {
        "actor",
        "application",
        "audio",
        "automata",
        "class",
        "control",
        "data",
        "description",
        "duplex",
        "events",
    }
    | {"extensions", "isfocus", "language", "message", "methods", "mobility", "priority", "schemes", "text"}
    | {"type", "video"}
)
_SECURITY_SERVER_STATUSES = (401, 421, 494)
_NEVER_VERIFIED = frozenset({"ACK", "CANCEL", "PRACK"})

Mechanism = tuple[str, dict[str, str | None]]


@rule("reg.contact.icsi", on=Kind.REQUEST, methods=("REGISTER",))
def contact_icsi(entry: SipEntry, flow: Flow) -> Outcomes:
    wanted = flow.settings.icsis
    contacts = registering(entry)
    if wanted is None or not contacts:
        return
    yield APPLIES
    shown_tags = frozenset().union(*(tag_values(contact.parameters, ICSI_TAG) for contact in contacts))
    missing = sorted(urn for urn in wanted if decode_urn(urn) not in shown_tags)
    if missing:
        yield Violation(
            f"{ICSI_TAG} with every ICSI the configuration enables",
            f"none for {', '.join(missing)}",
            "Contact",
        )


@rule("reg.contact.iari", on=Kind.REQUEST, methods=("REGISTER",))
def contact_iari(entry: SipEntry, flow: Flow) -> Outcomes:
    wanted, contacts = flow.settings.iaris, registering(entry)
    if wanted is None or not contacts:
        return
    yield APPLIES
    enabled = {decode_urn(urn) for urn in wanted}
    shown_tags = frozenset().union(*(tag_values(contact.parameters, IARI_TAG) for contact in contacts))
    for actual, urns in (("none for", enabled - shown_tags), ("also", shown_tags - enabled)):
        if urns:
            expected = f"{IARI_TAG} with the IARIs the configuration enables"
            yield Violation(expected, f"{actual} {', '.join(sorted(urns))}", "Contact")


@rule("reg.contact.one-instance-of-tag", on=Kind.REQUEST, methods=("REGISTER",))
def one_instance_of_tag(entry: SipEntry, flow: Flow) -> Outcomes:
    for contact in entry.contacts:
        yield APPLIES
        for name in contact.parameters.duplicates:
            if name.startswith("+") or name in _BASE_TAGS:
                yield Violation("each feature tag once, its values in one list", f"{name} again", "Contact")


@rule("reg.sip-instance", on=Kind.REQUEST, methods=("REGISTER",))
def sip_instance(entry: SipEntry, flow: Flow) -> Outcomes:
    for contact in uris(entry):
        instance = contact.parameters.get(INSTANCE)
        reason = _instance_needed(entry, contact)
        if instance is None and not reason:
            continue
        yield APPLIES
        if instance is None:
            # Without it a UA with GRUU just gets none (RFC 5627 4.1).
            severity = Severity.SHOULD if reason == _FOR_GRUU else None
            yield Violation(f"{INSTANCE}, because of {reason}", "none", "Contact", severity=severity)
        elif not instance.lower().startswith(_IMEI_URN) and _has_imei(entry, flow):
            yield Violation(
                "the IMEI URN of a handset that has an IMEI",
                shown(instance),
                "Contact",
                severity=Severity.INFO,
            )


@rule("reg.sip-instance.other-register", on=Kind.REQUEST, methods=("REGISTER",))
def sip_instance_other(entry: SipEntry, flow: Flow) -> Outcomes:
    for contact in uris(entry):
        if _instance_needed(entry, contact):
            continue
        yield APPLIES
        if INSTANCE not in contact.parameters:
            yield Violation(INSTANCE, "none", "Contact")


@rule("reg.sec-agree", on=Kind.REQUEST)
def sec_agree(entry: SipEntry, flow: Flow) -> Outcomes:
    message = entry.sip
    if "Security-Client" in message and entry.method == "REGISTER":
        yield APPLIES
        if entry.transport is Transport.TLS and _chosen_by_sips(entry):
            yield Violation(
                "no sec-agree where TLS was chosen by a sips URI", "Security-Client", "Security-Client"
            )
        yield from _missing_tags(entry)
    server = _agreed(entry, flow)
    if server is None or entry.method in _NEVER_VERIFIED:
        return
    yield APPLIES
    verify = _mechanisms(message.values("Security-Verify"))
    if not verify:
        yield Violation("Security-Verify with the list of Security-Server", "none", "Security-Verify")
    elif verify != _mechanisms(server):
        yield Violation(
            f"Security-Verify: {shown(', '.join(server))}",
            shown(", ".join(message.values("Security-Verify"))),
            "Security-Verify",
        )
    if "Security-Client" not in message or entry.method != "REGISTER":
        yield from _missing_tags(entry)


@rule("reg.sec-agree.client-preference", on=Kind.REQUEST, methods=("REGISTER",))
def client_preference(entry: SipEntry, flow: Flow) -> Outcomes:
    for name, parameters in _mechanisms(entry.sip.values("Security-Client")):
        yield APPLIES
        if "q" in parameters:
            yield Violation(
                "no preference in Security-Client", f"{name};q={parameters['q']}", "Security-Client"
            )


@rule("reg.sec-agree.absent", on=Kind.REQUEST, methods=("REGISTER",))
def sec_agree_absent(entry: SipEntry, flow: Flow) -> Outcomes:
    if not flow.settings.ipsec or entry.transport is Transport.TLS or not registering(entry):
        return
    first = entry.transaction is None or entry.transaction.retry_of is None
    if not first or flow.assembly.registration_at(entry.time) is not None:
        return
    yield APPLIES
    if "Security-Client" not in entry.sip:
        yield Violation("Security-Client in the first REGISTER, as configured", "none", "Security-Client")


def uris(entry: SipEntry) -> list[NameAddr]:
    """Contact values of a REGISTER that are URIs; `*` is none."""
    return [] if (entry.sip.get("Contact") or "").strip() == "*" else entry.contacts


def registering(entry: SipEntry) -> list[NameAddr]:
    """Contact values that are not being removed."""
    general = (entry.sip.get("Expires") or "").strip()
    return [
        contact
        for contact in uris(entry)
        if (contact.parameters.get("expires") or general or "1").strip() != "0"
    ]


def _instance_needed(entry: SipEntry, contact: NameAddr) -> str:
    if entry.from_ is not None and entry.to is not None and not same_uri(entry.from_.uri, entry.to.uri):
        return ""  # a third party registers (RFC 5626 4.2.3)
    supported = option_tags(entry.sip, "Supported")
    if "reg-id" in contact.parameters:
        return "reg-id"
    if "outbound" in supported:
        return "Supported: outbound"
    return _FOR_GRUU if "gruu" in supported else ""


def _has_imei(entry: SipEntry, flow: Flow) -> bool:
    """The handset has an IMEI (the modem told it) and registers in a 3GPP domain (RFC 7255 5)."""
    request = entry.sip
    domain = reading(lambda: request.request_uri.host) if isinstance(request, Request) else None
    if not (domain or "").lower().endswith(_3GPP_DOMAIN):
        return False
    return any(_tells_imei(event) for event in flow.assembly.events(Layer.AT, "command"))


def _tells_imei(event: EventItem) -> bool:
    command = str(event.fields.get("command", "")).upper().removeprefix("AT")
    return command.startswith("+CGSN") and event.fields.get("final") == "OK"


def _missing_tags(entry: SipEntry) -> Outcomes:
    for name in ("Require", "Proxy-Require"):
        if "sec-agree" not in option_tags(entry.sip, name):
            yield Violation(f"{name}: sec-agree", entry.sip.get(name) or "none", name)


def _chosen_by_sips(entry: SipEntry) -> bool:
    request = entry.sip
    targets = [request.uri] if isinstance(request, Request) else []
    return any((uri := uri_of(text)) is not None and uri.scheme == "sips" for text in targets)


def _mechanisms(values: list[str]) -> list[Mechanism]:
    """The mechanisms of Security-*, free of spacing, quoting and order of parameters (RFC 3329 2.3.1)."""
    found: list[Mechanism] = []
    for value in (part for text in values for part in split_list(text)):
        name, semicolon, rest = value.partition(";")
        read = reading(lambda text=semicolon + rest: parse_parameters(text))  # type: ignore[misc]
        found.append(
            (name.strip().lower(), parameter_map(read) if read is not None else {rest.strip(): None})
        )
    return found


def _agreed(entry: SipEntry, flow: Flow) -> list[str] | None:
    """The Security-Server list the request has to mirror, None when no agreement binds it.

    A REGISTER that answers a challenge mirrors the list that came with it; one that starts anew (no
    Security-Verify) negotiates again. Other requests are bound while a registration made under an agreement
    stands at that proxy.
    """
    transaction = entry.transaction
    if entry.sender.value != "handset" or transaction is None:
        return None
    if entry.method == "REGISTER":
        if transaction.retry_of is not None and not _starts_anew(entry, transaction.retry_of):
            return _server_list(transaction.retry_of)
        if "Security-Verify" not in entry.sip:
            return None
    state = flow.assembly.registration_between(entry.source.host, entry.destination.host)
    return _standing(state, entry) if state is not None else None


def _starts_anew(entry: SipEntry, before: Transaction) -> bool:
    """No Security-Verify, and no answer to the challenge that came with the list: it was lost or refused.

    A synchronisation failure (auts) or an empty response sets up no security either (RFC 3310 3.4).
    """
    if "Security-Verify" in entry.sip:
        return False
    final = before.final
    challenges = (reading(lambda: final.sip.challenges) if final else None) or []
    nonces = {item.parameters.get("nonce") for item in challenges}
    answers = reading(lambda: entry.sip.credentials) or []
    good = [item for item in answers if item.parameters.get("nonce") in nonces - {None}]
    if not nonces:
        return False
    return not any("auts" not in item.parameters and item.parameters.get("response") for item in good)


def _standing(state: RegistrationState, entry: SipEntry) -> list[str] | None:
    if not state.holds_at(entry.time) or "Security-Verify" not in state.transaction.request.sip:
        return None
    step: Transaction | None = state.transaction
    while step is not None:
        found = _server_list(step)
        if found:
            return found
        step = step.retry_of
    return state.transaction.request.sip.values("Security-Verify")


def _server_list(transaction: Transaction) -> list[str] | None:
    for response in transaction.responses:
        if response.status in _SECURITY_SERVER_STATUSES and "Security-Server" in response.sip:
            return response.sip.values("Security-Server")
    return None
