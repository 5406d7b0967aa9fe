"""What a session tells who uses it: messages that came, what became of those sent, and its end."""

from __future__ import annotations

from dataclasses import dataclass

from harness.msrp.chunking import OutgoingMessage
from harness.msrp.message import ByteRange, MsrpRequest, ReportStatus
from harness.msrp.reassembly import IncomingMessage


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """A message is complete. again: as one before with its Message-ID, so it is not to be shown (5.4)."""

    message: IncomingMessage
    again: bool = False


@dataclass(frozen=True, slots=True)
class MessageProgress:
    """More of a message came; it is not complete."""

    message: IncomingMessage


@dataclass(frozen=True, slots=True)
class MessageLost:
    """A message that began will not be complete: aborted by its sender, refused, or the session ended."""

    message: IncomingMessage
    reason: str


@dataclass(frozen=True, slots=True)
class RequestRefused:
    """A request was answered with an error, or would have been if its sender wanted an answer."""

    request: MsrpRequest
    status: int
    comment: str


@dataclass(frozen=True, slots=True)
class BodilessReceived:
    """A SEND without a body: it opens the session or keeps it alive (7.1)."""

    request: MsrpRequest


@dataclass(frozen=True, slots=True)
class MessageSent:
    """There is an outcome of a message of ours. It comes again where a good one turned bad."""

    message: OutgoingMessage


@dataclass(frozen=True, slots=True)
class ReportReceived:
    """A REPORT on a message of ours (7.3.2)."""

    message: OutgoingMessage
    status: ReportStatus
    byte_range: ByteRange | None


@dataclass(frozen=True, slots=True)
class NicknameAsked:
    """The other side wants a nickname, or none any more (""), and this is what it was told (RFC 7701 7.1)."""

    nickname: str
    status: int


@dataclass(frozen=True, slots=True)
class NicknameAnswered:
    """What became of the nickname we asked for: 200, 403, 424, 425, or 408 for no answer (RFC 7701 7.1)."""

    nickname: str
    status: int
    comment: str


@dataclass(frozen=True, slots=True)
class SessionFailed:
    """Nothing can be sent any more: 481, 506, octets reported as lost, or the connection is gone (5.4)."""

    reason: str


SessionEvent = (
    MessageReceived
    | MessageProgress
    | MessageLost
    | RequestRefused
    | BodilessReceived
    | MessageSent
    | ReportReceived
    | NicknameAsked
    | NicknameAnswered
    | SessionFailed
)
