"""An INVITE of ours: its early dialogs, the first 2xx and those of other forks, CANCEL (RFC 3261 9, 13.2)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from harness.agent.failures import TransactionTimeout, TransportFailed
from harness.agent.scheduler import TimerHandle
from harness.agent.session.cancellation import Cancellation
from harness.agent.session.context import SessionContext
from harness.agent.session.invite_session import ATTEMPTS, InviteSession
from harness.agent.session.outgoing import Sent, Way
from harness.agent.session.user import Cause, Content, Ending, Header, SessionUser
from harness.cpm.tokens import new_id, new_tag
from harness.errors import SipSyntaxError
from harness.evidence.timeline import Transport
from harness.sip.dialog import Dialog, DialogState
from harness.sip.headers import canonical_name
from harness.sip.message import Request, Response, build_request
from harness.sip.session_headers import Reason
from harness.sip.session_timer import SessionTimer, names_interval
from harness.sip.uri import Uri

_EARLY_DIALOG_TERMINATED = 199  # RFC 6228
_MAX_FORWARDS = "70"


@dataclass(frozen=True, slots=True)
class Invitation:
    """An initial INVITE before it has a Via and a number.

    from_, to: name-addr texts without tag. contact: our Contact value. headers: others, Route among them;
    Allow, Supported, Max-Forwards, Session-Expires and what describes the content are added where they are
    not among them.
    """

    uri: str
    from_: str
    to: str
    contact: str
    content: Content | None = None
    headers: tuple[Header, ...] = ()
    call_id: str = field(default_factory=new_id)
    from_tag: str = field(default_factory=new_tag)

    def draft(self, cseq: int, headers: list[Header]) -> Request:
        """The request with this number and these rows besides its own. Raises UsageError."""
        given = {canonical_name(name) for name, _ in self.headers}
        described = self.content.rows if self.content is not None else []
        rows = [*self.headers, *(row for row in described if canonical_name(row[0]) not in given)]
        added = [("Max-Forwards", _MAX_FORWARDS), *headers]
        return build_request(
            "INVITE",
            self.uri,
            [
                ("From", f"{self.from_};tag={self.from_tag}"),
                ("To", self.to),
                ("Call-ID", self.call_id),
                ("CSeq", f"{cseq} INVITE"),
                ("Contact", self.contact),
                *((name, value) for name, value in added if name not in given),
                *rows,
            ],
            self.content.body if self.content is not None else b"",
        )


@dataclass(frozen=True, slots=True)
class InviteOutcome:
    """How an INVITE of ours ended: with a session, a refusal (or redirection), or neither.

    failure says why there is neither: a time-out, no way to send, a CANCEL that a 2xx crossed.
    """

    session: InviteSession | None
    response: Response | None
    failure: str = ""


class OutgoingInvite:
    """An INVITE under way. sessions: one for each fork that answered so far, by its To tag.

    The first fork that accepts is taken; later ones are acknowledged and get a BYE (13.2.2.4).
    """

    def __init__(
        self,
        context: SessionContext,
        invitation: Invitation,
        way: Way,
        user: SessionUser,
        on_over: Callable[[OutgoingInvite], None],
    ) -> None:
        self.context, self.invitation, self.way, self.user = context, invitation, way, user
        self._on_over = on_over
        self.sessions: dict[str | None, InviteSession] = {}
        self._timer = SessionTimer(context.policy)
        self._outcome: asyncio.Future[InviteOutcome] = asyncio.get_running_loop().create_future()
        self._cancellation = Cancellation(context, way, self._never_answered)
        self._taken: InviteSession | None = None
        self._waiting: list[Response] = []
        self._accepted_by: set[InviteSession] = set()
        self._clocks: list[TimerHandle] = []
        self._task = context.spawn(self._run(), f"INVITE {invitation.call_id}")
        self._task.add_done_callback(self._ran)

    async def outcome(self) -> InviteOutcome:
        """Wait for the end of the INVITE."""
        return await asyncio.shield(self._outcome)

    def cancel(self, reason: Reason | None = None) -> None:
        """Give it up: CANCEL as soon as a provisional response is there (9.1), BYE if a 2xx crosses it."""
        if not self._outcome.done():
            self._cancellation.begin(reason)

    # -- the requests

    async def _run(self) -> None:
        headers: list[Header] = []
        for number in range(1, ATTEMPTS + 1):
            draft = self._draft(number, headers)
            try:
                sent, response = await self._send(draft)
            except (TransactionTimeout, TransportFailed) as error:
                self._failed(str(error))
                return
            if response.status < 300:
                await self._accepted(sent, response)
                return
            self._end_early(response)
            again = None if self._cancellation.wanted else self._again(sent.request, response, headers)
            if again is None:
                break
            headers = again
        self._settle(InviteOutcome(None, response))

    def _draft(self, number: int, headers: list[Header]) -> Request:
        rows = [
            *self.context.shown,
            *self.context.own_rows("INVITE"),
            *self._timer.request_headers(initial=True),
        ]
        return self.invitation.draft(number, [*rows, *headers])

    async def _send(self, draft: Request) -> tuple[Sent, Response]:
        self._start_expiring(draft)
        return await self.context.outgoing.request(
            draft,
            self._target(draft),
            self.way,
            on_sent=self._cancellation.left,
            on_provisional=self._provisional,
            on_further=self._further,
        )

    @staticmethod
    def _target(draft: Request) -> Uri:
        return draft.routes[0].uri if draft.routes else draft.request_uri

    def _start_expiring(self, draft: Request) -> None:
        """13.2.1: when its Expires has passed without a final response, it is cancelled."""
        self._stop_clocks()
        if draft.expires is not None:
            self._clocks.append(self.context.later(draft.expires, self.cancel))

    def _again(self, request: Request, response: Response, headers: list[Header]) -> list[Header] | None:
        """The headers of the next attempt; None when the refusal stands."""
        if response.status in (401, 407) and self.context.authorize is not None:
            return self.context.authorize(request, response)
        if response.status == 422 and self._timer.too_small(request, response):
            return None if names_interval(self.invitation.headers) else headers
        return None

    def _never_answered(self) -> None:
        if not self._outcome.done():
            self._failed("no final response within 64*T1 after the CANCEL")
            self._task.cancel()

    # -- the responses

    def _provisional(self, response: Response) -> None:
        self._cancellation.heard()
        if response.status == 100 or self._taken is not None:
            return
        session = self._session_of(response)
        if session is None:
            return
        if response.status == _EARLY_DIALOG_TERMINATED:
            session.end(Ending(Cause.FORK, by_us=False, message=response))
            return
        session.take_provisional(response)

    def _session_of(self, response: Response) -> InviteSession | None:
        """The session of the fork a response comes from; None when the response makes no dialog."""
        sent = self._cancellation.sent
        assert sent is not None
        try:
            tag = response.to.tag
            key = None if tag is None else tag.lower()
            if key not in self.sessions:
                tls = sent.hop.transport is Transport.TLS
                dialog = Dialog.as_caller(sent.request, response, over_tls=tls)
                self.sessions[key] = self._begin(dialog, sent.request)
        except SipSyntaxError as error:
            self.context.note(f"{response.status} to INVITE makes no dialog: {error}")
            return None
        return self.sessions[key]

    def _begin(self, dialog: Dialog, request: Request) -> InviteSession:
        session = InviteSession(self.context, dialog, self.way, self.user)
        session.exchange.request(request, sent=True)
        session.keep_content(self.invitation.content)
        self.context.register(session)
        return session

    async def _accepted(self, sent: Sent, response: Response) -> None:
        """The first 2xx: its fork is taken, whatever else comes."""
        self._stop_clocks()
        session = self._session_of(response)
        if session is None:
            self._failed("the 2xx makes no dialog")
            return
        self._taken = session
        self._accepted_by.add(session)
        self._clocks.append(self.context.later(self.context.timers.timeout, self._end_forks))
        await session.take_success(sent.request, response)
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            self._further(each)
        if self._cancellation.wanted:
            self._settle(InviteOutcome(None, response, "cancelled; the 2xx crossed the CANCEL"))
            session.give_up(Cause.CANCELLED)
        else:
            self._settle(InviteOutcome(session, response))

    def _further(self, response: Response) -> None:
        """Another 2xx: a repeat is acknowledged again, another fork is acknowledged and ended."""
        if self._taken is None:
            self._waiting.append(response)
            return
        session = self._session_of(response)
        if session is None:
            return
        if session in self._accepted_by:
            session.repeat_ack(response)
        else:
            self._accepted_by.add(session)
            assert self._cancellation.sent is not None
            work = self._turn_down(session, self._cancellation.sent.request, response)
            self.context.spawn(work, f"BYE to another fork of {self.invitation.call_id}")

    async def _turn_down(self, session: InviteSession, request: Request, response: Response) -> None:
        await session.take_success(request, response)
        session.give_up(Cause.FORK)

    # -- the end

    def _end_early(self, response: Response) -> None:
        """All early dialogs end with a refusal (13.2.2.3)."""
        for session in self.sessions.values():
            session.end(Ending(Cause.REFUSED, by_us=False, message=response))
        self.sessions.clear()

    def _end_forks(self) -> None:
        """13.2.2.4: 64*T1 after the first 2xx no other fork will accept."""
        for session in self.sessions.values():
            if session.dialog.state is DialogState.EARLY:
                session.end(Ending(Cause.FORK, by_us=True))
        self._on_over(self)

    def _failed(self, failure: str) -> None:
        for session in self.sessions.values():
            session.end(Ending(Cause.LOST, by_us=False))
        self._settle(InviteOutcome(None, None, failure))

    def _settle(self, outcome: InviteOutcome) -> None:
        if not self._outcome.done():
            self._outcome.set_result(outcome)
            if self._taken is None:
                self._stop_clocks()
                self._on_over(self)

    def _ran(self, task: asyncio.Task[None]) -> None:
        """Whatever ended the work, whoever waits gets an outcome."""
        if not self._outcome.done():
            self._failed("the user agent was closed" if task.cancelled() else "it failed; see the log")

    def _stop_clocks(self) -> None:
        self._cancellation.over()
        for clock in self._clocks:
            clock.cancel()
        self._clocks.clear()

    def close(self) -> None:
        """Forget it: no more timers."""
        self._stop_clocks()
        self._task.cancel()
