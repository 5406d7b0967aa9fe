"""A file without a name: what is written is there, and it takes no more of the disk than it has to."""

from __future__ import annotations

from pathlib import Path

from harness.evidence.unnamed_file import AHEAD, UnnamedFile


def room_on_disk(folder: Path) -> int:
    """Octets that the open files without a name in a folder take."""
    links = [each for each in Path("/proc/self/fd").iterdir() if each.is_symlink()]
    return sum(each.stat().st_blocks * 512 for each in links if str(folder) in str(each.readlink()))


def test_octets_are_read_back_from_their_places(tmp_path: Path) -> None:
    file = UnnamedFile(tmp_path)
    file.write(4, memoryview(b"efgh"))
    file.write(0, bytearray(b"abcd"))
    file.truncate(6)
    assert (file.read(0, 6), file.read(2, 100), file.read(6, 1)) == (b"abcdef", b"cdef", b"")


def test_a_place_far_away_takes_no_room_before_it_nor_behind(tmp_path: Path) -> None:
    file = UnnamedFile(tmp_path)
    file.write(0, b"x")
    begun = room_on_disk(tmp_path)
    for number in range(1, 100):
        file.write(1 + number * AHEAD, b"x")
    assert room_on_disk(tmp_path) - begun < AHEAD


def test_room_asked_for_and_not_needed_is_given_back(tmp_path: Path) -> None:
    file = UnnamedFile(tmp_path)
    file.write(0, bytes(100_000))
    file.truncate(100_000)
    assert room_on_disk(tmp_path) < 200_000


def test_it_is_gone_with_its_last_user(tmp_path: Path) -> None:
    file = UnnamedFile(tmp_path)
    file.write(0, b"x")
    assert room_on_disk(tmp_path) > 0
    del file
    assert room_on_disk(tmp_path) == 0
