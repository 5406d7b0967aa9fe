"""Keywords for pager-mode texts, from the handset and to it."""

from __future__ import annotations

from datetime import timedelta
from enum import Enum

from robot.api.deco import keyword

from harness.cpm.identity import Msisdn
from harness.errors import HandsetError, UsageError
from harness.evidence.timeline import Transport
from harness.keywords.topic import Topic
from harness.peer.config import Authentication
from harness.peer.imdn_wrong import Wrong
from harness.peer.notifications import NotificationKind
from harness.peer.pager import SentMessage
from harness.peer.received import Carrier, HandsetMessage
from harness.peer.texts import Mode


class Notify(Enum):
    """What a text to the handset asks its receiver to notify (RFC 5438 6.1)."""

    NONE = ()
    DELIVERED = ("positive-delivery",)
    DISPLAYED = ("display",)
    BOTH = ("positive-delivery", "display")


class PagerKeywords(Topic):
    """Pager mode (RFC 3428, OMA CPM standalone message)."""

    @keyword
    def send_text_from_handset(self, text: str, to: Msisdn | None = None, handset: str | None = None) -> None:
        """Writes ``text`` in the messaging app of the handset and presses send.

        ``to`` is the number of the far party; default the one of the bench. The keyword ends when the app
        took the text; what reaches the wire tells `Wait For Text From Handset`.
        """
        self.act()
        self.handset(handset).android.send_text(self.far_number(to), text)

    @keyword
    def wait_for_text_from_handset(
        self, text: str | None = None, timeout: timedelta | None = None, by: Mode | None = None
    ) -> HandsetMessage:
        """Waits for a text of the handset at the peer, after the start of this test, and returns it.

        With ``text`` only a message with exactly this content counts. However it came, it counts, unless
        ``by`` says PAGER, LARGE, CHAT or GROUP. Of what is returned tests use ``text``, ``size`` (octets),
        ``message_id``, ``from_number``, ``sender``, ``content_type``, ``conversation_id``, of one in pager
        mode ``status`` too.

        | Wait For Text From Handset    Hello
        | Wait For Text From Handset    ${long}    by=LARGE
        """
        return self._text(text, timeout, by, self.record.since)

    @keyword
    def wait_for_next_text_from_handset(
        self, text: str | None = None, timeout: timedelta | None = None, by: Mode | None = None
    ) -> HandsetMessage:
        """The same, but only a text that comes after the last action of the test counts."""
        return self._text(text, timeout, by, self.access.mark)

    def _text(
        self, text: str | None, timeout: timedelta | None, by: Mode | None, after: int
    ) -> HandsetMessage:
        seconds = self.deadline(timeout, self.bench.lab.deadlines.message)
        return self.call(self.bench.peer.texts.wait(text, by, timeout=seconds, after=after), seconds)

    @keyword
    def no_text_comes_from_handset(
        self, text: str | None = None, seconds: timedelta | None = None, by: Mode | None = None
    ) -> None:
        """Watches and fails when a message of the handset comes after the last action of this test.

        ``seconds`` is how long; default the deadline ``silence`` of lab.yaml. ``by`` looks at those in one
        mode only: PAGER, LARGE, CHAT or GROUP.
        """
        watched = self.deadline(seconds, self.bench.lab.deadlines.silence)
        self.expect_silence(
            self.bench.peer.texts.wait(text, by, timeout=watched, after=self.access.mark),
            watched,
            "a message came that was not expected",
        )

    @keyword
    def peer_answers_next_message(
        self,
        status: int | None,
        count: int = 1,
        after: timedelta = timedelta(0),
        **headers: str,
    ) -> None:
        """Lets the peer answer the next ``count`` messages with ``status``, or not at all (NONE).

        ``after`` holds the answer back, so that the handset has to repeat its request.

        | Peer Answers Next Message    404
        | Peer Answers Next Message    415    Accept=text/plain
        | Peer Answers Next Message    NONE
        | Peer Answers Next Message    200    after=1.2 seconds

        407 is answered with a Digest challenge, and the repeat of the handset is checked. The test is skipped
        when the SIM in lab.yaml has no password for that.
        """
        if status == 407 and "Proxy_Authenticate" not in headers:
            self.need_credentials(Authentication.DIGEST)
        self.act()
        self.bench.peer.pager.answer_next(status, self.headers(headers), count, delay=after.total_seconds())

    @keyword
    def peer_answers_as_usual(self) -> None:
        """Drops the answers that were asked for and not used yet."""
        self.bench.peer.answer_as_usual()

    @keyword
    def send_text_to_handset(
        self,
        text: str,
        notify: Notify = Notify.BOTH,
        sender: Msisdn | None = None,
        message_id: str | None = None,
        content_type: str = "text/plain;charset=UTF-8",
        transport: Transport | None = None,
        expect: int | None = 200,
        handset: str | None = None,
        **headers: str,
    ) -> SentMessage:
        """Sends a text from the far party to the handset and checks its answer.

        | =Argument= | =Meaning= |
        | ``notify`` | which notifications it asks for: NONE, DELIVERED, DISPLAYED, BOTH |
        | ``sender`` | number of the far party; default the one of the bench |
        | ``message_id`` | imdn.Message-ID; default a new one |
        | ``content_type`` | of the content inside CPIM |
        | ``transport`` | UDP or TCP; default by size (RFC 3261 18.1.1) |
        | ``expect`` | status the handset has to answer; NONE when it must not answer at all |
        | ``headers`` | SIP headers to change or add, an underscore in place of a dash |

        Returns what was sent: ``message_id``, ``conversation_id``, ``status``.
        """
        self.act()
        part = self.handset(handset).part
        seconds = self.bench.lab.deadlines.message + self.bench.peer.config.request_timeout
        sent = self.call(
            self.bench.peer.pager.send_text(
                part.msisdn,
                text,
                sender=str(sender) if sender else None,
                disposition=notify.value,
                content_type=content_type,
                message_id=message_id,
                transport=transport,
                headers=self.headers(headers),
            ),
            seconds,
        )
        if sent.status != expect:
            got = f"{sent.status} {sent.response.reason}" if sent.response else f"no answer ({sent.failure})"
            raise HandsetError(f"MESSAGE {sent.message_id}: expected {expect or 'no answer'}, got {got}")
        return sent

    @keyword
    def send_notification_to_handset(
        self,
        message: HandsetMessage,
        kind: NotificationKind = NotificationKind.DELIVERED,
        asking_for_notification: bool = False,
        by: Carrier | None = None,
    ) -> None:
        """Sends one more notification for a text of the handset, also one that is wrong on purpose.

        It goes in the session of the text while that lives, else by MESSAGE, or as ``by`` says.
        ``asking_for_notification`` puts a Disposition-Notification into it, which no receiver may obey
        (RFC 5438 7.2.1).
        """
        self.act()
        wrong = {Wrong.WITH_DISPOSITION_NOTIFICATION} if asking_for_notification else set()
        sending = self.bench.peer.notifications.send(message, kind, wrong=frozenset(wrong), carrier=by)
        self.call(sending, self.bench.lab.deadlines.message)

    @keyword
    def text_of_octets(self, octets: int, letter: str = "x") -> str:
        """Returns a text of exactly ``octets`` octets in UTF-8, made of ``letter``.

        | ${text} =    Text Of Octets    1300
        | ${text} =    Text Of Octets    1300    ü
        """
        size = len(letter.encode())
        if octets < 0 or octets % size:
            raise UsageError(f"{octets} octets cannot be made of {letter!r}, which has {size}")
        return letter * (octets // size)
