"""What rules see of negotiations: session descriptions, offers with their answers, MSRP sessions (RFC 3264).

A side is named by who made the dialog: by_caller is True for what the caller of the INVITE wrote or sent,
whoever offers. Where a value is malformed a property gives None, for the rule about that value to deal with.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import TypeVar

from harness.bodies.file_attributes import FileDescription, read_file
from harness.bodies.sdp_attributes import Direction, Setup, parse_format_list, parse_max_size, parse_setup
from harness.bodies.session_description import Attribute, MediaDescription, SessionDescription
from harness.errors import BodySyntaxError, MsrpSyntaxError
from harness.evidence.timeline import Layer
from harness.msrp.uri import MsrpUri, parse_path
from harness.verify.finding import Party
from harness.verify.items import Dialog, SipEntry

T = TypeVar("T")

# RFC 4145 4.1, RFC 6135 4.2: (a=setup of the offer, of the answer) -> whether the answerer opens. What is not
# here leaves it open who does.
_ANSWERER_OPENS = {
    (Setup.ACTPASS, Setup.ACTIVE): True,
    (Setup.PASSIVE, Setup.ACTIVE): True,
    (Setup.ACTPASS, Setup.PASSIVE): False,
    (Setup.ACTIVE, Setup.PASSIVE): False,
    (None, Setup.PASSIVE): False,
    (Setup.ACTPASS, None): False,
    (Setup.ACTIVE, None): False,
    (None, None): False,
}


class Role(Enum):
    """What a session description is in its exchange (RFC 3264, RFC 6337 2)."""

    OFFER = "offer"
    ANSWER = "answer"
    PREVIEW = "preview of the answer"
    """In a provisional response that is not reliable (RFC 3261 13.2.1): the answer comes later."""
    CAPABILITY = "capabilities"
    """In or for an OPTIONS: nothing is offered (RFC 3264 9)."""


@dataclass(eq=False, repr=False)
class Description:
    """A session description in a SIP message.

    offset: octet of the message where it starts; add it to offsets of `sdp`. sdp is None when it cannot be
    read, then `error` says why. exchange: the one it offers in or answers; None for capabilities and for an
    answer to nothing that was seen.
    """

    entry: SipEntry
    offset: int
    raw: bytes
    sdp: SessionDescription | None
    role: Role
    by_caller: bool
    error: BodySyntaxError | None = None
    exchange: Exchange | None = None
    ends: list[MsrpEnd] = field(default_factory=list)
    """Its MSRP m-lines, in order."""

    layer = Layer.SIP

    @property
    def number(self) -> int:
        return self.entry.number

    @property
    def time(self) -> float:
        return self.entry.time

    @property
    def place(self) -> int:
        return self.entry.place

    @property
    def sender(self) -> Party:
        return self.entry.sender

    @property
    def label(self) -> str:
        return self.entry.label

    @property
    def dialog(self) -> Dialog | None:
        """The dialog it negotiates for; None for an offer in an INVITE that makes none yet."""
        return self.entry.dialog

    def end(self, index: int) -> MsrpEnd | None:
        """What it says about the m-line of that index (from 0), when that is MSRP."""
        return next((end for end in self.ends if end.index == index), None)


@dataclass(eq=False, repr=False)
class Exchange:
    """An offer and, once seen, its answer. previews: descriptions of unreliable provisional responses.

    An INVITE that forks has one exchange for each dialog, all with the same offer.
    """

    offer: Description
    answer: Description | None = None
    previews: list[Description] = field(default_factory=list)
    refused: SipEntry | None = None
    """The final response that refused the request with the offer, so that there is no answer."""

    @property
    def complete(self) -> bool:
        return self.answer is not None


@dataclass(eq=False, repr=False)
class MsrpEnd:
    """One side of an MSRP session as an m-line of its SDP tells it. index: of the m-line, from 0."""

    description: Description
    index: int
    media: MediaDescription

    @property
    def by_caller(self) -> bool:
        return self.description.by_caller

    @property
    def sdp(self) -> SessionDescription:
        sdp = self.description.sdp
        assert sdp is not None, "an m-line comes out of a description that was read"
        return sdp

    @property
    def port(self) -> int:
        """Of the m-line; 0 refuses the stream or closes it (RFC 3264 6, 8.2)."""
        return self.media.port

    @property
    def host(self) -> str | None:
        """Of the c-line that holds."""
        connection = self.sdp.connection_of(self.media)
        return connection.host if connection else None

    @cached_property
    def path(self) -> tuple[MsrpUri, ...]:
        """The URIs of a=path, the next hop first; empty when it is absent or malformed (RFC 4975 8.2)."""
        value = self.value("path")
        return (_reading(lambda: parse_path(value.strip())) if value else None) or ()

    @property
    def uri(self) -> MsrpUri | None:
        """The session URI of this side: the last one of its path."""
        return self.path[-1] if self.path else None

    @property
    def session_id(self) -> str | None:
        return self.uri.session_id if self.uri else None

    @property
    def setup(self) -> Setup | None:
        """a=setup that holds, None where it is absent or unknown (RFC 4145 4)."""
        found = self.attribute("setup")
        return parse_setup(found.value.strip()) if found and found.value else None

    @property
    def direction(self) -> Direction:
        return self.sdp.direction_of(self.media)

    @cached_property
    def accept_types(self) -> tuple[str, ...]:
        return self._formats("accept-types")

    @cached_property
    def wrapped_types(self) -> tuple[str, ...]:
        """accept-wrapped-types: allowed inside a container only (RFC 4975 8.6)."""
        return self._formats("accept-wrapped-types")

    @property
    def max_size(self) -> int | None:
        """Octets of a whole message it takes; None where nothing is said."""
        value = self.value("max-size")
        return _reading(lambda: parse_max_size(value)) if value else None

    @property
    def cema(self) -> bool:
        """Whether it has a=msrp-cema (RFC 6714)."""
        return "msrp-cema" in self.media

    @cached_property
    def file(self) -> FileDescription | None:
        """The file of the m-line; None without a file-selector or with a malformed value (RFC 5547 6)."""
        return _reading(lambda: read_file(self.media))

    def attribute(self, name: str) -> Attribute | None:
        """The attribute that holds for the m-line, of its own or the session's level."""
        return self.sdp.attribute_of(self.media, name)

    def value(self, name: str) -> str | None:
        """The value of that attribute, None when it is absent or has none."""
        found = self.attribute(name)
        return found.value if found else None

    def _formats(self, name: str) -> tuple[str, ...]:
        value = self.value(name)
        return (_reading(lambda: parse_format_list(value)) if value else None) or ()


@dataclass(eq=False, repr=False)
class MsrpSession:
    """An MSRP session: one m-line of the dialog of an INVITE, over all offers and answers for it.

    ends: what both sides said of it, in order. An answer not seen leaves one side empty.
    """

    index: int
    exchanges: list[Exchange] = field(default_factory=list)
    ends: list[MsrpEnd] = field(default_factory=list)
    fork_of: MsrpSession | None = None

    @property
    def dialog(self) -> Dialog | None:
        """Its dialog, once a description in it was seen."""
        return next((end.description.dialog for end in self.ends if end.description.dialog), None)

    @property
    def invite(self) -> SipEntry:
        """The message with its first offer: the INVITE, or the response that offers."""
        return self.exchanges[0].offer.entry

    @property
    def call_id(self) -> str | None:
        return self.invite.call_id

    def end(self, by_caller: bool, place: int | None = None) -> MsrpEnd | None:
        """What a side said last (before that place on the timeline)."""
        for end in reversed(self.ends):
            if end.by_caller is by_caller and (place is None or end.description.place < place):
                return end
        return None

    def ends_of(self, by_caller: bool) -> list[MsrpEnd]:
        """All that a side said, oldest first."""
        return [end for end in self.ends if end.by_caller is by_caller]

    def exchange_at(self, place: int) -> Exchange | None:
        """The last offer and answer that were complete before that place."""
        for exchange in reversed(self.exchanges):
            if exchange.answer is not None and exchange.answer.place < place:
                return exchange
        return None

    def active_caller(self, place: int) -> bool | None:
        """Whether the caller is the side that opens connections; None while it is not agreed on.

        The answer decides. One without a=setup knows of none, and then the offerer opens (RFC 4975 5.4).
        """
        exchange = self.exchange_at(place)
        if exchange is None or exchange.answer is None:
            return None
        offer, answer = exchange.offer.end(self.index), exchange.answer.end(self.index)
        if offer is None or answer is None or not answer.port:
            return None
        answerer_opens = _ANSWERER_OPENS.get((_known(offer.setup), _known(answer.setup)))
        return None if answerer_opens is None else answerer_opens is not exchange.offer.by_caller

    def party(self, by_caller: bool) -> Party:
        """Who that side is, by the SIP messages with its descriptions."""
        own = self.end(by_caller)
        if own is not None:
            return own.description.sender
        other = self.end(not by_caller)
        return other.description.sender.other if other is not None else Party.UNKNOWN

    def side_of(self, session_id: str | None) -> bool | None:
        """Whose session-id it is: True the caller's, False the callee's, None nobody's or not telling."""
        sides = {end.by_caller for end in self.ends if session_id and end.session_id == session_id}
        return sides.pop() if len(sides) == 1 else None


def _known(setup: Setup | None) -> Setup | None:
    """holdconn counts as no a=setup at all (RFC 6135 4.2.1)."""
    return None if setup is Setup.HOLDCONN else setup


def _reading(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except (BodySyntaxError, MsrpSyntaxError):
        return None
