"""The modem driver over the simulated modem, and over a scripted pty for what a good modem never does."""

from __future__ import annotations

import asyncio
import os
import select
import socket
import termios
import threading
import tty
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from devices.modem import (
    AtError,
    ImsRegistration,
    Modem,
    Registration,
    RegistrationState,
    Signal,
    luhn_holds,
    parse_address,
)
from devices.simulated.baseband import Baseband, Cell, Identity, Pdn
from devices.simulated.modem import SimulatedModem
from harness.errors import NotSeen, SerialPortLost
from harness.evidence.timeline import Event, Layer, Timeline

HOME = Cell("001", "01", 0xABC, 0x101, -85.0)
PDN = Pdn("ims", "127.0.0.2", ("127.0.0.1", "::1"), "::1")


class RunningModem:
    """A simulated modem and its baseband in a loop of their own."""

    def __init__(self, path: Path, identity: Identity | None = None) -> None:
        self.path = path
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.baseband = Baseband(identity)
        self.plug()

    def plug(self) -> None:
        self._modem = SimulatedModem(self.baseband, self.path)
        self.call(self._modem.start)

    def unplug(self) -> None:
        self.call(self._modem.close)

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        async def run() -> Any:
            return function(*arguments)

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(5)

    def register(self) -> None:
        self.call(self.baseband.heard, HOME)
        self.call(self.baseband.attached, PDN)

    def close(self) -> None:
        self.unplug()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()


@pytest.fixture
def timeline() -> Timeline:
    return Timeline()


@pytest.fixture
def handset(tmp_path: Path) -> Iterator[RunningModem]:
    running = RunningModem(tmp_path / "ttyLAB0")
    yield running
    running.close()


@pytest.fixture
def modem(handset: RunningModem, timeline: Timeline) -> Iterator[Modem]:
    with Modem(str(handset.path), timeline) as modem:
        yield modem


def at_events(timeline: Timeline, name: str) -> list[Event]:
    return [e for e in timeline if isinstance(e, Event) and e.layer is Layer.AT and e.name == name]


class TestSimulatedModem:
    def test_identities(self, modem: Modem) -> None:
        assert modem.imei() == "490154203237518"
        assert modem.imsi() == "001010123456789"
        assert modem.sim_state() == "READY"
        assert "Model: Simulated Handset" in modem.command("ATI")

    def test_not_registered(self, modem: Modem) -> None:
        assert modem.registration() == Registration(RegistrationState.SEARCHING)
        assert modem.ims_registration() == ImsRegistration(registered=False)
        assert modem.signal() == Signal(None, None)
        assert modem.operator() is None
        assert modem.pcscf() == []

    def test_registered(self, modem: Modem, handset: RunningModem) -> None:
        handset.register()
        handset.call(setattr, handset.baseband, "ims_registered", True)
        assert modem.registration() == Registration(RegistrationState.HOME, 0xABC, 0x101, 7)
        assert modem.ims_registration() == ImsRegistration(registered=True, services=4)
        assert modem.signal() == Signal(-85.0, -10.0)
        assert modem.operator() == "00101"
        assert modem.pcscf() == ["127.0.0.1", "::1"]
        assert modem.addresses() == ["127.0.0.2", "::1"]

    def test_a_handset_that_roams_is_registered(self) -> None:
        registered = {state for state in RegistrationState if Registration(state).registered}
        assert registered == {RegistrationState.HOME, RegistrationState.ROAMING}

    def test_denied_carries_the_cause(self, modem: Modem, handset: RunningModem) -> None:
        handset.call(handset.baseband.heard, HOME)
        handset.call(handset.baseband.rejected, 11)
        assert modem.registration() == Registration(RegistrationState.DENIED, reject_cause=11)

    def test_functionality(self, modem: Modem, handset: RunningModem) -> None:
        assert modem.functionality(4) == 4
        assert handset.baseband.airplane
        assert modem.functionality(1) == 1

    def test_reports_are_awaited_by_prefix(
        self, modem: Modem, handset: RunningModem, timeline: Timeline
    ) -> None:
        modem.command("AT+CEREG=2")
        before = modem.last_report
        handset.register()
        assert modem.wait_urc("+CEREG:", 5, after=before) == '+CEREG: 1,"0ABC","00000101",7'
        (event,) = at_events(timeline, "urc")
        assert event.fields["line"] == '+CEREG: 1,"0ABC","00000101",7'

    def test_a_report_that_came_before_is_not_waited_for(self, modem: Modem, handset: RunningModem) -> None:
        modem.command("AT+CEREG=2")
        handset.register()
        modem.wait_urc("+CEREG:", 5, after=0)
        with pytest.raises(NotSeen, match=r"\+CEREG"):
            modem.wait_urc("+CEREG:", 0.01)

    def test_a_report_that_does_not_come_is_not_seen(self, modem: Modem) -> None:
        with pytest.raises(NotSeen, match=r"\+CIREGU"):
            modem.wait_urc("+CIREGU:", 0.01)

    def test_commands_are_on_the_timeline(self, modem: Modem, timeline: Timeline) -> None:
        modem.imei()
        event = at_events(timeline, "command")[-1]
        assert dict(event.fields) == {
            "port": modem.port,
            "command": "AT+CGSN",
            "lines": ["490154203237518"],
            "final": "OK",
        }

    def test_no_sim(self, modem: Modem, handset: RunningModem) -> None:
        handset.call(handset.baseband.set_sim_present, False)
        with pytest.raises(AtError, match=r"\+CME ERROR: 10"):
            modem.imsi()
        assert modem.imei() == "490154203237518"

    def test_a_second_opening_is_refused(self, modem: Modem, timeline: Timeline) -> None:
        with pytest.raises(SerialPortLost, match="exclusively lock"):
            Modem(modem.port, timeline).open()

    def test_threads_do_not_mix_up_answers(self, modem: Modem) -> None:
        wrong: list[str] = []

        def ask(command: str, answer: str) -> None:
            wrong.extend(str(got) for _ in range(30) if (got := modem.command(command)) != [answer])

        threads = [
            threading.Thread(target=ask, args=pair)
            for pair in (
                ("AT+CGSN", "490154203237518"),
                ("AT+CIMI", "001010123456789"),
                ("AT+CGMM", "Simulated Handset"),
            )
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []

    def test_unplugged_and_plugged_again(self, modem: Modem, handset: RunningModem) -> None:
        handset.unplug()
        with pytest.raises(SerialPortLost) as lost:
            modem.imei()
        assert (lost.value.address, lost.value.part) == (modem.port, "modem port")
        assert "cable" in lost.value.remedy
        assert not handset.path.is_symlink()
        with pytest.raises(SerialPortLost):
            modem.imei()
        handset.plug()
        assert modem.imei() == "490154203237518"

    def test_unplugging_ends_a_wait(self, modem: Modem, handset: RunningModem) -> None:
        waiting = threading.Timer(0, handset.unplug)
        waiting.start()
        with pytest.raises(SerialPortLost):
            modem.wait_urc("+NEVER:", 10)
        waiting.join()

    def test_reports_queued_while_the_port_was_closed_are_not_trusted(
        self, modem: Modem, handset: RunningModem
    ) -> None:
        modem.command("AT+CEREG=2")
        modem.close()
        handset.register()
        modem.open()
        with pytest.raises(NotSeen):
            modem.wait_urc("+CEREG:", 0.01, after=0)
        assert modem.registration().registered

    def test_the_terminal_is_raw_before_anybody_opens_it(self, handset: RunningModem) -> None:
        """A terminal that echoes would feed the modem's own reports back to it."""
        descriptor = os.open(handset.path, os.O_RDWR | os.O_NOCTTY)
        try:
            assert not termios.tcgetattr(descriptor)[3] & (termios.ECHO | termios.ICANON)
        finally:
            os.close(descriptor)

    def test_a_wrong_check_digit_is_refused(self, tmp_path: Path, timeline: Timeline) -> None:
        running = RunningModem(tmp_path / "tty", Identity(imei="490154203237519"))
        try:
            with Modem(str(running.path), timeline) as modem, pytest.raises(AtError, match="check digit"):
                modem.imei()
        finally:
            running.close()


class ScriptedModem:
    """A pty whose other end answers as told: a map from command to raw octets, or None for silence."""

    def __init__(self, answers: dict[str, bytes | None]) -> None:
        self.answers = dict.fromkeys(("AT", "ATE0", "ATV1", "ATQ0", "AT+CMEE=1"), b"\r\nOK\r\n")
        self.answers |= answers  # type: ignore[arg-type]
        self.commands: list[str] = []
        self.owed: tuple[bytes, float] | None = None
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.path = os.ttyname(self._slave)
        self._stop, self._stopped = os.pipe()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def say(self, data: bytes) -> None:
        os.write(self._master, data)

    def _serve(self) -> None:
        buffer = b""
        while True:
            ready, _, _ = select.select([self._master, self._stop], [], [])
            if self._stop in ready:
                return
            buffer += os.read(self._master, 4096)
            *lines, buffer = buffer.split(b"\r")
            for line in lines:
                command = line.decode()
                self.commands.append(command)
                if answer := self.answers.get(command):
                    self._answer(answer)

    def _answer(self, answer: bytes) -> None:
        """What is owed to an earlier command first, then the answer, `gap` seconds later."""
        owed, self.owed = self.owed, None
        if owed is None:
            self.say(answer)
            return
        self.say(owed[0])
        if owed[1]:
            timer = threading.Timer(owed[1], self.say, (answer,))
            timer.start()
            timer.join()
        else:
            self.say(answer)

    def close(self) -> None:
        os.close(self._stopped)
        self._thread.join(5)
        for descriptor in (self._master, self._slave, self._stop):
            os.close(descriptor)


Scripted = Callable[..., tuple[Modem, ScriptedModem]]


@pytest.fixture
def scripted(timeline: Timeline) -> Iterator[Scripted]:
    made: list[tuple[Modem, ScriptedModem]] = []

    def make(answers: dict[str, bytes | None], seconds: float = 1.0) -> tuple[Modem, ScriptedModem]:
        other = ScriptedModem(answers)
        made.append((Modem(other.path, timeline, default_seconds=seconds), other))
        made[-1][0].open()
        return made[-1]

    yield make
    for modem, other in made:
        modem.close()
        other.close()


class TestOddModems:
    def test_reports_between_answer_and_ok_are_kept_apart(self, scripted: Scripted) -> None:
        answer = b'\r\n+CEREG: 1,"0001","00000101",7\r\n\r\n+CEREG: 2,5,"0002","00000102",7\r\n'
        modem, _ = scripted(
            {"AT+CEREG=3": b"\r\nOK\r\n", "AT+CEREG?": answer + b"\r\n+CGEV: NW DETACH\r\n\r\nOK\r\n"}
        )
        assert modem.registration() == Registration(RegistrationState.ROAMING, 2, 0x102, 7)
        assert modem.wait_urc("+CEREG:", 1, after=0) == '+CEREG: 1,"0001","00000101",7'
        assert modem.wait_urc("+CGEV:", 1, after=0) == "+CGEV: NW DETACH"

    def test_a_report_is_no_line_of_an_answer_without_a_name(self, scripted: Scripted) -> None:
        modem, _ = scripted({"AT+CGSN": b"\r\n+CIREGU: 1\r\n\r\n490154203237518\r\n\r\nRING\r\n\r\nOK\r\n"})
        assert modem.imei() == "490154203237518"
        assert modem.wait_urc("+CIREGU:", 1, after=0) == "+CIREGU: 1"
        assert modem.wait_urc("RING", 1, after=0) == "RING"

    def test_echo_and_blanks_after_the_colon_do_not_matter(self, scripted: Scripted) -> None:
        modem, _ = scripted({"AT+CFUN?": b"AT+CFUN?\r\r\n+CFUN:1\r\n\r\nOK\r\n"})
        assert modem.functionality() == 1

    def test_a_mode_the_modem_has_not_is_replaced_by_the_next(self, scripted: Scripted) -> None:
        modem, _ = scripted(
            {
                "AT+CEREG=3": b"\r\n+CME ERROR: 50\r\n",
                "AT+CEREG=2": b"\r\nOK\r\n",
                "AT+CEREG?": b"\r\n+CEREG: 2,2\r\n\r\nOK\r\n",
            }
        )
        assert modem.registration().stat is RegistrationState.SEARCHING

    @pytest.mark.parametrize("gap", [0.0, 0.02])
    def test_a_late_answer_is_not_taken_for_the_next_one(self, scripted: Scripted, gap: float) -> None:
        """A modem works in order: what it owes comes first, whatever is asked next, perhaps with a gap."""
        modem, other = scripted({"AT+CGSN": None, "AT+CIMI": b"\r\n001010123456789\r\n\r\nOK\r\n"}, 0.3)
        with pytest.raises(SerialPortLost, match=r"a final result of AT\+CGSN within 0.05 s"):
            other.owed = (b"\r\n490154203237518\r\n\r\nOK\r\n", gap)
            modem.command("AT+CGSN", timeout=0.05)
        assert modem.imsi() == "001010123456789"

    def test_reports_from_before_the_first_answer_are_dropped(self, scripted: Scripted) -> None:
        modem, _ = scripted({"AT": b'\r\n+CEREG: 1,"0001","00000101",7\r\n\r\nOK\r\n'})
        with pytest.raises(NotSeen):
            modem.wait_urc("+CEREG:", 0.01, after=0)

    def test_a_silent_modem_is_lost_and_asked_three_times(self, timeline: Timeline) -> None:
        other = ScriptedModem({"AT": None})
        try:
            with pytest.raises(SerialPortLost, match="asked 3 times"):
                Modem(other.path, timeline).open()
            assert other.commands == ["AT"] * 3
        finally:
            other.close()

    @pytest.mark.parametrize(
        ("method", "command", "answer"),
        [
            ("imei", "AT+CGSN", b"\r\nOK\r\n"),
            ("imei", "AT+CGSN", b"\r\n12345\r\n\r\nOK\r\n"),
            ("imsi", "AT+CIMI", b"\r\nnone\r\n\r\nOK\r\n"),
            ("signal", "AT+CESQ", b"\r\n+CESQ: 1\r\n\r\nOK\r\n"),
            ("functionality", "AT+CFUN?", b"\r\n+CFUN: x\r\n\r\nOK\r\n"),
            ("pcscf", "AT+CGCONTRDP=1", b'\r\n+CGCONTRDP: 1,5,"a","b","c","d","e","f"\r\n\r\nOK\r\n'),
            ("sim_state", "AT+CPIN?", b"\r\nERROR\r\n"),
        ],
    )
    def test_nonsense_is_shown(self, scripted: Scripted, method: str, command: str, answer: bytes) -> None:
        modem, _ = scripted({command: answer})
        with pytest.raises(AtError) as error:
            getattr(modem, method)()
        assert error.value.command == command

    def test_deadlines_come_from_the_table(self, timeline: Timeline) -> None:
        modem = Modem("/dev/null", timeline)
        assert [modem._deadline_of(c) for c in ("AT+COPS=?", "AT+COPS=0", "AT+CFUN=1", "AT")] == [
            180,
            120,
            15,
            3,
        ]


def test_a_port_that_is_not_there(tmp_path: Path, timeline: Timeline) -> None:
    with pytest.raises(SerialPortLost, match="the port to open"):
        Modem(str(tmp_path / "nothing"), timeline).open()


def test_a_modem_behind_a_socket(timeline: Timeline) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        done = threading.Event()

        def serve() -> None:
            connection, _ = server.accept()
            with connection, connection.makefile("rwb", buffering=0) as stream:
                buffer = b""
                while data := stream.read(256):
                    *lines, buffer = (buffer + data).split(b"\r")
                    for line in lines:
                        stream.write(b"\r\n+CFUN: 1\r\n\r\nOK\r\n" if line == b"AT+CFUN?" else b"\r\nOK\r\n")
                    if b"AT+CFUN?" in lines:
                        break
            done.set()

        threading.Thread(target=serve, daemon=True).start()
        with Modem(f"socket://127.0.0.1:{server.getsockname()[1]}", timeline) as modem:
            assert modem.functionality() == 1
            assert done.wait(5)
            with pytest.raises(SerialPortLost):
                modem.wait_urc("+X:", 5)


def test_luhn() -> None:
    assert luhn_holds("490154203237518")
    assert not luhn_holds("490154203237581")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("32.1.13.184.0.0.0.0.0.0.0.0.0.0.0.1", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
    ],
)
def test_addresses(text: str, address: str) -> None:
    assert parse_address(text) == address
