"""SDP attributes of file transfer (RFC 5547): its examples, names that need escapes, what is no file."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.bodies.file_attributes import (
    FileDates,
    FileDescription,
    FileHash,
    FileRange,
    FileSelector,
    parse_file_dates,
    parse_file_icon,
    parse_file_range,
    parse_file_selector,
    read_file,
)
from harness.bodies.sdp import parse_sdp
from harness.bodies.session_description import Attribute, MediaDescription
from harness.errors import BodySyntaxError

CORPUS = Path(__file__).parents[2] / "corpora" / "sdp"
HASH = bytes.fromhex("7D019AC455E23B8016FFA92C61D80E4793BB5A14")


def file_of(name: str) -> FileDescription | None:
    return read_file(parse_sdp((CORPUS / f"{name}.sdp").read_bytes()).media[0])


def test_a_pushed_file_in_the_form_of_rfc_5547_9_1() -> None:
    file = file_of("file_push_offer")
    assert file == FileDescription(
        FileSelector("Harbour at six.jpg", "image/jpeg", 7311, (FileHash("sha-1", HASH),)),
        transfer_id="kD84hsT2mVq0Zr6yLw1Nc9Xp",
        disposition="render",
        dates=FileDates(creation=datetime(2020, 3, 3, 18, 4, 59, tzinfo=timezone(timedelta(hours=2)))),
        icon="harbour@mara.example.net",
    )


@pytest.mark.parametrize("path", sorted(CORPUS.glob("file_*.sdp")), ids=lambda path: path.stem)
def test_attributes_are_written_as_they_were_read(path: Path) -> None:
    media = parse_sdp(path.read_bytes()).media[0]
    file = read_file(media)
    assert file is not None
    assert file.attributes == tuple(each for each in media.attributes if each.name.startswith("file-"))


def test_a_file_pulled_by_its_hash() -> None:
    file = file_of("file_pull_offer")
    assert file is not None
    assert file.selector == FileSelector(hashes=(FileHash("sha-1", HASH),))


def test_an_empty_selector_says_that_file_transfer_is_understood() -> None:
    file = file_of("file_capability")
    assert file is not None and not file.selector
    assert file.attributes == (Attribute("file-selector"),)
    assert file_of("trace_chat_offer") is None


def test_the_handset_of_the_trace_adds_a_range_and_its_server_writes_the_hash_in_lower_case() -> None:
    offered, answered = file_of("trace_push_offer"), file_of("trace_push_answer")
    assert offered is not None and answered is not None
    assert offered.selector == answered.selector
    assert offered.selector.hashes[0].digest[:4] == bytes.fromhex("CE55635A")
    assert (offered.range, answered.range) == (None, FileRange(1, 1049274))


@pytest.mark.parametrize(
    ("text", "selector"),
    [
        ('name:"a%22b.txt"', FileSelector('a"b.txt')),
        ('name:"100%25.txt"', FileSelector("100%.txt")),
        ('name:"%2Fetc%2Fpasswd"', FileSelector("/etc/passwd")),
        ('name:"Gr\u00fc\u00dfe \u2603.txt"', FileSelector("Gr\u00fc\u00dfe \u2603.txt")),
        ('name:"50% off"', FileSelector("50% off")),  # no escape: read as it stands
        ('name:"size:1 type:a/b" size:2', FileSelector("size:1 type:a/b", size=2)),
        ('type:text/plain;charset="utf 8" size:7', FileSelector(type='text/plain;charset="utf 8"', size=7)),
        ("hash:SHA-1:0A hash:sha-256:0b:0c", FileSelector(hashes=(
            FileHash("sha-1", b"\x0a"), FileHash("sha-256", b"\x0b\x0c")))),
        ('later:"some thing" size:1', FileSelector(size=1)),
        ("", FileSelector()),
    ],
)  # fmt: skip
def test_selectors(text: str, selector: FileSelector) -> None:
    assert parse_file_selector(text) == selector


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("size:many", 50), ('size:1 name:"', 57), ("size:1  size:2", 57), ("hash:sha-1:7D:0", 50),
        ("type:jpeg", 50), ('name:"\u00e9" size:x', 50 + 10), ("size", 50), ('name:"a"b', 50),
    ],
)  # fmt: skip
def test_what_is_no_selector_is_named_with_its_octet(text: str, offset: int) -> None:
    with pytest.raises(BodySyntaxError) as caught:
        parse_file_selector(text, 50)
    assert caught.value.offset == offset


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1-32349", FileRange(1, 32349)), ("1-*", FileRange(1)), ("7-7", FileRange(7, 7))],
)
def test_ranges(text: str, expected: FileRange) -> None:
    assert parse_file_range(text) == expected
    assert str(expected) == text


@pytest.mark.parametrize("text", ["", "0-5", "5-4", "*-5", "1-", "1", "1 - 2", "-1-2", "1-" + "9" * 30])
def test_what_is_no_range(text: str) -> None:
    with pytest.raises(BodySyntaxError):
        parse_file_range(text)


def test_dates() -> None:
    text = 'creation:"Mon, 15 May 2006 15:01:31 +0300" read:"Mon, 15 May 2006 15:01:32 -0000"'
    dates = parse_file_dates(text)
    assert dates.creation == datetime(2006, 5, 15, 12, 1, 31, tzinfo=UTC)
    assert dates.read == datetime(2006, 5, 15, 15, 1, 32, tzinfo=UTC)
    assert str(dates) == text.replace("-0000", "+0000")
    with pytest.raises(BodySyntaxError):
        str(FileDates(creation=datetime(2006, 5, 15)))


@pytest.mark.parametrize(
    "text",
    [
        "creation:Mon", 'creation:"Mon, 15 May 2006 15:01:31 GMT"', 'creation:"yesterday +0300"',
        'creation:"Mon, 15 May 2006 15:01:31 +0300" creation:"Mon, 15 May 2006 15:01:31 +0300"',
        'made:"Mon, 15 May 2006 15:01:31 +0300"', 'creation:"Mon, 99 May 2006 15:01:31 +0300"',
    ],
)  # fmt: skip
def test_what_is_no_date(text: str) -> None:
    with pytest.raises(BodySyntaxError):
        parse_file_dates(text)


def test_the_icon_is_a_content_id() -> None:
    assert parse_file_icon("cid:harbour@mara.example.net") == "harbour@mara.example.net"
    for text in ("", "cid:", "http://example.com/icon", "cid:a b"):
        with pytest.raises(BodySyntaxError):
            parse_file_icon(text)


NAMES = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=30)
SELECTORS = st.builds(
    FileSelector,
    name=st.none() | NAMES,
    type=st.none() | st.sampled_from(["image/jpeg", 'text/plain;charset="UTF-8"']),
    size=st.none() | st.integers(0, 10**18),
    hashes=st.lists(
        st.builds(FileHash, st.just("sha-1"), st.binary(min_size=1, max_size=20)), max_size=2
    ).map(tuple),
)
DATES = st.datetimes(datetime(1900, 1, 1), datetime(2999, 1, 1), timezones=st.just(UTC)).map(
    lambda date: date.replace(microsecond=0)
)


@given(SELECTORS)
def test_a_selector_reads_back_the_same(selector: FileSelector) -> None:
    text = str(selector)
    assert not set(text) & set("\x00\r\n")
    assert parse_file_selector(text) == selector


@given(st.builds(FileDates, st.none() | DATES, st.none() | DATES, st.none() | DATES))
def test_dates_read_back_the_same(dates: FileDates) -> None:
    assert parse_file_dates(str(dates)) == dates


@given(st.text(max_size=60), st.sampled_from(["", 'name:"', "type:a/b;", "hash:sha-1:", 'creation:"', "1-"]))
def test_no_text_raises_anything_but_our_own_error(text: str, start: str) -> None:
    for name in ("file-selector", "file-date", "file-icon", "file-range", "file-transfer-id"):
        selector = (
            Attribute("file-selector", start + text)
            if name == "file-selector"
            else Attribute("file-selector")
        )
        with suppress(BodySyntaxError):
            read_file(MediaDescription("message", 9, "TCP/MSRP", ("*",), attributes=(
                selector, Attribute(name, start + text))))  # fmt: skip


@pytest.mark.parametrize(
    "piece", ['name:"', 'a:"b" ', "size:1 ", "hash:a:00 ", ":00", 'type:a/b;c="d"', "%41", "a"]
)
def test_selectors_are_read_in_linear_time(piece: str, assert_linear: Callable[..., None]) -> None:
    assert_linear(parse_file_selector, lambda size: "hash:sha-1:00" + piece * size)
