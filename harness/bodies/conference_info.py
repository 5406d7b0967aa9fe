"""application/conference-info+xml (RFC 4575 4 to 6): who is in a conference, and how a subscriber keeps up.

A document is a tree; the classes here are views of it, so that what this project does not know stays there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum, StrEnum, auto

from harness.bodies.xml_node import Node, node, parse_document, parse_number, write_document
from harness.errors import BodySyntaxError

MEDIA_TYPE = "application/conference-info+xml"
NAMESPACE = "urn:ietf:params:xml:ns:conference-info"

_CLAUSE = "RFC 4575 5.2"


class Extent(StrEnum):
    """What the `state` of an element says of its content (4.4)."""

    FULL = "full"
    PARTIAL = "partial"
    DELETED = "deleted"


class Status(StrEnum):
    """The status of an endpoint (5.7.3)."""

    PENDING = "pending"
    DIALING_OUT = "dialing-out"
    DIALING_IN = "dialing-in"
    ALERTING = "alerting"
    ON_HOLD = "on-hold"
    CONNECTED = "connected"
    MUTED = "muted-via-focus"
    DISCONNECTING = "disconnecting"
    DISCONNECTED = "disconnected"


# What tells elements of one name apart below one parent (4.5): an attribute, or the text of a child.
# entry is a sidebar by value when it has an entity, else something that has a uri.
_KEYS = {"user": "entity", "endpoint": "entity", "media": "id", "entry": "entity"}
_KEY_CHILDREN = {"entry": "uri"}


def _name(local: str) -> str:
    return f"{{{NAMESPACE}}}{local}"


# -- views


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One device of a user (5.7)."""

    node: Node

    @property
    def entity(self) -> str:
        """Its URI; empty without one."""
        return self.node.get("entity") or ""

    @property
    def status(self) -> str | None:
        """Its status, a `Status` when it is one of the RFC's; None when it is not told."""
        return self.node.text_of("status")

    @property
    def joining_method(self) -> str | None:
        """dialed-in, dialed-out or focus-owner (5.7.4)."""
        return self.node.text_of("joining-method")

    @property
    def disconnection_method(self) -> str | None:
        """departed, booted, failed or busy (5.7.6)."""
        return self.node.text_of("disconnection-method")

    @property
    def media(self) -> tuple[str, ...]:
        """The types of its media, in order (5.8.2)."""
        return tuple(each.text_of("type") or "" for each in self.node.all("media"))


@dataclass(frozen=True, slots=True)
class User:
    """One participant (5.6)."""

    node: Node

    @property
    def entity(self) -> str:
        """The URI of the user; empty without one."""
        return self.node.get("entity") or ""

    @property
    def extent(self) -> Extent:
        """Whether this is all about the user, a change, or that the user is gone."""
        return _extent(self.node)

    @property
    def display(self) -> str | None:
        """The name to show."""
        return self.node.text_of("display-text")

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles, in order (5.6.3)."""
        found = self.node.child("roles")
        return () if found is None else tuple(each.text.strip() for each in found.all("entry"))

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """The devices, in order."""
        return tuple(map(Endpoint, self.node.all("endpoint")))


@dataclass(frozen=True, slots=True)
class ConferenceInfo:
    """A whole document, or what a subscriber knows. version: None only where the conference is a sidebar."""

    node: Node

    @property
    def entity(self) -> str:
        """The URI of the conference."""
        return self.node.get("entity") or ""

    @property
    def version(self) -> int | None:
        """The number of the document within its subscription."""
        return self.node.number("version", _CLAUSE)

    @property
    def extent(self) -> Extent:
        """full, partial, or deleted: the conference is over."""
        return _extent(self.node)

    @property
    def subject(self) -> str | None:
        """The subject (5.3)."""
        return self._described("subject")

    @property
    def display(self) -> str | None:
        """The name to show (5.3)."""
        return self._described("display-text")

    @property
    def maximum_user_count(self) -> int | None:
        """How many may take part (5.3.3). Raises BodySyntaxError."""
        return self._count("conference-description", "maximum-user-count")

    @property
    def user_count(self) -> int | None:
        """How many take part (5.5.1). Raises BodySyntaxError."""
        return self._count("conference-state", "user-count")

    @property
    def active(self) -> bool | None:
        """Whether one can join (5.5.2)."""
        return self._truth("active")

    @property
    def locked(self) -> bool | None:
        """Whether nobody may be added (5.5.3)."""
        return self._truth("locked")

    @property
    def users(self) -> tuple[User, ...]:
        """The participants, in order."""
        found = self.node.child("users")
        return () if found is None else tuple(map(User, found.all("user")))

    def user(self, entity: str) -> User | None:
        """The participant of that URI, compared octet by octet (4.5)."""
        return next((each for each in self.users if each.entity == entity), None)

    def _described(self, local: str) -> str | None:
        found = self.node.child("conference-description")
        return None if found is None else found.text_of(local)

    def _count(self, parent: str, local: str) -> int | None:
        found = self.node.child(parent)
        number = None if found is None else found.child(local)
        return None if number is None else parse_number(number.text, local, number.offset, _CLAUSE)

    def _truth(self, local: str) -> bool | None:
        found = self.node.child("conference-state")
        return (
            None
            if found is None
            else {"true": True, "1": True, "false": False, "0": False}.get(found.text_of(local) or "")
        )


def _extent(found: Node) -> Extent:
    value = found.get("state") or Extent.FULL
    try:
        return Extent(value)
    except ValueError:
        hint = f"not one of {', '.join(Extent)}"
        raise BodySyntaxError(f"{found.local} state", value, found.offset, "RFC 4575 4.4", hint) from None


# -- reading and writing


def parse_conference_info(data: bytes) -> ConferenceInfo:
    """Read a document. Raises BodySyntaxError, also without entity or version and for an unknown state."""
    root = parse_document(data, _name("conference-info"), _CLAUSE)
    root.demand("entity", _CLAUSE)
    parse_number(
        root.demand("version", "RFC 4575 4.3"), "conference-info version", root.offset, "RFC 4575 4.3"
    )
    _check(root)
    return ConferenceInfo(root)


def _check(found: Node) -> None:
    if found.namespace == NAMESPACE:
        _extent(found)
        for child in found.children:
            _check(child)


def write_conference_info(document: ConferenceInfo) -> bytes:
    """The document as XML. Raises BodySyntaxError for characters XML cannot hold."""
    return write_document(document.node)


def endpoint(
    entity: str,
    status: str,
    *,
    joining_method: str | None = None,
    disconnection_method: str | None = None,
    media: Iterable[str] = (),
    state: Extent | None = None,
) -> Node:
    """An endpoint to be written; media by type, numbered from 1."""
    return node(
        _name("endpoint"),
        _leaf("status", status),
        _leaf("joining-method", joining_method),
        _leaf("disconnection-method", disconnection_method),
        *(node(_name("media"), _leaf("type", kind), id=number) for number, kind in enumerate(media, 1)),
        entity=entity,
        state=state,
    )


def user(
    entity: str,
    *endpoints: Node,
    display: str | None = None,
    roles: Iterable[str] = (),
    state: Extent | None = None,
) -> Node:
    """A user to be written."""
    entries = tuple(node(_name("entry"), text=role) for role in roles)
    return node(
        _name("user"),
        _leaf("display-text", display),
        node(_name("roles"), *entries) if entries else None,
        *endpoints,
        entity=entity,
        state=state,
    )


def conference(
    entity: str,
    version: int,
    *users: Node,
    subject: str | None = None,
    display: str | None = None,
    maximum_user_count: int | None = None,
    user_count: int | None = None,
    active: bool | None = None,
    state: Extent = Extent.FULL,
) -> ConferenceInfo:
    """A document to be written. A full one has a description and users, whatever is in them (5.2)."""
    full = state is Extent.FULL
    description = node(
        _name("conference-description"),
        _leaf("display-text", display),
        _leaf("subject", subject),
        _leaf("maximum-user-count", maximum_user_count),
    )
    counts = node(
        _name("conference-state"),
        _leaf("user-count", user_count),
        _leaf("active", None if active is None else str(active).lower()),
    )
    listed = node(_name("users"), *users, state=None if full else state)
    root = node(
        _name("conference-info"),
        description if full or description.children else None,
        counts if counts.children else None,
        listed if full or users else None,
        entity=entity,
        state=state,
        version=version,
    )
    return ConferenceInfo(root)


def _leaf(local: str, value: object) -> Node | None:
    return None if value is None else node(_name(local), text=str(value))


# -- what a subscriber knows


class Update(Enum):
    """What became of a document."""

    TAKEN = auto()
    STALE = auto()  # not newer than what is known: left out
    GAP = auto()  # left out, because what it builds on is missing: refresh for the full state
    OVER = auto()  # the conference has ceased to exist: unsubscribe


class ConferenceView:
    """What one subscription says of its conference, put together from its documents (4.6)."""

    def __init__(self) -> None:
        self.info: ConferenceInfo | None = None
        self.version: int | None = None

    def apply(self, document: ConferenceInfo) -> Update:
        """Take a document in. Raises BodySyntaxError when its version cannot be read."""
        version = document.version or 0
        if self.version is not None and version <= self.version:
            return Update.STALE
        if document.extent is Extent.PARTIAL:
            if self.info is None or self.version is None or version > self.version + 1:
                return Update.GAP
            self.info = ConferenceInfo(_merged(self.info.node, document.node))
        else:
            self.info = ConferenceInfo(_whole(document.node))
        self.version = version
        return Update.OVER if document.extent is Extent.DELETED else Update.TAKEN


def _merged(known: Node, told: Node) -> Node:
    """The known element with a partial one worked in (4.6, steps 3.1 to 3.3)."""
    rows = _rows(known)
    for row, child in _rows(told).items():
        extent = _extent(child) if child.namespace == NAMESPACE else Extent.FULL
        if extent is Extent.DELETED:
            rows.pop(row, None)
        elif extent is Extent.PARTIAL and row in rows:
            rows[row] = _merged(rows[row], child)
        else:
            rows[row] = _whole(child)
    attributes = dict(known.attributes) | dict(told.attributes)
    attributes.pop("state", None)
    return replace(
        known, attributes=tuple(attributes.items()), children=tuple(rows.values()), offset=told.offset
    )


def _rows(found: Node) -> dict[tuple[str, str | None, int], Node]:
    """The children by name, key, and number among those of one name and key (foreign ones have no key)."""
    rows: dict[tuple[str, str | None, int], Node] = {}
    seen: Counter[tuple[str, str | None]] = Counter()
    for child in found.children:
        row = (child.name, _key(child))
        rows[(*row, seen[row])] = child
        seen[row] += 1
    return rows


def _whole(told: Node) -> Node:
    """An element as it is known once it has been taken in: all of it, without what is deleted."""
    if told.namespace != NAMESPACE:
        return told
    children = tuple(
        _whole(child)
        for child in told.children
        if child.namespace != NAMESPACE or _extent(child) is not Extent.DELETED
    )
    return replace(told.with_attribute("state", None), children=children)


def _key(found: Node) -> str | None:
    if found.namespace != NAMESPACE:
        return None
    value = found.get(_KEYS.get(found.local, ""))
    if value is None and found.local in _KEY_CHILDREN:
        return found.text_of(_KEY_CHILDREN[found.local])
    return value
