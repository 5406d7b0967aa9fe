"""SIP, SIPS and tel URIs, and any other absolute URI as opaque text (RFC 3261 section 19.1, RFC 3966)."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from functools import lru_cache

from harness.errors import SipSyntaxError
from harness.sip.grammar import NO_PARAMETERS, Parameters, octets

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):")
_UNRESERVED = r"A-Za-z0-9\-_.!~*'()"
_ESCAPED = r"%[0-9A-Fa-f]{2}"
_USER = re.compile(rf"(?:[{_UNRESERVED}&=+$,;?/]|{_ESCAPED})+")
_PASSWORD = re.compile(rf"(?:[{_UNRESERVED}&=+$,]|{_ESCAPED})*")
_HOST_PORT = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._\-]+))(?::([0-9]{1,5}))?(?=;|\?|$)")
_PARAMETER = re.compile(
    rf"((?:[{_UNRESERVED}\[\]/:&+$]|{_ESCAPED})+)(?:=((?:[{_UNRESERVED}\[\]/:&+$]|{_ESCAPED})+))?"
)
_TEL_PARAMETER = re.compile(rf"([A-Za-z0-9\-]+)(?:=((?:[{_UNRESERVED}\[\]/:&+$]|{_ESCAPED})+))?")
_HEADERS = re.compile(
    rf"(?:[{_UNRESERVED}\[\]/?:+$]|{_ESCAPED})+=(?:[{_UNRESERVED}\[\]/?:+$]|{_ESCAPED})*"
    rf"(?:&(?:[{_UNRESERVED}\[\]/?:+$]|{_ESCAPED})+=(?:[{_UNRESERVED}\[\]/?:+$]|{_ESCAPED})*)*"
)
_OPAQUE = re.compile(r"[^\x00-\x20\x7f<>\"\\^`{|}]+")
_SUBSCRIBER = re.compile(r"(?=[+\-.()]*+[0-9A-Fa-f*#])(?:\+[0-9\-.()]++|[0-9A-Fa-f*#\-.()]++)")
_SEPARATORS = str.maketrans("", "", "-.()")
_E164 = re.compile(r"\+[0-9]{1,15}")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_RESERVED = frozenset(";/?:@&=+$,")
_NEVER_IGNORED = ("user", "ttl", "method", "maddr", "transport")  # transport: the examples of 19.1.4


@dataclass(frozen=True, slots=True)
class Uri:
    """A URI taken apart.

    scheme is in lower case; user is as written (escapes kept), for tel the number as written; host is without
    brackets and empty where the scheme has none; headers is the text after `?`; text is the URI as it was
    written and not compared. Of other schemes only scheme and text are filled.
    """

    scheme: str
    user: str | None
    host: str
    port: int | None = None
    parameters: Parameters = NO_PARAMETERS
    headers: str = ""
    text: str = field(default="", compare=False)
    password: str | None = field(default=None, repr=False)
    opaque: str = ""

    def __str__(self) -> str:
        return self.text or self._written()

    def _written(self) -> str:
        if self.scheme == "tel":
            return f"tel:{self.user}{self.parameters}"
        if self.scheme not in ("sip", "sips"):
            return f"{self.scheme}:{self.opaque}"
        password = "" if self.password is None else f":{self.password}"
        user = "" if self.user is None else f"{self.user}{password}@"
        headers = f"?{self.headers}" if self.headers else ""
        return f"{self.scheme}:{user}{self.host_port}{self.parameters}{headers}"

    @property
    def host_port(self) -> str:
        """host[:port] as written on the wire, IPv6 in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    @property
    def number(self) -> str | None:
        """The E.164 number with its plus sign (RFC 3966 visual separators removed), or None."""
        if self.user is None:
            return None
        digits = unescape(self.user.partition(";")[0]).translate(_SEPARATORS)
        return digits if _E164.fullmatch(digits) else None

    def equivalent(self, other: Uri) -> bool:
        """True when both name the same resource (RFC 3261 19.1.4, RFC 3966 5)."""
        if self.scheme != other.scheme:
            return False
        if self.scheme == "tel":
            return _same_number(self, other)
        if self.scheme not in ("sip", "sips"):
            return self.opaque == other.opaque
        return (
            _same_text(self.user, other.user)
            and _same_text(self.password, other.password)
            and comparable_host(self.host) == comparable_host(other.host)
            and self.port == other.port
            and _same_parameters(self.parameters, other.parameters)
            and _header_set(self.headers) == _header_set(other.headers)
        )


def unescape(text: str) -> str:
    """Percent escapes replaced by what they stand for, as UTF-8 (RFC 3986 2.1)."""
    if "%" not in text:
        return text
    return re.sub(
        r"(?:%[0-9A-Fa-f]{2})+",
        lambda match: bytes.fromhex(match[0].replace("%", "")).decode("utf-8", "backslashreplace"),
        text,
    )


@lru_cache(maxsize=1024)
def comparable_host(host: str) -> str:
    """A host in a form that is equal for equal hosts: lower case, IP literals in their shortest form."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return host.lower().rstrip(".")


def _comparable(text: str) -> str:
    def replace(match: re.Match[str]) -> str:
        character = chr(int(match[1], 16))
        return match[0].upper() if character in _RESERVED or character == "%" else character

    return _ESCAPE.sub(replace, text)


def _same_text(one: str | None, other: str | None) -> bool:
    if one is None or other is None:
        return one is other
    return _comparable(one) == _comparable(other)


def _same_parameters(one: Parameters, other: Parameters) -> bool:
    for name in {*one, *other}:
        if name in one and name in other:
            if _comparable(one[name] or "").lower() != _comparable(other[name] or "").lower():
                return False
        elif name in _NEVER_IGNORED:
            return False
    return True


def _header_set(headers: str) -> list[str]:
    pieces = (piece.partition("=") for piece in headers.split("&") if piece)
    return sorted(f"{_comparable(name).lower()}={_comparable(value)}" for name, _, value in pieces)


def _same_number(one: Uri, other: Uri) -> bool:
    left, right = ((uri.user or "").translate(_SEPARATORS).lower() for uri in (one, other))
    if left != right or set(one.parameters) != set(other.parameters):
        return False
    return all(
        _comparable_tel_parameter(name, one) == _comparable_tel_parameter(name, other)
        for name in one.parameters
    )


def _comparable_tel_parameter(name: str, uri: Uri) -> str:
    value = (uri.parameters[name] or "").lower()
    return value.translate(_SEPARATORS) if name == "ext" or value.startswith("+") else value


def parse_uri(text: str, offset: int = 0) -> Uri:
    """A URI without angle brackets. Raises SipSyntaxError with the octet of the piece that is wrong."""
    try:
        return _parse_cached(text)
    except SipSyntaxError:
        return _parse(text, offset)  # once more: the error carries the place in the message


def _parse(text: str, offset: int) -> Uri:
    match = _SCHEME.match(text)
    if match is None:
        raise SipSyntaxError("URI", text, offset, "RFC 3261 25.1", "no scheme")
    scheme = match[1].lower()
    if scheme in ("sip", "sips"):
        return _parse_sip(text, scheme, match.end(), offset)
    if scheme == "tel":
        return _parse_tel(text, match.end(), offset)
    opaque = text[match.end() :]
    if _OPAQUE.fullmatch(opaque) is None:
        raise SipSyntaxError("URI", text, offset, "RFC 3261 25.1", "bad character")
    return Uri(scheme, None, "", text=text, opaque=opaque)


_parse_cached = lru_cache(maxsize=512)(lambda text: _parse(text, 0))


def _parse_sip(text: str, scheme: str, start: int, offset: int) -> Uri:
    clause = "RFC 3261 25.1 SIP-URI"

    def wrong(index: int, hint: str) -> SipSyntaxError:
        return SipSyntaxError("URI", text[index:] or text, offset + octets(text[:index]), clause, hint)

    user = password = None
    at = text.rfind("@")
    if at >= 0:
        user, colon, secret = text[start:at].partition(":")
        if _USER.fullmatch(user) is None:
            raise wrong(start, "bad user part")
        if colon:
            if _PASSWORD.fullmatch(secret) is None:
                raise wrong(start + len(user) + 1, "bad password part")
            password = secret
        start = at + 1
    match = _HOST_PORT.match(text, start)
    if match is None:
        raise wrong(start, "bad host or port")
    host = match[1] or match[2]
    if match[1] and "." in host:  # RFC 3261 25.1 has a colon too many there (RFC 5118 4.10)
        host = host.replace(":::", "::")
    if match[1] and not _is_ipv6(host):
        raise wrong(start, "bad IPv6 address")
    if match[3] and int(match[3]) > 65535:
        raise wrong(match.start(3), "port above 65535")
    rest, question, headers = text[match.end() :].partition("?")
    parameters = _uri_parameters(rest, _PARAMETER)
    if parameters is None:
        raise wrong(match.end(), "bad URI parameter")
    if question and _HEADERS.fullmatch(headers) is None:
        raise wrong(match.end() + len(rest) + 1, "bad URI headers")
    port = int(match[3]) if match[3] else None
    return Uri(scheme, user, host, port, parameters, headers, text, password)


def _is_ipv6(host: str) -> bool:
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return True


def _parse_tel(text: str, start: int, offset: int) -> Uri:
    number, _, rest = text[start:].partition(";")
    if _SUBSCRIBER.fullmatch(number) is None:
        raise SipSyntaxError("tel URI", number, offset + start, "RFC 3966 3", "bad telephone number")
    parameters = _uri_parameters(text[start + len(number) :], _TEL_PARAMETER)
    if parameters is None:
        raise SipSyntaxError("tel URI", rest, offset + start + len(number), "RFC 3966 3", "bad parameter")
    return Uri("tel", number, "", None, parameters, text=text)


def _uri_parameters(text: str, pattern: re.Pattern[str]) -> Parameters | None:
    if not text:
        return NO_PARAMETERS
    pairs: list[tuple[str, str | None]] = []
    for piece in text[1:].split(";"):
        match = pattern.fullmatch(piece)
        if match is None:
            return None
        pairs.append((match[1], match[2]))
    return Parameters(pairs)
