"""The captures that benchmarks judge hold what they say, and nothing wrong."""

from __future__ import annotations

import pytest

from benchmarks.flow_captures import HANDSETS, write_files, write_mixed
from harness.evidence.capture import capture_to_timeline
from harness.verify.engine import Verifier


@pytest.fixture
def path(tmp_path):
    return tmp_path / "capture.pcapng"


def test_mixed_flows_are_many_messages_and_break_no_rule(path):
    wanted = 20 * HANDSETS
    messages = write_mixed(path, wanted)
    assert wanted <= messages < 3 * wanted
    verifier = Verifier()
    assert verifier.judge(capture_to_timeline(path)) == []
    assert verifier.open == []
    assert len({entry.call_id for entry in verifier.assembly.messages}) > 3 * HANDSETS


@pytest.mark.parametrize("chunk", [2048, 65_536])
def test_files_go_one_after_another_and_break_no_rule(path, chunk):
    messages = write_files(path, 400_000, 200_000, chunk)
    verifier = Verifier()
    assert verifier.judge(capture_to_timeline(path)) == []
    assert verifier.open == []
    whole = [message for message in verifier.assembly.msrp.messages if message.complete and message.total]
    assert [message.total for message in whole] == [200_000, 200_000]
    assert messages == 2 * (9 + 2 * -(-200_000 // chunk))
