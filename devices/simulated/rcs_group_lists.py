"""Lists of people in the INVITEs of groups: whom to call in, and who is there (RFC 5366 3 to 5)."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from harness.agent.session.multipart_content import multipart_content
from harness.agent.session.user import Content
from harness.bodies.mime import parse_content_type
from harness.bodies.multipart import split_multipart
from harness.bodies.resource_lists import MEDIA_TYPE, parse_resource_lists, write_resource_lists
from harness.errors import BodySyntaxError
from harness.sip.message import Request

_log = logging.getLogger(__name__)


class ListedWith:
    """Makes the body of an INVITE that founds a group: the offer, and whom to call in (RFC 5366 3, 4)."""

    def __init__(self, uris: Sequence[str]) -> None:
        self._uris = uris

    def __call__(self, offer: Content) -> Content:
        recipients = write_resource_lists((uri, "to") for uri in self._uris)
        listed = Content(MEDIA_TYPE, recipients, (("Content-Disposition", "recipient-list"),))
        return multipart_content([offer, listed])


def alone(offer: Content) -> Content:
    return offer


def members_named(request: Request) -> list[str]:
    """Whom an invitation names beside us (RFC 5366 5); nobody where that cannot be read."""
    try:
        kind = parse_content_type(request.get("Content-Type") or "")
        if kind.type != "multipart":
            return []
        parts = split_multipart(request.body, kind.parameters.get("boundary", "")).parts
        listed = [part for part in parts if part.disposition == "recipient-list-history"]
        return [each.uri for part in listed for each in parse_resource_lists(part.decoded()).recipients]
    except BodySyntaxError as error:
        _log.warning("an unreadable list of members: %s", error)
        return []
