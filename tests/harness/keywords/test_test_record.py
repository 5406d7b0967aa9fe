"""Where the evidence of a test goes."""

from __future__ import annotations

from pathlib import Path

from harness.keywords.test_record import claim_folder, folder_name


def test_a_name_becomes_a_folder_name_that_can_be_read():
    assert folder_name("Pager Mt.Text, When Opened / Displayed") == "Pager-Mt.Text-When-Opened-Displayed"
    assert folder_name("Suite.短信") == "Suite.短信"
    assert folder_name("///") == "test"


def test_two_tests_never_share_a_folder():
    taken: set[str] = set()
    for name in ("S.A/B", "S.A-B", "S.A B"):
        taken.add(folder_name(name, taken))
    assert taken == {"S.A-B", "S.A-B-2", "S.A-B-3"}


def test_a_long_name_is_cut_between_letters():
    name = folder_name("信" * 100, {"信" * 66})
    assert name == "信" * 66 + "-2"
    assert len(name.encode()) <= 255


def test_a_claimed_folder_is_nobody_elses(tmp_path: Path):
    names = ["A b.C", "A-b.C", "A b.C"]
    folders = [claim_folder(tmp_path / "evidence", name) for name in names]
    assert [folder.name for folder in folders] == ["A-b.C", "A-b.C-2", "A-b.C-3"]
    assert all(folder.is_dir() for folder in folders)


def test_a_folder_that_cannot_be_made_is_named_all_the_same(tmp_path: Path):
    (tmp_path / "evidence").write_text("no folder")
    assert claim_folder(tmp_path / "evidence", "A").name == "A"
