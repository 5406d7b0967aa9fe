"""A simulated Android with its own event loop thread, and one real adb server for all tests of a module."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from devices.adb_server import AdbServer
from devices.android import AndroidHandset
from devices.apps import load_app
from devices.simulated.adbd import AdbDaemon
from devices.simulated.android_adb import adb_daemon
from devices.simulated.android_system import AndroidSystem
from devices.simulated.baseband import Baseband, Cell, Pdn
from devices.simulated.conversations import MessageStatus
from harness.evidence.timeline import Timeline
from tests.devices.stand_in_service import StandInService

ALICE = "+15550101"


class Bench:
    """A simulated Android in its own loop thread. `call` runs a function in that loop."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.service = StandInService()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self._start())
        self._ready.set()
        self.loop.run_forever()

    async def _start(self) -> None:
        self.baseband = Baseband()
        self.android = AndroidSystem(self.baseband, serial="SIM0001", boot_seconds=0.5)
        self.android.app.service = self.service
        self.baseband.heard(Cell("001", "01", 1, 257, -85.0))
        self.baseband.attached(Pdn("ims", "10.0.0.2", ("127.0.0.1",)))
        self.daemon: AdbDaemon = adb_daemon(self.android)
        self.address = str(await self.daemon.start())

    def call(self, act: Callable[..., Any], *arguments: Any) -> Any:
        async def run() -> Any:
            result = act(*arguments)
            return await result if asyncio.iscoroutine(result) else result

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(10)

    def incoming(self, text: str, number: str = ALICE) -> None:
        self.call(self.android.app.incoming, number, text, "in")

    def outcome(self, local_id: str, status: MessageStatus) -> None:
        self.call(self.android.app.outcome, local_id, status)

    def close(self) -> None:
        self.call(self.daemon.stop)
        self.call(self._cancel_tasks)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()

    async def _cancel_tasks(self) -> None:
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


@pytest.fixture(scope="module")
def adb_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AdbServer]:
    with AdbServer(tmp_path_factory.mktemp("adb")) as server:
        yield server


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    with contextlib.closing(bench):
        yield bench


@pytest.fixture
def timeline() -> Timeline:
    return Timeline()


@pytest.fixture
def handset(bench: Bench, adb_server: AdbServer, timeline: Timeline) -> Iterator[AndroidHandset]:
    adb_server.connect(bench.address)
    handset = AndroidHandset(
        bench.address, adb_server.port, load_app("google_messages"), timeline, ui_deadline=10.0
    )
    yield handset
    handset.log.stop()
    with contextlib.suppress(Exception):
        handset.link.client.disconnect(bench.address)
