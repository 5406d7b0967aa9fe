"""Every parser with mutants of what it reads: nothing but our own errors comes out (see targets.py)."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .mutation import mutate
from .targets import HEADER_TYPES, TARGETS, Target

BOUNDED = settings(max_examples=150, deadline=None)


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_seeds_are_read(target: Target) -> None:
    assert target.seeds
    for seed in target.seeds:
        target.fuzz_one(seed)


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
@BOUNDED
@given(data=st.data())
def test_mutants_raise_nothing_but_our_own_errors(target: Target, data: st.DataObject) -> None:
    seed = data.draw(st.sampled_from(target.seeds))
    random: Random = data.draw(st.randoms(use_true_random=False))
    target.fuzz_one(mutate(seed, random, target.seeds))


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
@settings(max_examples=50, deadline=None)
@given(octets=st.binary(max_size=300))
def test_noise_raises_nothing_but_our_own_errors(target: Target, octets: bytes) -> None:
    target.fuzz_one(octets)


def test_every_header_type_is_attacked() -> None:
    assert {"Via", "NameAddr", "CSeq", "Challenge", "Credentials", "AcceptContact", "RAck"} <= {*HEADER_TYPES}
