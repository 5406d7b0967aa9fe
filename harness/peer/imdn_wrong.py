"""What a far party may get wrong in its notifications, on purpose or by habit (RFC 5438)."""

from __future__ import annotations

from enum import StrEnum


class Wrong(StrEnum):
    """One wrong by its name."""

    NO_DATETIME = "no datetime"
    NOW_DATETIME = "datetime of the notification"
    WRONG_MESSAGE_ID = "wrong message-id"
    WITH_DISPOSITION_NOTIFICATION = "with Disposition-Notification"
    TWICE = "twice"
    PROCESSING = "processing"
    NOT_REQUESTED = "not requested type"
    BEFORE_ANSWER = "before the 2xx"
    MALFORMED_XML = "malformed XML"
    NO_CONTENT_DISPOSITION = "no Content-Disposition"
    ANONYMOUS_DELIVERED = "delivered from anonymous"
