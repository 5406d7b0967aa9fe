"""What the RCS client puts on the wire, with the habits of its personality and the defects that are switched
on: its SIP agent, and what becomes of the octets of its MSRP.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from devices.simulated.defect import Stage
from devices.simulated.defects import Defects
from harness.agent.failures import TransportFailed
from harness.agent.sip.agent import Hop, Incoming, SipAgent
from harness.sip.message import Request, Response

_MSRP = re.compile(rb"MSRP (?P<tid>[^ \r\n]+) (?P<what>[^ \r\n]+).*?\r\n-------(?P=tid)[$+#]\r\n", re.DOTALL)

_OF_SESSIONS = frozenset({"INVITE", "BYE", "UPDATE", "PRACK", "INFO", "REFER", "SUBSCRIBE"})


class HandsetAgent(SipAgent):
    """The SIP agent of the handset. habits: makes of the response to a method what
    the client sends."""

    defects: Defects
    habits: Callable[[str, Response], Response]
    bearer = True
    """Whether there is a radio bearer under its sockets: without one nothing leaves."""

    def respond(self, incoming: Incoming, response: Response | bytes) -> None:
        """As SipAgent.respond."""
        if not self.bearer:
            return
        if isinstance(response, Response):
            response = self.defects.apply(Stage.RESPONSE, self.habits(incoming.message.method, response))
        super().respond(incoming, response)

    async def request(self, message: Request, hop: Hop, **options: Any) -> Response:
        """As SipAgent.request."""
        if not self.bearer:
            raise TransportFailed(hop.transport, hop.address, "the radio bearer is gone")
        if message.method in _OF_SESSIONS:
            message = self.defects.apply(Stage.SESSION_REQUEST, message)
        return await super().request(message, hop, **options)


def altered_msrp(data: bytes, defects: Defects) -> bytes:
    """Octets of MSRP with the defects in each message that is whole in them."""
    if not defects.touch(Stage.MSRP_REQUEST) and not defects.touch(Stage.MSRP_RESPONSE):
        return data

    def alter(match: re.Match[bytes]) -> bytes:
        stage = Stage.MSRP_RESPONSE if match["what"].isdigit() else Stage.MSRP_REQUEST
        changed: bytes = defects.apply(stage, match[0])
        return changed

    return _MSRP.sub(alter, data)
