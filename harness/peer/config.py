"""What a peer is told before it starts: its domain, its addresses, its subscribers, its habits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from itertools import chain

from harness.agent.sockets.tls_settings import TlsSettings
from harness.cpm.identity import Msisdn
from harness.cpm.services import Service, iari_feature, icsi_feature
from harness.cpm.technology import SIP_IM_TAG, TECHNOLOGIES, ImTechnology, Technology
from harness.errors import SipSyntaxError, UsageError
from harness.evidence.timeline import Address
from harness.peer.limits import AS_USUAL, PeerLimits
from harness.peer.personality import PERSONALITIES, ServerPersonality
from harness.sip.headers import NameAddr
from harness.sip.security_agreement import SecurityServer, preferences_clash


class Authentication(StrEnum):
    """How the registrar authenticates a handset."""

    NONE = "none"
    DIGEST = "digest"
    AKA = "aka"


DEFAULT_ALGORITHMS = ("MD5", "AKAv1-MD5")


@dataclass(frozen=True, slots=True)
class Subscriber:
    """One subscription.

    impi: private identity. impus: public identities, the first is the default one (TS 24.229 5.4.1.2.2); the
    temporary identity made of the IMSI is not listed. password: of SIP Digest. k, opc: 16 octets each; amf:
    2 octets; sqn: the last sequence number used (48 bit, TS 33.102 annex C). The secrets are in no repr.
    """

    impi: str
    impus: tuple[str, ...]
    password: str | None = field(default=None, repr=False)
    k: bytes | None = field(default=None, repr=False)
    opc: bytes | None = field(default=None, repr=False)
    amf: bytes | None = field(default=b"\x80\x00", repr=False)
    sqn: int = field(default=0, repr=False)

    def __post_init__(self) -> None:
        if not self.impus:
            raise UsageError(f"subscriber {self.impi}: needs one public identity or more")
        if (self.k is None) is not (self.opc is None):
            raise UsageError(f"subscriber {self.impi}: K and OPc go together")
        for name, secret, octets in (("K", self.k, 16), ("OPc", self.opc, 16), ("AMF", self.amf, 2)):
            if secret is not None and len(secret) != octets:
                raise UsageError(f"subscriber {self.impi}: {name} needs {octets} octets, not {len(secret)}")
        if not 0 <= self.sqn < 1 << 48:
            raise UsageError(f"subscriber {self.impi}: SQN needs 48 bits")


@dataclass(frozen=True, slots=True)
class FarParty:
    """Whom the handset writes with when a test names nobody. tel is None for a party without a number."""

    sip: str
    tel: str | None = None
    display: str = ""

    @property
    def name_addr(self) -> str:
        """From of its requests, without a tag."""
        display = f'"{self.display}" ' if self.display else ""
        return f"{display}<{self.sip}>"

    @classmethod
    def of(cls, identity: str, domain: str) -> FarParty:
        """A party from a number, or from a SIP or tel URI; a number also gets its SIP URI in `domain`."""
        try:
            number = Msisdn.parse(identity)
        except UsageError:
            if identity.lower().startswith(("sip:", "sips:")):
                return cls(identity)
            raise
        if identity.lower().startswith(("sip:", "sips:")):
            return cls(identity, number.tel)
        return cls(number.sip(domain), number.tel)


def server_name() -> str:
    """Value of Server and User-Agent (RFC 3261 20.35)."""
    try:
        return f"rcslab-peer/{version('rcslab')}"
    except PackageNotFoundError:
        return "rcslab-peer/0"


class SecurityPolicy(StrEnum):
    """What the peer makes of a security agreement (RFC 3329). It has no IPsec."""

    UNSUPPORTED = "unsupported"
    """sec-agree is an extension it does not know: 420 where it is required (RFC 3261 8.2.2.3)."""
    IGNORE = "ignore"
    """sec-agree may be required, and nothing is agreed on."""
    CHALLENGE = "challenge"
    """The list stands in the 401 of the registrar (TS 24.229 5.2.2), and must come back unchanged."""
    AGREE = "agree"
    """Who asks for an agreement without TLS gets 494 with the list (RFC 3329 2.3.1)."""
    REQUIRE = "require"
    """So does everybody else without TLS, or 421 (2.3.2)."""


@dataclass(frozen=True, slots=True)
class TlsListening:
    """SIP over TLS: a port on every host of the peer (0: one chosen by the kernel), and its files."""

    port: int
    settings: TlsSettings


@dataclass(frozen=True, slots=True)
class MsrpTlsListening(TlsListening):
    """MSRP over TLS between the peer and the handset (RFC 4975 14.4), in the same way.

    offered: whether the peer's own offers are for TLS. Offers of the handset are answered as they are made.
    """

    offered: bool = True


CAPABILITIES: Mapping[ImTechnology, tuple[str, ...]] = {
    ImTechnology.CPM: (
        icsi_feature(Service.PAGER, Service.LARGE, Service.SESSION, Service.FILE_TRANSFER),
        iari_feature("rcse.im", "rcse.ft"),
    ),
    ImTechnology.SIMPLE_IM: (SIP_IM_TAG, iari_feature("rcse.im", "rcse.ft")),
}
"""What a far party can do where nothing else is said."""


@dataclass(slots=True)
class PeerConfig:
    """Settings of a peer. Those marked * may change while it runs.

    listen: addresses for SIP, each for UDP and TCP, port 0 for one chosen by the kernel. tls: SIP over TLS
    on the same hosts, None for none. msrp: address of the MSRP endpoint, None for a free port on each host.
    msrp_tls: MSRP over TLS on the hosts of MSRP, None for none.
    authentication *: see Authentication. algorithms *: of Digest and of AKA, offered most preferred first
    (RFC 8760 2.3), one WWW-Authenticate row for each that belongs to the authentication in force. qop *:
    offered values. nonce_lifetime *: seconds after which a nonce is stale. default_expires, min_expires,
    max_expires *: seconds. service_route *: values of Service-Route, None for the peer itself. associated
    *: values of P-Associated-URI for a handset that is no known subscriber, None to derive them. understood
    *: option tags that may stand in Require. accepted_bodies *: types a MESSAGE may carry. capabilities
    *: feature tags the far party shows in OPTIONS, None for those of its technology. hops: network
    elements shown in Via besides the P-CSCF.
    request_timeout *: seconds a request to the handset waits for its final response at most.
    security_agreement *: see SecurityPolicy. mechanisms *: what Security-Server lists. session_interval,
    session_least: seconds of the session timer the peer asks for (None: it asks for none), and the least it
    takes (RFC 4028). limits: see PeerLimits. conference_factory, deferred_messages: URIs of these services,
    made from the domain when empty; recipient_list: that of the service for lists of recipients, likewise;
    groups: those of pre-defined groups.
    im_technology *: what requests of the peer name services by. personality: how the server behaves; its
    name and its hops stand where `server` and `hops` are not said.
    """

    domain: str
    subscribers: tuple[Subscriber, ...] = ()
    authentication: Authentication = Authentication.NONE
    listen: tuple[tuple[str, int], ...] = (("127.0.0.1", 0),)
    tls: TlsListening | None = None
    msrp: tuple[str, int] | None = None
    msrp_tls: MsrpTlsListening | None = None
    far_party: FarParty | None = None
    algorithms: tuple[str, ...] = DEFAULT_ALGORITHMS
    qop: tuple[str, ...] = ("auth",)
    nonce_lifetime: float = 3600.0
    default_expires: int = 3600
    min_expires: int = 60
    max_expires: int = 600_000
    service_route: tuple[str, ...] | None = None
    associated: tuple[str, ...] | None = None
    understood: frozenset[str] = frozenset({"100rel", "path", "timer"})
    accepted_bodies: tuple[str, ...] = ("message/cpim", "text/plain")
    capabilities: tuple[str, ...] | None = None
    hops: int = 0
    request_timeout: float = 40.0
    session_interval: int | None = 1800
    session_least: int = 90
    conference_factory: str = ""
    groups: tuple[str, ...] = ()
    deferred_messages: str = ""
    recipient_list: str = ""
    server: str = ""
    security_agreement: SecurityPolicy = SecurityPolicy.UNSUPPORTED
    mechanisms: tuple[SecurityServer, ...] = (SecurityServer("tls"),)
    limits: PeerLimits = AS_USUAL
    personality: ServerPersonality = PERSONALITIES["reference"]
    im_technology: ImTechnology = ImTechnology.CPM

    def __post_init__(self) -> None:
        if not self.mechanisms or preferences_clash(self.mechanisms):
            raise UsageError("Security-Server needs mechanisms, each with a q of its own (RFC 3329 2.2)")
        if not self.listen:
            raise UsageError("the peer needs one address or more to listen on")
        for value in self.service_route or ():
            if not _is_loose_route(value):
                raise UsageError(f"Service-Route {value}: expected <sip:host;lr> (RFC 3608 5)")
        self.server = self.server or self.personality.server or server_name()
        self.hops = self.hops or self.personality.hops
        if self.far_party is None:
            self.far_party = FarParty.of("+491710000001", self.domain)
        self.conference_factory = self.conference_factory or f"sip:conference-factory@{self.domain}"
        self.recipient_list = self.recipient_list or f"sip:recipient-list@{self.domain}"
        self.deferred_messages = self.deferred_messages or f"sip:deferred-messages@{self.domain}"

    @property
    def shown_capabilities(self) -> tuple[str, ...]:
        """Feature tags of the far party: those it was given, else those of the technology in force."""
        return CAPABILITIES[self.im_technology] if self.capabilities is None else self.capabilities

    @property
    def technology(self) -> Technology:
        """The row of the technology in force."""
        return TECHNOLOGIES[self.im_technology]

    @property
    def msrp_listen(self) -> list[tuple[str, int]]:
        """Where MSRP is listened for: a chat is offered the address its SIP came to."""
        hosts = dict.fromkeys(host for host, _ in self.listen)
        return [self.msrp] if self.msrp else [(host, 0) for host in hosts]

    @property
    def msrp_tls_listen(self) -> list[tuple[str, int]]:
        """Where MSRP over TLS is listened for."""
        return [(host, self.msrp_tls.port) for host, _ in self.msrp_listen] if self.msrp_tls else []

    def party_of(self, sender: str | FarParty | None) -> FarParty:
        """The party a test names: by number or URI, or the configured one (None). Raises UsageError."""
        if isinstance(sender, str):
            return FarParty.of(sender, self.domain)
        return sender or self.party

    @property
    def party(self) -> FarParty:
        """The far party; always set after construction."""
        assert self.far_party is not None
        return self.far_party


def _is_loose_route(value: str) -> bool:
    """Whether it is a Route value with lr."""
    try:
        route = NameAddr.parse(value)
    except SipSyntaxError:
        return False
    return route.bracketed and "lr" in route.uri.parameters


@dataclass(frozen=True, slots=True)
class PeerAddresses:
    """Where a started peer listens, one address for each host; sip_tls and msrp_tls are empty without TLS."""

    sip_udp: list[Address]
    sip_tcp: list[Address]
    msrp: list[Address]
    sip_tls: list[Address] = field(default_factory=list)
    msrp_tls: list[Address] = field(default_factory=list)

    @property
    def all(self) -> list[Address]:
        """Every address, each once."""
        groups = self.sip_udp, self.sip_tcp, self.sip_tls, self.msrp, self.msrp_tls
        return list(dict.fromkeys(chain.from_iterable(groups)))
