"""File transfer of the simulated RCS client against literal SIP and MSRP (RFC 5547)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from devices.simulated.conversations import AttachmentState, MessageStatus
from tests.devices.simulated.msrp_wire import FarMsrp, MsrpWire

SENT, NOT_SENT, READ = MessageStatus.SENT, MessageStatus.NOT_SENT, MessageStatus.READ
DONE, FAILED = AttachmentState.DONE, AttachmentState.FAILED
ICSI = "3gpp-service.ims.icsi.oma.cpm.filetransfer"
SERVICE = "oma.cpm.filetransfer"
TEXT = "".join(f"{number:04}," for number in range(1000))  # 5000 octets, no two pieces alike
HASH = hashlib.sha1(TEXT.encode(), usedforsecurity=False).hexdigest().upper()
HASH = ":".join(HASH[place : place + 2] for place in range(0, 40, 2))
PATH = '/sdcard/Download/a "b" ü.txt'
BOUNDARY = "b71"


@asynccontextmanager
async def meeting(tools: Any, **options: Any) -> AsyncIterator[tuple[Any, FarMsrp]]:
    async with tools.rig(**options) as rig:
        await rig.register()
        far = FarMsrp()
        await far.listen()
        try:
            yield rig, far
        finally:
            far.close()


# -- MO


def send_file(rig: Any, tools: Any, text: str = TEXT) -> None:
    rig.app.files.write(PATH, text.encode(), mtime=1_423_213_200)
    rig.app.attach(tools.FAR_NUMBER, PATH, "text/plain")
    rig.app.press_send()


def file_of(rig: Any, tools: Any) -> Any:
    return rig.app.conversations[tools.FAR_NUMBER].messages[-1].attachment


def accept(rig: Any, far: FarMsrp, invite: Any, *lines: str) -> None:
    copied = [
        re.findall(rf"a={name}:.*", invite.body)[0].strip() for name in ("file-selector", "file-transfer-id")
    ]
    sdp = far.sdp("passive", "recvonly", *copied, *lines, accept="message/cpim text/plain")
    contact = f"Contact: <sip:far@127.0.0.1:{rig.network.port}>"
    rig.network.answer(invite, "200 OK", contact, "Content-Type: application/sdp", body=sdp)


async def content(far: FarMsrp, most: int | None = None) -> list[MsrpWire]:
    """The chunks of a message, each answered; the first `most` of them."""
    chunks: list[MsrpWire] = []
    while not chunks or chunks[-1].flag not in "$#":
        if most is not None and len(chunks) == most:
            break
        chunk = await far.receive()
        if chunk.header("Byte-Range") != "1-0/0":
            chunks.append(chunk)
    return chunks


async def test_a_file_of_the_user(tools: Any) -> None:
    async with meeting(tools) as (rig, far):
        send_file(rig, tools)
        invite = await rig.network.receive("INVITE")
        assert invite.header("P-Preferred-Service") == f"urn:urn-7:{ICSI}"
        tag = f'+g.3gpp.icsi-ref="urn%3Aurn-7%3A{ICSI}"'
        assert invite.header("Accept-Contact") == f"*;{tag}"
        assert invite.header("Content-Type").startswith("multipart/mixed;boundary=")
        sdp, head = invite.body.split("Content-Disposition: render;handling=optional\r\n\r\n")
        for row in (
            "sendonly",
            "accept-types:message/cpim text/plain",
            "accept-wrapped-types:*",
            f'file-selector:name:"a %22b%22 ü.txt" type:text/plain size:5000 hash:sha-1:{HASH}',
            "file-disposition:attachment",
            'file-date:creation:"Fri, 06 Feb 2015 09:00:00 +0000"',
        ):
            assert f"\r\na={row}\r\n" in sdp, row
        assert re.search(r"\r\na=file-transfer-id:\w{32}\r\n", sdp) and "file-range" not in sdp
        assert f"From: <{tools.OWN}>\r\nTo: <{tools.FAR}>\r\nDateTime: " in head
        assert "imdn.Disposition-Notification: positive-delivery, display\r\n\r\n" in head
        assert "Content-Type: text/plain\r\nContent-Length: 0\r\n\r\n\r\n--" in head
        accept(rig, far, invite)
        await rig.network.receive("ACK")
        chunks = await content(far)
        assert "".join(chunk.body for chunk in chunks) == TEXT
        assert {chunk.header("Content-Type") for chunk in chunks} == {"text/plain"}
        assert [chunk.header("Byte-Range") for chunk in chunks] == [
            "1-2048/5000", "2049-4096/5000", "4097-5000/5000",
        ]  # fmt: skip
        bye = await rig.network.receive("BYE")
        rig.network.answer(bye, "200 OK")
        assert (rig.statuses, file_of(rig, tools).state) == ([SENT], DONE)
        found = re.search(r"imdn\.Message-ID: (\w+)", head)
        assert found is not None
        rig.network.send(rig.contact, rig.network.notification(rig.contact, found[1], "displayed"))
        assert (await rig.network.receive("SIP/2.0")).status == 200
        assert rig.statuses == [READ]


@pytest.mark.parametrize("status", ["403 Forbidden", "480 No", "486 Busy", "488 No", "603 Decline"])
async def test_a_refusal_and_the_next_file(tools: Any, status: str) -> None:
    async with meeting(tools) as (rig, far):
        send_file(rig, tools)
        rig.app.attach(tools.FAR_NUMBER, PATH, "text/plain")
        rig.app.press_send()
        refused = await rig.network.receive("INVITE")
        await rig.network.nothing()  # one at a time
        rig.network.answer(refused, status)
        messages = [await rig.network.receive() for _ in range(2)]
        ack, invite = sorted(messages, key=lambda wire: wire.method)
        assert (ack.method, rig.statuses[0]) == ("ACK", NOT_SENT)
        accept(rig, far, invite)
        await rig.network.receive("ACK")
        await content(far)
        await rig.network.receive("BYE")
        assert rig.statuses == [NOT_SENT, SENT]


async def test_an_answer_with_port_0(tools: Any) -> None:
    async with meeting(tools) as (rig, far):
        send_file(rig, tools)
        invite = await rig.network.receive("INVITE")
        sdp = far.sdp("passive", "recvonly").replace(f"m=message {far.port}", "m=message 0")
        contact = f"Contact: <sip:far@127.0.0.1:{rig.network.port}>"
        rig.network.answer(invite, "200 OK", contact, "Content-Type: application/sdp", body=sdp)
        assert {(await rig.network.receive()).method for _ in range(2)} == {"ACK", "BYE"}
        assert (rig.statuses, file_of(rig, tools).why) == ([NOT_SENT], "declined")


async def test_a_file_above_max_size_is_not_sent(tools: Any) -> None:
    async with meeting(tools) as (rig, far):
        send_file(rig, tools)
        accept(rig, far, await rig.network.receive("INVITE"), "a=max-size:4999")
        await rig.network.receive("ACK")
        assert (await far.receive()).header("Byte-Range") == "1-0/0"
        await rig.network.receive("BYE")
        await far.nothing()
        assert file_of(rig, tools).why == "more than the 4999 octets the other side takes"


async def test_a_chunk_that_is_refused_ends_it(tools: Any) -> None:
    async with meeting(tools) as (rig, far):
        send_file(rig, tools)
        accept(rig, far, await rig.network.receive("INVITE"))
        await rig.network.receive("ACK")
        first = await far.receive(answered=False)
        while first.header("Byte-Range") == "1-0/0":
            far.answer(first)
            first = await far.receive(answered=False)
        far.answer(first, "413 Enough")
        await rig.network.receive("BYE")
        assert rig.statuses == [NOT_SENT]


async def test_the_user_gives_up_while_it_rings(tools: Any) -> None:
    async with meeting(tools) as (rig, _):
        send_file(rig, tools)
        invite = await rig.network.receive("INVITE")
        rig.network.answer(invite, "180 Ringing", f"Contact: <sip:far@127.0.0.1:{rig.network.port}>")
        await tools.settled()
        rig.app.cancel(rig.app.conversations[tools.FAR_NUMBER].messages[-1].id)
        cancel = await rig.network.receive("CANCEL")
        rig.network.answer(cancel, "200 OK")
        rig.network.answer(invite, "487 Request Terminated")
        await rig.network.receive("ACK")
        await tools.settled()
        assert (rig.statuses, file_of(rig, tools).state) == ([NOT_SENT], AttachmentState.CANCELLED)


async def test_the_user_gives_up_in_the_middle(tools: Any) -> None:
    """The chunk under way ends with "#", then BYE (RFC 5547 8.4)."""
    large = TEXT * 2000  # 10 MB, more than the sockets take
    async with meeting(tools) as (rig, far):
        send_file(rig, tools, large)
        accept(rig, far, await rig.network.receive("INVITE"))
        await rig.network.receive("ACK")
        await content(far, 1)
        rig.app.cancel(rig.app.conversations[tools.FAR_NUMBER].messages[-1].id)
        chunks = await content(far)
        assert chunks[-1].flag == "#"
        assert sum(len(chunk.body) for chunk in chunks) < len(large) - 2048
        await rig.network.receive("BYE")
        assert file_of(rig, tools).state is AttachmentState.CANCELLED


async def test_what_a_loss_cut_short_goes_on_by_itself(tools: Any) -> None:
    """A new INVITE: same Contribution-ID and message, new file-transfer-id, Byte-Range from 1 (8.1, 8.7)."""
    async with meeting(tools) as (rig, far):
        send_file(rig, tools)
        first = await rig.network.receive("INVITE")
        accept(rig, far, first)
        await rig.network.receive("ACK")
        await content(far, 1)
        while not far.inbox.empty():
            far.inbox.get_nowait()  # no answer to these
        await tools.settled()
        rig.lose_radio()
        await rig.network.nothing()
        rig.attach()
        await rig.be_registered()
        far.inbox = type(far.inbox)()
        invite = await rig.network.receive("INVITE")
        for name in ("Conversation-ID", "Contribution-ID"):
            assert invite.header(name) == first.header(name)
        pattern = r"a=file-transfer-id:(\w+)"
        assert re.findall(pattern, invite.body) != re.findall(pattern, first.body)
        assert re.findall(r"imdn\.Message-ID.*", invite.body) == re.findall(r"imdn\.Message-ID.*", first.body)
        assert re.findall("a=file-selector.*", invite.body) == re.findall("a=file-selector.*", first.body)
        assert "a=file-range:2049-5000\r\n" in invite.body
        accept(rig, far, invite, "a=file-range:2049-5000")
        await rig.network.receive("ACK")
        chunks = await content(far)
        assert chunks[0].header("Byte-Range") == "1-2048/2952"
        assert "".join(chunk.body for chunk in chunks) == TEXT[2048:]
        await rig.network.receive("BYE")
        assert rig.statuses == [SENT]


async def test_what_never_began_to_arrive_is_a_new_transfer(tools: Any) -> None:
    async with meeting(tools) as (rig, far):
        send_file(rig, tools)
        first = await rig.network.receive("INVITE")
        accept(rig, far, first)
        await rig.network.receive("ACK")
        await far.receive(answered=False)
        far.writer.transport.abort()
        await rig.network.receive("BYE")
        await tools.settled()
        assert rig.statuses == [NOT_SENT]
        rig.app.retry(len(rig.app.conversations[tools.FAR_NUMBER].messages) - 1)
        invite = await rig.network.receive("INVITE")
        assert invite.header("Contribution-ID") != first.header("Contribution-ID")
        assert "file-range" not in invite.body


@pytest.mark.parametrize("how", ["488", "no range"])
async def test_a_rest_nobody_wants_goes_whole(tools: Any, how: str) -> None:
    async with meeting(tools) as (rig, far):
        send_file(rig, tools)
        accept(rig, far, await rig.network.receive("INVITE"))
        await rig.network.receive("ACK")
        await content(far, 1)
        await tools.settled()
        far.writer.transport.abort()
        await rig.network.receive("BYE")
        await tools.settled()
        assert rig.statuses == [NOT_SENT]
        rig.app.retry(len(rig.app.conversations[tools.FAR_NUMBER].messages) - 1)
        far.inbox = type(far.inbox)()
        invite = await rig.network.receive("INVITE")
        assert "a=file-range:2049-5000\r\n" in invite.body
        if how == "488":
            rig.network.answer(invite, "488 Not Acceptable Here")
        else:
            accept(rig, far, invite)
        while (invite := await rig.network.receive()).method != "INVITE":
            if invite.method == "BYE":
                rig.network.answer(invite, "200 OK")
        assert "file-range" not in invite.body
        far.inbox = type(far.inbox)()
        accept(rig, far, invite)
        await rig.network.receive("ACK")
        assert "".join(chunk.body for chunk in await content(far)) == TEXT
        await rig.network.receive("BYE")
        assert rig.statuses == [SENT]


# -- MT


def offer(far: FarMsrp, tools: Any, *rows: str, name: str = "n.txt", head: bool = True) -> str:
    attributes = rows or (
        f'a=file-selector:name:"{name}" type:text/plain size:5000 hash:sha-1:{HASH}',
        "a=file-transfer-id:abc123",
        "a=file-disposition:attachment",
    )
    sdp = far.sdp("actpass", "sendonly", *attributes, accept="message/cpim text/plain")
    cpim = (
        f"From: <{tools.FAR}>\r\nTo: <{tools.OWN}>\r\nDateTime: 2015-02-17T06:54:27Z\r\n"
        "NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: mid-1\r\n"
        "imdn.Disposition-Notification: positive-delivery, display\r\n\r\n"
        "Content-Type: text/plain\r\nContent-Length: 0\r\n\r\n"
    )
    if not head:
        return sdp
    return (
        f"--{BOUNDARY}\r\nContent-Type: application/sdp\r\n\r\n{sdp}\r\n--{BOUNDARY}\r\n"
        f"Content-Type: message/cpim\r\nContent-Disposition: render;handling=optional\r\n\r\n{cpim}\r\n"
        f"--{BOUNDARY}--\r\n"
    )


def ask(
    rig: Any, tools: Any, body: str, call_id: str = "far-1", contribution: str = "contrib-1"
) -> dict[str, Any]:
    """Send the INVITE; what later requests in its dialog carry, but for To."""
    sender = f"<{tools.FAR}>;tag=net"
    text = rig.network.invite(rig.contact, body, SERVICE, call_id=call_id, sender=sender)
    text = text.replace("Contribution-ID: contrib-1", f"Contribution-ID: {contribution}")
    if body.startswith("--"):
        text = text.replace(
            "Content-Type: application/sdp", f"Content-Type: multipart/mixed;boundary={BOUNDARY}", 1
        )
    rig.network.send(rig.contact, text)
    return {"call_id": call_id, "sender": sender}


async def accepted(rig: Any, far: FarMsrp, dialog: dict[str, Any]) -> Any:
    """The 200 and what makes the session."""
    answer = await rig.network.receive("SIP/2.0")
    while answer.status == 180:
        answer = await rig.network.receive("SIP/2.0")
    assert answer.status == 200, answer
    dialog["to"] = answer.header("To")
    rig.network.send(rig.contact, rig.network.request("ACK", rig.contact, cseq=answer.cseq, **dialog))
    assert (await far.receive()).header("Byte-Range") == "1-0/0"
    return answer


def chunk(far: FarMsrp, text: str, first: int, total: int, flag: str = "$", message: str = "file1") -> None:
    far.write(
        f"MSRP chunk{first:06} SEND\r\nTo-Path: {far.remote}\r\nFrom-Path: {far.path}\r\n"
        f"Message-ID: {message}\r\nByte-Range: {first}-{first + len(text) - 1}/{total}\r\n"
        f"Content-Type: text/plain\r\n\r\n{text}\r\n-------chunk{first:06}{flag}\r\n"
    )


def stored(rig: Any) -> dict[str, bytes]:
    return {name: entry.data for name, entry in rig.app.files.listing("/sdcard/Download")}


async def test_a_file_that_comes_is_stored_and_notified(tools: Any) -> None:
    async with meeting(tools) as (rig, far):
        dialog = ask(rig, tools, offer(far, tools))
        answer = await accepted(rig, far, dialog)
        assert ICSI in answer.header("Contact")
        assert "a=recvonly\r\n" in answer.body and "m=message 9 TCP/MSRP" in answer.body
        assert f'a=file-selector:name:"n.txt" type:text/plain size:5000 hash:sha-1:{HASH}\r\n' in answer.body
        assert "a=file-transfer-id:abc123\r\n" in answer.body and "file-disposition" not in answer.body
        chunk(far, TEXT[:3000], 1, 5000, "+")
        await far.receive("200")
        assert (file_of(rig, tools).state, stored(rig)) == (AttachmentState.MOVING, {})
        chunk(far, TEXT[3000:], 3001, 5000)
        await far.receive("200")
        delivered = await rig.network.receive("MESSAGE")
        assert stored(rig) == {"n.txt": TEXT.encode()}
        assert "<message-id>mid-1</message-id>" in delivered.body and "<delivered/>" in delivered.body
        assert "<datetime>2015-02-17T06:54:27Z</datetime>" in delivered.body
        assert (delivered.cpim("From"), delivered.cpim("To")) == (f"<{tools.OWN}>", f"<{tools.FAR}>")
        rig.network.answer(delivered, "200 OK")
        assert (await rig.network.ask("BYE", rig.contact, cseq=2, **dialog)).status == 200
        assert file_of(rig, tools).state is DONE
        rig.app.open_conversation(tools.FAR_NUMBER)
        rig.app.set_visible(True)
        assert "<displayed/>" in (await rig.network.receive("MESSAGE")).body


async def test_the_user_is_asked(tools: Any) -> None:
    async with meeting(tools) as (rig, far):
        rig.app.acceptance.auto_download = 4999
        dialog = ask(rig, tools, offer(far, tools))
        assert (await rig.network.receive("SIP/2.0")).status == 180
        message = rig.app.conversations[tools.FAR_NUMBER].messages[-1]
        assert (message.attachment.name, message.attachment.size) == ("n.txt", 5000)
        rig.app.answer(message.id, True)
        await accepted(rig, far, dialog)


async def test_the_user_declines(tools: Any) -> None:
    async with meeting(tools) as (rig, far):
        rig.app.acceptance.auto_download = 0
        ask(rig, tools, offer(far, tools))
        await rig.network.receive("SIP/2.0")
        rig.app.answer(rig.app.conversations[tools.FAR_NUMBER].messages[-1].id, False)
        assert (await rig.network.receive("SIP/2.0")).status == 603


async def test_nobody_answers(tools: Any) -> None:
    async with meeting(tools, ring_seconds=20.0) as (rig, far):
        rig.app.acceptance.auto_download = 0
        ask(rig, tools, offer(far, tools))
        assert (await rig.network.receive("SIP/2.0")).status == 180
        await tools.advance(20.5)
        assert (await rig.network.receive("SIP/2.0")).status == 480
        assert file_of(rig, tools).why == "no answer"


async def test_the_sender_gives_up(tools: Any) -> None:
    async with meeting(tools) as (rig, far):
        rig.app.acceptance.auto_download = 0
        dialog = ask(rig, tools, offer(far, tools))
        ringing = await rig.network.receive("SIP/2.0")
        branch = re.findall(r"branch=z9hG4bK(\w+)", ringing.header("Via"))[0]
        request = rig.network.request("CANCEL", rig.contact, branch=branch, **dialog)
        rig.network.send(rig.contact, request)
        assert {(await rig.network.receive("SIP/2.0")).status for _ in range(2)} == {200, 487}
        assert file_of(rig, tools).state is FAILED


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        (('a=file-selector:name:"n" type:text/plain size:4999', "a=file-transfer-id:a"), "size"),
        (
            (
                'a=file-selector:name:"n" type:text/plain hash:sha-1:' + HASH[:-2] + "00",
                "a=file-transfer-id:a",
            ),
            "hash",
        ),
    ],
)
async def test_another_file_than_was_offered_is_thrown_away(
    tools: Any, rows: tuple[str, ...], why: str
) -> None:
    """RFC 5547 8.3.1: it failed, the user is told, and nothing is notified."""
    async with meeting(tools) as (rig, far):
        await accepted(rig, far, ask(rig, tools, offer(far, tools, *rows)))
        chunk(far, TEXT, 1, 5000)
        await far.receive("200")
        await rig.network.nothing()
        assert (file_of(rig, tools).why, stored(rig)) == ("not the file that was offered", {})


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("..%2F..%2Fdata%2Fevil", "evil"),
        ("/etc/passwd", "passwd"),
        ("..", "file"),
        ("say %22hi%22.txt", 'say "hi".txt'),
        ("grüße.txt", "grüße.txt"),
        ("n" * 255, "n" * 255),
    ],
)
async def test_names_that_mean_more_than_a_name(tools: Any, name: str, kept: str) -> None:
    async with meeting(tools) as (rig, far):
        await accepted(rig, far, ask(rig, tools, offer(far, tools, name=name)))
        chunk(far, TEXT, 1, 5000)
        await far.receive("200")
        await rig.network.receive("MESSAGE")
        assert stored(rig) == {kept: TEXT.encode()}


async def test_a_file_inside_cpim(tools: Any) -> None:
    async with meeting(tools) as (rig, far):
        await accepted(rig, far, ask(rig, tools, offer(far, tools, head=False)))
        cpim = (
            f"From: <{tools.FAR}>\r\nTo: <{tools.OWN}>\r\nDateTime: 2015-02-17T06:54:27Z\r\n"
            "NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: mid-2\r\n"
            "imdn.Disposition-Notification: positive-delivery\r\n\r\n"
            f"Content-Type: text/plain\r\nContent-Length: 5000\r\n\r\n{TEXT}"
        )
        await far.deliver(cpim)
        assert "<message-id>mid-2</message-id>" in (await rig.network.receive("MESSAGE")).body
        assert stored(rig) == {"n.txt": TEXT.encode()}


async def test_the_rest_of_a_file_that_broke_off(tools: Any) -> None:
    async with meeting(tools) as (rig, far):
        dialog = ask(rig, tools, offer(far, tools))
        await accepted(rig, far, dialog)
        chunk(far, TEXT[:3000], 1, 5000, "+")
        await far.receive("200")
        assert (await rig.network.ask("BYE", rig.contact, cseq=2, **dialog)).status == 200
        assert file_of(rig, tools).state is FAILED
        rows = (
            f'a=file-selector:name:"n.txt" type:text/plain size:5000 hash:sha-1:{HASH}',
            "a=file-transfer-id:def456",
            "a=file-range:3001-5000",
        )
        await tools.settled()
        far.inbox = type(far.inbox)()
        answer = await accepted(rig, far, ask(rig, tools, offer(far, tools, *rows), call_id="far-2"))
        assert "a=file-range:3001-5000\r\n" in answer.body
        chunk(far, TEXT[3000:], 1, 2000, message="file2")
        await far.receive("200")
        assert "<delivered/>" in (await rig.network.receive("MESSAGE")).body
        assert stored(rig) == {"n.txt": TEXT.encode()}
        assert len(rig.app.conversations[tools.FAR_NUMBER].messages) == 1


async def test_a_rest_that_comes_before_the_loss_is_known(tools: Any) -> None:
    async with meeting(tools) as (rig, far):
        await accepted(rig, far, ask(rig, tools, offer(far, tools)))
        chunk(far, TEXT[:3000], 1, 5000, "+")
        await far.receive("200")
        rows = (
            f'a=file-selector:name:"n.txt" type:text/plain size:5000 hash:sha-1:{HASH}',
            "a=file-transfer-id:def456",
            "a=file-range:3001-5000",
        )
        far.session = "another12345678901234567"
        dialog = ask(rig, tools, offer(far, tools, *rows), call_id="far-2")
        wires = [await rig.network.receive() for _ in range(2)]
        bye, answer = sorted(wires, key=lambda wire: wire.method)
        assert (bye.method, bye.header("Call-ID"), answer.status) == ("BYE", "far-1", 200)
        rig.network.answer(bye, "200 OK")
        dialog["to"] = answer.header("To")
        far.inbox = type(far.inbox)()
        rig.network.send(rig.contact, rig.network.request("ACK", rig.contact, cseq=1, **dialog))
        await far.receive()
        chunk(far, TEXT[3000:], 1, 2000, message="file2")
        await far.receive("200")
        assert "<delivered/>" in (await rig.network.receive("MESSAGE")).body
        assert stored(rig) == {"n.txt": TEXT.encode()}
        assert [file_of(rig, tools).state, len(rig.app.conversations[tools.FAR_NUMBER].messages)] == [DONE, 1]


async def test_a_rest_without_its_beginning(tools: Any) -> None:
    async with meeting(tools) as (rig, far):
        rows = ('a=file-selector:name:"n.txt" size:5000', "a=file-transfer-id:x", "a=file-range:3001-5000")
        ask(rig, tools, offer(far, tools, *rows))
        assert (await rig.network.receive("SIP/2.0")).status == 488


async def test_an_offer_that_describes_nothing(tools: Any) -> None:
    async with meeting(tools) as (rig, far):
        ask(rig, tools, offer(far, tools, "a=file-selector"))
        assert (await rig.network.receive("SIP/2.0")).status == 488
        ask(rig, tools, offer(far, tools, "a=file-selector:size:x"), call_id="far-2")
        assert (await rig.network.receive("SIP/2.0")).status == 488


async def test_the_receiver_gives_up(tools: Any) -> None:
    """413 to the next chunk, port 0 with the same id, BYE (RFC 5547 8.4)."""
    async with meeting(tools) as (rig, far):
        dialog = ask(rig, tools, offer(far, tools))
        await accepted(rig, far, dialog)
        chunk(far, TEXT[:2000], 1, 5000, "+")
        await far.receive("200")
        rig.app.cancel(rig.app.conversations[tools.FAR_NUMBER].messages[-1].id)
        chunk(far, TEXT[2000:4000], 2001, 5000, "+")
        await far.receive("413")
        again = await rig.network.receive("INVITE")
        assert "m=message 0 TCP/MSRP *\r\n" in again.body and "a=file-transfer-id:abc123\r\n" in again.body
        closed = far.sdp("passive", "sendonly").replace(f"m=message {far.port}", "m=message 0")
        contact = f"Contact: <sip:far@127.0.0.1:{rig.network.port}>"
        rig.network.answer(again, "200 OK", contact, "Content-Type: application/sdp", body=closed)
        assert {(await rig.network.receive()).method for _ in range(2)} == {"ACK", "BYE"}
        await rig.network.nothing()
        assert (file_of(rig, tools).state, stored(rig)) == (AttachmentState.CANCELLED, {})


async def test_a_refresh_is_no_second_transfer(tools: Any) -> None:
    async with meeting(tools) as (rig, far):
        rig.app.acceptance.auto_download = 10_000
        dialog = ask(rig, tools, offer(far, tools))
        first = await accepted(rig, far, dialog)
        chunk(far, TEXT[:2000], 1, 5000, "+")
        await far.receive("200")
        sdp = offer(far, tools, head=False)
        again = rig.network.request(
            "INVITE", rig.contact, f"Contact: <sip:far@127.0.0.1:{rig.network.port}>",
            "Content-Type: application/sdp", body=sdp, cseq=2, **dialog,
        )  # fmt: skip
        rig.network.send(rig.contact, again)
        answer = await rig.network.receive("SIP/2.0")
        assert answer.status == 200
        assert re.findall("a=path:.*", answer.body) == re.findall("a=path:.*", first.body)
        rig.network.send(rig.contact, rig.network.request("ACK", rig.contact, cseq=2, **dialog))
        chunk(far, TEXT[2000:], 2001, 5000)
        await far.receive("200")
        await rig.network.receive("MESSAGE")
        assert len(rig.app.conversations[tools.FAR_NUMBER].messages) == 1
        assert stored(rig) == {"n.txt": TEXT.encode()}


async def test_a_sender_that_forgets_to_hang_up_is_helped(tools: Any) -> None:
    async with meeting(tools) as (rig, far):
        await accepted(rig, far, ask(rig, tools, offer(far, tools)))
        chunk(far, TEXT, 1, 5000)
        await far.receive("200")
        rig.network.answer(await rig.network.receive("MESSAGE"), "200 OK")
        await tools.advance(29)
        await rig.network.nothing()
        await tools.advance(1.2)
        await rig.network.receive("BYE")


# -- a file of the handset is asked for


@pytest.mark.parametrize(
    "selector", [f"hash:sha-1:{HASH}", 'name:"s.txt" size:5000', "type:text/plain size:5000"]
)
async def test_a_file_is_served(tools: Any, selector: str) -> None:
    async with meeting(tools) as (rig, far):
        rig.app.files.write("/sdcard/Pictures/other.jpg", b"1" * 5000)
        rig.app.files.write("/sdcard/Pictures/s.txt", TEXT.encode())
        sdp = far.sdp("actpass", "recvonly", f"a=file-selector:{selector}", "a=file-transfer-id:p1")
        dialog = ask(rig, tools, sdp)
        answer = await rig.network.receive("SIP/2.0")
        assert answer.status == 200
        assert f"a=sendonly\r\na=file-selector:type:text/plain hash:sha-1:{HASH}\r\n" in answer.body
        assert "a=file-transfer-id:p1\r\n" in answer.body
        dialog["to"] = answer.header("To")
        rig.network.send(rig.contact, rig.network.request("ACK", rig.contact, cseq=1, **dialog))
        assert "".join(each.body for each in await content(far)) == TEXT
        await rig.network.receive("BYE")


async def test_a_part_of_a_file_is_served(tools: Any) -> None:
    async with meeting(tools) as (rig, far):
        rig.app.files.write("/sdcard/Pictures/s.txt", TEXT.encode())
        rows = ('a=file-selector:name:"s.txt"', "a=file-transfer-id:p1", "a=file-range:11-20")
        dialog = ask(rig, tools, far.sdp("actpass", "recvonly", *rows))
        answer = await rig.network.receive("SIP/2.0")
        assert "a=file-range:11-20\r\n" in answer.body
        rig.network.send(
            rig.contact, rig.network.request("ACK", rig.contact, cseq=1, to=answer.header("To"), **dialog)
        )
        chunks = await content(far)
        assert [(each.body, each.header("Byte-Range")) for each in chunks] == [(TEXT[10:20], "1-10/10")]


async def test_a_file_nobody_has(tools: Any) -> None:
    async with meeting(tools) as (rig, far):
        rows = ('a=file-selector:name:"t.txt"', "a=file-transfer-id:p1")
        ask(rig, tools, far.sdp("actpass", "recvonly", *rows))
        assert (await rig.network.receive("SIP/2.0")).status == 488


# -- the user has a file fetched


async def test_the_rest_of_a_file_is_fetched(tools: Any) -> None:
    """RFC 5547 8.2.2: recvonly, selectors, a new id and the range; nothing else of file-*."""
    async with meeting(tools) as (rig, far):
        dialog = ask(rig, tools, offer(far, tools))
        await accepted(rig, far, dialog)
        chunk(far, TEXT[:3000], 1, 5000, "+")
        await far.receive("200")
        assert (await rig.network.ask("BYE", rig.contact, cseq=2, **dialog)).status == 200
        await tools.settled()
        message = rig.app.conversations[tools.FAR_NUMBER].messages[-1]
        assert message.attachment.asks
        rig.app.answer(message.id, True)
        far.inbox = type(far.inbox)()
        invite = await rig.network.receive("INVITE")
        assert invite.header("P-Preferred-Service") == f"urn:urn-7:{ICSI}"
        rows = re.findall(r"a=(.*?)\r", invite.body)
        assert "recvonly" in rows and "file-range:3001-5000" in rows and "setup:active" in rows
        assert f'file-selector:name:"n.txt" type:text/plain size:5000 hash:sha-1:{HASH}' in rows
        assert [row.partition(":")[0] for row in rows if row.startswith("file-")] == [
            "file-selector", "file-transfer-id", "file-range",
        ]  # fmt: skip
        copied = [row for row in rows if row.startswith(("file-transfer-id", "file-range"))]
        told = (f"a=file-selector:type:text/plain hash:sha-1:{HASH}", *(f"a={row}" for row in copied))
        sdp = far.sdp("passive", "sendonly", *told)
        contact = f"Contact: <sip:far@127.0.0.1:{rig.network.port}>"
        rig.network.answer(invite, "200 OK", contact, "Content-Type: application/sdp", body=sdp)
        await rig.network.receive("ACK")
        assert (await far.receive()).header("Byte-Range") == "1-0/0"
        chunk(far, TEXT[3000:], 1, 2000, message="pulled1")
        await far.receive("200")
        delivered = await rig.network.receive("MESSAGE")
        assert "<message-id>mid-1</message-id>" in delivered.body
        assert (stored(rig), message.attachment.state) == ({"n.txt": TEXT.encode()}, DONE)


async def test_a_file_that_is_fetched_comes_whole(tools: Any) -> None:
    """The answer has no range: what comes begins at the first octet."""
    async with meeting(tools) as (rig, far):
        dialog = ask(rig, tools, offer(far, tools))
        await accepted(rig, far, dialog)
        chunk(far, TEXT[:3000], 1, 5000, "+")
        await far.receive("200")
        await rig.network.ask("BYE", rig.contact, cseq=2, **dialog)
        await tools.settled()
        rig.app.answer(rig.app.conversations[tools.FAR_NUMBER].messages[-1].id, True)
        far.inbox = type(far.inbox)()
        invite = await rig.network.receive("INVITE")
        transfer = re.findall("a=file-transfer-id:.*", invite.body)[0].strip()
        sdp = far.sdp("passive", "sendonly", f"a=file-selector:hash:sha-1:{HASH}", transfer)
        contact = f"Contact: <sip:far@127.0.0.1:{rig.network.port}>"
        rig.network.answer(invite, "200 OK", contact, "Content-Type: application/sdp", body=sdp)
        await rig.network.receive("ACK")
        await far.receive()
        chunk(far, TEXT, 1, 5000, message="pulled1")
        await far.receive("200")
        await rig.network.receive("MESSAGE")
        assert stored(rig) == {"n.txt": TEXT.encode()}


async def test_a_file_that_is_not_there_any_more(tools: Any) -> None:
    async with meeting(tools) as (rig, far):
        dialog = ask(rig, tools, offer(far, tools))
        await accepted(rig, far, dialog)
        await rig.network.ask("BYE", rig.contact, cseq=2, **dialog)
        await tools.settled()
        rig.app.answer(rig.app.conversations[tools.FAR_NUMBER].messages[-1].id, True)
        invite = await rig.network.receive("INVITE")
        assert "file-range" not in invite.body
        rig.network.answer(invite, "488 Not Acceptable Here")
        await rig.network.receive("ACK")
        await tools.settled()
        assert (file_of(rig, tools).state, file_of(rig, tools).asks) == (FAILED, True)
