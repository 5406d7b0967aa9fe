"""Keyword modules over a handset behind a real adb server, an RCS client stood in for behind its app."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from devices.android import AndroidHandset
from harness.evidence.timeline import Timeline
from harness.keywords.topic import BenchAccess
from tests.devices.conftest import adb_server, bench, handset, timeline

__all__ = ["adb_server", "bench", "handset", "timeline"]
FAR = "+15550101"


@pytest.fixture
def access(handset: AndroidHandset, timeline: Timeline) -> BenchAccess:
    """A bench of one handset, as far as keywords about its screen need one."""
    equipment: Any = SimpleNamespace(
        handset=lambda name=None: SimpleNamespace(android=handset),
        lab=SimpleNamespace(deadlines=SimpleNamespace(screen=5.0)),
        part=SimpleNamespace(peer=SimpleNamespace(number=FAR)),
        timeline=timeline,
    )
    access = BenchAccess(lambda: equipment)
    access.use(equipment)
    return access
