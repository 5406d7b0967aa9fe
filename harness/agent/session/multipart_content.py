"""A body of several parts for an INVITE: the session description first, what goes along after it.

RFC 2046 5.1.3 (mixed), RFC 2387 (related, whose root is the session description), RFC 5621 (bodies in SIP).
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.agent.session.user import Content
from harness.bodies.mime import parse_content_type
from harness.bodies.multipart import Part, build_multipart, split_multipart
from harness.cpm.tokens import new_id
from harness.errors import BodySyntaxError
from harness.sip.message import Request


def multipart_content(
    parts: Sequence[Content], subtype: str = "mixed", boundary: str | None = None
) -> Content:
    """Several contents as one. subtype: "mixed", or "related", whose root is the first part.

    boundary: None for a new one. Raises BodySyntaxError for a boundary that occurs in a part.
    """
    mark = boundary or new_id()
    root = f';type="{parts[0].type}"' if subtype == "related" else ""
    rows = [([("Content-Type", part.type), *part.headers], part.body) for part in parts]
    return Content(f"multipart/{subtype};boundary={mark}{root}", build_multipart(rows, mark))


def parts_of(request: Request) -> tuple[Part, ...]:
    """The parts of a multipart body; none where it is not multipart, or cannot be split."""
    try:
        kind = parse_content_type(request.get("Content-Type") or "")
        if kind.type != "multipart":
            return ()
        return split_multipart(request.body, kind.parameters.get("boundary", "")).parts
    except BodySyntaxError:
        return ()
