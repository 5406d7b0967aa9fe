"""Messages to a list of recipients with a handset of sockets and wire text (RFC 5365, RFC 5363, RFC 5364)."""

from __future__ import annotations

import re
import time
from datetime import timedelta
from typing import Any

import pytest

from harness.peer.listed_recipients import history
from tests.harness.peer.msrp_handset import ICSI, IDS, MsrpClient, accept, cpim, follow, path_of, sdp

SERVICE = "sip:recipient-list@ims.example"
ANNE, BEN = "sip:+491710000011@ims.example;user=phone", "sip:+491710000012@ims.example;user=phone"
OPEN = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"'
    ' xmlns:cp="urn:ietf:params:xml:ns:copycontrol"><list>'
)
CLOSE = "</list></resource-lists>"
# The list of RFC 5365 Figure 2.
EXAMPLE = f"""{OPEN}
       <entry uri="sip:bill@example.com" cp:copyControl="to" />
       <entry uri="sip:randy@example.net" cp:copyControl="to" cp:anonymize="true"/>
       <entry uri="sip:eddy@example.com" cp:copyControl="to" cp:anonymize="true"/>
       <entry uri="sip:joe@example.org" cp:copyControl="cc" />
       <entry uri="sip:carol@example.net" cp:copyControl="cc" cp:anonymize="true"/>
       <entry uri="sip:ted@example.net" cp:copyControl="bcc" />
       <entry uri="sip:andy@example.com" cp:copyControl="bcc" />
{CLOSE}"""
DTD = '<?xml version="1.0"?><!DOCTYPE resource-lists SYSTEM "http://far.invalid/x.dtd">'
BOMB = '<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'


def entries(*uris: str) -> str:
    return OPEN + "".join(f'<entry uri="{uri}"/>' for uri in uris) + CLOSE


def multipart(
    message: str, *lists: str, kind: str = "message/cpim", listed: str = "resource-lists+xml"
) -> str:
    parts = [f"Content-Type: {kind}\r\n\r\n{message}"]
    parts += [
        f"Content-Type: application/{listed}\r\nContent-Disposition: recipient-list\r\n\r\n{document}"
        for document in lists
    ]
    return "".join(f"--b1\r\n{part}\r\n" for part in parts) + "--b1--\r\n"


def send(handset: Any, body: str, *rows: str, require: str = "recipient-list-message") -> Any:
    """A MESSAGE to the list service; its answer."""
    named = [f"Require: {require}"] if require else []
    return handset.ask(
        "MESSAGE",
        SERVICE,
        f"P-Preferred-Service: {ICSI}oma.cpm.msg.group",
        *IDS,
        *named,
        *rows,
        "Content-Type: multipart/mixed;boundary=b1",
        body=body,
        to=SERVICE,
        call_id=f"list-{handset.count}",
    )


@pytest.fixture
def handset(bench: Any) -> Any:
    """A registered handset over TCP, as large requests go."""
    bench.start()
    handset = bench.handset(stream=True)
    handset.register()
    return handset


def test_the_example_of_rfc_5365(bench: Any, handset: Any) -> None:
    assert send(handset, multipart("Hello World!", EXAMPLE, kind="text/plain")).status == 202
    message = bench.call(bench.peer.pager.wait_message("Hello World!", timeout=5))
    assert message.listed.uris == (
        "sip:bill@example.com",
        "sip:randy@example.net",
        "sip:eddy@example.com",
        "sip:joe@example.org",
        "sip:carol@example.net",
        "sip:ted@example.net",
        "sip:andy@example.com",
    )
    assert (message.content_type, message.cpim, message.recipient) == ("text/plain", None, SERVICE)


def test_each_recipient_notifies_as_itself(bench: Any, handset: Any, ue: str) -> None:
    bench.peer.notifications.policy(timedelta(0))
    answer = send(handset, multipart(cpim("to both", ue, SERVICE), entries(ANNE, BEN)))
    assert (answer.status, answer.header("Conversation-ID")) == (202, "conv-7")
    for each in (ANNE, BEN):
        imdn = handset.receive()
        assert imdn.header("From").startswith(f"<{each}>")
        assert f"\r\n\r\nFrom: <{each}>\r\nTo: <{ue}>\r\n" in imdn
        assert f"<recipient-uri>{each}</recipient-uri><delivery-notification>" in imdn.body
        assert "<message-id>mid-1</message-id>" in imdn.body
        handset.answer(imdn)


def test_the_service_reports_on_all_at_once(bench: Any, handset: Any, ue: str) -> None:
    bench.peer.notifications.policy(timedelta(0))
    bench.peer.notifications.aggregating = True
    send(handset, multipart(cpim("to both", ue, SERVICE), entries(ANNE, BEN)))
    imdn = handset.receive()
    handset.answer(imdn)
    assert imdn.header("From").startswith(f"<{SERVICE}>")
    assert f"\r\n\r\nFrom: <{SERVICE}>\r\n" in imdn
    boundary = re.search(r"Content-Type: multipart/mixed;boundary=(\w+)\r\n", imdn.body)
    assert boundary is not None
    assert "Content-Disposition: notification\r\n" in imdn.body
    first, second = imdn.body.split(f"--{boundary[1]}\r\n")[1:]
    assert f"<recipient-uri>{ANNE}<" in first and f"<recipient-uri>{BEN}<" in second
    assert second.endswith(f"\r\n--{boundary[1]}--")
    assert handset.silence(0.05)


def test_who_is_named_twice_is_sent_to_once(bench: Any, handset: Any, ue: str) -> None:
    bench.peer.notifications.policy(timedelta(0))
    lists = entries(ANNE, "tel:+491710000011", ue), entries(BEN, ANNE)
    send(handset, multipart(cpim("once", ue, SERVICE), *lists))
    message = bench.call(bench.peer.pager.wait_message("once", timeout=5))
    assert message.listed.uris == (ANNE, ue, BEN)
    for each in (ANNE, BEN):  # nobody notifies itself
        imdn = handset.receive()
        assert f"<recipient-uri>{each}<" in imdn.body
        handset.answer(imdn)
    assert handset.silence(0.05)


def test_an_entry_that_is_nobody_does_not_keep_the_others_from_it(bench: Any, handset: Any, ue: str) -> None:
    bench.peer.notifications.policy(timedelta(0))
    assert send(handset, multipart(cpim("x", ue, SERVICE), entries("mailto:a@b", ANNE))).status == 202
    imdn = handset.receive()
    assert f"<recipient-uri>{ANNE}<" in imdn.body
    handset.answer(imdn)


@pytest.mark.parametrize(
    "document",
    [
        f"{DTD}{entries(ANNE).partition('?>')[2]}",
        f"{BOMB}{entries('sip:&b;@x').partition('?>')[2]}",
        "<resource-lists",
        entries(),
        '<?xml version="1.0"?><imdn xmlns="urn:ietf:params:xml:ns:imdn"/>',
    ],
    ids=["document type", "entities", "no XML", "nobody", "another document"],
)
def test_a_list_that_names_nobody_is_refused(bench: Any, handset: Any, ue: str, document: str) -> None:
    bench.peer.notifications.policy(timedelta(0))
    answer = send(handset, multipart(cpim("x", ue, SERVICE), document))
    assert answer.start == "SIP/2.0 400 The recipient list cannot be read"
    assert handset.silence(0.05)


def test_a_list_of_another_type_is_refused(handset: Any, ue: str) -> None:
    body = multipart(cpim("x", ue, SERVICE), entries(ANNE), listed="xml")
    assert send(handset, body).status == 400


def test_a_list_that_is_required_and_not_there(handset: Any, ue: str) -> None:
    answer = handset.ask(
        "MESSAGE",
        SERVICE,
        *IDS,
        "Require: recipient-list-message",
        "Content-Type: message/cpim",
        body=cpim("x", ue, SERVICE),
        to=SERVICE,
    )
    assert answer.start == "SIP/2.0 400 There is no recipient list"


@pytest.mark.parametrize("tag", ["recipient-list-subscribe", "x-unknown"])
def test_an_extension_nobody_knows(handset: Any, ue: str, tag: str) -> None:
    answer = send(handset, multipart(cpim("x", ue, SERVICE), entries(ANNE)), require=tag)
    assert (answer.status, answer.header("Unsupported")) == (420, tag)


def test_several_parts_without_a_list(handset: Any, ue: str) -> None:
    answer = send(handset, multipart(cpim("x", ue, SERVICE)), require="")
    assert (answer.status, answer.header("Accept")) == (415, "message/cpim, text/plain")


def test_that_it_takes_lists_is_told(handset: Any, ue: str) -> None:
    supported = handset.ask("OPTIONS", ue, call_id="o").header("Supported") or ""
    assert "recipient-list-message" in supported.split(", ")


def test_ten_thousand_recipients(bench: Any, handset: Any, ue: str) -> None:
    bench.peer.notifications.policy(None, None)
    many = [f"sip:+4917{number:08}@ims.example;user=phone" for number in range(10_000)]
    begun = time.process_time()
    assert send(handset, multipart(cpim("to many", ue, SERVICE), entries(*many))).status == 202
    message = bench.call(bench.peer.pager.wait_message("to many", timeout=10))
    assert len(message.listed.uris) == 10_000
    assert time.process_time() - begun < 10


# -- by INVITE


def invited(handset: Any, invite: Any, document: str, **options: Any) -> Any:
    offer = sdp("msrp://127.0.0.1:9/ue1;tcp", "active", "file-selector:size:5", direction="sendonly")
    return invite(
        handset,
        *IDS,
        "Require: recipient-list-invite",
        uri=SERVICE,
        service=f"{ICSI}oma.cpm.largemsg.group",
        body=multipart(offer, document, kind="application/sdp"),
        kind="multipart/mixed;boundary=b1",
        **options,
    )


def test_a_large_message_to_several(bench: Any, handset: Any, invite: Any, ue: str) -> None:
    peer = bench.peer
    peer.notifications.policy(timedelta(0))
    accepted = invited(handset, invite, entries(ANNE, BEN))
    assert accepted.status == 200 and "a=recvonly\r\n" in accepted.body
    follow(handset, accepted, "ACK", 1)
    msrp = MsrpClient("msrp://127.0.0.1:9/ue1;tcp", path_of(accepted))
    assert msrp.send(cpim("large", ue, SERVICE)).endswith(" 200 OK")
    message = bench.call(peer.texts.wait("large", timeout=5))
    assert message.listed.uris == (ANNE, BEN)
    for each in (ANNE, BEN):
        imdn = handset.receive()
        assert imdn.start.startswith("MESSAGE ") and f"<recipient-uri>{each}<" in imdn.body
        handset.answer(imdn)
    assert peer.large_messages.sessions == []
    msrp.close()


@pytest.mark.parametrize("document", [DTD + "<x/>", entries()])
def test_a_large_message_to_nobody(handset: Any, invite: Any, document: str) -> None:
    assert invited(handset, invite, document).start == "SIP/2.0 400 The recipient list cannot be read"


# -- to the handset


def test_a_text_with_those_who_got_it_too(bench: Any, handset: Any, ue: str) -> None:
    shown = history([(ue, "to"), (ANNE, "cc"), (BEN, "bcc"), ("sip:x@y", None)])
    sending = bench.begin(bench.peer.pager.send_text(ue, "for several", shown=shown))
    message = handset.receive()
    handset.answer(message)
    assert sending().accepted
    boundary = re.search(r"multipart/mixed;boundary=(\w+)", message.header("Content-Type") or "")
    assert boundary is not None and "Require" not in message.head
    _, first, second = message.body.split(f"--{boundary[1]}\r\n")
    assert first.startswith("Content-Type: message/cpim\r\n\r\nFrom: ") and "for several" in first
    assert second.startswith(
        "Content-Type: application/resource-lists+xml\r\n"
        "Content-Disposition: recipient-list-history;handling=optional\r\n\r\n"
    )
    assert re.findall(r'uri="(.*?)" \S+copyControl="(.*?)"', second) == [(ue, "to"), (ANNE, "cc")]


def test_a_large_text_with_those_who_got_it_too(bench: Any, handset: Any, ue: str) -> None:
    shown = history([(ue, "to"), (ANNE, "to")])
    sending = bench.begin(bench.peer.large_messages.send_large(ue, "x" * 2000, shown=shown))
    asked = handset.receive()
    assert "multipart/mixed" in asked.header("Content-Type")
    assert "Content-Disposition: recipient-list-history;handling=optional\r\n" in asked.body
    own = "msrp://127.0.0.1:9/ue2;tcp"
    accept(handset, asked, sdp(own, "active", direction="recvonly"))
    msrp = MsrpClient(own, path_of(asked))
    msrp.send()
    assert msrp.take()[0].endswith("x" * 2000)
    bye = handset.receive()
    handset.answer(bye)
    assert sending().delivered
    msrp.close()
