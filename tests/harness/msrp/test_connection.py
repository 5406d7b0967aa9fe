"""Sessions that share a connection, and requests that are for none (RFC 4975 5.4, 7.2, 7.3 and 10)."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.msrp.content import MemorySource
from harness.msrp.framing import MsrpFramer, MsrpLimits
from harness.msrp.session import SendOptions
from harness.msrp.session_events import BodilessReceived, MessageReceived, RequestRefused

ALICE, BOB, RELAY = (
    "msrp://alice.example.com:7394/2s93i9ek2a;tcp",
    "msrp://bob.example.com:8493/si438dsaodes;tcp",
    "msrp://relay.example.com:2855/r1;tcp",
)
SECOND = "msrp://bob.example.com:8493/second;tcp"


def other(method: str, *rows: str, to: str = BOB, body: bytes | None = None) -> bytes:
    lines = [f"MSRP d93kswow {method}", f"To-Path: {to}", f"From-Path: {RELAY} {ALICE}", *rows]
    head = "".join(f"{line}\r\n" for line in lines).encode()
    return head + (b"" if body is None else b"\r\n" + body + b"\r\n") + b"-------d93kswow$\r\n"


def test_the_first_send_binds_its_session(wire, chunk) -> None:
    session = wire.session()
    assert session.link is None
    (response,) = wire.give(chunk(None, "1-0/0"))
    assert (response.status, session.link) == (200, wire.connection)
    assert [type(event) for event in session.take_events()] == [BodilessReceived]


def test_a_send_for_an_unknown_session_is_answered_481_to_the_previous_hop(wire, chunk) -> None:
    (response,) = wire.give(chunk(b"hello", "1-5/5", source=f"{RELAY} {ALICE}"))
    assert (response.status, response.comment) == (481, "Session Does Not Exist")
    assert (response.to_path, response.from_path) == ((RELAY,), (BOB,))
    assert wire.connection.notes == [("answered 481", "SEND d93kswow: Session Does Not Exist")]


def test_a_session_that_lives_elsewhere_is_answered_506(wire, chunk) -> None:
    wire.taken.add(BOB)
    assert [each.status for each in wire.give(chunk(None, "1-0/0"))] == [506]


def test_what_comes_for_a_session_that_is_not_settled_waits_and_keeps_its_order(wire, chunk) -> None:
    lives = wire.bound(SECOND)
    wire.undecided.add(BOB)
    octets = [
        chunk(b"one", "1-3/3", message_id="first"),
        chunk(b"two", "1-3/3", message_id="second", to=SECOND),
        chunk(b"three", "1-5/5", message_id="third"),
    ]
    assert [wire.give(each) for each in octets] == [[], [], []]
    assert lives.take_events() == []
    wire.undecided.clear()
    session = wire.session()
    assert wire.connection.resume() == []
    assert [each.from_path for each in wire.take()] == [(BOB,), (SECOND,), (BOB,)]
    told = [*session.take_events(), *lives.take_events()]
    assert [event.message.message_id for event in told] == ["first", "third", "second"]
    assert [each.status for each in wire.give(chunk(b"four", "1-4/4"))] == [200]


def test_what_waits_for_a_session_that_never_comes_gets_481(wire, chunk) -> None:
    wire.undecided.add(BOB)
    assert wire.give(chunk(b"one", "1-3/3")) == []
    wire.undecided.clear()
    assert wire.connection.resume() == []
    assert [each.status for each in wire.take()] == [481]


@pytest.mark.parametrize("value", ["no", "NO"])
def test_no_answer_without_session_where_none_is_wanted(wire, chunk, value) -> None:
    assert wire.give(chunk(b"x", "1-1/1", "$", f"Failure-Report: {value}")) == []
    assert wire.give(other("REPORT", "Message-ID: 12339sdqwer", "Status: 000 200 OK")) == []


@pytest.mark.parametrize("value", ["yes", "partial"])
def test_481_where_errors_are_wanted(wire, chunk, value) -> None:
    found = wire.give(chunk(b"x", "1-1/1", "$", f"Failure-Report: {value}"))
    assert [each.status for each in found] == [481]


def test_another_method_without_session_is_answered_all_the_way_back(wire) -> None:
    (response,) = wire.give(other("AUTH"))
    assert (response.status, response.to_path) == (481, (RELAY, ALICE))


def test_only_a_send_binds_a_session(wire, chunk) -> None:
    wire.session()
    assert [each.status for each in wire.give(other("NICKNAME", 'Use-Nickname: "x"'))] == [481]
    wire.give(chunk(None, "1-0/0"))
    assert [each.status for each in wire.give(other("NICKNAME", 'Use-Nickname: "x"'))] == [403]


def test_what_cannot_be_understood_without_session_is_answered_400_if_its_paths_can(wire, chunk) -> None:
    (response,) = wire.give(chunk(b"x", "one"))
    assert (response.status, response.comment) == (400, "Bad Request: Byte-Range")
    octets = chunk(b"x", "1-1/1")
    (response,) = wire.give(octets.replace(b"Message-ID: ", b"Message ID"))
    assert response.status == 400
    (response,) = wire.give(octets.replace(b"Message-ID: ", b"Message-ID:"))
    assert response.status == 481
    assert wire.give(octets.replace(b"From-Path", b"Form-Path")) == []


def test_an_unknown_method_is_answered_501(wire) -> None:
    session = wire.bound()
    (response,) = wire.give(other("FETCH"))
    assert (response.status, response.comment, response.to_path) == (501, "Unknown Method", (RELAY, ALICE))
    assert [type(event) for event in session.take_events()] == [RequestRefused]


@pytest.mark.parametrize("octets", [10241, 300_000])
def test_a_large_body_of_another_method_is_answered_400(wire, octets) -> None:
    wire.bound()
    row = "Content-Type: text/plain"
    (response,) = wire.give(other("NICKNAME", 'Use-Nickname: "x"', row, body=bytes(octets)))
    assert response.status == 400
    assert wire.give(other("REPORT", "Message-ID: abcd", row, body=bytes(octets))) == []


def test_sessions_share_a_connection(wire, chunk) -> None:
    sessions = [wire.session(uri) for uri in (BOB, SECOND)]
    wire.give(
        chunk(b"a1", "1-2/4", "+", message_id="same"),
        chunk(b"b1", "1-2/4", "+", message_id="same", to=SECOND),
        chunk(b"b2", "3-4/4", "$", message_id="same", to=SECOND),
        chunk(b"a2", "3-4/4", "$", message_id="same"),
    )  # fmt: skip
    received = [[e.message.sink.content for e in each.take_events()] for each in sessions]
    assert received == [[b"a1a2"], [b"b1b2"]]


def test_messages_of_sessions_take_turns(wire, answer) -> None:
    first, second = wire.bound(BOB), wire.bound(SECOND)
    for session in (first, second):
        session.send(MemorySource(bytes(5000)), "image/png")
    chunks = wire.take()
    assert [chunk.from_path[0] for chunk in chunks] == [BOB, SECOND] * 3
    for chunk in chunks:
        wire.give(answer(chunk))
    assert [len(each.take_events()) for each in (first, second)] == [1, 1]


def test_a_session_that_ends_leaves_the_others_alone(wire, chunk) -> None:
    first, second = wire.bound(BOB), wire.bound(SECOND)
    message = first.send(MemorySource(bytes(300_000)), "image/png", SendOptions(chunk_octets=None))
    begun = wire.connection.output(1, 0.0)
    del wire.known[BOB]
    wire.connection.detach(first, "BYE")
    (ended,) = MsrpFramer().receive(begun + wire.connection.output(10**6, 0.0))
    assert (ended.flag, message.outcome.aborted) == ("#", True)
    statuses = [each.status for each in wire.give(chunk(b"x", "1-1/1"), chunk(b"x", "1-1/1", to=SECOND))]
    assert statuses == [481, 200]
    assert [type(event) for event in second.take_events()] == [MessageReceived]


def test_ipv6_written_in_another_form_is_for_the_endpoint_to_compare(wire, chunk) -> None:
    asked = []
    wire.session_for = lambda uri, connection: asked.append(uri) or 481
    wire.give(chunk(b"x", "1-1/1", to="msrp://[2001:DB8:0:0::1]:2855/x;tcp"))
    assert asked == ["msrp://[2001:DB8:0:0::1]:2855/x;tcp"]


def test_a_response_to_nothing_is_noted(wire) -> None:
    wire.bound()
    octets = f"MSRP abcd 200 OK\r\nTo-Path: {BOB}\r\nFrom-Path: {ALICE}\r\n-------abcd$\r\n".encode()
    assert wire.give(octets) == []
    assert wire.connection.notes == [("unexpected response", "200 to abcd")]


def test_a_response_to_our_report_is_noted_and_does_no_harm(wire, chunk, answer) -> None:
    session = wire.bound()
    _, report = wire.give(chunk(b"hello", "1-5/5", "$", "Success-Report: yes"))
    assert wire.give(answer(report)) == []
    assert wire.connection.notes == [("unexpected response", f"200 to {report.transaction_id}")]
    assert [type(event) for event in session.take_events()] == [MessageReceived]


def test_octets_that_are_no_msrp_are_told(wire) -> None:
    (error,) = wire.connection.receive(b"GET / HTTP/1.1\r\n\r\n")
    assert error.what == "start line"
    assert wire.connection.broken


def test_what_was_received_before_the_stream_broke_is_answered(wire, chunk) -> None:
    wire.bound()
    assert [each.status for each in wire.give(chunk(b"x", "1-1/1"), b"GET / HTTP/1.1\r\n\r\n")] == [200]


@pytest.mark.parametrize("step", [1, 3])
def test_nothing_depends_on_how_octets_were_cut(new_wire, chunk, step) -> None:
    def run(step: int) -> tuple[bytes, list[object]]:
        wire, out = new_wire(), b""
        session = wire.session()
        octets = b"\r\n".join(
            [
                chunk(None, "1-0/0"), chunk(b"abcd", "1-4/9", "+", "Success-Report: yes"),
                chunk(b"ef", "5-6/9", "+", "Success-Report: yes"), chunk(b"x", "one"),
                chunk(b"ghi", "7-9/9", "$", "Success-Report: yes"), chunk(b"x", "1-1/1", to=SECOND),
            ]
        )  # fmt: skip
        for place in range(0, len(octets), step):
            wire.connection.receive(octets[place : place + step])
            out += wire.connection.output(10**6, 0.0)
        events = [type(event) for event in session.take_events()]
        return re.sub(rb"[0-9a-f]{24}", b"new", out), events

    assert run(step) == run(10**6)


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_octets_raise_whatever_was_agreed(new_wire, chunk, data) -> None:
    limits = data.draw(st.sampled_from([None, MsrpLimits(500, 500, 20, 5000, 510, 16)]))
    wire = new_wire(limits)
    session = wire.session()
    message = session.send(MemorySource(bytes(9000)), "image/png")
    kinds = [
        chunk(None, "1-0/0"), chunk(b"abcd", "1-4/9", "+", "Success-Report: yes"), chunk(b"ef", "5-6/9", "+"),
        chunk(b"ghi", "7-9/9", "$"), chunk(b"", "1-*/*", "#"), chunk(bytes(600), "1-*/*", "+"),
        other("NICKNAME", 'Use-Nickname: "x"'), other("REPORT", f"Message-ID: {message.message_id}"),
        other("REPORT", f"Message-ID: {message.message_id}", "Status: 000 413 x"), other("AUTH"),
    ]  # fmt: skip
    for _ in range(data.draw(st.integers(1, 6))):
        octets = bytearray(data.draw(st.sampled_from(kinds)))
        for _ in range(data.draw(st.integers(0, 3))):
            place = data.draw(st.integers(0, len(octets) - 1))
            octets[place : place + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
        wire.connection.receive(bytes(octets))
        MsrpFramer().receive(wire.connection.output(4000, wire.now))
        wire.pass_time(data.draw(st.sampled_from([0.0, 31.0])))
        session.take_events()
    bound = session.link is not None
    wire.connection.close("over")
    assert (message.outcome is not None) == bound
