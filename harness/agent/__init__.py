"""The asyncio shell round the sans-IO cores: sockets, timers, one loop thread."""
