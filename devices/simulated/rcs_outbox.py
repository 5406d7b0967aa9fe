"""MESSAGEs of the RCS client on their way: one at a time to a target, kept while it is not registered.

RFC 3428 4 and 8, RFC 3261 22.2; OMA CPM headers.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from devices.simulated.defect import Stage
from devices.simulated.rcs_access import Headers, RcsAccess
from harness.agent.failures import TransactionTimeout, TransportFailed
from harness.cpm.services import Service
from harness.errors import RcsLabError
from harness.sip.message import Request, Response

_log = logging.getLogger(__name__)

CPIM = "message/cpim"
ATTEMPTS_TO_CONNECT = 3


@dataclass(frozen=True, slots=True)
class Repeat:
    """What a request that is repeated with credentials keeps or gets (RFC 3261 22.2, 22.3)."""

    call_id: str
    from_tag: str | None
    cseq: int
    credentials: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A MESSAGE that waits for its turn. build is called when it is sent, so that location and route are
    those of that moment; ended is told the final response, None when the network never took it.
    """

    target: str
    build: Callable[[RcsAccess, Repeat | None], Request]
    ended: Callable[[Response | None], None]


class Outbox:
    """MESSAGEs of this client: one at a time to a target (RFC 3428 8), kept while it is not registered."""

    def __init__(self) -> None:
        self._queues: dict[str, deque[Outgoing]] = {}
        self._workers: dict[str, asyncio.Task[None]] = {}
        self._access: RcsAccess | None = None

    @property
    def busy(self) -> bool:
        """Something is under way now."""
        return bool(self._workers)

    def put(self, outgoing: Outgoing) -> None:
        """Queue a message; it goes at once when the client is registered."""
        self._queues.setdefault(outgoing.target, deque()).append(outgoing)
        self._work(outgoing.target)

    def open(self, access: RcsAccess) -> None:
        """The client is registered over this access: send what waits."""
        self._access = access
        for target in tuple(self._queues):
            self._work(target)

    def pause(self) -> None:
        """Not registered now: what is under way may end, nothing new begins."""
        self._access = None

    async def close(self) -> None:
        """The connection is gone: what has no final response yet stays queued."""
        self._access = None
        workers = tuple(self._workers.values())
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        self._workers.clear()

    def _work(self, target: str) -> None:
        if self._access is not None and target in self._queues and target not in self._workers:
            self._workers[target] = asyncio.create_task(self._drain(target, self._access))

    async def _drain(self, target: str, access: RcsAccess) -> None:
        try:
            while self._access is access and target in self._queues:
                queue = self._queues[target]
                outgoing, response = queue[0], await self._deliver(queue[0], access)
                queue.popleft()
                if not queue:
                    del self._queues[target]
                outgoing.ended(response)
        finally:
            self._workers.pop(target, None)
            self._work(target)

    async def _deliver(self, outgoing: Outgoing, access: RcsAccess) -> Response | None:
        """The final response; None when none came or the message cannot be sent at all."""
        for attempt in range(1, ATTEMPTS_TO_CONNECT + 1):
            try:
                return await self._exchange(outgoing, access)
            except TransactionTimeout as error:
                _log.warning("%s", error)
                return None
            except TransportFailed as error:
                _log.warning("MESSAGE to %s, attempt %d: %s", outgoing.target, attempt, error)
                if attempt < ATTEMPTS_TO_CONNECT:
                    await asyncio.sleep(access.settings.retry_seconds)
            except RcsLabError as error:
                _log.warning("MESSAGE to %s cannot be sent: %s", outgoing.target, error)
                return None
        return None

    async def _exchange(self, outgoing: Outgoing, access: RcsAccess) -> Response:
        """Send, and once more with credentials when challenged (RFC 3261 22.2, 22.3)."""
        request = outgoing.build(access, None)
        response = await access.send(access.defects.apply(Stage.MESSAGE, request))
        credentials = access.credentials(request, response)
        if not credentials:
            return response
        repeat = Repeat(request.call_id, request.from_.tag, request.cseq.number + 1, credentials[0])
        return await access.send(access.defects.apply(Stage.MESSAGE, outgoing.build(access, repeat)))


def pager_message(
    access: RcsAccess,
    target: str,
    body: bytes,
    conversation: str,
    contribution: str,
    repeat: Repeat | None,
    service: Service = Service.PAGER,
    *,
    content_type: str = CPIM,
    more: Sequence[tuple[str, str]] = (),
) -> Request:
    """A MESSAGE of the pager service, or another, out of any dialog (RFC 3428 4). more: further headers."""
    technology = access.technology
    headers: Headers = [
        *access.routes,
        *([repeat.credentials] if repeat else []),
        ("Supported", "timer"),
        ("P-Preferred-Identity", f"<{access.identity}>"),
        *technology.service_rows("P-Preferred-Service", service),
        *access.location,
        ("Accept-Contact", technology.accept_contact(service)),
        ("Request-Disposition", "no-fork"),
        *technology.conversation_rows(conversation, contribution),
    ]
    if access.personality.contact_in_message:
        headers.append(("Contact", f"<{access.contact_uri}>;{access.instance}"))
    headers += [*more, ("Content-Type", content_type)]
    return access.request(
        "MESSAGE",
        target,
        sender=access.identity,
        to=f"<{target}>",
        headers=headers,
        body=body,
        cseq=repeat.cseq if repeat else 1,
        call_id=repeat.call_id if repeat else None,
        from_tag=repeat.from_tag if repeat else None,
    )
