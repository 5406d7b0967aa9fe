"""One harness per parser: octets in, nothing but our own errors out.

Each is a plain function of octets, for the tests (test_fuzz, test_linear_time) and for atheris (run).
What a parser promises beside its errors is asserted on the way: a stream gives the same however it is cut,
what was read is written and read again.
"""

from __future__ import annotations

import importlib
import inspect
import os
import pkgutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import harness.sip
from harness.bodies.cpim import parse_cpim, parse_cpim_address
from harness.bodies.file_attributes import (
    parse_file_dates,
    parse_file_icon,
    parse_file_range,
    parse_file_selector,
    read_file,
)
from harness.bodies.imdn import parse_imdn
from harness.bodies.mime import parse_content_type
from harness.bodies.multipart import split_multipart
from harness.bodies.offer_answer import check_answer, check_revision
from harness.bodies.sdp import parse_sdp, write_sdp
from harness.bodies.sdp_attributes import parse_chatroom, parse_fingerprint, parse_format_list, parse_max_size
from harness.bodies.timestamp import parse_timestamp
from harness.errors import CaptureError, WireError
from harness.evidence.capture import capture_to_timeline
from harness.evidence.start_line import MessageCutter
from harness.evidence.timeline import Address, Layer, Timeline, Transport
from harness.msrp.framing import MsrpFramer
from harness.msrp.message import parse_msrp
from harness.msrp.uri import parse_path
from harness.sip.aka import split_nonce
from harness.sip.digest import answer_challenge, verify_credentials
from harness.sip.framing import StreamFramer
from harness.sip.grammar import list_elements, parse_parameters
from harness.sip.headers import Challenge, Credentials, parse_call_id, parse_date
from harness.sip.message import Request, build_response, parse_message
from harness.sip.uri import parse_uri
from harness.verify.engine import Verifier

from . import seeds

Fuzz = Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class Target:
    """A parser under attack. seeds: octets it reads without complaint, or nearly."""

    name: str
    fuzz_one: Fuzz
    seeds: tuple[bytes, ...]


def _text(data: bytes) -> str:
    """As header values come out of octets, half a character included."""
    return data.decode("utf-8", "backslashreplace")


def _properties(found: object) -> None:
    """Read every property: typed values are parsed on first use."""
    for name, member in inspect.getmembers(type(found)):
        if isinstance(member, property):
            try:
                getattr(found, name)
            except WireError:
                continue


def _pieces(data: bytes) -> Iterator[bytes]:
    """The octets in unequal reads, cut where their own values say."""
    place = 0
    while place < len(data):
        step = 1 + data[place] % 97
        yield data[place : place + step]
        place += step


# -- SIP


def sip_message(data: bytes) -> None:
    try:
        message = parse_message(data)
    except WireError:
        return
    assert message.raw == data
    for fault in message.check():
        assert 0 <= fault.offset <= len(data)
    _properties(message)
    for field in message.fields:
        assert data[field.offset :].startswith(field.raw)
    if isinstance(message, Request):
        parse_message(build_response(message, 400, to_tag="fuzz", strict=False).raw)


def _shown(events: list[Any]) -> list[tuple[object, ...]]:
    """What must not depend on the reads; the text of an error may show more or less of what follows."""
    return [
        (event.what, event.offset, event.clause) if isinstance(event, WireError) else _octets_of(event)
        for event in events
    ]


def _octets_of(event: object) -> tuple[object, ...]:
    return type(event).__name__, getattr(event, "raw", str(event)), getattr(event, "body", None)


def sip_stream(data: bytes) -> None:
    whole, cut = StreamFramer(), StreamFramer()
    events = whole.receive(data)
    assert _shown(events) == _shown([event for piece in _pieces(data) for event in cut.receive(piece)])
    assert whole.broken == cut.broken
    assert whole.broken or whole.pending == cut.pending
    whole.finish()


def _header_types() -> dict[str, Any]:
    """Every type of harness.sip with `parse(text, offset)`: a new header is attacked without being listed."""
    found: dict[str, Any] = {}
    for module_info in pkgutil.iter_modules(harness.sip.__path__):
        module = importlib.import_module(f"harness.sip.{module_info.name}")
        for name, member in inspect.getmembers(module, inspect.isclass):
            if hasattr(member, "parse") and not getattr(member, "_is_protocol", False):
                found[name] = member
    return found


HEADER_TYPES = _header_types()


def sip_headers(data: bytes) -> None:
    text = _text(data)
    for kind in HEADER_TYPES.values():
        try:
            value = kind.parse(text, 7)
        except WireError as error:
            assert error.offset >= 0
            continue
        _properties(value)
        kind.parse(str(value))
    for read in (parse_call_id, parse_date, parse_parameters):
        try:
            read(text, 7)
        except WireError:
            continue
    list_elements(text)


def sip_uri(data: bytes) -> None:
    try:
        uri = parse_uri(_text(data), 3)
    except WireError as error:
        assert error.offset >= 0
        return
    _properties(uri)
    assert uri.equivalent(uri)
    assert parse_uri(str(uri)) == uri
    parse_uri(str(uri.address_of_record))


def sip_digest(data: bytes) -> None:
    text = _text(data)
    with suppress(WireError):
        challenge = Challenge.parse(text)
        split_nonce(challenge.parameters.get("nonce") or "")
        answer_challenge(challenge, "REGISTER", "sip:ims.example", "user", b"password")
    with suppress(WireError):
        verify_credentials(Credentials.parse(text), "REGISTER", b"password")


# -- MSRP


def msrp_message(data: bytes) -> None:
    try:
        message = parse_msrp(data)
    except WireError:
        return
    _properties(message)


def msrp_stream(data: bytes) -> None:
    whole, cut = MsrpFramer(), MsrpFramer()
    events = whole.receive(data)
    assert _shown(events) == _shown([event for piece in _pieces(data) for event in cut.receive(piece)])
    assert whole.broken == cut.broken


def msrp_path(data: bytes) -> None:
    try:
        path = parse_path(_text(data), 3)
    except WireError:
        return
    assert parse_path(" ".join(map(str, path))) == path


# -- bodies


def cpim(data: bytes) -> None:
    try:
        message = parse_cpim(data)
    except WireError:
        message = None
    if message is not None:
        _properties(message)
        for name in ("From", "To", "cc"):
            try:
                message.addresses(name)
            except WireError:
                continue
    with suppress(WireError):
        parse_cpim_address(_text(data))


def imdn(data: bytes) -> None:
    with suppress(WireError):
        _properties(parse_imdn(data))


def multipart(data: bytes) -> None:
    """The first line is the boundary."""
    boundary, _, body = data.partition(b"\n")
    try:
        found = split_multipart(body, _text(boundary[:80]) or "b")
    except WireError:
        return
    for part in found.parts:
        _properties(part)


def sdp(data: bytes) -> None:
    try:
        session = parse_sdp(data)
    except WireError:
        return
    _properties(session)
    for media in session.media:
        _properties(media)
        try:
            read_file(media)
        except WireError:
            continue
    assert check_answer(session, session) is not None
    assert check_revision(session, session) is not None
    try:
        written = write_sdp(session)
    except WireError:
        return
    assert parse_sdp(written).faults == ()


_VALUES: tuple[Callable[[str], object], ...] = (
    parse_content_type, parse_timestamp, parse_fingerprint, parse_format_list, parse_max_size, parse_chatroom,
    parse_file_selector, parse_file_range, parse_file_dates, parse_file_icon,
)  # fmt: skip


def body_values(data: bytes) -> None:
    for read in _VALUES:
        try:
            str(read(_text(data)))
        except WireError:
            continue


# -- captures


def capture(data: bytes) -> None:
    """Written to a file first, since captures are files."""
    handle, name = tempfile.mkstemp(suffix=".pcapng")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        for entry in capture_to_timeline(Path(name)):
            assert entry.number
    except CaptureError:
        pass
    finally:
        Path(name).unlink()


HANDSET, PEER = Address("192.0.2.7", 41000), Address("192.0.2.1", 5060)


def verifier(data: bytes) -> None:
    """The rules read what a handset sent, whatever it is: over UDP, and as a stream that breaks off."""
    timeline = Timeline(clock=lambda: 1.7e9)
    timeline.event(Layer.LAB, "parties", network=[str(PEER)])
    timeline.packet(Layer.SIP, Transport.UDP, HANDSET, PEER, data)
    for piece in (data[: len(data) // 2], data[len(data) // 2 :]):
        for layer in (Layer.SIP, Layer.MSRP):
            timeline.packet(layer, Transport.TCP, HANDSET, PEER, piece, connection=len(layer))
    judge = Verifier()
    judge.judge(timeline)
    assert judge.findings is not None


def message_cutter(data: bytes) -> None:
    whole, cut = MessageCutter(), MessageCutter()
    once = b"".join([*(each.octets for each in whole.receive(data)), whole.rest()])
    parts = [each.octets for piece in _pieces(data) for each in cut.receive(piece)]
    assert once == b"".join([*parts, cut.rest()]) == data


TARGETS = {
    target.name: target
    for target in (
        Target("sip_message", sip_message, seeds.SIP),
        Target("sip_stream", sip_stream, seeds.STREAM),
        Target("sip_headers", sip_headers, seeds.HEADERS),
        Target("sip_uri", sip_uri, seeds.URIS),
        Target("sip_digest", sip_digest, seeds.DIGEST),
        Target("msrp_message", msrp_message, seeds.MSRP),
        Target("msrp_stream", msrp_stream, (b"".join(seeds.MSRP), *seeds.MSRP)),
        Target("msrp_path", msrp_path, seeds.PATHS),
        Target("cpim", cpim, seeds.CPIM),
        Target("imdn", imdn, seeds.IMDN),
        Target("multipart", multipart, seeds.MULTIPART),
        Target("sdp", sdp, seeds.SDP),
        Target("body_values", body_values, seeds.VALUES),
        Target("capture", capture, seeds.CAPTURES),
        Target("verifier", verifier, (*seeds.SIP, *seeds.MSRP)),
        Target("message_cutter", message_cutter, (*seeds.SIP[:5], b"".join(seeds.MSRP))),
    )
}
