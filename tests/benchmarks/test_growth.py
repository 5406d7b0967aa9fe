"""How figures grow: the table of a page, and the handsets that register for it."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator

import pytest

from benchmarks.child_process import ChildProcess
from benchmarks.frame import CannotRun, Row
from benchmarks.growth import Step, as_growth
from benchmarks.handsets import AT_ONCE, Handset, allow_files, register_together, registered, users
from benchmarks.msrp_throughput import transfer

ANSWERED = b"SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture
def line() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A handset's connection, and the far end of it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        near = socket.create_connection(server.getsockname())
        far, _ = server.accept()
        with near, far:
            near.settimeout(10)
            far.settimeout(10)
            yield near, far


def test_a_line_for_each_figure_the_loops_side_by_side() -> None:
    rows = [
        Step("memory", "MB", 53.2, count=1, loop="asyncio"),
        Step("memory", "MB", 1552.0, count=1000, loop="asyncio"),
        Step("memory", "MB", 55.0, count=1, loop="uvloop"),
        Step("memory", "MB", 1600.0, count=1000, loop="uvloop"),
        Step("one takes", "µs", 300.0, count=10, loop="uvloop"),
        Row("growth", "", None, note="not run: SIPp is not installed"),
    ]
    lines = as_growth(rows).splitlines()
    assert lines[:4] == [
        "|  | 1 | 10 | 1,000 |",
        "| --- | --- | --- | --- |",
        "| memory, asyncio / uvloop | 53 / 55 MB |  | 1,552 / 1,600 MB |",
        "| one takes, asyncio / uvloop |  | - / 300 µs |  |",
    ]
    assert "growth: not run: SIPp is not installed" in lines


def test_a_refresh_is_the_same_registration_with_the_next_number(line) -> None:
    near, far = line
    handset = Handset("+491700000001", near)
    sent = []
    for _ in range(2):
        far.sendall(ANSWERED)
        handset.register()
        sent.append(dict(field.split(b": ", 1) for field in far.recv(4096).split(b"\r\n")[1:] if field))
    first, second = sent
    assert [each.pop(b"CSeq") for each in sent] == [b"1 REGISTER", b"2 REGISTER"]
    assert first.pop(b"Via") != second.pop(b"Via")
    assert first == second


def test_an_answer_may_come_in_parts(line) -> None:
    near, far = line
    far.sendall(ANSWERED[:20])
    handset = Handset("+491700000001", near)
    handset.ask()
    far.sendall(ANSWERED[20:])
    handset.registered()


def test_a_registration_that_is_refused_is_no_figure(line) -> None:
    near, far = line
    far.sendall(ANSWERED.replace(b"200 OK", b"403 Forbidden"))
    with pytest.raises(RuntimeError, match="403"):
        Handset("+491700000001", near).register()


def test_a_connection_that_ends_is_no_figure(line) -> None:
    near, far = line
    far.sendall(ANSWERED[:20])
    far.shutdown(socket.SHUT_WR)
    with pytest.raises(RuntimeError, match="closed"):
        Handset("+491700000001", near).register()


def test_handsets_that_register_together_ask_before_they_wait() -> None:
    order: list[str] = []

    class Watched(Handset):
        def ask(self) -> None:
            order.append(f"ask {self.number}")

        def registered(self) -> None:
            order.append(f"registered {self.number}")

    with socket.socket() as unused:
        register_together([Watched(number, unused) for number in "ab"])
    assert order == ["ask a", "ask b", "registered a", "registered b"]


@pytest.mark.parametrize(("transport", "lines"), [("UDP", 1), ("TCP", AT_ONCE + 1)])
def test_each_handset_has_a_connection_of_its_own_over_tcp(transport: str, lines: int) -> None:
    numbers = users(AT_ONCE + 1)
    with (
        ChildProcess("benchmarks.responders", "peer") as peer,
        registered(peer.ready[transport.lower()], numbers, transport) as held,
    ):
        held[-1].register()
        assert [handset.number for handset in held] == numbers
        assert len({handset.line for handset in held}) == lines


def test_more_files_than_the_system_allows_cannot_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 4096))
    with pytest.raises(CannotRun, match=r"10,200 open files are needed, 4,096 are allowed"):
        allow_files(10_000)


def test_files_that_are_allowed_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 20_000))
    monkeypatch.setattr(resource, "setrlimit", lambda _, wanted: asked.append(wanted))
    allow_files(500)
    assert not asked
    allow_files(10_000)
    assert asked == [(10_200, 20_000)]


def test_what_several_sessions_send_at_once_counts_together() -> None:
    """Both ends in processes of their own: every message of every session came, in its length."""
    seen = transfer("", "asyncio", 2048, 5000, 2, sessions=3, each=2)
    assert seen.rate > 0
    assert seen.memory > 0
