"""The probe of a messaging app on the simulated handset, whose elements move as those of real builds do."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from devices.adb_server import AdbServer
from devices.app_probe import AppProbeReport, Outcome, Presence, ProbedHandset, lines, walk
from devices.apps.definition import parse_definition
from devices.simulated.conversations import OfferKind
from harness.errors import LabError
from harness.evidence.timeline import Timeline

NEVER = {
    OfferKind.CHAT: ("debug.rcslab.accept_chats", "0"),
    OfferKind.FILE: ("debug.rcslab.auto_download", "0"),
}
ALICE, BOB, CAROL = "+15550101", "+15550102", "+15550103"
GOOGLE = (Path(__file__).parents[2] / "devices/apps/google_messages.yaml").read_text("utf-8")
PACKAGE = "com.google.android.apps.messaging"


@pytest.fixture
def probe(bench: Any, adb_server: AdbServer, timeline: Timeline) -> Callable[..., AppProbeReport]:
    """Walk with the description of Google Messages, some words of it replaced."""
    adb_server.connect(bench.address)

    def run(*changes: tuple[str, str], send: bool = False, incoming: float | None = None) -> AppProbeReport:
        text = GOOGLE
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        app = parse_definition(text)
        handset = ProbedHandset(bench.address, adb_server.port, app, timeline, ui_deadline=2.0)
        return walk(handset, (ALICE, BOB, CAROL), send=send, incoming=incoming)

    return run


def presence(report: AppProbeReport) -> dict[str, Presence]:
    return {each.element: each.presence for each in report.elements}


def outcomes(report: AppProbeReport) -> dict[str, Outcome]:
    return {each.action: each.outcome for each in report.actions}


def test_a_look_sends_nothing_and_leaves_nothing(bench: Any, probe: Any) -> None:
    report = probe()
    assert report.whole
    assert list(outcomes(report)) == ["list", "name a group", "open a conversation", "draft", "menu"]
    assert set(outcomes(report).values()) == {Outcome.DONE}
    assert bench.service.sent == []
    assert not [act for act in bench.service.asked if act[0] != "typing"]
    assert bench.android.app.conversations[ALICE].draft == ""
    found = presence(report)
    assert found["group_name_box"] is found["send_button"] is found["start_chat"] is Presence.FOUND
    assert found["draft_attachment"] is found["invitation"] is Presence.NOT_REACHED


def test_sending_goes_through_every_text_a_file_and_a_chat(bench: Any, probe: Any) -> None:
    report = probe(send=True)
    sent = [text for number, text in bench.service.sent if number == ALICE]
    assert [len(text) for text in sent] == [12, 6, 10, 5000]
    assert ("create_group", "rcslab probe", (ALICE, BOB)) in bench.service.asked
    assert any(act[0] == "send_file" for act in bench.service.asked)
    assert outcomes(report)["chat"] is Outcome.DONE
    assert presence(report)["attachment_name"] is Presence.FOUND


@pytest.mark.parametrize(
    ("kind", "fields"),
    [(OfferKind.CHAT, {}), (OfferKind.FILE, {"name": "a.txt", "type": "text/plain", "size": 10})],
)
def test_what_is_offered_is_declined(bench: Any, probe: Any, kind: OfferKind, fields: Any) -> None:
    offer = partial(bench.android.app.offered, ALICE, "o1", kind, **fields)
    bench.call(bench.android.app.acceptance.property_changed, *NEVER[kind])
    bench.call(offer)
    report = probe(incoming=2.0)
    assert outcomes(report)["decline what is offered"] is Outcome.DONE
    assert bench.service.asked == [("answer_offer", "o1", False)]
    assert presence(report)["accept"] is presence(report)["decline"] is Presence.FOUND


def test_an_offer_that_does_not_come_fails_the_action(probe: Any) -> None:
    report = probe(incoming=0.3)
    assert outcomes(report)["decline what is offered"] is Outcome.FAILED
    assert presence(report)["accept"] is Presence.MISSING
    assert presence(report)["decline"] is Presence.NOT_REACHED


def test_an_element_that_moved_is_missing_and_what_lies_behind_it_not_reached(probe: Any) -> None:
    report = probe(
        (f"{PACKAGE}:id/create_group_button", "elsewhere"), ('{text: "^Create group$"}', "{id: no}")
    )
    assert not report.whole
    assert outcomes(report)["name a group"] is Outcome.FAILED
    (error,) = [each.error for each in report.actions if each.error]
    assert "expected create group, got window of com.google.android.apps.messaging" in error
    found = presence(report)
    assert found["recipient_chip"] is Presence.FOUND
    assert found["create_group"] is Presence.MISSING
    assert found["group_name_box"] is Presence.NOT_REACHED
    assert found["send_button"] is Presence.FOUND
    said = "\n".join(lines(report))
    assert "failed           name a group" in said and "missing          create_group" in said


def test_the_way_that_finds_an_element_is_told(probe: Any) -> None:
    report = probe(('- {id: "Compose:Draft:Send"}', "- {id: moved}\n    - {id: 'Compose:Draft:Send'}"))
    (send,) = [each for each in report.elements if each.element == "send_button"]
    assert (send.presence, send.way, send.by, send.where) == (
        Presence.FOUND,
        2,
        "id 'Compose:Draft:Send'",
        "open a conversation",
    )


def test_what_an_app_does_not_describe_is_no_failure(probe: Any) -> None:
    begin, end = GOOGLE.index("  new_conversation:"), GOOGLE.index("  recipient_box:")
    report = probe((GOOGLE[begin:end], ""))
    assert report.whole
    assert outcomes(report)["name a group"] is Outcome.NOT_THERE
    assert presence(report)["new_conversation"] is Presence.NOT_DESCRIBED


def test_an_app_that_is_not_installed_is_the_labs_affair(bench: Any, probe: Any) -> None:
    bench.call(bench.android.packages.pop, PACKAGE)
    with pytest.raises(LabError, match=f"expected {PACKAGE} installed, got it is not"):
        probe()


def test_the_command_on_a_handset_that_is_plugged_in(
    bench: Any, adb_server: AdbServer, rcslab: Any, tmp_path: Path
) -> None:
    adb_server.connect(bench.address)
    reach = ["app-probe", "--serial", bench.address, "--adb-server", f"127.0.0.1:{adb_server.port}"]
    said = rcslab(*reach, "--number", ALICE)
    assert said.code == 0
    assert said.out.startswith(f"Google Messages on {bench.address}: {PACKAGE} messages.android_20241118")
    assert "found            compose_box" in said.out and "by way 1: id" in said.out
    own = tmp_path / "own.yaml"
    own.write_text(GOOGLE.replace(":id/start_chat_fab", ":id/moved").replace("^Start chat$", "^Moved$"))
    told = rcslab(*reach, "--number", ALICE, "--app", own, "--format", "json")
    assert told.code == 1
    report = json.loads(told.out)
    assert {"element": "new_conversation", "presence": "missing", "way": 0, "by": "", "where": ""} in report[
        "elements"
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--serial", "R5"], "--serial needs --number"),
        (["--serial", "R5", "--bench", "a"], "leave --lab, --bench, --handset out"),
        (["--serial", "R5", "--adb-server", "here"], "expected HOST:PORT"),
        (["--adb-server", "127.0.0.1:5037"], "expected HOST:PORT, with --serial"),
        (["--bench", "z"], "no bench 'z'"),
        (["--bench", "a", "--app", "telegram"], "messaging app 'telegram' is unknown"),
    ],
)
def test_what_the_command_refuses(rcslab: Any, arguments: list[str], words: str) -> None:
    said = rcslab("app-probe", *arguments)
    assert said.code == 2
    assert words in said.errors
