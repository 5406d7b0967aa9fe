"""An adb server of our own: a child process on a free port, never the user's server on 5037."""

from __future__ import annotations

import importlib.util
import logging
import os
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from harness.errors import ChildDied, LabError

log = logging.getLogger(__name__)
USERS_PORT = 5037
HOST = "127.0.0.1"


def bundled_adb() -> Path:
    """The adb binary of adbutils' wheel. Raises LabError where the wheel has none for this machine."""
    spec = importlib.util.find_spec("adbutils")
    folder = Path(spec.origin).parent if spec and spec.origin else Path()
    path = folder / "binaries" / "adb"
    if not os.access(path, os.X_OK):
        remedy = "install adbutils from its wheel, or name another adb binary"
        raise LabError("adb", str(path), "an executable", "none", remedy)
    return path


def free_port() -> int:
    """A TCP port nobody listens on now, outside what adb servers poll."""
    while True:
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            port = int(probe.getsockname()[1])
        if port != USERS_PORT and port not in range(5554, 5586):
            return port


def ask_server(port: int, request: str, timeout: float, host: str = HOST) -> str:
    """One host request to an adb server, e.g. host:version. Raises OSError, or LabError for a FAIL reply."""
    deadline = time.monotonic() + timeout
    with socket.create_connection((host, port), timeout=timeout) as connection:
        octets = request.encode()
        connection.sendall(f"{len(octets):04x}".encode() + octets)
        status = _exactly(connection, 4, deadline)
        text = _exactly(connection, int(_exactly(connection, 4, deadline), 16), deadline).decode(
            "utf-8", "replace"
        )
    if status != b"OKAY":
        raise LabError("adb server", f"{host}:{port}", f"OKAY to {request}", text, "check the adb server")
    return text


def _exactly(connection: socket.socket, size: int, deadline: float) -> bytes:
    data = b""
    while len(data) < size:
        connection.settimeout(max(0.001, deadline - time.monotonic()))
        part = connection.recv(size - len(data))
        if not part:
            raise ConnectionError("adb server closed the connection")
        data += part
    return data


def _keys_of_user() -> dict[str, str]:
    """Handsets that allowed this computer know the user's key, not the one of the run directory."""
    named = os.environ.get("ADB_VENDOR_KEYS")
    own = Path.home() / ".android" / "adbkey"
    if named or own.is_file():
        return {"ADB_VENDOR_KEYS": named or str(own)}
    return {}


class AdbServer:
    """`adb nodaemon server` as a child.

    run_directory holds its key and log; output is the file it writes to, by default one there. prefix is put
    before the command, for a supervisor that ends the child when its parent dies. usb and emulators say
    whether it looks for handsets by itself.
    """

    def __init__(
        self,
        run_directory: Path,
        *,
        adb: Path | None = None,
        output: Path | None = None,
        port: int | None = None,
        prefix: Sequence[str] = (),
        usb: bool = False,
        emulators: bool = False,
    ) -> None:
        if port == USERS_PORT:
            raise LabError(
                "adb server", f"{HOST}:{port}", "a port of our own", "the user's", "leave the port out"
            )
        self.run_directory = run_directory
        self.output = output or run_directory / "adb-server.txt"
        self.adb = adb or bundled_adb()
        self.host = HOST
        self.port = port or 0
        self._fixed = port is not None
        self._prefix = tuple(prefix)
        self._environment = {"ADB_MDNS": "0", "ADB_USB": str(int(usb)), "ADB_EMU": str(int(emulators))}
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process started (the supervisor, when there is a prefix); None when it does not run."""
        return self._child.pid if self._child is not None and self._child.poll() is None else None

    def check(self) -> None:
        """Raises ChildDied when it ended before its time."""
        if self.pid is None:
            code = self._child.returncode if self._child is not None else "none"
            raise ChildDied(
                "adb server",
                f"{HOST}:{self.port}",
                "a running process",
                f"exit code {code}: {self._said()}",
                f"see {self.output}",
            )

    def start(self, timeout: float = 10.0) -> None:
        """Start and wait until it answers. Raises LabError when it does not within `timeout` seconds."""
        if self.pid is not None:
            return
        deadline = time.monotonic() + timeout
        tries = 1 if self._fixed else 3
        for attempt in range(1, tries + 1):
            if not self._fixed:
                self.port = free_port()
            self._spawn()
            try:
                self._wait_ready(deadline)
                return
            except LabError:
                self.stop()
                if attempt == tries or time.monotonic() >= deadline:
                    raise

    def _spawn(self) -> None:
        self.run_directory.mkdir(parents=True, exist_ok=True)
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("ADB_", "ANDROID_ADB_"))
        }
        environment |= self._environment
        environment |= _keys_of_user() if self._environment["ADB_USB"] == "1" else {}
        environment["HOME"] = str(self.run_directory)
        environment["TMPDIR"] = str(self.run_directory)
        environment["ANDROID_ADB_LOG_PATH"] = str(self.run_directory / "adb.log")
        command = [*self._prefix, str(self.adb), "-P", str(self.port), "nodaemon", "server"]
        with self.output.open("ab") as output:
            try:
                self._child = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,  # held open: a supervisor reads its end when we die
                    stdout=output,
                    stderr=output,
                    env=environment,
                    cwd=self.run_directory,
                    start_new_session=True,  # Ctrl-C in a terminal is for us: tests still need the server
                )
            except OSError as error:
                raise LabError(
                    "adb server", command[0], "a running process", str(error), "check the adb binary"
                ) from None

    def _wait_ready(self, deadline: float) -> None:
        where = f"{HOST}:{self.port}"
        failure = "no answer"
        child = self._child
        assert child is not None
        while time.monotonic() < deadline:
            self.check()
            try:
                ask_server(self.port, "host:version", max(0.05, min(1.0, deadline - time.monotonic())))
            except (OSError, LabError, ValueError) as error:
                failure = str(error)
                time.sleep(0.01)
                continue
            if child.poll() is None:
                return
        raise LabError("adb server", where, "an answer to host:version", failure, f"see {self.output}")

    def _said(self) -> str:
        try:
            lines = self.output.read_text("utf-8", "replace").strip().splitlines()
        except OSError:
            return ""
        return lines[-1] if lines else "no output"

    def stop(self, timeout: float = 5.0) -> None:
        """End the child: SIGTERM, then SIGKILL after `timeout` seconds."""
        child, self._child = self._child, None
        if child is None:
            return
        if child.stdin is not None:
            child.stdin.close()
        if child.poll() is not None:
            return
        child.terminate()
        try:
            child.wait(timeout)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait(timeout)

    def connect(self, address: str, timeout: float = 10.0) -> str:
        """`adb connect host:port` until the handset is there; returns its serial. Raises LabError."""
        deadline = time.monotonic() + timeout
        said = ""
        while (left := deadline - time.monotonic()) > 0:
            try:
                said = ask_server(self.port, f"host:connect:{address}", left).strip()
                if said.startswith(("connected to", "already connected to")):
                    said = self._state(address, deadline)
                if said == "device":
                    return address
                ask_server(self.port, f"host:disconnect:{address}", 1.0)
            except (OSError, ValueError) as error:
                said = str(error)
            except LabError as error:
                said = said or error.actual
            time.sleep(min(0.05, max(0.0, deadline - time.monotonic())))
        raise LabError(
            "handset",
            address,
            "connected",
            said or "no answer",
            "is the handset's adbd listening there?",
        )

    def _state(self, address: str, deadline: float) -> str:
        """The state once it is settled: just connected it is "connecting" or "offline" for a moment."""
        settled = min(deadline, time.monotonic() + 1.0)
        while True:
            try:
                state = ask_server(self.port, f"host-serial:{address}:get-state", 1.0)
            except LabError as error:
                state = error.actual
            if state == "device" or time.monotonic() >= settled:
                return state
            time.sleep(0.01)

    def __enter__(self) -> AdbServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
