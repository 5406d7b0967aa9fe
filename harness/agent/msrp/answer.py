"""Answers to offers of MSRP sessions (RFC 4975 8, RFC 6135 4.2, RFC 6714 4.3, RFC 5547 8.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness.agent.msrp.media import NOTHING_RESOLVED, MsrpMedia, Resolved, is_msrp
from harness.agent.msrp.negotiation import (
    ENDED,
    Negotiated,
    NoStream,
    Refusal,
    WarningCode,
    declined,
    described,
    plan_of,
    read_line,
    repeated,
)
from harness.agent.msrp.plan import MsrpPlan, Role
from harness.agent.msrp.terms import MsrpTerms, OwnMedia, is_reachable
from harness.bodies.file_attributes import FileSelector
from harness.bodies.sdp_attributes import Direction, Setup, type_accepted
from harness.bodies.session_description import Attribute, MediaDescription, Origin, SessionDescription, Time

# RFC 4145 4.1 and RFC 6135 4.2: the setup of the offer (None: absent, active by default) -> our roles.
_ANSWERER_ROLES: Mapping[Setup | None, tuple[Role, ...]] = {
    None: (Role.PASSIVE,),
    Setup.ACTIVE: (Role.PASSIVE,),
    Setup.PASSIVE: (Role.ACTIVE,),
    Setup.ACTPASS: (Role.ACTIVE, Role.PASSIVE),
}


def answer_offer(
    offer: SessionDescription,
    terms: Sequence[MsrpTerms | None],
    origin: Origin,
    *,
    previous: SessionDescription | None = None,
    resolved: Resolved = NOTHING_RESOLVED,
) -> Negotiated | Refusal:
    """The answer to an offer, or 488 where nothing in it can be accepted.

    The terms go to the MSRP m-lines of the offer in order, those with port 0 too; m-lines that have none, are
    no MSRP or cannot be accepted get port 0 (RFC 3264 6). An offer of port 0 alone ends its streams and is no
    failure (RFC 3264 8.2). previous: what we sent before in this dialog. resolved: addresses of names in the
    offer, for CEMA.
    """
    left = iter(terms)
    streams: list[MsrpPlan | NoStream] = []
    lines: list[MediaDescription] = []
    for line in offer.media:
        mine = next(left, None) if is_msrp(line) else None
        settled = _settled(offer, line, mine, resolved)
        if isinstance(settled, NoStream):
            streams.append(settled)
            lines.append(declined(line))
        else:
            own, plan = settled
            streams.append(plan)
            lines.append(own.description())
    asked = [stream for stream, line in zip(streams, offer.media, strict=True) if line.port]
    refused = [stream for stream in asked if isinstance(stream, NoStream)]
    if asked and len(refused) == len(asked):
        return Refusal(488, refused[0].reason, refused[0].clause, refused[0].warning)
    times = tuple(Time(each.start, each.stop) for each in offer.times) or (Time(),)
    return Negotiated(described(lines, origin, previous, times), tuple(streams))


def decline_offer(
    offer: SessionDescription, origin: Origin, *, previous: SessionDescription | None = None
) -> Negotiated:
    """The answer that wants no stream: port 0 in every m-line (RFC 3264 6), files as RFC 5547 8.3 says."""
    reason = NoStream("declined", "RFC 3264 6")
    lines = [declined(line) for line in offer.media]
    times = tuple(Time(each.start, each.stop) for each in offer.times) or (Time(),)
    return Negotiated(described(lines, origin, previous, times), (reason,) * len(lines))


def _settled(
    offer: SessionDescription, line: MediaDescription, terms: MsrpTerms | None, resolved: Resolved
) -> tuple[OwnMedia, MsrpPlan] | NoStream:
    """How we take part in an m-line of an offer, or why not."""
    if not line.port:
        return ENDED
    if not is_msrp(line):
        return NoStream(f"{line.media} over {line.protocol}", "RFC 4975 8.1", WarningCode.MEDIA_TYPE)
    if terms is None:
        return NoStream("no further session is wanted", "RFC 3264 6", WarningCode.MEDIA_TYPE)
    remote = read_line(offer, line)
    if isinstance(remote, NoStream):
        return remote
    in_path = remote.address_in_path(resolved)
    obstacle = _obstacle(terms, remote, line, in_path)
    if obstacle is not None:
        return obstacle
    direction, file = _answered_direction(terms, remote), _answered_file(terms, remote, line)
    own = OwnMedia(terms, remote.tls, Setup.PASSIVE, False, direction, file)
    role = _answerer_role(own, remote)
    if role is None:
        reason = f"setup {remote.setup or 'absent'}, and that side cannot be connected to"
        return NoStream(reason, "RFC 6135 4.2", WarningCode.ATTRIBUTE)
    own = replace(own, setup=Setup(role), cema=_uses_cema(terms, remote, role, in_path))
    plan = plan_of(own, remote, role, cema=own.cema)
    return plan if isinstance(plan, NoStream) else (own, plan)


def _obstacle(terms: MsrpTerms, remote: MsrpMedia, line: MediaDescription, in_path: bool) -> NoStream | None:
    if terms.path(remote.tls) is None:
        return NoStream(f"{line.protocol} is not spoken here", "RFC 4975 8.1", WarningCode.TRANSPORT)
    if not _understood(terms, remote):
        offered = " ".join(remote.accepts)
        return NoStream(f"none of {offered} is understood", "RFC 4975 8.6", WarningCode.FORMAT)
    if terms.cema and terms.strict_cema and not remote.cema and not in_path:
        reason = f"c= and m= name {remote.connection.host} port {remote.port}, which is not in the path"
        return NoStream(reason, "RFC 6714 4.3", WarningCode.ATTRIBUTE)
    return None


def _uses_cema(terms: MsrpTerms, remote: MsrpMedia, role: Role, in_path: bool) -> bool:
    """Whether we answer with CEMA: unless an active side is behind a relay (RFC 6714 4.1, 4.3)."""
    if not terms.cema or not (remote.cema or in_path):
        return False
    offerer_stuck = remote.behind_relay and (bool(terms.relays) or role is Role.PASSIVE)
    return not offerer_stuck and not (terms.relays and role is Role.ACTIVE)


def _answerer_role(own: OwnMedia, remote: MsrpMedia) -> Role | None:
    """Ours by choice where the offer leaves it, else the only one that can work."""
    possible = [
        role
        for role in _ANSWERER_ROLES[remote.setup]
        if (own.reachable if role is Role.PASSIVE else _can_reach(remote))
    ]
    # RFC 6714 4.3: with CEMA whoever is behind a relay answers passive.
    wanted = Role.PASSIVE if own.terms.cema and own.terms.relays else own.terms.answers
    return wanted if wanted in possible else next(iter(possible), None)


def _can_reach(remote: MsrpMedia) -> bool:
    return remote.cema or is_reachable(remote.path[0].host, remote.path[0].port)


def _understood(terms: MsrpTerms, remote: MsrpMedia) -> bool:
    """Whether one of the types of the offer is one of ours, wildcards of either side counted."""
    ours = (*terms.accepts, *terms.accepts_wrapped)
    theirs = (*remote.accepts, *remote.accepts_wrapped)
    return any(type_accepted(ours, each) for each in theirs) or any(
        type_accepted(theirs, each) for each in ours
    )


def _answered_direction(terms: MsrpTerms, remote: MsrpMedia) -> Direction:
    """Ours without what the offer leaves no room for (RFC 3264 6.1)."""
    return Direction.of(
        sends=terms.direction.sends and remote.direction.receives,
        receives=terms.direction.receives and remote.direction.sends,
    )


def _answered_file(terms: MsrpTerms, remote: MsrpMedia, line: MediaDescription) -> tuple[Attribute, ...]:
    """file-* of an answer: those of the offer that are copied, and for a pull the hash of our file.

    RFC 5547 8.1, 8.3.1, 8.3.2. Icon, disposition and date are never copied.
    """
    if remote.file is None:
        return ()
    selectors = repeated(line, "file-selector")
    if terms.file is not None and not remote.direction.sends:
        found = FileSelector(type=terms.file.selector.type, hashes=terms.file.selector.hashes)
        selectors = (Attribute("file-selector", str(found)),) if found else selectors
    return (*selectors, *repeated(line, "file-transfer-id", "file-range"))
