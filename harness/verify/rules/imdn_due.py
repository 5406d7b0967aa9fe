"""Rules about notifications that are due: their way, that they come, how they are bundled (RFC 5438)."""

from __future__ import annotations

from collections.abc import Iterator

from harness.bodies.multipart import MultipartFault, split_multipart
from harness.errors import BodySyntaxError
from harness.verify.catalogue import Kind, rule
from harness.verify.due import Due, Way, came_at, due_of, is_first_taken, is_head, told_of, way_now
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Unverifiable, Violation
from harness.verify.items import CpimItem
from harness.verify.msrp_items import ChunkedMessage, MsrpEntry
from harness.verify.owing import makers_of, owing
from harness.verify.rules.cross_layer import radio_switched
from harness.verify.rules.imdn_chain import at_item, originals_of, requests_in

AWAITED_SECONDS = 30.0
_NAMED = 3  # of those who owe, in the text of a finding
_COMPOSING = "application/im-iscomposing+xml"


@rule("imdn.route.session", on=Kind.CPIM)
def route(item: CpimItem, flow: Flow) -> Outcomes:
    if any(_asked_in_sessions(item, flow)):
        yield APPLIES
    for asked in _asked_in_living_sessions(item, flow):
        if not _may_be_lost(asked, item, flow):
            yield _beside(item, asked)


@rule("imdn.route.session", on=Kind.CPIM, after=AWAITED_SECONDS)
def route_after_all(item: CpimItem, flow: Flow) -> Outcomes:
    """What the radio left open is told by the session: who goes on in it had not lost it."""
    for asked in _asked_in_living_sessions(item, flow):
        if not _may_be_lost(asked, item, flow):
            continue
        if _goes_on(asked, item, flow):
            yield _beside(item, asked)
        else:
            yield Unverifiable("its sender may have lost the session")


def _asked_in_sessions(item: CpimItem, flow: Flow) -> Iterator[CpimItem]:
    """The messages of sessions that a MESSAGE reports on."""
    if item.by_sip is None or item.by_sip.method != "MESSAGE":
        return
    for imdn in item.imdns:
        originals = [known for known in originals_of(item, imdn, flow) if known.by_sip is None]
        yield from originals[-1:]


def _asked_in_living_sessions(item: CpimItem, flow: Flow) -> Iterator[MsrpEntry]:
    """Those of sessions that were to carry the report."""
    for known in _asked_in_sessions(item, flow):
        asked = known.carrier
        if isinstance(asked, MsrpEntry) and way_now(known, flow.assembly, item) is Way.SESSION:
            yield asked


def _beside(item: CpimItem, asked: MsrpEntry) -> Violation:
    return at_item(item, f"the IMDN in the session of {asked.label}, which lives", "a MESSAGE")


def _may_be_lost(asked: MsrpEntry, item: CpimItem, flow: Flow) -> bool:
    """Since the last message in the session the radio was switched, or the handset has registered."""
    last = _last_before(asked, item, flow)
    registered = any(last.time < state.since <= item.time for state in flow.assembly.registrations)
    return registered or radio_switched(flow, last.time - flow.settings.cell_tolerance, item.time)


def _goes_on(asked: MsrpEntry, item: CpimItem, flow: Flow) -> bool:
    """Whether the sender of the MESSAGE said more in the session later, on the connection there was."""
    used = _last_before(asked, item, flow).connection
    return any(
        entry.place > item.place and entry.sender is item.sender and entry.connection == used is not None
        for entry in _entries(asked, flow)
    )


def _last_before(asked: MsrpEntry, item: CpimItem, flow: Flow) -> MsrpEntry:
    return [entry for entry in _entries(asked, flow) if entry.place < item.place][-1]


def _entries(asked: MsrpEntry, flow: Flow) -> list[MsrpEntry]:
    assert asked.session is not None, "it is of a session that lives"
    return list(flow.assembly.msrp.entries_of(asked.session))


@rule("imdn.timeout", on=Kind.CPIM, after=AWAITED_SECONDS, receiver=True)
def timeout(item: CpimItem, flow: Flow) -> Outcomes:
    """Of delivery alone: when a user looks at a message nobody can say. A file is on its way yet."""
    if not is_head(item):
        yield from _not_told(item, flow, item.offset)


@rule("imdn.timeout", on=Kind.MSRP_MESSAGE, after=AWAITED_SECONDS, receiver=True)
def timeout_of_file(message: ChunkedMessage, flow: Flow) -> Outcomes:
    """The message whose headers its INVITE had."""
    invite = message.session.invite if message.session is not None else None
    for item in invite.bodies if invite is not None and message.total else ():
        if item.sender is message.sender and is_head(item):
            yield from _not_told(item, flow)


def _not_told(item: CpimItem, flow: Flow, octet: int | None = None) -> Outcomes:
    taken = came_at(item, flow.assembly)
    if taken is None or not flow.from_start or not is_first_taken(item, flow.assembly):
        return
    end = taken + AWAITED_SECONDS
    dues = [due for due in due_of(item, flow.assembly, end) if due.kind == "delivery"]
    if dues:
        yield APPLIES
    late = [due for due in dues if not any(each.item.time <= end for each in due.told)]
    if not late:
        return
    if radio_switched(flow, taken - flow.settings.cell_tolerance, end):
        yield Unverifiable("the radio was switched while the notification was due", item)
        return
    unsure = owing(item, flow.assembly, end).unsure or _unnamed(item, dues, flow)
    if unsure:
        yield Unverifiable(unsure, item)
        return
    more = f" and {len(late) - _NAMED} more" if len(late) > _NAMED else ""
    yield Violation(
        f"a delivery notification within {AWAITED_SECONDS:.0f} s of the answer",
        ", ".join(_what_came(due, taken) for due in late[:_NAMED]) + more,
        "body",
        octet,
    )


def _what_came(due: Due, taken: float) -> str:
    """In place of one in time."""
    whom = f" of {due.member[0]}" if due.member else ""
    return f"one{whom} after {due.told[0].item.time - taken:.0f} s" if due.told else f"none{whom}"


def _unnamed(item: CpimItem, dues: list[Due], flow: Flow) -> str:
    """Why it cannot be told whose a notification is that came: it may be of one who seems to owe it."""
    members = {name for due in dues for name in due.member}
    for each in told_of(item, flow.assembly) if members else ():
        if each.imdn.notification == "delivery" and not makers_of(each) & members:
            return f"whose notification {each.item.label} brings is not seen"
    return ""


@rule("imdn.aggregate", on=Kind.CPIM)
def aggregate(item: CpimItem, flow: Flow) -> Outcomes:
    """Another multipart than mixed is what imdn.content-type reports."""
    cpim = item.cpim
    kind = cpim.content_type if cpim else None
    if cpim is None or kind is None or not item.is_notification or kind.type != "multipart":
        return
    yield APPLIES
    try:
        faults = split_multipart(cpim.content, kind.parameters.get("boundary", "")).faults
    except BodySyntaxError as error:
        yield at_item(item, "parts that can be told apart", str(error))
        return
    if any(fault.what == MultipartFault.NOT_CLOSED for fault in faults):
        yield at_item(item, "the close delimiter behind the last notification", "none")


@rule("imdn.request.not-on-iscomposing", on=Kind.CPIM)
def not_on_composing(item: CpimItem, flow: Flow) -> Outcomes:
    kind = item.cpim.content_type if item.cpim else None
    if kind is None or kind.essence != _COMPOSING:
        return
    yield APPLIES
    if requests_in(item):
        yield at_item(item, "no Disposition-Notification for a sign of typing", requests_in(item)[0])
