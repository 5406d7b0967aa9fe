"""IMS rules on Accept-Contact: that the service is asked for, and how its tags are written.

RFC 3841 9.2, 10; RFC 3840 9; TS 24.229 7.2A.8.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.cpm.services import CPM_ICSIS, IARI_PREFIX, IARI_TAG, ICSI_PREFIX, ICSI_TAG, decode_urn
from harness.sip.caller_preferences import AcceptContact
from harness.sip.grammar import Parameters
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import accepted_icsis, covers, shown, stated_services, tag_values
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Violation
from harness.verify.items import SipEntry, reading
from harness.verify.rules.ims_service import INITIAL, PLAIN_URN, is_cpm, is_initial

_LOOK_ALIKES = re.compile(r"\+?g\.3gpp\.(?:icsi|iari|app)[-_.]?ref", re.IGNORECASE)
_DEMANDED_ELSEWHERE = frozenset(f"{IARI_PREFIX}rcs.{name}" for name in ("chatbot", "chatbot.sa", "fthttp"))
_TAG_VALUE = re.compile(r"!?[A-Za-z0-9.\-%*_+`'~]+")


def _accept_contact_missing(entry: SipEntry) -> Outcomes:
    if not is_initial(entry) or not is_cpm(entry):
        return
    yield APPLIES
    if not any(
        covers(icsi, urn) for urn in accepted_icsis(entry.sip) for icsi in CPM_ICSIS
    ) and not _has_look_alike(entry):
        yield Violation(
            f"a value with {ICSI_TAG} of the service",
            entry.sip.get("Accept-Contact") or "none",
            "Accept-Contact",
        )


@rule("ims.accept-contact.present", on=Kind.REQUEST, methods=INITIAL)
def accept_contact_present(entry: SipEntry, flow: Flow) -> Outcomes:
    yield from _accept_contact_missing(entry)


@rule("ims.accept-contact.present.network", on=Kind.REQUEST, methods=INITIAL)
def accept_contact_present_network(entry: SipEntry, flow: Flow) -> Outcomes:
    yield from _accept_contact_missing(entry)


@rule("ims.accept-contact.grammar", on=Kind.REQUEST)
def accept_contact_grammar(entry: SipEntry, flow: Flow) -> Outcomes:
    for value in entry.sip.values("Accept-Contact"):
        yield APPLIES
        parameters = _accept_parameters(value)
        if parameters is None:
            yield Violation("* and parameters", shown(value), "Accept-Contact")
        elif parameters.duplicates:
            yield Violation(f"{parameters.duplicates[0]} once in a value", shown(value), "Accept-Contact")


def _accept_parameters(value: str) -> Parameters | None:
    parsed = reading(lambda: AcceptContact.parse(value))
    return parsed.parameters if parsed else None


def _raw_urn_tags(entry: SipEntry) -> Iterator[tuple[str, str, str]]:
    """(header, tag name, value as written) of ICSI and IARI tags in Accept-Contact."""
    for value in entry.sip.values("Accept-Contact"):
        parameters = _accept_parameters(value)
        for name, text in parameters.pairs if parameters else ():
            if name.lower() in (ICSI_TAG, IARI_TAG):
                yield "Accept-Contact", name, text or ""


@rule("ims.accept-contact.icsi-encoding", on=Kind.REQUEST)
def icsi_encoding(entry: SipEntry, flow: Flow) -> Outcomes:
    for header, name, text in _raw_urn_tags(entry):
        yield APPLIES
        inner = text[1:-1]
        if len(text) < 2 or text[0] != '"' or text[-1] != '"':
            yield Violation(f"{name} in quotes", shown(text), header)
        elif not inner.startswith("<") and not all(
            _TAG_VALUE.fullmatch(part.strip()) for part in inner.split(",")
        ):
            yield Violation("URNs with their colons as %3A", shown(text), header)


@rule("ims.accept-contact.icsi-encoding.needless", on=Kind.REQUEST)
def icsi_encoding_needless(entry: SipEntry, flow: Flow) -> Outcomes:
    for header, _, text in _raw_urn_tags(entry):
        yield APPLIES
        if re.search("%2[DE]", text, re.IGNORECASE) or text.strip('"').startswith("<"):
            yield Violation("only the colons escaped", shown(text), header)


@rule("ims.accept-contact.list", on=Kind.REQUEST)
def icsi_list(entry: SipEntry, flow: Flow) -> Outcomes:
    for header, _, text in _raw_urn_tags(entry):
        yield APPLIES
        if re.search(r"\s", text):
            yield Violation("commas without white space", shown(text), header)


def _look_alikes(entry: SipEntry) -> Iterator[tuple[str, str]]:
    """(name, URN) of tags that look like an ICSI or IARI tag and are none."""
    for value in entry.sip.values("Accept-Contact"):
        parameters = _accept_parameters(value)
        for name in parameters or ():
            if name in (ICSI_TAG, IARI_TAG) or not _LOOK_ALIKES.fullmatch(name) or parameters is None:
                continue
            for urn in tag_values(parameters, name):
                if "3gpp" in urn:
                    yield name, urn


def _has_look_alike(entry: SipEntry) -> bool:
    return any(True for _ in _look_alikes(entry))


def _proper_urns(entry: SipEntry) -> set[str]:
    return {decode_urn(part) for _, _, text in _raw_urn_tags(entry) for part in text.strip('"').split(",")}


@rule("ims.accept-contact.tag-name", on=Kind.REQUEST)
def tag_name(entry: SipEntry, flow: Flow) -> Outcomes:
    if "Accept-Contact" not in entry.sip:
        return
    yield APPLIES
    for name, urn in _look_alikes(entry):
        if urn not in _proper_urns(entry):
            yield Violation(f"{ICSI_TAG} or {IARI_TAG}", name, "Accept-Contact")


@rule("ims.accept-contact.tag-extra", on=Kind.REQUEST)
def tag_extra(entry: SipEntry, flow: Flow) -> Outcomes:
    if "Accept-Contact" not in entry.sip:
        return
    yield APPLIES
    for name, urn in _look_alikes(entry):
        if urn in _proper_urns(entry):
            yield Violation("the proper tag alone", f"{name} beside it", "Accept-Contact")


@rule("ims.accept-contact.equals-pps", on=Kind.REQUEST, methods=INITIAL)
def accept_contact_equals_service(entry: SipEntry, flow: Flow) -> Outcomes:
    asked = {urn for urn in accepted_icsis(entry.sip) if urn.startswith(ICSI_PREFIX)}
    stated = [urn for urn in stated_services(entry.sip) if PLAIN_URN.fullmatch(urn)]
    if not is_initial(entry) or not asked or not stated:
        return
    yield APPLIES
    if not any(covers(parent, urn) for parent in asked for urn in stated):
        yield Violation(f"the service {stated[0]} or its parent", ", ".join(sorted(asked)), "Accept-Contact")


# -- several conditions -------------------------------------------------------------------------------------


def _values(entry: SipEntry) -> list[Parameters]:
    found = (_accept_parameters(value) for value in entry.sip.values("Accept-Contact"))
    return [parameters for parameters in found if parameters is not None]


@rule("ims.accept-contact.split", on=Kind.REQUEST)
def conditions_apart(entry: SipEntry, flow: Flow) -> Outcomes:
    values = _values(entry)
    names = {name for parameters in values for name in (ICSI_TAG, IARI_TAG) if name in parameters}
    if len(names) < 2:
        return
    yield APPLIES
    if any(ICSI_TAG in parameters and IARI_TAG in parameters for parameters in values):
        actual = shown(entry.sip.get("Accept-Contact") or "", 160)
        yield Violation(f"{ICSI_TAG} and {IARI_TAG} in values of their own", actual, "Accept-Contact")


@rule("ims.accept-contact.require-explicit", on=Kind.REQUEST, methods=INITIAL)
def demands_only_what_must_match(entry: SipEntry, flow: Flow) -> Outcomes:
    """Of tags of chatbots and of files over HTTP other rules see that they are demanded."""
    if not is_initial(entry) or not is_cpm(entry):
        return
    for parameters in _values(entry):
        demanded = [name for name in ("require", "explicit") if name in parameters]
        plain = tag_values(parameters, ICSI_TAG) & CPM_ICSIS and IARI_TAG not in parameters
        extra = IARI_TAG in parameters and not tag_values(parameters, IARI_TAG) & _DEMANDED_ELSEWHERE
        if plain or extra:
            yield APPLIES
        if plain and demanded:
            yield Violation(
                "the service without demands", f"{', '.join(demanded)} beside it", "Accept-Contact"
            )
        elif extra and len(demanded) < 2:
            actual = ", ".join(demanded) or "neither"
            yield Violation(f"require and explicit beside {IARI_TAG}", actual, "Accept-Contact")
