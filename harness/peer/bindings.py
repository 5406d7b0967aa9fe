"""The location service of the registrar (RFC 3261 10.3): who is bound where, found by any identity."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

from harness.peer.flow import Flow
from harness.peer.identities import canonical, names, number_of
from harness.sip.headers import NameAddr

_FEW = 64


@dataclass(frozen=True, slots=True)
class Binding:
    """A Contact bound to an identity.

    aor: the identity in the To of the REGISTER. contact: the URI bound. parameters: the Contact's own
    (feature tags decoded in `features`). associated: the identities of the registration, default first.
    expires_at, registered_at: seconds since the Unix epoch. path: values of Path, the handset's side last.
    access_network: P-Access-Network-Info of the REGISTER.
    """

    aor: str
    contact: str
    address: NameAddr
    features: Mapping[str, tuple[str, ...]]
    instance: str | None
    associated: tuple[str, ...]
    flow: Flow
    call_id: str
    cseq: int
    expires: int
    expires_at: float
    registered_at: float
    path: tuple[str, ...] = ()
    user_agent: str = ""
    access_network: str = ""
    number: int = 0

    @property
    def identity(self) -> str:
        """The default public identity."""
        return self.associated[0] if self.associated else self.aor

    def __str__(self) -> str:
        return f"{self.aor} at {self.contact} for {self.expires} s"

    def belongs_to(self, identity: str) -> bool:
        """True when the binding can be reached under this identity (URI or number)."""
        return names(identity, (self.aor, *self.associated))


class Bindings:
    """Bindings by address-of-record. Thousands of handsets cost no more for each request than one does."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[Binding, ...]] = {}
        self._named: dict[str, tuple[str, ...]] = {}  # a user's URI or number -> addresses-of-record
        self._ends: list[tuple[float, str]] = []  # a heap; what was replaced meanwhile is passed over

    def of(self, aor: str) -> tuple[Binding, ...]:
        """What is bound to an address-of-record, newest last."""
        return self._held.get(aor, ())

    def put(self, aor: str, bindings: Iterable[Binding]) -> None:
        """Bind these and nothing else."""
        for key in names_of_all(self._held.pop(aor, ())):
            left = tuple(known for known in self._named.pop(key) if known != aor)
            if left:
                self._named[key] = left
        held = tuple(bindings)
        if not held:
            return
        self._held[aor] = held
        for key in names_of_all(held):
            self._named[key] = (*self._named.get(key, ()), aor)
        for binding in held:
            heappush(self._ends, (binding.expires_at, aor))
        if len(self._ends) > _FEW + 4 * len(self._held):  # most of them of bindings refreshed since
            self._ends = [(each.expires_at, name) for name, bound in self._held.items() for each in bound]
            heapify(self._ends)

    def remove(self, binding: Binding) -> None:
        """Let one go; nothing when it is not held."""
        self.put(binding.aor, (held for held in self.of(binding.aor) if held != binding))

    def clear(self) -> None:
        """Let all go."""
        self._held.clear()
        self._named.clear()
        self._ends.clear()

    def all(self) -> list[Binding]:
        """Every binding, in the order they were made."""
        held = [binding for bound in tuple(self._held.values()) for binding in bound]
        return sorted(held, key=lambda binding: binding.number)

    def named(self, identity: str) -> list[Binding]:
        """The bindings of the user whom the identity (URI or number) names, in the order they were made."""
        aors = {aor for key in names_of(identity) for aor in self._named.get(key, ())}
        held = [binding for aor in aors for binding in self.of(aor) if binding.belongs_to(identity)]
        return sorted(held, key=lambda binding: binding.number)

    def next_end(self) -> float | None:
        """When the next binding ends."""
        while self._ends:
            end, aor = self._ends[0]
            if any(binding.expires_at == end for binding in self.of(aor)):
                return end
            heappop(self._ends)
        return None

    def take_overdue(self, now: float) -> dict[str, tuple[Binding, ...]]:
        """Let go of the bindings whose time is over: they, by address-of-record."""
        taken: dict[str, tuple[Binding, ...]] = {}
        while (end := self.next_end()) is not None and end <= now:
            aor = self._ends[0][1]
            held = self.of(aor)
            taken[aor] = (*taken.get(aor, ()), *(binding for binding in held if binding.expires_at <= now))
            self.put(aor, (binding for binding in held if binding.expires_at > now))
        return taken


def names_of_all(bindings: Iterable[Binding]) -> set[str]:
    """The names of every user of these bindings."""
    identities = {identity for binding in bindings for identity in (binding.aor, *binding.associated)}
    return {key for identity in identities for key in names_of(identity)}


def names_of(identity: str) -> set[str]:
    """The names of a user: two identities are of one user when they share a name (see same_user)."""
    number = number_of(identity)
    return {canonical(identity), number} if number is not None else {canonical(identity)}
