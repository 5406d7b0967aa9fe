"""What senders have declared in SIP: option tags, realms of their credentials, nonces they gave, GRUUs.

It is little and stays, however long ago the messages were.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from harness.evidence.timeline import Address
from harness.verify.comparison import option_tags
from harness.verify.items import SipEntry, reading


@dataclass(slots=True)
class _Way:
    """From one address to another. example: a message on it, which tells whose it is."""

    example: SipEntry
    tags: set[str] = field(default_factory=set)


class Declared:
    """Feed it SIP messages in order, repeats left out."""

    def __init__(self) -> None:
        self._ways: dict[str, dict[tuple[Address, Address], _Way]] = defaultdict(dict)
        self._realms: dict[str, set[str | None]] = defaultdict(set)
        self._nonces: dict[str | None, int] = {}
        self._gruus: dict[str, int] = {}

    def learn(self, entry: SipEntry) -> None:
        """Take in what a message says."""
        message = entry.message
        if message is None:
            return
        if "Supported" in message:
            ways = self._ways[entry.source.host]
            key = entry.source, entry.destination
            way = ways.get(key)
            if way is None:
                way = ways[key] = _Way(entry.alone())
            way.tags.update(option_tags(message, "Supported"))
        self._learn_contact(entry)
        if entry.response is not None and ("WWW-Authenticate" in message or "Proxy-Authenticate" in message):
            for challenge in reading(lambda: message.challenges) or []:
                self._nonces.setdefault(challenge.parameters.get("nonce"), entry.place)
        elif entry.request is not None and ("Authorization" in message or "Proxy-Authorization" in message):
            for credentials in reading(lambda: message.credentials) or []:
                self._realms[entry.source.host].add(credentials.parameters.get("realm"))

    def _learn_contact(self, entry: SipEntry) -> None:
        if entry.request is not None and any("gr" in each.uri.parameters for each in entry.contacts):
            self._gruus.setdefault(entry.source.host, entry.place)

    def option_tags(self, entry: SipEntry) -> set[str]:
        """The option tags, in lower case, that the sender of a message has listed in Supported."""
        ways = self._ways.get(entry.source.host, {}).values()
        return set().union(*(way.tags for way in ways if way.example.sender is entry.sender))

    def used_gruu(self, host: str, place: int) -> bool:
        """Whether a request from a host had a GRUU as Contact (RFC 5627 4.3) before that place."""
        return self._gruus.get(host, place) < place

    def realms(self, host: str) -> set[str | None]:
        """The realms of all credentials in requests from a host."""
        return self._realms.get(host, set())

    def was_given(self, nonce: str | None, place: int | None = None) -> bool:
        """Whether a challenge (not after that place on the timeline) had the nonce."""
        first = self._nonces.get(nonce)
        return first is not None and (place is None or first <= place)
