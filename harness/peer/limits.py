"""How much the other end of a peer may take: of a message on the wire, of a connection, of memory.

RFC 3261 21.4.11 and 21.5.7 (413, 513), RFC 4975 10.5 (413); the rest keeps one handset from stopping a lab.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.agent.msrp.content import MEMORY_OCTETS
from harness.agent.sockets.connection_watch import DEFAULT_LIMITS, MSRP_LIMITS, ConnectionLimits
from harness.msrp.framing import MsrpLimits
from harness.sip.framing import Limits

_SIP_MESSAGE, _MSRP_MESSAGE = Limits(), MsrpLimits()


@dataclass(frozen=True, slots=True)
class PeerLimits:
    """Limits of a message and of a connection, of each protocol.

    msrp_memory_octets: of the content of a message before it goes to a file.
    """

    sip: Limits = _SIP_MESSAGE
    sip_connection: ConnectionLimits = DEFAULT_LIMITS
    msrp: MsrpLimits = _MSRP_MESSAGE
    msrp_connection: ConnectionLimits = MSRP_LIMITS
    msrp_memory_octets: int = MEMORY_OCTETS


AS_USUAL = PeerLimits()
