"""Log lines of other threads, brought into the running keyword.

Robot drops what another thread logs. A handler queues the records; the library drains the queue on Robot's
own thread when a keyword ends.
"""

from __future__ import annotations

import logging
from queue import Empty, SimpleQueue

from robot.api import logger

LOGGERS = ("harness", "devices", "instruments")


class LogDrain(logging.Handler):
    """Queues what our modules log until `drain` writes it to Robot's log."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._queue: SimpleQueue[tuple[str, str]] = SimpleQueue()
        self._attached = False

    def emit(self, record: logging.LogRecord) -> None:
        """Queue one record; any thread may call this."""
        self._queue.put((record.levelname, f"{record.name}: {record.getMessage()}"))

    def start(self) -> None:
        """Listen to our loggers. Harmless when called twice."""
        if not self._attached:
            for name in LOGGERS:
                source = logging.getLogger(name)
                source.addHandler(self)
                source.propagate = False
                source.setLevel(logging.INFO)
            self._attached = True

    def stop(self) -> None:
        """Stop listening."""
        for name in LOGGERS if self._attached else ():
            logging.getLogger(name).removeHandler(self)
        self._attached = False

    def drain(self) -> None:
        """Write what is queued to the log of the running keyword or test."""
        while True:
            try:
                level, text = self._queue.get_nowait()
            except Empty:
                return
            # A warning of ours is about the lab or the wire; Robot's own WARN would flood its error list.
            logger.write(text, "INFO" if level in ("INFO", "WARNING") else "WARN")
