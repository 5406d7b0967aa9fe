"""Every transition of the four machines, on a clock the tests drive (RFC 3261 17, RFC 6026, RFC 4320)."""

from __future__ import annotations

import pytest

from harness.errors import SipSyntaxError
from harness.sip.message import Request, Response, build_request, build_response, parse_message
from harness.sip.transaction import (
    ENTRY_TIMERS,
    INITIAL,
    TABLES,
    Action,
    Cause,
    ClientTransaction,
    Deliver,
    Do,
    Done,
    Failed,
    Input,
    Machine,
    Refused,
    Send,
    ServerTransaction,
    ServerTransactions,
    StartTimer,
    State,
    Timer,
    Timers,
    Transaction,
    build_ack,
    client_key,
    server_key,
)

BRANCH = "z9hG4bKabc"


def request(method: str = "MESSAGE", **changes: str) -> Request:
    headers = {
        "Via": f"SIP/2.0/UDP 192.0.2.1:5060;branch={BRANCH}",
        "Max-Forwards": "70",
        "From": "<sip:alice@example.net>;tag=one",
        "To": "<sip:bob@example.net>",
        "Call-ID": "call@192.0.2.1",
        "CSeq": f"7 {method}",
    } | {name.replace("_", "-"): value for name, value in changes.items()}
    return build_request(method, "sip:bob@example.net", headers.items())


def response(status: int, method: str = "MESSAGE", to_tag: str = "two") -> Response:
    return build_response(request(method), status, to_tag=to_tag)


class Clock:
    """Runs one transaction: keeps its timers and plays time forward."""

    def __init__(self, machine: ClientTransaction | ServerTransaction) -> None:
        self.machine, self.now, self.timers = machine, 0.0, dict[Timer, float]()
        self.sent: list[tuple[float, bytes]] = []
        self.delivered: list[Request | Response] = []
        self.other: list[Action] = []
        self.take(machine.start())

    def take(self, actions: list[Action]) -> list[Action]:
        for action in actions:
            match action:
                case Send(data):
                    self.sent.append((round(self.now, 3), data))
                case StartTimer(timer, seconds):
                    self.timers[timer] = self.now + seconds
                case Deliver(message):
                    self.delivered.append(message)
                case Done():
                    self.timers.clear()
                    self.other.append(action)
                case _:
                    self.other.append(action)
        return actions

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while self.timers and min(self.timers.values()) <= end + 1e-9:
            timer = min(self.timers, key=lambda each: self.timers[each])
            self.now = self.timers.pop(timer)
            self.take(self.machine.fire(timer))
        self.now = end

    @property
    def times(self) -> list[float]:
        return [when for when, _ in self.sent]

    @property
    def statuses(self) -> list[int]:
        return [int(data[8:11]) for _, data in self.sent]


def client(method: str, reliable: bool = False, timers: Timers | None = None) -> Clock:
    return Clock(ClientTransaction(request(method), reliable, timers or Timers()))


def server(method: str, reliable: bool = False, timers: Timers | None = None) -> Clock:
    return Clock(ServerTransaction(request(method), reliable, timers or Timers()))


# -- the tables against the figures


def test_every_state_of_every_machine_can_be_left_and_reached() -> None:
    for machine, table in TABLES.items():
        states = {state for state, _ in table}
        reached = {INITIAL[machine]} | {step[0] for step in table.values()}
        assert reached == states | {State.TERMINATED}


def test_every_timer_that_is_started_means_something_in_its_state_and_no_other_is_in_the_table() -> None:
    for machine, table in TABLES.items():
        started = {
            timer for (owner, _), timers in ENTRY_TIMERS.items() for timer in timers if owner is machine
        }
        assert started == {event for _, event in table if isinstance(event, Timer)}
        for (owner, state), timers in ENTRY_TIMERS.items():
            if owner is machine:
                assert all((state, timer) in table for timer in timers)


def _into(state: State, machine: Machine) -> Transaction:
    """A machine that stands in this state by a short way."""
    invite = machine in (Machine.CLIENT_INVITE, Machine.SERVER_INVITE)
    method = "INVITE" if invite else "MESSAGE"
    if machine in (Machine.CLIENT_INVITE, Machine.CLIENT_NON_INVITE):
        made: ClientTransaction | ServerTransaction = ClientTransaction(request(method), False, Timers())
    else:
        made = ServerTransaction(request(method), False, Timers())
    made.start()
    made.state = state
    for timer in Timer:
        made._intervals.setdefault(timer, 0.5)
    made._kept = made._kept or response(180, method).raw
    return made


_ROWS = [(machine, *row) for machine, table in TABLES.items() for row in table.items()]


@pytest.mark.parametrize(("machine", "when", "then"), _ROWS)
def test_each_row_of_the_tables_leads_where_it_says_and_does_what_it_says(
    machine: Machine, when: tuple[State, Input | Timer], then: tuple[State, tuple[Do, ...]]
) -> None:
    made = _into(when[0], machine)
    method = made.request.method
    actions = made._step(when[1], response(200, method), b"octets")
    assert made.state is then[0]
    expected = {
        Do.SEND: Send,
        Do.ACK: Send,
        Do.REPEAT: Send,
        Do.RESPOND: Send,
        Do.DELIVER: Deliver,
        Do.DOUBLE: StartTimer,
        Do.DOUBLE_TO_T2: StartTimer,
        Do.AFTER_T2: StartTimer,
        Do.TIMED_OUT: Failed,
        Do.UNSENT: Failed,
    }
    wanted = [expected[deed] for deed in then[1] if deed is not Do.TRYING]
    assert [type(action) for action in actions[: len(wanted)]] == wanted
    if then[0] is State.TERMINATED:
        assert actions[-1] == Done()


@pytest.mark.parametrize("machine", Machine)
def test_whatever_has_no_row_is_absorbed(machine: Machine) -> None:
    for state in {state for state, _ in TABLES[machine]} | {State.TERMINATED}:
        for event in (*Input, *Timer):
            if (state, event) not in TABLES[machine]:
                made = _into(state, machine)
                assert made._step(event) == []
                assert made.state is state


# -- client, non-INVITE


def test_a_message_over_udp_is_repeated_until_timer_f() -> None:
    run = client("MESSAGE")
    run.advance(40)
    assert run.times == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert run.other == [Failed(Cause.TIMEOUT), Done()]
    assert {data for _, data in run.sent} == {request().raw}


def test_a_message_over_tcp_is_sent_once_and_times_out_all_the_same() -> None:
    run = client("MESSAGE", reliable=True)
    run.advance(31.9)
    assert (run.times, run.other) == ([0], [])
    run.advance(0.2)
    assert run.other == [Failed(Cause.TIMEOUT), Done()]


def test_after_100_a_message_is_repeated_every_t2() -> None:
    run = client("MESSAGE")
    run.advance(0.6)
    run.take(run.machine.receive(response(100)))
    run.advance(10)
    assert run.times == [0, 0.5, 1.5, 5.5, 9.5]
    assert [each.status for each in run.delivered if isinstance(each, Response)] == [100]


@pytest.mark.parametrize("status", [200, 202, 404, 603])
def test_the_final_response_is_delivered_once_and_repeats_are_absorbed_for_t4(status: int) -> None:
    run = client("MESSAGE")
    for _ in range(3):
        run.take(run.machine.receive(response(status)))
    assert len(run.delivered) == 1
    run.advance(4.9)
    assert run.machine.state is State.COMPLETED
    run.advance(0.2)
    assert run.other == [Done()]
    assert run.times == [0]


def test_over_tcp_the_transaction_ends_with_the_final_response() -> None:
    run = client("MESSAGE", reliable=True)
    actions = run.take(run.machine.receive(response(200)))
    assert [type(each) for each in actions] == [Deliver, Done]


def test_a_failing_transport_ends_the_request() -> None:
    run = client("MESSAGE")
    run.take(run.machine.transport_failed())
    assert run.other == [Failed(Cause.TRANSPORT), Done()]


# -- client, INVITE


def test_an_invite_is_repeated_at_doubling_intervals_without_limit_of_t2() -> None:
    run = client("INVITE")
    run.advance(40)
    assert run.times == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert run.other == [Failed(Cause.TIMEOUT), Done()]


def test_a_provisional_response_stops_repeats_and_the_call_may_ring_for_ever() -> None:
    run = client("INVITE")
    for status in (100, 180, 183):
        run.take(run.machine.receive(response(status, "INVITE")))
    run.advance(1000)
    assert run.times == [0]
    assert run.machine.state is State.PROCEEDING
    assert len(run.delivered) == 3


def test_a_refusal_is_acknowledged_each_time_and_delivered_once() -> None:
    run = client("INVITE")
    for _ in range(3):
        run.take(run.machine.receive(response(486, "INVITE")))
    assert len(run.delivered) == 1
    acks = [parse_message(data) for _, data in run.sent[1:]]
    assert [each.start_line for each in acks] == [b"ACK sip:bob@example.net SIP/2.0"] * 3
    assert len({each.raw for each in acks}) == 1
    run.advance(31.9)
    assert run.machine.state is State.COMPLETED
    run.advance(0.2)
    assert run.other == [Done()]


def test_timer_d_is_at_least_32_seconds_whatever_t1_is() -> None:
    run = client("INVITE", timers=Timers(t1=0.01))
    run.take(run.machine.receive(response(486, "INVITE")))
    run.advance(31.9)
    assert run.machine.state is State.COMPLETED


def test_over_tcp_a_refusal_is_acknowledged_and_ends_the_transaction() -> None:
    run = client("INVITE", reliable=True)
    actions = run.take(run.machine.receive(response(486, "INVITE")))
    assert [type(each) for each in actions] == [Send, Deliver, Done]


def test_each_2xx_is_delivered_in_accepted_and_none_is_acknowledged_here() -> None:
    run = client("INVITE")
    for tag in ("two", "two", "fork"):
        run.take(run.machine.receive(response(200, "INVITE", tag)))
    assert len(run.delivered) == 3
    assert run.times == [0]
    assert run.machine.state is State.ACCEPTED
    run.take(run.machine.receive(response(486, "INVITE")))
    run.advance(32.1)
    assert (len(run.delivered), run.other) == (3, [Done()])


def test_an_ack_that_cannot_be_sent_is_told() -> None:
    run = client("INVITE")
    run.take(run.machine.receive(response(486, "INVITE")))
    run.take(run.machine.transport_failed())
    assert run.other == [Failed(Cause.TRANSPORT), Done()]


def test_the_ack_of_a_refusal_is_built_from_request_and_response() -> None:
    invite = request("INVITE", Route="<sip:p1;lr>", Via=f"SIP/2.0/UDP a;branch={BRANCH}, SIP/2.0/UDP b")
    ack = build_ack(invite, build_response(invite, 404, to_tag="two"))
    assert ack.get_all("Via") == [f"SIP/2.0/UDP a;branch={BRANCH}"]
    assert ack.get_all("Route") == ["<sip:p1;lr>"]
    assert (ack.get("To"), ack.get("From")) == ("<sip:bob@example.net>;tag=two", invite.get("From"))
    assert (ack.get("CSeq"), ack.call_id, ack.uri) == ("7 ACK", invite.call_id, invite.uri)
    assert (ack.max_forwards, ack.body) == (70, b"")


# -- server, non-INVITE


def test_repeats_are_absorbed_until_the_user_answers_and_then_get_the_answer() -> None:
    run = server("MESSAGE")
    run.take(run.machine.receive(request()))
    assert (len(run.delivered), run.sent) == (1, [])
    answer = response(200)
    run.take(run.machine.respond(answer))
    run.take(run.machine.receive(request()))
    run.take(run.machine.respond(response(500)))
    assert [data for _, data in run.sent] == [answer.raw, answer.raw]
    run.advance(31.9)
    assert run.machine.state is State.COMPLETED
    run.advance(0.2)
    assert run.other == [Done()]


def test_over_tcp_the_final_response_ends_the_transaction() -> None:
    run = server("MESSAGE", reliable=True)
    run.take(run.machine.respond(response(200)))
    assert run.other == [Done()]


@pytest.mark.parametrize("reliable", [False, True])
def test_100_goes_out_after_3_5_seconds_and_not_before(reliable: bool) -> None:
    run = server("MESSAGE", reliable)
    run.advance(3.4)
    assert run.sent == []
    run.advance(0.2)
    assert (run.times, run.statuses) == ([3.5], [100])
    run.take(run.machine.receive(request()))
    assert run.statuses == [100, 100]
    assert b"tag=" not in run.sent[0][1].split(b"To:")[1].split(b"\r\n")[0]


def test_a_request_nobody_answers_gets_no_final_response_and_is_forgotten() -> None:
    run = server("MESSAGE")
    run.advance(40)
    assert (run.statuses, run.other) == ([100], [Done()])


@pytest.mark.parametrize(
    ("status", "clause"), [(408, "RFC 4320 4.2"), (180, "RFC 4320 4.1"), (100, "RFC 4320 4.1")]
)
def test_what_rfc_4320_forbids_is_refused_over_udp(status: int, clause: str) -> None:
    run = server("MESSAGE")
    run.take(run.machine.respond(response(status)))
    assert (run.sent, run.other) == ([], [Refused(status, clause)])
    assert run.machine.state is State.TRYING
    run.take(run.machine.respond(response(200)))
    assert run.statuses == [200]


def test_100_may_be_sent_at_once_over_tcp_and_later_over_udp() -> None:
    run = server("MESSAGE", reliable=True)
    run.take(run.machine.respond(response(100)))
    run.take(run.machine.respond(response(183)))
    assert (run.statuses, run.other) == ([100], [Refused(183, "RFC 4320 4.1")])
    late = server("MESSAGE")
    late.advance(3.6)
    late.take(late.machine.respond(response(100)))
    assert late.statuses == [100, 100]


def test_octets_that_are_wrong_on_purpose_are_sent_as_they_are() -> None:
    for data, state in (
        (b"SIP/2.0 408 No\r\n\r\n", State.COMPLETED),
        (b"SIP/2.0 199 Early\r\n\r\n", State.PROCEEDING),
        (b"\x00junk", State.COMPLETED),
    ):
        run = server("MESSAGE")
        run.take(run.machine.respond_octets(data))
        assert [sent for _, sent in run.sent] == [data]
        assert run.machine.state is state


@pytest.mark.parametrize("method", ["MESSAGE", "INVITE"])
def test_silence_absorbs_repeats_and_sends_nothing_at_all(method: str) -> None:
    run = server(method)
    run.take(run.machine.stay_silent())
    run.advance(5)
    run.take(run.machine.receive(request(method)))
    run.take(run.machine.respond(response(200, method)))
    run.advance(30)
    assert (run.sent, run.other) == ([], [Done()])


def test_a_failing_transport_ends_a_non_invite_once_it_has_answered() -> None:
    run = server("MESSAGE")
    run.take(run.machine.transport_failed())
    assert run.other == []
    run.take(run.machine.respond(response(200)))
    run.take(run.machine.transport_failed())
    assert run.other == [Failed(Cause.TRANSPORT), Done()]


# -- server, INVITE


def test_an_invite_gets_100_unless_the_user_is_faster_than_200_ms() -> None:
    slow, fast = server("INVITE"), server("INVITE")
    fast.take(fast.machine.respond(response(180, "INVITE")))
    slow.advance(1)
    fast.advance(1)
    assert (slow.times, slow.statuses) == ([0.2], [100])
    assert fast.statuses == [180]
    slow.take(slow.machine.receive(request("INVITE")))
    assert slow.statuses == [100, 100]


def test_a_refusal_is_repeated_at_doubling_intervals_up_to_t2_until_timer_h() -> None:
    run = server("INVITE")
    run.take(run.machine.respond(response(486, "INVITE")))
    run.advance(40)
    assert run.times == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert run.other == [Failed(Cause.TIMEOUT), Done()]


def test_the_ack_of_a_refusal_ends_the_repeats_and_is_absorbed() -> None:
    run = server("INVITE")
    run.take(run.machine.respond(response(486, "INVITE")))
    run.advance(0.6)
    for _ in range(2):
        run.take(run.machine.receive(request("ACK")))
    run.advance(4.9)
    assert (run.times, len(run.delivered), run.machine.state) == ([0, 0.5], 1, State.CONFIRMED)
    run.advance(0.2)
    assert run.other == [Done()]


def test_over_tcp_a_refusal_is_sent_once_and_the_ack_ends_it() -> None:
    run = server("INVITE", reliable=True)
    run.take(run.machine.respond(response(486, "INVITE")))
    run.advance(10)
    run.take(run.machine.receive(request("ACK")))
    assert (run.times, run.other) == ([0], [Done()])


def test_in_accepted_repeats_are_absorbed_the_users_2xx_is_sent_and_ack_goes_up() -> None:
    run = server("INVITE")
    run.take(run.machine.respond(response(200, "INVITE")))
    run.take(run.machine.receive(request("INVITE")))
    assert run.times == [0]
    run.take(run.machine.respond(response(200, "INVITE")))
    assert run.times == [0, 0]
    run.take(run.machine.receive(request("ACK")))
    assert [each.method for each in run.delivered if isinstance(each, Request)] == ["INVITE", "ACK"]
    run.advance(32.1)
    assert run.other == [Done()]


def test_a_failing_transport_never_ends_an_invite_server_transaction() -> None:
    for status in (180, 200, 486):
        run = server("INVITE")
        run.take(run.machine.respond(response(status, "INVITE")))
        state = run.machine.state
        run.take(run.machine.transport_failed())
        assert (run.machine.state, run.other) == (state, [Failed(Cause.TRANSPORT)])


# -- timers


def test_the_timers_scale_with_t1() -> None:
    run = client("MESSAGE", timers=Timers(t1=0.1, t2=0.4))
    run.advance(1)
    assert run.times == [0, 0.1, 0.3, 0.7]
    assert Timers(t1=0.1).timeout == pytest.approx(6.4)
    assert Timers().non_invite_trying == 3.5


# -- matching


def test_a_response_matches_by_branch_and_cseq_method() -> None:
    assert client_key(response(200)) == client_key(request())
    assert client_key(response(200, "CANCEL")) != client_key(request("INVITE"))
    other = build_response(request(Via="SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKother"), 200)
    assert client_key(other) != client_key(request())


def test_a_repeat_matches_by_branch_sent_by_and_method() -> None:
    assert server_key(request()) == server_key(request(Call_ID="another", From="<sip:x@y>;tag=z"))
    assert server_key(request()) != server_key(request("OPTIONS"))
    elsewhere = request(Via=f"SIP/2.0/UDP 192.0.2.9:5060;branch={BRANCH}")
    assert server_key(request()) != server_key(elsewhere)
    stamped = request(Via=f"SIP/2.0/UDP 192.0.2.1:5060;branch={BRANCH};received=192.0.2.7;rport=9")
    assert server_key(request()) == server_key(stamped)


def found(table: ServerTransactions, message: Request) -> ServerTransaction | None:
    return table.find(message)


def test_ack_finds_its_invite_and_cancel_is_a_transaction_of_its_own() -> None:
    table, invite = ServerTransactions(), ServerTransaction(request("INVITE"), False, Timers())
    table.add(invite)
    assert found(table, request("INVITE")) is invite
    assert found(table, request("ACK")) is invite
    assert found(table, request("CANCEL")) is None
    assert table.find_cancelled(request("CANCEL")) is invite
    table.discard(invite)
    assert (len(table), table.find_cancelled(request("CANCEL"))) == (0, None)


OLD = "SIP/2.0/UDP 192.0.2.1:5060;branch=1"


@pytest.mark.parametrize("via", [OLD, "SIP/2.0/UDP 192.0.2.1:5060"])
def test_without_the_cookie_a_request_matches_by_its_headers(via: str) -> None:
    first = request(Via=via)
    assert server_key(first) == server_key(request(Via=f"{via};received=192.0.2.7"))
    for changes in (
        {"Call_ID": "another"},
        {"CSeq": "8 MESSAGE"},
        {"From": "<sip:alice@example.net>;tag=other"},
        {"To": "<sip:bob@example.net>;tag=dialog"},
        {"Via": f"{via};ttl=1"},
    ):
        assert server_key(first) != server_key(request(**({"Via": via} | changes)))


def test_without_the_cookie_an_ack_matches_by_the_tag_of_the_response() -> None:
    table = ServerTransactions()
    machine = ServerTransaction(request("INVITE", Via=OLD), False, Timers())
    table.add(machine)
    ack = request("ACK", Via=OLD, To="<sip:bob@example.net>;tag=two")
    assert found(table, ack) is None
    machine.start()
    machine.respond(response(486, "INVITE"))
    assert found(table, ack) is machine
    assert found(table, request("ACK", Via=OLD, To="<sip:bob@example.net>;tag=three")) is None
    assert found(table, request("ACK", Via=OLD, To="<sip:bob@example.net>;tag=two", Call_ID="b")) is None
    assert found(table, request("CANCEL", Via=OLD)) is None
    assert table.find_cancelled(request("CANCEL", Via=OLD)) is machine


def test_a_request_without_a_usable_via_has_no_key() -> None:
    with pytest.raises(SipSyntaxError):
        server_key(request(Via="nonsense"))
