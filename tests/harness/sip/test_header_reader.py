"""What comes again is read once for all messages; ids of a message and long heads are not kept."""

from __future__ import annotations

import pytest

from harness.errors import SipSyntaxError
from harness.sip.header_reader import Reader
from harness.sip.headers import NameAddr
from harness.sip.message import SipMessage, parse_message


def message(padding: int = 0) -> SipMessage:
    head = (
        "MESSAGE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\n"
        f"To: <sip:b@h>\r\nCall-ID: 1@h\r\nRoute: <sip:r;lr>, <sip:s;lr>\r\nSubject: {'x' * padding}\r\n\r\n"
    )
    return parse_message(head.encode())


def test_a_text_that_comes_again_is_read_once() -> None:
    assert message().to is message().to
    assert [one is other for one, other in zip(message().routes, message().routes, strict=True)] == [True] * 2


def test_ids_of_a_message_are_not_kept_for_others() -> None:
    assert message().from_ is not message().from_
    assert message().via is not message().via


def test_nothing_of_a_long_head_is_kept() -> None:
    assert message(5000).to == message(5000).to
    assert message(5000).to is not message(5000).to
    assert message(5000).routes[0] is not message(5000).routes[0]


def test_a_row_is_one_value_or_a_comma_list() -> None:
    reader = Reader(NameAddr.parse)
    assert str(reader.one(b"To: <sip:b@h>\r\n").uri) == "sip:b@h"
    assert [str(each.uri) for each in reader.every(b"Route: <sip:a,b@h;lr> ,\r\n <sip:c>\r\n")] == [
        "sip:a,b@h;lr",
        "sip:c",
    ]
    with pytest.raises(SipSyntaxError):
        reader.every(b"Route: <sip:a>, <sip:b\r\n")
