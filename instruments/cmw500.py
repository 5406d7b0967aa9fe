"""Rohde & Schwarz CMW500, LTE signalling application with the data application unit: a table and its use.

Sources in the table: RsCmwLteSig and RsCmwDau are the vendor's Python packages, "reference" is the remote
control reference in the instrument's on-line help, ACTS is the Android test suite's driver.
"""

from __future__ import annotations

import re
from typing import ClassVar, Final

from harness.errors import NotSeen, UsageError
from instruments.capability import Capability, CapabilityTable, Confidence, Operation
from instruments.network_simulator import CellIdentity, CellState
from instruments.table_driver import TableDriver

UNHEARD_DBM: Final = -140.0
"""Per 15 kHz: below what any handset hears (TS 36.133 9.1.4 reports down to -140)."""
NO_VALUE: Final = frozenset({"", "NAV", "INV"})
# Values between commas; a comma inside quotation marks is text.
_IN_LIST: Final = re.compile(r"\s*(?:\"[^\"]*\"|'[^']*'|[^,])+")

_CELL = "CONFigure:LTE:SIGN:CELL"
_UE = "SENSe:LTE:SIGN:UESinfo"
_ACTION = "CALL:LTE:SIGN:PSWitched:ACTion"
_IMS = "CONFigure:DATA:CONTrol:IMS2"

# Attach reject cause mnemonics that are not "C<number>" (reference, CELL:RCAuse:ATTach).
_NAMED_CAUSES: Final = {3: "IUE3", 7: "EPS7", 11: "PLMN11", 12: "TANA12", 22: "CONG22"}

_PACKET_STATES: Final = {
    "OFF": CellState.OFF,
    "ON": CellState.ON,
    "SIGN": CellState.REGISTERING,
    "ATT": CellState.ATTACHED,
    "CONN": CellState.ATTACHED,
    "PAG": CellState.ATTACHED,
    "CEST": CellState.CONNECTED,
    "DISC": CellState.CONNECTED,
    "SMES": CellState.CONNECTED,
    "RMES": CellState.CONNECTED,
    "IHAN": CellState.CONNECTED,
    "OHAN": CellState.CONNECTED,
}

TABLE: Final = CapabilityTable(
    "CMW500",
    [
        Capability("reset", "settings to default, cell off", "IEEE 488.2", Confidence.A, command="*RST"),
        Capability(
            Operation.CELL,
            "generator on or off, and whether its signal is what was asked for yet",
            "RsCmwLteSig Source/Cell/State, ACTS, reference",
            Confidence.A,
            command="SOURce:LTE:SIGN:CELL:STATe {value}",
            query="SOURce:LTE:SIGN:CELL:STATe:ALL?",
            replies={
                "OFF,ADJ": CellState.OFF,
                "OFF,PEND": CellState.STARTING,
                "ON,PEND": CellState.STARTING,
                "ON,ADJ": CellState.ON,
            },
            allowed="ON, OFF",
        ),
        Capability(
            Operation.UE_STATE,
            "what the handset does on this cell",
            "RsCmwLteSig Pswitched/State, ACTS, reference",
            Confidence.A,
            query="FETCh:LTE:SIGN:PSWitched:STATe?",
            replies=_PACKET_STATES,
        ),
        Capability(
            Operation.RRC_STATE,
            "RRC connected or idle",
            "RsCmwLteSig",
            Confidence.A,
            query="SENSe:LTE:SIGN:RRCState?",
            replies={"IDLE": False, "CONN": True},
        ),
        Capability(
            Operation.MCC,
            "mobile country code",
            "RsCmwLteSig Configure/Cell",
            Confidence.A,
            command=f"{_CELL}:MCC {{value}}",
            query=f"{_CELL}:MCC?",
            allowed="0 to 999, decimal",
        ),
        Capability(
            Operation.MNC,
            "mobile network code",
            "RsCmwLteSig Configure/Cell/Mnc",
            Confidence.A,
            command=f"{_CELL}:MNC {{value}}",
            query=f"{_CELL}:MNC?",
            allowed="0 to 99 or 999, decimal",
        ),
        Capability(
            "mnc digits",
            "number of digits of the MNC",
            "RsCmwLteSig Configure/Cell/Mnc",
            Confidence.A,
            command=f"{_CELL}:MNC:DIGits {{value}}",
            query=f"{_CELL}:MNC:DIGits?",
            replies={"TWO": 2, "THR": 3},
            allowed="TWO, THRee",
        ),
        Capability(
            Operation.TAC,
            "tracking area code",
            "RsCmwLteSig Configure/Cell",
            Confidence.A,
            command=f"{_CELL}:TAC {{value}}",
            query=f"{_CELL}:TAC?",
            allowed="0 to 65535, decimal",
        ),
        Capability(
            Operation.ECI,
            "E-UTRAN cell identity",
            "RsCmwLteSig Configure/Cell/Pcc/Cid",
            Confidence.A,
            command=f"{_CELL}:PCC:CID:EUTRan {{value}}",
            query=f"{_CELL}:PCC:CID:EUTRan?",
            allowed="#B0 to 28 bits",
        ),
        Capability(
            Operation.POWER,
            "reference signal energy per resource element, dBm/15 kHz",
            "RsCmwLteSig Configure/Downlink/Pcc/Rsepre, reference",
            Confidence.A,
            command="CONFigure:LTE:SIGN:DL:PCC:RSEPre:LEVel {value}",
            query="CONFigure:LTE:SIGN:DL:PCC:RSEPre:LEVel?",
            allowed="the range depends on path and attenuation",
            unit="dBm/15 kHz",
        ),
        Capability(
            Operation.SERVICE,
            "by the level of the reference signal: too low to be heard, and as it was",
            "RsCmwLteSig Configure/Downlink/Pcc/Rsepre, reference",
            Confidence.A,
            command="CONFigure:LTE:SIGN:DL:PCC:RSEPre:LEVel {value}",
            unit="dBm/15 kHz",
        ),
        Capability(
            Operation.UE_IMSI,
            "IMSI of the handset",
            "RsCmwLteSig Sense/UesInfo, three drivers",
            Confidence.A,
            query=f"{_UE}:IMSI?",
        ),
        Capability(
            Operation.UE_IMEI,
            "IMEI of the handset",
            "RsCmwLteSig Sense/UesInfo, three drivers",
            Confidence.A,
            query=f"{_UE}:IMEI?",
        ),
        Capability(
            Operation.UE_IPV4,
            "IPv4 addresses of the handset",
            "RsCmwLteSig Sense/UesInfo/UeAddress",
            Confidence.A,
            query=f"{_UE}:UEADdress:IPV4?",
        ),
        Capability(
            Operation.UE_IPV6,
            "IPv6 addresses of the handset",
            "RsCmwLteSig Sense/UesInfo/UeAddress",
            Confidence.A,
            query=f"{_UE}:UEADdress:IPV6?",
        ),
        Capability(
            Operation.CONNECT,
            "page the handset and set up a connection",
            "RsCmwLteSig Call/Pswitched, ACTS, reference",
            Confidence.A,
            command=f"{_ACTION} CONNect",
        ),
        Capability(
            Operation.RELEASE,
            "release the connection of the handset",
            "RsCmwLteSig Call/Pswitched, ACTS, reference",
            Confidence.A,
            command=f"{_ACTION} DISConnect",
        ),
        Capability(
            Operation.DETACH,
            "end the registration of the handset",
            "RsCmwLteSig Call/Pswitched, ACTS, reference",
            Confidence.A,
            command=f"{_ACTION} DETach",
        ),
        Capability(
            Operation.ATTACH_REJECT,
            "reject attach requests with a cause",
            "RsCmwLteSig Configure/Cell/Rcause, reference",
            Confidence.A,
            command=f"{_CELL}:RCAuse:ATTach {{value}}",
            query=f"{_CELL}:RCAuse:ATTach?",
            allowed="OFF, IUE3, EPS7, PLMN11, TANA12, CONG22, C<number>",
        ),
        Capability(
            Operation.IMS_SERVER,
            "which IMS server handsets are sent to: the instrument's own, or an external one",
            "reference, Configuring IMS Services",
            Confidence.C,
            command=f"{_IMS}:SUSage {{value}}",
            query=f"{_IMS}:SUSage?",
            replies={"INT": True, "EXT": False},
            allowed="INTernal, EXTernal",
        ),
        Capability(
            Operation.PCSCF_IPV4,
            "external P-CSCF handed to the handset, IPv4",
            "RsCmwDau Configure/Data/Control/Ims/Extern, reference",
            Confidence.A,
            command=f"{_IMS}:EXTern:PCSCf:ADDRess:IPVFour '{{value}}'",
            query=f"{_IMS}:EXTern:PCSCf:ADDRess:IPVFour?",
        ),
        Capability(
            Operation.PCSCF_IPV6,
            "external P-CSCF handed to the handset, IPv6",
            "reference, Configuring IMS Services",
            Confidence.C,
            command=f"{_IMS}:EXTern:PCSCf:ADDRess:IPVSix '{{value}}'",
            query=f"{_IMS}:EXTern:PCSCf:ADDRess:IPVSix?",
        ),
        Capability(
            Operation.SCENARIO,
            "recall saved settings",
            "reference, MMEMory",
            Confidence.C,
            command="MMEMory:RECall '{value}'",
        ),
        Capability(
            Operation.PHYSICAL_ID,
            "physical cell identity",
            "RsCmwLteSig Configure/Cell/Pcc",
            Confidence.A,
            command=f"{_CELL}:PCC:PCID {{value}}",
            query=f"{_CELL}:PCC:PCID?",
            allowed="0 to 503",
        ),
        Capability(
            Operation.BAND,
            "operating band",
            "RsCmwLteSig Configure/Pcc",
            Confidence.A,
            command="CONFigure:LTE:SIGN:PCC:BAND {value}",
            query="CONFigure:LTE:SIGN:PCC:BAND?",
            allowed="OB1, OB2, ...",
        ),
        Capability(
            Operation.CHANNEL,
            "downlink EARFCN",
            "RsCmwLteSig Configure/RfSettings/Pcc/Channel, ACTS",
            Confidence.A,
            command="CONFigure:LTE:SIGN:RFSettings:PCC:CHANnel:DL {value}",
            query="CONFigure:LTE:SIGN:RFSettings:PCC:CHANnel:DL?",
            allowed="of the band",
        ),
        Capability(
            Operation.BANDWIDTH,
            "downlink bandwidth",
            "RsCmwLteSig Configure/Cell/Bandwidth, ACTS",
            Confidence.A,
            command=f"{_CELL}:BANDwidth:PCC:DL {{value}}",
            query=f"{_CELL}:BANDwidth:PCC:DL?",
            allowed="B014, B030, B050, B100, B150, B200",
            unit="100 kHz",
        ),
        Capability(
            Operation.KEY,
            "secret key K of the cell's security settings",
            "RsCmwLteSig Configure/Cell/Security",
            Confidence.A,
            command=f"{_CELL}:SECurity:SKEY #H{{value}}",
            allowed="32 hexadecimal digits",
            secret=True,
        ),
        Capability(
            Operation.OPC,
            "OPc of the cell's security settings",
            "RsCmwLteSig Configure/Cell/Security",
            Confidence.A,
            command=f"{_CELL}:SECurity:OPC #H{{value}}",
            allowed="32 hexadecimal digits",
            secret=True,
        ),
        Capability(
            Operation.IMS_STATE,
            "state of the handset at the instrument's IMS server",
            "RsCmwDau Sense/Data/Control/Ims/Mobile",
            Confidence.A,
            query="SENSe:DATA:CONTrol:IMS2:MOBile1:STATus?",
            replies={"UNR": False, "REG": True, "EMER": True, "EXP": False, "TERM": False},
        ),
        Capability(
            Operation.SMS_TO_UE,
            "text of the SMS that `sms send` sends",
            "ACTS, RsCmwLteSig Configure/Sms/Outgoing",
            Confidence.A,
            command='CONFigure:LTE:SIGN:SMS:OUTGoing:INTernal "{value}"',
            allowed="up to 800 characters",
        ),
        Capability(
            "sms originator",
            "number the SMS comes from",
            "RsCmwLteSig Configure/Sms/Outgoing",
            Confidence.A,
            command='CONFigure:LTE:SIGN:SMS:OUTGoing:OADDress "{value}"',
        ),
        Capability(
            "sms send",
            "send the SMS",
            "ACTS, RsCmwLteSig Call/Pswitched",
            Confidence.A,
            command=f"{_ACTION} SMS",
        ),
        Capability(
            "sms result",
            "how sending ended",
            "RsCmwLteSig Sense/Sms/Outgoing/Info",
            Confidence.A,
            query="SENSe:LTE:SIGN:SMS:OUTGoing:INFO:LMSent?",
            replies={"SUCC": True, "FAIL": False, "NAV": None},
        ),
        Capability(
            Operation.SMS_FROM_UE,
            "text of the last SMS from the handset",
            "RsCmwLteSig Sense/Sms/Incoming/Info",
            Confidence.A,
            query="SENSe:LTE:SIGN:SMS:INComing:INFO:MTEXt?",
        ),
    ],
)


class Cmw500(TableDriver):
    """What differs from the table: binary cell identities, quoted replies, the length of the MNC, SMS."""

    TABLE: ClassVar[CapabilityTable] = TABLE
    _level_in_service: float | None = None
    """The level to come back to; None while the cell is in service."""

    def _set_mcc(self, mcc: str) -> None:
        self._do(Operation.MCC, int(mcc))

    def _set_mnc(self, mnc: str) -> None:
        """In the order that no intermediate state contradicts: a two-digit value fits either length."""
        steps: list[tuple[str, object]] = [
            (Operation.MNC, int(mnc)),
            ("mnc digits", "TWO" if len(mnc) == 2 else "THRee"),
        ]
        for operation, value in steps if len(mnc) == 2 else reversed(steps):
            self._do(operation, value)

    def _eci_text(self, eci: int) -> str:
        return f"#B{eci:028b}"

    def _band_text(self, band: int) -> str:
        return f"OB{band}"

    def _bandwidth_text(self, megahertz: float) -> str:
        return f"B{round(megahertz * 10):03d}"

    def cell_identity(self) -> CellIdentity:
        digits: int = self._value("mnc digits")
        return CellIdentity(
            mcc=f"{self._number(Operation.MCC):03d}",
            mnc=f"{self._number(Operation.MNC):0{digits}d}",
            tac=self._number(Operation.TAC),
            eci=self._number(Operation.ECI),
        )

    def out_of_service(self) -> None:
        if self._level_in_service is None:
            self._level_in_service = self._level()
        super().out_of_service()

    def recover(self) -> None:
        if self._level_in_service is not None:
            super().recover()
            self._level_in_service = None

    def power(self, dbm: float) -> None:
        super().power(dbm)
        self._level_in_service = None

    def _service_text(self, out: bool) -> str:
        return f"{UNHEARD_DBM if out else self._level_in_service:g}"

    def _level(self) -> float:
        reply = self._ask(Operation.POWER)
        try:
            return float(reply)
        except ValueError:
            raise self._unreadable(Operation.POWER, "a level in dBm", reply) from None

    def state(self) -> CellState:
        state = super().state()
        out = self._level_in_service is not None and state not in (CellState.OFF, CellState.STARTING)
        return CellState.OUT_OF_SERVICE if out else state

    def _use_external_ims(self) -> None:
        self.ims_server(False)

    def ims_server(self, on: bool) -> None:
        self._do(Operation.IMS_SERVER, "INTernal" if on else "EXTernal")

    def ue_imsi(self) -> str | None:
        return next(iter(self._strings(Operation.UE_IMSI)), None)

    def ue_imei(self) -> str | None:
        return next(iter(self._strings(Operation.UE_IMEI)), None)

    def _addresses(self, operation: Operation) -> tuple[str, ...]:
        return tuple(value for value in self._strings(operation) if value)

    def reject_attach(self, cause: int | None) -> None:
        value = "OFF" if cause is None else _NAMED_CAUSES.get(cause, f"C{cause}")
        self._do(Operation.ATTACH_REJECT, value)

    def send_sms(self, text: str, sender: str, timeout: float) -> None:
        _quotable("text", text)
        self._do(Operation.SMS_TO_UE, text)
        self._do("sms originator", sender)
        self._do("sms send")
        self._wait_sent(timeout)

    def _wait_sent(self, timeout: float) -> None:
        self._wait_for(lambda: self._value("sms result") is not None, timeout, "sending the SMS")
        if not (sent := self._value("sms result")):
            raise NotSeen(
                f"network simulator at {self._session.resource}: expected the SMS to be sent within "
                f"{timeout:g} s, got {'a failure' if sent is False else 'no result'}"
            )

    def received_sms(self) -> str | None:
        return next(iter(self._strings(Operation.SMS_FROM_UE)), None)

    def _strings(self, operation: str) -> tuple[str, ...]:
        """A comma list of quoted strings; the instrument says NAV or INV where it has no value."""
        reply = self._ask(operation)
        values = [part.strip() for part in _IN_LIST.findall(reply)]
        for value in values:
            if value not in NO_VALUE and (len(value) < 2 or value[0] not in "'\"" or value[-1] != value[0]):
                raise self._unreadable(operation, "quoted strings", reply)
        return tuple(value[1:-1] for value in values if value not in NO_VALUE and value[1:-1] not in NO_VALUE)


def _quotable(what: str, text: str) -> None:
    if '"' in text or not text.isprintable():
        raise UsageError(f"{what} of the SMS: printable characters without quotation marks were expected")
