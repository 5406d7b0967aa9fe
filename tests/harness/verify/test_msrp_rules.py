"""MSRP rules: each is broken by hand-written octets and by nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from harness.evidence.capture import capture_to_timeline, write_capture
from harness.evidence.timeline import Entry, Event, Layer
from harness.verify.catalogue import load_catalogue, load_checks
from harness.verify.engine import Verifier
from harness.verify.proof.changes import (
    FAR_TEXT,
    OPEN,
    REPORT,
    TEXT,
    Change,
    asking,
    at,
    both,
    chunk,
    chunked,
    instead,
    path,
    report,
    silent,
    sub,
    text_of,
    tid,
)
from harness.verify.proof.flows.msrp import (
    FAR_PATH,
    UE_PATH,
    answered,
    chat,
    closed,
    content,
    ok,
    opened,
    send,
)
from harness.verify.proof.messages import answer, in_dialog, sdp
from harness.verify.proof.script import Script, Step
from tests.harness.verify.judging import found, rules_of


def test_a_chat_breaks_no_rule_and_leaves_none_open():
    for profile in ("rcs51", "ietf", "up2"):
        verifier = found(chat().wait(40), profile)
        assert verifier.findings == [] and verifier.open == []


BROKEN = [
    ("msrp.start-line", "handset", at(10, Step(True, "hello there\r\n\r\n", msrp=1))),
    ("msrp.start-line", "network", at(10, Step(False, "msrp aX7kQ2mP9sLw SEND\r\n\r\n", msrp=1))),
    ("msrp.start-line", "handset", sub(18, "MSRP gX4kW2mP9sLw SEND", "MSRP gX4kW2mP9sLw Send")),
    ("msrp.tid.syntax", "handset", tid(18, "-X4kW2mP9sLw")),
    ("msrp.tid.syntax", "handset", both(sub(18, "MSRP gX4k", "MSRP g_4k"), lambda s: s.drop(19))),
    ("msrp.tid.syntax", "handset", tid(18, "g" * 33)),
    ("msrp.tid.entropy", "handset", tid(18, "gX4kW2mP9s")),
    ("msrp.tid.entropy", "network", tid(12, "a786hjs2")),
    ("msrp.tid.pattern", "network", both(tid(10, "n04s00i7t0+94"), tid(12, "n04s00i7t0+95"))),
    (
        "msrp.tid.pattern",
        "handset",
        both(
            tid(OPEN, "f0aa3bc4de5f"),
            instead(
                *answered(
                    *[
                        content(True, f"{n:02x}aa3bc4de5f", f"Id{n}kQ2mP9sLw", text_of(200))
                        for n in (80, 161, 242, 7, 96, 51, 189)
                    ]
                )
            ),
        ),
    ),
    (
        "msrp.tid.unique",
        "handset",
        instead(
            content(True, "hA1kQ2mP9sL1", "Id1kQ2mP9sLw", text_of(200)),
            content(True, "hA1kQ2mP9sL1", "Id2kQ2mP9sLw", text_of(200)),
            ok(content(True, "hA1kQ2mP9sL1", "", "")),
            ok(content(True, "hA1kQ2mP9sL1", "", "")),
        ),
    ),
    (
        "msrp.path-first",
        "handset",
        sub(
            TEXT,
            f"To-Path: {FAR_PATH}\r\nFrom-Path: {UE_PATH}",
            f"From-Path: {UE_PATH}\r\nTo-Path: {FAR_PATH}",
        ),
    ),
    ("msrp.path-first", "network", sub(9, "To-Path", "Message-ID: Ue1kQ2mP9sLw\r\nTo-Path")),
    ("msrp.path-first", "network", sub(FAR_TEXT, "Message-ID", f"To-Path: {UE_PATH}\r\nMessage-ID")),
    ("msrp.to-path.matches-sdp", "handset", path(TEXT, "p4Mz6Hs8Dc2Vf0Gk7Ja3", "p4Mz6Hs8Dc2Vf0Gk7Ja4")),
    ("msrp.to-path.matches-sdp", "network", path(FAR_TEXT, FAR_PATH, FAR_PATH.replace("Ja3", "Ja4"))),
    (
        "msrp.to-path.matches-sdp",
        "handset",
        both(
            sub(TEXT, f"To-Path: {FAR_PATH}", f"To-Path: msrp://r.example.org:2855/x;tcp {FAR_PATH}"),
            sub(9, f"From-Path: {FAR_PATH}", "From-Path: msrp://r.example.org:2855/x;tcp"),
        ),
    ),
    ("sdp.cema.session-match", "network", sub(FAR_TEXT, "10.0.0.1:20000", "10.9.9.9:3541")),
    ("msrp.response.paths", "handset", sub(15, f"To-Path: {FAR_PATH}", f"To-Path: {UE_PATH}")),
    (
        "msrp.response.paths",
        "handset",
        sub(15, f"From-Path: {UE_PATH}", f"From-Path: {UE_PATH.replace(':9/', ':10/')}"),
    ),
    (
        "msrp.response.paths",
        "network",
        sub(9, f"From-Path: {FAR_PATH}", "From-Path: msrp://10.0.0.1:20000/other;tcp"),
    ),
    (
        "msrp.response.tid",
        "network",
        both(
            sub(9, "MSRP bX8kR2mP9sLw", "MSRP bX8kR2mP9sLx"),
            sub(9, "-------bX8kR2mP9sLw", "-------bX8kR2mP9sLx"),
        ),
    ),
    ("msrp.response.flag", "network", sub(9, "-------bX8kR2mP9sLw$", "-------bX8kR2mP9sLw+")),
    (
        "msrp.response.flag",
        "network",
        sub(9, "-------bX8", "Content-Type: text/plain\r\n\r\nhi\r\n-------bX8"),
    ),
    ("msrp.response.codes", "network", sub(9, "200 OK", "299 Fine")),
    ("msrp.response.required", "network", both(lambda s: s.drop(9), lambda s: s.drop(19, 20, 21), silent())),
    ("msrp.response.required", "network", sub(TEXT, "Content-Type", "Failure-Report: no\r\nContent-Type")),
    (
        "msrp.response.required",
        "network",
        sub(TEXT, "Content-Type", "Failure-Report: partial\r\nContent-Type"),
    ),
    ("msrp.response.required", "network", lambda s: s.copy(9, 10)),
    ("msrp.response.latency", "network", lambda s: s.change(9, after=12.0)),
    (
        "msrp.content-type.last",
        "handset",
        sub(
            TEXT,
            "Message-ID: Ue1kQ2mP9sLw\r\nByte-Range: 1-319/319\r\nContent-Type: message/cpim",
            "Message-ID: Ue1kQ2mP9sLw\r\nContent-Type: message/cpim\r\nByte-Range: 1-319/319",
        ),
    ),
    ("msrp.no-mime-without-body", "handset", sub(OPEN, "-------", "Content-Type: text/plain\r\n-------")),
    ("msrp.no-mime-without-body", "handset", sub(OPEN, "-------", "\r\n-------")),
    (
        "msrp.no-cte",
        "handset",
        sub(TEXT, "Content-Type", "Content-Transfer-Encoding: binary\r\nContent-Type"),
    ),
    ("msrp.message-id.present", "handset", sub(TEXT, "Message-ID: Ue1kQ2mP9sLw\r\n", "")),
    ("msrp.message-id.present", "handset", sub(TEXT, "Message-ID: Ue1kQ2mP9sLw", "Message-ID: Ue1")),
    ("msrp.message-id.present", "handset", sub(OPEN, "Message-ID: 0pEn7kQ2mP9s", "Message-ID: <a@b>")),
    ("msrp.message-id.bodiless", "handset", sub(OPEN, "Message-ID: 0pEn7kQ2mP9s\r\n", "")),
    ("msrp.byte-range.syntax", "handset", sub(TEXT, "1-319/319", "1-319")),
    ("msrp.byte-range.syntax", "handset", sub(TEXT, "1-319/319", "0-318/*")),
    ("msrp.byte-range.first-chunk", "handset", sub(TEXT, "Byte-Range: 1-319/319\r\n", "")),
    (
        "msrp.byte-range.required",
        "handset",
        both(instead(*chunked(2048, 200)), sub(10, "Byte-Range: 2049-2248/2248\r\n", "")),
    ),
    (
        "msrp.byte-range.continuity",
        "handset",
        both(instead(*chunked(2048, 200)), sub(10, "2049-2248/2248", "2050-2249/*"), sub(8, "/2248", "/*")),
    ),
    (
        "msrp.byte-range.continuity",
        "network",
        instead(
            *answered(
                chunk(1, 1, 2048, "3000", "+", handset=False, body=text_of(2048)),
                chunk(2, 2049, 10, "2058", "$", handset=False),
            )
        ),
    ),
    ("msrp.byte-range.exact", "handset", sub(TEXT, "1-319/319", "1-320/*")),
    ("msrp.byte-range.end-total", "handset", sub(TEXT, "1-319/319", "1-*/400")),
    ("msrp.byte-range.end-total", "handset", sub(TEXT, "1-319/319", "1-*/300")),
    ("msrp.byte-range.end-total", "handset", sub(TEXT, "-------bX8kR2mP9sLw$", "-------bX8kR2mP9sLw+")),
    (
        "msrp.byte-range.end-total",
        "handset",
        instead(*answered(chunk(1, 1, 200, "*", "$", body=text_of(200)), chunk(2, 201, 100, "*", "$"))),
    ),
    (
        "msrp.byte-range.end-total",
        "handset",
        instead(*answered(chunk(1, 1, 200, "300", "#"), chunk(2, 201, 100, "300", "$"))),
    ),
    ("msrp.byte-range.end-total", "handset", both(sub(OPEN, "-------aX7kQ2mP9sLw$", "-------aX7kQ2mP9sLw+"))),
    ("msrp.chunk-2048", "handset", instead(*answered(chunk(1, 1, 2049, "2049", "$", body=text_of(2049))))),
    ("msrp.chunk-small", "handset", instead(*chunked(500, 500, 500))),
    (
        "msrp.message-id.same-over-chunks",
        "handset",
        instead(
            *answered(
                content(True, "hA1kQ2mP9sL1", "Id1kQ2mP9sLw", text_of(200)),
                content(True, "hA2kQ2mP9sL1", "Id1kQ2mP9sLw", text_of(201)),
            )
        ),
    ),
    (
        "msrp.message-id.same-over-chunks",
        "handset",
        instead(
            *answered(
                content(True, "hA1kQ2mP9sL1", "Id1kQ2mP9sLw", text_of(200)),
                content(True, "hA2kQ2mP9sL1", "Id1kQ2mP9sLw", text_of(200)),
            )
        ),
    ),
    ("msrp.message-id.same-over-chunks", "handset", instead(*answered(chunk(2, 2049, 100, "2148", "$")))),
    (
        "msrp.reports.same-over-chunks",
        "handset",
        both(instead(*chunked(2048, 200)), sub(10, "Content-Type", "Success-Report: yes\r\nContent-Type")),
    ),
    ("msrp.reports.values", "handset", sub(TEXT, "Content-Type", "Success-Report: partial\r\nContent-Type")),
    ("msrp.reports.values", "handset", sub(TEXT, "Content-Type", "Failure-Report: Yes\r\nContent-Type")),
    (
        "msrp.reports.values",
        "handset",
        sub(TEXT, "Content-Type", "Failure-Report: yes\r\nFailure-Report: yes\r\nContent-Type"),
    ),
    ("msrp.report.form", "network", both(asking, at(10, report), sub(10, "000 200 OK", "200 OK"))),
    ("msrp.report.form", "network", both(asking, at(10, report), sub(10, "Status: 000 200 OK\r\n", ""))),
    (
        "msrp.report.form",
        "network",
        both(asking, at(10, report), sub(10, "Status", "Success-Report: no\r\nStatus")),
    ),
    ("msrp.report.form", "network", both(asking, at(10, report), sub(10, "w$", "w+"))),
    (
        "msrp.report.form",
        "network",
        both(at(10, report), sub(10, "000 200 OK", "000 408"), sub(10, "Byte-Range: 1-319/319\r\n", "")),
    ),
    (
        "msrp.report.byte-range",
        "network",
        both(asking, at(10, report), sub(10, "Byte-Range: 1-319/319\r\n", "")),
    ),
    ("msrp.report.only-if-asked", "network", at(10, report)),
    (
        "msrp.report.only-if-asked",
        "network",
        both(
            sub(TEXT, "Content-Type", "Failure-Report: no\r\nContent-Type"),
            lambda s: s.drop(9),
            at(9, report),
            sub(9, "000 200 OK", "000 408"),
        ),
    ),
    ("msrp.report.no-response", "handset", both(asking, at(10, report, ok(report)))),
    ("msrp.report.coverage", "network", both(asking, lambda s: s.change(20, after=3.0))),
    (
        "msrp.report.coverage",
        "network",
        both(asking, at(10, report), sub(10, "1-319/319", "2-319/319"), lambda s: s.change(21, after=3.0)),
    ),
    (
        "msrp.report.no-response",
        "handset",
        both(
            asking,
            at(
                10,
                report,
                Step(
                    True,
                    REPORT.replace(UE_PATH, "x")
                    .replace(FAR_PATH, UE_PATH)
                    .replace(": x", f": {FAR_PATH}")
                    .replace("rX4k", "rX5k"),
                    msrp=1,
                ),
            ),
        ),
    ),
    (
        "msrp.open.first-send",
        "network",
        both(
            lambda s: s.drop(6, 7), at(6, *answered(send(False, "cX1kS2mP9sLw", "Message-ID: 1pEn7kQ2mP9s")))
        ),
    ),
    ("msrp.open.first-send", "handset", sub(OPEN, "SEND", "NICKNAME")),
    ("msrp.open.first-send.delay", "handset", lambda s: s.change(6, after=3.0)),
    ("msrp.open.empty-byte-range", "handset", sub(OPEN, "1-0/0", "0-0/0")),
    ("msrp.open.direction", "network", both(lambda s: s.drop(5), at(5, opened(handset=False)))),
    (
        "msrp.open.session-bound",
        "network",
        both(
            at(10, opened()),
            lambda s: s.change(10, msrp=2),
            at(
                11,
                *[
                    replace(step, msrp=2)
                    for step in answered(send(True, "zX1kS2mP9sLw", "Message-ID: 2pEn7kQ2mP9s"))
                ],
            ),
        ),
    ),
    (
        "msrp.type.allowed",
        "handset",
        instead(*answered(content(True, "hA1kQ2mP9sL1", "Id1kQ2mP9sLw", "hi", "text/plain"))),
    ),
    (
        "msrp.type.allowed",
        "network",
        instead(
            *answered(
                content(
                    False, "hA1kQ2mP9sL1", "Id1kQ2mP9sLw", text_of(200).replace("text/plain", "image/jpeg")
                )
            )
        ),
    ),
    (
        "msrp.close-after-bye",
        "handset",
        at(
            22,
            *(
                replace(step, after=2.0)
                for step in answered(content(True, "hA1kQ2mP9sL1", "Id1kQ2mP9sLw", text_of(200)))
            ),
        ),
    ),
    (
        "msrp.413-stop",
        "handset",
        both(
            instead(*chunked(2048, 2048, 200)),
            sub(11, "200 OK", "413 Enough"),
            lambda s: s.change(12, after=3.0),
        ),
    ),
    (
        "msrp.end-line",
        "handset",
        both(
            instead(
                content(True, "hA1kQ2mP9sL1", "Id1kQ2mP9sLw", text_of(200)),
                *answered(content(True, "hA2kQ2mP9sL1", "Id2kQ2mP9sLw", text_of(200))),
            ),
            sub(8, "\r\n-------h", "\r\n------h"),
        ),
    ),
    (
        "msrp.end-line",
        "handset",
        both(
            instead(
                content(True, "hA1kQ2mP9sL1", "Id1kQ2mP9sLw", text_of(200)),
                *answered(content(True, "hA2kQ2mP9sL1", "Id2kQ2mP9sLw", text_of(200))),
            ),
            sub(8, "-------hA1", "-------hA7"),
        ),
    ),
    ("msrp.body.delimiter-crlf", "handset", sub(TEXT, "1-319/319", "1-321/321")),
    (
        "msrp.body.delimiter-crlf",
        "handset",
        both(
            instead(content(True, "hA1kQ2mP9sL1", "Id1kQ2mP9sLw", text_of(200))),
            sub(8, "x\r\n-------", "x-------"),
        ),
    ),
    (
        "msrp.end-line.not-in-body",
        "handset",
        both(
            instead(
                *answered(
                    content(
                        True,
                        "hA1kQ2mP9sL1",
                        "Id1kQ2mP9sLw",
                        text_of(200) + "\r\n-------hA1kQ2mP9sL1$\r\nand more",
                    )
                )
            )
        ),
    ),
    (
        "msrp.message.whole",
        "handset",
        both(
            instead(content(True, "hA1kQ2mP9sL1", "Id1kQ2mP9sLw", text_of(200))),
            sub(8, "\r\n-------hA1kQ2mP9sL1$\r\n", ""),
        ),
    ),
]


@pytest.mark.parametrize(
    ("rule", "party", "change"), BROKEN, ids=[f"{i}-{each[0]}" for i, each in enumerate(BROKEN)]
)
def test_a_broken_rule_is_found_and_nothing_else(rule: str, party: str, change: Change):
    for profile in ("rcs51", "ietf"):
        assert rules_of(found(change(chat()), profile)) == [(rule, party)]


def test_each_rule_is_broken_once():
    declared = {
        check.id
        for check in load_checks()
        if check.function.__module__.rpartition(".")[2].startswith("msrp_")
    }
    assert declared - {rule for rule, _, _ in BROKEN} == {"msrp.send.interrupt", "msrp.direction"}


def test_levels_come_from_the_catalogue():
    catalogue = load_catalogue()
    for rule, _, change in BROKEN:
        finding = next(each for each in found(change(chat())).findings if each.rule == rule)
        assert finding.fails is (catalogue[rule].hard_fail and finding.severity == "MUST")


def test_of_whom_is_the_octet_told():
    (finding,) = found(sub(TEXT, "1-319/319", "1-*/400")(chat())).findings
    assert (finding.where.label, finding.where.layer, finding.where.source) == (
        "SEND #10",
        "msrp",
        "10.0.0.5:50001",
    )
    (finding,) = found(sub(TEXT, "1-319/319", "1-319")(chat())).findings
    assert finding.where.octet == chat().steps[TEXT].text.index("Byte-Range")


def cut(handset: bool) -> Script:
    half = content(True, "hA1kQ2mP9sL1", "Id1kQ2mP9sLw", text_of(200))
    script = instead(Step(True, half.text[:-30], msrp=1))(chat())
    return script.drop(len(script.steps) - 1).insert(len(script.steps), closed(handset, "closed: reset"))


def test_a_message_cut_by_its_receiver_is_nobodys_fault():
    assert rules_of(found(cut(handset=True))) == [("msrp.message.whole", "handset")]
    verifier = found(cut(handset=False))
    assert rules_of(verifier) == [] and "msrp.message.whole" in {each.rule for each in verifier.open}


@pytest.mark.parametrize("handset", [True, False])
def test_a_capture_says_of_a_cut_message_what_the_live_lab_says(handset, tmp_path):
    live = found(cut(handset))
    write_capture(tmp_path / "cut.pcapng", cut(handset).timeline())
    offline = Verifier()
    offline.judge(capture_to_timeline(tmp_path / "cut.pcapng"))
    assert rules_of(offline) == rules_of(live)
    whole = [each.rule for each in offline.open if each.rule == "msrp.message.whole"]
    assert len(whole) == (not handset)


def with_the_cell_off(script: Script, before: Callable[[Entry], bool]) -> Verifier:
    """The script with a cell switched off before the first entry that is meant."""
    entries = list(script.timeline())
    place = next(entry.number for entry in entries if before(entry))
    off = Event(place, entries[place - 1].time, Layer.VISA, "cell", "off", {})
    moved = [replace(entry, number=entry.number + 1) if entry.number >= place else entry for entry in entries]
    verifier = Verifier()
    verifier.judge([*moved[: place - 1], off, *moved[place - 1 :]])
    return verifier


def test_a_message_cut_while_the_lab_switched_the_radio_is_nobodys_fault():
    verifier = with_the_cell_off(cut(handset=True), lambda each: getattr(each, "text", "")[:6] == "closed")
    assert rules_of(verifier) == [] and "msrp.message.whole" in {each.rule for each in verifier.open}


def test_a_response_that_did_not_come_while_the_lab_switched_the_radio_is_nobodys_fault():
    script = chat().drop(15, *range(16, 23)).wait(20).wait(11)
    assert ("msrp.response.required", "handset") in rules_of(found(script))
    verifier = with_the_cell_off(script, lambda each: each.number == len(script.steps))
    assert "msrp.response.required" not in dict(rules_of(verifier))
    assert "msrp.response.required" in {each.rule for each in verifier.open}


def test_a_chunk_that_does_not_give_way_to_a_response():
    long = chunk(1, 1, 300_000, "300000", "$", end="*", body=text_of(300_000))
    asked = content(False, "nX1kS2mP9sLw", "Nw9kQ2mP9sLw", text_of(200))
    steps = [
        Step(True, long.text[:1000], msrp=1),
        asked,
        Step(True, long.text[1000:], 4.0, msrp=1),
        ok(long),
        ok(asked),
    ]
    assert rules_of(found(instead(*steps)(chat()))) == [("msrp.send.interrupt", "handset")]
    steps[2] = replace(steps[2], after=1.0)
    assert rules_of(found(instead(*steps)(chat()))) == []


@pytest.mark.parametrize(("other", "severity"), [("", "INFO"), ("other", "MUST")])
def test_several_chunks_that_come_again(other, severity):
    whole = text_of(2248)
    begun = other + whole[len(other) : 2048]
    again = answered(
        chunk(2, 1, 2048, "2248", "+", body=begun), chunk(3, 2049, 200, "2248", "$", body=whole[2048:])
    )
    verifier = found(instead(*chunked(2048, 200), *again)(chat()))
    told = [each for each in verifier.findings if each.rule == "msrp.message-id.same-over-chunks"]
    assert [each.severity for each in told] == [severity]


def test_a_path_is_over_soon_after_another_was_agreed_on():
    update = in_dialog("UPDATE", 2, "upd", "Content-Type: application/sdp")
    reply = answer(update, "200 OK", "", ("Content-Type: application/sdp",))
    for after, expected in ((0.1, []), (3.0, [("msrp.to-path.matches-sdp", "handset")])):
        script = chat().drop(*range(10, 22))
        script.steps[8:8] = [update, reply]
        script.body(8, sdp("10.0.0.5", "active", 9, "k3Jx8Qw2Zr7Lt5Yv9Bn2").replace("1 1 IN", "1 2 IN"))
        script.body(9, sdp("10.0.0.1", "passive", 20000, "p4Mz6Hs8Dc2Vf0Gk7Ja4").replace("1 1 IN", "1 2 IN"))
        script.change(10, after=after)
        assert [each for each in rules_of(found(script)) if each[0].startswith("msrp.")] == expected


def test_content_against_the_direction():
    verifier = found(chat().sub(3, "a=sendrecv", "a=sendonly"))
    against = [(each.rule, each.where.label) for each in verifier.findings if each.rule == "msrp.direction"]
    assert against == [("msrp.direction", "SEND #10")]  # notifications may go either way (RFC 4975 8.9)


def test_what_a_capture_has_lost_is_never_a_fail():
    for index in range(6, 20):
        script = chat().drop(index)
        script.start = False
        script.steps = [step for step in script.steps if not step.event]
        if index + 1 < len(script.steps) and script.steps[index].msrp:
            script.change(index, missing=900)
        verifier = found(script)
        assert [str(each) for each in verifier.findings if each.severity != "INFO"] == []


def test_a_response_that_never_came_before_the_connection_ended_is_nobodys_fault():
    script = chat().drop(9)
    assert rules_of(found(script.wait(40))) == []
