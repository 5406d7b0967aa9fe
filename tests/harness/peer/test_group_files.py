"""Files to a group and to several, and of a group: the peer against a handset of sockets and wire text."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from harness.peer.transferred_file import OwnFile
from tests.harness.peer.group_wire import BOB, CAROL, Member, resource_list
from tests.harness.peer.msrp_handset import Receiver, sdp
from tests.harness.peer.test_file_transfers import (
    BOUNDARY,
    FILES,
    ID,
    IDS,
    OWN,
    PHOTO,
    SELECTOR,
    MsrpClient,
    follow,
    offer,
    path_of,
    with_head,
)

LIST_SERVICE = "sip:recipient-list@ims.example"


@pytest.fixture
def member(bench: Any, invite: Any) -> Member:
    bench.start()
    found = Member(bench, invite)
    found.handset.register()
    return found


def push(member: Member, invite: Any, uri: str, body: str, *rows: str) -> Any:
    """What comes for an INVITE that offers the photo to this URI."""
    return invite(
        member.handset, *IDS, *rows, uri=uri, service=FILES, call_id=f"file-{len(rows)}", body=body,
        kind=f"multipart/mixed;boundary={BOUNDARY}",
    )  # fmt: skip


def carry(member: Member, accepted: Any) -> None:
    """ACK, the photo in one chunk, BYE."""
    assert accepted.status == 200, accepted
    follow(member.handset, accepted, "ACK", 1)
    msrp = MsrpClient(OWN, path_of(accepted))
    assert msrp.send(PHOTO, kind="image/jpeg").endswith("200 OK")
    msrp.close()


def notifiers(member: Member, count: int) -> set[tuple[str, str]]:
    """(From of SIP, From of CPIM) of so many notifications, each answered."""
    found = set()
    for _ in range(count):
        message = member.handset.receive()
        assert message.start.startswith("MESSAGE ") and "<message-id>mid-1</message-id>" in message.body
        member.handset.answer(message)
        sip = re.search("<(.*?)>", message.header("From"))
        cpim = re.search("(?m)^From: <(.*?)>", message.body)
        assert sip is not None and cpim is not None
        found.add((sip[1], cpim[1]))
    return found


def in_group(bench: Any, member: Member) -> Any:
    """The handset and two others are in a group."""
    member.found(BOB, CAROL)
    member.go_in()
    session = bench.call(bench.peer.groups.wait_session(timeout=5))
    bench.call(
        bench.peer.groups.foci.wait_members(
            session.focus, lambda roster: len(roster.connected) == 3, timeout=5, expected="all"
        )
    )
    return session.focus


def test_each_member_tells_that_a_file_came(bench: Any, member: Member, invite: Any, ue: str) -> None:
    focus = in_group(bench, member)
    bench.peer.notifications.policy(timedelta(0), None)
    carry(member, push(member, invite, focus.uri, with_head(offer(SELECTOR, ID), ue, focus.uri)))
    file = bench.call(bench.peer.file_transfers.wait_file(timeout=5))
    assert (file.faults, file.transfer.focus) == ((), focus)
    assert notifiers(member, 2) == {(BOB, BOB), (CAROL, CAROL)}


def test_the_focus_answers_a_file_as_a_focus(bench: Any, member: Member, invite: Any, ue: str) -> None:
    """RFC 4579 4: its URI in Contact, with isfocus."""
    focus = in_group(bench, member)
    accepted = push(member, invite, focus.uri, with_head(offer(SELECTOR, ID), ue, focus.uri))
    tag = FILES.replace(":", "%3A")
    assert accepted.header("Contact") == f'<{focus.uri}>;+g.3gpp.icsi-ref="{tag}";isfocus'


def test_a_group_takes_files_of_its_members_alone(bench: Any, member: Member, invite: Any, ue: str) -> None:
    focus = in_group(bench, member)
    body = with_head(offer(SELECTOR, ID), ue, focus.uri)
    listed = body.replace(
        f"--{BOUNDARY}--",
        f"--{BOUNDARY}\r\nContent-Type: application/resource-lists+xml\r\n"
        f"Content-Disposition: recipient-list\r\n\r\n{resource_list(BOB)}\r\n--{BOUNDARY}--",
    )
    refused = push(member, invite, focus.uri, listed, "Require: recipient-list-invite")
    assert (refused.status, refused.header("Unsupported")) == (420, "recipient-list-invite")
    member.hang_up()
    bench.call(bench.peer.groups.wait_ended(timeout=5))
    assert push(member, invite, focus.uri, body).status == 403


def test_a_group_that_is_gone_takes_no_file(bench: Any, member: Member, invite: Any, ue: str) -> None:
    focus = in_group(bench, member)
    bench.call(bench.peer.groups.foci.forget(focus))
    assert push(member, invite, focus.uri, with_head(offer(SELECTOR, ID), ue, focus.uri)).status == 404


def to_several(ue: str, listed: str) -> str:
    body = with_head(offer(SELECTOR, ID), ue, LIST_SERVICE)
    return body.replace(
        f"--{BOUNDARY}--",
        f"--{BOUNDARY}\r\nContent-Type: application/resource-lists+xml\r\n"
        f"Content-Disposition: recipient-list\r\n\r\n{listed}\r\n--{BOUNDARY}--",
    )


def test_each_recipient_tells_that_a_file_came(bench: Any, member: Member, invite: Any, ue: str) -> None:
    bench.peer.notifications.policy(timedelta(0), None)
    body = to_several(ue, resource_list(BOB, CAROL, BOB))
    carry(member, push(member, invite, LIST_SERVICE, body, "Require: recipient-list-invite"))
    file = bench.call(bench.peer.file_transfers.wait_file(timeout=5))
    assert file.message.listed.uris == (BOB, CAROL)
    assert notifiers(member, 2) == {(BOB, BOB), (CAROL, CAROL)}


def test_a_list_that_cannot_be_read_gets_no_file(bench: Any, member: Member, invite: Any, ue: str) -> None:
    body = to_several(ue, "<resource-lists")
    refused = push(member, invite, LIST_SERVICE, body, "Require: recipient-list-invite")
    assert refused.start == "SIP/2.0 400 The recipient list cannot be read"


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_member_sends_a_file(bench: Any, ue: str, wrapped: bool) -> None:
    """The focus invites, Referred-By tells who sends it; CPIM is of the member to the group (RFC 7701)"""
    bench.start()
    receiver = Receiver(bench, ue)
    foci = bench.peer.groups.foci
    focus = bench.call(foci.define("Trip", [BOB]))
    asked = receiver.asked_by(
        bench.peer.file_transfers.push(
            ue,
            OwnFile(b"no photo" * 500, "p.txt", "text/plain"),
            sender=BOB,
            group=focus,
            message_id="file-7",
            wrapped=wrapped,
        )
    )
    assert asked.header("From").startswith(f"<{focus.uri}>")
    assert asked.header("Referred-By") == f"<{BOB}>"
    assert asked.header("Conversation-ID") == focus.conversation_id
    assert asked.header("Contact").startswith(f"<{focus.uri}>;") and asked.header("Contact").endswith(
        ";isfocus"
    )
    answer = sdp(
        Receiver.own, "active", *re.findall("a=(file-selector:.*|file-transfer-id:.*)\r", asked.body),
        direction="recvonly", types="message/cpim text/plain", wrapped="*",
    )  # fmt: skip
    msrp = receiver.connect(answer)
    content, _ = msrp.take()
    told = content if wrapped else asked.body
    assert f"From: <{BOB}>\r\nTo: <{focus.uri}>\r\n" in told
    assert "imdn.Message-ID: file-7\r\n" in told
    transfer = receiver.bye()
    assert transfer.delivered and transfer.cpim_parties[1] == focus.uri
    msrp.close()
