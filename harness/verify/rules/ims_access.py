"""IMS rules on P-Access-Network-Info: where it stands, its syntax, the cell and the radio it names.

RFC 7315 5.4, RFC 7976, TS 24.229 7.2A.4.
"""

from __future__ import annotations

import re
from functools import lru_cache

from harness.evidence.timeline import Layer
from harness.sip.grammar import is_token
from harness.sip.ims_headers import AccessNetworkInfo
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import shown
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Violation
from harness.verify.items import EventItem, SipEntry, reading

_PANI = "P-Access-Network-Info"
_WLAN, _LTE, _NR = "IEEE-802.11", "3GPP-E-UTRAN", "3GPP-NR"
_WHERE = {_WLAN: "i-wlan-node-id", _LTE: "utran-cell-id-3gpp", _NR: "utran-cell-id-3gpp"}
"""What an access type is given with (TS 24.229 7.2A.4.3)."""
_RADIOS = {7: _LTE, 9: _LTE, 11: _NR}
"""AcT of TS 27.007 7.3, where it leaves no choice: with two radios at once a handset may name either."""
RADIO_HOLDS = 60.0
"""Seconds for which what the modem has told of its radio is taken to hold."""
_GEN_VALUE = re.compile(r'"(?:[^"\\]|\\.)*"|\[[0-9A-Fa-f:.]+\]')  # those that are no token
_TOKEN_INFOS = frozenset(
    {
        *("cgi-3gpp", "utran-cell-id-3gpp", "dsl-location", "i-wlan-node-id", "ci-3gpp2", "eth-location"),
        *("ci-3gpp2-femto", "fiber-location", "gstn-location", "utran-sai-3gpp", "operator-specific-gi"),
    }
)
_QUOTED_INFOS = frozenset({"local-time-zone", "dvb-rcs2-node-id"})


def _is_protected(entry: SipEntry) -> bool:
    """A REGISTER counts as protected only when it proves an association."""
    return entry.method != "REGISTER" or entry.sip.get("Security-Verify") is not None


@rule("ims.pani.present", on=Kind.SIP)
def pani_present(entry: SipEntry, flow: Flow) -> Outcomes:
    if entry.request is not None:
        due = entry.method not in ("ACK", "CANCEL") and _is_protected(entry)
    else:
        due = entry.status > 100 and entry.method not in ("CANCEL", "")
    if not due:
        return
    yield APPLIES
    if entry.sip.get(_PANI) is None:
        yield Violation(_PANI, "none")


@rule("ims.pani.not-allowed", on=Kind.SIP)
def pani_not_allowed(entry: SipEntry, flow: Flow) -> Outcomes:
    final = entry.transaction.final if entry.method == "ACK" and entry.transaction else None
    refused = final is not None and final.status >= 300
    if entry.method != "CANCEL" and not refused:
        return
    yield APPLIES
    value = entry.sip.get(_PANI)
    if value is not None:
        yield Violation(f"no {_PANI} here", shown(value), _PANI)


@rule("ims.pani.unprotected", on=Kind.REQUEST, methods=("REGISTER",))
def pani_unprotected(entry: SipEntry, flow: Flow) -> Outcomes:
    value = entry.sip.get(_PANI) or ""
    authorization = entry.sip.get("Authorization") or ""
    answered = re.search(r'response\s*=\s*"[^"]+"', authorization) is not None
    if answered or entry.sip.get("Security-Verify") is not None:
        return
    yield APPLIES
    if "cell-id" in value:
        yield Violation("no cell identity before the network is known", shown(value), _PANI)


@rule("ims.pani.syntax", on=Kind.SIP)
def pani_syntax(entry: SipEntry, flow: Flow) -> Outcomes:
    for value in entry.sip.values(_PANI):
        yield APPLIES
        info = _read(value)
        pairs = info.parameters.pairs if info is not None else ()
        wrong = [name for name, written in pairs if not _is_info(name, written)]
        if info is None or wrong:
            yield Violation("access type;name=value", shown(wrong[0] if wrong else value), _PANI)


@lru_cache(maxsize=1024)
def _read(value: str) -> AccessNetworkInfo | None:
    """The value, None when it is malformed. A handset sends the same one again and again."""
    return reading(lambda: AccessNetworkInfo.parse(value))


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
        info = _read(value)
        cell = info.parameters.get("utran-cell-id-3gpp") if info is not None else None
        if info is None or cell is None:
            continue
        access = info.access.upper()
        digits = 9 + 6 if access.startswith("3GPP-NR") else 4 + 7 if access.startswith("3GPP-E-UTRAN") else 0
        if not digits:
            continue
        yield APPLIES
        if not re.fullmatch(rf"\d{{5,6}}[0-9A-Fa-f]{{{digits}}}", cell):
            yield Violation(f"{digits + 5} or {digits + 6} characters", f"{cell} ({len(cell)})", _PANI)


@rule("ims.pani.access-type", on=Kind.SIP)
def pani_access(entry: SipEntry, flow: Flow) -> Outcomes:
    for value in entry.sip.values(_PANI):
        info = _read(value)
        where = next((each for each in _WHERE if info and info.access.upper().startswith(each)), None)
        if info is None or where is None or "network-provided" in info.parameters:
            continue
        yield APPLIES
        if _WHERE[where] not in info.parameters:
            yield Violation(f"{_WHERE[where]} beside {info.access}", shown(value), _PANI)
        radio = _radio_at(entry.time, flow)
        if radio is not None and where != _WLAN and radio != where:
            yield Violation(f"{radio}, the radio the modem tells", info.access, _PANI)


def _radio_at(time: float, flow: Flow) -> str | None:
    """The access technology the modem told last, within the time it surely holds; None when it told none."""
    for event in reversed(flow.assembly.events_of(Layer.AT)):
        if time - event.time > RADIO_HOLDS:
            return None
        told = _technology(event) if event.time <= time else None
        if told is not None:
            return _RADIOS.get(told)
    return None


def _technology(event: EventItem) -> int | None:
    """AcT of a reply to +COPS? (TS 27.007 7.3)."""
    for line in event.fields.get("lines") or ():
        match = re.match(r'\+COPS: \d,\d,"[^"]*",(\d+)', str(line))
        if match is not None:
            return int(match[1])
    return None
