"""A SIP session: the INVITE usage of one dialog, seen from either end (RFC 3261 13 to 15, RFC 3311, 4028).

Here: what we send in it, how it is refreshed and how it ends. What comes in is in requests.py, the
INVITE transactions that make it in invite_client.py and invite_server.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from harness.agent.failures import TransactionTimeout, TransportFailed
from harness.agent.session.cancellation import Cancellation
from harness.agent.session.context import SessionContext
from harness.agent.session.outgoing import Sent, Way
from harness.agent.session.refresh import SessionRefresh
from harness.agent.session.user import Cause, Content, Ending, Header, Offer, SessionUser
from harness.agent.sip.agent import Incoming
from harness.errors import UsageError
from harness.sip.dialog import ENDS_DIALOG, TARGET_REFRESH, Dialog, DialogState
from harness.sip.message import Request, Response
from harness.sip.offer_answer import OfferAnswer, Turn, carries_session
from harness.sip.reliable_provisional import Arrival, ReceivedInOrder, rack_of
from harness.sip.session_headers import Reason
from harness.sip.session_timer import REFRESH_METHODS, SessionTimer, names_interval

if TYPE_CHECKING:
    from harness.agent.session.invite_server import IncomingInvite

CREDENTIALS = ("Authorization", "Proxy-Authorization")
ATTEMPTS = 4  # a request with credentials or a larger interval that is refused again and again
_KEPT_ACKS = 8
_OWN_METHODS = frozenset({"INVITE", "ACK", "CANCEL", "BYE", "PRACK", "UPDATE"})


class InviteSession:
    """One session. dialog: early until the 2xx. way: how its requests leave. user: who is told.

    remote_methods: what the other end's Allow names, None before one was seen. content: the last session
    description of ours. ending: how it ended, None before.
    """

    def __init__(
        self, context: SessionContext, dialog: Dialog, way: Way, user: SessionUser | None = None
    ) -> None:
        self.context, self.dialog, self.way = context, dialog, way
        self.user = user or SessionUser()
        self.timer = SessionTimer(context.policy)
        self.exchange = OfferAnswer()
        self.remote_methods: frozenset[str] | None = None
        self.content: Content | None = None
        self.ending: Ending | None = None
        self.inviting = False
        self.served: dict[int, IncomingInvite] = {}
        self._invite_turn, self._update_turn = asyncio.Lock(), asyncio.Lock()
        self._acks: dict[int, Sent | Request] = {}
        self._order: tuple[int, ReceivedInOrder] = (-1, ReceivedInOrder())
        self.refresh = SessionRefresh(self)

    def __repr__(self) -> str:
        return f"<InviteSession {self.ending or self.dialog.state} {self.dialog.id.call_id}>"

    # -- requests of ours

    async def request(
        self, method: str, content: Content | None = None, headers: Iterable[Header] = ()
    ) -> Response:
        """Send INFO, MESSAGE, OPTIONS, REFER and the like in the dialog; the final response.

        A challenge is answered where the user agent can. A time-out, a 408 or a 481 ends the session
        (12.2.1.2). Raises TransactionTimeout, TransportFailed, UsageError.
        """
        if method in _OWN_METHODS:
            raise UsageError(f"{method} is no request of the session's user: use invite, update or bye")
        self._demand_alive(method)
        return await self._transact(method, content, headers)

    async def update(self, content: Offer = None, headers: Iterable[Header] = ()) -> Response:
        """Send UPDATE (RFC 3311), with an offer or without; the final response.

        491 is tried once more after the time of RFC 3311 5.3; content that is made is made anew then (RFC
        3264 8: the o-line follows what was sent meanwhile). A Session-Expires among the headers takes the
        place of ours. Raises as `request`, and UsageError for an offer while another one waits for its
        answer.
        """
        async with self._update_turn:
            self._demand_alive("UPDATE")
            return await self._transact("UPDATE", content, headers)

    async def reinvite(self, content: Offer, headers: Iterable[Header] = ()) -> Response:
        """Send a re-INVITE (14.1); the final response, acknowledged already.

        Waits for INVITEs under way in either direction. 491 is tried once more after the time of 14.1, with
        content as `update`.
        Without content the other end makes the offer, and the user answers it in the ACK. Cancelling the wait
        gives the re-INVITE up with CANCEL; a 2xx that crosses it is acknowledged. Raises as `update`.
        """

        def never_answered() -> None:
            work.cancel()

        cancellation = Cancellation(self.context, self.way, never_answered)
        work = self.context.begin(self._reinvite(content, headers, cancellation))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            if work.cancelled():
                raise UsageError("the user agent was closed while a re-INVITE was under way") from None
            if cancellation.sent is None:
                work.cancel()
            cancellation.begin()
            raise

    async def _reinvite(
        self, content: Offer, headers: Iterable[Header], cancellation: Cancellation
    ) -> Response:
        async with self._invite_turn:
            await self._others_settled()
            self._demand_alive("re-INVITE")
            if self.dialog.state is not DialogState.CONFIRMED:
                raise UsageError("no re-INVITE before the dialog is confirmed (RFC 3261 14.1)")
            return await self._transact("INVITE", content, headers, cancellation)

    async def bye(self, reason: Reason | None = None, headers: Iterable[Header] = ()) -> Response | None:
        """Hang up (15.1.1). The final response; None when there is none, or the session is over already.

        It waits for the ACK to a 2xx of ours first (15); a re-INVITE that has no answer yet gets 487. Raises
        UsageError for the callee of an early dialog: that one rejects its INVITE.
        """
        return await self._hang_up(Cause.BYE, reason, headers)

    async def _hang_up(
        self, cause: Cause, reason: Reason | None = None, headers: Iterable[Header] = ()
    ) -> Response | None:
        if self.ending is not None:
            return None
        if self.dialog.called and self.dialog.state is DialogState.EARLY:
            raise UsageError("the callee does not send BYE in an early dialog (RFC 3261 15): reject instead")
        while unacknowledged := [each.over for each in self.served.values() if each.final is not None]:
            await asyncio.wait(unacknowledged)
        if self.has_ended():
            return None
        rows = [*([] if reason is None else [("Reason", str(reason))]), *headers]
        try:
            self._over(Ending(cause, by_us=True))
            return await self._transact("BYE", None, rows)
        except (TransactionTimeout, TransportFailed) as error:  # the session is over all the same (15.1.1)
            self.context.note(f"BYE: {error}")
            return None
        finally:
            self._leave()

    async def _transact(
        self,
        method: str,
        offer: Offer,
        headers: Iterable[Header],
        cancellation: Cancellation | None = None,
    ) -> Response:
        """One request with what it takes to get it through: credentials, a larger interval, glare."""
        given, credentials = list(headers), list[Header]()
        glared = False
        for _ in range(ATTEMPTS):
            content = offer() if callable(offer) else offer
            draft = self._draft(method, content, [*given, *credentials])
            sent, response = await self._send(draft, content, cancellation)
            if cancellation is not None and cancellation.wanted:
                break
            if response.status in (401, 407):
                found = self._credentials(sent.request, response)
                if found is None:
                    break
                credentials = found
            elif response.status == 491 and method in REFRESH_METHODS and not glared:
                glared = True
                await self.context.pause(self._glare_seconds())
                await self._others_settled(method)
                if self.ending is not None or (cancellation is not None and cancellation.wanted):
                    break
            elif response.status != 422 or not self._larger_interval(sent.request, response, given):
                break
        return response

    def _larger_interval(self, request: Request, response: Response, given: list[Header]) -> bool:
        """Whether a 422 is worth another attempt: not where the interval was given to us."""
        if request.method not in REFRESH_METHODS:
            return False
        return self.timer.too_small(request, response) and not names_interval(given)

    def _draft(self, method: str, content: Content | None, headers: list[Header]) -> Request:
        if content is not None and content.is_session and not self.exchange.may_offer and method != "PRACK":
            raise UsageError(f"no offer in {method} while another one is open (RFC 3311 5.1)")
        refreshing = method in REFRESH_METHODS
        timed = refreshing and not names_interval(headers)
        return self.dialog.request(
            method,
            [
                *(self.timer.request_headers(initial=False) if timed else []),
                *(self.context.shown if refreshing else self.context.extensions),
                *self.context.own_rows(method),
                *headers,
                *(content.rows if content is not None else []),
            ],
            content.body if content is not None else b"",
        )

    async def _send(
        self, draft: Request, content: Content | None, cancellation: Cancellation | None
    ) -> tuple[Sent, Response]:
        """One attempt, and what its answer does to the session."""
        invite, before = draft.method == "INVITE", self.content
        self._sent(draft, content)
        if invite:
            self.inviting = True
        try:
            sent, response = await self.context.outgoing.request(
                draft,
                self.dialog.next_hop,
                self.way,
                on_sent=None if cancellation is None else cancellation.left,
                on_provisional=None if cancellation is None else partial(self._progress, cancellation),
                on_further=self.repeat_ack if invite else None,
            )
        except (TransactionTimeout, TransportFailed):
            if draft.method != "PRACK":
                self._lost(None)
            raise
        except asyncio.CancelledError:
            self.exchange.abandon(draft)
            raise
        finally:
            if invite:
                self.inviting = False
            if cancellation is not None:
                cancellation.over()
        if invite and response.status < 300:
            await self.take_success(sent.request, response)
        else:
            self._take_final(sent.request, response)
        if response.status >= 300:
            self.content = before
        return sent, response

    def _progress(self, cancellation: Cancellation, response: Response) -> None:
        cancellation.heard()
        self.take_provisional(response)

    def _sent(self, message: Request, content: Content | None) -> None:
        self.exchange.request(message, sent=True)
        self.keep_content(content)

    def keep_content(self, content: Content | None) -> None:
        """Remember a session description of ours: a refresh by re-INVITE repeats it."""
        if content is not None and content.is_session:
            self.content = content

    def _credentials(self, request: Request, response: Response) -> list[Header] | None:
        authorize = self.context.authorize
        return authorize(request, response) if authorize is not None else None

    def _glare_seconds(self) -> float:
        """14.1: the owner of the Call-ID waits 2.1 to 4 seconds, the other 0 to 2, in steps of 10 ms."""
        low, high = (0, 200) if self.dialog.called else (210, 400)
        return self.context.randomness.randint(low, high) / 100

    async def _others_settled(self, method: str = "INVITE") -> None:
        """Until no INVITE of the other end waits for its answer or its ACK (14.1)."""
        while method == "INVITE" and (waiting := [each.over for each in self.served.values()]):
            await asyncio.wait(waiting)

    def has_ended(self) -> bool:
        """Whether the session is over."""
        return self.ending is not None

    def _demand_alive(self, what: str) -> None:
        if self.ending is not None:
            raise UsageError(f"{what} in a session that has ended: {self.ending.cause}")

    # -- responses to us

    def take_provisional(self, response: Response) -> None:
        """A provisional response to our INVITE: PRACK for a reliable one, once and in order (RFC 3262 4)."""
        number = response.cseq.number
        if self._order[0] != number:
            self._order = (number, ReceivedInOrder())
        arrival = self._order[1].take(response)
        if self.ending is not None or arrival in (Arrival.REPEATED, Arrival.OUT_OF_ORDER):
            return
        self.learn(response)
        if arrival is Arrival.NEW:
            self.dialog.answered(response)
            self._exchanged(response)
            self.context.spawn(self._prack(response), f"PRACK for {response.status}")
        self.user.progressed(self, response)

    async def _prack(self, response: Response) -> None:
        content = self._answer_to(response)
        await self._transact("PRACK", content, [("RAck", str(rack_of(response)))])

    async def take_success(self, invite: Request, response: Response) -> None:
        """The first 2xx to an INVITE of ours in this dialog: it is acknowledged (13.2.2.4)."""
        self._take_final(invite, response)
        content = self._answer_to(response)
        refused = self.exchange.turn is Turn.OFFER_RECEIVED and content is None
        rows = [
            *((name, value) for name in CREDENTIALS for value in invite.get_all(name)),
            *self.context.headers,
            *(content.rows if content is not None else []),
        ]
        body = content.body if content is not None else b""
        draft = self.dialog.request("ACK", rows, body, cseq=response.cseq.number)
        self._sent(draft, content)
        await self._acknowledge(draft)
        if refused:
            self.context.spawn(self._hang_up(Cause.BYE), "BYE after an offer that was not answered")

    async def _acknowledge(self, draft: Request) -> None:
        number = draft.cseq.number
        self._acks[number] = draft
        for old in list(self._acks)[:-_KEPT_ACKS]:
            del self._acks[old]
        try:
            self._acks[number] = await self.context.outgoing.send(draft, self.dialog.next_hop, self.way)
        except TransportFailed as error:
            self.context.note(f"ACK: {error}")

    def repeat_ack(self, response: Response) -> None:
        """A 2xx to an INVITE of ours came again: so does its ACK, the same octets (13.2.2.4)."""
        found = self._acks.get(response.cseq.number)
        if isinstance(found, Sent):
            self.context.spawn(self.context.outgoing.again(found, self.way), "ACK again")
        elif found is not None:
            self.context.spawn(self._acknowledge(found), "ACK again")

    def _answer_to(self, message: Request | Response) -> Content | None:
        if self.exchange.turn is not Turn.OFFER_RECEIVED:
            return None
        return self.user.answer_offer(self, message)

    def _take_final(self, request: Request, response: Response) -> None:
        self.dialog.answered(response)
        self._exchanged(response)
        if response.status < 300 and request.method in REFRESH_METHODS:
            self.learn(response)
            self.timer.answered(request, response)
            self.refresh.restart()
        elif response.status in (408, 481) and request.method != "PRACK":  # a final response may have crossed
            self._lost(response)
        elif response.status in ENDS_DIALOG and request.method != "BYE":
            self.end(Ending(Cause.LOST, by_us=False, message=response))

    def _exchanged(self, response: Response) -> None:
        """A response that may end the exchange our offer began; the user is told of the answer."""
        waiting = self.exchange.turn is Turn.OFFER_SENT
        self.exchange.response(response, sent=False)
        answers = response.status < 300 and carries_session(response)
        if waiting and answers and self.exchange.turn is Turn.FREE:
            self.user.answered(self, response)

    def learn(self, message: Request | Response) -> None:
        """Take in what a message says of its sender (Allow)."""
        if "Allow" in message:
            self.remote_methods = frozenset(message.values("Allow"))

    # -- responses of ours

    def respond(
        self, incoming: Incoming, status: int, content: Content | None = None, headers: Iterable[Header] = ()
    ) -> Response:
        """Answer a request in the dialog; target, offers and Contact are seen to. Raises UsageError."""
        request = incoming.message
        success = 200 <= status < 300
        own: list[Header] = []
        if success and request.method in TARGET_REFRESH:
            own.append(("Contact", self.dialog.contact))
            self.dialog.accepted(request)
        response = self.context.response(
            request, status, content, [*own, *headers], to_tag=self.dialog.id.local_tag
        )
        self.exchange.response(response, sent=True)
        self.keep_content(content if success else None)
        self.context.agent.respond(incoming, response)
        return response

    # -- the end

    def end(self, ending: Ending) -> None:
        """The session is over, whatever ended it; later requests get 481."""
        if self.ending is None:
            try:
                self._over(ending)
            finally:
                self._leave()

    def _over(self, ending: Ending) -> None:
        self.ending = ending
        self.refresh.stop()
        for invite in tuple(self.served.values()):
            invite.session_ended()
        self.user.ended(self, ending)

    def _leave(self) -> None:
        self.dialog.terminate()
        self.context.forget(self)

    def give_up(self, cause: Cause, reason: Reason | None = None) -> None:
        """End it with BYE, in the background."""
        self.context.spawn(self._hang_up(cause, reason), f"BYE ({cause})")

    def _lost(self, response: Response | None) -> None:
        """12.2.1.2: for a dialog begun by INVITE, to terminate it is to send BYE."""
        if self.ending is not None:
            return
        if self.dialog.called and self.dialog.state is DialogState.EARLY:
            self.end(Ending(Cause.LOST, by_us=False, message=response))
        else:
            self.give_up(Cause.LOST)
