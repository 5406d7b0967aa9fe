"""Requests that came before: merged requests (RFC 3261 8.2.2.2), and repeats after their transaction ended.

Over TCP a transaction ends with its answer (17.2.2, timer J), so a repeat there would otherwise count twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness.sip.message import Request, Response


@dataclass(slots=True)
class Earlier:
    """The first coming of a request; response is None while (or for good) unanswered."""

    branch: str | None
    time: float
    response: bytes | None = None


class Repeats:
    """Remembers requests outside dialogs for `lifetime` seconds."""

    def __init__(self, clock: Callable[[], float], lifetime: float) -> None:
        self._clock = clock
        self._lifetime = lifetime
        self._seen: dict[str, Earlier] = {}

    def earlier(self, request: Request) -> Earlier | None:
        """The same request as it came before; otherwise it is remembered. Raises SipSyntaxError."""
        if request.to.tag is not None or request.method in ("ACK", "CANCEL"):
            return None
        now = self._clock()
        while self._seen:
            oldest = next(iter(self._seen))
            if now - self._seen[oldest].time <= self._lifetime:
                break
            del self._seen[oldest]
        key = _key(request)
        found = self._seen.get(key)
        if found is None:
            self._seen[key] = Earlier(request.via.branch, now)
        return found

    def answered(self, request: Request, response: Response) -> None:
        """Keep the response for repeats."""
        found = self._seen.get(_key(request))
        if found is not None and found.branch == request.via.branch:
            found.response = response.raw


def _key(request: Request) -> str:
    # One text needs half the memory of its parts, and no part has a line end.
    return f"{request.call_id}\n{request.cseq.number}\n{request.method}\n{request.from_.tag or ''}"
