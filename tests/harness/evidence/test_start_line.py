"""Telling SIP and MSRP by content, and cutting streams where messages end."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.evidence.start_line import Cut, MessageCutter, find_start, protocol_of
from harness.evidence.timeline import Layer

MSRP = b"MSRP d93kswow SEND\r\nTo-Path: msrp://a.example:7394/2s93i9;tcp\r\n\r\nhi\r\n-------d93kswow$\r\n"


@pytest.mark.parametrize(
    ("octets", "layer"),
    [
        (b"MESSAGE sip:a@example.net SIP/2.0\r\n", Layer.SIP),
        (b"\r\n\r\nSIP/2.0 200 OK\r\n", Layer.SIP),
        (b"SIP/2.0 200 \r\n", Layer.SIP),
        (b"FOO tel:+123 sip/2.0\r\n", Layer.SIP),
        (MSRP, Layer.MSRP),
        (b"MSRP d93kswow 200 OK\r\n", Layer.MSRP),
        (b"GET / HTTP/1.1\r\n", None),
        (b"MESSAGE sip:a@example.net SIP/2.0", None),
        (b"\r\n\r\n", None),
        (b"", None),
    ],
)
def test_protocol_by_start_line(octets: bytes, layer: Layer | None) -> None:
    assert protocol_of(octets) is layer


def test_the_next_start_line_is_found_where_a_body_ends_without_a_line() -> None:
    octets = b"MSRP rest</imdn>MESSAGE sip:a@example.net SIP/2.0\r\n"
    assert find_start(Layer.SIP, octets) == 16
    assert find_start(Layer.SIP, b"</imdn>SIP/2.0 200 OK\r\n") == 7
    assert find_start(Layer.MSRP, octets) == -1
    assert find_start(Layer.MSRP, b"-------a1b2$\r\n" + MSRP) == 14


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_messages_come_whole_however_the_stream_is_read(
    request_of: Callable[..., bytes], data: st.DataObject
) -> None:
    messages = [request_of(1), b"\r\n\r\n", request_of(2, b""), MSRP]
    octets = b"".join(messages)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(octets) - 1), max_size=6)))
    cutter = MessageCutter()
    parts = [
        cut.octets
        for start, end in zip([0, *cuts], [*cuts, len(octets)], strict=True)
        for cut in cutter.receive(octets[start:end])
    ]
    assert b"".join(parts) + cutter.rest() == octets
    assert [part for part in parts if part.strip()] == [messages[0], messages[2], messages[3]]


@given(st.lists(st.binary(max_size=40), max_size=6))
def test_junk_is_passed_on_unchanged(parts: list[bytes]) -> None:
    cutter = MessageCutter()
    passed = [cut.octets for part in parts for cut in cutter.receive(part)]
    assert b"".join(passed) + cutter.rest() == b"".join(parts)


@pytest.mark.parametrize("step", [1, 7, 64, 333, 5000])
def test_a_message_too_long_to_hold_comes_in_cuts_that_go_on(
    request_of: Callable[..., bytes], step: int
) -> None:
    body = b"MSRP x SEND\r\n-------d93ksw\r\n" * 40
    msrp = MSRP.replace(b"hi", body)
    octets = request_of(1) + msrp + MSRP + request_of(2, body) + request_of(3)
    cutter = MessageCutter(most=400)
    cuts = [cut for at in range(0, len(octets), step) for cut in cutter.receive(octets[at : at + step])]
    assert b"".join(cut.octets for cut in cuts) == octets
    assert cutter.rest() == b""
    assert all(len(cut.octets) <= 400 + step for cut in cuts) or step > 400
    begun = [cut.octets[:12] for cut in cuts if not cut.goes_on]
    assert begun == [b"MESSAGE sip:", b"MSRP d93kswo", b"MSRP d93kswo", b"MESSAGE sip:", b"MESSAGE sip:"]
    whole = [
        one.octets
        for one, other in zip(cuts, [*cuts[1:], Cut(b"")], strict=True)
        if not (one.goes_on or other.goes_on)
    ]
    assert whole[:1] == [request_of(1)]
    assert whole[-1] == request_of(3)
