"""An instrument that fails: a named error before the deadline is over, and the next call works."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from harness.errors import InstrumentLost, InstrumentRefused, LabError
from harness.evidence.timeline import Timeline
from instruments.drivers import open_driver
from instruments.network_simulator import NetworkSimulator
from instruments.simulated.faults import LATE_SECONDS, Fault, Faults
from instruments.simulated.network_simulator import Dialect, Options
from tests.instruments.conftest import FAST, RunningBox

TIMEOUT = LATE_SECONDS * 0.7
ENDS = {Dialect.CMW500: b"\n", Dialect.MD8475: b"\0"}


class Faulty:
    """A driver on a box, and the way to make the box fail."""

    def __init__(self, dialect: Dialect, box: RunningBox, driver: NetworkSimulator) -> None:
        self.dialect, self.driver = dialect, driver
        _, host, port, _ = box.addresses["visa_socket"].split("::")
        self._address = host, int(port)

    def arm(self, fault: Fault) -> None:
        end = ENDS[self.dialect]
        with socket.create_connection(self._address, timeout=5) as connection:
            connection.sendall(b"RCSLAB:FAULT " + fault.encode() + end)
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(100) == b""  # the box has read it all and closed


@pytest.fixture(params=list(Dialect))
def faulty(request: pytest.FixtureRequest, timeline: Timeline) -> Iterator[Faulty]:
    box = RunningBox(Options(dialect=request.param, timing=FAST))
    driver = open_driver(request.param, box.addresses["visa_socket"], timeline, TIMEOUT)
    driver.open()
    yield Faulty(request.param, box, driver)
    driver.close()
    box.close()


@pytest.mark.parametrize("fault", [Fault.LATE, Fault.SILENT, Fault.TERMINATOR, Fault.CLOSED])
def test_a_query_that_meets_a_fault_is_a_lost_instrument_and_the_next_one_is_answered(faulty, fault):
    faulty.driver.configure(tac=7)
    faulty.arm(fault)
    started = time.monotonic()
    with pytest.raises(InstrumentLost):
        faulty.driver.cell_identity()
    assert time.monotonic() - started < LATE_SECONDS * 3
    assert faulty.driver.cell_identity().tac == 7


def test_an_error_after_all_went_well_is_told_with_its_text(faulty):
    faulty.arm(Fault.ERROR)
    with pytest.raises(InstrumentRefused, match=r"-310|9999"):
        faulty.driver.power(-70)
    faulty.driver.power(-80)


@pytest.mark.parametrize("fault", list(Fault))
def test_whatever_fails_in_a_command_is_an_error_of_the_lab(faulty, fault):
    faulty.arm(fault)
    with pytest.raises(LabError):
        faulty.driver.power(-70)
    faulty.driver.power(-80)


def test_a_fault_nobody_knows_arms_nothing_and_other_messages_are_no_faults():
    faults = Faults()
    assert faults.arm(b"RCSLAB:FAULT nonsense") and faults.arm(b"RCSLAB:FAULT late")
    assert not faults.arm(b"*IDN?")
    assert faults._armed == [Fault.LATE]
