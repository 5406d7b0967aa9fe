"""The peer in lab.yaml."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from harness.agent.sockets.tls_settings import ClientCertificate, TlsSettings
from harness.errors import SipSyntaxError, UsageError
from harness.lab.part import E164, Part, beside_the_file, in_form
from harness.peer.config import DEFAULT_ALGORITHMS, Authentication, SecurityPolicy
from harness.peer.personality import personality_named
from harness.sip.digest import HASHES, is_aka
from harness.sip.security_agreement import SecurityServer, preferences_clash


class TlsPart(Part):
    """SIP over TLS beside UDP and TCP. The files are PEM; ca says whose client certificates are good."""

    port: Annotated[int, Field(ge=0, le=65535)] = 5061
    certificate: Path
    key: Path | None = None
    ca: Path | None = None
    client_certificate: ClientCertificate = ClientCertificate.NONE

    _places = field_validator("certificate", "key", "ca")(beside_the_file)

    @property
    def settings(self) -> TlsSettings:
        """The same for the agent."""
        return TlsSettings(self.certificate, self.key, self.ca, self.client_certificate)


class MsrpTlsPart(Part):
    """MSRP over TLS beside TCP. offer: whether the peer's own offers are for TLS."""

    port: Annotated[int, Field(ge=0, le=65535)] = 0
    certificate: Path
    key: Path | None = None
    ca: Path | None = None
    offer: bool = True

    _places = field_validator("certificate", "key", "ca")(beside_the_file)

    @property
    def settings(self) -> TlsSettings:
        """The same for the agent."""
        return TlsSettings(self.certificate, self.key, self.ca)


class PeerPart(Part):
    """The peer: where it listens (P-CSCF) and which home domain it serves."""

    address: str | tuple[str, ...] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 5060
    domain: Annotated[str, in_form(r"[A-Za-z0-9.-]+", "a domain name")]
    authentication: Authentication = Authentication.AKA
    algorithms: Annotated[tuple[str, ...], Field(min_length=1)] = DEFAULT_ALGORITHMS
    tls: TlsPart | None = None
    msrp_tls: MsrpTlsPart | None = None
    security_agreement: SecurityPolicy = SecurityPolicy.UNSUPPORTED
    mechanisms: Annotated[tuple[str, ...], Field(min_length=1)] = ("tls",)
    number: Annotated[str, E164] = "+12025550199"
    personality: str = "reference"

    @property
    def addresses(self) -> tuple[str, ...]:
        """The listening addresses as a tuple."""
        return (self.address,) if isinstance(self.address, str) else self.address

    @field_validator("algorithms")
    @classmethod
    def _known_algorithms(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if name.upper() not in HASHES:
                raise ValueError(f"{name} is no algorithm of SIP Digest or AKA: {', '.join(HASHES)}")
        return value

    @model_validator(mode="after")
    def _algorithm_of_the_method(self) -> PeerPart:
        aka = self.authentication is Authentication.AKA
        if self.authentication is not Authentication.NONE and not any(
            is_aka(name) is aka for name in self.algorithms
        ):
            raise ValueError(
                f"authentication {self.authentication} needs an algorithm of it in `algorithms:`"
            )
        return self

    @field_validator("personality")
    @classmethod
    def _known_personality(cls, value: str) -> str:
        try:
            personality_named(value)
        except UsageError as error:
            raise ValueError(str(error)) from None
        return value

    @field_validator("mechanisms")
    @classmethod
    def _known_mechanisms(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        try:
            clash = preferences_clash([SecurityServer.parse(text) for text in value])
        except SipSyntaxError as error:
            raise ValueError(str(error)) from None
        if clash:
            raise ValueError("each mechanism needs a q of its own, such as tls;q=0.2 (RFC 3329 2.2)")
        return value

    @field_validator("address")
    @classmethod
    def _literals(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        if not value:
            raise ValueError("expected one address or more")
        for literal in (value,) if isinstance(value, str) else value:
            if ip_address(literal).is_unspecified:
                raise ValueError(
                    f"{literal} is nothing a handset can be given; name addresses of this machine"
                )
        return value
