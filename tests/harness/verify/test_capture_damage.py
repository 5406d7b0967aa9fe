"""What a capture has not is nobody's fault: a damaged capture gives no finding that the whole one has not."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.verify.proof.flows import FLOWS
from harness.verify.proof.script import Script
from tests.harness.verify.capture_damage import Damage, damages, frames_of, over_udp, pcap, reported

# Every twentieth place of damage, chosen by a fixed seed; RCSLAB_DAMAGES=1 takes all of them (minutes).
SHARE = float(os.environ.get("RCSLAB_DAMAGES", "0.05"))


def told(
    script: Script, path: Path, seed: str, happens: Callable[[Damage], bool] = lambda damage: True
) -> dict[str, Counter[tuple[str, str]]]:
    """What damaged captures of a flow report and the whole one does not."""
    frames = frames_of(script.timeline())
    path.write_bytes(pcap(frames))
    whole, choice, new = reported(path), random.Random(f"{seed} 4975"), {}
    for damage in filter(happens, damages(frames)):
        if choice.random() < SHARE:
            path.write_bytes(pcap(damage.frames))
            new[f"packet {damage.at} {damage.what}"] = reported(path) - whole
    return {place: found for place, found in new.items() if found}


@pytest.mark.parametrize("name", FLOWS)
def test_no_damage_to_a_capture_brings_a_finding(name: str, tmp_path: Path) -> None:
    assert told(FLOWS[name](), tmp_path / "capture", name) == {}


@pytest.mark.parametrize("name", FLOWS)
def test_no_damage_to_datagrams_brings_a_finding(name: str, tmp_path: Path) -> None:
    """Nothing tells their order, so that those that changed places are left out here."""
    script = over_udp(FLOWS[name]())
    assert told(script, tmp_path / "capture", name, lambda damage: damage.what != "swapped") == {}
