"""Dialogs from the messages of RFC 3665 3.2 and RFC 3261 12, 16.12.1; what RFC 2543 peers leave out."""

from __future__ import annotations

import pytest

from harness.errors import SipSyntaxError, UsageError
from harness.sip.dialog import (
    TARGET_REFRESH,
    Dialog,
    DialogId,
    Dialogs,
    DialogState,
    dialog_headers,
    needs_sips_contact,
)
from harness.sip.message import Request, Response, parse_message

VIA = "SIP/2.0/TCP client.atlanta.example.com:5060;branch=z9hG4bK74b76"
CALL_ID = "3848276298220188511@atlanta.example.com"
ALICE = "Alice <sip:alice@atlanta.example.com>;tag=9fxced76sl"
BOB = "Bob <sip:bob@biloxi.example.com>"
F4 = f"""INVITE sip:bob@biloxi.example.com SIP/2.0
Via: SIP/2.0/TCP client.atlanta.example.com:5060;branch=z9hG4bK74bf9
Max-Forwards: 70
Route: <sip:ss1.atlanta.example.com;lr>
From: {ALICE}
To: {BOB}
Call-ID: {CALL_ID}
CSeq: 2 INVITE
Contact: <sip:alice@client.atlanta.example.com;transport=tcp>
Content-Length: 0
"""
F7 = f"""INVITE sip:bob@client.biloxi.example.com SIP/2.0
Via: SIP/2.0/TCP ss2.biloxi.example.com:5060;branch=z9hG4bK721e4.1
Via: SIP/2.0/TCP client.atlanta.example.com:5060;branch=z9hG4bK74bf9
 ;received=192.0.2.101
Max-Forwards: 68
Record-Route: <sip:ss2.biloxi.example.com;lr>,
 <sip:ss1.atlanta.example.com;lr>
From: {ALICE}
To: {BOB}
Call-ID: {CALL_ID}
CSeq: 2 INVITE
Contact: <sip:alice@client.atlanta.example.com;transport=tcp>
Content-Length: 0
"""
F11 = f"""SIP/2.0 180 Ringing
Via: SIP/2.0/TCP client.atlanta.example.com:5060;branch=z9hG4bK74bf9
 ;received=192.0.2.101
Record-Route: <sip:ss2.biloxi.example.com;lr>,
 <sip:ss1.atlanta.example.com;lr>
From: {ALICE}
To: {BOB};tag=314159
Call-ID: {CALL_ID}
Contact: <sip:bob@client.biloxi.example.com;transport=tcp>
CSeq: 2 INVITE
Content-Length: 0
"""
F14 = F11.replace("180 Ringing", "200 OK")
BYE_F20 = f"""BYE sip:alice@client.atlanta.example.com SIP/2.0
Via: SIP/2.0/TCP ss1.atlanta.example.com:5060;branch=z9hG4bK2d4790.1
Max-Forwards: 68
From: {BOB};tag=314159
To: {ALICE}
Call-ID: {CALL_ID}
CSeq: 1 BYE
Content-Length: 0
"""


def read(text: str) -> Request | Response:
    return parse_message(text.replace("\n", "\r\n").encode() + b"\r\n")


def request(text: str, **changes: str) -> Request:
    found = read(text)
    assert isinstance(found, Request)
    for name, value in changes.items():
        found = found.with_header(name.replace("_", "-"), value)
    return found


def response(text: str, **changes: str) -> Response:
    found = read(text)
    assert isinstance(found, Response)
    for name, value in changes.items():
        found = found.with_header(name.replace("_", "-"), value)
    return found


def caller(answer: str = F14) -> Dialog:
    return Dialog.as_caller(request(F4), response(answer))


def callee(text: str = F7) -> Dialog:
    return Dialog.as_callee(request(text), "314159", contact="<sip:bob@client.biloxi.example.com>")


def in_dialog(method: str, cseq: int, contact: str = "") -> Request:
    text = BYE_F20.replace("BYE sip", f"{method} sip").replace("1 BYE", f"{cseq} {method}")
    return request(text.replace("Content-Length", f"Contact: {contact}\nContent-Length") if contact else text)


# -- what a dialog is made of (12.1)


def test_the_caller_takes_the_route_in_reverse_and_the_target_from_the_contact() -> None:
    dialog = caller()
    assert dialog.id == DialogId(CALL_ID, "9fxced76sl", "314159")
    assert dialog.local == ALICE
    assert dialog.remote == f"{BOB};tag=314159"
    assert dialog.remote_target == "sip:bob@client.biloxi.example.com;transport=tcp"
    assert dialog.route_set == ("sip:ss1.atlanta.example.com;lr", "sip:ss2.biloxi.example.com;lr")
    assert (dialog.local_cseq, dialog.remote_cseq) == (2, None)
    assert dialog.state is DialogState.CONFIRMED
    assert not dialog.secure
    assert not dialog.called


def test_the_callee_takes_the_route_in_order() -> None:
    dialog = callee()
    assert dialog.id == DialogId(CALL_ID, "314159", "9fxced76sl")
    assert dialog.local == f"{BOB};tag=314159"
    assert dialog.remote == ALICE
    assert dialog.remote_target == "sip:alice@client.atlanta.example.com;transport=tcp"
    assert dialog.route_set == ("sip:ss2.biloxi.example.com;lr", "sip:ss1.atlanta.example.com;lr")
    assert (dialog.local_cseq, dialog.remote_cseq) == (None, 2)
    assert dialog.state is DialogState.EARLY
    dialog.confirm()
    assert dialog.state is DialogState.CONFIRMED


def test_the_response_that_makes_a_dialog_repeats_every_record_route_and_shows_a_contact() -> None:
    assert dialog_headers(request(F7), "<sip:bob@192.0.2.4>") == [
        ("Record-Route", "<sip:ss2.biloxi.example.com;lr>, <sip:ss1.atlanta.example.com;lr>"),
        ("Contact", "<sip:bob@192.0.2.4>"),
    ]


@pytest.mark.parametrize(
    ("over_tls", "uri", "secure"),
    [(True, "sips:bob@biloxi.example.com", True), (True, "sip:b@c", False), (False, "sips:b@c", False)],
)
def test_only_sips_over_tls_makes_a_dialog_secure(over_tls: bool, uri: str, secure: bool) -> None:
    asked = request(F4).with_uri(uri)
    assert Dialog.as_caller(asked, response(F14), over_tls=over_tls).secure is secure
    assert Dialog.as_callee(asked, "1", contact="<sips:b@c>", over_tls=over_tls).secure is secure


def test_sips_in_the_uri_the_top_record_route_or_else_the_contact_asks_for_a_sips_contact() -> None:
    assert not needs_sips_contact(request(F7))
    assert needs_sips_contact(request(F7).with_uri("sips:bob@c"))
    assert needs_sips_contact(request(F7, Record_Route="<sips:p;lr>"))
    assert not needs_sips_contact(request(F7, Contact="<sips:alice@client>"))
    assert needs_sips_contact(request(F4, Contact="<sips:alice@client>"))


@pytest.mark.parametrize("status", ["100 Trying", "302 Moved", "486 Busy Here"])
def test_no_other_response_makes_a_dialog(status: str) -> None:
    with pytest.raises(UsageError, match=r"12\.1"):
        caller(F14.replace("200 OK", status))


def test_record_route_header_parameters_do_not_come_back_as_route() -> None:
    dialog = Dialog.as_callee(
        request(F7, Record_Route='"edge" <sip:p1;lr;ftag=7>;hidden=yes'), "1", contact="<sip:b@c>"
    )
    assert dialog.route_set == ("sip:p1;lr;ftag=7",)


def test_a_caller_that_is_its_own_first_proxy_does_not_route_through_itself() -> None:
    asked = request(F4, Record_Route="<sip:ss1.atlanta.example.com;lr>")
    dialog = Dialog.as_caller(asked, response(F11))
    assert dialog.route_set == ("sip:ss2.biloxi.example.com;lr",)
    dialog.answered(response(F14))
    assert dialog.route_set == ("sip:ss2.biloxi.example.com;lr",)


def test_a_dialog_that_has_ended_is_not_revived_by_a_late_2xx() -> None:
    dialog = caller(F11)
    dialog.terminate()
    dialog.answered(response(F14))
    assert dialog.state is DialogState.TERMINATED


def test_a_route_that_cannot_be_read_does_not_keep_the_ack_away() -> None:
    dialog = caller(F14.replace("<sip:ss2.biloxi.example.com;lr>", "<sip:ss2.biloxi@@;lr>"))
    assert dialog.route_set == ("sip:ss1.atlanta.example.com;lr",)
    with pytest.raises(SipSyntaxError):
        callee(F7.replace("<sip:ss2.biloxi.example.com;lr>", "<sip:ss2.biloxi@@;lr>"))


def test_a_peer_of_rfc_2543_has_no_tags_and_no_contact() -> None:
    answer = F14.replace(";tag=314159", "").replace(
        "Contact: <sip:bob@client.biloxi.example.com;transport=tcp>\n", ""
    )
    dialog = caller(answer)
    assert dialog.id.remote_tag is None
    assert dialog.remote_target == "sip:bob@biloxi.example.com"
    assert dialog.request("BYE", via=VIA).get("To") == BOB

    asked = request(F7, From="sip:alice@atlanta.example.com").without("Contact")
    dialog = Dialog.as_callee(asked, "314159", contact="<sip:b@c>")
    assert dialog.id == DialogId(CALL_ID, "314159", None)
    assert dialog.remote_target == "sip:alice@atlanta.example.com"
    dialogs = Dialogs()
    dialogs.add(dialog)
    bye = request(BYE_F20, From="sip:alice@atlanta.example.com", To=f"{BOB};tag=314159")
    assert dialogs.find(bye) is dialog


def test_an_unreadable_contact_of_the_callee_leaves_the_request_uri() -> None:
    dialog = Dialog.as_caller(request(F4), response(F14, Contact="<sip:bob@@:::>"))
    assert dialog.remote_target == "sip:bob@biloxi.example.com"


def test_a_caller_that_cannot_be_reached_is_refused_with_the_place_of_its_contact() -> None:
    asked = request(F7, Contact="<tel:+491701234567>")
    with pytest.raises(SipSyntaxError, match=r"8\.1\.1\.8") as caught:
        callee(asked.raw.decode().replace("\r\n", "\n").removesuffix("\n"))
    assert asked.raw[caught.value.offset :].startswith(b"<tel:")


def test_a_display_name_with_control_characters_is_left_out_of_what_we_write() -> None:
    asked = request(F7).raw.replace(b"From: Alice", b'From: "A\\\x01"')
    found = parse_message(asked)
    assert isinstance(found, Request)
    dialog = Dialog.as_callee(found, "1", contact="<sip:b@c>")
    assert dialog.remote == "<sip:alice@atlanta.example.com>;tag=9fxced76sl"
    assert dialog.request("BYE", via=VIA).to.tag == "9fxced76sl"


# -- requests of ours (12.2.1.1)


def test_the_ack_of_rfc_3665_f15() -> None:
    ack = caller().request("ACK", via=VIA, cseq=2)
    assert ack.raw.decode() == (
        "ACK sip:bob@client.biloxi.example.com;transport=tcp SIP/2.0\r\n"
        f"Via: {VIA}\r\n"
        "Max-Forwards: 70\r\n"
        "Route: <sip:ss1.atlanta.example.com;lr>\r\n"
        "Route: <sip:ss2.biloxi.example.com;lr>\r\n"
        f"From: {ALICE}\r\n"
        f"To: {BOB};tag=314159\r\n"
        f"Call-ID: {CALL_ID}\r\n"
        "CSeq: 2 ACK\r\n"
        "Content-Length: 0\r\n\r\n"
    )


def test_each_request_has_the_next_number_and_an_ack_that_of_its_invite() -> None:
    dialog = caller()
    numbers = [dialog.request(method, via=VIA).cseq.number for method in ("INFO", "INVITE")]
    assert numbers == [3, 4]
    assert dialog.request("ACK", via=VIA, cseq=4).cseq.number == 4
    assert dialog.request("BYE", via=VIA).cseq.number == 5
    assert callee().request("BYE", via=VIA).cseq.number == 1


def test_the_same_request_by_another_way_keeps_its_number() -> None:
    dialog = caller()
    first = dialog.request("MESSAGE", via=VIA)
    again = dialog.request("MESSAGE", via=VIA.replace("TCP", "UDP"), cseq=first.cseq.number)
    assert again.cseq == first.cseq
    assert dialog.local_cseq == 3


def test_a_strict_first_hop_becomes_the_request_uri() -> None:
    """The example of 12.2.1.1."""
    rows = "<sip:proxy1>,<sip:proxy2>,<sip:proxy3;lr>,<sip:proxy4>"
    asked = request(F7, Record_Route=rows, Contact="<sip:user@remoteua>")
    dialog = Dialog.as_callee(asked, "1", contact="<sip:b@c>")
    bye = dialog.request("BYE", via=VIA)
    assert bye.uri == "sip:proxy1"
    assert [str(route.uri) for route in bye.routes] == [
        "sip:proxy2",
        "sip:proxy3;lr",
        "sip:proxy4",
        "sip:user@remoteua",
    ]
    assert str(dialog.next_hop) == "sip:proxy1"


def test_a_request_uri_has_neither_headers_nor_method() -> None:
    """19.1.1 table 1; a strict router's URI and the remote target alike."""
    asked = request(F7, Record_Route="<sip:proxy1;method=INVITE;ttl=1?Subject=x>")
    dialog = Dialog.as_callee(asked, "1", contact="<sip:b@c>")
    assert dialog.request("BYE", via=VIA).uri == "sip:proxy1;ttl=1"
    dialog = Dialog.as_callee(
        request(F4, Contact="<sip:al:pw@[2001:db8::1]:5070;method=X?To=y>"), "1", contact="<sip:b@c>"
    )
    assert dialog.request("BYE", via=VIA).uri == "sip:al:pw@[2001:db8::1]:5070"


def test_next_hop_is_the_first_route_or_the_remote_target() -> None:
    assert str(callee().next_hop) == "sip:ss2.biloxi.example.com;lr"
    assert str(callee(F4).next_hop) == "sip:alice@client.atlanta.example.com;transport=tcp"


def test_target_refresh_requests_show_our_contact() -> None:
    contact = "<sip:bob@client.biloxi.example.com>"
    for method in sorted(TARGET_REFRESH):
        assert callee().request(method, via=VIA).get("Contact") == contact
    moved = callee().request("UPDATE", [("m", "<sip:bob@192.0.2.9>")], via=VIA)
    assert moved.get_all("Contact") == ["<sip:bob@192.0.2.9>"]
    for method in ("BYE", "INFO", "MESSAGE", "PRACK", "OPTIONS"):
        assert "Contact" not in callee().request(method, via=VIA)


def test_headers_and_body_of_the_caller_go_along() -> None:
    asked = callee().request(
        "INFO", [("Max-Forwards", "5"), ("Info-Package", "foo"), ("Content-Type", "a/b")], b"xyz", via=VIA
    )
    assert (asked.max_forwards, asked.get("Info-Package"), asked.body) == (5, "foo", b"xyz")


@pytest.mark.parametrize("name", ["From", "t", "Via", "Call-ID", "CSeq", "Route"])
def test_what_the_dialog_gives_cannot_be_given(name: str) -> None:
    with pytest.raises(UsageError, match=r"12\.2\.1\.1"):
        callee().request("INFO", [(name, "x")], via=VIA)


def test_requests_that_make_no_sense_are_refused() -> None:
    dialog = callee()
    with pytest.raises(UsageError, match=r"9\.1"):
        dialog.request("CANCEL", via=VIA)
    with pytest.raises(UsageError, match="INVITE"):
        dialog.request("ACK", via=VIA)
    dialog.terminate()
    with pytest.raises(UsageError, match=r"12\.3"):
        dialog.request("BYE", via=VIA)
    assert dialog.request("ACK", via=VIA, cseq=7).cseq.number == 7  # a repeated 2xx after our BYE
    assert dialog.local_cseq is None


# -- responses (12.2.1.2, 13.2.2.4, RFC 6141 4.7)


def test_the_2xx_confirms_an_early_dialog_and_gives_its_route_anew() -> None:
    dialog = caller(F11)
    assert dialog.state is DialogState.EARLY
    dialog.request("UPDATE", via=VIA)
    dialog.answered(response(F14, Record_Route="<sip:p2;lr>, <sip:p1;lr>", Contact="<sip:bob@192.0.2.7>"))
    assert dialog.state is DialogState.CONFIRMED
    assert dialog.route_set == ("sip:p1;lr", "sip:p2;lr")
    assert dialog.remote_target == "sip:bob@192.0.2.7"
    assert dialog.local_cseq == 3


def test_a_later_2xx_leaves_the_route_alone() -> None:
    dialog = caller()
    dialog.request("INVITE", via=VIA)
    dialog.answered(
        response(F14, CSeq="3 INVITE", Record_Route="<sip:other;lr>", Contact="<sip:bob@192.0.2.7>")
    )
    assert dialog.route_set[0] == "sip:ss1.atlanta.example.com;lr"
    assert dialog.remote_target == "sip:bob@192.0.2.7"


@pytest.mark.parametrize(
    ("status", "cseq", "headers", "moves"),
    [
        ("200 OK", "3 UPDATE", {}, True),
        ("200 OK", "3 INFO", {}, False),
        ("200 OK", "3 BYE", {}, False),
        ("488 Not Acceptable Here", "3 INVITE", {}, False),
        ("183 Session Progress", "3 INVITE", {}, False),
        ("183 Session Progress", "3 INVITE", {"Require": "100rel", "RSeq": "1"}, True),
        ("183 Session Progress", "3 INVITE", {"Require": "precondition", "RSeq": "1"}, False),
    ],
)
def test_which_responses_move_the_remote_target(
    status: str, cseq: str, headers: dict[str, str], moves: bool
) -> None:
    dialog = caller()
    answer = F14.replace("200 OK", status)
    dialog.answered(response(answer, CSeq=cseq, Contact="<sip:bob@192.0.2.7>", **headers))
    assert (dialog.remote_target == "sip:bob@192.0.2.7") is moves


def test_a_2xx_without_contact_leaves_the_target() -> None:
    dialog = caller()
    dialog.answered(response(F14, CSeq="3 UPDATE").without("Contact"))
    assert dialog.remote_target == "sip:bob@client.biloxi.example.com;transport=tcp"


# -- requests of the other end (12.2.2, RFC 6141 4.6)


def test_numbers_must_rise_and_may_leave_gaps() -> None:
    dialog = callee()
    assert dialog.receive(in_dialog("INFO", 9)) is None
    assert dialog.receive(in_dialog("INFO", 8)) == 500
    assert dialog.receive(in_dialog("INFO", 9)) == 500
    assert dialog.remote_cseq == 9
    assert dialog.receive(in_dialog("ACK", 2)) is None
    assert dialog.receive(in_dialog("CANCEL", 2)) is None
    assert dialog.remote_cseq == 9


def test_the_first_number_of_the_callee_is_taken_as_it_is() -> None:
    dialog = caller()
    assert dialog.receive(in_dialog("BYE", 0)) is None
    assert dialog.remote_cseq == 0


@pytest.mark.parametrize("method", ["INVITE", "UPDATE", "SUBSCRIBE", "NOTIFY", "REFER", "INFO", "PRACK"])
def test_the_target_moves_when_a_refresh_is_accepted_and_not_before(method: str) -> None:
    dialog = caller()
    asked = in_dialog(method, 1, "<sip:bob@192.0.2.99>")
    assert dialog.receive(asked) is None
    assert dialog.remote_target == "sip:bob@client.biloxi.example.com;transport=tcp"
    dialog.accepted(asked)
    assert (dialog.remote_target == "sip:bob@192.0.2.99") is (method in TARGET_REFRESH)


def test_the_notify_that_makes_a_dialog_of_a_subscriber() -> None:
    """RFC 6665 4.4.1: the route is that of the NOTIFY, our numbers go on from the SUBSCRIBE."""
    notify = in_dialog("NOTIFY", 31, "<sip:bob@192.0.2.99>").with_header("Record-Route", "<sip:p1;lr>")
    dialog = Dialog.as_callee(
        notify, "9fxced76sl", contact="<sip:alice@client>", confirmed=True, local_cseq=17
    )
    assert dialog.local == ALICE
    assert dialog.id == DialogId(CALL_ID, "9fxced76sl", "314159")
    again = dialog.request("SUBSCRIBE", [("Expires", "0")], via=VIA)
    assert again.cseq.number == 18
    assert (again.get("Route"), again.uri) == ("<sip:p1;lr>", "sip:bob@192.0.2.99")
    assert dialog.receive(in_dialog("NOTIFY", 31)) == 500
    assert dialog.receive(in_dialog("NOTIFY", 32)) is None


# -- finding them


def test_messages_find_their_dialog_by_call_id_and_both_tags() -> None:
    dialogs, dialog = Dialogs(), caller()
    dialogs.add(dialog)
    assert dialogs.find(request(BYE_F20)) is dialog
    assert dialogs.find(response(F14)) is dialog
    assert dialogs.find(request(BYE_F20, From=f"{BOB};TAG=314159".upper())) is dialog
    assert dialogs.find(request(BYE_F20, Call_ID=CALL_ID.upper())) is None
    assert dialogs.find(response(F14, To=f"{BOB};tag=fork2")) is None
    assert list(dialogs) == [dialog]
    dialogs.discard(dialog)
    assert dialog not in dialogs
    assert not len(dialogs)


def test_a_dialog_that_took_the_same_id_is_not_discarded_for_the_old_one() -> None:
    dialogs, old, new = Dialogs(), caller(), caller()
    dialogs.add(old)
    dialogs.add(new)
    dialogs.discard(old)
    assert list(dialogs) == [new]


def test_a_to_tag_without_its_dialog_is_481_but_never_for_an_ack() -> None:
    dialogs = Dialogs()
    assert dialogs.refusal(request(BYE_F20)) == 481
    assert dialogs.refusal(in_dialog("ACK", 2)) is None
    assert dialogs.refusal(request(F4)) is None
    dialogs.add(caller())
    assert dialogs.refusal(request(BYE_F20)) is None
    assert dialogs.refusal(request(BYE_F20, To="<sip:alice@a>;tag=gone")) == 481
