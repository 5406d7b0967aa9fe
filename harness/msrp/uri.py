"""MSRP URIs: their parts, when two are the same, and new ones for a session (RFC 4975 6, 6.1, 9 and 14.1)."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from harness.errors import MsrpSyntaxError, UsageError
from harness.msrp.ids import RANDOM_IDS

PORT = 2855  # registered and recommended, never a default (6, 15.4)
_CLAUSE = "RFC 4975 9 MSRP-URI"
_SCHEME = re.compile(r"(msrps?)://", re.IGNORECASE)
_USER_CHARACTERS = r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:]|%[0-9A-Fa-f]{2})"
_AUTHORITY = re.compile(
    rf"(?:({_USER_CHARACTERS}*)@)?"
    r"(?:\[([0-9A-Fa-f:.]+)\]|((?:[A-Za-z0-9\-._~!$&'()*+,=]|%[0-9A-Fa-f]{2})+))"
    r"(?::([0-9]{0,5}))?(?=[/;]|$)"
)
_SESSION_ID = re.compile(r"/([^\s;]+)")
_STRICT_SESSION_ID = re.compile(r"[A-Za-z0-9\-._~+=/]+")
_TRANSPORT = re.compile(r";([A-Za-z0-9]+)(?=;|$)")
_TOKEN = r"[!#-'*+\-.0-9A-Z^-~]+"
_PARAMETERS = re.compile(rf"(?:;{_TOKEN}(?:={_TOKEN})?)*")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


@dataclass(frozen=True, eq=False)
class MsrpUri:
    """An MSRP URI taken apart. Two are equal when RFC 4975 6.1 says so, whatever they look like.

    scheme is in lower case; userinfo and host are as written (escapes kept), host without brackets; port None
    stands for an absent one, which is not the same as any number; session_id None names a device and no
    session; parameters is what follows the transport, semicolons included, and takes no part in comparison;
    text is the URI as it was written.
    """

    scheme: str
    host: str
    port: int | None
    session_id: str | None = None
    transport: str = "tcp"
    userinfo: str | None = None
    parameters: str = ""
    text: str = field(default="", repr=False)

    def __str__(self) -> str:
        if self.text:
            return self.text
        user = "" if self.userinfo is None else f"{self.userinfo}@"
        session = "" if self.session_id is None else f"/{self.session_id}"
        return f"{self.scheme}://{user}{self.host_port}{session};{self.transport}{self.parameters}"

    def __eq__(self, other: object) -> bool:
        return self._comparable == other._comparable if isinstance(other, MsrpUri) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._comparable)

    @property
    def host_port(self) -> str:
        """host[:port] as written on the wire, IPv6 in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    @property
    def secure(self) -> bool:
        """Whether the connection must be protected by TLS (6)."""
        return self.scheme == "msrps"

    @property
    def is_numeric(self) -> bool:
        """Whether the host is an IP address, to be used as listed (6.2)."""
        return isinstance(self._host, ipaddress.IPv4Address | ipaddress.IPv6Address)

    @property
    def target(self) -> tuple[str, object, int | None]:
        """What two URIs have in common that are reached over one connection: scheme, host and port (5.4)."""
        return self.scheme, self._host, self.port

    @cached_property
    def _comparable(self) -> tuple[object, ...]:
        return *self.target, self.session_id, self.transport.lower()

    @cached_property
    def _host(self) -> object:
        """The host in a form that is equal for equal hosts (6.1, rule 2)."""
        decoded = _ESCAPE.sub(_normal_escape, self.host)
        try:
            return ipaddress.ip_address(decoded)
        except ValueError:
            return decoded.lower()


def parse_msrp_uri(text: str, offset: int = 0, *, strict: bool = False) -> MsrpUri:
    """A URI of a path. Raises MsrpSyntaxError with the octet of the piece that is wrong.

    strict holds it to the letter of RFC 4975: the characters of a session-id (9), a port beside a numeric
    address, no password (6). Without it these are taken as they come.
    """
    try:
        uri = _parse_cached(text)
    except MsrpSyntaxError:
        uri = _parse(text, offset)  # once more: the error carries the place in the message
    if strict:
        _demand_letter(uri, offset)
    return uri


def parse_path(text: str, offset: int = 0, *, strict: bool = False) -> tuple[MsrpUri, ...]:
    """The URIs of To-Path, From-Path or the path attribute of SDP, the next hop first (9; 8).

    Raises MsrpSyntaxError, for anything but one space between two URIs too.
    """
    uris = []
    for piece in text.split(" "):
        uris.append(parse_msrp_uri(piece, offset, strict=strict))
        offset += _octets(piece) + 1
    return tuple(uris)


def new_session_uri(host: str, port: int, *, secure: bool = False, session_id: str | None = None) -> MsrpUri:
    """The URI of a new session of ours, with 128 random bits (14.1) or this session-id. Raises UsageError."""
    chosen = session_id if session_id is not None else RANDOM_IDS.session()
    uri = MsrpUri("msrps" if secure else "msrp", host, port, chosen)
    try:
        return parse_msrp_uri(str(uri), strict=True)
    except MsrpSyntaxError as error:
        raise UsageError(f"cannot make a session URI of {host!r} and {port!r}: {error}") from error


def _parse(text: str, offset: int) -> MsrpUri:
    scheme = _SCHEME.match(text)
    if scheme is None:
        raise _wrong(text, 0, offset, "no msrp or msrps scheme")
    authority = _AUTHORITY.match(text, scheme.end())
    if authority is None:
        raise _wrong(text, scheme.end(), offset, "bad host or port")
    userinfo, literal, name, digits = authority.groups()
    if literal and not _is_ipv6(literal):
        raise _wrong(text, authority.start(2), offset, "bad IPv6 address")
    if digits and int(digits) > 65535:
        raise _wrong(text, authority.start(4), offset, "port above 65535")
    place = authority.end()
    session = _SESSION_ID.match(text, place)
    if text.startswith("/", place) and session is None:
        raise _wrong(text, place, offset, "an empty session-id")
    place = session.end() if session else place
    transport = _TRANSPORT.match(text, place)
    if transport is None:
        raise _wrong(text, place, offset, "no transport")
    if _PARAMETERS.fullmatch(text, transport.end()) is None:
        raise _wrong(text, transport.end(), offset, "bad URI parameter")
    return MsrpUri(
        scheme[1].lower(),
        literal or name,
        int(digits) if digits else None,
        session[1] if session else None,
        transport[1],
        userinfo,
        text[transport.end() :],
        text,
    )


_parse_cached = lru_cache(maxsize=1024)(lambda text: _parse(text, 0))


def _demand_letter(uri: MsrpUri, offset: int) -> None:
    text = str(uri)
    if uri.session_id is not None and _STRICT_SESSION_ID.fullmatch(uri.session_id) is None:
        raise _wrong(text, text.index(f"/{uri.session_id}", 8) + 1, offset, "bad session-id")
    if uri.is_numeric and uri.port is None:
        raise _wrong(text, text.index("//") + 2, offset, "a numeric address without a port", "RFC 4975 6")
    if uri.userinfo is not None and ":" in uri.userinfo:
        raise _wrong(text, text.index("//") + 2, offset, "a password", "RFC 4975 6")


def _wrong(text: str, index: int, offset: int, hint: str, clause: str = _CLAUSE) -> MsrpSyntaxError:
    return MsrpSyntaxError("MSRP URI", text[index:] or text, offset + _octets(text[:index]), clause, hint)


def _octets(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _normal_escape(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    return character if character in _UNRESERVED else match[0].upper()
