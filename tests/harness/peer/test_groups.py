"""Groups: the peer as focus, a handset made of sockets and wire text (RFC 4579, RFC 5366, RFC 4575)."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from harness.errors import NotSeen, UsageError
from harness.peer.mt_request import Target
from harness.sip.transaction import Timers
from tests.harness.peer.group_wire import (
    BOB,
    CAROL,
    FACTORY,
    OWN_PATH,
    Member,
    document,
    mixed,
    resource_list,
    users,
)
from tests.harness.peer.msrp_handset import MsrpClient, accept, cpim, imdn, path_of, sdp


@pytest.fixture
def member(bench: Any, invite: Any) -> Member:
    bench.start()
    return Member(bench, invite)


def test_a_group_is_founded(bench: Any, member: Member, ue: str) -> None:
    bench.peer.groups.foci.members_join = False
    accepted = member.found(BOB, CAROL)
    assert accepted.status == 200
    assert re.fullmatch(
        r"<sip:group-\w+@ims\.example>;\+g\.3gpp\.icsi-ref=\"urn%3Aurn-7%3A3gpp-service\.ims\.icsi\."
        r"oma\.cpm\.session\";isfocus",
        accepted.header("Contact"),
    )
    assert (accepted.header("Conversation-ID"), accepted.header("Contribution-ID")) == ("conv-7", "contrib-7")
    assert "REFER" in ", ".join(accepted.all("Allow"))
    assert "recipient-list-invite" in accepted.header("Supported")
    assert "a=accept-types:message/cpim\r\n" in accepted.body
    wrapped = re.search("a=accept-wrapped-types:(.*)\r", accepted.body)
    assert wrapped is not None and "application/im-iscomposing+xml" in wrapped[1]
    member.go_in()
    session = bench.call(bench.peer.groups.wait_session(timeout=5))
    assert session.focus.subject == "Trip"
    first = member.subscribe()
    assert document(first) == ("full", "0")
    assert users(first) == {BOB: "pending", CAROL: "pending", ue: "connected"}
    assert "<subject>Trip</subject>" in first.body and "<user-count>1</user-count>" in first.body
    bench.call(bench.peer.groups.foci.join(session.focus, BOB))
    second = member.notified()
    assert document(second) == ("partial", "1")
    assert users(second) == {BOB: "connected"}
    assert '<users state="partial"><user entity=' in second.body
    assert "<joining-method>dialed-out</joining-method>" in second.body
    bench.call(bench.peer.groups.foci.leave(session.focus, CAROL, "busy"))
    third = member.notified()
    assert document(third) == ("partial", "2")
    assert users(third) == {CAROL: "disconnected"}
    assert "<disconnection-method>busy</disconnection-method>" in third.body


def test_members_join_by_themselves(bench: Any, member: Member, ue: str) -> None:
    member.found(BOB)
    told = users(member.subscribe())
    assert told == {BOB: "pending", ue: "connected"}
    member.go_in()
    while told.get(BOB) != "connected":
        told |= users(member.notified())


def test_who_is_called_in_is_pending_until_there(bench: Any, member: Member) -> None:
    """RFC 4575 5.5.3: told once, and anew to who had left; of who is there nothing is told."""
    foci = bench.peer.groups.foci
    foci.members_join = False
    member.found(BOB)
    member.subscribe()
    member.go_in()
    (focus,) = bench.peer.groups.foci
    bench.call(foci.invite(focus, CAROL))
    assert users(member.notified()) == {CAROL: "pending"}
    bench.call(foci.invite(focus, CAROL))
    bench.call(foci.join(focus, CAROL))
    assert users(member.notified()) == {CAROL: "connected"}
    foci.members_join = True
    bench.call(foci.invite(focus, CAROL))
    bench.call(foci.leave(focus, CAROL))
    assert users(member.notified()) == {CAROL: "disconnected"}
    foci.members_join = False
    bench.call(foci.invite(focus, CAROL))
    assert users(member.notified()) == {CAROL: "pending"}
    foci.members_join = True
    bench.call(foci.invite(focus, BOB))
    assert users(member.notified()) == {BOB: "connected"}  # pending he was


def test_the_creator_in_its_own_list_is_not_called(bench: Any, member: Member, ue: str) -> None:
    assert member.found(ue, BOB, BOB.replace(";user=phone", ""), CAROL).status == 200
    session = bench.call(bench.peer.groups.wait_session(timeout=5))
    assert [party.sip.partition("@")[0] for party in session.listed] == [
        "sip:+491700000002",
        "sip:+491700000003",
    ]


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE resource-lists [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;">]><resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list>'
    '<entry uri="sip:&c;@example.com"/></list></resource-lists>'
)


@pytest.mark.parametrize(
    "recipients",
    [
        BOMB,
        resource_list(BOB)[:-10],
        resource_list(BOB).replace("resource-lists", "rls-services"),
        resource_list(BOB).replace(f'uri="{BOB}" ', ""),
        "",
    ],
    ids=["entity bomb", "cut", "another document", "no uri", "empty"],
)
def test_a_list_that_cannot_be_read_is_400(bench: Any, member: Member, recipients: str) -> None:
    assert member.found(recipients=recipients).start == "SIP/2.0 400 The recipient list cannot be read"
    assert list(bench.peer.groups.foci) == []


def test_a_list_above_the_limit_is_403(bench: Any, invite: Any) -> None:
    bench.start()
    member = Member(bench, invite)
    member.handset = bench.handset(stream=True)
    many = (f"sip:+4917{number:08}@ims.example" for number in range(10_000))
    refused = member.found(*many)
    assert refused.status == 403
    assert refused.header("Warning") == '399 ims.example "10000 recipients, 500 at most"'


def test_the_focus_itself_takes_no_list(bench: Any, member: Member) -> None:
    member.found(BOB)
    refused = member.found(BOB, uri=member.focus, call_id="chat-2")
    assert (refused.status, refused.header("Unsupported")) == (420, "recipient-list-invite")


def test_a_list_in_the_session_is_refused_and_the_session_goes_on(
    bench: Any, member: Member, ue: str
) -> None:
    accepted = member.found(BOB)
    member.go_in()
    rows = (f"Contact: <{member.handset.contact}>", "Content-Type: multipart/mixed;boundary=b1")
    target = re.search("<(.*?)>", accepted.header("Contact"))
    assert target is not None
    options = {"to": accepted.header("To"), "call_id": accepted.header("Call-ID")}
    refused = member.handset.ask(
        "INVITE",
        target[1],
        "Require: recipient-list-invite",
        *rows,
        cseq=2,
        body=mixed(resource_list(CAROL)),
        **options,
    )
    assert (refused.status, refused.header("Unsupported")) == (420, "recipient-list-invite")
    again = member.handset.ask(
        "INVITE",
        target[1],
        *rows[:1],
        "Content-Type: application/sdp",
        cseq=3,
        body=sdp(OWN_PATH, "active"),
        **options,
    )
    assert again.status == 200
    assert member.msrp.send(cpim("still here", ue, member.focus)) == "MSRP uesend2 200 OK"


def test_messages_go_both_ways_and_notifications_come_of_each(bench: Any, member: Member, ue: str) -> None:
    peer = bench.peer
    peer.notifications.policy(timedelta(0), timedelta(0))
    member.found(BOB, CAROL)
    member.go_in()
    session = bench.call(peer.groups.wait_session(timeout=5))
    bench.call(peer.wait_event(lambda _: len(session.focus.far_members) == 2, 5))
    assert member.msrp.send(cpim("hello all", ue, member.focus)) == "MSRP uesend2 200 OK"
    message = bench.call(peer.groups.wait_message("hello all", timeout=5))
    assert (message.sender, message.recipient) == (ue, member.focus)
    told = []
    for _ in range(4):
        request = member.msrp.read()
        member.msrp.answer(request)
        status = re.search("<(delivered|displayed)/>", request)
        who = re.search("(?m)^From: <(.*?)>", request)
        assert status is not None and who is not None
        assert f"\r\nTo: <{ue}>" in request and "<message-id>mid-1</message-id>" in request
        told.append((status[1], who[1]))
    assert told == [("delivered", BOB), ("delivered", CAROL), ("displayed", BOB), ("displayed", CAROL)]

    sending = bench.begin(peer.groups.send_text(session, "hi from Bob", BOB))
    text = member.msrp.read()
    assert f"From: <{BOB}>\r\nTo: <{member.focus}>\r\n" in text
    member.msrp.answer(text)
    sent = sending()
    assert member.msrp.send(imdn("delivered", sent.message_id, ue, BOB)) == "MSRP uesend3 200 OK"
    seen = bench.call(peer.notifications.wait_notification(sent.message_id, "delivered", timeout=5))
    assert seen.cpim.to.uri == BOB
    assert len(peer.notifications.sent) == 4  # nobody else was told of it


def test_a_handset_leaves(bench: Any, member: Member, ue: str) -> None:
    member.found(BOB)
    member.go_in()
    session = bench.call(bench.peer.groups.wait_session(timeout=5))
    assert member.hang_up().status == 200
    bench.call(bench.peer.groups.wait_ended(session, timeout=5))
    gone = session.focus.roster.find(ue)
    assert (gone.status, gone.left) == ("disconnected", "departed")
    assert session.focus.sessions == [] and session.focus.held


def test_the_network_ends_a_group(bench: Any, member: Member) -> None:
    bench.peer.groups.foci.members_join = False
    member.found(BOB)
    member.go_in()
    session = bench.call(bench.peer.groups.wait_session(timeout=5))
    member.subscribe()
    ending = bench.begin(bench.peer.groups.close(session.focus))
    bye, last = sorted((member.handset.receive(), member.handset.receive()))
    for request in (bye, last):
        member.handset.answer(request)
    ending()
    assert bye.start.startswith("BYE ")
    assert bye.header("Reason") == 'SIP;cause=410;text="Gone"'
    assert last.header("Subscription-State") == "terminated;reason=noresource"
    assert document(last)[0] == "deleted"
    assert member.join(member.focus, call_id="chat-2").start == "SIP/2.0 404 No such group"
    with pytest.raises(UsageError, match="gone already"):
        bench.call(bench.peer.groups.foci.forget(session.focus))


def test_all_groups_end_whether_the_handset_answers_or_not(bench: Any, invite: Any) -> None:
    bench.start(timers=Timers(t1=0.01))  # without an ACK the BYE waits for 64 times T1 (RFC 3261 15)
    member = Member(bench, invite)
    member.found(BOB)
    bench.call(bench.peer.groups.wait_session(timeout=5))
    mark = bench.peer.mark()
    member.found(CAROL, call_id="chat-2")
    bench.call(bench.peer.groups.wait_session(timeout=5, after=mark))
    assert len(list(bench.peer.groups.foci)) == 2
    bench.call(bench.peer.groups.close_all(0.2))
    assert list(bench.peer.groups.foci) == []
    ended: set[str] = set()
    while len(ended) < 2:  # the 200s are repeated beside them, as nobody acknowledged
        wire = member.handset.receive()
        ended |= {wire.header("Call-ID") or ""} if wire.start.startswith("BYE ") else set()
    bench.call(bench.peer.groups.close_all(0.2))


def test_a_handset_joins_again(bench: Any, member: Member, ue: str) -> None:
    member.found(BOB)
    member.go_in()
    session = bench.call(bench.peer.groups.wait_session(timeout=5))
    focus = session.focus
    mark = bench.peer.mark()
    again = member.join(member.focus, call_id="chat-2")
    assert again.status == 200
    assert focus.uri in again.header("Contact") and "isfocus" in again.header("Contact")
    newer = bench.call(bench.peer.groups.wait_session(timeout=5, after=mark))
    bench.call(bench.peer.groups.wait_ended(session, timeout=5))
    assert focus.sessions == [newer] and focus.last is newer and newer is not session
    assert newer.focus is focus
    assert focus.roster.find(ue).connected


def test_who_was_removed_does_not_join_again(bench: Any, member: Member, ue: str) -> None:
    member.found(BOB)
    member.go_in()
    session = bench.call(bench.peer.groups.wait_session(timeout=5))
    removing = bench.begin(bench.peer.groups.remove(session.focus, ue))
    bye = member.handset.receive()
    assert 'text="Removed from the group"' in bye.header("Reason")
    member.handset.answer(bye)
    removing()
    assert session.focus.roster.find(ue).left == "booted"
    assert member.join(member.focus, call_id="chat-2").status == 403


def test_a_predefined_group_calls_its_members_in(bench: Any, member: Member, ue: str) -> None:
    focus = bench.call(bench.peer.groups.foci.define("Team", [BOB, CAROL], "sip:team@ims.example"))
    accepted = member.join("sip:team@ims.example")
    assert accepted.status == 200
    assert accepted.header("Contact").startswith("<sip:team@ims.example>;")
    member.go_in()
    bench.call(bench.peer.wait_event(lambda _: len(focus.roster.connected) == 3, 5))
    assert users(member.subscribe()) == {BOB: "connected", CAROL: "connected", ue: "connected"}


def test_an_unknown_focus_is_404(member: Member) -> None:
    assert member.join("sip:group-never@ims.example").status == 404


def test_a_handset_is_invited(bench: Any, member: Member, ue: str) -> None:
    target = Target(member.handset.contact, ue, _flow(bench, member))
    asking = bench.begin(bench.peer.groups.invite(target, "Trip", [BOB, CAROL], inviter=BOB))
    asked = member.handset.receive()
    focus = re.search("<(.*?)>", asked.header("From"))
    assert focus is not None
    assert asked.header("Contact").startswith(f"<{focus[1]}>;") and "isfocus" in asked.header("Contact")
    assert asked.header("Referred-By") == f"<{BOB}>"
    assert asked.header("Subject") == "Trip"
    assert "Require" not in asked.head
    assert "Content-Disposition: recipient-list-history;handling=optional" in asked.body
    assert re.findall('<entry uri="(.*?)" cp:copyControl="to"/>', asked.body) == [BOB, CAROL]
    assert "a=setup:actpass" in asked.body
    accept(member.handset, asked, sdp(OWN_PATH, "active"))
    session = asking()
    assert session.accepted and session.focus.roster.find(ue).connected
    msrp = MsrpClient(OWN_PATH, path_of(asked))
    assert msrp.send() == "MSRP uesend1 200 OK"


def test_a_handset_that_refuses_is_told_as_busy(bench: Any, member: Member, ue: str) -> None:
    target = Target(member.handset.contact, ue, _flow(bench, member))
    asking = bench.begin(bench.peer.groups.invite(target, "Trip", [BOB]))
    asked = member.handset.receive()
    member.handset.answer(asked, "603 Decline")
    member.handset.receive()
    session = asking()
    assert (session.status, session.focus.roster.find(ue).left) == (603, "busy")


def test_a_factory_without_a_list_makes_a_group_of_one(bench: Any, member: Member) -> None:
    assert member.join(FACTORY).status == 200
    session = bench.call(bench.peer.groups.wait_session(timeout=5))
    assert session.focus.uri != FACTORY and session.listed == ()


def _flow(bench: Any, member: Member) -> Any:
    member.handset.register()
    binding = bench.peer.registrar.binding_of("+491701234567")
    return binding.flow


def test_versions_are_left_out_and_go_back_on_purpose(bench: Any, member: Member) -> None:
    foci = bench.peer.groups.foci
    foci.members_join = False
    member.found(BOB)
    focus = bench.call(bench.peer.groups.wait_session(timeout=5)).focus
    assert document(member.subscribe()) == ("full", "0")
    bench.call(foci.join(focus, BOB, skip=3))
    assert document(member.notified()) == ("partial", "4")
    bench.call(foci.join(focus, CAROL, skip=-3))
    assert document(member.notified()) == ("partial", "2")
    bench.call(foci.leave(focus, CAROL))
    assert document(member.notified()) == ("partial", "5")
    bench.call(foci.tell(focus, b"<no-xml"))
    assert member.notified().body == "<no-xml"
    bench.call(foci.wait_members(focus, lambda roster: len(roster.connected) == 2, timeout=1, expected="2"))
    with pytest.raises(NotSeen, match="7 members in group 'Trip'"):
        bench.call(foci.wait_members(focus, lambda _: False, timeout=0, expected="7 members"))


def test_who_subscribed_is_seen(bench: Any, member: Member) -> None:
    foci = bench.peer.groups.foci
    member.found(BOB)
    focus = bench.call(bench.peer.groups.wait_session(timeout=5)).focus
    with pytest.raises(NotSeen, match="a SUBSCRIBE to group 'Trip'"):
        bench.call(foci.wait_followed(focus, timeout=0))
    member.subscribe()
    bench.call(foci.wait_followed(focus, timeout=5))


def test_a_hundred_members_notify_each_for_itself(bench: Any, member: Member, ue: str) -> None:
    many = [f"sip:+4917100001{number:02}@ims.example" for number in range(99)]
    bench.peer.notifications.policy(timedelta(0), timedelta(0))
    member.handset = bench.handset(stream=True)
    assert member.found(*many).status == 200
    member.go_in()
    focus = bench.call(bench.peer.groups.wait_session(timeout=5)).focus
    bench.call(bench.peer.groups.foci.wait_members(
        focus, lambda roster: len(roster.connected) == 100, timeout=5, expected="100"
    ))  # fmt: skip
    member.msrp.send(cpim("hello all", ue, member.focus))
    told = []
    while len(told) < 198:
        request = member.msrp.read()
        member.msrp.answer(request)
        told.append(
            (re.search("<(delivered|displayed)/>", request)[1], re.search("From: <(.*?)>", request)[1])
        )  # type: ignore[index]
    assert sorted(told) == sorted((kind, uri) for kind in ("delivered", "displayed") for uri in many)


def test_two_handsets_in_one_group(bench: Any, member: Member, ue: str) -> None:
    """A listed member that is registered is invited for real; each hears the other, and its notifications."""
    other, own = bench.handset(), "sip:+491700000009@ims.example;user=phone"
    other.register(f"P-Preferred-Identity: <{own}>", to=own, sender=own, call_id="reg-9")
    bench.peer.notifications.policy(timedelta(0), None)
    member.found(own, BOB)
    member.go_in()
    asked = other.receive()
    assert asked.start == f"INVITE {other.contact} SIP/2.0"
    assert asked.header("Referred-By") == f"<{ue}>"
    second = "msrp://127.0.0.1:9/ue9;tcp"
    accept(other, asked, sdp(second, "active"))
    msrp = MsrpClient(second, path_of(asked))
    assert msrp.send() == "MSRP uesend1 200 OK"
    focus = bench.call(bench.peer.groups.wait_session(timeout=5)).focus
    bench.call(bench.peer.groups.foci.wait_members(
        focus, lambda roster: len(roster.connected) == 3, timeout=5, expected="3"
    ))  # fmt: skip
    assert [each.party.sip for each in focus.far_members] == [BOB]

    assert member.msrp.send(cpim("hello both", ue, focus.uri)) == "MSRP uesend2 200 OK"
    heard = msrp.read()
    assert "hello both" in heard and f"From: <{ue}>\r\nTo: <{focus.uri}>\r\n" in heard
    msrp.answer(heard)
    told = member.msrp.read()
    member.msrp.answer(told)
    assert f"From: <{BOB}>" in told  # of the far member; the handset speaks for itself
    assert msrp.send(imdn("delivered", "mid-1", own, ue)) == "MSRP uesend2 200 OK"
    passed = member.msrp.read()
    member.msrp.answer(passed)
    assert f"From: <{own}>\r\nTo: <{ue}>\r\n" in passed and "<delivered/>" in passed

    assert msrp.send(cpim("hello you", own, focus.uri)) == "MSRP uesend3 200 OK"
    assert "hello you" in member.msrp.read()
