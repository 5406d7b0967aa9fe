"""Timeline, captures and ladder: what was seen, kept so that it stands on its own."""
