"""Files the user of the RCS client sends: the offer, the content, and going on where it broke off.

RFC 5547 8.2.1, 8.4 and 8.7, RFC 5366 3 for several; the CPIM headers of a bare file go in the INVITE (OMA
CPM, by field traces).
"""

from __future__ import annotations

import asyncio
import logging
import posixpath
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto

from devices.simulated.conversations import MessageStatus
from devices.simulated.rcs_addressees import Addressee, Addressees
from devices.simulated.rcs_conversations import Recent
from devices.simulated.rcs_large import LIST_INVITE
from devices.simulated.rcs_lists import recipient_list
from devices.simulated.rcs_notifications import NAMESPACE
from devices.simulated.rcs_sessions import Hooks, Media, RcsSessions, SessionCall
from devices.simulated.rcs_texts import POSITIVE, TextShelf
from harness.agent.background import Background
from harness.agent.msrp.services import CPIM, Flow
from harness.agent.msrp.session import MsrpUser, SessionHandle
from harness.agent.session.multipart_content import multipart_content
from harness.agent.session.user import Content
from harness.bodies.cpim import build_cpim
from harness.bodies.file_attributes import FileDates, FileDescription, FileHash, FileRange, FileSelector
from harness.bodies.timestamp import format_timestamp
from harness.cpm.tokens import new_id
from harness.errors import RcsLabError
from harness.msrp.chunking import Outcome, OutgoingMessage
from harness.msrp.content import PieceSource

_log = logging.getLogger(__name__)

_PIECE_OCTETS = 64 * 1024
_NOT_ACCEPTABLE = 488


class _End(Enum):
    """How one attempt ended."""

    SENT = auto()
    FAILED = auto()
    LOST = auto()
    """With the connection of the client: it goes on over the next one."""
    ANEW = auto()
    """The other side does not go on from here: the whole file is offered."""


@dataclass(eq=False, slots=True)
class OutgoingFile:
    """A file on its way to a number, to several, or to a group.

    id: its imdn.Message-ID, and what the app calls it. key: of its conversation. contribution: stays when
    what is missing follows. taken: octets the other side has confirmed. why: what the user is told of a
    failure.
    """

    id: str
    key: str
    path: str
    type: str
    contribution: str
    when: str
    taken: int = 0
    sha1: tuple[FileHash, ...] = ()
    call: SessionCall | None = None
    message: OutgoingMessage | None = None
    cancelled: bool = False
    why: str = ""


class SentFiles:
    """One file at a time in a conversation, kept while the client is not registered."""

    def __init__(self, shelf: TextShelf, addressees: Addressees, background: Background) -> None:
        self._shelf, self._app, self._addressees = shelf, shelf.app, addressees
        self._background = background
        self._sessions: RcsSessions | None = None
        self._queues: dict[str, deque[OutgoingFile]] = {}
        self._workers: set[str] = set()
        self._broken: Recent[tuple[str, str], OutgoingFile] = Recent()

    def ready(self, sessions: RcsSessions) -> None:
        """Registered: what waits goes."""
        self._sessions = sessions
        for key in tuple(self._queues):
            self._work(key)

    def gone(self) -> None:
        """Files wait from now on."""
        self._sessions = None

    def send(self, key: str, path: str, kind: str) -> str:
        """Queue a file, or take up one that broke off; its id. Raises UsageError for what is no number."""
        file = self._broken.pop((key, path), None)
        if file is None:
            listed = self._addressees.listed(key)
            now = format_timestamp(self._shelf.clock())
            file = OutgoingFile(new_id(24), key, path, kind, self._shelf.personality.ids.make(), now)
            self._shelf.notifications.expect(file.id, listed)
        file.cancelled, file.why = False, ""
        self._queues.setdefault(key, deque()).append(file)
        self._work(key)
        return file.id

    def cancel(self, identifier: str) -> None:
        """The user gives it up: "#" and BYE, or CANCEL (RFC 5547 8.4)."""
        file = next(
            (each for queue in self._queues.values() for each in queue if each.id == identifier), None
        )
        if file is None:
            return
        file.cancelled, call = True, file.call
        if call is None:
            return  # its turn has not come, and never will
        if file.message is not None and not file.message.finished:
            file.message.abort()
            call.handle.flush()
        else:
            self._background.spawn(call.hang_up())

    def _work(self, key: str) -> None:
        if self._sessions is not None and key in self._queues and key not in self._workers:
            self._workers.add(key)
            self._background.spawn(self._drain(key))

    async def _drain(self, key: str) -> None:
        """Send what waits, in order."""
        queue = self._queues[key]
        try:
            while queue and self._sessions is not None:
                file = queue[0]
                end = _End.FAILED if file.cancelled else await self._attempt(file)
                if end is _End.LOST:
                    break
                if end is not _End.ANEW:
                    queue.popleft()
                    self._tell(file, end)
        finally:
            self._workers.discard(key)
            if not queue:
                del self._queues[key]
        self._work(key)

    def _tell(self, file: OutgoingFile, end: _End) -> None:
        if end is _End.SENT:
            self._app.file_done(file.id)
        elif file.cancelled:
            self._app.outcome(file.id, MessageStatus.NOT_SENT)
        else:
            self._broken[file.key, file.path] = file
            self._app.file_failed(file.id, file.why)

    async def _attempt(self, file: OutgoingFile) -> _End:
        """One session for one file, or for the rest of it."""
        whom, sessions = await self._addressees.find(file.key), self._sessions
        if whom is None or file.cancelled:
            file.why = "not connected"
            return _End.FAILED
        if sessions is None:
            return _End.LOST
        try:
            content = self._app.files.read(file.path)
        except OSError as error:
            file.why = str(error)
            return _End.FAILED
        hashes = FileHash.of([content], "sha-1")
        if hashes != file.sha1 or not 0 < file.taken < len(content):
            file.sha1 = hashes  # another file than that which broke off, or nothing of it is there
            self._whole(file)
        told = self._described(file, content)
        settled: asyncio.Future[OutgoingMessage] = asyncio.get_running_loop().create_future()
        call = file.call = self._invite(sessions, whom, file, told, settled)
        try:
            end = await self._carry(call, file, told, content, settled)
        except RcsLabError as error:
            _log.warning("a file to %s: %s", whom.target, error)
            file.why, end = "not connected", _End.FAILED
        finally:
            file.call = file.message = None
            self._background.spawn(call.hang_up())
        lost = end is _End.FAILED and self._sessions is not sessions and not file.cancelled
        return _End.LOST if lost else end

    async def _carry(
        self,
        call: SessionCall,
        file: OutgoingFile,
        told: FileDescription,
        content: bytes,
        settled: asyncio.Future[OutgoingMessage],
    ) -> _End:
        outcome = await call.begun()
        response, problem = outcome.response, call.problem
        if outcome.session is None or problem is not None:
            file.why = problem.reason if problem else response.reason if response else outcome.failure
            refused = problem is not None or (response is not None and response.status == _NOT_ACCEPTABLE)
            return self._whole(file) if told.range is not None and refused else _End.FAILED
        handle = await call.opened()
        plan = handle.plan
        if plan.remote_max_size is not None and len(content) - file.taken > plan.remote_max_size:
            file.why = f"more than the {plan.remote_max_size} octets the other side takes"
            return _End.FAILED
        if told.range is not None and (plan.remote_file is None or plan.remote_file.range != told.range):
            return self._whole(file)  # whoever accepts the range repeats it (8.3.1)
        return await self._deliver(handle, file, content, settled)

    def _whole(self, file: OutgoingFile) -> _End:
        """The other side does not go on from there: it is a transfer like any other."""
        file.taken, file.contribution = 0, self._shelf.personality.ids.make()
        return _End.ANEW

    async def _deliver(
        self,
        handle: SessionHandle,
        file: OutgoingFile,
        content: bytes,
        settled: asyncio.Future[OutgoingMessage],
    ) -> _End:
        before, size = file.taken, len(content)

        def progress(octets: int) -> None:
            self._app.file_progress(file.id, before + octets, size)

        progress(0)
        source = PieceSource(_pieces(content[before:], progress), size - before)
        message = file.message = handle.post(source, file.type)
        if message.outcome is not None and not settled.done():
            settled.set_result(message)
        outcome = (await settled).outcome or Outcome(None, "", 0, aborted=True)
        if outcome.good:
            return _End.SENT
        spans = message.taken.spans
        file.taken = before + (spans[0][1] if spans and spans[0][0] == 0 else 0)
        file.why = "connection lost" if outcome.status is None else "refused by the other side"
        return _End.FAILED

    def _invite(
        self,
        sessions: RcsSessions,
        whom: Addressee,
        file: OutgoingFile,
        told: FileDescription,
        settled: asyncio.Future[OutgoingMessage],
    ) -> SessionCall:
        def sent(message: OutgoingMessage) -> None:
            if message is file.message and not settled.done():
                settled.set_result(message)

        parts = [self._head(file, whom, sessions.access.identity)]
        if self._shelf.defects.has("file_without_cpim"):
            parts.clear()
        parts += [recipient_list(whom.listed)] if whom.listed else []
        return sessions.invite(
            Flow.FILE_PUSH,
            whom.target,
            (whom.conversation, file.contribution),
            Hooks(msrp=lambda _: MsrpUser(sent=sent)),
            Media(file.type, told),
            headers=[("Require", LIST_INVITE)] if whom.listed else (),
            body=lambda offer: multipart_content([offer, *parts]) if parts else offer,
        )

    def _described(self, file: OutgoingFile, content: bytes) -> FileDescription:
        """A new id for each transfer, the rest of one too (8.1)."""
        created = datetime.fromtimestamp(self._app.files.stat(file.path).mtime, UTC)
        span = FileRange(file.taken + 1, len(content)) if file.taken else None
        return FileDescription(
            FileSelector(posixpath.basename(file.path), file.type, len(content), file.sha1),
            transfer_id=new_id(32),
            disposition="attachment",
            dates=FileDates(creation=created),
            range=span,
        )

    def _head(self, file: OutgoingFile, whom: Addressee, identity: str) -> Content:
        """The CPIM headers of the file, without content."""
        headers = [
            ("From", f"<{identity}>"),
            ("To", f"<{whom.target}>"),
            ("DateTime", file.when),
            NAMESPACE,
            ("imdn.Message-ID", file.id),
            ("imdn.Disposition-Notification", ", ".join(POSITIVE)),
        ]
        octets = build_cpim(headers, [("Content-Type", file.type), ("Content-Length", "0")], b"")
        return Content(CPIM, octets, (("Content-Disposition", "render;handling=optional"),))


async def send_content(handle: SessionHandle, content: bytes, kind: str) -> Outcome:
    """Send octets as one message. Raises as SessionHandle.send."""
    return await handle.send(PieceSource(_pieces(content), len(content)), kind)


def _pieces(content: bytes, progress: Callable[[int], None] = lambda _: None) -> Iterator[bytes]:
    for place in range(0, len(content), _PIECE_OCTETS):
        progress(place)
        yield content[place : place + _PIECE_OCTETS]
