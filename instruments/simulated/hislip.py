"""SCPI over HiSLIP (IVI-6.1), VISA `TCPIP::host::hislip0,port::INSTR`, synchronised mode.

A client opens two connections to the same port: a synchronous one for program messages and replies, an
asynchronous one for device clear, status and locks. Message ids tie a reply to the message that asked.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

from instruments.simulated.scpi import MESSAGE_OCTETS, Interpreter, Overrun, Status
from instruments.simulated.stream_server import StreamServer

log = logging.getLogger(__name__)

HEADER: Final = struct.Struct("!2sBBIQ")
MAXIMUM_MESSAGE: Final = 1 << 20
PROTOCOL_VERSION: Final = 0x0100
VENDOR: Final = int.from_bytes(b"RL", "big")


class MessageType(IntEnum):
    """IVI-6.1 table 4."""

    INITIALIZE = 0
    INITIALIZE_RESPONSE = 1
    FATAL_ERROR = 2
    ERROR = 3
    ASYNC_LOCK = 4
    ASYNC_LOCK_RESPONSE = 5
    DATA = 6
    DATA_END = 7
    DEVICE_CLEAR_COMPLETE = 8
    DEVICE_CLEAR_ACKNOWLEDGE = 9
    ASYNC_REMOTE_LOCAL_CONTROL = 10
    ASYNC_REMOTE_LOCAL_RESPONSE = 11
    TRIGGER = 12
    ASYNC_MAXIMUM_MESSAGE_SIZE = 15
    ASYNC_MAXIMUM_MESSAGE_SIZE_RESPONSE = 16
    ASYNC_INITIALIZE = 17
    ASYNC_INITIALIZE_RESPONSE = 18
    ASYNC_DEVICE_CLEAR = 19
    ASYNC_STATUS_QUERY = 21
    ASYNC_STATUS_RESPONSE = 22
    ASYNC_DEVICE_CLEAR_ACKNOWLEDGE = 23
    ASYNC_LOCK_INFO = 24
    ASYNC_LOCK_INFO_RESPONSE = 25


class FatalCode(IntEnum):
    """IVI-6.1 table 14."""

    POORLY_FORMED_HEADER = 1
    CHANNELS_NOT_ESTABLISHED = 2
    INVALID_INITIALIZATION = 3


class ErrorCode(IntEnum):
    """IVI-6.1 table 16."""

    UNRECOGNISED_MESSAGE = 1
    MESSAGE_TOO_LARGE = 4


class Frame(NamedTuple):
    """One HiSLIP message."""

    kind: int
    control: int
    parameter: int
    payload: bytes


class _Fatal(Exception):
    def __init__(self, code: FatalCode) -> None:
        self.code = code
        super().__init__(code.name)


@dataclass(slots=True)
class _Session:
    """The two connections of one client."""

    number: int
    interpreter: Interpreter
    synchronous: asyncio.StreamWriter
    asynchronous: asyncio.StreamWriter | None = None
    maximum_message: int = MAXIMUM_MESSAGE
    running: asyncio.Task[bytes] | None = None


class HislipServer:
    """One listening port for both channels of every client."""

    def __init__(
        self, interpreter: Callable[[], Interpreter], status: Status, sub_address: str = "hislip0"
    ) -> None:
        self._interpreter, self._status, self._sub_address = interpreter, status, sub_address
        self._server = StreamServer("hislip", self._serve)
        self._sessions: dict[int, _Session] = {}
        self._numbers = itertools.count(1)

    async def start(self, host: str, port: int = 0) -> int:
        """Listen, give the port. Raises OSError when it is taken."""
        return await self._server.start(host, port)

    async def close(self) -> None:
        """Stop listening and drop every connection."""
        await self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._establish(reader, writer)
        except _Fatal as fatal:
            _send(writer, MessageType.FATAL_ERROR, fatal.code, payload=fatal.code.name.encode())

    async def _establish(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await _receive(reader, writer)
        if first.kind == MessageType.INITIALIZE:
            if first.payload.decode("latin-1").lower() != self._sub_address:
                raise _Fatal(FatalCode.INVALID_INITIALIZATION)
            await self._synchronous(reader, writer)
        elif first.kind == MessageType.ASYNC_INITIALIZE:
            session = self._sessions.get(first.parameter)
            if session is None or session.asynchronous is not None:
                raise _Fatal(FatalCode.INVALID_INITIALIZATION)
            session.asynchronous = writer
            _send(writer, MessageType.ASYNC_INITIALIZE_RESPONSE, 0, VENDOR)
            await self._asynchronous(session, reader, writer)
        else:
            raise _Fatal(FatalCode.INVALID_INITIALIZATION)

    # ---- synchronous channel

    async def _synchronous(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = next(self._numbers) & 0xFFFF
        session = self._sessions[number] = _Session(number, self._interpreter(), writer)
        _send(writer, MessageType.INITIALIZE_RESPONSE, 0, PROTOCOL_VERSION << 16 | number)
        try:
            await self._messages(session, reader, writer)
        finally:
            del self._sessions[number]
            if session.asynchronous:
                session.asynchronous.close()

    async def _messages(
        self, session: _Session, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        message, dropped = bytearray(), 0
        while True:
            frame = await _receive(reader, writer)
            if session.asynchronous is None:
                raise _Fatal(FatalCode.CHANNELS_NOT_ESTABLISHED)
            match frame.kind:
                case MessageType.DATA | MessageType.DATA_END:
                    message += frame.payload
                    if len(message) > MESSAGE_OCTETS:
                        dropped += len(message)
                        message.clear()
                    if frame.kind == MessageType.DATA_END:
                        whole = Overrun(dropped + len(message)) if dropped else bytes(message)
                        message, dropped = bytearray(), 0
                        await self._run(session, whole, frame.parameter)
                case MessageType.DEVICE_CLEAR_COMPLETE:
                    message, dropped = bytearray(), 0
                    _send(writer, MessageType.DEVICE_CLEAR_ACKNOWLEDGE)
                case MessageType.TRIGGER:
                    pass
                case _:
                    _send(writer, MessageType.ERROR, ErrorCode.UNRECOGNISED_MESSAGE)
            await writer.drain()

    async def _run(self, session: _Session, whole: bytes | Overrun, message_id: int) -> None:
        """Run one message and send its reply under its id; a device clear cancels it."""
        message = whole if isinstance(whole, Overrun) else whole.rstrip(b"\r\n")
        session.running = asyncio.ensure_future(session.interpreter.run(message))
        try:
            reply = await session.running
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            reply = b""
        finally:
            session.running.cancel()
            session.running = None
        room = max(1, min(session.maximum_message, MAXIMUM_MESSAGE) - HEADER.size)
        for start in range(0, len(reply), room):
            kind = MessageType.DATA_END if start + room >= len(reply) else MessageType.DATA
            _send(session.synchronous, kind, 0, message_id, reply[start : start + room])

    # ---- asynchronous channel

    async def _asynchronous(
        self, session: _Session, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        answers: dict[int, Callable[[_Session, Frame], None]] = {
            MessageType.ASYNC_MAXIMUM_MESSAGE_SIZE: self._maximum_message_size,
            MessageType.ASYNC_DEVICE_CLEAR: self._device_clear,
            MessageType.ASYNC_STATUS_QUERY: self._status_query,
            MessageType.ASYNC_LOCK: self._lock,
            MessageType.ASYNC_LOCK_INFO: self._lock_info,
            MessageType.ASYNC_REMOTE_LOCAL_CONTROL: self._remote_local,
        }
        while True:
            frame = await _receive(reader, writer)
            answer = answers.get(frame.kind)
            if answer is None:
                _send(writer, MessageType.ERROR, ErrorCode.UNRECOGNISED_MESSAGE)
            else:
                answer(session, frame)
            await writer.drain()

    @staticmethod
    def _reply(
        session: _Session, kind: int, control: int = 0, parameter: int = 0, payload: bytes = b""
    ) -> None:
        assert session.asynchronous is not None
        _send(session.asynchronous, kind, control, parameter, payload)

    def _maximum_message_size(self, session: _Session, frame: Frame) -> None:
        if len(frame.payload) == 8:
            session.maximum_message = max(HEADER.size + 1, int.from_bytes(frame.payload, "big"))
        size = MAXIMUM_MESSAGE.to_bytes(8, "big")
        self._reply(session, MessageType.ASYNC_MAXIMUM_MESSAGE_SIZE_RESPONSE, payload=size)

    def _device_clear(self, session: _Session, _: Frame) -> None:
        if session.running:
            session.running.cancel()
        self._reply(session, MessageType.ASYNC_DEVICE_CLEAR_ACKNOWLEDGE)

    def _status_query(self, session: _Session, _: Frame) -> None:
        self._reply(session, MessageType.ASYNC_STATUS_RESPONSE, self._status.status_byte())

    def _lock(self, session: _Session, _: Frame) -> None:
        self._reply(session, MessageType.ASYNC_LOCK_RESPONSE, 1)

    def _lock_info(self, session: _Session, _: Frame) -> None:
        self._reply(session, MessageType.ASYNC_LOCK_INFO_RESPONSE, 0, 0)

    def _remote_local(self, session: _Session, _: Frame) -> None:
        self._reply(session, MessageType.ASYNC_REMOTE_LOCAL_RESPONSE)


async def _receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Frame:
    """Next message. One that is too large is read past and answered; a bad header ends the connection."""
    while True:
        prologue, kind, control, parameter, length = HEADER.unpack(await reader.readexactly(HEADER.size))
        if prologue != b"HS":
            raise _Fatal(FatalCode.POORLY_FORMED_HEADER)
        if length <= MAXIMUM_MESSAGE:
            return Frame(kind, control, parameter, await reader.readexactly(length))
        _send(writer, MessageType.ERROR, ErrorCode.MESSAGE_TOO_LARGE)
        while length:
            data = await reader.read(min(length, MAXIMUM_MESSAGE))
            if not data:
                raise asyncio.IncompleteReadError(b"", length)
            length -= len(data)


def _send(
    writer: asyncio.StreamWriter, kind: int, control: int = 0, parameter: int = 0, payload: bytes = b""
) -> None:
    writer.write(HEADER.pack(b"HS", kind, control, parameter, len(payload)) + payload)
