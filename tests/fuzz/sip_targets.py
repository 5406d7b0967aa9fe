"""The parsers of harness/sip under attack."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from contextlib import suppress
from typing import Any

import harness.sip
from harness.errors import WireError
from harness.sip.aka import split_nonce
from harness.sip.digest import answer_challenge, verify_credentials
from harness.sip.framing import StreamFramer
from harness.sip.grammar import list_elements, parse_parameters
from harness.sip.headers import Challenge, Credentials, parse_call_id, parse_date
from harness.sip.message import Request, build_response, parse_message
from harness.sip.sipfrag import parse_sipfrag
from harness.sip.stun import binding_response, parse_stun, write_stun
from harness.sip.uri import parse_uri

from .attack import pieces, properties, shown, text


def sip_message(data: bytes) -> None:
    try:
        message = parse_message(data)
    except WireError:
        return
    assert message.raw == data
    for fault in message.check():
        assert 0 <= fault.offset <= len(data)
    properties(message)
    for field in message.fields:
        assert data[field.offset :].startswith(field.raw)
    if isinstance(message, Request):
        parse_message(build_response(message, 400, to_tag="fuzz", strict=False).raw)


def sip_stream(data: bytes) -> None:
    whole, cut = StreamFramer(), StreamFramer()
    events = whole.receive(data)
    assert shown(events) == shown([event for piece in pieces(data) for event in cut.receive(piece)])
    assert whole.broken == cut.broken
    assert whole.broken or whole.pending == cut.pending
    whole.finish()


def _header_types() -> dict[str, Any]:
    """Every type of harness.sip with `parse(text, offset)`: a new header is attacked without being listed."""
    found: dict[str, Any] = {}
    for module_info in pkgutil.iter_modules(harness.sip.__path__):
        module = importlib.import_module(f"harness.sip.{module_info.name}")
        for name, member in inspect.getmembers(module, inspect.isclass):
            if inspect.ismethod(getattr(member, "parse", None)):
                found[name] = member
    return found


HEADER_TYPES = _header_types()


def sip_headers(data: bytes) -> None:
    value_text = text(data)
    for kind in HEADER_TYPES.values():
        try:
            value = kind.parse(value_text, 7)
        except WireError as error:
            assert error.offset >= 0
            continue
        properties(value)
        kind.parse(str(value))
    for read in (parse_call_id, parse_date, parse_parameters):
        try:
            read(value_text, 7)
        except WireError:
            continue
    list_elements(value_text)


def sip_uri(data: bytes) -> None:
    try:
        uri = parse_uri(text(data), 3)
    except WireError as error:
        assert error.offset >= 0
        return
    properties(uri)
    assert uri.equivalent(uri)
    assert parse_uri(str(uri)) == uri


def sip_digest(data: bytes) -> None:
    written = text(data)
    with suppress(WireError):
        challenge = Challenge.parse(written)
        split_nonce(challenge.parameters.get("nonce") or "")
        answer_challenge(challenge, "REGISTER", "sip:ims.example", "user", b"password")
    with suppress(WireError):
        verify_credentials(Credentials.parse(written), "REGISTER", b"password")


def sipfrag(data: bytes) -> None:
    with suppress(WireError):
        found = parse_sipfrag(data)
        properties(found)
        properties(found.message)


def stun(data: bytes) -> None:
    """The answer to whatever was read is itself read."""
    with suppress(WireError):
        message = parse_stun(data)
        properties(message)
        for host in ("192.0.2.1", "2001:db8::1"):
            parse_stun(write_stun(binding_response(message, host, 5060)))
