"""Captures of conformant flows, as large as wanted: every copy of a flow has ids and connections of its own.

A hundred handsets, each with a number and an address, go through the services one after another; what they
send is interleaved by time, as in a capture at a P-CSCF.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from heapq import merge
from itertools import chain, count, cycle
from pathlib import Path
from typing import BinaryIO, NamedTuple

from harness.evidence.internet import Endpoints
from harness.evidence.pcapng import PcapngWriter
from harness.evidence.tcp import Conversation
from harness.evidence.timeline import Address
from harness.verify.proof.flows import FLOWS
from harness.verify.proof.flows.media import FAR_ANSWER as FAR_SIDE
from harness.verify.proof.flows.media import TRANSFER_ID, UE_OFFER, body
from harness.verify.proof.flows.msrp import answered, closed, opened, send
from harness.verify.proof.messages import CONVERSATION, FAR, ICSI, UE, answer, in_dialog, text_body
from harness.verify.proof.script import START, Script, Step

HANDSETS = 100
SEGMENT = 1400
"""Octets in a TCP segment."""
SMALL_FILE, SMALL_CHUNK = 16 * 1024, 2048
NETWORK = "10.0.0.1"

# What stands in a flow once and must be another in each copy of it.
_IDS = re.compile(
    r"branch=z9hG4bK(\w+)|;tag=(\w+)|Call-ID: (\w+)|[Mm]essage-(?:ID: |id>)(\w+)|Contribution-ID: (\S{36})"
    r"|MSRP (\w+) |/(\w+);tcp|file-transfer-id:(\w+)|Conversation-ID: (a1b2c3d4\S+)"
)
_WRITTEN = re.compile(r"2023-11-14T22:13:2(\d)Z")
_OF_A_GROUP = "a1b2c3d4-7dec-11d0-a765-00a0c91e6bf6"
"""A Conversation-ID that is another in each copy; that of two people stays the same."""


class Line(NamedTuple):
    """A TCP connection of a handset: 0 is that of SIP."""

    handset: int
    number: int


class Sent(NamedTuple):
    """Octets of one end. None ends the connection."""

    time: float
    line: Line
    by_handset: bool
    octets: bytes | None


def write_mixed(path: Path, messages: int, pause: float = 1.0, handsets: int = HANDSETS) -> int:
    """A capture of flows of all services with at least so many messages; gives how many.

    pause: seconds from one flow of a handset to its next.
    """
    each = [_handset(number, -(-messages // handsets), pause) for number in range(handsets)]
    with path.open("wb") as file:
        return _write(file, merge(*each, key=lambda sent: sent.time))


def write_files(path: Path, octets: int, file_size: int, chunk: int) -> int:
    """A capture of files, one after another, of at least so many octets; gives how many messages."""
    with path.open("wb") as file:
        return _write(file, _files(octets, file_size, chunk))


# -- flows ------------------------------------------------------------------------------------------------


def small_file() -> Script:
    """The handset sends a file in chunks of 2 kB."""
    octets = ("".join(f"line {number} of a file that is sent\r\n" for number in range(1000)))[:SMALL_FILE]
    script = file_session(len(octets), hashlib.sha1(octets.encode()).digest())
    script.steps[8:8] = answered(*_chunks(octets.encode(), SMALL_CHUNK))
    return script


def file_session(size: int, digest: bytes) -> Script:
    """A session for a file, which goes before step 8."""
    colons = ":".join(f"{octet:02X}" for octet in digest)
    selector = f'file-selector:name:"a.jpg" type:image/jpeg size:{size} hash:sha-1:{colons}'
    script = FLOWS["push_mo"]()
    head = text_body(UE, FAR, "File1aB2cD3eF4gH5iJ6").partition("imdn.Disposition")[0]
    offer = body(UE_OFFER, "sendonly", selector, TRANSFER_ID, accept="message/cpim image/jpeg")
    script.everywhere("Content-Type: application/sdp", 'Content-Type: multipart/mixed;boundary="b1"', 0)
    script.body(
        0,
        f"--b1\r\nContent-Type: message/cpim\r\n\r\n{head}\r\n"
        "Content-Type: image/jpeg\r\nContent-Length: 0\r\n\r\n\r\n"
        f"--b1\r\nContent-Type: application/sdp\r\n\r\n{offer}\r\n--b1--",
    )
    script.body(3, body(FAR_SIDE, "recvonly", selector, TRANSFER_ID, accept="message/cpim image/jpeg"))
    bye = in_dialog("BYE", 2, "bye", "Supported: timer")
    script.steps[5:] = [opened(), *answered(send(True, "aX7kQ2mP9sLw", "Message-ID: 0pEn7kQ2mP9s"))]
    script.steps += [bye, answer(bye, "200 OK", ""), closed()]
    return script


def _chunks(octets: bytes, chunk: int) -> Iterator[Step]:
    for at in range(0, len(octets), chunk):
        piece = octets[at : at + chunk]
        flag = "$" if at + chunk >= len(octets) else "+"
        lines = (
            "Message-ID: FilekQ2mP9sLw",
            f"Byte-Range: {at + 1}-{at + len(piece)}/{len(octets)}",
            "Content-Type: image/jpeg",
        )
        yield send(True, f"t{_letters(f'{at}')[:11]}", *lines, body=piece.decode(), flag=flag)


def group() -> Script:
    """A group that the handset makes, hears of and leaves."""
    script = FLOWS["adhoc"]()
    bye = in_dialog("BYE", 2, "bye", "Supported: timer")
    focus = re.search(r"Contact: <([^>]+)>", script.steps[2].text)
    assert focus is not None, "a focus has a Contact"
    target = re.compile(r"BYE \S+")
    bye = replace(bye, text=target.sub(f"BYE {focus[1]}", bye.text, count=1))
    to = re.search(r"To: <([^>]+)>", script.steps[0].text)
    assert to is not None, "a request has a To"
    bye = replace(bye, text=re.sub(r"To: <[^>]+>", f"To: <{to[1]}>", bye.text))
    script.steps += [bye, answer(bye, "200 OK", "")]
    return script.everywhere(CONVERSATION, _OF_A_GROUP)


def registered() -> Script:
    """A handset registers, for files too."""
    return _sends_files(FLOWS["register"](), 0, 2)


def _sends_files(script: Script, *indexes: int) -> Script:
    """Those messages announce file transfer beside texts and chats."""
    return script.everywhere(f'{ICSI}session"', f'{ICSI}session,{ICSI}filetransfer"', *indexes)


ROUND: tuple[Callable[[], Script], ...] = (
    FLOWS["pager_mo"],
    FLOWS["pager_mt"],
    FLOWS["chat"],
    small_file,
    group,
    FLOWS["session_mt"],
    FLOWS["cancelled_mo"],
    lambda: _sends_files(FLOWS["options_mt"](), 1),
    FLOWS["reliable_mo"],
)


# -- copies -----------------------------------------------------------------------------------------------


def _handset(number: int, messages: int, pause: float) -> Iterator[Sent]:
    """Registration, then round after round of all services, until it was so many messages."""
    time, sent = START + 0.017 * number, 0
    for copy, make in enumerate(chain((registered,), cycle(ROUND))):
        if sent >= messages:
            return
        for step in _written(fresh(make(), f"{number}.{copy}"), time).steps:
            time += step.after
            sent += not step.event
            yield from _sent(step, time, number, copy)
        time += pause


def _sent(step: Step, time: float, handset: int, copy: int) -> Iterator[Sent]:
    line = Line(handset, copy if step.msrp else 0)
    if step.event.startswith("closed"):
        yield Sent(time, line, step.handset, None)
    elif not step.event:
        yield Sent(time, line, step.handset, _of_handset(step.text, handset).encode())


def _written(script: Script, time: float) -> Script:
    """The flow with the dates of one that begins at a time."""

    def date(found: re.Match[str]) -> str:
        return datetime.fromtimestamp(int(time) + int(found[1]), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    for index, step in enumerate(script.steps):
        script.change(index, text=_WRITTEN.sub(date, step.text))
    return script


def _of_handset(text: str, number: int) -> str:
    """The message with the address and the telephone number of a handset, none longer than before."""
    address = f"10.{number // 10 % 10}.{number % 10 or 9}.5"
    return text.replace("10.0.0.5", address).replace("+491700000001", f"+4917{number:04d}0001")


def fresh(script: Script, mark: str) -> Script:
    """The flow with other ids, each as long as it was and the same wherever it stands."""
    text = "\n".join(step.text for step in script.steps)
    known = {found for groups in _IDS.findall(text) for found in groups if found}
    made = {each: _other(each, mark) for each in known}
    names = sorted(map(re.escape, known), key=len, reverse=True)
    places = re.compile(rf"(?<![A-Za-z0-9])(?:z9hG4bK)?({'|'.join(names)})(?![A-Za-z0-9])")

    def put(found: re.Match[str]) -> str:
        return found[0][: found.start(1) - found.start()] + made[found[1]]

    for index, step in enumerate(script.steps):
        script.change(index, text=places.sub(put, step.text))
    return script


def _other(known: str, mark: str) -> str:
    if "-" in known:  # an UUID keeps its form
        digits = hashlib.sha1(f"{known} {mark}".encode()).hexdigest()
        return f"{digits[:8]}{known[8:24]}{digits[8:20]}"
    return f"{known[:1]}{_letters(f'{known} {mark}')[: len(known) - 1]}"


def _letters(text: str) -> str:
    """Letters and digits that stand for a text."""
    octets = hashlib.sha512(text.encode()).digest()
    return base64.b64encode(octets, b"xy").decode().rstrip("=")


# -- files ------------------------------------------------------------------------------------------------


def _files(octets: int, file_size: int, chunk: int) -> Iterator[Sent]:
    """File after file, each of another handset and in a session of its own."""
    time, left, copies = START, octets, count(1)
    block = hashlib.sha512(b"what files are made of").digest() * (file_size // 64 + 1)
    while left > 0:
        copy = next(copies)
        content = b"%16d" % copy + block[16:file_size]
        script = fresh(file_session(file_size, hashlib.sha1(content).digest()), f"file {copy}")
        handset = copy % HANDSETS
        for index, step in enumerate(script.steps):
            if index == 8:
                for sent in _transfer(script, content, chunk, time, Line(handset, copy)):
                    time = sent.time
                    yield sent
            time += step.after
            yield from _sent(step, time, handset, copy)
        left -= file_size
        time += 1.0


def _transfer(script: Script, content: bytes, chunk: int, time: float, line: Line) -> Iterator[Sent]:
    paths = [line_ for line_ in script.steps[6].text.split("\r\n") if "-Path: " in line_]
    to, from_ = (_of_handset(path.partition(": ")[2], line.handset) for path in paths)
    for at in range(0, len(content), chunk):
        piece = content[at : at + chunk]
        tid = _letters(f"{line.number} {at}")[:12]
        flag = "$" if at + chunk >= len(content) else "+"
        end = str(at + len(piece)) if len(piece) <= 2048 else "*"  # a long one may be interrupted (7.1.1)
        time += 0.001
        yield Sent(
            time,
            line,
            True,
            b"MSRP %b SEND\r\nTo-Path: %b\r\nFrom-Path: %b\r\nMessage-ID: F%05d\r\nByte-Range: %d-%b/%d\r\n"
            b"Content-Type: image/jpeg\r\n\r\n%b\r\n-------%b%b\r\n"
            % (
                tid.encode(),
                to.encode(),
                from_.encode(),
                line.number,
                at + 1,
                end.encode(),
                len(content),
                piece,
                tid.encode(),
                flag.encode(),
            ),
        )
        yield Sent(
            time + 0.0004,
            line,
            False,
            f"MSRP {tid} 200 OK\r\nTo-Path: {from_}\r\nFrom-Path: {to}\r\n-------{tid}$\r\n".encode(),
        )


# -- octets -----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Open:
    conversation: Conversation
    ends: Endpoints


def _write(file: BinaryIO, all_sent: Iterator[Sent]) -> int:
    """Write all as TCP connections; gives how many messages it was."""
    writer = PcapngWriter(file, "benchmark")
    interface = writer.interface("any", "flows of a benchmark")
    lines: dict[Line, _Open] = {}
    messages = 0
    for sent in all_sent:
        known = lines.get(sent.line)
        if known is None:
            known = lines[sent.line] = _connected(sent.line)
            for octets in known.conversation.open():
                writer.packet(interface, sent.time, octets)
        ends = known.ends if sent.by_handset else known.ends.reverse()
        if sent.octets is None:
            written = known.conversation.close(by_opener=sent.by_handset)
            del lines[sent.line]
        else:
            messages += 1
            written = [
                packet
                for at in range(0, len(sent.octets), SEGMENT)
                for packet in known.conversation.data(ends, sent.octets[at : at + SEGMENT])
            ]
        for octets in written:
            writer.packet(interface, sent.time, octets)
    return messages


def _connected(line: Line) -> _Open:
    own = Address(_of_handset("10.0.0.5", line.handset), 40000 if line.number == 0 else 1024 + line.number)
    far = Address(NETWORK, 20000 if line.number else 5060)
    ends = Endpoints.of(own, far)
    return _Open(Conversation(ends, 1 << 20), ends)
