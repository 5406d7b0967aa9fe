"""The VISA session over real pyvisa, against instruments that misbehave in every way seen."""

from __future__ import annotations

import contextlib
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.errors import InstrumentLost, InstrumentRefused
from harness.evidence.timeline import Event, Timeline
from instruments import visa
from instruments.visa import VisaSession

NO_ERROR = b'0,"No error"\n'
IDN = b"test,box,0,0\n"


class ScriptedInstrument:
    """A raw socket instrument; `answer` gives the octets for a line, None for silence, b"" to hang up."""

    def __init__(self, answer: Callable[[str], bytes | None]) -> None:
        self.lines: list[str] = []
        self.connections: list[socket.socket] = []
        self._answer = answer
        self._server = socket.create_server(("127.0.0.1", 0))
        self.resource = f"TCPIP::127.0.0.1::{self._server.getsockname()[1]}::SOCKET"
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection, connection.makefile("rb") as stream:
            for line in stream:
                self.lines.append(line.decode().rstrip("\n"))
                answer = self._answer(self.lines[-1])
                if answer == b"":
                    return
                if answer is not None:
                    connection.sendall(answer)
                    if not answer.endswith(b"\n"):
                        return

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()


@pytest.fixture
def instrument() -> Iterator[Callable[..., ScriptedInstrument]]:
    made: list[ScriptedInstrument] = []

    def make(**answers: bytes | None) -> ScriptedInstrument:
        def answer(line: str) -> bytes | None:
            if line == "*IDN?":
                return answers.get("identity", IDN)
            if line == "SYSTem:ERRor?":
                return answers.get("error", NO_ERROR)
            return answers.get(line.rstrip("?").lower())

        made.append(ScriptedInstrument(answer))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_a_refused_port_is_lost_when_opened(timeline: Timeline) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    session = VisaSession(f"TCPIP::127.0.0.1::{port}::SOCKET", timeline, timeout=1)
    with pytest.raises(InstrumentLost) as lost:
        session.open()
    assert lost.value.address == session.resource
    assert "lab.yaml" in lost.value.remedy


def test_a_refused_hislip_port_is_lost_when_opened(timeline: Timeline) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(InstrumentLost):
        VisaSession(f"TCPIP::127.0.0.1::hislip0,{port}::INSTR", timeline, timeout=1).open()


@pytest.mark.parametrize("kind", ["{}::SOCKET", "hislip0,{}::INSTR"])
def test_a_port_that_never_answers_is_lost_at_the_deadline(timeline: Timeline, kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        resource = "TCPIP::127.0.0.1::" + kind.format(server.getsockname()[1])
        start = time.monotonic()
        with pytest.raises(InstrumentLost, match="silence"):
            VisaSession(resource, timeline, timeout=0.2).open()
        assert time.monotonic() - start < 1.5


def test_nonsense_for_a_resource_is_lost(timeline: Timeline) -> None:
    with pytest.raises(InstrumentLost, match="NONSENSE"):
        VisaSession("NONSENSE", timeline).open()


def test_an_unknown_backend_is_lost_with_its_name(timeline: Timeline) -> None:
    with pytest.raises(InstrumentLost, match="nosuch"):
        VisaSession("TCPIP::127.0.0.1::1::SOCKET", timeline, backend="@nosuch").open()


def test_silence_with_an_empty_queue_is_lost_and_the_next_query_works(
    instrument: Callable[..., ScriptedInstrument], timeline: Timeline
) -> None:
    box = instrument(silent=None, good=b"yes\n")
    with VisaSession(box.resource, timeline, timeout=0.1) as session:
        with pytest.raises(InstrumentLost, match=r"a reply to SILENT\? within 0.1 s"):
            session.query("SILENT?")
        assert session.query("GOOD?") == "yes"
    assert len(box.connections) == 2


def test_silence_with_a_queued_error_is_refused_with_its_text(
    instrument: Callable[..., ScriptedInstrument], timeline: Timeline
) -> None:
    errors = iter([b'-113,"Undefined header"\n', b'0,"No error"\n'])
    box = ScriptedInstrument(
        lambda line: IDN if line == "*IDN?" else next(errors) if line == "SYSTem:ERRor?" else None
    )
    with (
        VisaSession(box.resource, timeline, timeout=0.1) as session,
        pytest.raises(InstrumentRefused, match='-113,"Undefined header"'),
    ):
        session.query("NOSUCH?")
    box.close()


def test_a_late_answer_is_not_given_to_the_next_query(timeline: Timeline) -> None:
    released = threading.Event()

    def answer(line: str) -> bytes | None:
        if line == "SLOW?":
            released.wait(5)
            return b"late\n"
        return {"*IDN?": IDN, "SYSTem:ERRor?": b'0,"No error"\n'}.get(line, b"right\n")

    box = ScriptedInstrument(answer)
    with VisaSession(box.resource, timeline, timeout=0.1) as session:
        with pytest.raises(InstrumentLost):
            session.query("SLOW?")
        released.set()
        assert [session.query("OTHER?") for _ in range(5)] == ["right"] * 5
    box.close()


class Interrupted(BaseException):
    """As a handler of Ctrl-C raises it."""


@contextlib.contextmanager
def interrupted_after(seconds: float) -> Iterator[None]:
    def raise_it(number: int, frame: object) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGALRM, raise_it)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("act", [lambda s: s.query("SLOW?", 300), lambda s: s.command("START", 300)])
def test_a_signal_ends_a_long_exchange_at_once_and_its_answer_goes_to_nobody(
    timeline: Timeline, act: Callable[[VisaSession], object]
) -> None:
    released = threading.Event()

    def answer(line: str) -> bytes | None:
        if line in ("SLOW?", "SYSTem:ERRor?"):
            released.wait(5)
            return b"late\n"
        return {"*IDN?": IDN, "START": None}.get(line, b"right\n")

    box = ScriptedInstrument(answer)
    with VisaSession(box.resource, timeline, timeout=2) as session:
        began = time.monotonic()
        with interrupted_after(0.1), pytest.raises(Interrupted):
            act(session)
        assert time.monotonic() - began < 2
        released.set()
        assert [session.query("OTHER?") for _ in range(3)] == ["right"] * 3
    box.close()


def test_closing_does_not_wait_for_an_instrument_that_is_silent(
    timeline: Timeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visa, "CLOSE_SECONDS", 0.05)
    asked, released = threading.Event(), threading.Event()

    class Link:
        def close(self) -> None:
            asked.set()
            released.wait(20)

    session = VisaSession("TCPIP::127.0.0.1::1::SOCKET", timeline)
    session._link = Link()  # type: ignore[assignment]
    began = time.monotonic()
    session.close()
    assert asked.is_set() and time.monotonic() - began < 10
    released.set()


def test_a_long_wait_tells_that_it_goes_on(timeline: Timeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visa, "PROGRESS_SECONDS", 0.05)
    told = threading.Event()

    def answer(line: str) -> bytes | None:
        if line == "SLOW?":
            told.wait(5)
        return {"*IDN?": IDN}.get(line, b"done\n")

    box = ScriptedInstrument(answer)
    timeline.listen(
        lambda entry: told.set() if isinstance(entry, Event) and entry.name == visa.WAITING else None
    )
    with VisaSession(box.resource, timeline, timeout=2) as session:
        assert session.query("SLOW?", 300) == "done"
    waits = [entry.text for entry in timeline if isinstance(entry, Event) and entry.name == visa.WAITING]
    assert waits and waits[0].startswith("no reply yet, 300 s left")
    box.close()


@pytest.mark.parametrize("half", [b"", b"half a rep"])
def test_closed_in_mid_reply_is_lost_at_once_and_without_load(
    instrument: Callable[..., ScriptedInstrument], timeline: Timeline, half: bytes
) -> None:
    box = instrument(cut=half)
    with VisaSession(box.resource, timeline, timeout=5) as session:
        start, load = time.monotonic(), time.process_time()
        with pytest.raises(InstrumentLost, match="closed the connection"):
            session.query("CUT?")
        assert time.monotonic() - start < 1
        assert time.process_time() - load < 0.5
        assert session.query("*IDN?") == "test,box,0,0"


def test_closed_between_queries_is_lost_then_opened_again(
    instrument: Callable[..., ScriptedInstrument], timeline: Timeline
) -> None:
    box = instrument(good=b"yes\n")
    with VisaSession(box.resource, timeline, timeout=2) as session:
        box.connections[0].shutdown(socket.SHUT_RDWR)
        with pytest.raises(InstrumentLost):
            session.query("GOOD?")
        assert session.query("GOOD?") == "yes"
    assert any(isinstance(e, Event) and e.name == "lost" for e in timeline)


def test_a_reply_in_pieces_and_a_long_one(
    instrument: Callable[..., ScriptedInstrument], timeline: Timeline
) -> None:
    long = b"x" * 300_000
    box = instrument(long=long + b"\n")
    with VisaSession(box.resource, timeline, timeout=5) as session:
        assert session.query("LONG?").encode() == long


def test_a_reply_without_end_is_given_up_before_it_fills_the_memory(
    instrument: Callable[..., ScriptedInstrument], timeline: Timeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("instruments.visa.REPLY_OCTETS", 10_000)
    box = instrument(endless=b"x" * 300_000)
    with (
        VisaSession(box.resource, timeline, timeout=5) as session,
        pytest.raises(InstrumentLost, match="a reply of more than 10000 octets"),
    ):
        session.query("ENDLESS?")


def test_what_nobody_asked_for_is_not_taken_for_an_answer(
    instrument: Callable[..., ScriptedInstrument], timeline: Timeline
) -> None:
    box = instrument(good=b"yes\n", twice=b"one\ntwo\n")
    with VisaSession(box.resource, timeline, timeout=1) as session:
        assert session.query("TWICE?") == "one"
        with pytest.raises(InstrumentLost, match="nobody asked for"):
            session.query("GOOD?")
        assert session.query("GOOD?") == "yes"


def test_a_command_reads_the_error_queue(
    instrument: Callable[..., ScriptedInstrument], timeline: Timeline
) -> None:
    box = instrument()
    with VisaSession(box.resource, timeline) as session:
        session.command("DO:IT ON")
    assert box.lines == ["*IDN?", "DO:IT ON", "SYSTem:ERRor?"]


def test_every_error_of_the_queue_is_told_and_none_is_left_for_the_next_command(timeline: Timeline) -> None:
    errors = iter([b'-222,"Data out of range"\n', b'-221,"Settings conflict"\n'])
    box = ScriptedInstrument(
        lambda line: IDN if line == "*IDN?" else next(errors, NO_ERROR) if line == "SYSTem:ERRor?" else None
    )
    with VisaSession(box.resource, timeline) as session:
        with pytest.raises(InstrumentRefused, match=r"-222,.*; -221,"):
            session.command("DO:IT TWICE")
        session.command("DO:IT ON")
    box.close()


@pytest.mark.parametrize("kind", ["visa_socket", "visa_hislip"])
class TestSimulatedBox:
    def test_threads_share_a_session_and_get_their_own_answers(
        self, box, timeline: Timeline, kind: str
    ) -> None:  # type: ignore[no-untyped-def]
        replies = {"*OPC?": "1", "SYSTem:VERSion?": "1999.0", "CONFigure:LTE:SIGN:CELL:MNC:DIGits?": "TWO"}
        with VisaSession(box.addresses[kind], timeline) as session, ThreadPoolExecutor() as pool:

            def ask(text: str) -> set[str]:
                return {session.query(text) for _ in range(60)}

            assert dict(zip(replies, pool.map(ask, replies), strict=True)) == {
                text: {reply} for text, reply in replies.items()
            }

    def test_several_sessions_at_once(self, box, timeline: Timeline, kind: str) -> None:  # type: ignore[no-untyped-def]
        with (
            VisaSession(box.addresses[kind], timeline) as one,
            VisaSession(box.addresses[kind], timeline) as two,
        ):
            one.command("CONF:LTE:SIGN:CELL:TAC 77")
            assert two.query("CONF:LTE:SIGN:CELL:TAC?") == "77"
            assert one.query("CONF:LTE:SIGN:CELL:TAC?") == "77"

    def test_an_unknown_query_is_refused_and_the_session_goes_on(
        self, box, timeline: Timeline, kind: str
    ) -> None:  # type: ignore[no-untyped-def]
        with VisaSession(box.addresses[kind], timeline, timeout=0.3) as session:
            with pytest.raises(InstrumentRefused, match="Undefined header"):
                session.query("NO:SUCH:THING?")
            assert session.query("*OPC?") == "1"

    def test_an_overlong_command_is_refused(self, box, timeline: Timeline, kind: str) -> None:  # type: ignore[no-untyped-def]
        with VisaSession(box.addresses[kind], timeline, timeout=2) as session:
            with pytest.raises(InstrumentRefused, match="-363"):
                session.command("X" * 600_000)
            assert session.query("*OPC?") == "1"

    def test_a_write_and_a_query_cost_no_delayed_acknowledgement(
        self, box, timeline: Timeline, kind: str
    ) -> None:  # type: ignore[no-untyped-def]
        with VisaSession(box.addresses[kind], timeline) as session:
            start = time.monotonic()
            for _ in range(20):
                session.command("*CLS")
            assert time.monotonic() - start < 20 * 0.03

    def test_the_box_going_away_is_lost(self, box, timeline: Timeline, kind: str) -> None:  # type: ignore[no-untyped-def]
        with VisaSession(box.addresses[kind], timeline, timeout=2) as session:
            box.run(box.simulator.close())
            for _ in range(2):
                with pytest.raises(InstrumentLost):
                    session.query("*OPC?")


def test_a_hislip_instrument_that_drips_is_lost_at_the_deadline(timeline: Timeline) -> None:
    """Each piece comes in time, the whole does not: the library's own timeout would never end it."""
    header = struct.Struct("!2sBBIQ")
    stop = threading.Event()

    def receive(connection: socket.socket) -> tuple[int, int]:
        _, kind, _, parameter, length = header.unpack(connection.recv(header.size, socket.MSG_WAITALL))
        connection.recv(length, socket.MSG_WAITALL) if length else b""
        return kind, parameter

    def serve(server: socket.socket) -> None:
        synchronous, _ = server.accept()
        receive(synchronous)
        synchronous.sendall(header.pack(b"HS", 1, 0, 0x0100_0001, 0))
        asynchronous, _ = server.accept()
        receive(asynchronous)
        asynchronous.sendall(header.pack(b"HS", 18, 0, 0, 0))
        receive(asynchronous)
        asynchronous.sendall(header.pack(b"HS", 16, 0, 0, 8) + (1 << 20).to_bytes(8, "big"))
        _, message_id = receive(synchronous)
        synchronous.sendall(header.pack(b"HS", 7, 0, message_id, 1000))
        try:
            while not stop.wait(0.05):
                synchronous.sendall(b"x")
        except OSError:
            pass
        finally:
            synchronous.close()
            asynchronous.close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, args=(server,), daemon=True)
        thread.start()
        resource = f"TCPIP::127.0.0.1::hislip0,{server.getsockname()[1]}::INSTR"
        start = time.monotonic()
        with pytest.raises(InstrumentLost):
            VisaSession(resource, timeline, timeout=0.4).open()
        assert time.monotonic() - start < 2
        stop.set()
        thread.join(5)
