"""What a session makes of the chunks it receives (RFC 4975 7.1.3 to 7.3.1)."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.msrp.framing import MsrpLimits
from harness.msrp.message import ByteRange, ReportStatus
from harness.msrp.reassembly import Coverage
from harness.msrp.reception import ReceivingRules
from harness.msrp.session_events import (
    BodilessReceived,
    MessageLost,
    MessageProgress,
    MessageReceived,
    RequestRefused,
)

ALICE, BOB, RELAY = (
    "msrp://alice.example.com:7394/2s93i9ek2a;tcp",
    "msrp://bob.example.com:8493/si438dsaodes;tcp",
    "msrp://relay.example.com:2855/r1;tcp",
)
REPORTS = list(itertools.product([None, "yes", "no"], [None, "yes", "no", "partial"]))


def contents(session) -> list[bytes]:
    return [e.message.sink.content for e in session.take_events() if isinstance(e, MessageReceived)]


def statuses(messages) -> list[int]:
    return [each.status for each in messages]


def test_a_whole_message_is_delivered_and_answered(wire, chunk) -> None:
    session = wire.bound()
    (response,) = wire.give(chunk(b"Hi, I'm Alice!\r\n", "1-16/16"))
    assert (response.status, response.comment, response.transaction_id) == (200, "OK", "d93kswow")
    assert (response.to_path, response.from_path) == ((ALICE,), (BOB,))
    (event,) = session.take_events()
    assert (event.message.message_id, event.message.content_type, event.again) == (
        "12339sdqwer", "text/plain", False,
    )  # fmt: skip
    assert event.message.sink.content == b"Hi, I'm Alice!\r\n"


@pytest.mark.parametrize("covers", [None, "1-*/*", "1-5/5", "1-*/5", "1-3/9", "1-5/*"])
def test_a_single_chunk_is_the_message_whatever_its_range_says(wire, chunk, covers) -> None:
    session = wire.bound()
    wire.give(chunk(b"hello", covers))
    assert contents(session) == [b"hello"]


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_chunks_in_any_order(wire, chunk, order) -> None:
    session = wire.bound()
    chunks = [
        chunk(b"abcd", "1-*/*", "+"), chunk(b"EFGH", "5-8/*", "+"),
        chunk(b"ijkl", "9-*/14", "+"), chunk(b"MN", "13-14/14", "$"),
    ]  # fmt: skip
    assert statuses(wire.give(*[chunks[place] for place in order])) == [200] * 4
    assert contents(session) == [b"abcdEFGHijklMN"]


def test_what_came_last_takes_precedence_where_chunks_overlap(wire, chunk) -> None:
    session = wire.bound()
    wire.give(chunk(b"a" * 10, "1-10/15", "+"), chunk(b"b" * 10, "6-15/15", "$"))
    assert contents(session) == [b"a" * 5 + b"b" * 10]
    second = {"message_id": "another1"}
    wire.give(chunk(b"b" * 10, "6-15/15", "$", **second), chunk(b"a" * 10, "1-10/15", "+", **second))
    assert contents(session) == [b"a" * 10 + b"b" * 5]


def test_a_message_with_a_gap_waits_for_it(wire, chunk) -> None:
    session = wire.bound()
    wire.give(chunk(b"ab", "1-2/6", "+"), chunk(b"ef", "5-6/6", "$"))
    (progress,) = session.take_events()
    assert isinstance(progress, MessageProgress)
    assert progress.message.coverage.spans == [(0, 2), (4, 6)]
    wire.give(chunk(b"cd", "3-4/6", "+"))
    assert contents(session) == [b"abcdef"]


def test_the_payload_counts_and_not_the_range_end(wire, chunk) -> None:
    session = wire.bound()
    wire.give(chunk(b"abc", "1-10/8", "+"), chunk(b"defgh", "4-8/8", "$"))
    assert contents(session) == [b"abcdefgh"]


def test_interleaved_messages(wire, chunk) -> None:
    session = wire.bound()
    wire.give(
        chunk(b"a1", "1-2/4", "+", message_id="aaaa"), chunk(b"b1", "1-2/4", "+", message_id="bbbb"),
        chunk(b"a2", "3-4/4", "$", message_id="aaaa"), chunk(b"b2", "3-4/4", "$", message_id="bbbb"),
    )  # fmt: skip
    assert contents(session) == [b"a1a2", b"b1b2"]


def test_the_last_chunk_defines_the_length(wire, chunk) -> None:
    session = wire.bound()
    wire.give(chunk(b"abcd", "1-4/100", "+"), chunk(b"ef", "5-6/100", "$"))
    (event,) = [e for e in session.take_events() if isinstance(e, MessageReceived)]
    assert event.message.sink.content == b"abcdef"
    assert event.message.faults == ["the last chunk ends at octet 6 of 100 announced"]


def test_a_total_that_changes_is_a_fault_and_no_reason_to_refuse(wire, chunk) -> None:
    session = wire.bound()
    wire.give(chunk(b"abcd", "1-4/8", "+"), chunk(b"efgh", "5-8/9", "+"), chunk(b"i", "9-9/9", "$"))
    (event,) = session.take_events()
    assert event.message.faults == ["the total changed from 8 to 9"]
    assert event.message.sink.content == b"abcdefghi"


def test_a_chunk_past_the_end_is_refused_and_the_message_still_comes(wire, chunk) -> None:
    session = wire.bound()
    wire.give(chunk(b"cd", "3-4/4", "$"))
    (response,) = wire.give(chunk(b"xx", "5-6/4", "+"))
    assert (response.status, response.comment) == (400, "Bad Request: past the end of the message")
    wire.give(chunk(b"ab", "1-2/4", "+"))
    assert contents(session) == [b"abcd"]


def test_a_second_end_is_the_same_message_again(wire, chunk) -> None:
    session = wire.bound()
    first, second = chunk(b"abcd", "1-4/4", "$"), chunk(b"abcd", "1-4/4", "$", "Success-Report: yes")
    wire.give(first)
    session.take_events()
    response, report = wire.give(second)
    assert (response.status, report.method) == (200, "REPORT")  # 5.4: acknowledged all the same
    (event,) = session.take_events()
    assert event.again


def test_a_bodiless_send_says_nothing_and_an_empty_body_is_a_message(wire, chunk) -> None:
    session = wire.bound()
    assert statuses(wire.give(chunk(None, "1-0/0"), chunk(None, None))) == [200, 200]
    assert [type(event) for event in session.take_events()] == [BodilessReceived] * 2
    assert statuses(wire.give(chunk(b"", "1-0/0"))) == [200]
    assert contents(session) == [b""]


@pytest.mark.parametrize("body", [b"", None])
def test_an_empty_last_chunk_ends_the_message_whatever_its_range_says(wire, chunk, body) -> None:
    session = wire.bound()
    wire.give(chunk(b"abcd", "1-*/*", "+"), chunk(body, "1-0/*", "$"))
    assert contents(session) == [b"abcd"]


def test_an_aborted_message_is_lost_and_its_id_may_begin_again(wire, chunk) -> None:
    session = wire.bound()
    assert statuses(wire.give(chunk(b"abcd", "1-4/8", "+"), chunk(b"ef", "5-*/8", "#"))) == [200, 200]
    (event,) = session.take_events()
    assert (type(event), event.reason) == (MessageLost, "aborted by its sender")
    wire.give(chunk(b"xy", "1-2/2"))
    assert contents(session) == [b"xy"]


@pytest.mark.parametrize(("success", "failure"), REPORTS)
def test_who_wants_what_is_answered_so(wire, chunk, success, failure) -> None:
    """7.1.3, 7.1.4 and 7.2, for a message that is taken and for one that is not."""
    wire.bound(rules=ReceivingRules(accepts=lambda kind: kind == "text/plain"))
    lines = [f"Success-Report: {success}"] if success else []
    lines += [f"Failure-Report: {failure}"] if failure else []
    found = wire.give(chunk(b"hello", "1-5/5", "$", *lines))
    expected = ([200] if failure in (None, "yes") else []) + (["REPORT"] if success == "yes" else [])
    assert [getattr(each, "method", None) or each.status for each in found] == expected
    refused = wire.give(chunk(b"hello", "1-5/5", "$", *lines, message_id="other1", content_type="image/png"))
    assert statuses(refused) == ([] if failure == "no" else [415])


def test_values_of_reports_are_compared_without_case(wire, chunk) -> None:
    wire.bound()
    assert wire.give(chunk(b"x", "1-1/1", "$", "failure-report: NO")) == []
    assert wire.give(chunk(b"x", "1-1/1", "$", "FAILURE-REPORT: Partial", message_id="another1")) == []


def test_a_success_report_covers_the_whole_message_and_goes_all_the_way_back(wire, chunk) -> None:
    wire.bound()
    lines, source = ["Success-Report: yes"], f"{RELAY} {ALICE}"
    first = wire.give(chunk(b"abcd", "1-4/6", "+", *lines, source=source))
    assert [(each.status, each.to_path) for each in first] == [(200, (RELAY,))]
    response, report = wire.give(chunk(b"ef", "5-6/6", "$", *lines, source=source))
    assert (response.status, response.to_path) == (200, (RELAY,))
    assert (report.method, report.to_path, report.from_path) == ("REPORT", (RELAY, ALICE), (BOB,))
    assert (report.message_id, report.byte_range) == ("12339sdqwer", ByteRange(1, 6, 6))
    assert report.status == ReportStatus("000", 200, "OK")
    assert (report.get("Success-Report"), report.get("Failure-Report"), report.faults) == (None, None, ())


@pytest.mark.parametrize(
    ("octets", "comment"),
    [
        (lambda chunk: chunk(b"x", "one"), "Bad Request: Byte-Range"),
        (lambda chunk: chunk(b"x", "0-0/1"), "Bad Request: Byte-Range counts from 1"),
        (lambda chunk: chunk(b"x", "1-1/1").replace(b"Content-Type: text/plain\r\n", b""),
         "Bad Request: no Content-Type"),
        (lambda chunk: chunk(b"x", "1-1/1").replace(b"Message-ID: 12339sdqwer\r\n", b""),
         "Bad Request: Message-ID"),
        (lambda chunk: chunk(b"x", "1-1/1", "$", "no header"), "Bad Request"),
        (lambda chunk: chunk(None, "1-0/0").replace(b"----", b"\r\n----", 1), "Bad Request"),
    ],
)  # fmt: skip
def test_what_cannot_be_understood_is_answered_400(wire, chunk, octets, comment) -> None:
    session = wire.bound()
    (response,) = wire.give(octets(chunk))
    assert (response.status, response.comment) == (400, comment)
    assert [type(event) for event in session.take_events()] == [RequestRefused]
    wire.give(chunk(b"corrected", "1-9/9"))  # 10.2: it may be tried again
    assert contents(session) == [b"corrected"]


def test_a_type_that_is_not_taken_is_answered_415_for_each_chunk(wire, chunk) -> None:
    session = wire.bound(rules=ReceivingRules(accepts=lambda kind: kind.startswith("text/")))
    refused = {"content_type": "image/png", "message_id": "pict"}
    chunks = chunk(b"x", "1-1/2", "+", **refused), chunk(b"y", "2-2/2", "$", **refused)
    assert statuses(wire.give(*chunks, chunk(b"hello", "1-5/5"))) == [415, 415, 200]
    assert contents(session) == [b"hello"]


@pytest.mark.parametrize("announced", ["9", "*"])
def test_a_message_above_max_size_is_answered_413_as_soon_as_it_is_known(wire, chunk, announced) -> None:
    session = wire.bound(rules=ReceivingRules(max_size=8))
    chunks = chunk(b"abcdefgh", f"1-8/{announced}", "+"), chunk(b"i", f"9-9/{announced}", "$")
    assert statuses(wire.give(*chunks)) == ([413, 413] if announced == "9" else [200, 413])
    lost = [event for event in session.take_events() if isinstance(event, MessageLost)]
    assert [event.reason for event in lost] == ["answered 413 Stop Sending"]
    assert statuses(wire.give(chunk(b"abcdefgh", "1-8/8", message_id="fits"))) == [200]


def test_a_total_that_grows_above_max_size_is_answered_413_at_once(wire, chunk) -> None:
    wire.bound(rules=ReceivingRules(max_size=8))
    chunks = chunk(b"ab", "1-2/8", "+"), chunk(b"cd", "3-4/8", "+"), chunk(b"ef", "5-6/9", "+")
    assert statuses(wire.give(*chunks)) == [200, 200, 413]


def test_the_user_may_refuse_a_message(wire, chunk) -> None:
    wire.bound(rules=ReceivingRules(refuse=lambda request: 403 if request.body == b"x" else None))
    assert statuses(wire.give(chunk(b"x", "1-1/1"), chunk(b"y", "1-1/1", message_id="fine"))) == [403, 200]


def test_too_many_messages_at_once_and_too_many_gaps(wire, chunk) -> None:
    session = wire.bound(rules=ReceivingRules(open_messages=2))
    found = wire.give(*[chunk(b"x", "1-1/2", "+", message_id=f"id{number}x") for number in range(3)])
    assert (statuses(found), found[2].comment) == ([200, 200, 413], "Too Many Messages At Once")
    for number in range(1024):
        wire.give(chunk(b"x", f"{10 + 2 * number}-*/*", "+", message_id="id0x"))
    (last,) = wire.give(chunk(b"x", "9999-*/*", "+", message_id="id0x"))
    assert (last.status, last.comment) == (413, "Too Many Gaps")
    assert any(isinstance(event, MessageLost) for event in session.take_events())


def test_a_claim_of_a_huge_position_takes_no_room(wire, chunk) -> None:
    session = wire.bound()
    wire.give(chunk(b"x", "9000000000000000000-*/*", "+"))
    (event,) = session.take_events()
    assert event.message.coverage.octets == 1


def test_content_encoding_is_passed_on_untouched(wire, chunk) -> None:
    session = wire.bound()
    packed = b"x\x9c\x03\x00\x00\x00\x00\x01"
    wire.give(chunk(packed, "1-8/8", "$", "Content-Encoding: deflate", content_type="message/imdn+xml"))
    (event,) = session.take_events()
    assert event.message.sink.content == packed
    assert event.message.head.get("Content-Encoding") == "deflate"


def test_header_names_in_any_case(wire, chunk) -> None:
    session = wire.bound()
    octets = chunk(b"abcd", "1-4/8", "+"), chunk(b"efgh", "5-8/8")
    names = (b"To-Path", b"From-Path", b"Message-ID", b"Byte-Range", b"Content-Type")
    for name in names:
        octets = tuple(each.replace(name, name.upper()) for each in octets)
    assert statuses(wire.give(*octets)) == [200, 200]
    assert contents(session) == [b"abcdefgh"]


BLOCKS = MsrpLimits(head_octets=400, whole_octets=420, block_octets=64)


def test_a_chunk_that_comes_in_blocks_is_taken_as_one_that_comes_whole(new_wire, chunk) -> None:
    wire = new_wire(BLOCKS)
    session = wire.bound()
    body = bytes(range(256)) * 8
    found = wire.give(
        chunk(body[:1000], "1-*/2048", "+", "Success-Report: yes"),
        chunk(body[1000:], "1001-*/2048", "$", "Success-Report: yes"),
    )
    assert [getattr(each, "method", None) or each.status for each in found] == [200, 200, "REPORT"]
    assert contents(session) == [body]
    wire.give(chunk(body[:1000], "1-*/2048", "#", message_id="gone"))
    assert [type(event) for event in session.take_events()] == [MessageLost]


def test_413_is_said_before_a_chunk_in_blocks_ends(new_wire, chunk) -> None:
    wire = new_wire(BLOCKS)
    session = wire.bound(rules=ReceivingRules(max_size=300))
    octets = chunk(bytes(1000), "1-*/*", "+")
    (response,) = wire.give(octets[:700])
    assert (response.status, response.transaction_id) == (413, "d93kswow")
    assert wire.give(octets[700:]) == []
    assert any(isinstance(event, MessageLost) for event in session.take_events())
    (known,) = wire.give(chunk(bytes(1000), "1-*/1000", "$", message_id="another1")[:600])
    assert known.status == 413


def test_what_is_not_complete_when_the_session_ends_is_lost(wire, chunk) -> None:
    session = wire.bound()
    wire.give(chunk(b"abcd", "1-4/8", "+"))
    session.take_events()
    wire.connection.close("reset")
    lost, failed = session.take_events()
    assert (type(lost), lost.reason, failed.reason) == (MessageLost, "reset", "reset")


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20)), max_size=30))
def test_coverage_is_a_set_of_octets(pieces) -> None:
    coverage, octets = Coverage(), set()
    for start, length in pieces:
        coverage.add(start, start + length)
        octets |= set(range(start, start + length))
    assert {octet for start, end in coverage.spans for octet in range(start, end)} == octets
    assert coverage.octets == len(octets)
    assert all(before[1] < after[0] for before, after in itertools.pairwise(coverage.spans))
    for length in range(70):
        assert coverage.covers(length) == (set(range(length)) <= octets)


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_cut_into_chunks_in_any_order_gives_the_message(new_wire, chunk, data) -> None:
    wire = new_wire(data.draw(st.sampled_from([None, MsrpLimits(400, 400, 64, 10**6, 410, 7)])))
    session = wire.bound()
    body = data.draw(st.binary(min_size=1, max_size=600))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(body)), max_size=6)) | {len(body)})
    pieces = list(zip([0, *cuts[:-1]], cuts, strict=True))
    again = data.draw(st.lists(st.sampled_from(pieces), max_size=3))
    order = data.draw(st.permutations(pieces + again))
    for start, end in order:
        flag = "$" if end == len(body) else "+"
        wire.give(chunk(body[start:end], f"{start + 1}-*/*", flag))
    received = [e for e in session.take_events() if isinstance(e, MessageReceived) and not e.again]
    assert [event.message.sink.content for event in received] == [body]


def test_413_is_said_once_the_user_wants_no_more(wire, chunk) -> None:
    session = wire.bound()
    wire.give(chunk(b"abc", "1-3/9", "+"))
    session.take_events()
    session.stop("12339sdqwer", 413)
    session.stop("another", 413)
    (lost,) = session.take_events()
    assert isinstance(lost, MessageLost)
    assert statuses(wire.give(chunk(b"def", "4-6/9", "+"), chunk(b"ghi", "7-9/9"))) == [413, 413]
    assert statuses(wire.give(chunk(b"new", "1-3/3", message_id="other"))) == [200]


def test_413_is_said_in_the_middle_of_a_chunk(new_wire, chunk) -> None:
    wire = new_wire(BLOCKS)
    session = wire.bound()
    octets = chunk(b"x" * 600, "1-600/9000", "+")
    assert wire.give(octets[:500]) == []
    session.stop("12339sdqwer", 413)
    assert statuses(wire.take()) == [413]
    assert wire.give(octets[500:]) == []
    assert statuses(wire.give(chunk(b"y", "601-601/9000", "+"))) == [413]


def test_a_message_that_is_taken_without_a_word(wire, chunk) -> None:
    session = wire.bound(rules=ReceivingRules(silent=lambda message_id: message_id == "lost"))
    ranges = ("1-10/30", "11-20/30", "21-30/30")
    pieces = [
        chunk(b"x" * 10, covers, flag, message_id="lost", tid=f"t{covers[0]}abcd")
        for covers, flag in zip(ranges, "++$", strict=True)
    ]
    assert wire.give(*pieces) == []
    assert contents(session) == [b"x" * 30]
    assert statuses(wire.give(chunk(b"heard", "1-5/5", message_id="other"))) == [200]
