"""A simulated handset: one process, reached only over ADB, a pty and the air link."""
