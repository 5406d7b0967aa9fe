"""Where offers and answers stand in SIP messages (RFC 3261 13.2.1, RFC 3262 5, RFC 3311 5, RFC 6337 2.2).

Only whose turn it is; what a session description says is left to its body.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum, auto
from typing import NamedTuple

from harness.errors import SipSyntaxError
from harness.sip.headers import MediaType
from harness.sip.message import Request, Response, SipMessage

_SDP = "application/sdp"
_SDP_PART = re.compile(rb"^Content-Type[ \t]*:[ \t]*application/sdp[ \t]*(?:;|\r?$)", re.I | re.M)


def carries_session(message: SipMessage) -> bool:
    """Whether a message carries a session description."""
    if not message.body:
        return False
    return is_session(message.get("Content-Type"), message.get("Content-Disposition"), message.body)


def is_session(content_type: str | None, disposition: str | None, body: bytes) -> bool:
    """Whether a body is a session description: by its Content-Disposition, else by its type.

    RFC 3261 13.2.1. A multipart body is one when a part of it is SDP.
    """
    try:
        kind = MediaType.parse(content_type or "")
    except SipSyntaxError:
        return False
    if kind.type.lower() == "multipart":
        return _SDP_PART.search(body) is not None
    if disposition:
        return disposition.partition(";")[0].strip().lower() == "session"
    return kind.essence == _SDP


class Turn(StrEnum):
    """Whose turn it is."""

    FREE = auto()
    OFFER_SENT = auto()
    OFFER_RECEIVED = auto()


class OfferAnswer:
    """The offers and answers of one dialog. Told of each request and response, once, in order.

    turn: whose answer is due. established: whether an exchange has been completed.
    """

    def __init__(self) -> None:
        self.turn = Turn.FREE
        self.established = False
        self._offer: _Offer | None = None
        self._last_invite: dict[bool, int] = {}

    @property
    def may_offer(self) -> bool:
        """Whether we may make an offer in a request now (RFC 3264 4, RFC 3311 5.1)."""
        return self.turn is Turn.FREE

    def refusal(self, request: Request) -> int | None:
        """The status a request with an offer must be refused with now, or None (RFC 3311 5.2).

        491 while our offer waits for its answer; 500, with Retry-After, while theirs waits for ours.
        """
        return _REFUSALS.get(self.turn) if carries_session(request) else None

    def request(self, message: Request, *, sent: bool) -> None:
        """A request went out or came in. An ACK without the answer that is due ends the exchange."""
        transaction = _transaction(message, ours=sent)
        if carries_session(message):
            if self._answers(sent):
                self._complete()
            elif self.turn is Turn.FREE and message.method != "ACK":
                self._begin(_Offer(transaction, in_request=True), sent)
        elif message.method == "ACK" and self._offer is not None and self._offer.transaction == transaction:
            self._withdraw()

    def response(self, message: Response, *, sent: bool) -> None:
        """A response went out or came in: a final or a reliable provisional one.

        A refusal takes the offer of its request back, as does a 2xx without the answer that is due. A second
        description in responses to one INVITE is no offer, it is passed over (RFC 6337 3.1.1).
        """
        transaction = _transaction(message, ours=not sent)
        if message.status < 300 and carries_session(message):
            if self._answers(sent):
                self._complete()
            elif self.turn is Turn.FREE and self._may_begin_in_response(transaction):
                self._begin(_Offer(transaction, in_request=False), sent)
        elif self._offer is not None and self._offer.ends_with(message.status, transaction):
            self._withdraw()

    def abandon(self, request: Request) -> None:
        """Nobody waits any more for the answer to the offer in this request of ours."""
        if self._offer is not None and self._offer.transaction == _transaction(request, ours=True):
            self._withdraw()

    def _answers(self, sent: bool) -> bool:
        return self.turn is (Turn.OFFER_RECEIVED if sent else Turn.OFFER_SENT)

    def _may_begin_in_response(self, transaction: _Transaction) -> bool:
        newest = self._last_invite.get(transaction.ours)
        return transaction.method == "INVITE" and transaction.number != newest

    def _begin(self, offer: _Offer, sent: bool) -> None:
        self.turn, self._offer = Turn.OFFER_SENT if sent else Turn.OFFER_RECEIVED, offer
        if offer.transaction.method == "INVITE":
            self._last_invite[offer.transaction.ours] = offer.transaction.number

    def _withdraw(self) -> None:
        self.turn, self._offer = Turn.FREE, None

    def _complete(self) -> None:
        self._withdraw()
        self.established = True


_REFUSALS: Mapping[Turn, int] = {Turn.OFFER_SENT: 491, Turn.OFFER_RECEIVED: 500}


class _Transaction(NamedTuple):
    """Each end numbers its own requests. ours: the request was sent here."""

    ours: bool
    number: int
    method: str


class _Offer(NamedTuple):
    transaction: _Transaction
    in_request: bool

    def ends_with(self, status: int, transaction: _Transaction) -> bool:
        """Whether a response that is no answer ends it: a refusal, or the 2xx that had to answer."""
        return self.transaction == transaction and (status >= 300 or (status >= 200 and self.in_request))


def _transaction(message: SipMessage, *, ours: bool) -> _Transaction:
    cseq = message.cseq
    return _Transaction(ours, cseq.number, "INVITE" if cseq.method == "ACK" else cseq.method)
