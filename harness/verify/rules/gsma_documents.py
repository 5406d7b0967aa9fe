"""Rules about documents of the GSMA that go as messages: a pushed location, a revocation (RCC.07)."""

from __future__ import annotations

from lxml import etree

from harness.bodies.xml_node import parse_tree
from harness.errors import BodySyntaxError
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import parameter_map, shown
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Party, Severity, Unverifiable, Violation
from harness.verify.items import CpimItem
from harness.verify.rules.imdn_chain import opening_of

LOCATION_TYPE = "application/vnd.gsma.rcspushlocation+xml"
LOCATION_NAMESPACE = "urn:gsma:params:xml:ns:rcs:rcs:geolocation"
REVOKE_TYPE = "application/vnd.gsma.rcsrevoke+xml"
REVOKE_NAMESPACE = "urn:gsma:params:xml:ns:rcs:rcs:rcsrevoke"
REVOKE_TAG = "+g.gsma.rcs.msgrevoke"
_CLAUSE = "RCC.07"


@rule("geo.push.type", on=Kind.CPIM)
def location(item: CpimItem, flow: Flow) -> Outcomes:
    if not _is_meant(item, LOCATION_TYPE, LOCATION_NAMESPACE):
        return
    yield APPLIES
    yield from _type_and_root(item, LOCATION_TYPE, LOCATION_NAMESPACE, "rcsenvelope")


@rule("revoke.type", on=Kind.CPIM)
def revocation(item: CpimItem, flow: Flow) -> Outcomes:
    """No document that could be read names its elements: any of their texts may be the id."""
    if not _is_meant(item, REVOKE_TYPE, REVOKE_NAMESPACE):
        return
    yield APPLIES
    yield from _type_and_root(item, REVOKE_TYPE, REVOKE_NAMESPACE, "")
    texts = [text for text in _texts(item) if text]
    known = [each for text in texts for each in flow.assembly.originals(text) if each.place < item.place]
    if any(each.sender is item.sender for each in known):
        return
    if known:
        actual = f"the id of {known[-1].label}, of the other side"
        yield Violation("the imdn.Message-ID of an own message", actual, "body", item.offset)
    else:
        yield Unverifiable("the message that is revoked was not captured")


@rule("revoke.tag", on=Kind.CPIM)
def revocation_announced(item: CpimItem, flow: Flow) -> Outcomes:
    """Of the handset, whose registration shows its tags."""
    if item.sender is not Party.HANDSET or not _is_meant(item, REVOKE_TYPE, REVOKE_NAMESPACE):
        return
    opening = opening_of(item)
    state = flow.assembly.registration_of(opening) if opening is not None else None
    if state is None or not state.holds_at(item.time):
        yield Unverifiable("the registration of the handset was not captured")
        return
    yield APPLIES
    contacts = state.transaction.request.contacts
    if not any(REVOKE_TAG in parameter_map(contact.parameters) for contact in contacts):
        expected = f"{REVOKE_TAG} in the Contact of who revokes"
        yield Violation(expected, "a registration without it", "body", item.offset)


def _is_meant(item: CpimItem, media_type: str, namespace: str) -> bool:
    """Its type says so, or its namespace does."""
    kind = item.cpim.content_type if item.cpim else None
    if item.cpim is None or kind is None or item.beginning:
        return False
    as_xml = kind.essence.endswith(("/xml", "+xml")) and f'"{namespace}"'.encode() in item.cpim.content
    return kind.essence == media_type or as_xml


def _type_and_root(item: CpimItem, media_type: str, namespace: str, root: str) -> Outcomes:
    kind = item.cpim.content_type if item.cpim else None
    if kind is not None and kind.essence != media_type:
        yield Violation(f"Content-Type: {media_type}", kind.essence, "body", item.offset)
    try:
        name = etree.QName(_root(item))
    except BodySyntaxError as error:
        yield Violation("well-formed XML", shown(str(error)), "body", item.offset, severity=Severity.SHOULD)
        return
    if name.namespace != namespace or (root and name.localname != root):
        actual = f"{name.localname} in {name.namespace or 'none'}"
        yield Violation(f"{root or 'a root'} in {namespace}", actual, "body", item.offset)


def _root(item: CpimItem) -> etree._Element:
    assert item.cpim is not None
    return parse_tree(item.cpim.decoded(), _CLAUSE).getroot()


def _texts(item: CpimItem) -> list[str]:
    """The text of each element, without white space."""
    try:
        elements = [each for each in _root(item).iter() if isinstance(each.tag, str)]
    except BodySyntaxError:
        return []
    return ["".join((each.text or "").split()) for each in elements]
