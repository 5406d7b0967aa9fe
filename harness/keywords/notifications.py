"""Keywords for IMDN: what the far party sends, and what the handset sends."""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol

from robot.api import logger
from robot.api.deco import keyword

from harness.errors import HandsetError, NotSeen
from harness.keywords.topic import Topic
from harness.peer.imdn_wrong import Wrong
from harness.peer.journal import EventKind, PeerEvent
from harness.peer.notifications import NotificationKind
from harness.peer.received import Carrier, ReceivedNotification
from harness.verify.due import Due


class Sent(Protocol):
    """A message of the far party, whatever carried it. number: of the timeline when it was sent."""

    @property
    def message_id(self) -> str | None:
        """imdn.Message-ID."""

    @property
    def number(self) -> int: ...


class NotificationKeywords(Topic):
    """Disposition notifications (RFC 5438)."""

    @keyword
    def far_party_notifies(
        self,
        delivered: timedelta | None = timedelta(0),
        displayed: timedelta | None = timedelta(0),
        *wrong: Wrong,
    ) -> None:
        """Sets what texts of the handset bring back from now on, each after a delay, NONE for never.

        | Far Party Notifies    delivered=0 s    displayed=500 ms
        | Far Party Notifies    delivered=NONE    displayed=NONE
        | Far Party Notifies    0 s    NONE    TWICE

        ``wrong`` names what is wrong on purpose: NO_DATETIME, WRONG_MESSAGE_ID,
        WITH_DISPOSITION_NOTIFICATION, TWICE, PROCESSING, NOT_REQUESTED, BEFORE_ANSWER, MALFORMED_XML,
        NO_CONTENT_DISPOSITION.
        """
        self.bench.peer.notifications.policy(delivered, displayed, frozenset(wrong))

    @keyword
    def wait_for_notifications_of_far_party(self, count: int = 1, timeout: timedelta | None = None) -> None:
        """Waits until ``count`` notifications of the far party have their answer since the last action."""
        seconds = self.deadline(timeout, self.bench.lab.deadlines.notification)
        sent = self.poll(
            lambda: self._events(EventKind.NOTIFICATION_SENT), lambda found: len(found) >= count, seconds
        )
        if len(sent) < count:
            told = "; ".join(map(str, sent)) or "none"
            raise NotSeen(
                f"{count} notifications of the far party were expected within {seconds:g} s: {told}"
            )

    def _events(self, kind: EventKind) -> list[PeerEvent]:
        """Those of the peer since the last action."""
        events = list(self.bench.peer.events)
        return [event for event in events if event.kind is kind and event.timeline > self.access.mark]

    @keyword
    def wait_for_notification(
        self,
        message: Sent,
        kind: NotificationKind,
        timeout: timedelta | None = None,
        by: Carrier | None = None,
    ) -> ReceivedNotification:
        """Waits for the handset's notification DELIVERED or DISPLAYED for a text that was sent to it.

        ``by`` is what has to carry it: MSRP, in the session of the text, or MESSAGE; default either.

        | ${message} =    Send Text To Handset    Hello
        | Wait For Notification    ${message}    DELIVERED
        | ${message} =    Send Text In Chat    ${chat}    Hello
        | Wait For Notification    ${message}    DELIVERED    by=MSRP
        """
        seconds = self.deadline(timeout, self.bench.lab.deadlines.notification)
        waiting = self.bench.peer.notifications.wait_notification(
            message.message_id,
            kind.value,
            timeout=seconds,
            after=message.number,
            predicate=lambda notification: by in (None, notification.carrier),
        )
        return self.call(waiting, seconds)

    @keyword
    def wait_for_notifications_from_handset(self, count: int = 1, timeout: timedelta | None = None) -> None:
        """Waits until ``count`` notifications of the handset came since the last action, whatever they say.

        One that cannot be read counts too, and so does one about a message nobody knows.
        """
        seconds = self.deadline(timeout, self.bench.lab.deadlines.notification)
        received = EventKind.NOTIFICATION_RECEIVED
        came = self.poll(lambda: self._events(received), lambda found: len(found) >= count, seconds)
        if len(came) < count:
            told = "; ".join(map(str, came)) or "none"
            raise NotSeen(f"{count} notifications of the handset were expected within {seconds:g} s: {told}")

    @keyword
    def no_notification_comes(
        self,
        message: Sent,
        kind: NotificationKind | None = None,
        seconds: timedelta | None = None,
    ) -> None:
        """Watches and fails when the handset notifies (of this ``kind``) for a text sent to it.

        ``seconds`` is how long; default the deadline ``silence`` of lab.yaml.
        """
        watched = self.deadline(seconds, self.bench.lab.deadlines.silence)
        watching = self.bench.peer.notifications.expect_none(
            message.message_id, kind.value if kind else None, seconds=watched, after=message.number
        )
        self.call(watching, watched)

    @keyword
    def due_notifications(self) -> list[Due]:
        """Lists the notifications that the messages of this test ask of the handset, with what came of each.

        A message that came by MESSAGE, in a chat, as a large message or as a file counts alike. Each entry
        has ``message_id``, ``kind`` (delivery or display), ``way`` (in the session or by MESSAGE), ``open``
        and ``told``.
        """
        found = self.record.due()
        for due in found:
            logger.info(str(due))
        return found

    @keyword
    def no_delivery_notification_is_due(self, timeout: timedelta | None = None) -> None:
        """Waits until the handset has notified the delivery of every message of this test that asks for it.

        Fails with those still due when ``timeout`` is over; default the deadline ``notification`` of
        lab.yaml.
        """
        seconds = self.deadline(timeout, self.bench.lab.deadlines.notification)
        due = self.poll(self._open_deliveries, lambda found: not found, seconds)
        if due:
            raise NotSeen("still due: " + "; ".join(map(str, due)))

    def _open_deliveries(self) -> list[Due]:
        return [due for due in self.record.due() if due.kind == "delivery" and due.open]

    @keyword
    def notification_count_should_be(self, count: int, message: Sent, kind: NotificationKind) -> None:
        """Fails unless the handset sent exactly ``count`` notifications of this kind for the message."""
        found = self.bench.peer.notifications.of(message.message_id, kind.value)
        if len(found) != count:
            raise HandsetError(f"expected {count} {kind.value} for {message.message_id}, got {len(found)}")
