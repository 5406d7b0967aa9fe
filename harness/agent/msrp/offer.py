"""Offers of MSRP sessions, and what their answers settle (RFC 4975 8, RFC 6135 4.2, RFC 6714 4.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness.agent.msrp.media import NOTHING_RESOLVED, Resolved
from harness.agent.msrp.negotiation import (
    ENDED,
    FallBack,
    Negotiated,
    NoStream,
    Refusal,
    WarningCode,
    declined,
    described,
    plan_of,
    read_line,
)
from harness.agent.msrp.plan import MsrpPlan, Role
from harness.agent.msrp.terms import MsrpTerms, OwnMedia
from harness.bodies.offer_answer import OfferAnswerFault, check_answer
from harness.bodies.sdp_attributes import Setup
from harness.bodies.session_description import MediaDescription, Origin, SessionDescription
from harness.errors import UsageError

# RFC 4145 4.1, RFC 6135 4.2: our setup and that of the answer (None: absent, passive by default) -> our role.
# actpass is no answer; whoever gives it can be connected to (RFC 6135 4.2.2), so it counts as passive.
_OFFERER_ROLES: Mapping[tuple[Setup, Setup | None], Role] = {
    (Setup.ACTIVE, None): Role.ACTIVE,
    (Setup.ACTIVE, Setup.PASSIVE): Role.ACTIVE,
    (Setup.ACTIVE, Setup.ACTPASS): Role.ACTIVE,
    (Setup.ACTPASS, None): Role.ACTIVE,
    (Setup.ACTPASS, Setup.PASSIVE): Role.ACTIVE,
    (Setup.ACTPASS, Setup.ACTPASS): Role.ACTIVE,
    (Setup.ACTPASS, Setup.ACTIVE): Role.PASSIVE,
    # Only a peer that errs on purpose offers these: passive, and holdconn, which counts as absent.
    (Setup.PASSIVE, Setup.ACTIVE): Role.PASSIVE,
    (Setup.HOLDCONN, None): Role.ACTIVE,
    (Setup.HOLDCONN, Setup.PASSIVE): Role.ACTIVE,
}


def make_offer(
    terms: Sequence[MsrpTerms | None],
    origin: Origin,
    *,
    previous: SessionDescription | None = None,
    strict: bool = True,
) -> SessionDescription:
    """An offer with one m-line for each of the terms.

    previous: what we sent before in this dialog; its o-line goes on (RFC 3264 8, RFC 4975 8.4), and None
    among the terms ends the stream of that place with port 0. strict refuses, with UsageError, what RFC 6135
    4.2 forbids in an offer: passive, holdconn, and actpass without an address to connect to. strict=False
    offers it, for a peer that shall err.
    """
    before = () if previous is None else previous.media
    if len(terms) < len(before):
        raise UsageError(f"an offer never has less m-lines than before: {len(before)} (RFC 3264 8)")
    lines = []
    for place, each in enumerate(terms):
        if each is not None:
            lines.append(_own_line(each, strict))
        elif place < len(before):
            lines.append(declined(before[place]))
        else:
            raise UsageError("there is no stream to end at the place of None")
    return described(lines, origin, previous)


def take_answer(
    offer: SessionDescription,
    answer: SessionDescription,
    terms: Sequence[MsrpTerms | None],
    *,
    resolved: Resolved = NOTHING_RESOLVED,
) -> Negotiated | FallBack | Refusal:
    """What the answer to our offer settled. terms are those make_offer was given.

    resolved: addresses of the names in the answer, for CEMA.
    """
    for fault in check_answer(offer, answer):
        if fault.what == OfferAnswerFault.COUNT:
            return Refusal(488, f"{fault.what}: {fault.text}", fault.clause)
    streams: list[MsrpPlan | NoStream] = []
    for mine, line in zip(terms, answer.media, strict=True):
        stream = ENDED if mine is None else _take_line(_offered(mine), answer, line, resolved)
        if stream is None:
            return _fall_back(offer, terms)
        streams.append(stream)
    return Negotiated(answer, tuple(streams))


def _offered(terms: MsrpTerms) -> OwnMedia:
    # RFC 6714 4.2: with CEMA whoever is behind a relay offers actpass.
    setup = Setup.ACTPASS if terms.cema and terms.relays else terms.setup
    file = () if terms.file is None else terms.file.attributes
    return OwnMedia(terms, terms.secure, setup, terms.cema, terms.direction, file)


def _own_line(terms: MsrpTerms, strict: bool) -> MediaDescription:
    own = _offered(terms)
    if strict:
        _refuse_setup(own)
    return own.description()


def _refuse_setup(own: OwnMedia) -> None:
    if own.setup not in (Setup.ACTIVE, Setup.ACTPASS):
        raise UsageError(f"an offer of setup {own.setup} is against RFC 6135 4.2")
    if own.setup is Setup.ACTPASS and not own.reachable:
        raise UsageError(f"setup actpass needs an address to connect to, not {own.path[0]} (RFC 6135 4.2.2)")


def _take_line(
    own: OwnMedia, answer: SessionDescription, line: MediaDescription, resolved: Resolved
) -> MsrpPlan | NoStream | None:
    """What became of one m-line of ours; None when a new offer without CEMA is due (RFC 6714 4.2)."""
    if not line.port:
        return NoStream("declined", "RFC 3264 6")
    remote = read_line(answer, line)
    if isinstance(remote, NoStream):
        return remote
    if remote.tls != own.tls:
        return NoStream(f"{line.protocol} was not offered", "RFC 4975 8.1", WarningCode.TRANSPORT)
    role = _OFFERER_ROLES.get((own.setup, remote.setup))
    if role is None:
        reason = f"setup {remote.setup or 'absent'} answers setup {own.setup}"
        return NoStream(reason, "RFC 4145 4.1, RFC 6135 4.2", WarningCode.ATTRIBUTE)
    if not own.cema:
        return plan_of(own, remote, role, cema=False)
    relayed = bool(own.terms.relays) or remote.behind_relay
    if not remote.cema and not remote.address_in_path(resolved) and (role is Role.PASSIVE or relayed):
        return None
    return plan_of(own, remote, role, cema=remote.cema or not relayed)


def _fall_back(offer: SessionDescription, terms: Sequence[MsrpTerms | None]) -> FallBack:
    plain = tuple(None if each is None else replace(each, cema=False) for each in terms)
    assert offer.origin is not None  # make_offer gave it one
    return FallBack(make_offer(plain, offer.origin, previous=offer, strict=False), plain)
