"""Who is in a group, as its focus tells who subscribed: conference information by NOTIFYs (RFC 4575)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from harness.bodies.conference_info import (
    MEDIA_TYPE,
    ConferenceInfo,
    ConferenceView,
    Status,
    Update,
    User,
    parse_conference_info,
)
from harness.errors import BodySyntaxError
from harness.sip.event_headers import SubscriptionState
from harness.verify.comparison import is_encoded, party_of, uri_of
from harness.verify.items import Dialog, SipEntry, reading

Member = tuple[str, ...]
"""Who is one member: the names it is told under, as `party_of` writes them; that of its entity first."""

_KEPT = 256
"""NOTIFYs of one subscription whose members are kept: what is due is asked for soon."""
_HEARING = frozenset({Status.CONNECTED, Status.ON_HOLD, Status.MUTED})


@dataclass(slots=True)
class _Told:
    """What is known from one NOTIFY to the next; members is None where something was missed."""

    time: float
    until: float
    members: frozenset[Member] | None
    hidden: bool = False


@dataclass(eq=False, slots=True)
class _Watch:
    """One subscription.

    names: of the conference, as its documents and its SUBSCRIBE have them. ever: names of all members there
    were. missed: a document is missing, or cannot be read. over: the conference is no more.
    """

    names: set[str] = field(default_factory=set)
    view: ConferenceView = field(default_factory=ConferenceView)
    told: list[_Told] = field(default_factory=list)
    ever: set[str] = field(default_factory=set)
    missed: bool = False
    over: bool = False

    def take(self, told: _Told) -> None:
        """Add what is known from now on; of a long conference the latest is kept."""
        self.told.append(told)
        del self.told[:-_KEPT]
        self.missed |= told.members is None and told.time < told.until
        self.ever |= {name for member in told.members or () for name in member}

    def members(self, start: float, end: float) -> frozenset[Member] | None:
        """Those that were in it all the time; None where the subscription does not show that."""
        first = max((place for place, told in enumerate(self.told) if told.time <= start), default=None)
        if first is None:
            return None
        during = [self.told[first], *(told for told in self.told[first + 1 :] if told.time <= end)]
        known = [told.members for told in during if told.members is not None]
        if len(known) < len(during) or during[-1].until < end:
            return None
        return frozenset.intersection(*known)


class Conferences:
    """Feed it NOTIFYs in order."""

    def __init__(self) -> None:
        self._watches: dict[Dialog, _Watch] = {}

    def read(self, entry: SipEntry) -> None:
        """Take in a NOTIFY with the state of a conference; anything else is passed over."""
        if entry.method != "NOTIFY" or entry.request is None or entry.dialog is None:
            return
        watch = self._watches.get(entry.dialog)
        kind = entry.content_type
        if kind is not None and kind.essence == MEDIA_TYPE:
            watch = self._watches.setdefault(entry.dialog, _Watch())
            creation = entry.dialog.creation.request
            watch.names |= set(
                _names([creation.sip.get("To") or ""] if creation.method == "SUBSCRIBE" else [])
            )
        if watch is None:
            return
        members = _members(watch, entry)
        info = watch.view.info
        hidden = info is not None and any(_hears(user) and not _names_of(user) for user in info.users)
        watch.take(_Told(entry.time, entry.time + _lasting(entry), members, hidden))
        watch.over = watch.over or _has_no_resource(entry)

    def forget(self, calls: set[str]) -> None:
        """Let subscriptions with these Call-IDs go."""
        self._watches = {
            dialog: watch for dialog, watch in self._watches.items() if dialog.call_id not in calls
        }

    def members(self, focus: str, start: float, end: float) -> frozenset[Member] | None:
        """Who was in the conference of this URI all the time; None where the timeline does not show it."""
        found = [watch.members(start, end) for watch in self._of(focus)]
        found = [members for members in found if members is not None]
        return found[-1] if found else None

    def hides_somebody(self, focus: str) -> bool:
        """Whether the focus has told of a member that goes without a name."""
        return any(told.hidden for watch in self._of(focus) for told in watch.told)

    def ever_in(self, focus: str) -> frozenset[str] | None:
        """The names of all that the focus has told of; None where a document is missing, or none came."""
        found = self._of(focus)
        if not found or any(watch.missed or not watch.ever for watch in found):
            return None
        return frozenset().union(*(watch.ever for watch in found))

    def is_over(self, focus: str) -> bool:
        """Whether the focus told that the conference is no more: deleted, or no resource (RFC 4575)."""
        return any(watch.over for watch in self._of(focus))

    def _of(self, focus: str) -> list[_Watch]:
        names = set(_names([focus]))
        return [watch for watch in self._watches.values() if watch.names & names]


def _members(watch: _Watch, entry: SipEntry) -> frozenset[Member] | None:
    """Who is in it by this NOTIFY, one without a document by those before it."""
    before = watch.told[-1].members if watch.told else None
    if not entry.sip.body:
        return before
    if entry.incomplete or is_encoded(entry.sip):
        return None
    try:
        document = parse_conference_info(entry.sip.body)
        update = watch.view.apply(document)
    except BodySyntaxError:
        return None
    watch.names |= set(_names([document.entity]))
    watch.over = watch.over or update is Update.OVER
    if update is Update.STALE:
        return before
    return frozenset(_hearing(watch.view.info)) if update is Update.TAKEN and watch.view.info else None


def _hearing(info: ConferenceInfo) -> Iterator[Member]:
    """Who gets what is said. One that hides its name is nobody that could be told from others."""
    yield from (names for user in info.users if _hears(user) and (names := _names_of(user)))


def _hears(user: User) -> bool:
    return any(endpoint.status in _HEARING for endpoint in user.endpoints)


def _names_of(user: User) -> Member:
    return tuple(dict.fromkeys(_names([user.entity, *_aliases(user)])))


def _aliases(user: User) -> Iterator[str]:
    """Its other addresses (5.6.2)."""
    listed = user.node.child("associated-aors")
    for entry in listed.children if listed is not None else ():
        yield entry.text_of("uri") or ""


def _names(texts: list[str]) -> Iterator[str]:
    for text in texts:
        uri = uri_of(text)
        if uri is not None and not uri.host.lower().endswith("anonymous.invalid"):
            yield party_of(uri)


def _has_no_resource(entry: SipEntry) -> bool:
    state = _state(entry)
    return state is not None and state.state == "terminated" and state.reason == "noresource"


def _state(entry: SipEntry) -> SubscriptionState | None:
    text = entry.sip.get("Subscription-State")
    return reading(lambda: SubscriptionState.parse(text)) if text else None


def _lasting(entry: SipEntry) -> float:
    """Seconds for which the subscription stands after a NOTIFY, by what that says."""
    state = _state(entry)
    if state is None or state.state == "terminated":
        return 0.0
    return float("inf") if state.expires is None else float(state.expires)
