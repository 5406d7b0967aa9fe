"""isComposing: the examples of RFC 3994, and one slip, one finding (sessions of msrp_flows.py)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.verify.engine import Verifier
from harness.verify.proof.flows.msrp import chat, content, ok
from harness.verify.proof.messages import ANONYMOUS
from harness.verify.proof.script import Script, crlf

COMPOSING = "application/im-iscomposing+xml"
H, N = "handset", "network"
XML = '<?xml version="1.0" encoding="UTF-8"?>\r\n'
ACTIVE = (
    f'{XML}<isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
    'xsi:schemaLocation="urn:ietf:params:xml:ns:im-composing iscomposing.xsd">'
    "<state>active</state><contenttype>text/plain</contenttype><refresh>90</refresh></isComposing>"
)
IDLE = (
    f'{XML}<isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing"><state> idle </state>'
    "<lastactive>2003-01-27T10:43:00Z</lastactive><contenttype>audio</contenttype></isComposing>"
)


def typing(document: str, *, handset: bool = True, wrapped: bool = False) -> Script:
    """A chat in which a side types before it hangs up."""
    body, kind = document, COMPOSING
    if wrapped:
        head = crlf(f"From: <{ANONYMOUS}>", f"To: <{ANONYMOUS}>", "DateTime: 2023-11-14T22:13:20Z")
        mime = crlf(f"Content-Type: {COMPOSING}", f"Content-Length: {len(document)}")
        body, kind = f"{head}\r\n{mime}\r\n{document}", "message/cpim"
    asked = content(handset, "hX5kX2mP9sLw", "Ue9kQ2mP9sLw", body, kind)
    script = chat()
    script.steps[-3:-3] = [asked, ok(asked)]
    return script


def judged_as(script, profile="rcs51"):
    verifier = Verifier(profile)
    return {(item.rule, item.party.value) for item in verifier.judge(script.timeline())}


@pytest.mark.parametrize("profile", ["ietf", "rcs51", "up2"])
@pytest.mark.parametrize("document", [ACTIVE, IDLE], ids=["active", "idle"])
@pytest.mark.parametrize("handset", [True, False])
def test_the_examples_of_the_rfc_give_nothing(document, handset, profile):
    assert judged_as(typing(document, handset=handset), profile) == set()


TABLE = [
    ("iscomp.xml", ACTIVE.replace("</isComposing>", "")),
    ("iscomp.xml", ACTIVE.replace("im-iscomposing", "im-composing")),
    ("iscomp.xml", ACTIVE.replace(XML, f'{XML}<!DOCTYPE x [<!ENTITY a "aaa">]>')),
    ("iscomp.xml", ACTIVE.replace("<refresh>", "<since>1</since><refresh>")),
    ("iscomp.xml.schema", ACTIVE.replace("<state>active</state>", "")),
    (
        "iscomp.xml.schema",
        ACTIVE.replace("<refresh>90</refresh>", "").replace("<state>", "<refresh>90</refresh><state>"),
    ),
    ("iscomp.xml.schema", ACTIVE.replace("<refresh>", "<refresh>90</refresh><refresh>")),
    ("iscomp.xml.schema", ACTIVE.replace(">90<", ">soon<")),
    ("iscomp.xml.schema", ACTIVE.replace(">90<", ">0<")),
    ("iscomp.state", ACTIVE.replace(">active<", ">Active<")),
    ("iscomp.refresh", ACTIVE.replace(">90<", ">59<")),
    ("iscomp.lastactive", IDLE.replace("2003-01-27T10:43:00Z", "2003-01-27 10:43")),
    ("iscomp.contenttype", ACTIVE.replace("text/plain", "text plain")),
]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row[0])
def test_a_slip_gives_its_finding_alone(row):
    rule, document = row
    assert judged_as(typing(document)) == {(rule, H)}
    assert judged_as(typing(document, handset=False)) == {(rule, N)}
    assert (rule, H) in judged_as(typing(document, wrapped=True))


def test_elements_of_other_namespaces_and_times_without_a_zone_are_right():
    more = IDLE.replace("</isComposing>", '<x:y xmlns:x="urn:x">1</x:y></isComposing>')
    assert judged_as(typing(more.replace("10:43:00Z", "10:43:00.5"))) == set()


def test_it_is_bare_in_a_session_of_two():
    wrapped = typing(ACTIVE, wrapped=True)
    assert judged_as(wrapped) == {("iscomp.form", H)}


def test_it_is_sent_only_where_it_is_accepted():
    script = typing(ACTIVE).sub(3, f" {COMPOSING}", "")
    assert judged_as(script) == {("iscomp.media-type", H)}
    script = typing(ACTIVE, wrapped=True).sub(3, f" {COMPOSING}", "")
    assert judged_as(script) == {("iscomp.media-type", H), ("iscomp.form", H)}


def test_it_is_not_sent_for_texts(flow):
    script = flow("pager_mo").drop(2, 3, 4, 5).body(0, ACTIVE)
    script.sub(0, "Content-Type: message/cpim", f"Content-Type: {COMPOSING}")
    assert ("iscomp.not-pager", H) in judged_as(script)
    assert ("iscomp.xml", H) not in judged_as(script)


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
    second = whole.replace(f"1-{size}/", f"10-{size}/").replace(ACTIVE, ACTIVE[9:]).replace("hX5k", "hX6k")
    answers = [ok(script.change(place, text=text).steps[place]) for text in (first, second)]
    script.steps[place : place + 2] = [
        replace(script.steps[place], text=first),
        answers[0],
        replace(script.steps[place], text=second),
        answers[1],
    ]
    assert [each.rule for each in findings(script)] == ["iscomp.media-type"]


def test_without_the_session_description_nothing_is_said_of_the_form():
    script = typing(ACTIVE, wrapped=True)
    assert findings(script.drop(*range(5))) == []
