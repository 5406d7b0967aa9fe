"""What stays of calls that are over: for each id that must not come again, which message had it.

A hash stands for the ids: about 170 octets for each id, a kilobyte for a request with all of them.
"""

from __future__ import annotations

from harness.verify.items import CpimItem, SipEntry, Transaction

_KEEPS_ITS_CALL_ID = frozenset({"REGISTER", "ACK", "CANCEL", "PUBLISH"})


class Remembered:
    """Told of everything that is forgotten. Each question gives the label of the latest message, or None."""

    def __init__(self) -> None:
        self._labels: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._labels)

    def take(self, transaction: Transaction) -> None:
        """Keep the ids of a transaction."""
        request, label = transaction.request, transaction.request.label
        host = request.source.host
        self._put(label, "call", request.call_id)
        if request.method not in ("ACK", "CANCEL"):
            self._put(label, "branch", request.branch, host)
        if not request.to_tag and request.method not in _KEEPS_ITS_CALL_ID:
            self._put(label, "new call", request.call_id, host)
            self._put(label, *_again(request))
        contribution = request.sip.get("Contribution-ID")
        if contribution:
            self._put(label, "contribution", contribution, request.sender)
            if transaction.accepted is not None and not request.to_tag:
                self._put(label, "taken", contribution, request.sip.get("Conversation-ID"))

    def take_cpim(self, item: CpimItem) -> None:
        """Keep the ids of a CPIM message."""
        if item.message_id:
            self._put(item.label, "imdn", item.message_id)
            self._put(item.label, "of", item.message_id, item.sender)
            self._put(item.label, "content", *_content(item))

    def _put(self, label: str, *ids: object) -> None:
        self._labels[hash(ids)] = label

    def call(self, call_id: str | None) -> str | None:
        """A request with that Call-ID."""
        return self._labels.get(hash(("call", call_id)))

    def branch(self, entry: SipEntry) -> str | None:
        """A request with the same branch from the same host."""
        return self._labels.get(hash(("branch", entry.branch, entry.source.host)))

    def new_call(self, entry: SipEntry) -> str | None:
        """A request outside dialogs with the same Call-ID from the same host, of which it is no repeat."""
        if hash(_again(entry)) in self._labels:
            return None
        return self._labels.get(hash(("new call", entry.call_id, entry.source.host)))

    def contribution(self, value: str, sender: object) -> str | None:
        """A request of a party with that Contribution-ID."""
        return self._labels.get(hash(("contribution", value, sender)))

    def taken(self, contribution: str, conversation: str | None) -> str | None:
        """A request that was accepted, with that Contribution-ID and Conversation-ID."""
        return self._labels.get(hash(("taken", contribution, conversation)))

    def other_message(self, item: CpimItem) -> str | None:
        """A CPIM message of the same side with the same imdn.Message-ID and other content."""
        if hash(("content", *_content(item))) in self._labels:
            return None
        return self._labels.get(hash(("of", item.message_id, item.sender)))

    def message(self, message_id: str | None) -> str | None:
        """A CPIM message with that imdn.Message-ID."""
        return self._labels.get(hash(("imdn", message_id)))


def _again(request: SipEntry) -> tuple[object, ...]:
    """What a request that is sent again has in common with the first one."""
    to = request.to.uri.text if request.to is not None else ""
    return "again", request.call_id, request.source.host, request.method, request.from_tag, to


def _content(item: CpimItem) -> tuple[object, ...]:
    return item.message_id, item.sender, item.cpim.content if item.cpim is not None else b""
