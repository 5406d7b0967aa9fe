"""Sessions of the simulated RCS client against literal wire text, with a service that only notes."""

from __future__ import annotations

import asyncio
import hashlib
import re
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from devices.simulated.own_certificate import own_certificate
from devices.simulated.rcs_sessions import Arrival, Hooks, RcsSessions, SessionCall
from harness.agent.msrp.services import Flow
from harness.agent.msrp.session import MsrpUser
from harness.agent.session.user import Ending
from tests.devices.simulated.msrp_wire import FarMsrp

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
SERVICE = "urn:urn-7:3gpp-service.ims.icsi.oma.cpm.session"
TAG = '+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.session"'
ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, REFER, NOTIFY, MESSAGE, PRACK"


class NotingService:
    """Takes every flow it is given."""

    def __init__(self, flows: Sequence[Flow] = (Flow.SESSION,)) -> None:
        self.flows = flows
        self.sessions: RcsSessions | None = None
        self.arrivals: list[Arrival] = []
        self.texts: list[str] = []
        self.endings: list[Ending] = []
        self.hooks = Hooks(
            msrp=lambda call: MsrpUser(message=lambda got: self.texts.append(got.content.read().decode())),
            ended=lambda call, ending: self.endings.append(ending),
        )

    def invited(self, arrival: Arrival) -> None:
        arrival.on_over = self.endings.append
        self.arrivals.append(arrival)

    def ready(self, sessions: RcsSessions) -> None:
        self.sessions = sessions

    def gone(self) -> None:
        self.sessions = None

    def answer(self, offer_id: str, accept: bool) -> bool:
        return False

    async def close(self) -> None:
        return

    def call(self, target: str) -> SessionCall:
        assert self.sessions is not None
        return self.sessions.invite(Flow.SESSION, target, ("conv-0", "contrib-0"), self.hooks)


@asynccontextmanager
async def noting(tools: Any, **options: Any) -> AsyncIterator[tuple[Any, NotingService, FarMsrp]]:
    service, far = NotingService(), FarMsrp()
    await far.listen()
    try:
        async with tools.rig(**options) as rig:
            rig.client.services = (service,)
            await rig.register()
            yield rig, service, far
    finally:
        far.close()


async def established(rig: Any, service: NotingService, far: FarMsrp, target: str) -> tuple[SessionCall, Any]:
    """A session of ours that is connected; its INVITE."""
    call = service.call(target)
    invite = await rig.network.receive("INVITE")
    rig.network.answer(invite, "200 OK", *two_hundred(rig, invite), body=far.sdp("passive"))
    assert (await rig.network.receive("ACK")).cseq == invite.cseq
    await far.receive()
    await asyncio.wait_for(call.opened(), 5)
    return call, invite


def two_hundred(rig: Any, invite: Any) -> list[str]:
    return [
        f"Contact: <sip:far@127.0.0.1:{rig.network.port}>;{TAG}",
        "Allow: INVITE, ACK, CANCEL, BYE, UPDATE",
        "Supported: timer",
        "Require: timer",
        "Session-Expires: 1800;refresher=uac",
        "Content-Type: application/sdp",
    ]


async def test_an_invite_field_by_field(tools: Any) -> None:
    async with noting(tools) as (rig, service, _):
        service.call(tools.FAR)
        wire = await rig.network.receive("INVITE")
        own, far = tools.OWN, tools.FAR
        assert wire.start == f"INVITE {far} SIP/2.0"
        transport = "TCP" if len(wire) > 1300 else "UDP"
        assert re.fullmatch(
            rf"SIP/2\.0/{transport} 127\.0\.0\.2:\d+;branch=z9hG4bK\w{{20,}};rport", wire.header("Via")
        )
        assert wire.header("Max-Forwards") == "70"
        assert wire.header("Route") == f"<sip:127.0.0.1:{rig.network.port};lr>, {tools.ROUTE}"
        assert re.fullmatch(rf"<{re.escape(own)}>;tag=\w{{12}}", wire.header("From"))
        assert wire.header("To") == f"<{far}>"
        assert wire.header("CSeq") == "1 INVITE"
        assert wire.header("Contact") == f"<{rig.contact}>;{TAG}"
        assert wire.header("Supported") == "timer"
        assert wire.header("Allow") == ALLOW
        assert (wire.header("Session-Expires"), wire.header("Min-SE")) == ("1800", "90")
        assert wire.header("P-Preferred-Identity") == f"<{own}>"
        assert wire.header("P-Preferred-Service") == SERVICE
        assert wire.header("P-Access-Network-Info") == tools.PANI
        assert wire.header("Accept-Contact") == f"*;{TAG}"
        assert wire.header("Conversation-ID") == "conv-0"
        assert wire.header("Contribution-ID") == "contrib-0"
        assert wire.header("User-Agent").startswith("IM-client/OMA1.0 ")
        assert wire.header("Content-Type") == "application/sdp"
        assert len(wire.names) == len(set(wire.names)) == 21
        assert re.fullmatch(
            r"v=0\r\no=- \d+ \d+ IN IP4 127\.0\.0\.2\r\ns=-\r\nc=IN IP4 127\.0\.0\.2\r\nt=0 0\r\n"
            r"m=message 9 TCP/MSRP \*\r\na=path:msrp://127\.0\.0\.2:9/[A-Za-z0-9]{16,};tcp\r\na=setup:active\r\n"
            r"a=accept-types:message/cpim application/im-iscomposing\+xml\r\n"
            r"a=accept-wrapped-types:text/plain message/imdn\+xml\r\na=sendrecv\r\n",
            wire.body,
        )


@pytest.mark.parametrize(
    ("personality", "m_port_is_9", "path_port_is_9"),
    [("reference", True, True), ("samsung-ims-5.0", True, False)],
)
async def test_the_ports_of_an_offer_are_a_habit(
    tools: Any, personality: str, m_port_is_9: bool, path_port_is_9: bool
) -> None:
    async with noting(tools, personality=personality) as (rig, service, _):
        service.call(tools.FAR)
        invite = await rig.network.receive("INVITE")
        m_port, path_port = re.findall(r"m=message (\d+)|path:msrp://[\d.]+:(\d+)/", invite.body)
        assert ((m_port[0] == "9"), (path_port[1] == "9")) == (m_port_is_9, path_port_is_9)


async def test_the_active_side_connects_and_says_so_at_once(tools: Any) -> None:
    async with noting(tools) as (rig, service, far):
        service.call(tools.FAR)
        invite = await rig.network.receive("INVITE")
        own_path = re.search(r"a=path:(\S+)", invite.body)
        rig.network.answer(invite, "200 OK", *two_hundred(rig, invite), body=far.sdp("passive"))
        ack = await rig.network.receive("ACK")
        assert ack.all("P-Access-Network-Info") == ack.all("P-Preferred-Identity") == ack.all("Contact") == []
        first = await far.receive()
        assert own_path is not None
        assert (first.header("To-Path"), first.header("From-Path")) == (far.path, own_path[1])
        assert first.header("Byte-Range") == "1-0/0"
        assert "Content-Type" not in first
        await far.deliver("hello", "message/cpim")
        assert service.texts == ["hello"]


@pytest.mark.parametrize("setup", ["actpass", "passive"])
async def test_an_offer_that_can_be_connected_to_is_answered_active(tools: Any, setup: str) -> None:
    async with noting(tools) as (rig, service, far):
        rig.network.send(rig.contact, rig.network.invite(rig.contact, far.sdp(setup)))
        await tools.settled()
        (arrival,) = service.arrivals
        assert (arrival.number, arrival.target) == (tools.FAR_NUMBER, tools.FAR)
        accepting = asyncio.ensure_future(arrival.accept(service.hooks))
        answer = await rig.network.receive("SIP/2.0")
        assert answer.status == 200
        assert answer.header("Contact") == f"<{rig.contact}>;{TAG}"
        assert answer.header("Record-Route") == f"<sip:127.0.0.1:{rig.network.port};lr>"
        assert (answer.header("Allow"), answer.header("Supported")) == (ALLOW, "timer")
        assert (answer.header("Conversation-ID"), answer.header("Contribution-ID")) == ("conv-1", "contrib-1")
        assert (answer.header("Require"), answer.header("Session-Expires")) == ("timer", "1800;refresher=uac")
        assert answer.header("P-Access-Network-Info") == tools.PANI
        assert answer.all("P-Preferred-Service") == answer.all("Max-Forwards") == []
        assert re.search(
            r"m=message 9 TCP/MSRP \*\r\na=path:msrp://127\.0\.0\.2:9/\w+;tcp\r\na=setup:active\r\n",
            answer.body,
        )
        await far.nothing()  # who answers connects when the other side knows of it
        rig.network.send(rig.contact, ack_of(rig, answer))
        assert (await far.receive()).header("To-Path") == far.path
        call = await accepting
        assert call is not None
        assert call.parties.conversation == "conv-1"


def ack_of(rig: Any, answer: Any) -> str:
    text: str = rig.network.request(
        "ACK", rig.contact, call_id=answer.header("Call-ID"), to=answer.header("To"), cseq=answer.cseq
    )
    return text


async def test_an_active_offer_is_waited_for_on_a_real_port(tools: Any) -> None:
    async with noting(tools) as (rig, service, _):
        far = FarMsrp()
        rig.network.send(rig.contact, rig.network.invite(rig.contact, far.sdp("active")))
        await tools.settled()
        accepting = asyncio.ensure_future(service.arrivals[0].accept(service.hooks))
        answer = await rig.network.receive("SIP/2.0")
        found = re.search(
            r"m=message (\d+) TCP/MSRP \*\r\na=path:(msrp://127\.0\.0\.2:(\d+)/\w+;tcp)\r\na=setup:passive",
            answer.body,
        )
        assert found is not None
        assert found[1] == found[3] != "9"
        rig.network.send(rig.contact, ack_of(rig, answer))
        await far.connect("127.0.0.2", int(found[1]))
        await tools.settled()
        far.remote = found[2]
        await far.deliver("hello", "message/cpim")
        assert service.texts == ["hello"]
        await accepting
        far.close()


@pytest.mark.parametrize(
    ("service", "direction", "focus", "flow"),
    [
        ("oma.cpm.session", "sendrecv", False, Flow.SESSION),
        ("oma.cpm.session", "sendrecv", True, Flow.GROUP),
        ("oma.cpm.session.group", "sendrecv", True, Flow.GROUP),
        ("oma.cpm.largemsg", "sendonly", False, Flow.LARGE),
        ("oma.cpm.filetransfer", "sendonly", False, Flow.FILE_PUSH),
        ("oma.cpm.filetransfer", "recvonly", False, Flow.FILE_PULL),
    ],
)
async def test_an_invite_reaches_the_service_it_is_for(
    tools: Any, service: str, direction: str, focus: bool, flow: Flow
) -> None:
    taking, far = NotingService([flow]), FarMsrp()
    async with tools.rig() as rig:
        rig.client.services = (taking,)
        await rig.register()
        text = rig.network.invite(rig.contact, far.sdp("actpass", direction), service)
        rig.network.send(
            rig.contact, text.replace(">\r\nP-Asserted-Id", ">;isfocus\r\nP-Asserted-Id") if focus else text
        )
        await tools.settled()
        assert [arrival.flow for arrival in taking.arrivals] == [flow]
        taking.arrivals[0].refuse(486)
        assert (await rig.network.receive("SIP/2.0")).status == 486


async def test_a_service_that_is_not_there_is_refused_and_not_announced(tools: Any) -> None:
    async with tools.rig() as rig:
        rig.client.services = (NotingService(),)
        rig.attach()
        register = await rig.network.receive("REGISTER")
        tags = "urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm."
        assert f'+g.3gpp.icsi-ref="{tags}msg,{tags}session"' in register.header("Contact")
        rig.contact = register.header("Contact").split(">")[0].strip("<")
        refused = await rig.network.ask("INVITE", rig.contact)
        assert (refused.status, refused.header("Warning")) == (488, '399 handset "no such service here"')


async def test_an_unknown_option_is_refused_before_the_service_sees_it(tools: Any) -> None:
    async with noting(tools) as (rig, service, far):
        invite = rig.network.invite(rig.contact, far.sdp("actpass"), "oma.cpm.session", "Require: timer, x-y")
        rig.network.send(rig.contact, invite)
        refused = await rig.network.receive("SIP/2.0")
        assert (refused.status, refused.header("Unsupported"), service.arrivals) == (420, "x-y", [])
        rig.defects.switch(["ignore_require"])
        rig.network.send(rig.contact, invite.replace("net-", "other-").replace("z9hG4bK", "z9hG4bKo"))
        await tools.settled()
        assert len(service.arrivals) == 1


async def test_a_cancel_ends_what_waits(tools: Any) -> None:
    async with noting(tools) as (rig, service, far):
        invite = rig.network.invite(rig.contact, far.sdp("actpass"), call_id="c1", branch="b1")
        rig.network.send(rig.contact, invite)
        await tools.settled()
        service.arrivals[0].ring()
        ringing = await rig.network.receive("SIP/2.0")
        assert (ringing.status, ringing.header("Contact")) == (180, f"<{rig.contact}>;{TAG}")
        cancel = rig.network.request("CANCEL", rig.contact, call_id="c1", branch="b1")
        rig.network.send(rig.contact, cancel)
        answers = [await rig.network.receive("SIP/2.0") for _ in range(2)]
        assert sorted((each.status, each.header("CSeq")) for each in answers) == [
            (200, "1 CANCEL"),
            (487, "1 INVITE"),
        ]
        (to_cancel,) = (each for each in answers if each.status == 200)
        assert to_cancel.all("P-Access-Network-Info") == []
        assert [ending.cause for ending in service.endings] == ["cancelled"]


async def test_requests_in_the_dialog_reach_the_session(tools: Any) -> None:
    async with noting(tools) as (rig, service, far):
        call, invite = await established(rig, service, far, tools.FAR)
        in_dialog = {
            "call_id": invite.header("Call-ID"),
            "sender": f"<{tools.FAR}>;tag=net",
            "to": f"<{tools.OWN}>;tag={invite.tag}",
        }
        update = await rig.network.ask(
            "UPDATE", rig.contact, "Session-Expires: 1800", "Supported: timer", cseq=7, **in_dialog
        )
        assert (update.status, update.header("Contact")) == (200, f"<{rig.contact}>;{TAG}")
        assert (update.header("Session-Expires"), update.header("Require")) == ("1800;refresher=uac", "timer")
        bye = await rig.network.ask("BYE", rig.contact, cseq=8, **in_dialog)
        assert (bye.status, [ending.by_us for ending in service.endings]) == (200, [False])
        assert not call.alive
        await asyncio.wait_for(far.closed.wait(), 5)
        gone = await rig.network.ask("UPDATE", rig.contact, cseq=9, **in_dialog)
        assert gone.status == 481


async def test_a_message_in_the_dialog_is_a_text_like_others(tools: Any) -> None:
    async with noting(tools) as (rig, service, far):
        _, invite = await established(rig, service, far, tools.FAR)
        in_dialog = {
            "call_id": invite.header("Call-ID"),
            "sender": f"<{tools.FAR}>;tag=net",
            "to": f"<{tools.OWN}>;tag={invite.tag}",
        }
        answer = await rig.text("by the way", disposition=None, cseq=7, **in_dialog)
        assert (answer.status, answer.header("Conversation-ID")) == (200, "conv-1")
        assert answer.all("Contact") == []
        refused = await rig.text("x", content_type="text/html", cseq=8, **in_dialog)
        assert refused.status == 415
        assert rig.shown == ["by the way"]


async def test_farewell_ends_sessions_before_the_registration(tools: Any) -> None:
    async with noting(tools) as (rig, service, far):
        _, invite = await established(rig, service, far, tools.FAR)
        rig.baseband.set_airplane(True)
        bye = await rig.network.receive("BYE")
        assert bye.header("Call-ID") == invite.header("Call-ID")
        assert bye.header("P-Access-Network-Info") == tools.PANI
        assert bye.all("Contact") == bye.all("P-Preferred-Identity") == []
        rig.network.answer(bye, "200 OK")
        assert "expires=0" in (await rig.network.receive("REGISTER")).header("Contact")


async def test_after_a_loss_nothing_is_sent(tools: Any) -> None:
    async with noting(tools) as (rig, service, far):
        call, _ = await established(rig, service, far, tools.FAR)
        rig.network.send(rig.contact, rig.network.invite(rig.contact, far.sdp("actpass")))
        await tools.settled()
        rig.lose_radio()
        await rig.network.nothing()  # no BYE, no 487
        await asyncio.wait_for(far.closed.wait(), 5)
        assert len(service.endings) == 2
        assert (call.alive, service.sessions) == (False, None)
        assert await call.carry(b"too late") is False
        assert far.inbox.empty()


async def test_answers_in_sessions_have_the_defects_of_answers(tools: Any) -> None:
    async with noting(tools, defects=("max_forwards_in_response",)) as (rig, service, far):
        rig.network.send(rig.contact, rig.network.invite(rig.contact, far.sdp("actpass")))
        await tools.settled()
        service.arrivals[0].refuse(486)
        assert (await rig.network.receive("SIP/2.0")).header("Max-Forwards") == "70"


async def test_a_challenge_to_an_invite_is_answered(tools: Any) -> None:
    challenge = 'Proxy-Authenticate: Digest realm="r", nonce="n1", algorithm=MD5, qop="auth"'
    async with noting(tools, password="geheim") as (rig, service, _):
        service.call(tools.FAR)
        first = await rig.network.receive("INVITE")
        rig.network.answer(first, "407 Proxy Authentication Required", challenge)
        assert (await rig.network.receive("ACK")).cseq == 1
        second = await rig.network.receive("INVITE")
        assert (second.cseq, second.header("Call-ID")) == (2, first.header("Call-ID"))
        assert second.directive("Proxy-Authorization", "uri") == tools.FAR
        assert second.body == first.body


async def test_a_small_interval_is_raised(tools: Any) -> None:
    async with noting(tools) as (rig, service, _):
        service.call(tools.FAR)
        first = await rig.network.receive("INVITE")
        rig.network.answer(first, "422 Session Interval Too Small", "Min-SE: 3600")
        assert (await rig.network.receive("ACK")).cseq == 1
        second = await rig.network.receive("INVITE")
        assert (second.cseq, second.header("Min-SE"), second.header("Session-Expires")) == (2, "3600", "3600")


async def test_a_session_over_tls_has_the_certificate_of_the_offer(tools: Any, authority: Any) -> None:
    """RFC 4975 14.4, RFC 8122: judged by ssl, which knows the two certificates and nothing else."""

    def fingerprint(octets: bytes) -> str:
        return hashlib.sha256(octets).digest().hex(":").upper()

    ours, theirs = own_certificate("sip:me@home.example"), authority.issue(self_signed=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*theirs)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(ours.certificate)
    came: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        came.put_nowait(((await reader.readuntil(b"$\r\n")).decode(), shown))

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    uri = f"msrps://127.0.0.1:{server.sockets[0].getsockname()[1]}/farsession1234567890;tcp"
    async with noting(tools, msrp_tls=ours) as (rig, service, far):
        service.call(tools.FAR)
        invite = await rig.network.receive("INVITE")
        assert "\r\nm=message 9 TCP/TLS/MSRP *\r\na=path:msrps://127.0.0.2:9/" in invite.body
        (told,) = re.findall(r"(?m)^a=fingerprint:sha-256 (\S+)\r$", invite.body)
        shown = fingerprint(ssl.PEM_cert_to_DER_cert(theirs[0].read_text()))
        answer = re.sub("m=.*", "m=message 9 TCP/TLS/MSRP *\r", far.sdp("passive"), count=1)
        answer = re.sub("a=path:.*", f"a=path:{uri}\r\na=fingerprint:sha-256 {shown}\r", answer)
        rig.network.answer(invite, "200 OK", *two_hundred(rig, invite), body=answer)
        assert (await rig.network.receive("ACK")).cseq == invite.cseq
        async with asyncio.timeout(5):
            send, certificate = await came.get()
        assert f"\r\nTo-Path: {uri}\r\nFrom-Path: msrps://127.0.0.2:9/" in send
        assert fingerprint(certificate) == told
    server.close()
