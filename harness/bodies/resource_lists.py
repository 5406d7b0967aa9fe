"""application/resource-lists+xml with copy control: who a list of recipients names (RFC 4826 3, RFC 5364 4).

Recipient lists are flat (RFC 5366 4); what nests or refers to other lists is read all the same, and told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from harness.bodies.xml_node import Node, node, parse_document, write_document

MEDIA_TYPE = "application/resource-lists+xml"
NAMESPACE = "urn:ietf:params:xml:ns:resource-lists"
COPY_CONTROL = "urn:ietf:params:xml:ns:copycontrol"
COPIES = ("to", "cc", "bcc")

_CLAUSE = "RFC 4826 3.1"
_REFERENCES = ("entry-ref", "external")


@dataclass(frozen=True, slots=True)
class Recipient:
    """One `<entry>`. copy: as written, None without the attribute, which stands for bcc (RFC 5364 4)."""

    uri: str
    copy: str | None
    offset: int


@dataclass(frozen=True, slots=True)
class ResourceLists:
    """A document. recipients: the entries of all lists, those inside lists too, in order."""

    root: Node

    @property
    def recipients(self) -> tuple[Recipient, ...]:
        return tuple(
            Recipient(
                (found.get("uri") or "").strip(), found.get(f"{{{COPY_CONTROL}}}copyControl"), found.offset
            )
            for found in _below(self.root)
            if found.local == "entry"
        )

    @property
    def references(self) -> tuple[Node, ...]:
        """What stands for entries somewhere else: `<entry-ref>` and `<external>`."""
        return tuple(found for found in _below(self.root) if found.local in _REFERENCES)

    @property
    def nested(self) -> Node | None:
        """The first list within a list."""
        lists = (found for found in _below(self.root) if found.local == "list")
        return next((inner for found in lists for inner in found.all("list")), None)

    @property
    def lists(self) -> int:
        """How many lists stand side by side."""
        return sum(1 for _ in self.root.all("list"))


def parse_resource_lists(data: bytes) -> ResourceLists:
    """Read a document. Raises BodySyntaxError, also for a document type and for another root element."""
    return ResourceLists(parse_document(data, f"{{{NAMESPACE}}}resource-lists", _CLAUSE))


def write_resource_lists(recipients: Iterable[tuple[str, str | None]]) -> bytes:
    """One flat list of URIs, each with its copyControl, None for none (RFC 5366 4, RFC 5364 4).

    Raises BodySyntaxError for what XML cannot hold.
    """
    entries = (
        node(f"{{{NAMESPACE}}}entry", uri=uri).with_attribute(f"{{{COPY_CONTROL}}}copyControl", copy)
        for uri, copy in recipients
    )
    root = node(f"{{{NAMESPACE}}}resource-lists", node(f"{{{NAMESPACE}}}list", *entries))
    return write_document(root, {"cp": COPY_CONTROL})


def _below(found: Node) -> Iterator[Node]:
    """Everything of the namespace within an element, in the order of the document."""
    for child in found.children:
        if child.namespace == NAMESPACE:
            yield child
            yield from _below(child)
