"""SIPp, run and read: a load of so many calls per second, and what became of it."""

from __future__ import annotations

import csv
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.frame import CannotRun

SCENARIOS = Path(__file__).with_name("sipp")
_HOST = "127.0.0.1"
_SLACK = 8  # seconds that a load may last longer than asked for
_MOST_OPEN = 50_000


@dataclass(frozen=True, slots=True)
class Load:
    """What SIPp says of a load. rates: calls per second; percentiles: seconds until the answer."""

    asked: float
    rate: float
    failed: int
    retransmissions: int
    percentiles: tuple[float, float, float]

    @property
    def clean(self) -> bool:
        """No call failed, nothing was sent twice, and SIPp kept its rate."""
        return not self.failed and not self.retransmissions and self.rate > 0.95 * self.asked

    @property
    def times(self) -> str:
        """The percentiles in words."""
        return "50/90/99 % within " + "/".join(f"{1000 * each:.0f}" for each in self.percentiles) + " ms"


def program() -> str:
    """Where SIPp is. Raises CannotRun."""
    found = shutil.which("sipp")
    if found is None:
        raise CannotRun("SIPp is not installed")
    return found


def load(
    address: str,
    scenario: str,
    users: list[str],
    rate: float,
    seconds: float,
    *,
    source: str = "",
    held: float = 0.0,
) -> Load:
    """Send calls at a rate, each from the next of the users.

    Over UDP from one socket; with a `source` address over TCP, a connection for each call. held: how long a
    call lasts where its scenario pauses, seconds.
    """
    calls = max(1, round(rate * seconds))
    transport = ("-t", "tn", "-max_socket", str(calls + 10)) if source else ("-t", "u1")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "users.csv").write_text("SEQUENTIAL\n" + "".join(f"{user}\n" for user in users))
        command = [
            *(program(), address, "-sf", str(SCENARIOS / scenario), "-inf", "users.csv"),
            *(*transport, "-i", source or _HOST, "-r", f"{rate:g}", "-m", str(calls), "-l", str(_MOST_OPEN)),
            *("-d", str(round(1000 * held))),
            *("-buff_size", "4194304", "-timer_resol", "1", "-nostdin"),
            *("-timeout", f"{round(seconds + held + _SLACK)}s", "-timeout_error"),
            *(
                "-trace_stat",
                "-stf",
                "stat.csv",
                "-fd",
                "1",
                "-trace_rtt",
                "-rtt_freq",
                str(max(1, calls // 20)),
            ),
        ]
        subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        return _read(folder, rate, calls)


def _read(folder: Path, asked: float, calls: int) -> Load:
    with (folder / "stat.csv").open() as file:
        last = list(csv.DictReader(file, delimiter=";"))[-1]
    times = [
        float(row["response_time_ms"]) / 1000
        for path in folder.glob("*rtt.csv")
        for row in csv.DictReader(path.open(), delimiter=";")
    ]
    cuts = statistics.quantiles(times, n=100) if len(times) > 1 else [float("inf")] * 99
    done = int(last["SuccessfulCall(C)"])
    return Load(
        asked,
        float(last["CallRate(C)"]),
        calls - done,
        int(last["Retransmissions(C)"]),
        (cuts[49], cuts[89], cuts[98]),
    )


@contextmanager
def answering(scenario: str) -> Iterator[str]:
    """SIPp as the server of a scenario; gives its address."""
    with socket.socket(type=socket.SOCK_DGRAM) as probe:
        probe.bind((_HOST, 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        command = [
            *(program(), "-sf", str(SCENARIOS / scenario), "-t", "u1", "-i", _HOST, "-p", str(port)),
            *("-buff_size", "4194304", "-nostdin"),
        ]
        child = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            _wait_until_bound(child, port)
            yield f"{_HOST}:{port}"
        finally:
            child.kill()
            child.wait()


def _wait_until_bound(child: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 10
    entry = f":{port:04X} "
    while time.monotonic() < deadline and child.poll() is None:
        if entry in Path("/proc/net/udp").read_text():
            return
        time.sleep(0.05)
    raise CannotRun("SIPp does not listen")
