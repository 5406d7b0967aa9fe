"""Encodings of content undone, within a limit: Content-Encoding (RFC 9110 8.4), Content-Transfer-Encoding.

Clients compress an IMDN inside CPIM (`Content-Encoding: deflate`). A few octets of that can stand for
gigabytes, so nothing is inflated beyond the limit.
"""

from __future__ import annotations

import binascii
import quopri
import zlib
from collections.abc import Callable, Mapping

from harness.errors import BodySyntaxError

DECODED_LIMIT = 1 << 20  # octets; an IMDN has a few hundred
CODINGS_LIMIT = 3  # codings one upon the other
_CLAUSE = "RFC 9110 8.4"

_ZLIB, _RAW, _GZIP = zlib.MAX_WBITS, -zlib.MAX_WBITS, zlib.MAX_WBITS | 16
# deflate is the zlib format (RFC 9110 8.4.1.2); some leave its frame out, and send RFC 1951 alone.
_CONTENT_CODINGS: Mapping[str, tuple[int, ...]] = {
    "deflate": (_ZLIB, _RAW),
    "gzip": (_GZIP,),
    "x-gzip": (_GZIP,),
}
_TRANSFER_ENCODINGS: Mapping[str, Callable[[bytes], bytes]] = {
    **dict.fromkeys(("", "7bit", "8bit", "binary"), bytes),
    "quoted-printable": quopri.decodestring,
    "base64": binascii.a2b_base64,
}


def is_decodable(content_encoding: str | None, transfer_encoding: str | None = None) -> bool:
    """Whether these encodings are known here; the content of others cannot be seen."""
    known = all(coding in _CONTENT_CODINGS for coding in _codings(content_encoding))
    return known and (transfer_encoding or "").strip().lower() in _TRANSFER_ENCODINGS


def decode_content(
    content: bytes,
    content_encoding: str | None,
    transfer_encoding: str | None = None,
    *,
    offset: int = 0,
    limit: int = DECODED_LIMIT,
) -> bytes:
    """The content with both encodings undone, the transfer encoding first.

    limit: octets the content may come to, at each step. offset: where it starts, for errors. Raises
    BodySyntaxError for an encoding that is not known, octets that do not follow it, and too many of them.
    """
    if content_encoding is None and transfer_encoding is None:
        return content
    transfer = (transfer_encoding or "").strip().lower()
    decode = _TRANSFER_ENCODINGS.get(transfer)
    if decode is None:
        raise BodySyntaxError("Content-Transfer-Encoding", transfer, offset, "RFC 2045 6.1", "not known")
    try:
        content = decode(content)
    except binascii.Error as error:
        raise BodySyntaxError(transfer, content[:80], offset, "RFC 2045 6.8", str(error)) from error
    codings = _codings(content_encoding)
    if len(codings) > CODINGS_LIMIT:
        raise BodySyntaxError("Content-Encoding", content_encoding or "", offset, _CLAUSE, "too many codings")
    for coding in reversed(codings):
        content = _inflate(content, coding, offset, limit)
    return content


def _codings(content_encoding: str | None) -> list[str]:
    """The codings in the order they were applied."""
    codings = [each.strip().lower() for each in (content_encoding or "").split(",")]
    return [each for each in codings if each not in ("", "identity")]


def _inflate(content: bytes, coding: str, offset: int, limit: int) -> bytes:
    windows = _CONTENT_CODINGS.get(coding)
    if windows is None:
        raise BodySyntaxError("Content-Encoding", coding, offset, _CLAUSE, "not known")
    problem = ""
    for window in windows:
        inflater = zlib.decompressobj(window)
        try:
            found = inflater.decompress(content, limit + 1)
        except zlib.error as error:
            problem = problem or str(error)
            continue
        if len(found) > limit:
            raise BodySyntaxError(coding, content[:80], offset, _CLAUSE, f"more than {limit} octets")
        if inflater.eof:
            return found
        problem = problem or "cut off"
    raise BodySyntaxError(coding, content[:80], offset, _CLAUSE, problem)
