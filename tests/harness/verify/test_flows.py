"""What is done right gives nothing, live or from a capture, whatever the addresses."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("profile", ["ietf", "rcs51", "up2"])
def test_a_conformant_flow_gives_no_finding(conformant, judged, profile):
    assert judged(conformant, profile) == []


def test_a_conformant_flow_gives_no_finding_on_loopback(conformant, judged):
    assert judged(conformant, loopback=True) == []


def test_a_conformant_flow_gives_no_finding_when_the_capture_begins_with_it(conformant, judged):
    assert judged(conformant, start=False) == []


def test_nothing_is_overdue_long_after_a_conformant_flow(conformant, judged):
    assert judged(conformant.wait(120.0)) == []
