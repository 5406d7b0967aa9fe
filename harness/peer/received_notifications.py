"""Disposition notifications of the handset, whatever carried them (RFC 5438 7, 8): answered and kept."""

from __future__ import annotations

from collections.abc import Callable

from harness.errors import HandsetError, NotSeen
from harness.peer.answers import Answer, AnswerQueue, HeaderChanges
from harness.peer.journal import EventKind, PeerEvent, Recent
from harness.peer.pcscf import Pcscf
from harness.peer.received import HandsetMessage, ReceivedMessage, ReceivedNotification, notifications_in


class ReceivedNotifications:
    """Those that came by MESSAGE and those that came in sessions, in one list."""

    def __init__(self, pcscf: Pcscf) -> None:
        self._pcscf = pcscf
        self._answers = AnswerQueue()
        self.received: Recent[ReceivedNotification] = Recent()

    def answer_next(
        self,
        status: int | None,
        headers: HeaderChanges | None = None,
        count: int = 1,
        *,
        reason: str | None = None,
    ) -> None:
        """Answer the next `count` notifications of the handset with this status, or not at all (None)."""
        self._answers.add(Answer(status, headers or {}, reason), count)

    def answer_as_usual(self) -> None:
        """Forget the answers asked for and not given yet."""
        self._answers.clear()

    def on_notification(self, message: ReceivedMessage) -> None:
        """Answer an IMDN of the handset and record it."""
        answer = self._answers.take() or Answer(200)
        ids = (("Conversation-ID", message.conversation_id), ("Contribution-ID", message.contribution_id))
        repeated = [(name, value) for name, value in ids if value] if answer.accepts else []
        self._keep(message, answer.status)
        self._pcscf.answer(message.incoming, answer, repeated)

    def came_inside(self, message: HandsetMessage) -> None:
        """Record an IMDN that came in a session, where MSRP has answered it."""
        self._keep(message, 200)

    def _keep(self, message: HandsetMessage, status: int | None) -> None:
        for notification in notifications_in(message, status):
            self.received.append(notification)
            self._pcscf.journal.add(
                EventKind.NOTIFICATION_RECEIVED, f"{notification}, answer {status}", notification
            )

    def of(self, message_id: str | None, kind: str | None = None) -> list[ReceivedNotification]:
        """The handset's notifications for a message (any when None), of a kind (any when None)."""
        return [each for each in self.received if _matches(each, message_id, kind)]

    async def wait_notification(
        self,
        message_id: str | None,
        kind: str | None,
        *,
        timeout: float,
        after: int = 0,
        predicate: Callable[[ReceivedNotification], bool] = lambda _: True,
    ) -> ReceivedNotification:
        """The first notification for this message of this kind ("delivered", "displayed").

        predicate: what else it must be (of whom, to whom, by which way).
        Raises NotSeen after `timeout` seconds, with the notifications that came instead.
        """
        wanted = _wanted(message_id, kind)
        event = await self._pcscf.journal.wait(
            lambda event: wanted(event) and predicate(event.subject),
            timeout,
            after=after,
            expected=f"a notification {kind or 'of any kind'} for {message_id or 'any message'}",
            kinds=(EventKind.NOTIFICATION_RECEIVED,),
        )
        notification = event.subject
        assert isinstance(notification, ReceivedNotification)
        return notification

    async def expect_none(
        self, message_id: str | None, kind: str | None = None, *, seconds: float, after: int = 0
    ) -> None:
        """Wait, and raise HandsetError at once when such a notification is there or comes."""
        try:
            event = await self._pcscf.journal.wait(_wanted(message_id, kind), seconds, after=after)
        except NotSeen:
            return
        raise HandsetError(f"no notification was expected, but the handset sent {event.subject}")


def _matches(notification: ReceivedNotification, message_id: str | None, kind: str | None) -> bool:
    return message_id in (None, notification.message_id) and kind in (None, notification.kind)


def _wanted(message_id: str | None, kind: str | None) -> Callable[[PeerEvent], bool]:
    def wanted(event: PeerEvent) -> bool:
        return event.kind is EventKind.NOTIFICATION_RECEIVED and _matches(event.subject, message_id, kind)

    return wanted
