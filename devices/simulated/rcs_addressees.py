"""Whom a file of the RCS client goes to, by the key of a conversation: a number, several, or a group.

Several numbers are the list service's affair (RFC 5366 3, RFC 5363 4.1), a group is reached at its focus.
"""

from __future__ import annotations

from dataclasses import dataclass

from devices.simulated.rcs_access import RcsSettings
from devices.simulated.rcs_conversations import Conversations
from devices.simulated.rcs_groups import RcsGroups
from devices.simulated.rcs_lists import RcsLists
from harness.cpm.identity import Msisdn


@dataclass(frozen=True, slots=True)
class Addressee:
    """Where a file goes.

    target: URI of the INVITE. conversation: its Conversation-ID. listed: whom a list service sends it on to.
    """

    target: str
    conversation: str
    listed: tuple[str, ...] = ()


class Addressees:
    """Those of one client."""

    def __init__(
        self, conversations: Conversations, lists: RcsLists, groups: RcsGroups, settings: RcsSettings
    ) -> None:
        self._conversations, self._settings = conversations, settings
        self._lists, self._groups = lists, groups

    def listed(self, key: str) -> tuple[str, ...]:
        """The recipients of a list; none for a number or a group. Raises UsageError for any other key."""
        if self._groups.knows(key):
            return ()
        if self._lists.knows(key):
            return self._lists.uris(key)
        Msisdn.parse(key)
        return ()

    async def find(self, key: str) -> Addressee | None:
        """Where a file goes now; a group is joined again for that. None for one that cannot be joined."""
        if self._groups.knows(key):
            found = await self._groups.joined(key)
            return Addressee(*found) if found is not None else None
        conversation = self._conversations.id_of(key)
        if self._lists.knows(key):
            return Addressee(self._settings.lists, conversation, self._lists.uris(key))
        return Addressee(Msisdn.parse(key).sip(self._settings.domain), conversation)
