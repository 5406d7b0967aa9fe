"""INVITEs for every service: which flow they are for, who answers them, what goes along in ours."""

from __future__ import annotations

import re
from typing import Any

import pytest

from harness.agent.msrp.services import Flow
from harness.agent.session.user import Content
from harness.bodies.sdp_attributes import Direction
from harness.peer.chat import Chats
from harness.peer.config import PeerConfig
from harness.peer.mt_invite import Invited
from harness.peer.mt_request import Target
from harness.peer.service_table import ServiceAddress, asked_of, configured_addresses
from harness.sip.message import Request, parse_message
from tests.harness.peer.msrp_handset import ICSI, IDS, MsrpClient, accept, cpim, follow, path_of, sdp

DOMAIN = "ims.example"
USER = f"sip:+491709999999@{DOMAIN};user=phone"
FILE = 'file-selector:name:"a.png" type:image/png size:3 hash:sha-1:00:01'
LIST = (
    "--b1\r\nContent-Type: application/sdp\r\n\r\n{sdp}\r\n--b1\r\n"
    "Content-Type: application/resource-lists+xml\r\nContent-Disposition: recipient-list\r\n\r\n"
    '<?xml version="1.0"?><resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"/>\r\n--b1--'
)


def wire(uri: str, service: str | None, body: str, kind: str = "application/sdp") -> Request:
    rows = [f"P-Preferred-Service: {ICSI}{service}"] if service else []
    text = "\r\n".join(
        [
            f"INVITE {uri} SIP/2.0",
            "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1",
            f"From: <{USER}>;tag=1",
            f"To: <{uri}>",
            "Call-ID: 1",
            "CSeq: 1 INVITE",
            *rows,
            f"Content-Type: {kind}",
            f"Content-Length: {len(body)}",
            "",
            body,
        ]
    )
    found = parse_message(text.encode())
    assert isinstance(found, Request)
    return found


def offer(direction: str = "sendrecv", *rows: str) -> str:
    return sdp("msrp://192.0.2.1:9/s;tcp", "active", *rows, direction=direction)


def listed() -> str:
    return LIST.format(sdp=offer())


FACTORY, MIXED = f"sip:conference-factory@{DOMAIN}", "multipart/mixed;boundary=b1"


@pytest.mark.parametrize(
    ("uri", "service", "body", "kind", "flow"),
    [
        (USER, "oma.cpm.session", offer(), "", Flow.SESSION),
        (USER, None, offer(), "", Flow.SESSION),
        (USER, "oma.cpm.largemsg", offer("sendonly", "file-selector:size:2000"), "", Flow.LARGE),
        (USER, "oma.cpm.largemsg.group", listed(), MIXED, Flow.LARGE),
        (f"sip:deferred-messages@{DOMAIN}", "oma.cpm.deferred", offer("recvonly"), "", Flow.DEFERRED),
        (f"sip:deferred-messages@{DOMAIN}", None, offer("recvonly"), "", Flow.DEFERRED),
        (FACTORY, "oma.cpm.session.group", listed(), MIXED, Flow.GROUP),
        (FACTORY, "oma.cpm.session", listed(), MIXED, Flow.GROUP),
        (USER, "oma.cpm.session", listed(), MIXED, Flow.GROUP),
        ("sip:reading-circle@ims.example", "oma.cpm.session", offer(), "", Flow.GROUP),
        ("sip:Focus-1@IMS.example;gr", "oma.cpm.session", offer(), "", Flow.GROUP),
        (USER, "oma.cpm.filetransfer", offer("sendonly", FILE), "", Flow.FILE_PUSH),
        (USER, "oma.cpm.filetransfer", offer("recvonly", FILE), "", Flow.FILE_PULL),
        (USER, None, offer("sendonly", FILE), "", Flow.FILE_PUSH),
        (USER, None, offer("recvonly", FILE), "", Flow.FILE_PULL),
        (USER, "oma.cpm.msg", offer(), "", None),
    ],
)
def test_what_an_invite_is_for(uri: str, service: str | None, body: str, kind: str, flow: Flow) -> None:
    addresses = configured_addresses(PeerConfig(DOMAIN, groups=(f"sip:reading-circle@{DOMAIN}",)))
    addresses["sip:Focus-1@ims.example"] = ServiceAddress.FOCUS
    assert asked_of(wire(uri, service, body, kind or "application/sdp"), addresses).flow is flow


@pytest.mark.parametrize("body", ["", "v=0\r\n", "nonsense", offer("sendonly", 'file-selector:name:"')])
def test_a_body_that_cannot_be_read_shows_nothing(body: str) -> None:
    asked = asked_of(wire(USER, "oma.cpm.session", body), {})
    assert (asked.flow, asked.selects_file, asked.parts) == (Flow.SESSION, False, ())
    broken = asked_of(wire(USER, "oma.cpm.filetransfer", body, "multipart/mixed"), {})
    assert (broken.flow, broken.direction) == (Flow.FILE_PUSH, None)


def test_an_offer_shows_its_direction() -> None:
    assert asked_of(wire(USER, None, offer("recvonly")), {}).direction is Direction.RECVONLY


def test_answers_for_one_flow_leave_the_others_alone(bench: Any, invite: Any) -> None:
    peer = bench.start()
    peer.invitations.answer_next(486, flow=Flow.SESSION)
    peer.invitations.answer_next(480, flow=Flow.DEFERRED)
    peer.invitations.answer_next(403)
    deferred = f"{ICSI}oma.cpm.deferred"
    assert invite(bench.handset(), service=deferred, call_id="one").status == 480
    assert invite(bench.handset(), call_id="two").status == 486
    assert invite(bench.handset(), call_id="three").status == 403
    assert invite(bench.handset(), service=deferred, call_id="four").status == 404  # as usual: none wait
    peer.invitations.answer_next(486, flow=Flow.SESSION)
    peer.answer_as_usual()
    assert invite(bench.handset(), call_id="five").status == 200


def test_an_acceptance_makes_no_service(bench: Any, invite: Any) -> None:
    peer = bench.start()
    peer.invitations.answer_next(200)
    refused = invite(bench.handset(), service=f"{ICSI}oma.cpm.systemmsg")
    assert (refused.status, refused.header("Warning")) == (
        488,
        '399 ims.example "no session of oma.cpm.systemmsg is wanted"',
    )


class ListedChats(Chats):
    """A service that understands an extension of its own."""

    flows = (Flow.GROUP,)
    option_tags = ("flying-carpet",)

    def answer_headers(self, session: Any) -> list[tuple[str, str]]:
        return [("Subject", "ours")]

    def contact(self, asked: Any, uri: str) -> str:
        return f"<sip:focus@{DOMAIN}>;isfocus"


def test_a_service_that_is_added(bench: Any, invite: Any) -> None:
    peer = bench.start()
    required = (*IDS, "Require: flying-carpet")
    group = {"uri": FACTORY, "body": listed(), "kind": MIXED, "service": f"{ICSI}oma.cpm.session.group"}
    refused = invite(bench.handset(), *required, **group, call_id="one")
    assert (refused.status, refused.header("Unsupported")) == (420, "flying-carpet")
    service = ListedChats(peer.invitations)
    accepted = invite(bench.handset(), *required, **group, call_id="two")
    assert accepted.status == 200
    assert accepted.header("Contact") == f"<sip:focus@{DOMAIN}>;isfocus"
    assert accepted.header("Subject") == "ours"
    session = bench.call(service.wait_invited(timeout=5))
    assert session is bench.call(service.wait_session(timeout=5))
    assert (session.flow, session.party.sip) == (Flow.GROUP, FACTORY)


def test_an_invite_of_ours_with_more_than_sdp(bench: Any, ue: str) -> None:
    peer = bench.start()
    handset = bench.handset()
    handset.register()
    chat = peer.chats.calling(Flow.SESSION, Target.of(peer.registrar.binding_of(ue)))

    async def call() -> Any:
        peer.chats.prepare(chat, [peer.chats.offered(chat)])
        part = Content("message/cpim", b"From: <sip:a@b>", (("Content-Disposition", "render"),))
        headers = {"Subject": "two parts", "Referred-By": "<sip:inviter@ims.example>"}
        return await peer.chats.call(chat, Invited(headers, "<sip:f@ims.example>;isfocus", [part]))

    calling = bench.begin(call())
    asked = handset.receive()
    assert (asked.header("Subject"), asked.header("Contact")) == ("two parts", "<sip:f@ims.example>;isfocus")
    assert asked.header("Referred-By") == "<sip:inviter@ims.example>"
    kind = asked.header("Content-Type")
    assert kind.startswith("multipart/mixed;boundary=")
    mark = "--" + kind.partition("=")[2]
    before, first, second, after = asked.body.split(mark)
    assert (before, after) == ("", "--")
    assert first.startswith("\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n")
    assert (
        second == "\r\nContent-Type: message/cpim\r\nContent-Disposition: render\r\n\r\nFrom: <sip:a@b>\r\n"
    )
    ack = accept(handset, asked, sdp("msrp://127.0.0.1:9/ue2;tcp", "active"))
    assert ack.start.startswith("ACK ")
    assert calling().accepted
    content = chat.call.session.content
    assert content.type == "application/sdp"
    assert content.body.decode() == first.partition("\r\n\r\n")[2].removesuffix("\r\n")


def test_a_large_message_stays_in_a_file(bench: Any, invite: Any, ue: str, far: str, tmp_path: Any) -> None:
    peer = bench.start()
    peer.chats.largest = None
    peer.notifications.policy(delivered=None)
    handset = bench.handset()
    accepted = invite(handset, *IDS)
    assert "max-size" not in accepted.body
    follow(handset, accepted, "ACK", 1)
    text = "0123456789abcdef" * (3 << 16)
    msrp = MsrpClient("msrp://127.0.0.1:9/ue1;tcp", path_of(accepted))
    assert msrp.send(cpim(text, ue, far, kind="application/octet-stream")) == "MSRP uesend1 200 OK"
    message = bench.call(peer.chats.wait_message(timeout=5))
    assert (message.size, message.content_type) == (3 << 20, "application/octet-stream")
    assert message.msrp.content.in_file
    assert len(message.cpim.raw) < 1000
    assert "3145728 octets" in str(message)
    message.save(tmp_path / "kept")
    assert (tmp_path / "kept").read_text() == text
    with pytest.raises(FileExistsError):
        message.save(tmp_path / "kept")
    coded = cpim(text, ue, far).replace("Content-Type", "Content-Encoding: gzip\r\nContent-Type", 1)
    assert msrp.send(coded) == "MSRP uesend2 200 OK"
    again = bench.call(peer.chats.wait_message(timeout=5, predicate=lambda each: bool(each.fault)))
    assert "gzip is not undone" in again.fault
    msrp.close()


@pytest.mark.parametrize(
    ("before", "after", "status", "warning"),
    [
        ("a=path:msrp://127.0.0.1:9/s;tcp\r\n", "", 488, "a=path"),
        ("a=path:msrp://127.0.0.1:9/s;tcp", "a=path:nonsense", 488, "nonsense"),
        ("a=path:msrp://127.0.0.1:9/s;tcp", "a=path:msrps://127.0.0.1:9/s;tcp", 488, "TCP/MSRP"),
        ("a=setup:active", "a=setup:passive", 488, "setup passive"),
        ("a=setup:active", "a=setup:holdconn", 200, ""),
        ("a=setup:active", "a=setup:sideways", 200, ""),
        ("m=message 9", "m=audio 9", 488, "audio"),
        ("t=0 0", "t=0 0\r\nq=0", 400, ""),
        ("a=sendrecv", "a=sendrecv\r\na=file-selector:size:x", 488, "size:x"),
    ],
)
def test_offers_that_are_no_use(
    bench: Any, invite: Any, before: str, after: str, status: int, warning: str
) -> None:
    bench.start()
    body = sdp("msrp://127.0.0.1:9/s;tcp", "active")
    assert before in body
    answered = invite(bench.handset(), body=body.replace(before, after))
    assert answered.status == status
    assert warning in (answered.header("Warning") or "")


def test_the_second_line_of_an_offer_is_declined(bench: Any, invite: Any) -> None:
    bench.start()
    body = sdp("msrp://127.0.0.1:9/s;tcp", "active")
    second = body[body.index("m=") :].replace("/s;", "/t;")
    answered = invite(bench.handset(), body=body + second)
    lines = re.findall(r"m=message (\d+)", answered.body)
    assert (answered.status, lines[0] != "0", lines[1:]) == (200, True, ["0"])


class CarefulChats(Chats):
    """Takes no more than 1500 octets of a message."""

    def progress(self, session: Any, message_id: str, octets: int, total: int | None) -> None:
        if octets > 1500:
            session.call.handle.stop(message_id)


def test_a_service_that_has_enough_of_a_message(bench: Any, invite: Any, ue: str, far: str) -> None:
    peer = bench.start()
    service = CarefulChats(peer.invitations)
    accepted = invite(bench.handset(), *IDS)
    msrp = MsrpClient("msrp://127.0.0.1:9/ue1;tcp", path_of(accepted))
    octets = cpim("x" * 5000, ue, far).encode()
    answers = [
        msrp.chunk(octets[start : start + 1000], start + 1, len(octets), message=1, flag="+")
        for start in range(0, 3000, 1000)
    ]
    assert [answer.split(" ")[2] for answer in answers] == ["200", "200", "413"]
    bench.call(service.wait_lost(timeout=5))
    msrp.close()
