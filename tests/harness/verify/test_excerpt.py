"""The line a finding is about, and the octets in it."""

from __future__ import annotations

import pytest

from harness.verify import engine
from harness.verify.engine import Verifier
from harness.verify.excerpt import excerpt_of
from harness.verify.visible import visible, visible_text

MESSAGE_ID_ENTROPY = "imdn.request.message-id.entropy"


def found(script, rule, profile="ietf"):
    verifier = Verifier(profile)
    return next(finding for finding in verifier.judge(script.timeline()) if finding.rule == rule)


def marked(excerpt):
    return excerpt.text[excerpt.start : excerpt.end]


def test_the_quoted_part_of_a_header_is_marked(flow):
    excerpt = found(flow("pager_mo").line(0, "Contact: <sip:me@10.0.0.5>"), "pager.no-contact").excerpt
    assert excerpt.text == "Contact: <sip:me@10.0.0.5>"
    assert marked(excerpt) == "<sip:me@10.0.0.5>"
    assert excerpt.line == 2


def test_octets_are_counted_from_the_start_of_the_message(flow):
    script = flow("pager_mo").line(0, "Contact: <sip:me@10.0.0.5>")
    excerpt = found(script, "pager.no-contact").excerpt
    octets = script.steps[0].text.encode()
    assert octets[excerpt.octet : excerpt.octet + excerpt.octets] == b"<sip:me@10.0.0.5>"


def test_what_is_missing_shows_the_start_line_and_marks_nothing(flow):
    excerpt = found(flow("pager_mo").without(0, "Max-Forwards"), "sip.max-forwards.present").excerpt
    assert excerpt.line == 1 and excerpt.text.startswith("MESSAGE ") and marked(excerpt) == ""


def test_a_header_inside_cpim_is_found_by_its_name(flow):
    verifier = Verifier()
    script = flow("pager_mo")
    verifier.judge(script.timeline())
    item = verifier.assembly.cpim_items()[0]
    excerpt = excerpt_of(item, "imdn.Message-ID", None, item.message_id)
    assert excerpt.text.startswith("imdn.Message-ID:") and marked(excerpt) == item.message_id
    octets = script.steps[0].text.encode()
    assert octets[excerpt.octet :].startswith(item.message_id.encode())
    assert octets[: excerpt.octet].count(b"\n") == excerpt.line - 1


def test_of_the_content_of_cpim_what_is_quoted_is_marked_else_its_beginning(flow):
    verifier = Verifier()
    verifier.judge(flow("pager_mo").timeline())
    item = next(item for item in verifier.assembly.cpim_items() if item.is_notification)
    content = item.cpim.content.decode()
    for octet in (None, item.offset):  # what a rule gives that names no place in the content
        assert marked(excerpt_of(item, "body", octet, "message-id")) == "message-id"
        beyond_its_declaration = content.splitlines()[1]
        assert marked(excerpt_of(item, "body", octet, "not in it at all")) == beyond_its_declaration


def test_in_cpim_the_header_is_marked_that_a_finding_quotes_or_expects_otherwise(flow):
    plain = found(flow("pager_mo").sub(0, "Msg1aB2cD3eF4gH5iJ6k", "a1b2c3d4e5"), MESSAGE_ID_ENTROPY).excerpt
    assert plain.text == "imdn.Message-ID: a1b2c3d4e5" and marked(plain) == "a1b2c3d4e5"
    late = flow("pager_mo").sub(0, "DateTime: 2023-11-14T22:13:20Z", "DateTime: 2023-11-12T22:13:20Z")
    assert found(late, "cpim.datetime.plausible").excerpt.text == "DateTime: 2023-11-12T22:13:20Z"


def test_what_is_in_both_is_marked_in_the_content_and_not_in_a_header(flow):
    script = flow("pager_mo").sub(2, "urn:ietf:params:xml:ns:imdn", "urn:ietf:params:imdn")
    excerpt = found(script, "imdn.xml.namespace").excerpt
    assert excerpt.text.startswith("<imdn ")


def test_a_header_is_named_by_a_whole_word_only(flow):
    verifier = Verifier()
    verifier.judge(flow("pager_mo").timeline())
    item = verifier.assembly.cpim_items()[0]
    assert excerpt_of(item, "body", item.offset, "x", "another Message-ID").text == "hello, world"
    assert excerpt_of(item, "body", item.offset, "x", "another DateTime").text.startswith("DateTime: ")


def test_a_long_line_is_kept_round_the_mark_only(flow):
    script = flow("pager_mo").line(0, f"Contact: <sip:{'x' * 5000}@10.0.0.5>")
    excerpt = found(script, "pager.no-contact").excerpt
    assert len(excerpt.text) < 2000 and excerpt.after > 3000


def test_no_secret_is_in_an_excerpt_or_what_is_quoted(flow):
    secret = "6629fae49393a05397450978507c4ef1"
    verifier = Verifier("ietf")
    verifier.judge(flow("pager_mo").line(0, f'Authorizatino: Digest response="{secret}"').timeline())
    (spelling,) = (finding for finding in verifier.findings if "Authorizatino" in finding.excerpt.text)
    assert spelling.excerpt.text == f'Authorizatino: Digest response="{"*" * len(secret)}"'
    assert secret not in repr([finding.as_dict() for finding in verifier.findings])


def test_of_many_findings_of_a_rule_the_first_carry_their_line(flow, monkeypatch):
    monkeypatch.setattr(engine, "MOST_EXCERPTS", 2)
    script = flow("pager_mo")
    for again in range(1, 5):
        script.copy(0, len(script.steps))
        script.line(-1, "Contact: <sip:me@10.0.0.5>").everywhere("Call-ID: ", f"Call-ID: {again}", -1)
        script.everywhere("branch=z9hG4bK", f"branch=z9hG4bK{again}", -1)
    verifier = Verifier("ietf")
    verifier.judge(script.timeline())
    shown = [each.excerpt is not None for each in verifier.findings if each.rule == "pager.no-contact"]
    assert shown == [True, True, False, False]


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (b"plain", "plain"),
        ("Grüße 你好".encode(), "Grüße 你好"),
        (b"\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        (b"\xff\xfe", "\\xff\\xfe"),
        ("a\u202eb\u2066".encode(), "a\\u202eb\\u2066"),
        (b"tab\there\r", "tab\\there\\r"),
        ("\U000e0041".encode(), "\\U000e0041"),
    ],
)
def test_octets_are_shown_safely(octets, text):
    assert visible(octets) == text
    assert visible_text(octets.decode("utf-8", "surrogateescape")) == text
