"""The files of the simulated handset, in memory: what cat, ls and the sync service of adbd see."""

from __future__ import annotations

import stat
from collections.abc import Callable
from dataclasses import dataclass

CAPACITY = 256 * 1024 * 1024
DIRECTORIES = (
    "/", "/sdcard", "/sdcard/Download", "/sdcard/Pictures", "/sdcard/DCIM",
    "/data", "/data/local", "/data/local/tmp", "/dev", "/system", "/system/bin", "/system/app", "/vendor",
)  # fmt: skip
ALIASES = (
    ("/storage/emulated/0", "/sdcard"),
    ("/storage/self/primary", "/sdcard"),
    ("/mnt/sdcard", "/sdcard"),
)
READ_ONLY = ("/system", "/vendor", "/dev")


class FileTreeError(OSError):
    """The operation failed; str() is the errno text the shell prints."""

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(slots=True)
class Entry:
    """A file, or a directory when `data` is None. `mtime` in seconds since the Unix epoch."""

    data: bytes | bytearray | None
    mode: int
    mtime: int

    @property
    def size(self) -> int:
        """Octets, 4096 for a directory."""
        return 4096 if self.data is None else len(self.data)


class FileTree:
    """Absolute paths to entries. Relative paths are taken from /."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        now = int(clock())
        self._entries = {path: Entry(None, stat.S_IFDIR | 0o771, now) for path in DIRECTORIES}
        self._entries["/dev/null"] = Entry(b"", stat.S_IFCHR | 0o666, now)

    @staticmethod
    def resolve(path: str) -> str:
        """The path without `.`, `..`, doubled slashes and with storage links followed."""
        parts: list[str] = []
        for part in path.split("/"):
            if part == "..":
                parts[-1:] = []
            elif part not in ("", "."):
                parts.append(part)
        whole = "/" + "/".join(parts)
        for alias, target in ALIASES:
            if whole == alias or whole.startswith(alias + "/"):
                return target + whole[len(alias) :]
        return whole

    def stat(self, path: str) -> Entry:
        """The entry; FileTreeError when there is none."""
        entry = self._entries.get(self.resolve(path))
        if entry is None:
            raise FileTreeError("No such file or directory")
        return entry

    def exists(self, path: str) -> bool:
        """Is there a file or a directory?"""
        return self.resolve(path) in self._entries

    def read(self, path: str) -> bytes:
        """The octets of a file."""
        entry = self.stat(path)
        if entry.data is None:
            raise FileTreeError("Is a directory")
        return bytes(entry.data)

    def write(
        self, path: str, data: bytes, *, mode: int = 0o660, mtime: int | None = None, append: bool = False
    ) -> None:
        """Create or replace a file (or extend it)."""
        whole = self.resolve(path)
        if whole == "/dev/null":
            return
        old = self._entries.get(whole)
        if old is not None and old.data is None:
            raise FileTreeError("Is a directory")
        self._writable(whole)
        if sum(entry.size for entry in self._entries.values()) + len(data) > CAPACITY:
            raise FileTreeError("No space left on device")
        when = int(self._clock()) if mtime is None else mtime
        if append and old is not None and old.data is not None:
            # In place: what arrives piece by piece is not copied for every piece.
            grown = old.data if isinstance(old.data, bytearray) else bytearray(old.data)
            grown += data
            old.data, old.mtime = grown, when
            return
        self._entries[whole] = Entry(data, stat.S_IFREG | (mode & 0o777), when)

    def make_directory(self, path: str, *, parents: bool = False) -> None:
        """mkdir, with -p when `parents`."""
        whole = self.resolve(path)
        if whole in self._entries:
            if parents and self._entries[whole].data is None:
                return
            raise FileTreeError("File exists")
        above = whole.rpartition("/")[0] or "/"
        if parents and above not in self._entries:
            self.make_directory(above, parents=True)
        self._writable(whole)
        self._entries[whole] = Entry(None, stat.S_IFDIR | 0o771, int(self._clock()))

    def remove(self, path: str, *, recursive: bool = False) -> None:
        """rm, with -r when `recursive`."""
        whole = self.resolve(path)
        entry = self.stat(whole)
        below = [name for name in self._entries if name.startswith(whole.rstrip("/") + "/")]
        if entry.data is None and not recursive:
            raise FileTreeError("Is a directory")
        if whole == "/" or whole.startswith(READ_ONLY):
            raise FileTreeError("Read-only file system")
        for name in (*below, whole):
            del self._entries[name]

    def listing(self, path: str) -> list[tuple[str, Entry]]:
        """Names and entries of a directory, sorted; for a file, itself under the path given."""
        entry = self.stat(path)
        if entry.data is not None:
            return [(path, entry)]
        head = self.resolve(path).rstrip("/") + "/"
        inside = (
            (name[len(head) :], found) for name, found in self._entries.items() if name.startswith(head)
        )
        return sorted((name, found) for name, found in inside if name and "/" not in name)

    def _writable(self, whole: str) -> None:
        above = whole.rpartition("/")[0] or "/"
        parent = self._entries.get(above)
        if parent is None:
            raise FileTreeError("No such file or directory")
        if parent.data is not None:
            raise FileTreeError("Not a directory")
        if whole.startswith(READ_ONLY) or above == "/":
            raise FileTreeError("Read-only file system")
