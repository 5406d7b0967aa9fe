"""Rules on isComposing documents, bare or in CPIM, in a session or in a MESSAGE (RFC 3994)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from harness.bodies.cpim import IMDN_NAMESPACE, CpimHeader, CpimMessage
from harness.bodies.is_composing import MEDIA_TYPE, NAMESPACE, SHORTEST_REFRESH
from harness.bodies.timestamp import parse_timestamp
from harness.bodies.xml_node import Node, parse_document
from harness.errors import BodySyntaxError
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import is_encoded, same_uri_text, shown
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Violation
from harness.verify.items import CpimItem, SipEntry
from harness.verify.msrp_items import ChunkedMessage, MsrpEntry
from harness.verify.rules.chat_session import is_group_chat
from harness.verify.rules.imdn_chain import originals_of
from harness.verify.rules.msrp_session import inside, not_accepted, wrapped_not_accepted

Carrier = ChunkedMessage | CpimItem | SipEntry

LARGEST = 64 * 1024
"""Octets of a document that are read: real ones have a few hundred."""
_ORDER = ("state", "lastactive", "contenttype", "refresh")
_STATES = ("active", "idle")
_TOKEN = r"[A-Za-z0-9!#$&^_.+-]+"
_CONTENT_TYPE = re.compile(rf"{_TOKEN}(?:/{_TOKEN}(?:\s*;.*)?)?")
_CLAUSE = "RFC 3994 6"


@dataclass(frozen=True, slots=True)
class _Document:
    """A document, or why it is none. offset: octet of the message where it starts, where that is known."""

    root: Node | None
    error: BodySyntaxError | None
    offset: int | None

    def at(self, expected: str, actual: str) -> Violation:
        return Violation(expected, shown(actual), "body", self.offset)

    @property
    def children(self) -> tuple[Node, ...]:
        """Those of the namespace."""
        own = self.root.children if self.root is not None else ()
        return tuple(child for child in own if child.namespace == NAMESPACE)

    def texts(self, local: str) -> list[str]:
        return [child.text.strip() for child in self.children if child.local == local]


def _document(item: Carrier) -> _Document | None:
    """The isComposing document an item is, or brings; None for anything else."""
    if isinstance(item, CpimItem):
        inner = item.cpim.content_type if item.cpim else None
        if item.cpim is None or inner is None or inner.essence != MEDIA_TYPE or item.beginning:
            return None
        return _parsed(item.cpim.content, item.offset + item.cpim.content_offset)
    if isinstance(item, ChunkedMessage):
        if item.content_type != MEDIA_TYPE or not item.complete or item.size > LARGEST:
            return None
        return _parsed(item.read(LARGEST), None)
    kind = item.content_type
    if kind is None or kind.essence != MEDIA_TYPE or is_encoded(item.sip) or item.incomplete:
        return None
    return _parsed(item.sip.body, item.sip.body_offset)


def _texts(item: Carrier, local: str) -> Iterator[tuple[_Document, str]]:
    """The document with each text of its elements of that name."""
    found = _document(item)
    if found is not None:
        yield from ((found, text) for text in found.texts(local))


def _parsed(data: bytes, offset: int | None) -> _Document:
    try:
        return _Document(parse_document(data, f"{{{NAMESPACE}}}isComposing", _CLAUSE), None, offset)
    except BodySyntaxError as error:
        return _Document(None, error, offset)


# -- the document -------------------------------------------------------------------------------------------


@rule("iscomp.xml", on=Kind.MSRP_MESSAGE)
@rule("iscomp.xml", on=Kind.CPIM)
@rule("iscomp.xml", on=Kind.REQUEST, methods=("MESSAGE",))
def well_formed(item: Carrier, flow: Flow) -> Outcomes:
    found = _document(item)
    if found is None:
        return
    yield APPLIES
    if found.error is not None:
        yield found.at(f"an isComposing document of {NAMESPACE}", str(found.error))
    for child in found.children:
        if child.local not in _ORDER:
            yield found.at(f"elements {', '.join(_ORDER)}, or of another namespace", f"<{child.local}>")
            return


@rule("iscomp.xml.schema", on=Kind.MSRP_MESSAGE)
@rule("iscomp.xml.schema", on=Kind.CPIM)
@rule("iscomp.xml.schema", on=Kind.REQUEST, methods=("MESSAGE",))
def follows_schema(item: Carrier, flow: Flow) -> Outcomes:
    found = _document(item)
    if found is None or found.root is None:
        return
    yield APPLIES
    known = [child.local for child in found.children if child.local in _ORDER]
    if "state" not in known:
        yield found.at("<state>", "none")
    elif known != sorted(set(known), key=_ORDER.index):
        yield found.at(f"{', '.join(_ORDER)} in this order, each once", ", ".join(known))
    for text in found.texts("refresh"):
        if not re.fullmatch(r"\+?0*[1-9][0-9]*", text):
            yield found.at("a positive number of seconds in <refresh>", text or "nothing")


@rule("iscomp.state", on=Kind.MSRP_MESSAGE)
@rule("iscomp.state", on=Kind.CPIM)
@rule("iscomp.state", on=Kind.REQUEST, methods=("MESSAGE",))
def known_state(item: Carrier, flow: Flow) -> Outcomes:
    for found, text in _texts(item, "state"):
        yield APPLIES
        if text not in _STATES:
            yield found.at(" or ".join(_STATES), text or "nothing")


@rule("iscomp.refresh", on=Kind.MSRP_MESSAGE)
@rule("iscomp.refresh", on=Kind.CPIM)
@rule("iscomp.refresh", on=Kind.REQUEST, methods=("MESSAGE",))
def refresh_not_too_short(item: Carrier, flow: Flow) -> Outcomes:
    for found, text in _texts(item, "refresh"):
        yield APPLIES
        if text.isascii() and text.isdigit() and 0 < int(text[:9]) < SHORTEST_REFRESH:
            yield found.at(f"{SHORTEST_REFRESH} seconds or more", text)


@rule("iscomp.lastactive", on=Kind.MSRP_MESSAGE)
@rule("iscomp.lastactive", on=Kind.CPIM)
@rule("iscomp.lastactive", on=Kind.REQUEST, methods=("MESSAGE",))
def last_active_is_a_time(item: Carrier, flow: Flow) -> Outcomes:
    for found, text in _texts(item, "lastactive"):
        yield APPLIES
        if not _is_datetime(text):
            yield found.at("an xs:dateTime", text or "nothing")


def _is_datetime(text: str) -> bool:
    """xs:dateTime: as RFC 3339, but the zone may be missing."""
    for candidate in (text, f"{text}Z"):
        try:
            parse_timestamp(candidate)
        except BodySyntaxError:
            continue
        return True
    return False


@rule("iscomp.contenttype", on=Kind.MSRP_MESSAGE)
@rule("iscomp.contenttype", on=Kind.CPIM)
@rule("iscomp.contenttype", on=Kind.REQUEST, methods=("MESSAGE",))
def content_type_is_one(item: Carrier, flow: Flow) -> Outcomes:
    for found, text in _texts(item, "contenttype"):
        yield APPLIES
        if not _CONTENT_TYPE.fullmatch(text):
            yield found.at("a type, or type/subtype", text or "nothing")


# -- where it goes ------------------------------------------------------------------------------------------


@rule("iscomp.media-type", on=Kind.MSRP_REQUEST, methods=("SEND",))
def bare_type(entry: MsrpEntry, flow: Flow) -> Outcomes:
    far, message = entry.far_end, entry.part_of
    if far is None or message is None or message.first is not entry or entry.content_type != MEDIA_TYPE:
        return
    yield APPLIES
    yield from not_accepted(MEDIA_TYPE, far, entry)


@rule("iscomp.media-type", on=Kind.MSRP_MESSAGE)
def wrapped_type(message: ChunkedMessage, flow: Flow) -> Outcomes:
    if MEDIA_TYPE in inside(message):
        yield APPLIES
        yield from wrapped_not_accepted(message)


@rule("iscomp.form", on=Kind.MSRP_MESSAGE)
def form_of_session(message: ChunkedMessage, flow: Flow) -> Outcomes:
    """Bare in a 1-1 session, wrapped in a group, where CPIM alone is accepted."""
    wrapped, bare = MEDIA_TYPE in inside(message), message.content_type == MEDIA_TYPE
    if message.session is None or not (wrapped or bare):
        return
    yield APPLIES
    group = any(is_group_chat(end.description) for end in message.session.ends)
    if group is bare:
        expected, actual = ("in message/cpim", "bare") if group else ("bare", "in message/cpim")
        where = "a group" if group else "a 1-1 session"
        yield Violation(f"{expected} in {where}", actual, "Content-Type", item=message.first)


@rule("iscomp.not-pager", on=Kind.REQUEST, methods=("MESSAGE",))
def not_for_texts(entry: SipEntry, flow: Flow) -> Outcomes:
    yield APPLIES
    if _brings_sign(entry):
        yield Violation("isComposing in a session only", "in a MESSAGE", "Content-Type")


@rule("iscomp.no-imdn", on=Kind.CPIM)
def without_ids(item: CpimItem, flow: Flow) -> Outcomes:
    """That it asks for no notification is imdn.request.not-on-iscomposing."""
    kind = item.cpim.content_type if item.cpim else None
    if item.cpim is None or kind is None or kind.essence != MEDIA_TYPE:
        return
    yield APPLIES
    names = [header.name for header in item.cpim.headers if _is_needless(item.cpim, header)]
    if names and not item.cpim.asks_for_imdn:
        yield Violation("no imdn headers for a sign of typing", ", ".join(names), "body", item.offset)


def _is_needless(cpim: CpimMessage, header: CpimHeader) -> bool:
    local = header.name.rpartition(".")[2]
    return header in cpim.fields(IMDN_NAMESPACE, local)


@rule("iscomp.no-imdn", on=Kind.CPIM)
def not_reported(item: CpimItem, flow: Flow) -> Outcomes:
    for imdn in item.imdns:
        for known in originals_of(item, imdn, flow):
            kind = known.cpim.content_type if known.cpim else None
            if kind is not None and kind.essence == MEDIA_TYPE:
                yield Violation("no notification on a sign of typing", known.label, "body", item.offset)


@rule("iscomp.stop-after-415", on=Kind.REQUEST, methods=("MESSAGE",))
def not_again_after_415(entry: SipEntry, flow: Flow) -> Outcomes:
    """RFC 3994 4: who has answered 415 gets no more of them."""
    if not _brings_sign(entry) or entry.request is None:
        return
    yield APPLIES
    for known in flow.assembly.transactions:
        before = known.request
        if before.place >= entry.place:
            return
        answer = known.final if known.method == "MESSAGE" else None
        if answer is None or answer.status != 415 or before.sender is not entry.sender:
            continue
        if not _brings_sign(before):
            continue
        if before.request is not None and same_uri_text(before.request.uri, entry.request.uri):
            yield Violation(f"no sign of typing after {answer.label}", "another", "Content-Type")
            return


def _brings_sign(entry: SipEntry) -> bool:
    """A MESSAGE with an isComposing document, bare or in CPIM."""
    kinds = [item.cpim.content_type for item in entry.bodies if item.cpim]
    return any(kind is not None and kind.essence == MEDIA_TYPE for kind in (*kinds, entry.content_type))
