"""Heads are read lazily, and nobody can tell: by fields, faults, offsets, values, or the order of asking."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import SipSyntaxError
from harness.sip.grammar import is_token
from harness.sip.head import read_head
from harness.sip.headers import SINGLE_HEADERS, Via, canonical_name
from harness.sip.message import Request, SipMessage, build_response, parse_message

CORPUS = {path.stem: path.read_bytes() for path in sorted((Path(__file__).parent / "corpus").glob("*.sip"))}
TYPED = (
    "vias", "via", "from_", "to", "cseq", "call_id", "contacts", "contact_star", "routes", "record_routes",
    "paths", "service_routes", "asserted_identities", "preferred_identities", "accept_contacts",
    "max_forwards", "content_length", "content_type", "expires", "date", "challenges", "credentials",
)  # fmt: skip
_PIECES = st.sampled_from(
    [b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b";", b",", b'"', b"\\", b"<", b">", b"=", b"\x00", b"\xff",
     b"\x7f", b"\r\n ", b"\n\t", b"\r\n\r\n", b"\n\n", b"tag=", b"Via: ", b"SIP/2.0", "ä".encode(),
     b"l: 3\r\n",
     b"To: <sip:x@y>\r\n", b"v: SIP/2.0/TCP h;branch=z9hG4bKx\r\n", b"CSeq: 1 X\r\n", b"X-Odd : y\r\n"]
)  # fmt: skip


def damaged(name: str, edits: list[tuple[float, int, bytes]]) -> bytes:
    data = CORPUS[name]
    for place, removed, piece in edits:
        index = int(place * len(data))
        data = data[:index] + piece + data[index + removed :]
    return data


DAMAGED = st.builds(
    damaged,
    st.sampled_from(sorted(CORPUS)),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 9), _PIECES), max_size=6),
)


# What reading at once gives: line by line, every row looked at as it comes, nothing put off, nothing shared.


def rows_at_once(data: bytes) -> tuple[int, list[bytes]]:
    """Where the field rows start, and the rows."""
    blank = re.match(rb"(?:\r?\n)+", data)
    start = blank.end() if blank else 0
    empty = re.compile(rb"\r?\n\r?\n").search(data, start)
    end = data.index(b"\n", empty.start()) + 1 if empty else len(data)
    lines = re.findall(rb"[^\n]*\n|[^\n]+", data[start:end])
    rows: list[bytes] = []
    for line in lines[1:]:
        if rows and line[:1] in (b" ", b"\t"):
            rows[-1] += line
        else:
            rows.append(line)
    return start + len(lines[0]), rows


def fields_at_once(data: bytes) -> tuple[list[tuple[Any, ...]], list[tuple[str, int, str]]]:
    """Fields, and the faults of their rows: what, octet, text."""
    place, rows = rows_at_once(data)
    fields: list[tuple[Any, ...]] = []
    faults = line_faults_at_once(b"".join(rows), place)
    for row in rows:
        octets, colon, rest = row.partition(b":")
        name = octets.rstrip(b" \t").decode("utf-8", "backslashreplace")
        canonical = canonical_name(name)
        if not colon or not is_token(name):
            faults.append(("header", place, "no header field"))
        else:
            try:
                row.decode()
            except UnicodeDecodeError as error:
                faults.append((canonical, place + error.start, "not UTF-8"))
            if canonical in SINGLE_HEADERS and canonical in [field[1] for field in fields]:
                faults.append((canonical, place, "occurs more than once"))
            value = re.sub(rb"(?:[ \t]*\r?\n[ \t]+)+", b" ", rest.strip(b" \t\r\n"))
            fields.append((name, canonical, value.decode("utf-8", "backslashreplace"), place, row))
        place += len(row)
    return fields, faults


def line_faults_at_once(block: bytes, start: int) -> list[tuple[str, int, str]]:
    patterns = (
        (rb"(?<!\\)[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", "control character"),
        (rb"(?<!\r)\n", "LF without CR"),
        (rb"\r(?!\n)", "CR without LF"),
        (rb"\A[ \t]", "first header line"),
    )
    found = ((re.search(pattern, block), text) for pattern, text in patterns)
    return [("header", start + match.start(), text) for match, text in found if match]


@given(DAMAGED)
def test_fields_and_faults_are_those_of_reading_at_once(data: bytes) -> None:
    try:
        head = read_head(data)
    except SipSyntaxError:
        return
    fields, faults = fields_at_once(data)
    assert [tuple(field) for field in head.fields] == fields
    told = [(fault.what, fault.offset, fault.text) for fault in head.faults()]
    of_rows = told[len(told) - len(faults) :]
    assert [(what, place) for what, place, _ in of_rows] == [(what, place) for what, place, _ in faults]
    assert all(text.startswith(begin) for (*_, text), (*_, begin) in zip(of_rows, faults, strict=True))
    assert {what for what, *_ in told[: len(told) - len(faults)]} <= {
        "start line", "message", "SIP-Version", "status code", "status line", "request line", "Request-URI",
    }  # fmt: skip


def asked(message: SipMessage, names: list[str]) -> dict[str, str]:
    """What a message says, asked for in this order: values, or errors with their octets."""
    return {name: answer(lambda name=name: getattr(message, name)) for name in names}


def answer(ask: Callable[[], Any]) -> str:
    try:
        return repr(ask())
    except SipSyntaxError as error:
        return f"{error} at {error.offset}"


EVERYTHING = ["faults", "body", "fields", "raw", "body_offset", "start_line", *TYPED]


@given(DAMAGED, st.randoms(use_true_random=False))
def test_the_order_of_asking_makes_no_difference(data: bytes, order: random.Random) -> None:
    try:
        one, other = parse_message(data), parse_message(data)
    except SipSyntaxError:
        return
    shuffled = order.sample(EVERYTHING, len(EVERYTHING))
    assert asked(one, EVERYTHING) == asked(other, shuffled)
    assert one.check() == other.check() == parse_message(data).check()


@given(DAMAGED)
def test_a_message_that_was_made_is_what_its_octets_say(data: bytes) -> None:
    try:
        message = parse_message(data)
    except SipSyntaxError:
        return
    asked(message, EVERYTHING)
    top = Via("SIP/2.0", "UDP", "h")
    made = [
        message.with_top_via(top),
        message.with_header("Route", "<sip:a;lr>", "<sip:b;lr>"),
        message.without("To"),
        message.with_prepended("Via", str(top)),
        message.with_body(b"hello", "text/plain"),
    ]
    if isinstance(message, Request):
        headers = [("Server", "one"), ("Server", "ä"), ("X-Own", ""), ("expires", "x")]
        made.append(build_response(message, 200, headers=headers, body=b"b", to_tag="t"))
        made.append(message.with_uri("sip:z"))
    for each in made:
        read = parse_message(each.raw)
        assert type(read) is type(each)
        assert asked(read, EVERYTHING) == asked(each, EVERYTHING)
        assert read.check() == each.check()


def test_values_kept_for_other_messages_carry_no_place_of_theirs() -> None:
    row, bad = b"Route: <sip:a;lr>\r\n", b"Route: <sip:a@>\r\n"
    for before in (b"", b"Subject: longer\r\n"):
        message = parse_message(b"MESSAGE sip:b@h SIP/2.0\r\n" + before + row + bad + b"\r\n")
        with pytest.raises(SipSyntaxError) as caught:
            _ = message.routes
        assert message.raw[caught.value.offset :].startswith(b">")


def test_lists_are_a_message_s_own() -> None:
    data = b"MESSAGE sip:b@h SIP/2.0\r\nRoute: <sip:a;lr>\r\n\r\n"
    parse_message(data).routes.clear()
    assert len(parse_message(data).routes) == 1


def seconds(data: bytes) -> float:
    """Processor time for reading a message and asking it for everything, the best of three."""
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        message = parse_message(data)
        asked(message, EVERYTHING)
        message.check()
        for name in {field.name for field in message.fields}:
            message.values(name)
            message.field(name)
        if isinstance(message, Request):
            build_response(message, 400, to_tag="t")
            _ = message.with_top_via(Via("SIP/2.0", "UDP", "h")).fields
        best = min(best, time.process_time() - start)
    return best


@pytest.mark.parametrize(
    "row",
    [
        lambda number: b"x%d:\r\n" % number,
        lambda number: b"x:\n",
        lambda number: b"X%d : a\r\n\tb\r\n" % number,
        lambda number: b"no header %d\r\n" % number,
        lambda number: b"f: <sip:a@h>\r\n",
        lambda number: b"m: <sip:a%d@h>;x=\xff\r\n" % number,
    ],
)
def test_many_rows_are_read_in_linear_time(row: Callable[[int], bytes]) -> None:
    few, many = (
        seconds(b"MESSAGE sip:b@h SIP/2.0\r\n" + b"".join(map(row, range(count))) + b"\r\n")
        for count in (1000, 8000)
    )
    assert many < 8 * few * 3 + 0.05  # a quadratic reader takes 64 times as long


def test_folds_in_a_row_are_one_space() -> None:
    message = parse_message(b"MESSAGE sip:b@h SIP/2.0\r\nSubject: a\r\n \r\n\tb c\r\n\r\n")
    (field,) = message.fields
    assert field.value == "a b c"
    assert message.raw[field.octet(2) :].startswith(b"b c")


def test_the_body_of_a_copy_starts_where_its_own_empty_line_ends() -> None:
    message = parse_message(b"MESSAGE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h\r\n\nbody")
    copy = message.with_top_via(Via("SIP/2.0", "UDP", "other"))
    assert copy.raw[copy.body_offset :] == b"body"
