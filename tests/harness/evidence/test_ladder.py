"""The ladder: arrows between the right lifelines, repeats and middles folded, findings beside messages."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from harness.evidence.capture import capture_to_timeline
from harness.evidence.label import Kind, label_of
from harness.evidence.ladder import ladder_svg
from harness.evidence.rows import MOST_ROWS, Fold, Ladder, Message, Note, ladder_of
from harness.evidence.timeline import Address, Layer, Timeline, Transport

PAGER = Path(__file__).parents[2] / "corpora/seed/pager.pcapng"
HANDSET, PEER = Address("127.0.0.1", 5062), Address("127.0.0.1", 40060)
Make = Callable[..., bytes]


def texts(svg: str) -> str:
    return " ".join(etree.fromstring(svg.encode()).itertext())


def messages(ladder: Ladder) -> list[Message]:
    return [row for row in ladder.rows if isinstance(row, Message)]


def test_the_pager_trace_is_drawn_between_handset_and_peer() -> None:
    ladder = ladder_of(capture_to_timeline(PAGER), (), {})
    assert ladder.lanes == ["handset", "peer"]
    assert [(row.source_lane, row.label.title, row.label.hint) for row in messages(ladder)] == [
        ("handset", "MESSAGE", "text, CSeq 1"),
        ("peer", "200 OK", "MESSAGE, CSeq 1"),
        ("peer", "MESSAGE", "delivered, CSeq 1"),
        ("handset", "200 OK", "MESSAGE, CSeq 1"),
        ("peer", "MESSAGE", "displayed, CSeq 1"),
        ("handset", "200 OK", "MESSAGE, CSeq 1"),
    ]


def test_arrows_point_from_the_sender_to_the_receiver() -> None:
    tree = etree.fromstring(ladder_svg(capture_to_timeline(PAGER)).encode())
    lanes = {node.text: float(node.get("x")) for node in tree.iterfind(".//{*}text[@class='lane']")}
    arrows = [node for node in tree.iterfind(".//{*}line") if "arrow" in (node.get("class") or "")]
    heads = [node.get("d") for node in tree.iterfind(".//{*}path")]
    drawn = []
    for line, head in zip(arrows, heads, strict=True):
        found = re.fullmatch(r"M(\S+) \S+ l(\S+) \S+ v\S+ z", head)
        assert found is not None, head
        start, tip, back = float(line.get("x1")), float(found[1]), float(found[2])
        assert (back < 0) is (tip > start), "the head opens towards its line"
        nearest = [min(lanes, key=lambda name: abs(lanes[name] - x)) for x in (start, tip)]
        drawn.append(tuple(nearest))
    out, back_again = ("handset", "peer"), ("peer", "handset")
    assert drawn == [out, back_again, back_again, out, back_again, out]


def test_svg_is_well_formed_and_stands_on_its_own(finding: Callable) -> None:  # type: ignore[type-arg]
    svg = ladder_svg(capture_to_timeline(PAGER), [finding("pager.no-contact", 1)], title="A <test> & more")
    shown = texts(svg)
    assert "MESSAGE sip:+12345678901@example.net;user=phone SIP/2.0" in shown
    assert "+0.243 s" in shown
    assert "pager.no-contact" in shown
    assert "A <test> & more" in shown
    assert "<script" not in svg
    assert svg.count("http") == 1  # the namespace


def test_findings_have_the_colour_of_their_weight(finding: Callable) -> None:  # type: ignore[type-arg]
    found = [
        finding("a.fails", 1),
        finding("b.warns", 1, fails=False, severity="SHOULD"),
        finding("c.info", 1, fails=False, severity="INFO"),
    ]
    svg = ladder_svg(capture_to_timeline(PAGER), found)
    for rule, colour in (("a.fails", "fails"), ("b.warns", "warns"), ("c.info", "info")):
        assert f'<tspan class="rule {colour}">{rule}</tspan>' in svg


def test_a_finding_on_an_entry_that_is_not_drawn_is_still_shown(finding: Callable) -> None:  # type: ignore[type-arg]
    assert "x.elsewhere" in texts(ladder_svg(capture_to_timeline(PAGER), [finding("x.elsewhere", 999)]))


def test_roles_decide_when_both_ends_share_a_host(request_of: Make) -> None:
    timeline = Timeline()
    timeline.packet(Layer.SIP, Transport.UDP, PEER, HANDSET, request_of(1), at=1.0)
    timeline.packet(
        Layer.MSRP, Transport.TCP, Address("127.0.0.1", 41000), PEER, b"\r\n", connection=1, at=2.0
    )
    ladder = ladder_of(timeline, (), {"peer": ["127.0.0.1:40060"]})
    assert [(row.source_lane, row.destination_lane) for row in messages(ladder)] == [
        ("peer", "handset"),
        ("handset", "peer"),
    ]


def test_the_lab_can_name_the_parties(request_of: Make) -> None:
    timeline = Timeline()
    timeline.event(Layer.LAB, "parties", handset=["127.0.0.1:5062"], network=["127.0.0.1:40060"], at=0.0)
    timeline.packet(Layer.SIP, Transport.UDP, PEER, HANDSET, request_of(1), at=1.0)
    ladder = ladder_of(timeline, (), {})
    assert [(row.source_lane, row.destination_lane) for row in messages(ladder)] == [("peer", "handset")]
    assert len(ladder.rows) == 1


def test_repeats_of_a_datagram_are_one_arrow(request_of: Make, finding: Callable) -> None:  # type: ignore[type-arg]
    timeline = Timeline()
    for time in (1.0, 1.5, 2.5):
        timeline.packet(Layer.SIP, Transport.UDP, HANDSET, PEER, request_of(1), at=time)
    (row,) = messages(ladder_of(timeline, [finding("x.late", 3)], {}))
    assert (row.repeats, row.last_time) == (2, 2.5)
    assert [found.rule for found in row.findings] == ["x.late"]
    assert "sent 3 times, last +1.500 s" in ladder_svg(timeline)


def test_a_message_in_pieces_is_one_arrow_and_two_in_a_piece_are_two(request_of: Make) -> None:
    octets = request_of(1) + request_of(2)
    timeline = Timeline()
    for part in (octets[:40], octets[40:], b"MESSAGE sip:half"):
        timeline.packet(Layer.SIP, Transport.TCP, HANDSET, PEER, part, connection=1, at=1.0)
    rows = messages(ladder_of(timeline, (), {}))
    assert [row.label.hint for row in rows] == ["text, CSeq 1", "text, CSeq 2", "16 octets"]
    assert rows[-1].remark == "incomplete"


def test_events_are_notes_on_the_lifeline_of_their_driver() -> None:
    timeline = Timeline()
    timeline.event(Layer.LAB, "test-start", "Send A Text", name="Send A Text", at=0.0)
    timeline.event(Layer.VISA, "cell", on=True, mcc="001", mnc="01", tac=1, at=1.0)
    for count in range(5):
        timeline.event(Layer.AT, "command", command=f"AT+X={count}", lines=[], final="OK", at=2.0)
    timeline.event(Layer.ADB, "screen", messages=[{"text": "hi", "outgoing": True, "status": "Read"}], at=3.0)
    ladder = ladder_of(timeline, (), {})
    notes = [row for row in ladder.rows if isinstance(row, Note)]
    assert ladder.lanes == ["network simulator", "handset"]
    assert [(note.lane, note.lines, note.more) for note in notes] == [
        ("lab", ["test-start: Send A Text"], 0),
        ("network simulator", ["cell on 001/01 TAC 1"], 0),
        ("handset", ["AT+X=0 → OK", "AT+X=1 → OK", "AT+X=2 → OK"], 2),
        ("handset", ["screen, 1 messages: 'hi' Read"], 0),
    ]


def test_a_screen_tells_what_stands_beside_its_texts() -> None:
    timeline = Timeline()
    files = [{"name": "a.txt", "line": "old"}, {"name": "b.pdf", "line": "2.0 MB • Transferring…"}]
    fields = {"files": files, "offers": ["Join Trip?"], "composing": "Bob is typing…", "said": "No network"}
    timeline.event(Layer.ADB, "screen", messages=[], at=1.0, **fields)
    (note,) = [row for row in ladder_of(timeline, (), {}).rows if isinstance(row, Note)]
    assert note.lines == [
        "screen, 0 messages; 'b.pdf' 2.0 MB • Transferring…; asks 'Join Trip?'; Bob is typing…; No network"
    ]


def test_five_hundred_messages_fold_in_the_middle_but_keep_what_fails(
    request_of: Make,
    finding: Callable,  # type: ignore[type-arg]
) -> None:
    timeline = Timeline()
    for number in range(500):
        timeline.packet(Layer.SIP, Transport.UDP, HANDSET, PEER, request_of(number), at=float(number))
    remarks = [finding("x.info", number, fails=False, severity="INFO") for number in range(1, 501)]
    ladder = ladder_of(timeline, [*remarks, finding("x.fails", 250)], {})
    folds = [row for row in ladder.rows if isinstance(row, Fold)]
    assert len(messages(ladder)) == MOST_ROWS
    assert sum(fold.rows for fold in folds) == 500 - MOST_ROWS
    assert 250 in {row.number for row in messages(ladder)}
    assert "rows not drawn" in ladder_svg(timeline, remarks)


@pytest.mark.parametrize(
    ("octets", "kind", "title", "hint"),
    [
        (
            b"REGISTER sip:x SIP/2.0\r\nCSeq: 2 REGISTER\r\nExpires: 0\r\n\r\n",
            Kind.REQUEST,
            "REGISTER",
            "expires 0, CSeq 2",
        ),
        (
            b'REGISTER sip:x SIP/2.0\r\nCSeq: 3 REGISTER\r\nAuthorization: Digest response="ab"\r\n\r\n',
            Kind.REQUEST,
            "REGISTER",
            "with credentials, CSeq 3",
        ),
        (b"SIP/2.0 100 Trying\r\nCSeq: 1 INVITE\r\n\r\n", Kind.PROVISIONAL, "100 Trying", "INVITE, CSeq 1"),
        (b"SIP/2.0 486 Busy Here\r\n\r\n", Kind.FAILURE, "486 Busy Here", ""),
        (b"MSRP d93kswow 200 OK\r\n-------d93kswow$\r\n", Kind.SUCCESS, "200 OK", "MSRP"),
        (
            b"MSRP d93kswow SEND\r\nByte-Range: 1-2/2\r\n\r\n<delivered/>\r\n-------d93kswow$\r\n",
            Kind.REQUEST,
            "SEND",
            "MSRP, delivered, 1-2/2",
        ),
        (b"\r\n\r\n", Kind.OTHER, "keep-alive", ""),
        (bytes.fromhex("000100002112a442") + bytes(12), Kind.OTHER, "STUN", "20 octets"),
        (b"junk", Kind.OTHER, "not a message", "4 octets"),
    ],
)
def test_labels(octets: bytes, kind: Kind, title: str, hint: str) -> None:
    label = label_of(octets)
    assert (label.kind, label.title, label.hint) == (kind, title, hint)


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=60)), max_size=5))
def test_any_octets_give_well_formed_xml(parts: list[tuple[bool, bytes]]) -> None:
    timeline = Timeline()
    for stream, data in parts:
        transport = Transport.TCP if stream else Transport.UDP
        timeline.packet(Layer.SIP, transport, HANDSET, PEER, data, connection=1 if stream else None, at=1e18)
    timeline.event(Layer.LAB, "note", "\x00\ud800<&>", at=1e18)
    etree.fromstring(ladder_svg(timeline).encode())


def test_an_empty_ladder() -> None:
    assert "no messages" in texts(ladder_svg([]))


def test_of_a_long_timeline_only_what_is_drawn_is_kept(request_of: Make, finding: Make) -> None:
    timeline = Timeline()
    for number in range(1, 5001):
        timeline.packet(Layer.SIP, Transport.UDP, HANDSET, PEER, request_of(number), at=float(number))
    for number in (2, 2500):  # of the second the first time is no longer drawn
        timeline.packet(Layer.SIP, Transport.UDP, HANDSET, PEER, request_of(number), at=5001.0)
    found = [finding("x.middle", 2400), finding("x.forgotten", 5002), finding("x.late", 5001)]
    ladder = ladder_of(timeline, found, {})
    drawn = messages(ladder)
    assert len(drawn) <= MOST_ROWS
    assert len(drawn) + sum(row.rows for row in ladder.rows if isinstance(row, Fold)) == 5001
    marked = {row.number: [each.rule for each in row.findings] for row in drawn if row.findings}
    assert marked == {2: ["x.late"], 2400: ["x.middle"], 5002: ["x.forgotten"]}
    assert not ladder.loose


def test_a_message_too_long_to_hold_is_one_arrow() -> None:
    timeline = Timeline()
    head = b"MSRP d93kswow SEND\r\nTo-Path: msrp://a.example:7394/2s93i9;tcp\r\n\r\n"
    end = b"\r\n-------d93kswow$\r\n"
    for data in (head, *[bytes(100_000)] * 30, end):
        timeline.packet(Layer.MSRP, Transport.TCP, HANDSET, PEER, data, connection=1)
    (row,) = messages(ladder_of(timeline, (), {}))
    assert (row.label.title, row.octets) == ("SEND", 3_000_000 + len(head) + len(end))
