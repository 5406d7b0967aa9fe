"""Content below MIME headers: its type, and its octets without their encodings (RFC 2045, RFC 9110 8.4)."""

from __future__ import annotations

from harness.bodies.encoding import DECODED_LIMIT, decode_content, is_decodable
from harness.bodies.mime import ContentType, MimeField, mime_value, parse_content_type
from harness.errors import BodySyntaxError


class MimeContent:
    """What a body part and the inside of a CPIM object are alike in.

    mime: the headers of the content. content_offset: the octet where the content begins.
    """

    __slots__ = ()

    mime: tuple[MimeField, ...]
    content: bytes
    content_offset: int

    def mime_get(self, name: str) -> str | None:
        """The value of a MIME header of the content, name in any case."""
        return mime_value(self.mime, name)

    @property
    def content_type(self) -> ContentType | None:
        """The type of the content, None when absent or unreadable."""
        value = self.mime_get("Content-Type")
        try:
            return None if value is None else parse_content_type(value)
        except BodySyntaxError:
            return None

    @property
    def decodable(self) -> bool:
        """Whether the encodings of the content are known here; decoded() raises where they are not."""
        return is_decodable(*self._encodings)

    def decoded(self, limit: int = DECODED_LIMIT) -> bytes:
        """The content without its encodings. Raises BodySyntaxError, also for more than limit octets."""
        return decode_content(self.content, *self._encodings, offset=self.content_offset, limit=limit)

    @property
    def _encodings(self) -> tuple[str | None, str | None]:
        return self.mime_get("Content-Encoding"), self.mime_get("Content-Transfer-Encoding")
