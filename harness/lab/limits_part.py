"""The limits of the peer in lab.yaml. What is not set is as the peer has it by itself."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from harness.agent.sockets.connection_watch import ConnectionLimits
from harness.lab.part import Part
from harness.msrp.framing import MsrpLimits
from harness.peer.limits import AS_USUAL, PeerLimits
from harness.sip.framing import Limits

Octets = Annotated[int, Field(ge=1024, le=1 << 40)]
# A message that comes whole has room for a head in any case (harness.msrp.framing).
HeadOctets = Annotated[int, Field(ge=1024, le=128 * 1024)]
Headers = Annotated[int, Field(ge=16, le=100_000)]
LimitSeconds = Annotated[float, Field(gt=0, le=86_400)]
Connections = Annotated[int, Field(ge=1, le=65_535)]


class ConnectionLimitsPart(Part):
    """What a connection may take. null: as long as it likes."""

    rest_seconds: LimitSeconds
    message_seconds: LimitSeconds | None
    drain_seconds: LimitSeconds = AS_USUAL.sip_connection.drain_seconds
    handshake_seconds: LimitSeconds = AS_USUAL.sip_connection.handshake_seconds
    quiet_seconds: LimitSeconds | None = AS_USUAL.sip_connection.quiet_seconds
    connections_per_source: Connections = AS_USUAL.sip_connection.per_source

    @property
    def connection(self) -> ConnectionLimits:
        """The same for the agent."""
        return ConnectionLimits(
            rest_seconds=self.rest_seconds,
            message_seconds=self.message_seconds,
            drain_seconds=self.drain_seconds,
            handshake_seconds=self.handshake_seconds,
            quiet_seconds=self.quiet_seconds,
            per_source=self.connections_per_source,
        )


class SipLimitsPart(ConnectionLimitsPart):
    """Limits of SIP."""

    head_octets: HeadOctets = AS_USUAL.sip.header_octets
    body_octets: Octets = AS_USUAL.sip.body_octets
    headers: Headers = AS_USUAL.sip.fields
    rest_seconds: LimitSeconds = AS_USUAL.sip_connection.rest_seconds
    message_seconds: LimitSeconds | None = AS_USUAL.sip_connection.message_seconds

    @property
    def message(self) -> Limits:
        """The same for the agent."""
        return Limits(self.head_octets, self.body_octets, self.headers)


class MsrpLimitsPart(ConnectionLimitsPart):
    """Limits of MSRP. memory_octets: of the content of a message before it goes to a file."""

    head_octets: HeadOctets = AS_USUAL.msrp.head_octets
    message_octets: Octets = AS_USUAL.msrp.message_octets
    memory_octets: Octets = AS_USUAL.msrp_memory_octets
    headers: Headers = AS_USUAL.msrp.headers
    rest_seconds: LimitSeconds = AS_USUAL.msrp_connection.rest_seconds
    message_seconds: LimitSeconds | None = AS_USUAL.msrp_connection.message_seconds

    @property
    def message(self) -> MsrpLimits:
        """The same for the agent."""
        return MsrpLimits(
            head_octets=self.head_octets, headers=self.headers, message_octets=self.message_octets
        )


class LimitsPart(Part):
    """Limits of the peers of a lab."""

    sip: SipLimitsPart = SipLimitsPart()
    msrp: MsrpLimitsPart = MsrpLimitsPart()

    @property
    def peer(self) -> PeerLimits:
        """The same for a peer."""
        sip, msrp = self.sip, self.msrp
        return PeerLimits(sip.message, sip.connection, msrp.message, msrp.connection, msrp.memory_octets)
