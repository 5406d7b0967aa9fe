"""The MSRP endpoint on real sockets: sessions, connections, files, limits (RFC 4975 5.4, 7.2, 7.3)."""

from __future__ import annotations

import asyncio
import io
import socket
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from harness.agent.failures import TransportFailed
from harness.agent.metrics import Counter
from harness.agent.msrp.endpoint import MsrpEndpoint
from harness.agent.msrp.plan import MsrpPlan, Role
from harness.agent.msrp.session import MsrpUser
from harness.agent.sockets.connection_watch import ConnectionLimits
from harness.agent.sockets.tls import TlsSettings
from harness.bodies.sdp_attributes import certificate_fingerprint
from harness.errors import AddressTaken, UsageError
from harness.evidence.timeline import Event, Layer, Packet, Timeline
from harness.msrp.chunking import Outcome, Report
from harness.msrp.framing import MsrpFramer, MsrpLimits
from harness.msrp.session import SendOptions

ALICE, BOB, RELAY = (
    "msrp://127.0.0.1:9/one;tcp",
    "msrp://127.0.0.1:8493/two;tcp",
    "msrp://127.0.0.1:2855/relay;tcp",
)


def octets_of(
    *lines: str, to: str = BOB, source: str = ALICE, method: str = "SEND", tid: str = "d93kswow",
    body: bytes | None = None, flag: str = "$",
) -> bytes:  # fmt: skip
    """A request, written without the code under test."""
    rows = [
        f"MSRP {tid} {method}",
        f"To-Path: {to}",
        f"From-Path: {source}",
        "Message-ID: 12339sdqwer",
        *lines,
    ]
    rows += ["Content-Type: text/plain", ""] if body is not None else []
    head = "".join(f"{row}\r\n" for row in rows).encode()
    return head + (b"" if body is None else body + b"\r\n") + f"-------{tid}{flag}\r\n".encode()


def answer_to(request, status: int = 200) -> bytes:
    tid = request.transaction_id
    paths = f"To-Path: {request.from_path[0]}\r\nFrom-Path: {request.to_path[0]}\r\n"
    return f"MSRP {tid} {status} Whatever\r\n{paths}-------{tid}$\r\n".encode()


def plan(role: Role = Role.PASSIVE, own: str = BOB, remote: str = ALICE, **more: object) -> MsrpPlan:
    return MsrpPlan(role, (own,), (remote,), more.pop("connect_to", None), **more)


class Wire(asyncio.Protocol):
    """A foreign end: octets."""

    def __init__(self) -> None:
        self.got, self.ended, self.changed = b"", False, asyncio.Event()
        self.framer, self.messages = MsrpFramer(), []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.got += data
        self.messages += self.framer.receive(data)
        self.changed.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = True
        self.changed.set()

    async def until(self, what) -> None:
        async with asyncio.timeout(5):
            while not what():
                self.changed.clear()
                await self.changed.wait()

    async def message(self, number: int):
        await self.until(lambda: len(self.messages) >= number)
        return self.messages[number - 1]


async def wire_to(address) -> Wire:
    _, wire = await asyncio.get_running_loop().create_connection(Wire, *address)
    return wire


class Foreign:
    """A foreign end that listens."""

    def __init__(self) -> None:
        self.wires: list[Wire] = []
        self.came = asyncio.Event()

    async def listen(self) -> tuple[str, int]:
        self.server = await asyncio.get_running_loop().create_server(self._new, "127.0.0.1", 0)
        return self.server.sockets[0].getsockname()[:2]

    def _new(self) -> Wire:
        self.wires.append(Wire())
        self.came.set()
        return self.wires[-1]

    async def wire(self) -> Wire:
        await asyncio.wait_for(self.came.wait(), 5)
        return self.wires[-1]


class Room:
    """Whether a session's connection has room for what is written."""

    def __init__(self, handle) -> None:
        self.there, self.changed = True, asyncio.Event()
        self.connection = handle.line.connection
        self.tell, self.connection.flow_changed = self.connection.flow_changed, self._changed

    def _changed(self, room: bool) -> None:
        self.there = room
        self.changed.set()
        self.tell(room)

    async def gone(self) -> None:
        """Wait until there is none."""
        async with asyncio.timeout(10):
            while self.there:
                self.changed.clear()
                await self.changed.wait()


class Told(MsrpUser):
    """Keeps what a session's user is told."""

    def __init__(self, **more: object) -> None:
        super().__init__(**more)
        self.messages, self.news = [], []
        self.changed = asyncio.Event()
        self.message = self._message
        for name in ("progress", "lost", "report", "sent", "request", "failed", "nickname_asked"):
            setattr(self, name, lambda *what, name=name: self._add(name, *what))

    def _message(self, message) -> None:
        self.messages.append(message)
        self.changed.set()

    def _add(self, *what: object) -> None:
        self.news.append(what)
        self.changed.set()

    async def until(self, what):
        async with asyncio.timeout(10):
            while not (found := what()):
                self.changed.clear()
                await self.changed.wait()
            return found


# -- without a session


def test_on_the_wire_and_on_the_timeline(in_loop) -> None:
    async def scenario() -> None:
        timeline = Timeline()
        endpoint = MsrpEndpoint(timeline)
        wire = await wire_to(await endpoint.listen("127.0.0.1"))
        sent = octets_of("Status: 000 200 OK", method="REPORT") + octets_of("Failure-Report: no")
        sent += octets_of(body=b"x", source=f"{RELAY} {ALICE}")
        wire.transport.write(sent)
        answer = await wire.message(1)
        assert (answer.status, answer.to_path, answer.from_path) == (481, (RELAY,), (BOB,))
        packets = [each for each in timeline if isinstance(each, Packet)]
        assert {each.layer for each in packets} == {Layer.MSRP}
        assert b"".join(each.data for each in packets) == sent + wire.got
        wire.transport.write(b"GET / HTTP/1.1\r\n\r\n")
        await wire.until(lambda: wire.ended)
        assert endpoint.metrics[Counter.UNREADABLE] == 1
        await endpoint.close()

    in_loop(scenario())


def test_half_a_message_is_closed_with_a_note_and_drop_ends_connections(in_loop, clock, watch) -> None:
    async def scenario() -> None:
        timeline = Timeline()
        endpoint = MsrpEndpoint(timeline, scheduler=clock, clock=lambda: clock.now)
        address = await endpoint.listen("::1")
        half = await wire_to(address)
        half.transport.write(octets_of(body=b"x")[:50])
        await watch(timeline).packets(1)
        clock.advance(31)
        await half.until(lambda: half.ended)
        await watch(timeline).event("in the middle of a message (50 octets")
        other = await wire_to(address)
        await watch(timeline).until(lambda entries: sum(_accepted(entry) for entry in entries) == 2)
        await endpoint.drop_connections()
        await other.until(lambda: other.ended)
        await watch(timeline).event("closed: dropped")
        last = await wire_to(address)
        await watch(timeline).until(lambda entries: sum(_accepted(entry) for entry in entries) == 3)
        await endpoint.close()
        await last.until(lambda: last.ended)

    in_loop(scenario())


def _accepted(entry) -> bool:
    return isinstance(entry, Event) and entry.text.startswith("accepted from")


def test_a_taken_port_is_told(in_loop) -> None:
    async def scenario() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            with pytest.raises(AddressTaken):
                await MsrpEndpoint(Timeline()).listen(*taken.getsockname())

    in_loop(scenario())


@pytest.mark.parametrize(
    ("limits", "octets", "counter"),
    [
        (MsrpLimits(headers=4), octets_of("A: b", "C: d"), Counter.TOO_MANY_HEADERS),
        (MsrpLimits(head_octets=100), octets_of(), Counter.TOO_LARGE),
        (MsrpLimits(message_octets=300), octets_of(body=bytes(300)), Counter.TOO_LARGE),
        (MsrpLimits(start_line_octets=20), b"MSRP " + b"a" * 30, Counter.UNREADABLE),
    ],
)
def test_a_limit_has_its_event_and_ends_the_connection(in_loop, watch, limits, octets, counter) -> None:
    async def scenario() -> None:
        timeline = Timeline()
        endpoint = MsrpEndpoint(timeline, limits=limits)
        wire = await wire_to(await endpoint.listen("127.0.0.1"))
        wire.transport.write(octets)
        await wire.until(lambda: wire.ended)
        assert endpoint.metrics[counter] == 1
        assert [each.name for each in timeline if isinstance(each, Event)][1] == counter.value
        await endpoint.close()

    in_loop(scenario())


def test_too_many_connections_of_one_source(in_loop, watch) -> None:
    async def scenario() -> None:
        timeline = Timeline()
        endpoint = MsrpEndpoint(timeline, connection_limits=ConnectionLimits(per_source=1))
        address = await endpoint.listen("127.0.0.1")
        first = await wire_to(address)
        second = await wire_to(address)
        await second.until(lambda: second.ended)
        assert not first.ended
        await watch(timeline).event("127.0.0.1 has 1 connections already")
        await endpoint.close()

    in_loop(scenario())


# -- passive


def test_the_first_send_binds_a_passive_session_and_what_waited_is_sent(in_loop) -> None:
    async def scenario() -> None:
        endpoint, told = MsrpEndpoint(Timeline()), Told()
        address = await endpoint.listen("127.0.0.1")
        handle = endpoint.open(plan(), told)
        sending = asyncio.ensure_future(handle.send(b"hello", "text/plain"))
        wire = await wire_to(address)
        wire.transport.write(octets_of("Byte-Range: 1-2/2", body=b"Hi"))
        await handle.ready
        request = await wire.message(2)
        assert (wire.messages[0].status, request.body) == (200, b"hello")
        wire.transport.write(answer_to(request))
        assert await sending == Outcome(200, "Whatever", 5)
        message = (await told.until(lambda: told.messages))[0]
        assert (message.content.read(), message.content_type, message.again) == (b"Hi", "text/plain", False)
        handle.close("BYE")
        await wire.until(lambda: wire.ended)
        await endpoint.close()

    in_loop(scenario())


@pytest.mark.parametrize(("settled", "status"), [(True, b" 200 OK"), (False, b" 481 ")])
def test_a_connection_that_comes_before_the_answer_waits_for_it(in_loop, watch, settled, status) -> None:
    async def scenario() -> None:
        timeline = Timeline()
        endpoint = MsrpEndpoint(timeline)
        address = await endpoint.listen("127.0.0.1")
        endpoint.expect(BOB)
        wire = await wire_to(address)
        wire.transport.write(octets_of("Byte-Range: 1-2/2", body=b"hi"))
        await watch(timeline).event("the answer to our offer is not here yet")
        more = octets_of("Byte-Range: 1-3/3", tid="second11", body=b"you")
        wire.transport.write(more.replace(b"12339sdqwer", b"another1"))
        told = Told()
        if settled:
            endpoint.open(plan(), told)
        else:
            endpoint.forget(BOB)
        await wire.message(2)
        assert wire.got.count(status) == 2
        assert [each.content.read() for each in told.messages] == ([b"hi", b"you"] if settled else [])
        late = await wire_to(address)
        late.transport.write(octets_of("Byte-Range: 1-0/0"))
        assert (await late.message(1)).status == (506 if settled else 481)
        await endpoint.close()

    in_loop(scenario())


def test_a_session_lives_on_one_connection(in_loop) -> None:
    async def scenario() -> None:
        endpoint = MsrpEndpoint(Timeline())
        address = await endpoint.listen("127.0.0.1")
        told = Told()
        handle = endpoint.open(plan(), told)
        first, second = await wire_to(address), await wire_to(address)
        first.transport.write(octets_of())
        assert (await first.message(1)).status == 200
        second.transport.write(octets_of())
        assert (await second.message(1)).status == 506
        first.transport.abort()
        await first.until(lambda: first.ended)
        await told.until(lambda: handle.failed)
        second.transport.write(octets_of())
        assert (await second.message(2)).status == 481  # 5.4: it takes a new exchange of SDP
        handle.close()
        endpoint.open(plan()).close()  # the session-id is free again
        await endpoint.close()

    in_loop(scenario())


def test_sessions_share_a_connection_and_it_ends_with_the_last(in_loop) -> None:
    async def scenario() -> None:
        endpoint = MsrpEndpoint(Timeline())
        address = await endpoint.listen("127.0.0.1")
        other = "msrp://127.0.0.1:8493/three;tcp"
        first, second = endpoint.open(plan()), endpoint.open(plan(own=other))
        wire = await wire_to(address)
        wire.transport.write(octets_of() + octets_of(to=other))
        await asyncio.gather(first.ready, second.ready)
        assert first.line is second.line
        first.close()
        wire.transport.write(octets_of() + octets_of(to=other))
        await wire.message(4)
        assert [each.status for each in wire.messages] == [200, 200, 481, 200]
        second.close()
        await wire.until(lambda: wire.ended)
        await endpoint.close()

    in_loop(scenario())


@pytest.mark.parametrize(
    ("own", "asked", "told"),
    [
        ("msrp://[2001:db8::1]:2855/Ab;tcp", "msrp://[2001:DB8:0:0:0::1]:2855/Ab;tcp", False),
        ("msrp://127.0.0.1:2855/Ab;tcp", "msrp://192.0.2.1:9/Ab;tcp", True),  # through a middlebox
    ],
)
def test_a_session_is_matched_by_its_id_however_the_address_is_written(in_loop, own, asked, told) -> None:
    async def scenario() -> None:
        timeline = Timeline()
        endpoint = MsrpEndpoint(timeline)
        wire = await wire_to(await endpoint.listen("127.0.0.1"))
        handle = endpoint.open(plan(own=own))
        wire.transport.write(octets_of(to=asked))
        await handle.ready
        events = [each.name for each in timeline if isinstance(each, Event)]
        assert ("session-matched" in events) == told
        wire.transport.write(octets_of(to=asked.replace("Ab", "aB")))
        assert (await wire.message(2)).status == 481
        await endpoint.close()

    in_loop(scenario())


def test_one_session_whose_address_is_written_in_many_ways_is_one_session(in_loop) -> None:
    async def scenario() -> None:
        endpoint, told = MsrpEndpoint(Timeline()), Told()
        wire = await wire_to(await endpoint.listen("127.0.0.1"))
        handle = endpoint.open(plan(), told)
        for number in range(300):  # more than are remembered
            wire.transport.write(octets_of(to=BOB.replace("two;tcp", f"two;tcp;x={number}")))
        await wire.message(300)
        assert {each.status for each in wire.messages} == {200}
        assert len([each for each in told.news if each[0] == "request"]) == 300
        assert handle.line.handles == [handle]
        handle.close()
        await wire.until(lambda: wire.ended)
        await endpoint.close()

    in_loop(scenario())


def test_what_the_plan_says_is_taken_and_nothing_else(in_loop) -> None:
    async def scenario() -> None:
        endpoint, told = (
            MsrpEndpoint(Timeline()),
            Told(accept=lambda request: 403 if request.body == b"no" else None),
        )
        wire = await wire_to(await endpoint.listen("127.0.0.1"))
        terms = {"accepts": ("text/*",), "max_size": 5, "remote_accepts": ("message/cpim",)}
        handle = endpoint.open(plan(**terms), told)
        other_type = octets_of(body=b"x").replace(b"text/plain", b"image/png")
        renamed = [
            each.replace(b"12339sdqwer", b"id%d-" % number)
            for number, each in enumerate([other_type, octets_of(body=b"x" * 6), octets_of(body=b"no")])
        ]
        wire.transport.write(b"".join(renamed) + octets_of(body=b"fine!"))
        await wire.message(4)
        assert [each.status for each in wire.messages] == [415, 413, 403, 200]
        assert [each[2] for each in told.news if each[0] == "request"] == [415, 413, 403]
        with pytest.raises(UsageError):
            handle.post(b"x", "text/plain")
        handle.post(b"x", "text/plain", anyway=True)
        assert (await wire.message(5)).body == b"x"
        await endpoint.close()

    in_loop(scenario())


def test_progress_reports_and_nicknames(in_loop) -> None:
    async def scenario() -> None:
        endpoint = MsrpEndpoint(Timeline())
        told = Told(nickname=lambda wanted: 425 if wanted == "Bob" else 200)
        wire = await wire_to(await endpoint.listen("127.0.0.1"))
        handle = endpoint.open(plan(), told)
        wire.transport.write(octets_of("Byte-Range: 1-2/4", body=b"ab", flag="+"))
        await told.until(lambda: ("progress", "12339sdqwer", 2, 4) in told.news)
        wire.transport.write(octets_of("Byte-Range: 3-4/4", body=b"cd"))
        message = (await told.until(lambda: told.messages))[0]
        handle.report(message, 403, "Not Here")
        report = await wire.message(3)
        assert (report.status.code, str(report.byte_range)) == (403, "1-4/4")
        wire.transport.write(octets_of('Use-Nickname: "Bob"', method="NICKNAME"))
        assert (await wire.message(4)).status == 425
        asking = asyncio.ensure_future(handle.nickname("Al"))
        wire.transport.write(answer_to(await wire.message(5), 424))
        assert await asking == 424
        sending = asyncio.ensure_future(
            handle.send(b"x", "text/plain", SendOptions(success_report=Report.YES))
        )
        request = await wire.message(6)
        success = octets_of("Byte-Range: 1-1/1", "Status: 000 200 OK", method="REPORT")
        wire.transport.write(
            answer_to(request) + success.replace(b"12339sdqwer", request.message_id.encode())
        )
        assert (await sending).good
        reports = await told.until(lambda: [each[1] for each in told.news if each[0] == "report"])
        assert reports[0].message.reported.covers(1)
        await endpoint.close()

    in_loop(scenario())


# -- active


def test_an_active_session_connects_and_says_something_at_once(in_loop) -> None:
    async def scenario() -> None:
        foreign, endpoint = Foreign(), MsrpEndpoint(Timeline())
        address = await foreign.listen()
        handle = endpoint.open(plan(Role.ACTIVE, connect_to=address))
        wire = await foreign.wire()
        first = await wire.message(1)
        assert (first.method, first.body, first.to_path, first.from_path) == ("SEND", None, (ALICE,), (BOB,))
        await handle.ready
        wire.transport.write(answer_to(first))
        handle.close()
        await wire.until(lambda: wire.ended)
        await endpoint.close()
        foreign.server.close()

    in_loop(scenario())


def test_a_passive_session_connects_to_its_relay_and_waits_to_be_spoken_to(in_loop) -> None:
    """RFC 6135 4.5."""

    async def scenario() -> None:
        relay, endpoint = Foreign(), MsrpEndpoint(Timeline())
        address = await relay.listen()
        settled = replace(plan(connect_to=address), own_path=(RELAY, BOB))
        handle = endpoint.open(settled)
        wire = await relay.wire()
        await handle.ready
        wire.transport.write(octets_of("Byte-Range: 1-0/0", source=f"{RELAY} {ALICE}"))
        assert (await wire.message(1)).status == 200  # nothing came before it
        handle.post(b"hello", "text/plain")
        assert (await wire.message(2)).to_path == (RELAY, ALICE)
        await endpoint.close()
        relay.server.close()

    in_loop(scenario())


def test_an_active_session_with_something_to_say_sends_that_first(in_loop) -> None:
    async def scenario() -> None:
        foreign, endpoint = Foreign(), MsrpEndpoint(Timeline())
        address = await foreign.listen()
        handle = endpoint.open(plan(Role.ACTIVE, connect_to=address))
        handle.post(b"hello", "text/plain")
        wire = await foreign.wire()
        assert (await wire.message(1)).body == b"hello"
        await endpoint.close()
        foreign.server.close()

    in_loop(scenario())


def test_active_sessions_to_the_same_place_share_a_connection(in_loop) -> None:
    async def scenario() -> None:
        foreign, endpoint = Foreign(), MsrpEndpoint(Timeline())
        address = await foreign.listen()
        uris = [f"msrp://127.0.0.1:9/own{number};tcp" for number in range(3)]
        handles = [endpoint.open(plan(Role.ACTIVE, uri, connect_to=address)) for uri in uris[:2]]
        await asyncio.gather(*(handle.ready for handle in handles))
        handles.append(endpoint.open(plan(Role.ACTIVE, uris[2], connect_to=address)))
        wire = await foreign.wire()
        await wire.message(3)
        assert sorted(each.from_path[0] for each in wire.messages) == uris
        assert len(foreign.wires) == 1
        assert endpoint.metrics[Counter.REUSED] == 1
        await endpoint.close()
        foreign.server.close()

    in_loop(scenario())


def test_nobody_listens_there(in_loop) -> None:
    async def scenario() -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            address = unused.getsockname()
        endpoint, told = MsrpEndpoint(Timeline()), Told()
        handle = endpoint.open(plan(Role.ACTIVE, connect_to=address), told)
        message = handle.post(b"hello", "text/plain")
        with pytest.raises(TransportFailed):
            await handle.ready
        assert handle.failed
        assert message.outcome.aborted
        assert [each[0] for each in told.news] == ["sent", "failed"]
        await endpoint.close()

    in_loop(scenario())


def test_both_ends_ours_in_both_directions(in_loop) -> None:
    async def scenario() -> None:
        here, there = MsrpEndpoint(Timeline()), MsrpEndpoint(Timeline())
        address = await there.listen("::1")
        alice, bob = Told(), Told()
        far = there.open(plan(), bob)
        near = here.open(plan(Role.ACTIVE, ALICE, BOB, connect_to=address), alice)
        body = bytes(range(256)) * 4000
        outcomes = await asyncio.gather(
            near.send(body, "image/png"), far.send(body, "image/png", SendOptions(chunk_octets=None)),
            near.send(b"short", "text/plain"),
        )  # fmt: skip
        assert [outcome.status for outcome in outcomes] == [200] * 3
        assert sorted(len(each.content.read()) for each in bob.messages) == [5, len(body)]
        assert [each.content.read() == body for each in alice.messages] == [True]
        await asyncio.gather(here.close(), there.close())

    in_loop(scenario())


# -- large content


def test_large_content_goes_through_files_and_not_through_memory(in_loop, tmp_path: Path) -> None:
    async def scenario() -> None:
        here, there = MsrpEndpoint(Timeline()), MsrpEndpoint(Timeline(), memory_octets=1000, folder=tmp_path)
        address = await there.listen("127.0.0.1")
        bob = Told()
        there.open(plan(), bob)
        near = here.open(plan(Role.ACTIVE, ALICE, BOB, connect_to=address))
        body = bytes(range(256)) * 8000
        file = tmp_path / "content"
        file.write_bytes(body)
        with file.open("rb") as opened:
            opened.seek(256)
            outcomes = [
                await near.send(file, "image/png", SendOptions(chunk_octets=100_000)),
                await near.send(opened, "image/png", SendOptions(chunk_octets=300_000)),
                await near.send(iter([body[:10], body[10:]]), "image/png"),
                await near.send(io.BytesIO(b"small"), "image/png"),
            ]
        assert [outcome.status for outcome in outcomes] == [200] * 4
        received = [each.content for each in bob.messages]
        assert [each.in_file for each in received] == [True, True, True, False]
        assert [each.read() for each in received] == [body, body[256:], body, b"small"]
        assert (received[0].size, received[0].read(256, 2)) == (len(body), b"\x00\x01")
        await asyncio.gather(here.close(), there.close())

    in_loop(scenario())
    assert [each.name for each in tmp_path.iterdir()] == ["content"]


def test_a_position_no_file_can_have_is_refused(in_loop, tmp_path: Path) -> None:
    async def scenario() -> None:
        endpoint = MsrpEndpoint(Timeline(), memory_octets=10, folder=tmp_path)
        wire = await wire_to(await endpoint.listen("127.0.0.1"))
        endpoint.open(plan())
        wire.transport.write(octets_of("Byte-Range: 9000000000000000000-*/*", body=bytes(50), flag="+"))
        answer = await wire.message(1)
        assert (answer.status, answer.comment) == (413, "Cannot Be Stored")
        await endpoint.close()

    in_loop(scenario())


def test_a_sender_follows_what_the_other_end_takes(in_loop) -> None:
    class Endless:
        size = None
        given = 0

        def read(self, octets: int) -> bytes:
            self.given += octets
            return bytes(octets)

    async def scenario() -> None:
        foreign, endpoint = Foreign(), MsrpEndpoint(Timeline())
        address = await foreign.listen()
        handle = endpoint.open(plan(Role.ACTIVE, connect_to=address))
        wire = await foreign.wire()
        await wire.message(1)
        wire.transport.pause_reading()
        source, room = Endless(), Room(handle)
        options = SendOptions(chunk_octets=None, failure_report=Report.NO)
        handle.session.send(source, "image/png", options)
        handle.flush()
        await room.gone()
        before = source.given
        handle.flush()
        assert source.given == before
        assert source.given < 32 * 1024 * 1024
        assert handle.line.connection.backlog < 2 * 1024 * 1024
        wire.transport.resume_reading()
        await wire.until(lambda: len(wire.got) > before)
        assert source.given > before
        wire.transport.abort()
        await endpoint.close()
        foreign.server.close()

    in_loop(scenario())


def test_a_reader_that_takes_nothing_is_given_up(in_loop, clock, watch) -> None:
    async def scenario() -> None:
        timeline = Timeline()
        foreign = Foreign()
        endpoint = MsrpEndpoint(timeline, scheduler=clock, clock=lambda: clock.now)
        handle = endpoint.open(plan(Role.ACTIVE, connect_to=await foreign.listen()), told := Told())
        wire = await foreign.wire()
        await wire.message(1)
        wire.transport.pause_reading()
        room = Room(handle)
        handle.post(bytes(20_000_000), "image/png", SendOptions(chunk_octets=None))
        await room.gone()
        clock.advance(31)  # the kernel may have taken some for the other end: another 30 s then
        clock.advance(31)
        await told.until(lambda: [each for each in told.news if each[0] == "failed"])
        await watch(timeline).event("nothing of what is sent was taken for 30 s")
        assert endpoint.metrics[Counter.SLOW_READER] == 1
        wire.transport.abort()
        await endpoint.close()
        foreign.server.close()

    in_loop(scenario())


def test_the_30_seconds_begin_when_the_last_octet_has_left(in_loop, clock) -> None:
    async def scenario() -> None:
        limits = ConnectionLimits(drain_seconds=300)
        foreign, endpoint = (
            Foreign(),
            MsrpEndpoint(Timeline(), connection_limits=limits, scheduler=clock, clock=lambda: clock.now),
        )
        handle = endpoint.open(plan(Role.ACTIVE, connect_to=await foreign.listen()))
        wire = await foreign.wire()
        wire.transport.write(answer_to(await wire.message(1)))
        wire.transport.pause_reading()
        body, whole, room = bytes(250_000), SendOptions(chunk_octets=None), Room(handle)
        messages = [handle.post(body, "image/png", whole) for _ in range(60)]
        await room.gone()
        assert handle.line.connection.backlog
        clock.advance(45)
        assert [message.outcome for message in messages] == [None] * 60
        wire.transport.resume_reading()
        await wire.message(61)
        assert handle.line.connection.backlog == 0
        clock.advance(45)
        assert {message.outcome.status for message in messages} == {408}
        await endpoint.close()
        foreign.server.close()

    in_loop(scenario())


# -- failures


def test_no_answer_within_30_seconds_is_told(in_loop, clock) -> None:
    async def scenario() -> None:
        endpoint = MsrpEndpoint(Timeline(), scheduler=clock, clock=lambda: clock.now)
        wire = await wire_to(await endpoint.listen("127.0.0.1"))
        handle = endpoint.open(plan())
        wire.transport.write(octets_of())
        await handle.ready
        clock.advance(7)
        sending = asyncio.ensure_future(handle.send(b"hello", "text/plain"))
        await wire.message(2)
        clock.advance(29.5)
        assert not sending.done()
        clock.advance(0.5)
        assert await sending == Outcome(408, "Timeout", 5)
        assert [each for each in clock.handles if each.when < 7000] == []
        await endpoint.close()

    in_loop(scenario())


def test_a_reset_in_mid_message_is_an_event_and_fails_what_is_under_way(in_loop, watch) -> None:
    async def scenario() -> None:
        timeline, told = Timeline(), Told()
        endpoint = MsrpEndpoint(timeline)
        wire = await wire_to(await endpoint.listen("127.0.0.1"))
        handle = endpoint.open(plan(), told)
        wire.transport.write(octets_of("Byte-Range: 1-2/9", body=b"ab", flag="+") + octets_of(body=b"x")[:-4])
        await wire.message(1)
        sending = asyncio.ensure_future(handle.send(b"hello", "text/plain"))
        await wire.message(2)
        raw = wire.transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        wire.transport.abort()
        outcome = await sending
        assert (outcome.aborted, "reset" in outcome.comment) == (True, True)
        assert [each[0] for each in told.news] == ["progress", "lost", "sent", "failed"]
        await watch(timeline).event("in the middle of a message")
        assert (endpoint.metrics[Counter.CUT], endpoint.metrics[Counter.RESET]) == (1, 1)
        with pytest.raises(UsageError):
            handle.post(b"x", "text/plain")
        await endpoint.close()

    in_loop(scenario())


def test_cancelling_the_wait_aborts_the_message(in_loop) -> None:
    async def scenario() -> None:
        endpoint = MsrpEndpoint(Timeline())
        wire = await wire_to(await endpoint.listen("127.0.0.1"))
        handle = endpoint.open(plan())
        wire.transport.write(octets_of())
        await handle.ready
        source = iter([bytes(3000), bytes(10**7)])
        sending = asyncio.ensure_future(handle.send(source, "image/png"))
        await wire.message(2)
        sending.cancel()
        await wire.until(lambda: wire.messages[-1].flag == "#")
        with pytest.raises(asyncio.CancelledError):
            await sending
        await endpoint.close()

    in_loop(scenario())


@pytest.mark.parametrize("uri", ["sip:bob@example.com", "msrp://127.0.0.1:9;tcp"])
def test_a_session_without_a_session_id_is_not_opened(in_loop, uri) -> None:
    async def scenario() -> None:
        endpoint = MsrpEndpoint(Timeline())
        with pytest.raises(UsageError):
            endpoint.open(plan(own=uri))
        handle = endpoint.open(plan())
        with pytest.raises(UsageError):
            endpoint.open(plan())
        await endpoint.close()
        with pytest.raises(TransportFailed):
            await handle.ready

    in_loop(scenario())


# -- TLS


def fingerprint(file: Path):
    certificate = x509.load_pem_x509_certificate(file.read_bytes())
    return certificate_fingerprint(certificate.public_bytes(Encoding.DER))


@pytest.mark.parametrize("who_is_wrong", [None, "server", "client"])
def test_over_tls_the_fingerprints_of_the_sdp_decide(in_loop, authority, who_is_wrong) -> None:
    async def scenario() -> None:
        served, shown = (
            TlsSettings(*authority.issue(name, self_signed=True)) for name in ("peer", "handset")
        )
        timeline = Timeline()
        here, there = MsrpEndpoint(Timeline(), tls=shown), MsrpEndpoint(timeline, tls=served)
        alice = Told()
        address = await there.listen_tls("127.0.0.1")
        of_server, of_client = fingerprint(served.certificate), fingerprint(shown.certificate)
        own, remote = (each.replace("msrp:", "msrps:") for each in (ALICE, BOB))
        bob = Told()
        there.open(
            plan(
                own=remote,
                remote=own,
                tls=True,
                fingerprints=(of_client if who_is_wrong != "client" else of_server,),
            ),
            bob,
        )
        near = here.open(plan(
            Role.ACTIVE, own, remote, connect_to=address, tls=True,
            fingerprints=(of_server if who_is_wrong != "server" else of_client,),
        ), alice)  # fmt: skip
        if who_is_wrong == "server":
            with pytest.raises(TransportFailed, match="none of the fingerprints"):
                await near.ready
        else:
            await near.ready
            outcome = await near.send(b"secret words", "text/plain")
            assert outcome.status == (403 if who_is_wrong == "client" else 200)
        if who_is_wrong == "client":  # RFC 8122 6.2: the server ends the connection
            await alice.until(lambda: near.failed)
        assert [each.content.read() for each in bob.messages] == ([] if who_is_wrong else [b"secret words"])
        await asyncio.gather(here.close(), there.close())

    in_loop(scenario())


def test_a_session_negotiated_with_tls_is_not_taken_without(in_loop) -> None:
    async def scenario() -> None:
        timeline = Timeline()
        endpoint = MsrpEndpoint(timeline)
        wire = await wire_to(await endpoint.listen("127.0.0.1"))
        endpoint.open(plan(tls=True))
        wire.transport.write(octets_of())
        assert (await wire.message(1)).status == 403
        assert "session-refused" in [each.name for each in timeline if isinstance(each, Event)]
        await endpoint.close()

    in_loop(scenario())
