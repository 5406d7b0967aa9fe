"""isComposing: what is right, signs over time and on the screen (mutants are in the proof)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.evidence.timeline import Layer
from harness.verify.engine import Verifier
from harness.verify.proof.flows import FLOWS
from harness.verify.proof.flows.composing import ACTIVE, COMPOSING, IDLE, bare, seen, wrapped
from harness.verify.proof.flows.msrp import chat, ok
from harness.verify.proof.imdn_changes import inserted


def told(script, profile="rcs51"):
    verifier = Verifier(profile)
    return {(item.rule, item.party.value) for item in verifier.judge(script.timeline())}


def typing(document, *, handset=True, form=bare):
    """A chat in which a side types before it hangs up."""
    return inserted(20, *form(handset, 1, document))(chat())


@pytest.mark.parametrize("profile", ["ietf", "rcs51", "up2"])
@pytest.mark.parametrize("document", [ACTIVE, IDLE], ids=["active", "idle"])
@pytest.mark.parametrize("handset", [True, False])
def test_the_examples_of_the_rfc_give_nothing(document, handset, profile):
    assert told(typing(document, handset=handset), profile) == set()


def test_elements_of_other_namespaces_and_times_without_a_zone_are_right():
    more = IDLE.replace("</isComposing>", '<x:y xmlns:x="urn:x">1</x:y></isComposing>')
    assert told(typing(more.replace("10:43:00Z", "10:43:00.5"))) == set()


def test_where_it_is_not_accepted_both_forms_are_told():
    script = inserted(20, *wrapped(True, 1, ACTIVE))(chat()).sub(3, " application/im-iscomposing+xml", "")
    assert told(script) == {("iscomp.media-type", "handset"), ("iscomp.form", "handset")}


@pytest.mark.parametrize(
    ("later", "wrong"),
    [
        ([(ACTIVE, 90.0)], False),
        ([(ACTIVE, 89.5)], False),
        ([(ACTIVE, 60.0)], True),
        ([(IDLE, 15.0), (ACTIVE, 1.0)], False),
        ([(IDLE, 15.0), (ACTIVE, 1.0), (IDLE, 15.0)], False),
        ([(IDLE, 15.0), (IDLE, 200.0)], True),
    ],
)
def test_active_is_refreshed_and_idle_is_not(later, wrong):
    script = typing(ACTIVE)
    for number, (document, after) in enumerate(later, 2):
        inserted(18 + 2 * number, *bare(True, number, document, after))(script)
    assert (("iscomp.rate", "handset") in told(script)) is wrong


def test_after_a_text_typing_begins_anew():
    script = chat()
    first, text = bare(True, 1, ACTIVE), script.steps[8:10]
    script.steps[8:10] = [*first, *text, *bare(True, 2, ACTIVE)]
    assert "iscomp.rate" not in {rule for rule, _ in told(script)}


@pytest.mark.parametrize("later", [[], bare(True, 2, IDLE, 15.0), bare(True, 2, ACTIVE, 90.0)])
def test_a_side_that_typed_says_more_or_ends_the_session(later):
    """Without more it hangs up 0.1 s later, as chat() does."""
    script = inserted(22, *later)(typing(ACTIVE)).wait(140.0)
    assert "iscomp.idle-after" not in {rule for rule, _ in told(script)}


def test_who_lost_the_radio_while_typing_is_not_blamed():
    script = typing(ACTIVE).drop(22, 23, 24).saw(3.0, Layer.AT, "command", command="AT+CFUN=0").wait(140.0)
    verifier = Verifier()
    verifier.judge(script.timeline())
    assert "iscomp.idle-after" in {each.rule for each in verifier.open}
    assert "iscomp.idle-after" not in {each.rule for each in verifier.findings}


@pytest.mark.parametrize(
    ("when", "line", "wrong"),
    [
        (17.55, "They are typing", False),
        (19.0, "They are typing", False),
        (30.0, "They are typing", True),
        (30.0, "", False),
    ],
)
def test_a_screen_shows_who_types_until_idle(when, line, wrong):
    script = FLOWS["chat_typing"]().saw(0.3, Layer.ADB, "open", serial="s1", conversation="+491700000002")
    script.saw(when, Layer.ADB, "screen", **seen(line)).wait(30.0)
    assert (("iscomp.receiver", "handset") in told(script)) is wrong


@pytest.mark.parametrize(("when", "wrong"), [(100.0, False), (110.0, True)])
def test_a_sign_of_typing_ends_by_itself(when, wrong):
    """The far end said active at 17.4 s, refreshed every 90 s, and nothing after."""
    script = FLOWS["chat_typing"]().drop(26, 27, 28, 29, 30)
    script.saw(0.3, Layer.ADB, "open", serial="s1", conversation="+491700000002")
    script.saw(when, Layer.ADB, "screen", **seen("They are typing")).wait(130.0)
    assert (("iscomp.receiver", "handset") in told(script)) is wrong


def test_a_text_ends_what_its_sender_typed():
    script = chat()
    script.steps[14:14] = bare(False, 1, ACTIVE)
    script.saw(0.3, Layer.ADB, "open", serial="s1", conversation="+491700000002")
    script.saw(12.0, Layer.ADB, "screen", **seen("They are typing")).wait(30.0)
    assert ("iscomp.receiver", "handset") in told(script)


def test_a_screen_of_another_conversation_says_nothing():
    script = FLOWS["chat_typing"]().saw(0.3, Layer.ADB, "open", serial="s1", conversation="+491700000002")
    other = {**seen("They are typing"), "conversation": "+491700000077"}
    script.saw(30.0, Layer.ADB, "screen", **other).wait(30.0)
    assert "iscomp.receiver" not in {rule for rule, _ in told(script)}


# -- values, and what is not read -------------------------------------------------------------------------


def findings(script):
    """Those on isComposing, and on rules that broke."""
    found = Verifier().judge(script.timeline())
    return [each for each in found if each.rule.startswith(("iscomp.", "internal"))]


@pytest.mark.parametrize("value", ["+90", "0090", " 90 ", "60", "9" * 5000])
def test_a_refresh_is_any_positive_number(value):
    """xs:positiveInteger: with a sign, leading zeros, of any length; and not shorter than a minute."""
    assert findings(typing(ACTIVE.replace(">90<", f">{value}<"))) == []


def test_digits_of_other_scripts_are_no_number():
    found = findings(typing(ACTIVE.replace(">90<", ">\N{ARABIC-INDIC DIGIT FIVE}<")))
    assert [each.rule for each in found] == ["iscomp.xml.schema"]


@pytest.mark.parametrize("kind", ["text/plain; charset=utf-8", "text", "x-a.b+c/*"])
def test_a_content_type_may_have_parameters_or_no_subtype(kind):
    rules = [each.rule for each in findings(typing(ACTIVE.replace("text/plain", kind)))]
    assert rules == (["iscomp.contenttype"] if "*" in kind else [])


@pytest.mark.parametrize(
    ("rule", "old", "new"),
    [
        ("iscomp.xml.schema", "<refresh>90<", "<refresh><"),
        ("iscomp.state", ">active<", "><"),
        ("iscomp.contenttype", ">text/plain<", "><"),
        ("iscomp.lastactive", "<state>", "<state>active</state><lastactive></lastactive><!--"),
    ],
)
def test_an_empty_element_is_called_nothing(rule, old, new):
    document = ACTIVE.replace(old, new)
    if "<!--" in new:
        document = document.replace("</state><contenttype>", "</state>--><contenttype>")
    assert [(each.rule, each.actual) for each in findings(typing(document))] == [(rule, "nothing")]


def test_of_several_unknown_elements_one_is_told():
    more = ACTIVE.replace("</isComposing>", "<since>1</since><until>2</until></isComposing>")
    assert [each.actual for each in findings(typing(more))] == ["<since>"]


def test_what_is_too_large_or_was_given_up_is_not_read():
    broken = ACTIVE.replace("</isComposing>", "")
    large = broken.replace("<state>", f"<!--{'x' * 70_000}--><state>")
    assert findings(typing(large)) == []
    given_up = typing(broken)
    place = next(n for n, step in enumerate(given_up.steps) if broken in step.text)
    assert findings(given_up.change(place, text=given_up.steps[place].text.replace("$", "#"))) == []


def test_what_is_encoded_is_not_read(flow):
    script = flow("pager_mo").drop(2, 3, 4, 5).body(0, "no document")
    script.sub(0, "Content-Type: message/cpim", f"Content-Type: {COMPOSING}\r\nContent-Encoding: gzip")
    assert [each.rule for each in findings(script)] == ["iscomp.not-pager"]


def test_a_type_that_is_not_accepted_is_told_once():
    """The document in two chunks."""
    script = typing(ACTIVE).sub(3, f" {COMPOSING}", "")
    place = next(n for n, step in enumerate(script.steps) if ACTIVE in step.text)
    whole, size = script.steps[place].text, len(ACTIVE)
    first = whole.replace(f"1-{size}/", "1-9/").replace(ACTIVE, ACTIVE[:9]).replace("$", "+")
    second = whole.replace(f"1-{size}/", f"10-{size}/").replace(ACTIVE, ACTIVE[9:]).replace("hX1k", "hX6k")
    answers = [ok(script.change(place, text=text).steps[place]) for text in (first, second)]
    script.steps[place : place + 2] = [
        replace(script.steps[place], text=first),
        answers[0],
        replace(script.steps[place], text=second),
        answers[1],
    ]
    assert [each.rule for each in findings(script)] == ["iscomp.media-type"]


def test_without_the_session_description_nothing_is_said_of_the_form():
    script = typing(ACTIVE, form=wrapped)
    assert findings(script.drop(*range(5))) == []
