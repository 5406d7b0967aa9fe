"""A connection inside TLS: the timeline gets what TLS carried, and an event for how it was made or failed."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from harness.agent.failures import TransportFailed
from harness.agent.metrics import Counter, Metrics
from harness.agent.scheduler import Scheduler
from harness.agent.sockets.connection_watch import DEFAULT_LIMITS, ConnectionLimits
from harness.agent.sockets.tcp_connection import BY_THE_OTHER_END, ConnectionUser, Framer, TcpConnection
from harness.agent.sockets.tls_session import TlsSession
from harness.evidence.timeline import Layer, Timeline, Transport


class TlsConnection(TcpConnection):
    """A recorded TLS connection. It can be written to once the handshake is done.

    ready: done when the handshake is; holds TransportFailed when it fails.
    """

    kind: ClassVar[Transport] = Transport.TLS

    def __init__(
        self,
        timeline: Timeline,
        layer: Layer,
        framer: Framer,
        user: ConnectionUser,
        scheduler: Scheduler,
        *,
        session: TlsSession,
        accepted: bool,
        limits: ConnectionLimits = DEFAULT_LIMITS,
        metrics: Metrics | None = None,
    ) -> None:
        super().__init__(
            timeline, layer, framer, user, scheduler, accepted=accepted, limits=limits, metrics=metrics
        )
        self.session = session
        self._failed = False
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def open(self) -> bool:
        """Whether octets can be written."""
        return super().open and self.session.secured and not self.session.failure

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if transport.is_closing():  # refused by whoever keeps the connections
            return
        self._watch.handshake()
        self.session.begin()
        self._flush()

    def data_received(self, data: bytes) -> None:
        session = self.session
        if self._failed or self._transport is None or self._transport.is_closing():
            return
        carried = session.receive(data)
        self._flush()
        if session.secured and not self.ready.done():
            self._secured()
        if carried:
            super().data_received(carried)
        if session.failure:
            self._fail(session.failure)
            self._stop_listening(f"TLS failed: {session.failure}")
        elif session.ended:
            self.close(BY_THE_OTHER_END)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ready.done():
            self._fail(self._reason or "the connection ended within the handshake")
        super().connection_lost(exc)

    def _secured(self) -> None:
        self._watch.secured()
        self.identities = self.session.identities
        self._metrics.count(Counter.SECURED)
        shown = self.session.certificate
        told = {} if shown is None else {"certificate": shown.hex(), "self_signed": self.session.self_signed}
        self._event("tls", self.session.describe(), **told)
        self.ready.set_result(None)

    def _fail(self, reason: str) -> None:
        self._failed = True
        self._metrics.count(Counter.TLS_FAILED)
        self._event(Counter.TLS_FAILED.value, reason)
        if not self.ready.done():
            self.ready.set_exception(TransportFailed(self.kind, self.remote, f"TLS failed: {reason}"))
            self.ready.exception()  # marks it as looked at: nobody awaits an accepted connection

    def _broken_by(self, error: Exception | None) -> Exception | None:
        return error or (ConnectionError(self._reason) if self._failed else None)

    def _transmit(self, data: bytes) -> None:
        self.session.write(data)
        if self.session.failure:
            raise TransportFailed(self.kind, self.remote, f"TLS failed: {self.session.failure}")
        self._flush()

    def _flush(self) -> None:
        octets = self.session.outgoing()
        if octets and self._transport is not None:
            super()._transmit(octets)

    def _say_last(self) -> None:
        self.session.end()
        self._flush()
