"""Large message mode of the simulated RCS client against literal SIP and MSRP."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from devices.simulated.conversations import MessageStatus
from tests.devices.simulated.msrp_wire import FarMsrp, MsrpWire

SENDING, SENT, NOT_SENT = MessageStatus.SENDING, MessageStatus.SENT, MessageStatus.NOT_SENT
ICSI = "3gpp-service.ims.icsi.oma.cpm.largemsg"
TEXT = "".join(f"{number:04}," for number in range(1000))  # 5000 octets, no two pieces alike


@asynccontextmanager
async def writing(tools: Any, **options: Any) -> AsyncIterator[tuple[Any, FarMsrp]]:
    async with tools.rig(**options) as rig:
        await rig.register()
        far = FarMsrp()
        await far.listen()
        try:
            yield rig, far
        finally:
            far.close()


def accept(rig: Any, far: FarMsrp, invite: Any, *lines: str) -> None:
    selector = re.search(r"a=file-selector:.*", invite.body)
    transfer = re.search(r"a=file-transfer-id:.*", invite.body)
    assert selector is not None and transfer is not None
    extra = (selector[0].strip(), transfer[0].strip(), *lines)
    sdp = far.sdp("passive", "recvonly", *extra, accept="message/cpim")
    contact = f"Contact: <sip:far@127.0.0.1:{rig.network.port}>"
    rig.network.answer(invite, "200 OK", contact, "Content-Type: application/sdp", body=sdp)


async def message(far: FarMsrp) -> str:
    """The CPIM object, put together from its chunks, each answered."""
    chunks: list[MsrpWire] = []
    while not chunks or chunks[-1].flag != "$":
        chunk = await far.receive()
        if chunk.header("Byte-Range") != "1-0/0":
            chunks.append(chunk)
    total = chunks[0].header("Byte-Range").split("/")[1]
    assert {chunk.header("Message-ID") for chunk in chunks} == {chunks[0].header("Message-ID")}
    assert [chunk.header("Byte-Range").split("-")[0] for chunk in chunks] == [
        str(1 + 2048 * number) for number in range(len(chunks))
    ]
    whole = "".join(chunk.body for chunk in chunks)
    assert len(whole.encode()) == int(total)
    return whole


async def test_a_long_text_goes_in_a_session_of_its_own(tools: Any) -> None:
    async with writing(tools) as (rig, far):
        rig.write(TEXT)
        invite = await rig.network.receive("INVITE")
        assert invite.start == f"INVITE {tools.FAR} SIP/2.0"
        assert invite.header("P-Preferred-Service") == f"urn:urn-7:{ICSI}"
        tag = f'+g.3gpp.icsi-ref="urn%3Aurn-7%3A{ICSI}"'
        assert (invite.header("Contact"), invite.header("Accept-Contact")) == (
            f"<{rig.contact}>;{tag}",
            f"*;{tag}",
        )
        assert invite.body.endswith(
            "a=accept-types:message/cpim\r\na=accept-wrapped-types:text/plain\r\na=sendonly\r\n"
            f"a=file-selector:size:5000\r\n{re.findall('a=file-transfer-id:.*', invite.body)[0]}\n"
        )
        accept(rig, far, invite)
        assert (await rig.network.receive("ACK")).cseq == 1
        octets = await message(far)
        head, mime, text = octets.split("\r\n\r\n", 2)
        assert (f"From: <{tools.OWN}>\r\nTo: <{tools.FAR}>\r\nDateTime: " in head) and text == TEXT
        assert "imdn.Disposition-Notification: positive-delivery, display" in head
        assert mime == "Content-Type: text/plain;charset=UTF-8\r\nContent-Length: 5000"
        bye = await rig.network.receive("BYE")
        assert bye.header("Call-ID") == invite.header("Call-ID")
        assert rig.statuses == [SENT]
        rig.network.answer(bye, "200 OK")
        found = re.search(r"imdn\.Message-ID: (\w+)", head)
        assert found is not None
        rig.network.send(rig.contact, rig.network.notification(rig.contact, found[1], "displayed"))
        assert (await rig.network.receive("SIP/2.0")).status == 200
        assert rig.statuses == [MessageStatus.READ]


@pytest.mark.parametrize("status", ["403 Forbidden", "480 No", "486 Busy", "488 No", "603 Decline"])
async def test_a_refusal_and_the_next_text(tools: Any, status: str) -> None:
    async with writing(tools) as (rig, far):
        rig.write(TEXT)
        rig.write("second" + TEXT)
        refused = await rig.network.receive("INVITE")
        await rig.network.nothing()  # one at a time
        rig.network.answer(refused, status)
        messages = [await rig.network.receive() for _ in range(2)]
        ack, invite = sorted(messages, key=lambda wire: wire.method)
        assert (ack.method, rig.statuses) == ("ACK", [NOT_SENT, SENDING])
        accept(rig, far, invite)
        await rig.network.receive("ACK")
        assert (await message(far)).endswith("second" + TEXT)
        await rig.network.receive("BYE")
        assert rig.statuses == [NOT_SENT, SENT]


async def test_a_chunk_that_is_refused_ends_it(tools: Any) -> None:
    async with writing(tools) as (rig, far):
        rig.write(TEXT)
        accept(rig, far, await rig.network.receive("INVITE"))
        await rig.network.receive("ACK")
        first = await far.receive(answered=False)
        while first.header("Byte-Range") == "1-0/0":
            far.answer(first)
            first = await far.receive(answered=False)
        far.answer(first, "413 Enough")
        await rig.network.receive("BYE")
        assert rig.statuses == [NOT_SENT]


async def test_more_than_the_other_side_takes_is_not_sent(tools: Any) -> None:
    async with writing(tools) as (rig, far):
        rig.write(TEXT)
        accept(rig, far, await rig.network.receive("INVITE"), "a=max-size:5000")
        await rig.network.receive("ACK")
        assert (await far.receive()).header("Byte-Range") == "1-0/0"
        await rig.network.receive("BYE")
        await far.nothing()
        assert rig.statuses == [NOT_SENT]


@pytest.mark.parametrize("worst", ["ringing", "half of it sent"])
async def test_what_a_loss_cut_short_goes_again(tools: Any, worst: str) -> None:
    async with writing(tools) as (rig, far):
        rig.write(TEXT)
        first = await rig.network.receive("INVITE")
        if worst != "ringing":
            accept(rig, far, first)
            await rig.network.receive("ACK")
            await far.receive(answered=False)
        rig.lose_radio()
        await rig.network.nothing()
        assert rig.statuses == [SENDING]
        rig.attach()
        await rig.be_registered()
        far.inbox = type(far.inbox)()
        invite = await rig.network.receive("INVITE")
        assert invite.header("Call-ID") != first.header("Call-ID")
        assert invite.header("Conversation-ID") == first.header("Conversation-ID")
        accept(rig, far, invite)
        await rig.network.receive("ACK")
        assert (await message(far)).endswith(TEXT)
        await rig.network.receive("BYE")
        assert rig.statuses == [SENT]


async def called(rig: Any, tools: Any, far: FarMsrp) -> dict[str, Any]:
    """An INVITE of the far party, accepted and connected; what its requests in the dialog carry."""
    sdp = far.sdp(
        "actpass", "sendonly", "a=file-selector:size:5000", "a=file-transfer-id:abc123", accept="message/cpim"
    )
    sender = f"<{tools.FAR}>;tag=net"
    text = rig.network.invite(rig.contact, sdp, "oma.cpm.largemsg", call_id="far-1", sender=sender)
    rig.network.send(rig.contact, text)
    answer = await rig.network.receive("SIP/2.0")
    assert answer.status == 200  # without alerting
    assert f"{ICSI}" in answer.header("Contact")
    assert "a=recvonly\r\na=file-selector:size:5000\r\na=file-transfer-id:abc123\r\n" in answer.body
    dialog = {"call_id": "far-1", "sender": sender, "to": answer.header("To")}
    rig.network.send(rig.contact, rig.network.request("ACK", rig.contact, cseq=answer.cseq, **dialog))
    assert (await far.receive()).header("Byte-Range") == "1-0/0"
    return dialog


def cpim(tools: Any, text: str) -> str:
    return (
        f"From: <{tools.FAR}>\r\nTo: <{tools.OWN}>\r\nDateTime: 2015-02-17T06:54:27Z\r\n"
        "NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: mid-1\r\n"
        "imdn.Disposition-Notification: positive-delivery, display\r\n\r\n"
        f"Content-Type: text/plain;charset=UTF-8\r\nContent-Length: {len(text)}\r\n\r\n{text}"
    )


async def test_one_that_comes_is_shown_and_notified_by_message_when_it_is_whole(tools: Any) -> None:
    async with writing(tools) as (rig, far):
        dialog = await called(rig, tools, far)
        octets = cpim(tools, TEXT)
        half = len(octets) // 2
        for first, last, flag in ((1, half, "+"), (half + 1, len(octets), "$")):
            await rig.network.nothing()
            assert rig.shown == []
            far.write(
                f"MSRP chunk{first:06} SEND\r\nTo-Path: {far.remote}\r\nFrom-Path: {far.path}\r\n"
                f"Message-ID: whole1\r\nByte-Range: {first}-{last}/{len(octets)}\r\n"
                f"Content-Type: message/cpim\r\n\r\n{octets[first - 1 : last]}\r\n"
                f"-------chunk{first:06}{flag}\r\n"
            )
            await far.receive("200")
        delivered = await rig.network.receive("MESSAGE")
        assert rig.shown == [TEXT]
        assert delivered.start == f"MESSAGE {tools.FAR} SIP/2.0"
        assert (delivered.cpim("From"), delivered.cpim("To")) == (f"<{tools.OWN}>", f"<{tools.FAR}>")
        assert delivered.header("Conversation-ID") == "conv-1"
        assert "<message-id>mid-1</message-id>" in delivered.body and "<delivered/>" in delivered.body
        rig.network.answer(delivered, "200 OK")
        bye = await rig.network.ask("BYE", rig.contact, cseq=2, **dialog)
        assert bye.status == 200
        rig.app.open_conversation(tools.FAR_NUMBER)
        rig.app.set_visible(True)
        assert "<displayed/>" in (await rig.network.receive("MESSAGE")).body


async def test_a_message_whose_last_chunk_is_repeated_counts_once(tools: Any) -> None:
    async with writing(tools) as (rig, far):
        await called(rig, tools, far)
        for _ in range(2):
            await far.deliver(cpim(tools, TEXT).replace("imdn.Message-ID: mid-1\r\n", ""), message_id="same1")
        assert rig.shown == [TEXT]


async def test_half_a_message_is_none(tools: Any) -> None:
    async with writing(tools) as (rig, far):
        await called(rig, tools, far)
        far.write(
            f"MSRP chunk000001 SEND\r\nTo-Path: {far.remote}\r\nFrom-Path: {far.path}\r\n"
            "Message-ID: half1\r\nByte-Range: 1-10/5000\r\nContent-Type: message/cpim\r\n\r\n"
            "From: <sip\r\n-------chunk000001+\r\n"
        )
        await far.receive("200")
        rig.lose_radio()
        await rig.network.nothing()
        assert rig.shown == []


async def test_a_sender_that_forgets_to_hang_up_is_helped(tools: Any) -> None:
    async with writing(tools) as (rig, far):
        await called(rig, tools, far)
        await far.deliver(cpim(tools, TEXT))
        rig.network.answer(await rig.network.receive("MESSAGE"), "200 OK")
        await tools.advance(29)
        await rig.network.nothing()
        await tools.advance(1.2)
        await rig.network.receive("BYE")
