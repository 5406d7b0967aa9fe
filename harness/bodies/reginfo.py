"""application/reginfo+xml (RFC 3680 5): registration state, and the table a subscriber builds of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum, StrEnum, auto
from typing import TypeVar

from harness.bodies.xml_node import Node, node, parse_document, parse_number, write_document
from harness.errors import BodySyntaxError

MEDIA_TYPE = "application/reginfo+xml"
NAMESPACE = "urn:ietf:params:xml:ns:reginfo"

_CLAUSE = "RFC 3680 5.1"
_UNSIGNED_LONG = 2**64 - 1
_E = TypeVar("_E", bound=StrEnum)


class RegistrationState(StrEnum):
    """The state of an address-of-record."""

    INIT = "init"
    ACTIVE = "active"
    TERMINATED = "terminated"


class ContactState(StrEnum):
    """The state of a contact."""

    ACTIVE = "active"
    TERMINATED = "terminated"


class ContactEvent(StrEnum):
    """What brought a contact into its state."""

    REGISTERED = "registered"
    CREATED = "created"
    REFRESHED = "refreshed"
    SHORTENED = "shortened"
    EXPIRED = "expired"
    DEACTIVATED = "deactivated"
    PROBATION = "probation"
    UNREGISTERED = "unregistered"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Contact:
    """One contact. expires, retry_after, duration: seconds. parameters: those of Contact RFC 3261 does not
    know, in order, with their values (empty for none)."""

    id: str
    uri: str
    state: ContactState
    event: ContactEvent
    expires: int | None = None
    retry_after: int | None = None
    duration: int | None = None
    q: str | None = None
    call_id: str | None = None
    cseq: int | None = None
    display: str | None = None
    parameters: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Registration:
    """One address-of-record and its contacts."""

    aor: str
    id: str
    state: RegistrationState
    contacts: tuple[Contact, ...] = ()


@dataclass(frozen=True, slots=True)
class Reginfo:
    """One document. full: it holds everything, not only what changed."""

    version: int
    registrations: tuple[Registration, ...] = ()
    full: bool = True


# -- reading


def parse_reginfo(data: bytes) -> Reginfo:
    """Read a document; elements and attributes of other namespaces are left out. Raises BodySyntaxError."""
    root = parse_document(data, f"{{{NAMESPACE}}}reginfo", _CLAUSE)
    version = parse_number(root.demand("version", _CLAUSE), "reginfo version", root.offset, _CLAUSE)
    full = _one_of(_Extent, root, "state") is _Extent.FULL
    return Reginfo(version, tuple(map(_registration, root.all("registration"))), full)


class _Extent(StrEnum):
    FULL = "full"
    PARTIAL = "partial"


def _registration(found: Node) -> Registration:
    return Registration(
        found.demand("aor", _CLAUSE),
        found.demand("id", _CLAUSE),
        _one_of(RegistrationState, found, "state"),
        tuple(map(_contact, found.all("contact"))),
    )


def _contact(found: Node) -> Contact:
    uri = found.text_of("uri")
    if uri is None:
        raise BodySyntaxError("contact", "", found.offset, _CLAUSE, "no uri")
    return Contact(
        found.demand("id", _CLAUSE),
        uri,
        _one_of(ContactState, found, "state"),
        _one_of(ContactEvent, found, "event"),
        expires=found.number("expires", _CLAUSE, _UNSIGNED_LONG),
        retry_after=found.number("retry-after", _CLAUSE, _UNSIGNED_LONG),
        duration=found.number("duration-registered", _CLAUSE, _UNSIGNED_LONG),
        q=found.get("q"),
        call_id=found.get("callid"),
        cseq=found.number("cseq", _CLAUSE, _UNSIGNED_LONG),
        display=found.text_of("display-name"),
        parameters=tuple(
            (each.demand("name", _CLAUSE), each.text.strip()) for each in found.all("unknown-param")
        ),
    )


def _one_of(kind: type[_E], found: Node, name: str) -> _E:
    value = found.demand(name, _CLAUSE)
    try:
        return kind(value)
    except ValueError:
        hint = f"not one of {', '.join(kind)}"
        raise BodySyntaxError(f"{found.local} {name}", value, found.offset, _CLAUSE, hint) from None


# -- writing


def write_reginfo(document: Reginfo) -> bytes:
    """The document as XML. Raises BodySyntaxError for characters XML cannot hold."""
    root = node(
        _name("reginfo"),
        *(_registration_node(each) for each in document.registrations),
        version=document.version,
        state="full" if document.full else "partial",
    )
    return write_document(root)


def _registration_node(each: Registration) -> Node:
    contacts = map(_contact_node, each.contacts)
    return node(_name("registration"), *contacts, aor=each.aor, id=each.id, state=each.state)


def _contact_node(each: Contact) -> Node:
    display = None if each.display is None else node(_name("display-name"), text=each.display)
    parameters = (node(_name("unknown-param"), text=value, name=name) for name, value in each.parameters)
    return node(
        _name("contact"),
        node(_name("uri"), text=each.uri),
        display,
        *parameters,
        id=each.id,
        state=each.state,
        event=each.event,
        expires=each.expires,
        retry_after=each.retry_after,
        duration_registered=each.duration,
        q=each.q,
        callid=each.call_id,
        cseq=each.cseq,
    )


def _name(local: str) -> str:
    return f"{{{NAMESPACE}}}{local}"


# -- what a subscriber knows


class Update(Enum):
    """What became of a document."""

    TAKEN = auto()
    STALE = auto()  # not newer than what is known: left out
    GAP = auto()  # taken, but one before it is missing: ask for the full state


class RegistrationTable:
    """The registrations of one subscription, put together from its documents (RFC 3680 5.2)."""

    def __init__(self) -> None:
        self.version: int | None = None
        self._registrations: dict[str, Registration] = {}

    @property
    def registrations(self) -> tuple[Registration, ...]:
        """What is known, terminated contacts included until a full document leaves them out."""
        return tuple(self._registrations.values())

    def apply(self, document: Reginfo) -> Update:
        """Take a document in."""
        known, self.version = self.version, document.version
        if known is not None and document.version <= known:
            self.version = known
            return Update.STALE
        if document.full:
            self._registrations.clear()
        for each in document.registrations:
            self._registrations[each.id] = _merged(self._registrations.get(each.id), each)
        return Update.GAP if known is not None and document.version > known + 1 else Update.TAKEN


def _merged(known: Registration | None, told: Registration) -> Registration:
    if known is None:
        return told
    return replace(told, contacts=_by_id((*known.contacts, *told.contacts)))


def _by_id(contacts: Iterable[Contact]) -> tuple[Contact, ...]:
    """The last of each id, at the place of its first."""
    return tuple({each.id: each for each in contacts}.values())
