"""Keywords for chats and invitations as the user of the handset sees and answers them."""

from __future__ import annotations

from datetime import timedelta

from robot.api.deco import keyword

from devices.handset import OfferKind
from harness.cpm.identity import Msisdn
from harness.keywords.screen_topic import ScreenTopic


class ChatScreen(ScreenTopic):
    """Chat mode, drafts, who is typing, and what the messaging app asks.

    The conversation is that with ``number``, default the far party of the bench, or that of ``group``.
    """

    @keyword
    def start_chat_on_handset(self, number: Msisdn | None = None, handset: str | None = None) -> None:
        """Chooses "Start chat" in the menu of the conversation: texts go in a session from now on.

        The first text that `Send Text From Handset` sends opens the session. In a chat, nothing is done.
        """
        self.act()
        self.handset(handset).android.start_chat(self.far_number(number))

    @keyword
    def end_chat_on_handset(self, number: Msisdn | None = None, handset: str | None = None) -> None:
        """Chooses "End chat": the session ends, texts go as standalone messages.

        Without a chat, nothing is done.
        """
        self.act()
        self.handset(handset).android.end_chat(self.far_number(number))

    @keyword
    def type_on_handset(
        self,
        text: str,
        number: Msisdn | None = None,
        handset: str | None = None,
        group: str | None = None,
    ) -> None:
        """Types ``text`` (ASCII) into the compose box and does not send it."""
        screen = self.show(number, group, handset)
        self.act()
        self.handset(handset).android.type_here(screen.draft, text)

    @keyword
    def erase_draft_on_handset(self, number: Msisdn | None = None, handset: str | None = None) -> None:
        """Takes everything out of the compose box again, key by key."""
        self.act()
        self.handset(handset).android.erase_draft(self.far_number(number))

    @keyword
    def send_draft_on_handset(self, handset: str | None = None) -> None:
        """Presses send in the conversation on screen, after `Type On Handset`."""
        self.act()
        self.handset(handset).android.send_draft()

    @keyword
    def send_again_on_handset(
        self,
        what: str,
        number: Msisdn | None = None,
        group: str | None = None,
        handset: str | None = None,
    ) -> None:
        """Touches "Not sent" under the text ``what``, or the file of that name, so that it goes again."""
        self.show(number, group, handset)
        self.act()
        self.handset(handset).android.send_again(what)

    @keyword
    def handset_asks_before_accepting(self, what: OfferKind, handset: str | None = None) -> None:
        """Lets the messaging app ask its user before it accepts: CHAT, GROUP or FILE (of any size).

        The test is skipped when the handset has no such switch.

        | Handset Asks Before Accepting    CHAT
        | ...
        | Accept On Handset
        | [Teardown]    Handset Accepts By Itself    CHAT
        """
        self.handset(handset).android.ask_before_accepting(what, True)

    @keyword
    def handset_accepts_by_itself(self, what: OfferKind, handset: str | None = None) -> None:
        """Lets the messaging app accept CHAT, GROUP or FILE (up to 10 MB) without asking, its default."""
        self.handset(handset).android.ask_before_accepting(what, False)

    @keyword
    def accept_on_handset(
        self,
        file: str | None = None,
        number: Msisdn | None = None,
        group: str | None = None,
        timeout: timedelta | None = None,
        handset: str | None = None,
    ) -> None:
        """Opens the conversation, waits for an invitation, or the offer of ``file``, and touches Accept."""
        android = self.handset(handset).android
        self.show(number, group, handset)
        self.act()
        android.accept(self.deadline(timeout, self.bench.lab.deadlines.screen), file)

    @keyword
    def decline_on_handset(
        self,
        file: str | None = None,
        number: Msisdn | None = None,
        group: str | None = None,
        timeout: timedelta | None = None,
        handset: str | None = None,
    ) -> None:
        """The same, and touches Decline."""
        android = self.handset(handset).android
        self.show(number, group, handset)
        self.act()
        android.decline(self.deadline(timeout, self.bench.lab.deadlines.screen), file)

    @keyword
    def handset_shows_invitation(
        self,
        number: Msisdn | None = None,
        group: str | None = None,
        timeout: timedelta | None = None,
        handset: str | None = None,
    ) -> str:
        """Waits until the conversation asks its user to accept an invitation; returns the line it shows."""
        screen = self.wait_on_screen(
            lambda screen: bool(screen.offers), "an invitation", number, group, timeout, handset
        )
        return screen.offers[-1]

    @keyword
    def handset_shows_no_invitation(
        self,
        number: Msisdn | None = None,
        group: str | None = None,
        timeout: timedelta | None = None,
        handset: str | None = None,
    ) -> None:
        """Waits until the conversation no longer asks its user to accept an invitation."""
        self.wait_on_screen(
            lambda screen: not screen.offers, "no invitation", number, group, timeout, handset
        )

    @keyword
    def handset_shows_composing(
        self,
        number: Msisdn | None = None,
        group: str | None = None,
        timeout: timedelta | None = None,
        handset: str | None = None,
    ) -> str:
        """Waits until the conversation tells that somebody is typing, and returns the line it shows."""
        return self.wait_on_screen(
            lambda screen: bool(screen.composing), "that somebody types", number, group, timeout, handset
        ).composing

    @keyword
    def handset_shows_nobody_composing(
        self,
        number: Msisdn | None = None,
        group: str | None = None,
        timeout: timedelta | None = None,
        handset: str | None = None,
    ) -> None:
        """Waits until the conversation no longer tells that somebody is typing."""
        self.wait_on_screen(
            lambda screen: not screen.composing, "that nobody types", number, group, timeout, handset
        )

    @keyword
    def handset_shows_chat(
        self,
        number: Msisdn | None = None,
        timeout: timedelta | None = None,
        handset: str | None = None,
    ) -> None:
        """Waits until the conversation is in chat mode, as when the handset accepted an invitation."""
        self.wait_on_screen(lambda screen: screen.in_chat, "a chat", number, None, timeout, handset)

    @keyword
    def handset_shows_no_chat(
        self,
        number: Msisdn | None = None,
        timeout: timedelta | None = None,
        handset: str | None = None,
    ) -> None:
        """Waits until the conversation is out of chat mode, as when the far party ended the session."""
        self.wait_on_screen(lambda screen: not screen.in_chat, "no chat", number, None, timeout, handset)

    @keyword
    def handset_shows_note(
        self,
        text: str,
        number: Msisdn | None = None,
        group: str | None = None,
        timeout: timedelta | None = None,
        handset: str | None = None,
    ) -> str:
        """Waits for a line of the app itself that holds ``text``: who joined or left, that a chat ended.

        Returns the whole line, the latest of several.
        """
        screen = self.wait_on_screen(
            lambda screen: any(text in note for note in screen.notes),
            f"a note with {text!r}",
            number,
            group,
            timeout,
            handset,
        )
        return [note for note in screen.notes if text in note][-1]
