"""REFERs to a focus: a handset asks it to invite or remove members, one by one or by a list.

RFC 4579 5.5, 5.11; RFC 3515 as changed by RFC 7647 (200, no second usage of the dialog), RFC 4488 (no
subscription), RFC 5368 (several targets).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.agent.events.notifier import Admission, EventNotifier
from harness.agent.events.references import Reference, ReferenceTaker
from harness.agent.session.multipart_content import parts_of
from harness.agent.sip.agent import Incoming
from harness.agent.sip.bad_requests import Refusal
from harness.bodies.multipart import Part
from harness.bodies.resource_lists import MEDIA_TYPE, parse_resource_lists
from harness.errors import BodySyntaxError
from harness.peer.config import FarParty
from harness.peer.flow import flow_of
from harness.peer.focus import Focus
from harness.peer.group import Groups
from harness.peer.journal import EventKind, Recent
from harness.peer.pcscf import Pcscf
from harness.peer.received import sender_of
from harness.sip.dialog import Dialog
from harness.sip.event_headers import ReferTo
from harness.sip.message import Request
from harness.sip.refer import NO_SUBSCRIPTION, Referral
from harness.sip.uri import unescape

MULTIPLE = "multiple-refer"  # RFC 5368 10
OPTION_TAGS = (MULTIPLE, NO_SUBSCRIPTION)
_SCHEMES = ("sip", "sips", "tel", "cid")


@dataclass(frozen=True, slots=True)
class Referred:
    """What a handset asked of a group.

    method: INVITE adds, BYE removes. members: whom. referrer: identity of the handset. number: of the
    timeline; subscribe: whether it wants to be told what comes of it.
    """

    focus: Focus = field(repr=False)
    method: str
    members: tuple[FarParty, ...]
    referrer: str
    number: int
    incoming: Incoming = field(repr=False)
    subscribe: bool = False

    def names(self, number: str) -> bool:
        """Whether this number is among the members."""
        return any(number in (member.tel or member.sip) for member in self.members)

    def __str__(self) -> str:
        whom = ", ".join(member.sip for member in self.members)
        return f"{self.method} {whom} by {self.referrer} in {self.focus}"


class GroupReferences:
    """REFERs of handsets, in a dialog or outside of one. referred: those that were followed."""

    def __init__(self, pcscf: Pcscf, groups: Groups, notifier: EventNotifier) -> None:
        self._pcscf, self._groups = pcscf, groups
        self._taker = ReferenceTaker(
            notifier,
            pcscf.respond,
            self._admission,
            self._decide,
            self._follow,
            schemes=_SCHEMES,
            supported=OPTION_TAGS,
        )
        self.referred: Recent[Referred] = Recent()

    def on_refer(self, incoming: Incoming, dialog: Dialog | None = None) -> None:
        """Answer a REFER. dialog: the session's it came in. Raises SipSyntaxError: 400."""
        self._taker.on_refer(incoming, dialog)

    async def wait_referred(
        self, number: str | None = None, *, timeout: float, after: int = 0, method: str | None = None
    ) -> Referred:
        """The first REFER that asks for this number (any when None). Raises NotSeen."""
        event = await self._pcscf.journal.wait(
            lambda event: (
                event.kind is EventKind.REFERRED
                and method in (None, event.subject.method)
                and (number is None or event.subject.names(number))
            ),
            timeout,
            after=after,
            expected=f"a REFER {method or ''} for {number or 'any member'}",
            kinds=(EventKind.REFERRED, EventKind.ANSWERED),
        )
        referred = event.subject
        assert isinstance(referred, Referred)
        return referred

    def _admission(self, incoming: Incoming) -> Admission:
        request, local = incoming.message, incoming.local
        target = str(request.contacts[0].uri) if request.contacts else None
        return Admission(
            request.uri,
            contact=f"<{self._focus(request)}>;isfocus",
            send=self._pcscf.way(flow_of(incoming, target), request.values("Record-Route")),
            record_routes=(self._pcscf.route(local),),
        )

    def _focus(self, request: Request) -> str:
        focus = self._groups.foci.at(request.uri)
        return focus.uri if focus is not None else request.uri

    def _decide(self, referral: Referral, incoming: Incoming) -> Refusal | None:
        focus = self._groups.foci.at(incoming.message.uri)
        if focus is None:
            return Refusal(404, "No such group")
        member = focus.roster.find(sender_of(incoming.message))
        if member is None or not member.connected:
            return Refusal(403, "Not a member of the group")
        try:
            asked = _asked(referral, incoming.message)
        except BodySyntaxError:
            return Refusal(400, "The recipient list cannot be read")
        for method in asked:
            if method not in ("INVITE", "BYE"):
                return Refusal(603, f"A focus does not send {method} for others")
        return None if any(asked.values()) else Refusal(400, "Refer-To names nobody")

    def _follow(self, reference: Reference) -> None:
        request = reference.incoming.message
        focus = self._groups.foci.at(request.uri)
        assert focus is not None, "it was decided"
        done = False
        for method, uris in _asked(reference.referral, request).items():
            referred = Referred(
                focus,
                method,
                tuple(self._groups.dialled(uri) for uri in uris),
                sender_of(request),
                self._pcscf.journal.timeline_number,
                reference.incoming,
                reference.referral.subscribe,
            )
            self.referred.append(referred)
            self._pcscf.journal.add(EventKind.REFERRED, str(referred), referred)
            done |= self._carry_out(referred)
        reference.progress(200 if done else 404)

    def _carry_out(self, referred: Referred) -> bool:
        """Whether anything could be done."""
        focus, members = referred.focus, referred.members
        if referred.method == "INVITE":
            self._groups.call_in(focus, members)
            return True
        known = [member for member in members if _present(focus, member)]
        for member in known:
            self._groups.put_out(focus, member)
        return bool(known)


def _present(focus: Focus, party: FarParty) -> bool:
    member = focus.roster.find(party.sip)
    return member is not None and member in focus.roster.present


def _asked(referral: Referral, request: Request) -> dict[str, list[str]]:
    """The methods a REFER asks for, and the URIs for each: of Refer-To, or of its list (RFC 5368 7, 9).

    Raises BodySyntaxError for a list that is not there, or cannot be read.
    """
    uri = referral.target.uri
    if uri.scheme != "cid":
        return {referral.method: [referral.uri] if uri.scheme == "tel" or uri.user else []}
    wanted = unescape(str(uri).partition(":")[2])
    content = _content_of(wanted, request)
    if content is None:
        raise BodySyntaxError("Refer-To", str(uri), 0, "RFC 5368 7", "no such part")
    found: dict[str, list[str]] = {}
    for each in parse_resource_lists(content).recipients:
        target = ReferTo.parse(f"<{each.uri}>")
        # The figure of RFC 5368 9 has the method among the headers of the URI, RFC 3261 among its parameters.
        named = dict(target.headers).get("method")
        of_method = found.setdefault(named or target.method, [])
        bare = Referral(target).uri
        if each.uri and bare not in of_method:
            of_method.append(bare)
    return found


def _content_of(content_id: str, request: Request) -> bytes | None:
    """The part of the request with this Content-ID, or its only body."""
    parts: tuple[Part, ...] = parts_of(request)
    named = [part for part in parts if _bare(part.mime_get("Content-ID")) == content_id]
    if named:
        return named[0].decoded()
    kind = request.content_type
    whole = kind is not None and kind.essence == MEDIA_TYPE and _bare(request.get("Content-ID")) == content_id
    return request.body if whole else None


def _bare(value: str | None) -> str | None:
    return None if value is None else value.strip().removeprefix("<").removesuffix(">")
