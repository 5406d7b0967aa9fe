"""MSRP the documents allow and handsets seldom send: no rule may say anything of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.cpm.profiles import Profile
from harness.evidence.timeline import Transport
from harness.verify.engine import Verifier
from harness.verify.proof.changes import (
    OPEN,
    TEXT,
    Change,
    asking,
    at,
    both,
    chunk,
    chunked,
    instead,
    report,
    sub,
    text_of,
)
from harness.verify.proof.flows.msrp import (
    FAR_PATH,
    RELAY,
    UE_PATH,
    answered,
    chat,
    closed,
    content,
    ok,
    opened,
    request,
    send,
)
from harness.verify.proof.messages import answer, in_dialog, sdp
from harness.verify.proof.script import Script, Step
from tests.harness.verify.judging import found


def legal_request(*headers: str) -> Step:
    return request("SEND", True, "hA1kQ2mP9sL1", *headers, body=text_of(200))


LEGAL = [
    instead(
        content(True, "hA1kQ2mP9sL1", "Id1kQ2mP9sLw", text_of(200)),
        ok(content(True, "hA1kQ2mP9sL1", "", ""), "400 Bad"),
        *answered(content(True, "hA2kQ2mP9sL1", "Id1kQ2mP9sLw", text_of(201))),
    ),
    instead(
        *answered(
            legal_request(
                "Message-ID: Id1kQ2mP9sLw",
                "byte-range: 1-*/*",
                "X-New: yes",
                "Content-Disposition: render",
                "Content-Type: Message/CPIM;charset=x",
            )
        )
    ),
    instead(
        *answered(
            send(
                True,
                "hA1kQ2mP9sL1",
                "Message-ID: Id1k",
                "Byte-Range: 1-0/0",
                "Content-Type: message/cpim",
                body="",
            )
        )
    ),
    instead(*answered(send(True, "1-.+%=kQ2mP9", "Message-ID: 1-.+%=", "Byte-Range: 1-0/0"))),
    instead(*chunked(2048, 2048, 100)),
    instead(
        *answered(
            chunk(1, 1, 3000, "4000", "+", end="*", body=text_of(3000)), chunk(2, 3001, 1000, "4000", "$")
        )
    ),
    instead(
        *answered(
            chunk(1, 1, 3000, "4000", "+", end="*", body=text_of(3000)),
            chunk(2, 3001, 500, "*", "#", end="*"),
        )
    ),
    instead(
        *answered(
            chunk(1, 1, 200, "*", "+", end="*", body=text_of(200)), chunk(2, 201, 100, "300", "$", end="*")
        )
    ),
    both(asking, at(10, report)),
    both(asking, at(10, report), sub(10, "1-319/319", "1-100/319")),
    both(at(10, report), sub(10, "000 200 OK", "000 481")),
    both(sub(TEXT, "Content-Type", "Failure-Report: no\r\nContent-Type"), lambda s: s.drop(9)),
    both(sub(TEXT, "Content-Type", "Failure-Report: partial\r\nContent-Type"), lambda s: s.drop(9)),
    both(sub(TEXT, "Content-Type", "Failure-Report: partial\r\nContent-Type"), sub(9, "200 OK", "403 No")),
    sub(9, "200 OK", "200"),
    sub(9, "200 OK", "200 G\u00fcltig (\u4f60)"),
    sub(9, "-------bX8", "Message-ID: Ue1kQ2mP9sLw\r\nByte-Range: 1-319/319\r\n-------bX8"),
    sub(9, "200 OK", "415 No"),
    sub(TEXT, "msrp://10.0.0.1:20000/", "MSRP://someone@10.0.0.1:20000/"),
    sub(TEXT, ";tcp", ";TCP;x=y"),
    sub(OPEN, "Byte-Range: 1-0/0\r\n", ""),
    both(lambda s: s.everywhere("a=setup:active\r\n", "", 0).everywhere("a=setup:passive\r\n", "", 3)),
    both(
        lambda s: s.everywhere("a=sendrecv\r\n", "a=sendonly\r\n", 0).everywhere(
            "a=sendrecv\r\n", "a=recvonly\r\n", 3
        ),
        lambda s: s.drop(14, 15),
    ),
    at(20, Step(True, "\r\n\r\n", msrp=1), *answered(send(True, "kX1kS2mP9sLw", "Message-ID: 2pEn7kQ2mP9s"))),
]


@pytest.mark.parametrize("change", LEGAL, ids=[str(number) for number in range(len(LEGAL))])
def test_what_the_documents_allow_is_no_finding(change: Change):
    script = change(chat())
    measured_sdp(script).wait(40)
    for profile in Profile:
        assert complaints(found(script, profile)) == []


def test_tls_may_let_the_passive_side_speak_first():
    """RFC 4975 5.4: with a client certificate both ends know each other."""
    script = chat().drop(6, 7)
    script.steps = [replace(step, transport=Transport.TLS) if step.msrp else step for step in script.steps]
    script.steps[6:6] = [replace(step, transport=Transport.TLS) for step in script.steps[12:14]]
    script.drop(14, 15)
    assert complaints(found(script)) == []


def test_one_connection_may_carry_two_sessions():
    """RFC 4975 5.4: a connection to the same host and port is used again."""
    script, other = chat(), chat()
    script.steps[20:] = []
    for index, step in enumerate(other.steps):
        text = step.text
        for old, new in (
            ("inv9d8f", "zzz9d8f"),
            ("z9hG4bK", "z9hG4bKzz"),
            ("k3Jx8", "k4Jx8"),
            ("p4Mz6", "p5Mz6"),
            *((f"{letter}X", f"{letter}Y") for letter in "abcdefg"),
            ("kQ2mP9sLw", "kQ2mP9sLz"),
            ("aB2cD3eF4", "aB2cD3eF5"),
        ):
            text = text.replace(old, new)
        other.steps[index] = replace(step, text=text)
    script.steps += [step for step in other.steps if not step.event]
    verifier = found(script)
    assert complaints(verifier) == []
    assert len({entry.session for entry in verifier.assembly.msrp.entries}) == 2


def complaints(verifier: Verifier) -> list[str]:
    wanted = ("msrp.", "sdp.cema.", "internal", "ft.", "imdn.")
    return [str(each) for each in verifier.findings if each.rule.startswith(wanted)]


def measured_sdp(script: Script) -> Script:
    """Content-Length follows a changed SDP."""
    for index in (0, 3):
        script.body(index, script.steps[index].text.partition("\r\n\r\n")[2])
    return script


def test_a_session_that_was_made_anew_takes_up_a_message():
    """RFC 4975 5.4: the chunks of a message may be split over a session that failed and its replacement."""
    script = chat()
    first, second = chunked(2048, 200)[0], chunked(2048, 200)[2]
    update = in_dialog("UPDATE", 2, "upd", "Content-Type: application/sdp")
    body = sdp("10.0.0.5", "active", 9, "k3Jx8Qw2Zr7Lt5Yv9Bn2")
    answer_body = sdp("10.0.0.1", "passive", 20000, "p4Mz6Hs8Dc2Vf0Gk7Ja4")
    script.steps[8:20] = [
        *answered(first),
        closed(text="closed: by the other end"),
        update,
        answer(update, "200 OK", "", ("Content-Type: application/sdp",)),
        replace(opened(), msrp=2),
        *(
            replace(step, msrp=2, text=step.text.replace("9Bn1", "9Bn2").replace("7Ja3", "7Ja4"))
            for step in answered(send(True, "aX7kQ2mP9sLz", "Message-ID: 0pEn7kQ2mP9z"), second)
        ),
    ]
    script.body(11, body).body(12, answer_body)
    verifier = found(script)
    assert [
        str(each) for each in verifier.findings if each.rule.startswith(("msrp.", "sdp.cema.", "internal"))
    ] == []
    assert verifier.assembly.msrp.messages[-1].complete


def test_both_sides_use_relays():
    """RFC 4976 5.1: the own relays come first in To-Path, in the order that the SDP reverses."""
    inner, outer = "msrp://in.example.org:2855/a1;tcp", "msrp://out.example.org:2855/b2;tcp"
    script = chat().everywhere(f"a=path:{UE_PATH}", f"a=path:{outer} {inner} {UE_PATH}", 0)
    script.everywhere(f"a=path:{FAR_PATH}", f"a=path:{RELAY} {FAR_PATH}", 3)
    for index in range(6, 20, 2):
        asked, reply = script.steps[index], script.steps[index + 1]
        name, back = ("To-Path", "From-Path") if asked.handset else ("From-Path", "To-Path")
        whole = f"{name}: {inner} {outer} {RELAY} {FAR_PATH}"
        script.change(index, text=asked.text.replace(f"{name}: {FAR_PATH}", whole))
        script.change(index + 1, text=reply.text.replace(f"{back}: {FAR_PATH}", f"{back}: {inner}"))
    verifier = found(measured_sdp(script))
    assert [each for each in verifier.findings if each.rule.startswith("msrp.")] == []
    assert verifier.exercised["msrp.relay.use-path"] > 0


@pytest.mark.parametrize("repeated", ["1-319/*", "1-*/319", "1-*/*"])
def test_a_response_may_repeat_less_of_a_range(repeated):
    change = sub(9, "-------bX8", f"Message-ID: Ue1kQ2mP9sLw\r\nByte-Range: {repeated}\r\n-------bX8")
    assert complaints(found(change(chat()))) == []
