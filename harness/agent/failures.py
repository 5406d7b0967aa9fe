"""How an exchange with the other end fails below the protocol: no answer, or no way to send."""

from __future__ import annotations

from harness.errors import LabError, NotSeen
from harness.evidence.timeline import Address, Transport


class TransactionTimeout(NotSeen):
    """No final response came before timer B or F (RFC 3261 17.1)."""


class TransportFailed(LabError):
    """Octets could not be sent: no connection, a closed socket, a datagram too large.

    refused: the other end runs nothing there for this transport (RFC 3261 18.1.1 lets UDP take its place).
    """

    def __init__(self, transport: Transport, address: Address, actual: str, *, refused: bool = False) -> None:
        self.refused = refused
        remedy = "see whether the other end still listens there and whether the bench is up"
        super().__init__(f"{transport} transport", str(address), "a way to send", actual, remedy)
