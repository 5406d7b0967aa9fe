"""Capabilities told and asked by OPTIONS, both ways (RFC 3261 11, RFC 3840 4; RCC.07 2.6.1).

Who can be reached shows its feature tags in Contact. 480 is an RCS user who cannot be reached now, 404 no RCS
user at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.agent.sip.agent import Incoming
from harness.cpm.services import IARI_PREFIX, IARI_TAG, ICSI_PREFIX, ICSI_TAG, iari_feature
from harness.cpm.tokens import new_id, new_tag
from harness.errors import SipSyntaxError
from harness.evidence.timeline import Transport
from harness.peer.answers import Answer, AnswerQueue, Header, HeaderChanges, changed
from harness.peer.config import FarParty
from harness.peer.identities import number_of
from harness.peer.journal import EventKind, PeerEvent, Recent
from harness.peer.mt_request import Target, hops_behind, party_headers, registered
from harness.peer.pcscf import NoAnswer, Pcscf
from harness.peer.proxy_authentication import ProxyAuthentication
from harness.peer.received import sender_of
from harness.peer.registrar import Registrar
from harness.sip.caller_preferences import feature_tags
from harness.sip.message import Request, Response, build_request

_ASKING = f"*;{iari_feature('rcse.im')}"  # so that a device without RCS does not answer (RCC.07 2.6.1.1)
_PREFIXES = {ICSI_TAG: ICSI_PREFIX, IARI_TAG: IARI_PREFIX}
_MAX_FORWARDS = 70


@dataclass(frozen=True, slots=True)
class CapabilityQuery:
    """An OPTIONS of the handset. number: of the timeline; status: what it was answered, None for silence."""

    number: int
    time: float
    incoming: Incoming
    status: int | None

    @property
    def request(self) -> Request:
        """The request as received."""
        return self.incoming.message

    @property
    def sender(self) -> str:
        """Identity URI of the handset."""
        return sender_of(self.request)

    @property
    def to_number(self) -> str | None:
        """E.164 number of who is asked about, None when its URI has none."""
        return number_of(str(self.request.to.uri))

    @property
    def tags(self) -> tuple[str, ...]:
        """What the handset says it can do, named as `CapabilityAnswer.tags`."""
        return _tags_of(self.request)

    def __str__(self) -> str:
        return f"of {self.sender} about {self.request.to.uri}: {' '.join(self.tags) or 'no tags'}"


@dataclass(frozen=True, slots=True)
class CapabilityAnswer:
    """What the handset answered to an OPTIONS; response None when nothing came, `failure` says why."""

    response: Response | None
    failure: str = ""

    @property
    def status(self) -> int | None:
        """Status of the response, None without one."""
        return self.response.status if self.response is not None else None

    @property
    def tags(self) -> tuple[str, ...]:
        """What its Contact names: `oma.cpm.session`, `rcse.im` and others without their prefix, other feature
        tags by their name.
        """
        return _tags_of(self.response) if self.response is not None else ()


def _tags_of(message: Request | Response) -> tuple[str, ...]:
    """What the first Contact names: URNs of ICSI and IARI without their prefix, other tags by their name.

    None of it for a Contact that is missing or cannot be read.
    """
    try:
        contact = next(iter(message.contacts), None)
    except SipSyntaxError:
        return ()
    tags = feature_tags(contact.parameters) if contact is not None else {}
    named: list[str] = []
    for name, values in tags.items():
        prefix = _PREFIXES.get(name)
        named += [name] if prefix is None else [value.removeprefix(prefix) for value in values]
    return tuple(named)


class Capabilities:
    """What the far parties can do, and what the handset says it can."""

    def __init__(
        self,
        pcscf: Pcscf,
        registrar: Registrar,
        proxy: ProxyAuthentication,
        described: Callable[[], Sequence[Header]],
    ) -> None:
        """described: headers that tell methods, types and extensions of the peer (RFC 3261 11.2)."""
        self._pcscf, self._registrar, self._proxy = pcscf, registrar, proxy
        self._described = described
        self._answers = AnswerQueue()
        self.received: Recent[CapabilityQuery] = Recent()

    # -- asked by the handset

    def answer_next(
        self,
        status: int | None,
        headers: HeaderChanges | None = None,
        count: int = 1,
        *,
        reason: str | None = None,
    ) -> None:
        """Answer the next `count` OPTIONS with this status, or not at all (None).

        A 2xx shows the tags of `PeerConfig.capabilities` unless headers change the Contact. 407 is that of
        `Pager.answer_next`. Raises UsageError.
        """
        answer = Answer(status, headers or {}, reason)
        self._proxy.demand_possible(answer)
        self._answers.add(answer, count)

    def answer_as_usual(self) -> None:
        """Forget the answers asked for and not given yet."""
        self._answers.clear()

    def on_options(self, incoming: Incoming) -> None:
        """Answer an OPTIONS of the handset and record it."""
        answer, challenge = self._answer_to(incoming.message)
        query = CapabilityQuery(
            len(self._pcscf.timeline), self._pcscf.timeline.now(), incoming, answer.status
        )
        headers = [self._contact(incoming), *self._described()] if answer.accepts else challenge
        self.received.append(query)
        self._pcscf.answer(incoming, answer, headers)
        self._pcscf.journal.add(EventKind.CAPABILITIES_ASKED, "{}", query, query)

    def _answer_to(self, request: Request) -> tuple[Answer, list[Header]]:
        refused = self._proxy.refusal(request)
        if refused is not None:
            return refused
        answer = self._answers.take()
        return (Answer(200), []) if answer is None else (answer, self._proxy.challenge(answer, request))

    def _contact(self, incoming: Incoming) -> Header:
        return "Contact", self._own(self._pcscf.uri(incoming.local))

    def _own(self, uri: str) -> str:
        return ";".join((f"<{uri}>", *self._pcscf.config.shown_capabilities))

    async def wait_query(
        self, *, timeout: float, after: int = 0, about: str | None = None
    ) -> CapabilityQuery:
        """The first OPTIONS later than timeline number `after`, about this number when one is given.

        Raises NotSeen after `timeout` seconds.
        """

        def wanted(event: PeerEvent) -> bool:
            return event.kind is EventKind.CAPABILITIES_ASKED and about in (None, event.subject.to_number)

        event = await self._pcscf.journal.wait(
            wanted,
            timeout,
            after=after,
            expected="an OPTIONS of the handset" + (f" about {about}" if about else ""),
            kinds=(EventKind.CAPABILITIES_ASKED,),
        )
        assert isinstance(event.subject, CapabilityQuery)
        return event.subject

    # -- asked of the handset

    async def query(
        self,
        to_aor: str,
        *,
        sender: str | FarParty | None = None,
        headers: HeaderChanges | None = None,
        transport: Transport | None = None,
    ) -> CapabilityAnswer:
        """Ask a registered handset what it can do and wait for its answer, which shows in the result.

        headers: SIP headers to change, add or leave out. Raises NotSeen when it is not registered.
        """
        target = registered(self._registrar, to_aor)
        party = self._pcscf.config.party_of(sender)
        rows = self._headers(target, party)

        def make(via: str) -> Request:
            written = changed([("Via", via), *rows], headers or {})
            return build_request("OPTIONS", target.contact, written, strict=not headers)

        try:
            response = await self._pcscf.request(make, target.flow, transport=transport)
        except NoAnswer as error:
            return CapabilityAnswer(None, str(error))
        return CapabilityAnswer(response)

    def _headers(self, target: Target, party: FarParty) -> list[Header]:
        config, local = self._pcscf.config, target.flow.local
        return [
            *(("Via", via) for via in hops_behind(config.hops, config.domain, new_id())),
            ("Max-Forwards", str(_MAX_FORWARDS - config.hops)),
            *(("Route", value) for value in target.path),
            ("From", f"{party.name_addr};tag={new_tag()}"),
            ("To", f"<{target.identity}>"),
            ("Call-ID", new_id()),
            ("CSeq", "1 OPTIONS"),
            ("Contact", self._own(self._pcscf.uri(local))),
            *party_headers(party, target),
            ("Accept-Contact", _ASKING),
            ("Accept", "application/sdp"),
            ("User-Agent", config.server),
        ]
