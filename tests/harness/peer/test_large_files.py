"""Large files both ways: their hash is right, and the peer holds little of them in memory."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.peer.conftest import Handset
from tests.harness.peer.msrp_handset import ICSI, IDS, MsrpClient, accept, follow, path_of, sdp

MEGABYTE = 1_000_000
MOST = 32  # MiB that the peer may grow by: the timeline keeps 16 of octets in memory, a transfer some buffers
OWN = "msrp://127.0.0.1:9/ue1;tcp"
FILES = f"{ICSI}oma.cpm.filetransfer"
BLOCK = bytes(range(256)) * 4096  # a mebibyte


def pieces(octets: int, size: int) -> Iterator[bytes]:
    """A file of so many octets in pieces of `size`, each with its place in it."""
    for place in range(0, octets, size):
        mark = place.to_bytes(8, "big")
        yield (mark + BLOCK)[: min(size, octets - place)]


def sha1_of(octets: int, size: int) -> str:
    found = hashlib.sha1(usedforsecurity=False)
    for piece in pieces(octets, size):
        found.update(piece)
    return found.hexdigest()


@pytest.fixture
def lone_peer() -> Iterator[Callable[..., tuple[subprocess.Popen[str], Handset]]]:
    begun: list[tuple[subprocess.Popen[str], Handset]] = []

    def begin(ue: str, path: str = "") -> tuple[subprocess.Popen[str], Handset]:
        program = [sys.executable, str(Path(__file__).with_name("lone_peer.py")), ue, path]
        process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        handset = Handset(("127.0.0.1", int(process.stdout.readline())), stream=True)
        begun.append((process, handset))
        handset.register()
        return process, handset

    yield begin
    for process, handset in begun:
        handset.close()
        process.communicate("\n", timeout=20)


def said(process: subprocess.Popen[str]) -> list[str]:
    assert process.stdout is not None
    return process.stdout.readline().split()


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("octets", "chunk", "window"), [(20 * MEGABYTE, 2048, 100), (100 * MEGABYTE, 1 << 20, 1)]
)
def test_a_large_file_of_the_handset(
    lone_peer: Any, ue: str, far: str, octets: int, chunk: int, window: int
) -> None:
    process, handset = lone_peer(ue)
    digest = sha1_of(octets, chunk)
    spaced = ":".join(digest[place : place + 2] for place in range(0, 40, 2)).upper()
    selector = (
        f'file-selector:name:"large.bin" type:application/octet-stream size:{octets} hash:sha-1:{spaced}'
    )
    offer = sdp(OWN, "active", selector, "file-transfer-id:t1", types="*", wrapped="*", direction="sendonly")
    rows = (f"Contact: <{handset.contact}>", f"P-Preferred-Service: {FILES}", *IDS)
    kind = "Content-Type: application/sdp"
    accepted = handset.ask("INVITE", far, *rows, kind, body=offer, to=far, cseq=1, call_id="large-1")
    assert accepted.status == 200
    follow(handset, accepted, "ACK", 1)
    msrp = MsrpClient(OWN, path_of(accepted))
    msrp.socket.settimeout(60)
    head = f"SEND\r\nTo-Path: {msrp.remote}\r\nFrom-Path: {OWN}\r\nMessage-ID: large\r\n"
    place, waiting = 0, 0
    for number, piece in enumerate(pieces(octets, chunk)):
        tid, end = f"large{number:06}", place + len(piece)
        flag = "$" if end == octets else "+"
        reach = end if chunk <= 2048 else "*"
        msrp.socket.sendall(
            f"MSRP {tid} {head}Byte-Range: {place + 1}-{reach}/{octets}\r\n"
            "Content-Type: application/octet-stream\r\n\r\n".encode()
            + piece
            + f"\r\n-------{tid}{flag}\r\n".encode()
        )
        place, waiting = end, waiting + 1
        while waiting >= window or (flag == "$" and waiting):
            assert " 200 OK\r\n" in msrp.read()
            waiting -= 1
    size, sha1, faults, grown = said(process)
    assert (int(size), sha1, faults) == (octets, digest, "0")
    assert int(grown) < MOST
    msrp.close()


@pytest.mark.timeout(240)
@pytest.mark.parametrize("octets", [20 * MEGABYTE, 100 * MEGABYTE])
def test_a_large_file_of_the_far_party(lone_peer: Any, ue: str, tmp_path: Path, octets: int) -> None:
    path = tmp_path / "large.bin"
    with path.open("wb") as file:
        file.writelines(pieces(octets, 1 << 20))
    process, handset = lone_peer(ue, str(path))
    asked = handset.receive()
    assert f"size:{octets} " in asked.body
    answer = sdp(OWN, "active", types="*", wrapped="*", direction="recvonly")
    accept(handset, asked, answer)
    msrp = MsrpClient(OWN, path_of(asked))
    assert msrp.send() == "MSRP uesend1 200 OK"
    digest, got = take(msrp)
    assert (got, digest) == (octets, sha1_of(octets, 1 << 20))
    bye = handset.receive()
    assert bye.start.startswith("BYE ")
    handset.answer(bye)
    sent, delivered, grown = said(process)
    assert (int(sent), delivered) == (octets, "True")
    assert int(grown) < MOST
    msrp.close()


def take(msrp: MsrpClient) -> tuple[str, int]:
    """The hash and the octets of a message that comes in one chunk or a few, each answered."""
    found, octets = hashlib.sha1(usedforsecurity=False), 0
    flag = "+"
    while flag == "+":
        while b"\r\n\r\n" not in msrp.buffer:
            msrp.buffer += msrp.socket.recv(1 << 16)
        head, _, body = msrp.buffer.partition(b"\r\n\r\n")
        end = b"\r\n-------" + head.split(b" ")[1]
        keep = len(end) + 3
        while end not in body or len(body.partition(end)[2]) < 3:
            found.update(body[:-keep])
            octets += len(body[:-keep])
            body = body[-keep:] + msrp.socket.recv(1 << 20)
        last, _, rest = body.partition(end)
        found.update(last)
        octets += len(last)
        flag, msrp.buffer = chr(rest[0]), rest[3:]
        msrp.answer(head.decode())
    return found.hexdigest(), octets
