"""A simulated network simulator in a thread of its own, and a timeline."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest

from harness.evidence.timeline import Timeline
from instruments.simulated.cell import Timing
from instruments.simulated.network_simulator import Options, SimulatedNetworkSimulator

FAST = Timing(cell_on=0.02, cell_off=0.01, attach=0.005, inactivity=0.05)


class RunningBox:
    """The box and the loop it runs in."""

    def __init__(self, options: Options) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.simulator = self.run(self._make(options))
        self.addresses: dict[str, str] = self.run(self.simulator.start())

    @staticmethod
    async def _make(options: Options) -> SimulatedNetworkSimulator:
        return SimulatedNetworkSimulator(options)

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    def close(self) -> None:
        self.run(self.simulator.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()


@pytest.fixture
def box() -> Iterator[RunningBox]:
    running = RunningBox(Options(timing=FAST))
    yield running
    running.close()


@pytest.fixture
def slow_box() -> Iterator[RunningBox]:
    """Its cell takes longer to switch on than any test lasts."""
    running = RunningBox(Options(timing=Timing(cell_on=600.0)))
    yield running
    running.close()


@pytest.fixture
def timeline() -> Timeline:
    return Timeline()
