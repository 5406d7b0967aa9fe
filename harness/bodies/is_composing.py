"""application/im-iscomposing+xml: whether somebody is writing (RFC 3994 3.4, 6)."""

from __future__ import annotations

from dataclasses import dataclass

from harness.bodies.xml_node import node, parse_document, parse_number, write_document
from harness.errors import BodySyntaxError

NAMESPACE = "urn:ietf:params:xml:ns:im-iscomposing"
MEDIA_TYPE = "application/im-iscomposing+xml"
ASSUMED_REFRESH = 120  # RFC 3994 3.3
SHORTEST_REFRESH = 60  # RFC 3994 3.2, a SHOULD
_CLAUSE = "RFC 3994 6"


@dataclass(frozen=True, slots=True)
class IsComposing:
    """One status message. state as written: what is not "active" counts as idle (3.5). refresh in seconds."""

    state: str
    last_active: str | None = None
    content_type: str | None = None
    refresh: int | None = None

    @property
    def active(self) -> bool:
        """Whether its sender is writing."""
        return self.state == "active"

    @property
    def lasts(self) -> int:
        """Seconds after which an active state ends by itself (3.3)."""
        return self.refresh or ASSUMED_REFRESH


def parse_is_composing(data: bytes) -> IsComposing:
    """Read a document; elements of other namespaces are left out.

    Raises BodySyntaxError, also without a state and for a refresh that is no positive number.
    """
    root = parse_document(data, _name("isComposing"), _CLAUSE)
    state, refresh = root.text_of("state"), root.text_of("refresh")
    if state is None:
        raise BodySyntaxError("isComposing", "", root.offset, _CLAUSE, "no state")
    seconds = None if refresh is None else parse_number(refresh, "refresh", root.offset, _CLAUSE)
    if seconds == 0:
        raise BodySyntaxError("refresh", "0", root.offset, _CLAUSE, "not positive")
    return IsComposing(state, root.text_of("lastactive"), root.text_of("contenttype"), seconds)


def write_is_composing(document: IsComposing) -> bytes:
    """The document as XML, its elements in the order of the schema. Raises BodySyntaxError."""
    values = (
        ("state", document.state),
        ("lastactive", document.last_active),
        ("contenttype", document.content_type),
        ("refresh", None if document.refresh is None else str(document.refresh)),
    )
    children = (node(_name(name), text=value) for name, value in values if value is not None)
    return write_document(node(_name("isComposing"), *children))


def _name(local: str) -> str:
    return f"{{{NAMESPACE}}}{local}"
