"""SIPp judges the sessions of the user agent, from both ends, over UDP and TCP and where datagrams get lost.

The lossy relay drops the first copy of every message by a fixed rule, so that each repeat there is happens:
INVITE, 2xx, ACK, BYE and the answers to them.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import subprocess
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.agent.loop_thread import LoopThread
from harness.agent.scheduler import TimerHandle
from harness.agent.session.invite_client import Invitation, OutgoingInvite
from harness.agent.session.invite_server import IncomingInvite
from harness.agent.session.invite_session import InviteSession
from harness.agent.session.outgoing import FixedWay, UriWay, Way
from harness.agent.session.user import Cause, Content, Ending, SessionUser
from harness.agent.session.user_agent import UserAgent
from harness.agent.sip.agent import Hop, Incoming, SipAgent
from harness.evidence.timeline import Address, Event, Packet, Timeline, Transport
from harness.sip.message import Request, Response, build_response
from harness.sip.session_headers import Reason
from harness.sip.session_timer import TimerPolicy

from .loopback import free_port
from .lossy_relay import LossyRelay

SIPP = shutil.which("sipp")
pytestmark = [
    pytest.mark.interop,
    pytest.mark.usefixtures("network"),
    pytest.mark.skipif(SIPP is None, reason="SIPp is not installed"),
]

SCENARIOS = Path(__file__).parent / "sipp"
TRANSPORTS = {"udp": "u1", "tcp": "t1"}
SDP = Content(
    "application/sdp",
    b"v=0\r\no=near 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    b"m=message 9 TCP/MSRP *\r\na=accept-types:text/plain\r\na=path:msrp://127.0.0.1:9/n1;tcp\r\n",
)


class Quick:
    """A clock on which a second takes a fraction of one: SIPp cannot wait for half a session interval."""

    def __init__(self, speed: float) -> None:
        self.speed = speed

    def call_later(self, delay: float, callback: Callable[[], None], /) -> TimerHandle:
        return asyncio.get_running_loop().call_later(delay / self.speed, callback)


class User(SessionUser):
    """Accepts every change and remembers the end."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.endings: list[Ending] = []

    def answer_offer(self, session: InviteSession, message: Request | Response) -> Content | None:
        return SDP

    def reinvited(self, session: InviteSession, invite: IncomingInvite) -> None:
        self.bench.ua.context.spawn(invite.accept(SDP), "re-INVITE")

    def ended(self, session: InviteSession, ending: Ending) -> None:
        self.endings.append(ending)
        self.bench.ended.set()


class Bench:
    """An agent with a user agent that answers as `answering` says, and SIPp processes."""

    def __init__(self, loop: LoopThread, directory: Path) -> None:
        self.loop, self.directory = loop, directory
        self.timeline = Timeline()
        self.agent = SipAgent(self.timeline, self._on_request)
        self.answering: Callable[[IncomingInvite], Coroutine[Any, Any, Any]] = self.accept
        self.relay: LossyRelay | None = None
        self.children: list[subprocess.Popen[str]] = []
        self.user = User(self)

    async def start(self) -> None:
        self.ended = asyncio.Event()
        self.address = await self.agent.listen("127.0.0.1")
        self.set_up()

    def set_up(self, **options: Any) -> None:
        self.ua = UserAgent(self.agent, self._on_invite, way_of=self._way, **options)

    async def put_relay_between(self) -> None:
        loop = asyncio.get_running_loop()
        _, self.relay = await loop.create_datagram_endpoint(
            lambda: LossyRelay(self.address), local_addr=("127.0.0.1", 0)
        )

    def _way(self, incoming: Incoming) -> Way:
        if self.relay is None:
            return UriWay(incoming.local)
        return FixedWay(Hop(Transport.UDP, *self.relay.address))

    def _on_request(self, incoming: Incoming) -> None:
        if not self.ua.receive(incoming):
            self.agent.respond(incoming, build_response(incoming.message, 481, to_tag="x"))

    def _on_invite(self, invite: IncomingInvite) -> None:
        invite.session.user = self.user
        self.ua.context.spawn(self.answering(invite), "answer")

    async def accept(self, invite: IncomingInvite) -> None:
        await invite.ring()
        await invite.accept(SDP)

    async def close(self) -> None:
        await self.ua.close()
        await self.agent.close()
        if self.relay is not None:
            self.relay.transport.close()

    # -- SIPp

    def begin(self, scenario: str, transport: str, *, target: Address | None = None, port: int = 0) -> Any:
        assert SIPP is not None
        child = subprocess.Popen(
            [
                *(SIPP, str(target or self.address), "-sf", str(SCENARIOS / f"{scenario}.xml")),
                *("-t", TRANSPORTS[transport], "-i", "127.0.0.1", "-p", str(port or free_port())),
                *("-m", "1", "-l", "1", "-timeout", "25s", "-timeout_error", "-recv_timeout", "12000"),
                *("-nostdin", "-trace_err", "-error_file", str(self.directory / f"{scenario}.err")),
            ],
            cwd=self.directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self.children.append(child)
        return child

    def end(self, child: subprocess.Popen[str]) -> None:
        """Wait for SIPp's verdict: 0 when the call followed its scenario."""
        output, _ = child.communicate(timeout=40)
        errors = "".join(path.read_text(errors="replace") for path in self.directory.glob("*.err"))
        assert child.returncode == 0, f"SIPp ended with {child.returncode}\n{errors}\n{output[-1500:]}"

    def judge(self, scenario: str, transport: str, **options: Any) -> None:
        self.end(self.begin(scenario, transport, **options))

    def take(self, scenario: str, transport: str) -> tuple[subprocess.Popen[str], int]:
        """SIPp as callee, once it listens."""
        port = free_port()
        child = self.begin(scenario, transport, port=port)
        wait_until_open(child, port, transport)
        return child, port

    def call(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.call(coroutine, 30)

    async def invite(self, port: int, transport: str) -> OutgoingInvite:
        uri = f"sip:far@127.0.0.1:{port};transport={transport}"
        contact = f"<sip:near@{self.address};transport={transport}>"
        invitation = Invitation(uri, "<sip:near@example.net>", "<sip:far@example.net>", contact, SDP)
        hop = Hop(Transport.UDP, *self.relay.address) if self.relay else None
        return self.ua.invite(invitation, FixedWay(hop) if hop else None, self.user)

    async def session(self, port: int, transport: str) -> InviteSession:
        outcome = await (await self.invite(port, transport)).outcome()
        assert outcome.session is not None, outcome
        return outcome.session

    def nothing_dropped(self) -> None:
        notes = [each.text for each in self.timeline if isinstance(each, Event) and each.name == "note"]
        assert not notes


def wait_until_open(child: subprocess.Popen[str], port: int, transport: str) -> None:
    """SIPp needs a moment to listen; then its port is taken."""
    kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
    for _ in range(250):
        with contextlib.closing(socket.socket(type=kind)) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(0.02)
            break
    raise AssertionError("SIPp did not begin to listen")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with LoopThread("interop-sessions") as loop:
        found = Bench(loop, tmp_path)
        loop.call(found.start(), 5)
        try:
            yield found
        finally:
            for child in found.children:
                if child.poll() is None:
                    child.kill()
                    child.wait()
            loop.call(found.close(), 5)


async def wait(event: asyncio.Event) -> None:
    async with asyncio.timeout(10):
        await event.wait()


# -- SIPp calls


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_sipp_begins_changes_and_ends_a_session(bench: Bench, transport: str) -> None:
    bench.judge("session-from-sipp", transport)
    assert [(each.cause, each.by_us) for each in bench.user.endings] == [(Cause.BYE, False)]
    bench.nothing_dropped()


def test_sipp_begins_a_session_where_every_message_is_lost_once(bench: Bench) -> None:
    bench.call(bench.put_relay_between())
    assert bench.relay is not None
    bench.judge("session-from-sipp-lossy", "udp", target=bench.relay.address)
    assert [each.cause for each in bench.user.endings] == [Cause.BYE]
    assert {b"INVITE", b"ACK", b"UPDATE", b"BYE", b"SIP/2.0"} <= bench.relay.came_again


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_sipp_acknowledges_a_reliable_provisional_response(bench: Bench, transport: str) -> None:
    async def progress(invite: IncomingInvite) -> None:
        prack = await invite.ring(183, SDP)
        assert prack is not None
        await invite.accept()

    bench.answering = progress
    bench.judge("session-from-sipp-prack", transport)
    bench.nothing_dropped()


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_sipp_cancels(bench: Bench, transport: str) -> None:
    async def ring(invite: IncomingInvite) -> None:
        await invite.ring()

    bench.answering = ring
    bench.judge("session-from-sipp-cancel", transport)
    assert [each.cause for each in bench.user.endings] == [Cause.CANCELLED]
    bench.nothing_dropped()


# -- SIPp is called


async def use(bench: Bench, port: int, transport: str) -> None:
    session = await bench.session(port, transport)
    await acknowledged(bench, 1)
    assert (await session.reinvite(SDP)).status == 200
    await acknowledged(bench, 2)
    assert (await session.update()).status == 200
    response = await session.bye()
    assert response is not None
    assert response.status == 200


async def acknowledged(bench: Bench, number: int) -> None:
    """SIPp takes nothing before the ACK, which may have to come again."""
    if bench.relay is not None:
        await bench.relay.passed(b"\r\nCSeq: %d ACK\r\n" % number)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_sipp_takes_a_session_its_changes_and_its_end(bench: Bench, transport: str) -> None:
    sipp, port = bench.take("session-to-sipp", transport)
    bench.call(use(bench, port, transport))
    bench.end(sipp)
    bench.nothing_dropped()


def test_sipp_takes_a_session_where_every_message_is_lost_once(bench: Bench) -> None:
    sipp, port = bench.take("session-to-sipp", "udp")
    bench.call(bench.put_relay_between())
    assert bench.relay is not None
    bench.relay.far = ("127.0.0.1", port)
    bench.call(use(bench, port, "udp"))
    bench.end(sipp)
    assert {b"INVITE", b"ACK", b"UPDATE", b"BYE", b"SIP/2.0"} <= bench.relay.came_again


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_sipp_gets_its_prack(bench: Bench, transport: str) -> None:
    async def talk() -> None:
        session = await bench.session(port, transport)
        await session.bye()

    sipp, port = bench.take("session-to-sipp-prack", transport)
    bench.call(talk())
    bench.end(sipp)
    bench.nothing_dropped()


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_sipp_gets_its_cancel(bench: Bench, transport: str) -> None:
    async def give_up() -> int | None:
        outgoing = await bench.invite(port, transport)
        outgoing.cancel(Reason("SIP", 200, "Call completed elsewhere"))
        response = (await outgoing.outcome()).response
        return response and response.status

    sipp, port = bench.take("session-to-sipp-cancel", transport)
    assert bench.call(give_up()) == 487
    bench.end(sipp)
    bench.nothing_dropped()


def test_sipp_gets_its_refresh(bench: Bench) -> None:
    """45 seconds of the session interval pass in less than one."""

    async def refreshed() -> None:
        bench.set_up(policy=TimerPolicy(interval=90), scheduler=Quick(60))
        session = await bench.session(port, "udp")
        seen = asyncio.Event()
        loop = asyncio.get_running_loop()
        stop = bench.timeline.listen(
            lambda entry: (
                loop.call_soon_threadsafe(seen.set)
                if isinstance(entry, Packet) and b"CSeq: 2 UPDATE" in entry.data and entry.data[:3] == b"SIP"
                else None
            )
        )
        await wait(seen)
        stop()
        assert session.timer.refreshing
        await session.bye()

    sipp, port = bench.take("session-to-sipp-refresh", "udp")
    bench.call(refreshed())
    bench.end(sipp)


def test_nobody_there(bench: Bench) -> None:
    async def fail() -> str:
        outcome = await (await bench.invite(free_port(), "tcp")).outcome()
        assert outcome.session is None
        return outcome.failure

    assert "TCP" in bench.call(fail())
