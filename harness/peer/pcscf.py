"""The P-CSCF of the peer: its sockets, the responses it gives, and requests sent down a handset's flow.

The services of the peer (registrar, pager, ...) stand on it; none of them touches a socket or a task.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Sequence
from functools import partial
from typing import Any

from harness.agent.events.subscriptions import RequestMaker, Send
from harness.agent.sip.agent import Hop, Incoming, TransactionTimeout, TransportFailed
from harness.cpm.tokens import new_tag
from harness.errors import AddressTaken, NotSeen, RcsLabError
from harness.evidence.timeline import Address, Timeline, Transport
from harness.peer.answers import Answer, Header, HeaderChanges, changed
from harness.peer.config import PeerConfig, TlsListening
from harness.peer.flow import Flow, on_the_way
from harness.peer.journal import EventKind, Journal
from harness.peer.repeats import Repeats
from harness.sip.message import Response, build_response
from harness.sip.transaction import Timers

log = logging.getLogger(__name__)


class NoAnswer(NotSeen):
    """A request to the handset got no final response on any hop."""


_PORT_ATTEMPTS = 8  # a port the kernel gives on one address may be taken on another


class Pcscf:
    """One SIP agent on all addresses of the peer, and the tasks that use it."""

    def __init__(
        self,
        config: PeerConfig,
        timeline: Timeline,
        journal: Journal,
        on_request: Callable[[Incoming], None],
        timers: Timers | None = None,
    ) -> None:
        self.config = config
        self.timeline = timeline
        self.journal = journal
        tls = config.tls.settings if config.tls is not None else None
        self.agent = config.personality.agent(
            timeline,
            on_request,
            timers=timers,
            limits=config.limits.sip,
            connection_limits=config.limits.sip_connection,
            tls=tls,
            part="peer",
        )
        self.repeats = Repeats(timeline.now, (timers or Timers()).timeout)
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False

    async def start(self) -> list[Address]:
        """Listen on every configured address. Raises AddressTaken, and then listens on none.

        A port of 0 after the first address is the first one's: a P-CSCF has one port on all its addresses.
        """
        self._closing = False
        secured = [self.config.tls.port] * len(self._hosts) if self.config.tls is not None else []
        chosen_here = 0 in [*(port for _, port in self.config.listen[1:]), *secured[1:]]
        for attempts_left in reversed(range(_PORT_ATTEMPTS if chosen_here else 1)):
            try:
                return await self._listen()
            except AddressTaken:
                await self.agent.close()
                if attempts_left == 0:
                    raise
            except BaseException:
                await self.agent.close()
                raise
        raise AssertionError("the last attempt returns or raises")

    async def _listen(self) -> list[Address]:
        addresses: list[Address] = []
        for host, port in self.config.listen:
            addresses.append(await self.agent.listen(host, port or (addresses[0].port if addresses else 0)))
        if self.config.tls is not None:
            await self._listen_tls(self.config.tls)
        return addresses

    async def _listen_tls(self, tls: TlsListening) -> None:
        port = tls.port
        for host in self._hosts:
            port = (await self.agent.listen_tls(host, port, tls.settings)).port

    @property
    def _hosts(self) -> list[str]:
        return list(dict.fromkeys(host for host, _ in self.config.listen))

    async def stop(self) -> None:
        """Cancel what is under way and close the sockets."""
        self._closing = True
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.agent.close()

    def spawn(self, work: Coroutine[Any, Any, None], what: str) -> None:
        """Run work in the background; `what` names it in the log when it fails."""
        if self._closing:
            work.close()
            return
        task = asyncio.get_running_loop().create_task(self._guarded(work, what), name=what)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, work: Coroutine[Any, Any, None], what: str) -> None:
        try:
            await work
        except RcsLabError as error:
            self.journal.add(EventKind.FAILED, f"{what}: {error}")
        except Exception as error:
            log.exception("%s failed", what)
            self.journal.add(EventKind.FAILED, f"{what}: {type(error).__name__}: {error}")

    def uri(self, local: Address, user: str = "") -> str:
        """The SIP URI of the peer at one of its addresses.

        transport=tls is deprecated (RFC 3261 26.2.2) and what is understood: without it a URI leads to UDP.
        """
        transport = ";transport=tls" if self.agent.is_tls(local) else ""
        return f"sip:{user}@{local}{transport}" if user else f"sip:{local}{transport}"

    def route(self, local: Address, user: str = "") -> str:
        """The same as a Route, Path or Record-Route value."""
        return f"<{self.uri(local, user)};lr>"

    def respond(
        self,
        incoming: Incoming,
        status: int,
        headers: Iterable[Header] = (),
        *,
        changes: HeaderChanges | None = None,
        reason: str | None = None,
        body: bytes = b"",
        to_tag: str | None = None,
    ) -> None:
        """Answer a request. Tag, Via, From, To, Call-ID and CSeq are those of RFC 3261 8.2.6.2."""
        rows = changed([*headers, ("Server", self.config.server)], changes or {})
        response = build_response(incoming.message, status, reason, rows, body, to_tag=to_tag or new_tag())
        self.agent.respond(incoming, response)
        if incoming.transport is not Transport.UDP:  # whose transactions outlive repeats (17.2.2)
            self.repeats.answered(incoming.message, response)
        said = incoming.message.method, status, response.reason
        self.journal.add(EventKind.ANSWERED, "{} with {} {}", status, *said)

    def answer(self, incoming: Incoming, answer: Answer, headers: Iterable[Header] = ()) -> None:
        """Give an answer a test asked for; nothing at all when that is silence."""
        if answer.status is None:
            self.agent.stay_silent(incoming)
            self.journal.add(EventKind.WITHHELD, f"answer to {incoming.message.method}", incoming)
            return
        self.respond(
            incoming,
            answer.status,
            headers,
            changes=answer.headers,
            reason=answer.reason,
            body=answer.body,
        )

    async def request(
        self, make: RequestMaker, flow: Flow, *, transport: Transport | None = None, first: Hop | None = None
    ) -> Response:
        """Send a request down the flow and return its final response.

        Hops are tried in order while the transport fails; `first` is tried before those of the flow. A UDP
        request that is not answered is not repeated elsewhere. Raises NoAnswer when no hop gave a final
        response within the configured time.
        """
        size = len(make(self.agent.via_for(flow.datagram, flow.local)).raw)
        hops = [*([first] if first else []), *flow.hops(size, transport)]
        failure = ""
        for hop in hops:
            try:
                return await self._once(make, hop, flow.local)
            except (TimeoutError, TransactionTimeout):
                raise NoAnswer(f"the handset at {_shown(hop)} gave no final response") from None
            except TransportFailed as error:
                failure = str(error)
                log.info("the handset cannot be reached at %s: %s", _shown(hop), error.actual)
        raise NoAnswer(f"the handset cannot be reached at {' nor '.join(map(_shown, hops))}: {failure}")

    def way(self, flow: Flow, path: Sequence[str] = ()) -> Send:
        """How requests of a subscription go down the flow: first by the top of their route set or Path."""
        return partial(self.request, flow=flow, first=on_the_way(tuple(path)))

    async def _once(self, make: RequestMaker, hop: Hop, local: Address) -> Response:
        message = make(self.agent.via_for(hop, local))
        # Not wait_for: that of Python 3.11 loses a cancellation that meets the end of what it waits for.
        async with asyncio.timeout(self.config.request_timeout):
            return await self.agent.request(message, hop, local=local, exact=True)


def _shown(hop: Hop) -> str:
    return f"{hop.transport} {Address(hop.host, hop.port)}"
