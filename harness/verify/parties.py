"""Who is the handset and who the network, told by what they say, never by a label or a well-known port.

Each endpoint (host and port) collects votes from the headers only one side may write; what one end of a hop
is, the other end is not. An endpoint without votes goes by the far end of the hop, then by its host, if all
that is known of that host agrees. The lab, which knows, says so by an event.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

from harness.evidence.timeline import Address, Event, Layer
from harness.sip.message import Request, Response
from harness.verify.finding import Party

if TYPE_CHECKING:
    from harness.verify.items import SipEntry
    from harness.verify.msrp_items import MsrpEntry

REGISTER_WEIGHT = 20
"""A REGISTER outweighs headers that a defective handset may send by mistake."""

# Header -> (party that writes it, weight). RFC 3325, 6050, 7315, 3329, 3608.
REQUEST_SIGNS = {
    "P-Preferred-Identity": (Party.HANDSET, 2),
    "P-Preferred-Service": (Party.HANDSET, 2),
    "P-Access-Network-Info": (Party.HANDSET, 1),
    "Security-Client": (Party.HANDSET, 3),
    "Security-Verify": (Party.HANDSET, 3),
    "P-Asserted-Identity": (Party.NETWORK, 2),
    "P-Asserted-Service": (Party.NETWORK, 2),
    "P-Called-Party-ID": (Party.NETWORK, 3),
}
RESPONSE_SIGNS = {
    "P-Access-Network-Info": (Party.HANDSET, 2),
    "P-Associated-URI": (Party.NETWORK, 3),
    "Service-Route": (Party.NETWORK, 3),
    "Security-Server": (Party.NETWORK, 3),
    "WWW-Authenticate": (Party.NETWORK, 1),
}
PRODUCT_SIGNS = (("IM-client/", Party.HANDSET), ("CPM-serv/", Party.NETWORK), ("IM-serv/", Party.NETWORK))


@lru_cache(maxsize=65536)
def normal_host(host: str) -> str:
    """An IP literal in one text form, brackets off; a name in lower case."""
    bare = host.strip("[]").lower()
    try:
        return str(ipaddress.ip_address(bare.split("%")[0]))
    except ValueError:
        return bare


class Parties:
    """Votes by endpoint. `learn` and `hint` add to them, `party` and `sender` ask."""

    def __init__(self) -> None:
        self._votes: dict[Address, dict[Party, int]] = defaultdict(lambda: defaultdict(int))
        self._hints: dict[tuple[str, int | None], Party] = {}
        self._spoke: set[Address] = set()
        self._senders: dict[tuple[Address, Address, bool], Party] = {}
        """What `sender` said, while nothing is learnt that might change it."""

    def hint(self, event: Event) -> None:
        """Take over the event (LAB, "parties", {handset: [...], network: [...]}); texts are host or
        host:port.
        """
        if event.layer is not Layer.LAB or event.name != "parties":
            return
        for party in (Party.HANDSET, Party.NETWORK):
            texts: Iterable[str] = event.fields.get(party.value, ())
            for text in texts:
                self._senders.clear()
                self._hints[_endpoint(text)] = party

    def learn(self, entry: SipEntry) -> None:
        """Count what one message says about the two ends of its hop."""
        message = entry.message
        if message is None:
            return
        source = _normal(entry.source)
        if source not in self._spoke:
            self._spoke.add(source)
            self._senders.clear()
        signs = REQUEST_SIGNS if isinstance(message, Request) else RESPONSE_SIGNS
        for name, (party, weight) in signs.items():
            if message.get(name) is not None:
                self._vote(entry, party, weight)
        product = message.get("User-Agent") or message.get("Server") or ""
        for start, party in PRODUCT_SIGNS:
            if product.startswith(start):
                self._vote(entry, party, 1)
        self._learn_from_register(entry)

    def _learn_from_register(self, entry: SipEntry) -> None:
        if entry.method != "REGISTER":
            return
        if isinstance(entry.message, Response):
            self._vote(entry, Party.NETWORK, REGISTER_WEIGHT)
            return
        self._vote(entry, Party.HANDSET, REGISTER_WEIGHT)
        places = [(via.host, via.port) for via in entry.vias[-1:]]
        places += [(contact.uri.host, contact.uri.port) for contact in entry.contacts]
        for host, port in places:
            if host:
                self._add(Address(normal_host(host), port or 5060), Party.HANDSET, REGISTER_WEIGHT)

    def _vote(self, entry: SipEntry, sender: Party, weight: int) -> None:
        self._add(_normal(entry.source), sender, weight)
        self._add(_normal(entry.destination), sender.other, weight)

    def _add(self, address: Address, party: Party, weight: int) -> None:
        votes = self._votes[address]
        before = _winner(votes)
        votes[party] += weight
        if _winner(votes) is not before:
            self._senders.clear()

    def party(self, address: Address) -> Party:
        """What is known of the endpoint itself."""
        address = _normal(address)
        for key in ((address.host, address.port), (address.host, None)):
            if key in self._hints:
                return self._hints[key]
        return _winner(self._votes[address]) if address in self._votes else Party.UNKNOWN

    def sender(self, entry: SipEntry | MsrpEntry) -> Party:
        """Who sent the message: its source, else not its destination, else what its host always is.

        Octets that are no message tell nothing: from an endpoint that never sent SIP they are nobody's,
        unless its host is known.
        """
        key = entry.source, entry.destination, entry.message is None
        known = self._senders.get(key)
        if known is None:
            known = self._sender(entry)
            if known is not Party.UNKNOWN and self.party(entry.source) is not self.party(entry.destination):
                self._senders[key] = known
        return known

    def _sender(self, entry: SipEntry | MsrpEntry) -> Party:
        own, far = self.party(entry.source), self.party(entry.destination)
        if own is not Party.UNKNOWN and own is far:
            return self._stronger(entry, own)
        if own is not Party.UNKNOWN:
            return own
        stray = entry.message is None and _normal(entry.source) not in self._spoke
        if stray:
            return self._host(entry.source)
        if far is not Party.UNKNOWN:
            return far.other
        host = self._host(entry.source)
        return host if host is not Party.UNKNOWN else self._host(entry.destination).other

    def _stronger(self, entry: SipEntry | MsrpEntry, both: Party) -> Party:
        """Both ends seem the same party: the one with more votes is, the other is not."""
        own = self._votes[_normal(entry.source)][both]
        far = self._votes[_normal(entry.destination)][both]
        return both if own > far else both.other if far > own else Party.UNKNOWN

    def _host(self, address: Address) -> Party:
        return self.of_host(normal_host(address.host))

    def of_host(self, host: str) -> Party:
        """What all that is known of a host agrees on; it is written as normal_host does."""
        if (host, None) in self._hints:
            return self._hints[host, None]
        known = {_winner(votes) for place, votes in self._votes.items() if place.host == host}
        known.discard(Party.UNKNOWN)
        return known.pop() if len(known) == 1 else Party.UNKNOWN


def _winner(votes: dict[Party, int]) -> Party:
    handset, network = votes.get(Party.HANDSET, 0), votes.get(Party.NETWORK, 0)
    if handset == network:
        return Party.UNKNOWN
    return Party.HANDSET if handset > network else Party.NETWORK


@lru_cache(maxsize=65536)
def _normal(address: Address) -> Address:
    return Address(normal_host(address.host), address.port)


def _endpoint(text: str) -> tuple[str, int | None]:
    host, colon, port = text.rpartition(":")
    if colon and port.isdigit() and (":" not in host or host.startswith("[")):
        return normal_host(host), int(port)
    return normal_host(text), None
