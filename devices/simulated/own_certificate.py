"""The certificate a handset makes for its MSRP over TLS; only itself signs it (RFC 4975 14.4)."""

from __future__ import annotations

import datetime
import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from harness.agent.sockets.tls_settings import TlsSettings

_DAY = datetime.timedelta(days=1)


def own_certificate(identity: str) -> TlsSettings:
    """A new certificate and its key, good for a year, for a SIP URI.

    They are in a file of memory that lasts as long as the process: however that ends, no key is left behind.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "simulated handset")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + 365 * _DAY)
        .add_extension(
            x509.SubjectAlternativeName([x509.UniformResourceIdentifier(identity)]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    file = os.memfd_create("msrp-certificate")
    with os.fdopen(os.dup(file), "wb") as out:
        out.write(certificate.public_bytes(Encoding.PEM))
        out.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return TlsSettings(Path(f"/proc/self/fd/{file}"))
