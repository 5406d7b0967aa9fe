"""Rules on the thumbnail that may come with the offer of a file (RFC 5547 6 and 8.8, RFC 2387 3)."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import unquote

from harness.bodies.file_attributes import parse_file_icon
from harness.errors import BodySyntaxError
from harness.verify.body_parts import BodyPart, body_parts
from harness.verify.catalogue import Kind, rule
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Violation
from harness.verify.negotiation_items import Description, MsrpEnd
from harness.verify.rules.file_offer import files
from harness.verify.rules.sdp_form import at_attribute
from harness.verify.session_services import receives_file

SDP = "application/sdp"


def _icons(description: Description) -> Iterator[tuple[MsrpEnd, str]]:
    """(m-line, Content-ID) of what a sender of files shows; a receiver shows none (ft.icon.push-answer)."""
    for end in files(description):
        found = end.media.attribute("file-icon")
        if found is None or receives_file(end):
            continue
        try:
            yield end, unquote(parse_file_icon(found.value or ""))
        except BodySyntaxError:
            yield end, ""


def _same_id(part: BodyPart, content_id: str) -> bool:
    return bool(content_id) and unquote(part.content_id) == content_id


@rule("ft.icon", on=Kind.SDP)
def icon_beside_sdp(description: Description, flow: Flow) -> Outcomes:
    for end, content_id in _icons(description):
        yield APPLIES
        found = end.media.attribute("file-icon")
        wrong = _unrelated(description, content_id) if content_id else "a=file-icon:cid:<Content-ID>"
        if wrong:
            yield at_attribute(end, found, wrong, str(found))


def _unrelated(description: Description, content_id: str) -> str:
    """How SDP and icon should lie in the body where they do not; empty when they do."""
    parts = body_parts(description.entry)
    own = next((part for part in parts if part.offset == description.offset), None)
    around = own.inside if own is not None else None
    if own is None or around is None or around.kind != "multipart/related":
        return "SDP and icon in multipart/related"
    start = around.parameters.get("start", "").strip("<>")
    if own.content_id != start if start else own.place:
        return "the SDP as the root of multipart/related"
    if around.parameters.get("type", "").lower() != SDP:
        return "multipart/related;type=application/sdp"
    within = (part for part in parts if _lies_in(part, around))
    return (
        "" if any(_same_id(part, content_id) for part in within) else f"a part with Content-ID <{content_id}>"
    )


def _lies_in(part: BodyPart, around: BodyPart) -> bool:
    while part.inside is not None:
        if part.inside is around:
            return True
        part = part.inside
    return False


@rule("ft.icon.disposition", on=Kind.SDP)
def icon_says_so(description: Description, flow: Flow) -> Outcomes:
    for _, content_id in _icons(description):
        for part in body_parts(description.entry):
            if not _same_id(part, content_id):
                continue
            yield APPLIES
            if part.purpose != "icon":
                actual = part.disposition or "none"
                yield Violation("Content-Disposition: icon", actual, "body", part.offset)
