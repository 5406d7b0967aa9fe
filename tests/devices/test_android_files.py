"""Files through the real adb server, an RCS client stood in for behind the app."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from devices.adb_files import AdbFiles
from devices.android import AndroidHandset
from devices.handset import FileState, ScreenFile, TextStatus
from devices.simulated.conversations import MessageStatus, OfferKind
from harness.errors import HandsetError, HandsetLost, NotSeen
from harness.evidence.timeline import Event, Timeline

ALICE = "+15550101"
GROUP = "sip:a-1@focus.example"


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    file = tmp_path / "photo.jpg"
    file.write_bytes(bytes(range(256)) * 1000)
    return file


def test_a_file_is_sent_and_its_way_is_read(bench: Any, handset: AndroidHandset, photo: Path) -> None:
    handset.send_file(ALICE, photo, "image/jpeg")
    path = "/sdcard/Download/photo.jpg"
    assert bench.service.asked == [("send_file", ALICE, path, "image/jpeg")]
    assert bench.android.files.read(path) == photo.read_bytes()
    app = bench.android.app
    for act, state, line, status in (
        (None, FileState.WAITING, "256.0 kB • Waiting…", TextStatus.SENDING),
        (partial(app.file_progress, "f1", 128_000, 256_000), FileState.MOVING, None, TextStatus.SENDING),
        (partial(app.file_done, "f1"), FileState.DONE, "256.0 kB • Complete", TextStatus.SENT),
        (partial(app.outcome, "f1", MessageStatus.READ), FileState.DONE, None, TextStatus.READ),
    ):
        if act is not None:
            bench.call(act)
        (file,) = handset.conversation(ALICE).files
        line = file.line if line is None else line
        assert file == ScreenFile("photo.jpg", True, state, line, status)


@pytest.mark.parametrize("name", ['it\'s 100% "safe" & ünï?.txt', "a #1;b.txt", "x" * 200 + ".bin"])
def test_a_file_is_sent_under_any_name(bench: Any, handset: AndroidHandset, photo: Path, name: str) -> None:
    handset.send_file(ALICE, photo, "application/octet-stream", name=name)
    assert bench.service.asked[0][2] == f"/sdcard/Download/{name}"
    assert handset.conversation(ALICE).files[0].name == name


def test_a_file_that_stays_in_the_compose_box_is_not_sent(
    bench: Any, handset: AndroidHandset, photo: Path
) -> None:
    bench.call(setattr, bench.android.app, "press_send", lambda: False)
    handset.ui_deadline = 0.3
    with pytest.raises(HandsetError, match="expected an empty compose box after send"):
        handset.send_file(ALICE, photo, "image/jpeg")


def test_a_file_goes_to_a_group(bench: Any, handset: AndroidHandset, photo: Path) -> None:
    bench.call(bench.android.app.group_opened, GROUP, "Trip", [ALICE])
    handset.send_file_to_group("Trip", photo, "image/jpeg")
    assert bench.service.asked == [("send_file", GROUP, "/sdcard/Download/photo.jpg", "image/jpeg")]
    assert handset.conversation().conversation == "Trip"


def test_a_file_under_way_is_cancelled(bench: Any, handset: AndroidHandset, photo: Path) -> None:
    for name in ("one.jpg", "two.jpg"):
        handset.send_file(ALICE, photo, "image/jpeg", name=name)
    handset.cancel_file("one.jpg")
    assert bench.service.asked[-1] == ("cancel", "f1")
    states = {file.name: file.state for file in handset.conversation(ALICE).files}
    assert states == {"one.jpg": FileState.CANCELLED, "two.jpg": FileState.WAITING}


def test_a_failed_file_says_why(bench: Any, handset: AndroidHandset) -> None:
    arrange = partial(bench.android.app.offered, ALICE, "f", OfferKind.FILE)
    bench.call(partial(arrange, name="a.txt", type="text/plain", size=10))
    bench.call(bench.android.app.file_failed, "f", "the sender gave up")
    assert handset.conversation(ALICE).files == (
        ScreenFile("a.txt", False, FileState.FAILED, "10 B • Failed: the sender gave up"),
    )
    with pytest.raises(NotSeen, match=r"files: 'a\.txt' \[10 B • Failed: the sender gave up\]"):
        handset.wait_for_screen(lambda screen: False, "a file", 0.1)


def test_the_latest_file_of_a_name_is_read(bench: Any, handset: AndroidHandset, timeline: Timeline) -> None:
    app = bench.android.app
    for content in (b"first", b"second", bytes(range(256)) * 12_000):
        path = bench.call(app.new_download, "notes (draft).txt")
        bench.call(bench.android.files.write, path, content)
    digest = hashlib.sha256()
    where = handset.read_file("notes (draft).txt", digest.update)
    assert where == "/sdcard/Download/notes (draft) (2).txt"
    assert digest.digest() == hashlib.sha256(bytes(range(256)) * 12_000).digest()
    pulls = [entry for entry in timeline if isinstance(entry, Event) and entry.name == "pull"]
    assert [event.fields["octets"] for event in pulls] == [3_072_000]


def test_a_file_that_is_not_there_is_not_seen(handset: AndroidHandset) -> None:
    with pytest.raises(NotSeen, match=r"no file none\.txt in /sdcard/Download"):
        handset.read_file("none.txt", lambda part: None)


def test_paths_the_handset_refuses(handset: AndroidHandset, timeline: Timeline, photo: Path) -> None:
    files = AdbFiles(handset.link, timeline)
    with pytest.raises(HandsetError, match=r"push /system/x: couldn't create file: Read-only file system"):
        files.push(photo, "/system/x")
    with pytest.raises(HandsetError, match=r"pull /none: open failed: No such file"):
        files.pull("/none", lambda part: None)


def test_a_transfer_that_is_not_over_in_time_is_given_up(
    handset: AndroidHandset, timeline: Timeline, photo: Path
) -> None:
    handset.link.run("true")
    handset.link.deadline = 0.0
    photo.write_bytes(b"")
    with pytest.raises(HandsetLost, match="/sdcard/x to be written, got silence"):
        AdbFiles(handset.link, timeline).push(photo, "/sdcard/x")
