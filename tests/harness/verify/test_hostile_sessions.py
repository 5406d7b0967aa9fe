"""Sessions with octets gone wrong anywhere: every rule still judges, and none breaks down."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from harness.verify.engine import Verifier
from harness.verify.finding import INTERNAL
from harness.verify.proof.flows.group import GROUP_FLOWS
from harness.verify.proof.flows.media import MEDIA_FLOWS
from harness.verify.proof.flows.msrp import chat
from harness.verify.proof.script import measured

FLOWS = {"chat": chat, **MEDIA_FLOWS, **GROUP_FLOWS}
ODD = ("\0", "\x7f", "\u00fc", '"', "%", "<", ";", ":", "-", "0", "99999999999999999999", "\n", "")


def spoiled(text: str, random: Random) -> str:
    """One to three edits: a line lost, doubled or moved, a stretch lost, characters that do not belong."""
    for _ in range(random.randint(1, 3)):
        lines = text.split("\r\n")
        at = random.randrange(len(lines))
        match random.randrange(5):
            case 0:
                del lines[at]
            case 1:
                lines.insert(at, lines[random.randrange(len(lines))])
            case 2:
                lines[at] = lines[at][: random.randrange(len(lines[at]) + 1)]
            case 3:
                place = random.randrange(len(lines[at]) + 1)
                lines[at] = lines[at][:place] + random.choice(ODD) + lines[at][place + 1 :]
            case _:
                name, sign, _ = lines[at].partition(":")
                lines[at] = name + sign + random.choice(ODD) * random.randint(1, 4)
        text = "\r\n".join(lines)
    return text


@pytest.mark.parametrize("profile", ["ietf", "rcs51"])
@pytest.mark.parametrize("name", FLOWS)
def test_no_rule_breaks_on_a_spoiled_session(name, profile):
    random = Random(f"{name} {profile}")
    for _ in range(30):
        script = FLOWS[name]()
        for _ in range(random.randint(1, 4)):
            index = random.randrange(len(script.steps))
            step = script.steps[index]
            head, empty, body = step.text.partition("\r\n\r\n")
            if body and random.random() < 0.6:  # the body alone: its message can be read
                text = head + empty + spoiled(body, random)
                text = text if step.msrp else measured(text)
            else:
                text = spoiled(step.text, random)
            script.steps[index] = replace(step, text=text)
        verifier = Verifier(profile)
        verifier.judge(script.timeline())
        broken = [str(item) for item in verifier.findings if item.rule == INTERNAL]
        assert broken == [], [step.text for step in script.steps]
