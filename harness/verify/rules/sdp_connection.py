"""SDP rules on who opens the MSRP connection and to which address: m= and c=, a=path, a=setup, msrp-cema.

RFC 4975 8.1, RFC 4145 4, RFC 6135 4.2, RFC 6714 4 and 5. IPv6 literals are compared as addresses (RFC 6714
4.4, RFC 5952).
"""

from __future__ import annotations

from harness.bodies.sdp_attributes import Setup
from harness.bodies.session_description import literal_address
from harness.cpm.profiles import Profile
from harness.verify.catalogue import Kind, rule
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Party, Unverifiable
from harness.verify.items import SipEntry
from harness.verify.negotiation_items import Description, MsrpEnd, Role
from harness.verify.parties import normal_host
from harness.verify.rules.sdp_form import at, at_attribute
from harness.verify.session_services import live_ends

DISCARD = 9
_IN_OFFERS = (Setup.ACTIVE, Setup.ACTPASS)
_REACHABLE = (Setup.ACTPASS, Setup.PASSIVE)


def effective_setup(end: MsrpEnd) -> Setup | None:
    """a=setup that holds, with the default of RFC 4145 4.1: an offer is active, an answer passive.

    holdconn counts as absent (RFC 6135 4.2.1); None where the value is unknown.
    """
    if end.setup is None and end.attribute("setup") is not None:
        return None
    if end.setup in (None, Setup.HOLDCONN):
        return Setup.ACTIVE if end.description.role is Role.OFFER else Setup.PASSIVE
    return end.setup


# -- addresses ----------------------------------------------------------------------------------------------


@rule("sdp.m.port-path", on=Kind.SDP)
def port_matches_path(description: Description, flow: Flow) -> Outcomes:
    for end in live_ends(description):
        ports = [uri.port for uri in end.path]
        if not ports or effective_setup(end) is Setup.ACTIVE:
            continue
        yield APPLIES
        if end.port == ports[-1]:
            continue
        if end.cema and (end.port == ports[0] or not _at_home(end)):
            continue  # the address of a relay, or of a middlebox: sdp.cema.session-match tells
        yield at(
            description, end.media.offset, f"the port of the path, {ports[-1]}", f"{end.port} in the m-line"
        )


def _at_home(end: MsrpEnd) -> bool:
    """Of the handset, at its own interface, without a relay."""
    return end.description.sender is Party.HANDSET and len(end.path) == 1


@rule("sdp.m.port9-active", on=Kind.SDP)
def discard_port(description: Description, flow: Flow) -> Outcomes:
    for end in live_ends(description):
        port = end.path[-1].port if end.path else None
        if end.setup is not Setup.ACTIVE or port is None:
            continue
        yield APPLIES
        if end.port == DISCARD and port != DISCARD:
            yield at(
                description,
                end.media.offset,
                "9 in the m-line and in the path, or one real port in both",
                f"9 in the m-line, {port} in the path",
            )


@rule("sdp.m.port-nonzero", on=Kind.SDP)
def port_in_offer(description: Description, flow: Flow) -> Outcomes:
    if description.role is not Role.OFFER or description.entry.dialog is not None:
        return
    if description.entry.request is not None and description.entry.to_tag:
        return  # a later offer may close what an unseen one opened
    for end in description.ends:
        yield APPLIES
        if not end.port:
            yield at(description, end.media.offset, "a port", "0, which refuses or closes a stream")


@rule("sdp.c.matches-path", on=Kind.SDP)
def address_matches_path(description: Description, flow: Flow) -> Outcomes:
    for end in live_ends(description):
        uri, host = end.uri, end.host
        if uri is None or host is None or end.cema:
            continue
        yield APPLIES
        if normal_host(uri.host) == normal_host(host):
            continue
        literals = [literal_address(text.strip("[]")) for text in (uri.host, host)]
        if (literals[0] is None) is not (literals[1] is None):
            yield Unverifiable(f"whether {host} of the c-line is {uri.host} of the path takes a DNS look-up")
        else:
            connection = end.sdp.connection_of(end.media)
            offset = connection.offset if connection else end.media.offset
            yield at(description, offset, f"the host of the path, {uri.host}", host)


@rule("sdp.path.real-address", on=Kind.SDP)
def real_address(description: Description, flow: Flow) -> Outcomes:
    for end in live_ends(description):
        uri = end.uri
        if uri is None or end.setup not in _REACHABLE:
            continue
        if flow.profile is Profile.IETF and not (end.cema or end.setup is Setup.ACTPASS):
            continue  # nothing shows that the sender follows RFC 6135
        yield APPLIES
        address = literal_address(uri.host)
        if uri.port == DISCARD or (address is not None and address.is_unspecified):
            found = end.media.attribute("path")
            yield at_attribute(end, found, f"an address to connect to, with setup:{end.setup}", uri.host_port)


# -- a=setup ------------------------------------------------------------------------------------------------


@rule("sdp.setup.present", on=Kind.SDP)
def setup_present(description: Description, flow: Flow) -> Outcomes:
    for end in live_ends(description):
        if end.cema:
            continue
        yield APPLIES
        if end.attribute("setup") is None:
            yield at(description, end.media.offset, "a=setup", "none")


def _with_setup(description: Description) -> list[MsrpEnd]:
    """m-lines of an offer that say who connects."""
    if description.role is not Role.OFFER:
        return []
    return [end for end in live_ends(description) if end.attribute("setup") is not None]


def _wrong_setup(end: MsrpEnd) -> Outcomes:
    yield APPLIES
    if end.setup not in _IN_OFFERS:
        found = end.attribute("setup")
        yield at_attribute(end, found, "setup:active or actpass in an offer", str(found))


@rule("sdp.setup.offer-values", on=Kind.SDP)
def setup_in_offer(description: Description, flow: Flow) -> Outcomes:
    for end in _with_setup(description):
        yield from _wrong_setup(end)


@rule("sdp.setup.offer-values.cema", on=Kind.SDP, profiles=(Profile.IETF,))
def setup_in_offer_with_cema(description: Description, flow: Flow) -> Outcomes:
    for end in _with_setup(description):
        if end.cema:
            yield from _wrong_setup(end)


@rule("sdp.setup.ue-behind-nat", on=Kind.SDP)
def connects_itself(description: Description, flow: Flow) -> Outcomes:
    """A NAT is told by the address in the answer to REGISTER, or by the one that the offer came from."""
    if description.role is not Role.OFFER or description.entry.request is None:
        return
    for end in live_ends(description):
        address = literal_address(end.uri.host) if end.uri is not None and len(end.path) == 1 else None
        if address is None or end.setup is None:
            continue
        yield APPLIES
        outside = _outside(description.entry, flow) if end.setup in _REACHABLE else None
        if outside is not None and normal_host(str(address)) != outside:
            found = end.attribute("setup")
            expected = f"setup:active from behind a NAT, which makes {outside} of its address"
            yield at_attribute(end, found, expected, f"{found} at {address}")


def _outside(entry: SipEntry, flow: Flow) -> str | None:
    """The address the network knows a handset by, where it is not the handset's own (RFC 6135 4.2.2)."""
    answers = [state.response for state in flow.assembly.registrations[-1:]]
    known = [(via, via.received) for each in answers for via in each.vias[-1:]]
    if len(entry.vias) == 1:
        known.append((entry.vias[0], entry.source.host))
    for via, received in known:
        if received and literal_address(via.host) and normal_host(received) != normal_host(via.host):
            return normal_host(received)
    return None


# -- msrp-cema ----------------------------------------------------------------------------------------------


@rule("sdp.cema.attr", on=Kind.SDP)
def cema_attribute(description: Description, flow: Flow) -> Outcomes:
    for end in live_ends(description):
        found = end.media.attribute("msrp-cema")
        if found is None:
            continue
        yield APPLIES
        if found.value is not None:
            yield at_attribute(end, found, "msrp-cema without a value", str(found))
        elif end.attribute("setup") is None:
            yield at_attribute(end, found, "a=setup beside msrp-cema", "none")


def _matches(end: MsrpEnd) -> bool | None:
    """Whether c= and m= name the place of a URI of the path (RFC 6714 4.4); None where names hide it."""
    host = end.host
    if host is None or not end.path:
        return None
    places = {(normal_host(uri.host), uri.port) for uri in end.path}
    if (normal_host(host), end.port) in places:
        return True
    literal = all(literal_address(text) is not None for text, _ in (*places, (normal_host(host), 0)))
    return False if literal else None


@rule("sdp.cema.answerer-mismatch", on=Kind.SDP)
def answers_what_a_middlebox_changed(description: Description, flow: Flow) -> Outcomes:
    exchange = description.exchange
    if description.role is not Role.ANSWER or exchange is None or exchange.answer is not description:
        return
    for end in live_ends(description):
        offered = exchange.offer.end(end.index)
        if offered is None or not end.cema or offered.cema or not offered.port:
            continue
        if effective_setup(offered) is Setup.ACTIVE and offered.port == DISCARD:
            continue  # port 9 stands for none (RFC 6135 4.2.2), and is nobody's address
        yield APPLIES
        match _matches(offered):
            case False:
                yield at(description, end.media.offset, "port 0, or 488 to the offer", f"port {end.port}")
            case None if offered.path and offered.host:
                yield Unverifiable("whether c= of the offer is the host of its path takes a DNS look-up")


@rule("sdp.cema.fallback", on=Kind.SDP)
def falls_back(description: Description, flow: Flow) -> Outcomes:
    """An ACK alone, after an answer that a middlebox changed and that makes the offerer wait (4.2, 1)."""
    exchange = description.exchange
    if description.role is not Role.OFFER or exchange is None:
        return
    for end in live_ends(description):
        if not _cema_refused(end, flow):
            continue
        yield APPLIES
        if end.cema:
            found = end.media.attribute("msrp-cema")
            yield at_attribute(end, found, "an offer without msrp-cema after such an answer", str(found))


def _cema_refused(end: MsrpEnd, flow: Flow) -> bool:
    """Whether the answer before this offer asks to fall back to RFC 4975."""
    dialog = end.description.dialog
    for session in flow.assembly.negotiations.sessions_of(dialog) if dialog is not None else ():
        exchange = session.exchange_at(end.description.place) if session.index == end.index else None
        if exchange is None or exchange.answer is None or exchange.offer.by_caller is not end.by_caller:
            continue
        offered, answered = exchange.offer.end(end.index), exchange.answer.end(end.index)
        if offered is None or answered is None or not offered.cema or answered.cema or not answered.port:
            continue
        if answered.setup is Setup.ACTIVE and _matches(answered) is False:
            return True
    return False
