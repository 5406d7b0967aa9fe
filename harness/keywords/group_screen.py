"""Keywords for groups as the user of the handset sees them: founded, joined, written to, left."""

from __future__ import annotations

import re
from datetime import timedelta

from robot.api.deco import keyword

from devices.handset import ScreenMessage, TextStatus
from harness.cpm.identity import Msisdn
from harness.keywords.screen_topic import ScreenTopic


class GroupScreen(ScreenTopic):
    """A group is known by its subject; of several with one subject the latest counts."""

    @keyword
    def create_group_on_handset(self, subject: str, *members: Msisdn, handset: str | None = None) -> None:
        """Founds a group: New conversation, people, Create group, name. Its conversation is on screen then.

        Without ``members`` the far party of the bench is the only one.

        | Create Group On Handset    Trip    +12025550111    +12025550112
        """
        self.act()
        numbers = [str(member) for member in members] or [self.far_number(None)]
        self.handset(handset).android.create_group(subject, numbers)

    @keyword
    def join_group_on_handset(self, uri: str, handset: str | None = None) -> None:
        """Lets the handset join a group by its URI, as a link does. Its conversation is on screen then."""
        self.act()
        self.handset(handset).android.join_group(uri)

    @keyword
    def open_group_on_handset(self, subject: str, handset: str | None = None) -> None:
        """Brings the conversation of a group on screen."""
        self.act()
        self.handset(handset).android.open_group(subject)

    @keyword
    def send_text_to_group_from_handset(self, subject: str, text: str, handset: str | None = None) -> None:
        """Writes ``text`` to the group and presses send. Ends when the app took the text."""
        self.act()
        self.handset(handset).android.send_to_group(subject, text)

    @keyword
    def add_to_group_on_handset(self, subject: str, *numbers: Msisdn, handset: str | None = None) -> None:
        """Brings more people into the group: Group details, Add people."""
        self.act()
        self.handset(handset).android.add_to_group(subject, [str(number) for number in numbers])

    @keyword
    def remove_from_group_on_handset(self, subject: str, number: Msisdn, handset: str | None = None) -> None:
        """Has somebody put out of the group: Group details, the member, Remove from group.

        What the network makes of it is to be waited for: `Wait For Referral To Group`.
        """
        self.act()
        self.handset(handset).android.remove_from_group(subject, str(number))

    @keyword
    def leave_group_on_handset(self, subject: str, handset: str | None = None) -> None:
        """Leaves the group: Group details, Leave group. Nothing can be written to it any more."""
        self.act()
        self.handset(handset).android.leave_group(subject)

    @keyword
    def members_of_group_on_handset(self, subject: str, handset: str | None = None) -> list[str]:
        """Returns the numbers on the details page of the group, as many as fit on it, invited ones too."""
        return list(self.handset(handset).android.members_of_group(subject))

    @keyword
    def handset_shows_people_in_group(
        self,
        count: int,
        group: str,
        timeout: timedelta | None = None,
        handset: str | None = None,
    ) -> None:
        """Waits until the app says, under the name of the group, that ``count`` others have joined it."""
        told = re.compile(rf"(?<!\d){count} (?:people|person)\b")
        expected = f"{count} people in {group}"
        self.wait_on_screen(
            lambda screen: told.search(screen.subtitle) is not None, expected, None, group, timeout, handset
        )

    @keyword
    def handset_shows_text_in_group(
        self,
        text: str,
        group: str,
        sender: Msisdn | None = None,
        timeout: timedelta | None = None,
        handset: str | None = None,
    ) -> ScreenMessage:
        """Opens the group and waits until it shows ``text`` as received, of ``sender`` if given."""
        android = self.handset(handset).android
        self.show(None, group, handset)
        return android.wait_for_text(
            text,
            self.deadline(timeout, self.bench.lab.deadlines.screen),
            outgoing=False,
            sender=str(sender) if sender else None,
        )

    @keyword
    def handset_shows_status_in_group(
        self,
        status: TextStatus,
        of: str,
        group: str,
        timeout: timedelta | None = None,
        handset: str | None = None,
    ) -> ScreenMessage:
        """Waits until the text ``of`` sent to the group shows ``status``: SENDING, SENT, ... NOT_SENT."""
        android = self.handset(handset).android
        self.show(None, group, handset)
        seconds = self.deadline(timeout, self.bench.lab.deadlines.screen)
        return android.wait_for_text(of, seconds, outgoing=True, status=status)
