"""message/imdn+xml (RFC 5438 section 11): read without DTD, entities or network, and write.

The reader reports what stands in the document (order, counts, foreign elements); which of it is wrong is for
verify/ to say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, cast
from xml.sax.saxutils import escape as escape_xml

from lxml import etree

from harness.bodies.fault import Fault
from harness.bodies.xml_node import parse_tree
from harness.errors import BodySyntaxError

IMDN_XML_NAMESPACE = "urn:ietf:params:xml:ns:imdn"
MEDIA_TYPE = "message/imdn+xml"

Kind = Literal["delivery", "display", "processing"]

STATUSES: Mapping[str, tuple[str, ...]] = {
    "delivery": ("delivered", "failed", "forbidden", "error"),
    "display": ("displayed", "forbidden", "error"),
    "processing": ("processed", "stored", "forbidden", "error"),
}
"""RFC 5438 11.1.7: what the status of each notification may be; the first is the plain success."""

_CLAUSE = "RFC 5438 11.1"
_SPACE = re.compile(r"[ \t\r\n]+")
_NOT_XML = re.compile("[^\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class ImdnFault(StrEnum):
    """What can be wrong with a document that is still readable (values of Fault.what)."""

    DOCTYPE = "document type declaration"
    ENCODING = "encoding"
    VERSION = "XML version"


@dataclass(frozen=True, slots=True)
class XmlElement:
    """An element as far as rules need it: namespace ("" if none), local name, and what it holds."""

    namespace: str
    name: str
    text: str
    attributes: tuple[str, ...]
    children: tuple[XmlElement, ...]
    line: int

    @property
    def empty(self) -> bool:
        """No text but white space, no attribute, no child."""
        return not (self.text.strip() or self.attributes or self.children)


@dataclass(frozen=True, slots=True)
class Imdn:
    """One disposition notification.

    message_id: of the reported message, white space collapsed. datetime: as written, trimmed. notification
    and status: of the first notification of RFC 5438 in the document; status is the name of the first child
    of its status element that is in the namespace of the document. root: the whole tree. encoding: as
    declared.
    """

    raw: bytes
    root: XmlElement
    encoding: str
    message_id: str | None
    datetime: str | None
    recipient_uri: str | None
    original_recipient_uri: str | None
    subject: str | None
    notification: Kind | None
    status: str | None
    faults: tuple[Fault, ...] = ()

    @property
    def order(self) -> tuple[str, ...]:
        """Local names of the children of the root that are in its namespace, in order."""
        return tuple(child.name for child in self.root.children if child.namespace == self.root.namespace)

    @property
    def notifications(self) -> tuple[XmlElement, ...]:
        """The delivery-, display- and processing-notification elements, in order."""
        wanted = {f"{kind}-notification" for kind in STATUSES}
        return tuple(child for child in self._own() if child.name in wanted)

    @property
    def foreign(self) -> tuple[XmlElement, ...]:
        """Children of the root in other namespaces (CPM adds notifications there)."""
        return tuple(child for child in self.root.children if child.namespace != self.root.namespace)

    @property
    def unknown(self) -> tuple[XmlElement, ...]:
        """Children of the root in its namespace that RFC 5438 does not define."""
        known = {"message-id", "datetime", "recipient-uri", "original-recipient-uri", "subject"}
        known |= {f"{kind}-notification" for kind in STATUSES}
        return tuple(child for child in self._own() if child.name not in known)

    def _own(self) -> tuple[XmlElement, ...]:
        return tuple(child for child in self.root.children if child.namespace == self.root.namespace)


def parse_imdn(data: bytes) -> Imdn:
    """Read an IMDN document. Raises BodySyntaxError when it is not well-formed XML.

    A document in a wrong namespace is read by its own namespace, so that the namespace is the one thing
    wrong.
    """
    tree = parse_tree(data, _CLAUSE)
    root = _element(tree.getroot())
    kind, status = _disposition(root)
    return Imdn(
        raw=data,
        root=root,
        encoding=tree.docinfo.encoding or "",
        message_id=_text(root, "message-id", collapse=True),
        datetime=_text(root, "datetime"),
        recipient_uri=_text(root, "recipient-uri"),
        original_recipient_uri=_text(root, "original-recipient-uri"),
        subject=_text(root, "subject"),
        notification=kind,
        status=status,
        faults=tuple(_faults(tree)),
    )


def build_imdn(
    message_id: str,
    datetime: str | None,
    kind: Kind,
    status: str | None = None,
    *,
    recipient_uri: str | None = None,
    original_recipient_uri: str | None = None,
    subject: str | None = None,
    strict: bool = True,
) -> bytes:
    """Write an IMDN document on one line after the XML declaration.

    datetime: DateTime of the reported message. status: the plain success of the kind when None. strict
    refuses, with BodySyntaxError, a status that does not belong to the kind, a missing datetime and
    characters XML or a token cannot hold; strict=False writes what it is told.
    """
    chosen = STATUSES[kind][0] if status is None else status
    if strict:
        _refuse(message_id, datetime, kind, chosen, (recipient_uri, original_recipient_uri, subject))
    texts = (
        ("message-id", message_id),
        ("datetime", datetime),
        ("recipient-uri", recipient_uri),
        ("original-recipient-uri", original_recipient_uri),
        ("subject", subject),
    )
    inner = "".join(f"<{name}>{escape_xml(text)}</{name}>" for name, text in texts if text is not None)
    notification = f"<{kind}-notification><status><{chosen}/></status></{kind}-notification>"
    document = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<imdn xmlns="{IMDN_XML_NAMESPACE}">{inner}{notification}</imdn>'
    )
    return document.encode("utf-8")


def _refuse(
    message_id: str, datetime: str | None, kind: str, status: str, others: tuple[str | None, ...]
) -> None:
    if not message_id or _SPACE.sub(" ", message_id).strip() != message_id:
        raise BodySyntaxError("message-id", message_id, 0, "RFC 5438 11.1.1")
    if datetime is None:
        raise BodySyntaxError("datetime", "", 0, "RFC 5438 11.1.2")
    if status not in STATUSES[kind]:
        raise BodySyntaxError(
            "status", status, 0, "RFC 5438 11.1.7", f"{kind} has {', '.join(STATUSES[kind])}"
        )
    for text in (message_id, datetime, *others):
        if text is not None and (_NOT_XML.search(text) or text != text.strip()):
            raise BodySyntaxError("text", ascii(text), 0, "XML 1.0 2.2")


def _element(node: etree._Element) -> XmlElement:
    name = etree.QName(node)
    children = tuple(_element(child) for child in node if isinstance(child.tag, str))
    text = (node.text or "") + "".join(child.tail or "" for child in node)
    return XmlElement(
        namespace=name.namespace or "",
        name=name.localname,
        text=text,
        attributes=tuple(str(key) for key in node.attrib),
        children=children,
        line=cast(int | None, node.sourceline) or 0,
    )


def _text(root: XmlElement, name: str, *, collapse: bool = False) -> str | None:
    for child in root.children:
        if child.name == name and child.namespace == root.namespace:
            return _SPACE.sub(" ", child.text).strip() if collapse else child.text.strip()
    return None


def _disposition(root: XmlElement) -> tuple[Kind | None, str | None]:
    kinds: tuple[Kind, ...] = ("delivery", "display", "processing")
    names: dict[str, Kind] = {f"{kind}-notification": kind for kind in kinds}
    for child in root.children:
        if child.namespace != root.namespace or child.name not in names:
            continue
        own = [
            item.name
            for status in child.children
            if status.name == "status" and status.namespace == root.namespace
            for item in status.children
            if item.namespace == root.namespace
        ]
        return names[child.name], own[0] if own else None
    return None, None


def _faults(tree: etree._ElementTree) -> list[Fault]:
    info, faults = tree.docinfo, []
    if info.internalDTD is not None:
        faults.append(Fault(ImdnFault.DOCTYPE, 0, _CLAUSE, str(info.root_name)))
    if str(info.encoding or "utf-8").lower() not in ("utf-8", "us-ascii", "ascii"):
        faults.append(Fault(ImdnFault.ENCODING, 0, _CLAUSE, info.encoding or ""))
    if info.xml_version != "1.0":
        faults.append(Fault(ImdnFault.VERSION, 0, _CLAUSE, info.xml_version or ""))
    return faults
