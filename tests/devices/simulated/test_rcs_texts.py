"""Texts and notifications of the simulated RCS client against literal wire text."""

from __future__ import annotations

import asyncio
import hashlib
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devices.simulated.conversations import MessageStatus
from devices.simulated.rcs_conversations import MEMORY

SENDING, SENT, NOT_SENT = MessageStatus.SENDING, MessageStatus.SENT, MessageStatus.NOT_SENT
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


def ids(wire: Any) -> tuple[str, str, str]:
    return wire.cpim("imdn.Message-ID"), wire.header("Contribution-ID"), wire.header("Conversation-ID")


# -- MO


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
async def test_text_field_by_field(tools: Any, transport: str) -> None:
    async with tools.rig(transport=transport) as rig:
        await rig.register()
        rig.write("123456789abcdef")
        wire = await rig.network.receive("MESSAGE")
        own, far = tools.OWN, tools.FAR
        assert wire.start == f"MESSAGE {far} SIP/2.0"
        used = "TCP" if transport == "TCP" or len(wire) > 1300 else "UDP"
        assert re.fullmatch(
            rf"SIP/2\.0/{used} 127\.0\.0\.2:\d+;branch=z9hG4bK[0-9a-f]{{24}};rport", wire.header("Via")
        )
        assert wire.header("Max-Forwards") == "70"
        assert wire.header("Route") == f"<sip:127.0.0.1:{rig.network.port};lr>, {tools.ROUTE}"
        assert re.fullmatch(rf"<{re.escape(own)}>;tag=\w{{12}}", wire.header("From"))
        assert wire.header("To") == f"<{far}>"
        assert re.fullmatch(r"\w{24}@127\.0\.0\.2", wire.header("Call-ID"))
        assert wire.header("CSeq") == "1 MESSAGE"
        assert wire.header("Supported") == "timer"
        assert wire.header("P-Preferred-Identity") == f"<{own}>"
        assert wire.header("P-Preferred-Service") == "urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg"
        assert wire.header("P-Access-Network-Info") == tools.PANI
        assert wire.header("Accept-Contact") == (
            '*;+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.msg"'
        )
        assert wire.header("Request-Disposition") == "no-fork"
        assert re.fullmatch(UUID, wire.header("Conversation-ID"))
        assert re.fullmatch(UUID, wire.header("Contribution-ID"))
        assert wire.header("User-Agent").startswith("IM-client/OMA1.0 ")
        assert wire.header("Content-Type") == "message/cpim"
        assert int(wire.header("Content-Length")) == len(wire.body)
        assert len(wire.names) == len(set(wire.names)) == 18
        assert wire.all("Contact") == []
        body = re.fullmatch(
            rf"From: <{re.escape(own)}>\r\nTo: <{re.escape(far)}>\r\n"
            r"DateTime: \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\r\nNS: imdn <urn:ietf:params:imdn>\r\n"
            r"imdn\.Message-ID: \w{24}\r\nimdn\.Disposition-Notification: positive-delivery, display\r\n\r\n"
            r"Content-Type: text/plain;charset=UTF-8\r\nContent-Length: 15\r\n\r\n123456789abcdef",
            wire.body,
        )
        assert body is not None
        assert rig.statuses == [SENDING]


async def test_a_request_above_1300_octets_goes_over_tcp(tools: Any) -> None:
    async with tools.rig() as rig:
        await rig.register()
        rig.write("x" * 300)
        wire = await rig.network.receive("MESSAGE")
        assert len(wire.encode()) > 1300
        assert wire.header("Via").startswith("SIP/2.0/TCP ")
        rig.network.answer(wire, "200 OK")
        await tools.settled()
        assert rig.statuses == [SENT]


@pytest.mark.parametrize("fill", ["x", "é"])
async def test_1300_octets_are_a_pager_message_and_1301_are_not(tools: Any, fill: str) -> None:
    async with tools.rig() as rig:
        await rig.register()
        text = fill * (1300 // len(fill.encode()))
        rig.write(text)
        wire = await rig.network.receive("MESSAGE")
        assert wire.body.endswith("\r\n\r\n" + text)
        rig.network.answer(wire, "200 OK")
        await tools.settled()
        rig.write(text + "x")
        invite = await rig.network.receive("INVITE")
        assert "a=file-selector:size:1301\r\n" in invite.body


@pytest.mark.parametrize(
    ("status", "shown"),
    [
        *[(f"{code} Accepted", SENT) for code in (200, 202)],
        *[(f"{code} No", NOT_SENT) for code in (302, 404, 480, 486, 500, 603)],
    ],
)
async def test_the_answer_decides_what_stands_under_the_text(
    tools: Any, status: str, shown: MessageStatus
) -> None:
    async with tools.rig() as rig:
        await rig.register()
        rig.write("hello")
        rig.network.answer(await rig.network.receive("MESSAGE"), status)
        await rig.network.nothing()
        assert rig.statuses == [shown]


@pytest.mark.parametrize("again", ["200 OK", "407 Proxy Authentication Required", "403 Forbidden"])
async def test_a_challenge_is_answered_once(tools: Any, again: str) -> None:
    challenge = 'Proxy-Authenticate: Digest realm="r", nonce="n1", algorithm=MD5, qop="auth"'
    async with tools.rig(password="geheim") as rig:
        await rig.register()
        rig.write("hello")
        first = await rig.network.receive("MESSAGE")
        rig.network.answer(first, "407 Proxy Authentication Required", challenge)
        second = await rig.network.receive("MESSAGE")
        for name in ("From", "To", "Call-ID"):
            assert second.header(name) == first.header(name)
        assert (second.cseq, ids(second), second.body) == (2, ids(first), first.body)
        assert second.header("Via") != first.header("Via")
        assert (len(second) > 1300) is second.header("Via").startswith("SIP/2.0/TCP")

        def md5(text: str) -> str:
            return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

        cnonce = second.directive("Proxy-Authorization", "cnonce")
        a1, a2 = md5(f"{tools.IMPI}:r:geheim"), md5(f"MESSAGE:{tools.FAR}")
        assert second.directive("Proxy-Authorization", "uri") == tools.FAR
        assert second.directive("Proxy-Authorization", "response") == md5(
            f"{a1}:n1:00000001:{cnonce}:auth:{a2}"
        )
        rig.network.answer(second, again, challenge.replace("n1", "n2"))
        await rig.network.nothing()
        assert rig.statuses == [SENT if again.startswith("200") else NOT_SENT]


@pytest.mark.parametrize("challenge", ["Digest", 'Digest realm="r"', "Basic x", '"'])
async def test_a_challenge_nobody_can_answer_is_a_refusal(tools: Any, challenge: str) -> None:
    async with tools.rig(password="geheim") as rig:
        await rig.register()
        for number in range(2):  # the second is not held up by the first
            rig.write(f"hello {number}")
            wire = await rig.network.receive("MESSAGE")
            rig.network.answer(wire, "407 Proxy", f"Proxy-Authenticate: {challenge}")
            await tools.settled()
        assert rig.statuses == [NOT_SENT, NOT_SENT]


async def test_silence_over_udp_is_given_up(tools: Any) -> None:
    async with tools.rig(t1=0.1) as rig:
        await rig.register()
        rig.write("a")
        first = await rig.network.receive("MESSAGE")
        await tools.advance(6)
        assert rig.statuses == [SENDING]
        await tools.advance(1)
        assert rig.statuses == [NOT_SENT]
        while not rig.network.inbox.empty():
            assert await rig.network.receive("MESSAGE") == first


async def test_one_outstanding_to_a_target(tools: Any) -> None:
    async with tools.rig() as rig:
        await rig.register()
        rig.write("one")
        rig.write("two")
        rig.write("other", "+12025550177")
        one, other = [await rig.network.receive("MESSAGE") for _ in range(2)]
        assert (one.body[-3:], other.body[-5:]) == ("one", "other")
        await rig.network.nothing()
        rig.network.answer(one, "200 OK")
        two = await rig.network.receive("MESSAGE")
        assert two.body.endswith("two")
        assert ids(one)[2] == ids(two)[2] != ids(other)[2]
        assert ids(one)[1] != ids(two)[1]


async def test_a_text_written_in_the_turn_of_an_answer_is_not_forgotten(tools: Any) -> None:
    async with tools.rig() as rig:
        await rig.register()
        outcome = rig.app.outcome

        def write_on(local_id: str, status: MessageStatus) -> None:
            outcome(local_id, status)
            if len(rig.statuses) < 3:
                rig.write(f"number {len(rig.statuses)}")

        rig.app.outcome = write_on
        rig.write("number 0")
        for number in range(3):
            wire = await rig.network.receive("MESSAGE")
            assert wire.body.endswith(f"number {number}")
            rig.network.answer(wire, "200 OK")


async def test_texts_written_without_coverage_go_after_registration_in_order(tools: Any) -> None:
    async with tools.rig() as rig:
        for number in range(3):
            rig.write(f"text {number}")
        rig.write("nobody", "12ab")
        await rig.network.nothing()
        assert rig.statuses == [SENDING] * 3
        assert rig.app.conversations["12ab"].messages[0].status is NOT_SENT
        await rig.register()
        for number in range(3):
            wire = await rig.network.receive("MESSAGE")
            assert wire.body.endswith(f"text {number}")
            rig.network.answer(wire, "200 OK")
        await tools.settled()
        assert rig.statuses == [SENT] * 3


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
async def test_a_text_in_flight_when_the_radio_is_lost_goes_again(tools: Any, transport: str) -> None:
    async with tools.rig(transport=transport) as rig:
        await rig.register()
        rig.write("hello")
        first = await rig.network.receive("MESSAGE")
        rig.lose_radio()
        await tools.settled()
        assert rig.statuses == [SENDING]
        await rig.register()
        again = await rig.network.receive("MESSAGE")
        assert ids(again) == ids(first)
        assert again.body == first.body
        assert again.header("Call-ID") != first.header("Call-ID")
        rig.network.answer(again, "200 OK")
        await rig.network.nothing()
        assert rig.statuses == [SENT]


async def test_a_connection_that_breaks_is_made_again(tools: Any) -> None:
    async with tools.rig(transport="TCP", retry_seconds=2) as rig:
        await rig.register()
        rig.write("hello")
        first = await rig.network.receive("MESSAGE")
        rig.network.drop_connections()
        await tools.settled()
        await tools.advance(2.5)
        again = await rig.network.receive("MESSAGE")
        assert ids(again) == ids(first)
        rig.network.answer(again, "200 OK")
        await tools.settled()
        assert rig.statuses == [SENT]


async def test_texts_wait_while_the_network_has_ended_the_registration(tools: Any) -> None:
    async with tools.rig() as rig:
        subscribe = await rig.register()
        rig.network.send(rig.contact, rig.network.reginfo(subscribe, rig.contact, "deactivated"))
        await rig.network.receive("SIP/2.0")
        register = await rig.network.receive("REGISTER")
        rig.write("hello")
        await rig.network.nothing()
        rig.network.accept(register)
        seen = {(await rig.network.receive()).method for _ in range(2)}
        assert seen == {"SUBSCRIBE", "MESSAGE"}


async def test_notifications_of_a_text_show_under_it(tools: Any) -> None:
    async with tools.rig() as rig:
        await rig.register()
        rig.write("hello")
        wire = await rig.network.receive("MESSAGE")
        rig.network.answer(wire, "200 OK")
        await tools.settled()
        for status, shown in (("delivered", MessageStatus.DELIVERED), ("displayed", MessageStatus.READ)):
            rig.network.send(rig.contact, rig.network.notification(rig.contact, ids(wire)[0], status))
            assert (await rig.network.receive("SIP/2.0")).status == 200
            await rig.network.nothing()
            assert rig.statuses == [shown]


# -- MT


async def test_a_text_is_answered_then_reported_delivered_then_displayed_once(tools: Any) -> None:
    async with tools.rig() as rig:
        await rig.register()
        answer = await rig.text("hi")
        assert answer.status == 200
        assert answer.header("Conversation-ID") == "conv-1"
        assert answer.header("Contribution-ID") == "contrib-1"
        assert answer.header("P-Access-Network-Info") == tools.PANI
        assert ";tag=" in answer.header("To")
        assert answer.all("Contact") == answer.all("Max-Forwards") == []
        assert answer.body == ""
        delivered = await rig.network.receive("MESSAGE")
        assert delivered.start == f"MESSAGE {tools.FAR} SIP/2.0"
        assert delivered.header("To") == f"<{tools.FAR}>"
        assert delivered.header("Conversation-ID") == "conv-1"
        assert re.fullmatch(UUID, delivered.header("Contribution-ID"))
        assert delivered.header("P-Preferred-Service").endswith(".oma.cpm.msg")
        assert (delivered.cpim("From"), delivered.cpim("To")) == (f"<{tools.OWN}>", f"<{tools.FAR}>")
        assert delivered.cpim("NS") == "imdn <urn:ietf:params:imdn>"
        assert re.fullmatch(r"\w{24}", delivered.cpim("imdn.Message-ID"))
        assert delivered.cpim("Content-Type") == "message/imdn+xml"
        assert delivered.cpim("Content-Disposition") == "notification"
        assert "Disposition-Notification" not in delivered.body
        assert delivered.body.endswith(
            '<imdn xmlns="urn:ietf:params:xml:ns:imdn"><message-id>mid-1</message-id>'
            "<datetime>2015-02-17T06:54:27Z</datetime>"
            "<delivery-notification><status><delivered/></status></delivery-notification></imdn>"
        )
        rig.network.answer(delivered, "200 OK")
        await rig.network.nothing()
        rig.app.set_visible(True)
        rig.app.open_conversation(tools.FAR_NUMBER)
        displayed = await rig.network.receive("MESSAGE")
        assert "<displayed/>" in displayed.body
        assert displayed.cpim("imdn.Message-ID") != delivered.cpim("imdn.Message-ID")
        rig.network.answer(displayed, "200 OK")
        rig.app.open_conversation(tools.FAR_NUMBER)
        await rig.network.nothing()


@pytest.mark.parametrize(
    ("disposition", "told"),
    [
        (None, []),
        ("negative-delivery", []),
        ("display", ["displayed"]),
        ("positive-delivery", ["delivered"]),
        ("positive-delivery;x=1 , display", ["delivered", "displayed"]),
    ],
)
async def test_only_what_was_asked_is_told(tools: Any, disposition: str | None, told: list[str]) -> None:
    async with tools.rig() as rig:
        await rig.register()
        rig.app.set_visible(True)
        rig.app.open_conversation(tools.FAR_NUMBER)
        assert (await rig.text("hi", disposition=disposition)).status == 200
        for status in told:
            wire = await rig.network.receive("MESSAGE")
            assert f"<{status}/>" in wire.body
            rig.network.answer(wire, "200 OK")
        await rig.network.nothing()
        assert rig.shown == ["hi"]


async def test_a_text_that_comes_twice_is_shown_and_reported_once(tools: Any) -> None:
    async with tools.rig() as rig:
        await rig.register()
        assert (await rig.text("hi")).status == 200
        rig.network.answer(await rig.network.receive("MESSAGE"), "200 OK")
        assert (await rig.text("hi")).status == 200
        await rig.network.nothing()
        assert rig.shown == ["hi"]


async def test_displayed_waits_for_the_next_registration(tools: Any) -> None:
    async with tools.rig() as rig:
        await rig.register()
        await rig.text("hi")
        rig.network.answer(await rig.network.receive("MESSAGE"), "200 OK")
        await tools.settled()
        rig.lose_radio()
        await tools.settled()
        rig.app.set_visible(True)
        rig.app.open_conversation(tools.FAR_NUMBER)
        await rig.network.nothing()
        await rig.register()
        displayed = await rig.network.receive("MESSAGE")
        assert "<displayed/>" in displayed.body
        assert displayed.header("Via").split(";")[0].endswith(rig.contact.rpartition("@")[2])


@pytest.mark.parametrize(
    "options",
    [
        {"content_type": "application/sdp"},
        {"inner": "image/png"},
        {"inner": "application/vnd.gsma.rcs-ft-http+xml"},
    ],
)
async def test_an_unknown_type_is_refused_with_accept(tools: Any, options: dict[str, Any]) -> None:
    async with tools.rig() as rig:
        await rig.register()
        answer = await rig.text("hi", **options)
        assert answer.status == 415
        assert answer.header("Accept") == "message/cpim, text/plain, message/imdn+xml, multipart/mixed"
        await rig.network.nothing()
        assert rig.shown == []


async def test_an_unknown_coding_is_refused_with_accept_encoding(tools: Any) -> None:
    async with tools.rig() as rig:
        await rig.register()
        answer = await rig.text("hi", "Content-Encoding: gzip")
        assert (answer.status, answer.header("Accept-Encoding")) == (415, "identity")


async def test_bare_text_is_taken_as_every_message_client_has_to(tools: Any) -> None:
    async with tools.rig() as rig:
        await rig.register()
        answer = await rig.network.ask("MESSAGE", rig.contact, "Content-Type: text/plain", body="plain")
        assert answer.status == 200
        await rig.network.nothing()
        assert rig.shown == ["plain"]


async def test_an_imdn_that_asks_for_one_gets_none(tools: Any) -> None:
    async with tools.rig() as rig:
        await rig.register()
        notification = rig.network.notification(
            rig.contact, "never-sent", "delivered", disposition="positive-delivery, display"
        )
        rig.network.send(rig.contact, notification)
        assert (await rig.network.receive("SIP/2.0")).status == 200
        await rig.network.nothing()


@pytest.mark.parametrize(
    ("require", "named"), [("foo", "foo"), ("timer, foo", "foo"), ("foo,bar", "foo, bar")]
)
async def test_unknown_require_is_refused_by_name(tools: Any, require: str, named: str) -> None:
    async with tools.rig() as rig:
        await rig.register()
        answer = await rig.text("hi", f"Require: {require}")
        assert (answer.status, answer.header("Unsupported")) == (420, named)
        assert (await rig.text("hi", "Require: timer")).status == 200
        assert rig.shown == ["hi"]


async def test_other_methods_are_refused(tools: Any) -> None:
    async with tools.rig() as rig:
        await rig.register()
        refused = await rig.network.ask("SUBSCRIBE", rig.contact)
        allowed = "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, REFER, NOTIFY, MESSAGE, PRACK"
        assert (refused.status, refused.header("Allow")) == (405, allowed)
        assert (await rig.network.ask("REFER", rig.contact, "Refer-To: <sip:x@y>")).status == 603
        assert (await rig.network.ask("BYE", rig.contact, to=f"<{tools.OWN}>;tag=x")).status == 481
        assert (await rig.network.ask("MESSAGE", rig.contact, to=f"<{tools.OWN}>;tag=x")).status == 481
        options = await rig.network.ask("OPTIONS", rig.contact)
        assert options.status == 200
        assert "+g.3gpp.icsi-ref=" in options.header("Contact")


@pytest.mark.parametrize("body", ["", "From x", "\r\n\r\n", "NS: imdn <urn:ietf:params:imdn>\r\n"])
async def test_malformed_cpim_is_a_bad_request(tools: Any, body: str) -> None:
    async with tools.rig() as rig:
        await rig.register()
        answer = await rig.network.ask("MESSAGE", rig.contact, "Content-Type: message/cpim", body=body)
        assert answer.status in (400, 415)
        assert rig.shown == []


async def test_the_recorded_route_leads_the_notification_back(tools: Any) -> None:
    async with tools.rig() as rig:
        await rig.register()
        await rig.text(
            "hi",
            cpim=(
                "imdn.IMDN-Record-Route: <sip:imdn2@relay.example>",
                "imdn.IMDN-Record-Route: First <sip:imdn1@relay.example>",
            ),
        )
        wire = await rig.network.receive("MESSAGE")
        assert wire.start == "MESSAGE sip:imdn2@relay.example SIP/2.0"
        assert wire.header("To") == "<sip:imdn2@relay.example>"
        assert re.findall(r"imdn\.IMDN-Route: (.*)\r", wire.body) == [
            "<sip:imdn2@relay.example>",
            "First <sip:imdn1@relay.example>",
        ]
        assert wire.cpim("To") == f"<{tools.FAR}>"


async def test_an_anonymous_sender_is_answered_by_the_asserted_identity(tools: Any) -> None:
    anonymous = "sip:anonymous@anonymous.invalid"
    async with tools.rig() as rig:
        await rig.register()
        await rig.text(
            "hi", sender=f'"Anonymous" <{anonymous}>;tag=x', cpim_from=anonymous, cpim_to=anonymous
        )
        wire = await rig.network.receive("MESSAGE")
        assert wire.start == f"MESSAGE {tools.FAR} SIP/2.0"
        assert (wire.cpim("From"), wire.cpim("To")) == (f"<{anonymous}>", f"<{anonymous}>")
        assert list(rig.app.conversations) == [tools.FAR_NUMBER]


async def test_a_sender_without_number_can_be_displayed(tools: Any) -> None:
    async with tools.rig() as rig:
        await rig.register()
        rig.app.set_visible(True)
        await rig.text("hi", sender="<sip:info.desk(1)@shop.example>;tag=x")
        rig.network.answer(await rig.network.receive("MESSAGE"), "200 OK")
        rig.app.open_conversation(next(iter(rig.app.conversations)))
        assert "<displayed/>" in (await rig.network.receive("MESSAGE")).body


@pytest.mark.parametrize(
    ("inner", "octets", "text"),
    [
        ("text/plain;charset=iso-8859-1", b"\xe9", "é"),
        ("text/plain;charset=martian", b"x", "x"),
        ("text/plain", "né".encode(), "né"),
        ("text/plain;charset=utf-8", b"\xff", "\ufffd"),
    ],
)
async def test_the_charset_of_the_text_counts(tools: Any, inner: str, octets: bytes, text: str) -> None:
    async with tools.rig() as rig:
        await rig.register()
        whole = rig.network.text(rig.contact, "@" * len(octets), inner=inner).encode()
        rig.network.send(rig.contact, whole.replace(b"\r\n\r\n" + b"@" * len(octets), b"\r\n\r\n" + octets))
        assert (await rig.network.receive("SIP/2.0")).status == 200
        assert rig.shown == [text]


# -- whatever comes

HOSTILE = [
    ("P-Asserted-Identity: <<>", "Content-Type: ;;"),
    ("Require: {}()", "Content-Type: message/cpim"),
    ("Conversation-ID: \x01", "Content-Type: message/cpim"),
    ("Content-Type: message", "Subject: x"),
    ("Referred-By: ,,,", "Content-Type: message/cpim; =;"),
]


@pytest.mark.parametrize("rows", HOSTILE)
async def test_hostile_headers_are_answered(tools: Any, rows: tuple[str, ...]) -> None:
    async with tools.rig() as rig:
        await rig.register()
        body = rig.network.text(rig.contact).partition("\r\n\r\n")[2]
        anonymous = "<sip:anonymous@anonymous.invalid>;tag=x"
        answer = await rig.network.ask("MESSAGE", rig.contact, *rows, body=body, sender=anonymous)
        assert answer.status in (200, 400, 415, 420)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.randoms(use_true_random=False), cuts=st.integers(1, 6))
def test_mutated_octets_never_break_the_client(
    tools: Any, caplog: pytest.LogCaptureFixture, seed: Any, cuts: int
) -> None:
    pieces = [
        b"\r\n",
        b"\x00",
        b"<",
        b">",
        b'"',
        b";",
        b"\xff",
        b":",
        b",",
        b" ",
        b"%",
        b"sip:",
        b"@",
        b"=",
        b"",
    ]

    def mutated(data: bytes) -> bytes:
        for _ in range(cuts):
            place = seed.randrange(len(data))
            data = data[:place] + seed.choice(pieces) + data[place + seed.randrange(4) :]
        return data

    async def scenario() -> None:
        async with tools.rig() as rig:
            await rig.register()
            for number in range(10):
                text = rig.network.text(
                    rig.contact, f"hi {number}", "Require: timer", message_id=f"m{number}",
                    cpim=("imdn.IMDN-Record-Route: <sip:r@relay.example>",),
                )  # fmt: skip
                rig.network.send(rig.contact, mutated(text.encode()))
                await tools.settled()
                while not rig.network.inbox.empty():
                    wire = rig.network.inbox.get_nowait()
                    if wire.method == "MESSAGE":
                        rig.network.answer(wire, "200 OK")
            answer = await rig.network.ask("OPTIONS", rig.contact)
            while answer.status == 400:  # of an earlier mutant
                answer = await rig.network.receive("SIP/2.0")
            assert answer.status == 200
            rig.write("still here")
            await rig.network.receive("MESSAGE")

    caplog.clear()
    with asyncio.Runner(loop_factory=tools.loop) as runner:
        runner.run(scenario())
    assert not [record.getMessage() for record in caplog.records if record.exc_info]


# -- days


async def test_what_is_remembered_is_bounded(tools: Any) -> None:
    async with tools.rig() as rig:
        await rig.register()
        notifications, conversations = rig.client.notifications, rig.client.conversations
        for number in range(MEMORY + 50):
            rig.write("x", f"+1202{number:07}")
            rig.client.send_text(f"+1202{number:07}", "x", False)
        held = (notifications._sent, notifications._received, notifications._unseen, conversations._known)
        assert [len(each) <= MEMORY for each in held] == [True] * 4
        assert len(notifications._sent) == len(conversations._known) == MEMORY


async def test_a_queue_that_is_empty_is_gone(tools: Any) -> None:
    async with tools.rig() as rig:
        await rig.register()
        rig.write("x")
        rig.network.answer(await rig.network.receive("MESSAGE"), "200 OK")
        await tools.settled()
        assert rig.client.outbox._queues == {}
        assert rig.client.outbox._workers == {}


async def test_what_comes_when_the_radio_is_gone_is_not_heard(tools: Any) -> None:
    async with tools.rig() as rig:
        await rig.register()
        rig.network.send(rig.contact, rig.network.text(rig.contact, "too late"))
        rig.lose_radio()
        await rig.network.nothing()
        assert rig.shown == []
