"""Start lines: request lines and status lines (RFC 3261 7.1, 7.2), and the reason phrases of the registry."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple, cast

from harness.errors import SipSyntaxError
from harness.sip.fault import Fault

REASONS = {
    100: "Trying", 180: "Ringing", 181: "Call Is Being Forwarded", 182: "Queued", 183: "Session Progress",
    199: "Early Dialog Terminated", 200: "OK", 202: "Accepted", 204: "No Notification",
    300: "Multiple Choices", 301: "Moved Permanently", 302: "Moved Temporarily", 305: "Use Proxy",
    380: "Alternative Service", 400: "Bad Request", 401: "Unauthorized", 402: "Payment Required",
    403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 406: "Not Acceptable",
    407: "Proxy Authentication Required", 408: "Request Timeout", 410: "Gone",
    412: "Conditional Request Failed", 413: "Request Entity Too Large", 414: "Request-URI Too Long",
    415: "Unsupported Media Type", 416: "Unsupported URI Scheme", 417: "Unknown Resource-Priority",
    420: "Bad Extension", 421: "Extension Required", 422: "Session Interval Too Small",
    423: "Interval Too Brief", 424: "Bad Location Information", 425: "Bad Alert Message",
    428: "Use Identity Header", 429: "Provide Referrer Identity", 430: "Flow Failed",
    433: "Anonymity Disallowed", 436: "Bad Identity Info", 437: "Unsupported Credential",
    438: "Invalid Identity Header", 439: "First Hop Lacks Outbound Support", 440: "Max-Breadth Exceeded",
    469: "Bad Info Package", 470: "Consent Needed", 480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist", 482: "Loop Detected", 483: "Too Many Hops",
    484: "Address Incomplete", 485: "Ambiguous", 486: "Busy Here", 487: "Request Terminated",
    488: "Not Acceptable Here", 489: "Bad Event", 491: "Request Pending", 493: "Undecipherable",
    494: "Security Agreement Required", 500: "Server Internal Error", 501: "Not Implemented",
    502: "Bad Gateway", 503: "Service Unavailable", 504: "Server Time-out", 505: "Version Not Supported",
    513: "Message Too Large", 555: "Push Notification Service Not Supported", 580: "Precondition Failure",
    600: "Busy Everywhere", 603: "Decline", 604: "Does Not Exist Anywhere", 606: "Not Acceptable",
    607: "Unwanted", 608: "Rejected",
}  # fmt: skip

_REQUEST = re.compile(rb"([A-Za-z0-9\-.!%*_+`'~]+) ([^\s<>\"]+) SIP/2\.0")
_RESPONSE = re.compile(rb"SIP/2\.0 ([1-6][0-9][0-9]) ([^\r\n]*)")
_LOOSE_REQUEST = re.compile(
    rb"[ \t]*+([A-Za-z0-9\-.!%*_+`'~]++)[ \t]++([^\r\n]*?[^\s])[ \t]++"
    rb"(SIP)[ \t]*+/[ \t]*+([0-9]++\.[0-9]++)[ \t]*+",
    re.I,
)
_LOOSE_RESPONSE = re.compile(rb"[ \t]*+(SIP)/([0-9]++\.[0-9]++)[ \t]++([0-9]{3})(?:[ \t]++([^\r\n]*)|)", re.I)


class RequestLine(NamedTuple):
    """Method and Request-URI as written."""

    method: str
    uri: str


class StatusLine(NamedTuple):
    """Status code and reason phrase."""

    status: int
    reason: str


StartLine = RequestLine | StatusLine


def read_start_line(line: bytes, offset: int, faults: list[Fault]) -> StartLine:
    """What a start line (without its line end) says; what is wrong with it is added to faults.

    offset is where it starts in the message. Raises SipSyntaxError when its parts cannot be recognised.
    """
    read = _read_again if len(line) <= _LONGEST_KEPT else _read_flawless
    return read(line) or _read_loosely(line, offset, faults)


def _read_flawless(line: bytes) -> StartLine | None:
    """What a line says in which nothing is wrong, as nearly all are."""
    match = _REQUEST.fullmatch(line)
    if match and line.isascii():
        return RequestLine(match[1].decode(), match[2].decode())
    match = _RESPONSE.fullmatch(line)
    return _response(match[1], match[2]) if match else None


# The same few come again and again: "SIP/2.0 200 OK", and the requests to one URI.
_read_again = lru_cache(maxsize=1024)(_read_flawless)
_LONGEST_KEPT = 256  # octets


def _request(method: bytes, uri: bytes, place: int, faults: list[Fault]) -> RequestLine:
    if not uri.isascii():
        faults.append(Fault("Request-URI", place, "RFC 3261 25.1", "octets above 127"))
    return RequestLine(method.decode("ascii"), uri.decode("utf-8", "backslashreplace"))


def _response(status: bytes, reason: bytes) -> StatusLine:
    return StatusLine(int(status), reason.decode("utf-8", "backslashreplace"))


def _read_loosely(line: bytes, offset: int, faults: list[Fault]) -> StartLine:
    """A start line with something wrong that leaves its parts recognisable."""

    def fault(what: str, clause: str, text: str) -> None:
        faults.append(Fault(what, offset, clause, text))

    match = _LOOSE_RESPONSE.fullmatch(line)
    request = None if match else _LOOSE_REQUEST.fullmatch(line)
    if match is None and request is None:
        raise SipSyntaxError("start line", line, offset, "RFC 3261 7", "neither request line nor status line")
    name, version = (match[1], match[2]) if match else cast(re.Match[bytes], request).group(3, 4)
    if version != b"2.0":
        fault("SIP-Version", "RFC 3261 7.1", f"version {version.decode()[:20]} is not 2.0")
    elif name != b"SIP":
        fault("SIP-Version", "RFC 3261 7.1", "SIP must be sent in upper case")
    if match:
        if not b"1" <= match[3][:1] <= b"6":
            fault("status code", "RFC 3261 7.2", "not between 100 and 699")
        if match[4] is None or line.split(b" ")[:2] != [b"SIP/" + version, match[3]]:
            fault("status line", "RFC 3261 7.2", "not exactly one space between parts")
        return _response(match[3], match[4] or b"")
    assert request is not None
    uri = request[2]
    if line != b" ".join((request[1], uri, b"%b/%b" % (name, version))):
        fault(
            "request line",
            "RFC 3261 7.1",
            "not exactly one space between parts, or text after the version",
        )
    place = offset + request.start(2)
    if re.search(rb"[\s<>\"]", uri):
        faults.append(Fault("Request-URI", place, "RFC 3261 7.1", "white space, angle brackets or quotes"))
    return _request(request[1], uri, place, faults)
