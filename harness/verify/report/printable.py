"""Text without the characters that a document cannot carry."""

from __future__ import annotations

import re

_UNPRINTABLE = re.compile("[^\\t\\n\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")


def printable(text: str) -> str:
    """Without the characters XML 1.0 cannot carry."""
    return _UNPRINTABLE.sub("?", text)
