"""Nicknames in a chat room: the value of Use-Nickname (RFC 7701 7.1 and 7.3)."""

from __future__ import annotations

import re

from harness.errors import MsrpSyntaxError, UsageError

LONGEST = 1023  # octets
_QUOTED = re.compile(r'"((?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\["\\])*)"')
_ESCAPE = re.compile(r"\\(.)")


def parse_nickname(value: str, offset: int = 0) -> str:
    """The nickname a value of Use-Nickname stands for, "" to be rid of it. Raises MsrpSyntaxError."""
    match = _QUOTED.fullmatch(value)
    nickname = None if match is None else _ESCAPE.sub(r"\1", match[1])
    if nickname is None or len(nickname.encode("utf-8", "surrogatepass")) > LONGEST:
        raise MsrpSyntaxError("Use-Nickname", value, offset, "RFC 7701 7.1")
    return nickname


def write_nickname(nickname: str) -> str:
    """The value of Use-Nickname. Raises UsageError for a nickname that has none."""
    value = '"' + nickname.replace("\\", "\\\\").replace('"', '\\"') + '"'
    try:
        parse_nickname(value)
    except MsrpSyntaxError as error:
        raise UsageError(f"no nickname: {error}") from error
    return value
