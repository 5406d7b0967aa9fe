"""Sockets, connections and TLS, for SIP and MSRP alike."""
