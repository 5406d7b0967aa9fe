"""Recipient lists in requests: whom a message is for, and who got it too (RFC 5363, RFC 5364, RFC 5365)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.agent.session.multipart_content import parts_of
from harness.agent.session.user import Content
from harness.bodies.multipart import Part
from harness.bodies.resource_lists import MEDIA_TYPE, parse_resource_lists, write_resource_lists
from harness.errors import BodySyntaxError
from harness.peer.identities import canonical, number_of
from harness.sip.message import Request

LIST = "recipient-list"
LIST_MESSAGE = "recipient-list-message"
LIST_INVITE = "recipient-list-invite"


@dataclass(frozen=True, slots=True)
class ListedRecipients:
    """What a list says. uris: of those to be sent to, each once (RFC 5363 4.1). fault: why it cannot be read,
    or names nobody.
    """

    uris: tuple[str, ...]
    fault: str = ""


def recipients_in(parts: Iterable[Part]) -> tuple[str, ...]:
    """The URIs that recipient lists among the parts name, all lists as one, each user once (RFC 5363 4.1).

    Raises BodySyntaxError for a list that cannot be read, or names nobody in an entry.
    """
    found: dict[str, str] = {}
    for part in parts:
        if part.disposition != LIST:
            continue
        if part.content_type is None or part.content_type.essence != MEDIA_TYPE:
            kind = part.mime_get("Content-Type") or "no type"
            raise BodySyntaxError("recipient list", kind, 0, "RFC 5363 4", f"not {MEDIA_TYPE}")
        for each in parse_resource_lists(part.decoded()).recipients:
            if not each.uri:
                raise BodySyntaxError("entry", "", each.offset, "RFC 4826 3.1", "no uri")
            found.setdefault(number_of(each.uri) or canonical(each.uri), each.uri)
    return tuple(found.values())


def listed_in(request: Request) -> ListedRecipients | None:
    """The list of a request; None where it has none."""
    parts = parts_of(request)
    if not any(part.disposition == LIST for part in parts):
        return None
    try:
        found = recipients_in(parts)
    except BodySyntaxError as error:
        return ListedRecipients((), str(error))
    return ListedRecipients(found, "" if found else "a recipient list without anybody in it")


def history(recipients: Iterable[tuple[str, str | None]]) -> bytes:
    """The list a receiver is shown: URIs with "to" or "cc"; who is "bcc", or has none, is left out (RFC 5364
    5).
    """
    return write_resource_lists((uri, copy) for uri, copy in recipients if copy in ("to", "cc"))


def history_part(document: bytes) -> Content:
    """A list in a request to a receiver (RFC 5365 7.3, RFC 5366 5)."""
    disposition = ("Content-Disposition", "recipient-list-history;handling=optional")
    return Content(MEDIA_TYPE, document, (disposition,))
