"""Waiting for what happens in the sessions of one service: the journal, for those of the service alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar
from weakref import WeakSet

from harness.peer.journal import EventKind, Journal, PeerEvent
from harness.peer.service_session import ServiceSession, SessionMessage

S = TypeVar("S", bound=ServiceSession)
_SHOWN = (
    EventKind.INVITED,
    EventKind.CANCELLED,
    EventKind.ANSWERED,
    EventKind.WITHHELD,
    EventKind.RINGING,
    EventKind.SESSION_BEGUN,
    EventKind.SESSION_REFRESHED,
    EventKind.MESSAGE_RECEIVED,
    EventKind.FILE_RECEIVED,
    EventKind.MESSAGE_LOST,
    EventKind.SESSION_FAILED,
    EventKind.SESSION_ENDED,
)


class SessionWaits(Generic[S]):
    """What tests wait for. Each takes events later than timeline number `after`, and raises NotSeen.

    session: None for any of the service. timeout: seconds.
    """

    def __init__(self, journal: Journal, called: str) -> None:
        self._journal, self._called = journal, called
        self._own: WeakSet[S] = WeakSet()

    async def wait_invited(self, *, timeout: float, after: int = 0) -> S:
        """The first INVITE of the handset."""
        return await self._session(EventKind.INVITED, "an INVITE", timeout, after)

    async def wait_session(self, *, timeout: float, after: int = 0) -> S:
        """The first session begun, by either side."""
        return await self._session(EventKind.SESSION_BEGUN, "a session", timeout, after)

    async def wait_ended(self, session: S | None = None, *, timeout: float, after: int = 0) -> S:
        """The first session that is over."""
        return await self._session(EventKind.SESSION_ENDED, "the end of a session", timeout, after, session)

    async def wait_failed(self, session: S | None = None, *, timeout: float, after: int = 0) -> S:
        """The first session that lost its MSRP connection."""
        return await self._session(EventKind.SESSION_FAILED, "a failed session", timeout, after, session)

    async def wait_ringing(self, *, timeout: float, after: int = 0) -> S:
        """The first provisional response of the handset, 100 excepted."""
        return await self._session(EventKind.RINGING, "a provisional response", timeout, after)

    async def wait_refreshed(self, session: S | None = None, *, timeout: float, after: int = 0) -> S:
        """The first session that the handset refreshed, or changed."""
        return await self._session(EventKind.SESSION_REFRESHED, "a refresh", timeout, after, session)

    async def wait_cancelled(self, *, timeout: float, after: int = 0) -> S:
        """The first INVITE of the handset that ended before it had an answer."""
        return await self._session(EventKind.CANCELLED, "a cancelled INVITE", timeout, after)

    async def wait_lost(self, session: S | None = None, *, timeout: float, after: int = 0) -> S:
        """The first message of the handset that broke off: aborted, or refused."""
        return await self._session(EventKind.MESSAGE_LOST, "a message broken off", timeout, after, session)

    async def wait_message(
        self,
        text: str | None = None,
        *,
        timeout: float,
        after: int = 0,
        session: S | None = None,
        predicate: Callable[[SessionMessage], bool] = lambda _: True,
    ) -> SessionMessage:
        """The first message in a session with this text (any content when None)."""

        def wanted(message: SessionMessage) -> bool:
            return text in (None, message.text) and predicate(message)

        what = "a message" if text is None else f"a message {text!r}"
        return await self._message(EventKind.MESSAGE_RECEIVED, what, timeout, after, session, wanted)

    async def _message(
        self,
        kind: EventKind,
        what: str,
        timeout: float,
        after: int,
        session: S | None = None,
        wanted: Callable[[SessionMessage], bool] = lambda _: True,
    ) -> SessionMessage:
        def fits(event: PeerEvent) -> bool:
            message = event.subject
            return (
                event.kind is kind
                and isinstance(message, SessionMessage)
                and message.session in self._own
                and session in (None, message.session)
                and wanted(message)
            )

        found = await self._wait(fits, what, timeout, after)
        assert isinstance(found, SessionMessage)
        return found

    async def _session(
        self, kind: EventKind, what: str, timeout: float, after: int, session: S | None = None
    ) -> S:
        def fits(event: PeerEvent) -> bool:
            return event.kind is kind and event.subject in self._own and session in (None, event.subject)

        found: S = await self._wait(fits, what, timeout, after)
        return found

    async def _wait(self, fits: Callable[[PeerEvent], bool], what: str, timeout: float, after: int) -> Any:
        event = await self._journal.wait(
            fits, timeout, after=after, expected=f"{what} ({self._called})", kinds=_SHOWN
        )
        return event.subject
