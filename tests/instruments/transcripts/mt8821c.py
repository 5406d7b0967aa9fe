"""MT8821C and MT8820C: flat words."""

from instruments.capability import Operation as Op
from instruments.network_simulator import CellState
from tests.instruments.transcripts import said

SPOKEN = [
    said(Op.RESET, lambda d: d.reset(), "PRESET"),
    said(Op.CELL, lambda d: d.open(), "STDSEL? -> WCDMA", "STDSEL LTE"),
    said(Op.CELL, lambda d: d.open(), "STDSEL? -> LTE"),
    said(Op.CELL, lambda d: d.cell_on(5), "CALLPROC ON", "LVL ON", "CALLPROC? -> ON"),
    said(Op.CELL, lambda d: d.cell_off(5), "LVL OFF", "CALLPROC OFF", "CALLPROC? -> ON", "CALLPROC? -> OFF"),
    said(
        Op.UE_STATE,
        lambda d: d.state(),
        "CALLPROC? -> ON",
        "LVL? -> ON",
        "CALLSTAT? -> 2",
        returns=CellState.ATTACHED,
    ),
    said(
        Op.UE_STATE,
        lambda d: d.state(),
        "CALLPROC? -> ON",
        "LVL? -> ON",
        "CALLSTAT? -> 6",
        returns=CellState.CONNECTED,
    ),
    said(Op.MCC, lambda d: d.configure(mcc="001"), "MCC 001", "CALLPROC? -> OFF"),
    said(Op.MNC, lambda d: d.configure(mnc="01"), "MNC 01", "CALLPROC? -> OFF"),
    said(Op.TAC, lambda d: d.configure(tac=1), "TAC 1", "CALLPROC? -> ON"),
    said(Op.PHYSICAL_ID, lambda d: d.physical_cell(identity=1), "CELLID 1", "CALLPROC? -> OFF"),
    said(Op.BAND, lambda d: d.physical_cell(band=1), "BAND 1", "CALLPROC? -> OFF"),
    said(Op.CHANNEL, lambda d: d.physical_cell(channel=300), "DLCHAN 300", "CALLPROC? -> ON"),
    said(Op.BANDWIDTH, lambda d: d.bandwidth(10), "BANDWIDTH 10MHZ", "CALLPROC? -> OFF"),
    said(Op.POWER, lambda d: d.power(-85), "OLVL_EPRE -85"),
    said(
        Op.SERVICE,
        lambda d: (d.out_of_service(), d.state(), d.recover()),
        "LVL OFF",
        "CALLPROC? -> ON",
        "LVL? -> OFF",
        "LVL ON",
        returns=(None, CellState.OUT_OF_SERVICE, None),
    ),
    said(Op.CONNECT, lambda d: d.connect(), "CALLSA"),
    said(Op.RELEASE, lambda d: d.release(), "CALLSO"),
    said(Op.DETACH, lambda d: d.detach(), "CALLRFR"),
]
