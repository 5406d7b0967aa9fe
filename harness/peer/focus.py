"""The focus of a group: its URI, who is in it, the sessions handsets have with it (RFC 4579 3, RFC 4575)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from harness.agent.session.user import Content
from harness.peer.config import FarParty
from harness.peer.identities import same_user
from harness.peer.listed_recipients import history, history_part
from harness.peer.roster import Member, Roster
from harness.peer.service_session import ServiceSession
from harness.sip.message import Request


@dataclass(eq=False, slots=True, weakref_slot=True)
class GroupSession(ServiceSession):
    """A session of a handset with a focus.

    listed: whom its INVITE names. fault: why the list of its INVITE is no use, empty where it is.
    """

    focus_or_none: Focus | None = None
    listed: tuple[FarParty, ...] = ()
    fault: str = ""

    @property
    def focus(self) -> Focus:
        """The group."""
        assert self.focus_or_none is not None, "the service makes no session without one"
        return self.focus_or_none


@dataclass(eq=False, slots=True, weakref_slot=True)
class Focus:
    """One group.

    conversation_id, contribution_id: those of its INVITEs. inviter: who brings handsets in. permanent: it was
    there before anybody joined, as a pre-defined group is. held: whether it can be joined. sessions: those of
    handsets that are in it now, the newest last. last: the newest session there was, or was asked for.
    """

    uri: str
    conversation_id: str
    contribution_id: str
    roster: Roster
    inviter: FarParty | None = None
    permanent: bool = False
    held: bool = False
    sessions: list[GroupSession] = field(default_factory=list)
    last: GroupSession | None = None

    @property
    def subject(self) -> str:
        """What it is about."""
        return self.roster.subject

    @property
    def party(self) -> FarParty:
        """Who its requests are from."""
        return FarParty(self.uri)

    @property
    def far_members(self) -> list[Member]:
        """Those that have joined and are no handset of the bench."""
        handsets = [session.handset for session in self.sessions]
        return [
            member
            for member in self.roster.connected
            if not any(same_user(member.party.sip, handset) for handset in handsets)
        ]

    def sessions_of(self, handset: str) -> list[GroupSession]:
        """Those a handset has now: two while it joins anew."""
        return [each for each in self.sessions if same_user(each.handset, handset)]

    def __str__(self) -> str:
        name = f" {self.subject!r}" if self.subject else ""
        return f"group{name} {self.uri}, {len(self.roster.connected)} of {len(self.roster)} in it"


def focus_uri(request: Request, domain: str) -> str:
    """The URI of the group an INVITE founds: always the same one for the same INVITE, and its repeats."""
    seed = f"{request.call_id} {request.from_.tag}"
    return f"sip:group-{hashlib.sha256(seed.encode()).hexdigest()[:24]}@{domain}"


def member_list(members: list[Member]) -> Content:
    """The list that tells who is invited whom else there is (RFC 5366 5)."""
    return history_part(history((member.party.sip, "to") for member in members))
