"""Capability discovery of the simulated RCS client, against literal SIP (RFC 3261 11; RCC.07 2.6.1)."""

from __future__ import annotations

from typing import Any

import pytest

from devices.simulated.conversations import MessageStatus
from harness.sip.transaction import Timers

NUMBER = "+491710000201"
RCS = 'Contact: <sip:far@127.0.0.1>;+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.msg"'
RCS_E = 'Contact: <sip:far@127.0.0.1>;+g.3gpp.iari-ref="urn%3Aurn-7%3A3gpp-application.ims.iari.rcse.ft"'
SIMPLE_IM = "Contact: <sip:far@127.0.0.1>;+g.oma.sip-im"
NO_RCS = "Contact: <sip:far@127.0.0.1>;+g.3gpp.smsip"


def show(rig: Any) -> None:
    rig.app.set_visible(True)
    rig.app.open_conversation(NUMBER)


def capable(rig: Any) -> bool | None:
    known: bool | None = rig.app.conversations[NUMBER].capable
    return known


async def test_a_conversation_on_screen_asks_what_its_number_can_do(tools: Any) -> None:
    async with tools.rig(capability_seconds=90) as rig:
        await rig.register()
        show(rig)
        query = await rig.network.receive("OPTIONS")
        assert query.start == f"OPTIONS sip:{NUMBER}@{tools.DOMAIN};user=phone SIP/2.0"
        assert query.header("Accept-Contact") == (
            '*;+g.3gpp.iari-ref="urn%3Aurn-7%3A3gpp-application.ims.iari.rcse.im"'
        )
        assert "oma.cpm.msg" in query.header("Contact") and "oma.cpm.session" in query.header("Contact")
        assert query.header("P-Preferred-Identity") == f"<{tools.OWN}>"
        assert query.header("Accept") == "application/sdp"
        assert not {"P-Preferred-Service", "Conversation-ID", "Content-Type"} & set(query.names)
        rig.network.answer(query, "200 OK", RCS)
        await tools.settled()
        assert capable(rig) is True


async def test_a_conversation_that_is_on_screen_already_asks_when_there_is_a_registration(tools: Any) -> None:
    async with tools.rig(capability_seconds=90) as rig:
        show(rig)
        await rig.register()
        assert (await rig.network.receive("OPTIONS")).start.split()[1].startswith(f"sip:{NUMBER}@")
        await rig.network.nothing()


@pytest.mark.parametrize(
    ("answer", "headers", "known"),
    [
        ("200 OK", (RCS_E,), True),
        ("200 OK", (SIMPLE_IM,), True),
        ("200 OK", (NO_RCS,), False),
        ("200 OK", (), False),
        ("404 Not Found", (), False),
        ("604 Nowhere", (), False),
        ("480 Temporarily Unavailable", (), None),
        ("500 Server Error", (), None),
    ],
)
async def test_what_each_answer_tells(
    tools: Any, answer: str, headers: tuple[str, ...], known: bool | None
) -> None:
    async with tools.rig(capability_seconds=90) as rig:
        await rig.register()
        show(rig)
        rig.network.answer(await rig.network.receive("OPTIONS"), answer, *headers)
        await tools.settled()
        assert capable(rig) is known


async def test_what_is_known_is_good_for_its_time(tools: Any) -> None:
    async with tools.rig(capability_seconds=90) as rig:
        await rig.register()
        show(rig)
        rig.network.answer(await rig.network.receive("OPTIONS"), "200 OK", RCS)
        await tools.settled()
        show(rig)
        await rig.network.nothing()
        await tools.advance(91)
        show(rig)
        await rig.network.receive("OPTIONS")


async def test_a_challenge_is_answered_in_the_same_call(tools: Any) -> None:
    async with tools.rig(capability_seconds=90, password="secret") as rig:
        await rig.register()
        show(rig)
        first = await rig.network.receive("OPTIONS")
        rig.network.answer(
            first,
            "407 Proxy Authentication Required",
            'Proxy-Authenticate: Digest realm="ims.example",nonce="n1",qop="auth",algorithm=MD5',
        )
        second = await rig.network.receive("OPTIONS")
        assert (second.header("Call-ID"), second.cseq) == (first.header("Call-ID"), 2)
        assert second.header("From") == first.header("From")
        assert 'uri="' in second.header("Proxy-Authorization")


async def test_a_question_without_an_answer_is_asked_again(tools: Any) -> None:
    async with tools.rig(capability_seconds=90) as rig:
        await rig.register()
        show(rig)
        await rig.network.receive("OPTIONS")
        await tools.advance(Timers().t1 * 64 + 1)
        while not rig.network.inbox.empty():
            rig.network.inbox.get_nowait()
        show(rig)
        await rig.network.receive("OPTIONS")
        assert capable(rig) is None


async def test_a_client_provisioned_without_discovery_asks_nobody(tools: Any) -> None:
    async with tools.rig() as rig:
        await rig.register()
        show(rig)
        await rig.network.nothing()


async def test_who_asks_shows_that_they_have_rcs(tools: Any) -> None:
    async with tools.rig(capability_seconds=90) as rig:
        await rig.register()
        rig.app.open_conversation(tools.FAR_NUMBER)
        answer = await rig.network.ask("OPTIONS", rig.contact, RCS)
        assert answer.status == 200
        assert "oma.cpm.session" in answer.header("Contact")
        assert rig.app.conversations[tools.FAR_NUMBER].capable is True


async def test_a_number_without_rcs_is_not_written_to(tools: Any) -> None:
    async with tools.rig(capability_seconds=90) as rig:
        await rig.register()
        show(rig)
        rig.network.answer(await rig.network.receive("OPTIONS"), "404 Not Found")
        await tools.settled()
        rig.app.type_text("hello?")
        rig.app.press_send()
        assert rig.app.conversations[NUMBER].messages[-1].status is MessageStatus.NOT_SENT
        await rig.network.nothing()
