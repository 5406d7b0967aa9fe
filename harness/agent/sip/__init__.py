"""SIP transports and transactions on sockets."""
