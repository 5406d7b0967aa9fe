"""What is written differently and means the same: URIs, hosts, Via values, feature tags, numbers."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import TypeVar

from harness.bodies.multipart import split_multipart
from harness.cpm.services import IARI_TAG, ICSI_TAG, decode_urn
from harness.cpm.technology import FILE_URN, SIP_IM_TAG
from harness.errors import BodySyntaxError, SipSyntaxError
from harness.sip.grammar import Parameters
from harness.sip.headers import MediaType, NameAddr, Via
from harness.sip.message import Request, Response
from harness.sip.uri import Uri, comparable_host, parse_uri

_Message = Request | Response
T = TypeVar("T")

ANONYMOUS_USERS = frozenset({"anonymous", "unavailable"})
_OPAQUE_TYPES = (
    "application/pkcs7",
    "application/x-pkcs7",
    "multipart/signed",
    "multipart/encrypted",
    "message/external-body",
)


def _of_message(read: Callable[[_Message], T]) -> Callable[[_Message], T]:
    """What is read out of a message is read once, for many rules ask for it."""
    key = f"verify {read.__name__}"

    @wraps(read)
    def kept(message: _Message) -> T:
        return message.once(key, lambda: read(message))

    return kept


@lru_cache(maxsize=4096)
def uri_of(text: str) -> Uri | None:
    """The URI of a text with or without angle brackets, None when it is none."""
    bare = text.strip()
    if "<" in bare:
        bare = bare[bare.index("<") + 1 :].partition(">")[0]
    try:
        return parse_uri(bare)
    except SipSyntaxError:
        return None


def same_uri(one: Uri, other: Uri) -> bool:
    """Equal by RFC 3261 19.1.4 and RFC 3966 5."""
    return one.equivalent(other)


def same_uri_text(one: str, other: str) -> bool:
    """The same for texts; texts that are no URI are equal only octet by octet."""
    left, right = uri_of(one), uri_of(other)
    return one.strip() == other.strip() if left is None or right is None else left.equivalent(right)


def number_of(uri: Uri) -> str | None:
    """The telephone number of a tel or sip URI without plus sign and separators, None when it has none."""
    number = uri.number
    if number is not None:
        return number.lstrip("+")
    user = (uri.user or "").split(";")[0]
    digits = re.sub(r"[-.()]", "", user)
    return digits if re.fullmatch(r"\d{3,}", digits) else None


def party_of(uri: Uri) -> str:
    """What tells one party from another: the number, else user@host in lower case."""
    return number_of(uri) or f"{uri.user or ''}@{comparable_host(uri.host)}".lower()


def is_anonymous(address: NameAddr | None) -> bool:
    """From hides the caller (RFC 3323 4.1, RFC 3325)."""
    return address is not None and (
        (address.uri.user or "").lower() in ANONYMOUS_USERS
        or address.uri.host.lower().endswith("anonymous.invalid")
    )


def parameter_map(parameters: Parameters) -> dict[str, str | None]:
    """Names in lower case to values, free of order and quoting."""
    return {name.lower(): parameters.get(name) for name in parameters}


def same_via(sent: Via, received: Via, *, top: bool) -> bool:
    """A Via value came back unchanged; on the top one received and rport may have been filled in."""
    if (sent.protocol.upper(), sent.transport.upper()) != (
        received.protocol.upper(),
        received.transport.upper(),
    ):
        return False
    if comparable_host(sent.host) != comparable_host(received.host) or sent.port != received.port:
        return False
    before, after = parameter_map(sent.parameters), parameter_map(received.parameters)
    if top:
        for name in ("received", "rport"):
            before.pop(name, None)
            after.pop(name, None)
    return _folded(before) == _folded(after)


def _folded(parameters: dict[str, str | None]) -> dict[str, str | None]:
    return {
        name: value if name == "branch" or value is None else comparable_host(value.strip("[]"))
        for name, value in parameters.items()
    }


def same_route(one: NameAddr, other: NameAddr) -> bool:
    """Two route values name the same hop with the same parameters, whatever their order."""
    return (
        one.uri.equivalent(other.uri)
        and _any_case(one.uri.parameters) == _any_case(other.uri.parameters)
        and _any_case(one.parameters) == _any_case(other.parameters)
    )


def _any_case(parameters: Parameters) -> dict[str, str | None]:
    return {name: value and value.lower() for name, value in parameter_map(parameters).items()}


def tag_values(parameters: Parameters, name: str) -> frozenset[str]:
    """Decoded URNs, lower case, of the feature tag in the parameters."""
    value = parameters.get(name)
    if not value:
        return frozenset()
    return frozenset(decode_urn(part.strip().lstrip("!")) for part in value.split(",") if part.strip())


@_of_message
def accepted_icsis(message: Request | Response) -> frozenset[str]:
    """ICSI URNs of all Accept-Contact values."""
    try:
        values = message.accept_contacts
    except SipSyntaxError:
        return frozenset()
    return frozenset().union(*(tag_values(value.parameters, ICSI_TAG) for value in values))


@_of_message
def contact_icsis(message: Request | Response) -> frozenset[str]:
    """ICSI URNs of all Contact values."""
    try:
        contacts = message.contacts
    except SipSyntaxError:
        return frozenset()
    return frozenset().union(*(tag_values(contact.parameters, ICSI_TAG) for contact in contacts))


@_of_message
def names_simple_im(message: Request | Response) -> bool:
    """Whether Accept-Contact or Contact shows a tag of OMA SIMPLE IM: its own, or that of its files."""
    try:
        shown = [value.parameters for value in message.accept_contacts]
        shown += [contact.parameters for contact in message.contacts]
    except SipSyntaxError:
        return False
    return any(SIP_IM_TAG in tags or FILE_URN in tag_values(tags, IARI_TAG) for tags in shown)


@_of_message
def stated_services(message: Request | Response) -> list[str]:
    """P-Preferred-Service and P-Asserted-Service values, lower case."""
    return [
        value.strip().lower()
        for name in ("P-Preferred-Service", "P-Asserted-Service")
        for value in message.values(name)
    ]


def covers(parent: str, urn: str) -> bool:
    """The URN is the parent or a sub-service of it (TS 24.229 7.2A.8.2)."""
    return urn == parent or urn.startswith(f"{parent}.")


def option_tags(message: Request | Response, name: str) -> list[str]:
    """Option tags of Require, Supported and the like, lower case."""
    return message.once(
        f"tags {name}", lambda: [value.strip().lower() for value in message.values(name) if value.strip()]
    )


@_of_message
def has_sdp(message: Request | Response) -> bool:
    """Whether the body is, or holds, a session description of disposition session."""
    kind = (message.get("Content-Type") or "").lower()
    if not message.body:
        return False
    if kind.startswith("application/sdp"):
        return _is_session(message.get("Content-Disposition"))
    return kind.startswith("multipart/") and _part_has_sdp(kind_of(message), message.body)


def _is_session(disposition: str | None) -> bool:
    return (disposition or "session").partition(";")[0].strip().lower() == "session"


def _part_has_sdp(kind: MediaType | None, body: bytes, depth: int = 0) -> bool:
    if kind is None or depth > 4:
        return False
    try:
        parts = split_multipart(body, kind.parameters.get("boundary") or "").parts
    except BodySyntaxError:
        return b"application/sdp" in body.lower()
    for part in parts:
        text = part.mime_get("Content-Type") or ""
        inner = _media_type(text)
        if inner is not None and inner.essence == "application/sdp" and _is_session(part.disposition):
            return True
        nested = inner is not None and inner.type.lower() == "multipart"
        if nested and _part_has_sdp(inner, part.content, depth + 1):
            return True
    return False


def _media_type(text: str) -> MediaType | None:
    try:
        return MediaType.parse(text)
    except SipSyntaxError:
        return None


@_of_message
def kind_of(message: Request | Response) -> MediaType | None:
    """Content-Type, None when absent or malformed."""
    try:
        return message.content_type
    except SipSyntaxError:
        return None


@_of_message
def is_encoded(message: Request | Response) -> bool:
    """The body is compressed or the like (RFC 3261 20.12): its octets cannot be read as its type."""
    return any(value.strip().lower() != "identity" for value in message.values("Content-Encoding"))


@_of_message
def is_opaque(message: Request | Response) -> bool:
    """The body may hold what cannot be seen: encoded, encrypted, signed, or somewhere else."""
    kind = kind_of(message)
    essence = kind.essence if kind else ""
    return is_encoded(message) or essence.startswith(_OPAQUE_TYPES)


def shown(text: str, limit: int = 80) -> str:
    """The text, shortened for a finding."""
    return text if len(text) <= limit else f"{text[: limit - 3]}..."
