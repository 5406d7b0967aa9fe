"""Names the other end chose never lead out of the folder, whatever is in them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.evidence.kept_files import keep_file, keep_files, kept_name


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("photo.jpg", "photo.jpg"),
        ("Grüße aus Łódź.png", "Grüße aus Łódź.png"),
        ("../../etc/passwd", "_._.._etc_passwd"),
        ("..", "_."),
        (".", "_"),
        (".bashrc", "_bashrc"),
        ("/etc/passwd", "_etc_passwd"),
        ("C:\\boot.ini", "C__boot.ini"),
        ('My "cool" picture.jpg', "My _cool_ picture.jpg"),
        ("a\x00b\r\nc\u202ed", "a_b__c_d"),
        ("", "file"),
        (None, "file"),
        ("   ", "file"),
        ("x" * 300 + ".jpeg", "x" * 250 + ".jpeg"),
        ("ü" * 200 + ".png", "ü" * 125 + ".png"),
        ("x." + "y" * 300, ("x." + "y" * 300)[:255]),
    ],
)
def test_what_a_file_is_called_here(name: str | None, kept: str) -> None:
    assert kept_name(name) == kept
    assert len(kept.encode()) <= 255


@given(st.text(max_size=400))
def test_no_name_is_a_path(name: str) -> None:
    kept = kept_name(name)
    assert kept not in ("", ".", "..")
    assert Path(kept).name == kept
    assert "\\" not in kept
    assert 0 < len(kept.encode()) <= 255
    assert kept_name(kept) == kept


def test_a_file_is_kept_beside_others_of_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    names = ["../a.txt", "../a.txt", "x" * 255, "x" * 255]
    paths = [keep_file(folder, name, [b"one ", str(place).encode()]) for place, name in enumerate(names)]
    assert [path.name for path in paths] == ["_._a.txt", "_._a-2.txt", "x" * 255, "x" * 253 + "-2"]
    assert [path.read_bytes() for path in paths] == [b"one 0", b"one 1", b"one 2", b"one 3"]
    assert sorted(tmp_path.iterdir()) == [folder]


def test_a_link_in_the_way_is_not_followed(tmp_path: Path) -> None:
    folder, outside = tmp_path / "files", tmp_path / "outside"
    folder.mkdir()
    (folder / "a").symlink_to(outside)
    assert keep_file(folder, "a", [b"x"]).name == "a-2"
    assert not outside.exists()


def test_nothing_is_left_of_a_file_that_breaks_off(tmp_path: Path) -> None:
    def pieces():
        yield b"one"
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        keep_file(tmp_path, "a", pieces())
    assert list(tmp_path.iterdir()) == []


@dataclass(frozen=True)
class Arrived:
    name: str
    content: bytes

    def pieces(self) -> Iterable[bytes]:
        return iter([self.content[:2], self.content[2:]])

    def as_dict(self) -> dict[str, Any]:
        return {"name": self.name, "octets": len(self.content)}


def test_the_files_of_a_test_stay_in_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "evidence"
    folder.mkdir()
    files = [Arrived("../../evil", b"evil"), Arrived("a.txt", b"one"), Arrived("a.txt", b"two")]
    kept = keep_files(folder, files)
    assert [(path.name, path.read_bytes()) for path in kept] == [
        ("_._.._evil", b"evil"), ("a.txt", b"one"), ("a-2.txt", b"two"),
    ]  # fmt: skip
    assert {path.parent for path in kept} == {folder / "files"}
    assert sorted(path.name for path in tmp_path.rglob("*")) == [
        "_._.._evil", "a-2.txt", "a.txt", "evidence", "files", "files.json",
    ]  # fmt: skip
    told = json.loads((folder / "files.json").read_text())
    assert told[0] == {"path": "files/_._.._evil", "name": "../../evil", "octets": 4}
    assert [each["path"] for each in told[1:]] == ["files/a.txt", "files/a-2.txt"]


def test_files_of_an_earlier_run_do_not_stay(tmp_path: Path) -> None:
    keep_files(tmp_path, [Arrived("old", b"old")])
    assert keep_files(tmp_path, []) == ()
    assert list(tmp_path.iterdir()) == []
