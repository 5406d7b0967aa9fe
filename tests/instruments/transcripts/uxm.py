"""UXM, the LTE part of its test application."""

from instruments.capability import Operation as Op
from instruments.network_simulator import CellState
from tests.instruments.transcripts import said

_SWITCH = "BSE:CONFig:LTE:CELL1:ACTive:STATe"

SPOKEN = [
    said(Op.RESET, lambda d: d.reset(), "SYSTem:PRESet:FULL"),
    said(
        Op.SCENARIO,
        lambda d: d.load_scenario("D:/lab.scpi", 60),
        'SYSTem:SCPI:IMPort "D:/lab.scpi"',
        "SYSTem:SCPI:IMPort:STATus? -> 1",
        "SYSTem:SCPI:IMPort:STATus? -> 0",
    ),
    said(Op.CELL, lambda d: d.cell_on(5), f"{_SWITCH} 1", f"{_SWITCH}? -> 0", f"{_SWITCH}? -> 1"),
    said(Op.CELL, lambda d: d.cell_off(5), f"{_SWITCH} 0", f"{_SWITCH}? -> 0"),
    said(
        Op.UE_STATE,
        lambda d: d.state(),
        f"{_SWITCH}? -> 1",
        "BSE:STATus:LTE:CELL1? -> CONN",
        returns=CellState.CONNECTED,
    ),
    said(
        Op.SERVICE,
        lambda d: (d.out_of_service(), d.state(), d.recover(), d.state()),
        f"{_SWITCH} 0",
        f"{_SWITCH}? -> 0",
        f"{_SWITCH} 1",
        f"{_SWITCH}? -> 1",
        "BSE:STATus:LTE:CELL1? -> ON",
        returns=(None, CellState.OUT_OF_SERVICE, None, CellState.ON),
    ),
    said(
        Op.BAND,
        lambda d: d.physical_cell(band=1),
        "BSE:CONFig:LTE:CELL1:BAND 1",
        "BSE:CONFig:LTE:CELL1:APPLY",
        f"{_SWITCH}? -> 0",
    ),
    said(
        Op.CHANNEL,
        lambda d: d.physical_cell(channel=300),
        "BSE:CONFig:LTE:CELL1:DL:CHANnel 300",
        "BSE:CONFig:LTE:CELL1:APPLY",
        f"{_SWITCH}? -> 1",
    ),
    said(
        Op.BANDWIDTH,
        lambda d: d.bandwidth(10),
        "BSE:CONFig:LTE:CELL1:DL:BW BW10",
        "BSE:CONFig:LTE:CELL1:APPLY",
        f"{_SWITCH}? -> 0",
    ),
    said(
        Op.POWER,
        lambda d: d.power(-85),
        "BSE:CONFig:LTE:CELL1:DL:POWer:EPRE -85",
        "BSE:CONFig:LTE:CELL1:APPLY",
    ),
    said(Op.RELEASE, lambda d: d.release(), "BSE:FUNCtion:LTE:CELL1:RELease:SEND"),
    said(Op.IMS_DEREGISTER, lambda d: d.ims_deregister(), "SYSTem:IMS:SERVer:UE:DERegister"),
]
