"""A connection that expects exactly what a driver should send."""

from __future__ import annotations


class Transcript:
    """A connection that expects exactly these lines in this order; None stands for no reply."""

    resource = "TRANSCRIPT"
    identity = "transcript"

    def __init__(self, *lines: tuple[str, str | None]) -> None:
        self._lines = list(lines)

    def open(self) -> str:
        return self.identity

    def close(self) -> None:
        pass

    def query(self, text: str, timeout: float | None = None) -> str:
        reply = self._next(text)
        assert reply is not None, f"{text!r} was expected to be written, not asked"
        return reply

    def command(self, text: str, timeout: float | None = None, *, shown: str | None = None) -> None:
        assert self._next(text) is None, f"{text!r} was expected to be asked"

    def _next(self, text: str) -> str | None:
        assert self._lines, f"{text!r} is more than the script expects"
        expected, reply = self._lines.pop(0)
        assert text == expected
        return reply

    def assert_used(self) -> None:
        assert self._lines == [], "lines of the script were never sent"
