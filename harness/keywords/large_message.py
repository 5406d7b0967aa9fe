"""Keywords for standalone messages in large message mode: what the far party answers, and what it sends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from robot.api.deco import keyword

from harness.agent.msrp.services import Flow
from harness.agent.msrp.terms import MsrpTerms
from harness.bodies.file_attributes import FileSelector
from harness.errors import HandsetError, NotSeen
from harness.keywords.pager import Notify
from harness.keywords.topic import Topic
from harness.msrp.session import SendOptions
from harness.peer.large_message import TEXT, LargeMessage

FIRST_PART = 4096  # octets of the CPIM object


class LargeMessageKeywords(Topic):
    """Large message mode (OMA CPM, RFC 4975): a session with one text in it.

    What the handset sends so is written with `Send Text From Handset` and waited for with `Wait For Text From
    Handset`, as any other text.
    """

    @keyword
    def peer_answers_next_large_message(
        self,
        status: int | None,
        count: int = 1,
        after: timedelta = timedelta(0),
        declined: bool = False,
        **headers: str,
    ) -> None:
        """Lets the peer answer the next ``count`` INVITEs for a large message with ``status``, or not at all.

        ``after`` lets it ring before. ``declined`` declines the MSRP stream of a 200, by port 0.

        | Peer Answers Next Large Message    603
        | Peer Answers Next Large Message    NONE
        | Peer Answers Next Large Message    200    declined=True
        """
        self.act()
        self.bench.peer.invitations.answer_next(
            status,
            self.headers(headers),
            count,
            delay=after.total_seconds(),
            flow=Flow.LARGE,
            streams=not declined,
        )

    @keyword
    def peer_answers_content_of_next_large_message(self, status: int | None, count: int = 1) -> None:
        """Lets the peer refuse the content of the next ``count`` large messages with an MSRP ``status``.

        413 (too large, or unwanted), 403 and 415 as RFC 4975 has them. NONE takes the content and answers no
        chunk of it, as when the answers are lost.
        """
        self.act()
        self.bench.peer.large_messages.answer_next_message(status, count)

    @keyword
    def peer_takes_large_messages_up_to(self, octets: int | None) -> None:
        """Lets the peer say by max-size how large a message may be, CPIM headers counted; NONE for any."""
        self.act()
        self.bench.peer.large_messages.largest = octets

    @keyword
    def wait_for_large_message_invitation(self, timeout: timedelta | None = None) -> LargeMessage:
        """Waits for an INVITE of the handset for a large message, after the start of this test.

        Of what is returned tests use ``announced_size`` (octets), ``status``, ``conversation_id``.
        """
        seconds = self.deadline(timeout, self.bench.lab.deadlines.message)
        waiting = self.bench.peer.large_messages.wait_invited(timeout=seconds, after=self.record.since)
        return self.call(waiting, seconds)

    @keyword
    def wait_for_end_of_large_message(
        self, message: LargeMessage | None = None, timeout: timedelta | None = None
    ) -> LargeMessage:
        """Waits until the session of a large message is over: this one's, or any of this test.

        Of what is returned tests use ``ending.by_us`` (the peer ended it) and ``ending.cause``.
        """
        seconds = self.deadline(timeout, self.bench.lab.deadlines.message)
        waiting = self.bench.peer.large_messages.wait_ended(message, timeout=seconds, after=self.record.since)
        return self.call(waiting, seconds)

    @keyword
    def send_large_text_to_handset(
        self,
        text: str,
        notify: Notify = Notify.BOTH,
        message_id: str | None = None,
        content_type: str = TEXT,
        announced_size: int | None = None,
        abort_after: int | None = None,
        times: int = 1,
        expect: int | None = 200,
        handset: str | None = None,
        **headers: str,
    ) -> LargeMessage:
        """Sends a text of any length in large message mode: INVITE, the text, BYE.

        | =Argument= | =Meaning= |
        | ``notify`` | which notifications it asks for: NONE, DELIVERED, DISPLAYED, BOTH |
        | ``message_id`` | imdn.Message-ID; default a new one |
        | ``content_type`` | of the content inside CPIM |
        | ``announced_size`` | octets the INVITE tells; default those of the text |
        | ``abort_after`` | octets after which the far party gives up |
        | ``times`` | how often the text goes in the session, with one MSRP Message-ID (RFC 4975 5.4) |
        | ``expect`` | status the handset has to answer the INVITE with; NONE for no answer |
        | ``headers`` | SIP headers of the INVITE to change or add, an underscore in place of a dash |

        Fails too when the handset took the INVITE and did not take all of the text.
        """
        self.act()
        sending = self.bench.peer.large_messages.send_large(
            self.handset(handset).part.msisdn,
            text,
            disposition=notify.value,
            content_type=content_type,
            message_id=message_id,
            headers=self.headers(headers),
            alter=_telling(announced_size),
            cut=abort_after,
            times=times,
        )
        deadlines = self.bench.lab.deadlines
        message = self.call(sending, deadlines.message + self.bench.peer.config.request_timeout)
        self._judge(message, expect)
        if message.accepted and not message.delivered and abort_after is None:
            raise HandsetError(f"the handset did not take the text: {message.failure}")
        return message

    def _judge(self, message: LargeMessage, expect: int | None) -> None:
        if message.status != expect:
            got = f"no answer ({message.failure})" if message.status is None else str(message.status)
            raise HandsetError(f"{message}: expected {expect or 'no answer'}, got {got}")

    @keyword
    def begin_large_text_to_handset(
        self,
        text: str,
        pause_after: int = FIRST_PART,
        message_id: str | None = None,
        handset: str | None = None,
    ) -> LargeMessage:
        """Sends the first ``pause_after`` octets of a large text, and leaves the rest to
        `Finish Large Text To Handset`.

        Ends when the handset has answered what it got.

        | ${message} =    Begin Large Text To Handset    ${text}
        | Lose Coverage
        """
        self.act()
        service, seconds = self.bench.peer.large_messages, self.bench.lab.deadlines.message
        beginning = service.send_large(
            self.handset(handset).part.msisdn,
            text,
            message_id=message_id,
            options=SendOptions(pause_at=pause_after),
            wait=False,
        )
        message = self.call(beginning, seconds + self.bench.peer.config.request_timeout)
        self._judge(message, 200)
        if not self.poll(lambda: message.paused, bool, seconds):
            raise NotSeen(f"{message}: the handset did not answer the first {pause_after} octets")
        return message

    @keyword
    def finish_large_text_to_handset(self, message: LargeMessage) -> None:
        """Sends the rest of a large text, and BYE. Fails when the handset does not take it."""
        self.act()
        self.call(self.bench.peer.large_messages.finish(message), self.bench.lab.deadlines.message)
        if not message.delivered:
            raise HandsetError(f"the handset did not take the text: {message.failure}")


def _telling(size: int | None) -> Callable[[MsrpTerms], MsrpTerms]:
    """Changes the size an offer tells."""

    def change(terms: MsrpTerms) -> MsrpTerms:
        if size is None or terms.file is None:
            return terms
        return replace(terms, file=replace(terms.file, selector=FileSelector(size=size)))

    return change
