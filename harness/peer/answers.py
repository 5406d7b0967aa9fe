"""Answers a test asks for: what the peer says next instead of what it would say by itself."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from harness.errors import UsageError
from harness.peer.wrong_sdp import WrongSdp, spoiled
from harness.sip.message import Request, Response

Header = tuple[str, str]
# Name -> value, several values (one row each), or None to leave the header out.
HeaderChanges = Mapping[str, str | Sequence[str] | None]

# RFC 4320 4.2: a server never sends 408 to a non-INVITE request. Tests that want it silent say so.
_FORBIDDEN = {408: "RFC 4320 4.2 forbids 408 to a non-INVITE request; ask for silence (None) instead"}


def rows(value: str | Sequence[str] | None) -> list[str]:
    """The header rows a change stands for."""
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)


def changed(headers: Iterable[Header], changes: HeaderChanges) -> list[Header]:
    """The headers with each changed name replaced in its place, left out, or added at the end.

    Names compare without case. Rows that stay keep their order.
    """
    if not changes:
        return list(headers)
    pending = {name.lower(): (name, rows(value)) for name, value in changes.items()}
    placed: set[str] = set()
    result: list[Header] = []
    for name, value in headers:
        key = name.lower()
        if key not in pending:
            result.append((name, value))
        elif key not in placed:
            placed.add(key)
            result.extend((pending[key][0], row) for row in pending[key][1])
    for key, (name, values) in pending.items():
        if key not in placed:
            result.extend((name, row) for row in values)
    return result


_Message = TypeVar("_Message", Request, Response)


def altered(message: _Message, changes: HeaderChanges) -> _Message:
    """The message with these headers replaced, added or left out."""
    for name, value in changes.items():
        found = rows(value)
        message = message.with_header(name, *found) if found else message.without(name)
    return message


def accepted_with(answer: Answer, response: Response) -> Response:
    """The 200 to an INVITE as a test wants it."""
    if answer.sdp is not None:
        response = response.with_body(spoiled(response.body, answer.sdp))
    return altered(response, answer.headers)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. `status` None is silence. A 2xx is the peer's own answer with these changes in it.

    delay: seconds between the request and its answer.
    Of an INVITE: streams: False for a 200 that accepts the session and none of the m-lines offered in it
    (port 0, RFC 3264 6). crosses: while it rings, a CANCEL is met by this answer, which was on its way,
    instead of by 487. refreshes: False when the session is neither refreshed nor ended for want of a refresh.
    sdp: what is wrong with the session description of a 200, on purpose.
    """

    status: int | None
    headers: HeaderChanges = field(default_factory=dict)
    reason: str | None = None
    body: bytes = b""
    delay: float = 0.0
    streams: bool = True
    crosses: bool = False
    refreshes: bool = True
    sdp: WrongSdp | None = None

    @property
    def silent(self) -> bool:
        return self.status is None

    @property
    def accepts(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class AnswerQueue:
    """The answers for the next requests, first asked first given."""

    def __init__(self) -> None:
        self._answers: deque[Answer] = deque()

    def add(self, answer: Answer, count: int = 1) -> None:
        """Give this answer to the next `count` requests. UsageError for an answer no server may give."""
        if count < 1:
            raise UsageError(f"an answer is for 1 request or more, not {count}")
        if answer.status is not None and not 200 <= answer.status <= 699:
            raise UsageError(f"{answer.status} is no final SIP status (200 to 699)")
        if answer.status in _FORBIDDEN:
            raise UsageError(_FORBIDDEN[answer.status])
        self._answers.extend([answer] * count)

    def take(self) -> Answer | None:
        """The answer for the request at hand, None when the peer answers by itself."""
        return self._answers.popleft() if self._answers else None

    def clear(self) -> None:
        self._answers.clear()

    def __len__(self) -> int:
        return len(self._answers)
