"""Where the evidence of a test goes."""

from __future__ import annotations

from harness.keywords.test_record import folder_name


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
