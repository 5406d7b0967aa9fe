"""REFERs of a handset to a focus: one to add, several, to remove, and those that cannot be followed.

RFC 3515 with RFC 7647, RFC 4488, RFC 5368.
"""

from __future__ import annotations

from typing import Any

import pytest

from harness.bodies.conference_info import Status
from tests.harness.peer.group_wire import BOB, CAROL, Member, document, resource_list, users
from tests.harness.peer.msrp_handset import follow

DAVE = "sip:+491700000004@ims.example;user=phone"
NO_SUB = ("Refer-Sub: false", "Supported: norefersub")


@pytest.fixture
def member(bench: Any, invite: Any) -> Member:
    bench.start()
    member = Member(bench, invite)
    member.found(BOB)
    member.go_in()
    focus = bench.call(bench.peer.groups.wait_session(timeout=5)).focus
    bench.call(bench.peer.wait_event(lambda _: len(focus.roster.connected) == 2, 5))
    return member


def test_one_more_is_added(bench: Any, member: Member) -> None:
    member.subscribe()
    answer = member.refer(f"Refer-To: <{DAVE};method=INVITE>", *NO_SUB)
    assert (answer.status, answer.header("Refer-Sub")) == (200, "false")
    assert answer.header("Contact").startswith(f"<{member.focus}>")
    referred = bench.call(bench.peer.group_references.wait_referred("+491700000004", timeout=5))
    assert (referred.method, referred.subscribe) == ("INVITE", False)
    told: dict[str, str] = {}
    while told.get(DAVE) != "connected":
        notify = member.notified()
        assert document(notify)[0] == "partial"
        told |= users(notify)


def test_what_comes_of_it_is_told_to_who_wants_to_know(member: Member) -> None:
    assert member.refer(f"Refer-To: <{DAVE}>").status == 200
    first, last = member.notified(), member.notified()
    assert (first.header("Event"), first.body) == ("refer", "SIP/2.0 100 Trying\r\n")
    assert last.body == "SIP/2.0 200 OK\r\n"
    assert last.header("Subscription-State") == "terminated;reason=noresource"


def test_several_are_added_by_a_list(bench: Any, member: Member) -> None:
    recipients = resource_list(CAROL, DAVE, CAROL)
    answer = member.refer(
        "Refer-To: <cid:list1@ue.example>",
        "Require: multiple-refer, norefersub",
        "Refer-Sub: false",
        "Content-Type: application/resource-lists+xml",
        "Content-Disposition: recipient-list",
        "Content-ID: <list1@ue.example>",
        body=recipients,
    )
    assert (answer.status, answer.header("Refer-Sub")) == (200, "false")
    referred = bench.call(bench.peer.group_references.wait_referred(timeout=5))
    assert [party.sip for party in referred.members] == [CAROL, DAVE]
    assert referred.focus.roster.find(CAROL).connected


def test_one_is_removed(bench: Any, member: Member) -> None:
    focus = bench.peer.groups.foci.at(member.focus)
    assert member.refer(f"Refer-To: <{BOB};method=BYE>", *NO_SUB).status == 200
    bench.call(bench.peer.group_references.wait_referred(method="BYE", timeout=5))
    bob = focus.roster.find(BOB)
    assert (bob.status, bob.left) == (Status.DISCONNECTED, "booted")
    answer = member.refer(f"Refer-To: <{DAVE};method=BYE>", call_id="refer-2")
    assert answer.status == 200
    member.notified()
    assert member.notified().body == "SIP/2.0 404 Not Found\r\n"


@pytest.mark.parametrize("mark", ["?", ";"])
def test_several_are_removed_by_a_list(bench: Any, member: Member, mark: str) -> None:
    """RFC 5368 9 writes the method behind a question mark, RFC 3261 19.1.1 behind a semicolon."""
    focus = bench.peer.groups.foci.at(member.focus)
    answer = member.refer(
        "Refer-To: <cid:list1@ue.example>",
        "Require: multiple-refer, norefersub",
        "Refer-Sub: false",
        "Content-Type: application/resource-lists+xml",
        "Content-ID: <list1@ue.example>",
        body=resource_list(f"{BOB}{mark}method=BYE"),
    )
    assert answer.status == 200
    referred = bench.call(bench.peer.group_references.wait_referred(method="BYE", timeout=5))
    assert [party.sip for party in referred.members] == [BOB]
    assert focus.roster.find(BOB).left == "booted"


@pytest.mark.parametrize(
    ("rows", "body", "start"),
    [
        ((), "", "SIP/2.0 400 Refer-To cannot be read"),
        ((f"Refer-To: <{DAVE}>", f"Refer-To: <{CAROL}>"), "", "SIP/2.0 400 Refer-To cannot be read"),
        (("Refer-To: <sip:ims.example>",), "", "SIP/2.0 400 Refer-To names nobody"),
        (("Refer-To: <http://ims.example>",), "", "SIP/2.0 416 Unsupported URI Scheme"),
        (("Refer-To: <cid:not-there@ue>",), "", "SIP/2.0 400 The recipient list cannot be read"),
        ((f"Refer-To: <{DAVE};method=MESSAGE>",), "", "SIP/2.0 603 A focus does not send MESSAGE for others"),
        ((f"Refer-To: <{DAVE}>", "Require: flying-carpet"), "", "SIP/2.0 420 Bad Extension"),
        (
            ("Refer-To: <cid:l@ue>", "Content-ID: <l@ue>", "Content-Type: application/resource-lists+xml"),
            resource_list(),
            "SIP/2.0 400 Refer-To names nobody",
        ),
    ],
)
def test_what_cannot_be_followed(member: Member, rows: tuple[str, ...], body: str, start: str) -> None:
    assert member.refer(*rows, body=body).start == start


def test_who_is_not_in_the_group_asks_for_nothing(bench: Any, member: Member) -> None:
    assert member.refer(f"Refer-To: <{DAVE}>", to="sip:group-other@ims.example").start.endswith(
        "404 No such group"
    )
    assert member.hang_up().status == 200
    assert member.refer(f"Refer-To: <{DAVE}>", call_id="refer-2").status == 403


def test_a_refer_in_the_session(bench: Any, member: Member) -> None:
    follow(
        member.handset,
        member.accepted,
        "REFER",
        2,
        f"Contact: <{member.handset.contact}>",
        f"Refer-To: <{DAVE}>",
        *NO_SUB,
    )
    answer = member.handset.receive()
    assert (answer.status, answer.header("Refer-Sub")) == (200, "false")
    referred = bench.call(bench.peer.group_references.wait_referred("+491700000004", timeout=5))
    assert referred.focus.roster.find(DAVE).connected


def test_a_test_answers_otherwise(bench: Any, member: Member) -> None:
    bench.peer.answer_next("REFER", 403)
    assert member.refer(f"Refer-To: <{DAVE}>").status == 403
    assert bench.peer.groups.foci.at(member.focus).roster.find(DAVE) is None


def test_a_handset_that_is_added_is_invited(bench: Any, member: Member) -> None:
    other, own = bench.handset(), "sip:+491700000009@ims.example;user=phone"
    other.register(to=own, sender=own, call_id="reg-9")
    assert member.refer(f"Refer-To: <{own};method=INVITE>", *NO_SUB).status == 200
    asked = other.receive()
    assert asked.start == f"INVITE {other.contact} SIP/2.0"
    assert asked.header("From").startswith(f"<{member.focus}>;tag=")
