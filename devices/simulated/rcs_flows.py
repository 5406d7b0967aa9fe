"""Which service of the RCS client an MSRP session is of, by what its INVITE names (OMA CPM)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.agent.msrp.negotiation import Refusal, read_description
from harness.agent.msrp.services import Flow
from harness.bodies.sdp_attributes import Direction
from harness.bodies.session_description import MediaDescription, SessionDescription
from harness.cpm.services import Service, service_of
from harness.cpm.technology import services_in
from harness.errors import SipSyntaxError
from harness.sip.message import Request


@dataclass(frozen=True, slots=True)
class FlowService:
    """The service a flow is of. focus: the other end is a conference; directions: of the offer."""

    flow: Flow
    service: Service
    focus: bool = False
    directions: frozenset[Direction] = frozenset(Direction)


# An INVITE is of the first row that fits.
FLOW_SERVICES: Sequence[FlowService] = (
    FlowService(Flow.LARGE, Service.LARGE),
    FlowService(Flow.DEFERRED, Service.DEFERRED),
    FlowService(Flow.GROUP, Service.SESSION_GROUP, focus=True),
    FlowService(Flow.SESSION, Service.SESSION),
    FlowService(Flow.FILE_PULL, Service.FILE_TRANSFER, directions=frozenset({Direction.RECVONLY})),
    FlowService(Flow.FILE_PUSH, Service.FILE_TRANSFER),
)


def service_for(flow: Flow) -> Service:
    """The service that P-Preferred-Service of an INVITE for this flow names."""
    return next(row.service for row in FLOW_SERVICES if row.flow is flow)


def flow_in(request: Request) -> Flow | None:
    """What an INVITE is for; None when it names no CPM service. Without an offer any direction fits."""
    named = {service.announced for service in _services(request)}
    focus = comes_from_focus(request)
    direction = _direction(offer_in(request))
    for row in FLOW_SERVICES:
        directed = direction is None or direction in row.directions
        if row.service.announced in named and directed and (focus or not row.focus):
            return row.flow
    return None


def _services(request: Request) -> Iterator[Service]:
    """What the network asserts, and what the caller asks for, in whatever technology."""
    asserted = (service_of(icsi) for icsi in request.values("P-Asserted-Service"))
    yield from (service for service in asserted if service is not None)
    try:
        for each in request.accept_contacts:
            yield from services_in(each.features)
    except SipSyntaxError:
        return


def comes_from_focus(request: Request) -> bool:
    """Whether its sender is a conference: isfocus in Contact (RFC 4579 4)."""
    try:
        return any("isfocus" in contact.parameters for contact in request.contacts)
    except SipSyntaxError:
        return False


def offer_in(request: Request) -> SessionDescription | None:
    """The session description in a request, None where there is none that can be read."""
    if not request.body:
        return None
    found = read_description(request.body, request.get("Content-Type"))
    return None if isinstance(found, Refusal) else found


def first_msrp_line(offer: SessionDescription) -> MediaDescription | None:
    """The m-line that is looked at to tell what an offer is for."""
    return next((line for line in offer.media if line.media == "message" and line.port), None)


def _direction(offer: SessionDescription | None) -> Direction | None:
    line = None if offer is None else first_msrp_line(offer)
    return None if offer is None or line is None else offer.direction_of(line)
