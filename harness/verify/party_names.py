"""Whose message it is by name: a handset by IMEI or identity, a network element by its product and address.

Learns from what messages say of themselves (RFC 7254 IMEI in +sip.instance, RFC 3261 User-Agent and Server,
RFC 7315 P-Associated-URI). What is learnt later counts for what was said before: a name is asked for at the
end. parties.py tells which side an address is on; here its members are told apart.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from harness.evidence.timeline import Address
from harness.sip.headers import NameAddr
from harness.verify.comparison import party_of, uri_of
from harness.verify.finding import Party
from harness.verify.items import Item, SipEntry
from harness.verify.messages import message_of
from harness.verify.msrp_items import MsrpEntry
from harness.verify.parties import normal_host

MOST_NAMED = 2000
"""Parties named one by one; a load test has more, which share a name then."""
_MOST_OF_EACH = 4
"""Identities and addresses that are remembered of a party to be shown."""
_MOST_KEYS = 50_000
"""Identities and addresses of which it is remembered whose they are."""
_MOST_LINES = 1024
"""Ways whose ends are remembered from message to message: a transfer has a million chunks of one party."""
_IMEI = re.compile(r"<?urn:gsma:imei:(\d{8}-\d{6}(?:-\d)?)", re.IGNORECASE)
_UNNAMED = frozenset({"anonymous", "unavailable"})


@dataclass(eq=False)
class NamedParty:
    """One handset or network element. Use `final` of what was asked for while messages still came in.

    instance: IMEI, or another +sip.instance, "" when not known. identities: numbers or user@host. product:
    User-Agent or Server. judged: messages of it that rules were called for.
    """

    party: Party
    instance: str = ""
    identities: dict[str, None] = field(default_factory=dict)
    product: str = ""
    addresses: dict[str, None] = field(default_factory=dict)
    judged: int = 0
    crowd: bool = False
    """It stands for all that were too many to be named."""
    same_as: NamedParty | None = None

    @property
    def final(self) -> NamedParty:
        """The party that this one turned out to be."""
        party = self
        while party.same_as is not None:
            party = party.same_as
        return party

    @property
    def name(self) -> str:
        """ "handset IMEI 35209900-176148-0, +491700000001", "network: CPM-serv/OMA1.0 at 10.0.0.1"."""
        known = self.final
        if known.crowd:
            return f"{known.party}: others, not named one by one"
        if known.party is Party.LAB:
            return "lab"
        if known.party is Party.NETWORK:
            return f"network: {known.product or 'element'}{known._place}"
        who = [known.instance, *list(known.identities)[:1]]
        said = ", ".join(filter(None, who))
        return f"{known.party} {said}" if said else f"{known.party}{known._place}"

    @property
    def _place(self) -> str:
        first = next(iter(self.addresses), "")
        return f" at {first}" if first else ""

    def take_in(self, other: NamedParty) -> None:
        """Be the other one, too."""
        if other is self:
            return
        for mine, theirs in ((self.identities, other.identities), (self.addresses, other.addresses)):
            for each in theirs:
                _remember(mine, each)
        self.product = self.product or other.product
        self.judged += other.judged
        other.same_as = self


class PartyNames:
    """`learn` from each SIP message in order; `sender` and `receiver` name the ends of an item's hop."""

    def __init__(self) -> None:
        self._named: dict[tuple[str, ...], NamedParty] = {}
        self._crowds: dict[Party, NamedParty] = {}
        self._of_identity: dict[str, set[str]] = defaultdict(set)
        self._of_address: dict[str, set[str]] = defaultdict(set)
        self._identities_at: dict[str, set[str]] = defaultdict(set)
        self._products: dict[str, set[str]] = defaultdict(set)
        self._on_lines: dict[tuple[Address, Address, bool], tuple[object, Party, NamedParty]] = {}
        self._learnt: dict[Address, str | None] = {}

    def forget_sessions(self) -> None:
        """Hold no session any more: who its ends are is found again when it is asked for."""
        self._on_lines.clear()

    def learn(self, entry: SipEntry) -> None:
        """Take in what a message says of its sender, and the network's answer of who is registered."""
        if entry.message is None:
            return
        if entry.sender is Party.NETWORK:
            product = _product(entry)
            if product:
                _put(self._products, normal_host(entry.source.host), product)
            self._learn_associated(entry)
            return
        if entry.sender is Party.HANDSET:
            if self._learnt.get(entry.source, "") == entry.call_id and not _shows_instance(entry):
                return
            if len(self._learnt) >= _MOST_LINES:
                self._learnt.clear()
            self._learnt[entry.source] = entry.call_id
            identities, place = list(_identities(entry)), _place(entry.source)
            instance = _instance(entry.contacts)
            for where in (place, place.rpartition(":")[0]):
                self._tie(instance, identities, where)

    def _tie(self, instance: str, identities: Iterable[str], place: str) -> None:
        for identity in identities:
            _put(self._identities_at, place, identity)
            if instance:
                _put(self._of_identity, identity, instance)
        if instance:
            _put(self._of_address, place, instance)

    def _learn_associated(self, entry: SipEntry) -> None:
        """Identities that a 2xx to REGISTER gives to who asked (RFC 7315 4.1)."""
        if entry.method != "REGISTER" or not 200 <= entry.status < 300 or entry.transaction is None:
            return
        instance = _instance(entry.transaction.request.contacts)
        if instance:
            for value in entry.sip.values("P-Associated-URI"):
                uri = uri_of(value)
                if uri is not None:
                    _put(self._of_identity, party_of(uri), instance)

    # -- asking -------------------------------------------------------------------------------------------

    def sender(self, item: Item) -> NamedParty:
        """Who sent it."""
        return self._of(item, item.sender, by_sender=True)

    def receiver(self, item: Item) -> NamedParty:
        """Who got it."""
        return self._of(item, item.sender.other, by_sender=False)

    @property
    def lab(self) -> NamedParty:
        """The lab itself, for findings that are a defect of this program."""
        return self._get(Party.LAB, "lab", "")

    def all(self) -> list[NamedParty]:
        """All that were asked for, each once, when nothing more is to be learnt for now."""
        self.settle()
        found = dict.fromkeys(party.final for party in (*self._named.values(), *self._crowds.values()))
        return sorted(found, key=lambda party: (party.party, not party.instance, party.name))

    def settle(self) -> None:
        """See who is who by all that was learnt."""
        for key, party in list(self._named.items()):
            if party.same_as is not None:
                continue
            instance = self._now_known(key)
            if instance:
                self._handset(instance).take_in(party)
            elif key[0] == "element" and not key[2]:
                product = _only(self._products.get(key[1]))
                if product:
                    self._element(key[1], product).take_in(party)
            elif key[0] == "place":
                self._settle_place(party, key[1])

    def _settle_place(self, party: NamedParty, place: str) -> None:
        """A port of which nothing is known, as that of an MSRP connection: its host may have one handset."""
        host = place.rpartition(":")[0]
        identity = _only(self._identities_at.get(place))
        if identity:
            self._by_identity(identity).take_in(party)
        elif instance := _only(self._of_address.get(host)):
            self._handset(instance).take_in(party)
        elif not self._of_address.get(host) and (identity := _only(self._identities_at.get(host))):
            self._by_identity(identity).take_in(party)

    def _now_known(self, key: tuple[str, ...]) -> str:
        """The instance that what stood for a handset is known by now."""
        known = {"identity": self._of_identity, "place": self._of_address}.get(key[0], {})
        return _only(known.get(key[1]))

    def _of(self, item: Item, party: Party, by_sender: bool) -> NamedParty:
        message = message_of(item)
        thread = _thread(message, party) if message is not None else None
        if message is None or thread is None:
            return self._find(message, party, by_sender)
        line = message.source, message.destination, by_sender
        known = self._on_lines.get(line)
        if known is not None and known[0] == thread and known[1] is party:
            return known[2].final
        found = self._find(message, party, by_sender)
        if len(self._on_lines) >= _MOST_LINES:
            self._on_lines.clear()
        self._on_lines[line] = thread, party, found
        return found

    def _find(self, message: SipEntry | MsrpEntry | None, party: Party, by_sender: bool) -> NamedParty:
        if message is None:
            return self._own_handset()
        address = message.source if by_sender else message.destination
        if party is Party.NETWORK:
            product = _product(message) if by_sender and isinstance(message, SipEntry) else ""
            found = self._element(normal_host(address.host), product)
        elif party is Party.HANDSET:
            found = self._find_handset(message, address)
            if by_sender and isinstance(message, SipEntry) and not found.crowd:
                found.product = found.product or _product(message)
        else:
            found = self._get(party, "unknown", str(address))
        _remember(found.addresses, _shown_place(address, party))
        return found

    def _own_handset(self) -> NamedParty:
        """Whose driver it was: a timeline of a lab with one handset leaves no doubt."""
        known = {instance for instances in self._of_address.values() for instance in instances}
        instance = _only(known)
        return self._handset(instance) if instance else self._get(Party.HANDSET, "driven", "")

    def _find_handset(self, message: SipEntry | MsrpEntry, address: Address) -> NamedParty:
        entry = message if isinstance(message, SipEntry) else _set_up_by(message)
        if entry is not None:
            said = entry if entry.sender is Party.HANDSET else None
            instance = _instance(said.contacts) if said is not None and said.message else ""
            if instance:
                return self._handset(instance, next(_identities(entry), ""))
        if entry is not None and entry is not message:
            address = entry.source if entry.sender is Party.HANDSET else entry.destination
        place = _place(address)
        identities = [] if entry is None else list(_identities(entry))
        here = self._of_address.get(place, set())
        for identity in identities:
            known = self._of_identity.get(identity, set())
            chosen = _only(known) or _only(known & here)
            if chosen:
                return self._handset(chosen, identity)
        if not identities and _only(here):
            return self._handset(_only(here))
        return self._by_identity(identities[0]) if identities else self._get(Party.HANDSET, "place", place)

    def _handset(self, instance: str, identity: str = "") -> NamedParty:
        found = self._get(Party.HANDSET, "instance", instance)
        if not found.crowd:
            found.instance = instance
            if identity:
                _remember(found.identities, _shown_identity(identity))
        return found

    def _by_identity(self, identity: str) -> NamedParty:
        found = self._get(Party.HANDSET, "identity", identity)
        if not found.crowd:
            _remember(found.identities, _shown_identity(identity))
        return found

    def _element(self, host: str, product: str) -> NamedParty:
        found = self._get(Party.NETWORK, "element", host, product)
        if not found.crowd:
            found.product = product
        return found

    def _get(self, party: Party, *key: str) -> NamedParty:
        found = self._named.get(key)
        if found is None:
            if len(self._named) >= MOST_NAMED:
                return self._crowds.setdefault(party, NamedParty(party, crowd=True))
            found = self._named[key] = NamedParty(party)
        return found.final


def _thread(message: SipEntry | MsrpEntry, party: Party) -> object:
    """What a handset's messages on a line have in common as long as it is one; None to look anew."""
    if isinstance(message, MsrpEntry):
        return message.session
    return message.call_id if party is Party.HANDSET and not _shows_instance(message) else None


def _shows_instance(entry: SipEntry) -> bool:
    return b"+sip.instance" in entry.raw


def _set_up_by(message: MsrpEntry) -> SipEntry | None:
    """The SIP message that tells who the handset in an MSRP session is: its own, else the far side's."""
    if message.session is None:
        return None
    ends = [end.description.entry for end in message.session.ends]
    own = next((entry for entry in ends if entry.sender is Party.HANDSET), None)
    return own or next(iter(ends), None)


def _identities(entry: SipEntry) -> Iterator[str]:
    """The handset's identity in a message of its own or to it: the one it is known by first.

    What the handset asked has it in From, and so have the answers; what it was asked has it in To.
    """
    request = entry if entry.request is not None else entry.transaction.request if entry.transaction else None
    asked_by = request.sender if request is not None else entry.sender.other
    by_handset = asked_by is Party.HANDSET
    names = ("P-Preferred-Identity", "From") if by_handset else ("P-Called-Party-ID", "To")
    source = request if request is not None else entry
    for name in names:
        value = source.message.get(name) if source.message else None
        uri = uri_of(value) if value else None
        if uri is not None and (uri.user or "").lower() not in _UNNAMED:
            yield party_of(uri)


def _instance(contacts: Iterable[NameAddr]) -> str:
    """ "IMEI 35209900-176148-0" of the first Contact with an instance, else "instance urn:uuid:..."."""
    for contact in contacts:
        value = contact.parameters.get("+sip.instance")
        if value:
            imei = _IMEI.match(value)
            return f"IMEI {imei[1]}" if imei else f"instance {value.strip('<>')}"
    return ""


def _product(entry: SipEntry) -> str:
    message = entry.message
    return ((message.get("Server") or message.get("User-Agent")) if message else None) or ""


def _place(address: Address) -> str:
    return str(Address(normal_host(address.host), address.port))


def _shown_place(address: Address, party: Party) -> str:
    """A network element by its host: it uses many ports. A handset by host and port, as behind a NAT."""
    return normal_host(address.host) if party is Party.NETWORK else _place(address)


def _shown_identity(identity: str) -> str:
    return f"+{identity}" if identity.isdigit() and len(identity) > 6 and identity[0] != "0" else identity


def _remember(known: dict[str, None], value: str) -> None:
    if len(known) < _MOST_OF_EACH:
        known.setdefault(value)


def _only(values: set[str] | None) -> str:
    """The one of them, "" when there is none or more."""
    return next(iter(values)) if values is not None and len(values) == 1 else ""


def _put(known: dict[str, set[str]], key: str, value: str) -> None:
    """Two of a kind tell that there is more than one; more need not be held. The oldest keys are let go."""
    if key not in known and len(known) >= _MOST_KEYS:
        del known[next(iter(known))]
    if len(known[key]) < 2 * _MOST_OF_EACH:
        known[key].add(value)
