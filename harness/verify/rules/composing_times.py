"""Rules about when signs of typing come, and how long a screen may show one (RFC 3994 3.2, 3.3, 3.5)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.bodies.is_composing import ASSUMED_REFRESH, MEDIA_TYPE, IsComposing, parse_is_composing
from harness.errors import BodySyntaxError
from harness.evidence.timeline import Layer
from harness.verify.catalogue import Kind, rule
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Party, Unverifiable, Violation
from harness.verify.items import EventItem
from harness.verify.msrp_items import ChunkedMessage
from harness.verify.negotiation_items import MsrpSession
from harness.verify.rules.composing import LARGEST
from harness.verify.rules.cross_layer import radio_switched

IDLE_SECONDS = 15.0
"""After which without input idle is due, unless the user set another time (3.2)."""
_EARLY = 1.0  # seconds a clock of the handset may run ahead in a refresh interval
_OVER = ASSUMED_REFRESH + IDLE_SECONDS


@dataclass(frozen=True, slots=True)
class _Said:
    """What a side said in a session: a sign of typing, or content (sign None). who: the CPIM From, if any."""

    message: ChunkedMessage
    sign: IsComposing | None
    who: str


# -- the side that types ------------------------------------------------------------------------------------


@rule("iscomp.rate", on=Kind.MSRP_MESSAGE)
def not_too_often(message: ChunkedMessage, flow: Flow) -> Outcomes:
    said = _read(message)
    if said is None or said.sign is None or not _is_known(said.sign) or message.session is None:
        return
    yield APPLIES
    newest = _newest_of(message.sender, message.session, flow)
    before = next((each for each in newest if each.message.place < message.place), None)
    if before is None or before.sign is None or before.sign.state != said.sign.state:
        return
    gap = message.time - before.message.time
    if not said.sign.active:
        yield Violation("no refresh of idle", f"idle again after {gap:.0f} s", "body", item=message.first)
    elif gap < before.sign.lasts - _EARLY:
        expected = f"active once in {before.sign.lasts} s"
        yield Violation(expected, f"again after {gap:.0f} s", "body", item=message.first)


@rule("iscomp.idle-after", on=Kind.MSRP_MESSAGE, after=_OVER)
def idle_in_the_end(message: ChunkedMessage, flow: Flow) -> Outcomes:
    """When its user paused no message tells; after the time for a refresh it is over."""
    said, session = _read(message), message.session
    if said is None or said.sign is None or not said.sign.active or session is None:
        return
    if said.sign.lasts > ASSUMED_REFRESH:
        yield Unverifiable(f"its user may still type: it is refreshed every {said.sign.lasts} s")
        return
    yield APPLIES
    due = message.time + _OVER
    newest = next(_newest_of(message.sender, session, flow), None)
    if newest is not None and newest.message.place > message.place:
        return
    if _is_over(message, session, flow):
        return
    if radio_switched(flow, message.time - flow.settings.cell_tolerance, due):
        yield Unverifiable("the radio was switched while it typed")
        return
    expected = f"idle or a text within {_OVER:.0f} s of the last sign of typing"
    yield Violation(expected, "neither", "body", item=message.first)


# -- the side that shows it ---------------------------------------------------------------------------------


@rule("iscomp.receiver", on=Kind.EVENT)
def shown_no_longer(event: EventItem, flow: Flow) -> Outcomes:
    last = _last_signs(event, flow)
    if not last:
        return
    yield APPLIES
    if any(each.sign is not None and not _is_known(each.sign) for each in last):
        return  # iscomp.state.receiver
    ended = [_ended_at(each) for each in last]
    if all(each < event.time - flow.settings.clock_tolerance for each in ended):
        seconds = event.time - max(ended)
        yield Violation("nobody shown as typing", f"shown {seconds:.0f} s after it ended", "screen")


@rule("iscomp.state.receiver", on=Kind.EVENT)
def unknown_is_idle(event: EventItem, flow: Flow) -> Outcomes:
    """RFC 3994 3.5: what is neither active nor idle counts as idle."""
    last = _last_signs(event, flow)
    if not last:
        return
    yield APPLIES
    unknown = [each for each in last if each.sign is not None and not _is_known(each.sign)]
    settled = event.time - flow.settings.clock_tolerance
    others = [each for each in last if each not in unknown]
    if unknown and unknown[-1].message.time < settled and all(_ended_at(each) < settled for each in others):
        state = unknown[-1].sign.state if unknown[-1].sign else ""
        yield Violation(f"{state} shown as idle", "shown as typing", "screen")


def _last_signs(event: EventItem, flow: Flow) -> list[_Said]:
    """The last that each far party of the conversation said, when the screen shows that one types.

    Nothing when nobody was seen to type, as when the session was not captured.
    """
    fields = event.fields
    if event.layer is not Layer.ADB or event.name != "screen" or not fields.get("composing"):
        return []
    found: list[_Said] = []
    typed = False
    for session in flow.assembly.conversations.sessions(str(fields.get("conversation") or "")):
        whose: set[str] = set()
        for said in _newest_of(Party.NETWORK, session, flow):
            typed = typed or said.sign is not None
            # A bare sign names nobody: in a session of two it is of who wrote what came later.
            if said.message.number < event.number and said.who not in whose and (said.who or not whose):
                whose.add(said.who)
                found.append(said)
    return found if typed else []


def _is_known(sign: IsComposing) -> bool:
    return sign.state in ("active", "idle")


def _ended_at(said: _Said) -> float:
    """When a receiver takes its sender for idle (3.3)."""
    active = said.sign is not None and said.sign.active
    return said.message.time + (said.sign.lasts if active and said.sign is not None else 0)


# -- reading ------------------------------------------------------------------------------------------------


def _newest_of(sender: Party, session: MsrpSession, flow: Flow) -> Iterator[_Said]:
    """What a side said in a session, the newest first."""
    for message in reversed(flow.assembly.msrp.messages_of(session)):
        if message.sender is sender and (said := _read(message)) is not None:
            yield said


def _read(message: ChunkedMessage) -> _Said | None:
    """A sign or a content message; None for notifications, and for what cannot be read."""
    if not message.complete or not message.total:
        return None
    if message.content_type == MEDIA_TYPE:
        try:
            return _sign(message, message.read(LARGEST), "")
        except OSError:  # its octets are gone: nothing can be said of it
            return None
    item = message.last.bodies[0] if message.last.bodies else None
    if item is None or item.cpim is None:
        return _Said(message, None, "") if message.content_type.startswith("text/") else None
    if item.is_notification:
        return None
    who = item.cpim.from_.uri if item.cpim.from_ else ""
    kind = item.cpim.content_type
    if kind is not None and kind.essence == MEDIA_TYPE:
        return _sign(message, item.cpim.content, who)
    return _Said(message, None, who)


def _sign(message: ChunkedMessage, data: bytes, who: str) -> _Said | None:
    try:
        return _Said(message, parse_is_composing(data), who)
    except BodySyntaxError:
        return None


def _is_over(message: ChunkedMessage, session: MsrpSession, flow: Flow) -> bool:
    """The session or its connection ended, so that nothing more can be said in it."""
    byes = session.dialog.byes if session.dialog else []
    return bool(byes) or message.last.connection in flow.assembly.msrp.closed
