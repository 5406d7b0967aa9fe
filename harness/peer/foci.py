"""The groups that can be joined, who is in each, and who is told of it (RFC 4579 3, RFC 4575)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from harness.bodies.conference_info import Status
from harness.cpm.tokens import new_id, new_uuid
from harness.errors import UsageError
from harness.peer.conference_event import ConferenceEvents
from harness.peer.config import FarParty
from harness.peer.focus import Focus
from harness.peer.identities import canonical
from harness.peer.invitations import Invitations
from harness.peer.journal import EventKind, Recent
from harness.peer.roster import DEPARTED, DIALED_OUT, Member, Roster
from harness.peer.service_table import ServiceAddress

Parties = Iterable[str | FarParty]


class Foci:
    """All of one peer. Members are named by number or URI.

    members_join: whether far members who are invited join by themselves; may be changed.
    """

    def __init__(self, invitations: Invitations, events: ConferenceEvents) -> None:
        self._invitations, self._events = invitations, events
        self._pcscf = invitations.pcscf
        self.members_join = True
        self._held: dict[str, Focus] = {}
        self._gone: Recent[str] = Recent()

    def __iter__(self) -> Iterator[Focus]:
        return iter(tuple(self._held.values()))

    def at(self, uri: str) -> Focus | None:
        """The group that can be joined at this URI."""
        return self._held.get(canonical(uri))

    def is_gone(self, uri: str) -> bool:
        """Whether there was a group at this URI that can be joined no more."""
        return canonical(uri) in self._gone

    def party(self, member: str | FarParty) -> FarParty:
        """Who is meant; a URI without a number is a party too."""
        try:
            return self._pcscf.config.party_of(member)
        except UsageError:
            return FarParty(str(member))

    # -- groups come and go

    def made(self, uri: str | None, subject: str, ids: tuple[str | None, str | None] = (None, None)) -> Focus:
        """One that cannot be joined yet. uri: None for a new one. ids: Conversation-ID, Contribution-ID."""
        uri = uri or f"sip:group-{new_id()}@{self._pcscf.config.domain}"
        return Focus(uri, ids[0] or new_uuid(), ids[1] or new_uuid(), Roster(uri, subject))

    async def wait_members(
        self, focus: Focus, good: Callable[[Roster], bool], *, timeout: float, expected: str
    ) -> None:
        """Wait until the members are as `good` wants them. Raises NotSeen."""
        if good(focus.roster):
            return
        await self._pcscf.journal.wait(
            lambda event: (
                event.kind is EventKind.MEMBERS_CHANGED and event.subject is focus and good(focus.roster)
            ),
            timeout,
            expected=f"{expected} in {focus}",
            kinds=(EventKind.MEMBERS_CHANGED,),
        )

    async def define(self, subject: str, members: Parties = (), uri: str | None = None) -> Focus:
        """A pre-defined group: the focus calls its members in when a handset joins it."""
        focus = self.made(uri, subject)
        focus.permanent = True
        for member in members:
            focus.roster.put(self.party(member), Status.DISCONNECTED)
        self.hold(focus, ServiceAddress.GROUP)
        return focus

    def hold(self, focus: Focus, kind: ServiceAddress = ServiceAddress.FOCUS) -> None:
        """From now on it can be joined and subscribed to."""
        if focus.held:
            return
        focus.held = True
        self._held[canonical(focus.uri)] = focus
        self._invitations.addresses[canonical(focus.uri)] = kind
        self._events.hold(focus.uri, focus.roster.whole)

    async def forget(self, focus: Focus) -> None:
        """The group is no more: who joins it again gets 404, who subscribed is told (RFC 4575 3.3).

        Sessions there are go on until somebody hangs up. Raises UsageError when it is gone already.
        """
        if not focus.held:
            raise UsageError(f"{focus} is gone already")
        focus.held = False
        self._gone.append(canonical(focus.uri))
        del self._held[canonical(focus.uri)]
        del self._invitations.addresses[canonical(focus.uri)]
        self._events.release(focus.uri)

    # -- members come and go

    async def invite(self, focus: Focus, *members: str | FarParty) -> None:
        """Call far members in; they join by themselves where `members_join` says so."""
        self.call_in(focus, [self.party(each) for each in members])

    def call_in(self, focus: Focus, parties: Iterable[FarParty]) -> None:
        """The same, to be called in the loop."""
        known = [(focus.roster.find(party.sip), party) for party in parties]
        out = [party for member, party in known if member is None or not member.connected]
        fresh = [party for member, party in known if member is None or member not in focus.roster.present]
        self.say(focus, fresh, Status.PENDING)
        if self.members_join:
            self.say(focus, out, Status.CONNECTED, joined=DIALED_OUT)

    async def join(self, focus: Focus, *members: str | FarParty, skip: int = 0) -> None:
        """Far members join, all at once. skip: see `ConferenceEvents.changed`."""
        parties = [self.party(each) for each in members]
        self.say(focus, parties, Status.CONNECTED, joined=DIALED_OUT, skip=skip)

    async def leave(self, focus: Focus, member: str | FarParty, how: str = DEPARTED) -> None:
        """A far member is gone: departed, booted, failed or busy (RFC 4575 5.7.6)."""
        self.say(focus, [self.party(member)], Status.DISCONNECTED, left=how)

    async def tell(self, focus: Focus, body: bytes) -> None:
        """Tell everybody who subscribed this in place of what is the case."""
        self._events.say(focus.uri, body)

    async def wait_followed(self, focus: Focus, *, timeout: float, after: int = 0) -> None:
        """Wait until somebody subscribes to the group, or refreshes it. Raises NotSeen."""
        await self._pcscf.journal.wait(
            lambda event: (
                event.kind is EventKind.SUBSCRIBED
                and getattr(event.subject, "resource", None) == canonical(focus.uri)
            ),
            timeout,
            after=after,
            expected=f"a SUBSCRIBE to {focus}",
            kinds=(EventKind.SUBSCRIBED,),
        )

    def expel(self, focus: Focus, party: FarParty) -> None:
        """Who was put out is told no more of the group."""
        if focus.held:
            self._events.expel(focus.uri, party.sip)

    def say(
        self,
        focus: Focus,
        parties: Iterable[FarParty],
        status: Status,
        *,
        joined: str | None = None,
        left: str | None = None,
        skip: int = 0,
    ) -> None:
        """Say how it is with these members, and tell everybody who subscribed. To be called in the loop.

        skip: see `ConferenceEvents.changed`.
        """
        members = [focus.roster.put(party, status, joined=joined, left=left) for party in parties]
        if not members:
            return
        self._pcscf.journal.add(EventKind.MEMBERS_CHANGED, f"{focus}: {_shown(members)}", focus)
        if focus.held:
            self._events.changed(focus.uri, partial(focus.roster.changes, members=members), skip=skip)


def _shown(members: list[Member]) -> str:
    rest = f" and {len(members) - 3} more" if members[3:] else ""
    return ", ".join(map(str, members[:3])) + rest
