"""Chatbots: what their tags may look like besides."""

from __future__ import annotations

import pytest

from harness.verify.engine import Verifier
from harness.verify.proof.flows.chatbot import BOT, DEMANDS, VERSION, bot_session_mo, bot_text_mo


@pytest.mark.parametrize("version", ['"#=1"', '"#>=1"', '"#1:2"', '"!#=1"'])
def test_any_numbers_are_a_version(judged, version):
    assert judged(bot_text_mo().everywhere('"#=1,#=2"', version, 0)) == []


def test_the_demands_may_stand_in_values_of_their_own(judged):
    apart = f"Accept-Contact: *;explicit;require;{BOT}, *;{VERSION};explicit;require"
    assert judged(bot_session_mo().sub(0, DEMANDS, apart)) == []


def test_a_version_that_is_no_number_is_less_than_a_broken_one():
    def levels(script):
        return [(item.severity.value, item.fails) for item in Verifier().judge(script.timeline())]

    assert levels(bot_text_mo().everywhere('"#=1,#=2"', '"one"', 0)) == [("SHOULD", False)]
    assert levels(bot_text_mo().everywhere('"#=1,#=2"', '"#one"', 0)) == [("MUST", True)]
