"""Keywords for deferred messages: what the network stores for a handset, and how it is fetched."""

from __future__ import annotations

from datetime import datetime, timedelta

from robot.api.deco import keyword

from harness.agent.msrp.services import Flow
from harness.cpm.identity import Msisdn
from harness.errors import HandsetError, NotOnBench, NotSeen
from harness.keywords.pager import Notify
from harness.keywords.topic import Topic
from harness.msrp.chunking import SMALL_CHUNK
from harness.msrp.session import SendOptions
from harness.peer.deferred import Fetch, StoredMessage

PROVISIONED = "debug.rcslab.deferred_messages"


class DeferredKeywords(Topic):
    """Deferred messages (OMA CPM): stored while a handset is away, told by an event, fetched by an INVITE."""

    @keyword
    def handset_fetches_deferred_messages(self, fetches: bool = True, handset: str | None = None) -> None:
        """Provisions the handset to be told of deferred messages and to fetch them, or not to.

        The test is skipped when the handset cannot be provisioned from here.
        """
        android = self.handset(handset).android
        if not android.property(PROVISIONED):
            raise NotOnBench(f"{android.serial}: whether it fetches deferred messages is not set from here")
        self.act()
        android.set_property(PROVISIONED, "1" if fetches else "0")

    @keyword
    def store_message_for_handset(
        self,
        text: str,
        notify: Notify = Notify.BOTH,
        sender: Msisdn | None = None,
        message_id: str | None = None,
        sent_at: datetime | None = None,
        pause_after: int | None = None,
        handset: str | None = None,
    ) -> StoredMessage:
        """Keeps a text of a far party for the handset, as a network does whose receiver is out of reach.

        | =Argument= | =Meaning= |
        | ``notify`` | which notifications it asks for: NONE, DELIVERED, DISPLAYED, BOTH |
        | ``sender`` | number of the far party; default the one of the bench |
        | ``message_id`` | imdn.Message-ID; default a new one |
        | ``sent_at`` | DateTime of the text in UTC; default now |
        | ``pause_after`` | octets after which its first sending stops for good |

        A handset that has subscribed is told at once. Returns what is stored, for `Wait For Notification`.
        """
        self.act()
        storing = self.bench.peer.deferred_messages.store(
            self.handset(handset).part.msisdn,
            text,
            sender=str(sender) if sender else None,
            disposition=notify.value,
            message_id=message_id,
            sent_at=sent_at,
            options=SendOptions(pause_at=pause_after, chunk_octets=pause_after or SMALL_CHUNK),
        )
        return self.call(storing, self.bench.lab.deadlines.message)

    @keyword
    def messages_stored_for_handset(self, handset: str | None = None) -> list[StoredMessage]:
        """Returns what still waits for the handset, the oldest first."""
        return self.bench.peer.deferred_messages.waiting(self.handset(handset).part.msisdn)

    @keyword
    def peer_answers_next_fetch(self, status: int | None, count: int = 1, **headers: str) -> None:
        """Lets the peer answer the next ``count`` INVITEs for deferred messages so, NONE for no answer."""
        self.act()
        self.bench.peer.invitations.answer_next(status, self.headers(headers), count, flow=Flow.DEFERRED)

    @keyword
    def peer_answers_next_subscription(self, status: int | None, count: int = 1, **headers: str) -> None:
        """Lets the peer answer the next ``count`` SUBSCRIBEs with ``status``, or not at all (NONE).

        | Peer Answers Next Subscription    489    Allow_Events=reg
        """
        self.act()
        self.bench.peer.answer_next("SUBSCRIBE", status, self.headers(headers), count)

    @keyword
    def wait_for_subscription_to_deferred_messages(self, timeout: timedelta | None = None) -> str:
        """Waits for a SUBSCRIBE that the peer took, after the start of this test; returns who subscribed."""
        seconds = self.deadline(timeout, self.bench.lab.deadlines.message)
        waiting = self.bench.peer.deferred_messages.wait_subscribed(timeout=seconds, after=self.record.since)
        return self.call(waiting, seconds)

    @keyword
    def wait_for_end_of_subscription_to_deferred_messages(self, timeout: timedelta | None = None) -> str:
        """Waits for a SUBSCRIBE that ends a subscription, after the last action; returns who had subscribed.

        | Handset Fetches Deferred Messages    ${False}
        | Wait For End Of Subscription To Deferred Messages
        """
        seconds = self.deadline(timeout, self.bench.lab.deadlines.message)
        service = self.bench.peer.deferred_messages
        return self.call(service.wait_unsubscribed(timeout=seconds, after=self.access.mark), seconds)

    @keyword
    def wait_for_fetch(self, timeout: timedelta | None = None) -> Fetch:
        """Waits for an INVITE of the handset for deferred messages after the last action, however answered.

        Of what is returned tests use ``status``, ``sent`` and ``invite.request``.
        """
        seconds = self.deadline(timeout, self.bench.lab.deadlines.message)
        waiting = self.bench.peer.deferred_messages.wait_invited(timeout=seconds, after=self.access.mark)
        return self.call(waiting, seconds)

    @keyword
    def wait_for_paused_fetch(self, timeout: timedelta | None = None) -> Fetch:
        """Waits until a message stored with ``pause_after`` is half there and the handset has answered it."""
        seconds = self.deadline(timeout, self.bench.lab.deadlines.message)
        service = self.bench.peer.deferred_messages
        fetch = self.call(service.wait_session(timeout=seconds, after=self.access.mark), seconds)
        if not self.poll(lambda: fetch.paused, bool, seconds):
            raise NotSeen(f"{fetch}: the handset was expected to answer what it got of the message")
        return fetch

    @keyword
    def wait_for_end_of_fetch(self, fetch: Fetch | None = None, timeout: timedelta | None = None) -> Fetch:
        """Waits until a session in which messages were fetched is over: this one, or any of this test.

        Of what is returned tests use ``sent`` (each with ``message_id`` and ``status``) and ``ending``.
        """
        seconds = self.deadline(timeout, self.bench.lab.deadlines.message)
        waiting = self.bench.peer.deferred_messages.wait_ended(
            fetch, timeout=seconds, after=self.record.since
        )
        return self.call(waiting, seconds)

    @keyword
    def no_fetch_comes(self, seconds: timedelta | None = None) -> None:
        """Watches and fails when the handset asks for deferred messages after the test's last action."""
        watched = self.deadline(seconds, self.bench.lab.deadlines.silence)
        self.expect_silence(
            self.bench.peer.deferred_messages.wait_invited(timeout=watched, after=self.access.mark),
            watched,
            "a fetch came that was not expected",
        )

    @keyword
    def notify_handset_unasked(self, expect: int | None = 481, handset: str | None = None) -> None:
        """Sends a NOTIFY of deferred messages that no subscription asked for, and checks the answer."""
        self.act()
        sending = self.bench.peer.deferred_messages.notify_unasked(self.handset(handset).part.msisdn)
        sent = self.call(sending, self.bench.peer.config.request_timeout)
        status = sent.response.status if sent.response is not None else None
        if status != expect:
            raise HandsetError(f"NOTIFY: expected {expect or 'no answer'}, got {status or sent.failure}")
