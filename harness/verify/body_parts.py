"""The body of a SIP message taken apart: what each part is, what for, and in what it lies (RFC 2046)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from harness.bodies.mime import parse_content_type
from harness.bodies.multipart import split_multipart
from harness.errors import BodySyntaxError
from harness.verify.comparison import is_encoded
from harness.verify.items import SipEntry

_MOST_NESTED = 4


@dataclass(frozen=True, slots=True, eq=False)
class BodyPart:
    """A body, or a part of one.

    kind: media type in lower case, empty where none can be read. parameters: of it, names in lower case.
    disposition: Content-Disposition as written. content_id: without brackets. offset: octet of the message
    where the content starts. inside: the multipart it is a part of. place: among the parts of that, from 0.
    """

    kind: str
    parameters: dict[str, str]
    disposition: str
    content_id: str
    content: bytes
    offset: int
    inside: BodyPart | None = None
    place: int = 0
    parts: list[BodyPart] = field(default_factory=list)

    @property
    def purpose(self) -> str:
        """The disposition without its parameters, in lower case."""
        return self.disposition.partition(";")[0].strip().lower()

    @property
    def disposition_parameters(self) -> dict[str, str]:
        """Those of the disposition, names and values in lower case."""
        pairs = [part.partition("=") for part in self.disposition.split(";")[1:]]
        return {name.strip().lower(): value.strip().strip('"').lower() for name, _, value in pairs}


def body_parts(entry: SipEntry) -> list[BodyPart]:
    """Everything in the body of a message that is no multipart; empty where the body cannot be read."""
    message, kind = entry.sip, entry.sip.get("Content-Type")
    if not kind or not message.body or entry.incomplete or is_encoded(message):
        return []
    whole = _part(
        kind,
        message.get("Content-Disposition"),
        message.get("Content-ID"),
        message.body,
        message.body_offset,
    )
    return list(_leaves(whole))


def _part(
    kind: str | None,
    disposition: str | None,
    content_id: str | None,
    content: bytes,
    offset: int,
    inside: BodyPart | None = None,
    place: int = 0,
) -> BodyPart:
    try:
        parsed = parse_content_type(kind) if kind else None
    except BodySyntaxError:
        parsed = None
    return BodyPart(
        parsed.essence if parsed else "",
        {name.lower(): value for name, value in parsed.parameters.items()} if parsed else {},
        disposition or "",
        (content_id or "").strip().removeprefix("<").removesuffix(">"),
        content,
        offset,
        inside,
        place,
    )


def _leaves(part: BodyPart, depth: int = 0) -> Iterator[BodyPart]:
    if not part.kind.startswith("multipart/") or depth == _MOST_NESTED:
        yield part
        return
    try:
        inner = split_multipart(part.content, part.parameters.get("boundary") or "").parts
    except BodySyntaxError:
        return
    for place, each in enumerate(inner):
        found = _part(
            each.mime_get("Content-Type"),
            each.mime_get("Content-Disposition"),
            each.mime_get("Content-ID"),
            each.content,
            part.offset + each.content_offset,
            part,
            place,
        )
        part.parts.append(found)
        yield from _leaves(found, depth + 1)
