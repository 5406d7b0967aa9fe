"""Rules on a file sent as a link: application/vnd.gsma.rcs-ft-http+xml in CPIM (RCC.07, as clients do it)."""

from __future__ import annotations

from harness.bodies.timestamp import parse_timestamp
from harness.bodies.xml_node import Node, parse_document
from harness.cpm.services import IARI_PREFIX, IARI_TAG, encode_urn
from harness.errors import BodySyntaxError
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import shown, tag_values
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Party, Violation
from harness.verify.items import CpimItem, reading

MEDIA_TYPE = "application/vnd.gsma.rcs-ft-http+xml"
NAMESPACE = "urn:gsma:params:xml:ns:rcs:rcs:fthttp"
_IARI = f"{IARI_PREFIX}rcs.fthttp"
_USEFUL = ("file-size", "file-name", "content-type")


def _at(item: CpimItem, expected: str, actual: str) -> Violation:
    place = item.offset + item.cpim.content_offset if item.cpim is not None else None
    return Violation(expected, shown(actual), "body", place, item=item.carrier)


def _document(item: CpimItem) -> Node | BodySyntaxError | None:
    """The root of the document; None where the CPIM object holds something else, or not all of it."""
    kind = item.cpim.content_type if item.cpim else None
    if item.cpim is None or kind is None or kind.essence != MEDIA_TYPE or item.beginning:
        return None
    try:
        return parse_document(item.cpim.content, f"{{{NAMESPACE}}}file", "RCC.07")
    except BodySyntaxError as error:
        return error


def _files(root: Node) -> list[Node]:
    return [info for info in root.all("file-info") if info.get("type") == "file"]


def _file(item: CpimItem) -> Node | None:
    """The file of a document that has one."""
    root = _document(item)
    found = _files(root) if isinstance(root, Node) else []
    return found[0] if len(found) == 1 else None


@rule("ft.http.body", on=Kind.CPIM)
def names_one_file(item: CpimItem, flow: Flow) -> Outcomes:
    root = _document(item)
    if root is None:
        return
    yield APPLIES
    if isinstance(root, BodySyntaxError):
        yield _at(item, f"a document <file> of {NAMESPACE}", str(root))
        return
    found = _files(root)
    if len(found) != 1:
        yield _at(item, 'one <file-info type="file">', f"{len(found)}")
    elif not (data := found[0].child("data")) or not data.get("url"):
        yield _at(item, "<data url=...> of the file", "none")


@rule("ft.http.body.optional", on=Kind.CPIM)
def says_what_the_file_is(item: CpimItem, flow: Flow) -> Outcomes:
    found = _file(item)
    if found is None:
        return
    yield APPLIES
    missing = [f"<{name}>" for name in _USEFUL if not found.text_of(name)]
    data = found.child("data")
    if data is not None and not data.get("until"):
        missing.append("until of <data>")
    if missing:
        yield _at(item, "size, name, type and end of validity of the file", f"no {', no '.join(missing)}")


@rule("ft.http.until", on=Kind.CPIM)
def link_is_valid_and_secure(item: CpimItem, flow: Flow) -> Outcomes:
    found = _file(item)
    data = found.child("data") if found is not None else None
    if data is None:
        return
    yield APPLIES
    url, until = data.get("url") or "", data.get("until")
    if url and not url.lower().startswith("https://"):
        yield _at(item, "a link by https", url)
    if until is None:
        return
    try:
        ends = parse_timestamp(until).moment.timestamp()
    except BodySyntaxError:
        yield _at(item, "an ISO 8601 time with its zone", until)
        return
    if ends < item.time:
        yield _at(item, "a link that is valid still", f"until {until}")


@rule("ft.http.accept-contact", on=Kind.CPIM)
def asked_for_by_its_tag(item: CpimItem, flow: Flow) -> Outcomes:
    """A value of its own beside that of the service, so that only who knows such files gets it."""
    carrier = item.by_sip
    if carrier is None or _document(item) is None or carrier.sender is not Party.HANDSET:
        return
    yield APPLIES
    values = reading(lambda: carrier.sip.accept_contacts) or []
    own = [value for value in values if _IARI in tag_values(value.parameters, IARI_TAG)]
    if not any(value.require and value.explicit for value in own):
        expected = f'*;{IARI_TAG}="{encode_urn(_IARI)}";require;explicit'
        actual = str(own[0]) if own else "none of the kind"
        yield Violation(expected, shown(actual), "Accept-Contact", item=carrier)
