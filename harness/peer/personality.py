"""Personalities of the peer: how a real server behaved, as data with its source.

`reference` follows the documents. Another personality differs from it only in what its source shows.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from string import ascii_lowercase, digits
from typing import Any

from harness.agent.sip.agent import Hop, Incoming, SipAgent
from harness.bodies.sdp_attributes import Setup
from harness.cpm.services import Service, service_of
from harness.cpm.tokens import new_id, new_uuid
from harness.errors import UsageError
from harness.msrp.ids import RANDOM_IDS, MsrpIds
from harness.peer.answers import HeaderChanges, altered
from harness.peer.imdn_wrong import Wrong
from harness.sip.message import Request, Response

_ANY_SERVICE = None


@dataclass(frozen=True, slots=True)
class ServerPersonality:
    """What distinguishes one server from another on the wire.

    server: its Server and User-Agent, None for ours. requests: changes of the headers of its requests, by
    method and by service of P-Asserted-Service (None for all); `{pcscf}` stands for the Route value of the
    P-CSCF. responses: the same by method of the request. hops: network elements in Via besides the P-CSCF.
    ids: makes Contribution-IDs, message_ids imdn.Message-IDs. msrp: makes the ids of MSRP; called once for
    each endpoint. setup: what its offers say of who connects; strict: whether they keep to RFC 6135 4.2.
    wrong: what it gets wrong in every notification.
    """

    name: str
    source: str
    server: str | None = None
    requests: Mapping[tuple[str, Service | None], HeaderChanges] = field(default_factory=dict)
    responses: Mapping[str, HeaderChanges] = field(default_factory=dict)
    hops: int = 0
    ids: Callable[[], str] = new_uuid
    message_ids: Callable[[], str] = new_id
    msrp: Callable[[], MsrpIds] = lambda: RANDOM_IDS
    setup: Setup = Setup.ACTPASS
    wrong: frozenset[Wrong] = frozenset()

    def agent(self, *arguments: Any, **settings: Any) -> SipAgent:
        """The SIP agent that behaves so."""
        if not (self.requests or self.responses):
            return SipAgent(*arguments, **settings)
        return HabitualAgent(self, *arguments, **settings)


def _ten_digits() -> str:
    return secrets.token_hex(5)


def _short_ids() -> MsrpIds:
    """Session-ids of 40 bits, transaction ids of 32."""
    return MsrpIds(lambda: secrets.token_hex(4).encode(), _ten_digits)


def _counting_ids() -> MsrpIds:
    """Both kinds of ids count behind the name of an instance."""
    letters = ascii_lowercase + digits
    instance = "".join(secrets.choice(letters) for _ in range(10))
    sessions, transactions = count(42), count(94)
    return MsrpIds(
        lambda: f"{instance}+{next(transactions)}".encode(), lambda: f"{instance}+{next(sessions)}"
    )


_NOT_ECHOED: HeaderChanges = {"Conversation-ID": None, "Contribution-ID": None}
_BUSY_HOP: HeaderChanges = {"Max-Forwards": "68", "Record-Route": "{pcscf}"}
_WITH_MAX_FORWARDS: HeaderChanges = {"Max-Forwards": "70"}

PERSONALITIES: Mapping[str, ServerPersonality] = {
    personality.name: personality
    for personality in (
        ServerPersonality("reference", "the documents"),
        # Not here: "$" on a chunk with others behind it, which its file trace prints once. With it no file
        # would arrive (RFC 4975 7.3.1), and in the trace one does.
        ServerPersonality(
            "anritsu-rcs",
            "field traces of 2015: pager-mode text with notifications, file pushed to a handset",
            server="Anritsu-RCS-serv/OMA1.0",
            requests={
                ("MESSAGE", _ANY_SERVICE): _BUSY_HOP,
                ("INVITE", _ANY_SERVICE): {
                    "P-Asserted-Identity": None,
                    "Allow": None,
                    "Supported": None,
                    "Session-Expires": None,
                    "Min-SE": None,
                },
                ("INVITE", Service.FILE_TRANSFER): {"Require": "recipient-list-invite"},
                ("BYE", _ANY_SERVICE): {"Record-Route": "{pcscf}", "Reason": 'SIP;cause=200;text="Gone"'},
            },
            responses={"MESSAGE": {**_WITH_MAX_FORWARDS, **_NOT_ECHOED}},
            hops=1,
            ids=_ten_digits,
            message_ids=_ten_digits,
            msrp=_short_ids,
            setup=Setup.PASSIVE,
            wrong=frozenset({Wrong.NO_DATETIME, Wrong.ANONYMOUS_DELIVERED}),
        ),
        ServerPersonality(
            "mavenir-rms",
            "field trace of 2015: chat begun by a handset",
            server="Mavenir RMS v8.2",
            responses={"INVITE": {**_NOT_ECHOED, "Allow": None}},
            msrp=_counting_ids,
            wrong=frozenset({Wrong.NOW_DATETIME}),
        ),
    )
}


class HabitualAgent(SipAgent):
    """Writes the headers of SIP messages by the habits of a personality, on every path they leave by."""

    def __init__(self, personality: ServerPersonality, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._personality = personality

    async def request(self, message: Request, hop: Hop, **how: Any) -> Response:
        """See SipAgent."""
        named = message.get("P-Asserted-Service")
        services = [_ANY_SERVICE, service_of(named) if named else _ANY_SERVICE]
        for service in dict.fromkeys(services):
            changes = self._personality.requests.get((message.method, service), {})
            pcscf = f"<sip:{message.via.host}:{message.via.port};lr>"
            message = altered(message, _filled(changes, pcscf))
        return await super().request(message, hop, **how)

    def respond(self, incoming: Incoming, response: Response | bytes) -> None:
        """See SipAgent."""
        if isinstance(response, Response):
            response = altered(response, self._personality.responses.get(incoming.message.method, {}))
        super().respond(incoming, response)


def _filled(changes: HeaderChanges, pcscf: str) -> HeaderChanges:
    return {
        name: value.replace("{pcscf}", pcscf) if isinstance(value, str) else value
        for name, value in changes.items()
    }


def personality_named(name: str) -> ServerPersonality:
    """Raises UsageError, listing the names there are."""
    try:
        return PERSONALITIES[name]
    except KeyError:
        raise UsageError(
            f"no personality {name!r} of the peer; there are: {', '.join(PERSONALITIES)}"
        ) from None
