"""Which requests are refused before anybody sees them, and with what (RFC 3261 8.2, 18.3, 21.4.1)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from operator import attrgetter
from typing import NamedTuple

from harness.errors import SipSyntaxError
from harness.evidence.timeline import Transport
from harness.sip.framing import Exceeded, FramingError
from harness.sip.message import Request, Response, build_response
from harness.sip.start_line import REASONS

# Without these no response can be made (8.2.6.2).
NEEDED = ("Via", "From", "To", "Call-ID", "CSeq")
# Two of these leave open which one is meant (RFC 4475 3.3.8).
ONCE = frozenset({"From", "To", "Call-ID", "CSeq", "Max-Forwards"})
LONGEST_REASON = 200  # characters
_READ: tuple[tuple[str, Callable[[Request], object]], ...] = (
    ("From", attrgetter("from_")),
    ("To", attrgetter("to")),
    ("Call-ID", attrgetter("call_id")),
    ("CSeq", attrgetter("cseq")),
)

_TOO_MUCH = {Exceeded.BODY: 413, Exceeded.HEAD: 513, Exceeded.FIELDS: 513}  # 21.4.11, 21.5.7


class Refusal(NamedTuple):
    """A final response given without asking the user."""

    status: int
    reason: str


def missing(request: Request) -> str:
    """The headers a response needs and the request lacks, or an empty string."""
    return ", ".join(request.lacks(NEEDED))


def refusal_of(request: Request, transport: Transport) -> Refusal | None:
    """Why a request cannot be handed up, or None. Other faults are left to whoever judges the timeline."""
    faults = request.faults
    for fault in faults:
        if fault.what == "SIP-Version" and fault.clause == "RFC 3261 7.1" and "not 2.0" in fault.text:
            return Refusal(505, _reason("Version Not Supported", fault.text))
        cut_short = fault.what == "Content-Length" or "no empty line" in fault.text
        if transport is Transport.UDP and cut_short:  # 18.3; a stream is cut by its framer
            return Refusal(400, _reason("Bad Request", f"{fault.what}: {fault.text}"))
    for name, read in _READ:
        try:
            read(request)
        except SipSyntaxError as error:
            return Refusal(400, _reason("Bad Request", f"{name}: {error}"))
    for fault in faults:
        if fault.clause == "RFC 3261 7.3.1" and fault.what in ONCE and "more than once" in fault.text:
            return Refusal(400, _reason("Bad Request", f"{fault.what}: {fault.text}"))
    method = request.cseq.method
    if method != request.method:
        return Refusal(400, _reason("Bad Request", f"CSeq names {method}, the request line {request.method}"))
    return None


def refusal_of_error(error: FramingError) -> Refusal:
    """What a request gets whose octets are no message of a stream, or one above the limits."""
    status = 400 if error.exceeded is None else _TOO_MUCH[error.exceeded]
    return Refusal(status, _reason(REASONS[status], str(error)))


def stateless_refusal(request: Request, error: SipSyntaxError) -> Response:
    """400 with those of the headers a response repeats that are there. The same request gets the same To tag
    again, as 8.2.7 asks of a server that keeps no transaction.
    """
    tag = hashlib.sha256(request.raw).hexdigest()[:16]
    return build_response(request, 400, _reason("Bad Request", str(error)), to_tag=tag, strict=False)


def _reason(phrase: str, fault: str) -> str:
    text = f"{phrase}: {fault}".replace("\r", " ").replace("\n", " ")
    return text if len(text) <= LONGEST_REASON else f"{text[: LONGEST_REASON - 3]}..."
