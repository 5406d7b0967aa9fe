"""Capability tables: what an instrument driver can do, declared with the source that says so.

A driver is a table and little else. What no source gives is absent from the table, and asking for it is
refused by name; nothing is invented.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from harness.errors import InstrumentRefused


class Confidence(StrEnum):
    """How far a command text can be trusted. None of it was tried by us on a real instrument."""

    A = "vendor's package or reference, or two independent code bases that ran on hardware"
    B = "one code base known to have run on hardware"
    C = "one source, never seen confirmed"


class Operation(StrEnum):
    """What a network simulator may be asked for, in words of no dialect.

    A driver has an operation when its table does. Tables may have more rows, for the steps of an operation
    that only their dialect knows.
    """

    RESET = "reset"
    SCENARIO = "scenario"
    CELL = "cell"
    UE_STATE = "ue state"
    RRC_STATE = "rrc state"
    MCC = "mcc"
    MNC = "mnc"
    TAC = "tac"
    ECI = "eci"
    PHYSICAL_ID = "physical cell id"
    BAND = "band"
    CHANNEL = "downlink channel"
    BANDWIDTH = "bandwidth"
    POWER = "power"
    SERVICE = "service"
    BARRED = "barred"
    UE_IMSI = "ue imsi"
    UE_IMEI = "ue imei"
    UE_IPV4 = "ue ipv4"
    UE_IPV6 = "ue ipv6"
    CONNECT = "connect"
    RELEASE = "release"
    DETACH = "detach"
    ATTACH_REJECT = "attach reject"
    PCSCF_IPV4 = "pcscf ipv4"
    PCSCF_IPV6 = "pcscf ipv6"
    IMS_SERVER = "ims server"
    IMS_DEREGISTER = "ims deregister"
    IMS_STATE = "ims state"
    KEY = "subscriber key"
    OPC = "subscriber opc"
    SMS_TO_UE = "sms to ue"
    SMS_FROM_UE = "sms from ue"
    LOG = "log"

    @property
    def meaning(self) -> str:
        """One line for people."""
        return _MEANINGS[self]


_MEANINGS: Mapping[Operation, str] = {
    Operation.RESET: "settings to default, cell off",
    Operation.SCENARIO: "load a scenario or settings file that lies on the instrument",
    Operation.CELL: "switch the cell on and off, and whether it is",
    Operation.UE_STATE: "what the handset does on this cell",
    Operation.RRC_STATE: "RRC connected or idle",
    Operation.MCC: "mobile country code",
    Operation.MNC: "mobile network code",
    Operation.TAC: "tracking area code",
    Operation.ECI: "E-UTRAN cell identity, 28 bits",
    Operation.PHYSICAL_ID: "physical cell identity, 0 to 503",
    Operation.BAND: "operating band",
    Operation.CHANNEL: "downlink channel, an EARFCN",
    Operation.BANDWIDTH: "downlink bandwidth",
    Operation.POWER: "downlink power",
    Operation.SERVICE: "take the cell out of service, and back",
    Operation.BARRED: "bar the cell",
    Operation.UE_IMSI: "IMSI of the handset",
    Operation.UE_IMEI: "IMEI of the handset",
    Operation.UE_IPV4: "IPv4 addresses of the handset",
    Operation.UE_IPV6: "IPv6 addresses of the handset",
    Operation.CONNECT: "page the handset and set up a connection",
    Operation.RELEASE: "release the connection of the handset",
    Operation.DETACH: "end the registration of the handset from the network",
    Operation.ATTACH_REJECT: "reject attach requests with a cause",
    Operation.PCSCF_IPV4: "IPv4 address of the P-CSCF that the handset is given",
    Operation.PCSCF_IPV6: "IPv6 address of the P-CSCF that the handset is given",
    Operation.IMS_SERVER: "the instrument's own IMS server, on and off",
    Operation.IMS_DEREGISTER: "end the registration of the handset at the instrument's own IMS server",
    Operation.IMS_STATE: "whether the handset is registered at the instrument's own IMS server",
    Operation.KEY: "secret key K of the subscriber",
    Operation.OPC: "OPc of the subscriber",
    Operation.SMS_TO_UE: "send an SMS to the handset",
    Operation.SMS_FROM_UE: "the last SMS from the handset",
    Operation.LOG: "save the instrument's own log",
}


@dataclass(frozen=True, slots=True)
class Capability:
    """One row: an operation, or a step of one.

    command: text that sets or does it; `{value}` stands for the argument. query: text that asks. replies:
    reply text to value; empty when any reply is taken. allowed: values that can be set, unit: what a number
    counts, both for people. secret: the argument must not reach a log. asked: confidence of the query, where
    it is not that of the command.
    """

    operation: str
    meaning: str
    source: str
    confidence: Confidence
    command: str | None = None
    query: str | None = None
    replies: Mapping[str, Any] = field(default_factory=dict)
    allowed: str = ""
    unit: str = ""
    secret: bool = False
    asked: Confidence | None = None

    @property
    def grade(self) -> str:
        """The letter of its confidence; two where command and query differ."""
        return self.confidence.name if self.asked is None else f"{self.confidence.name}/{self.asked.name}"


_PLAIN = ("operation", "meaning", "source", "command", "query", "allowed", "unit")


class CapabilityTable:
    """The operations of one instrument family, by name."""

    def __init__(self, instrument: str, capabilities: Iterable[Capability]) -> None:
        self.instrument = instrument
        self.capabilities = tuple(capabilities)
        self._by_name = {c.operation: c for c in self.capabilities}
        if len(self._by_name) != len(self.capabilities):
            raise ValueError(f"{instrument}: an operation is declared twice")

    def as_dict(self) -> list[dict[str, Any]]:
        """The rows as JSON values."""
        return [
            {
                **{name: getattr(row, name) for name in _PLAIN},
                "confidence": row.grade,
                "replies": {reply: str(value) for reply, value in row.replies.items()},
            }
            for row in self.capabilities
        ]

    @property
    def operations(self) -> frozenset[Operation]:
        """What the driver can do."""
        return frozenset(operation for operation in Operation if operation in self._by_name)

    def __contains__(self, operation: str) -> bool:
        return operation in self._by_name

    def require(self, operations: Iterable[str], address: str) -> None:
        """Raises InstrumentRefused for the first of them that the table lacks."""
        for operation in operations:
            self._get(operation, address)

    def row(self, operation: str) -> Capability:
        """The row of an operation. Raises KeyError."""
        return self._by_name[operation]

    def is_secret(self, operation: str) -> bool:
        """Whether the argument must not reach a log."""
        return operation in self._by_name and self._by_name[operation].secret

    def command(self, operation: str, address: str, value: object = "") -> str:
        """The text that does `operation`. Raises InstrumentRefused when the table has none."""
        template = self._get(operation, address).command
        if template is None:
            raise self._absent(operation, address, "a command")
        return template.replace("{value}", str(value))

    def query(self, operation: str, address: str) -> str:
        """The text that asks for `operation`. Raises InstrumentRefused when the table has none."""
        text = self._get(operation, address).query
        if text is None:
            raise self._absent(operation, address, "a query")
        return text

    def value(self, operation: str, address: str, reply: str) -> Any:
        """What `reply` means. Raises InstrumentRefused with the literal text when the table does not say."""
        replies = self._get(operation, address).replies
        if reply not in replies:
            raise InstrumentRefused(
                part=f"{self.instrument} {operation}",
                address=address,
                expected=f"one of {', '.join(replies)}",
                actual=repr(reply),
                remedy="find its meaning in the instrument's manual and add it to the driver's table",
            )
        return replies[reply]

    def _get(self, operation: str, address: str) -> Capability:
        if operation not in self._by_name:
            raise self._absent(operation, address, "an operation")
        return self._by_name[operation]

    def _absent(self, operation: str, address: str, what: str) -> InstrumentRefused:
        return InstrumentRefused(
            part=f"{self.instrument} driver",
            address=address,
            expected=f"{what} {str(operation)!r} in its table",
            actual="none: no source we have gives one",
            remedy="do it by hand at the instrument, or add the command with its source to the table",
        )
