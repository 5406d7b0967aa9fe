"""The texts on the screen against those on the wire, as the driver read them from the messaging app."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.evidence.timeline import Layer
from harness.verify.catalogue import Kind, rule
from harness.verify.conversations import CarriedText, unified
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Party, Violation
from harness.verify.items import CpimItem, EventItem

_SHOWN_STATUSES = frozenset({"sent", "delivered", "read"})
_NOT_DUMPED = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufdd0-\ufddf\ufffe\uffff]"
)
_TEXTS_PER_BUBBLE, _TEXTS_BEYOND = 2, 8


@rule("x.screen-text-equals-wire", on=Kind.EVENT)
def screen_text(event: EventItem, flow: Flow) -> Outcomes:
    if not _is_screen(event):
        return
    if _wire_texts(event, flow)[0]:
        yield APPLIES
    found = _differences(event, flow)
    before = _screen_before(event, flow) if found else None
    known = {difference.key for difference in _differences(before, flow)} if before else set()
    for difference in found:
        if difference.key not in known:
            yield Violation(difference.expected, difference.actual, "screen")


def _is_screen(event: EventItem) -> bool:
    return (
        event.layer is Layer.ADB and event.name == "screen" and isinstance(event.fields.get("messages"), list)
    )


def _screen_before(event: EventItem, flow: Flow) -> EventItem | None:
    """The last one of the same conversation on the same handset."""
    return next(
        (
            known
            for known in reversed(flow.assembly.events(Layer.ADB, "screen"))
            if known.number < event.number and _is_screen(known) and _same_conversation(known, event)
        ),
        None,
    )


def _same_conversation(one: EventItem, other: EventItem) -> bool:
    keys = ("serial", "conversation")
    return all(one.fields.get(key) == other.fields.get(key) for key in keys)


@dataclass(frozen=True, slots=True)
class _Text:
    """A text message of the conversation on the wire.

    due: it must be on the screen by then. claimed: the handset has said that it displayed it.
    """

    outgoing: bool
    text: str
    number: int
    label: str
    due: bool
    claimed: bool


@dataclass(frozen=True, slots=True)
class _Shown:
    outgoing: bool
    text: str
    status: str


@dataclass(frozen=True, slots=True)
class _Difference:
    key: tuple[object, ...]
    expected: str
    actual: str


def _differences(event: EventItem, flow: Flow) -> list[_Difference]:
    """Texts of the wire that the screen lacks, and texts of the screen the wire never had.

    Matching runs from the newest to the oldest, since the screen may show only the last ones and may hold
    messages of before the timeline. A text that was not seen on the wire counts only below one that was:
    there it must be newer than the start of the timeline.
    """
    wire, whole = _wire_texts(event, flow)
    screen = [_shown(entry) for entry in event.fields["messages"] if isinstance(entry, dict)]
    partner = _matched(wire, screen)
    empty = not screen and not event.fields.get("files")
    lacking = _lacking(wire, screen, partner, whole=whole, empty=empty)
    unseen = _unseen(screen, partner) if whole else []
    found = []
    for place in lacking:
        text = wire[place]
        altered = _altered(text, place, screen, partner)
        if altered is None and not text.due:
            continue
        if altered is not None and altered in unseen:
            unseen.remove(altered)
        actual = "not there" if altered is None else repr(screen[altered].text)
        expected = f"{text.text!r} of {text.label} on the screen"
        found.append(_Difference(("missing", text.number, text.text), expected, actual))
    for index in unseen:
        line = screen[index]
        if _is_unsent(line):
            continue
        found.append(
            _Difference(("unseen", line.outgoing, line.text), "only texts seen on the wire", repr(line.text))
        )
    return found


def _lacking(
    wire: list[_Text], screen: list[_Shown], partner: dict[int, int], *, whole: bool, empty: bool
) -> list[int]:
    """Places of texts on the wire that are not on the screen and have not gone over its top either.

    What is newer than a text that is there has its place there too. What is older than all of them may have
    gone over the top: only a bubble above them that the wire never had may be one of these, altered. It is,
    when nothing but these can have been sent; then it stands for the newest.
    """
    without = [
        place
        for place, text in enumerate(wire)
        if place not in partner.values()
        and (text.due or text.claimed)
        and not any(_is_unsent(line) and _is_same(text, line) for line in screen)  # shown late
    ]
    if empty:
        return without
    oldest = min(partner.values(), default=len(wire))
    older = [place for place in without if place < oldest]
    top = screen[: min(partner, default=len(screen))]
    strangers = sum(not _is_unsent(line) for line in top) if whole else 0
    return older[len(older) - min(strangers, len(older)) :] + [place for place in without if place > oldest]


def _matched(wire: list[_Text], screen: list[_Shown]) -> dict[int, int]:
    """Screen place -> wire place, newest first, in any order (both sides may write at once).

    A text that was not sent may say what an older one said that was: it is left out.
    """
    partner: dict[int, int] = {}
    free = list(range(len(wire)))
    for index in reversed([index for index, line in enumerate(screen) if not _is_unsent(line)]):
        for place in reversed(free):
            if _is_same(wire[place], screen[index]):
                partner[index] = place
                free.remove(place)
                break
    return partner


def _is_same(wire: _Text, shown: _Shown) -> bool:
    """Same direction and text; a dump has dots for what XML cannot hold, an old one blanks for line feeds."""
    if wire.outgoing is not shown.outgoing:
        return False
    text = _NOT_DUMPED.sub(".", wire.text)
    return shown.text in (wire.text, text) or (
        "\n" not in shown.text and shown.text == text.replace("\n", " ")
    )


def _is_unsent(line: _Shown) -> bool:
    """A text the app holds and has not sent, or not yet."""
    return line.outgoing and line.status.lower() not in _SHOWN_STATUSES


def _unseen(screen: list[_Shown], partner: dict[int, int]) -> list[int]:
    oldest = min(partner, default=len(screen))
    return [index for index in range(oldest, len(screen)) if index not in partner]


def _altered(text: _Text, place: int, screen: list[_Shown], partner: dict[int, int]) -> int | None:
    """The screen place where the missing text should stand: its direction, between its neighbours."""
    below = [index for index, known in partner.items() if known > place]
    above = [index for index, known in partner.items() if known < place]
    start, end = max(above, default=-1) + 1, min(below, default=len(screen))
    places = [i for i in range(start, end) if i not in partner and screen[i].outgoing == text.outgoing]
    return places[-1] if places else None


def _wire_texts(event: EventItem, flow: Flow) -> tuple[list[_Text], bool]:
    """Texts of the conversation before the event, oldest first, and whether they are all there can have been.

    They are not when the conversation has content other than text, or when sessions ran whose messages were
    not captured, or not whole. Only so many of the newest are looked at as could stand on the screen, with a
    margin for those that should and do not.
    """
    conversation, known_all = str(event.fields.get("conversation", "")), flow.assembly.conversations
    enough = _TEXTS_PER_BUBBLE * len(event.fields["messages"]) + _TEXTS_BEYOND
    found: dict[tuple[Party, str], _Text] = {}
    whole, since = True, 0
    for known in known_all.newest(conversation):
        item = known.item
        if len(found) >= enough:
            since = item.number
            break
        if item.number >= event.number:
            continue
        if known.text is None:
            whole = whole and _is_refused(item)
            continue
        key = item.sender, item.message_id or f"#{item.place}"
        found[key] = _text(known, known.text, found.pop(key, None), event, flow)
    return list(reversed(found.values())), whole and not known_all.has_unseen(conversation, since)


def _text(known: CarriedText, text: str, newer: _Text | None, event: EventItem, flow: Flow) -> _Text:
    """As the screen has to show it. newer: a copy sent again, which stands where this first one stood."""
    item = known.item
    return _Text(
        item.sender is Party.HANDSET,
        newer.text if newer else text,
        item.number,
        newer.label if newer else item.label,
        _is_due(item, event, flow) or (newer is not None and newer.due),
        _is_claimed(item, event, flow),
    )


def _is_refused(item: CpimItem) -> bool:
    final = item.carrier.transaction.final if item.carrier.transaction else None
    return final is not None and final.status >= 300


def _is_due(item: CpimItem, event: EventItem, flow: Flow) -> bool:
    """Accepted so long before the event that a dump begun meanwhile shows it."""
    accepted = item.carrier.transaction.accepted if item.carrier.transaction else None
    return accepted is not None and accepted.time <= event.time - flow.settings.clock_tolerance


def _is_claimed(item: CpimItem, event: EventItem, flow: Flow) -> bool:
    reports = flow.assembly.notifications(item.message_id) if item.message_id else []
    return any(
        known.imdn.status == "displayed"
        and known.item.sender is Party.HANDSET
        and known.item.number < event.number
        for known in reports
    )


def _shown(entry: dict[str, object]) -> _Shown:
    text = unified(str(entry.get("text", "")))
    return _Shown(bool(entry.get("outgoing")), text, str(entry.get("status") or ""))
