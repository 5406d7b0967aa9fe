"""Keywords for the handset itself: its screen, its messaging app, its radio switch."""

from __future__ import annotations

from datetime import timedelta

from robot.api import logger
from robot.api.deco import keyword

from devices.handset import ClientSetting, ScreenMessage, TextStatus
from harness.cpm.identity import Msisdn
from harness.keywords.screen_topic import several
from harness.keywords.topic import BenchAccess, Topic


class HandsetKeywords(Topic):
    """The handset as its user sees it."""

    def __init__(self, access: BenchAccess) -> None:
        super().__init__(access)
        self._settings_before: dict[tuple[str | None, ClientSetting], str] = {}

    @keyword
    def open_conversation(self, number: Msisdn | None = None, handset: str | None = None) -> None:
        """Brings the conversation with ``number`` (default: the far party of the bench) on screen."""
        self.act()
        self.handset(handset).android.open_conversation(self.far_number(number))

    @keyword
    def leave_conversation(self, handset: str | None = None) -> None:
        """Goes to the home screen: what comes now is not seen by the user."""
        self.act()
        self.handset(handset).android.home()

    @keyword
    def handset_shows_text(
        self,
        text: str,
        timeout: timedelta | None = None,
        handset: str | None = None,
        number: Msisdn | None = None,
    ) -> ScreenMessage:
        """Opens the conversation with the far party, or ``number``, and waits for ``text`` as received."""
        return self._wait_for_text(text, False, None, timeout, handset, self.far_number(number))

    @keyword
    def handset_shows_status(
        self,
        status: TextStatus,
        of: str,
        timeout: timedelta | None = None,
        handset: str | None = None,
        number: Msisdn | None = None,
    ) -> ScreenMessage:
        """Waits until the sent text ``of`` shows ``status``: SENDING, SENT, DELIVERED, READ or NOT_SENT.

        Of several with this text the latest counts.
        """
        return self._wait_for_text(of, True, status, timeout, handset, self.far_number(number))

    def _wait_for_text(
        self,
        text: str,
        outgoing: bool,
        status: TextStatus | None,
        timeout: timedelta | None,
        handset: str | None,
        number: str,
    ) -> ScreenMessage:
        android = self.handset(handset).android
        seconds = self.deadline(timeout, self.bench.lab.deadlines.screen)
        return android.wait_for_text(text, seconds, outgoing=outgoing, status=status, number=number)

    @keyword
    def send_text_to_several_from_handset(
        self, text: str, *numbers: Msisdn, handset: str | None = None
    ) -> None:
        """Writes one text to several numbers, which are no group, and presses send.

        | Send Text To Several From Handset    Hello    +12025550111    +12025550112
        """
        self.act()
        self.handset(handset).android.send_text(several(numbers), text)

    @keyword
    def handset_shows_status_of_several(
        self,
        status: TextStatus,
        of: str,
        *numbers: Msisdn,
        timeout: timedelta | None = None,
        handset: str | None = None,
    ) -> ScreenMessage:
        """The same as `Handset Shows Status` for a text that went to several ``numbers``."""
        return self._wait_for_text(of, True, status, timeout, handset, several(numbers))

    @keyword
    def texts_on_screen(self, number: Msisdn | None = None, handset: str | None = None) -> list[str]:
        """Returns the texts of the conversation on screen, oldest first."""
        screen = self.handset(handset).android.conversation(self.far_number(number))
        return [message.text for message in screen.messages]

    @keyword
    def switch_airplane_mode_on(self, handset: str | None = None) -> None:
        """Switches the radio of the handset off by its airplane mode."""
        self.act()
        self.handset(handset).android.airplane(True)

    @keyword
    def switch_airplane_mode_off(self, handset: str | None = None) -> None:
        """Switches the radio of the handset on again."""
        self.act()
        self.handset(handset).android.airplane(False)

    @keyword
    def take_screenshot(self, name: str = "screen", handset: str | None = None) -> None:
        """Puts a picture of the handset's screen into the evidence of the test and into the log."""
        picture = self.handset(handset).android.screenshot()
        self.record.screenshots[name] = picture
        logger.info(f"screenshot {name}: {len(picture)} octets, in the evidence of this test")

    @keyword
    def set_handset_property(self, name: str, value: str, handset: str | None = None) -> None:
        """Sets an Android system property (setprop)."""
        self.handset(handset).android.set_property(name, value)

    @keyword
    def property_of_handset(self, name: str, handset: str | None = None) -> str:
        """Returns an Android system property (getprop), empty when it is not set."""
        return self.handset(handset).android.property(name)

    @keyword
    def change_handset_setting(self, setting: ClientSetting, value: str, handset: str | None = None) -> None:
        """Provisions the RCS client of the handset otherwise, until `Restore Handset Settings`.

        CHAT_IDLE: seconds without a message after which it ends a session. CHAT_RING: seconds an invitation
        waits for its user. CHAT_REFRESH: seconds after which it refreshes a session, where half of its
        interval is longer. TIMER_T1: seconds of the SIP timer T1, of which 64 are waited for an answer (RFC
        3261 17). The test is skipped where that cannot be changed.

        | Change Handset Setting    CHAT_IDLE    0.5
        | ...
        | [Teardown]    Restore Handset Settings
        """
        self.act()
        before = self.handset(handset).android.change_setting(setting, value)
        self._settings_before.setdefault((handset, setting), before)

    @keyword
    def restore_handset_settings(self) -> None:
        """Undoes every `Change Handset Setting`."""
        while self._settings_before:
            (handset, setting), before = self._settings_before.popitem()
            self.handset(handset).android.change_setting(setting, before)

    @keyword
    def log_of_handset(self, handset: str | None = None) -> list[str]:
        """Returns the logcat lines of the handset since the test began."""
        begun = self.bench.timeline.since(self.record.since)[0].time
        return self.handset(handset).android.log.excerpt(begun)
