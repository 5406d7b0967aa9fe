"""What the messaging app of the simulated handset asks of the RCS client behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class NotServed(Exception):
    """The RCS client does not have this service. The text tells the user."""


class MessagingService(Protocol):
    """The RCS client as the app sees it.

    Every call returns at once; what becomes of it comes back by the methods of MessagingApp, maybe before
    the call returns. `key` is a number or the key of a group, or, for texts to a list of recipients, several
    numbers separated by commas. Each may raise NotServed.
    """

    def send_text(self, key: str, text: str, chat: bool) -> str:
        """Take a text; returns its id for MessagingApp.outcome.

        chat: in the session with this number, which it opens when there is none; else as a standalone
        message. In a group it always goes in the session, which is rejoined when it is gone.
        """

    def end_chat(self, number: str) -> None:
        """The user ends the chat with this number. Nothing happens when there is no session."""

    def typing(self, key: str, on: bool) -> None:
        """The user changed the draft (on), or emptied it. Told at every change, in chats and groups only."""

    def conversation_shown(self, key: str) -> None:
        """The conversation is on screen: what it shows counts as displayed."""

    def answer_offer(self, offer_id: str, accept: bool) -> None:
        """The user, or a setting in their place, accepts or declines what MessagingApp.offered told."""

    def create_group(self, subject: str, members: Sequence[str]) -> str:
        """Invite these numbers to a new group; returns its key."""

    def join_group(self, uri: str) -> str:
        """Join a group that exists, by its URI; returns its key."""

    def add_to_group(self, key: str, number: str) -> None:
        """Bring one more number into the group."""

    def remove_from_group(self, key: str, number: str) -> None:
        """Have the focus put a member out of the group."""

    def leave_group(self, key: str) -> None:
        """Leave the group for good."""

    def send_file(self, key: str, path: str, type: str) -> str:
        """Offer a file of MessagingApp.files; returns its id for file_progress, file_done and file_failed."""

    def cancel(self, id: str) -> None:
        """Give up a file transfer of either direction."""
