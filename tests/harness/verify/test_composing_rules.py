"""isComposing: the examples of RFC 3994, and one slip, one finding (sessions of msrp_flows.py)."""

from __future__ import annotations

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
