"""What keyword modules about the screen share: a conversation is brought there and waited for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

from devices.handset import Screen
from harness.cpm.identity import Msisdn
from harness.errors import UsageError
from harness.keywords.topic import Topic


class ScreenTopic(Topic):
    """A topic that looks at the screen of a handset."""

    def show(self, number: Msisdn | None, group: str | None, handset: str | None) -> Screen:
        """Bring the conversation on screen and read it."""
        android = self.handset(handset).android
        if group is not None:
            return android.group_conversation(group)
        return android.conversation(self.far_number(number))

    def wait_on_screen(
        self,
        holds: Callable[[Screen], bool],
        expected: str,
        number: Msisdn | str | None,
        group: str | None,
        timeout: timedelta | None,
        handset: str | None,
    ) -> Screen:
        """Wait until the conversation, opened first if need be, is as `holds` wants it. Raises: NotSeen.

        number: of the other side, the far party of the bench when None; or what `several` makes of more.
        """
        android = self.handset(handset).android
        seconds = self.deadline(timeout, self.bench.lab.deadlines.screen)
        if group is None:
            return android.wait_for_screen(
                holds, expected, seconds, number if isinstance(number, str) else self.far_number(number)
            )
        screen = android.group_conversation(group)
        return screen if holds(screen) else android.wait_for_screen(holds, expected, seconds)


def several(numbers: Sequence[Msisdn]) -> str:
    """Several numbers as an smsto: URI has them. Raises: UsageError for none."""
    if not numbers:
        raise UsageError("give at least one number")
    return ",".join(map(str, numbers))
