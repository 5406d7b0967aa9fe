"""Random ids of messages: tags, Call-IDs, imdn.Message-IDs, Conversation- and Contribution-IDs."""

from __future__ import annotations

import secrets
import string
import uuid

# What each octet stands for: 256 are no multiple of 62, so eight letters come a little more often.
_ALPHABET = ((string.ascii_letters + string.digits) * 5).encode()[:256]


def new_id(length: int = 24) -> str:
    """Letters and digits, 5.9 bits each: 24 hold more than the 64 bits of RFC 5438 6.3."""
    return secrets.token_bytes(length).translate(_ALPHABET).decode()


def new_tag() -> str:
    """A From or To tag (RFC 3261 19.3 asks for 32 random bits or more)."""
    return new_id(12)


def new_uuid() -> str:
    """A Conversation-ID or Contribution-ID."""
    return str(uuid.uuid4())


def new_call_id(host: str) -> str:
    """A Call-ID; the colons of an IPv6 host need brackets after the @ (RFC 3261 25.1)."""
    return f"{new_id()}@[{host}]" if ":" in host else f"{new_id()}@{host}"
