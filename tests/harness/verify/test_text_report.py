"""The text report: a block per finding by party, a caret under the octet, colour where it is wanted."""

from __future__ import annotations

import re

import pytest

from harness.verify.engine import Verifier
from harness.verify.judgement import Judgement
from harness.verify.report.as_text import MOST_ALIKE, to_text
from harness.verify.report.style import Style, cut_round


def report(script, style=None, profile="ietf"):
    verifier = Verifier(profile)
    verifier.judge(script.timeline())
    return to_text([Judgement.of("a capture", verifier)], style)


def test_the_caret_is_under_what_is_meant(flow):
    lines = report(flow("pager_mo").line(0, "Contact: <sip:me@10.0.0.5>")).splitlines()
    place = next(place for place, line in enumerate(lines) if "| Contact:" in line)
    assert lines[place].index("<sip:me") == lines[place + 1].index("^")
    assert lines[place + 1].strip("| ") == "^" + "~" * (len("<sip:me@10.0.0.5>") - 1)


def test_the_caret_stands_right_behind_wide_characters(flow):
    script = flow("pager_mo").line(0, 'Contact: "你好" <sip:me@10.0.0.5>;x=<')
    lines = report(script).splitlines()
    place = next(place for place, line in enumerate(lines) if "| Contact:" in line)
    assert lines[place + 1].index("^") >= len("        2 | Contact: ")


def test_findings_stand_under_the_party_that_is_to_mend_them(flow):
    text = report(flow("pager_mo").line(0, "Contact: <sip:me@10.0.0.5>"))
    lines = text.splitlines()
    assert lines[1].startswith("handset: fail by pager.no-contact")
    assert "  fail   handset +491700000001: 3 messages, 1 finding" in lines
    head = lines.index("handset +491700000001")
    assert any("pager.no-contact" in line for line in lines[head:])


def test_what_was_said_three_times_is_counted_from_then_on(flow):
    script = flow("pager_mo")
    for again in range(1, 7):
        script.copy(0, len(script.steps))
        script.line(-1, "Contact: <sip:me@10.0.0.5>").everywhere("Call-ID: ", f"Call-ID: {again}", -1)
        script.everywhere("branch=z9hG4bK", f"branch=z9hG4bK{again}", -1)
    text = report(script)
    assert text.count("FAIL MUST   pager.no-contact:") == MOST_ALIKE
    (rest,) = (line for line in text.splitlines() if line.startswith("  and 3 more of pager.no-contact: "))
    assert rest.count("MESSAGE #") == 3


def test_no_octet_of_a_message_reaches_the_terminal_as_a_control(flow):
    script = flow("pager_mo").line(0, "Contact: \x1b[2J\x1b]0;owned\x07<sip:x>", "Fr\x9b5mom: \u202e")
    text = report(script, Style(colour=True))
    assert not re.search(r"[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f\u202e]", text)
    assert set(re.findall(r"\x1b\[[^m]*.", text)) <= {f"\x1b[{code}m" for code in _codes()}


def _codes():
    return ("0", "1", "2", "1;31", "32", "33", "35", "1;36")


def test_plain_text_has_no_colour_and_coloured_text_says_the_same(flow):
    script = flow("pager_mo").line(0, "Contact: <sip:me@10.0.0.5>")
    plain, coloured = report(script), report(script, Style(colour=True))
    assert "\x1b" not in plain and "\x1b[1;31m" in coloured
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == plain


@pytest.mark.parametrize(("start", "end"), [(0, 3), (100, 110), (290, 300), (300, 300)])
def test_a_long_line_is_cut_round_what_is_marked(start, end):
    text = "".join(str(number % 10) for number in range(300))
    shown, low, high = cut_round(text, start, end, 60)
    assert len(shown) <= 60
    assert shown[low:high] == text[start:end]
    assert low >= min(start, 15), "what stands before it is shown too"


def test_a_line_of_wide_characters_fits_in_its_columns():
    from rich.cells import cell_len

    shown, _, _ = cut_round("你" * 200, 100, 101, 60)
    assert cell_len(shown) <= 60
