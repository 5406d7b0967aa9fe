"""Personalities of the simulated handset: how a real handset behaved, as data with its source.

`reference` follows the documents. Another personality differs from it only in the fields its source shows.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from harness.bodies.file_attributes import FileRange, read_file
from harness.bodies.session_description import Attribute, MediaDescription, SessionDescription
from harness.cpm.services import Service
from harness.cpm.tokens import new_id, new_uuid
from harness.errors import UsageError
from harness.msrp.ids import RANDOM_IDS, MsrpIds
from harness.sip.session_headers import Refresher
from harness.sip.session_timer import TimerPolicy

_HALF_AN_HOUR = TimerPolicy(1800, shows_least=True)
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
class ResponseHabit:
    """A header the client puts into some of its responses: to a method, with a status from these.

    value: `{contact}` stands for its own Contact URI.
    """

    method: str
    statuses: Sequence[int]
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class SdpHabits:
    """How the client words its session descriptions.

    user: of the o-line. name, information: s= and, in offers, i=. whole_range: an answer says file-range over
    all of a file whose offer has none (RFC 5547 6 lets who offers say it).
    """

    user: str = "-"
    name: str = "-"
    information: str | None = None
    whole_range: bool = False

    def worded(self, description: SessionDescription, *, offers: bool) -> SessionDescription:
        """The description as it is written."""
        origin = description.origin and replace(description.origin, username=self.user)
        media = description.media
        if self.whole_range and not offers:
            media = tuple(map(_with_whole_range, media))
        information = self.information if offers else None
        return replace(description, origin=origin, name=self.name, information=information, media=media)


def _with_whole_range(line: MediaDescription) -> MediaDescription:
    file = read_file(line)
    if file is None or file.range is not None or not file.selector.name or not file.selector.size:
        return line
    told = Attribute("file-range", str(FileRange(1, file.selector.size)))
    return replace(line, attributes=(*line.attributes, told))


@dataclass(frozen=True, slots=True)
class MsrpIdHabits:
    """How many characters the ids of its MSRP have: transaction ids in turn, and session-ids."""

    transaction: tuple[int, ...]
    session: int

    def ids(self) -> MsrpIds:
        """What makes them."""
        lengths = itertools.cycle(self.transaction)
        return MsrpIds(lambda: new_id(next(lengths)).encode(), lambda: new_id(self.session))


@dataclass(frozen=True, slots=True)
class Personality:
    """What distinguishes one RCS client from another on the wire.

    own_identity: the public identity it sends from: the default one the network associated, or the one made
    of the IMSI, which it registered. tcp_only: SIP over TCP whatever the size. contact_in_message: Contact
    with the instance id in MESSAGE. via_transport: a transport parameter on its Via. own_conversation:
    notifications carry its own stored Conversation-ID instead of the received one. offered_port,
    answered_port: what its SDP says where it is the one to connect. timer: what it wants of session timers.
    understands: option tags it takes in Require beside those it supports. trying_at_once: 100 to each INVITE
    before anything else, and in it where it camps. invite_headers: of its own in an INVITE. about_files: the
    service a notification of a file names when it goes by MESSAGE.
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
    timer: TimerPolicy = _HALF_AN_HOUR
    understands: frozenset[str] = frozenset()
    trying_at_once: bool = False
    invite_headers: tuple[tuple[str, str], ...] = ()
    responses: tuple[ResponseHabit, ...] = ()
    sdp: SdpHabits = SdpHabits()
    msrp_ids: MsrpIdHabits | None = None
    about_files: Service = Service.PAGER

    def new_msrp_ids(self) -> MsrpIds:
        """The ids of one MSRP endpoint."""
        return RANDOM_IDS if self.msrp_ids is None else self.msrp_ids.ids()


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
            timer=TimerPolicy(3600, refresher=Refresher.UAC, shows_least=True),
            understands=frozenset({"recipient-list-invite"}),
            trying_at_once=True,
            invite_headers=(("P-Early-Media", "supported"),),
            responses=(
                ResponseHabit("INVITE", range(101, 300), "Max-Forwards", "70"),
                ResponseHabit("BYE", (200,), "Contact", "<{contact}>"),
            ),
            sdp=SdpHabits("SAMSUNG-IMS-UE", "SS VOIP", "A VOIP Session", whole_range=True),
            msrp_ids=MsrpIdHabits(transaction=(5, 30, 28, 18), session=18),
            about_files=Service.FILE_TRANSFER,
        ),
    )
}


def personality_named(name: str) -> Personality:
    """Raises: UsageError, listing the names there are."""
    try:
        return PERSONALITIES[name]
    except KeyError:
        raise UsageError(f"no personality {name!r}; there are: {', '.join(PERSONALITIES)}") from None
