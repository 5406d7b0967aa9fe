"""What answers MESSAGE requests in the load benchmarks, each a process: our peer, and a bare responder.

The bare one stands for what asyncio itself can do: it copies five header fields and knows no transactions.
"""

from __future__ import annotations

import argparse
import asyncio
from typing import Any

from harness.agent.collector import CollectWhenQuiet
from harness.agent.loop_thread import new_loop
from harness.agent.part_process import Ready, log_to_stderr, serve
from harness.agent.scheduler import RunningLoop
from harness.evidence.timeline import Timeline
from harness.peer.config import Authentication, PeerConfig
from harness.peer.peer import Peer

HOST = "127.0.0.1"
_COPIED = (b"via", b"from", b"to", b"call-id", b"cseq")


async def peer(ready: Ready, stop: asyncio.Event) -> None:
    """The peer as `rcslab peer` runs it, but that it reports no delivery: one answer for each message."""
    timeline = Timeline()
    served = Peer(PeerConfig("ims.example", (), Authentication.NONE, listen=((HOST, 0),)), timeline)
    quiet = CollectWhenQuiet(lambda: len(timeline), RunningLoop())
    served.notifications.policy(None, None)
    addresses = await served.start()
    quiet.start()
    ready({"udp": str(addresses.sip_udp[0]), "tcp": str(addresses.sip_tcp[0])})
    try:
        await stop.wait()
    finally:
        quiet.stop()
        await served.stop()


class _Bare(asyncio.DatagramProtocol):
    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        fields = data[: data.find(b"\r\n\r\n")].split(b"\r\n")[1:]
        copied = [field for field in fields if field[: field.find(b":")].lower() in _COPIED]
        answer = b"\r\n".join((b"SIP/2.0 200 OK", *copied, b"Content-Length: 0\r\n\r\n"))
        self._transport.sendto(answer, addr)


async def bare(ready: Ready, stop: asyncio.Event) -> None:
    """A responder of twenty lines."""
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(_Bare, local_addr=(HOST, 0))
    ready({"udp": "{}:{}".format(*transport.get_extra_info("sockname"))})
    await stop.wait()
    transport.close()


RESPONDERS = {"peer": peer, "bare": bare}


def main() -> None:
    """Run one of them until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("responder", choices=RESPONDERS)
    parser.add_argument("--uvloop", action="store_true")
    options = parser.parse_args()
    log_to_stderr("WARNING")
    with asyncio.Runner(loop_factory=lambda: new_loop(options.uvloop)) as runner:
        runner.run(serve(RESPONDERS[options.responder], until_stdin_closes=True))


if __name__ == "__main__":
    main()
