"""File transfer by MSRP of the RCS client: who sends and who receives, and what is served to who asks.

RFC 5547 over RFC 3261 and RFC 4975, OMA CPM headers. What goes is in rcs_files_sent.py, what comes in
rcs_files_received.py.
"""

from __future__ import annotations

import logging
import mimetypes
import posixpath
from collections.abc import Iterator

from devices.simulated.file_tree import FileTree
from devices.simulated.rcs_access import RcsSettings
from devices.simulated.rcs_addressees import Addressees
from devices.simulated.rcs_files_received import ReceivedFiles
from devices.simulated.rcs_files_sent import SentFiles, send_content
from devices.simulated.rcs_flows import first_msrp_line, offer_in
from devices.simulated.rcs_groups import RcsGroups
from devices.simulated.rcs_sessions import Arrival, Hooks, Media, RcsSessions
from devices.simulated.rcs_texts import TextShelf
from harness.agent.background import Background
from harness.agent.msrp.services import Flow
from harness.bodies.file_attributes import FileDescription, FileHash, FileSelector, read_file
from harness.errors import BodySyntaxError, RcsLabError

_log = logging.getLogger(__name__)

FOLDERS = ("/sdcard/Download", "/sdcard/Pictures", "/sdcard/DCIM")
"""Whose files are given to who asks for them."""
_NOT_ACCEPTABLE = 488


class RcsFiles:
    """The file transfer of one client. Outlives connections."""

    flows = (Flow.FILE_PUSH, Flow.FILE_PULL)

    def __init__(
        self, shelf: TextShelf, settings: RcsSettings, addressees: Addressees, groups: RcsGroups
    ) -> None:
        self._background = Background()
        self._app = shelf.app
        self.sent = SentFiles(shelf, addressees, self._background)
        self.received = ReceivedFiles(shelf, settings, groups, self._background)

    # -- the client's connection

    def ready(self, sessions: RcsSessions) -> None:
        """Registered: what waits goes, and goes on."""
        self.sent.ready(sessions)
        self.received.ready(sessions)

    def gone(self) -> None:
        """Files wait from now on."""
        self.sent.gone()
        self.received.gone()

    async def close(self) -> None:
        """Nothing more is sent."""
        self.received.close()
        self._background.cancel()
        await self._background.ended()

    # -- the user

    def send(self, key: str, path: str, kind: str) -> str:
        """Queue a file for a conversation; its id. Raises UsageError for what is no number."""
        return self.sent.send(key, path, kind)

    def answer(self, offer_id: str, accept: bool) -> bool:
        """The user answers an offer. False when it is none."""
        return self.received.answer(offer_id, accept)

    def cancel(self, identifier: str) -> None:
        """The user touches the X, of either direction. Nothing happens when it is over."""
        self.sent.cancel(identifier)
        self.received.cancel(identifier)

    # -- the other side

    def invited(self, arrival: Arrival) -> None:
        """A file is offered, or wanted."""
        described = _described(arrival)
        if described is None or not described.selector:
            arrival.refuse(_NOT_ACCEPTABLE, ("Warning", '399 handset "no file is described"'))
        elif arrival.flow is Flow.FILE_PULL:
            self._background.spawn(self._serve(arrival, described))
        else:
            self.received.offered(arrival, described)

    async def _serve(self, arrival: Arrival, wanted: FileDescription) -> None:
        """Give a file of ours to who describes it; BYE is ours too (RFC 5547 8.3.2)."""
        found = next(self._matching(wanted.selector), None)
        if found is None:
            arrival.refuse(_NOT_ACCEPTABLE, ("Warning", '399 handset "no such file"'))
            return
        path, selector = found
        media = Media(selector.type or "", FileDescription(selector))
        call = await arrival.accept(Hooks(), media)
        if call is None:
            return
        try:
            span, content = wanted.range, self._app.files.read(path)
            if span is not None:
                content = content[span.start - 1 : span.stop]
            await send_content(await call.opened(), content, media.content_type)
        except (RcsLabError, OSError) as error:
            _log.warning("%s for %s: %s", path, arrival.number, error)
        finally:
            await call.hang_up()

    def _matching(self, wanted: FileSelector) -> Iterator[tuple[str, FileSelector]]:
        """The files of the handset that a selector names, and all that is known of them."""
        algorithms = dict.fromkeys(("sha-1", *(each.algorithm for each in wanted.hashes)))
        for path, known in _candidates(self._app.files):
            if FileSelector(wanted.name, wanted.type, wanted.size).selects(known):
                hashes = FileHash.of([self._app.files.read(path)], *algorithms)
                whole = FileSelector(known.name, known.type, known.size, hashes)
                if wanted.selects(whole):
                    yield path, whole


def _candidates(files: FileTree) -> Iterator[tuple[str, FileSelector]]:
    """Every file of the folders, as far as it is known without reading it."""
    for folder in FOLDERS:
        for name, entry in files.listing(folder):
            if entry.data is not None:
                kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
                yield posixpath.join(folder, name), FileSelector(name, kind, entry.size)


def _described(arrival: Arrival) -> FileDescription | None:
    """What the offer tells of its file, None without one that can be read."""
    offer = offer_in(arrival.request)
    line = first_msrp_line(offer) if offer is not None else None
    try:
        return read_file(line) if line is not None else None
    except BodySyntaxError as error:
        _log.warning("an offer from %s: %s", arrival.number, error)
        return None
