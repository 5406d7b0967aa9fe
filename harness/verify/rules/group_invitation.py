"""Rules on how a group chat is set up: the list of recipients, and what the focus says of itself.

RFC 5366 3 to 5, RFC 5364 4, RFC 5363 4, RFC 4579; RFC 4826 for the list.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

from harness.bodies.resource_lists import COPIES, MEDIA_TYPE, ResourceLists, parse_resource_lists
from harness.errors import BodySyntaxError
from harness.verify.body_parts import BodyPart, body_parts
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import is_encoded, option_tags, party_of, shown, uri_of
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Party, Violation
from harness.verify.items import SipEntry
from harness.verify.rules.chat_session import is_group_chat

TAG = "recipient-list-invite"


def _list_of(entry: SipEntry) -> BodyPart | None:
    """The list of recipients a request brings."""
    return next((piece for piece in body_parts(entry) if piece.purpose == "recipient-list"), None)


def _read(piece: BodyPart | None) -> ResourceLists | None:
    """The list as a document; None when there is none, or none that can be read."""
    try:
        return _parsed(piece.content) if piece and piece.kind == MEDIA_TYPE else None
    except BodySyntaxError:
        return None


@lru_cache(maxsize=4)
def _parsed(content: bytes) -> ResourceLists:
    """Several rules look at one list, which may be long."""
    return parse_resource_lists(content)


def _invites(entry: SipEntry) -> bool:
    """An INVITE that makes a session."""
    return not entry.to_tag


# -- the request --------------------------------------------------------------------------------------------


@rule("session.group.adhoc.require", on=Kind.REQUEST, methods=("INVITE",))
def list_required(entry: SipEntry, flow: Flow) -> Outcomes:
    if not _invites(entry) or _list_of(entry) is None:
        return
    yield APPLIES
    if TAG not in option_tags(entry.sip, "Require"):
        yield Violation(f"Require: {TAG}", entry.sip.get("Require") or "none", "Require")


@rule("session.group.adhoc.body", on=Kind.REQUEST, methods=("INVITE",))
def list_present(entry: SipEntry, flow: Flow) -> Outcomes:
    if not _invites(entry) or TAG not in option_tags(entry.sip, "Require") or is_encoded(entry.sip):
        return
    yield APPLIES
    piece = _list_of(entry)
    if piece is None:
        yield Violation(f"a part {MEDIA_TYPE} with Content-Disposition: recipient-list", "none", "body")
    elif piece.kind != MEDIA_TYPE:
        yield Violation(MEDIA_TYPE, piece.kind or "no type", "body", piece.offset)
    else:
        try:
            _parsed(piece.content)
        except BodySyntaxError as error:
            place = piece.offset + error.offset
            yield Violation("a list that can be read", shown(str(error), 160), "body", place)


@rule("session.group.require-misuse", on=Kind.REQUEST, methods=("INVITE",))
def list_required_of_invitee(entry: SipEntry, flow: Flow) -> Outcomes:
    yield APPLIES
    if TAG in option_tags(entry.sip, "Require"):
        actual = f"{TAG} {'' if _list_of(entry) else 'without a list, '}to who is invited"
        yield Violation(f"{TAG} only towards a conference factory", actual, "Require")


@rule("session.group.history-handling", on=Kind.REQUEST, methods=("INVITE", "MESSAGE"))
def history_is_optional(entry: SipEntry, flow: Flow) -> Outcomes:
    for piece in body_parts(entry):
        if piece.purpose != "recipient-list-history":
            continue
        yield APPLIES
        if piece.disposition_parameters.get("handling") != "optional":
            yield Violation(
                "recipient-list-history;handling=optional", piece.disposition, "body", piece.offset
            )


# -- the list -----------------------------------------------------------------------------------------------


@rule("session.group.list.flat", on=Kind.REQUEST, methods=("INVITE", "MESSAGE"))
def list_is_flat(entry: SipEntry, flow: Flow) -> Outcomes:
    piece = _list_of(entry)
    found = _read(piece)
    if found is None or piece is None:
        return
    yield APPLIES
    odd = (found.nested, *found.references)
    first = next((each for each in odd if each is not None), None)
    if first is not None:
        yield Violation("entries only", f"<{first.local}>", "body", piece.offset + first.offset)
    elif found.lists > 1:
        yield Violation("one list", f"{found.lists}", "body", piece.offset)


@rule("session.group.list.copycontrol", on=Kind.REQUEST, methods=("INVITE", "MESSAGE"))
def list_says_how_to_copy(entry: SipEntry, flow: Flow) -> Outcomes:
    piece = _list_of(entry)
    found = _read(piece)
    if found is None or piece is None:
        return
    yield APPLIES
    for each in found.recipients:
        if each.copy not in COPIES:
            yield Violation(
                'copyControl="to", cc or bcc, in urn:ietf:params:xml:ns:copycontrol',
                f"{each.copy or 'none'} for {shown(each.uri)}",
                "body",
                piece.offset + each.offset,
            )
            return


@rule("session.group.list.unique", on=Kind.REQUEST, methods=("INVITE", "MESSAGE"))
def list_names_each_once(entry: SipEntry, flow: Flow) -> Outcomes:
    piece = _list_of(entry)
    found = _read(piece)
    if found is None or piece is None:
        return
    yield APPLIES
    recipients = [(each, _party(each.uri)) for each in found.recipients]
    if not recipients:
        yield Violation("at least one recipient", "none", "body", piece.offset)
    limit = flow.settings.group_limit
    if len(recipients) > limit:
        yield Violation(f"at most {limit} recipients", f"{len(recipients)}", "body", piece.offset)
    times = Counter(party for _, party in recipients)
    senders = _senders(entry)
    for each, party in recipients:
        if times[party] > 1 or party in senders:
            wrong = "who sends the list itself" if party in senders else f"{times[party]} times"
            yield Violation(
                "others, each once", f"{shown(each.uri)}, {wrong}", "body", piece.offset + each.offset
            )
            return


def _party(text: str) -> str:
    uri = uri_of(text)
    return party_of(uri) if uri is not None else text


def _senders(entry: SipEntry) -> frozenset[str]:
    """Who sends a list, and where it is sent: neither is among its recipients."""
    request = entry.request
    texts = [*entry.sip.values("P-Preferred-Identity"), request.uri if request is not None else ""]
    own = {party_of(entry.from_.uri)} if entry.from_ else set()
    return frozenset(own | {_party(text) for text in texts if text})


# -- the focus ----------------------------------------------------------------------------------------------


@rule("session.group.contact-isfocus", on=Kind.SIP, methods=("INVITE",))
def focus_says_so(entry: SipEntry, flow: Flow) -> Outcomes:
    """The 2xx to who made a group, and the INVITE of a focus, told by the members it lists."""
    if entry.sender is not Party.NETWORK or not entry.contacts:
        return
    request = entry if entry.request is not None else entry.transaction.request if entry.transaction else None
    accepted = entry.request is not None or 200 <= entry.status < 300
    if request is None or request.to_tag or not accepted or request.description is None:
        return
    history = any(piece.purpose == "recipient-list-history" for piece in body_parts(request))
    made = request is not entry and _list_of(request) is not None
    if not (made or (request is entry and history)) or not is_group_chat(request.description):
        return
    yield APPLIES
    if not any("isfocus" in contact.parameters for contact in entry.contacts):
        yield Violation("isfocus in the Contact of a focus", str(entry.contacts[0]), "Contact")
