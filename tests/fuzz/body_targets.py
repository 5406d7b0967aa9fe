"""The parsers of harness/bodies under attack."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from harness.bodies.conference_info import ConferenceView, parse_conference_info, write_conference_info
from harness.bodies.cpim import parse_cpim, parse_cpim_address
from harness.bodies.encoding import decode_content
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
from harness.bodies.reginfo import RegistrationTable, parse_reginfo, write_reginfo
from harness.bodies.sdp import parse_sdp, write_sdp
from harness.bodies.sdp_attributes import parse_chatroom, parse_fingerprint, parse_format_list, parse_max_size
from harness.bodies.timestamp import parse_timestamp
from harness.errors import WireError

from .attack import properties, text


def cpim(data: bytes) -> None:
    try:
        message = parse_cpim(data)
    except WireError:
        message = None
    if message is not None:
        properties(message)
        for name in ("From", "To", "cc"):
            try:
                message.addresses(name)
            except WireError:
                continue
    with suppress(WireError):
        parse_cpim_address(text(data))


def imdn(data: bytes) -> None:
    with suppress(WireError):
        properties(parse_imdn(data))


def reginfo(data: bytes) -> None:
    with suppress(WireError):
        document = parse_reginfo(data)
        table = RegistrationTable()
        for _ in range(2):
            table.apply(document)
        assert parse_reginfo(write_reginfo(document)) == document


def conference_info(data: bytes) -> None:
    with suppress(WireError):
        document = parse_conference_info(data)
        properties(document)
        for user in document.users:
            properties(user)
        view = ConferenceView()
        for _ in range(2):
            view.apply(document)
        parse_conference_info(write_conference_info(document))


def encoding(data: bytes) -> None:
    """The first line is Content-Encoding and, after a colon, Content-Transfer-Encoding."""
    line, _, content = data.partition(b"\n")
    coding, _, transfer = text(line).partition(":")
    with suppress(WireError):
        assert len(decode_content(content, coding, transfer, limit=10_000)) <= 10_000


def multipart(data: bytes) -> None:
    """The first line is the boundary."""
    boundary, _, body = data.partition(b"\n")
    try:
        found = split_multipart(body, text(boundary[:80]) or "b")
    except WireError:
        return
    for part in found.parts:
        properties(part)


def sdp(data: bytes) -> None:
    try:
        session = parse_sdp(data)
    except WireError:
        return
    properties(session)
    for media in session.media:
        properties(media)
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
            str(read(text(data)))
        except WireError:
            continue
