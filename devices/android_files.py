"""Files in the messaging app on an Android handset: put there, sent, cancelled, and read back."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from devices.adb_files import AdbFiles
from devices.android_groups import GroupUi
from devices.apps.dump import Dump, UiNode, as_dumped, belonging
from harness.errors import NotOnBench, NotSeen

FOLDER = "/sdcard/Download"
_SIZE = re.compile(r"\s*(\d+)\s")


class FileUi(GroupUi):
    """File transfer as the user does it: files are shared with a conversation, and found in the folders."""

    def send_file(self, number: str, file: Path, type: str, *, name: str | None = None) -> None:
        """Put a file on the handset and send it to a number, as `name` when it shall have another one.

        Returns when the app took it. Raises HandsetError when it does not.
        """
        until = time.monotonic() + self.ui_deadline
        intent = self.app.intents.share
        extra = intent.recipient_extra if intent else None
        if extra is None:
            raise NotOnBench(f"handset {self.serial}: {self.app.app} takes no file for a number")
        self._share(file, type, name, ["--es", extra, number])
        self._send_attachment(until)
        self._open = number

    def send_file_to_group(self, subject: str, file: Path, type: str, *, name: str | None = None) -> None:
        """Put a file on the handset and send it to a group."""
        until = time.monotonic() + self.ui_deadline
        self._share(file, type, name, [])
        self._choose_listed(subject, until)
        self._opened(subject)
        self._send_attachment(until)

    def cancel_file(self, name: str) -> None:
        """Touch the X of a file that is under way in the open conversation, and wait until it is gone."""
        until = time.monotonic() + self.ui_deadline
        cross = self._wait_screen(lambda dump: self._cross(dump, name), f"{name} under way", until)
        self._press(
            cross,
            "cancel_attachment",
            lambda dump: None if self._cross(dump, name) else dump.nodes[0],
            f"{name} no longer under way",
            until,
        )

    def read_file(self, name: str, sink: Callable[[bytes], object]) -> str:
        """Pull a file the app stored, piece by piece into `sink`; returns where it lay.

        Of several that got a number of their own, as in "photo (2).jpg", the highest counts. Raises NotSeen
        when there is none.
        """
        path = self._stored(name)
        said = self._ok(["wc", "-c", path], record=False).stdout
        size = _SIZE.match(said)
        AdbFiles(self.link, self._timeline).pull(path, sink, int(size[1]) if size else 0)
        return path

    def _share(self, file: Path, type: str, name: str | None, extras: list[str]) -> None:
        intent = self.app.intents.share
        if intent is None:
            raise NotOnBench(f"handset {self.serial}: {self.app.app} takes no file from other apps")
        self.elements("draft_attachment")
        path = f"{FOLDER}/{name or file.name}"
        AdbFiles(self.link, self._timeline).push(file, path)
        words = ["-a", intent.action, "-t", type, "--eu", intent.stream_extra, f"file://{quote(path)}"]
        self._start([*words, *extras], path)

    def _send_attachment(self, until: float) -> None:
        """Wait for the file in the compose box and press send."""
        attached = self.elements("draft_attachment")

        def ready(dump: Dump) -> UiNode | None:
            return dump.find(self.app.elements.send_button) if dump.find(attached) else None

        self._send(self._wait_screen(ready, "the file in the compose box", until), until)

    def _cross(self, dump: Dump, name: str) -> UiNode | None:
        """The X that stands after the name of the file, before that of the next."""
        names = dump.find_all(self.app.elements.attachment_name)
        pairs = belonging(dump, names, dump.find_all(self.elements("cancel_attachment")))
        return next((cross for owner, cross in pairs if owner.text == as_dumped(name)), None)

    def _stored(self, name: str) -> str:
        """The path of the latest file of this name in the folders of the app."""
        if not self.app.stored_files:
            raise NotOnBench(f"handset {self.serial}: where {self.app.app} stores files is not known")
        stem, dot, ending = name.rpartition(".")
        stem, ending = (stem, dot + ending) if stem else (name, "")
        numbered = re.compile(re.escape(stem) + r"(?: \((\d+)\))?" + re.escape(ending))
        for folder in self.app.stored_files:
            listed = self.link.run(["ls", "-1", folder], record=False).stdout.splitlines()
            found = [match for line in listed if (match := numbered.fullmatch(line))]
            if found:
                latest = max(found, key=lambda match: int(match[1] or 0))
                return f"{folder}/{latest[0]}"
        raise NotSeen(f"handset {self.serial}: no file {name} in {', '.join(self.app.stored_files)}")
