"""What each CPM service puts into the SDP of its MSRP session: direction, types, what is told of a file.

The columns are those of the side that makes the offer; the other side turns the direction round.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from harness.agent.msrp.terms import MsrpTerms
from harness.bodies.file_attributes import FileDescription, FileSelector
from harness.bodies.sdp_attributes import Direction

CPIM, TEXT, IMDN = "message/cpim", "text/plain", "message/imdn+xml"
COMPOSING = "application/im-iscomposing+xml"
_CONTENT = "{content}"  # stands for the type of the message or the file


class Flow(StrEnum):
    """What an MSRP session is for."""

    LARGE = "large message"
    DEFERRED = "deferred messages"
    SESSION = "chat session"
    GROUP = "group session"
    FILE_PUSH = "file pushed"
    FILE_PULL = "file pulled"


@dataclass(frozen=True, slots=True)
class ServiceMedia:
    """One row. selectors and described: fields of FileSelector and FileDescription that go into the offer.

    source: where the row was seen.
    """

    direction: Direction
    accepts: tuple[str, ...]
    accepts_wrapped: tuple[str, ...]
    selectors: tuple[str, ...]
    described: tuple[str, ...]
    source: str

    def file(self, file: FileDescription) -> FileDescription:
        """What an offer tells of a file."""
        selector = FileSelector(**{name: getattr(file.selector, name) for name in self.selectors})
        return FileDescription(selector, **{name: getattr(file, name) for name in self.described})


_PUSH = ("name", "type", "size", "hashes")
_PUSHED = ("transfer_id", "disposition", "dates", "icon", "range")

_PULLED = ("transfer_id", "range")

SERVICE_MEDIA: Mapping[Flow, ServiceMedia] = {
    Flow.LARGE: ServiceMedia(
        Direction.SENDONLY, (CPIM,), (_CONTENT,), ("size",), ("transfer_id",), "public clients"),
    Flow.DEFERRED: ServiceMedia(
        Direction.RECVONLY, (CPIM,), (TEXT, IMDN), (), (), "OMA CPM, by public clients"),
    Flow.SESSION: ServiceMedia(
        Direction.SENDRECV, (CPIM, COMPOSING), (TEXT, IMDN), (), (), "field trace, AOSP, rcsjta"),
    Flow.GROUP: ServiceMedia(
        Direction.SENDRECV, (CPIM,), (TEXT, IMDN, COMPOSING), (), (), "rcsjta, public clients"),
    Flow.FILE_PUSH: ServiceMedia(
        Direction.SENDONLY, (CPIM, _CONTENT), ("*",), _PUSH, _PUSHED, "RFC 5547 8.2.1, field trace"),
    Flow.FILE_PULL: ServiceMedia(
        Direction.RECVONLY, (CPIM, _CONTENT), ("*",), _PUSH, _PULLED, "RFC 5547 8.2.2"),
}  # fmt: skip


def service_terms(
    flow: Flow,
    terms: MsrpTerms,
    *,
    content_type: str = TEXT,
    file: FileDescription | None = None,
    answers: bool = False,
) -> MsrpTerms:
    """Terms with what a service adds: of who offers it, or of who answers such an offer.

    content_type: of the message or file that goes over it. file: all that is known of the file; the row says
    what of it is told.
    """
    row = SERVICE_MEDIA[flow]
    accepts, wrapped = (
        tuple(entry.replace(_CONTENT, content_type) for entry in types)
        for types in (row.accepts, row.accepts_wrapped)
    )
    turned = Direction.of(sends=row.direction.receives, receives=row.direction.sends)
    told = file if file is None or answers else row.file(file)
    return replace(
        terms,
        direction=turned if answers else row.direction,
        accepts=accepts,
        accepts_wrapped=tuple(each for each in wrapped if each not in accepts),
        file=told,
    )
