"""Which MSRP service a first INVITE of the handset asks for: what it shows, and the table to a flow.

ICSI values TS 24.229 7.2A.8.2, recipient lists RFC 5366 and RFC 5365, files RFC 5547 8; URIs are configured.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from harness.agent.msrp.negotiation import read_description
from harness.agent.msrp.services import Flow
from harness.agent.session.multipart_content import parts_of
from harness.bodies.file_attributes import FileDescription, read_file
from harness.bodies.multipart import Part
from harness.bodies.sdp_attributes import Direction
from harness.bodies.session_description import MediaDescription, SessionDescription
from harness.cpm.services import Service
from harness.errors import BodySyntaxError
from harness.peer.config import PeerConfig
from harness.peer.identities import canonical
from harness.peer.listed_recipients import LIST
from harness.peer.received import service_in
from harness.sip.message import Request


class ServiceAddress(StrEnum):
    """What a Request-URI of the network stands for, when it is no user."""

    FACTORY = "conference factory"
    GROUP = "pre-defined group"
    FOCUS = "focus of a group session"
    DEFERRED = "deferred messages"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a first INVITE shows of what it wants.

    service: by P-Preferred-Service, else Accept-Contact; None when neither names a CPM service. address: what
    its Request-URI stands for, None for a user. parts: of a multipart body, the session description among
    them. listed: whether it brings a recipient list. offer: its session description, None without a readable
    one.
    """

    request: Request
    service: Service | None
    address: ServiceAddress | None
    parts: tuple[Part, ...]
    listed: bool
    offer: SessionDescription | None

    @property
    def direction(self) -> Direction | None:
        """Of the first m-line, None without an offer."""
        return self.offer.direction_of(self.offer.media[0]) if self.offer and self.offer.media else None

    @property
    def file(self) -> FileDescription | None:
        """What the first m-line that selects a file tells of it (RFC 5547 6), None without a readable one."""
        files = (_file_of(media) for media in self.offer.media) if self.offer is not None else ()
        return next((file for file in files if file is not None), None)

    @property
    def selects_file(self) -> bool:
        """Whether a file is selected by more than its size, which messages tell too."""
        selector = self.file.selector if self.file is not None else None
        return selector is not None and bool(selector.name or selector.type or selector.hashes)

    @property
    def flow(self) -> Flow | None:
        """The first row it fits, None for what is no session of a messaging service."""
        return next((row.flow for row in ROWS if row.fits(self)), None)


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of INVITE. None in a column stands for anything; source: where it was seen."""

    flow: Flow
    source: str
    services: frozenset[Service | None] | None = None
    addresses: frozenset[ServiceAddress] | None = None
    listed: bool | None = None
    receives: bool | None = None
    file: bool | None = None

    def fits(self, asked: Asked) -> bool:
        """Whether every column does."""
        receives = asked.direction is not None and not asked.direction.sends
        return (
            (self.services is None or asked.service in self.services)
            and (self.addresses is None or asked.address in self.addresses)
            and self.listed in (None, asked.listed)
            and self.receives in (None, receives)
            and self.file in (None, asked.selects_file)
        )


_GROUPS = frozenset({ServiceAddress.FACTORY, ServiceAddress.GROUP, ServiceAddress.FOCUS})
_CHATS: frozenset[Service | None] = frozenset({Service.SESSION, Service.SESSION_GROUP, None})
_LARGE: frozenset[Service | None] = frozenset({Service.LARGE, Service.LARGE_GROUP})
_FILES: frozenset[Service | None] = frozenset({Service.FILE_TRANSFER})
_UNNAMED: frozenset[Service | None] = frozenset({None})

ROWS: tuple[Row, ...] = (
    Row(Flow.DEFERRED, "field trace", frozenset({Service.DEFERRED})),
    Row(Flow.DEFERRED, "OMA CPM", _UNNAMED, frozenset({ServiceAddress.DEFERRED})),
    Row(Flow.LARGE, "field trace, TS 33.127 D.1", _LARGE),
    Row(Flow.FILE_PULL, "RFC 5547 8.2.2", _FILES, receives=True),
    Row(Flow.FILE_PUSH, "RFC 5547 8.2.1, field trace", _FILES),
    Row(Flow.GROUP, "rcsjta, public clients", _CHATS, _GROUPS),
    Row(Flow.GROUP, "public clients", frozenset({Service.SESSION_GROUP})),
    Row(Flow.GROUP, "RFC 5366", _CHATS, listed=True),
    Row(Flow.FILE_PULL, "RFC 5547 8.2.2, rcsjta", _UNNAMED, receives=True, file=True),
    Row(Flow.FILE_PUSH, "RFC 5547 8.2.1, rcsjta", _UNNAMED, file=True),
    Row(Flow.SESSION, "field trace, AOSP", frozenset({Service.SESSION, None})),
)

SERVICE_OF: Mapping[Flow, Service] = {
    Flow.LARGE: Service.LARGE,
    Flow.DEFERRED: Service.DEFERRED,
    Flow.SESSION: Service.SESSION,
    Flow.GROUP: Service.SESSION_GROUP,
    Flow.FILE_PUSH: Service.FILE_TRANSFER,
    Flow.FILE_PULL: Service.FILE_TRANSFER,
}
"""What an INVITE of ours names for a flow."""


def configured_addresses(config: PeerConfig) -> dict[str, ServiceAddress]:
    """The URIs that are no users, in canonical form."""
    named = (
        (ServiceAddress.FACTORY, (config.conference_factory,)),
        (ServiceAddress.DEFERRED, (config.deferred_messages,)),
        (ServiceAddress.GROUP, config.groups),
    )
    return {canonical(uri): address for address, uris in named for uri in uris}


def asked_of(request: Request, addresses: Mapping[str, ServiceAddress]) -> Asked:
    """What an INVITE asks for. A body that cannot be read shows nothing. Raises SipSyntaxError."""
    parts = parts_of(request)
    description = read_description(request.body, request.get("Content-Type")) if request.body else None
    offer = description if isinstance(description, SessionDescription) else None
    return Asked(
        request,
        service_in(request),
        addresses.get(canonical(str(request.request_uri))),
        parts,
        listed=any(part.disposition == LIST for part in parts),
        offer=offer,
    )


def part_of(parts: Iterable[Part], essence: str, disposition: str | None = None) -> Part | None:
    """The first part of this type, and of this disposition when one is given."""
    return next(
        (
            part
            for part in parts
            if part.content_type is not None
            and part.content_type.essence == essence
            and disposition in (None, part.disposition)
        ),
        None,
    )


def _file_of(media: MediaDescription) -> FileDescription | None:
    try:
        return read_file(media)
    except BodySyntaxError:
        return None
