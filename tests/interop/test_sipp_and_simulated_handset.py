"""SIPp is registrar and far party of the simulated RCS client: it checks the Digest and takes a text."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
from pathlib import Path

import pytest

from devices.simulated.baseband import Baseband, Cell, Change, Identity, Pdn
from devices.simulated.conversations import MessageStatus
from devices.simulated.defects import Defects
from devices.simulated.messaging_app import MessagingApp
from devices.simulated.personality import personality_named
from devices.simulated.rcs_access import RcsSettings
from devices.simulated.rcs_client import RcsClient
from harness.evidence.timeline import Transport

from .loopback import free_port

SIPP = shutil.which("sipp")
pytestmark = [
    pytest.mark.interop,
    pytest.mark.usefixtures("network"),
    pytest.mark.skipif(SIPP is None, reason="SIPp is not installed"),
]

SCENARIO = Path(__file__).parent / "sipp" / "register-server.xml"
TRANSPORTS = {Transport.UDP: "u1", Transport.TCP: "t1"}
FAR = "+491709999999"


class Outcome(MessagingApp):
    """The app, and a future for what becomes of its first text."""

    def __init__(self) -> None:
        super().__init__(lambda: 0.0)
        self.ended: asyncio.Future[MessageStatus] = asyncio.get_running_loop().create_future()

    def outcome(self, local_id: str, status: MessageStatus) -> None:
        super().outcome(local_id, status)
        if not self.ended.done():
            self.ended.set_result(status)


async def serve(transport: Transport, port: int, calls: int, folder: Path) -> asyncio.subprocess.Process:
    """SIPp as a server that listens."""
    assert SIPP is not None
    child = await asyncio.create_subprocess_exec(
        *(SIPP, "-sf", str(SCENARIO), "-t", TRANSPORTS[transport], "-i", "127.0.0.1", "-p", str(port)),
        *("-m", str(calls), "-timeout", "15s", "-timeout_error", "-nostdin"),
        *("-trace_err", "-error_file", str(folder / "sipp.err")),
        cwd=folder,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    kind = socket.SOCK_DGRAM if transport is Transport.UDP else socket.SOCK_STREAM
    async with asyncio.timeout(5):
        while is_free(port, kind):
            with contextlib.suppress(TimeoutError):  # it tells nobody when it has begun to listen
                await asyncio.wait_for(child.wait(), 0.02)
    return child


def is_free(port: int, kind: socket.SocketKind) -> bool:
    with contextlib.closing(socket.socket(type=kind)) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_registers_subscribes_and_sends_a_text(transport: Transport, tmp_path: Path) -> None:
    async def scenario() -> None:
        port = free_port()
        child = await serve(transport, port, 3, tmp_path)
        settings = RcsSettings("ims.example", transport=transport, pcscf_port=port, password="geheim-7731")
        baseband, app = Baseband(Identity(msisdn="+491701234567")), Outcome()
        client = RcsClient(baseband, app, settings, personality_named("reference"), Defects())
        client.start()
        try:
            app.open_conversation(FAR, "to SIPp")
            app.press_send()
            attach(baseband)
            assert await asyncio.wait_for(app.ended, 10) is MessageStatus.SENT
            assert baseband.ims_registered
            assert await asyncio.wait_for(child.wait(), 10) == 0, errors(tmp_path)
        finally:
            await client.close()
            await ended(child)

    asyncio.run(scenario())


def test_sipp_refuses_a_wrong_password(tmp_path: Path) -> None:
    async def scenario() -> None:
        port = free_port()
        child = await serve(Transport.UDP, port, 1, tmp_path)
        settings = RcsSettings("ims.example", pcscf_port=port, password="another")
        baseband, changes = Baseband(Identity(msisdn="+491701234567")), []
        baseband.subscribe(changes.append)
        client = RcsClient(baseband, Outcome(), settings, personality_named("reference"), Defects())
        client.start()
        try:
            attach(baseband)
            assert await asyncio.wait_for(child.wait(), 10) == 0, errors(tmp_path)
            assert Change.IMS not in changes
        finally:
            await client.close()
            await ended(child)

    asyncio.run(scenario())


def attach(baseband: Baseband) -> None:
    baseband.heard(Cell("001", "01", 1, 256, -85.0))
    baseband.attached(Pdn("ims", "127.0.0.2", ("127.0.0.1",)))


def errors(folder: Path) -> str:
    return "".join(path.read_text(errors="replace") for path in folder.glob("*.err"))


async def ended(child: asyncio.subprocess.Process) -> None:
    if child.returncode is None:
        child.kill()
        await child.wait()
