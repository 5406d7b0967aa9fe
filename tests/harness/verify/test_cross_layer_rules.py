"""SIP against modem, network simulator and screen, with the events drivers write."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from harness.cpm.profiles import Profile
from harness.evidence.timeline import Event, Layer
from harness.verify.engine import Verifier, VerifySettings
from harness.verify.proof.flows.files import with_cpim_part
from harness.verify.proof.flows.media import push_mo
from harness.verify.proof.flows.msrp import chat
from harness.verify.proof.flows.sip import session_mo

START = 1_700_000_000.0
FAR = "+491700000002"
IMEI = "490154203237518"
TEXT = "hello, world"


def at(seconds, layer, name, /, **fields):
    return Event(0, START + seconds, layer, name, "", fields)


def command(seconds, text, *lines, final="OK"):
    return at(seconds, Layer.AT, "command", port="/dev/modem", command=text, lines=list(lines), final=final)


def urc(seconds, line):
    return at(seconds, Layer.AT, "urc", port="/dev/modem", line=line)


def cell(seconds, *, on=True, tac=1, eci=1):
    return at(seconds, Layer.VISA, "cell", on=on, mcc="001", mnc="01", tac=tac, eci=eci)


def screen(seconds, *messages, conversation=FAR):
    bubbles = [{"text": text, "outgoing": out, "status": status} for text, out, status in messages]
    return at(seconds, Layer.ADB, "screen", serial="s1", conversation=conversation, messages=bubbles)


def shell(seconds, text):
    return at(seconds, Layer.ADB, "shell", serial="s1", command=text, exit=0, output="")


def tap(seconds, element="menu"):
    return at(seconds, Layer.ADB, "tap", serial="s1", element=element, place=[1, 2])


def opened(seconds, conversation=FAR):
    return at(seconds, Layer.ADB, "open", serial="s1", conversation=conversation)


def end(seconds):
    return at(seconds, Layer.LAB, "test-end", name="flow")


def woven(script, *events):
    """The packets of the script and the events in the order of their times."""
    entries = sorted([*script.timeline(), *events], key=lambda entry: entry.time)
    return [replace(entry, number=number) for number, entry in enumerate(entries, 1)]


def found(script, *events, **settings):
    verifier = Verifier(Profile.RCS51, VerifySettings(**settings))
    return [finding for finding in verifier.judge(woven(script, *events)) if finding.rule.startswith("x.")]


def rules(script, *events, **settings):
    return [finding.rule for finding in found(script, *events, **settings)]


# Steps are 0.1 s apart: register() 0.1 to 0.8; pager_mt() text 0.1, 200 0.2, delivered 0.3, displayed 0.5.


@pytest.mark.parametrize("when", [0.05, 5.0])
@pytest.mark.parametrize(
    ("event", "wrong"),
    [
        (("AT+CGSN", IMEI), False),
        (("AT+CGSN=1", f'+CGSN: "{IMEI}"'), False),
        (("AT+CGSN", "490154203237526"), True),
        (("AT+CGSN=2", '+CGSN: "4901542032375112"'), False),
        (("AT+CGSN=3", '+CGSN: "12"'), False),
        (("AT+CIMI", "001010000000001234"), False),
    ],
)
def test_the_imei_of_the_registration_is_that_of_the_modem(flow, when, event, wrong):
    results = found(flow("register"), command(when, *event))
    assert {finding.rule for finding in results} == ({"x.imei-equals-at"} if wrong else set())
    assert all(finding.party == "handset" and "REGISTER" in finding.where.label for finding in results)


def test_a_uuid_says_nothing_about_the_imei(flow):
    script = flow("register").everywhere(
        "urn:gsma:imei:49015420-323751-0", "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
    )
    assert rules(script, command(0.05, "AT+CGSN", IMEI)) == []


@pytest.mark.parametrize(
    ("events", "count"),
    [
        ([], 0),
        ([cell(0.05)], 0),
        ([cell(0.05, tac=2)], 4),
        ([cell(0.05, eci=2)], 4),
        ([cell(0.05), cell(0.07, on=False)], 0),
        ([cell(0.05), cell(0.35, tac=2)], 0),
        ([cell(-5.0), at(0.07, Layer.VISA, "cell-change")], 0),
        ([cell(-5.0, tac=2), at(0.07, Layer.VISA, "cell-change")], 0),
        ([at(-5.5, Layer.VISA, "cell-change"), cell(-5.0, tac=2)], 4),
        ([cell(-9.0), cell(-5.0, tac=2)], 4),
    ],
)
def test_the_cell_of_p_access_network_info_is_the_one_on_the_air(flow, events, count):
    script = flow("pager_mt").drop(4, 5)
    script.steps += flow("pager_mo").steps[:2]
    assert rules(script, *events) == ["x.pani-cell-equals-simulator"] * (count - 1 if count else 0)


def test_the_cell_before_is_tolerated_only_for_a_while(flow):
    events = (cell(-9.0), cell(0.05, tac=2))
    assert rules(flow("pager_mo"), *events) == []
    assert len(rules(flow("pager_mo"), *events, cell_tolerance=0.2)) == 2


@pytest.mark.parametrize(
    ("events", "wrong"),
    [
        ([], False),
        ([shell(-3.0, "getprop")], True),
        ([shell(-3.0, "getprop"), opened(0.4)], False),
        ([shell(-3.0, "getprop"), opened(1.0)], False),
        ([shell(-3.0, "getprop"), screen(0.4, (TEXT, False, ""))], False),
        ([shell(-3.0, "getprop"), opened(0.4, "+491700000077")], True),
        ([shell(-3.0, "am start -a android.intent.action.SENDTO -d smsto:+491700000002 x")], False),
        ([shell(-3.0, "getprop"), tap(-0.1)], False),
        ([shell(-3.0, "getprop"), tap(-0.1, element="send_button")], True),
        ([tap(-0.1), shell(-0.05, "input keyevent KEYCODE_HOME")], True),
        ([opened(-3.0)], False),
        ([opened(-3.0), shell(-2.5, "input keyevent KEYCODE_HOME")], True),
        ([opened(-3.0), opened(-2.5, "+491700000077")], True),
        ([shell(-3.0, "getprop"), shell(0.45, "input tap 100 200; uiautomator dump")], False),
        ([shell(-3.0, "getprop"), shell(0.6, "am start -W -d smsto:+491700000002 com.example")], False),
    ],
)
@pytest.mark.parametrize("last", [1.5, 9.0])
def test_displayed_comes_after_the_conversation_was_opened(flow, events, wrong, last):
    expected = ["x.displayed-after-screen"] if wrong else []
    assert rules(flow("pager_mt"), *events, end(last), urc(20.0, "+CREG: 1")) == expected


# chat(): the far end's text goes by MSRP at 1.5, the handset displays it at 1.9.
@pytest.mark.parametrize(
    ("events", "wrong"),
    [
        ([shell(-3.0, "getprop")], True),
        ([opened(-3.0)], False),
        ([opened(-3.0, "Trip to the sea")], False),
        ([opened(-3.0), shell(-2.5, "input keyevent KEYCODE_HOME")], True),
        ([shell(-3.0, "am start -W -d smsto:+491700000002 com.example")], False),
        ([opened(-3.0), shell(-2.5, "am start -W -n com.example/.ui.ConversationListActivity")], True),
    ],
)
def test_what_a_session_brought_is_displayed_in_an_open_conversation(flow, events, wrong):
    judged = rules(chat(), *events, end(9.0))
    assert [rule for rule in judged if rule == "x.displayed-after-screen"] == (
        ["x.displayed-after-screen"] if wrong else []
    )


OLD = ("of an earlier test", False, "")


@pytest.mark.parametrize(
    ("text", "bubbles", "wrong"),
    [
        (TEXT, [(TEXT, False, "")], 0),
        (TEXT, [OLD, (TEXT, False, "")], 0),
        (TEXT, [], 1),
        (TEXT, [OLD], 1),
        (TEXT, [(TEXT, True, "sent")], 1),
        (TEXT, [("hello world", False, "")], 1),
        (TEXT, [OLD, ("hello world", False, "")], 1),
        (TEXT, [(TEXT, False, ""), ("never sent", False, "")], 1),
        (TEXT, [(TEXT, False, ""), ("failed", True, "not sent")], 0),
        (TEXT, [(TEXT, False, ""), ("of nobody", True, "sent")], 1),
        (TEXT, [("fills the screen, never left", True, "not-sent")], 0),
        ("u\u0308ber", [("\u00fcber", False, "")], 0),
        ("a\r\nb", [("a\nb", False, "")], 0),
        ("a\r\nb", [("a b", False, "")], 0),
        ("a\x07b", [("a.b", False, "")], 0),
        ("smile \U0001f600", [("smile \U0001f600", False, "")], 0),
        ("smile \U0001f600", [("smile ", False, "")], 1),
    ],
)
def test_the_screen_shows_what_was_on_the_wire(flow, text, bubbles, wrong):
    script = flow("pager_mt").sub(0, "hello, world", text)
    script.steps = script.steps[:2]
    assert rules(script, screen(5.0, *bubbles)) == ["x.screen-text-equals-wire"] * wrong


def test_text_the_handset_sent(flow):
    script = flow("pager_mo")
    script.steps = script.steps[:2]
    assert rules(script, screen(5.0, (TEXT, True, "sent"))) == []
    assert rules(script, screen(5.0, ("hello", True, "sent"))) == ["x.screen-text-equals-wire"]


def test_a_message_that_was_refused_need_not_be_on_screen(flow):
    script = flow("pager_mt").sub(1, "200 OK", "486 Busy Here")
    script.steps = script.steps[:2]
    assert rules(script, screen(5.0)) == []


def test_a_message_just_accepted_may_not_be_there_yet(flow):
    script = flow("pager_mt")
    script.steps = script.steps[:2]
    assert rules(script, screen(0.5, OLD)) == []


def test_the_cpim_headers_of_a_text_file_are_no_text():
    script = with_cpim_part(push_mo()).everywhere("image/jpeg", "text/plain")
    assert rules(script, screen(5.0)) == []


def test_another_conversation_is_not_compared(flow):
    script = flow("pager_mt")
    script.steps = script.steps[:2]
    assert rules(script, screen(5.0, conversation="+491700000077")) == []
    assert rules(script, screen(5.0, conversation="0170 0000002")) == ["x.screen-text-equals-wire"]


def test_the_same_difference_is_told_once(flow):
    script = flow("pager_mt")
    script.steps = script.steps[:2]
    assert rules(script, *(screen(moment, OLD) for moment in (5.0, 6.0, 7.0))) == [
        "x.screen-text-equals-wire"
    ]


def test_a_text_that_was_displayed_by_the_handsets_own_word_is_compared_at_once(flow):
    altered = screen(0.7, ("hello world", False, ""))
    assert rules(flow("pager_mt"), opened(0.35), altered) == ["x.screen-text-equals-wire"]
    assert rules(flow("pager_mt"), opened(0.35), screen(0.7)) == []


def many(flow, count):
    """So many texts to the handset, t1 to tn."""
    script = flow("pager_mt")
    first = script.steps[:2]
    script.steps = []
    for number in range(1, count + 1):
        for step in first:
            text = step.text.replace("hello, world", f"message {number:04d}").replace("mtd", f"mtd{number}")
            text = text.replace("Msg7aB2cD3eF4gH5iJ6k", f"Msg{number}aB2cD3eF4gH5iJ6k")
            script.steps.append(replace(step, text=text.replace("fard81c2", f"far{number}d81c2")))
    return script


def test_the_screen_may_show_only_the_last_ones(flow):
    bubbles = [(f"message {number:04d}", False, "") for number in (3, 4)]
    assert rules(many(flow, 4), screen(9.0, *bubbles)) == []


def test_texts_of_sessions_on_the_screen_push_others_off_it(flow):
    """Of a session that ran, the rule does not know which bubbles it brought."""
    script = many(flow, 2)
    script.steps += session_mo().steps
    assert rules(script, screen(9.0, ("from the session", False, ""))) == []


def test_one_missing_between_others(flow):
    bubbles = [(f"message {number:04d}", False, "") for number in (1, 2, 4)]
    (finding,) = found(many(flow, 4), screen(9.0, *bubbles))
    assert "message 0003" in finding.expected


def unseen_session(flow):
    """A session with the far party whose MSRP nobody captured."""
    return flow("session_mo").steps


LONG = ("long " * 300, True, "sent")
LAST = [(f"message {number:04d}", False, "") for number in (3, 4)]


def test_a_bubble_of_something_not_captured_says_nothing_of_what_went_over_the_top(flow):
    script = many(flow, 4)
    script.steps += unseen_session(flow)
    assert rules(script, screen(19.0, LONG, *LAST)) == []
    assert rules(script, screen(19.0, LONG, *LAST, ("what is this", False, ""))) == []
    (finding,) = found(script, screen(19.0, ("message 0002", False, ""), LAST[1]))
    assert "message 0003" in finding.expected


def test_a_bubble_the_wire_never_had_stands_for_the_newest_that_is_not_there(flow):
    (finding,) = found(many(flow, 4), screen(9.0, LONG, *LAST))
    assert "message 0002" in finding.expected


def test_a_text_not_sent_that_repeats_an_older_one_is_not_that_one(flow):
    script = flow("pager_mo")
    script.steps = [*script.steps[:2], *many(flow, 2).steps]
    last = [(f"message {number:04d}", False, "") for number in (1, 2)]
    assert rules(script, screen(9.0, (TEXT, True, "sent"), *last)) == []
    assert rules(script, screen(9.0, last[1], (TEXT, True, "not-sent"))) == []
    assert rules(script, screen(9.0, *last, (TEXT, True, "sending"))) == []
    just_taken = (TEXT, True, "sent"), last[0], (TEXT, True, "not-sent")
    assert rules(script, screen(1.9, *just_taken)) == []


def test_a_type_that_was_refused_is_no_bubble(flow):
    script = many(flow, 4)
    script.steps[2] = replace(script.steps[2], text=script.steps[2].text.replace("text/plain", "image/jpeg"))
    bubbles = [("altered", False, ""), *LAST]
    assert rules(script, screen(9.0, *bubbles)) == []
    script.steps[3] = replace(script.steps[3], text=script.steps[3].text.replace("200 OK", "415 No"))
    (finding,) = found(script, screen(9.0, *bubbles))
    assert "message 0001" in finding.expected


OURS, THEIRS = (TEXT, True, "read"), ("and to you", False, "")


def talk():
    """chat() with another text of the far end, at 1.5."""
    return chat().sub(14, TEXT, "and to you").sub(14, "1-319/319", "1-317/317")


@pytest.mark.parametrize(
    ("bubbles", "wrong"),
    [
        ([OURS, THEIRS], 0),
        ([THEIRS], 0),
        ([OURS], 1),
        ([OURS, ("and to y0u", False, "")], 1),
        ([("hell0, world", True, "read"), THEIRS], 1),
        ([OURS, THEIRS, ("never sent", False, "")], 1),
        ([], 2),
    ],
)
def test_texts_of_a_chat_are_compared_too(bubbles, wrong):
    assert rules(talk(), opened(0.1), screen(9.0, *bubbles)) == ["x.screen-text-equals-wire"] * wrong
    assert rules(talk(), opened(0.1), screen(9.0, *bubbles, conversation="+491700000077")) == []


def test_a_text_that_never_came_to_its_end_is_not_another_one_altered(flow):
    script = talk()
    script.steps = [*many(flow, 2).steps, *script.steps]
    assert rules(script, opened(0.1), screen(9.0, OURS, THEIRS)) == []
    broken = script.steps[12]
    assert "Ue1kQ2mP9sLw" in broken.text
    script.steps[12] = replace(broken, text=broken.text.replace("sLw$", "sLw+"))
    judged = rules(script, opened(0.1), screen(9.0, OURS, THEIRS))
    assert "x.screen-text-equals-wire" not in judged


def test_a_group_is_known_by_its_subject(flow):
    script = talk()
    named = script.sub(0, "Accept-Contact", "Subject: To the sea\r\nAccept-Contact").sub(
        0, "To: <sip:+491700000002@", "To: <sip:focus@"
    )
    wrong = screen(9.0, OURS, ("and to y0u", False, ""), conversation="To the sea")
    assert rules(named, opened(0.1), wrong) == ["x.screen-text-equals-wire"]
    right = screen(9.0, OURS, THEIRS, conversation="To the sea")
    assert rules(named, opened(0.1), right) == []
    for other in ("To the hills", FAR):
        assert rules(named, opened(0.1), replace(wrong, fields={**wrong.fields, "conversation": other})) == []


@pytest.mark.parametrize(
    ("events", "wrong"),
    [
        ([urc(0.9, "+CIREGU: 1")], False),
        ([urc(0.9, "+CIREGU: 0")], False),
        ([urc(9.0, "+CIREGU: 0")], True),
        ([command(9.0, "AT+CIREG?", "+CIREG: 2,0")], True),
        ([command(9.0, "AT+CIREG?", "+CIREG: 2,1,5")], False),
        ([cell(8.0, on=False), urc(9.0, "+CIREGU: 0")], False),
        ([urc(9.0, "+CIREGU: 0"), shell(9.5, "cmd connectivity airplane-mode enable")], False),
        ([command(8.5, "AT+CFUN=4"), urc(9.0, "+CIREGU: 0")], False),
        ([urc(9.0, "+CREG: 0")], False),
    ],
)
def test_the_modem_agrees_with_the_registrar(flow, events, wrong):
    expected = ["x.cireg-agrees"] if wrong else []
    assert rules(flow("register"), *events, end(30.0)) == expected


def test_the_modem_after_a_deregistration(flow):
    script = flow("register")
    for step in script.steps[2:4]:
        text = step.text.replace("expires=600000", "expires=0").replace("2 REGISTER", "3 REGISTER")
        script.steps.append(replace(step, text=text.replace("z9hG4bKreg2", "z9hG4bKreg3"), after=5.0))
    later = (urc(30.0, "+CIREGU: 1"), end(40.0))
    assert rules(script, *later) == ["x.cireg-agrees"]
    assert rules(script, urc(11.5, "+CIREGU: 1"), end(40.0)) == []
    assert rules(script, urc(30.0, "+CIREGU: 0"), end(40.0)) == []


def test_the_modem_after_the_network_ended_the_registration(flow):
    """RFC 3680 5.2: the reginfo of the NOTIFY has taken the contact away; no REGISTER is needed for that."""
    script = flow("register")
    place = next(i for i, step in enumerate(script.steps) if step.text.startswith("NOTIFY"))
    ended = """<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="1" state="full"><registration """ + (
        """aor="sip:x@y" id="r" state="terminated"><contact id="c" state="terminated" event="rejected">"""
        "<uri>sip:x@h</uri></contact></registration></reginfo>"
    )
    notify = script.steps[place]
    head, _, _ = notify.text.partition("\r\n\r\n")
    head = re.sub(r"Content-Length: \d+", f"Content-Length: {len(ended)}", head)
    script.steps[place] = replace(notify, text=f"{head}\r\n\r\n{ended}")
    assert rules(script, urc(30.0, "+CIREGU: 0"), end(40.0)) == []
    assert rules(script, urc(30.0, "+CIREGU: 1"), end(40.0)) == ["x.cireg-agrees"]


def test_two_handsets_are_not_compared_with_each_other(flow):
    other = at(0.01, Layer.AT, "command", port="/dev/other", command="AT+CGSN", lines=["1" * 15], final="OK")
    mine = at(0.02, Layer.AT, "command", port="/dev/mine", command="AT+CGSN", lines=["2" * 15], final="OK")
    assert set(rules(flow("register"), other, end(30.0))) == {"x.imei-equals-at"}
    assert rules(flow("register"), other, mine, end(30.0)) == []


def test_without_a_registration_on_the_timeline_nothing_is_said(flow):
    assert rules(flow("pager_mo"), urc(0.05, "+CIREGU: 1"), end(30.0)) == []
