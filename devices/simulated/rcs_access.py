"""The way of the RCS client to its P-CSCF: sockets, Via, Route, location, and what its personality puts on
each.

TS 24.229 5.1.1.1A (identities), 5.1.2A (requests); RFC 3261 8.1.1 and 18.1.1; RFC 7315 5.4 and RFC 7976.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass, field

from devices.simulated.baseband import Baseband
from devices.simulated.defects import Defects
from devices.simulated.personality import Personality
from devices.simulated.rcs_wire import HandsetAgent
from harness.agent.events.subscriptions import RequestMaker
from harness.agent.sip.agent import Hop, Incoming
from harness.agent.sip.via_routing import choose_transport, same_host
from harness.agent.sockets.tls_settings import TlsSettings
from harness.cpm.identity import imei_urn
from harness.cpm.technology import TECHNOLOGIES, ImTechnology, Technology
from harness.cpm.tokens import new_call_id, new_tag
from harness.errors import SipSyntaxError
from harness.evidence.timeline import Address, Transport
from harness.sip.digest import answer_challenge, first_supported
from harness.sip.headers import NameAddr
from harness.sip.message import Request, Response, build_request, build_response
from harness.sip.milenage import Milenage
from harness.sip.uri import parse_uri

METHODS = (
    *("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "UPDATE"),
    *("INFO", "REFER", "NOTIFY", "MESSAGE", "PRACK"),
)
ALLOW = ", ".join(METHODS)
Headers = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class RcsSettings:
    """What the client was provisioned with.

    im_technology: what it names services by. pcscf_port: the network hands out the address of the P-CSCF
    only (TS 24.008 10.5.6.3). tls: whom it trusts; the P-CSCF has to be the domain (RFC 3261 26.3.2.1, RFC
    5922 7.3). msrp_tls: our certificate where MSRP goes over TLS, which is offered then. pager_limit: octets
    of content above which a text is no pager-mode message. retry_seconds: first wait after a failed
    registration or connection. t1: timer T1 of SIP in seconds (RFC 3261 17.1.1.1). idle_seconds: without a
    message in it, after which a chat is ended; refresh_seconds: after which a session is refreshed where half
    of its interval is longer; ring_seconds: how long an invitation waits for the user; most_chats: at once,
    more get 486. capability_seconds: how long what OPTIONS told of a number is good, 0 when the client is
    provisioned to ask nobody. conference_factory: where groups are founded; deferred_messages: where stored
    messages are fetched; recipient_list: who sends a text to several; URIs in the domain when empty.
    """

    domain: str
    _: KW_ONLY
    im_technology: ImTechnology = ImTechnology.CPM
    transport: Transport = Transport.UDP
    pcscf_port: int = 5060
    tls: TlsSettings | None = None
    msrp_tls: TlsSettings | None = None
    expires: int = 600_000
    pager_limit: int = 1300
    retry_seconds: float = 1.0
    t1: float = 0.5
    idle_seconds: float = 300.0
    refresh_seconds: float = 86_400.0
    ring_seconds: float = 60.0
    most_chats: int = 20
    capability_seconds: float = 0.0
    conference_factory: str = ""
    deferred_messages: str = ""
    recipient_list: str = ""
    k: bytes | None = field(default=None, repr=False)
    opc: bytes | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)

    @property
    def factory(self) -> str:
        """The URI of the conference factory."""
        return self.conference_factory or f"sip:conference-factory@{self.domain}"

    @property
    def lists(self) -> str:
        """The URI of the service that sends a text to each on a list."""
        return self.recipient_list or f"sip:recipient-list@{self.domain}"

    @property
    def deferred(self) -> str:
        """The URI deferred messages are fetched from."""
        return self.deferred_messages or f"sip:deferred-messages@{self.domain}"

    @property
    def milenage(self) -> Milenage | None:
        """The algorithm of the SIM, None when the SIM has no key."""
        return Milenage(self.k, self.opc) if self.k and self.opc else None


@dataclass(slots=True)
class RcsAccess:
    """One IP connection of the RCS client. It lasts as long as the PDN connection and its P-CSCF."""

    agent: HandsetAgent
    local: Address
    pcscf: str
    baseband: Baseband
    settings: RcsSettings
    personality: Personality
    defects: Defects
    service_route: tuple[str, ...] = ()
    associated: tuple[str, ...] = ()

    # -- who and where

    @property
    def impi(self) -> str:
        """The private identity of the SIM (TS 23.003 13.3), in the configured domain as an ISIM has it."""
        return f"{self.baseband.imsi}@{self.settings.domain}"

    @property
    def registering_identity(self) -> str:
        """The public identity a REGISTER is for: made of the IMSI, as a SIM without ISIM has it."""
        return f"sip:{self.impi}"

    @property
    def identity(self) -> str:
        """The public identity requests come from (TS 24.229 5.1.2A.1.1, the default one)."""
        if self.associated and not self.personality.own_identity:
            return self.associated[0]
        return self.registering_identity

    @property
    def identities(self) -> tuple[str, ...]:
        """All public identities the network may know this client by (TS 24.229 5.1.1.2)."""
        return (*self.associated, self.registering_identity)

    @property
    def contact_uri(self) -> str:
        """Where the network reaches this client."""
        return f"sip:{self.baseband.imsi}@{self.local}{self._transport_parameter}"

    @property
    def _transport_parameter(self) -> str:
        """Deprecated (RFC 3261 26.2.2) and what is understood: the connection is TLS."""
        return ";transport=tls" if self.settings.transport is Transport.TLS else ""

    @property
    def technology(self) -> Technology:
        """The row of the technology it is provisioned with."""
        return TECHNOLOGIES[self.settings.im_technology]

    @property
    def instance(self) -> str:
        """The +sip.instance parameter (RFC 5626 4.1, RFC 7254)."""
        return f'+sip.instance="<{imei_urn(self.baseband.imei)}>"'

    @property
    def location(self) -> Headers:
        """P-Access-Network-Info of the cell camped on."""
        cell = self.baseband.cell
        if cell is None:
            return []
        return [("P-Access-Network-Info", f"{cell.access};utran-cell-id-3gpp={cell.utran_cell_id}")]

    def is_own_contact(self, uri: str) -> bool:
        """Whether a Contact the network names is ours, whatever its parameters (RFC 3261 10.2.4)."""
        own = parse_uri(self.contact_uri)
        try:
            other = parse_uri(uri)
        except SipSyntaxError:
            return False
        return (other.scheme, other.user, other.port) == (own.scheme, own.user, own.port) and same_host(
            other.host.strip("[]"), own.host.strip("[]")
        )

    def learn(self, response: Response) -> None:
        """Take Service-Route and the associated identities of a 200 to REGISTER, in place of those before.

        What is unreadable is not used; without Service-Route there is none any more (RFC 3608 6.1).
        """
        self.service_route = tuple(str(value) for value in _readable(response.values("Service-Route")))
        self.associated = tuple(str(value.uri) for value in _readable(response.values("P-Associated-URI")))

    def forget_route(self) -> None:
        """Without a registration there is no service route (RFC 3608 6.1)."""
        self.service_route = ()

    # -- requests

    def hop(self, transport: Transport | None = None) -> Hop:
        """The P-CSCF by the preferred transport, or by another."""
        preferred = self.settings.transport
        if self.personality.tcp_only and preferred is Transport.UDP:
            preferred = Transport.TCP
        name = self.settings.domain if preferred is Transport.TLS else ""
        return Hop(transport or preferred, self.pcscf, self.settings.pcscf_port, name)

    @property
    def routes(self) -> Headers:
        """P-CSCF, then what Service-Route said (TS 24.229 5.1.2A.1.1; RFC 3608 6.1)."""
        pcscf = f"<sip:{Address(self.pcscf, self.settings.pcscf_port)}{self._transport_parameter};lr>"
        rest = self.service_route[1:] if self.service_route[:1] == (pcscf,) else self.service_route
        return [("Route", ", ".join([pcscf, *rest]))]

    def request(
        self,
        method: str,
        uri: str,
        *,
        sender: str,
        to: str,
        headers: Iterable[tuple[str, str]],
        body: bytes = b"",
        cseq: int = 1,
        call_id: str | None = None,
        from_tag: str | None = None,
        hop: Hop | None = None,
    ) -> Request:
        """A request in the order the client writes it.

        Above 1300 octets it goes over TCP, and Via says so.
        """
        rows = [
            ("Max-Forwards", "70"),
            ("From", f"<{sender}>;tag={from_tag or new_tag()}"),
            ("To", to),
            ("Call-ID", call_id or new_call_id(self.local.host)),
            ("CSeq", f"{cseq} {method}"),
            *headers,
            ("User-Agent", self.personality.user_agent),
        ]
        return self.addressed(lambda via: build_request(method, uri, [("Via", via), *rows], body), hop)

    def addressed(self, make: RequestMaker, hop: Hop | None = None) -> Request:
        """The request with the Via of the hop it goes to; above 1300 octets over TCP."""
        hop = hop or self.hop()
        request = make(self.via_for(hop))
        chosen = choose_transport(request, hop.transport)
        return (
            request if chosen is hop.transport else request.with_header("Via", self.via_for(self.hop(chosen)))
        )

    def via_for(self, hop: Hop, local: Address | None = None) -> str:
        """A Via for a request to a hop, written as this client does."""
        via = self.agent.via_for(hop, local or self.local)
        if self.personality.no_rport and hop.transport is not Transport.UDP:
            via = via.replace(";rport", "")
        return f"{via};transport={hop.transport}" if self.personality.via_transport else via

    async def send(self, request: Request) -> Response:
        """Send to the P-CSCF by the transport its Via names, and wait for the final response.

        Raises: TransactionTimeout, TransportFailed.
        """
        return await self.agent.request(
            request, self.hop(Transport(request.via.transport.upper())), local=self.local
        )

    def credentials(self, request: Request, response: Response) -> Headers | None:
        """What answers the challenge to a request (RFC 3261 22.2, 22.3); None when nothing can."""
        name = {401: "Authorization", 407: "Proxy-Authorization"}.get(response.status)
        password, challenge = self.settings.password, first_supported(response.challenges)
        if name is None or password is None or challenge is None or name in request:
            return None
        value = answer_challenge(
            challenge, request.method, request.uri, self.impi, password.encode(), request.body
        )
        return [(name, value)]

    # -- responses

    def response(
        self,
        request: Request,
        status: int,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        reason: str | None = None,
    ) -> Response:
        """A final response with location and a To tag of its own."""
        return build_response(
            request, status, reason, headers=[*headers, *self.location], body=body, to_tag=new_tag()
        )

    def as_is_its_habit(self, method: str, response: Response) -> Response:
        """The response to a method with what the personality puts into it beside what is due."""
        for habit in self.personality.responses:
            if habit.method == method and response.status in habit.statuses:
                response = response.with_header(habit.name, habit.value.format(contact=self.contact_uri))
        return response

    def respond(
        self,
        incoming: Incoming,
        status: int,
        headers: Iterable[tuple[str, str]] = (),
        *,
        reason: str | None = None,
        to_tag: str | None = None,
    ) -> None:
        """Send one; to_tag does not count, there is one already where it would."""
        response = self.response(incoming.message, status, headers, reason=reason)
        self.agent.respond(incoming, response)


def _readable(values: Iterable[str]) -> list[NameAddr]:
    """The name-addr values among these, those in angle brackets that a request can carry."""
    found = []
    for text in values:
        try:
            value = NameAddr.parse(text)
        except SipSyntaxError:
            continue
        if value.bracketed and text.isascii():
            found.append(value)
    return found
