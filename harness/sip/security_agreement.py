"""Security-Client, -Server and -Verify: agreeing on how to protect the first hop (RFC 3329)."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from harness.sip.grammar import NO_PARAMETERS, Parameters
from harness.sip.header_value import demand_token, read_value

OPTION_TAG, DIGEST = "sec-agree", "digest"
_QVALUE = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")
_DIGEST_VERIFY = re.compile(r'"[0-9a-f]{32}"')
_OF_THE_CLIENT = frozenset({"d-ver"})  # the client adds it to what it mirrors (2.2)


@dataclass(frozen=True, slots=True)
class SecurityMechanism:
    """One mechanism (2.2), such as tls, digest, ipsec-ike, or ipsec-3gpp; the name as it was written."""

    name: str
    parameters: Parameters = NO_PARAMETERS

    header: ClassVar[str] = "Security-Server"

    def __post_init__(self) -> None:
        demand_token(self.name, "security mechanism")

    @classmethod
    def parse(cls, text: str, offset: int = 0) -> Self:
        reading = read_value(cls.header, "RFC 3329 2.2", text, offset)
        for name, form in (("q", _QVALUE), ("d-ver", _DIGEST_VERIFY)):
            if name in reading.parameters and not form.fullmatch(reading.parameters.raw(name) or ""):
                raise reading.wrong(f"bad {name}", name)
        return cls(reading.head, reading.parameters)

    @property
    def preference(self) -> float | None:
        """q, the higher the better; None where it is not given."""
        value = self.parameters.get("q")
        return None if value is None else float(value)

    def mirrors(self, other: SecurityMechanism) -> bool:
        """Whether both say the same, however they are written (2.3.1, RFC 3261 7.3.1)."""
        return self._key() == other._key()

    def _key(self) -> tuple[str, dict[str, str | None]]:
        written = {name: self.parameters.raw(name) for name in self.parameters if name not in _OF_THE_CLIENT}
        values = {name: _without_case(value) for name, value in written.items()}
        return self.name.lower(), values

    def __str__(self) -> str:
        return f"{self.name}{self.parameters}"


@dataclass(frozen=True, slots=True)
class SecurityClient(SecurityMechanism):
    """What the client can do. It SHOULD NOT say what it prefers (2.3.1)."""

    header: ClassVar[str] = "Security-Client"


@dataclass(frozen=True, slots=True)
class SecurityServer(SecurityMechanism):
    """What the server can do, whatever the client said."""


@dataclass(frozen=True, slots=True)
class SecurityVerify(SecurityMechanism):
    """What the client was told the server can do."""

    header: ClassVar[str] = "Security-Verify"


def mirrored(verify: Sequence[SecurityMechanism], server: Sequence[SecurityMechanism]) -> bool:
    """Whether the client got the server's list unchanged: the same mechanisms in the same order (2.3.1)."""
    return len(verify) == len(server) and all(map(SecurityMechanism.mirrors, verify, server))


def chosen(server: Sequence[SecurityMechanism], known: Collection[str]) -> SecurityMechanism | None:
    """What a client that knows these mechanisms has to use: the one with the highest q (2.3.1)."""
    usable = [each for each in server if each.name.lower() in known]
    return max(usable, key=lambda each: each.preference or 0.0, default=None)


def preferences_clash(server: Sequence[SecurityMechanism]) -> bool:
    """Whether two mechanisms have the same q, which is an error (2.2)."""
    given = [each.preference for each in server]
    return len(given) > 1 and len(set(given)) < len(given)


def _without_case(value: str | None) -> str | None:
    return value if value is None or value.startswith('"') else value.lower()
