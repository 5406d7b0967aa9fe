"""Registration rules: feature tags, instance (RFC 3840, 5626, 7255), AKA (RFC 3310), sec-agree (RFC 3329)."""

from __future__ import annotations

import base64
import binascii

from harness.cpm.services import ICSI_TAG, decode_urn
from harness.evidence.timeline import Layer, Transport
from harness.sip.grammar import parse_parameters, split_list
from harness.sip.headers import Challenge, Credentials, NameAddr
from harness.sip.message import Request
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import option_tags, parameter_map, same_uri, shown, tag_values, uri_of
from harness.verify.engine import Flow
from harness.verify.finding import Outcomes, Severity, Violation
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
_AKA = ("akav1-", "akav2-")
_SECURITY_SERVER_STATUSES = (401, 421, 494)
_NEVER_VERIFIED = frozenset({"ACK", "CANCEL", "PRACK"})

Mechanism = tuple[str, dict[str, str | None]]


@rule("reg.contact.icsi", on=Kind.REQUEST, methods=("REGISTER",))
def contact_icsi(entry: SipEntry, flow: Flow) -> Outcomes:
    wanted = flow.settings.icsis
    contacts = _registering(entry)
    if wanted is None or not contacts:
        return
    shown_tags = frozenset().union(*(tag_values(contact.parameters, ICSI_TAG) for contact in contacts))
    missing = sorted(urn for urn in wanted if decode_urn(urn) not in shown_tags)
    if missing:
        yield Violation(
            f"{ICSI_TAG} with every ICSI the configuration enables",
            f"none for {', '.join(missing)}",
            "Contact",
        )


@rule("reg.contact.one-instance-of-tag", on=Kind.REQUEST, methods=("REGISTER",))
def one_instance_of_tag(entry: SipEntry, flow: Flow) -> Outcomes:
    for contact in entry.contacts:
        for name in contact.parameters.duplicates:
            if name.startswith("+") or name in _BASE_TAGS:
                yield Violation("each feature tag once, its values in one list", f"{name} again", "Contact")


@rule("reg.sip-instance", on=Kind.REQUEST, methods=("REGISTER",))
def sip_instance(entry: SipEntry, flow: Flow) -> Outcomes:
    for contact in _uris(entry):
        instance = contact.parameters.get(INSTANCE)
        reason = _instance_needed(entry, contact)
        if instance is None and reason:
            # Without it a UA with GRUU just gets none (RFC 5627 4.1).
            severity = Severity.SHOULD if reason == _FOR_GRUU else None
            yield Violation(f"{INSTANCE}, because of {reason}", "none", "Contact", severity=severity)
        elif instance is not None and not instance.lower().startswith(_IMEI_URN) and _has_imei(entry, flow):
            yield Violation(
                "the IMEI URN of a handset that has an IMEI",
                shown(instance),
                "Contact",
                severity=Severity.INFO,
            )


@rule("reg.sip-instance.other-register", on=Kind.REQUEST, methods=("REGISTER",))
def sip_instance_other(entry: SipEntry, flow: Flow) -> Outcomes:
    for contact in _uris(entry):
        if INSTANCE not in contact.parameters and not _instance_needed(entry, contact):
            yield Violation(INSTANCE, "none", "Contact")


@rule("reg.aka.algorithm", on=Kind.RESPONSE, methods=("REGISTER",))
def aka_nonce(entry: SipEntry, flow: Flow) -> Outcomes:
    for challenge in _aka_challenges(entry):
        nonce = _decoded(challenge.parameters.get("nonce") or "")
        if nonce is None or len(nonce) < 32:
            actual = "no base64" if nonce is None else f"{len(nonce)} octets"
            yield Violation(
                "a nonce of at least 32 octets in base64 (RAND and AUTN)", actual, "WWW-Authenticate"
            )


@rule("reg.aka.algorithm", on=Kind.REQUEST, methods=("REGISTER",))
def aka_answer(entry: SipEntry, flow: Flow) -> Outcomes:
    asked = entry.transaction.retry_of.final if entry.transaction and entry.transaction.retry_of else None
    challenges = _aka_challenges(asked) if asked else []
    if not challenges:
        return
    message = entry.sip
    nonces = {item.parameters.get("nonce") for item in challenges}
    answers = [item for item in reading(lambda: message.credentials) or [] if item.parameters.get("nonce")]
    if "Authorization" not in message:
        # It may have given the challenge up, which no text forbids.
        expected = "credentials that answer the AKA challenge"
        yield Violation(expected, "no Authorization", "Authorization", severity=Severity.SHOULD)
    if not _answers(answers, asked, nonces, flow):
        return
    pairs = [(challenge, answer) for answer in answers for challenge in challenges]
    wrong = [list(_answer_faults(challenge, answer)) for challenge, answer in pairs]
    yield from min(wrong, key=len)


def _answers(answers: list[Credentials], asked: SipEntry | None, nonces: set[str | None], flow: Flow) -> bool:
    """Whether the credentials are meant for the AKA challenge.

    A REGISTER without a nonce, or over one that the network gave at another time or in a challenge beside,
    starts anew, as after a challenge that got lost or was no good: that is no answer.
    """
    given = {item.parameters.get("nonce") for item in answers}
    if not given or given & nonces:
        return bool(given)
    known = {
        item.parameters.get("nonce")
        for entry in flow.assembly.messages
        if entry.response is not None and (asked is None or entry.place <= asked.place)
        for item in reading(lambda message=entry.response: message.challenges) or []  # type: ignore[misc]
    }
    return flow.from_start and not given & known


@rule("reg.sec-agree", on=Kind.REQUEST)
def sec_agree(entry: SipEntry, flow: Flow) -> Outcomes:
    message = entry.sip
    if "Security-Client" in message and entry.method == "REGISTER":
        if entry.transport is Transport.TLS and _chosen_by_sips(entry):
            yield Violation(
                "no sec-agree where TLS was chosen by a sips URI", "Security-Client", "Security-Client"
            )
        yield from _missing_tags(entry)
    server = _agreed(entry, flow)
    if server is None or entry.method in _NEVER_VERIFIED:
        return
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
        if "q" in parameters:
            yield Violation(
                "no preference in Security-Client", f"{name};q={parameters['q']}", "Security-Client"
            )


@rule("reg.sec-agree.absent", on=Kind.REQUEST, methods=("REGISTER",))
def sec_agree_absent(entry: SipEntry, flow: Flow) -> Outcomes:
    if not flow.settings.ipsec or entry.transport is Transport.TLS or not _registering(entry):
        return
    first = entry.transaction is None or entry.transaction.retry_of is None
    if first and "Security-Client" not in entry.sip and flow.assembly.registration_at(entry.time) is None:
        yield Violation("Security-Client in the first REGISTER, as configured", "none", "Security-Client")


def _uris(entry: SipEntry) -> list[NameAddr]:
    """Contact values of a REGISTER that are URIs; `*` is none."""
    return [] if (entry.sip.get("Contact") or "").strip() == "*" else entry.contacts


def _registering(entry: SipEntry) -> list[NameAddr]:
    """Contact values that are not being removed."""
    general = (entry.sip.get("Expires") or "").strip()
    return [
        contact
        for contact in _uris(entry)
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


def _aka_challenges(entry: SipEntry) -> list[Challenge]:
    message = entry.response
    found = reading(lambda: message.challenges) if message is not None and entry.status == 401 else None
    return [item for item in found or [] if (item.parameters.get("algorithm") or "").lower().startswith(_AKA)]


def _answer_faults(challenge: Challenge, answer: Credentials) -> Outcomes:
    for name in ("realm", "nonce", "opaque", "algorithm"):
        asked, given = challenge.parameters.get(name), answer.parameters.get(name)
        if asked is not None and not _same(name, asked, given):
            yield Violation(
                f"{name} of the challenge", "none" if given is None else shown(given), "Authorization"
            )
    offered = {choice.strip().lower() for choice in (challenge.parameters.get("qop") or "").split(",")} - {""}
    chosen = answer.parameters.get("qop")
    if offered and (chosen is None or chosen.lower() not in offered):
        yield Violation(f"qop, one of {', '.join(sorted(offered))}", chosen or "none", "Authorization")
    response, auts = answer.parameters.get("response"), answer.parameters.get("auts")
    if response is None:
        yield Violation("a response", "none", "Authorization")
    if auts is not None:
        decoded = _decoded(auts)
        if decoded is None or len(decoded) != 14:
            actual = "no base64" if decoded is None else f"{len(decoded)} octets"
            yield Violation("auts of 14 octets in base64", actual, "Authorization")
        if response == "":
            yield Violation(
                "a response over an empty password beside auts", "an empty response", "Authorization"
            )


def _same(name: str, asked: str, given: str | None) -> bool:
    if given is None:
        return False
    return asked.lower() == given.lower() if name == "algorithm" else asked == given


def _decoded(text: str) -> bytes | None:
    """Base64 with whatever padding (the examples of RFC 3310 have too much)."""
    bare = text.strip().rstrip("=")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


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
    for state in reversed(flow.assembly.registrations):
        if _same_proxy(state, entry):
            return _standing(state, entry)
    return None


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


def _same_proxy(state: RegistrationState, entry: SipEntry) -> bool:
    made = state.transaction.request
    return (made.source.host, made.destination.host) == (entry.source.host, entry.destination.host)
