"""Rules on chatbots: the feature tags of who writes to one, and of one (RCC.07; RFC 3840 9, RFC 3841 9.2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from harness.cpm.services import IARI_PREFIX, IARI_TAG, Service, encode_urn
from harness.errors import SipSyntaxError
from harness.sip.caller_preferences import NumberTerm, parse_feature
from harness.sip.grammar import Parameters
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import shown, stated_services, tag_values, uri_of
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Party, Severity, Violation
from harness.verify.items import SipEntry, reading
from harness.verify.rules.ims_service import is_initial, is_notification

_BOT, _BOT_ALONE = f"{IARI_PREFIX}rcs.chatbot", f"{IARI_PREFIX}rcs.chatbot.sa"
_VERSION, _ROLE = "+g.gsma.rcs.botversion", "+g.gsma.rcs.isbot"
_VERSION_OCTETS = _VERSION.encode()
_PLATFORM = "botplatform."
"""How the domains of chatbots begin."""
_LARGE = {Service.LARGE.icsi, Service.LARGE_GROUP.icsi}


def _contacts(entry: SipEntry) -> list[Parameters]:
    return [contact.parameters for contact in entry.contacts]


def _accepted(entry: SipEntry) -> list[Parameters]:
    return [value.parameters for value in reading(lambda: entry.sip.accept_contacts) or []]


def _is_of_a_bot(parameters: Parameters) -> bool:
    return _VERSION in parameters or bool(tag_values(parameters, IARI_TAG) & {_BOT, _BOT_ALONE})


def _is_with_a_bot(request: SipEntry) -> bool:
    """The request says so, or goes to the domain of chatbots."""
    target = uri_of(request.request.uri) if request.request is not None else None
    if target is not None and target.host.lower().startswith(_PLATFORM):
        return True
    return any(_is_of_a_bot(each) for each in (*_contacts(request), *_accepted(request)))


def _is_standalone(entry: SipEntry) -> bool:
    return entry.method == "MESSAGE" or bool(_LARGE & set(stated_services(entry.sip)))


@rule("bot.contact-tags", on=Kind.REQUEST, methods=("INVITE",))
def session_shows_it(entry: SipEntry, flow: Flow) -> Outcomes:
    if not is_initial(entry) or not _is_with_a_bot(entry) or _is_standalone(entry):
        return
    yield APPLIES
    missing = list(_missing(_BOT, _contacts(entry)))
    if missing:
        yield Violation(", ".join(missing), shown(entry.sip.get("Contact") or "none"), "Contact")
    yield from _undemanded(_BOT, entry)


@rule("bot.sa-tags", on=Kind.REQUEST, methods=("MESSAGE", "INVITE"))
def text_demands_it(entry: SipEntry, flow: Flow) -> Outcomes:
    standalone = is_initial(entry) and _is_standalone(entry) and not is_notification(entry)
    if not standalone or not _is_with_a_bot(entry):
        return
    yield APPLIES
    yield from _undemanded(_BOT_ALONE, entry)


def _missing(iari: str, values: Iterable[Parameters]) -> Iterator[str]:
    """Which of tag and version stands nowhere."""
    found = list(values)
    if not any(iari in tag_values(each, IARI_TAG) for each in found):
        yield f'{IARI_TAG}="{encode_urn(iari)}"'
    if not any(_VERSION in each for each in found):
        yield _VERSION


def _undemanded(iari: str, entry: SipEntry) -> Outcomes:
    """Tag or version that no value of Accept-Contact demands."""
    actual = shown(entry.sip.get("Accept-Contact") or "none", 160)
    demanding = [each for each in _accepted(entry) if "require" in each and "explicit" in each]
    missing = list(_missing(iari, demanding))
    if missing:
        expected = f"{', '.join(missing)} with require;explicit"
        yield Violation(expected, actual, "Accept-Contact")


@rule("bot.botversion-syntax", on=Kind.SIP)
def version_is_numeric(entry: SipEntry, flow: Flow) -> Outcomes:
    if _VERSION_OCTETS not in entry.raw.lower():
        return
    for header, values in (("Contact", _contacts(entry)), ("Accept-Contact", _accepted(entry))):
        for parameters in values:
            if _VERSION not in parameters:
                continue
            yield APPLIES
            raw = parameters.raw(_VERSION)
            if raw is None:
                yield Violation('"#=<n>"', "no value", header, severity=Severity.SHOULD)
            elif not _is_feature(raw):
                yield Violation('"#=<n>", several with commas alone', shown(raw), header)
            elif not all(isinstance(term, NumberTerm) for term in parse_feature(raw[1:-1])):
                # The grammar has tokens and strings too; that the version is a number says RCC.07.
                yield Violation("numbers, as #=1", shown(raw), header, severity=Severity.SHOULD)


def _is_feature(raw: str) -> bool:
    """A quoted list of values of a feature tag (RFC 3840 9)."""
    if len(raw) < 3 or raw[0] != '"' or raw[-1] != '"':
        return False
    try:
        parse_feature(raw[1:-1])
    except SipSyntaxError:
        return False
    return True


@rule("bot.role", on=Kind.SIP, methods=("INVITE",))
def says_it_is_one(entry: SipEntry, flow: Flow) -> Outcomes:
    if entry.request is not None:
        due = is_initial(entry) and _is_with_a_bot(entry)
    else:
        request = entry.transaction.request if entry.transaction else None
        asked = request is not None and request.sender is Party.HANDSET and is_initial(request)
        due = 200 <= entry.status < 300 and request is not None and asked and _is_with_a_bot(request)
    if not due:
        return
    yield APPLIES
    if not any(_ROLE in each for each in _contacts(entry)):
        yield Violation(_ROLE, shown(entry.sip.get("Contact") or "none", 160), "Contact")
