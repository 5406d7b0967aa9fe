"""Writing MSRP: requests, responses and reports (RFC 4975 7.1 and 7.2). Strict unless told otherwise."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable

from harness.errors import UsageError
from harness.msrp.message import (
    COMMENTS,
    HEADER,
    IDENT,
    ByteRange,
    Flag,
    MsrpRequest,
    MsrpResponse,
    parse_msrp,
    well_formed,
)


def new_transaction_id(body: bytes = b"") -> str:
    """A transaction identifier of 96 random bits whose end-line does not occur in body (RFC 4975 7.1)."""
    while True:
        found = secrets.token_hex(12)
        if f"-------{found}".encode() not in body:
            return found


def build_request(
    method: str,
    to_path: Iterable[str],
    from_path: Iterable[str],
    headers: Iterable[tuple[str, str]] = (),
    body: bytes | None = None,
    *,
    flag: Flag = Flag.COMPLETE,
    transaction_id: str | None = None,
    strict: bool = True,
) -> MsrpRequest:
    """A request: paths first, then these headers; Content-Type must be the last of them when there is a body.

    body None makes a bodiless request without an empty line. Raises UsageError for anything that would not be
    MSRP; strict=False writes what it is told, as long as it can be read again.
    """
    rows = [("To-Path", " ".join(to_path)), ("From-Path", " ".join(from_path)), *headers]
    identifier = transaction_id or new_transaction_id(body or b"")
    if strict:
        _demand_request(method, rows, body, identifier)
    message = parse_msrp(_write(f"MSRP {identifier} {method}", rows, body, identifier, flag))
    assert isinstance(message, MsrpRequest)
    return message


def build_response(request: MsrpRequest, status: int, comment: str | None = None) -> MsrpResponse:
    """The response to a request (RFC 4975 7.2).

    To-Path is the leftmost URI of From-Path for SEND and the whole From-Path for other methods; From-Path is
    the URI the request was for, the leftmost of its To-Path. Raises MsrpSyntaxError when a path is
    unreadable.
    """
    back = request.from_path[:1] if request.method == "SEND" else request.from_path
    rows = [("To-Path", " ".join(back)), ("From-Path", request.to_path[0])]
    text = COMMENTS.get(status, "") if comment is None else comment
    start = f"MSRP {request.transaction_id} {status:03d}{' ' if text else ''}{text}"
    message = parse_msrp(_write(start, rows, None, request.transaction_id, Flag.COMPLETE))
    assert isinstance(message, MsrpResponse)
    return message


def build_report(
    request: MsrpRequest, code: int = 200, comment: str | None = None, byte_range: ByteRange | None = None
) -> MsrpRequest:
    """The REPORT on a SEND: to its whole From-Path, with Status and Byte-Range (RFC 4975 7.1.2, 7.1.3)."""
    text = COMMENTS.get(code, "") if comment is None else comment
    covered = byte_range or request.byte_range
    rows = [("Message-ID", request.message_id or "")]
    rows += [("Byte-Range", str(covered))] if covered is not None else []
    rows.append(("Status", f"000 {code:03d} {text}".rstrip()))
    return build_request("REPORT", request.from_path, request.to_path[:1], rows)


def _write(
    start: str, rows: Iterable[tuple[str, str]], body: bytes | None, identifier: str, flag: Flag
) -> bytes:
    head = "".join(f"{line}\r\n" for line in (start, *(f"{name}: {value}" for name, value in rows)))
    content = b"" if body is None else b"\r\n" + body + b"\r\n"
    return head.encode() + content + f"-------{identifier}{flag}\r\n".encode()


def _demand_request(method: str, rows: list[tuple[str, str]], body: bytes | None, identifier: str) -> None:
    _demand(re.fullmatch("[A-Z]+", method) is not None, "method", method)
    _demand(IDENT.fullmatch(identifier.encode()) is not None, "transaction id", identifier)
    for name, value in rows:
        demand_header(name, value)
    for name, value in rows[:2]:
        _demand(all(well_formed(uri) for uri in value.split(" ")), name, value)
    _demand(f"-------{identifier}".encode() not in (body or b""), "body with the end-line of", identifier)
    types = [name.lower().startswith("content-") for name, _ in rows]
    last = rows[-1][0].lower() == "content-type"
    _demand(last if body is not None else not any(types), "content headers (7.1), last is", rows[-1][0])


def demand_header(name: str, value: str) -> None:
    """Raise UsageError for what would not be read back as one header line with this value."""
    line = f"{name}: {value}"
    readable = HEADER.fullmatch(line.encode()) is not None and value == value.strip(" \t")
    _demand(readable, "header", line)


def _demand(good: bool, what: str, text: str) -> None:
    if not good:
        raise UsageError(f"cannot write {what} {text[:80]!r}: it would not be MSRP (RFC 4975 9)")
