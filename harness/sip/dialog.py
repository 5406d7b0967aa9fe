"""Dialogs (RFC 3261 12, with the target refresh of RFC 6141 4, the methods of RFC 6665 and RFC 5057 5).

A dialog knows who talks to whom, over which route, and in which order. What is said in it (a session, a
subscription) and when it ends is left to its usages.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator
from enum import StrEnum, auto
from typing import NamedTuple

from harness.errors import SipSyntaxError, UsageError
from harness.sip.grammar import NO_PARAMETERS, Parameters
from harness.sip.headers import NameAddr, canonical_name
from harness.sip.message import Request, Response, SipMessage, build_request
from harness.sip.reliable_provisional import is_reliable
from harness.sip.uri import Uri, parse_uri

Header = tuple[str, str]

# RFC 3261 12.2, RFC 3311 5, RFC 6665 3.1 and 4.1.3, RFC 5057 5.4 (which adds REFER).
TARGET_REFRESH = frozenset({"INVITE", "UPDATE", "SUBSCRIBE", "NOTIFY", "REFER"})

# RFC 5057 5.1 table 1: what a final response to any request in a dialog takes with it. A 408 stands for a
# transaction that timed out (5.2). 405 and 501 count only for a method the usage cannot do without.
ENDS_DIALOG = frozenset({404, 410, 416, 482, 483, 484, 485, 502, 604})
ENDS_USAGE = frozenset({405, 408, 480, 481, 489, 501})

_SIP = frozenset({"sip", "sips"})
_OWN = frozenset({"Via", "Route", "From", "To", "Call-ID", "CSeq"})
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]|[\ud800-\udfff]")
_FIRST_CSEQ = 1
_MAX_FORWARDS = "70"


class DialogState(StrEnum):
    """How far a dialog has come (12, 12.3)."""

    EARLY = auto()
    CONFIRMED = auto()
    TERMINATED = auto()


class DialogId(NamedTuple):
    """What names a dialog at one of its ends. A tag is None where an RFC 2543 peer sent none (12.1)."""

    call_id: str
    local_tag: str | None
    remote_tag: str | None

    @property
    def key(self) -> DialogId:
        """The same in the form ids are compared in: tags are tokens, so without case (7.3.1)."""
        return DialogId(self.call_id, _lower(self.local_tag), _lower(self.remote_tag))


def id_at_server(request: Request) -> DialogId:
    """The dialog a request of the other end belongs to, or would begin (12). Raises SipSyntaxError."""
    return DialogId(request.call_id, request.to.tag, request.from_.tag)


def id_at_client(message: Request | Response) -> DialogId:
    """The dialog of a request of ours or of a response to one (12). Raises SipSyntaxError."""
    return DialogId(message.call_id, message.from_.tag, message.to.tag)


class Dialog:
    """One dialog as one of its ends sees it. Made by `as_caller` or `as_callee`.

    local, remote: From and To values of requests, with tags, as they came. remote_target: the URI requests
    are meant for. route_set: URIs in the order of Route. secure: only SIPS may be used. local_cseq,
    remote_cseq: the last numbers used, None before the first. contact: our Contact value, for target refresh
    requests. called: whether the other end began it.
    """

    __slots__ = (
        "_begun_by", "_own_routes", "called", "contact", "id", "local", "local_cseq", "remote", "remote_cseq",
        "remote_target", "route_set", "secure", "state",
    )  # fmt: skip

    def __init__(
        self,
        id: DialogId,
        *,
        local: str,
        remote: str,
        remote_target: str,
        route_set: tuple[str, ...],
        secure: bool,
        local_cseq: int | None,
        remote_cseq: int | None,
        contact: str,
        state: DialogState,
        called: bool,
        begun_by: tuple[int, str],
        own_routes: tuple[str, ...] = (),
    ) -> None:
        self.id, self.local, self.remote = id, local, remote
        self.remote_target, self.route_set, self.secure = remote_target, route_set, secure
        self.local_cseq, self.remote_cseq, self.contact = local_cseq, remote_cseq, contact
        self.state, self.called, self._begun_by = state, called, begun_by
        self._own_routes = own_routes

    @classmethod
    def as_caller(cls, request: Request, response: Response, *, over_tls: bool = False) -> Dialog:
        """The dialog a 101-199 or 2xx to our request makes (12.1.2): early or confirmed by its class.

        A response without a usable Contact leaves the Request-URI as target: its ACK must go somewhere.
        Record-Route values of the request itself stay out of the route set: they name the sender, where it is
        its own first proxy. over_tls: whether the request was sent over TLS. Raises UsageError for a response
        that makes no dialog, SipSyntaxError when its To or the Call-ID cannot be read.
        """
        if not 100 < response.status < 300:
            raise UsageError(f"a {response.status} makes no dialog (RFC 3261 12.1)")
        return cls(
            DialogId(request.call_id, request.from_.tag, response.to.tag),
            local=_party(request, "From", request.from_.tag),
            remote=_party(response, "To", response.to.tag),
            remote_target=_contact_uri(response) or request.uri,
            route_set=_callers_route_set(response, _route_set(request)),
            secure=over_tls and _is_sips(request.uri),
            local_cseq=request.cseq.number,
            remote_cseq=None,
            contact=", ".join(request.values("Contact")),
            state=DialogState.EARLY if response.status < 200 else DialogState.CONFIRMED,
            called=False,
            begun_by=(request.cseq.number, request.method),
            own_routes=_route_set(request),
        )

    @classmethod
    def as_callee(
        cls,
        request: Request,
        local_tag: str,
        *,
        contact: str,
        confirmed: bool = False,
        over_tls: bool = False,
        local_cseq: int | None = None,
    ) -> Dialog:
        """The dialog our 101-199 or 2xx to this request makes (12.1.1).

        local_tag: the To tag we answer with (that of the request when it has one: the NOTIFY that makes a
        subscriber's dialog, RFC 6665 4.4.1, then local_cseq is the number of the SUBSCRIBE). contact: the
        Contact value we answer with. over_tls: whether the request came over TLS. Raises SipSyntaxError
        when the request cannot be used; one without Contact (RFC 2543) is answered where its From points.
        """
        return cls(
            DialogId(request.call_id, local_tag, request.from_.tag),
            local=_party(request, "To", local_tag),
            remote=_party(request, "From", request.from_.tag),
            remote_target=_caller_target(request),
            route_set=_route_set(request),
            secure=over_tls and _is_sips(request.uri),
            local_cseq=local_cseq,
            remote_cseq=request.cseq.number,
            contact=contact,
            state=DialogState.CONFIRMED if confirmed else DialogState.EARLY,
            called=True,
            begun_by=(request.cseq.number, request.method),
        )

    def __repr__(self) -> str:
        return f"<Dialog {self.state} {self.id.call_id} {self.id.local_tag}/{self.id.remote_tag}>"

    # -- requests of ours

    @property
    def next_hop(self) -> Uri:
        """Where the next request goes: the first of the route set, else the remote target (8.1.2).

        Raises SipSyntaxError when that is no URI.
        """
        return parse_uri(self.route_set[0] if self.route_set else self.remote_target)

    def request(
        self,
        method: str,
        headers: Iterable[Header] = (),
        body: bytes = b"",
        *,
        via: str | None = None,
        cseq: int | None = None,
    ) -> Request:
        """The next request in this dialog (12.2.1.1), with the next CSeq number.

        headers: what the dialog does not give; Contact is added to target refresh requests and Max-Forwards
        to all where they are not among them. via: the Via value; None leaves it to whoever sends. cseq: that
        of the INVITE for an ACK, which needs it; for another method the same request again, by another way.
        Raises UsageError.
        """
        rows = list(headers)
        self._demand(method, rows, cseq)
        if cseq is None:
            cseq = _FIRST_CSEQ if self.local_cseq is None else self.local_cseq + 1
            self.local_cseq = cseq
        uri, routes = self._way()
        given = {canonical_name(name) for name, _ in rows}
        return build_request(
            method,
            uri,
            [
                *([] if via is None else [("Via", via)]),
                *([] if "Max-Forwards" in given else [("Max-Forwards", _MAX_FORWARDS)]),
                *(("Route", f"<{route}>") for route in routes),
                ("From", self.local),
                ("To", self.remote),
                ("Call-ID", self.id.call_id),
                ("CSeq", f"{cseq} {method}"),
                *([("Contact", self.contact)] if self._shows_contact(method, given) else []),
                *rows,
            ],
            body,
        )

    def _demand(self, method: str, rows: list[Header], cseq: int | None) -> None:
        if method == "CANCEL":
            raise UsageError("a CANCEL is made from its request, not in a dialog (RFC 3261 9.1)")
        if method == "ACK" and cseq is None:
            raise UsageError("an ACK has the number of its INVITE (RFC 3261 13.2.2.4): none was given")
        if method != "ACK" and self.state is DialogState.TERMINATED:
            raise UsageError(f"{method} in a dialog that has ended (RFC 3261 12.3)")
        for name, _ in rows:
            if canonical_name(name) in _OWN:
                raise UsageError(f"{name} of a request in a dialog comes from the dialog (RFC 3261 12.2.1.1)")

    def _shows_contact(self, method: str, given: set[str]) -> bool:
        return method in TARGET_REFRESH and "Contact" not in given and bool(self.contact)

    def _way(self) -> tuple[str, tuple[str, ...]]:
        """Request-URI and Route URIs: loose, or strict for a first hop without lr."""
        target = _request_uri(self.remote_target)
        if not self.route_set or _is_loose(self.route_set[0]):
            return target, self.route_set
        return _request_uri(self.route_set[0]), (*self.route_set[1:], self.remote_target)

    def answered(self, response: Response) -> None:
        """A response came to a request of ours; to be told once of each, not of repeats.

        The 2xx to the request that began an early dialog confirms it and gives the route set anew
        (13.2.2.4). A 2xx or a reliable provisional response to a target refresh request moves the remote
        target (12.2.1.2, RFC 6141 4.7).
        """
        cseq = response.cseq
        success = 200 <= response.status < 300
        if success and self.state is DialogState.EARLY and (cseq.number, cseq.method) == self._begun_by:
            self.route_set = _callers_route_set(response, self._own_routes)
            self.state = DialogState.CONFIRMED
        if cseq.method in TARGET_REFRESH and (success or is_reliable(response)):
            self.remote_target = _contact_uri(response) or self.remote_target

    # -- requests of the other end

    def receive(self, request: Request) -> int | None:
        """Take in a request of the other end. The status it must be refused with, or None when in order.

        500 for a number that is not above the last one (12.2.2); gaps are legal. ACK and CANCEL repeat the
        number of their INVITE and are always in order. Raises SipSyntaxError without a usable CSeq.
        """
        number = request.cseq.number
        if request.method in ("ACK", "CANCEL"):
            return None
        if self.remote_cseq is not None and number <= self.remote_cseq:
            return 500
        self.remote_cseq = number
        return None

    def accepted(self, request: Request) -> None:
        """We answer this request with a 2xx or a reliable provisional response.

        A target refresh request moves the remote target then, not before (RFC 6141 4.6).
        """
        if request.method in TARGET_REFRESH:
            self.remote_target = _contact_uri(request) or self.remote_target

    def confirm(self) -> None:
        """We answered the request that began the dialog with a 2xx."""
        if self.state is DialogState.EARLY:
            self.state = DialogState.CONFIRMED

    def terminate(self) -> None:
        """The last usage has ended (12.3, 15, RFC 6665 4.4.1)."""
        self.state = DialogState.TERMINATED


class Dialogs:
    """The dialogs of a user agent, found by the messages that belong to them."""

    def __init__(self) -> None:
        self._by_id: dict[DialogId, Dialog] = {}

    def __iter__(self) -> Iterator[Dialog]:
        return iter(tuple(self._by_id.values()))

    def __len__(self) -> int:
        return len(self._by_id)

    def __contains__(self, dialog: object) -> bool:
        return isinstance(dialog, Dialog) and self._by_id.get(dialog.id.key) is dialog

    def add(self, dialog: Dialog) -> None:
        """Remember a dialog until it is discarded."""
        self._by_id[dialog.id.key] = dialog

    def discard(self, dialog: Dialog) -> None:
        """Forget a dialog; one that took its id since then stays."""
        if dialog in self:
            del self._by_id[dialog.id.key]

    def find(self, message: Request | Response) -> Dialog | None:
        """The dialog of a request of the other end, or of a response to us.

        A request that has a To tag and no dialog is answered 481 (12.2.2, see `refusal`). Raises
        SipSyntaxError when From, To or Call-ID cannot be read.
        """
        found = id_at_server(message) if isinstance(message, Request) else id_at_client(message)
        return self._by_id.get(found.key)

    def refusal(self, request: Request) -> int | None:
        """481 for a request that names a dialog that is not here (12.2.2), else None. ACK is never refused.

        Raises SipSyntaxError when From, To or Call-ID cannot be read.
        """
        if request.method == "ACK" or request.to.tag is None or self.find(request) is not None:
            return None
        return 481


def dialog_headers(request: Request, contact: str) -> list[Header]:
    """What a response that makes a dialog must carry (12.1.1): all Record-Route as it came, our Contact."""
    return [*(("Record-Route", value) for value in request.get_all("Record-Route")), ("Contact", contact)]


def needs_sips_contact(request: Request) -> bool:
    """Whether our Contact in the response to this request must be a SIPS URI (12.1.1).

    Raises SipSyntaxError when the header that decides cannot be read.
    """
    way = request.record_routes or request.contacts
    return _is_sips(request.uri) or (bool(way) and way[0].uri.scheme == "sips")


def _party(message: SipMessage, name: str, tag: str | None) -> str:
    """From or To as it came, with this tag. Of one that cannot be written, what names the dialog."""
    found = message.from_ if name == "From" else message.to
    text = message.get(name) or ""
    if _CONTROL.search(text):
        found = NameAddr(None, found.uri, NO_PARAMETERS if tag is None else Parameters([("tag", tag)]))
        return str(found)
    return text if tag is None or found.tag is not None else f"{text};tag={tag}"


def _caller_target(request: Request) -> str:
    """Where the sender of a request can be reached: its Contact, from RFC 2543 on its From."""
    contact = request.contacts[0] if request.contacts else request.from_
    if contact.uri.scheme not in _SIP:
        row = request.field("Contact") or request.field("From")
        place = row.octet() if row is not None else request.body_offset
        raise SipSyntaxError("Contact", str(contact.uri), place, "RFC 3261 8.1.1.8", "no SIP or SIPS URI")
    return str(contact.uri)


def _contact_uri(message: SipMessage) -> str | None:
    """The URI of the first Contact; None when there is none that a request can be sent to."""
    try:
        found = message.contacts[0].uri if message.contacts else None
    except SipSyntaxError:
        return None
    return str(found) if found is not None and found.scheme in _SIP else None


def _route_set(message: SipMessage) -> tuple[str, ...]:
    """The URIs of Record-Route in order; URI parameters stay, header parameters do not (12.1)."""
    return tuple(str(each.uri) for each in message.record_routes)


def _callers_route_set(response: Response, own: tuple[str, ...]) -> tuple[str, ...]:
    """Record-Route of a response from the last to the first, without ours and without what cannot be read.

    A 2xx has to be acknowledged whatever it looks like.
    """
    found: list[str] = []
    for value in reversed(response.values("Record-Route")):
        with contextlib.suppress(SipSyntaxError):
            found.append(str(NameAddr.parse(value).uri))
    return tuple(uri for uri in found if uri not in own)


def _is_sips(uri: str) -> bool:
    return uri[:5].lower() == "sips:"


def _is_loose(uri: str) -> bool:
    return "lr" in parse_uri(uri).parameters


def _request_uri(text: str) -> str:
    """The URI without what a Request-URI must not have: headers and method (19.1.1 table 1)."""
    try:
        uri = parse_uri(text)
    except SipSyntaxError:
        return text
    if not uri.headers and "method" not in uri.parameters:
        return text
    parameters = uri.parameters.without("method")
    return str(Uri(uri.scheme, uri.user, uri.host, uri.port, parameters, password=uri.password))


def _lower(tag: str | None) -> str | None:
    return None if tag is None else tag.lower()
