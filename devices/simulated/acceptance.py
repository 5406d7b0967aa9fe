"""What the simulated messaging app accepts without asking its user, and the system properties that say so.

debug.rcslab.accept_chats and debug.rcslab.accept_groups are 1 (accept) or 0 (ask); up to
debug.rcslab.auto_download octets a file is fetched at once, above that the user is asked.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from devices.simulated.conversations import OfferKind

_log = logging.getLogger(__name__)

PREFIX = "debug.rcslab."
MEGABYTE = 1_000_000


@dataclass(slots=True)
class Acceptance:
    """Chats and groups: 1 accepts, 0 asks. Files: accepted up to this many octets."""

    accept_chats: int = 1
    accept_groups: int = 1
    auto_download: int = 10 * MEGABYTE

    def covers(self, kind: OfferKind, size: int) -> bool:
        """Is the user not asked? `size` in octets."""
        return {
            OfferKind.CHAT: self.accept_chats > 0,
            OfferKind.GROUP: self.accept_groups > 0,
            OfferKind.FILE: size <= self.auto_download,
        }[kind]

    def properties(self) -> dict[str, str]:
        """Names and values as getprop shows them."""
        return {f"{PREFIX}{name}": str(getattr(self, name)) for name in self.__slots__}

    def property_changed(self, name: str, value: str) -> None:
        """A system property was written; others than these mean nothing here."""
        if name not in self.properties():
            return
        if not (value.isascii() and value.isdigit()):
            _log.error("%s: expected a number, got %r; it stays as it was", name, value)
            return
        setattr(self, name.removeprefix(PREFIX), int(value))
