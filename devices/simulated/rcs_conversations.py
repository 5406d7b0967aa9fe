"""Whom the RCS client talks with: numbers, the URIs behind them, and the ids of conversations (OMA CPM)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from devices.simulated.conversations import normal_number
from devices.simulated.rcs_access import Headers
from harness.errors import SipSyntaxError
from harness.sip.headers import NameAddr
from harness.sip.message import Request
from harness.sip.uri import parse_uri

ANONYMOUS = "sip:anonymous@anonymous.invalid"
IDS = ("Conversation-ID", "Contribution-ID")
MEMORY = 1000
"""How many messages, conversations or targets are remembered for notifications and duplicates."""

K = TypeVar("K")
V = TypeVar("V")


class Recent(dict[K, V]):
    """A dict that forgets its oldest entries: a handset may run for days."""

    def __setitem__(self, key: K, value: V) -> None:
        super().__setitem__(key, value)
        while len(self) > MEMORY:
            del self[next(iter(self))]


class Conversations:
    """The Conversation-ID of each conversation: made here, or learnt from the other side."""

    def __init__(self, make: Callable[[], str]) -> None:
        self._known: Recent[str, str] = Recent()
        self._make = make

    def id_of(self, key: str) -> str:
        """That of the conversation under this key, a new one where there was none."""
        if key not in self._known:
            self._known[key] = self._make()
        return self._known[key]

    def learn(self, key: str, conversation: str | None) -> None:
        """The other side calls it so, if it calls it anything."""
        if conversation:
            self._known[key] = conversation


def ids_of(message: Request) -> Headers:
    """The ids of the conversation, repeated in a 2xx as they came."""
    return [(name, value) for name in IDS if (value := message.get(name)) is not None]


def sender_of(message: Request) -> str:
    """The URI to answer to: From, or Referred-By or P-Asserted-Identity when From is anonymous (RFC 3323
    4.1).
    """
    sender = message.from_.uri
    hidden = (sender.host or "").lower().endswith("anonymous.invalid")
    return (referrer_of(message) or str(sender)) if hidden else str(sender)


def referrer_of(message: Request) -> str | None:
    """Who stands behind an anonymous sender or a focus: Referred-By, else P-Asserted-Identity."""
    for name in ("Referred-By", "P-Asserted-Identity"):
        for text in message.values(name):
            try:
                return str(NameAddr.parse(text).uri)
            except SipSyntaxError:
                continue
    return None


def number_of(uri: str) -> str:
    """The number of a URI, else its user part: what the app lists the conversation under."""
    try:
        parsed = parse_uri(uri)
    except SipSyntaxError:
        return normal_number(uri)
    return normal_number(parsed.number or parsed.user or uri)
