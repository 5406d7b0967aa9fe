"""A SIP session that carries MSRP: its offers and answers, and the MSRP sessions they open, move and close.

RFC 4975 8 (a session for each m-line, later offers in 8.4), RFC 6714 4.2 (a new offer without CEMA).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial

from harness.agent.msrp.answer import answer_offer, decline_offer
from harness.agent.msrp.endpoint import MsrpEndpoint
from harness.agent.msrp.media import NOTHING_RESOLVED, Resolved
from harness.agent.msrp.negotiation import FallBack, NoStream, Refusal, read_description
from harness.agent.msrp.offer import make_offer, take_answer
from harness.agent.msrp.plan import MsrpPlan, Role
from harness.agent.msrp.session import MsrpUser, SessionHandle
from harness.agent.msrp.terms import MsrpTerms
from harness.agent.session.invite_client import InviteOutcome, OutgoingInvite
from harness.agent.session.invite_server import IncomingInvite
from harness.agent.session.invite_session import InviteSession
from harness.agent.session.user import Cause, Content, Ending, Header, SessionUser
from harness.bodies.sdp import write_sdp
from harness.bodies.sdp_attributes import Setup, parse_setup
from harness.bodies.session_description import MediaDescription, Origin, SessionDescription
from harness.errors import UsageError
from harness.sip.dialog import DialogState
from harness.sip.grammar import quote
from harness.sip.message import Request, Response

SDP = "application/sdp"


class MsrpCall(SessionUser):
    """The user of a SIP session that carries MSRP, from either end.

    Args: endpoint: where its MSRP sessions live. terms: what we want, one for each m-line. origin: our
    o-line. user: makes who is told of the MSRP session of an m-line, by its place. resolved: addresses of
    names in the other side's SDP, for CEMA. strict: False for offers against RFC 6135 4.2, on purpose.

    As caller, what `offer` gives goes into the INVITE this is the user of, and `outcome` waits for its end;
    as callee, `accept` answers. `opened` waits for the MSRP session. handles: that of each m-line, None where
    there is none. problem: why the last description of the other side, or a stream of it, was refused. sdp:
    the offer alone, where our INVITE carries other parts beside it.
    """

    def __init__(
        self,
        endpoint: MsrpEndpoint,
        terms: Sequence[MsrpTerms | None],
        origin: Origin,
        user: Callable[[int], MsrpUser] = lambda _: MsrpUser(),
        *,
        resolved: Resolved = NOTHING_RESOLVED,
        strict: bool = True,
    ) -> None:
        self.endpoint, self.origin, self.terms = endpoint, origin, tuple(terms)
        self.session: InviteSession | None = None
        self.handles: list[SessionHandle | None] = []
        self.problem: Refusal | NoStream | None = None
        self.sdp: Content | None = None
        self._new_user, self._resolved, self._strict = user, resolved, strict
        self._own: SessionDescription | None = None  # ours and theirs as they were settled last
        self._theirs: SessionDescription | None = None
        self._offered: SessionDescription | None = None  # ours, while it waits for its answer
        self._offered_terms: tuple[MsrpTerms | None, ...] = ()
        self._due: list[tuple[int, MsrpPlan]] = []  # to be opened once the other side has our answer
        self._expected: list[str] = []  # URIs of ours that were offered, and may be connected to
        self._settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def handle(self) -> SessionHandle:
        """The first MSRP session. Raises UsageError when there is none."""
        found = next((each for each in self.handles if each is not None), None)
        if found is None:
            known = self.problem and f"{self.problem.reason} ({self.problem.clause})"
            raise UsageError(f"there is no MSRP session: {known or 'none was settled, or it is over'}")
        return found

    async def opened(self) -> SessionHandle:
        """Wait until the first MSRP session has its connection.

        Raises UsageError when none was settled, TransportFailed when it cannot be connected.
        """
        await asyncio.shield(self._settled)
        handle = self.handle
        await asyncio.shield(handle.ready)
        return handle

    # -- offers of ours

    def offer(self, terms: Sequence[MsrpTerms | None] | None = None) -> Content:
        """An offer, on the terms there are or on new ones; None among them ends the session of that place."""
        self._offered_terms = self.terms if terms is None else tuple(terms)
        self._offered = make_offer(self._offered_terms, self.origin, previous=self._own, strict=self._strict)
        for each in self._offered_terms:
            if each is not None and each.setup is not Setup.ACTIVE:
                self._expect(each)
        return Content(SDP, self.written(self._offered, offers=True))

    def written(self, description: SessionDescription, *, offers: bool) -> bytes:
        """A description of ours as it is sent: an offer, or an answer."""
        return write_sdp(description)

    def _expect(self, terms: MsrpTerms) -> None:
        """The other side may connect before we have its answer."""
        path = terms.path(terms.secure)
        if path is not None:
            self.endpoint.expect(path[-1])
            self._expected.append(path[-1])

    def _expect_nothing(self) -> None:
        """The offer was answered, or never will be."""
        for uri in self._expected:
            self.endpoint.forget(uri)
        self._expected.clear()

    async def change(
        self, terms: Sequence[MsrpTerms | None] | None = None, headers: Iterable[Header] = ()
    ) -> Response:
        """Offer anew: other terms, or the same to refresh; the final response.

        In a re-INVITE, or an UPDATE while the dialog is early. A refusal leaves everything as it was (RFC
        3261 14.1). Raises as InviteSession.reinvite.
        """
        if self.session is None:
            raise UsageError("there is no SIP session yet")
        early = self.session.dialog.state is DialogState.EARLY
        send = self.session.update if early else self.session.reinvite
        try:
            return await send(partial(self.offer, terms), headers)
        finally:
            self._offered = None
            self._expect_nothing()

    async def refresh(self, session: InviteSession, headers: Iterable[Header] = ()) -> Response:
        """With what was said last, but actpass where that says passive: no offer may (RFC 6135 4.2.2)."""
        own = self._own
        if own is None or not any(_setup_of(own, line) is Setup.PASSIVE for line in own.media):
            return await super().refresh(session, headers)
        return await self.change(tuple(map(partial(_offerable, own), own.media, self.terms)), headers)

    async def outcome(self, outgoing: OutgoingInvite) -> InviteOutcome:
        """Wait for the end of the INVITE that took our offer along; without a session all is over."""
        outcome = await outgoing.outcome()
        if outcome.session is None:
            self._close("the INVITE made no session")
        return outcome

    def answered(self, session: InviteSession, response: Response) -> None:
        """The answer to an offer of ours; of several forks the first that accepts counts.

        Refreshes repeat the offer, not what was sent beside it.
        """
        if self.sdp is not None:
            session.keep_content(self.sdp)
            self.sdp = None
        held = self.session
        if held is None or held.has_ended() or held.dialog.state is DialogState.EARLY:
            self.session = session
        if session is self.session:
            self._take(session, response)

    def acknowledged(self, session: InviteSession, ack: Request) -> None:
        """The other side has our answer, or the ACK brings its own."""
        if self._offered is not None and ack.body:
            self._take(session, ack)
        self._open_due()

    def _take(self, session: InviteSession, message: Request | Response) -> None:
        theirs = _description(message)
        if isinstance(theirs, Refusal):
            self._hang_up(session, theirs)
            return
        offered, self._offered = self._offered, None
        if offered is None:  # the answer to a refresh that repeated our last description
            if theirs != self._theirs:
                session.context.spawn(self.change(), "re-INVITE: the refresh was answered otherwise")
            return
        outcome = take_answer(offered, theirs, self._offered_terms, resolved=self._resolved)
        if isinstance(outcome, Refusal):
            self._hang_up(session, outcome)
        elif isinstance(outcome, FallBack):
            self._own = offered
            session.context.spawn(self._fall_back(session, outcome), "an offer without CEMA")
        else:
            self.terms, self._own, self._theirs = self._offered_terms, offered, theirs
            self._apply(outcome.streams)
            self._open_due()
            if outcome.plan is None and any(self.terms):
                self._hang_up(session, self.problem)

    async def _fall_back(self, session: InviteSession, outcome: FallBack) -> None:
        response = await self.change(outcome.terms)
        if response.status >= 300:
            reason = f"{response.status} to the offer without CEMA"
            self._hang_up(session, Refusal(response.status, reason, "RFC 6714 4.2"))

    def _hang_up(self, session: InviteSession, problem: Refusal | NoStream | None) -> None:
        self.problem = problem
        self._be_settled()
        session.give_up(Cause.BYE)

    # -- answers of ours

    async def accept(
        self,
        invite: IncomingInvite,
        headers: Iterable[Header] = (),
        *,
        alter: Callable[[Response], Response] | None = None,
        streams: bool = True,
    ) -> InviteSession | None:
        """Answer an INVITE or re-INVITE with a 200, or refuse it for what it offers.

        The first one makes its session ours. An INVITE without an offer gets ours. alter: see
        IncomingInvite.accept. streams: False answers every m-line of the offer with port 0. None when it was
        refused, or ended meanwhile.
        """
        content = self._answer(invite.request, streams)
        if isinstance(content, Refusal):
            warning = f"{content.warning:d} {self.origin.address} {quote(content.reason)}"
            understood = [("Accept", SDP)] if content.status == 415 else []  # RFC 3261 8.2.3
            invite.reject(content.status, headers=[("Warning", warning), *understood])
            return None
        if invite.initial:
            self.session, invite.session.user = invite.session, self
        session = await invite.accept(content, headers=headers, alter=alter)
        if session is None:
            self._close("the INVITE ended before it was accepted")
        return session

    def answer_offer(self, session: InviteSession, message: Request | Response) -> Content | None:
        """The answer to an offer that has to be answered at once."""
        content = self._answer(message)
        asyncio.get_running_loop().call_soon(self._open_due)  # once the answer is on its way
        return None if isinstance(content, Refusal) else content

    def reinvited(self, session: InviteSession, invite: IncomingInvite) -> None:
        """A later offer of the other side, or its wish for one of ours."""
        session.context.spawn(self.accept(invite), "answer to a re-INVITE")

    def _answer(self, message: Request | Response, streams: bool = True) -> Content | Refusal:
        if not message.body:
            return self.offer()
        theirs = _description(message)
        if isinstance(theirs, Refusal):
            self.problem = theirs
            return theirs
        outcome = (
            answer_offer(theirs, self.terms, self.origin, previous=self._own, resolved=self._resolved)
            if streams
            else decline_offer(theirs, self.origin, previous=self._own)
        )
        if isinstance(outcome, Refusal):
            self.problem = outcome
            return outcome
        self._own, self._theirs = outcome.description, theirs
        self._apply(outcome.streams)
        return Content(SDP, self.written(outcome.description, offers=False))

    # -- MSRP sessions

    def _apply(self, streams: Sequence[MsrpPlan | NoStream]) -> None:
        """Bring the MSRP sessions into line with what was settled; one that did not change goes on.

        Those that wait for a connection are there at once, those that connect are left to `_open_due`: who
        answers does so when the other side knows of it.
        """
        self.handles += [None] * (len(streams) - len(self.handles))
        self._due.clear()
        for place, stream in enumerate(streams):
            held = self.handles[place]
            if isinstance(stream, NoStream):
                self.problem = stream
                self._end(place, stream.reason)
            elif held is not None and not held.failed and _same_session(held.plan, stream):
                held.plan = stream
            else:
                self._end(place, "it was negotiated anew")
                if stream.role is Role.ACTIVE:
                    self._due.append((place, stream))
                else:
                    self._open(place, stream)
        if not self._due:
            self._be_settled()

    def _open_due(self) -> None:
        due, self._due = self._due, []
        for place, plan in due:
            self._open(place, plan)
        if due:
            self._be_settled()

    def _open(self, place: int, plan: MsrpPlan) -> None:
        self.handles[place] = self.endpoint.open(plan, self._new_user(place))

    def _end(self, place: int, reason: str) -> None:
        held, self.handles[place] = self.handles[place], None
        if held is not None:
            held.close(reason)

    def _be_settled(self) -> None:
        self._expect_nothing()
        if not self._settled.done():
            self._settled.set_result(None)

    def _close(self, reason: str) -> None:
        self._due.clear()
        for place in range(len(self.handles)):
            self._end(place, reason)
        self._be_settled()

    def ended(self, session: InviteSession, ending: Ending) -> None:
        """The MSRP sessions end with the SIP session (RFC 4975 5.4: after BYE nothing is sent)."""
        if self.session in (None, session):
            self._close(f"the SIP session ended: {ending.cause}")


def _setup_of(own: SessionDescription, line: MediaDescription) -> Setup | None:
    found = own.attribute_of(line, "setup")
    return parse_setup(found.value if found is not None else None)


def _offerable(own: SessionDescription, line: MediaDescription, terms: MsrpTerms | None) -> MsrpTerms | None:
    """Terms that offer an m-line of ours again: None where it ended."""
    if terms is None or not line.port:
        return None
    setup = _setup_of(own, line) or terms.setup
    return replace(terms, setup=Setup.ACTPASS if setup is Setup.PASSIVE else setup)


def _description(message: Request | Response) -> SessionDescription | Refusal:
    """What a message describes, without the lines it was read from: that much less is kept of each call."""
    found = read_description(message.body, message.get("Content-Type"))
    return found if isinstance(found, Refusal) else replace(found, raw=b"", lines=(), faults=())


def _same_session(one: MsrpPlan, other: MsrpPlan) -> bool:
    """Whether a later exchange names the session there is: the connection stays (RFC 4975 8.4)."""
    return (one.own_path, one.remote_path, one.tls) == (other.own_path, other.remote_path, other.tls)
