"""SIP, sans-IO: bytes in, messages out (RFC 3261 and its extensions)."""
