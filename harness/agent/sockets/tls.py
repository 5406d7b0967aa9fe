"""TLS contexts out of files (RFC 3261 26.3.1, RFC 5922; for MSRP RFC 8122 and RFC 4975 14.4).

pyOpenSSL, not the ssl module: a server has to ask for a certificate that only a fingerprint vouches for, and
ssl cannot take one that no authority signed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL, crypto

from harness.agent.sockets.certificates import fingerprints_of, for_sip
from harness.agent.sockets.tls_settings import ClientCertificate, TlsSettings
from harness.bodies.sdp_attributes import Fingerprint
from harness.errors import UsageError


@dataclass(frozen=True, slots=True)
class TlsContext:
    """What one side of a connection is made of. identify: the server's name must be in its certificate."""

    context: SSL.Context
    server: bool
    identify: bool


def server_context(settings: TlsSettings) -> TlsContext:
    """The server's side. Raises UsageError when a file is absent or no use."""
    if settings.certificate is None:
        raise UsageError("TLS needs a certificate to listen: name a PEM file")
    context = _context(SSL.TLS_SERVER_METHOD)
    _show(context, settings)
    if settings.client_certificate is not ClientCertificate.NONE:
        _trust(context, settings.ca)
        required = settings.client_certificate is ClientCertificate.REQUIRED
        context.set_verify(
            SSL.VERIFY_PEER | (SSL.VERIFY_FAIL_IF_NO_PEER_CERT if required else 0), _judge_by_chain
        )
    return TlsContext(context, server=True, identify=False)


def client_context(settings: TlsSettings) -> TlsContext:
    """The client's side, with a certificate where one is set. Raises UsageError as `server_context`."""
    context = _context(SSL.TLS_CLIENT_METHOD)
    if settings.certificate is not None:
        _show(context, settings)
    if settings.verify_server:
        _trust(context, settings.ca)
        context.set_verify(SSL.VERIFY_PEER, _judge_by_chain)
    return TlsContext(context, server=False, identify=settings.verify_server)


def fingerprint_context(settings: TlsSettings, *, server: bool) -> TlsContext:
    """A side of MSRP over TLS between peers: any certificate is taken, but there must be one (RFC 8122 6.2).

    Its fingerprint decides, once the SDP that names it is there (6.2: the connection may outrace the answer);
    that is up to who uses the connection. Raises UsageError as `server_context`.
    """
    if settings.certificate is None:
        raise UsageError("MSRP over TLS needs a certificate on both sides (RFC 8122 6.2): name a PEM file")
    context = _context(SSL.TLS_SERVER_METHOD if server else SSL.TLS_CLIENT_METHOD)
    _show(context, settings)
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _take_any)
    return TlsContext(context, server, identify=False)


def own_fingerprints(settings: TlsSettings) -> tuple[Fingerprint, ...]:
    """What our SDP says of our certificate, nothing without one. Raises UsageError as `server_context`."""
    if settings.certificate is None:
        return ()
    return fingerprints_of(_certificates(settings.certificate)[0])


def _context(method: int) -> SSL.Context:
    context = SSL.Context(method)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)  # RFC 8996
    # A resumed session shows no certificate: every connection is judged by its own handshake.
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_RENEGOTIATION)
    return context


def _judge_by_chain(
    connection: SSL.Connection, certificate: crypto.X509, error: int, depth: int, good: int
) -> bool:
    """OpenSSL's own verdict, except that a certificate made for SIP needs no usage for TLS (RFC 5924 5)."""
    codes = SSL.X509VerificationCodes
    if good or (error == codes.ERR_INVALID_PURPOSE and for_sip(certificate.to_cryptography())):
        return True
    problems = connection.get_app_data()
    problems.append(
        f"{_meaning(error)} ({'its own' if depth == 0 else f'{depth} above it'}, {_shown(certificate)})"
    )
    return False


def _take_any(
    connection: SSL.Connection, certificate: crypto.X509, error: int, depth: int, good: int
) -> bool:
    return True


def _meaning(error: int) -> str:
    """The words of a verification error of OpenSSL."""
    codes = SSL.X509VerificationCodes
    for name in dir(codes):
        if name.startswith("ERR_") and getattr(codes, name) == error:
            return name.removeprefix("ERR_").replace("_", " ").lower()
    return f"verification error {error}"


def _shown(certificate: crypto.X509) -> str:
    return certificate.to_cryptography().subject.rfc4514_string() or "no subject"


def _show(context: SSL.Context, settings: TlsSettings) -> None:
    """Give the context our certificate, those that vouch for it, and the key."""
    assert settings.certificate is not None
    first, *others = _certificates(settings.certificate)
    key_file = settings.key or settings.certificate
    try:
        key = load_pem_private_key(_read(key_file, "private key"), None)
    except TypeError:
        raise UsageError(
            f"{key_file}: the private key has a password; write one without (openssl pkey)"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise UsageError(f"{key_file}: no private key in PEM form; name the file of the key") from None
    try:
        context.use_certificate(first)
        for each in others:
            context.add_extra_chain_cert(each)
        context.use_privatekey(key)  # type: ignore[arg-type]
        context.check_privatekey()
    except (SSL.Error, TypeError) as error:
        reasons = reasons_of(error)
        raise UsageError(
            f"{key_file}: the key does not go with the certificate {settings.certificate} ({reasons})"
        ) from None


def _trust(context: SSL.Context, ca: Path | None) -> None:
    if ca is None:
        context.set_default_verify_paths()
        return
    store = context.get_cert_store()
    assert store is not None
    store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)  # whoever is in the file is trusted, root or not
    for each in _certificates(ca):
        store.add_cert(crypto.X509.from_cryptography(each))
        context.add_client_ca(each)


def _certificates(file: Path) -> Sequence[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(_read(file, "certificate"))
    except ValueError:
        raise UsageError(f"{file}: no certificate in PEM form (-----BEGIN CERTIFICATE-----)") from None


def _read(file: Path, what: str) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{file}: the {what} cannot be read ({error.strerror}); name a file that can"
        ) from None


def reasons_of(error: Exception) -> str:
    """What OpenSSL says, without names of its functions."""
    found = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return ", ".join(str(each[2]) for each in found) or str(error) or type(error).__name__
