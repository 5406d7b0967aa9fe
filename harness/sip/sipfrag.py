"""message/sipfrag: a SIP message whose start line, header fields or body may be missing (RFC 3420)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from harness.errors import BodySyntaxError, SipSyntaxError
from harness.sip.fault import Fault
from harness.sip.header_lines import checked_line, demand, is_clean
from harness.sip.message import Request, Response, parse_message

MEDIA_TYPE = "message/sipfrag"

_CLAUSE = "RFC 3420 2"
_FIELD = re.compile(rb"[A-Za-z0-9\-.!%*_+`'~]+[ \t]*:")
_STAND_IN = b"SIP/2.0 100 -\r\n"  # read in place of a start line that is not there
_MISSING_END = "no empty line after the headers"  # no fault here: a fragment may end with its last header


@dataclass(frozen=True, slots=True)
class Sipfrag:
    """A fragment. message gives its header fields and body; its start line only where has_start_line.

    faults: what is wrong with what is there, with octets of the fragment.
    """

    message: Request | Response
    has_start_line: bool
    faults: tuple[Fault, ...]

    @property
    def status(self) -> int | None:
        """The status code of a fragment of a response; None without one."""
        return self.message.status if self.has_start_line and isinstance(self.message, Response) else None

    @property
    def reason(self) -> str:
        """The reason phrase; empty without one."""
        return self.message.reason if self.has_start_line and isinstance(self.message, Response) else ""


def parse_sipfrag(data: bytes) -> Sipfrag:
    """Read a fragment. Raises BodySyntaxError when its first line is neither start line nor header field."""
    bare = not data.strip(b"\r\n") or _FIELD.match(data) is not None
    try:
        message = parse_message(_STAND_IN + data if bare else data)
    except SipSyntaxError as error:
        raise BodySyntaxError("sipfrag", error.value, error.offset, _CLAUSE, "no start line") from error
    shift = len(_STAND_IN) if bare else 0
    faults = tuple(
        replace(fault, offset=max(fault.offset - shift, 0))
        for fault in message.faults
        if fault.text != _MISSING_END
    )
    return Sipfrag(message, not bare, faults)


def write_status(status: int, reason: str, headers: Iterable[tuple[str, str]] = ()) -> bytes:
    """A status line and header fields, as a NOTIFY of `refer` tells them (RFC 3515 2.4.5).

    Raises UsageError for what would not be SIP.
    """
    demand(100 <= status <= 699, "status", str(status))
    demand(is_clean(reason), "reason phrase", reason)
    lines = (checked_line(name, value) for name, value in headers)
    return b"".join((f"SIP/2.0 {status} {reason}\r\n".encode(), *lines))
