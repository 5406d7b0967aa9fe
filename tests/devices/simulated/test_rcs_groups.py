"""Groups of the simulated RCS client against literal SIP and MSRP (RFC 4579, 5366, 4575, 3515)."""

from __future__ import annotations

import re
from typing import Any

import pytest

from devices.simulated.conversations import MessageStatus
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

DELIVERED, READ, NOT_SENT = MessageStatus.DELIVERED, MessageStatus.READ, MessageStatus.NOT_SENT


async def founded(rig: Any, focus: Focus) -> Any:
    rig.app.create_group("Trip", [BOB, CAROL])
    return await focus.accept()


def people(focus: Focus) -> tuple[tuple[str, ...], tuple[str, ...]]:
    group = focus.conversation.group
    return group.members, group.invited


async def test_a_group_is_founded_by_a_list(tools: Any) -> None:
    async with grouping(tools) as (rig, focus):
        invite = await founded(rig, focus)
        assert invite.start == f"INVITE sip:conference-factory@{tools.DOMAIN} SIP/2.0"
        assert invite.header("To") == f"<sip:conference-factory@{tools.DOMAIN}>"
        assert invite.header("Require") == "recipient-list-invite"
        assert invite.header("Subject") == "Trip"
        service = "urn:urn-7:3gpp-service.ims.icsi.oma.cpm.session"
        assert invite.header("P-Preferred-Service") == f"{service}.group"
        assert invite.header("Accept-Contact") == f'*;+g.3gpp.icsi-ref="{service.replace(":", "%3A")}"'
        mark = re.fullmatch(r"multipart/mixed;boundary=(\w+)", invite.header("Content-Type"))
        assert mark is not None
        before, sdp, listed, after = invite.body.split(f"--{mark[1]}")
        assert (before, after) == ("", "--")
        assert sdp.startswith("\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n")
        assert "a=accept-types:message/cpim\r\n" in sdp
        wrapped = "text/plain message/imdn+xml application/im-iscomposing+xml"
        assert f"a=accept-wrapped-types:{wrapped}\r\n" in sdp
        assert listed.startswith(
            "\r\nContent-Type: application/resource-lists+xml\r\n"
            "Content-Disposition: recipient-list\r\n\r\n<?xml"
        )
        own = [f"sip:{number}@{tools.DOMAIN};user=phone" for number in (BOB, CAROL)]
        assert re.findall('<entry uri="(.*?)" cp:copyControl="to"/>', listed) == own
        watch = focus.watch
        assert watch.start == f"SUBSCRIBE {FOCUS} SIP/2.0"
        assert (watch.header("Event"), watch.header("Expires")) == ("conference", "3600")
        assert watch.header("Accept") == "application/conference-info+xml"
        assert watch.header("Call-ID") != invite.header("Call-ID")
        assert people(focus) == ((), (BOB, CAROL))


async def test_a_refresh_by_invite_repeats_the_offer_alone(tools: Any) -> None:
    async with grouping(tools) as (rig, focus):
        rig.app.create_group("Trip", [BOB])
        invite = await rig.network.receive("INVITE")
        headers = (
            f"Contact: <{FOCUS}>;isfocus",
            "Require: timer",
            "Session-Expires: 100;refresher=uac",
            "Content-Type: application/sdp",
        )
        rig.network.answer(invite, "200 OK", *headers, body=focus.msrp.sdp("passive"))
        await rig.network.receive("ACK")
        await focus.begun()
        await tools.advance(50.1)
        again = await rig.network.receive("INVITE")
        assert again.header("Content-Type") == "application/sdp"
        assert again.body == invite.body.split("\r\n\r\n", 1)[1].split("\r\n--")[0]
        assert "Require" not in again.head
        rig.network.answer(again, "200 OK", *headers, body=focus.msrp.sdp("passive"))
        await rig.network.receive("ACK")


async def test_state_comes_whole_then_in_parts(tools: Any) -> None:
    async with grouping(tools) as (rig, focus):
        await founded(rig, focus)
        own = user(tools.OWN, "connected")
        await focus.notify(state(1, own, user(BOB_URI, "pending"), user(CAROL_URI, "connected")))
        assert people(focus) == ((CAROL,), (BOB,))
        await focus.notify(state(2, user(BOB_URI, "connected"), kind="partial"))
        assert people(focus) == ((BOB, CAROL), ())
        left = "<disconnection-method>departed</disconnection-method>"
        await focus.notify(state(3, user(CAROL_URI, "disconnected", left), kind="partial"))
        assert people(focus) == ((BOB,), ())
        assert focus.notes == [f"{CAROL} joined", f"{BOB} joined", f"{CAROL} left"]


async def test_the_user_is_no_other_member_whatever_identity_the_focus_knows(tools: Any) -> None:
    registered = f"sip:001010123456789@{tools.DOMAIN}"
    async with grouping(tools) as (rig, focus):
        await founded(rig, focus)
        for version, own in enumerate((tools.OWN, "tel:+12025550101", registered), start=1):
            await focus.notify(state(version, user(own, "connected"), user(BOB_URI, "connected")))
            assert people(focus) == ((BOB,), ())


async def test_what_is_older_or_builds_on_what_is_missing_is_left_out(tools: Any) -> None:
    async with grouping(tools) as (rig, focus):
        await founded(rig, focus)
        await focus.notify(state(5, user(BOB_URI, "connected")))
        await focus.notify(state(5, user(CAROL_URI, "connected"), kind="partial"))
        await focus.notify(state(4, user(CAROL_URI, "connected")))
        await rig.network.nothing()
        assert people(focus) == ((BOB,), ())
        await focus.notify(state(8, user(CAROL_URI, "connected"), kind="partial"))
        refresh = await rig.network.receive("SUBSCRIBE")
        assert (refresh.header("Expires"), refresh.cseq) == ("3600", 2)
        await focus.notify(state(9, user(CAROL_URI, "connected"), kind="partial"))
        await rig.network.nothing()  # it is asked for once, whatever comes until it is answered
        rig.network.answer(refresh, "200 OK", "Expires: 3600", "Contact: <sip:watch@127.0.0.1>")
        await rig.network.nothing()
        assert people(focus) == ((BOB,), ())
        await focus.notify(state(10, user(BOB_URI, "connected"), user(CAROL_URI, "connected")))
        assert people(focus) == ((BOB, CAROL), ())


BOMB = (
    '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><conference-info '
    f'xmlns="urn:ietf:params:xml:ns:conference-info" entity="{FOCUS}" version="9"><users>&b;</users>'
    "</conference-info>"
)


@pytest.mark.parametrize("document", [BOMB, "<conference-info", "", "<other/>", state(9).replace("9", "x")])
async def test_a_state_that_cannot_be_read_changes_nothing(tools: Any, document: str) -> None:
    async with grouping(tools) as (rig, focus):
        await founded(rig, focus)
        await focus.notify(state(1, user(BOB_URI, "connected")))
        await focus.notify(document)
        await rig.network.nothing()
        await focus.notify(state(2, user(CAROL_URI, "connected"), kind="partial"))
        assert people(focus) == ((BOB, CAROL), ())


async def test_texts_and_notifications_go_as_rfc_7701_has_it(tools: Any) -> None:
    async with grouping(tools) as (rig, focus):
        await founded(rig, focus)
        focus.write("hello all")
        sent = await focus.msrp.receive()
        assert sent.body.startswith(f"From: <{tools.OWN}>\r\nTo: <{FOCUS}>\r\nDateTime: ")
        assert sent.cpim("imdn.Disposition-Notification") == "positive-delivery, display"
        message_id = sent.cpim("imdn.Message-ID")
        for sender in (BOB_URI, CAROL_URI):
            await focus.msrp.deliver(focus.imdn(message_id, "delivered", sender))
        assert focus.statuses == [DELIVERED]
        await focus.msrp.deliver(focus.imdn(message_id, "displayed", CAROL_URI))
        assert focus.statuses == [READ]

        rig.app.open_list()
        await focus.msrp.deliver(focus.cpim("hi from Carol", "mid-7", CAROL_URI))
        delivered = await focus.msrp.receive()
        assert delivered.body.startswith(f"From: <{tools.OWN}>\r\nTo: <{CAROL_URI}>\r\n")
        assert "<message-id>mid-7</message-id>" in delivered.body and "<delivered/>" in delivered.body
        await focus.msrp.nothing()
        rig.app.open_conversation(focus.conversation.key)
        rig.app.set_visible(True)
        displayed = await focus.msrp.receive()
        assert displayed.cpim("To") == f"<{CAROL_URI}>" and "<displayed/>" in displayed.body
        (text,) = [each for each in focus.conversation.messages if not each.outgoing and not each.note]
        assert (text.text, text.sender) == ("hi from Carol", CAROL)


async def test_a_notification_after_the_session_goes_to_the_member_by_message(tools: Any) -> None:
    async with grouping(tools) as (rig, focus):
        await founded(rig, focus)
        rig.app.open_list()
        await focus.msrp.deliver(focus.cpim("hi from Carol", "mid-7", CAROL_URI))
        assert "<delivered/>" in (await focus.msrp.receive()).body
        await focus.hang_up()
        rig.app.open_conversation(focus.conversation.key)
        rig.app.set_visible(True)
        message = await rig.network.receive("MESSAGE")
        assert message.start == f"MESSAGE {CAROL_URI} SIP/2.0"
        assert message.cpim("To") == f"<{CAROL_URI}>" and "<displayed/>" in message.body


async def test_typing_goes_inside_cpim_and_asks_for_nothing(tools: Any) -> None:
    async with grouping(tools) as (rig, focus):
        await founded(rig, focus)
        rig.app.open_conversation(focus.conversation.key)
        rig.app.type_text("W")
        typing = await focus.msrp.receive()
        assert typing.header("Content-Type") == "message/cpim"
        assert typing.cpim("To") == f"<{FOCUS}>"
        assert "\r\nContent-Type: application/im-iscomposing+xml\r\n" in typing.body
        assert "<state>active</state>" in typing.body and "Disposition-Notification" not in typing.body
        composing = (
            '<isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing"><state>active</state></isComposing>'
        )
        kind = "application/im-iscomposing+xml"
        await focus.msrp.deliver(focus.cpim(composing, "mid-2", CAROL_URI, disposition=None, inner=kind))
        assert focus.conversation.composing == [CAROL]


async def test_a_text_ends_the_typing_of_who_wrote_it(tools: Any) -> None:
    """RFC 3994 3.3: the content message itself says that its sender types no more."""
    composing = '<isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing"><state>{}</state></isComposing>'
    kind = "application/im-iscomposing+xml"

    async def types(focus: Any, who: str, state: str = "active") -> None:
        document = focus.cpim(
            composing.format(state), f"mid-{who}-{state}", who, disposition=None, inner=kind
        )
        await focus.msrp.deliver(document)

    async with grouping(tools) as (rig, focus):
        await founded(rig, focus)
        rig.app.open_list()
        await types(focus, BOB_URI)
        await types(focus, CAROL_URI)
        await focus.msrp.deliver(focus.cpim("here I am", "mid-9", CAROL_URI, disposition=None))
        assert focus.conversation.composing == [BOB]
        await types(focus, BOB_URI, "idle")
        assert focus.conversation.composing == []
        await types(focus, CAROL_URI)  # who goes on is shown anew
        assert focus.conversation.composing == [CAROL]
        await focus.hang_up()
        assert focus.conversation.composing == []


async def test_typing_stops_with_the_draft_and_with_the_text(tools: Any) -> None:
    async with grouping(tools) as (rig, focus):
        await founded(rig, focus)
        rig.app.open_conversation(focus.conversation.key)
        rig.app.type_text("W")
        assert "<state>active</state>" in (await focus.msrp.receive()).body
        rig.app.erase()
        assert "<state>idle</state>" in (await focus.msrp.receive()).body
        rig.app.type_text("Who comes?")
        assert "<state>active</state>" in (await focus.msrp.receive()).body
        rig.app.press_send()
        assert "Who comes?" in (await focus.msrp.receive()).body
        await tools.advance(200)
        await focus.msrp.nothing()  # neither idle nor active again: the text said enough


async def test_one_is_added_by_refer_and_several_by_a_list(tools: Any) -> None:
    async with grouping(tools) as (rig, focus):
        await founded(rig, focus)
        key = focus.conversation.key
        rig.client.add_to_group(key, "+12025550114")
        refer = await rig.network.receive("REFER")
        assert refer.start == f"REFER {FOCUS} SIP/2.0"
        assert ";tag=" not in refer.header("To")
        assert refer.header("Refer-To") == f"<sip:+12025550114@{tools.DOMAIN};user=phone;method=INVITE>"
        assert refer.header("Refer-Sub") == "false"
        assert refer.header("Supported") == "timer,norefersub"
        assert refer.header("Contact") == f"<{rig.contact}>"
        rig.network.answer(refer, "202 Accepted", "Refer-Sub: false")
        await tools.settled()
        rig.client.add_to_group(key, "+12025550115")
        rig.client.add_to_group(key, "+12025550116")
        refer = await rig.network.receive("REFER")
        assert refer.header("Require") == "multiple-refer,norefersub"
        assert refer.header("Refer-To") == f"<cid:{refer.header('Content-ID')[1:-1]}>"
        assert refer.header("Content-Disposition") == "recipient-list"
        assert re.findall(r'uri="sip:(\+\d+)@', refer.body) == ["+12025550115", "+12025550116"]
        rig.network.answer(refer, "403 Forbidden")
        await tools.settled()
        assert rig.app.snackbar == "Couldn't add people"


async def test_one_is_removed_by_refer_with_the_uri_the_focus_knows_it_by(tools: Any) -> None:
    async with grouping(tools) as (rig, focus):
        await founded(rig, focus)
        uri = f"sip:{BOB}@elsewhere.example;user=phone"
        await focus.notify(state(1, user(uri, "connected"), user(CAROL_URI, "pending")))
        rig.app.open_conversation(focus.conversation.key)
        rig.app.remove_member(BOB)
        refer = await rig.network.receive("REFER")
        assert refer.start == f"REFER {FOCUS} SIP/2.0"
        assert ";tag=" not in refer.header("To")
        assert refer.header("Refer-To") == f"<{uri};method=BYE>"
        assert refer.header("Refer-Sub") == "false"
        rig.network.answer(refer, "200 OK", "Refer-Sub: false")
        await tools.settled()
        assert not rig.app.snackbar
        assert people(focus) == ((BOB,), (CAROL,))  # until the focus says otherwise
        gone = user(uri, "disconnected", "<disconnection-method>booted</disconnection-method>")
        await focus.notify(state(2, gone, kind="partial"))
        assert focus.notes[-1] == f"{BOB} left"


async def test_who_may_not_be_removed_stays_and_the_user_is_told(tools: Any) -> None:
    async with grouping(tools) as (rig, focus):
        await founded(rig, focus)
        rig.app.open_conversation(focus.conversation.key)
        rig.app.remove_member("+12025550199")
        assert rig.app.snackbar == "+12025550199 is not in the group"
        rig.app.remove_member(BOB)
        refer = await rig.network.receive("REFER")
        rig.network.answer(refer, "403 Forbidden")
        await tools.settled()
        assert rig.app.snackbar == "Couldn't remove this person"
        assert people(focus) == ((), (BOB, CAROL))
        await focus.hang_up()
        rig.app.remove_member(BOB)
        assert rig.app.snackbar == "The group is not connected"


async def test_leaving_says_bye_and_unsubscribes(tools: Any) -> None:
    async with grouping(tools) as (rig, focus):
        await founded(rig, focus)
        await focus.notify(state(1, user(BOB_URI, "connected")))
        rig.app.leave_group()
        bye = await rig.network.receive("BYE")
        assert bye.start == f"BYE {FOCUS} SIP/2.0"
        assert bye.header("Reason") == 'SIP;cause=200;text="Call completed"'
        rig.network.answer(bye, "200 OK")
        leave = await rig.network.receive("SUBSCRIBE")
        assert leave.header("Expires") == "0"
        rig.network.answer(leave, "200 OK", "Expires: 0", "Contact: <sip:watch@127.0.0.1>")
        await focus.notify("", "terminated;reason=timeout")
        await rig.network.nothing()


async def test_an_invitation_is_accepted(tools: Any) -> None:
    async with grouping(tools) as (rig, focus):
        members = (
            '<?xml version="1.0"?><resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list>'
            f'<entry uri="{CAROL_URI}"/><entry uri="{tools.OWN}"/></list></resource-lists>'
        )
        offer = (
            f"--b\r\nContent-Type: application/sdp\r\n\r\n{focus.msrp.sdp('actpass')}\r\n--b\r\n"
            "Content-Type: application/resource-lists+xml\r\n"
            f"Content-Disposition: recipient-list-history;handling=optional\r\n\r\n{members}\r\n--b--\r\n"
        )
        text = rig.network.invite(
            rig.contact, "", "oma.cpm.session.group", "Subject: Lunch", f"Referred-By: <{BOB_URI}>",
            "Content-Type: multipart/mixed;boundary=b", call_id="far-1", sender=f"<{FOCUS}>;tag=net",
        )  # fmt: skip
        text = re.sub("Contact: <sip:far@.*?>", f"Contact: <{FOCUS}>;isfocus", text)
        text = text.replace("Content-Length: 0", f"Content-Length: {len(offer)}") + offer
        rig.network.send(rig.contact, text)
        answer = await focus.taken()
        assert "a=setup:active" in answer.body
        assert answer.header("Conversation-ID") == "conv-1"
        assert focus.conversation.title == "Lunch"
        assert people(focus) == ((), (BOB, CAROL))
        assert focus.watch.start == f"SUBSCRIBE {FOCUS} SIP/2.0"


async def test_the_user_declines(tools: Any) -> None:
    async with grouping(tools) as (rig, focus):
        rig.app.acceptance.accept_groups = 0
        focus.call()
        assert (await rig.network.receive("SIP/2.0")).status == 180
        (offer,) = focus.conversation.offers
        assert BOB in offer.text and "Lunch" in offer.text
        rig.app.answer(offer.id, False)
        assert (await rig.network.receive("SIP/2.0")).status == 603


async def test_a_text_joins_again_with_the_same_ids(tools: Any) -> None:
    async with grouping(tools) as (rig, focus):
        first = await founded(rig, focus)
        await focus.notify(state(1, user(BOB_URI, "connected")))
        await focus.hang_up()
        leave = await rig.network.receive("SUBSCRIBE")
        rig.network.answer(leave, "200 OK", "Expires: 0", "Contact: <sip:watch@127.0.0.1>")
        assert not focus.conversation.group.open
        focus.write("back again")
        again = await focus.accept()
        assert again.start == f"INVITE {FOCUS} SIP/2.0"
        for name in ("Conversation-ID", "Contribution-ID"):
            assert again.header(name) == first.header(name)
        assert "Require" not in again.head and again.header("Content-Type") == "application/sdp"
        assert (await focus.msrp.receive()).body.endswith("back again")


async def test_a_group_that_is_gone_is_founded_anew(tools: Any) -> None:
    async with grouping(tools) as (rig, focus):
        first = await founded(rig, focus)
        await focus.notify(state(1))
        await focus.hang_up('Reason: SIP;cause=410;text="Gone"')
        assert focus.notes == ["Group closed: Gone"]
        await rig.network.nothing()  # a focus that is gone needs no SUBSCRIBE
        focus.write("from the ashes")
        joining = await rig.network.receive("INVITE")
        rig.network.answer(joining, "404 Not Found")
        await rig.network.receive("ACK")
        anew = await focus.accept()
        assert anew.start.startswith("INVITE sip:conference-factory@")
        assert len(re.findall("<entry ", anew.body)) == 2
        for name in ("Conversation-ID", "Contribution-ID"):
            assert anew.header(name) == first.header(name)
        assert (await focus.msrp.receive()).body.endswith("from the ashes")


@pytest.mark.parametrize("status", ["403 Forbidden", "404 Not Found", "500 No"])
async def test_a_group_that_cannot_be_joined(tools: Any, status: str) -> None:
    async with grouping(tools) as (rig, focus):
        rig.app.join_group(FOCUS)
        invite = await rig.network.receive("INVITE")
        assert invite.start == f"INVITE {FOCUS} SIP/2.0"
        focus.write("hello?")
        rig.network.answer(invite, status)
        await rig.network.receive("ACK")
        await rig.network.nothing()
        assert focus.statuses == [NOT_SENT]
        assert focus.notes == [f"Couldn't connect: {status.partition(' ')[2]}"]


async def test_without_an_msrp_session_the_group_is_not_tried_again(tools: Any) -> None:
    async with grouping(tools) as (rig, focus):
        rig.app.create_group("Trip", [BOB])
        invite = await rig.network.receive("INVITE")
        refused = re.sub(r"m=message \d+", "m=message 0", focus.msrp.sdp("passive"))
        headers = (f"Contact: <{FOCUS}>;isfocus", "Content-Type: application/sdp")
        rig.network.answer(invite, "200 OK", *headers, body=refused)
        await rig.network.receive("ACK")
        rig.network.answer(await rig.network.receive("BYE"), "200 OK")
        await rig.network.nothing()
        assert not focus.conversation.group.open
        focus.write("once more")
        assert (await rig.network.receive("INVITE")).start == f"INVITE {FOCUS} SIP/2.0"


async def test_a_focus_calls_in_anew(tools: Any) -> None:
    """An INVITE to a group there is a session with: the old one is lost, the new one is taken unasked."""
    async with grouping(tools) as (rig, focus):
        rig.app.acceptance.accept_groups = 0
        invite = await founded(rig, focus)
        second = Focus(rig, tools)
        second.msrp = focus.msrp
        focus.call(call_id="far-2", conversation=invite.header("Conversation-ID"))
        answer = await rig.network.receive("SIP/2.0")
        assert answer.status == 200
        ack = rig.network.request(
            "ACK", rig.contact, cseq=1, call_id="far-2", sender=f"<{FOCUS}>;tag=net", to=answer.header("To")
        )
        rig.network.send(rig.contact, ack)
        seen = {(await rig.network.receive()).method for _ in range(3)}
        assert seen == {"BYE", "SUBSCRIBE"}
        assert len([each for each in rig.app.conversations.values() if each.group is not None]) == 1


async def test_texts_wait_for_coverage(tools: Any) -> None:
    async with grouping(tools) as (rig, focus):
        await founded(rig, focus)
        rig.lose_radio()
        await tools.settled()
        assert not focus.conversation.group.open
        focus.write("from the tunnel")
        await rig.network.nothing()
        rig.attach()
        await rig.be_registered()
        again = await focus.accept()
        assert again.start == f"INVITE {FOCUS} SIP/2.0"
        assert (await focus.msrp.receive()).body.endswith("from the tunnel")
