"""Going over to another technology: the peer follows the handset, and goes back where it cannot be told."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from harness.cpm.technology import ImTechnology
from harness.errors import NotOnBench
from harness.keywords.technology import TechnologyKeywords
from harness.keywords.topic import BenchAccess

CPM, SIMPLE_IM = ImTechnology


class TwoHandsets:
    """A bench as far as the keyword needs one. told: what happened, in order."""

    def __init__(self, fixed: str = "") -> None:
        self.told: list[tuple[str, str]] = []
        self.part = SimpleNamespace(im_technology=CPM)
        self.lab = SimpleNamespace(deadlines=SimpleNamespace(registration=1.0))
        self.timeline: list[object] = []
        self.watch = None
        self.peer = SimpleNamespace(
            config=SimpleNamespace(im_technology=CPM), registrar=SimpleNamespace(wait_registered=self.waits)
        )
        self.loop = SimpleNamespace(call=lambda what, seconds, watch: self.told.append(what))
        self.handsets = {
            name: SimpleNamespace(
                part=SimpleNamespace(msisdn=name),
                android=SimpleNamespace(change_setting=self.changer(name, name == fixed)),
            )
            for name in ("one", "two")
        }

    def waits(self, number: str, **_: Any) -> tuple[str, str]:
        return "registered", number

    def changer(self, name: str, fixed: bool) -> Any:
        def change(setting: str, value: str) -> str:
            if fixed:
                raise NotOnBench(f"{name} cannot be told")
            self.told.append((name, value))
            return "cpm"

        return change

    def use_technology(self, technology: ImTechnology) -> None:
        self.told.append(("peer", technology.value))
        self.peer.config.im_technology = technology


def keywords(bench: Any) -> TechnologyKeywords:
    access = BenchAccess(lambda: bench)
    return TechnologyKeywords(access)


def test_peer_and_handsets_go_over_and_back() -> None:
    bench = TwoHandsets()
    topic = keywords(bench)
    topic.use_im_technology(SIMPLE_IM)
    topic.use_im_technology(SIMPLE_IM)
    over = [("peer", "simple-im"), ("one", "simple-im"), ("registered", "one")]
    assert bench.told == [*over, ("two", "simple-im"), ("registered", "two")]
    bench.told.clear()
    topic.use_im_technology_of_lab()
    assert bench.told[:2] == [("peer", "cpm"), ("one", "cpm")]


def test_a_handset_that_cannot_be_told_leaves_the_peer_as_it_was() -> None:
    bench = TwoHandsets(fixed="one")
    with pytest.raises(NotOnBench, match="one cannot be told"):
        keywords(bench).use_im_technology(SIMPLE_IM)
    assert bench.peer.config.im_technology is CPM
