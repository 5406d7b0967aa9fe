"""rcslab: a hardware-in-the-loop test harness for RCS messaging."""
