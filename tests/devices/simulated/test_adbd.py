"""adbd at the wire, and the adb program of the wheel against it."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.adb_server import AdbServer
from devices.simulated.adbd import CLSE, CNXN, OKAY, OPEN, WRTE, AdbPacket, PacketError, PacketReader
from harness.errors import UsageError


@given(
    st.lists(st.tuples(st.sampled_from([CNXN, OPEN, OKAY, WRTE, CLSE]), st.binary(max_size=64))),
    st.integers(1, 40),
)
def test_packets_come_back_however_they_are_cut(items: list[tuple[int, bytes]], size: int) -> None:
    packets = [AdbPacket(command, 1, 2, payload) for command, payload in items]
    octets = b"".join(packet.encode() for packet in packets)
    reader = PacketReader()
    found = [
        packet for at in range(0, len(octets), size) for packet in reader.receive(octets[at : at + size])
    ]
    assert found == packets


@given(st.binary())
def test_no_octets_raise_anything_else(data: bytes) -> None:
    with contextlib.suppress(PacketError):
        PacketReader().receive(data)


class Host:
    """An adb server made of a socket."""

    def __init__(self, address: str) -> None:
        host, port = address.split(":")
        self.socket = socket.create_connection((host, int(port)), timeout=5)
        self.reader = PacketReader()
        self.packets: list[AdbPacket] = []

    def send(self, command: int, arg0: int, arg1: int, payload: bytes = b"") -> None:
        self.socket.sendall(AdbPacket(command, arg0, arg1, payload).encode())

    def next(self) -> AdbPacket | None:
        while not self.packets:
            data = self.socket.recv(65536)
            if not data:
                return None
            self.packets += self.reader.receive(data)
        return self.packets.pop(0)

    def connect(self) -> AdbPacket | None:
        self.send(CNXN, 0x01000001, 4096, b"host::\0")
        return self.next()


@pytest.fixture
def host(bench: Any) -> Any:
    host = Host(bench.address)
    with contextlib.closing(host.socket):
        yield host


def test_banner(host: Host) -> None:
    answer = host.connect()
    assert answer is not None and (answer.command, answer.arg0) == (CNXN, 0x01000001)
    assert answer.payload.startswith(b"device::ro.product.name=simulated_handset;")
    assert answer.payload.endswith(b"features=shell_v2,cmd,stat_v2,ls_v2")


def test_one_write_in_flight(host: Host, bench: Any) -> None:
    bench.call(bench.android.files.write, "/sdcard/f", b"x" * 10000)
    host.connect()
    host.send(OPEN, 7, 0, b"exec:cat /sdcard/f\0")
    opened, first = host.next(), host.next()
    assert opened is not None and first is not None
    assert (opened.command, opened.arg1) == (OKAY, 7)
    assert (first.command, len(first.payload)) == (WRTE, 4096)
    host.socket.settimeout(0.2)
    with pytest.raises(TimeoutError):  # nothing more before OKAY
        host.next()
    host.socket.settimeout(5)
    sizes = [len(first.payload)]
    while True:
        host.send(OKAY, 7, opened.arg0)
        packet = host.next()
        assert packet is not None
        if packet.command == CLSE:
            break
        sizes.append(len(packet.payload))
    assert sum(sizes) == 10000 and max(sizes) == 4096


@pytest.mark.parametrize("service", [b"tcp:9008", b"localabstract:x", b"framebuffer:", b"nonsense", b"\xff"])
def test_services_not_offered_are_refused(host: Host, service: bytes) -> None:
    host.connect()
    host.send(OPEN, 9, 0, service + b"\0")
    assert host.next() == AdbPacket(CLSE, 0, 9)


@pytest.mark.parametrize(
    "octets",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        struct.pack("<6I", CNXN, 0, 0, 1 << 31, 0, CNXN ^ 0xFFFFFFFF),
        AdbPacket(0x12345678, 0, 0).encode(),
        AdbPacket(OPEN, 1, 0, b"shell:id\0").encode(),
    ],
)
def test_a_broken_packet_ends_that_connection_only(host: Host, bench: Any, octets: bytes) -> None:
    other = Host(bench.address)
    other.connect()
    host.socket.sendall(octets)
    with contextlib.suppress(ConnectionError):
        assert host.next() is None
    other.send(OPEN, 3, 0, b"shell:echo alive\0")
    assert [packet.command for packet in (other.next(), other.next()) if packet] == [OKAY, WRTE]
    other.socket.close()


def test_ports_that_adb_servers_poll_are_refused(bench: Any) -> None:
    with pytest.raises(UsageError, match="every adb server polls 5555 to 5585"):
        bench.call(bench.daemon.start, "127.0.0.1", 5557)


class Adb:
    """The adb program, told which server and which handset."""

    def __init__(self, server: AdbServer, serial: str) -> None:
        self.server, self.serial = server, serial

    def __call__(self, *words: str, stdin: bytes = b"") -> tuple[int, bytes, bytes]:
        command = [str(self.server.adb), "-P", str(self.server.port), "-s", self.serial, *words]
        environment = {"HOME": str(self.server.run_directory), "PATH": os.environ["PATH"]}
        done = subprocess.run(
            command, input=stdin, capture_output=True, timeout=20, env=environment, check=False
        )
        return done.returncode, done.stdout, done.stderr


@pytest.fixture
def adb(bench: Any, adb_server: AdbServer) -> Any:
    adb_server.connect(bench.address)
    adb = Adb(adb_server, bench.address)
    yield adb
    adb("disconnect", bench.address)


def test_adb_lists_the_handset(adb: Adb) -> None:
    _, out, _ = adb("devices", "-l")
    line = next(line for line in out.decode().splitlines() if line.startswith(adb.serial))
    assert "device product:simulated_handset model:Simulated_Handset" in line


def test_adb_shell_gives_exit_code_and_error_output(adb: Adb) -> None:
    assert adb("shell", "echo out; foo") == (
        127,
        b"out\n",
        b"/system/bin/sh: foo: inaccessible or not found\n",
    )
    assert adb("shell", "grep -c a", stdin=b"a\nb\na\n") == (0, b"2\n", b"")


def test_adb_quotes_twice(adb: Adb) -> None:
    assert adb("shell", "echo", "'a  b'", "\"c  'd'\"") == (0, b"a  b c  'd'\n", b"")


def test_adb_push_pull_and_ls(adb: Adb, tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    (tmp_path / "in").write_bytes(data)
    assert adb("push", str(tmp_path / "in"), "/sdcard/Download/deep/in")[0] == 0
    assert adb("pull", "/sdcard/Download/deep/in", str(tmp_path / "out"))[0] == 0
    assert (tmp_path / "out").read_bytes() == data
    code, out, _ = adb("ls", "/sdcard/Download/deep")
    assert code == 0 and out.split()[-1] == b"in"
    assert adb("exec-out", "cat /sdcard/Download/deep/in")[1] == data
    code, _, err = adb("pull", "/sdcard/none", str(tmp_path / "none"))
    assert code == 1 and b"No such file or directory" in err
    assert adb("push", str(tmp_path / "in"), "/system/in")[0] == 1


def test_adbutils_sync_and_shell2_without_v2(bench: Any, adb: Adb) -> None:
    from devices.adb_transport import lab_client

    device = lab_client(adb.server.port).device(adb.serial)
    assert device.shell2("echo a; false", timeout=5).returncode == 1
    device.sync.push(b"hello", "/sdcard/hello.txt")
    assert device.sync.read_bytes("/sdcard/hello.txt") == b"hello"
    assert device.sync.stat("/sdcard/hello.txt").size == 5
    assert "hello.txt" in [item.path for item in device.sync.list("/sdcard")]


def test_adb_root_and_forward_and_reverse_are_answered(adb: Adb) -> None:
    assert b"cannot run as root in production builds" in b"".join(adb("root")[1:])
    assert adb("reverse", "--list")[0] == 0
    assert adb("reverse", "tcp:1", "tcp:2")[0] == 1


def test_adb_logcat(bench: Any, adb: Adb) -> None:
    bench.call(bench.android.logcat.write, "main", "I", "Tag", "hello")
    code, out, _ = adb("logcat", "-d", "-s", "Tag")
    assert code == 0 and out.decode().splitlines()[-1].endswith("I Tag     : hello")


def test_adb_reboot_drops_the_transport_and_comes_back(bench: Any, adb: Adb) -> None:
    assert adb("reboot")[0] == 0
    assert adb("wait-for-disconnect")[0] == 0
    adb.server.connect(bench.address, 20)
    assert adb("shell", "getprop sys.boot_completed")[1] == b"1\n"


def test_thirty_shells_at_once(adb: Adb) -> None:
    base = [str(adb.server.adb), "-P", str(adb.server.port), "-s", adb.serial, "shell"]
    environment = {"HOME": str(adb.server.run_directory)}
    running = [
        subprocess.Popen([*base, f"echo {n}"], stdout=subprocess.PIPE, env=environment) for n in range(30)
    ]
    assert [int(process.communicate(timeout=20)[0]) for process in running] == list(range(30))
