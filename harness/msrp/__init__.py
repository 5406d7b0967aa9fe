"""MSRP, sans-IO: bytes in, messages out (RFC 4975)."""
