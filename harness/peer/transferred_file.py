"""A file that goes between the far party and a handset: what it is, its session, and what came of it.

RFC 5547. What comes stays in a file once it is large: it is read by pieces.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.agent.msrp.content import SpooledContent
from harness.agent.msrp.cpim_content import pieces_of, size_of
from harness.agent.msrp.services import CPIM
from harness.agent.msrp.session import ReceivedMessage as MsrpMessage
from harness.agent.session.user import Content
from harness.bodies.cpim import CpimMessage, parse_cpim
from harness.bodies.file_attributes import FileDates, FileDescription, FileHash, FileRange, FileSelector
from harness.cpm.tokens import new_id
from harness.errors import BodySyntaxError, NotSeen
from harness.evidence.kept_files import keep_file
from harness.peer.config import FarParty
from harness.peer.focus import Focus
from harness.peer.service_session import SentInSession, ServiceSession, SessionMessage
from harness.peer.service_table import part_of

SHA1 = "sha-1"
ID_LENGTH = 32  # of a file-transfer-id, as RFC 5547 8.1 recommends
_PIECE_OCTETS = 1024 * 1024


@dataclass(frozen=True, slots=True)
class OwnFile:
    """A file the far party has. content: octets, or a file; name: as it is offered, of any signs.

    icon: a thumbnail that goes along. created: None for one of now.
    """

    content: bytes | Path
    name: str
    type: str = "application/octet-stream"
    icon: Content | None = None
    created: datetime | None = None

    @property
    def size(self) -> int:
        """Octets. Raises OSError."""
        return size_of(self.content)

    @property
    def selector(self) -> FileSelector:
        """All that selects it. The file is read for its hash. Raises OSError."""
        hashes = FileHash.of(pieces_of(self.content), SHA1)
        return FileSelector(self.name, self.type, self.size, hashes)

    def described(self, span: FileRange | None = None) -> FileDescription:
        """What an offer tells of it, under a new file-transfer-id. span: of its octets. Raises OSError."""
        return FileDescription(
            self.selector,
            transfer_id=new_id(ID_LENGTH),
            disposition="attachment",
            dates=FileDates(creation=self.created or datetime.now(UTC)),
            icon=None if self.icon is None else f"{new_id()}@rcslab",
            range=span,
        )


@dataclass(eq=False, slots=True, weakref_slot=True)
class FileTransfer(ServiceSession):
    """One file and its session, pushed or pulled by either side.

    number: of the timeline when ours began. own: our file, where we send. described: what is told of it: by
    us, or in the INVITE of the handset. focus: the group it is for, or comes from; sender: who of its members
    sends ours. message_id: imdn.Message-ID of one of ours. wrapped: whether ours goes inside CPIM. sent: how
    MSRP took it, None for one that was not sent; failure: why it was not, or did not arrive. coming:
    Message-ID of MSRP of what comes now. came: the file of the handset. over: set when ours was sent, or
    never will be.
    """

    number: int = 0
    own: OwnFile | None = None
    described: FileDescription | None = None
    focus: Focus | None = None
    sender: FarParty | None = None
    message_id: str | None = None
    wrapped: bool = False
    sent: SentInSession | None = None
    failure: str = ""
    coming: str = ""
    came: ReceivedFile | None = None
    over: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def told(self) -> FileDescription | None:
        """What is known of the file: by who sends it where they say so, else by who wants it (8.3.2)."""
        handle = next((each for each in self._call.handles if each is not None), None) if self._call else None
        theirs = handle.plan.remote_file if handle is not None else None
        known = self.described
        if known is None or theirs is None or self.outgoing is None or self.own is not None:
            return known or theirs
        hashes = theirs.selector.hashes or known.selector.hashes
        given = theirs.selector
        selector = FileSelector(
            given.name or known.selector.name,
            given.type or known.selector.type,
            known.selector.size if given.size is None else given.size,
            hashes,
        )
        return replace(known, selector=selector)

    @property
    def span(self) -> FileRange | None:
        """The octets of the file that are to go, None for all."""
        return self.described.range if self.described is not None else None

    @property
    def cpim_parties(self) -> tuple[FarParty, str]:
        """Who CPIM says ours is from, and to: in a group a member, and the group (RFC 7701 6.1)."""
        return self.sender or self.party, self.focus.uri if self.focus is not None else self.handset

    async def finished(self, timeout: float) -> None:
        """Wait until ours was sent, or never will be. Raises NotSeen after so many seconds."""
        try:
            async with asyncio.timeout(timeout):
                await self.over.wait()
        except TimeoutError:
            raise NotSeen(f"{self}: its end was expected within {timeout:g} s") from None

    async def go_on(self) -> None:
        """Let its connection move again, if there still is one."""
        for handle in filter(None, self.call.handles):
            handle.hold(False)

    @property
    def delivered(self) -> bool:
        """True when the handset took the INVITE and every chunk of ours."""
        return self.accepted and self.sent is not None and self.sent.accepted


@dataclass(frozen=True, slots=True)
class ReceivedFile:
    """A file of the handset that came whole.

    name: as the handset told it, to be used as no path. before: what came of it in an earlier transfer. size:
    octets of the whole file. hashes: of what came. faults: in what it is not the file that was announced.
    """

    transfer: FileTransfer = field(repr=False)
    message: SessionMessage = field(repr=False)
    name: str
    type: str
    size: int
    hashes: tuple[FileHash, ...]
    faults: tuple[str, ...]
    before: MsrpMessage | None = field(default=None, repr=False)

    @property
    def as_announced(self) -> bool:
        """True when size, type and hash are those of the offer, as far as it told them."""
        return not self.faults

    @property
    def sha1(self) -> str:
        """Its SHA-1 in hexadecimal digits."""
        return next(each.digest.hex() for each in self.hashes if each.algorithm == SHA1)

    def pieces(self) -> Iterator[bytes]:
        """The octets in pieces of at most a mebibyte."""
        return _pieces(self.message, self.before)

    def let_go(self) -> None:
        """Give back what it holds: one file of the system for each large one. It is empty afterwards."""
        for message in (self.message.msrp, self.before):
            if message is not None:
                message.content.let_go()

    def as_dict(self) -> dict[str, Any]:
        """JSON values for who reads the evidence."""
        return {
            "name": self.name,
            "type": self.type,
            "octets": self.size,
            "hashes": [str(each) for each in self.hashes],
            "from": self.transfer.handset,
            "to": self.transfer.party.sip,
            "imdn.Message-ID": self.message.message_id,
            "faults": list(self.faults),
        }

    def keep(self, folder: Path) -> Path:
        """Write it into a folder, under a safe form of its name; where it is. Raises OSError."""
        return keep_file(folder, self.name, self.pieces())

    def __str__(self) -> str:
        odd = f" ({'; '.join(self.faults)})" if self.faults else ""
        return f"{self.name!r}, {self.size} octets {self.type} from {self.transfer.handset}{odd}"


def read_file_of(message: SessionMessage, before: MsrpMessage | None) -> ReceivedFile:
    """What came, held against what was announced. Reads all of it; raises OSError."""
    transfer = message.session
    assert isinstance(transfer, FileTransfer), "a file comes in a session for files"
    told = transfer.told or FileDescription(FileSelector())
    wanted = told.selector
    algorithms = dict.fromkeys((SHA1, *(each.algorithm for each in wanted.hashes)))
    hashes = FileHash.of(_pieces(message, before), *algorithms)
    size = message.size + (before.content.size if before is not None else 0)
    kind = message.content_type
    found = FileSelector(wanted.name, kind, size, hashes)
    partial = before is None and told.range is not None and told.range.start > 1
    faults = [] if partial else list(_faults(wanted, found))
    due = _due(told)
    if due is not None and message.size != due and not faults:
        faults.append(f"{message.size} octets came of {due} in {told.range}")
    return ReceivedFile(transfer, message, wanted.name or "", kind, size, hashes, tuple(faults), before)


def _pieces(message: SessionMessage, before: MsrpMessage | None) -> Iterator[bytes]:
    if before is not None:
        yield from content_pieces(before.content)
    yield from message.pieces()


def content_pieces(content: SpooledContent) -> Iterator[bytes]:
    """What MSRP brought, in pieces."""
    for place in range(0, content.size, _PIECE_OCTETS):
        yield content.read(place, _PIECE_OCTETS)


def _due(told: FileDescription) -> int | None:
    """Octets of the range that was offered, None without one."""
    span, size = told.range, told.selector.size
    if span is None:
        return None
    stop = size if span.stop is None else span.stop
    return None if stop is None else stop - span.start + 1


def _faults(wanted: FileSelector, found: FileSelector) -> Iterator[str]:
    """Where a selector of the offer does not fit (RFC 5547 8.2.2, 8.3.1)."""
    if wanted.size not in (None, found.size):
        yield f"{found.size} octets, {wanted.size} announced"
    if wanted.type is not None and not FileSelector(type=wanted.type).selects(found):
        yield f"{found.type}, {wanted.type} announced"
    for each in _unlike(wanted.hashes, found.hashes):
        yield f"not the {each.algorithm} announced"


def _unlike(wanted: Sequence[FileHash], found: Sequence[FileHash]) -> Iterator[FileHash]:
    known = {each.algorithm: each for each in found}
    return (each for each in wanted if each.algorithm in known and known[each.algorithm] != each)


def head_in_invite(transfer: FileTransfer) -> CpimMessage | None:
    """The CPIM headers in the INVITE of the handset, None without any that can be read."""
    part = part_of(transfer.asked.parts, CPIM) if transfer.asked is not None else None
    try:
        return parse_cpim(part.decoded()) if part is not None else None
    except BodySyntaxError:
        return None


def icon_of(file: OwnFile, described: FileDescription) -> list[Content]:
    """The thumbnail that the offer names (8.8)."""
    if file.icon is None or described.icon is None:
        return []
    rows = (("Content-ID", f"<{described.icon}>"), ("Content-Disposition", "icon"), *file.icon.headers)
    return [Content(file.icon.type, file.icon.body, rows)]


def held_after(pieces: Iterable[bytes], octets: int, hold: Callable[[bool], None]) -> Iterator[bytes]:
    """Pieces, and after so many octets the connection stands still."""
    left = octets
    for piece in pieces:
        yield piece
        if left > 0 and (left := left - len(piece)) <= 0:
            hold(True)
