"""A re-INVITE of the far party that crosses one of the handset on the way (RFC 3261 14.1, 14.2).

What the handset sends is held until it has answered ours: to both ends it looks as if each had sent its own
before the other's came.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from harness.agent.session.invite_session import InviteSession
from harness.agent.session.user_agent import UserAgent
from harness.agent.sip.agent import Incoming
from harness.errors import NotSeen
from harness.evidence.timeline import Packet
from harness.peer.passing import Passing
from harness.peer.pcscf import Pcscf
from harness.peer.service_session import ServiceSession
from harness.sip.message import Response, parse_message


@dataclass(eq=False, slots=True)
class Crossing:
    """Two re-INVITEs of a session that meet. answer: what ours got first. outcome: what it got in the end."""

    session: ServiceSession
    answer: asyncio.Future[Response]
    outcome: asyncio.Future[Response]

    async def met(self, timeout: float) -> Response:
        """Wait for the answer of the handset to ours, after which its own has got 491. Raises NotSeen."""
        return await _within(self.answer, timeout, "a re-INVITE of the handset that ours could cross")

    async def settled(self, timeout: float) -> Response:
        """Wait for what ours gets when it is tried again, or for its refusal. Raises NotSeen."""
        return await _within(self.outcome, timeout, "the end of the re-INVITE that was to be tried again")


class Crossings:
    """The sessions in which the next re-INVITE of the handset meets one of ours."""

    def __init__(self, pcscf: Pcscf, user_agent: UserAgent) -> None:
        self._pcscf, self._user_agent = pcscf, user_agent
        self._due: WeakKeyDictionary[InviteSession, Crossing] = WeakKeyDictionary()

    async def cross_next(self, session: ServiceSession) -> Crossing:
        """Let ours meet the next re-INVITE of the handset in this session. Raises UsageError without one."""
        loop = asyncio.get_running_loop()
        crossing = Crossing(session, loop.create_future(), loop.create_future())
        self._due[session.dialog] = crossing
        return crossing

    def holds(self, incoming: Incoming) -> bool:
        """Whether a request is kept back for now. Raises SipSyntaxError for one that cannot be read."""
        request = incoming.message
        if not self._due or request.method != "INVITE":
            return False
        context = self._user_agent.context
        dialog = context.dialogs.find(request)
        crossing = None if dialog is None else self._due.pop(context.sessions[dialog], None)
        if crossing is None:
            return False
        what = f"re-INVITE that crosses that of {crossing.session.handset}"
        self._pcscf.spawn(self._cross(crossing, incoming), what)
        return True

    async def _cross(self, crossing: Crossing, incoming: Incoming) -> None:
        def answered(packet: Packet) -> None:
            self._user_agent.receive(incoming)  # ours waits for its answer still, as far as this end knows
            answer = parse_message(packet.data)
            assert isinstance(answer, Response), "that is how it begins"
            crossing.answer.set_result(answer)

        timeline, call_id = self._pcscf.timeline, incoming.message.call_id
        watch = Passing(timeline, call_id, answered, _is_final)
        try:
            crossing.outcome.set_result(await crossing.session.refresh("INVITE"))
        finally:
            watch.stop()


def _is_final(octets: bytes) -> bool:
    return octets.startswith(b"SIP/2.0 ") and not octets.startswith(b"SIP/2.0 1")


async def _within(future: asyncio.Future[Response], timeout: float, expected: str) -> Response:
    try:
        async with asyncio.timeout(timeout):
            return await asyncio.shield(future)
    except TimeoutError:
        raise NotSeen(f"{expected} was expected within {timeout:g} s") from None
