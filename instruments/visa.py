"""One VISA connection that is safe to share between threads and never waits for ever.

pyvisa (with pyvisa-py unless a bench names another backend) is imported when a connection is opened. What
that library leaves to its user is done here: see the comments where each thing happens.
"""

from __future__ import annotations

import contextlib
import logging
import re
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from harness.errors import InstrumentLost, InstrumentRefused, LabError
from harness.evidence.timeline import Layer, Timeline

if TYPE_CHECKING:
    from pyvisa.resources import MessageBasedResource

log = logging.getLogger(__name__)

IDENTIFY: Final = "*IDN?"
REPLY_OCTETS: Final = 16 * 1024 * 1024
QUEUE_READS: Final = 64
# pyvisa-py receives in pieces of this size: asked for more it reads past what it was asked for.
PIECE_OCTETS: Final = 4096
CLOSE_SECONDS: Final = 2.0
PROGRESS_SECONDS: Final = 5.0
"""How often a long wait tells on the timeline that it goes on."""
WAITING: Final = "waiting"
REMEDY: Final = (
    "check that the instrument is switched on and the resource in lab.yaml is right, then run rcslab doctor"
)


class VisaSession:
    """A connection to one instrument. One lock round each exchange; every exchange has a deadline in seconds.

    After a timeout the connection is closed and opened again, because a reply that comes late would otherwise
    be taken for the answer to the next question; so it is when a signal interrupts an exchange. A connection
    that was lost is opened again at its next use.
    Args: resource is a VISA resource name; error_query the text that takes one error from the queue; no_error
    what its reply starts with when the queue is empty. error_suffix: what is added to each command where an
    instrument has no queue and answers the command itself, with its error; error_query is not used then.
    """

    def __init__(
        self,
        resource: str,
        timeline: Timeline,
        *,
        backend: str = "@py",
        timeout: float = 3.0,
        error_query: str = "SYSTem:ERRor?",
        no_error: str = "0,",
        termination: str = "\n",
        error_suffix: str = "",
    ) -> None:
        self.resource = resource
        self.identity = ""
        self._timeline = timeline
        self._backend = backend
        self._timeout = timeout
        self._error_query, self._no_error = error_query, no_error
        self._termination, self._error_suffix = termination, error_suffix
        self._lock = threading.RLock()
        self._link: MessageBasedResource | None = None

    # ---- life

    def open(self) -> str:
        """Connect and ask *IDN?. Raises InstrumentLost.

        The question matters: opening a raw socket resource succeeds even where nobody listens.
        """
        with self._exchanging():
            self._connect()
            try:
                self.identity = self._exchange(IDENTIFY, self._timeout)
            except _Silent:
                self._drop()
                raise self._lost(f"a reply to {IDENTIFY} within {self._timeout:g} s", "silence") from None
            self._note("query", IDENTIFY, self.identity)
            return self.identity

    def close(self) -> None:
        """Release the connection, within CLOSE_SECONDS. Never raises."""
        with self._lock:
            self._drop()

    def __enter__(self) -> VisaSession:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- what drivers use

    def query(self, text: str, timeout: float | None = None) -> str:
        """Ask and give the reply without its terminator.

        Raises InstrumentRefused with the text of the error queue when the instrument put something there
        instead of answering, InstrumentLost when it is gone or silent.
        """
        seconds = self._timeout if timeout is None else timeout
        with self._exchanging():
            self._ensure_open()
            try:
                reply = self._exchange(text, seconds)
            except _Silent:
                self._after_silence(text, seconds)
            self._note("query", text, reply)
            return reply

    def command(self, text: str, timeout: float | None = None, *, shown: str | None = None) -> None:
        """Write, then read the error queue. Raises InstrumentRefused when it is not empty, InstrumentLost.

        shown: what stands in place of the text wherever it is told, when it holds a secret.
        """
        told = text if shown is None else shown
        seconds = self._timeout if timeout is None else timeout
        with self._exchanging():
            self._ensure_open()
            asked = told + self._error_suffix if self._error_suffix else self._error_query
            try:
                if self._error_suffix:
                    errors = self._take_answer(text, told, seconds)
                else:
                    self._write(text, seconds, told)
                    self._note("write", told, "")
                    errors = self._take_errors(seconds)
            except _Silent:
                self._drop()
                raise self._lost(f"a reply to {asked} within {seconds:g} s", "silence") from None
            if errors:
                raise self._refused(told, errors)

    def _take_answer(self, text: str, told: str, seconds: float) -> list[str]:
        """Write a command that is answered by its error, or by what stands for none."""
        reply = self._exchange(text + self._error_suffix, seconds, told)
        self._note("write", told, reply)
        return [] if reply.strip() == self._no_error else [f"error {reply}"]

    def errors(self, timeout: float | None = None) -> list[str]:
        """Take everything out of the error queue."""
        with self._exchanging():
            self._ensure_open()
            try:
                return self._take_errors(self._timeout if timeout is None else timeout)
            except _Silent:
                self._drop()
                raise self._lost(f"a reply to {self._error_query}", "silence") from None

    # ---- exchange

    @contextlib.contextmanager
    def _exchanging(self) -> Iterator[None]:
        """The connection to oneself; let go when something else than an error of ours ends the exchange."""
        with self._lock:
            try:
                yield
            except LabError:
                raise
            except BaseException:  # Ctrl-C: the reply to what was asked is still to come
                self._drop()
                raise

    def _after_silence(self, text: str, seconds: float) -> None:
        """An unknown query is not answered at all: ask the error queue whether it was that. Always raises."""
        self._note("timeout", text, "")
        self._drop()
        self.open()
        if self._error_suffix:
            raise self._lost(f"a reply to {text} within {seconds:g} s", "silence")
        try:
            errors = self._take_errors(seconds)
        except _Silent:
            self._drop()
            errors = []
        if errors:
            raise self._refused(text, errors)
        raise self._lost(f"a reply to {text} within {seconds:g} s", "silence, and nothing in the error queue")

    def _exchange(self, text: str, seconds: float, told: str = "") -> str:
        deadline = time.monotonic() + seconds
        self._write(text, seconds, told or text)
        link = self._link
        assert link is not None
        with self._errors_named(told or text, seconds):
            data = self._read_socket(link, deadline) if self._is_socket(link) else self._read(link, deadline)
        return data.decode("latin-1").rstrip("\r" + self._termination)

    def _write(self, text: str, seconds: float, told: str) -> None:
        link = self._link
        assert link is not None
        with self._errors_named(told, seconds):
            self._refuse_leftovers(link)
            link.timeout = max(1, round(seconds * 1000))
            link.write(text)

    def _refuse_leftovers(self, link: MessageBasedResource) -> None:
        """Nothing may be readable before a question: what is there answers another one, or is the end."""
        connection = self._socket(link)
        if connection is None or not _readable(connection, 0):
            return
        if not connection.recv(1, socket.MSG_PEEK):
            raise ConnectionResetError("the instrument closed the connection")
        raise ConnectionError("the instrument sent something nobody asked for")

    def _read(self, link: MessageBasedResource, deadline: float) -> bytes:
        """Read by the library, from the moment the first octet is there. HiSLIP and foreign backends."""
        connection = self._socket(link)
        if connection is None:
            link.timeout = max(1, round((deadline - time.monotonic()) * 1000))
            return bytes(link.read_raw())
        if not self._comes(connection, deadline):
            raise _Silent
        # Its timeout is per piece: only the end of the connection stops an instrument that drips.
        watchdog = threading.Timer(max(0.0, deadline - time.monotonic()), _cut, (connection,))
        watchdog.daemon = True
        watchdog.start()
        try:
            return bytes(link.read_raw())
        except RuntimeError as error:
            if time.monotonic() >= deadline:
                raise _Silent from error
            raise
        finally:
            watchdog.cancel()

    def _read_socket(self, link: MessageBasedResource, deadline: float) -> bytes:
        """Read what the kernel has, piece by piece.

        Left alone, the library spins at full load on a closed connection until its timeout, and loses what
        had come when it times out. It never waits when it is asked for no more than is there.
        """
        from pyvisa.constants import StatusCode

        connection, end = self._socket(link), self._termination.encode()
        assert connection is not None
        data = bytearray()
        while not data.endswith(end):
            if not self._comes(connection, deadline):
                raise _Silent
            there = connection.recv(PIECE_OCTETS, socket.MSG_PEEK)
            if not there:
                raise ConnectionResetError(f"the instrument closed the connection after {bytes(data[:80])!r}")
            # Not one octet past the end: the library would keep it, unseen, for the next question.
            count = there.find(end) + 1 or len(there)
            with link.ignore_warning(StatusCode.success_max_count_read):
                data += link.visalib.read(link.session, count)[0]
            if len(data) > REPLY_OCTETS:
                raise ConnectionError(f"a reply of more than {REPLY_OCTETS} octets")
        return bytes(data)

    def _comes(self, connection: socket.socket, deadline: float) -> bool:
        """Wait for something to read, and tell from time to time that it is waited for."""
        left = deadline - time.monotonic()
        while not _readable(connection, min(left, PROGRESS_SECONDS)):
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self._timeline.event(Layer.VISA, WAITING, f"no reply yet, {left:.0f} s left")
        return True

    def _take_errors(self, seconds: float) -> list[str]:
        errors = []
        for _ in range(QUEUE_READS):
            entry = self._exchange(self._error_query, seconds)
            self._note("query", self._error_query, entry)
            if entry.startswith(self._no_error):
                break
            errors.append(entry)
        return errors

    # ---- connection

    def _ensure_open(self) -> None:
        if self._link is None:
            self.open()

    def _connect(self) -> None:
        self._drop()
        opened = _Opening(lambda: _open_resource(self._backend, self.resource))
        try:
            link = opened.result(self._timeout)
        except TimeoutError:
            raise self._lost(f"a connection within {self._timeout:g} s", "silence") from None
        except Exception as error:
            # VisaIOError, OSError, ValueError, RuntimeError and bare Exception are all raised here.
            raise self._lost("a connection", _one_line(error)) from error
        self._link = link
        link.write_termination = self._termination
        link.read_termination = self._termination
        if connection := self._socket(link):
            # Without it a write followed by a query costs 40 ms; its VISA attribute is not implemented.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _drop(self) -> None:
        """Let go of the connection. Closing may ask the instrument (VXI-11 does), which may be silent."""
        link, self._link = self._link, None
        if link is not None:
            closing = threading.Thread(target=_close, args=(link,), name="visa-close", daemon=True)
            closing.start()
            closing.join(CLOSE_SECONDS)

    @staticmethod
    def _interface(link: MessageBasedResource) -> Any:
        """pyvisa-py's own end of the connection; None with another backend."""
        sessions = getattr(link.visalib, "sessions", None)
        known = sessions.get(link.session) if isinstance(sessions, dict) else None
        return getattr(known, "interface", None)

    def _is_socket(self, link: MessageBasedResource) -> bool:
        return isinstance(self._interface(link), socket.socket)

    def _socket(self, link: MessageBasedResource) -> socket.socket | None:
        interface = self._interface(link)
        connection = getattr(interface, "_sync", interface)
        return connection if isinstance(connection, socket.socket) else None

    # ---- errors and evidence

    @contextlib.contextmanager
    def _errors_named(self, text: str, seconds: float) -> Iterator[None]:
        """Everything the library can raise becomes silence, or a lost instrument."""
        import pyvisa

        try:
            yield
        except pyvisa.VisaIOError as error:
            if error.error_code == pyvisa.constants.StatusCode.error_timeout:
                raise _Silent from error
            self._drop()
            raise self._lost(f"a reply to {text}", _one_line(error)) from error
        except (OSError, RuntimeError, ValueError, AssertionError, pyvisa.Error) as error:
            self._drop()
            raise self._lost(f"a reply to {text}", _one_line(error)) from error

    def _lost(self, expected: str, actual: str) -> InstrumentLost:
        self._timeline.event(Layer.VISA, "lost", actual, resource=self.resource, expected=expected)
        return InstrumentLost("instrument", self.resource, expected, actual, REMEDY)

    def _refused(self, text: str, errors: list[str]) -> InstrumentRefused:
        return InstrumentRefused(
            part=self.identity or "instrument",
            address=self.resource,
            expected=f"{text} to be accepted",
            actual="; ".join(errors),
            remedy="check the option and firmware of the instrument against the command",
        )

    def _note(self, name: str, command: str, reply: str) -> None:
        self._timeline.event(Layer.VISA, name, resource=self.resource, command=command, reply=reply[:2000])


class _Silent(Exception):
    """No reply before the deadline."""


class _Opening:
    """Opens in a thread of its own, because parts of opening have no deadline in the library."""

    def __init__(self, open_it: Callable[[], MessageBasedResource]) -> None:
        self._open = open_it
        self._done = threading.Event()
        self._lock = threading.Lock()
        self._given_up = False
        self._link: MessageBasedResource | None = None
        self._error: BaseException | None = None
        threading.Thread(target=self._run, name="visa-open", daemon=True).start()

    def _run(self) -> None:
        try:
            link = self._open()
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
            self._error = error
        else:
            with self._lock:
                self._link = link
                if self._given_up:
                    link.close()
        self._done.set()

    def result(self, seconds: float) -> MessageBasedResource:
        """The open resource, or what opening raised; TimeoutError when it takes longer."""
        if not self._done.wait(seconds):
            with self._lock:
                self._given_up = self._link is None
            if self._given_up:
                raise TimeoutError
        if self._error is not None:
            raise self._error
        assert self._link is not None
        return self._link


def _open_resource(backend: str, resource: str) -> MessageBasedResource:
    import pyvisa

    # The resource manager is shared by all connections of a backend, so it is never closed here.
    link: Any = pyvisa.ResourceManager(backend).open_resource(resource)
    return link  # type: ignore[no-any-return]


def _close(link: MessageBasedResource) -> None:
    with contextlib.suppress(Exception):
        link.close()


def _readable(connection: socket.socket, seconds: float) -> bool:
    return bool(select.select([connection], [], [], max(0.0, seconds))[0])


def _cut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _one_line(error: BaseException) -> str:
    return re.sub(r"\s+", " ", f"{type(error).__name__}: {error}")
