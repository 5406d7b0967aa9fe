"""1-1 chats of the simulated RCS client against literal SIP and MSRP."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest

from devices.simulated.conversations import ChatState, MessageStatus
from devices.simulated.provisioned import properties, property_changed
from devices.simulated.rcs_chat import GLARE_SECONDS
from tests.devices.simulated.msrp_wire import FarMsrp, MsrpWire

SENDING, SENT, NOT_SENT = MessageStatus.SENDING, MessageStatus.SENT, MessageStatus.NOT_SENT
DELIVERED, READ = MessageStatus.DELIVERED, MessageStatus.READ
ANONYMOUS = "<sip:anonymous@anonymous.invalid>"
COMPOSING = "application/im-iscomposing+xml"
ACTIVE = (
    '<?xml version="1.0" encoding="UTF-8"?><isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing">'
    "<state>active</state><refresh>60</refresh></isComposing>"
)


class Far:
    """The far party of one chat: what it says in SIP and MSRP."""

    def __init__(self, rig: Any, tools: Any) -> None:
        self.rig, self.network, self.tools = rig, rig.network, tools
        self.msrp = FarMsrp()
        self.invite: Any = None
        self.theirs: dict[str, Any] = {}
        self._cseq = 100

    # -- SIP

    async def accept(self, invite: Any = None) -> None:
        """200 to their INVITE, and the session is there."""
        self.invite = invite or await self.network.receive("INVITE")
        self.ok(self.invite)
        assert (await self.network.receive("ACK")).cseq == self.invite.cseq
        await self.begun()

    def ok(self, invite: Any, sdp: str = "") -> None:
        headers = (
            f"Contact: <sip:far@127.0.0.1:{self.network.port}>",
            "Allow: INVITE, ACK, CANCEL, BYE, UPDATE",
            "Supported: timer",
            "Require: timer",
            "Session-Expires: 1800;refresher=uac",
            "Content-Type: application/sdp",
        )
        self.network.answer(invite, "200 OK", *headers, body=sdp or self.msrp.sdp("passive"))
        self.theirs = {
            "call_id": invite.header("Call-ID"),
            "sender": f"<{self.tools.FAR}>;tag=net",
            "to": f"<{self.tools.OWN}>;tag={invite.tag}",
        }

    async def begun(self) -> None:
        first = await self.msrp.receive()
        assert first.header("Byte-Range") == "1-0/0"

    def call(self, call_id: str = "far-1", branch: str = "far1", setup: str = "actpass") -> None:
        """An INVITE of ours."""
        text = self.network.invite(
            self.rig.contact,
            self.msrp.sdp(setup),
            call_id=call_id,
            branch=branch,
            sender=f"<{self.tools.FAR}>;tag=net",
        )
        self.network.send(self.rig.contact, text)

    async def called(self, **options: Any) -> None:
        """Call, be accepted, and the session is there."""
        self.call(**options)
        await self.taken(await self.network.receive("SIP/2.0"))

    async def taken(self, answer: Any) -> None:
        assert answer.status == 200, answer
        self.theirs = {
            "call_id": answer.header("Call-ID"),
            "sender": f"<{self.tools.FAR}>;tag=net",
            "to": answer.header("To"),
        }
        self.network.send(
            self.rig.contact, self.network.request("ACK", self.rig.contact, cseq=answer.cseq, **self.theirs)
        )
        await self.begun()

    def cancel(self, call_id: str = "far-1", branch: str = "far1") -> None:
        sender = f"<{self.tools.FAR}>;tag=net"
        text = self.network.request("CANCEL", self.rig.contact, call_id=call_id, branch=branch, sender=sender)
        self.network.send(self.rig.contact, text)

    async def hang_up(self) -> None:
        self._cseq += 1
        bye = await self.network.ask("BYE", self.rig.contact, cseq=self._cseq, **self.theirs)
        assert bye.status == 200

    # -- MSRP

    def cpim(
        self,
        text: str,
        message_id: str = "mid-1",
        disposition: str | None = "positive-delivery, display",
        inner: str = "text/plain;charset=UTF-8",
    ) -> str:
        lines = [f"From: {ANONYMOUS}", f"To: {ANONYMOUS}", "DateTime: 2015-02-17T06:54:27Z"]
        lines += ["NS: imdn <urn:ietf:params:imdn>", f"imdn.Message-ID: {message_id}"]
        lines += [f"imdn.Disposition-Notification: {disposition}"] if disposition else []
        lines += ["", f"Content-Type: {inner}", f"Content-Length: {len(text.encode())}", "", text]
        return "\r\n".join(lines)

    def imdn(self, message_id: str, status: str) -> str:
        kind = {"delivered": "delivery", "displayed": "display"}[status]
        xml = (
            f'<imdn xmlns="urn:ietf:params:xml:ns:imdn"><message-id>{message_id}</message-id>'
            f"<datetime>2015-02-17T06:54:27Z</datetime><{kind}-notification><status><{status}/></status>"
            f"</{kind}-notification></imdn>"
        )
        return self.cpim(xml, f"own-{status}", None, "message/imdn+xml")


@asynccontextmanager
async def chatting(tools: Any, **options: Any) -> AsyncIterator[tuple[Any, Far]]:
    async with tools.rig(**options) as rig:
        await rig.register()
        far = Far(rig, tools)
        await far.msrp.listen()
        rig.app.open_conversation(tools.FAR_NUMBER)
        rig.app.start_chat()
        try:
            yield rig, far
        finally:
            far.msrp.close()


@contextmanager
def deaf_port() -> Iterator[int]:
    """A port whose queue is full: who connects is not answered."""
    with socket.socket() as server, socket.socket() as first, socket.socket() as second:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for client in (first, second):
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        yield server.getsockname()[1]


def state(rig: Any, tools: Any) -> ChatState:
    found: ChatState = rig.app.conversations[tools.FAR_NUMBER].session
    return found


def inner(wire: MsrpWire) -> str:
    return wire.body.split("\r\n\r\n", 2)[2]


async def texts(far: Far, count: int) -> Sequence[str]:
    return [inner(await far.msrp.receive()) for _ in range(count)]


# -- MO


async def test_the_first_text_invites_and_goes_in_the_session(tools: Any) -> None:
    async with chatting(tools) as (rig, far):
        rig.write("hello")
        invite = await rig.network.receive("INVITE")
        assert invite.start == f"INVITE {tools.FAR} SIP/2.0"
        assert state(rig, tools) is ChatState.STARTING
        await far.accept(invite)
        wire = await far.msrp.receive()
        assert state(rig, tools) is ChatState.OPEN
        assert wire.header("Content-Type") == "message/cpim"
        octets = len(wire.body.encode())
        assert wire.header("Byte-Range") == f"1-{octets}/{octets}"
        assert re.fullmatch(
            rf"From: {ANONYMOUS}\r\nTo: {ANONYMOUS}\r\n"
            r"DateTime: \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\r\nNS: imdn <urn:ietf:params:imdn>\r\n"
            r"imdn\.Message-ID: \w{24}\r\nimdn\.Disposition-Notification: positive-delivery, display\r\n\r\n"
            r"Content-Type: text/plain;charset=UTF-8\r\nContent-Length: 5\r\n\r\nhello",
            wire.body,
        )
        await tools.settled()
        assert rig.statuses == [SENT]
        for status, shown in (("delivered", DELIVERED), ("displayed", READ)):
            await far.msrp.deliver(far.imdn(wire.cpim("imdn.Message-ID"), status))
            assert rig.statuses == [shown]
        await far.msrp.nothing()


async def test_texts_written_while_it_rings_wait_and_keep_their_order(tools: Any) -> None:
    async with chatting(tools) as (rig, far):
        rig.write("one")
        invite = await rig.network.receive("INVITE")
        rig.network.answer(invite, "180 Ringing", f"Contact: <sip:far@127.0.0.1:{rig.network.port}>")
        rig.write("two")
        rig.write("three")
        await rig.network.nothing()
        await far.accept(invite)
        assert await texts(far, 3) == ["one", "two", "three"]
        rig.write("four")
        assert await texts(far, 1) == ["four"]


@pytest.mark.parametrize(
    "status", ["486 Busy Here", "603 Decline", "480 No Answer", "403 Forbidden", "488 No"]
)
async def test_a_refusal_is_one_to_all_texts_that_wait(tools: Any, status: str) -> None:
    async with chatting(tools) as (rig, _):
        rig.write("one")
        invite = await rig.network.receive("INVITE")
        rig.write("two")
        rig.network.answer(invite, status)
        assert (await rig.network.receive("ACK")).cseq == invite.cseq
        await rig.network.nothing()
        assert rig.statuses == [NOT_SENT, NOT_SENT]
        assert state(rig, tools) is ChatState.ENDED


async def test_silence_is_given_up(tools: Any) -> None:
    async with chatting(tools, t1=0.1) as (rig, _):
        rig.write("one")
        await rig.network.receive("INVITE")
        await tools.advance(6.5)
        assert rig.statuses == [NOT_SENT]


async def test_a_text_that_is_refused_was_not_sent(tools: Any) -> None:
    async with chatting(tools) as (rig, far):
        rig.write("one")
        await far.accept()
        far.msrp.answer(await far.msrp.receive(answered=False), "413 Too much")
        await tools.settled()
        assert rig.statuses == [NOT_SENT]
        rig.write("two")
        assert await texts(far, 1) == ["two"]
        await tools.settled()
        assert rig.statuses == [NOT_SENT, SENT]


async def test_a_session_without_msrp_is_ended_and_not_begun_again(tools: Any) -> None:
    async with chatting(tools) as (rig, far):
        rig.write("one")
        invite = await rig.network.receive("INVITE")
        far.msrp.close()
        far.ok(invite)
        await rig.network.receive("ACK")
        bye = await rig.network.receive("BYE")
        rig.network.answer(bye, "200 OK")
        await rig.network.nothing()
        assert rig.statuses == [NOT_SENT]
        assert state(rig, tools) is ChatState.ENDED


async def test_the_user_ends_it(tools: Any) -> None:
    async with chatting(tools) as (rig, far):
        rig.write("one")
        await far.accept()
        await far.msrp.receive()
        rig.app.end_chat()
        bye = await rig.network.receive("BYE")
        assert bye.header("Call-ID") == far.invite.header("Call-ID")
        rig.network.answer(bye, "200 OK")
        await asyncio.wait_for(far.msrp.closed.wait(), 5)
        assert state(rig, tools) is ChatState.ENDED


async def test_the_user_gives_up_while_it_rings(tools: Any) -> None:
    async with chatting(tools) as (rig, _):
        rig.write("one")
        invite = await rig.network.receive("INVITE")
        rig.network.answer(invite, "180 Ringing", f"Contact: <sip:far@127.0.0.1:{rig.network.port}>")
        rig.app.end_chat()
        cancel = await rig.network.receive("CANCEL")
        assert cancel.all("P-Access-Network-Info") == []
        rig.network.answer(cancel, "200 OK")
        rig.network.answer(invite, "487 Request Terminated")
        await rig.network.receive("ACK")
        await rig.network.nothing()
        assert rig.statuses == [NOT_SENT]


async def test_an_idle_session_ends_and_the_next_text_begins_another(tools: Any) -> None:
    async with chatting(tools, idle_seconds=30.0) as (rig, far):
        rig.write("one")
        await far.accept()
        await far.msrp.receive()
        await tools.advance(20)
        await far.msrp.deliver(far.cpim("still here", disposition=None))
        await tools.advance(29)
        await rig.network.nothing()
        await tools.advance(1.2)
        rig.network.answer(await rig.network.receive("BYE"), "200 OK")
        await tools.settled()
        assert state(rig, tools) is ChatState.PAUSED
        rig.write("two")
        await far.accept()
        assert await texts(far, 1) == ["two"]


async def test_how_long_a_session_may_idle_is_a_setting(tools: Any) -> None:
    async with chatting(tools) as (rig, far):
        rig.write("one")
        await far.accept()
        await far.msrp.receive()
        for nonsense in ("", "soon", "0", "-1", "nan", "inf"):
            property_changed(rig.client, "debug.rcslab.chat_idle", nonsense)
        property_changed(rig.client, "debug.rcslab.other", "30")
        await tools.advance(31)
        await rig.network.nothing()
        property_changed(rig.client, "debug.rcslab.chat_idle", "30")
        assert properties(rig.client)["debug.rcslab.chat_idle"] == "30"
        await tools.advance(30.2)
        await rig.network.receive("BYE")


async def test_timer_t1_is_a_setting(tools: Any) -> None:
    """RFC 3261 17.1.1.2: nothing answers for 64 * T1, whatever T1 is, on the next connection too."""
    async with chatting(tools) as (rig, _):
        property_changed(rig.client, "debug.rcslab.timer_t1", "0")
        assert properties(rig.client)["debug.rcslab.timer_t1"] == "0.5"
        property_changed(rig.client, "debug.rcslab.timer_t1", "0.05")
        for text in ("one", "two"):
            rig.app.start_chat()
            rig.write(text)
            await rig.network.receive("INVITE")
            await tools.advance(3.1)
            assert rig.statuses[-1] is SENDING
            await tools.advance(0.2)
            assert rig.statuses[-1] is NOT_SENT
            rig.lose_radio()
            rig.attach()
            await rig.be_registered()


async def test_a_lost_session_is_begun_anew_over_the_next_connection(tools: Any) -> None:
    async with chatting(tools) as (rig, far):
        rig.write("one")
        await far.accept()
        await far.msrp.receive()
        await tools.settled()
        rig.lose_radio()
        await rig.network.nothing()
        assert state(rig, tools) is ChatState.PAUSED
        rig.write("two")
        await rig.network.nothing()
        assert rig.statuses == [SENT, SENDING]
        rig.attach()
        await rig.be_registered()
        await far.accept()
        assert await texts(far, 1) == ["two"]


async def test_what_is_done_when_the_radio_goes_waits_for_the_next_connection(tools: Any) -> None:
    async with chatting(tools, capability_seconds=90) as (rig, far):
        await far.called()
        rig.app.set_visible(True)
        rig.lose_radio()  # and in the same instant:
        rig.write("in the tunnel")
        rig.write("to another", number="+491710000201")
        await rig.network.nothing()
        await far.msrp.nothing()
        assert rig.statuses == [SENDING]
        await rig.register()
        starts = [(await rig.network.receive()).start.split()[:2] for _ in range(3)]
        other = f"sip:+491710000201@{tools.DOMAIN};user=phone"
        assert sorted(starts) == [["INVITE", tools.FAR], ["MESSAGE", other], ["OPTIONS", other]]


async def test_a_text_whose_invite_was_lost_goes_over_the_next_connection(tools: Any) -> None:
    async with chatting(tools) as (rig, far):
        rig.write("one")
        await rig.network.receive("INVITE")
        rig.lose_radio()
        await rig.network.nothing()
        assert rig.statuses == [SENDING]
        rig.attach()
        await rig.be_registered()
        await far.accept()
        assert await texts(far, 1) == ["one"]


async def test_a_broken_msrp_connection_ends_the_session(tools: Any) -> None:
    async with chatting(tools) as (rig, far):
        rig.write("one")
        await far.accept()
        await far.msrp.receive()
        far.msrp.writer.close()
        bye = await rig.network.receive("BYE")
        rig.network.answer(bye, "200 OK")
        rig.write("two")
        await far.accept()
        assert await texts(far, 1) == ["two"]


async def test_the_session_is_refreshed_at_half_of_its_interval(tools: Any) -> None:
    async with chatting(tools, idle_seconds=5000.0) as (rig, far):
        rig.write("one")
        await far.accept()
        await far.msrp.receive()
        await tools.advance(895)
        await rig.network.nothing()
        await tools.advance(6)
        update = await rig.network.receive("UPDATE")
        assert (update.header("Session-Expires"), update.header("Min-SE")) == ("1800;refresher=uac", "90")
        assert (
            update.all("P-Preferred-Service")
            == update.all("Conversation-ID")
            == update.all("Content-Type")
            == []
        )
        assert update.header("P-Access-Network-Info") == tools.PANI
        assert update.header("Contact").startswith(f"<{rig.contact}>;+g.3gpp.icsi-ref=")


async def test_how_soon_a_session_is_refreshed_is_a_setting(tools: Any) -> None:
    async with chatting(tools, idle_seconds=5000.0) as (rig, far):
        rig.write("one")
        await far.accept()
        await far.msrp.receive()
        await tools.advance(100)
        assert properties(rig.client)["debug.rcslab.chat_refresh"] == "86400"
        property_changed(rig.client, "debug.rcslab.chat_refresh", "30")
        await tools.advance(29)
        await rig.network.nothing()
        await tools.advance(1.2)
        await rig.network.receive("UPDATE")


async def test_a_session_that_ends_before_it_begins_is_not_tried_again(tools: Any) -> None:
    async with chatting(tools) as (rig, far):
        rig.write("one")
        invite = await rig.network.receive("INVITE")
        with deaf_port() as port:
            far.ok(invite, far.msrp.sdp("passive").replace(f":{far.msrp.port}/", f":{port}/"))
            await rig.network.receive("ACK")
            await far.hang_up()  # while they connect
        await rig.network.nothing()
        assert rig.statuses == [NOT_SENT]
        assert state(rig, tools) is ChatState.ENDED


async def test_a_text_that_did_not_leave_at_all_goes_in_the_next_session(tools: Any) -> None:
    async with chatting(tools) as (rig, far):
        rig.write("one")
        await far.accept()
        await far.msrp.receive()
        await tools.settled()
        rig.write("two")
        rig.client._connection.sessions.endpoint.cut()  # before the text has its turn
        rig.network.answer(await rig.network.receive("BYE"), "200 OK")
        assert rig.statuses == [SENT, SENDING]
        await far.accept()
        assert await texts(far, 1) == ["two"]


# -- isComposing


async def test_typing_is_told_in_the_session_only(tools: Any) -> None:
    async with chatting(tools) as (rig, far):
        rig.app.type_text("h")
        await rig.network.nothing()
        rig.app.press_send()
        await far.accept()
        await far.msrp.receive()
        rig.app.type_text("a")
        wire = await far.msrp.receive()
        assert wire.header("Content-Type") == COMPOSING
        assert "<state>active</state><contenttype>text/plain</contenttype><refresh>120</refresh>" in wire.body
        rig.app.type_text("b")
        await far.msrp.nothing()
        rig.app.press_send()
        assert await texts(far, 1) == ["ab"]
        await tools.advance(20)
        await far.msrp.nothing()  # a text says that nobody writes any more
        rig.app.type_text("c")
        await far.msrp.receive()
        await tools.advance(10)
        rig.app.type_text("d")
        await tools.advance(10)
        await far.msrp.nothing()  # 15 seconds count from the last key
        await tools.advance(5.5)
        assert "<state>idle</state>" in (await far.msrp.receive()).body


async def test_who_writes_is_shown_until_the_text_comes(tools: Any) -> None:
    async with chatting(tools) as (rig, far):
        rig.write("one")
        await far.accept()
        await far.msrp.receive()
        conversation = rig.app.conversations[tools.FAR_NUMBER]
        await far.msrp.deliver(ACTIVE, COMPOSING)
        assert conversation.composing == [tools.FAR_NUMBER]
        await far.msrp.deliver(far.cpim("x", disposition=None))
        assert conversation.composing == []
        await far.msrp.deliver(ACTIVE, COMPOSING)
        await tools.advance(59)
        assert conversation.composing == [tools.FAR_NUMBER]
        await tools.advance(2)
        assert conversation.composing == []


async def test_nobody_writes_in_a_session_that_is_over(tools: Any) -> None:
    async with chatting(tools) as (rig, far):
        conversation = rig.app.conversations[tools.FAR_NUMBER]
        for number in range(2):
            await far.called(call_id=f"far-{number}", branch=f"far{number}")
            assert conversation.composing == []
            await far.msrp.deliver(ACTIVE, COMPOSING)
            assert conversation.composing == [tools.FAR_NUMBER]
            await far.hang_up()


# -- MT


async def test_an_invitation_is_accepted_and_texts_are_notified_in_the_session(tools: Any) -> None:
    async with chatting(tools) as (rig, far):
        await far.called()
        assert state(rig, tools) is ChatState.OPEN
        await far.msrp.deliver(far.cpim("hello"))
        wire = await far.msrp.receive()
        assert rig.shown == ["hello"]
        assert (wire.cpim("From"), wire.cpim("To")) == (ANONYMOUS, ANONYMOUS)
        assert wire.cpim("Content-Disposition") == "notification"
        assert "<message-id>mid-1</message-id><datetime>2015-02-17T06:54:27Z</datetime>" in wire.body
        assert "<delivered/>" in wire.body
        await far.msrp.nothing()  # the screen is dark
        rig.app.set_visible(True)
        assert "<displayed/>" in (await far.msrp.receive()).body
        await rig.network.nothing()  # no MESSAGE


async def test_a_message_that_is_repeated_is_shown_once(tools: Any) -> None:
    async with chatting(tools) as (rig, far):
        await far.called()
        for _ in range(2):
            await far.msrp.deliver(far.cpim("hello", disposition="display"))
        assert rig.shown == ["hello"]
        for _ in range(2):  # the SEND repeated, and nothing in it tells
            await far.msrp.deliver(far.cpim("again", "", None), message_id="same1")
        assert rig.shown == ["hello", "again"]


async def test_displayed_after_the_session_goes_by_message(tools: Any) -> None:
    async with chatting(tools) as (rig, far):
        await far.called()
        await far.msrp.deliver(far.cpim("hello"))
        await far.msrp.receive()
        await far.hang_up()
        assert state(rig, tools) is ChatState.ENDED
        rig.app.set_visible(True)
        wire = await rig.network.receive("MESSAGE")
        assert (wire.start, wire.header("To")) == (f"MESSAGE {tools.FAR} SIP/2.0", f"<{tools.FAR}>")
        assert (wire.cpim("From"), wire.cpim("To")) == (ANONYMOUS, ANONYMOUS)
        assert wire.header("Conversation-ID") == "conv-1"
        assert wire.header("Contribution-ID") != "contrib-1"
        assert "<displayed/>" in wire.body


async def test_an_invitation_waits_for_the_user(tools: Any) -> None:
    async with chatting(tools) as (rig, far):
        rig.app.acceptance.accept_chats = 0
        far.call()
        ringing = await rig.network.receive("SIP/2.0")
        assert ringing.status == 180
        (offer,) = rig.app.conversations[tools.FAR_NUMBER].offers
        rig.app.answer(offer.id, True)
        await far.taken(await rig.network.receive("SIP/2.0"))
        await far.msrp.deliver(far.cpim("hello", disposition=None))
        assert rig.shown == ["hello"]


async def test_the_user_declines(tools: Any) -> None:
    async with chatting(tools) as (rig, far):
        rig.app.acceptance.accept_chats = 0
        far.call()
        await rig.network.receive("SIP/2.0")
        rig.app.answer(rig.app.conversations[tools.FAR_NUMBER].offers[0].id, False)
        assert (await rig.network.receive("SIP/2.0")).status == 603


async def test_nobody_answers(tools: Any) -> None:
    async with chatting(tools, ring_seconds=20.0) as (rig, far):
        rig.app.acceptance.accept_chats = 0
        far.call()
        assert (await rig.network.receive("SIP/2.0")).status == 180
        await tools.advance(21)
        assert (await rig.network.receive("SIP/2.0")).status == 480
        assert rig.app.conversations[tools.FAR_NUMBER].offers == []


async def test_the_caller_gives_up(tools: Any) -> None:
    async with chatting(tools) as (rig, far):
        rig.app.acceptance.accept_chats = 0
        far.call()
        await rig.network.receive("SIP/2.0")
        far.cancel()
        assert {(await rig.network.receive("SIP/2.0")).status for _ in range(2)} == {200, 487}
        assert rig.app.conversations[tools.FAR_NUMBER].offers == []


async def test_who_replies_accepts(tools: Any) -> None:
    async with chatting(tools) as (rig, far):
        rig.app.acceptance.accept_chats = 0
        far.call()
        await rig.network.receive("SIP/2.0")
        (conversation,) = rig.app.conversations.values()
        assert conversation.offers
        rig.write("yes?")
        assert not conversation.offers
        await far.taken(await rig.network.receive("SIP/2.0"))
        assert await texts(far, 1) == ["yes?"]
        await rig.network.nothing()


@pytest.mark.parametrize("before", ["answer", "accept"])
async def test_what_is_withdrawn_while_it_is_accepted_makes_way_for_ours(tools: Any, before: str) -> None:
    async with chatting(tools) as (rig, far):
        rig.app.acceptance.accept_chats = 0
        far.call()
        await rig.network.receive("SIP/2.0")
        if before == "answer":
            rig.write("yes?")
            far.cancel()
            answer = await rig.network.receive("SIP/2.0")
            assert answer.status == 200  # too late to give it up
            assert (await rig.network.receive("SIP/2.0")).header("CSeq") == "1 CANCEL"
            await far.taken(answer)
        else:
            far.cancel()
            assert {(await rig.network.receive("SIP/2.0")).status for _ in range(2)} == {200, 487}
            rig.write("yes?")
            await far.accept()
        assert await texts(far, 1) == ["yes?"]


async def test_a_chat_that_takes_no_text_gets_none(tools: Any) -> None:
    async with chatting(tools) as (rig, far):
        rig.write("one")
        invite = await rig.network.receive("INVITE")
        sdp = far.msrp.sdp("passive", accept="message/cpim").replace(
            "wrapped-types:*", "wrapped-types:image/png"
        )
        far.ok(invite, sdp)
        await rig.network.receive("ACK")
        await far.begun()
        await far.msrp.nothing()
        assert rig.statuses == [NOT_SENT]


async def test_chats_that_are_over_are_forgotten(tools: Any) -> None:
    async with chatting(tools) as (rig, far):
        await far.called()
        assert len(rig.client.chats._chats) == 1
        await far.hang_up()
        assert rig.client.chats._chats == {}


async def test_a_chat_that_is_over_takes_no_later_one_with_it(tools: Any) -> None:
    async with chatting(tools) as (rig, far):
        sdp, dialog = (
            far.msrp.sdp("actpass").replace("a=path", "a=none"),
            {"call_id": "far-1", "branch": "far1"},
        )
        rig.network.send(rig.contact, rig.network.invite(rig.contact, sdp, **dialog))
        answer = await rig.network.receive("SIP/2.0")
        assert answer.status == 488
        acknowledged = rig.network.request("ACK", rig.contact, to=answer.header("To"), **dialog)
        rig.network.send(rig.contact, acknowledged)
        await far.called(call_id="far-2", branch="far2")
        await far.hang_up()
        far.msrp = FarMsrp(session="latersession12345678")
        await far.msrp.listen()
        await far.called(call_id="far-3", branch="far3")
        await tools.advance(GLARE_SECONDS)
        rig.app.open_conversation(tools.FAR_NUMBER)
        rig.app.end_chat()
        assert (await rig.network.receive("BYE")).header("Call-ID") == "far-3"
        far.msrp.close()


async def test_one_invitation_at_a_time_waits(tools: Any) -> None:
    async with chatting(tools) as (rig, far):
        rig.app.acceptance.accept_chats = 0
        far.call()
        assert (await rig.network.receive("SIP/2.0")).status == 180
        far.call("far-2", "far2")
        assert (await rig.network.receive("SIP/2.0")).status == 486


async def test_more_chats_than_there_can_be_are_busy(tools: Any) -> None:
    async with chatting(tools, most_chats=0) as (rig, far):
        far.call()
        assert (await rig.network.receive("SIP/2.0")).status == 486


async def test_a_second_invitation_takes_the_place_of_the_session(tools: Any) -> None:
    async with chatting(tools) as (rig, far):
        await far.called()
        other = Far(rig, tools)
        other.msrp = FarMsrp(session="othersession12345678")
        await other.msrp.listen()
        other.call("far-2", "far2")
        messages = [await rig.network.receive() for _ in range(2)]
        bye, answer = sorted(messages, key=lambda wire: wire.start.startswith("SIP"))
        assert (bye.method, bye.header("Call-ID")) == ("BYE", "far-1")
        rig.network.answer(bye, "200 OK")
        await other.taken(answer)
        rig.write("here")
        assert await texts(other, 1) == ["here"]
        other.msrp.close()


# -- both at once


async def test_both_invite_at_once_and_theirs_is_taken(tools: Any) -> None:
    async with chatting(tools) as (rig, far):
        rig.write("mine")
        ours = await rig.network.receive("INVITE")
        rig.network.answer(ours, "180 Ringing", f"Contact: <sip:far@127.0.0.1:{rig.network.port}>")
        far.call()
        messages = [await rig.network.receive() for _ in range(2)]
        cancel, answer = sorted(messages, key=lambda wire: wire.start.startswith("SIP"))
        assert (cancel.method, cancel.header("Call-ID")) == ("CANCEL", ours.header("Call-ID"))
        rig.network.answer(cancel, "200 OK")
        rig.network.answer(ours, "487 Request Terminated")
        await rig.network.receive("ACK")
        await far.taken(answer)
        assert await texts(far, 1) == ["mine"]
        await far.msrp.deliver(far.cpim("yours", disposition=None))
        await tools.settled()
        assert (rig.statuses, rig.shown) == ([SENT], ["yours"])


async def test_both_give_up_at_once_and_the_text_goes_a_moment_later(tools: Any) -> None:
    async with chatting(tools) as (rig, far):
        rig.write("mine")
        ours = await rig.network.receive("INVITE")
        far.call()
        answer = await rig.network.receive("SIP/2.0")
        assert answer.status == 200
        rig.network.answer(ours, "486 Busy Here")
        await rig.network.receive("ACK")
        far.theirs = {"call_id": "far-1", "sender": f"<{tools.FAR}>;tag=net", "to": answer.header("To")}
        await far.hang_up()  # they took ours for the better one and gave theirs up
        await rig.network.nothing()
        assert rig.statuses == [SENDING]
        await tools.advance(GLARE_SECONDS)
        await far.accept()
        assert await texts(far, 1) == ["mine"]
