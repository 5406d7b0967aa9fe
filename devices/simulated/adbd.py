"""adbd of the simulated handset: the ADB transport protocol over TCP, as the adb server speaks it.

Follows packages/modules/adb/{protocol.txt, OVERVIEW, SERVICES.txt} of AOSP, protocol version 0x01000001 (no
payload checksum), one WRTE in flight per stream. Broken packets end their connection and nothing else.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from devices.simulated import adb_sync
from devices.simulated.file_tree import FileTree
from devices.simulated.pipes import BrokenPipe, Pipe, Reader, Writer
from harness.errors import AddressTaken, UsageError
from harness.evidence.timeline import Address

log = logging.getLogger(__name__)
VERSION, MAX_DATA = 0x01000001, 256 * 1024
HEADER = struct.Struct("<6I")
FEATURES = "shell_v2,cmd,stat_v2,ls_v2"
# Every adb server polls these ports on its own host and would adopt the handset as an emulator.
SCANNED_PORTS = range(5555, 5586)
STREAMS = 256


def _command(name: bytes) -> int:
    return int.from_bytes(name, "little")


CNXN, AUTH, OPEN, OKAY, CLSE, WRTE, SYNC, STLS = (
    _command(name) for name in (b"CNXN", b"AUTH", b"OPEN", b"OKAY", b"CLSE", b"WRTE", b"SYNC", b"STLS")
)
AUTH_TOKEN, AUTH_SIGNATURE, AUTH_PUBLIC_KEY = 1, 2, 3
STDIN, STDOUT, STDERR, EXIT, CLOSE_STDIN, WINDOW_SIZE = range(6)
FRAME = struct.Struct("<BI")


class PacketError(Exception):
    """Octets that are no ADB packet."""


@dataclass(frozen=True, slots=True)
class AdbPacket:
    """One packet: command word, two arguments and the payload."""

    command: int
    arg0: int
    arg1: int
    payload: bytes = b""

    def encode(self) -> bytes:
        """The octets; the checksum is 0, as version 0x01000001 allows."""
        return (
            HEADER.pack(self.command, self.arg0, self.arg1, len(self.payload), 0, self.command ^ 0xFFFFFFFF)
            + self.payload
        )


class PacketReader:
    """Cuts a byte stream into packets."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def receive(self, data: bytes) -> list[AdbPacket]:
        """The packets completed by `data`. Raises PacketError; the stream is lost then."""
        self._buffer += data
        packets: list[AdbPacket] = []
        while len(self._buffer) >= HEADER.size:
            command, arg0, arg1, length, _, magic = HEADER.unpack_from(self._buffer)
            if magic != command ^ 0xFFFFFFFF:
                raise PacketError(f"magic {magic:#010x} does not fit command {command:#010x}")
            if length > MAX_DATA:
                raise PacketError(f"payload of {length} octets, at most {MAX_DATA} were agreed")
            if len(self._buffer) < HEADER.size + length:
                break
            payload = bytes(self._buffer[HEADER.size : HEADER.size + length])
            del self._buffer[: HEADER.size + length]
            packets.append(AdbPacket(command, arg0, arg1, payload))
        return packets


class Stream:
    """One ADB stream: `read` gives what the host wrote, `write` waits for each OKAY."""

    def __init__(self, transport: AdbTransport, local: int, remote: int) -> None:
        self._transport = transport
        self.local, self.remote = local, remote
        self._inbound: asyncio.Queue[bytes] = asyncio.Queue()
        self._ready = asyncio.Event()
        self._ready.set()
        self._closed = False
        self.task: asyncio.Task[None] | None = None

    async def read(self) -> bytes:
        """What the host wrote next; b"" when it closed the stream. Reading lets the host write again."""
        if self._closed and self._inbound.empty():
            return b""
        data = await self._inbound.get()
        if data and not self._closed:
            self._transport.send(OKAY, self.local, self.remote)
        return data

    async def write(self, data: bytes) -> None:
        """Send to the host, in pieces. Raises BrokenPipe when the host has closed the stream."""
        view = memoryview(data)
        for start in range(0, len(view), self._transport.max_data):
            await self._ready.wait()
            if self._closed:
                raise BrokenPipe
            self._ready.clear()
            self._transport.send(
                WRTE, self.local, self.remote, bytes(view[start : start + self._transport.max_data])
            )

    async def drain(self) -> None:
        """Wait until the host has taken the last piece, so that CLSE does not overtake it."""
        await self._ready.wait()

    def arrived(self, data: bytes) -> None:
        """A WRTE of the host."""
        self._inbound.put_nowait(data)

    def acknowledged(self) -> None:
        """An OKAY of the host."""
        self._ready.set()

    def closed(self) -> None:
        """The host closed the stream, or the transport is gone: writers and readers wake up."""
        self._closed = True
        self._ready.set()
        self._inbound.put_nowait(b"")

    @property
    def is_closed(self) -> bool:
        """The other end is gone."""
        return self._closed


ShellRunner = Callable[[str, Reader, Writer, Writer], Awaitable[int]]
Service = Callable[[Stream], Awaitable[None]]


class AdbTransport(asyncio.Protocol):
    """One connection of an adb server."""

    def __init__(self, daemon: AdbDaemon) -> None:
        self._daemon = daemon
        self._reader = PacketReader()
        self._socket: asyncio.Transport | None = None
        self._streams: dict[int, Stream] = {}
        self._next = 1
        self._online = False
        self._asked_for_key = False
        self.max_data = MAX_DATA

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._socket = transport
        self._daemon.transports.add(self)
        if self._daemon.down:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._daemon.transports.discard(self)
        self._forget_streams()

    def data_received(self, data: bytes) -> None:
        try:
            for packet in self._reader.receive(data):
                self._packet(packet)
        except PacketError as error:
            log.warning("adb connection dropped: %s", error)
            self.abort()

    def send(self, command: int, arg0: int, arg1: int, payload: bytes = b"") -> None:
        """Write one packet, if the connection still stands."""
        if self._socket is not None and not self._socket.is_closing():
            self._socket.write(AdbPacket(command, arg0, arg1, payload).encode())

    def abort(self) -> None:
        """Drop the connection now."""
        if self._socket is not None:
            self._socket.abort()

    def _packet(self, packet: AdbPacket) -> None:
        if packet.command == CNXN:
            self._connect(packet)
        elif packet.command == AUTH:
            self._authenticate(packet)
        elif not self._online:
            raise PacketError("a stream before CNXN")
        elif packet.command == OPEN:
            self._open(packet)
        elif packet.command in (OKAY, WRTE, CLSE):
            self._on_stream(packet)
        else:
            raise PacketError(f"command {packet.command:#010x} is unknown")

    def _connect(self, packet: AdbPacket) -> None:
        self._forget_streams()
        self.max_data = max(1024, min(packet.arg1, MAX_DATA))
        if self._daemon.authorized:
            self._online = True
            self.send(CNXN, VERSION, MAX_DATA, self._daemon.banner)
        else:
            self.send(AUTH, AUTH_TOKEN, 0, secrets.token_bytes(20))

    def _authenticate(self, packet: AdbPacket) -> None:
        """Nobody touches "Allow USB debugging": one more token for the signature, then silence after the
        key.
        """
        if packet.arg0 == AUTH_SIGNATURE and not self._asked_for_key:
            self._asked_for_key = True
            self.send(AUTH, AUTH_TOKEN, 0, secrets.token_bytes(20))

    def _open(self, packet: AdbPacket) -> None:
        name = packet.payload.rstrip(b"\0").decode("utf-8", "replace")
        service = self._daemon.service(name)
        if service is None or len(self._streams) >= STREAMS:
            self.send(CLSE, 0, packet.arg0)
            return
        stream = Stream(self, self._next, packet.arg0)
        self._next += 1
        self._streams[stream.local] = stream
        self.send(OKAY, stream.local, stream.remote)
        stream.task = asyncio.get_running_loop().create_task(self._serve(stream, service, name))

    def _on_stream(self, packet: AdbPacket) -> None:
        stream = self._streams.get(packet.arg1)
        if stream is None or (packet.arg0 and packet.arg0 != stream.remote):
            if packet.command == WRTE:
                self.send(CLSE, 0, packet.arg0)
        elif packet.command == OKAY:
            stream.acknowledged()
        elif packet.command == WRTE:
            stream.arrived(packet.payload)
        else:
            self._end(stream)

    async def _serve(self, stream: Stream, service: Service, name: str) -> None:
        try:
            await service(stream)
            await stream.drain()
        except BrokenPipe:
            pass
        except Exception:  # a service that crashes must not take the daemon along
            log.exception("adb service %s", name)
        if not stream.is_closed:
            self.send(CLSE, stream.local, stream.remote)
        self._streams.pop(stream.local, None)

    def _end(self, stream: Stream) -> None:
        """CLSE of the host: what runs behind the stream is killed, as adbd does with a shell."""
        stream.closed()
        self._streams.pop(stream.local, None)
        self.send(CLSE, stream.local, stream.remote)
        if stream.task is not None:
            stream.task.cancel()

    def _forget_streams(self) -> None:
        for stream in list(self._streams.values()):
            stream.closed()
            if stream.task is not None:
                stream.task.cancel()
        self._streams.clear()


class AdbDaemon:
    """Listens for adb servers and offers the services.

    shell runs a shell line; reboot is told when the host asks for one (the daemon goes down and up by itself
    through `go_down` and `come_up`). `authorized` False answers as a handset whose user never allowed this
    computer.
    """

    def __init__(
        self,
        shell: ShellRunner,
        files: FileTree,
        *,
        product: str,
        model: str,
        reboot: Callable[[], None] | None = None,
    ) -> None:
        self.authorized = True
        self.down = False
        self.transports: set[AdbTransport] = set()
        self._shell = shell
        self._files = files
        self._reboot = reboot
        self._server: asyncio.Server | None = None
        facts = (f"ro.product.name={product}", f"ro.product.model={model}", f"ro.product.device={product}")
        self.banner = f"device::{';'.join((*facts, f'features={FEATURES}'))}".encode()

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> Address:
        """Listen. Raises UsageError for a port adb servers poll, AddressTaken when the port is in use."""
        if port in SCANNED_PORTS:
            raise UsageError(
                f"adb port {port}: every adb server polls {SCANNED_PORTS[0]} to {SCANNED_PORTS[-1]}"
            )
        loop = asyncio.get_running_loop()
        for _ in range(8):
            try:
                server = await loop.create_server(lambda: AdbTransport(self), host, port)
            except OSError as error:
                where = f"{host}:{port}"
                raise AddressTaken(
                    "adbd", where, "a free port", str(error), "choose another port or 0"
                ) from None
            address = Address(host, server.sockets[0].getsockname()[1])
            if address.port not in SCANNED_PORTS:
                self._server = server
                return address
            server.close()
        raise AddressTaken(
            "adbd", host, "a port outside the range adb polls", "none in 8 tries", "name a port"
        )

    async def stop(self) -> None:
        """Stop listening and drop every connection."""
        if self._server is not None:
            self._server.close()
        self.drop_transports()
        if self._server is not None:
            await self._server.wait_closed()
            self._server = None

    def drop_transports(self) -> None:
        """Lose every connection, as when the cable is pulled for a moment."""
        for transport in list(self.transports):
            transport.abort()

    def go_down(self) -> None:
        """The handset reboots: connections end and new ones are refused."""
        self.down = True
        self.drop_transports()

    def come_up(self) -> None:
        """adbd runs again."""
        self.down = False

    def service(self, name: str) -> Service | None:
        """The service of that name; None refuses it (tcp:, localabstract:, framebuffer:, jdwp:, reverse
        data...).
        """
        kind, _, rest = name.partition(":")
        if kind.split(",")[0] == "shell":
            if "v2" in kind.split(",")[1:]:
                return lambda stream: self._shell_v2(stream, rest)
            return lambda stream: self._raw(stream, rest)
        if kind == "exec":
            return lambda stream: self._raw(stream, rest)
        if kind == "sync":
            return lambda stream: adb_sync.serve(stream, self._files)
        if kind == "reboot":
            return self._reboot_service
        if kind == "reverse":
            return lambda stream: stream.write(_reverse(rest))
        text = _TEXTS.get(kind)
        return None if text is None else lambda stream: stream.write(text)

    async def _raw(self, stream: Stream, command: str) -> None:
        await self._shell(command, stream, stream, stream)

    async def _shell_v2(self, stream: Stream, command: str) -> None:
        stdin = Pipe()
        pump = asyncio.get_running_loop().create_task(_pump(stream, stdin))
        try:
            code = await self._shell(command, stdin, _Framed(stream, STDOUT), _Framed(stream, STDERR))
            await stream.write(FRAME.pack(EXIT, 1) + bytes([code & 0xFF]))
        finally:
            pump.cancel()

    async def _reboot_service(self, stream: Stream) -> None:
        if self._reboot is not None:
            asyncio.get_running_loop().call_later(0.02, self._reboot)


_TEXTS = {
    "root": b"adbd cannot run as root in production builds\n",
    "unroot": b"adbd not running as root\n",
    "remount": b'Not running as root. Try "adb root" first.\n',
    "disable-verity": b"verity cannot be disabled/enabled - USER build\n",
    "enable-verity": b"verity cannot be disabled/enabled - USER build\n",
}


def _reverse(request: str) -> bytes:
    """Reverse forwarding is not offered; the list is empty."""
    if request.startswith("list-forward"):
        return b"0000"
    if request.startswith("killforward-all"):
        return b"OKAY"
    text = b"reverse forwarding is not available"
    return b"FAIL" + f"{len(text):04x}".encode() + text


class _Framed:
    """Writes one output of the shell v2 protocol."""

    def __init__(self, stream: Stream, kind: int) -> None:
        self._stream, self._kind = stream, kind

    async def write(self, data: bytes) -> None:
        for start in range(0, len(data), 65536):
            part = data[start : start + 65536]
            await self._stream.write(FRAME.pack(self._kind, len(part)) + part)


async def _pump(stream: Stream, stdin: Pipe) -> None:
    """Unpack what the host sends into standard input."""
    held = b""
    try:
        while data := await stream.read():
            held += data
            while len(held) >= FRAME.size:
                kind, length = FRAME.unpack_from(held)
                if length > MAX_DATA or len(held) < FRAME.size + length:
                    break
                payload, held = held[FRAME.size : FRAME.size + length], held[FRAME.size + length :]
                if kind == STDIN:
                    await stdin.write(payload)
                elif kind == CLOSE_STDIN:
                    await stdin.finish()
    except BrokenPipe:
        return
    await stdin.finish()
