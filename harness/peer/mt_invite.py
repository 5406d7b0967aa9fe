"""The INVITE of the network towards a handset, as every MSRP service sends it.

RFC 3261 13.2.1, RFC 3325 (who it is from), RFC 7315 4.2 (P-Called-Party-ID), RFC 3892 (Referred-By).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.agent.session.invite_client import Invitation
from harness.agent.session.multipart_content import multipart_content
from harness.agent.session.user import Content
from harness.cpm.tokens import new_id
from harness.peer.answers import Header, HeaderChanges, changed
from harness.peer.mt_request import Target, hops_behind, service_headers
from harness.peer.pcscf import Pcscf
from harness.peer.service_session import ServiceSession
from harness.peer.service_table import SERVICE_OF
from harness.peer.wrong_sdp import WrongSdp, spoiled

_MAX_FORWARDS = 70


@dataclass(frozen=True, slots=True)
class Invited:
    """What an INVITE says beyond what all of its flow say.

    headers: SIP headers to change, add (Subject, Referred-By) or leave out. contact: the whole Contact value,
    None for the peer with the tag of the service. parts: bodies beside the session description, in a
    multipart of this subtype. related: parts that belong to it, as a thumbnail does (RFC 5547 8.8). sdp: what
    is wrong with the session description, on purpose.
    """

    headers: HeaderChanges = field(default_factory=dict)
    contact: str | None = None
    parts: Sequence[Content] = ()
    multipart: str = "mixed"
    related: Sequence[Content] = ()
    sdp: WrongSdp | None = None

    def content(self, offer: Content) -> Content:
        """The body that takes an offer along. Raises BodySyntaxError for parts that cannot be written."""
        if self.sdp is not None:
            offer = offer._replace(body=spoiled(offer.body, self.sdp))
        described = multipart_content([offer, *self.related], "related") if self.related else offer
        return multipart_content([described, *self.parts], self.multipart) if self.parts else described


def invitation(
    pcscf: Pcscf, session: ServiceSession, target: Target, invited: Invited, content: Content
) -> Invitation:
    """The INVITE before it has a Via and a number."""
    config, local = pcscf.config, target.flow.local
    service = SERVICE_OF[session.flow]
    headers: list[Header] = [
        *(("Via", via) for via in hops_behind(config.hops, config.domain, new_id())),
        ("Max-Forwards", str(_MAX_FORWARDS - config.hops)),
        *(("Route", value) for value in target.path),
        ("Record-Route", pcscf.route(local)),
        *service_headers(
            session.party,
            target,
            service,
            session.conversation_id,
            session.contribution_id,
            config.technology,
        ),
    ]
    return Invitation(
        target.contact,
        session.party.name_addr,
        f"<{target.identity}>",
        invited.contact or f"<{pcscf.uri(local)}>;{config.technology.feature_tag(service)}",
        content,
        tuple(changed(headers, invited.headers)),
    )
