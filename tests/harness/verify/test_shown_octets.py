"""A message as text to be shown, and where its octets are in that text."""

from __future__ import annotations

import pytest

from harness.verify.report.octets import DUMPED, SHOWN, shown_octets

HEAD = b"MESSAGE sip:x SIP/2.0\r\nSubject: Gr\xc3\xbc\xc3\x9fe \xff\r\nX: a\nb: c\r\n\r\n"


def test_lines_are_lines_and_an_odd_line_end_is_shown():
    assert shown_octets(HEAD, len(HEAD)).text == (
        "MESSAGE sip:x SIP/2.0\nSubject: Grüße \\xff\nX: a\\n\nb: c\n"
    )


@pytest.mark.parametrize("part", [b"MESSAGE", b"sip:x", b"Subject", b"X: a", b"b: c"])
def test_an_octet_is_found_in_the_text(part):
    shown = shown_octets(HEAD, len(HEAD))
    assert shown.text[shown.place(HEAD.index(part)) :].startswith(part.decode())


def test_what_is_written_in_more_octets_or_characters_moves_what_follows():
    shown = shown_octets(HEAD, len(HEAD))
    assert shown.text[shown.place(HEAD.index(b"\xff")) :].startswith("\\xff")
    assert shown.text[: shown.place(HEAD.index(b"\r\nX"))].endswith("\\xff")


def test_a_place_behind_the_end_is_the_end():
    shown = shown_octets(HEAD, len(HEAD))
    assert shown.place(10_000) == len(shown.text) + 1 or shown.place(10_000) == len(shown.text)


def test_binary_content_is_dumped_and_its_size_told():
    octets = HEAD + bytes(range(256)) * 4
    lines = shown_octets(octets, len(octets)).text.split("\n")
    assert lines[5].startswith("00000000  00 01 02")
    assert len([line for line in lines if line.startswith("000000")]) == DUMPED // 16
    assert lines[-1] == f"… {1024 - DUMPED} more octets of binary content"


def test_content_with_a_nul_is_binary_however_much_text_is_round_it():
    octets = HEAD + b"name=photo" + b"x" * 200 + b"\0" + b"x" * 200
    assert "00000000  6e 61 6d 65" in shown_octets(octets, len(octets)).text


def test_text_in_another_writing_is_no_binary_content():
    octets = HEAD + "Привет, как дела? 你好".encode()
    assert shown_octets(octets, len(octets)).text.endswith("Привет, как дела? 你好")


def test_controls_in_headers_do_not_hide_the_message():
    octets = b"MESSAGE sip:x SIP/2.0\r\nX: \x00\x01\r\nY: z\r\n\r\n"
    assert "Y: z" in shown_octets(octets, len(octets)).text


def test_of_a_large_message_the_rest_is_counted():
    octets = HEAD + b"line of text\r\n" * 10_000
    text = shown_octets(octets, len(octets)).text
    assert len(text) < SHOWN + 100 and text.endswith(f"… {len(octets) - SHOWN} more octets")


def test_octets_that_were_not_kept_are_counted():
    assert shown_octets(HEAD, len(HEAD) + 7).text.endswith("… 7 more octets")
    assert shown_octets(b"", 0).text == ""
