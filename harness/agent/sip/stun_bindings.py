"""STUN Binding on the SIP sockets for UDP: answers requests, waits for the answers to ours (RFC 5626 8)."""

from __future__ import annotations

from collections.abc import Callable

from harness.agent.metrics import Counter, Metrics
from harness.agent.sockets.udp_endpoint import UdpEndpoint
from harness.errors import SipSyntaxError
from harness.evidence.timeline import Address
from harness.sip.stun import Kind, StunMessage, binding_response, parse_stun, write_stun

Answered = Callable[[StunMessage, Address], None]


class StunBindings:
    """What has been asked, and the answers to what others ask. Bindings keep no state (RFC 5389 7.3.1)."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._asked: dict[bytes, tuple[Address, Answered]] = {}

    def expect(self, request: StunMessage, target: Address, answered: Answered) -> None:
        """Call `answered` with each response from there, until `forget`."""
        self._asked[request.transaction] = target, answered

    def forget(self, request: StunMessage) -> None:
        """Nobody waits for it any more."""
        self._asked.pop(request.transaction, None)

    def inspect(self, data: bytes) -> tuple[StunMessage | None, str]:
        """What a datagram holds, and the note for the timeline; what is no message is discarded (7.3)."""
        try:
            message = parse_stun(data)
        except SipSyntaxError as error:
            self._metrics.count(Counter.STUN_FAULTY)
            return None, f"STUN, discarded: {error}"
        return message, described(message)

    def received(self, message: StunMessage, source: Address, endpoint: UdpEndpoint) -> None:
        """A message came. What is no Binding, or answers nothing of ours, is left alone (RFC 5389 7.3)."""
        if message.is_binding and message.kind is Kind.REQUEST:
            self._answer(message, source, endpoint)
        elif message.kind in (Kind.SUCCESS, Kind.ERROR):
            asked, answered = self._asked.get(message.transaction, (None, None))
            if answered is not None and asked == source:
                answered(message, source)

    def _answer(self, request: StunMessage, source: Address, endpoint: UdpEndpoint) -> None:
        response = binding_response(request, *source)
        self._metrics.count(Counter.BINDINGS)
        endpoint.send(write_stun(response), source, note=described(response))


def described(message: StunMessage) -> str:
    """A message in words, for the timeline."""
    name = "Binding" if message.is_binding else f"method {message.method:#05x}"
    if message.kind is Kind.ERROR and message.error is not None:
        return f"STUN {name} error {message.error[0]} {message.error[1]}"
    mapped = message.mapped_address
    shown = f": {Address(*mapped)}" if mapped is not None else ""
    return f"STUN {name} {message.kind.name.lower()}{shown}"
