"""The simulated RCS client with OMA SIMPLE IM against literal SIP and MSRP."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from devices.simulated.conversations import MessageStatus
from devices.simulated.provisioned import properties, property_changed
from harness.cpm.technology import ImTechnology
from tests.devices.simulated.test_rcs_chat import ANONYMOUS, Far, chatting, texts

SIMPLE_IM = ImTechnology.SIMPLE_IM
PROPERTY = "debug.rcslab.im_technology"


def call(far: Far, *rows: str, body: str = "", kind: str = "application/sdp") -> None:
    """An INVITE of ours as SIMPLE IM writes it."""
    network, host = far.network, "127.0.0.1"
    text = network.request(
        "INVITE",
        far.rig.contact,
        f"Contact: <sip:far@{host}:{network.port}>;+g.oma.sip-im",
        f"P-Asserted-Identity: <{far.tools.FAR}>",
        "Accept-Contact: *;+g.oma.sip-im",
        "Contribution-ID: contrib-1",
        *rows,
        f"Content-Type: {kind}",
        body=body or far.msrp.sdp("actpass"),
        call_id="far-1",
        sender=f"<{far.tools.FAR}>;tag=net",
    )
    network.send(far.rig.contact, text)


async def test_the_first_text_rides_in_the_invite(tools: Any) -> None:
    async with chatting(tools, im_technology=SIMPLE_IM) as (rig, far):
        rig.write("first")
        rig.write("second")
        invite = await rig.network.receive("INVITE")
        assert invite.header("Accept-Contact") == "*;+g.oma.sip-im"
        assert invite.header("Contact").endswith(";+g.oma.sip-im")
        assert invite.header("Contribution-ID")
        for absent in ("Conversation-ID", "P-Preferred-Service", "InReplyTo-Contribution-ID"):
            assert absent not in invite.names
        boundary = re.fullmatch(r"multipart/mixed;boundary=(\w+)", invite.header("Content-Type"))
        assert boundary is not None
        sdp, message = invite.body.split(f"--{boundary[1]}")[1:3]
        assert "Content-Type: application/sdp\r\n\r\nv=0\r\n" in sdp
        assert f"Content-Type: message/cpim\r\n\r\nFrom: {ANONYMOUS}\r\nTo: {ANONYMOUS}\r\n" in message
        assert "imdn.Disposition-Notification: positive-delivery, display\r\n" in message
        assert message.endswith("\r\n\r\nfirst\r\n")
        await far.accept(invite)
        assert await texts(far, 1) == ["second"]
        assert rig.statuses == [MessageStatus.SENT, MessageStatus.SENDING]


async def test_a_session_without_a_conversation_id_changes_none(tools: Any) -> None:
    async with chatting(tools) as (rig, far):
        rig.write("first")
        invite = await rig.network.receive("INVITE")
        conversation = invite.header("Conversation-ID")
        rig.network.answer(invite, "486 Busy Here")
        await rig.network.receive("ACK")
        call(far)
        await far.taken(await rig.network.receive("SIP/2.0"))
        await far.msrp.deliver(far.cpim("from elsewhere", disposition=None))
        await far.hang_up()
        rig.app.start_chat()
        rig.write("second")
        assert (await rig.network.receive("INVITE")).header("Conversation-ID") == conversation


async def test_a_refusal_is_one_to_the_first_text(tools: Any) -> None:
    async with chatting(tools, im_technology=SIMPLE_IM) as (rig, _):
        rig.write("first")
        rig.network.answer(await rig.network.receive("INVITE"), "486 Busy Here")
        await rig.network.receive("ACK")
        await tools.settled()
        assert rig.statuses == [MessageStatus.NOT_SENT]


async def test_the_first_text_of_the_other_side_is_shown(tools: Any) -> None:
    async with chatting(tools, im_technology=SIMPLE_IM) as (rig, far):
        parts = (
            f"--b\r\nContent-Type: application/sdp\r\n\r\n{far.msrp.sdp('actpass')}\r\n"
            f"--b\r\nContent-Type: message/cpim\r\n\r\n{far.cpim('knock knock')}\r\n--b--\r\n"
        )
        call(far, "Subject: knock knock", body=parts, kind="multipart/mixed;boundary=b")
        await far.taken(await rig.network.receive("SIP/2.0"))
        shown = [
            message.text for message in rig.app.conversations[tools.FAR_NUMBER].messages if not message.note
        ]
        assert shown == ["knock knock"]


async def test_a_subject_alone_is_a_text_too(tools: Any) -> None:
    async with chatting(tools, im_technology=SIMPLE_IM) as (rig, far):
        call(far, "Subject: who is there")
        await far.taken(await rig.network.receive("SIP/2.0"))
        shown = [
            message.text for message in rig.app.conversations[tools.FAR_NUMBER].messages if not message.note
        ]
        assert shown == ["who is there"]


async def test_every_text_goes_in_a_session(tools: Any) -> None:
    async with chatting(tools, im_technology=SIMPLE_IM) as (rig, _):
        rig.app.end_chat()
        rig.write("not by pager")
        assert (await rig.network.receive("INVITE")).header("Accept-Contact") == "*;+g.oma.sip-im"


async def test_it_registers_anew_with_another_technology(tools: Any) -> None:
    async with tools.rig() as rig:
        await rig.register()
        assert properties(rig.client)[PROPERTY] == "cpm"
        property_changed(rig.client, PROPERTY, "telepathy")
        property_changed(rig.client, PROPERTY, "cpm")
        await rig.network.nothing()
        property_changed(rig.client, PROPERTY, "simple-im")
        gone = await asyncio.wait_for(rig.network.receive("REGISTER"), 5)
        assert "expires=0" in gone.header("Contact")
        rig.network.answer(gone, "200 OK")
        again = await rig.network.receive("REGISTER")
        contact = again.header("Contact")
        assert ";+g.oma.sip-im" in contact
        assert "icsi-ref" not in contact
        assert '+g.3gpp.iari-ref="urn%3Aurn-7%3A3gpp-application.ims.iari.rcse.ft"' in contact


@pytest.mark.parametrize("technology", list(ImTechnology))
async def test_what_it_announces_it_also_tells_in_options(tools: Any, technology: ImTechnology) -> None:
    async with tools.rig(im_technology=technology) as rig:
        await rig.register()
        rig.network.send(rig.contact, rig.network.request("OPTIONS", rig.contact))
        contact = (await rig.network.receive("SIP/2.0")).header("Contact")
        assert ("+g.oma.sip-im" in contact, "oma.cpm.session" in contact) == (
            technology is SIMPLE_IM,
            technology is ImTechnology.CPM,
        )
