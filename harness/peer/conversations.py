"""Which Conversation-ID two parties have: both directions share one, whatever carries it (OMA CPM)."""

from __future__ import annotations

from harness.cpm.tokens import new_uuid
from harness.peer.identities import canonical, number_of


class Conversations:
    """Those of every handset with every far party, by their identity URIs."""

    def __init__(self) -> None:
        self._ids: dict[tuple[str, str], str] = {}

    def remember(self, handset: str, party: str, conversation_id: str | None) -> None:
        """The Conversation-ID that was used last; nothing to remember when None."""
        if conversation_id:
            self._ids[_user(handset), _user(party)] = conversation_id

    def begun(self, handset: str, party: str, conversation_id: str | None) -> None:
        """The Conversation-ID of a notification: the one there is stays, and without one it is this."""
        if conversation_id:
            self._ids.setdefault((_user(handset), _user(party)), conversation_id)

    def of(self, handset: str, party: str, asked: str | None = None) -> str:
        """The one to use: the one asked for, which is remembered, else that of before, else a new one."""
        self.remember(handset, party, asked)
        return self._ids.setdefault((_user(handset), _user(party)), new_uuid())


def _user(identity: str) -> str:
    return number_of(identity) or canonical(identity)
