"""SCPI over a raw TCP socket (VISA `TCPIP::host::port::SOCKET`): messages end with a line feed both ways."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from instruments.simulated.faults import Faults
from instruments.simulated.md8475 import Md8475Dialect, MessageSplitter
from instruments.simulated.scpi import Interpreter, MessageFramer
from instruments.simulated.stream_server import StreamServer

READ_OCTETS = 64 * 1024


def raw_socket_server(interpreter: Callable[[], Interpreter]) -> StreamServer:
    """A server whose connections have an interpreter each and run their messages in order."""

    faults = Faults()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        own, framer = interpreter(), MessageFramer()
        while data := await reader.read(READ_OCTETS):
            for message in framer.receive(data):
                if isinstance(message, bytes) and faults.arm(message):
                    continue
                await faults.answer(writer, await own.run(message), b'-310,"System error"\n')

    return StreamServer("visa", converse)


def md8475_server(dialect: Md8475Dialect) -> StreamServer:
    """The same with the messages of an MD8475, which end with NUL both ways."""

    faults = Faults()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        splitter = MessageSplitter()
        while data := await reader.read(READ_OCTETS):
            for message in splitter.receive(data):
                if not faults.arm(message):
                    await faults.answer(writer, await dialect.run(message), b"9999\0")

    return StreamServer("visa", converse)
