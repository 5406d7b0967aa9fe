"""The same messages seen twice: on both sides of a session border controller, or of a NAT.

The rules are about what a handset and its network say to each other. What an element of the network passes on
to the next is the same once more, in other words: judged too, it would be a second finding, against the wrong
one, or a message sent twice. So of several legs only those are judged that have a handset at one end.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from harness.verify.finding import Party
from harness.verify.items import SipEntry
from harness.verify.msrp_items import MsrpEntry
from harness.verify.parties import normal_host

PASSED_ON_SECONDS = 5.0
"""How long an element may take to pass a message on."""
FINAL = 200
_MOST_REMEMBERED = 8192
_SESSION_ID = re.compile(rb"^a=path:[^\r\n]*msrps?://[^/\s]+/([^;\s]+)", re.MULTILINE | re.IGNORECASE)
_MESSAGE_ID = re.compile(rb"Message-ID:|message-id>", re.IGNORECASE)
Leg = frozenset[str]
"""The hosts of both ends."""


class _Seen(NamedTuple):
    leg: Leg
    source: str
    destination: str
    time: float
    octets: bytes


@dataclass(eq=False, slots=True)
class _Path:
    """Legs on which the same messages were seen.

    first: the one that was seen first. relays: hosts that pass messages on. as_they_are: they pass on octets
    as they came, as a NAT does, so that the same handset is at the end of several legs.
    """

    first: Leg
    legs: set[Leg]
    relays: set[str] = field(default_factory=set)
    as_they_are: bool = False


class Legs:
    """Learns from every message which legs carry the same, and tells which messages repeat others.

    Args: of_host tells who is at a host, as far as is known. passed_over: messages that were told to repeat
    others; seen_twice: the hosts at the ends of their legs.
    """

    def __init__(self, of_host: Callable[[str], Party]) -> None:
        self.passed_over = 0
        self.seen_twice: set[str] = set()
        self._of_host = of_host
        self._seen: OrderedDict[object, _Seen] = OrderedDict()
        self._paths: dict[Leg, _Path] = {}

    def learn_sip(self, entry: SipEntry) -> bool:
        """Take in a message; whether it is one that was seen on another leg just before."""
        if entry.request is None:
            if entry.status >= FINAL:
                self._answered(entry)
            return False
        repeated = [self._learn(key, entry, entry.raw) for key in _keys_of(entry)]
        return any(repeated)

    def _answered(self, entry: SipEntry) -> None:
        """What says the same after the answer is the next text, or a registration from another address: an
        element passes a request on while its own is open.
        """
        speakers = _speakers(entry)
        before = self._seen.get(speakers) if speakers else None
        if before is not None and before.leg == _leg(entry):
            del self._seen[speakers]

    def learn_msrp(self, entry: MsrpEntry) -> None:
        """Take in a message of MSRP: relays give it transaction ids of their own (RFC 4976 6.4)."""
        if entry.request is not None and entry.message_id and entry.has_body:
            self._learn((entry.message_id, entry.msrp.get("Byte-Range")), entry, entry.msrp.raw)

    def repeats(self, entry: SipEntry | MsrpEntry) -> bool:
        """Whether what goes over the leg of this message is seen, and judged, on another."""
        path = self._paths.get(_leg(entry)) if self._paths else None
        if path is None or _leg(entry) in self._judged(path):
            return False
        self.passed_over += 1
        self.seen_twice |= _leg(entry)
        return True

    def _judged(self, path: _Path) -> Collection[Leg]:
        """Those with a handset at one end; where none is known, the first that was seen."""
        with_handset = [leg for leg in path.legs if any(self._is_handset(host, path) for host in leg)]
        if not with_handset or (path.as_they_are and path.first in with_handset):
            return (path.first,)
        return with_handset

    def _is_handset(self, host: str, path: _Path) -> bool:
        return host not in path.relays and self._of_host(host) is Party.HANDSET

    def _learn(self, key: object, entry: SipEntry | MsrpEntry, octets: bytes) -> bool:
        source, destination = normal_host(entry.source.host), normal_host(entry.destination.host)
        now = _Seen(frozenset((source, destination)), source, destination, entry.time, octets)
        before = self._seen.get(key)
        if before is None or before.time + PASSED_ON_SECONDS < now.time:
            self._seen[key] = now
            self._seen.move_to_end(key)
            if len(self._seen) > _MOST_REMEMBERED:
                self._seen.popitem(last=False)
            return False
        if before.leg == now.leg:
            return False
        as_it_was = before.octets == now.octets
        # Tried again elsewhere, or sent to several, it has one source; two that say the same have one goal.
        if not as_it_was and (before.source == source or before.destination == destination):
            return False
        path = self._joined(before.leg, now.leg)
        path.as_they_are |= as_it_was
        if not as_it_was:
            path.relays |= {before.destination, source}
        return True

    def _joined(self, before: Leg, now: Leg) -> _Path:
        """The path both legs are of."""
        path, other = self._paths.get(before), self._paths.get(now)
        if path is None:
            path = _Path(before, {before})
        if other is not None and other is not path:
            path.legs |= other.legs
            path.relays |= other.relays
            path.as_they_are |= other.as_they_are
        path.legs.add(now)
        self._paths.update(dict.fromkeys(path.legs, path))
        return path


def _keys_of(entry: SipEntry) -> Iterator[object]:
    """What a request keeps on its way: through a proxy all that makes it the same; through an element that
    opens calls of its own who speaks to whom, or the ids of the message or of the MSRP session in it.
    """
    cseq, body = entry.cseq, entry.sip.body
    if cseq is not None:
        if entry.call_id:
            yield entry.call_id, cseq.number, entry.method, entry.from_tag
        if not entry.to_tag and (speakers := _speakers(entry)):
            yield speakers
    if contribution := entry.sip.get("Contribution-ID"):
        yield entry.method, contribution, cseq and cseq.number
    if body and _MESSAGE_ID.search(body):
        yield entry.method, body
    for session_id in _SESSION_ID.findall(body) if body else ():
        yield entry.method, session_id


def _speakers(entry: SipEntry) -> tuple[str, str, int, str] | None:
    """Who speaks to whom, by a request or by the one that is answered."""
    if entry.cseq is None or entry.from_ is None or entry.to is None:
        return None
    return entry.from_.uri.text, entry.to.uri.text, entry.cseq.number, entry.cseq.method


def _leg(entry: SipEntry | MsrpEntry) -> Leg:
    return frozenset((normal_host(entry.source.host), normal_host(entry.destination.host)))
