"""Which calls are over, so that what judging a capture holds is what is open and not all there was.

All messages with one Call-ID go together, and the MSRP sessions their descriptions set up. They are over when
every transaction has ended, every dialog too, no registration or subscription stands, every notification that
was asked for has come, and all that has been so for a while (RFC 3261 17.1.1.1: 64*T1, and what rules wait
for beyond that).
"""

from __future__ import annotations

from harness.sip.event_headers import SubscriptionState
from harness.verify.chains import ASKED, Chains
from harness.verify.items import CpimItem, Dialog, Transaction, reading
from harness.verify.sip_assembly import SipAssembly

KEPT = 100.0
"""Seconds for which what is over is kept: twice 64*T1, and what rules wait for at most."""
NOTIFIED = 3600.0
"""Seconds for which notifications on a message are waited for: the user looks at it when he likes."""
_RINGING = 200.0  # seconds in which an INVITE has a final response (timer C, RFC 3261 16.6)


def calls_over(sip: SipAssembly, chains: Chains, now: float) -> set[str]:
    """The Call-IDs of what is over."""
    standing = {state.call_id for state in sip.registrations if state.holds_at(now)}
    return {
        call_id
        for call_id, last in sip.last_heard.items()
        if last < now - KEPT and call_id not in standing and _is_over(call_id, sip, chains, now)
    }


def _is_over(call_id: str, sip: SipAssembly, chains: Chains, now: float) -> bool:
    return not (
        any(_is_pending(transaction, now) for transaction in sip.transactions_of(call_id))
        or any(_is_live(dialog, now) for dialog in sip.dialogs_of(call_id))
        or any(_is_awaited(item, chains, now) for item in chains.carried_in(call_id))
    )


def _is_pending(transaction: Transaction, now: float) -> bool:
    return transaction.final is None and transaction.request.time > now - _RINGING


def _is_live(dialog: Dialog, now: float) -> bool:
    if dialog.method == "INVITE":
        return dialog.confirmed is not None and not dialog.byes
    last = next((each for each in reversed(dialog.requests) if each.method == "NOTIFY"), None)
    if last is None:
        return False
    state = reading(lambda: last.sip.typed(SubscriptionState))
    if state is None or state.state == "terminated":
        return False
    return state.expires is None or last.time + state.expires > now


def _is_awaited(item: CpimItem, chains: Chains, now: float) -> bool:
    """It is of a chain in which a notification may still come."""
    ids = [imdn.message_id for imdn in item.imdns] if item.is_notification else [item.message_id]
    return any(_is_open(message_id, chains, now) for message_id in ids)


def _is_open(message_id: str | None, chains: Chains, now: float) -> bool:
    told = {each.imdn.notification for each in chains.notifications(message_id)}
    return any(
        ASKED.get(token) not in (None, *told)
        for item in chains.originals(message_id)
        if item.time > now - NOTIFIED and not item.is_notification
        for token in item.requested
    )
