"""Headers of the IMS: Privacy (RFC 3323), preferred and asserted services (RFC 6050), those of RFC 7315."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, Self

from harness.errors import SipSyntaxError, UsageError
from harness.sip.grammar import (
    NO_PARAMETERS,
    TOKEN_CHARACTERS,
    Parameters,
    is_token,
    octets,
    parse_parameters,
    quote,
    split_list,
    unquote,
)
from harness.sip.header_value import Reading, demand_token, read_value
from harness.sip.headers import NameAddr

_LABEL = r"[A-Za-z0-9-]"
_SERVICE_ID = re.compile(rf"(?i:urn:urn-7:)({_LABEL}{{1,27}}(?:\.{_LABEL}+)*)")
_NETWORK = re.compile(rf'[{TOKEN_CHARACTERS}]+|"(?:[^"\\]|\\.)*"', re.DOTALL)
_SEMICOLON_PIECE = re.compile(r'(?:"(?:[^"\\]|\\.)*+"?|[^";])*+', re.DOTALL)
_INFO = r'(?:[^ \t;,"<>=]+|"(?:[^"\\]|\\.)*")'  # gen-value, and what comes close
_ACCESS_INFO = re.compile(rf"({_INFO})(?:[ \t]*=[ \t]*({_INFO}))?", re.DOTALL)
_IOI = re.compile(r"[A-Za-z][A-Za-z0-9]*\.[0-9]+|void")


@dataclass(frozen=True, slots=True)
class Privacy:
    """What is to be kept private: tokens in lower case, in order (RFC 3323 4.2)."""

    values: tuple[str, ...]

    header: ClassVar[str] = "Privacy"

    def __post_init__(self) -> None:
        if not self.values:
            raise UsageError("Privacy needs a value (RFC 3323 4.2)")
        for value in self.values:
            demand_token(value, "privacy value")

    @classmethod
    def parse(cls, text: str, offset: int = 0) -> Self:
        place, values = offset, []
        for piece in text.split(";"):
            value = piece.strip(" \t")
            if not is_token(value):
                raise SipSyntaxError(cls.header, piece, place, "RFC 3323 4.2 priv-value")
            values.append(value.lower())
            place += octets(piece) + 1
        return cls(tuple(values))

    def __contains__(self, value: object) -> bool:
        return value in self.values

    def __str__(self) -> str:
        return ";".join(self.values)


@dataclass(frozen=True, slots=True)
class PreferredService:
    """A service by its plain URN (RFC 6050 4.2, 4.4); identifier is what follows urn:urn-7:, compared
    without case."""

    identifier: str

    header: ClassVar[str] = "P-Preferred-Service"

    def __post_init__(self) -> None:
        if _SERVICE_ID.fullmatch(f"urn:urn-7:{self.identifier}") is None:
            raise UsageError(f"{self.identifier[:80]!r} is no urn-service-id (RFC 6050 4.4)")

    @classmethod
    def parse(cls, text: str, offset: int = 0) -> Self:
        match = _SERVICE_ID.fullmatch(text)
        if match is None:
            raise SipSyntaxError(cls.header, text, offset, "RFC 6050 4.4 Service-ID")
        return cls(match[1])

    def same(self, other: PreferredService) -> bool:
        """True when both name one service (RFC 6050 4.4, lexical equivalence)."""
        return self.identifier.lower() == other.identifier.lower()

    def __str__(self) -> str:
        return f"urn:urn-7:{self.identifier}"


@dataclass(frozen=True, slots=True)
class AssertedService(PreferredService):
    """The service the network found (RFC 6050 4.1)."""

    header: ClassVar[str] = "P-Asserted-Service"


@dataclass(frozen=True, slots=True)
class AssociatedUri(NameAddr):
    """One identity that was registered along (RFC 7315 4.1); the header may be empty."""

    header: ClassVar[str] = "P-Associated-URI"


@dataclass(frozen=True, slots=True)
class CalledPartyId(NameAddr):
    """The identity a request was sent to, before the contact took its place (RFC 7315 4.2)."""

    header: ClassVar[str] = "P-Called-Party-ID"


@dataclass(frozen=True, slots=True)
class VisitedNetworkId:
    """One network that is visited, without quotes (RFC 7315 4.3)."""

    network: str
    parameters: Parameters = NO_PARAMETERS

    header: ClassVar[str] = "P-Visited-Network-ID"

    @classmethod
    def parse(cls, text: str, offset: int = 0) -> Self:
        reading = read_value(cls.header, "RFC 7315 5.3", text, offset, _NETWORK)
        return cls(unquote(reading.head), reading.parameters)

    def __str__(self) -> str:
        network = self.network if is_token(self.network) else quote(self.network)
        return f"{network}{self.parameters}"


@dataclass(frozen=True, slots=True)
class AccessNetworkInfo:
    """One access network: its type or class, and what is known of it (RFC 7315 4.4, 5.4).

    An extension may be a lone gen-value; it is the name of a parameter without value.
    """

    access: str
    parameters: Parameters = NO_PARAMETERS

    header: ClassVar[str] = "P-Access-Network-Info"

    def __post_init__(self) -> None:
        demand_token(self.access, "access type")

    @classmethod
    def parse(cls, text: str, offset: int = 0) -> Self:
        clause = "RFC 7315 5.4"
        pairs: list[tuple[str, str | None]] = []
        access, index, place = None, 0, offset
        while index <= len(text):
            match = _SEMICOLON_PIECE.match(text, index)
            assert match is not None  # it matches the empty text
            piece = match[0].strip(" \t")
            found = _ACCESS_INFO.fullmatch(piece)
            if found is None or (access is None and not is_token(piece)):
                raise SipSyntaxError(cls.header, piece, place, clause)
            if access is None:
                access = piece
            else:
                pairs.append((found[1], found[2]))
            index, place = match.end() + 1, place + octets(match[0]) + 1
        return cls(access or "", Parameters(pairs))

    @property
    def network_provided(self) -> bool:
        """True when the network, not the handset, says it."""
        return "network-provided" in self.parameters

    @property
    def cell(self) -> str | None:
        """The cell global identity as text, of whatever access (TS 24.229 7.2A.4)."""
        for name in ("utran-cell-id-3gpp", "cgi-3gpp", "ci-3gpp2"):
            if name in self.parameters:
                return self.parameters[name]
        return None

    def __str__(self) -> str:
        return f"{self.access}{self.parameters}"


@dataclass(frozen=True, slots=True)
class ChargingVector:
    """The charging identity of a session or request and who takes part in it (RFC 7315 4.6, 5.6)."""

    icid: str
    parameters: Parameters = NO_PARAMETERS

    header: ClassVar[str] = "P-Charging-Vector"

    @classmethod
    def parse(cls, text: str, offset: int = 0) -> Self:
        clause = "RFC 7315 5.6"
        parameters = parse_parameters(text, offset, cls.header, clause)
        icid = parameters.get("icid-value")
        if icid is None:
            raise SipSyntaxError(cls.header, text, offset, clause, "no icid-value")
        reading = Reading(cls.header, clause, f";{text}", offset - 1, "", 0, parameters)
        for ioi in split_list(parameters.get("transit-ioi") or ""):
            if _IOI.fullmatch(ioi) is None:
                raise reading.wrong(f"{ioi!r} is neither name.index nor void", "transit-ioi")
        return cls(icid, reading.others("icid-value"))

    @property
    def generated_at(self) -> str | None:
        """The host that made the identity."""
        return self.parameters.get("icid-generated-at")

    @property
    def originating_network(self) -> str | None:
        """orig-ioi."""
        return self.parameters.get("orig-ioi")

    @property
    def terminating_network(self) -> str | None:
        """term-ioi."""
        return self.parameters.get("term-ioi")

    @property
    def transit_networks(self) -> tuple[str, ...]:
        """transit-ioi, in order; `void` stands for a network that does not show itself."""
        return tuple(split_list(self.parameters.get("transit-ioi") or ""))

    def __str__(self) -> str:
        return f"icid-value={self.icid if is_token(self.icid) else quote(self.icid)}{self.parameters}"


@dataclass(frozen=True, slots=True)
class ChargingFunctionAddresses:
    """Where charging records go: ccf and ecf, ccf-2 and ecf-2 in reserve (RFC 7315 4.5, 5.5)."""

    parameters: Parameters

    header: ClassVar[str] = "P-Charging-Function-Addresses"

    def __post_init__(self) -> None:
        if not self.parameters:
            raise UsageError(f"{self.header} needs an address (RFC 7315 5.5)")

    @classmethod
    def parse(cls, text: str, offset: int = 0) -> Self:
        parameters = parse_parameters(text, offset, cls.header, "RFC 7315 5.5")
        if not parameters:
            raise SipSyntaxError(cls.header, text, offset, "RFC 7315 5.5", "no address")
        return cls(parameters)

    def addresses(self, function: str) -> tuple[str, ...]:
        """The addresses of `ccf` or `ecf`, the one to try first in front (RFC 7315 5.5)."""
        found = (self.parameters.get(name) for name in (function, f"{function}-2"))
        return tuple(address for address in found if address is not None)

    def __str__(self) -> str:
        return str(self.parameters)[1:]
