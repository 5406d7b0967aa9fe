"""The two ends of the MSRP benchmark, each a process: ours, asyncio's streams, and the bare minimum.

A receiver says where it listens, a sender what it measured; both measure their own processor time for each
message of the run: with ours, that may be several messages in each of several sessions at once. The others
know no sessions and keep nothing: they find end-lines and answer.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from benchmarks.msrp_bare import ALICE, BOB, HOST, Receiver, Sender
from harness.agent.loop_thread import new_loop
from harness.agent.msrp.endpoint import MsrpEndpoint
from harness.agent.msrp.plan import MsrpPlan, Role
from harness.agent.msrp.session import MsrpUser, SessionHandle
from harness.evidence.timeline import Timeline
from harness.msrp.session import SendOptions

TYPE = "application/octet-stream"
_STREAM_LIMIT = 1024 * 1024


def say(value: object) -> None:
    """One line of JSON for the process that measures us."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def most_memory() -> float:
    """The most memory this process ever had resident, megabytes."""
    most = Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]
    return int(most) * 1024 / 1e6


async def receive(options: argparse.Namespace) -> None:
    """Our receiving end: content to a file, every chunk answered, timeline on."""
    endpoint = MsrpEndpoint(Timeline())
    seconds, done, begun, left = [], asyncio.Event(), time.process_time(), _shared(options)

    def received(message: Any) -> None:
        nonlocal begun, left
        if message.content.size != options.octets:
            raise RuntimeError(f"{message.content.size} octets came")
        left -= 1
        if left:
            return
        seconds.append(time.process_time() - begun)
        begun, left = time.process_time(), _shared(options)
        if len(seconds) == options.messages:
            done.set()

    address = await endpoint.listen(HOST)
    for alice, bob in _paths(options.sessions):
        user = MsrpUser(message=received, failed=lambda _: done.set())
        endpoint.open(MsrpPlan(Role.PASSIVE, (bob,), (alice,), None), user)
    say({"port": address.port})
    await done.wait()
    if len(seconds) < options.messages:
        raise RuntimeError(f"the sender went: {len(seconds)} of {options.messages} came")
    say({"processor": seconds, "memory": most_memory()})
    await endpoint.close()


async def send(options: argparse.Namespace) -> None:
    """Our sending end: an endpoint for each session, so that each has a connection of its own."""
    timeline = Timeline()
    endpoints = [MsrpEndpoint(timeline) for _ in range(options.sessions)]
    sessions = []
    for endpoint, (alice, bob) in zip(endpoints, _paths(options.sessions), strict=True):
        session = endpoint.open(MsrpPlan(Role.ACTIVE, (alice,), (bob,), (HOST, options.port)))
        await session.ready
        sessions.append(session)
    with tempfile.NamedTemporaryFile() as file:
        file.truncate(options.octets)
        content = Path(file.name) if options.from_file else bytes(options.octets)

        async def share(session: SessionHandle) -> None:
            for _ in range(options.each):
                outcome = await session.send(content, TYPE, SendOptions(chunk_octets=options.chunk))
                if not outcome.good:
                    raise RuntimeError(f"the message was answered {outcome}")

        async def once() -> None:
            await asyncio.gather(*(share(session) for session in sessions))

        say(await _measured(options.messages, once) | {"memory": most_memory()})
    await asyncio.gather(*(endpoint.close() for endpoint in endpoints))


def _shared(options: argparse.Namespace) -> int:
    """What is measured as one message: so many, in all sessions together."""
    return int(options.sessions * options.each)


def _paths(sessions: int) -> list[tuple[str, str]]:
    """The URIs of both ends of each session."""
    alice, bob = ALICE.removesuffix(";tcp"), BOB.removesuffix(";tcp")
    return [(f"{alice}{place};tcp", f"{bob}{place};tcp") for place in range(sessions)]


async def receive_streams(options: argparse.Namespace) -> None:
    """The same chunks with asyncio streams: `readuntil` the end-line, a response for each."""
    seconds, done = [], asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(options.messages):
            begun, octets = time.process_time(), 0
            while octets < options.octets:
                start = await reader.readuntil(b"\r\n")
                tid = start.split(b" ")[1]
                rest = await reader.readuntil(b"\r\n-------" + tid)
                await reader.readexactly(3)
                head, _, body = rest.partition(b"\r\n\r\n")
                octets += len(body) - len(tid) - 9
                paths = dict(line.split(b": ", 1) for line in head.split(b"\r\n"))
                writer.write(
                    b"MSRP %b 200 OK\r\nTo-Path: %b\r\nFrom-Path: %b\r\n-------%b$\r\n"
                    % (tid, paths[b"From-Path"], paths[b"To-Path"], tid)
                )
                await writer.drain()
            seconds.append(time.process_time() - begun)
        writer.close()
        done.set()

    server = await asyncio.start_server(serve, HOST, 0, limit=_STREAM_LIMIT)
    say({"port": server.sockets[0].getsockname()[1]})
    await done.wait()
    say({"processor": seconds})
    server.close()


async def send_streams(options: argparse.Namespace) -> None:
    """Writes chunk after chunk, and reads the responses beside it."""
    reader, writer = await asyncio.open_connection(HOST, options.port, limit=_STREAM_LIMIT)
    body = bytes(options.chunk)
    chunks = -(-options.octets // options.chunk)

    async def answers() -> None:
        for _ in range(chunks):
            tid = (await reader.readuntil(b"\r\n")).split(b" ")[1]
            await reader.readuntil(b"-------" + tid + b"$\r\n")

    async def once() -> None:
        reading = asyncio.ensure_future(answers())
        for number in range(chunks):
            start, left = number * options.chunk, options.octets - number * options.chunk
            tid = b"d93kswow%08d" % number
            writer.write(
                b"MSRP %b SEND\r\nTo-Path: %b\r\nFrom-Path: %b\r\nMessage-ID: 12339sdqwer\r\n"
                b"Byte-Range: %d-*/%d\r\nContent-Type: application/octet-stream\r\n\r\n%b\r\n-------%b%b\r\n"
                % (
                    tid, BOB.encode(), ALICE.encode(), start + 1, options.octets, body[:left], tid,
                    b"$" if left <= options.chunk else b"+",
                )
            )  # fmt: skip
            await writer.drain()
        await reading

    say(await _measured(options.messages, once))
    writer.close()


async def receive_bare(options: argparse.Namespace) -> None:
    """See msrp_bare."""
    seconds: list[float] = []
    done = asyncio.Event()

    def received(processor: float) -> None:
        seconds.append(processor)
        if len(seconds) == options.messages:
            done.set()

    chunks = -(-options.octets // options.chunk)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Receiver(chunks, received), HOST, 0)
    say({"port": server.sockets[0].getsockname()[1]})
    await done.wait()
    say({"processor": seconds})
    server.close()


async def send_bare(options: argparse.Namespace) -> None:
    """See msrp_bare."""
    loop = asyncio.get_running_loop()
    _, sender = await loop.create_connection(Sender, HOST, options.port)
    say(await _measured(options.messages, lambda: sender.send(options.octets, options.chunk)))


async def _measured(messages: int, once: Callable[[], Coroutine[Any, Any, None]]) -> dict[str, Any]:
    """Processor time and time of each message."""
    processor, wall = [], []
    for _ in range(messages):
        begun, clock = time.process_time(), time.perf_counter()
        await once()
        processor.append(time.process_time() - begun)
        wall.append(time.perf_counter() - clock)
    return {"processor": processor, "wall": wall}


ENDS = {
    "receive": receive,
    "send": send,
    "receive-streams": receive_streams,
    "send-streams": send_streams,
    "receive-bare": receive_bare,
    "send-bare": send_bare,
}


def main() -> None:
    """Run one end until its messages are through."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("end", choices=ENDS)
    parser.add_argument("--port", type=int, default=0, help="where the receiver listens")
    parser.add_argument("--octets", type=int, required=True, help="of one message")
    parser.add_argument("--chunk", type=int, required=True, help="octets of the body of one chunk")
    parser.add_argument("--messages", type=int, default=1)
    parser.add_argument(
        "--sessions", type=int, default=1, help="at once, each with its own connection (ours)"
    )
    parser.add_argument("--each", type=int, default=1, help="messages of each session measured as one (ours)")
    parser.add_argument("--from-file", action="store_true", help="send from a file, not from memory")
    parser.add_argument("--uvloop", action="store_true")
    options = parser.parse_args()
    with asyncio.Runner(loop_factory=lambda: new_loop(options.uvloop)) as runner:
        runner.run(ENDS[options.end](options))


if __name__ == "__main__":
    main()
