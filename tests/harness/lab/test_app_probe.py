"""The probe of a messaging app on a bench, whose peer is the far party."""

from __future__ import annotations

import json
from typing import Any


def test_a_bench_is_brought_up_probed_and_given_back(here: Any, rcslab: Any) -> None:
    said = rcslab("app-probe", "--bench", "a", "--send", "--format", "json")
    assert said.code == 0, said.out
    report = json.loads(said.out)
    assert {each["outcome"] for each in report["actions"]} == {"done"}
    assert len(report["actions"]) == 17
    found = {each["element"] for each in report["elements"] if each["presence"] == "found"}
    assert {"message_status", "chat_mark", "remove_member", "leave_group", "attachment_status"} <= found
    assert here.processes() == {}
    assert "ok   a: lease" in rcslab("doctor", "--bench", "a").out
