"""What the user of a SIP session gives and is told: contents, endings, and the hooks it may fill."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum, auto
from typing import TYPE_CHECKING, NamedTuple

from harness.agent.sip.agent import Incoming
from harness.sip.message import Request, Response
from harness.sip.offer_answer import is_session

if TYPE_CHECKING:
    from harness.agent.session.context import SessionContext
    from harness.agent.session.invite_server import IncomingInvite
    from harness.agent.session.invite_session import InviteSession

Header = tuple[str, str]


class Content(NamedTuple):
    """A body with its type. headers: others that describe it (Content-Disposition and the like)."""

    type: str
    body: bytes
    headers: tuple[Header, ...] = ()

    @property
    def rows(self) -> list[Header]:
        """The header rows that go with the body."""
        return [("Content-Type", self.type), *self.headers]

    @property
    def is_session(self) -> bool:
        """Whether it is a session description, and so an offer or an answer."""
        dispositions = [value for name, value in self.headers if name.lower() == "content-disposition"]
        return bool(self.body) and is_session(self.type, next(iter(dispositions), None), self.body)

    @classmethod
    def of(cls, message: Request | Response) -> Content | None:
        """The content of a message; None when it has none."""
        if not message.body:
            return None
        rows = [
            (row.canonical, row.value)
            for row in message.fields
            if row.canonical.startswith("Content-")
            and row.canonical not in ("Content-Length", "Content-Type")
        ]
        return cls(message.get("Content-Type") or "", message.body, tuple(rows))


Offer = Content | Callable[[], Content | None] | None
"""Content of a request, or what makes it when the request is sent: meanwhile a session may have changed."""


class Cause(StrEnum):
    """Why a session ended."""

    BYE = auto()  # either end hung up
    CANCELLED = auto()  # before it was accepted
    REFUSED = auto()  # a final response above 299
    NO_ACK = auto()  # our 2xx was never acknowledged (RFC 3261 13.3.1.4)
    NO_PRACK = auto()  # nor our reliable provisional response (RFC 3262 3)
    EXPIRED = auto()  # nobody refreshed it in time (RFC 4028 10), or the INVITE's Expires has passed
    LOST = auto()  # a request in it timed out, could not be sent, or got 481 (RFC 3261 12.2.1.2)
    FORK = auto()  # another branch of the INVITE was taken
    CLOSED = auto()  # the user agent was closed


@dataclass(frozen=True, slots=True)
class Ending:
    """How a session ended. message: what ended it, sent or received, if a message did."""

    cause: Cause
    by_us: bool
    message: Request | Response | None = None


@dataclass(frozen=True, slots=True)
class SessionRequest:
    """A request in a session that its user answers: INFO, MESSAGE, OPTIONS, REFER, NOTIFY and the like."""

    session: InviteSession
    incoming: Incoming
    context: SessionContext

    @property
    def message(self) -> Request:
        """The request."""
        return self.incoming.message

    def respond(self, status: int, content: Content | None = None, headers: Iterable[Header] = ()) -> None:
        """Answer it; a 2xx to a target refresh request moves the remote target."""
        self.session.respond(self.incoming, status, content, headers)


class SessionUser:
    """The user of a session. Every hook is called in the loop's thread and must not block.

    What a hook does here is what happens when nobody cares.
    """

    def progressed(self, session: InviteSession, response: Response) -> None:
        """A provisional response to an INVITE of ours, reliable ones in order and once."""

    def answer_offer(self, session: InviteSession, message: Request | Response) -> Content | None:
        """The answer to an offer that must be answered at once; None refuses it.

        In an UPDATE (None: 488), a PRACK, a reliable provisional response (the answer goes into the PRACK) or
        a 2xx to an INVITE without offer (into the ACK; with None the session is ended, RFC 3261 13.2.2.4).
        """
        return None

    def answered(self, session: InviteSession, response: Response) -> None:
        """The answer to an offer of ours came: one in an INVITE, a refresh, an UPDATE or a PRACK.

        In a 2xx or a reliable provisional response; an answer in an ACK is told by `acknowledged`.
        """

    def acknowledged(self, session: InviteSession, ack: Request) -> None:
        """The ACK to our 2xx came, with the answer when the 2xx carried an offer."""

    def reinvited(self, session: InviteSession, invite: IncomingInvite) -> None:
        """A re-INVITE, to be accepted or rejected like any INVITE, now or later."""
        invite.reject(488)

    def requested(self, request: SessionRequest) -> None:
        """Any other request in the dialog."""
        allow = ("Allow", ", ".join(request.context.allow))
        known = request.message.method in request.context.allow
        request.respond(200 if request.message.method == "OPTIONS" else 501 if known else 405, None, [allow])

    async def refresh(self, session: InviteSession, headers: Iterable[Header] = ()) -> Response:
        """Refresh the session by re-INVITE: with what we described last, unchanged (RFC 4028 7.4)."""
        return await session.reinvite(lambda: session.content, headers)

    def refreshed(self, session: InviteSession, request: Request) -> None:
        """A re-INVITE or UPDATE of the other end was accepted: its interval counts anew (RFC 4028 9)."""

    def ended(self, session: InviteSession, ending: Ending) -> None:
        """The session is over; nothing more comes."""
