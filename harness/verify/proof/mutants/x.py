"""What only a lab can compare, spoiled one by one: the message, or what a driver saw."""

from __future__ import annotations

from dataclasses import replace

from harness.evidence.timeline import Layer
from harness.verify.proof.mutant import HANDSET, Mutant
from harness.verify.proof.script import Script


def never_opened(script: Script) -> Script:
    """The user was seen to do something else."""
    script.seen = [
        replace(each, name="shell", fields={"serial": "s1", "command": "getprop", "exit": 0, "output": ""})
        if each.name == "open"
        else each
        for each in script.seen
    ]
    return script


def told_otherwise(script: Script) -> Script:
    """The modem says that it is not registered."""
    return script.saw(15.0, Layer.AT, "urc", port="/dev/modem", line="+CIREGU: 0").wait(30.0)


MUTANTS = [
    Mutant(
        "x.imei-equals-at",
        HANDSET,
        "registered_at_a_modem",
        lambda s: s.everywhere("49015420-323751-0", "49015420-323752-0", 0, 2),
    ),
    Mutant(
        "x.pani-cell-equals-simulator",
        HANDSET,
        "pager_in_a_cell",
        lambda s: s.everywhere("3gpp=0010100010000001", "3gpp=0010100010000002"),
    ),
    Mutant("x.displayed-after-screen", HANDSET, "pager_seen", never_opened),
    Mutant(
        "x.screen-text-equals-wire", HANDSET, "pager_seen", lambda s: s.sub(0, "hello, world", "hallo, world")
    ),
    Mutant("x.cireg-agrees", HANDSET, "registered_at_a_modem", told_otherwise),
]
