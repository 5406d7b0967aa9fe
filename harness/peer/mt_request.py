"""Requests of the network towards a handset: the header template, and sending with one MESSAGE at a time.

RFC 3261 16.6 (Request-URI is the registered Contact), RFC 7315 4.2 (P-Called-Party-ID), RFC 6050 (P-Asserted-
Service), RFC 3428 8 (one outstanding MESSAGE per URI).
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field

from harness.agent.sip.agent import Incoming
from harness.cpm.services import Service
from harness.cpm.technology import TECHNOLOGIES, ImTechnology, Technology
from harness.cpm.tokens import new_id, new_tag
from harness.errors import NotSeen, SipSyntaxError
from harness.evidence.timeline import Transport
from harness.peer.answers import Header, HeaderChanges, changed
from harness.peer.bindings import Binding
from harness.peer.config import FarParty
from harness.peer.flow import Flow, flow_of, on_the_way
from harness.peer.pcscf import NoAnswer, Pcscf
from harness.peer.registrar import Registrar
from harness.sip.message import Request, Response, build_request
from harness.sip.uri import parse_uri

_MAX_FORWARDS = 70


@dataclass(frozen=True, slots=True)
class Target:
    """A handset as the network reaches it. identity: the one dialled; called: P-Called-Party-ID."""

    contact: str
    identity: str
    flow: Flow
    path: tuple[str, ...] = ()

    @classmethod
    def of(cls, binding: Binding, identity: str | None = None) -> Target:
        """A registered handset, dialled under `identity` or under its default identity."""
        return cls(binding.contact, identity or binding.identity, binding.flow, binding.path)

    @classmethod
    def back(cls, incoming: Incoming, identity: str) -> Target:
        """A handset that never registered, reached the way its request came."""
        contact = _contact_of(incoming.message)
        if contact is None:
            user = parse_uri(identity).user
            contact = f"sip:{user}@{incoming.source}" if user else f"sip:{incoming.source}"
        return cls(contact, identity, flow_of(incoming, contact))


def registered(registrar: Registrar, identity: str, service: Service | None = None) -> Target:
    """A registered handset, of several the one that can do most of the service, if one is named.

    Raises NotSeen when nothing is bound to the identity.
    """
    binding = registrar.binding_of(identity, service)
    if binding is None:
        bound = ", ".join(registrar.bindings) or "nobody"
        raise NotSeen(f"{identity} was expected to be registered; registered: {bound}")
    return Target.of(binding, identity if ":" in identity else binding.identity)


def _contact_of(request: Request) -> str | None:
    try:
        return str(request.contacts[0].uri) if request.contacts else None
    except SipSyntaxError:
        return None


@dataclass(frozen=True, slots=True)
class MtRequest:
    """One request towards the handset, all but its top Via.

    changes replace, leave out or add headers; `raw` writes them without any check (wrong on purpose).
    """

    target: Target
    originator: FarParty
    service: Service
    conversation_id: str
    contribution_id: str
    content_type: str
    body: bytes
    domain: str
    server: str
    technology: Technology = TECHNOLOGIES[ImTechnology.CPM]
    method: str = "MESSAGE"
    cseq: int = 1
    hops: int = 0
    in_reply_to: str | None = None
    changes: HeaderChanges = field(default_factory=dict)
    call_id: str = field(default_factory=new_id)
    from_tag: str = field(default_factory=new_tag)
    branch: str = field(default_factory=new_id)

    def at(self, via: str) -> Request:
        """The request with the Via of the hop it leaves by."""
        headers = changed([("Via", via), *self._headers()], self.changes)
        return build_request(self.method, self.target.contact, headers, self.body, strict=not self.changes)

    def _headers(self) -> list[Header]:
        rows: list[tuple[str, str | None]] = [
            *(("Via", via) for via in hops_behind(self.hops, self.domain, self.branch)),
            ("Max-Forwards", str(_MAX_FORWARDS - self.hops)),
            *(("Route", value) for value in self.target.path),
            ("From", f"{self.originator.name_addr};tag={self.from_tag}"),
            ("To", f"<{self.target.identity}>"),
            ("Call-ID", self.call_id),
            ("CSeq", f"{self.cseq} {self.method}"),
            *service_headers(
                self.originator,
                self.target,
                self.service,
                self.conversation_id,
                self.contribution_id,
                self.technology,
            ),
            ("InReplyTo-Contribution-ID", self.in_reply_to if self.technology.named else None),
            ("User-Agent", self.server),
            ("Content-Type", self.content_type),
        ]
        return [(name, value) for name, value in rows if value is not None]


def hops_behind(hops: int, domain: str, branch: str) -> list[str]:
    """Via values of network elements a request came through before the P-CSCF."""
    return [
        f"SIP/2.0/UDP hop{number}.{domain}:5060;branch=z9hG4bK{number}{branch}"
        for number in range(hops, 0, -1)
    ]


def party_headers(originator: FarParty, target: Target) -> list[Header]:
    """What tells a handset who sends a request, and to which of its identities."""
    identities = [originator.sip, *([originator.tel] if originator.tel else [])]
    return [
        ("P-Asserted-Identity", ", ".join(f"<{identity}>" for identity in identities)),
        ("P-Called-Party-ID", f"<{target.identity}>"),
    ]


def service_headers(
    originator: FarParty,
    target: Target,
    service: Service,
    conversation_id: str,
    contribution_id: str,
    technology: Technology,
) -> list[Header]:
    """What tells a handset who sends a first request, to which of its identities, and for which service."""
    return [
        *party_headers(originator, target),
        *technology.service_rows("P-Asserted-Service", service),
        ("Accept-Contact", technology.accept_contact(service)),
        *technology.conversation_rows(conversation_id, contribution_id),
    ]


@dataclass(frozen=True, slots=True)
class Sending:
    """How a request to the handset ended. Times are seconds since the Unix epoch.

    response is None when none came; `failure` then says why.
    """

    request: Request
    response: Response | None
    failure: str
    sent_at: float
    ended_at: float
    number: int


class MtSender:
    """Sends MESSAGE requests, one at a time to each Contact; the others wait their turn."""

    def __init__(self, pcscf: Pcscf) -> None:
        self._pcscf = pcscf
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def send(self, message: MtRequest, transport: Transport | None = None) -> Sending:
        """Send when it is this message's turn; never raises for a handset that is silent or gone."""
        async with self._turns[message.target.contact]:
            return await self._send(message, transport)

    async def _send(self, message: MtRequest, transport: Transport | None) -> Sending:
        made: list[Request] = []

        def make(via: str) -> Request:
            made.append(message.at(via))
            return made[-1]

        sent_at, number = self._pcscf.timeline.now(), len(self._pcscf.timeline)
        response, failure = None, ""
        try:
            response = await self._pcscf.request(
                make, message.target.flow, transport=transport, first=on_the_way(message.target.path)
            )
        except NoAnswer as error:
            failure = str(error)
        return Sending(made[-1], response, failure, sent_at, self._pcscf.timeline.now(), number)
