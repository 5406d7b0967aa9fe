"""From SIP messages to offers, answers and MSRP sessions (RFC 3264, RFC 3261 13.2.1, RFC 6337 2).

MSRP is tied to a session by the session-ids of its paths, which stay when a session border controller writes
other addresses into them (RFC 6714 6.2).
"""

from __future__ import annotations

from collections import defaultdict

from harness.bodies.sdp import parse_sdp
from harness.bodies.session_description import MediaDescription
from harness.errors import BodySyntaxError
from harness.verify.chains import let_go
from harness.verify.items import Dialog, SipEntry
from harness.verify.msrp_items import MsrpEntry
from harness.verify.negotiation_items import Description, Exchange, MsrpEnd, MsrpSession, Role
from harness.verify.sip_bodies import bodies_of

SDP = "application/sdp"
_MOST_PATHS = 1024  # pairs of To-Path and From-Path of which the session is remembered
_OFFERING = frozenset({"INVITE", "UPDATE", "PRACK"})


class Negotiations:
    """Reads each SIP message once, in order, when it has been linked to its transaction and dialog."""

    def __init__(self) -> None:
        self.descriptions: list[Description] = []
        self.sessions: list[MsrpSession] = []
        self._by_session_id: dict[str, list[MsrpSession]] = defaultdict(list)
        self._of_exchange: dict[Exchange, list[MsrpSession]] = defaultdict(list)
        self._of_dialog: dict[Dialog, list[MsrpSession]] = defaultdict(list)
        self._of_paths: dict[tuple[str | None, str | None], tuple[MsrpSession, bool] | None] = {}
        self._by_branch: dict[tuple[Description, str | None], Exchange] = {}

    def read(self, entry: SipEntry) -> Description | None:
        """The description of a message, linked to its exchange and its sessions; None when it has none."""
        found = next(bodies_of(entry, SDP), None)
        if found is None:
            self._refused(entry)
            return None
        offset, raw = found
        description = Description(entry, offset, raw, None, _role(entry), _by_caller(entry))
        try:
            description.sdp = parse_sdp(raw)
        except BodySyntaxError as error:
            description.error = error
        for index, media in enumerate(description.sdp.media if description.sdp else ()):
            if _is_msrp(media):
                description.ends.append(MsrpEnd(description, index, media))
        self.descriptions.append(description)
        self._link(description)
        return description

    def sessions_of(self, dialog: Dialog) -> list[MsrpSession]:
        """The MSRP sessions a dialog has negotiated, in order."""
        return list(self._of_dialog.get(dialog, ()))

    def sessions_named(self, session_id: str | None) -> list[MsrpSession]:
        """Sessions of which one side has that session-id, oldest first."""
        return list(self._by_session_id.get(session_id or "", ()))

    def session_of(self, entry: MsrpEntry) -> tuple[MsrpSession, bool] | None:
        """The session an MSRP message belongs to, and whether its caller sent it.

        A session both of whose sides the paths name goes first, then the newest one.
        """
        if entry.message is None:
            return None
        key = entry.message.get("To-Path"), entry.message.get("From-Path")
        if key not in self._of_paths:
            if len(self._of_paths) >= _MOST_PATHS:
                self._of_paths.clear()
            self._of_paths[key] = self._find_session(entry)
        return self._of_paths[key]

    def _find_session(self, entry: MsrpEntry) -> tuple[MsrpSession, bool] | None:
        to = entry.to_path[-1].session_id if entry.to_path else None
        from_ = entry.from_path[-1].session_id if entry.from_path else None
        best: tuple[int, MsrpSession, bool] | None = None
        for session in (*self.sessions_named(from_), *self.sessions_named(to)):
            sender, receiver = session.side_of(from_), session.side_of(to)
            if sender is None and receiver is None:
                continue
            score = (sender is not None) + (receiver is not None)
            by_caller = sender if sender is not None else not receiver
            if best is None or score >= best[0]:
                best = score, session, by_caller
        return (best[1], best[2]) if best else None

    def forget(self, calls: set[str]) -> set[MsrpSession]:
        """Let the descriptions and sessions of these calls go; gives the sessions."""
        self.descriptions = [each for each in self.descriptions if each.entry.call_id not in calls]
        gone = {session for session in self.sessions if session.call_id in calls}
        self.sessions = [session for session in self.sessions if session not in gone]
        self._of_paths.clear()
        for session in gone:
            for session_id in {end.session_id for end in session.ends if end.session_id}:
                let_go(self._by_session_id, session_id, gone)
            for exchange in session.exchanges:
                self._of_exchange.pop(exchange, None)
            if session.dialog is not None:
                self._of_dialog.pop(session.dialog, None)
        self._by_branch = {
            key: exchange for key, exchange in self._by_branch.items() if key[0].entry.call_id not in calls
        }
        return gone

    # -- offers and answers -------------------------------------------------------------------------------

    def _link(self, description: Description) -> None:
        entry = description.entry
        entry.description = description
        if description.role is Role.OFFER:
            description.exchange = Exchange(description)
            self._open_sessions(description, description.exchange)
            return
        exchange = _answered(description)
        if exchange is None:
            return
        exchange = self._forked(exchange, description)
        description.exchange = exchange
        if description.role is Role.PREVIEW:
            exchange.previews.append(description)
        elif exchange.answer is None:
            exchange.answer = description
        for session in self._of_exchange[exchange]:
            self._add_end(session, description)

    def _open_sessions(self, description: Description, exchange: Exchange) -> None:
        """The sessions an offer is for: those the dialog has, or new ones."""
        dialog = description.dialog
        known = {session.index: session for session in self._of_dialog.get(dialog, ())} if dialog else {}
        for end in description.ends:
            session = known.get(end.index)
            if session is None:
                session = self._new_session(end.index, dialog)
            session.exchanges.append(exchange)
            self._of_exchange[exchange].append(session)
            self._add_end(session, description)

    def _new_session(self, index: int, dialog: Dialog | None) -> MsrpSession:
        session = MsrpSession(index)
        self.sessions.append(session)
        if dialog is not None:
            self._of_dialog[dialog].append(session)
        return session

    def _forked(self, exchange: Exchange, answer: Description) -> Exchange:
        """The exchange for the dialog of this answer: an INVITE that forks has one for each To tag, and each
        sets up a session of its own (RFC 3261 13.2.2.4).
        """
        branch = exchange.offer, answer.entry.to_tag
        known = self._by_branch.get(branch)
        if known is None:
            taken = exchange.answer is not None or exchange.previews
            known = self._by_branch[branch] = self._twin(exchange) if taken else exchange
        return known

    def _twin(self, exchange: Exchange) -> Exchange:
        twin = Exchange(exchange.offer)
        for session in self._of_exchange[exchange]:
            other = self._new_session(session.index, None)
            other.fork_of = session
            other.exchanges.append(twin)
            self._of_exchange[twin].append(other)
            self._add_end(other, exchange.offer)
        return twin

    def _add_end(self, session: MsrpSession, description: Description) -> None:
        end = description.end(session.index)
        if end is None:
            return
        session.ends.append(end)
        self._of_paths.clear()
        if end.session_id and session not in self._by_session_id[end.session_id]:
            self._by_session_id[end.session_id].append(session)
        dialog = description.dialog
        if dialog is not None and session not in self._of_dialog[dialog]:
            self._of_dialog[dialog].append(session)

    def _refused(self, entry: SipEntry) -> None:
        transaction = entry.transaction
        if entry.status < 300 or transaction is None:
            return
        offer = transaction.request.description
        if offer is not None and offer.exchange is not None and offer.role is Role.OFFER:
            offer.exchange.refused = offer.exchange.refused or entry


def _role(entry: SipEntry) -> Role:
    if entry.method not in (*_OFFERING, "ACK"):
        return Role.CAPABILITY
    transaction = entry.transaction
    if entry.request is not None:
        if entry.method == "ACK" or (entry.method == "PRACK" and _waiting_offer(entry) is not None):
            return Role.ANSWER
        return Role.OFFER
    asked = transaction.request.description if transaction else None
    if asked is None or asked.role is Role.ANSWER:
        return Role.OFFER if transaction is not None and entry.method == "INVITE" else Role.ANSWER
    return Role.ANSWER if entry.status >= 200 or _is_reliable(entry) else Role.PREVIEW


def _answered(description: Description) -> Exchange | None:
    """The exchange an answer belongs to."""
    entry = description.entry
    transaction = entry.transaction
    if transaction is None:
        return None
    if entry.response is not None:
        asked = transaction.request.description
        return asked.exchange if asked else None
    if entry.method == "PRACK":
        offer = _waiting_offer(entry)
        return offer.exchange if offer else None
    offers = [
        response.description
        for response in transaction.responses
        if response.description is not None and response.description.role is Role.OFFER
    ]
    same = [each for each in offers if each.entry.to_tag == entry.to_tag]
    return (same or offers)[-1].exchange if offers else None


def _waiting_offer(prack: SipEntry) -> Description | None:
    """The offer in the reliable provisional response a PRACK acknowledges, while it has no answer."""
    creation = prack.dialog.creation if prack.dialog else None
    for response in reversed(creation.responses if creation else ()):
        known = response.description
        if known is not None and known.role is Role.OFFER and known.exchange is not None:
            return known if known.exchange.answer is None else None
    return None


def _is_reliable(entry: SipEntry) -> bool:
    return entry.message is not None and entry.message.get("RSeq") is not None


def _by_caller(entry: SipEntry) -> bool:
    """Whether the side that made the dialog wrote it."""
    request = entry if entry.request is not None else entry.transaction.request if entry.transaction else None
    by_caller = True
    if request is not None and request.dialog is not None:
        by_caller = request.dialog.by_caller(request)
    return by_caller is (entry.request is not None)


def _is_msrp(media: MediaDescription) -> bool:
    return "MSRP" in media.protocol.upper().split("/")
