"""What the transports of one agent count. The names are a closed set: whoever reads them can rely on them."""

from __future__ import annotations

from enum import StrEnum


class Counter(StrEnum):
    """Names of the counters. Those of a limit are also the names of the events that say it was met."""

    ACCEPTED = "connections-accepted"
    OPENED = "connections-opened"
    REUSED = "connections-reused"
    """Requests that found a connection that was open already."""
    RESET = "connections-reset"
    CUT = "messages-cut"
    """Messages whose connection ended within them."""
    SECURED = "tls-handshakes"
    TLS_FAILED = "tls-failed"
    PINGS = "keep-alive-pings"
    """CRLF pings answered (RFC 5626 4.4.1)."""
    FLOW_FAILED = "flow-failed"
    """Flows of ours on which a keep-alive was not answered (RFC 5626 4.4)."""
    BINDINGS = "stun-bindings"
    """STUN Binding requests answered (RFC 5626 8)."""
    STUN_FAULTY = "stun-faulty"
    SWITCHED = "requests-switched-to-tcp"
    """Requests above 1300 octets (RFC 3261 18.1.1)."""
    FELL_BACK = "requests-back-on-udp"
    """Those of them whose TCP connection was refused."""
    RESPONDED_ANEW = "responses-on-another-connection"
    UNREADABLE = "messages-unreadable"
    DROPPED = "datagrams-lost"
    """Datagrams the kernel dropped because they were not read in time."""

    # Limits
    TOO_LARGE = "message-too-large"
    TOO_MANY_HEADERS = "too-many-headers"
    TOO_MANY_CONNECTIONS = "too-many-connections"
    HALF_A_MESSAGE = "half-a-message"
    SLOW_WRITER = "slow-writer"
    SLOW_READER = "slow-reader"
    SLOW_HANDSHAKE = "slow-handshake"
    QUIET = "quiet-connection"


class Metrics:
    """The counters of one agent."""

    def __init__(self) -> None:
        self._counts = dict.fromkeys(Counter, 0)

    def count(self, counter: Counter, number: int = 1) -> None:
        """So many more."""
        self._counts[counter] += number

    def __getitem__(self, counter: Counter) -> int:
        return self._counts[counter]

    def lines(self) -> list[str]:
        """What was counted at all, a line each."""
        return [f"{counter.value}: {count}" for counter, count in self._counts.items() if count]

    def as_dict(self) -> dict[str, int]:
        """All counters by name."""
        return {counter.value: count for counter, count in self._counts.items()}
