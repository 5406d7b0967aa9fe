"""One handset through the adb server: shell, raw output, streams and states, each call with its own
deadline.

adbutils does the talking to the server. Its defaults are not used where they hurt a lab: 600 s timeouts per
read, sync without any, starting a server on the user's port, a connection that ends early taken for a full
answer.
"""

from __future__ import annotations

import shlex
import socket
import struct
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from devices.handset import ShellResult
from harness.errors import HandsetLost
from harness.evidence.timeline import Layer, Timeline

if TYPE_CHECKING:
    from adbutils import AdbClient, AdbConnection

T = TypeVar("T")
OUTPUT_KEPT = 2000
_FRAME = struct.Struct("<BI")
_STDOUT, _STDERR, _EXIT = 1, 2, 3
_EXIT_MARK = "RCSLAB-EXIT:"
_POLL = 0.05
_PROBE_SECONDS = 1.0
REQUEST_TIMEOUT = 10.0  # for requests to the server that name none
# What the adb server says, the state that means, and what a person can do.
_STATES = (
    ("unauthorized", "unauthorized", "unlock the handset and allow this computer (Allow USB debugging?)"),
    ("authorizing", "authorizing", "unlock the handset and allow this computer (Allow USB debugging?)"),
    ("offline", "offline", "replug the handset, or adb disconnect and connect it"),
    ("not found", "absent", "check cable, power, `adb connect` and the serial in lab.yaml"),
    ("still connecting", "connecting", "wait for the handset to answer, or replug it"),
    ("no permissions", "no permissions", "install the udev rules for the handset"),
)
_KNOWN_STATES = frozenset(state for _, state, _ in _STATES)


def lab_client(port: int, host: str = "127.0.0.1") -> AdbClient:
    """A client of a running adb server.

    It never starts a server, and asks the server's version only once.
    """
    import adbutils

    class Connection(adbutils.AdbConnection):  # type: ignore[misc]
        def _safe_connect(self) -> socket.socket:
            return self._create_socket()  # type: ignore[no-any-return]

    class Client(adbutils.AdbClient):  # type: ignore[misc]
        _version: int | None = None

        def make_connection(self, timeout: float | None = None) -> Any:
            connection = Connection(self.host, self.port)
            connection.conn.settimeout(timeout or REQUEST_TIMEOUT)
            return connection

        def server_version(self) -> int:
            if self._version is None:
                self._version = super().server_version()
            return self._version

    return Client(host=host, port=port)


class AdbTransportLink:
    """A handset by serial. `deadline` in seconds holds for every call that names no other"""

    def __init__(
        self, serial: str, client: AdbClient | int, timeline: Timeline, *, deadline: float = 10.0
    ) -> None:
        self.serial = serial
        self.deadline = deadline
        self.client: AdbClient = lab_client(client) if isinstance(client, int) else client
        self._timeline = timeline
        self._shell_v2: bool | None = None

    @property
    def where(self) -> str:
        """Serial and server, for messages."""
        return f"{self.serial} (adb server {self.client.host}:{self.client.port})"

    def run(
        self, command: str | Sequence[str], timeout: float | None = None, *, record: bool = True
    ) -> ShellResult:
        """Run a shell line and wait for its end.

        Raises HandsetLost; an exit code other than 0 is no error here.
        """
        line = command if isinstance(command, str) else shlex.join(command)
        limit = self.deadline if timeout is None else timeout
        until = time.monotonic() + limit
        if self._shell_v2 is None:
            self._shell_v2 = "shell_v2" in self._ask("features", until).split(",")
        run = self._run_v2 if self._shell_v2 else self._run_v1
        code, out, err = self.guarded(
            lambda: run(line, until), f"the end of `{line[:80]}` within {limit:g} s"
        )
        result = ShellResult(code, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))
        if record:
            output = (result.stdout + result.stderr)[:OUTPUT_KEPT]
            self._timeline.event(
                Layer.ADB, "shell", serial=self.serial, command=line, exit=code, output=output
            )
        return result

    def raw(self, command: str, timeout: float | None = None) -> bytes:
        """The octets a command writes (exec:).

        There is no exit code: the caller must check that they are complete.
        """
        limit = self.deadline if timeout is None else timeout
        until = time.monotonic() + limit

        def read() -> bytes:
            with Closing(self.open(f"exec:{command}", until)) as connection:
                parts: list[bytes] = []
                while part := _some(connection, 262144, until):
                    parts.append(part)
                return b"".join(parts)

        return self.guarded(read, f"the end of `{command[:80]}` within {limit:g} s")

    def stream(self, command: str) -> AdbConnection:
        """A running command whose output comes as octets; the caller closes the connection."""
        until = time.monotonic() + self.deadline
        return self.guarded(lambda: self.open(f"shell:{command}", until), f"`{command[:80]}` to start")

    def request_reboot(self) -> None:
        """Ask adbd to restart the handset."""
        until = time.monotonic() + self.deadline

        def ask() -> None:
            with Closing(self.open("reboot:", until)) as connection:
                _some(connection, 64, until)

        self.guarded(ask, "the handset to take reboot:")
        self._timeline.event(Layer.ADB, "reboot", serial=self.serial)

    def state(self) -> str:
        """device, offline, unauthorized, absent... Raises HandsetLost only when there is no adb server."""
        from adbutils import AdbError
        from adbutils.errors import AdbConnectionError, AdbTimeout

        until = time.monotonic() + self.deadline
        try:
            return self._ask_raw("get-state", until)
        except (AdbConnectionError, AdbTimeout, OSError) as error:
            raise self._server_lost(error) from None
        except AdbError as error:
            return _state_of(str(error))[0]

    def bus_path(self) -> str:
        """Where it is plugged in, as "usb:1-2"; empty for a handset that is reached by network.

        Raises HandsetLost.
        """
        path = self._ask("get-devpath", time.monotonic() + self.deadline)
        return "" if path == "unknown" else path

    def wait_state(self, wanted: Callable[[str], bool], expected: str, timeout: float) -> None:
        """Wait until the state is as wanted. Raises HandsetLost with the state at the end."""
        until = time.monotonic() + timeout
        while not wanted(state := self.state()):
            if time.monotonic() >= until:
                raise self._lost(expected, f"{state} for {timeout:g} s", _remedy_for(state))
            time.sleep(_POLL)

    def reconnect(self, timeout: float) -> None:
        """Bring the handset back: a network one is disconnected and connected anew, any is awaited as
        `device`.

        The server itself retries a lost network handset only every ten seconds or more.
        """
        until = time.monotonic() + timeout
        self._shell_v2 = None
        while True:
            if ":" in self.serial:
                self._connect_anew(until)
            turn_ends = min(until, time.monotonic() + 1.0)
            while (state := self.state()) != "device" and time.monotonic() < turn_ends:
                time.sleep(_POLL)
            if state == "device":
                self._timeline.event(Layer.ADB, "connected", serial=self.serial)
                return
            if time.monotonic() >= until:
                raise self._lost("state device", f"{state} for {timeout:g} s", _remedy_for(state))

    def _connect_anew(self, until: float) -> None:
        from adbutils import AdbError
        from adbutils.errors import AdbConnectionError, AdbTimeout

        for request in ("disconnect", "connect"):
            try:
                with Closing(
                    self.client.make_connection(timeout=max(0.1, until - time.monotonic()))
                ) as connection:
                    connection.send_command(f"host:{request}:{self.serial}")
                    connection.check_okay()
                    connection.read_string_block()
            except AdbTimeout:
                return  # a silent handset; the state tells the rest
            except (AdbConnectionError, OSError) as error:
                raise self._server_lost(error) from None
            except AdbError:
                continue  # "no such device" to disconnect

    def _ask(self, what: str, until: float) -> str:
        return self.guarded(lambda: self._ask_raw(what, until), f"an answer to {what}")

    def _ask_raw(self, what: str, until: float) -> str:
        with Closing(self.client.make_connection(timeout=max(0.05, until - time.monotonic()))) as connection:
            connection.send_command(f"host-serial:{self.serial}:{what}")
            connection.check_okay()
            return str(connection.read_string_block())

    def open(self, service: str, until: float) -> AdbConnection:
        """A connection to a service of adbd, which the caller closes. Raises what adbutils raises."""
        device = self.client.device(self.serial)
        connection = device.open_transport(timeout=max(0.05, until - time.monotonic()))
        try:
            connection.send_command(service)
            connection.check_okay()
        except BaseException:
            connection.conn.close()
            raise
        return connection

    def _run_v2(self, line: str, until: float) -> tuple[int, bytes, bytes]:
        outputs = {_STDOUT: bytearray(), _STDERR: bytearray()}
        with Closing(self.open(f"shell,v2,raw:{line}", until)) as connection:
            while True:
                kind, length = _FRAME.unpack(exactly(connection, _FRAME.size, until))
                payload = exactly(connection, length, until)
                if kind == _EXIT:
                    return payload[0], bytes(outputs[_STDOUT]), bytes(outputs[_STDERR])
                if kind in outputs:
                    outputs[kind] += payload

    def _run_v1(self, line: str, until: float) -> tuple[int, bytes, bytes]:
        """Old handsets lose the exit code: the shell echoes it at the end."""
        with Closing(self.open(f"shell:{line}\necho {_EXIT_MARK}$?", until)) as connection:
            output = bytearray()
            while part := _some(connection, 65536, until):
                output += part
        body, mark, code = bytes(output).rpartition(_EXIT_MARK.encode())
        if not mark or not code.strip().isdigit():
            raise EOFError("the connection ended before the command")
        return int(code), body, b""

    def guarded(self, act: Callable[[], T], expected: str) -> T:
        """Do something with adbutils and turn whatever it raises into HandsetLost."""
        from adbutils import AdbError
        from adbutils.errors import AdbConnectionError, AdbTimeout

        try:
            return act()
        except AdbConnectionError as error:
            raise self._server_lost(error) from None
        except (AdbTimeout, TimeoutError):
            raise self._lost(expected, "silence", "is the handset hung? reboot it or replug it") from None
        except AdbError as error:
            state, remedy = _state_of(str(error))
            if state not in _KNOWN_STATES:  # an end where OKAY or FAIL was due is an AdbError too
                self._refuse_dead_server()
            raise self._lost("state device", state, remedy) from None
        except (EOFError, OSError) as error:
            self._refuse_dead_server()
            raise self._lost(
                expected, f"the connection ended ({error})", "did the handset or the adb server restart?"
            ) from None

    def _refuse_dead_server(self) -> None:
        """A server that dies takes the connections to its handsets along: ask whether it is there.

        One that has not quite ended yet takes the question and resets it.
        """
        from adbutils import AdbError
        from adbutils.errors import AdbConnectionError, AdbTimeout

        try:
            with Closing(self.client.make_connection(timeout=_PROBE_SECONDS)) as connection:
                connection.send_command("host:version")
                connection.check_okay()
        except (AdbTimeout, TimeoutError):
            return  # busy is not dead
        except (AdbConnectionError, AdbError, EOFError, OSError) as error:
            raise self._server_lost(error) from None

    def _lost(self, expected: str, actual: str, remedy: str) -> HandsetLost:
        self._timeline.event(Layer.ADB, "lost", actual, serial=self.serial, expected=expected)
        return HandsetLost("handset", self.where, expected, actual, remedy)

    def _server_lost(self, error: Exception) -> HandsetLost:
        where = f"{self.client.host}:{self.client.port}"
        self._timeline.event(Layer.ADB, "lost", str(error), serial=self.serial, expected="an adb server")
        return HandsetLost(
            "adb server", where, "an answer", str(error), "start the bench anew, or the adb server it names"
        )


class Closing:
    """Closes a connection without the 10 ms that AdbConnection.close() sleeps."""

    def __init__(self, connection: AdbConnection) -> None:
        self._connection = connection

    def __enter__(self) -> AdbConnection:
        return self._connection

    def __exit__(self, *_: object) -> None:
        self._connection.conn.close()


def _some(connection: AdbConnection, size: int, until: float) -> bytes:
    """What comes next, b"" at the end. Raises TimeoutError at the deadline, however slowly octets drip."""
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    connection.conn.settimeout(left)
    return bytes(connection.conn.recv(size))


def exactly(connection: AdbConnection, size: int, until: float) -> bytes:
    """So many octets. Raises EOFError when the connection ends first, TimeoutError at the deadline."""
    data = bytearray()
    while len(data) < size:
        part = _some(connection, size - len(data), until)
        if not part:
            raise EOFError("no exit code came")
        data += part
    return bytes(data)


def _state_of(text: str) -> tuple[str, str]:
    for words, state, remedy in _STATES:
        if words in text:
            return state, remedy
    return text.strip() or "refused", "see the handset's screen and `adb devices`"


def _remedy_for(state: str) -> str:
    return next((remedy for _, known, remedy in _STATES if known == state), "see the handset's screen")
