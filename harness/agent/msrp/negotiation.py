"""What offers and answers for MSRP sessions have in common: their outcomes, and the plan both lead to.

offer.py makes offers and takes answers, answer.py answers offers: RFC 4975 8, 6135 (who connects),
6714 (CEMA), 5547 (files), 8122 (TLS). Bad descriptions end as values that name the answer the RFC has for
them, never as exceptions.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

from harness.agent.msrp.media import MsrpMedia, read_msrp_media
from harness.agent.msrp.plan import MsrpPlan, Role
from harness.agent.msrp.terms import MsrpTerms, OwnMedia, connection_to, is_reachable
from harness.bodies.mime import TOKEN, parse_content_type
from harness.bodies.multipart import split_multipart
from harness.bodies.offer_answer import revised
from harness.bodies.sdp import SdpFault, parse_sdp
from harness.bodies.sdp_attributes import Direction
from harness.bodies.session_description import Attribute, MediaDescription, Origin, SessionDescription, Time
from harness.errors import BodySyntaxError, MsrpSyntaxError
from harness.msrp.uri import parse_msrp_uri

_SDP = "application/sdp"
_RELATED = "multipart/related"
_SECONDS_FROM_1900 = 2208988800  # RFC 8866 5.9


class WarningCode(IntEnum):
    """Warning codes that say what about a description is wrong (RFC 3261 20.43)."""

    TRANSPORT = 302
    MEDIA_TYPE = 304
    FORMAT = 305
    ATTRIBUTE = 306
    OTHER = 399


@dataclass(frozen=True, slots=True)
class NoStream:
    """Why an m-line carries no session: port 0 in an answer of ours, or nothing to be done with theirs.

    warning is a code of RFC 3261 20.43.
    """

    reason: str
    clause: str
    warning: WarningCode = WarningCode.OTHER


ENDED = NoStream("offered with port 0", "RFC 3264 8.2")


@dataclass(frozen=True, slots=True)
class Negotiated:
    """Both descriptions fit. description: the answer; streams: what became of each m-line, in order."""

    description: SessionDescription
    streams: tuple[MsrpPlan | NoStream, ...]

    @property
    def plan(self) -> MsrpPlan | None:
        """The first session, None when every m-line was declined."""
        return next((each for each in self.streams if isinstance(each, MsrpPlan)), None)


@dataclass(frozen=True, slots=True)
class Refusal:
    """The whole offer is refused with this status, or this answer cannot be taken: ACK and BYE."""

    status: int
    reason: str
    clause: str
    warning: WarningCode = WarningCode.OTHER


@dataclass(frozen=True, slots=True)
class FallBack:
    """The answer came without CEMA through a middlebox: send this offer, and take its answer on these terms.

    RFC 6714 4.2.
    """

    offer: SessionDescription
    terms: tuple[MsrpTerms | None, ...]


def new_origin(host: str, username: str = "-") -> Origin:
    """The o-line of a new session: a random id, and the time as version (RFC 8866 5.2)."""
    connection = connection_to(host)
    version = int(time.time()) + _SECONDS_FROM_1900
    return Origin(username, secrets.randbits(48), version, "IN", connection.address_type, host)


def read_description(body: bytes, content_type: str | None = _SDP) -> SessionDescription | Refusal:
    """The description in a message body, alone or as a part; 415 when there is none, 400 for what is no SDP.

    400 goes for a type letter nobody knows, which RFC 8866 5 wants ignored or rejected as a whole, and for
    octets that cannot stand in a line, since an answer repeats values of its offer.
    """
    try:
        found = _sdp_of(body, content_type or "")
        if found is None:
            return Refusal(415, f"no {_SDP} in {content_type or 'a body without type'}", "RFC 3261 13.3.1")
        description = parse_sdp(found)
    except BodySyntaxError as error:
        return Refusal(400, str(error), error.clause)
    for fault in description.faults:
        if fault.what in (SdpFault.LETTER, SdpFault.CONTROL):
            return Refusal(400, f"{fault.what} at octet {fault.offset}: {fault.text!r}", fault.clause)
    return description


def _sdp_of(body: bytes, content_type: str) -> bytes | None:
    """The octets of the first description in a body."""
    kind = parse_content_type(content_type)
    if kind.essence == _SDP:
        return body
    if kind.type != "multipart":
        return None
    for part in split_multipart(body, kind.parameters.get("boundary", "")).parts:
        if part.content_type is None:
            continue
        if part.content_type.essence == _SDP:
            return part.decoded()
        if part.content_type.essence == _RELATED and kind.subtype != "related":
            # It has an icon (RFC 5547 8.8).
            return _sdp_of(part.decoded(), part.mime_get("Content-Type") or "")
    return None


def described(
    media: Sequence[MediaDescription],
    origin: Origin,
    previous: SessionDescription | None,
    times: tuple[Time, ...] = (Time(),),
) -> SessionDescription:
    """m-lines as a description, the c-line of the first at session level where it holds for the others too.

    previous is what the same side sent before: its o-line goes on (RFC 3264 8, RFC 4975 8.4).
    """
    connections = [each.connections[0] for each in media if each.connections]
    shared = connections[0] if connections else connection_to(origin.address)
    lines = tuple(replace(each, connections=()) if each.connections == (shared,) else each for each in media)
    description = SessionDescription(origin, shared, lines, times=times)
    return description if previous is None else revised(previous, description)


def declined(line: MediaDescription) -> MediaDescription:
    """Port 0, and what says which file it was (RFC 5547 8.1, 8.3)."""
    formats = tuple(each for each in line.formats if TOKEN.fullmatch(each)) or ("*",)
    kept = repeated(line, "file-selector", "file-transfer-id")
    return MediaDescription(line.media, 0, line.protocol, formats, attributes=kept)


def repeated(line: MediaDescription, *names: str) -> tuple[Attribute, ...]:
    """Attributes of an m-line as an answer repeats them."""
    return tuple(Attribute(each.name, each.value or None) for each in line.attributes if each.name in names)


def read_line(session: SessionDescription, line: MediaDescription) -> MsrpMedia | NoStream:
    """An m-line that proposes MSRP, or why it cannot be taken."""
    try:
        return read_msrp_media(session, line)
    except (BodySyntaxError, MsrpSyntaxError) as error:
        return NoStream(str(error), error.clause, WarningCode.ATTRIBUTE)


def plan_of(own: OwnMedia, remote: MsrpMedia, role: Role, *, cema: bool) -> MsrpPlan | NoStream:
    """The plan for a role; no stream where there is nothing to connect to."""
    target = _target(own, remote, role, cema)
    if target is not None and not is_reachable(*target):
        reason = f"no address to connect to: {target[0]} port {target[1]}"
        return NoStream(reason, "RFC 6135 4.2.2", WarningCode.ATTRIBUTE)
    terms = own.terms
    relayed = bool(terms.relays) or remote.behind_relay  # whose certificate no SDP names (RFC 6135 4.3)
    return MsrpPlan(
        role=role,
        own_path=own.path,
        remote_path=tuple(str(uri) for uri in remote.path),
        connect_to=None if target is None else (target[0], target[1] or 0),
        tls=own.tls,
        fingerprints=() if relayed else remote.fingerprints,
        cema=cema,
        direction=Direction.of(
            sends=own.direction.sends and remote.direction.receives,
            receives=own.direction.receives and remote.direction.sends,
        ),
        accepts=terms.accepts,
        accepts_wrapped=terms.accepts_wrapped,
        remote_accepts=remote.accepts,
        remote_accepts_wrapped=remote.accepts_wrapped,
        max_size=terms.max_size,
        remote_max_size=remote.max_size,
        chatroom=remote.chatroom,
        remote_file=remote.file,
    )


def _target(own: OwnMedia, remote: MsrpMedia, role: Role, cema: bool) -> tuple[str, int | None] | None:
    """Whom we connect to: our relay whatever our role (RFC 6135 4.5), else the other side when active.

    With CEMA that is c= and m= (RFC 6714 4.2, 4.3), without the first URI of the path (RFC 4975 8.3).
    """
    if own.terms.relays:
        relay = parse_msrp_uri(own.terms.relays[-1])
        return relay.host, relay.port
    if role is Role.PASSIVE:
        return None
    return (remote.connection.host, remote.port) if cema else (remote.path[0].host, remote.path[0].port)
