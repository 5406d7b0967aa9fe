"""Who is in a group, as the conference package tells it: whole, or what has changed (RFC 4575 4.4, 5.6)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from harness.bodies.conference_info import (
    ConferenceInfo,
    Extent,
    Status,
    conference,
    endpoint,
    user,
)
from harness.bodies.xml_node import Node
from harness.peer.config import FarParty
from harness.peer.identities import canonical, number_of

DIALED_IN, DIALED_OUT = "dialed-in", "dialed-out"  # RFC 4575 5.7.4
DEPARTED, BOOTED, FAILED, BUSY = "departed", "booted", "failed", "busy"  # 5.7.6


@dataclass(eq=False, slots=True)
class Member:
    """One member. joined: how it came in (joining-method); left: how it went (disconnection-method)."""

    party: FarParty
    status: Status
    joined: str | None = None
    left: str | None = None

    @property
    def connected(self) -> bool:
        """Whether it hears what is said now."""
        return self.status is Status.CONNECTED

    @property
    def node(self) -> Node:
        """The whole user of a document."""
        return user(
            self.party.sip,
            endpoint(
                self.party.sip,
                self.status,
                joining_method=self.joined if self.connected else None,
                disconnection_method=self.left,
            ),
            state=Extent.FULL,
        )

    def __str__(self) -> str:
        return f"{self.party.sip} {self.status}" + (f" ({self.left})" if self.left else "")


class Roster:
    """The members of one conference by who they are: a number is one member, however it is written."""

    def __init__(self, uri: str, subject: str) -> None:
        self.uri, self.subject = uri, subject
        self._members: dict[str, Member] = {}

    def __iter__(self) -> Iterator[Member]:
        return iter(self._members.values())

    def __len__(self) -> int:
        return len(self._members)

    def find(self, identity: str) -> Member | None:
        """The member of this identity or number, also one that left; None when it never was one."""
        return self._members.get(_name(identity))

    def put(
        self, party: FarParty, status: Status, *, joined: str | None = None, left: str | None = None
    ) -> Member:
        """Say how it is with a member, new or known."""
        member = self._members.setdefault(_name(party.sip), Member(party, status))
        member.status, member.left = status, left
        member.joined = joined or member.joined
        return member

    @property
    def present(self) -> list[Member]:
        """Those that were not disconnected, invited ones too."""
        return [each for each in self if each.status is not Status.DISCONNECTED]

    @property
    def connected(self) -> list[Member]:
        """Those that have joined."""
        return [each for each in self if each.connected]

    def whole(self, version: int) -> ConferenceInfo:
        """All there is to know; who left is not in it."""
        return self._document(version, self.present, Extent.FULL)

    def changes(self, version: int, members: Iterable[Member]) -> ConferenceInfo:
        """What is new of these members."""
        return self._document(version, members, Extent.PARTIAL)

    def _document(self, version: int, members: Iterable[Member], extent: Extent) -> ConferenceInfo:
        return conference(
            self.uri,
            version,
            *(member.node for member in members),
            subject=(self.subject or None) if extent is Extent.FULL else None,
            user_count=len(self.connected),
            state=extent,
        )


def _name(identity: str) -> str:
    return number_of(identity) or canonical(identity)
