"""IMS rules on who and where: P-Preferred- and P-Asserted-Identity, access network, instance id,
addressing, product.

RFC 3325, RFC 7315 5.4, RFC 7976, RFC 7254, RFC 7255, RFC 5626 4.1, TS 23.003, TS 24.229.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from functools import partial

from harness.sip.grammar import is_token
from harness.sip.headers import NameAddr
from harness.sip.ims_headers import AccessNetworkInfo
from harness.sip.uri import Uri
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import is_anonymous, party_of, same_uri, shown, uri_of
from harness.verify.engine import Flow
from harness.verify.finding import Outcomes, Severity, Violation
from harness.verify.items import SipEntry, reading
from harness.verify.rules.ims_service import INITIAL, is_cpm, is_group, is_initial

_INITIAL_WITH_IDENTITY = ("INVITE", "MESSAGE", "OPTIONS", "SUBSCRIBE", "REFER")
_PANI = "P-Access-Network-Info"
_GEN_VALUE = re.compile(r'"(?:[^"\\]|\\.)*"|\[[0-9A-Fa-f:.]+\]')  # those that are no token
_TOKEN_INFOS = frozenset(
    {
        *("cgi-3gpp", "utran-cell-id-3gpp", "dsl-location", "i-wlan-node-id", "ci-3gpp2", "eth-location"),
        *("ci-3gpp2-femto", "fiber-location", "gstn-location", "utran-sai-3gpp", "operator-specific-gi"),
    }
)
_QUOTED_INFOS = frozenset({"local-time-zone", "dvb-rcs2-node-id"})
_IMEI = re.compile(r"urn:gsma:imei:\d{8}-\d{6}-\d(?:;svn=\d\d)?(?:;vers=0)?", re.IGNORECASE)
_OTHER_URN = re.compile(r"urn:(?!uuid:|gsma:)[a-z0-9][a-z0-9-]{1,31}:[^\s<>\"]+", re.IGNORECASE)
_UUID_URN = re.compile(r"urn:uuid:[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_PRODUCT = re.compile(r"(?:IM-client|CPM-client)/OMA\d+\.\d+ \S+/\S+", re.IGNORECASE)
_IMSI_USER = re.compile(r"\d{14,15}")


def _identities(entry: SipEntry, name: str) -> list[NameAddr] | None:
    values = entry.sip.values(name)
    parsed = [reading(lambda value=value: NameAddr.parse(value)) for value in values]  # type: ignore[misc]
    return None if any(item is None for item in parsed) else [item for item in parsed if item is not None]


def _wrong_identities(entry: SipEntry, name: str) -> Violation | None:
    """Not one, nor one sip(s) and one tel value (RFC 3325 9.1, 9.2)."""
    parsed = _identities(entry, name)
    schemes = sorted(item.uri.scheme.lower().rstrip("s") for item in parsed or ())
    if parsed is not None and (schemes in (["sip"], ["tel"]) or schemes == ["sip", "tel"]):
        return None
    return Violation("one value, or one sip and one tel", shown(entry.sip.get(name) or ""), name)


@rule("ims.ppi.form", on=Kind.REQUEST)
def ppi_form(entry: SipEntry, flow: Flow) -> Outcomes:
    if entry.sip.get("P-Preferred-Identity") is not None:
        wrong = _wrong_identities(entry, "P-Preferred-Identity")
        if wrong is not None:
            yield wrong


@rule("ims.ppi.from-consistent", on=Kind.REQUEST, methods=_INITIAL_WITH_IDENTITY)
def ppi_from(entry: SipEntry, flow: Flow) -> Outcomes:
    preferred = _identities(entry, "P-Preferred-Identity")
    if not preferred or entry.from_ is None or entry.to_tag or is_anonymous(entry.from_):
        return
    own = party_of(entry.from_.uri)
    if own not in {party_of(item.uri) for item in preferred}:
        state = flow.assembly.registration_at(entry.time)
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
    privacy = {value.strip().lower() for value in re.split("[;,]", entry.sip.get("Privacy") or "")}
    if entry.sip.get("P-Asserted-Identity") is not None:
        wrong = _wrong_identities(entry, "P-Asserted-Identity")
        if wrong is not None:
            yield wrong
    elif not privacy & {"id", "user", "header"}:
        yield Violation("P-Asserted-Identity", "none")


def _is_protected(entry: SipEntry) -> bool:
    """A REGISTER counts as protected only when it proves an association."""
    return entry.method != "REGISTER" or entry.sip.get("Security-Verify") is not None


@rule("ims.pani.present", on=Kind.SIP)
def pani_present(entry: SipEntry, flow: Flow) -> Outcomes:
    if entry.request is not None:
        due = entry.method not in ("ACK", "CANCEL") and _is_protected(entry)
    else:
        due = entry.status > 100 and entry.method not in ("CANCEL", "")
    if due and entry.sip.get(_PANI) is None:
        yield Violation(_PANI, "none")


@rule("ims.pani.not-allowed", on=Kind.SIP)
def pani_not_allowed(entry: SipEntry, flow: Flow) -> Outcomes:
    value = entry.sip.get(_PANI)
    if value is None:
        return
    final = entry.transaction.final if entry.method == "ACK" and entry.transaction else None
    refused = final is not None and final.status >= 300
    if entry.method == "CANCEL" or refused:
        yield Violation(f"no {_PANI} here", shown(value), _PANI)


@rule("ims.pani.unprotected", on=Kind.REQUEST, methods=("REGISTER",))
def pani_unprotected(entry: SipEntry, flow: Flow) -> Outcomes:
    value = entry.sip.get(_PANI) or ""
    authorization = entry.sip.get("Authorization") or ""
    answered = re.search(r'response\s*=\s*"[^"]+"', authorization) is not None
    if "cell-id" in value and not answered and entry.sip.get("Security-Verify") is None:
        yield Violation("no cell identity before the network is known", shown(value), _PANI)


@rule("ims.pani.syntax", on=Kind.SIP)
def pani_syntax(entry: SipEntry, flow: Flow) -> Outcomes:
    for value in entry.sip.values(_PANI):
        info = reading(partial(AccessNetworkInfo.parse, value))
        pairs = info.parameters.pairs if info is not None else ()
        wrong = [name for name, written in pairs if not _is_info(name, written)]
        if info is None or wrong:
            yield Violation("access type;name=value", shown(wrong[0] if wrong else value), _PANI)


def _is_info(name: str, written: str | None) -> bool:
    if name.lower() == "network-provided":
        return written is None
    if name.lower() in _QUOTED_INFOS:
        return written is not None and written.startswith('"')
    if name.lower() in _TOKEN_INFOS:
        return written is not None and (written.startswith('"') or is_token(written))
    # extension-access-info is a gen-value: token, host or quoted-string; TS 24.229 writes pairs there.
    return is_token(name) or (written is None and _GEN_VALUE.fullmatch(name) is not None)


@rule("ims.pani.ecgi-length", on=Kind.SIP)
def pani_cell_length(entry: SipEntry, flow: Flow) -> Outcomes:
    for value in entry.sip.values(_PANI):
        info = reading(partial(AccessNetworkInfo.parse, value))
        cell = info.parameters.get("utran-cell-id-3gpp") if info is not None else None
        if info is None or cell is None:
            continue
        access = info.access.upper()
        digits = 9 + 6 if access.startswith("3GPP-NR") else 4 + 7 if access.startswith("3GPP-E-UTRAN") else 0
        if digits and not re.fullmatch(rf"\d{{5,6}}[0-9A-Fa-f]{{{digits}}}", cell):
            yield Violation(f"{digits + 5} or {digits + 6} characters", f"{cell} ({len(cell)})", _PANI)


def _instances(entry: SipEntry) -> list[str]:
    """+sip.instance values as written between the quotes."""
    return [
        value for contact in entry.contacts if (value := contact.parameters.get("+sip.instance")) is not None
    ]


@rule("ims.sip-instance.form", on=Kind.SIP)
def instance_form(entry: SipEntry, flow: Flow) -> Outcomes:
    for contact in entry.contacts:
        if "+sip.instance" not in contact.parameters:
            continue
        raw = contact.parameters.raw("+sip.instance") or ""
        inner = raw[2:-2]
        enclosed = raw.startswith('"<') and raw.endswith('>"')
        if enclosed and (_IMEI.fullmatch(inner) or _UUID_URN.fullmatch(inner)):
            continue
        # Another scheme is legal where an RFC says how to use it here (5626 4.1), as 8464 does.
        other = enclosed and _OTHER_URN.fullmatch(inner) is not None
        severity = Severity.INFO if other else None
        expected = '"<urn:gsma:imei:8-6-1 digits>" or "<urn:uuid:...>"'
        yield Violation(expected, shown(raw), "Contact", severity=severity)


@rule("ims.sip-instance.spare-zero", on=Kind.SIP)
def instance_spare(entry: SipEntry, flow: Flow) -> Outcomes:
    for value in _instances(entry):
        found = re.match(r"<?urn:gsma:imei:\d{8}-\d{6}-(\d)", value, re.IGNORECASE)
        if found is not None and found[1] != "0":
            yield Violation("spare digit 0", found[1], "Contact")


@rule("ims.sip-instance.non-register", on=Kind.SIP)
def instance_elsewhere(entry: SipEntry, flow: Flow) -> Outcomes:
    if entry.method == "REGISTER" or _is_emergency(entry):
        return
    for value in _instances(entry):
        if "urn:gsma:imei:" in value.lower():
            yield Violation("the IMEI in REGISTER only", shown(value), "Contact")


def _is_emergency(entry: SipEntry) -> bool:
    """Related to an emergency session, in which the IMEI may be told (RFC 7255 5, 6)."""
    opening = entry.dialog.creation.request if entry.dialog else entry
    if opening.request is None and opening.transaction is not None:
        opening = opening.transaction.request
    texts = [opening.request.uri if opening.request else "", opening.sip.get("To") or ""]
    return any("urn:service:sos" in text.lower() for text in texts)


@rule("ims.request-uri.public", on=Kind.REQUEST, methods=INITIAL)
def request_uri_public(entry: SipEntry, flow: Flow) -> Outcomes:
    if entry.request is None or not is_initial(entry) or not is_cpm(entry) or is_group(entry):
        return
    uri = uri_of(entry.request.uri)
    if uri is None or "gr" in uri.parameters:
        return
    number = re.fullmatch(r"\+?[\d\-.()]+", uri.user or "") is not None
    if uri.scheme.lower() in ("sip", "sips") and number and (_is_ip(uri.host) or not _is_phone(uri)):
        yield Violation("tel, or sip with a domain and user=phone", shown(entry.request.uri), "start line")
    elif number and entry.to is not None and not same_uri(uri, entry.to.uri):
        yield Violation(f"equal to To, {shown(entry.to.uri.text)}", shown(entry.request.uri), "start line")


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _is_phone(uri: Uri) -> bool:
    return (uri.parameters.get("user") or "").lower() == "phone"


@rule("ims.user-phone", on=Kind.REQUEST)
def user_phone(entry: SipEntry, flow: Flow) -> Outcomes:
    for name, uri in _addressed(entry):
        if uri.scheme.lower() not in ("sip", "sips"):
            continue
        if re.fullmatch(r"\+\d+", uri.user or "") and not _is_phone(uri):
            yield Violation("user=phone beside a number", shown(uri.text), name)
        elif _IMSI_USER.fullmatch(uri.user or "") and _is_phone(uri):
            yield Violation("no user=phone beside an IMSI", shown(uri.text), name)


def _addressed(entry: SipEntry) -> Iterator[tuple[str, Uri]]:
    """Whom a request is for, and who the handset says it is.

    What a network shows as originator is left out: interworking units write it as they got it.
    """
    target = uri_of(entry.request.uri) if entry.request else None
    if target is not None and not _is_ip(target.host):
        yield "start line", target
    if entry.to is not None:
        yield "To", entry.to.uri
    if entry.sender == "handset":
        if entry.from_ is not None and not entry.to_tag:
            yield "From", entry.from_.uri
        for item in _identities(entry, "P-Preferred-Identity") or ():
            yield "P-Preferred-Identity", item.uri


@rule("ims.imsi-derived", on=Kind.REQUEST, methods=INITIAL)
def imsi_derived(entry: SipEntry, flow: Flow) -> Outcomes:
    if entry.from_ is not None and not entry.to_tag and _IMSI_USER.fullmatch(entry.from_.uri.user or ""):
        yield Violation("a public identity of the subscription", shown(entry.from_.uri.text), "From")


@rule("ims.user-agent", on=Kind.REQUEST)
def user_agent(entry: SipEntry, flow: Flow) -> Outcomes:
    if entry.method not in INITIAL or entry.to_tag:
        return
    value = entry.sip.get("User-Agent")
    if value is None or not _PRODUCT.match(value):
        yield Violation(
            "IM-client/OMA1.0 vendor/model-sw client/version", shown(value or "none"), "User-Agent"
        )
