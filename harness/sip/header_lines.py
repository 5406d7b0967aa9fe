"""Header lines as they are written: nothing that would not be SIP (RFC 3261 25.1) unless it is asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable

from harness.errors import UsageError
from harness.sip.grammar import is_token
from harness.sip.headers import KNOWN_HEADERS, header_key

_UNCLEAN = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
_URI = re.compile(r"[^\s<>\"]+")


def line_of(name: str, value: str) -> bytes:
    """One header line, whatever name and value are."""
    return f"{name}: {value}\r\n".encode("utf-8", "surrogatepass")


def checked_line(name: str, value: str) -> bytes:
    """One header line. Raises UsageError for a name that is no token and a value that breaks the line."""
    if name not in KNOWN_HEADERS:
        demand(is_token(name), "header name", name)
    if not value.isprintable():
        demand(is_clean(value), f"value of {name}", value)
    return line_of(name, value)


def lines_as_told(headers: Iterable[tuple[str, str]], body: bytes) -> list[bytes]:
    """A line for each header, with Content-Length at the end when it is absent."""
    rows = list(headers)
    if not any(header_key(name) == "Content-Length" for name, _ in rows):
        rows.append(("Content-Length", str(len(body))))
    return [line_of(name, value) for name, value in rows]


def checked_lines(headers: Iterable[tuple[str, str]], body: bytes) -> tuple[list[bytes], list[str]]:
    """The same, and the keys of the lines. Raises UsageError for what is no SIP, or a wrong length."""
    lines: list[bytes] = []
    keys: list[str] = []
    for name, value in headers:
        key = header_key(name)
        if key == "Content-Length":
            demand(value == str(len(body)), f"Content-Length beside a body of {len(body)} octets", value)
        keys.append(key)
        lines.append(checked_line(name, value))
    if "Content-Length" not in keys:
        keys.append("Content-Length")
        lines.append(b"Content-Length: %d\r\n" % len(body))
    return lines, keys


def demand(good: bool, what: str, text: str) -> None:
    """Raises UsageError, which names and shows the text, unless it is good."""
    if not good:
        raise UsageError(f"cannot write {what} {text[:80]!r}: it would not be SIP (RFC 3261 25.1)")


def is_clean(text: str) -> bool:
    """No line ends, no other control characters, nothing that UTF-8 cannot carry."""
    return _UNCLEAN.search(text) is None


def demand_uri(uri: str) -> None:
    """Raises UsageError for a Request-URI that would end too early."""
    demand(is_clean(uri) and _URI.fullmatch(uri) is not None, "Request-URI", uri)
