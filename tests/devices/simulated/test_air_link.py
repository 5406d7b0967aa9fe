"""The air link between the simulated handset and the simulated network simulator."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from devices.simulated.air_link import AirLink
from devices.simulated.baseband import Baseband, Identity, Registration
from instruments.simulated.air_link import AirLinkServer
from instruments.simulated.cell import CellSettings, HandsetPort, PacketState, SimulatedCell, Timing

FAST = Timing(cell_on=0.005, cell_off=0.005, attach=0.002, inactivity=0.01)
SETTINGS = CellSettings(external_ims=True, pcscf_ipv4="127.0.0.1", pcscf_ipv6="::1")


class Field:
    """A cell on the air and handsets in its field."""

    def __init__(self) -> None:
        self.cell = SimulatedCell(SETTINGS, FAST)
        self.server = AirLinkServer(self.cell)
        self.port = 0
        self._links: list[AirLink] = []

    def handset(self, identity: Identity | None = None, loss_delay: float = 0.005) -> Baseband:
        baseband = Baseband(identity)
        link = AirLink(baseband, "127.0.0.1", self.port, loss_delay=loss_delay, retry=0.005)
        link.start()
        self._links.append(link)
        return baseband

    async def close(self) -> None:
        for link in self._links:
            await link.close()
        await self.server.close()


@asynccontextmanager
async def field() -> AsyncIterator[Field]:
    made = Field()
    made.port = await made.server.start("127.0.0.1")
    try:
        yield made
    finally:
        await made.close()


def scenario(test: Callable[[Field], Awaitable[None]]) -> Callable[[], None]:
    """Run a test written as a coroutine over a field."""

    def run() -> None:
        async def within() -> None:
            async with field() as made:
                await test(made)

        asyncio.run(asyncio.wait_for(within(), 20))

    run.__name__ = getattr(test, "__name__", "scenario")
    run.__doc__ = test.__doc__
    return run


async def registered(baseband: Baseband) -> None:
    await baseband.wait_for(lambda b: b.registered, 5)


async def uncovered(baseband: Baseband) -> None:
    await baseband.wait_for(lambda b: b.cell is None, 5)


@scenario
async def test_attach_gives_the_pdn_connection(air: Field) -> None:
    baseband = air.handset()
    air.cell.switch(True)
    await registered(baseband)
    assert baseband.pdn is not None
    assert (baseband.pdn.apn, baseband.pdn.address, baseband.pdn.ipv6) == ("ims", "127.0.0.2", "::1")
    assert baseband.pdn.pcscf == ("127.0.0.1", "::1")
    assert air.cell.packet_state is PacketState.ATTACHED
    await baseband.wait_for(lambda b: not b.rrc_connected, 5)
    assert not air.cell.rrc_connected


@scenario
async def test_cell_off_is_loss_of_coverage_and_on_again_registers(air: Field) -> None:
    baseband = air.handset()
    for _ in range(3):
        air.cell.switch(True)
        await registered(baseband)
        air.cell.switch(False)
        await uncovered(baseband)
        assert baseband.pdn is None
        assert air.cell.ue is None


@scenario
async def test_a_gap_shorter_than_the_loss_delay_still_registers_anew(air: Field) -> None:
    baseband = air.handset(loss_delay=60)
    air.cell.switch(True)
    await registered(baseband)
    seen: list[Registration] = []
    baseband.subscribe(
        lambda change: seen.append(baseband.registration) if change == "registration" else None
    )
    air.cell.switch(False)
    await air.cell.settled()
    air.cell.switch(True)
    await baseband.wait_for(lambda b: seen[-1:] == [Registration.HOME], 5)
    assert seen == [Registration.SEARCHING, Registration.HOME]
    assert air.cell.ue is not None


@scenario
async def test_weak_power_is_out_of_coverage_on_both_sides(air: Field) -> None:
    baseband = air.handset()
    air.cell.switch(True)
    await registered(baseband)
    air.cell.configure(power_dbm=-130.0)
    await uncovered(baseband)
    air.cell.configure(power_dbm=-80.0)
    await registered(baseband)
    assert baseband.signal_dbm == -80.0


@scenario
async def test_rejected_with_a_cause_then_accepted_after_airplane(air: Field) -> None:
    baseband = air.handset()
    air.cell.configure(reject_cause=7)
    air.cell.switch(True)
    await baseband.wait_for(lambda b: b.registration is Registration.DENIED, 5)
    assert baseband.reject_cause == 7
    assert air.cell.packet_state is PacketState.ON
    air.cell.configure(reject_cause=None)
    baseband.set_airplane(True)
    baseband.set_airplane(False)
    await registered(baseband)
    assert baseband.reject_cause is None


@scenario
async def test_airplane_detaches_at_the_network(air: Field) -> None:
    baseband = air.handset()
    air.cell.switch(True)
    await registered(baseband)
    baseband.ims_registered = True
    baseband.set_airplane(True)
    other = air.handset(Identity(imsi="001010000000002"))
    await registered(other)
    ue = air.cell.ue
    assert ue is not None and ue.imsi == "001010000000002"
    assert ue.ipv4 == "127.0.0.3"


@scenario
async def test_the_network_detaches_and_the_handset_comes_back(air: Field) -> None:
    baseband = air.handset()
    air.cell.switch(True)
    await registered(baseband)
    assert air.cell.detach()
    await baseband.wait_for(lambda b: not b.registered, 5)
    await registered(baseband)


@scenario
async def test_another_plmn_on_the_air_registers_as_roaming(air: Field) -> None:
    baseband = air.handset()
    air.cell.switch(True)
    await registered(baseband)
    air.cell.configure(mcc=262, mnc=2)
    await baseband.wait_for(lambda b: b.roaming, 5)
    assert baseband.cell is not None and baseband.cell.plmn == "26202"


@scenario
async def test_another_tracking_area_keeps_the_registration(air: Field) -> None:
    baseband = air.handset()
    air.cell.switch(True)
    await registered(baseband)
    air.cell.configure(tac=9)
    await baseband.wait_for(lambda b: b.cell is not None and b.cell.tac == 9, 5)
    assert baseband.registered


@scenario
async def test_ims_registration_is_known_to_the_network(air: Field) -> None:
    baseband = air.handset()
    air.cell.switch(True)
    await registered(baseband)
    heard: asyncio.Queue[bool] = asyncio.Queue()
    tell = air.cell.ims

    def listen(port: HandsetPort, registered: bool) -> None:
        tell(port, registered)
        heard.put_nowait(air.cell.ue is not None and air.cell.ue.ims_registered)

    air.cell.ims = listen  # type: ignore[method-assign]
    baseband.ims_registered = True
    assert await heard.get()
    baseband.ims_registered = False
    assert not await heard.get()


@scenario
async def test_paging_sets_up_and_releases_a_connection(air: Field) -> None:
    baseband = air.handset()
    air.cell.switch(True)
    await registered(baseband)
    await baseband.wait_for(lambda b: not b.rrc_connected, 5)
    assert air.cell.connect()
    await baseband.wait_for(lambda b: b.rrc_connected, 5)
    assert air.cell.packet_state is PacketState.CONNECTED
    assert air.cell.disconnect()
    await baseband.wait_for(lambda b: not b.rrc_connected, 5)
    assert air.cell.packet_state is PacketState.ATTACHED


@scenario
async def test_a_network_simulator_that_dies_and_returns(air: Field) -> None:
    baseband = air.handset()
    air.cell.switch(True)
    await registered(baseband)
    await air.server.close()
    await uncovered(baseband)
    air.server = AirLinkServer(air.cell)
    assert await air.server.start("127.0.0.1", air.port) == air.port
    await registered(baseband)
