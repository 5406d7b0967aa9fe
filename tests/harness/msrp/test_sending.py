"""What a session sends, and what it makes of the answers (RFC 4975 7.1, 7.1.1, 7.3.2 and 10)."""

from __future__ import annotations

import io
import itertools
import weakref

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.msrp.chunking import Outcome, OutgoingMessage, Report
from harness.msrp.content import FileSource, MemorySource, PieceSource
from harness.msrp.framing import MsrpFramer
from harness.msrp.message import ByteRange, Flag, ReportStatus
from harness.msrp.session import SendOptions
from harness.msrp.session_events import MessageSent, ReportReceived, RequestRefused, SessionFailed

ALICE, BOB, RELAY = (
    "msrp://alice.example.com:7394/2s93i9ek2a;tcp",
    "msrp://bob.example.com:8493/si438dsaodes;tcp",
    "msrp://relay.example.com:2855/r1;tcp",
)


def sent(session) -> list[Outcome]:
    return [event.message.outcome for event in session.take_events() if isinstance(event, MessageSent)]


def report(message_id: str, status: str, covers: str | None = "1-5/5", tid: str = "dkei38sd") -> bytes:
    rows = [f"MSRP {tid} REPORT", f"To-Path: {BOB}", f"From-Path: {ALICE}", f"Message-ID: {message_id}"]
    rows += [f"Byte-Range: {covers}"] if covers else []
    return "".join(f"{row}\r\n" for row in [*rows, f"Status: {status}", f"-------{tid}$"]).encode()


def test_a_short_message_is_one_chunk(wire, answer) -> None:
    session = wire.bound(BOB, RELAY, ALICE)
    message = session.send(MemorySource(b"hello"), "text/plain")
    (request,) = wire.take()
    assert request.faults == ()
    assert (request.to_path, request.from_path) == ((RELAY, ALICE), (BOB,))
    assert (request.message_id, request.byte_range) == (message.message_id, ByteRange(1, 5, 5))
    assert (request.body, request.flag) == (b"hello", Flag.COMPLETE)
    assert (request.get("Success-Report"), request.get("Failure-Report")) == (None, None)
    assert [each.name for each in request.headers][-1] == "Content-Type"
    assert message.outcome is None
    wire.give(answer(request))
    assert sent(session) == [Outcome(200, "Whatever", 5)]
    assert message.outcome.good


def test_chunks_of_2048_octets_have_exact_ranges(wire, answer) -> None:
    session = wire.bound()
    body = bytes(range(256)) * 20
    session.send(MemorySource(body), "image/png")
    chunks = wire.take()
    assert [chunk.byte_range for chunk in chunks] == [
        ByteRange(1, 2048, 5120), ByteRange(2049, 4096, 5120), ByteRange(4097, 5120, 5120),
    ]  # fmt: skip
    assert [chunk.flag for chunk in chunks] == [Flag.MORE, Flag.MORE, Flag.COMPLETE]
    assert b"".join(chunk.body for chunk in chunks) == body
    assert len({chunk.transaction_id for chunk in chunks}) == 3
    assert len({chunk.message_id for chunk in chunks}) == 1
    for chunk in chunks[:2]:
        wire.give(answer(chunk))
    assert sent(session) == []
    wire.give(answer(chunks[2]))
    assert [outcome.good for outcome in sent(session)] == [True]


@pytest.mark.parametrize("size", [2049, 65536, 70000, 200000, None])
def test_larger_chunks_have_an_open_end(wire, size) -> None:
    session = wire.bound()
    body = bytes(200_000)
    session.send(MemorySource(body), "image/png", SendOptions(chunk_octets=size))
    events = MsrpFramer().receive(wire.connection.output(10**6, 0.0))
    assert b"".join(event.body for event in events) == body
    assert all(event.byte_range.end is None for event in events[:-1])
    assert len(events) == (1 if size is None else -(-200_000 // size))
    starts = [event.byte_range.start for event in events]
    assert starts == [1 + number * (size or 0) for number in range(len(events))]


@pytest.mark.parametrize("chunk_octets", [1, 7, 2048, 5000, None])
@pytest.mark.parametrize("octets", [0, 1, 7, 14, 2048, 2049, 4096, 70_000])
@pytest.mark.parametrize("kind", ["memory", "file", "pieces", "unknown"])
def test_every_source_gives_the_whole_content(wire, chunk_octets, octets, kind) -> None:
    if octets > 5000 and chunk_octets in (1, 7):
        chunk_octets = 3000
    body = bytes(itertools.islice(itertools.cycle(range(251)), octets))
    source = {
        "memory": lambda: MemorySource(body),
        "file": lambda: FileSource(io.BytesIO(body + b"more"), octets),
        "pieces": lambda: PieceSource([b"", body[:3], body[3:5], b"", body[5:]], octets),
        "unknown": lambda: PieceSource(iter([body[:10], body[10:]])),
    }[kind]()
    session = wire.bound()
    session.send(source, "image/png", SendOptions(chunk_octets=chunk_octets))
    chunks = wire.take(10**8)
    assert b"".join(chunk.body for chunk in chunks) == body
    assert [chunk.flag for chunk in chunks] == [Flag.MORE] * (len(chunks) - 1) + [Flag.COMPLETE]
    assert {chunk.byte_range.total for chunk in chunks} == {None if kind == "unknown" else octets}
    assert chunks[0].byte_range.start == 1
    if octets == 0:
        assert (chunks[0].body, chunks[0].byte_range.end) == (b"", 0)


def test_a_source_that_ends_early_aborts_the_message(wire, answer) -> None:
    session = wire.bound()
    session.send(FileSource(io.BytesIO(b"abc"), 10), "image/png")
    (chunk,) = wire.take()
    assert (chunk.flag, chunk.body) == (Flag.ABORTED, b"abc")
    assert sent(session) == []  # whoever hangs up at once would take the other side's answer away
    wire.give(answer(chunk))
    assert sent(session) == [Outcome(None, "the source ended early", 3, aborted=True)]


def test_a_bodiless_send(wire, answer) -> None:
    session = wire.bound()
    message = session.send(None)
    (request,) = wire.take()
    assert (request.body, request.byte_range, request.get("Content-Type")) == (None, ByteRange(1, 0, 0), None)
    assert request.faults == ()
    wire.give(answer(request))
    assert message.outcome.good


def test_the_first_send_opens_the_session_with_what_waited(wire, chunk) -> None:
    session = wire.session()
    session.send(MemorySource(b"hello"), "text/plain")
    assert wire.take() == []
    response, request = wire.give(chunk(None, "1-0/0"))
    assert (response.status, request.body) == (200, b"hello")


def test_content_that_was_sent_is_let_go(wire, answer) -> None:
    session = wire.bound()
    sources = [MemorySource(b"x" * 3000) for _ in range(3)]
    gone = [weakref.ref(source) for source in sources]
    messages = [session.send(source, "text/plain") for source in sources]
    del sources
    messages[2].abort()
    first, *_ = wire.take(1)
    wire.give(answer(first, 413))
    wire.take()
    assert [reference() for reference in gone] == [None] * 3


def test_headers_of_mime_come_before_content_type(wire) -> None:
    session = wire.bound()
    options = SendOptions(headers=(("Content-Encoding", "deflate"), ("Content-ID", "<a@b>")))
    session.send(MemorySource(b"x"), "message/imdn+xml", options)
    (request,) = wire.take()
    assert [each.name for each in request.headers] == [
        "To-Path", "From-Path", "Message-ID", "Byte-Range", "Content-Encoding", "Content-ID", "Content-Type",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("success", "failure"), list(itertools.product(["yes", "no"], ["yes", "no", "partial"]))
)
def test_reports_are_asked_for_in_every_chunk_and_awaited_as_asked(wire, success, failure, answer) -> None:
    session = wire.bound()
    options = SendOptions(success_report=Report(success), failure_report=Report(failure), chunk_octets=3)
    message = session.send(MemorySource(b"hello"), "text/plain", options)
    chunks = wire.take()
    assert [chunk.success_report for chunk in chunks] == [success] * 2
    assert [chunk.failure_report for chunk in chunks] == [failure] * 2
    if failure != "yes":  # nothing to wait for
        assert message.outcome == Outcome(None, "no answer is due", 5)
    wire.pass_time(31)
    assert message.outcome.status == (408 if failure == "yes" else None)
    wire.give(answer(chunks[0], 415))
    assert message.outcome.status == {"yes": 408, "partial": 415, "no": None}[failure]


def test_the_timer_runs_30_seconds_from_the_last_octet(wire, answer) -> None:
    session = wire.bound()
    message = session.send(MemorySource(bytes(200_000)), "image/png", SendOptions(chunk_octets=None))
    wire.connection.output(1, wire.now)  # the first piece
    wire.pass_time(40)
    assert message.outcome is None
    assert wire.connection.output(10**6, wire.now).endswith(b"$\r\n")
    wire.pass_time(29.9)
    assert message.outcome is None
    assert wire.connection.transactions.next_deadline == 70
    wire.pass_time(0.1)
    assert message.outcome == Outcome(408, "Timeout", 200_000)
    assert wire.connection.transactions.next_deadline is None


@pytest.mark.parametrize("failure", [Report.YES, Report.PARTIAL])
def test_an_answer_before_the_end_of_its_chunk_is_the_answer(wire, failure) -> None:
    session = wire.bound()
    options = SendOptions(chunk_octets=None, failure_report=failure)
    message = session.send(MemorySource(bytes(200_000)), "image/png", options)
    tid = wire.connection.output(1, wire.now).split(b" ")[1].decode()
    wire.connection.receive(
        f"MSRP {tid} 200 OK\r\nTo-Path: {BOB}\r\nFrom-Path: {ALICE}\r\n-------{tid}$\r\n".encode()
    )
    wire.connection.output(10**6, wire.now)
    wire.pass_time(31)
    assert message.outcome.good
    assert wire.connection.notes == []
    assert wire.connection.transactions.next_deadline is None


def test_answers_in_another_order_stop_their_own_timers(wire, answer) -> None:
    session = wire.bound()
    messages = [session.send(MemorySource(b"x"), "text/plain") for _ in range(3)]
    _, second, third = wire.take()
    wire.give(answer(second), answer(third))
    assert [message.outcome is None for message in messages] == [True, False, False]
    wire.pass_time(30)
    assert messages[0].outcome.status == 408


@pytest.mark.parametrize("status", [400, 403, 408, 413, 415, 423, 481, 501, 506])
def test_after_an_error_no_chunk_follows(wire, answer, status) -> None:
    session = wire.bound()
    message = session.send(MemorySource(bytes(5000)), "image/png")
    first, *_ = wire.take(1)
    wire.give(answer(first, status))
    assert wire.take() == []
    assert message.outcome == Outcome(status, "Whatever", 2048)
    failed = [event for event in session.take_events() if isinstance(event, SessionFailed)]
    assert bool(failed) == (status in (481, 506))


def test_413_in_the_middle_of_a_chunk_interrupts_it(wire) -> None:
    session = wire.bound()
    session.send(MemorySource(bytes(300_000)), "image/png", SendOptions(chunk_octets=None))
    begun = wire.connection.output(1, 0.0)
    tid = begun.split(b" ")[1].decode()
    assert b"Byte-Range: 1-*/300000\r\n" in begun
    wire.connection.receive(
        f"MSRP {tid} 413 Stop\r\nTo-Path: {BOB}\r\nFrom-Path: {ALICE}\r\n-------{tid}$\r\n".encode()
    )
    assert wire.connection.output(10**6, 0.0) == f"\r\n-------{tid}#\r\n".encode()
    assert wire.connection.output(10**6, 0.0) == b""
    assert [outcome.status for outcome in sent(session)] == [413]


def test_an_open_chunk_gives_way_to_responses_and_goes_on(wire, chunk) -> None:
    session = wire.bound()
    body = bytes(range(250)) * 800
    session.send(MemorySource(body), "image/png", SendOptions(chunk_octets=None))
    octets = wire.connection.output(1, 0.0)
    wire.connection.receive(chunk(b"hello", "1-5/5", "$", "Success-Report: yes"))
    octets += wire.connection.output(1, 0.0) + wire.connection.output(10**6, 0.0)
    first, response, success, second = MsrpFramer().receive(octets)
    assert (first.flag, first.byte_range) == (Flag.MORE, ByteRange(1, None, 200_000))
    assert (response.status, success.method) == (200, "REPORT")
    assert (second.flag, second.byte_range.start) == (Flag.COMPLETE, len(first.body) + 1)
    assert first.body + second.body == body
    assert first.transaction_id != second.transaction_id


def test_messages_take_turns_and_a_long_chunk_gives_way(wire) -> None:
    session = wire.bound()
    long = session.send(MemorySource(bytes(200_000)), "image/png", SendOptions(chunk_octets=None))
    octets = wire.connection.output(1, 0.0)
    short = session.send(MemorySource(b"hello"), "text/plain")
    events = MsrpFramer().receive(octets + wire.connection.output(10**6, 0.0))
    assert [event.message_id for event in events] == [long.message_id, short.message_id, long.message_id]
    assert [event.flag for event in events] == [Flag.MORE, Flag.COMPLETE, Flag.COMPLETE]
    assert len(events[0].body) >= 2048


def test_an_abort_is_said_with_a_hash(wire, answer) -> None:
    session = wire.bound()
    message = session.send(MemorySource(bytes(5000)), "image/png")
    (first,) = wire.take(1)
    message.abort()
    (last,) = wire.take()
    assert (last.flag, last.body, last.byte_range) == (Flag.ABORTED, b"", ByteRange(1, 0, 5000))
    assert wire.take() == []
    wire.give(answer(first))
    assert sent(session) == []  # the other side has not confirmed the end yet
    wire.give(answer(last))
    assert sent(session) == [Outcome(None, "aborted", 2048, aborted=True)]
    assert message.taken.spans == [(0, 2048)]
    unsent = session.send(MemorySource(b"x"), "text/plain")
    unsent.abort()
    assert wire.take() == []


def test_an_abort_in_the_middle_of_a_chunk_ends_it(wire) -> None:
    session = wire.bound()
    message = session.send(MemorySource(bytes(300_000)), "image/png", SendOptions(chunk_octets=None))
    octets = wire.connection.output(1, 0.0)
    message.abort()
    (chunk,) = MsrpFramer().receive(octets + wire.connection.output(10**6, 0.0))
    assert (chunk.flag, len(chunk.body)) == (Flag.ABORTED, message.octets)


@pytest.mark.parametrize("chunk_octets", [2048, 100_000, None])
@pytest.mark.parametrize("place", [0, 65_500, 65_530, 65_536, 70_000])
def test_an_end_line_in_the_content_never_ends_a_chunk(chunk_octets, place) -> None:
    tids = [b"abcd%04d" % number for number in range(200)]
    trap = b"\r\n-------" + tids[0] + b"$\r\n"
    body = bytearray(200_000)
    body[place : place + len(trap)] = trap
    message = OutgoingMessage(
        "12339sdqwer", f"To-Path: {ALICE}\r\nFrom-Path: {BOB}\r\n".encode(), MemorySource(bytes(body)),
        "image/png", new_tid=iter(tids).__next__, chunk_octets=chunk_octets,
    )  # fmt: skip
    out: list[bytes] = []
    while not message.finished:
        message.write(out)
    framer = MsrpFramer()
    events = framer.receive(b"".join(out))
    assert (framer.pending_octets, framer.broken) == (0, False)
    assert b"".join(event.body for event in events) == body
    assert events[-1].flag is Flag.COMPLETE
    starts = [event.byte_range.start for event in events]
    assert starts == [1 + sum(len(e.body) for e in events[:number]) for number in range(len(events))]


def test_a_report_of_success_is_told_with_its_range(wire, answer) -> None:
    session = wire.bound()
    message = session.send(MemorySource(b"hello"), "text/plain", SendOptions(success_report=Report.YES))
    (request,) = wire.take()
    wire.give(answer(request))
    session.take_events()
    for covers in ("1-2/5", "3-5/5"):
        assert wire.give(report(message.message_id, "000 200 OK", covers)) == []  # never answered (7.1.2)
    first, second = session.take_events()
    assert (first.message, first.status) == (message, ReportStatus("000", 200, "OK"))
    assert (second.byte_range, message.reported.covers(5)) == (ByteRange(3, 5, 5), True)
    assert message.outcome.good


@pytest.mark.parametrize(
    ("status", "failed"), [("000 413 Stop", False), ("000 408", True), ("000 415 No", True)]
)
def test_a_report_of_failure_counts_as_the_response_would(wire, answer, status, failed) -> None:
    session = wire.bound()
    message = session.send(MemorySource(bytes(5000)), "image/png")
    first, *_ = wire.take(1)
    wire.give(answer(first))
    wire.give(report(message.message_id, status, "1-2048/5000"))
    assert wire.take() == []
    assert message.outcome.status == int(status[4:7])
    assert any(isinstance(event, SessionFailed) for event in session.take_events()) == failed  # 7.3.2
    if failed:
        with pytest.raises(UsageError):
            session.send(None)


def test_a_late_report_of_failure_turns_a_good_outcome_bad(wire, answer) -> None:
    session = wire.bound()
    message = session.send(MemorySource(b"hello"), "text/plain")
    wire.give(answer(wire.take()[0]), report(message.message_id, "000 403 No"))
    assert [outcome.status for outcome in sent(session)] == [403, 403]
    assert not message.outcome.good


def test_the_content_of_a_message_is_let_go_when_it_is_written(wire) -> None:
    session = wire.bound()
    source = MemorySource(b"hello")
    gone = weakref.ref(source)
    message = session.send(source, "text/plain")
    del source
    wire.take()
    assert message.outcome is None and gone() is None


def test_the_last_128_messages_are_remembered_for_reports_and_those_without_an_outcome(wire, answer) -> None:
    session = wire.bound()
    waiting = session.send(MemorySource(b"never answered"), "text/plain")
    wire.take()
    settled = []
    for _ in range(129):
        settled.append(session.send(MemorySource(b"hello"), "text/plain").message_id)
        wire.give(answer(wire.take()[0]))
    session.take_events()
    for message_id, known in ((settled[0], False), (settled[1], True), (waiting.message_id, True)):
        wire.give(report(message_id, "000 200 OK"))
        assert bool(session.take_events()) is known


def test_reports_that_say_nothing_to_us(wire) -> None:
    session = wire.bound()
    message = session.send(MemorySource(b"hello"), "text/plain")
    wire.take()
    assert wire.give(report("unknown1", "000 200 OK")) == []
    assert session.take_events() == []
    assert wire.give(report(message.message_id, "ok"), report(message.message_id, "001 500 x")) == []
    refused, other = session.take_events()
    assert (type(refused), refused.status, type(other)) == (RequestRefused, 400, ReportReceived)
    assert message.outcome is None
    without = report(message.message_id, "000 200 OK").replace(b"Status: 000 200 OK\r\n", b"")
    assert wire.give(without) == []


def test_a_failure_report_of_our_own(wire, chunk) -> None:
    session = wire.bound()
    wire.give(chunk(b"hello", "1-*/*", "$", source=f"{RELAY} {ALICE}"))
    (event,) = session.take_events()
    session.report(event.message, 403, "Not here")
    (found,) = wire.take()
    assert (found.status, found.byte_range) == (ReportStatus("000", 403, "Not here"), ByteRange(1, 5, 5))
    assert found.to_path == (RELAY, ALICE)
    wire.give(chunk(b"hello", "1-5/5", "$", "Failure-Report: no", message_id="another1"))
    (event,) = session.take_events()
    session.report(event.message, 403)
    assert wire.take() == []


def test_unanswered_chunks_hold_up_the_rest(new_wire, answer) -> None:
    wire = new_wire(window=4)
    wire.bound().send(MemorySource(bytes(20_480)), "image/png")
    chunks = wire.take()
    assert len(chunks) == 4
    assert not wire.connection.has_output
    assert len(wire.give(answer(chunks[0]), answer(chunks[1]))) == 2


def test_what_waits_when_the_connection_goes_is_told(wire) -> None:
    session = wire.bound()
    messages = [session.send(MemorySource(bytes(3000)), "image/png") for _ in range(2)]
    wire.take(1)
    wire.connection.close("reset by the other end")
    assert [message.outcome.aborted for message in messages] == [True, True]
    *_, failed = session.take_events()
    assert failed == SessionFailed("reset by the other end")


@pytest.mark.parametrize(
    "wrong",
    [
        lambda session: session.send(MemorySource(b"")),
        lambda session: session.send(None, "text/plain"),
        lambda session: session.send(MemorySource(b""), "text/plain\r\nX: y"),
        lambda session: session.send(MemorySource(b""), "a/b", SendOptions(headers=(("bad name", "x"),))),
        lambda session: session.send(MemorySource(b""), "a/b", SendOptions(message_id="a b")),
        lambda session: session.send(MemorySource(b""), "a/b", SendOptions(success_report=Report.PARTIAL)),
        lambda session: session.send(MemorySource(b""), "a/b", SendOptions(chunk_octets=0)),
    ],
)
def test_what_would_not_be_msrp_is_not_sent(wire, wrong) -> None:
    with pytest.raises(UsageError):
        wrong(wire.bound())
    assert wire.take() == []


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_what_one_session_sends_another_receives(new_wire, data) -> None:
    here, there = new_wire(), new_wire()
    sender, receiver = here.bound(ALICE, BOB), there.session(BOB, ALICE)
    bodies = data.draw(st.lists(st.binary(max_size=5000), min_size=1, max_size=4))
    sizes = st.sampled_from([1500, 2048, 4000, None])
    for body in bodies:
        sender.send(MemorySource(body), "image/png", SendOptions(chunk_octets=data.draw(sizes)))
    for _ in range(200):
        there.connection.receive(here.connection.output(data.draw(st.integers(1, 4000)), 0.0))
        here.connection.receive(there.connection.output(10**6, 0.0))
    received = [event.message.sink.content for event in receiver.take_events() if hasattr(event, "again")]
    assert sorted(received) == sorted(bodies)
    assert [outcome.good for outcome in sent(sender)] == [True] * len(bodies)


def test_a_source_that_ends_early_and_wants_no_answer(wire) -> None:
    session = wire.bound()
    options = SendOptions(failure_report=Report.NO)
    session.send(FileSource(io.BytesIO(b"abc"), 10), "image/png", options)
    wire.take()
    assert sent(session) == [Outcome(None, "the source ended early", 3, aborted=True)]


def test_a_message_that_pauses_waits_and_others_do_not(wire, answer) -> None:
    session = wire.bound()
    message = session.send(MemorySource(bytes(5000)), "image/png", SendOptions(pause_at=3000))
    first = wire.take()
    assert [chunk.byte_range for chunk in first] == [ByteRange(1, 2048, 5000), ByteRange(2049, 4096, 5000)]
    assert (message.held, session.paused, wire.connection.has_output) == (True, False, False)
    assert wire.give(*(answer(chunk) for chunk in first)) == []
    assert session.paused
    session.send(MemorySource(b"urgent"), "text/plain")
    (other,) = wire.take()
    assert other.body == b"urgent"
    session.go_on()
    (last,) = wire.take()
    assert (last.byte_range, last.flag) == (ByteRange(4097, 5000, 5000), Flag.COMPLETE)
    wire.give(answer(last), answer(other))
    assert sorted(outcome.octets for outcome in sent(session)) == [6, 5000]


def test_a_message_that_pauses_can_be_aborted_and_ends_with_its_session(wire) -> None:
    session = wire.bound()
    aborted = session.send(MemorySource(bytes(5000)), "image/png", SendOptions(pause_at=1))
    left = session.send(MemorySource(bytes(5000)), "image/png", SendOptions(pause_at=1))
    assert len(wire.take()) == 2
    aborted.abort()
    (end,) = wire.take()
    assert (end.message_id, end.flag) == (aborted.message_id, Flag.ABORTED)
    wire.connection.close("the radio is gone")
    assert left.outcome == Outcome(None, "the radio is gone", 2048, aborted=True)
    assert not session.paused
