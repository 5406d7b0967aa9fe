"""Header names and typed header values (RFC 3261 sections 20 and 25.1).

Every type has `parse(text, offset=0)`, which raises SipSyntaxError with the octet, and is written by str().
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar, NamedTuple, Self

from harness.errors import SipSyntaxError
from harness.sip.grammar import (
    NO_PARAMETERS,
    QUOTED,
    TOKEN_CHARACTERS,
    Parameters,
    is_token,
    list_elements,
    octets,
    parse_number,
    parse_parameters,
    quote,
    unquote,
)
from harness.sip.uri import Uri, parse_uri

# Compact form -> long form. Sources: RFC 3261 7.3.3, 3515, 3841, 3892, 4028, 6665, 8224.
COMPACT_FORMS = {
    "a": "Accept-Contact",
    "b": "Referred-By",
    "c": "Content-Type",
    "d": "Request-Disposition",
    "e": "Content-Encoding",
    "f": "From",
    "i": "Call-ID",
    "j": "Reject-Contact",
    "k": "Supported",
    "l": "Content-Length",
    "m": "Contact",
    "n": "Identity-Info",
    "o": "Event",
    "r": "Refer-To",
    "s": "Subject",
    "t": "To",
    "u": "Allow-Events",
    "v": "Via",
    "x": "Session-Expires",
    "y": "Identity",
}

# The IANA "SIP Header Fields" registry, and the headers of OMA CPM.
_REGISTERED = """
    Accept Accept-Contact Accept-Encoding Accept-Language Accept-Resource-Priority Additional-Identity
    Alert-Info Allow Allow-Events Answer-Mode Attestation-Info Authentication-Info Authorization Call-ID
    Call-Info Cellular-Network-Info Contact Content-Disposition Content-Encoding Content-ID
    Content-Language Content-Length Content-Type Contribution-ID Conversation-ID CSeq Date DC-Info
    Encryption Error-Info Event Expires Feature-Caps Flow-Timer From Geolocation Geolocation-Error
    Geolocation-Routing Hide History-Info Identity Identity-Info In-Reply-To Info-Package
    InReplyTo-Contribution-ID Join Max-Breadth Max-Forwards Message-Expires Message-UID MIME-Version
    Min-Expires Min-SE Organization Origination-Id P-Access-Network-Info P-Answer-State
    P-Asserted-Identity P-Asserted-Service P-Associated-URI P-Called-Party-ID
    P-Charging-Function-Addresses P-Charging-Vector P-DCS-Billing-Info P-DCS-LAES P-DCS-OSPS
    P-DCS-Redirect P-DCS-Trace-Party-ID P-Early-Media P-Media-Authorization P-Preferred-Identity
    P-Preferred-Service P-Private-Network-Indication P-Profile-Key P-Refused-URI-List P-Served-User
    P-User-Database P-Visited-Network-ID Path Permission-Missing Policy-Contact Policy-ID Priority
    Priority-Share Priority-Verstat Priv-Answer-Mode Privacy Proxy-Authenticate Proxy-Authorization
    Proxy-Require RAck Reason Reason-Phrase Record-Route Recv-Info Refer-Events-At Refer-Sub Refer-To
    Referred-By Reject-Contact Relayed-Charge Replaces Reply-To Request-Disposition Require
    Resource-Priority Resource-Share Response-Key Response-Source Restoration-Info Retry-After Route
    RSeq Security-Client Security-Server Security-Verify Server Service-Interact-Info Service-Route
    Session-Expires Session-ID Session-Replaces SIP-ETag SIP-If-Match Subject Subscription-State
    Supported Suppress-If-Match Target-Dialog Timestamp To Trigger-Consent Unsupported User-Agent
    User-to-User Via Warning WWW-Authenticate
"""
KNOWN_HEADERS = frozenset(_REGISTERED.split())

# Headers that may occur once only (RFC 3261 20, table 2, and the documents of the others).
SINGLE_HEADERS = frozenset(
    {
        "Call-ID", "Content-Disposition", "Content-Length", "Content-Type", "CSeq", "Date", "Event",
        "Expires", "From", "Max-Forwards", "MIME-Version", "Min-Expires", "Min-SE", "Organization",
        "Priority", "RAck", "Refer-To", "Referred-By", "Reply-To", "RSeq", "Server", "Session-Expires",
        "SIP-ETag", "SIP-If-Match", "Subject", "Subscription-State", "Timestamp", "To", "User-Agent",
        "Contribution-ID", "Conversation-ID", "InReplyTo-Contribution-ID",
    }
)  # fmt: skip

_LONG_FORMS = {name.lower(): name for name in KNOWN_HEADERS} | COMPACT_FORMS
_HOST = r"\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._\-]+"
_VIA = re.compile(
    rf"([{TOKEN_CHARACTERS}]+)[ \t]*/[ \t]*([{TOKEN_CHARACTERS}]+)[ \t]*/[ \t]*([{TOKEN_CHARACTERS}]+)"
    rf"[ \t]+({_HOST})(?:[ \t]*:[ \t]*([0-9]{{1,5}}))?[ \t]*(?=;|$)"
)
_PORT = re.compile(r"[0-9]{1,5}")
_MEDIA = re.compile(rf"([{TOKEN_CHARACTERS}]+)[ \t]*/[ \t]*([{TOKEN_CHARACTERS}]+)[ \t]*(?=;|$)")
_SCHEME = re.compile(rf"([{TOKEN_CHARACTERS}]+)(?:[ \t]+|$)")
_AUTH_PARAMETER = re.compile(
    rf'([{TOKEN_CHARACTERS}]+)[ \t]*=[ \t]*("(?:[^"\\]|\\.)*+"|[^ \t,"]+)', re.DOTALL
)
# What needs no closer look, as most values are.
_CSEQ = re.compile(rf"([0-9]{{1,9}}) ([{TOKEN_CHARACTERS}]+)")
_PLAIN_ADDRESS = re.compile(rf"<([!#-;=?-~]+)>(?:;(tag)=([{TOKEN_CHARACTERS}]+))?")
_WORDS = re.compile(rf"[{TOKEN_CHARACTERS}]+(?:[ \t]+[{TOKEN_CHARACTERS}]+)*+")
_WORD = r"[A-Za-z0-9\-.!%*_+`'~()<>:\\\"/\[\]?{}]+"
CALL_ID = re.compile(rf"{_WORD}(?:@{_WORD})?")
_SIP_DATE = re.compile(
    r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), ([0-9]{2}) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) ([0-9]{4}) "
    r"([0-9]{2}):([0-9]{2}):([0-9]{2}) GMT"
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

COOKIE = "z9hG4bK"  # every branch of an RFC 3261 element starts so (8.1.1.7)


def canonical_name(name: str) -> str:
    """The long form in registered capitalisation; an unknown name is returned as it is."""
    return _LONG_FORMS.get(name.lower(), name)


def header_key(name: str) -> str:
    """What all spellings of a header name share: the long form when it is known, else lower case."""
    lower = name.lower()
    return _LONG_FORMS.get(lower, lower)


class Via(NamedTuple):
    """One Via value (RFC 3261 20.42, RFC 3581). host is without brackets; port None where none is written."""

    protocol: str
    transport: str
    host: str
    port: int | None = None
    parameters: Parameters = NO_PARAMETERS

    @classmethod
    def parse(cls, text: str, offset: int = 0) -> Via:
        match = _VIA.match(text)
        if match is None:
            raise SipSyntaxError("Via", text, offset, "RFC 3261 25.1 via-parm")
        protocol, version, transport, host, digits = match.groups()
        port = int(digits) if digits else None
        if port is not None and port > 65535:
            raise SipSyntaxError("Via", digits, offset + match.start(5), "RFC 3261 25.1", "port above 65535")
        end = match.end()
        parameters = parse_parameters(text[end:], offset + end, "Via", "RFC 3261 25.1 via-params")
        return cls(f"{protocol}/{version}", transport, host.strip("[]"), port, parameters)

    @property
    def branch(self) -> str | None:
        """The branch parameter."""
        return self.parameters.get("branch")

    @property
    def received(self) -> str | None:
        """The received parameter, without brackets."""
        value = self.parameters.get("received")
        return value and value.strip("[]")

    @property
    def rport(self) -> int | None:
        """The port filled into rport, None when it is absent or still empty."""
        value = self.parameters.get("rport")
        return int(value) if value and _PORT.fullmatch(value) else None

    @property
    def wants_rport(self) -> bool:
        """True when an rport parameter is there, filled or not (RFC 3581 3)."""
        return "rport" in self.parameters

    @property
    def sent_by(self) -> str:
        """host[:port], IPv6 in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    def with_parameter(self, name: str, value: str | None) -> Via:
        """A copy with this parameter set."""
        return Via(self.protocol, self.transport, self.host, self.port, self.parameters.replaced(name, value))

    def with_parameters(self, values: Mapping[str, str]) -> Via:
        """A copy with these parameters set, each at its place or at the end. Names are in lower case."""
        new = dict(values)
        pairs = [(name, new.pop(name.lower(), value)) for name, value in self.parameters.pairs]
        parameters = Parameters([*pairs, *new.items()])
        return Via(self.protocol, self.transport, self.host, self.port, parameters)

    def __str__(self) -> str:
        return f"{self.protocol}/{self.transport} {self.sent_by}{self.parameters}"


@dataclass(frozen=True, slots=True)
class NameAddr:
    """name-addr or addr-spec with header parameters (RFC 3261 25.1). display: no quotes, no escapes."""

    display: str | None
    uri: Uri
    parameters: Parameters = NO_PARAMETERS
    bracketed: bool = True

    @classmethod
    def parse(cls, text: str, offset: int = 0) -> Self:
        plain = _PLAIN_ADDRESS.fullmatch(text)
        if plain:
            uri, tag, value = plain.groups()
            return cls(None, parse_uri(uri, offset + 1), Parameters([(tag, value)]) if tag else NO_PARAMETERS)
        display, index = _display_name(text, offset)
        if text[index : index + 1] != "<":
            return cls._parse_bare(text, offset)
        end = text.find(">", index)
        if end < 0:
            raise SipSyntaxError("name-addr", text, offset, "RFC 3261 25.1 name-addr", "no closing >")
        uri = parse_uri(text[index + 1 : end], offset + octets(text[: index + 1]))
        rest = text[end + 1 :]
        if not rest:
            return cls(display, uri)
        place = offset + octets(text[: end + 1])
        if rest[0] != ";" and rest.lstrip(" \t")[:1] not in ("", ";"):
            raise SipSyntaxError("name-addr", rest, place, "RFC 3261 25.1 name-addr", "text after >")
        return cls(display, uri, parse_parameters(rest, place, "header parameter"))

    @classmethod
    def _parse_bare(cls, text: str, offset: int) -> Self:
        spec, semicolon, rest = text.partition(";")
        for bad in ",?":
            if bad in spec:
                place = offset + octets(spec[: spec.index(bad)])
                raise SipSyntaxError("addr-spec", text, place, "RFC 3261 20", f"{bad!r} needs angle brackets")
        place = offset + octets(spec)
        parameters = parse_parameters(semicolon + rest, place, "header parameter")
        return cls(None, parse_uri(spec.rstrip(" \t"), offset), parameters, False)

    @property
    def tag(self) -> str | None:
        """The tag parameter."""
        return self.parameters.get("tag")

    def __str__(self) -> str:
        uri = str(self.uri)
        if not self.bracketed and self.display is None and not any(mark in uri for mark in ",;?"):
            return f"{uri}{self.parameters}"
        display = "" if self.display is None else f"{quote(self.display)} "
        return f"{display}<{uri}>{self.parameters}"


def _display_name(text: str, offset: int) -> tuple[str | None, int]:
    """The display name and the index of what follows it."""
    if text[:1] == "<":
        return None, 0
    if text[:1] == '"':
        match = QUOTED.match(text)
        if match is None:
            raise SipSyntaxError(
                "display name", text, offset, "RFC 3261 25.1 quoted-string", "no closing quote"
            )
        index = match.end()
        while text[index : index + 1] in (" ", "\t"):
            index += 1
        if text[index : index + 1] != "<":
            raise SipSyntaxError(
                "name-addr", text, offset + octets(text[:index]), "RFC 3261 25.1 name-addr", "no <"
            )
        return unquote(match[0]), index
    index = text.find("<")
    if index <= 0:
        return None, max(index, 0)
    display = text[:index].rstrip(" \t")
    if _WORDS.fullmatch(display) is None:
        if ":" in display:  # an addr-spec whose parameters contain "<"
            return None, 0
        hint = "only tokens may stand without quotes"
        raise SipSyntaxError("display name", display, offset, "RFC 3261 25.1 display-name", hint)
    return display, index


@dataclass(frozen=True, slots=True)
class CSeq:
    """Sequence number and method (RFC 3261 20.16)."""

    number: int
    method: str

    @classmethod
    def parse(cls, text: str, offset: int = 0) -> CSeq:
        match = _CSEQ.fullmatch(text)
        if match:
            return cls(int(match[1]), match[2])
        number, _, method = text.partition(" ") if " " in text else text.partition("\t")
        place = offset + len(text) - len(method)
        method = method.strip(" \t")
        if not is_token(method):
            raise SipSyntaxError("CSeq", text, place, "RFC 3261 20.16", "no method")
        return cls(parse_number(number, "CSeq", offset, "RFC 3261 8.1.1.5", 2**31 - 1), method)

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


@dataclass(frozen=True, slots=True)
class MediaType:
    """Content-Type (RFC 3261 20.15); also any type/subtype with parameters."""

    type: str
    subtype: str
    parameters: Parameters = NO_PARAMETERS

    header: ClassVar[str] = "Content-Type"

    @classmethod
    def parse(cls, text: str, offset: int = 0) -> Self:
        match = _MEDIA.match(text)
        if match is None:
            raise SipSyntaxError(cls.header, text, offset, "RFC 3261 25.1 media-type")
        place = offset + match.end()
        parameters = parse_parameters(text[match.end() :], place, cls.header, "RFC 3261 25.1 m-parameter")
        return cls(match[1], match[2], parameters)

    @property
    def essence(self) -> str:
        """type/subtype in lower case."""
        return f"{self.type}/{self.subtype}".lower()

    def __str__(self) -> str:
        return f"{self.type}/{self.subtype}{self.parameters}"


@dataclass(frozen=True, slots=True)
class Challenge:
    """An authentication scheme and its comma separated parameters (RFC 3261 25.1 challenge).

    repr() leaves the parameters out: those of credentials are derived from secrets.
    """

    scheme: str
    parameters: Parameters = NO_PARAMETERS

    production: ClassVar[str] = "challenge"

    @classmethod
    def parse(cls, text: str, offset: int = 0) -> Self:
        match = _SCHEME.match(text)
        clause = f"RFC 3261 25.1 {cls.production}"
        if match is None:
            raise SipSyntaxError(cls.production, text, offset, clause, "no scheme")
        pairs: list[tuple[str, str | None]] = []
        if match.end() == len(text):
            return cls(match[1])
        for index, element in list_elements(text[match.end() :]):
            parameter = _AUTH_PARAMETER.fullmatch(element)
            if parameter is None:
                place = offset + octets(text[: match.end() + index])
                raise SipSyntaxError(cls.production, element, place, clause, "not name=value")
            pairs.append((parameter[1], parameter[2]))
        return cls(match[1], Parameters(pairs))

    def __str__(self) -> str:
        if not self.parameters.pairs:
            return self.scheme
        return f"{self.scheme} " + ", ".join(f"{name}={value}" for name, value in self.parameters.pairs)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.scheme!r}, {', '.join(self.parameters)})"


@dataclass(frozen=True, slots=True, repr=False)
class Credentials(Challenge):
    """Authorization and Proxy-Authorization (RFC 3261 25.1 credentials)."""

    production: ClassVar[str] = "credentials"


def parse_call_id(text: str, offset: int = 0) -> str:
    """word["@"word] (RFC 3261 25.1 callid). Raises SipSyntaxError."""
    if CALL_ID.fullmatch(text) is None:
        raise SipSyntaxError("Call-ID", text, offset, "RFC 3261 25.1 callid")
    return text


def parse_date(text: str, offset: int = 0) -> datetime:
    """SIP-date, always GMT (RFC 3261 20.17). Raises SipSyntaxError."""
    match = _SIP_DATE.fullmatch(text)
    if match is None:
        raise SipSyntaxError(
            "Date", text, offset, "RFC 3261 20.17", "not of the form 'Sat, 13 Nov 2010 23:29:00 GMT'"
        )
    day, month, year = int(match[2]), _MONTHS.index(match[3]) + 1, int(match[4])
    try:
        return datetime(year, month, day, int(match[5]), int(match[6]), int(match[7]), tzinfo=UTC)
    except ValueError as error:
        raise SipSyntaxError("Date", text, offset, "RFC 3261 20.17", str(error)) from None
