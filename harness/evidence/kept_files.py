"""Files under names the other end chose: kept in a folder of ours, never outside it, never one over another.

RFC 5547 6: a name in a file-selector is no path, and who takes the file sees to what the name may mean here.
"""

from __future__ import annotations

import json
import shutil
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

LONGEST_NAME = 255  # octets of one name, on every file system in use
_LONGEST_SUFFIX = 20
_SEPARATORS = '/\\:*?"<>|'  # of a directory here or elsewhere, and what other systems do not take in a name
_UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


class ArrivedFile(Protocol):
    """A file that somebody sent."""

    @property
    def name(self) -> str:
        """As its sender told it."""

    def pieces(self) -> Iterable[bytes]:
        """Its octets."""

    def as_dict(self) -> dict[str, Any]:
        """JSON values that tell what came: name, size, hashes and whatever is known of it."""


def keep_files(folder: Path, files: Iterable[ArrivedFile]) -> tuple[Path, ...]:
    """Write files into folder/files, and what is known of each into folder/files.json; where they are.

    What an earlier run left there is replaced. Nothing is made where there is no file. Raises OSError.
    """
    target, told = folder / "files", folder / "files.json"
    if target.exists():
        shutil.rmtree(target)
    told.unlink(missing_ok=True)
    kept, rows = [], []
    for file in files:
        path = keep_file(target, file.name, file.pieces())
        kept.append(path)
        rows.append({"path": f"{target.name}/{path.name}", **file.as_dict()})
    if rows:
        told.write_text(
            json.dumps(rows, indent=2, ensure_ascii=False) + "\n", encoding="utf-8", errors="backslashreplace"
        )
    return tuple(kept)


def kept_name(name: str | None) -> str:
    """A name for a file that was called this: letters and signs stay, what may mean a directory does not."""
    shown = "".join(_kept(sign) for sign in name or "").strip()
    stem, suffix = _split(f"_{shown[1:]}" if shown.startswith(".") else shown or "file")
    return _shortened(stem, LONGEST_NAME - len(suffix.encode())) + suffix


def keep_file(folder: Path, name: str | None, pieces: Iterable[bytes]) -> Path:
    """Write a file of this name into the folder, under a number when there is one already; where it is now.

    Raises OSError; nothing is left of a file that cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for path in _paths(folder, kept_name(name)):
        try:
            file = path.open("xb")
        except FileExistsError:
            continue
        try:
            with file:
                for piece in pieces:
                    file.write(piece)
        except BaseException:
            path.unlink()
            raise
        return path
    raise AssertionError("numbers do not end")


def _kept(sign: str) -> str:
    return "_" if sign in _SEPARATORS or unicodedata.category(sign) in _UNSEEN else sign


def _split(name: str) -> tuple[str, str]:
    suffix = PurePosixPath(name).suffix
    return (name.removesuffix(suffix), suffix) if len(suffix.encode()) <= _LONGEST_SUFFIX else (name, "")


def _shortened(text: str, octets: int) -> str:
    """As much of it as so many octets hold, without half a character."""
    return text.encode()[:octets].decode("utf-8", "ignore")


def _paths(folder: Path, name: str) -> Iterator[Path]:
    yield folder / name
    stem, suffix = _split(name)
    for number in count(2):
        end = f"-{number}{suffix}"
        yield folder / (_shortened(stem, LONGEST_NAME - len(end.encode())) + end)
