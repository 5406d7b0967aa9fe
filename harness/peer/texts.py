"""Texts of the handset as the far party gets them, whichever mode carried them (OMA CPM)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from harness.agent.msrp.services import Flow
from harness.peer.journal import EventKind, Journal, PeerEvent
from harness.peer.received import HandsetMessage, ReceivedMessage
from harness.peer.service_session import SessionMessage


class Mode(StrEnum):
    """How a text goes: in a MESSAGE, or by MSRP."""

    PAGER = "pager mode"
    LARGE = "large message mode"
    CHAT = "a chat"
    GROUP = "a group"


_MODE_OF: Mapping[Flow, Mode] = {
    Flow.LARGE: Mode.LARGE,
    Flow.SESSION: Mode.CHAT,
    Flow.GROUP: Mode.GROUP,
}
_SHOWN = (EventKind.MESSAGE_RECEIVED, EventKind.ANSWERED, EventKind.WITHHELD, EventKind.INVITED)


def mode_of(message: HandsetMessage) -> Mode | None:
    """How a message came; None for what is no text, a file above all."""
    if isinstance(message, SessionMessage):
        return _MODE_OF.get(message.session.flow)
    return Mode.PAGER


class Texts:
    """Waits for texts in the journal."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def wait(
        self, text: str | None = None, mode: Mode | None = None, *, timeout: float, after: int = 0
    ) -> HandsetMessage:
        """The first text later than timeline number `after`, with this content (any when None).

        mode: only one that came so. Attempts that were only challenged do not count, refused ones do. Raises
        NotSeen after `timeout` seconds.
        """

        def wanted(event: PeerEvent) -> bool:
            message = event.subject
            if event.kind is not EventKind.MESSAGE_RECEIVED or not isinstance(message, HandsetMessage):
                return False
            if isinstance(message, ReceivedMessage) and message.challenged:
                return False
            came = mode_of(message)
            return came is not None and mode in (None, came) and text in (None, message.text)

        what = "a message" if text is None else f"a message {text!r}"
        expected = what if mode is None else f"{what} in {mode}"
        event = await self._journal.wait(wanted, timeout, after=after, expected=expected, kinds=_SHOWN)
        found: HandsetMessage = event.subject
        return found
