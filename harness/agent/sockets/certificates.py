"""Who a certificate speaks for in SIP (RFC 5922 7.1 and 7.2, key usage of RFC 5924), and its fingerprints."""

from __future__ import annotations

import ipaddress

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from harness.bodies.sdp_attributes import HASH_FUNCTIONS, Fingerprint, certificate_fingerprint
from harness.errors import SipSyntaxError
from harness.sip.uri import parse_uri

SIP_DOMAIN = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.20")  # id-kp-sipDomain, RFC 5924 4.1


def identities_of(certificate: x509.Certificate) -> frozenset[str]:
    """The SIP domains a certificate names, in lower case (RFC 5922 7.1), and its IP addresses.

    Host parts of sip: URIs without a user; names of type DNS only where there is no such URI; the common name
    only where there is no subjectAltName at all. RFC 5922 knows no addresses: a lab reaches its peer by one,
    so those of type IP count as well.
    """
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return _common_names(certificate)
    except ValueError:  # extensions that are no DER name nobody
        return frozenset()
    found = {
        host for uri in names.get_values_for_type(x509.UniformResourceIdentifier) if (host := _host(uri))
    }
    domains = found or {name.lower() for name in names.get_values_for_type(x509.DNSName)}
    return frozenset(domains | {str(each) for each in names.get_values_for_type(x509.IPAddress)})


def speaks_for(identities: frozenset[str], host: str) -> bool:
    """Whether one of the identities is that host: whole, without case, no wildcard (RFC 5922 7.2)."""
    bare = host.strip("[]").rstrip(".").lower()
    try:
        return str(ipaddress.ip_address(bare)) in identities
    except ValueError:
        return bare in identities


def for_sip(certificate: x509.Certificate) -> bool:
    """Whether the extended key usage allows use in SIP where it does not name TLS (RFC 5924 5)."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        return False
    return SIP_DOMAIN in usage or ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in usage


def fingerprints_of(certificate: x509.Certificate) -> tuple[Fingerprint, ...]:
    """SHA-256, and the hash its signature is made with where RFC 8122 knows and allows it (5.1)."""
    der, signed = certificate.public_bytes(Encoding.DER), _signature_hash(certificate)
    names = [name for name in HASH_FUNCTIONS if name in ("sha-256", signed)]
    return tuple(certificate_fingerprint(der, name) for name in names)


def _signature_hash(certificate: x509.Certificate) -> str:
    """The hash function of the signature as RFC 8122 5 writes it, empty where it has none (Ed25519)."""
    try:
        algorithm = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return ""
    return algorithm.name.replace("sha", "sha-", 1) if algorithm is not None else ""


def _common_names(certificate: x509.Certificate) -> frozenset[str]:
    values = (each.value for each in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME))
    return frozenset(value.lower() for value in values if isinstance(value, str))


def _host(text: str) -> str | None:
    """The host of a sip: URI that names a domain and no user."""
    try:
        uri = parse_uri(text)
    except SipSyntaxError:
        return None
    return uri.host.lower() if uri.scheme == "sip" and uri.user is None else None
