"""Files of the simulated RCS client to a group and to several numbers, against literal SIP and MSRP.

RFC 5366 3 (the list), RFC 4579 (the focus), RFC 3892 (who of a group sends a file), RFC 5547.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from devices.simulated.conversations import AttachmentState, MessageStatus
from tests.devices.simulated.group_wire import (
    BOB,
    BOB_URI,
    CAROL,
    CAROL_URI,
    FOCUS,
    Focus,
    grouping,
    state,
    user,
)
from tests.devices.simulated.msrp_wire import FarMsrp
from tests.devices.simulated.test_rcs_files import HASH, PATH, TEXT, accept, content, meeting
from tests.devices.simulated.test_rcs_lists import told

SENT, DELIVERED, READ = MessageStatus.SENT, MessageStatus.DELIVERED, MessageStatus.READ
BOTH = f"{BOB},{CAROL}"


def attach(rig: Any, key: str) -> None:
    rig.app.files.write(PATH, TEXT.encode(), mtime=1_423_213_200)
    assert rig.app.attach(key, PATH, "text/plain")
    rig.app.press_send()


async def delivered(rig: Any, far: FarMsrp, invite: Any) -> None:
    """It is accepted, comes, and the client hangs up."""
    accept(rig, far, invite)
    await rig.network.receive("ACK")
    assert "".join(chunk.body for chunk in await content(far)) == TEXT
    rig.network.answer(await rig.network.receive("BYE"), "200 OK")


def parts_of(invite: Any) -> list[str]:
    mark = re.fullmatch(r"multipart/mixed;boundary=(\w+)", invite.header("Content-Type"))
    assert mark is not None
    return invite.body.split(f"--{mark[1]}")[1:-1]  # type: ignore[no-any-return]


# -- to several


async def test_a_file_to_several_goes_to_the_list_service(tools: Any) -> None:
    async with meeting(tools) as (rig, far):
        attach(rig, f"{BOTH},{BOB}")
        invite = await rig.network.receive("INVITE")
        service = f"sip:recipient-list@{tools.DOMAIN}"
        assert invite.start == f"INVITE {service} SIP/2.0"
        assert invite.header("To") == f"<{service}>"
        assert invite.header("Require") == "recipient-list-invite"
        assert invite.header("P-Preferred-Service").endswith("oma.cpm.filetransfer")
        sdp, head, listed = parts_of(invite)
        assert f"type:text/plain size:5000 hash:sha-1:{HASH}\r\n" in sdp and "a=sendonly\r\n" in sdp
        assert f"\r\nTo: <{service}>\r\n" in head and "Content-Disposition: render;handling=optional" in head
        assert "Content-Disposition: recipient-list\r\n" in listed
        own = [f"sip:{number}@{tools.DOMAIN};user=phone" for number in (BOB, CAROL)]
        assert re.findall('<entry uri="(.*?)" cp:copyControl="to"/>', listed) == own
        await delivered(rig, far, invite)


async def test_a_file_to_several_is_delivered_when_all_have_it(tools: Any) -> None:
    async with meeting(tools) as (rig, far):
        attach(rig, BOTH)
        invite = await rig.network.receive("INVITE")
        await delivered(rig, far, invite)
        message_id = re.findall(r"imdn\.Message-ID: (\w+)", invite.body)[0]
        for number, after in ((BOB, SENT), (BOB, SENT), (CAROL, DELIVERED)):
            await told(rig, tools, message_id, "delivered", number)
            assert rig.app.conversations[BOTH].messages[-1].status is after


async def test_what_is_no_number_gets_no_file(tools: Any) -> None:
    async with meeting(tools) as (rig, _):
        attach(rig, f"{BOB},somebody")
        await rig.network.nothing()
        assert "somebody" in rig.app.snackbar


# -- to a group


async def founded(rig: Any, focus: Focus) -> None:
    rig.app.create_group("Trip", [BOB, CAROL])
    await focus.accept()


async def test_a_file_to_a_group_goes_to_its_focus(tools: Any) -> None:
    async with grouping(tools) as (rig, focus):
        await founded(rig, focus)
        conversation = focus.conversation.key.partition(":")[2]
        attach(rig, focus.conversation.key)
        invite = await rig.network.receive("INVITE")
        assert invite.start == f"INVITE {FOCUS} SIP/2.0"
        assert invite.header("To") == f"<{FOCUS}>"
        assert invite.header("Conversation-ID") == conversation
        assert "Require" not in invite.head and "recipient-list" not in invite.body
        _, head = parts_of(invite)
        assert f"\r\nFrom: <{tools.OWN}>\r\nTo: <{FOCUS}>\r\n" in f"\r\n{head}"
        far = FarMsrp(session="filesession12345678901")
        await far.listen()
        await delivered(rig, far, invite)
        message = focus.conversation.messages[-1]
        assert (message.attachment.state, message.status) == (AttachmentState.DONE, SENT)
        found = re.findall(r"imdn\.Message-ID: (\w+)", head)[0]
        await focus.msrp.deliver(focus.imdn(found, "delivered"))  # whatever way it comes
        assert message.status is DELIVERED
        far.close()


async def test_a_file_joins_the_group_again_first(tools: Any) -> None:
    async with grouping(tools) as (rig, focus):
        await founded(rig, focus)
        await focus.notify(state(1, user(BOB_URI, "connected")))
        await focus.hang_up()
        unsubscribe = await rig.network.receive("SUBSCRIBE")
        rig.network.answer(unsubscribe, "200 OK", "Expires: 0", "Contact: <sip:watch@127.0.0.1>")
        attach(rig, focus.conversation.key)
        invite = await rig.network.receive("INVITE")
        assert "file-selector" not in invite.body
        await focus.accept(invite)
        assert "file-selector" in (await rig.network.receive("INVITE")).body


async def test_a_file_to_a_group_that_cannot_be_joined_fails(tools: Any) -> None:
    async with grouping(tools) as (rig, focus):
        await founded(rig, focus)
        await focus.notify(state(1, user(BOB_URI, "connected")))
        await focus.hang_up()
        await rig.network.receive("SUBSCRIBE")
        attach(rig, focus.conversation.key)
        rig.network.answer(await rig.network.receive("INVITE"), "403 Forbidden")
        await rig.network.receive("ACK")
        await tools.settled()
        attachment = next(each for each in focus.conversation.messages if each.attachment).attachment
        assert (attachment.state, attachment.why) == (AttachmentState.FAILED, "not connected")


# -- of a group


@pytest.mark.parametrize("known", [True, False])
async def test_a_file_of_a_member_is_shown_in_the_group(tools: Any, known: bool) -> None:
    """Its sender, who is notified by MESSAGE, stands in Referred-By; without the group it is the sender's."""
    async with grouping(tools) as (rig, focus):
        await founded(rig, focus)
        await focus.notify(state(1, user(BOB_URI, "connected"), user(CAROL_URI, "connected")))
        far = FarMsrp(session="filesession12345678901")
        await far.listen()
        sdp = far.sdp(
            "actpass",
            "sendonly",
            f'a=file-selector:name:"n.txt" type:text/plain size:5000 hash:sha-1:{HASH}',
            "a=file-transfer-id:abc123",
            accept="message/cpim text/plain",
        )
        head = focus.cpim("", "file-1", CAROL_URI, inner="text/plain")
        body = (
            f"--b71\r\nContent-Type: application/sdp\r\n\r\n{sdp}\r\n--b71\r\nContent-Type: message/cpim\r\n"
            f"Content-Disposition: render;handling=optional\r\n\r\n{head}\r\n--b71--\r\n"
        )
        uri = FOCUS if known else "sip:focus-of-others@ims.example"
        sender = f"<{uri}>;tag=net"
        text = rig.network.invite(
            rig.contact,
            body,
            "oma.cpm.filetransfer",
            f"Referred-By: <{CAROL_URI}>",
            call_id="far-file",
            sender=sender,
        )
        text = text.replace(f"Contact: <sip:far@127.0.0.1:{rig.network.port}>", f"Contact: <{uri}>;isfocus")
        text = text.replace("Content-Type: application/sdp", "Content-Type: multipart/mixed;boundary=b71", 1)
        rig.network.send(rig.contact, text)
        answer = await rig.network.receive("SIP/2.0")
        assert answer.status == 200, answer
        dialog = {"call_id": "far-file", "sender": sender, "to": answer.header("To")}
        rig.network.send(rig.contact, rig.network.request("ACK", rig.contact, cseq=answer.cseq, **dialog))
        await far.receive()
        assert (await far.deliver(TEXT, "text/plain")).method == "200"
        notification = await rig.network.receive("MESSAGE")
        assert notification.start == f"MESSAGE {CAROL_URI} SIP/2.0"
        assert f"\r\nTo: <{CAROL_URI}>\r\n" in f"\r\n{notification.body}"
        assert notification.header("Conversation-ID") == "conv-1"
        place = focus.conversation if known else rig.app.conversations[CAROL]
        message = [each for each in place.messages if each.attachment][-1]
        assert (message.sender, message.attachment.state) == (CAROL if known else "", AttachmentState.DONE)
        far.close()
