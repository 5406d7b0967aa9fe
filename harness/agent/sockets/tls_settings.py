"""What one side of TLS is told. The files are read where a context is made (harness.agent.sockets.tls)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class ClientCertificate(StrEnum):
    """What a server wants of a client's certificate (RFC 5922 7.4)."""

    NONE = "none"
    """It is not asked for."""
    OPTIONAL = "optional"
    """Asked for; one that is shown must be good."""
    REQUIRED = "required"
    """Without a good one there is no connection."""


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """Files and habits of one side of TLS.

    certificate: PEM, ours first, then those that vouch for it. key: PEM without a password, None when it is
    in the same file. ca: PEM of those we trust, None for those the system trusts. client_certificate: what we
    ask for as a server. verify_server: whether as a client we check the server's certificate and its name.
    """

    certificate: Path | None = None
    key: Path | None = None
    ca: Path | None = None
    client_certificate: ClientCertificate = ClientCertificate.NONE
    verify_server: bool = True
