"""Rules on what goes in a group chat: whom CPIM names, nicknames, what the focus says it can do (RFC 7701).

RFC 7701 8 lets others define tokens of a=chatroom, and 7.3 an empty nickname, which takes the one there was
away.
"""

from __future__ import annotations

from collections import Counter

from harness.bodies.sdp_attributes import parse_chatroom
from harness.errors import BodySyntaxError, MsrpSyntaxError
from harness.msrp.nickname import parse_nickname
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import party_of, same_uri_text, shown, uri_of
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Party, Severity, Unverifiable, Violation
from harness.verify.items import CpimItem
from harness.verify.msrp_items import MsrpEntry
from harness.verify.negotiation_items import Description, MsrpEnd
from harness.verify.rules.imdn_chain import at_item, is_hidden, originals_of
from harness.verify.rules.sdp_form import at_attribute
from harness.verify.session_services import group_of, live_ends

_CHATROOM, _NICKNAME = "chatroom", "nickname"
_REPORTS = ("Success-Report", "Failure-Report")
_MALFORMED, _NOT_ALLOWED = 424, 403
_TOLD_SECONDS = 5.0
GROUP_DATA = "application/vnd.oma.cpm-groupdata+xml"


# -- CPIM ---------------------------------------------------------------------------------------------------


@rule("session.group.cpim-to", on=Kind.CPIM)
def to_the_group(item: CpimItem, flow: Flow) -> Outcomes:
    """A notification goes to who wrote (RFC 5438), a private message to one member (RFC 7701 6.2)."""
    focus = group_of(item)
    to = item.cpim.to if item.cpim is not None else None
    if not focus or to is None or item.is_notification or item.sender is not Party.HANDSET:
        return
    yield APPLIES
    if not same_uri_text(to.uri, focus) and not _is_member(to.uri, focus, item, flow):
        yield at_item(item, f"CPIM To: the group, {focus}, or a member of it", to.uri)


@rule("session.group.cpim-from", on=Kind.CPIM)
def one_to(item: CpimItem, flow: Flow) -> Outcomes:
    """A switch has to refuse a message with several (403), so it cannot come from one."""
    if item.cpim is None or not group_of(item) or item.sender is not Party.NETWORK:
        return
    yield APPLIES
    addresses = item.cpim.addresses("To")
    if len(addresses) > 1:
        yield at_item(item, "one CPIM To", ", ".join(address.uri for address in addresses))


@rule("cpim.group-from", on=Kind.CPIM, after=_TOLD_SECONDS)
def from_a_member(item: CpimItem, flow: Flow) -> Outcomes:
    """Who writes may be told of a little later, or have left. One without a name may be any that has none.

    The focus speaks for itself.
    """
    focus = group_of(item)
    sender = item.cpim.from_ if item.cpim is not None else None
    uri = uri_of(sender.uri) if sender is not None else None
    if not focus or sender is None or uri is None or item.is_notification or item.sender is not Party.NETWORK:
        return
    known = flow.assembly.conferences.ever_in(focus)
    if same_uri_text(sender.uri, focus) or known is None:
        return
    yield APPLIES
    hidden = flow.assembly.conferences.hides_somebody(focus)
    if not (hidden if is_hidden(uri) else party_of(uri) in known):
        yield at_item(item, "CPIM From: a member of the group", sender.uri)


def _is_member(text: str, focus: str, item: CpimItem, flow: Flow) -> bool:
    members = flow.assembly.conferences.members(focus, item.time, item.time)
    uri = uri_of(text)
    return members is not None and uri is not None and any(party_of(uri) in member for member in members)


@rule("imdn.request.group-stripped", on=Kind.CPIM, receiver=True)
def asked_before_the_server(item: CpimItem, flow: Flow) -> Outcomes:
    """A notification on a message that came without its request: some servers take that out of it."""
    for imdn in item.imdns if item.sender is Party.HANDSET else ():
        asked = [known for known in originals_of(item, imdn, flow) if not known.is_notification]
        if asked and group_of(asked[-1]):
            yield APPLIES
            if not asked[-1].requested:
                yield Unverifiable(f"whether {asked[-1].label} asked for it before a server took that out")


@rule("groupdata.type", on=Kind.CPIM)
def group_data_in_group(item: CpimItem, flow: Flow) -> Outcomes:
    """Inside CPIM, in a chat with the focus; that the other side takes it is for msrp.type.allowed."""
    kind = item.cpim.content_type if item.cpim is not None else None
    if kind is not None and kind.essence == GROUP_DATA:
        yield APPLIES
        if not group_of(item):
            yield at_item(item, "group data in the chat of a group", "elsewhere")


@rule("groupdata.type", on=Kind.MSRP_REQUEST, methods=("SEND",))
def group_data_wrapped(entry: MsrpEntry, flow: Flow) -> Outcomes:
    if entry.content_type == GROUP_DATA:
        yield APPLIES
        yield Violation("message/cpim with group data in it", entry.content_type, "Content-Type")


# -- chat rooms ---------------------------------------------------------------------------------------------


@rule("session.group.chatroom-attr", on=Kind.SDP)
def chatroom_tokens(description: Description, flow: Flow) -> Outcomes:
    for end in live_ends(description):
        found = end.media.attribute(_CHATROOM)
        if found is None:
            continue
        yield APPLIES
        try:
            parse_chatroom(found.value)
        except BodySyntaxError:
            tokens = Counter((found.value or "").split(" "))
            twice = next((token for token, times in tokens.items() if token and times > 1), None)
            actual = f"{twice} twice" if twice else repr(found.value)
            yield at_attribute(end, found, "tokens with a space between them, each once", shown(actual))


@rule("session.group.nickname", on=Kind.MSRP_REQUEST, methods=("NICKNAME",))
def nickname_request(entry: MsrpEntry, flow: Flow) -> Outcomes:
    yield APPLIES
    value = entry.msrp.get("Use-Nickname")
    if value is None:
        yield Violation("Use-Nickname", "none", "start line")
    elif _unreadable(value):
        yield Violation("a quoted string of up to 1023 octets", shown(value), "Use-Nickname")
    for name in _REPORTS:
        if entry.msrp.get(name) is not None:
            yield Violation(f"no {name} in NICKNAME", f"{entry.msrp.get(name)}", name)
    far = entry.far_end
    if far is not None and not _offers_nicknames(far):
        expected = "NICKNAME only where a=chatroom has nickname"
        yield Violation(expected, "NICKNAME", "start line", severity=Severity.SHOULD)


@rule("session.group.nickname", on=Kind.MSRP_RESPONSE, methods=("NICKNAME",))
def nickname_answer(entry: MsrpEntry, flow: Flow) -> Outcomes:
    asked = entry.transaction.request.message if entry.transaction is not None else None
    value = asked.get("Use-Nickname") if asked is not None else None
    if value is None:
        return
    yield APPLIES
    if _unreadable(value) and entry.status not in (_MALFORMED, _NOT_ALLOWED):
        yield Violation(f"{_MALFORMED} for a malformed nickname", str(entry.status), "start line")


def _unreadable(value: str) -> bool:
    try:
        parse_nickname(value)
    except MsrpSyntaxError:
        return True
    return False


def _offers_nicknames(end: MsrpEnd) -> bool:
    found = end.media.attribute(_CHATROOM)
    return found is not None and _NICKNAME in (found.value or "").split(" ")
