"""Keywords for 1-1 sessions as the far party has them: invitations, their answers, texts and typing."""

from __future__ import annotations

from collections.abc import Coroutine
from datetime import timedelta
from enum import Enum
from typing import Any

from robot.api.deco import keyword

from harness.agent.msrp.services import Flow
from harness.bodies.is_composing import IsComposing, write_is_composing
from harness.bodies.sdp_attributes import Setup
from harness.cpm.identity import Msisdn
from harness.errors import HandsetError
from harness.keywords.pager import Notify
from harness.keywords.topic import Topic
from harness.peer.answers import Answer
from harness.peer.chat import Chat
from harness.peer.mt_request import registered
from harness.peer.service_session import SentInSession, SessionMessage
from harness.peer.wrong_chunks import WrongChunks
from harness.peer.wrong_sdp import WrongSdp

_TYPING_REFRESH = 120  # seconds (RFC 3994 3.3)


class Typing(Enum):
    """What an isComposing document tells (RFC 3994)."""

    ACTIVE = "active"
    IDLE = "idle"


class ChatKeywords(Topic):
    """1-1 sessions (OMA CPM session mode; RFC 4975, RFC 3994, RFC 4028)."""

    # -- the handset invites

    @keyword
    def wait_for_chat_from_handset(self, timeout: timedelta | None = None) -> Chat:
        """Waits for a session that the handset began and the peer accepted, after the start of this test.

        Of what is returned tests use ``conversation_id``, ``status``, ``party`` and ``invite.request``; the
        other keywords on chats take it.
        """
        return self._begun(timeout, self.record.since)

    @keyword
    def wait_for_next_chat_from_handset(self, timeout: timedelta | None = None) -> Chat:
        """The same, but only a session that begins after the last action of the test counts."""
        return self._begun(timeout, self.access.mark)

    def _begun(self, timeout: timedelta | None, after: int) -> Chat:
        seconds = self.deadline(timeout, self.bench.lab.deadlines.message)
        return self.call(self.bench.peer.chats.wait_session(timeout=seconds, after=after), seconds)

    @keyword
    def wait_for_chat_invitation(self, timeout: timedelta | None = None) -> Chat:
        """Waits for an INVITE of the handset to a chat, however answered, after the last action."""
        seconds = self.deadline(timeout, self.bench.lab.deadlines.message)
        waiting = self.bench.peer.chats.wait_invited(timeout=seconds, after=self.access.mark)
        return self.call(waiting, seconds)

    @keyword
    def no_chat_comes_from_handset(self, seconds: timedelta | None = None) -> None:
        """Watches and fails when the handset invites to a chat after the last action of this test.

        ``seconds`` is how long; default the deadline ``silence`` of lab.yaml.
        """
        watched = self.deadline(seconds, self.bench.lab.deadlines.silence)
        self.expect_silence(
            self.bench.peer.chats.wait_invited(timeout=watched, after=self.access.mark),
            watched,
            "an INVITE came that was not expected",
        )

    @keyword
    def peer_answers_next_chat(
        self,
        status: int | None,
        count: int = 1,
        after: timedelta = timedelta(0),
        streams: bool = True,
        refreshes: bool = True,
        sdp: WrongSdp | None = None,
        **headers: str,
    ) -> None:
        """Lets the peer answer the next ``count`` INVITEs to a chat with ``status``, or not at all (NONE).

        | Peer Answers Next Chat    486
        | Peer Answers Next Chat    422    Min_SE=3600
        | Peer Answers Next Chat    200    streams=${False}
        | Peer Answers Next Chat    200    Session_Expires=1;refresher=uas    refreshes=${False}

        ``after`` lets it ring (180) for so long. Without ``streams`` the 200 has port 0 in its m-line; unless
        it ``refreshes``, the far party does nothing of its session timer. ``sdp`` is what is wrong with the
        answer: see `Invite Handset To Chat`.
        ``headers`` are changed or added, an underscore in place of a dash.
        """
        self.act()
        self.bench.peer.invitations.answer_next(
            status,
            self.headers(headers),
            count,
            delay=after.total_seconds(),
            flow=Flow.SESSION,
            streams=streams,
            refreshes=refreshes,
            sdp=sdp,
        )

    @keyword
    def peer_lets_next_chat_ring(self, crossing: bool = False) -> None:
        """Lets the peer answer the next INVITE to a chat with 180, and nothing more until it is told.

        ``crossing`` meets a CANCEL with a 200 to the INVITE, as if both had been under way at once.

        | Peer Lets Next Chat Ring
        | Send Text From Handset    Hello
        | ${chat} =    Wait For Chat Invitation
        | Peer Answers Ringing Chat    ${chat}    200
        """
        self.act()
        self.bench.peer.invitations.ring_next(Flow.SESSION, crossing=crossing)

    @keyword
    def peer_answers_ringing_chat(
        self, chat: Chat, status: int = 200, streams: bool = True, **headers: str
    ) -> None:
        """Lets the peer give the INVITE of a ringing chat its answer, as `Peer Answers Next Chat` would."""
        self.act()
        answer = Answer(status, self.headers(headers), streams=streams)
        self.call(self.bench.peer.invitations.answer(chat, answer), self.bench.lab.deadlines.message)

    @keyword
    def wait_for_cancelled_chat(self, timeout: timedelta | None = None) -> Chat:
        """Waits until the handset gives up an INVITE without an answer (CANCEL), after the last action."""
        seconds = self.deadline(timeout, self.bench.lab.deadlines.message)
        waiting = self.bench.peer.chats.wait_cancelled(timeout=seconds, after=self.access.mark)
        return self.call(waiting, seconds)

    # -- the far party invites

    @keyword
    def invite_handset_to_chat(
        self,
        sender: Msisdn | None = None,
        expect: int | None = 200,
        setup: Setup = Setup.ACTPASS,
        lines: int = 1,
        sdp: WrongSdp | None = None,
        first: str | None = None,
        handset: str | None = None,
        **headers: str,
    ) -> Chat:
        """Invites the handset to a chat and checks the status of its answer.

        | =Argument= | =Meaning= |
        | ``sender`` | number of the far party; default the one of the bench |
        | ``expect`` | status the handset has to answer; NONE when it must not answer at all |
        | ``setup`` | who connects by the offer: ACTPASS (default), ACTIVE (the handset is to listen) |
        | ``lines`` | how many m-lines the offer has |
        | ``sdp`` | what is wrong with the offer, on purpose |
        | ``first`` | a text that rides in the INVITE (SIMPLE IM), which is ``first`` of the chat then |
        | ``headers`` | SIP headers to change or add, an underscore in place of a dash |

        Returns the chat. It is usable when the handset has connected, which the other keywords wait for.

        Wrongs of ``sdp``: NO_PATH, UNREACHABLE_PATH, UNKNOWN_SETUP, UNKNOWN_TYPES, NO_TYPES, NO_SDP; in an
        answer SECOND_LINE too.
        """
        chat = self.ring_handset_for_chat(sender, setup, lines, sdp, first, handset, **headers)
        return self.wait_for_answer_to_chat(chat, expect)

    @keyword
    def ring_handset_for_chat(
        self,
        sender: Msisdn | None = None,
        setup: Setup = Setup.ACTPASS,
        lines: int = 1,
        sdp: WrongSdp | None = None,
        first: str | None = None,
        handset: str | None = None,
        **headers: str,
    ) -> Chat:
        """Sends the INVITE of `Invite Handset To Chat` and does not wait for its answer."""
        self.act()
        part, peer = self.handset(handset).part, self.bench.peer
        inviting = peer.chats.invite(
            registered(peer.registrar, part.msisdn),
            sender=peer.config.party_of(str(sender) if sender else None),
            headers=self.headers(headers),
            setup=setup,
            lines=lines,
            sdp=sdp,
            first=first,
            wait=False,
        )
        return self.call(inviting, self.bench.lab.deadlines.message)

    @keyword
    def wait_for_answer_to_chat(self, chat: Chat, expect: int | None = 200) -> Chat:
        """Waits for the answer to an INVITE of `Ring Handset For Chat` and checks its status."""
        seconds = self.bench.lab.deadlines.message + self.bench.peer.config.request_timeout
        self.call(self.bench.peer.chats.answered(chat), seconds)
        if chat.status != expect:
            failure = chat.outcome.failure if chat.outcome is not None else ""
            got = chat.status if chat.status is not None else f"no answer ({failure})"
            raise HandsetError(f"INVITE to a chat: expected {expect or 'no answer'}, got {got}")
        return chat

    @keyword
    def wait_for_ringing(self, timeout: timedelta | None = None) -> Chat:
        """Waits until the handset rings (180) for an INVITE that was sent after the last action."""
        seconds = self.deadline(timeout, self.bench.lab.deadlines.message)
        waiting = self.bench.peer.chats.wait_ringing(timeout=seconds, after=self.access.mark)
        return self.call(waiting, seconds)

    @keyword
    def cancel_chat(self, chat: Chat) -> Chat:
        """Gives up an INVITE of `Ring Handset For Chat` and checks that it ends with 487.

        A 200 is as good when it crossed the CANCEL: it gets ACK and BYE (RFC 3261 9.1).
        """
        self.act()
        seconds = self.bench.lab.deadlines.message + self.bench.peer.config.request_timeout
        self.call(self.bench.peer.chats.cancel(chat), seconds)
        if chat.status not in (200, 487):
            raise HandsetError(f"a cancelled INVITE: expected 487, got {chat.status or 'no answer'}")
        return chat

    # -- texts and typing

    @keyword
    def wait_for_text_in_chat(
        self, chat: Chat | None = None, text: str | None = None, timeout: timedelta | None = None
    ) -> SessionMessage:
        """Waits for a text of the handset in a session, any of this test when none is given.

        With ``text`` only a message with exactly this content counts. Of what is returned tests use ``text``,
        ``message_id``, ``content_type`` and ``session``.
        """
        seconds = self.deadline(timeout, self.bench.lab.deadlines.message)
        waiting = self.bench.peer.chats.wait_message(
            text, timeout=seconds, after=self.record.since, session=chat
        )
        return self.call(waiting, seconds)

    @keyword
    def texts_in_chat_should_be(self, chat: Chat, *texts: str) -> None:
        """Fails unless the handset sent exactly these texts in the session so far, in this order."""
        found = [message.text for message in list(chat.received) if message.text is not None]
        if found != list(texts):
            raise HandsetError(f"texts of the handset in the session: expected {list(texts)}, got {found}")

    @keyword
    def no_text_comes_in_chat(self, text: str | None = None, seconds: timedelta | None = None) -> None:
        """Watches and fails when a text of the handset comes in a session after the last action."""
        watched = self.deadline(seconds, self.bench.lab.deadlines.silence)
        self.expect_silence(
            self.bench.peer.chats.wait_message(text, timeout=watched, after=self.access.mark),
            watched,
            "a text came in a session that was not expected",
        )

    @keyword
    def send_text_in_chat(
        self,
        chat: Chat,
        text: str,
        notify: Notify = Notify.BOTH,
        message_id: str | None = None,
        content_type: str = "text/plain;charset=UTF-8",
        expect: int | None = 200,
    ) -> SentInSession:
        """Sends a text of the far party in a session and checks the MSRP status of the handset's answer.

        ``notify`` as in `Send Text To Handset`. A ``content_type`` the handset did not say it takes is sent
        all the same. Returns what was sent, for `Wait For Notification`.
        """
        self.act()
        sending = self.bench.peer.chats.send_text(
            chat,
            text,
            disposition=notify.value,
            content_type=content_type,
            message_id=message_id,
        )
        return self._sent(sending, expect)

    @keyword
    def send_wrong_chunks_in_chat(
        self, chat: Chat, text: str, how: WrongChunks, expect: int = 200
    ) -> SentInSession:
        """Sends a text in a session, cut against RFC 4975 7.1.1, and checks the status of its answer.

        PAST_THE_END: the last chunk has more octets than the total says. SECOND_END: the end of the message
        comes again as a chunk of its own, with "$".
        """
        self.act()
        return self._sent(self.bench.peer.chats.send_chunks(chat, text, how), expect)

    @keyword
    def send_content_in_chat(
        self, chat: Chat, content: str, content_type: str, expect: int | None = 200
    ) -> SentInSession:
        """Sends content that is not in CPIM in a session, also of a type the handset does not take."""
        self.act()
        sending = self.bench.peer.chats.send_bare(chat, content.encode(), content_type, anyway=True)
        return self._sent(sending, expect)

    def _sent(self, sending: Coroutine[Any, Any, SentInSession], expect: int | None) -> SentInSession:
        sent = self.call(sending, self.bench.lab.deadlines.message + self.bench.peer.chats.connect_seconds)
        if sent.status != expect:
            raise HandsetError(f"MSRP message {sent}: expected {expect}, got {sent.status}")
        return sent

    @keyword
    def send_typing_in_chat(
        self, chat: Chat, typing: Typing = Typing.ACTIVE, refresh: timedelta | None = None
    ) -> None:
        """Tells the handset that the far party types (ACTIVE), or does no longer (IDLE).

        ``refresh`` is how long ACTIVE is good without another one; default 120 s (RFC 3994 3.3).
        """
        self.act()
        seconds = int(refresh.total_seconds()) if refresh is not None else _TYPING_REFRESH
        active = typing is Typing.ACTIVE
        document = IsComposing(typing.value, None, "text/plain", seconds if active else None)
        self._sent(self.bench.peer.chats.send_composing(chat, write_is_composing(document)), 200)

    @keyword
    def wait_for_typing_in_chat(
        self, chat: Chat, typing: Typing = Typing.ACTIVE, timeout: timedelta | None = None
    ) -> SessionMessage:
        """Waits until the handset tells in this session that its user types, or does no longer."""
        seconds = self.deadline(timeout, self.bench.lab.deadlines.message)
        waiting = self.bench.peer.chats.wait_composing(
            typing.value, timeout=seconds, after=self.record.since, session=chat
        )
        return self.call(waiting, seconds)

    @keyword
    def peer_refuses_next_text_in_chat(self, status: int, count: int = 1) -> None:
        """Lets the peer refuse the next ``count`` messages of the handset in a session: 403, 413, 415."""
        self.act()
        self.bench.peer.chats.answer_next_message(status, count)
