"""Keywords for 1-1 sessions as the far party has them: INVITE, texts and typing by MSRP, refresh, BYE."""

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
from harness.sip.message import Response

_TYPING_REFRESH = 120  # seconds (RFC 3994 3.3)


class RefreshMethod(Enum):
    """What a session is refreshed with (RFC 4028 7.4)."""

    UPDATE = "UPDATE"
    INVITE = "INVITE"


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
        **headers: str,
    ) -> None:
        """Lets the peer answer the next ``count`` INVITEs to a chat with ``status``, or not at all (NONE).

        | Peer Answers Next Chat    486
        | Peer Answers Next Chat    422    Min_SE=3600
        | Peer Answers Next Chat    200    streams=${False}
        | Peer Answers Next Chat    200    Session_Expires=1;refresher=uas    refreshes=${False}

        ``after`` lets it ring (180) for so long. Without ``streams`` the 200 has port 0 in its m-line; unless
        it ``refreshes``, the far party does nothing of its session timer.
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
        handset: str | None = None,
        **headers: str,
    ) -> Chat:
        """Invites the handset to a chat and checks the status of its answer.

        | =Argument= | =Meaning= |
        | ``sender`` | number of the far party; default the one of the bench |
        | ``expect`` | status the handset has to answer; NONE when it must not answer at all |
        | ``setup`` | who connects by the offer: ACTPASS (default), ACTIVE (the handset is to listen) |
        | ``headers`` | SIP headers to change or add, an underscore in place of a dash |

        Returns the chat. It is usable when the handset has connected, which the other keywords wait for.
        """
        chat = self.ring_handset_for_chat(sender, setup, handset, **headers)
        return self.wait_for_answer_to_chat(chat, expect)

    @keyword
    def ring_handset_for_chat(
        self,
        sender: Msisdn | None = None,
        setup: Setup = Setup.ACTPASS,
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

    # -- refresh and end

    @keyword
    def end_chat_with_handset(self, chat: Chat, expect: int | None = 200) -> None:
        """The far party hangs up: BYE, and the handset's answer is checked."""
        self.act()
        response = self.call(self.bench.peer.chats.end(chat), self.bench.peer.config.request_timeout)
        status = response.status if response is not None else None
        if status != expect:
            raise HandsetError(f"BYE: expected {expect or 'no answer'}, got {status or 'no answer'}")

    @keyword
    def refresh_chat(
        self, chat: Chat, method: RefreshMethod = RefreshMethod.UPDATE, expect: int = 200, **headers: str
    ) -> Response:
        """The far party refreshes the session at once, by UPDATE or by INVITE (re-INVITE with the same SDP).

        Returns the handset's answer. A header that is given takes the place of that of the refresh:

        | ${answer} =    Refresh Chat    ${chat}    Session_Expires=60    expect=422
        | Should Be Equal    ${answer.get('Min-SE')}    90
        """
        self.act()
        refreshing = chat.refresh(method.value, self.headers(headers).items())
        return self._answer(refreshing, f"{method.value} in a chat", expect)

    @keyword
    def send_request_in_chat(self, chat: Chat, method: str, expect: int, **headers: str) -> Response:
        """Sends any other request (INFO, OPTIONS, or one nobody knows) in the dialog of a session.

        Returns the handset's answer.
        """
        self.act()
        sending = chat.dialog.request(method, headers=self.headers(headers).items())
        return self._answer(sending, f"{method} in a chat", expect)

    def _answer(self, sending: Coroutine[Any, Any, Response], what: str, expect: int) -> Response:
        response = self.call(sending, self.bench.peer.config.request_timeout)
        if response.status != expect:
            raise HandsetError(f"{what}: expected {expect}, got {response.status} {response.reason}")
        return response

    @keyword
    def far_party_stops_refreshing(self, chat: Chat) -> None:
        """Lets the far party neither refresh the session nor end it for want of a refresh."""
        self.call(chat.stop_refreshing(), self.bench.lab.deadlines.message)

    @keyword
    def wait_for_refresh_of_chat(self, chat: Chat, timeout: timedelta | None = None) -> None:
        """Waits until the handset has refreshed the session (RFC 4028), or changed it."""
        seconds = self.deadline(timeout, self.bench.lab.deadlines.message)
        waiting = self.bench.peer.chats.wait_refreshed(chat, timeout=seconds, after=self.record.since)
        self.call(waiting, seconds)

    @keyword
    def wait_for_end_of_chat(self, chat: Chat, timeout: timedelta | None = None) -> Chat:
        """Waits until the handset has hung up (BYE). A session that ended otherwise fails.

        Of what is returned tests use ``ending.message``, the BYE.
        """
        seconds = self.deadline(timeout, self.bench.lab.deadlines.message)
        waiting = self.bench.peer.chats.wait_ended(chat, timeout=seconds, after=self.record.since)
        self.call(waiting, seconds)
        ending = chat.ending
        if ending is None or ending.by_us:
            raise HandsetError(f"the handset was expected to hang up, the session ended by {ending}")
        return chat
