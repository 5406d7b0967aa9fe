"""Messages in the forms of RFC 4975, 4976 and 7701, and as real stacks write, cut at every octet."""

from __future__ import annotations

import pytest

from harness.msrp.framing import MsrpFramer, MsrpLimits
from harness.msrp.message import ByteRange, Flag, MsrpRequest, MsrpResponse, ReportStatus

A, B = "msrp://desk.mara.example.net:5150/Yc4tR9wPz1Kq;tcp", "msrp://odd.example.net:6240/Gm0fJ6sXq8Vd;tcp"


def wire(text: str) -> bytes:
    """A message with the line ends of the wire."""
    return text.replace("\n", "\r\n").encode()


FORMS = {
    "5.1 first chunk": wire(
        "MSRP q71mz0ha SEND\nMessage-ID: 70-Kfw3u\nByte-Range: 1-*/8\nContent-Type: text/plain\n"
        "\nwxyz\n-------q71mz0ha+\n"
    ),
    "5.1 second chunk": wire(
        "MSRP q71mz0hb SEND\nMessage-ID: 70-Kfw3u\nByte-Range: 5-8/8\nContent-Type: text/plain\n"
        "\nQRST\n-------q71mz0hb$\n"
    ),
    "11.1 SEND": wire(
        f"MSRP x2b8ncet SEND\nTo-Path: {B}\nFrom-Path: {A}\nMessage-ID: 5c.81-hgtrs\n"
        "Byte-Range: 1-16/16\nContent-Type: text/plain\n\nAre you here?!\n\n-------x2b8ncet$\n"
    ),
    "11.1 200": wire(f"MSRP x2b8ncet 200 OK\nTo-Path: {A}\nFrom-Path: {B}\n-------x2b8ncet$\n"),
    "11.1 SEND back": wire(
        f"MSRP q71mz0ha SEND\nTo-Path: {A}\nFrom-Path: {B}\nMessage-ID: 0wn7-Ht2e\n"
        "Byte-Range: 1-21/21\nContent-Type: text/plain\n\nI am, what is the news?\n-------q71mz0ha$\n"
    ),
    "11.2": wire(
        "MSRP vv40kdx9pe SEND\nTo-Path: msrp://mara.example.net:5150/Yc4tR9wPz1Kq;tcp\n"
        f"From-Path: {B}\nMessage-ID: 8k2pfY1z\nByte-Range: 1-374/374\nContent-Type: application/xhtml+xml\n"
        '\n<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE html\n'
        'PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN"\n'
        '"_http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd_">\n'
        '<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">\n'
        "  <head>\n    <title>Tide table</title>\n</head>\n  <body>\n   <p>All tides are at <a\n"
        'href="http://example.org/">example.org</a>.</p>\n  </body>\n</html>\n-------vv40kdx9pe$\n'
    ),
    "11.4 first chunk": wire(
        "MSRP x2b8ncet SEND\nTo-Path: msrp://desk.odd.example.net:6240/Gm0fJ6sXq8Vd;tcp\n"
        "From-Path: msrp://desk.mara.example.net:5151/Yc4tR9wPz1Kq;tcp\nMessage-ID: 5c.81-hgtrs\n"
        "Byte-Range: 1-137/148\nContent-Type: message/cpim\n\nTo: Odd <sip:odd@example.net>\n"
        "From: Mara <sip:mara@example.net>\nDateTime: 2021-11-07T09:12:40+02:00\n"
        "Content-Type: text/plain\n\nefgh\n-------x2b8ncet+\n"
    ),
    "11.4 second chunk": wire(
        "MSRP j6u0zqe SEND\nTo-Path: msrp://desk.odd.example.net:6240/Gm0fJ6sXq8Vd;tcp\n"
        "From-Path: msrp://desk.mara.example.net:5151/Yc4tR9wPz1Kq;tcp\nMessage-ID: 5c.81-hgtrs\n"
        "Byte-Range: 138-148/148\nContent-Type: message/cpim\n\nijklmnopqr\n-------j6u0zqe$\n"
    ),
    "11.5": wire(
        "MSRP x2b8ncet SEND\nTo-Path: msrp://desk.mara.example.net:6240/Gm0fJ6sXq8Vd;tcp\n"
        "From-Path: msrp://rooms.example.net:5150/Yc4tR9wPz1Kq;tcp\nMessage-ID: 5c.81-hgtrs\n"
        "Byte-Range: 1-38/38\nFailure-Report: no\nSuccess-Report: no\nContent-Type: text/plain\n"
        "\nThe harbour room closes at eighteen.\n\n-------x2b8ncet$\n"
    ),
    "11.6 SEND": wire(
        f"MSRP x2b8ncet SEND\nTo-Path: {B}\nFrom-Path: {A}\nMessage-ID: 5c.81-hgtrs\n"
        "Byte-Range: 1-106/106\nSuccess-Report: yes\nFailure-Report: no\nContent-Type: text/html\n"
        "\n<html><body>\n<p>The address of the timetable:\n"
        '<a href="http://boats.example.org/today">today</a>\n</p>\n</body></html>\n-------x2b8ncet$\n'
    ),
    "11.6 REPORT": wire(
        f"MSRP q71mz0ha REPORT\nTo-Path: {A}\nFrom-Path: {B}\nMessage-ID: 5c.81-hgtrs\n"
        "Byte-Range: 1-106/106\nStatus: 000 200 OK\n-------q71mz0ha$\n"
    ),
    "RFC 4976 3 SEND of a relay": wire(
        "MSRP tr0w8 SEND\nTo-Path: msrps://odd.example.net:6299/near;tcp\n"
        "From-Path: msrps://relay2.example.net:7020/qwmut;tcp msrps://relay1.example.org:7010/hxtrol;tcp "
        "msrps://mara.example.org:5199/far;tcp\nSuccess-Report: yes\nMessage-ID: m-501\n"
        "Byte-Range: 1-*/*\nContent-Type: text/plain\n\nOdd, the film of the pier comes next\n"
        "-------tr0w8$\n"
    ),
    "RFC 4976 3 200": wire(
        "MSRP 0kz4 200 OK\nTo-Path: msrps://mara.example.org:5199/far;tcp\n"
        "From-Path: msrps://relay1.example.org:7010/hxtrol;tcp\nMessage-ID: m-501\n-------0kz4$\n"
    ),
    "RFC 4976 3 REPORT": wire(
        "MSRP w3dn REPORT\nTo-Path: msrps://relay2.example.net:7020/qwmut;tcp "
        "msrps://relay1.example.org:7010/hxtrol;tcp msrps://mara.example.org:5199/far;tcp\n"
        "From-Path: msrps://odd.example.net:6299/near;tcp\nMessage-ID: m-501\nByte-Range: 1-39/39\n"
        "Status: 000 200 OK\n-------w3dn$\n"
    ),
    "RFC 7701 9.2 NICKNAME": wire(
        "MSRP x2b8ncet NICKNAME\nTo-Path: msrp://rooms.example.net:8050/Sd9Rk2hYc7We5F;tcp\n"
        "From-Path: msrp://phone.mara.example.net:5400/Jb6Vt1oXn4;tcp\n"
        'Use-Nickname: "Mara of the pier"\n-------x2b8ncet$\n'
    ),
    "RFC 7701 9.2 425": wire(
        "MSRP x2b8ncet 425 Nickname reserved or already in use\n"
        "To-Path: msrp://phone.mara.example.net:5400/Jb6Vt1oXn4;tcp\n"
        "From-Path: msrp://rooms.example.net:8050/Sd9Rk2hYc7We5F;tcp\n-------x2b8ncet$\n"
    ),
    "bodiless SEND": wire(
        f"MSRP d93k SEND\nTo-Path: {B}\nFrom-Path: {A}\nMessage-ID: 1233\nByte-Range: 1-0/0\n-------d93k$\n"
    ),
    "empty body": wire(
        f"MSRP d93k SEND\nTo-Path: {B}\nFrom-Path: {A}\nMessage-ID: 1233\nContent-Type: text/plain\n"
        "\n\n-------d93k$\n"
    ),
    "response without a comment": wire(f"MSRP d93k 200\nTo-Path: {A}\nFrom-Path: {B}\n-------d93k$\n"),
    "IMDN in deflate": wire(
        f"MSRP d93k SEND\nTo-Path: {B}\nFrom-Path: {A}\nMessage-ID: 1233\nByte-Range: 1-12/12\n"
        "Content-Encoding: deflate\nContent-Type: message/imdn+xml\n\n"
    )
    + b"x\x9c\x03\x00\x00\x00\x00\x01\r\n--\r\n-------d93k$\r\n",
    "end-lines of others in the body": wire(
        f"MSRP d93k SEND\nTo-Path: {B}\nFrom-Path: {A}\nMessage-ID: 1233\nContent-Type: text/plain\n"
        "\n\n-------d93kx$\n-------d93$\n-------d93k\n-------d93k!\n\n-------d93k$\n"
    ),
    "IPv6 in the paths": wire(
        "MSRP d93k SEND\nTo-Path: msrp://[2001:DB8:0:0::1]:2855/x;tcp\n"
        "From-Path: msrp://[2001:db8::2]:2855/y;tcp\nMessage-ID: 1233\n-------d93k$\n"
    ),
}
SMALL = MsrpLimits(head_octets=300, whole_octets=310, block_octets=16)


def events_of(pieces: list[bytes], limits: MsrpLimits) -> list[object]:
    framer = MsrpFramer(limits)
    found = [event for piece in pieces for event in framer.receive(piece)]
    assert (framer.pending_octets, framer.broken) == (0, False)
    return [getattr(getattr(event, "request", event), "raw", event) for event in found]


@pytest.mark.parametrize("limits", [MsrpLimits(), SMALL], ids=["whole", "blocks"])
@pytest.mark.parametrize("name", FORMS)
def test_every_cut_gives_the_same_events(name: str, limits: MsrpLimits) -> None:
    # Something before and after, so that what a cut leaves behind would show.
    before, after = FORMS["11.1 200"] + b"\r\n\r\n", FORMS["11.6 REPORT"]
    octets = before + FORMS[name] + after
    expected = events_of([octets], limits)
    if len(FORMS[name]) <= limits.whole_octets:
        assert expected == [FORMS["11.1 200"], FORMS[name], after]
    for cut in range(len(octets) + 1):
        assert events_of([octets[:cut], octets[cut:]], limits) == expected
    assert events_of([bytes([octet]) for octet in octets], limits) == expected


def form(name: str) -> MsrpRequest | MsrpResponse:
    (found,) = MsrpFramer().receive(FORMS[name])
    assert isinstance(found, MsrpRequest | MsrpResponse)
    return found


@pytest.mark.parametrize("name", [name for name in FORMS if not name.startswith("5.1")])
def test_none_has_a_fault(name: str) -> None:
    message = form(name)
    assert message.faults == ()
    assert message.to_path
    assert message.from_path


def test_what_they_say() -> None:
    assert [form(f"5.1 {which} chunk").body for which in ("first", "second")] == [b"wxyz", b"QRST"]
    first, second = form("5.1 first chunk"), form("5.1 second chunk")
    assert (first.flag, first.byte_range) == (Flag.MORE, ByteRange(1, None, 8))
    assert (second.flag, second.byte_range) == (Flag.COMPLETE, ByteRange(5, 8, 8))
    # The ranges of the others are not those of their bodies, as in the RFC.
    assert len(form("11.1 SEND").body) == form("11.1 SEND").byte_range.total
    system = form("11.5")
    assert (system.failure_report, system.success_report) == ("no", "no")
    report = form("11.6 REPORT")
    assert (report.method, report.status) == ("REPORT", ReportStatus("000", 200, "OK"))
    assert form("RFC 4976 3 REPORT").to_path[-1] == "msrps://mara.example.org:5199/far;tcp"
    assert form("RFC 4976 3 SEND of a relay").byte_range == ByteRange(1, None, None)
    nickname = form("RFC 7701 9.2 NICKNAME")
    assert (nickname.method, nickname.get("Use-Nickname")) == ("NICKNAME", '"Mara of the pier"')
    refused = form("RFC 7701 9.2 425")
    assert (refused.status, refused.comment) == (425, "Nickname reserved or already in use")
    assert (form("bodiless SEND").body, form("empty body").body) == (None, b"")
    assert form("IMDN in deflate").get("content-encoding") == "deflate"
    assert form("IMDN in deflate").body == b"x\x9c\x03\x00\x00\x00\x00\x01\r\n--"
    assert form("response without a comment").comment == ""
