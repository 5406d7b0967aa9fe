"""Rules about the XML that names a file to be fetched over HTTP. Its form is known from public code only."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from harness.bodies.timestamp import Timestamp, parse_timestamp
from harness.bodies.xml_node import Node, parse_document
from harness.errors import BodySyntaxError
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import shown
from harness.verify.engine import Flow
from harness.verify.finding import Severity, Violation
from harness.verify.items import CpimItem
from harness.verify.rules.imdn_chain import at_item

MEDIA_TYPE = "application/vnd.gsma.rcs-ft-http+xml"
NAMESPACE = "urn:gsma:params:xml:ns:rcs:rcs:fthttp"
_CLAUSE = "RCC.07 (FT over HTTP)"
_USEFUL = ("file-size", "file-name", "content-type")


@rule("ft.http.body", on=Kind.CPIM)
def body(item: CpimItem, flow: Flow) -> Iterator[Violation]:
    if not _is_file(item):
        return
    try:
        files = _files(_document(item))
    except BodySyntaxError as error:
        yield at_item(item, f"file in {NAMESPACE}, well-formed", shown(str(error), 160))
        return
    if len(files) != 1:
        yield at_item(item, "one file-info of type file", str(len(files)))
    elif _url(files[0]) is None:
        yield at_item(item, "data with an url in the file-info of the file", "none")


@rule("ft.http.body.optional", on=Kind.CPIM)
def body_optional(item: CpimItem, flow: Flow) -> Iterator[Violation]:
    file = _file(item)
    if file is None:
        return
    missing = [name for name in _USEFUL if file.child(name) is None]
    data = file.child("data")
    if data is not None and data.get("until") is None:
        missing.append("until")
    if missing:
        yield at_item(item, f"{', '.join(_USEFUL)} and until", f"no {', '.join(missing)}")


@rule("ft.http.until", on=Kind.CPIM)
def until(item: CpimItem, flow: Flow) -> Iterator[Violation]:
    file = _file(item)
    data = file.child("data") if file is not None else None
    if file is None or data is None:
        return
    url, end = _url(file) or "", data.get("until")
    if url and urlsplit(url).scheme.lower() != "https":
        yield at_item(item, "a https URL", url)
    if end is None:
        return
    try:
        stamp = parse_timestamp(end)
    except BodySyntaxError:
        yield at_item(item, "until: a date and time", end)
        return
    if _has_passed(stamp, item, flow):
        yield at_item(item, "until: a time to come", end, Severity.INFO)


def _has_passed(stamp: Timestamp, item: CpimItem, flow: Flow) -> bool:
    return stamp.moment.timestamp() + flow.settings.clock_tolerance < item.time


def _is_file(item: CpimItem) -> bool:
    kind = item.cpim.content_type if item.cpim else None
    return kind is not None and kind.essence == MEDIA_TYPE and not item.beginning


def _document(item: CpimItem) -> Node:
    assert item.cpim is not None, "only of a body that was read"
    return parse_document(item.cpim.decoded(), f"{{{NAMESPACE}}}file", _CLAUSE)


def _files(root: Node) -> list[Node]:
    return [info for info in root.all("file-info") if info.get("type") == "file"]


def _file(item: CpimItem) -> Node | None:
    """The file of a document that has one; ft.http.body tells of others."""
    try:
        files = _files(_document(item)) if _is_file(item) else []
    except BodySyntaxError:
        return None
    return files[0] if len(files) == 1 else None


def _url(file: Node) -> str | None:
    data = file.child("data")
    return (data.get("url") or None) if data is not None else None
