"""The simulated cell by itself: what the handset hears, with a clock that only tests move."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from instruments.simulated.cell import PacketState, SimulatedCell


class Alarm:
    """What `later` gave back."""

    def __init__(self, call: Callable[[], None]) -> None:
        self.call: Callable[[], None] | None = call

    def cancel(self) -> None:
        self.call = None


class Handset:
    """Notes the kinds of message it gets."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []

    def send(self, message: dict[str, Any]) -> None:
        self.messages.append(message)

    @property
    def heard(self) -> list[str]:
        return [message["type"] for message in self.messages]


class Lab:
    """A cell, a handset in range, and the alarms that wait."""

    def __init__(self) -> None:
        self._alarms: list[Alarm] = []
        self.cell = SimulatedCell(later=self._later)
        self.handset = Handset()
        self.cell.join(self.handset)

    def _later(self, seconds: float, call: Callable[[], None]) -> Alarm:
        self._alarms.append(Alarm(call))
        return self._alarms[-1]

    def ring(self) -> None:
        """Let everything due now happen, each once."""
        due, self._alarms = self._alarms, []
        for alarm in due:
            if alarm.call is not None:
                alarm.call()

    def attach(self) -> None:
        self.cell.switch(True)
        self.ring()
        self.cell.attach(self.handset, "001010123456789", "490154203237518")
        self.ring()
        assert self.cell.packet_state is PacketState.ATTACHED


@pytest.fixture
def lab() -> Lab:
    return Lab()


def test_a_cell_is_heard_only_when_its_signal_is_adjusted(lab: Lab) -> None:
    lab.cell.switch(True)
    assert lab.handset.heard == ["no-cell"]
    lab.ring()
    assert lab.handset.heard == ["no-cell", "cell"]


def test_a_cell_that_goes_off_keeps_its_handset_until_it_is_off(lab: Lab) -> None:
    lab.attach()
    lab.cell.switch(False)
    assert lab.cell.packet_state is PacketState.ATTACHED
    lab.ring()
    assert lab.cell.packet_state is PacketState.OFF
    assert lab.cell.ue is None
    assert lab.handset.heard[-1] == "no-cell"


def test_a_cell_switched_on_again_while_it_goes_off_loses_its_handset(lab: Lab) -> None:
    lab.attach()
    lab.cell.switch(False)
    lab.cell.switch(True)
    assert lab.cell.ue is None
    assert lab.handset.heard[-1] == "no-cell"
    lab.ring()
    assert lab.handset.heard[-1] == "cell"
    assert lab.cell.packet_state is PacketState.ON


@pytest.mark.parametrize(("external", "handed_out"), [(True, ["192.0.2.1", "2001:db8::1"]), (False, [])])
def test_an_external_pcscf_is_handed_out_only_when_it_is_in_use(
    lab: Lab, external: bool, handed_out: list[str]
) -> None:
    lab.cell.configure(pcscf_ipv4="192.0.2.1", pcscf_ipv6="2001:db8::1", external_ims=external)
    lab.attach()
    (accept,) = [message for message in lab.handset.messages if message["type"] == "attach-accept"]
    assert accept["pcscf"] == handed_out


def test_a_handset_that_comes_back_has_the_address_it_had(lab: Lab) -> None:
    lab.attach()
    assert lab.cell.ue is not None
    before = lab.cell.ue.ipv4
    lab.cell.switch(False)
    lab.ring()
    lab.attach()
    assert lab.cell.ue.ipv4 == before
    other = Handset()
    lab.cell.join(other)
    lab.cell.attach(other, "001010123456790", "356938035643809")
    lab.ring()
    assert lab.cell.ue.ipv4 != before
