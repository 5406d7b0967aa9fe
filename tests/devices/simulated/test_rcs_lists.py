"""Texts to and from several of the simulated RCS client against literal SIP (RFC 5365, RFC 5438 8.3)."""

from __future__ import annotations

import re
from typing import Any

import pytest

from devices.simulated.conversations import MessageStatus
from tests.devices.simulated.msrp_wire import FarMsrp

SENT, DELIVERED, READ = MessageStatus.SENT, MessageStatus.DELIVERED, MessageStatus.READ
ANNE, BEN = "+12025550171", "+12025550172"
BOTH = f"{ANNE},{BEN}"
ICSI = "urn:urn-7:3gpp-service.ims.icsi.oma.cpm"
LISTED = "application/resource-lists+xml"


def uri(tools: Any, number: str) -> str:
    return f"sip:{number}@{tools.DOMAIN};user=phone"


def status(rig: Any, key: str = BOTH) -> MessageStatus | None:
    found: MessageStatus | None = rig.app.conversations[key].messages[-1].status
    return found


async def written(rig: Any, key: str = BOTH) -> tuple[Any, str]:
    """The MESSAGE of a text to several, accepted, and its imdn.Message-ID."""
    rig.write("to several", key)
    message = await rig.network.receive("MESSAGE")
    rig.network.answer(message, "202 Accepted")
    await rig.network.nothing()
    found = re.search(r"imdn\.Message-ID: (\w+)", message.body)
    assert found is not None
    return message, found[1]


def document(message_id: str, kind: str, recipient: str) -> str:
    element = {"delivered": "delivery", "displayed": "display"}[kind]
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<imdn xmlns="urn:ietf:params:xml:ns:imdn">'
        f"<message-id>{message_id}</message-id><datetime>2024-02-29T12:00:00Z</datetime>"
        f"<recipient-uri>{recipient}</recipient-uri><{element}-notification><status><{kind}/></status>"
        f"</{element}-notification></imdn>"
    )


async def report(rig: Any, tools: Any, kind: str, content: str) -> None:
    """A MESSAGE with this content in CPIM, and its 200."""
    head = f"From: <{uri(tools, ANNE)}>\r\nTo: <{tools.OWN}>\r\nDateTime: 2024-02-29T12:00:01Z\r\n\r\n"
    body = f"{head}Content-Type: {kind}\r\nContent-Disposition: notification\r\n\r\n{content}"
    answer = await rig.network.ask("MESSAGE", rig.contact, "Content-Type: message/cpim", body=body)
    assert answer.status == 200


async def told(rig: Any, tools: Any, message_id: str, kind: str, number: str) -> None:
    await report(rig, tools, "message/imdn+xml", document(message_id, kind, uri(tools, number)))


async def test_one_message_to_the_list_service(tools: Any) -> None:
    async with tools.rig() as rig:
        await rig.register()
        message, _ = await written(rig, f"{BOTH},{ANNE}")
        service = f"sip:recipient-list@{tools.DOMAIN}"
        assert message.start == f"MESSAGE {service} SIP/2.0"
        assert message.header("To") == f"<{service}>"
        assert message.header("Require") == "recipient-list-message"
        assert message.header("P-Preferred-Service") == f"{ICSI}.msg.group"
        tag = f"{ICSI}.msg".replace(":", "%3A")
        assert message.header("Accept-Contact") == f'*;+g.3gpp.icsi-ref="{tag}"'
        boundary = re.fullmatch(r"multipart/mixed;boundary=(\w+)", message.header("Content-Type"))
        assert boundary is not None
        _, text, listed = message.body.split(f"--{boundary[1]}\r\n")
        assert text.startswith(
            f"Content-Type: message/cpim\r\n\r\nFrom: <{tools.OWN}>\r\nTo: <{service}>\r\n"
        )
        assert text.endswith("\r\n\r\nto several\r\n")
        assert listed.startswith(f"Content-Type: {LISTED}\r\nContent-Disposition: recipient-list\r\n\r\n")
        uris = re.findall(r'<entry uri="(.*?)" (?:cp|\w+):copyControl="to"/>', listed)
        assert uris == [uri(tools, ANNE), uri(tools, BEN)]
        assert status(rig, f"{BOTH},{ANNE}") is SENT


async def test_the_bubble_tells_what_is_true_of_all(tools: Any) -> None:
    async with tools.rig() as rig:
        await rig.register()
        _, message_id = await written(rig)
        for kind, number, shown in (
            ("delivered", ANNE, SENT),
            ("delivered", ANNE, SENT),
            ("displayed", BEN, SENT),  # that it was delivered too was never told
            ("delivered", BEN, DELIVERED),
            ("displayed", ANNE, READ),
        ):
            await told(rig, tools, message_id, kind, number)
            assert status(rig) is shown


async def test_a_report_on_all_at_once(tools: Any) -> None:
    async with tools.rig() as rig:
        await rig.register()
        _, message_id = await written(rig)
        parts = "".join(
            f"--b2\r\nContent-Type: message/imdn+xml\r\n\r\n"
            f"{document(message_id, 'delivered', uri(tools, number))}\r\n"
            for number in (ANNE, BEN)
        )
        await report(rig, tools, "multipart/mixed;boundary=b2", f"{parts}--b2--")
        assert status(rig) is DELIVERED


@pytest.mark.parametrize("answer", ["403 Forbidden", "404 Not Found", "420 Bad Extension", "603 Decline"])
async def test_a_list_service_that_refuses(tools: Any, answer: str) -> None:
    async with tools.rig() as rig:
        await rig.register()
        rig.write("to several", BOTH)
        rig.network.answer(await rig.network.receive("MESSAGE"), answer)
        await rig.network.nothing()
        assert status(rig) is MessageStatus.NOT_SENT


async def test_one_that_is_no_number_is_written_to_by_nobody(tools: Any) -> None:
    async with tools.rig() as rig:
        await rig.register()
        rig.write("to several", f"{ANNE},nobody")
        await rig.network.nothing()
        assert status(rig, f"{ANNE},nobody") is MessageStatus.NOT_SENT


async def test_a_large_text_to_several(tools: Any) -> None:
    async with tools.rig() as rig:
        await rig.register()
        far, text = FarMsrp(), "x" * 1301
        await far.listen()
        rig.write(text, BOTH)
        invite = await rig.network.receive("INVITE")
        assert invite.start == f"INVITE sip:recipient-list@{tools.DOMAIN} SIP/2.0"
        assert invite.header("Require") == "recipient-list-invite"
        assert invite.header("P-Preferred-Service") == f"{ICSI}.largemsg.group"
        first, second = invite.body.split("Content-Type: ")[1:]
        assert first.startswith("application/sdp\r\n\r\nv=0\r\n") and "a=file-selector:size:1301\r\n" in first
        assert second.startswith(f"{LISTED}\r\nContent-Disposition: recipient-list\r\n\r\n")
        assert re.findall(r'uri="(.*?)"', second) == [uri(tools, ANNE), uri(tools, BEN)]
        sdp = far.sdp("passive", "recvonly", "a=file-selector:size:1301", accept="message/cpim")
        contact = f"Contact: <sip:far@127.0.0.1:{rig.network.port}>"
        rig.network.answer(invite, "200 OK", contact, "Content-Type: application/sdp", body=sdp)
        await rig.network.receive("ACK")
        await far.receive()
        assert (await far.receive()).body.endswith(text)
        await rig.network.receive("BYE")
        assert status(rig) is SENT
        far.close()


# -- what went to others too


def copy(tools: Any, *others: str) -> str:
    """The body of a MESSAGE, as RFC 5365 7.3 has it, its text in CPIM."""
    text = (
        f"From: <{tools.FAR}>\r\nTo: <{tools.OWN}>\r\nDateTime: 2024-02-29T12:00:00Z\r\n"
        "NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: m1\r\n"
        "imdn.Disposition-Notification: positive-delivery\r\n\r\n"
        "Content-Type: text/plain\r\n\r\nfor several"
    )
    parts = [f"Content-Type: message/cpim\r\n\r\n{text}", *others]
    return "".join(f"--boundary1\r\n{part}\r\n" for part in parts) + "--boundary1--\r\n"


def shown(handling: str = ";handling=optional", content: str = "<resource-lists/>") -> str:
    disposition = f"recipient-list-history{handling}"
    return f"Content-Type: {LISTED}\r\nContent-Disposition: {disposition}\r\n\r\n{content}"


async def receive(rig: Any, body: str) -> Any:
    kind = 'Content-Type: multipart/mixed;boundary="boundary1"'
    return await rig.network.ask("MESSAGE", rig.contact, kind, "Conversation-ID: c", body=body)


@pytest.mark.parametrize(
    "others",
    [
        (shown(),),
        (shown("; handling=optional"),),
        (shown(""),),
        (shown(content="<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>"),),
        (),
        ("Content-Type: image/png\r\nContent-Disposition: icon;handling=optional\r\n\r\n0",),
    ],
)
async def test_a_text_that_went_to_others_too(tools: Any, others: tuple[str, ...]) -> None:
    async with tools.rig() as rig:
        await rig.register()
        assert (await receive(rig, copy(tools, *others))).status == 200
        imdn = await rig.network.receive("MESSAGE")
        assert imdn.start == f"MESSAGE {tools.FAR} SIP/2.0"
        assert "<message-id>m1</message-id>" in imdn.body and "<delivered/>" in imdn.body
        assert rig.shown == ["for several"]


@pytest.mark.parametrize(
    "body",
    [
        "--boundary1\r\nContent-Type: text/html\r\n\r\n<p>\r\n--boundary1--",
        "nothing that could be split",
        "",
    ],
)
async def test_several_parts_without_a_text(tools: Any, body: str) -> None:
    async with tools.rig() as rig:
        await rig.register()
        answer = await receive(rig, body)
        assert answer.status == 415 and "multipart/mixed" in answer.header("Accept")


async def test_a_part_that_must_be_understood(tools: Any) -> None:
    """RFC 5621 4: handling is required where nothing is said."""
    async with tools.rig() as rig:
        await rig.register()
        assert (await receive(rig, copy(tools, "Content-Type: image/png\r\n\r\n0"))).status == 415
        assert rig.shown == []


async def test_lists_that_must_be_understood_on_the_way_here(tools: Any) -> None:
    """A receiver is no list service: it does not know that extension (RFC 3261 8.2.2.3)."""
    async with tools.rig() as rig:
        await rig.register()
        rows = ("Require: recipient-list-message", "Content-Type: text/plain")
        answer = await rig.network.ask("MESSAGE", rig.contact, *rows, body="x")
        assert (answer.status, answer.header("Unsupported")) == (420, "recipient-list-message")
