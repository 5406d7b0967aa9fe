"""Personalities of the simulated handset: how a real handset behaved, as data with its source.

`reference` follows the documents. Another personality differs from it only in the fields its source shows.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from harness.cpm.tokens import new_id, new_uuid
from harness.errors import UsageError

PERSONALITY_PROPERTY = "ro.rcslab.personality"


class IdStyle(StrEnum):
    """How a client makes Conversation-ID and Contribution-ID."""

    UUID = "uuid"
    SHA1 = "sha1"

    def make(self) -> str:
        """A fresh one."""
        if self is IdStyle.SHA1:
            return hashlib.sha1(new_id().encode(), usedforsecurity=False).hexdigest()
        return new_uuid()


class MsrpPort(StrEnum):
    """The port of a client that connects, in its SDP (RFC 4975 8.1, RFC 4145 4.1, RFC 6135 4.2.2)."""

    DISCARD = "9 on the m-line and in the path"
    REAL = "its own, in both"
    DISCARD_ON_M_LINE = "9 on the m-line, its own in the path"


@dataclass(frozen=True, slots=True)
class Personality:
    """What distinguishes one RCS client from another on the wire.

    own_identity: the public identity it sends from: the default one the network associated, or the one made
    of the IMSI, which it registered. tcp_only: SIP over TCP whatever the size. contact_in_message: Contact
    with the instance id in MESSAGE. via_transport: a transport parameter on its Via. own_conversation:
    notifications carry its own stored Conversation-ID instead of the received one. offered_port,
    answered_port: what its SDP says where it is the one to connect.
    """

    name: str
    source: str
    user_agent: str = "IM-client/OMA1.0 rcslab/simulated-1.0 rcslab/1.0"
    own_identity: bool = False
    tcp_only: bool = False
    contact_in_message: bool = False
    via_transport: bool = False
    ids: IdStyle = IdStyle.UUID
    no_rport: bool = False
    own_conversation: bool = False
    offered_port: MsrpPort = MsrpPort.DISCARD
    answered_port: MsrpPort = MsrpPort.DISCARD


PERSONALITIES = {
    personality.name: personality
    for personality in (
        Personality("reference", "the documents"),
        Personality(
            "samsung-ims-5.0",
            "field traces of 2015: texts, notifications, session and file transfer, SIP over TCP on IPv6",
            user_agent="Samsung IMS 5.0",
            own_identity=True,
            tcp_only=True,
            contact_in_message=True,
            via_transport=True,
            ids=IdStyle.SHA1,
            no_rport=True,
            own_conversation=True,
            offered_port=MsrpPort.DISCARD_ON_M_LINE,
            answered_port=MsrpPort.REAL,
        ),
    )
}


def personality_named(name: str) -> Personality:
    """Raises: UsageError, listing the names there are."""
    try:
        return PERSONALITIES[name]
    except KeyError:
        raise UsageError(f"no personality {name!r}; there are: {', '.join(PERSONALITIES)}") from None
