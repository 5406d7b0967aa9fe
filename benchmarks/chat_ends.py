"""The two ends of the held chats, each a process: our side behind one MSRP port, and the handsets.

Each handset has an MSRP endpoint of its own, so that each chat has a connection of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from harness.agent.collector import CollectWhenQuiet
from harness.agent.loop_thread import new_loop
from harness.agent.msrp.call import MsrpCall
from harness.agent.msrp.endpoint import MsrpEndpoint
from harness.agent.msrp.negotiation import new_origin
from harness.agent.msrp.plan import Role
from harness.agent.msrp.services import CPIM, Flow, service_terms
from harness.agent.msrp.terms import MsrpTerms
from harness.agent.part_process import Ready, log_to_stderr, serve
from harness.agent.scheduler import RunningLoop
from harness.agent.session.invite_client import Invitation
from harness.agent.session.invite_server import IncomingInvite
from harness.agent.session.user_agent import UserAgent
from harness.agent.sip.agent import Incoming, SipAgent
from harness.evidence.timeline import Address, Timeline
from harness.msrp.uri import new_session_uri
from harness.sip.message import build_response

HOST = "127.0.0.1"
AT_ONCE = 50  # INVITEs under way
TEXT = b"is this thing still working"
MESSAGE = (
    b"From: <sip:+491700000001@ims.example>\r\nTo: <sip:+491700000002@ims.example>\r\n"
    b"DateTime: 2015-02-17T06:54:27Z\r\nNS: imdn <urn:ietf:params:imdn>\r\n"
    b"imdn.Message-ID: PH7qAIV8cgH5\r\nimdn.Disposition-Notification: positive-delivery, display\r\n\r\n"
    b"Content-Type: text/plain;charset=UTF-8\r\nContent-Length: %d\r\n\r\n%s" % (len(TEXT), TEXT)
)


class End:
    """SIP of one side: it answers what comes by INVITE, or sends INVITEs."""

    def __init__(self, on_invite: Callable[[IncomingInvite], None]) -> None:
        self.timeline = Timeline()
        self.agent = SipAgent(self.timeline, self._on_request)
        self.ua = UserAgent(self.agent, on_invite)
        self.quiet = CollectWhenQuiet(lambda: len(self.timeline), RunningLoop())

    def _on_request(self, incoming: Incoming) -> None:
        if not self.ua.receive(incoming):
            self.agent.respond(incoming, build_response(incoming.message, 481, to_tag="x"))

    async def listen(self) -> Address:
        """Begin; collections wait for quiet moments from now on, as in `rcslab peer`."""
        self.quiet.start()
        return await self.agent.listen(HOST)

    async def close(self) -> None:
        """Hang up and stop."""
        self.quiet.stop()
        await self.ua.hang_up()
        await self.ua.close()
        await self.agent.close()


async def peer(ready: Ready, stop: asyncio.Event) -> None:
    """Accepts every chat, all behind one MSRP port."""
    accepting: set[asyncio.Task[object]] = set()

    def invited(invite: IncomingInvite) -> None:
        terms = service_terms(Flow.SESSION, MsrpTerms(str(new_session_uri(HOST, port))), answers=True)
        call = MsrpCall(endpoint, [terms], new_origin(HOST))
        task = asyncio.ensure_future(call.accept(invite))
        accepting.add(task)
        task.add_done_callback(accepting.discard)

    end = End(invited)
    endpoint = MsrpEndpoint(end.timeline)
    port = (await endpoint.listen(HOST)).port
    ready({"sip": str(await end.listen())})
    await stop.wait()
    await end.close()
    await endpoint.close()


async def handsets(far: Address, count: int, seconds: float, ready: Ready, stop: asyncio.Event) -> None:
    """Begins the chats, says so, sends a message a second in each, and says how that went."""
    end = End(lambda invite: invite.reject(486))
    own = await end.listen()
    gate = asyncio.Semaphore(AT_ONCE)
    chats = await asyncio.gather(*(_begin(end, own, far, gate) for _ in range(count)))
    ready({"begun": str(len(chats))})
    start = asyncio.get_running_loop().time() + 0.5
    spread = [start + place / count for place in range(count)]
    talks = zip(chats, spread, strict=True)
    results = await asyncio.gather(*(_talk(call, first, seconds) for (call, _), first in talks))
    took = asyncio.get_running_loop().time() - start
    delays = sorted(delay for each in results for delay in each if delay is not None)
    held = sum(1 for (call, _), each in zip(chats, results, strict=True) if _held(call, each))
    cuts = statistics.quantiles(delays, n=100, method="inclusive") if len(delays) > 1 else [0.0] * 99
    said = {"held": held, "sent": len(delays), "seconds": took, "median": cuts[49], "slow": cuts[98]}
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()
    await stop.wait()
    await end.close()
    await asyncio.gather(*(endpoint.close() for _, endpoint in chats))


async def _begin(
    end: End, own: Address, far: Address, gate: asyncio.Semaphore
) -> tuple[MsrpCall, MsrpEndpoint]:
    endpoint = MsrpEndpoint(end.timeline)
    # The port of a handset that only connects (RFC 4145 4.1).
    terms = service_terms(Flow.SESSION, MsrpTerms(str(new_session_uri(HOST, 9))))
    call = MsrpCall(endpoint, [replace(terms, answers=Role.ACTIVE)], new_origin(HOST))
    async with gate:
        name = f"<sip:handset@{own}>"
        invitation = Invitation(f"sip:peer@{far}", name, f"<sip:peer@{far}>", name, call.offer())
        await call.outcome(end.ua.invite(invitation, user=call))
        await call.opened()
    return call, endpoint


async def _talk(call: MsrpCall, first: float, seconds: float) -> list[float | None]:
    """Seconds from when each message was due until it was answered 200; None for one that was not."""
    loop, delays = asyncio.get_running_loop(), list[float | None]()
    for number in range(max(1, round(seconds))):
        due = first + number
        await asyncio.sleep(due - loop.time())
        outcome = await call.handle.send(MESSAGE, CPIM)
        delays.append(loop.time() - due if outcome.status == 200 else None)
    return delays


def _held(call: MsrpCall, delays: list[float | None]) -> bool:
    """Alive at both protocols, and every message answered before the next was due."""
    alive = call.session is not None and not call.session.has_ended() and not call.handle.failed
    return alive and all(delay is not None and delay < 1 for delay in delays)


def main() -> None:
    """Run one end until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uvloop", action="store_true")
    parser.add_argument("--handsets", nargs=3, metavar=("ADDRESS", "COUNT", "SECONDS"))
    options = parser.parse_args()
    log_to_stderr("WARNING")
    run = peer
    if options.handsets:
        address, count, seconds = options.handsets
        host, _, port = address.rpartition(":")
        run = partial(handsets, Address(host, int(port)), int(count), float(seconds))
    with asyncio.Runner(loop_factory=lambda: new_loop(options.uvloop)) as runner:
        runner.run(serve(run, until_stdin_closes=True))


if __name__ == "__main__":
    main()
