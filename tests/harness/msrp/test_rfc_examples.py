"""The examples of RFC 4975, 4976 and 7701, and how real stacks write, cut at every octet."""

from __future__ import annotations

import pytest

from harness.msrp.framing import MsrpFramer, MsrpLimits
from harness.msrp.message import ByteRange, Flag, MsrpRequest, MsrpResponse, ReportStatus

A, B = "msrp://alicepc.example.com:7777/iau39soe2843z;tcp", "msrp://bob.example.com:8888/9di4eae923wzd;tcp"


def wire(text: str) -> bytes:
    """A message as printed, with the line ends of the wire."""
    return text.replace("\n", "\r\n").encode()


EXAMPLES = {
    "5.1 first chunk": wire(
        "MSRP dkei38sd SEND\nMessage-ID: 4564dpWd\nByte-Range: 1-*/8\nContent-Type: text/plain\n"
        "\nabcd\n-------dkei38sd+\n"
    ),
    "5.1 second chunk": wire(
        "MSRP dkei38ia SEND\nMessage-ID: 4564dpWd\nByte-Range: 5-8/8\nContent-Type: text/plain\n"
        "\nEFGH\n-------dkei38ia$\n"
    ),
    "11.1 SEND": wire(
        f"MSRP d93kswow SEND\nTo-Path: {B}\nFrom-Path: {A}\nMessage-ID: 12339sdqwer\n"
        "Byte-Range: 1-16/16\nContent-Type: text/plain\n\nHi, I'm Alice!\n\n-------d93kswow$\n"
    ),
    "11.1 200": wire(f"MSRP d93kswow 200 OK\nTo-Path: {A}\nFrom-Path: {B}\n-------d93kswow$\n"),
    "11.1 SEND back": wire(
        f"MSRP dkei38sd SEND\nTo-Path: {A}\nFrom-Path: {B}\nMessage-ID: 456s9wlk3\n"
        "Byte-Range: 1-21/21\nContent-Type: text/plain\n\nHi, Alice!  I'm Bob!\n\n-------dkei38sd$\n"
    ),
    "11.2": wire(
        "MSRP dsdfoe38sd SEND\nTo-Path: msrp://alice.example.com:7777/iau39soe2843z;tcp\n"
        f"From-Path: {B}\nMessage-ID: 456so39s\nByte-Range: 1-374/374\nContent-Type: application/xhtml+xml\n"
        '\n<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE html\n'
        'PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN"\n'
        '"_http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd_">\n'
        '<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">\n'
        "  <head>\n    <title>FY2005 Results</title>\n</head>\n  <body>\n   <p>See the results at <a\n"
        'href="http://example.org/">example.org</a>.</p>\n  </body>\n</html>\n-------dsdfoe38sd$\n'
    ),
    "11.4 first chunk": wire(
        "MSRP d93kswow SEND\nTo-Path: msrp://bobpc.example.com:8888/9di4eae923wzd;tcp\n"
        "From-Path: msrp://alicepc.example.com:7654/iau39soe2843z;tcp\nMessage-ID: 12339sdqwer\n"
        "Byte-Range: 1-137/148\nContent-Type: message/cpim\n\nTo: Bob <sip:bob@example.com>\n"
        "From: Alice <sip:alice@example.com>\nDateTime: 2006-05-15T15:02:31-03:00\n"
        "Content-Type: text/plain\n\nABCD\n-------d93kswow+\n"
    ),
    "11.4 second chunk": wire(
        "MSRP op2nc9a SEND\nTo-Path: msrp://bobpc.example.com:8888/9di4eae923wzd;tcp\n"
        "From-Path: msrp://alicepc.example.com:7654/iau39soe2843z;tcp\nMessage-ID: 12339sdqwer\n"
        "Byte-Range: 138-148/148\nContent-Type: message/cpim\n\n1234567890\n-------op2nc9a$\n"
    ),
    "11.5": wire(
        "MSRP d93kswow SEND\nTo-Path: msrp://alicepc.example.com:8888/9di4eae923wzd;tcp\n"
        "From-Path: msrp://example.com:7777/iau39soe2843z;tcp\nMessage-ID: 12339sdqwer\n"
        "Byte-Range: 1-38/38\nFailure-Report: no\nSuccess-Report: no\nContent-Type: text/plain\n"
        "\nThis conference will end in 5 minutes\n-------d93kswow$\n"
    ),
    "11.6 SEND": wire(
        f"MSRP d93kswow SEND\nTo-Path: {B}\nFrom-Path: {A}\nMessage-ID: 12339sdqwer\n"
        "Byte-Range: 1-106/106\nSuccess-Report: yes\nFailure-Report: no\nContent-Type: text/html\n"
        "\n<html><body>\n<p>Here is that important link...\n"
        '<a href="http://www.example.com/foobar">foobar</a>\n</p>\n</body></html>\n-------d93kswow$\n'
    ),
    "11.6 REPORT": wire(
        f"MSRP dkei38sd REPORT\nTo-Path: {A}\nFrom-Path: {B}\nMessage-ID: 12339sdqwer\n"
        "Byte-Range: 1-106/106\nStatus: 000 200 OK\n-------dkei38sd$\n"
    ),
    "RFC 4976 3 SEND of a relay": wire(
        "MSRP xght6 SEND\nTo-Path: msrps://bob.example.net:8145/foo;tcp\n"
        "From-Path: msrps://b.example.net:9000/aeiug;tcp msrps://a.example.org:9000/kjfjan;tcp "
        "msrps://alice.example.org:7965/bar;tcp\nSuccess-Report: yes\nMessage-ID: 87652\n"
        "Byte-Range: 1-*/*\nContent-Type: text/plain\n\nHi Bob, I'm about to send you file.mpeg\n"
        "-------xght6$\n"
    ),
    "RFC 4976 3 200": wire(
        "MSRP 6aef 200 OK\nTo-Path: msrps://alice.example.org:7965/bar;tcp\n"
        "From-Path: msrps://a.example.org:9000/kjfjan;tcp\nMessage-ID: 87652\n-------6aef$\n"
    ),
    "RFC 4976 3 REPORT": wire(
        "MSRP yh67 REPORT\nTo-Path: msrps://b.example.net:9000/aeiug;tcp "
        "msrps://a.example.org:9000/kjfjan;tcp msrps://alice.example.org:7965/bar;tcp\n"
        "From-Path: msrps://bob.example.net:8145/foo;tcp\nMessage-ID: 87652\nByte-Range: 1-39/39\n"
        "Status: 000 200 OK\n-------yh67$\n"
    ),
    "RFC 7701 9.2 NICKNAME": wire(
        "MSRP d93kswow NICKNAME\nTo-Path: msrp://chat.example.com:12763/kjhd37s2s20w2a;tcp\n"
        "From-Path: msrp://client.atlanta.example.com:7654/jshA7weztas;tcp\n"
        'Use-Nickname: "Alice the great"\n-------d93kswow$\n'
    ),
    "RFC 7701 9.2 425": wire(
        "MSRP d93kswow 425 Nickname reserved or already in use\n"
        "To-Path: msrp://client.atlanta.example.com:7654/jshA7weztas;tcp\n"
        "From-Path: msrp://chat.example.com:12763/kjhd37s2s20w2a;tcp\n-------d93kswow$\n"
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
@pytest.mark.parametrize("name", EXAMPLES)
def test_every_cut_gives_the_same_events(name: str, limits: MsrpLimits) -> None:
    # Something before and after, so that what a cut leaves behind would show.
    before, after = EXAMPLES["11.1 200"] + b"\r\n\r\n", EXAMPLES["11.6 REPORT"]
    octets = before + EXAMPLES[name] + after
    expected = events_of([octets], limits)
    if len(EXAMPLES[name]) <= limits.whole_octets:
        assert expected == [EXAMPLES["11.1 200"], EXAMPLES[name], after]
    for cut in range(len(octets) + 1):
        assert events_of([octets[:cut], octets[cut:]], limits) == expected
    assert events_of([bytes([octet]) for octet in octets], limits) == expected


def example(name: str) -> MsrpRequest | MsrpResponse:
    (found,) = MsrpFramer().receive(EXAMPLES[name])
    assert isinstance(found, MsrpRequest | MsrpResponse)
    return found


@pytest.mark.parametrize("name", [name for name in EXAMPLES if not name.startswith("5.1")])
def test_the_examples_have_no_fault(name: str) -> None:
    message = example(name)
    assert message.faults == ()
    assert message.to_path
    assert message.from_path


def test_what_the_examples_say() -> None:
    assert [example(f"5.1 {which} chunk").body for which in ("first", "second")] == [b"abcd", b"EFGH"]
    first, second = example("5.1 first chunk"), example("5.1 second chunk")
    assert (first.flag, first.byte_range) == (Flag.MORE, ByteRange(1, None, 8))
    assert (second.flag, second.byte_range) == (Flag.COMPLETE, ByteRange(5, 8, 8))
    # The printed ranges of the other examples are not those of the printed bodies.
    assert len(example("11.1 SEND").body) == example("11.1 SEND").byte_range.total
    system = example("11.5")
    assert (system.failure_report, system.success_report) == ("no", "no")
    report = example("11.6 REPORT")
    assert (report.method, report.status) == ("REPORT", ReportStatus("000", 200, "OK"))
    assert example("RFC 4976 3 REPORT").to_path[-1] == "msrps://alice.example.org:7965/bar;tcp"
    assert example("RFC 4976 3 SEND of a relay").byte_range == ByteRange(1, None, None)
    nickname = example("RFC 7701 9.2 NICKNAME")
    assert (nickname.method, nickname.get("Use-Nickname")) == ("NICKNAME", '"Alice the great"')
    refused = example("RFC 7701 9.2 425")
    assert (refused.status, refused.comment) == (425, "Nickname reserved or already in use")
    assert (example("bodiless SEND").body, example("empty body").body) == (None, b"")
    assert example("IMDN in deflate").get("content-encoding") == "deflate"
    assert example("IMDN in deflate").body == b"x\x9c\x03\x00\x00\x00\x00\x01\r\n--"
    assert example("response without a comment").comment == ""
