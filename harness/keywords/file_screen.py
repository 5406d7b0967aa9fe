"""Keywords for files as the user of the handset sees them: sent, cancelled, received, stored."""

from __future__ import annotations

import hashlib
import mimetypes
import random
import tempfile
from datetime import timedelta
from pathlib import Path

from robot.api.deco import keyword

from devices.apps.dump import as_dumped
from devices.handset import FileState, ScreenFile, TextStatus
from harness.cpm.identity import Msisdn
from harness.errors import HandsetError, UsageError
from harness.keywords.screen_topic import ScreenTopic, several
from harness.keywords.topic import BenchAccess

PIECE = 64 * 1024


class FileScreen(ScreenTopic):
    """Files go to the far party of the bench, or another number, several of them, or a group."""

    def __init__(self, access: BenchAccess) -> None:
        super().__init__(access)
        self._made: tempfile.TemporaryDirectory[str] | None = None

    @keyword
    def file_of_octets(self, octets: int, name: str = "file.bin") -> Path:
        """Makes a file of exactly ``octets`` octets for the test and returns its path.

        The octets look random and are the same in every run. The file goes with the run.

        | ${file} =    File Of Octets    2049    photo.jpg
        | Send File From Handset    ${file}
        """
        if octets < 0 or "/" in name or name in ("", ".", ".."):
            raise UsageError(f"no file of {octets} octets named {name!r} can be made")
        if self._made is None:
            self._made = tempfile.TemporaryDirectory(prefix="rcslab-files-")
        path = Path(tempfile.mkdtemp(dir=self._made.name)) / name
        source = random.Random(octets)
        with path.open("wb") as file:
            for start in range(0, octets, PIECE):
                file.write(source.randbytes(min(PIECE, octets - start)))
        return path

    @keyword
    def send_file_from_handset(
        self,
        file: Path,
        to: Msisdn | None = None,
        group: str | None = None,
        content_type: str | None = None,
        name: str | None = None,
        handset: str | None = None,
    ) -> None:
        """Puts ``file`` on the handset and sends it in the messaging app, as sharing it does.

        | =Argument= | =Meaning= |
        | ``to`` | number of the far party; default the one of the bench |
        | ``group`` | subject of a group, in place of a number |
        | ``content_type`` | default by the ending of the name |
        | ``name`` | name it has on the handset; default its own |

        The keyword ends when the app took the file.
        """
        self._demand(file)
        self.act()
        kind = content_type or _type_of(name or file.name)
        android = self.handset(handset).android
        if group is not None:
            android.send_file_to_group(group, file, kind, name=name)
        else:
            android.send_file(self.far_number(to), file, kind, name=name)

    @keyword
    def send_file_to_several_from_handset(
        self, file: Path, *numbers: Msisdn, name: str | None = None, handset: str | None = None
    ) -> None:
        """Sends one file to several numbers, which are no group; ``name`` as in `Send File From Handset`.

        | Send File To Several From Handset    ${file}    +12025550111    +12025550112
        """
        self._demand(file)
        self.act()
        android = self.handset(handset).android
        android.send_file(several(numbers), file, _type_of(name or file.name), name=name)

    @keyword
    def cancel_file_on_handset(
        self,
        name: str,
        number: Msisdn | None = None,
        group: str | None = None,
        handset: str | None = None,
    ) -> None:
        """Touches the X of the file that is under way, whichever way it goes."""
        self.show(number, group, handset)
        self.act()
        self.handset(handset).android.cancel_file(name)

    @keyword
    def handset_shows_file(
        self,
        name: str,
        state: FileState = FileState.DONE,
        status: TextStatus | None = None,
        number: Msisdn | None = None,
        group: str | None = None,
        timeout: timedelta | None = None,
        handset: str | None = None,
    ) -> ScreenFile:
        """Waits until the conversation shows the file ``name`` in this state. The latest of the name counts.

        | =Argument= | =Meaning= |
        | ``state`` | OFFERED, WAITING, MOVING, DONE, DECLINED, CANCELLED or FAILED |
        | ``status`` | also what stands under a file the handset sent: SENT, DELIVERED, READ, NOT_SENT |

        Returns the file as it is shown: ``line`` is what the app says about it.
        """
        return self._shown(name, state, status, number, group, timeout, handset)

    @keyword
    def handset_shows_file_of_several(
        self,
        name: str,
        state: FileState,
        status: TextStatus | None,
        *numbers: Msisdn,
        timeout: timedelta | None = None,
        handset: str | None = None,
    ) -> ScreenFile:
        """The same as `Handset Shows File` for a file that went to several ``numbers``."""
        return self._shown(name, state, status, several(numbers), None, timeout, handset)

    def _shown(
        self,
        name: str,
        state: FileState,
        status: TextStatus | None,
        number: Msisdn | str | None,
        group: str | None,
        timeout: timedelta | None,
        handset: str | None,
    ) -> ScreenFile:
        def latest(files: tuple[ScreenFile, ...]) -> ScreenFile | None:
            return next((file for file in reversed(files) if file.name == as_dumped(name)), None)

        def as_wanted(file: ScreenFile | None) -> bool:
            return file is not None and file.state is state and status in (None, file.status)

        expected = f"{name} {state}" + (f" and {status}" if status else "")
        screen = self.wait_on_screen(
            lambda screen: as_wanted(latest(screen.files)), expected, number, group, timeout, handset
        )
        found = latest(screen.files)
        if found is None:
            raise AssertionError(f"{name} was on screen and is not in what was read of it")
        return found

    @keyword
    def handset_has_file(self, file: Path, name: str | None = None, handset: str | None = None) -> str:
        """Pulls the file the handset stored and compares it, octet by octet, with a local ``file``.

        ``name`` is the name it was sent under; default that of ``file``. Returns where the handset has it.
        """
        octets, pulled = 0, hashlib.sha256()

        def take(part: bytes) -> None:
            nonlocal octets
            octets += len(part)
            pulled.update(part)

        path = self.handset(handset).android.read_file(name or file.name, take)
        with file.open("rb") as local:
            wanted = hashlib.file_digest(local, "sha256")
        if pulled.digest() != wanted.digest():
            raise HandsetError(
                f"{path} on the handset: expected {file.stat().st_size} octets with SHA-256 "
                f"{wanted.hexdigest()}, got {octets} with {pulled.hexdigest()}"
            )
        return path

    @staticmethod
    def _demand(file: Path) -> None:
        if not file.is_file():
            raise UsageError(f"{file}: no such file")


def _type_of(name: str) -> str:
    return mimetypes.guess_type(name)[0] or "application/octet-stream"
