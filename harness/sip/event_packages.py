"""Event packages as data (RFC 6665 5.4): what each says about durations, bodies and forks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.sip.general_headers import Accept

_BRIEF = 3600  # seconds; 423 may be given to nothing longer (RFC 6665 4.2.1.1)


@dataclass(frozen=True, slots=True)
class EventPackage:
    """One package.

    default: seconds for a SUBSCRIBE without Expires. longest, shortest: what a notifier of ours grants and
    takes, in seconds. media_type: of NOTIFY bodies, also when the SUBSCRIBE has no Accept; empty where there
    are none. forks: whether one SUBSCRIBE may bring several subscriptions (5.4.9). subscribable: whether a
    SUBSCRIBE may begin one.
    """

    name: str
    media_type: str
    default: int
    longest: int
    shortest: int = 0
    forks: bool = False
    subscribable: bool = True

    def granted(self, asked: int | None) -> int:
        """The duration a notifier gives: never longer than what was asked for (RFC 6665 4.2.1.1)."""
        return min(self.default if asked is None else asked, self.longest)

    def is_too_brief(self, asked: int | None) -> bool:
        """Whether 423 is due (RFC 6665 4.2.1.1)."""
        return asked is not None and 0 < asked < min(self.shortest, _BRIEF)

    def is_accepted(self, accept: Iterable[Accept], *, present: bool) -> bool:
        """Whether a subscriber takes the bodies; present: whether its SUBSCRIBE has an Accept at all."""
        return not present or not self.media_type or any(each.covers(self.media_type) for each in accept)


# RFC 3680 4.4, 4.5, 4.9; the longest of TS 24.229 5.1.1.3.
REG = EventPackage("reg", "application/reginfo+xml", default=3761, longest=600_000)
# RFC 4575 3.3, 3.4, 3.8.
CONFERENCE = EventPackage("conference", "application/conference-info+xml", default=3600, longest=86_400)
# RFC 3515 2.4.4, 2.4.5: begun by REFER alone, for as long as the recipient likes; REFER may fork (4.6 there).
REFER = EventPackage("refer", "message/sipfrag", default=180, longest=3600, forks=True, subscribable=False)
# Named by OMA CPM, whose text was not read: a notification has no body: its coming says that messages wait.
DEFERRED_MESSAGES = EventPackage("deferred-messages", "", default=3600, longest=600_000)
