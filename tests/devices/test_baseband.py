"""The baseband: what it asks the network for, and what it says about itself."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from devices.simulated.baseband import Baseband, Cell, Change, Functionality, Identity, Pdn, Registration

HOME = Cell("001", "01", 1, 0x101, -85.0, ("127.0.0.1",))
PDN = Pdn("ims", "127.0.0.2", ("127.0.0.1",), "::1")


class RecordingLink:
    def __init__(self) -> None:
        self.sent: list[str] = []

    def attach(self, identity: Identity) -> None:
        self.sent.append(f"attach {identity.imsi}")

    def detach(self) -> None:
        self.sent.append("detach")

    def lost(self) -> None:
        self.sent.append("lost")

    def ims(self, registered: bool) -> None:
        self.sent.append(f"ims {registered}")


@pytest.fixture
def link() -> RecordingLink:
    return RecordingLink()


@pytest.fixture
def baseband(link: RecordingLink) -> Baseband:
    baseband = Baseband()
    baseband.connect(link)
    return baseband


def attach(baseband: Baseband, cell: Cell = HOME) -> None:
    baseband.heard(cell)
    baseband.attached(PDN)


def test_a_cell_in_range_starts_the_attach(baseband: Baseband, link: RecordingLink) -> None:
    assert baseband.registration is Registration.SEARCHING
    baseband.heard(HOME)
    assert link.sent == ["attach 001010123456789"]
    baseband.attached(PDN)
    assert (baseband.registration, baseband.pdn, baseband.roaming) == (Registration.HOME, PDN, False)


def test_another_plmn_is_roaming(baseband: Baseband) -> None:
    attach(baseband, replace(HOME, mcc="262"))
    assert baseband.registration is Registration.ROAMING


def test_a_six_digit_home_plmn_is_compared_whole(link: RecordingLink) -> None:
    baseband = Baseband(Identity(imsi="310410123456789", home_plmn_digits=6))
    baseband.connect(link)
    attach(baseband, replace(HOME, mcc="310", mnc="410"))
    assert baseband.registration is Registration.HOME


def test_reject_leaves_denied_with_its_cause(baseband: Baseband) -> None:
    baseband.heard(HOME)
    baseband.rejected(7)
    assert (baseband.registration, baseband.reject_cause, baseband.pdn) == (Registration.DENIED, 7, None)


def test_losing_the_cell_takes_pdn_and_ims_with_it(baseband: Baseband, link: RecordingLink) -> None:
    attach(baseband)
    baseband.ims_registered = True
    baseband.heard(None)
    assert (baseband.cell, baseband.pdn, baseband.ims_registered) == (None, None, False)
    assert baseband.registration is Registration.SEARCHING
    assert link.sent[1:] == ["ims True", "lost", "ims False"]


def test_power_below_sensitivity_is_no_coverage(baseband: Baseband) -> None:
    attach(baseband)
    baseband.heard(replace(HOME, power_dbm=-130.0))
    assert baseband.cell is None
    baseband.heard(HOME)
    baseband.attached(PDN)
    assert baseband.registered


def test_airplane_detaches_and_registers_again_when_off(baseband: Baseband, link: RecordingLink) -> None:
    attach(baseband)
    baseband.set_airplane(True)
    assert (baseband.functionality, baseband.registration) == (4, Registration.NOT_SEARCHING)
    assert baseband.cell is None
    baseband.heard(HOME)
    assert baseband.cell is None
    baseband.set_airplane(False)
    assert link.sent == ["attach 001010123456789", "detach", "attach 001010123456789"]


def test_without_a_sim_nothing_is_asked_of_the_network(link: RecordingLink) -> None:
    baseband = Baseband(sim_present=False)
    baseband.connect(link)
    baseband.heard(HOME)
    assert link.sent == []
    baseband.set_sim_present(True)
    assert link.sent == ["attach 001010123456789"]


def test_network_detach_with_reattach_asks_again(baseband: Baseband, link: RecordingLink) -> None:
    attach(baseband)
    baseband.network_detach()
    assert baseband.registration is Registration.SEARCHING
    assert link.sent.count("attach 001010123456789") == 2


def test_changes_are_told_once_each(baseband: Baseband) -> None:
    seen: list[str] = []
    stop = baseband.subscribe(seen.append)
    attach(baseband)
    baseband.heard(replace(HOME, power_dbm=-90.0))
    baseband.heard(replace(HOME, power_dbm=-90.0))
    stop()
    baseband.set_functionality(Functionality.MINIMUM)
    assert seen == [Change.CELL, Change.PDN, Change.REGISTRATION, Change.SIGNAL]


def test_wait_for_returns_on_the_change_and_times_out_without() -> None:
    async def scenario() -> None:
        baseband = Baseband()
        asyncio.get_running_loop().call_soon(baseband.heard, HOME)
        await baseband.wait_for(lambda b: b.cell == HOME, 1)
        with pytest.raises(TimeoutError):
            await baseband.wait_for(lambda b: b.registered, 0.01)

    asyncio.run(scenario())


def test_an_unknown_functionality_is_refused(baseband: Baseband) -> None:
    with pytest.raises(ValueError, match="5"):
        baseband.set_functionality(5)


def test_cell_identity_of_p_access_network_info() -> None:
    assert HOME.utran_cell_id == "0010100010000101"
