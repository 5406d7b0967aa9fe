"""Large messages of the handset to several recipients, whose list is in the INVITE (RFC 5366 3, RFC 5363).

Those in pager mode are the pager's (RFC 5365). In both, each recipient notifies as itself.
"""

from __future__ import annotations

from harness.peer.answers import Answer
from harness.peer.large_message import LargeMessage, LargeMessages
from harness.peer.listed_recipients import LIST_INVITE, listed_in
from harness.peer.msrp_service import MsrpService
from harness.peer.service_table import Asked


class LargeMessagesToSeveral(LargeMessages):
    """Those with a list; what is sent from here has one receiver at a time."""

    option_tags = (LIST_INVITE,)

    def takes(self, asked: Asked) -> bool:
        """Those with a list."""
        return MsrpService.takes(self, asked) and asked.listed

    def usual(self, session: LargeMessage) -> Answer:
        """Nobody can be sent to by a list that cannot be read."""
        listed = listed_in(session.asked.request) if session.asked is not None else None
        if listed is not None and listed.fault:
            return Answer(400, reason="The recipient list cannot be read")
        return super().usual(session)
