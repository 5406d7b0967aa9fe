"""XML bodies as trees of values: read without document type, entities or network, and write (XML 1.0)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, cast

from lxml import etree

from harness.errors import BodySyntaxError

LARGEST = 1 << 20  # octets
DEEPEST = 64  # elements within each other
MOST_ATTRIBUTES = 256  # of one element: reading them takes time by the square of their number

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NAMED = re.compile(r"\{([^{}]*)\}(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Node:
    """One element. name and the names of attributes are `{namespace}local`, or `local` without namespace.

    text: the character data directly within it. offset: the octet of the line it begins in; it does not
    count when nodes are compared.
    """

    name: str
    attributes: tuple[tuple[str, str], ...] = ()
    text: str = ""
    children: tuple[Node, ...] = ()
    offset: int = field(default=0, compare=False)

    @property
    def namespace(self) -> str:
        """The namespace; empty without one."""
        match = _NAMED.fullmatch(self.name)
        return match[1] if match else ""

    @property
    def local(self) -> str:
        """The name without its namespace."""
        match = _NAMED.fullmatch(self.name)
        return match[2] if match else self.name

    def get(self, name: str) -> str | None:
        """The value of an attribute, None when it is absent."""
        return next((value for key, value in self.attributes if key == name), None)

    def all(self, local: str) -> Iterator[Node]:
        """The children of that name in the namespace of this node."""
        name = f"{{{self.namespace}}}{local}"
        return (child for child in self.children if child.name == name)

    def child(self, local: str) -> Node | None:
        """The first of them."""
        return next(self.all(local), None)

    def text_of(self, local: str) -> str | None:
        """The trimmed text of that child, None when it is absent."""
        found = self.child(local)
        return None if found is None else found.text.strip()

    def with_attribute(self, name: str, value: str | None) -> Node:
        """A copy with this attribute, or without it."""
        others = tuple(pair for pair in self.attributes if pair[0] != name)
        return replace(self, attributes=others if value is None else (*others, (name, value)))

    def demand(self, name: str, clause: str) -> str:
        """The value of an attribute that must be there. Raises BodySyntaxError."""
        value = self.get(name)
        if value is None:
            raise BodySyntaxError(self.local, "", self.offset, clause, f"no attribute {name}")
        return value

    def number(self, name: str, clause: str, limit: int = 2**32 - 1) -> int | None:
        """The value of an attribute that is a number, None when it is absent. Raises BodySyntaxError."""
        value = self.get(name)
        return (
            None if value is None else parse_number(value, f"{self.local} {name}", self.offset, clause, limit)
        )


def parse_number(text: str, what: str, offset: int, clause: str, limit: int = 2**32 - 1) -> int:
    """A decimal number up to limit, white space around it aside. Raises BodySyntaxError."""
    digits = text.strip()
    if not digits.isascii() or not digits.isdigit() or len(digits) > 20 or int(digits) > limit:
        raise BodySyntaxError(what, text, offset, clause, f"no number up to {limit}")
    return int(digits)


def node(name: str, /, *children: Node | None, text: str | None = None, **attributes: object) -> Node:
    """A node to be written. What is None is left out; `_` in the name of an attribute stands for `-`."""
    pairs = tuple(
        (key.replace("_", "-"), str(value)) for key, value in attributes.items() if value is not None
    )
    return Node(name, pairs, text or "", tuple(child for child in children if child is not None))


def parse_tree(data: bytes, clause: str) -> etree._ElementTree:
    """The tree of a document. Entities stay as they are, nothing is fetched. Raises BodySyntaxError."""
    if len(data) > LARGEST:
        raise BodySyntaxError("XML", data[:80], 0, clause, f"more than {LARGEST} octets")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False
    )
    try:
        return etree.fromstring(data, parser).getroottree()
    except etree.XMLSyntaxError as error:
        offset = _place(data, *error.position)
        raise BodySyntaxError("XML", data[offset : offset + 80], offset, clause, error.msg or "") from error
    except (ValueError, LookupError) as error:
        raise BodySyntaxError("XML", data[:80], 0, clause, str(error)) from error


def _place(data: bytes, line: int, column: int) -> int:
    lines = data.split(b"\n", max(line - 1, 0))
    before = sum(len(each) + 1 for each in lines[: max(line - 1, 0)])
    return min(before + max(column - 1, 0), len(data))


def parse_document(data: bytes, root: str, clause: str) -> Node:
    """The root of a document, which must be `root`. Raises BodySyntaxError, also for a document type."""
    tree = parse_tree(data, clause)
    if cast(object, tree.docinfo.internalDTD) is not None:
        raise BodySyntaxError("document type", str(tree.docinfo.root_name), 0, clause, "not allowed here")
    starts = [0]
    for line in data.split(b"\n"):
        starts.append(starts[-1] + len(line) + 1)
    found = _read(tree.getroot(), starts, clause, 0)
    if found.name != root:
        raise BodySyntaxError("root element", found.name, found.offset, clause, f"not {root}")
    return found


def _read(element: etree._Element, starts: list[int], clause: str, depth: int) -> Node:
    line = cast(int | None, element.sourceline) or 1
    offset = starts[min(line, len(starts)) - 1]
    if depth > DEEPEST:
        raise BodySyntaxError("XML", str(element.tag), offset, clause, f"more than {DEEPEST} levels")
    if len(element.attrib) > MOST_ATTRIBUTES:
        raise BodySyntaxError(
            "XML", str(element.tag), offset, clause, f"more than {MOST_ATTRIBUTES} attributes"
        )
    return Node(
        str(element.tag),
        tuple((str(key), str(value)) for key, value in element.attrib.items()),
        (element.text or "") + "".join(child.tail or "" for child in element),
        tuple(_read(child, starts, clause, depth + 1) for child in element if isinstance(child.tag, str)),
        offset,
    )


def write_document(root: Node, prefixes: Mapping[str, str] = MappingProxyType({})) -> bytes:
    """The document in UTF-8; the namespace of the root is the default one. prefixes: of other namespaces.

    Raises BodySyntaxError for what XML cannot hold.
    """
    namespaces: Any = dict(prefixes)  # the stubs know no default namespace
    if root.namespace:
        namespaces[None] = root.namespace
    element = etree.Element(_checked(root.name), nsmap=namespaces)
    _fill(element, root)
    return bytes(etree.tostring(element, xml_declaration=True, encoding="UTF-8"))


def _fill(element: etree._Element, source: Node) -> None:
    for name, value in source.attributes:
        element.set(_checked(name), _checked(value))
    if source.text:
        element.text = _checked(source.text)
    for child in source.children:
        _fill(etree.SubElement(element, _checked(child.name)), child)


def _checked(text: str) -> str:
    if _NOT_XML.search(text):
        raise BodySyntaxError("text", ascii(text), 0, "XML 1.0 2.2", "a character XML cannot hold")
    return text
