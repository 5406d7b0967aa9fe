"""Names the other end chose never lead out of the folder, whatever is in them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.evidence.kept_files import keep_file, kept_name


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
