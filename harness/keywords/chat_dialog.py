"""Keywords for the SIP session of a chat: its refresh, other requests in it, its end."""

from __future__ import annotations

from collections.abc import Coroutine
from datetime import timedelta
from enum import Enum
from typing import Any

from robot.api.deco import keyword

from harness.agent.session.user import Cause
from harness.errors import HandsetError
from harness.keywords.topic import Topic
from harness.peer.chat import Chat
from harness.peer.crossing import Crossing
from harness.sip.message import Response


class RefreshMethod(Enum):
    """What a session is refreshed with (RFC 4028 7.4)."""

    UPDATE = "UPDATE"
    INVITE = "INVITE"


class ChatDialog(Topic):
    """What goes on in the dialog of a session (RFC 3261 12 to 15, RFC 4028)."""

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
    def wait_for_refresh_of_chat(self, chat: Chat, timeout: timedelta | None = None) -> None:
        """Waits until the handset has refreshed the session (RFC 4028), or changed it."""
        seconds = self.deadline(timeout, self.bench.lab.deadlines.message)
        waiting = self.bench.peer.chats.wait_refreshed(chat, timeout=seconds, after=self.record.since)
        self.call(waiting, seconds)

    @keyword
    def cross_next_refresh_of_chat(self, chat: Chat) -> Crossing:
        """Lets a re-INVITE of the far party cross the next one of the handset, as if both left at once.

        Each side has to refuse the other's with 491 and to try again: who began the session, and so owns its
        Call-ID, after 2.1 to 4 seconds, the other one within 2 (RFC 3261 14.1).

        | ${crossing} =    Cross Next Refresh Of Chat    ${chat}
        | Change Handset Setting    CHAT_REFRESH    0.1
        | Wait Until Both Are Refused    ${crossing}
        | Wait For Refresh Of Chat    ${chat}
        """
        self.act()
        return self.call(
            self.bench.peer.invitations.crossings.cross_next(chat), self.bench.lab.deadlines.message
        )

    @keyword
    def wait_until_both_are_refused(self, crossing: Crossing, timeout: timedelta | None = None) -> None:
        """Waits until two re-INVITEs have crossed. Fails when the handset's answer is another than 491."""
        seconds = self.deadline(timeout, self.bench.lab.deadlines.message)
        answer = self.call(crossing.met(seconds), seconds)
        if answer.status != 491:
            raise HandsetError(f"a re-INVITE that crossed: expected 491, got {answer.status} {answer.reason}")

    @keyword
    def wait_until_far_party_tried_again(self, crossing: Crossing, timeout: timedelta | None = None) -> None:
        """Waits until the re-INVITE of the far party was sent again. Fails when it was refused again."""
        seconds = self.deadline(timeout, self.bench.lab.deadlines.message)
        answer = self.call(crossing.settled(seconds), seconds)
        if answer.status != 200:
            raise HandsetError(f"re-INVITE tried again: expected 200, got {answer.status} {answer.reason}")

    @keyword
    def wait_for_expiry_of_chat(self, chat: Chat, timeout: timedelta | None = None) -> None:
        """Waits until the far party has hung up because nobody refreshed the session (RFC 4028 10)."""
        seconds = self.deadline(timeout, self.bench.lab.deadlines.message)
        waiting = self.bench.peer.chats.wait_ended(chat, timeout=seconds, after=self.record.since)
        self.call(waiting, seconds)
        if chat.ending is None or chat.ending.cause is not Cause.EXPIRED or not chat.ending.by_us:
            raise HandsetError(f"the session was expected to expire, it ended by {chat.ending}")

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
