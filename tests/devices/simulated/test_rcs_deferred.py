"""Deferred messages of the simulated RCS client against literal SIP and MSRP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from devices.simulated.rcs_deferred import PATIENCE_SECONDS
from tests.devices.simulated.msrp_wire import FarMsrp

ICSI = "3gpp-service.ims.icsi.oma.cpm.deferred"
OTHER = "sip:+12025550161@ims.mnc001.mcc001.3gppnetwork.org;user=phone"


@asynccontextmanager
async def provisioned(tools: Any, **options: Any) -> AsyncIterator[tuple[Any, FarMsrp]]:
    async with tools.rig(**options) as rig:
        rig.client.deferred.provision(True)
        await rig.register()
        far = FarMsrp()
        await far.listen()
        try:
            yield rig, far
        finally:
            far.close()


def uri(tools: Any) -> str:
    return f"sip:deferred-messages@{tools.DOMAIN}"


async def subscribed(rig: Any) -> Any:
    """The SUBSCRIBE, accepted."""
    subscribe = await rig.network.receive("SUBSCRIBE")
    rig.network.answer(subscribe, "200 OK", "Expires: 3600", "Contact: <sip:net@127.0.0.1>")
    return subscribe


async def tell(
    rig: Any, tools: Any, subscribe: Any, number: int = 1, state: str = "active;expires=3600"
) -> None:
    """NOTIFY without a body."""
    notify = rig.network.request(
        "NOTIFY",
        rig.contact,
        "Event: deferred-messages",
        f"Subscription-State: {state}",
        f"Contact: <sip:net@127.0.0.1:{rig.network.port}>",
        call_id=subscribe.header("Call-ID"),
        sender=f"<{uri(tools)}>;tag=net",
        to=f"<{tools.OWN}>;tag={subscribe.tag}",
        cseq=number,
    )
    rig.network.send(rig.contact, notify)
    assert (await rig.network.receive("SIP/2.0")).status == 200


def cpim(tools: Any, text: str, message_id: str, sender: str) -> str:
    return (
        f"From: <{sender}>\r\nTo: <{tools.OWN}>\r\nDateTime: 2024-02-29T12:00:00Z\r\n"
        f"NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: {message_id}\r\n"
        "imdn.Disposition-Notification: positive-delivery, display\r\n\r\n"
        f"Content-Type: text/plain\r\nContent-Length: {len(text)}\r\n\r\n{text}"
    )


async def fetched(rig: Any, far: FarMsrp, *messages: str) -> Any:
    """The INVITE of a fetch, accepted, and these handed out."""
    invite = await rig.network.receive("INVITE")
    contact = f"Contact: <sip:far@127.0.0.1:{rig.network.port}>"
    sdp = far.sdp("passive", "sendonly")
    rig.network.answer(invite, "200 OK", contact, "Content-Type: application/sdp", body=sdp)
    await rig.network.receive("ACK")
    assert (await far.receive()).header("Byte-Range") == "1-0/0"
    for message in messages:
        await far.deliver(message)
    return invite


async def hang_up(rig: Any, invite: Any) -> None:
    """BYE of the network."""
    dialog = {
        "call_id": invite.header("Call-ID"),
        "sender": f"{invite.header('To')};tag=net",
        "to": invite.header("From"),
    }
    rig.network.send(rig.contact, rig.network.request("BYE", rig.contact, **dialog))


async def test_it_is_told_and_fetches(tools: Any) -> None:
    async with provisioned(tools) as (rig, far):
        subscribe = await subscribed(rig)
        assert subscribe.start == f"SUBSCRIBE {uri(tools)} SIP/2.0"
        assert (subscribe.header("Event"), subscribe.header("Expires")) == ("deferred-messages", "3600")
        assert "Accept" not in subscribe.names
        assert subscribe.header("P-Preferred-Identity") == f"<{tools.OWN}>"
        await rig.network.nothing()
        await tell(rig, tools, subscribe)
        invite = await fetched(
            rig,
            far,
            cpim(tools, "of the far party", "one", tools.FAR),
            cpim(tools, "of another", "two", OTHER),
        )
        assert invite.start == f"INVITE {uri(tools)} SIP/2.0"
        assert invite.header("P-Preferred-Service") == f"urn:urn-7:{ICSI}"
        tag = f'+g.3gpp.icsi-ref="urn%3Aurn-7%3A{ICSI}"'
        assert invite.header("Contact") == f"<{rig.contact}>;{tag}"
        assert invite.header("Accept-Contact") == f"*;{tag}"
        assert "Event" not in invite.names
        assert "a=setup:active\r\n" in invite.body and "a=recvonly\r\n" in invite.body
        for target, message_id in ((tools.FAR, "one"), (OTHER, "two")):
            imdn = await rig.network.receive("MESSAGE")
            assert imdn.start == f"MESSAGE {target} SIP/2.0"
            assert f"<message-id>{message_id}</message-id><datetime>2024-02-29T12:00:00Z" in imdn.body
            assert "<delivered/>" in imdn.body
            rig.network.answer(imdn, "200 OK")
        assert sorted(rig.shown) == ["of another", "of the far party"]
        await hang_up(rig, invite)
        assert (await rig.network.receive("SIP/2.0")).status == 200


async def test_without_provisioning_it_asks_nobody(tools: Any) -> None:
    async with tools.rig() as rig:
        register = await rig.register()
        assert "deferred" not in register
        await rig.network.nothing()
        rig.client.deferred.provision(True)
        subscribe = await subscribed(rig)
        await tell(rig, tools, subscribe)
        rig.network.answer(await rig.network.receive("INVITE"), "404 Nothing")
        await rig.network.receive("ACK")
        rig.client.deferred.provision(False)
        leaving = await rig.network.receive("SUBSCRIBE")
        assert (leaving.header("Expires"), leaving.header("Call-ID")) == ("0", subscribe.header("Call-ID"))
        rig.client.deferred.provision(True)
        rig.network.answer(await rig.network.receive("SUBSCRIBE"), "489 Bad Event")
        rig.network.answer(leaving, "200 OK", "Expires: 0")
        await tell(rig, tools, subscribe, 2, "terminated;reason=timeout")
        await rig.network.nothing()


@pytest.mark.parametrize("status", ["489 Bad Event", "403 Forbidden"])
async def test_a_network_that_does_not_have_it(tools: Any, status: str) -> None:
    async with provisioned(tools) as (rig, _):
        rig.network.answer(await rig.network.receive("SUBSCRIBE"), status)
        await rig.network.nothing()
        await tools.advance(7200)
        await rig.network.nothing()


@pytest.mark.parametrize("status", ["403 Forbidden", "404 Nothing", "480 Later", "503 Busy"])
async def test_a_fetch_that_is_refused_waits_to_be_told_again(tools: Any, status: str) -> None:
    async with provisioned(tools) as (rig, far):
        subscribe = await subscribed(rig)
        await tell(rig, tools, subscribe)
        rig.network.answer(await rig.network.receive("INVITE"), status)
        await rig.network.receive("ACK")
        await rig.network.nothing()
        await tell(rig, tools, subscribe, 2)
        await fetched(rig, far, cpim(tools, "here", "one", tools.FAR))
        assert rig.shown == ["here"]


async def test_what_is_told_during_a_fetch_is_fetched_after_it(tools: Any) -> None:
    async with provisioned(tools) as (rig, far):
        subscribe = await subscribed(rig)
        await tell(rig, tools, subscribe)
        first = await fetched(rig, far)
        await tell(rig, tools, subscribe, 2)
        await rig.network.nothing()
        await hang_up(rig, first)
        assert (await rig.network.receive("SIP/2.0")).status == 200
        second = await rig.network.receive("INVITE")
        assert second.header("Call-ID") != first.header("Call-ID")
        assert second.header("Conversation-ID") == first.header("Conversation-ID")
        assert second.header("Contribution-ID") != first.header("Contribution-ID")


async def test_a_network_that_never_hangs_up_is_hung_up_on(tools: Any) -> None:
    async with provisioned(tools) as (rig, far):
        await tell(rig, tools, await subscribed(rig))
        await fetched(rig, far)
        await tools.advance(PATIENCE_SECONDS - 1)
        await far.deliver(cpim(tools, "late", "", tools.FAR))
        await tools.advance(PATIENCE_SECONDS - 1)
        await rig.network.nothing()
        await tools.advance(2)
        await rig.network.receive("BYE")


async def test_what_came_before_the_loss_is_not_shown_again(tools: Any) -> None:
    async with provisioned(tools) as (rig, far):
        one = cpim(tools, "first", "one", tools.FAR)
        await tell(rig, tools, await subscribed(rig))
        await fetched(rig, far, one)
        imdn = await rig.network.receive("MESSAGE")
        rig.network.answer(imdn, "200 OK")
        rig.lose_radio()
        rig.attach()
        await rig.be_registered()
        again = FarMsrp()
        await again.listen()
        await tell(rig, tools, await subscribed(rig))
        await fetched(rig, again, one, cpim(tools, "second", "two", tools.FAR))
        assert rig.shown == ["first", "second"]
        assert "<message-id>two</message-id>" in (await rig.network.receive("MESSAGE")).body
        await rig.network.nothing()
        again.close()


async def test_a_notify_without_subscription(tools: Any) -> None:
    async with tools.rig() as rig:
        await rig.register()
        rows = ("Event: deferred-messages", "Subscription-State: active", "Contact: <sip:net@127.0.0.1>")
        answer = await rig.network.ask("NOTIFY", rig.contact, *rows)
        assert answer.status == 481
        await rig.network.nothing()


async def test_nobody_hands_messages_out_unasked(tools: Any) -> None:
    async with provisioned(tools) as (rig, far):
        await subscribed(rig)
        invite = rig.network.invite(rig.contact, far.sdp("actpass", "sendonly"), "oma.cpm.deferred")
        rig.network.send(rig.contact, invite)
        assert (await rig.network.receive("SIP/2.0")).status == 488
