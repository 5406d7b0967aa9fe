"""CMW500, LTE signalling: SCPI over raw socket or HiSLIP."""

from instruments.capability import Operation as Op
from instruments.network_simulator import CellState
from tests.instruments.transcripts import said

_OFF = "SOURce:LTE:SIGN:CELL:STATe:ALL? -> OFF,ADJ"
_ON = "SOURce:LTE:SIGN:CELL:STATe:ALL? -> ON,ADJ"
_BROADCAST = (
    "CONFigure:LTE:SIGN:CELL:MNC:DIGits? -> TWO",
    "CONFigure:LTE:SIGN:CELL:MCC? -> 1",
    "CONFigure:LTE:SIGN:CELL:MNC? -> 1",
    "CONFigure:LTE:SIGN:CELL:TAC? -> 7",
    "CONFigure:LTE:SIGN:CELL:PCC:CID:EUTRan? -> #B0000000000000000000100000001",
)
_PCSCF = "CONFigure:DATA:CONTrol:IMS2:EXTern:PCSCf:ADDRess"
_LEVEL = "CONFigure:LTE:SIGN:DL:PCC:RSEPre:LEVel"
_SMS = "CONFigure:LTE:SIGN:SMS:OUTGoing"

SPOKEN = [
    said(Op.RESET, lambda d: d.reset(), "*RST"),
    said(Op.SCENARIO, lambda d: d.load_scenario("D:/lab.dfl", 5), "MMEMory:RECall 'D:/lab.dfl'"),
    said(
        Op.CELL,
        lambda d: d.cell_on(5),
        "SOURce:LTE:SIGN:CELL:STATe ON",
        "SOURce:LTE:SIGN:CELL:STATe:ALL? -> ON,PEND",
        _ON,
        *_BROADCAST,
    ),
    said(Op.CELL, lambda d: d.cell_off(5), "SOURce:LTE:SIGN:CELL:STATe OFF", _OFF, *_BROADCAST),
    said(
        Op.UE_STATE,
        lambda d: d.state(),
        _ON,
        "FETCh:LTE:SIGN:PSWitched:STATe? -> ATT",
        returns=CellState.ATTACHED,
    ),
    said(Op.RRC_STATE, lambda d: d.rrc_connected(), "SENSe:LTE:SIGN:RRCState? -> CONN", returns=True),
    said(Op.MCC, lambda d: d.configure(mcc="262"), "CONFigure:LTE:SIGN:CELL:MCC 262", _OFF),
    said(
        Op.MNC,
        lambda d: d.configure(mnc="02"),
        "CONFigure:LTE:SIGN:CELL:MNC 2",
        "CONFigure:LTE:SIGN:CELL:MNC:DIGits TWO",
        _OFF,
    ),
    said(Op.TAC, lambda d: d.configure(tac=2748), "CONFigure:LTE:SIGN:CELL:TAC 2748", _ON, *_BROADCAST),
    said(
        Op.ECI,
        lambda d: d.configure(eci=257),
        "CONFigure:LTE:SIGN:CELL:PCC:CID:EUTRan #B0000000000000000000100000001",
        _OFF,
    ),
    said(
        Op.PHYSICAL_ID,
        lambda d: d.physical_cell(identity=7),
        "CONFigure:LTE:SIGN:CELL:PCC:PCID 7",
        _OFF,
        *_BROADCAST,
    ),
    said(Op.BAND, lambda d: d.physical_cell(band=3), "CONFigure:LTE:SIGN:PCC:BAND OB3", _OFF, *_BROADCAST),
    said(
        Op.CHANNEL,
        lambda d: d.physical_cell(channel=1300),
        "CONFigure:LTE:SIGN:RFSettings:PCC:CHANnel:DL 1300",
        _OFF,
        *_BROADCAST,
    ),
    said(
        Op.BANDWIDTH,
        lambda d: d.bandwidth(1.4),
        "CONFigure:LTE:SIGN:CELL:BANDwidth:PCC:DL B014",
        _OFF,
        *_BROADCAST,
    ),
    said(Op.POWER, lambda d: d.power(-85), f"{_LEVEL} -85"),
    said(
        Op.SERVICE,
        lambda d: (d.out_of_service(), d.recover()),
        f"{_LEVEL}? -> -8.500000E+01",
        f"{_LEVEL} -140",
        *_BROADCAST,
        f"{_LEVEL} -85",
        *_BROADCAST,
        returns=(None, None),
    ),
    said(
        Op.UE_IMSI,
        lambda d: d.ue_imsi(),
        'SENSe:LTE:SIGN:UESinfo:IMSI? -> "001010123456789"',
        returns="001010123456789",
    ),
    said(
        Op.UE_IMEI,
        lambda d: d.ue_imei(),
        'SENSe:LTE:SIGN:UESinfo:IMEI? -> "490154203237518"',
        returns="490154203237518",
    ),
    said(
        Op.UE_IPV4,
        lambda d: d.ue_addresses(),
        'SENSe:LTE:SIGN:UESinfo:UEADdress:IPV4? -> "10.0.0.2","10.0.0.3"',
        "SENSe:LTE:SIGN:UESinfo:UEADdress:IPV6? -> NAV",
        returns=("10.0.0.2", "10.0.0.3"),
    ),
    said(
        Op.UE_IPV6,
        lambda d: d.ue_addresses(),
        "SENSe:LTE:SIGN:UESinfo:UEADdress:IPV4? -> NAV",
        'SENSe:LTE:SIGN:UESinfo:UEADdress:IPV6? -> "2001:db8::2"',
        returns=("2001:db8::2",),
    ),
    said(Op.CONNECT, lambda d: d.connect(), "CALL:LTE:SIGN:PSWitched:ACTion CONNect"),
    said(Op.RELEASE, lambda d: d.release(), "CALL:LTE:SIGN:PSWitched:ACTion DISConnect"),
    said(Op.DETACH, lambda d: d.detach(), "CALL:LTE:SIGN:PSWitched:ACTion DETach"),
    said(Op.ATTACH_REJECT, lambda d: d.reject_attach(11), "CONFigure:LTE:SIGN:CELL:RCAuse:ATTach PLMN11"),
    said(
        Op.PCSCF_IPV4,
        lambda d: d.set_pcscf("10.0.0.1"),
        "CONFigure:DATA:CONTrol:IMS2:SUSage EXTernal",
        f"{_PCSCF}:IPVFour '10.0.0.1'",
        f'{_PCSCF}:IPVSix? -> ""',
    ),
    said(
        Op.PCSCF_IPV6,
        lambda d: d.set_pcscf("2001:db8::1"),
        "CONFigure:DATA:CONTrol:IMS2:SUSage EXTernal",
        f'{_PCSCF}:IPVFour? -> "10.0.0.1"',
        f"{_PCSCF}:IPVFour ''",
        f"{_PCSCF}:IPVSix '2001:db8::1'",
    ),
    said(
        Op.IMS_SERVER,
        lambda d: (d.ims_server(True), d.ims_server(False)),
        "CONFigure:DATA:CONTrol:IMS2:SUSage INTernal",
        "CONFigure:DATA:CONTrol:IMS2:SUSage EXTernal",
        returns=(None, None),
    ),
    said(
        Op.IMS_STATE,
        lambda d: d.ims_registered(),
        "SENSe:DATA:CONTrol:IMS2:MOBile1:STATus? -> REG",
        returns=True,
    ),
    said(
        Op.KEY,
        lambda d: d.subscriber("00112233445566778899aabbccddeeff", "ffeeddccbbaa99887766554433221100"),
        "CONFigure:LTE:SIGN:CELL:SECurity:SKEY #H00112233445566778899aabbccddeeff",
        "CONFigure:LTE:SIGN:CELL:SECurity:OPC #Hffeeddccbbaa99887766554433221100",
    ),
    said(
        Op.OPC,
        lambda d: d.subscriber("0" * 32, "f" * 32),
        "CONFigure:LTE:SIGN:CELL:SECurity:SKEY #H00000000000000000000000000000000",
        "CONFigure:LTE:SIGN:CELL:SECurity:OPC #Hffffffffffffffffffffffffffffffff",
    ),
    said(
        Op.SMS_TO_UE,
        lambda d: d.send_sms("Hello", "+15550101", 5),
        f'{_SMS}:INTernal "Hello"',
        f'{_SMS}:OADDress "+15550101"',
        "CALL:LTE:SIGN:PSWitched:ACTion SMS",
        "SENSe:LTE:SIGN:SMS:OUTGoing:INFO:LMSent? -> NAV",
        "SENSe:LTE:SIGN:SMS:OUTGoing:INFO:LMSent? -> SUCC",
        "SENSe:LTE:SIGN:SMS:OUTGoing:INFO:LMSent? -> SUCC",
    ),
    said(
        Op.SMS_FROM_UE,
        lambda d: d.received_sms(),
        'SENSe:LTE:SIGN:SMS:INComing:INFO:MTEXt? -> "Yes, both"',
        returns="Yes, both",
    ),
]
