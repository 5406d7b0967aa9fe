"""CMX500: the few headers whose use is known."""

from instruments.capability import Operation as Op
from instruments.network_simulator import CellState
from tests.instruments.transcripts import said

_SWITCH = "SOURce:SIGNaling:LTE:CELL:STATe"
_OFF = f'{_SWITCH}? "LTE cell 1" -> OFF'

SPOKEN = [
    said(Op.RESET, lambda d: d.reset(), "*RST"),
    said(Op.CELL, lambda d: d.cell_on(5), f'{_SWITCH} "LTE cell 1",ON', f'{_SWITCH}? "LTE cell 1" -> ON'),
    said(Op.CELL, lambda d: d.cell_off(5), f'{_SWITCH} "LTE cell 1",OFF', _OFF),
    said(Op.CELL, lambda d: d.state(), f'{_SWITCH}? "LTE cell 1" -> ON', returns=CellState.ON),
    said(
        Op.MCC,
        lambda d: d.configure(mcc="001"),
        'CONFigure:SIGNaling:TOPology:PLMN:MCC "PLMN 1","001"',
        _OFF,
    ),
    said(
        Op.MNC, lambda d: d.configure(mnc="01"), 'CONFigure:SIGNaling:TOPology:PLMN:MNC "PLMN 1","01"', _OFF
    ),
    said(
        Op.UE_IMSI,
        lambda d: d.ue_imsi(),
        'FETCh:SIGNaling:UE:IMSI? -> "001010123456789"',
        returns="001010123456789",
    ),
    said(
        Op.UE_IMEI,
        lambda d: d.ue_imei(),
        'FETCh:SIGNaling:UE:IMEI? -> "490154203237518"',
        returns="490154203237518",
    ),
]
