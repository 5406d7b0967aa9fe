"""File transfer both ways with a handset of sockets and wire text: RFC 5547, its examples among them."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from harness.agent.msrp.services import Flow
from harness.agent.session.user import Content
from harness.bodies.file_attributes import FileHash, FileRange, FileSelector
from harness.peer.transferred_file import OwnFile
from tests.harness.peer.msrp_handset import (
    ICSI,
    IDS,
    MsrpClient,
    Receiver,
    accept,
    cpim,
    follow,
    path_of,
    sdp,
)

OWN = "msrp://127.0.0.1:9/ue1;tcp"
FILES = f"{ICSI}oma.cpm.filetransfer"
PHOTO = bytes(range(256)) * 16 + b"end"  # 4099 octets
SHA1 = hashlib.sha1(PHOTO, usedforsecurity=False).digest()
HASH = SHA1.hex(":").upper()
SELECTOR = f'file-selector:name:"My cool picture.jpg" type:image/jpeg size:4099 hash:sha-1:{HASH}'
ID = "file-transfer-id:Q6LMoGymJdh0IKIgD6wD0jkcfgva4xvE"
BOUNDARY = "b71"


def offer(*rows: str, direction: str = "sendonly", types: str = "message/cpim image/jpeg") -> str:
    return sdp(OWN, "active", *rows, direction=direction, types=types, wrapped="*")


def with_head(offered: str, ue: str, far: str, disposition: str = "positive-delivery, display") -> str:
    """An offer with the CPIM headers of a bare file beside it."""
    head = cpim("", ue, far, disposition, kind="image/jpeg")
    return (
        f"--{BOUNDARY}\r\nContent-Type: application/sdp\r\n\r\n{offered}\r\n--{BOUNDARY}\r\n"
        "Content-Type: message/cpim\r\nContent-Disposition: render;handling=optional\r\n\r\n"
        f"{head}\r\n--{BOUNDARY}--\r\n"
    )


class Pusher:
    """A handset that pushes, or pulls, a file."""

    def __init__(self, bench: Any, invite: Any, ue: str, far: str) -> None:
        self.bench, self.ue, self.far, self._invite = bench, ue, far, invite
        self.handset = bench.handset(stream=True)
        self.handset.register()

    def ask(self, *rows: str, call_id: str = "file-1", ids: tuple[str, ...] = IDS, **options: Any) -> Any:
        """The answer to an INVITE that pushes the photo."""
        attributes = rows or (SELECTOR, ID, "file-disposition:attachment")
        body = with_head(offer(*attributes), self.ue, self.far) if "body" not in options else None
        return self._invite(
            self.handset, *ids, service=FILES, call_id=call_id,
            **({"body": body, "kind": f"multipart/mixed;boundary={BOUNDARY}"} | options),
        )  # fmt: skip

    def begin(self, *rows: str, **options: Any) -> tuple[Any, MsrpClient]:
        accepted = self.ask(*rows, **options)
        assert accepted.status == 200, accepted
        follow(self.handset, accepted, "ACK", 1)
        return accepted, MsrpClient(OWN, path_of(accepted))

    def send(
        self, msrp: MsrpClient, octets: bytes, start: int = 0, *, flag: str = "$", kind: str = ""
    ) -> str:
        """A file in chunks of 2048 octets from `start` on; the last status line."""
        status = ""
        for place in range(start, len(octets), 2048):
            piece, last = octets[place : place + 2048], place + 2048 >= len(octets)
            mark = flag if last else "+"
            status = msrp.chunk(
                piece, place + 1, len(octets), message=1, flag=mark, kind=kind or "image/jpeg"
            ).split(" ", 2)[2]
        return status

    def bye(self, accepted: Any, cseq: int = 2) -> None:
        follow(self.handset, accepted, "BYE", cseq)
        assert self.handset.receive().status == 200


@pytest.fixture
def pusher(bench: Any, invite: Any, ue: str, far: str) -> Pusher:
    bench.start()
    return Pusher(bench, invite, ue, far)


# -- the handset pushes


def test_a_file_of_the_handset(bench: Any, pusher: Pusher, ue: str, far: str, tmp_path: Path) -> None:
    peer = bench.peer
    peer.notifications.policy(timedelta(0), timedelta(0))
    accepted, msrp = pusher.begin()
    assert "oma.cpm.filetransfer" in accepted.header("Contact")
    rows = accepted.body.split("\r\n")
    for row in ("recvonly", "setup:passive", "accept-types:message/cpim image/jpeg", SELECTOR, ID):
        assert f"a={row}" in rows
    assert "file-disposition" not in accepted.body
    assert msrp.send() == "MSRP uesend1 200 OK"
    assert pusher.send(msrp, PHOTO) == "200 OK"
    file = bench.call(peer.file_transfers.wait_file("My cool picture.jpg", timeout=5))
    assert (file.size, file.type, file.sha1, file.faults) == (4099, "image/jpeg", SHA1.hex(), ())
    assert b"".join(file.pieces()) == PHOTO
    kept = file.keep(tmp_path / "files")
    assert (kept.name, kept.read_bytes()) == ("My cool picture.jpg", PHOTO)
    for kind in ("delivered", "displayed"):
        notification = pusher.handset.receive()
        assert notification.start.startswith("MESSAGE ")
        assert f"<{kind}/>" in notification.body and "<message-id>mid-1</message-id>" in notification.body
        assert "<datetime>2015-02-17T06:54:27Z</datetime>" in notification.body
        assert notification.header("Conversation-ID") == "conv-7"
        pusher.handset.answer(notification)
    pusher.bye(accepted)
    session = bench.call(peer.file_transfers.wait_ended(timeout=5))
    assert (session.flow, session.came, session.handset) == (Flow.FILE_PUSH, file, ue)
    assert file.message.message_id == "mid-1"
    msrp.close()


def test_files_are_let_go_between_tests(bench: Any, pusher: Pusher) -> None:
    """A run of days opens no file of the system for each file that ever came."""
    _, msrp = pusher.begin()
    pusher.send(msrp, PHOTO)
    file = bench.call(bench.peer.file_transfers.wait_file(timeout=5))
    bench.peer.file_transfers.let_go()
    assert (list(file.pieces()), list(bench.peer.file_transfers.arrived)) == ([], [])
    msrp.close()


def test_a_file_inside_cpim(bench: Any, pusher: Pusher, ue: str, far: str) -> None:
    text = "grüße " * 700
    size, digest = len(text.encode()), hashlib.sha1(text.encode(), usedforsecurity=False).digest().hex(":")
    row = f'file-selector:name:"a.txt" type:text/plain size:{size} hash:sha-1:{digest.upper()}'
    body = offer(row, ID, types="message/cpim")
    _, msrp = pusher.begin(body=body, kind="application/sdp")
    octets = cpim(text, ue, far, kind="text/plain").encode()
    assert pusher.send(msrp, octets, kind="message/cpim") == "200 OK"
    file = bench.call(bench.peer.file_transfers.wait_file(timeout=5))
    assert (file.size, file.as_announced, file.message.message_id) == (size, True, "mid-1")
    assert pusher.handset.receive().start.startswith("MESSAGE ")
    msrp.close()


@pytest.mark.parametrize(
    ("row", "sent", "fault"),
    [
        (SELECTOR, PHOTO[:-1] + b"!", "not the sha-1 announced"),
        ('file-selector:name:"p" type:image/jpeg size:4099', PHOTO[:-1], "4098 octets, 4099 announced"),
    ],
)
def test_a_file_that_is_not_as_announced(
    bench: Any, pusher: Pusher, row: str, sent: bytes, fault: str
) -> None:
    """It failed (RFC 5547 8.3.1): no notification says that it was delivered."""
    body = with_head(offer(row, ID, types="*"), pusher.ue, pusher.far)
    accepted, msrp = pusher.begin(body=body)
    assert pusher.send(msrp, sent) == "200 OK"
    file = bench.call(bench.peer.file_transfers.wait_file(timeout=5))
    assert file.faults == (fault,)
    assert not file.as_announced
    pusher.bye(accepted)  # its 200 is the next thing that comes
    assert bench.peer.notifications.sent == []
    msrp.close()


def test_an_unknown_hash_function_decides_nothing(bench: Any, pusher: Pusher) -> None:
    row = 'file-selector:name:"p" type:image/jpeg size:4099 hash:sha-3:00:11'
    _, msrp = pusher.begin(row, ID)
    pusher.send(msrp, PHOTO)
    assert bench.call(bench.peer.file_transfers.wait_file(timeout=5)).as_announced
    msrp.close()


def test_a_file_goes_on_where_it_broke_off(bench: Any, pusher: Pusher) -> None:
    """The rest comes with Byte-Range from 1 (RFC 5547 8.7); the hash is that of the whole file."""
    accepted, msrp = pusher.begin()
    assert pusher.send(msrp, PHOTO[:3000], flag="#") == "200 OK"
    bench.call(bench.peer.file_transfers.wait_lost(timeout=5))
    pusher.bye(accepted)
    msrp.close()
    second = "file-transfer-id:vBnG916bdberum2fFEABR1FR3ExZMUrd"
    mark = bench.peer.mark()
    resumed, again = pusher.begin(SELECTOR, second, "file-range:3001-4099", call_id="file-2")
    assert "a=file-range:3001-4099\r\n" in resumed.body
    assert pusher.send(again, PHOTO[3000:]) == "200 OK"
    file = bench.call(bench.peer.file_transfers.wait_file(timeout=5, after=mark))
    assert (file.size, file.faults, file.sha1) == (4099, (), SHA1.hex())
    assert b"".join(file.pieces()) == PHOTO
    again.close()


def test_a_file_breaks_off_twice(bench: Any, pusher: Pusher) -> None:
    for number, (start, end) in enumerate([(0, 1000), (1000, 2500)]):
        span = [f"file-range:{start + 1}-4099"] if start else []
        accepted, msrp = pusher.begin(SELECTOR, f"{ID}{number}", *span, call_id=f"file-{number}")
        mark = bench.peer.mark()
        assert pusher.send(msrp, PHOTO[start:end], flag="#") == "200 OK"
        bench.call(bench.peer.file_transfers.wait_lost(timeout=5, after=mark))
        pusher.bye(accepted)
        msrp.close()
    _, msrp = pusher.begin(SELECTOR, ID, "file-range:2501-*", call_id="file-3")
    assert pusher.send(msrp, PHOTO[2500:]) == "200 OK"
    assert bench.call(bench.peer.file_transfers.wait_file(timeout=5)).faults == ()
    msrp.close()


def test_a_rest_that_comes_before_the_loss_is_known(bench: Any, pusher: Pusher) -> None:
    """The handset lost its connection; here it still stands. The old session ends."""
    _, msrp = pusher.begin()
    assert msrp.chunk(PHOTO[:3000], 1, 4099, message=1, flag="+", kind="image/jpeg").endswith("200 OK")
    resumed = pusher.ask(SELECTOR, ID, "file-range:3001-4099", call_id="file-2")
    bye = resumed if resumed.start.startswith("BYE ") else pusher.handset.receive()
    resumed = pusher.handset.receive() if bye is resumed else resumed
    assert (resumed.status, bye.start.split()[0], bye.header("Call-ID")) == (200, "BYE", "file-1")
    pusher.handset.answer(bye, "481 Gone")
    follow(pusher.handset, resumed, "ACK", 1)
    again = MsrpClient(OWN, path_of(resumed))
    assert pusher.send(again, PHOTO[3000:]) == "200 OK"
    assert bench.call(bench.peer.file_transfers.wait_file(timeout=5)).faults == ()
    msrp.close()
    again.close()


def test_a_rest_without_its_beginning_is_refused(bench: Any, pusher: Pusher) -> None:
    refused = pusher.ask(SELECTOR, ID, "file-range:3001-4099")
    assert refused.status == 488
    assert "octets before 3001 are not here" in refused.header("Warning")


def test_the_far_party_stops_a_file(bench: Any, pusher: Pusher) -> None:
    """413 to the next chunk, then port 0 with the same id (RFC 5547 8.4)."""
    files = bench.peer.file_transfers
    files.stop_after = 2048
    _, msrp = pusher.begin()
    assert msrp.chunk(PHOTO[:2048], 1, 4099, message=1, flag="+", kind="image/jpeg").endswith("200 OK")
    answer = msrp.chunk(PHOTO[2048:], 2049, 4099, message=1, kind="image/jpeg")
    assert answer.endswith("413 Stop Sending")
    transfer = bench.call(files.wait_lost(timeout=5))
    closing = bench.begin(files.close_stream(transfer))
    again = pusher.handset.receive()
    assert again.start.startswith("INVITE ")
    assert "m=message 0 TCP/MSRP *\r\n" in again.body
    assert f"a={SELECTOR}\r\na={ID}\r\n" in again.body
    closed = re.sub("m=message 9", "m=message 0", offer(SELECTOR, ID))
    accept_again(pusher, again, closed)
    assert closing().status == 200
    assert transfer.came is None
    msrp.close()


def accept_again(pusher: Pusher, asked: Any, answer: str) -> None:
    lines = [
        "SIP/2.0 200 OK",
        *(f"Via: {value}" for value in asked.all("Via")),
        *(f"{name}: {asked.header(name)}" for name in ("From", "To", "Call-ID", "CSeq")),
        f"Contact: <{pusher.handset.contact}>",
        "Content-Type: application/sdp",
        f"Content-Length: {len(answer)}",
        "",
        answer,
    ]
    pusher.handset.send("\r\n".join(lines))
    assert pusher.handset.receive().start.startswith("ACK ")


def test_a_file_above_max_size(bench: Any, pusher: Pusher) -> None:
    bench.peer.file_transfers.largest = 4000
    accepted, msrp = pusher.begin()
    assert "a=max-size:4000\r\n" in accepted.body
    assert msrp.chunk(PHOTO[:2048], 1, 4099, message=1, flag="+", kind="image/jpeg").endswith(
        "413 Stop Sending"
    )
    msrp.close()


def test_a_file_is_declined(bench: Any, pusher: Pusher) -> None:
    bench.peer.invitations.answer_next(603, flow=Flow.FILE_PUSH)
    bench.peer.invitations.answer_next(200, flow=Flow.FILE_PUSH, streams=False)
    assert pusher.ask().status == 603
    empty = pusher.ask(call_id="other")
    assert "m=message 0 TCP/MSRP *\r\n" in empty.body
    assert f"a={SELECTOR}\r\na={ID}\r\n" in empty.body


def test_another_type_than_was_offered(bench: Any, pusher: Pusher) -> None:
    _, msrp = pusher.begin()
    assert pusher.send(msrp, b"text", kind="text/plain") == "415 Unsupported Media Type"
    msrp.close()


def test_an_early_goodbye_leaves_no_file(bench: Any, pusher: Pusher) -> None:
    accepted, msrp = pusher.begin()
    msrp.chunk(PHOTO[:2048], 1, 4099, message=1, flag="+", kind="image/jpeg")
    pusher.bye(accepted)
    transfer = bench.call(bench.peer.file_transfers.wait_ended(timeout=5))
    assert transfer.came is None and bench.peer.notifications.sent == []
    msrp.close()


# -- what is wrong in an offer or on the way


@pytest.mark.parametrize(
    ("wrong", "by"),
    [
        ("a=path:.*", ""),
        ("a=path:.*", "a=path:msrp://127.0.0.1:9;tcp"),
        ("a=accept-types:.*", ""),
        ("a=file-selector:.*", "a=file-selector:size:many"),
        (r"m=message 9 TCP/MSRP \*", "m=message 9 TCP/TLS/MSRP *"),
    ],
)
def test_an_offer_nothing_can_be_made_of(bench: Any, pusher: Pusher, wrong: str, by: str) -> None:
    """488 with a Warning (RFC 3261 13.3.1.3); no session and no file."""
    body = re.sub(f"{wrong}\r\n", f"{by}\r\n" if by else "", offer(SELECTOR, ID))
    refused = pusher.ask(body=body, kind="application/sdp")
    assert (refused.status, refused.header("Warning")[:3].isdigit()) == (488, True)
    assert list(bench.peer.file_transfers.sessions) == []


def test_an_offer_without_setup_or_with_an_unknown_one(bench: Any, pusher: Pusher) -> None:
    """Both mean active (RFC 6135 4.2.1): the answer is passive."""
    for number, by in enumerate(("", "a=setup:sideways\r\n")):
        body = offer(SELECTOR, f"{ID}{number}").replace("a=setup:active\r\n", by)
        accepted, msrp = pusher.begin(body=body, kind="application/sdp", call_id=f"file-{number}")
        assert "a=setup:passive\r\n" in accepted.body
        msrp.close()


def test_a_path_that_cannot_be_reached(pusher: Pusher) -> None:
    """Passive at port 9: nobody could connect (RFC 6135 4.2.2)."""
    body = offer(SELECTOR, ID).replace("setup:active", "setup:passive")
    refused = pusher.ask(body=body, kind="application/sdp")
    assert refused.status == 488
    assert "no address to connect to" in refused.header("Warning") or "setup" in refused.header("Warning")


def test_of_two_files_in_an_offer_the_first_is_taken(bench: Any, pusher: Pusher) -> None:
    """RFC 5547 8.2.3: an m-line each; the other gets port 0 with its selector and id."""
    first = offer(SELECTOR, ID)
    line = first[first.index("m=message") :]
    other = line.replace("ue1", "ue9").replace("My cool", "Another").replace("Q6LMo", "XXXXX")
    accepted, msrp = pusher.begin(body=first + other, kind="application/sdp")
    lines = re.findall(r"m=message (\d+) ", accepted.body)
    assert lines[0] != "0" and lines[1:] == ["0"]
    declined = accepted.body[accepted.body.index("m=message 0") :]
    assert "Another picture.jpg" in declined and "a=file-transfer-id:XXXXX" in declined
    assert pusher.send(msrp, PHOTO) == "200 OK"
    assert bench.call(bench.peer.file_transfers.wait_file(timeout=5)).as_announced
    msrp.close()


def test_a_chunk_past_the_end(bench: Any, pusher: Pusher) -> None:
    """What came is more than was announced: no file as offered, whatever the chunks are answered."""
    _, msrp = pusher.begin()
    assert msrp.chunk(PHOTO[:2048], 1, 4099, message=1, flag="+", kind="image/jpeg").endswith("200 OK")
    msrp.chunk(PHOTO[2048:] + b"more", 2049, 4099, message=1, kind="image/jpeg")
    file = bench.call(bench.peer.file_transfers.wait_file(timeout=5))
    assert file.faults[0] == "4103 octets, 4099 announced"
    assert bench.peer.notifications.sent == []
    msrp.close()


def test_a_second_end_of_a_file(bench: Any, pusher: Pusher) -> None:
    """The last chunk again, as after a lost response (RFC 4975 5.4): one file, notified once."""
    _, msrp = pusher.begin()
    assert pusher.send(msrp, PHOTO) == "200 OK"
    bench.call(bench.peer.file_transfers.wait_file(timeout=5))
    notification = pusher.handset.receive()
    pusher.handset.answer(notification)
    assert msrp.chunk(PHOTO[4096:], 4097, 4099, message=1, kind="image/jpeg").startswith("MSRP ")
    assert len(bench.peer.file_transfers.arrived) == 1
    assert pusher.handset.silence(0.2)
    msrp.close()


# -- the handset pulls


def test_the_handset_pulls_a_file(bench: Any, pusher: Pusher) -> None:
    """RFC 5547 8.3.2: only its hash selects it; the answer has hash and type."""
    bench.peer.file_transfers.shared.append(OwnFile(b"another", "a.txt", "text/plain"))
    bench.peer.file_transfers.shared.append(OwnFile(PHOTO, "My cool picture.jpg", "image/jpeg"))
    body = offer(f"file-selector:hash:sha-1:{HASH}", ID, direction="recvonly", types="*")
    accepted, msrp = pusher.begin(body=body, kind="application/sdp")
    rows = accepted.body.split("\r\n")
    assert f"a=file-selector:type:image/jpeg hash:sha-1:{HASH}" in rows
    assert "a=sendonly" in rows and f"a={ID}" in rows
    assert msrp.send() == "MSRP uesend1 200 OK"
    content, heads = take_octets(msrp)
    assert content == PHOTO
    assert all("Content-Type: image/jpeg" in head for head in heads)
    bye = pusher.handset.receive()
    assert bye.start.startswith("BYE ")
    pusher.handset.answer(bye)
    msrp.close()


def take_octets(msrp: MsrpClient) -> tuple[bytes, list[str]]:
    """A message of any octets, its chunks answered with 200."""
    content, heads = b"", []
    while True:
        while (end := re.search(rb"\r\n-------(\w{20,32})([$+#])\r\n", msrp.buffer)) is None:
            piece = msrp.socket.recv(65535)
            assert piece, "the peer closed the connection"
            msrp.buffer += piece
        request, msrp.buffer = msrp.buffer[: end.start()], msrp.buffer[end.end() :]
        head, _, octets = request.partition(b"\r\n\r\n")
        content += octets
        heads.append(f"{head.decode()}\r\nFlag: {end[2].decode()}")
        msrp.answer(head.decode())
        if end[2] in b"$#":
            return content, heads


def test_a_part_of_a_file_is_pulled(bench: Any, pusher: Pusher) -> None:
    bench.peer.file_transfers.shared.append(OwnFile(PHOTO, "p.jpg", "image/jpeg"))
    row = 'file-selector:name:"p.jpg" size:4099'
    body = offer(row, ID, "file-range:4097-4099", direction="recvonly", types="*")
    accepted, msrp = pusher.begin(body=body, kind="application/sdp")
    assert "a=file-range:4097-4099\r\n" in accepted.body
    msrp.send()
    content, heads = take_octets(msrp)
    assert (content, "Byte-Range: 1-3/3" in heads[0]) == (b"end", True)
    msrp.close()


def test_no_such_file(bench: Any, pusher: Pusher) -> None:
    bench.peer.file_transfers.shared.append(OwnFile(PHOTO, "p.jpg", "image/jpeg"))
    body = offer('file-selector:name:"q.jpg"', ID, direction="recvonly", types="*")
    refused = pusher.ask(body=body, kind="application/sdp")
    assert refused.status == 488
    assert refused.header("Warning") == '399 ims.example "no such file"'


# -- the far party pushes


class FileReceiver(Receiver):
    """A registered handset that is sent a file, or asked for one."""

    def begin(self, file: OwnFile | None = None, **options: Any) -> Any:
        sent = file or OwnFile(PHOTO, 'a "b"/c%d.jpg', "image/jpeg")
        return self.asked_by(self.bench.peer.file_transfers.push(self.ue, sent, **options))

    def row(self, name: str) -> str:
        return re.findall(rf"(?m)^a={name}:(.*?)\r?$", self.asked.body)[0]

    def accept(self, *rows: str, direction: str = "recvonly") -> MsrpClient:
        copied = [f"{name}:{self.row(name)}" for name in ("file-selector", "file-transfer-id")]
        return self.connect(
            sdp(self.own, "active", *copied, *rows, types="*", wrapped="*", direction=direction)
        )


@pytest.fixture
def receiver(bench: Any, ue: str) -> FileReceiver:
    bench.start()
    return FileReceiver(bench, ue)


def test_a_file_of_the_far_party(bench: Any, receiver: FileReceiver, ue: str, far: str) -> None:
    asked = receiver.begin(message_id="ours-1", sender=far)
    assert asked.header("Content-Type").startswith("multipart/mixed;boundary=")
    assert asked.header("P-Asserted-Service").endswith("oma.cpm.filetransfer")
    assert "oma.cpm.filetransfer" in asked.header("Contact")
    rows = asked.body.split("\r\n")
    for row in (
        "setup:actpass",
        "sendonly",
        "accept-types:message/cpim image/jpeg",
        "accept-wrapped-types:*",
    ):
        assert f"a={row}" in rows
    name = 'name:"a %22b%22%2Fc%25d.jpg"'
    assert f"a=file-selector:{name} type:image/jpeg size:4099 hash:sha-1:{HASH}" in rows
    assert re.fullmatch(r"\w{32}", receiver.row("file-transfer-id"))
    assert "a=file-disposition:attachment" in rows
    assert re.fullmatch(r'creation:"\w{3}, \d\d \w{3} \d{4} [\d:]{8} \+0000"', receiver.row("file-date"))
    head = asked.body.partition("Content-Disposition: render;handling=optional\r\n\r\n")[2]
    assert f"From: <{far}>\r\nTo: <{ue}>\r\n" in head
    assert "imdn.Message-ID: ours-1\r\n" in head
    assert "imdn.Disposition-Notification: positive-delivery, display\r\n" in head
    assert "Content-Type: image/jpeg\r\nContent-Length: 0\r\n\r\n" in head
    msrp = receiver.accept()
    content, heads = take_octets(msrp)
    assert content == PHOTO
    assert "Content-Type: image/jpeg" in heads[0] and heads[-1].endswith("Flag: $")
    assert [re.findall(r"Byte-Range: (.*?)\r", head)[0] for head in heads] == [
        "1-2048/4099", "2049-4096/4099", "4097-4099/4099",
    ]  # fmt: skip
    transfer = receiver.bye()
    assert (transfer.delivered, transfer.failure) == (True, "")
    msrp.close()


def test_a_thumbnail_belongs_to_the_description(receiver: FileReceiver) -> None:
    """RFC 5547 8.8: multipart/related, whose root is the SDP."""
    asked = receiver.begin(OwnFile(PHOTO, "p.jpg", "image/jpeg", icon=Content("image/png", b"tiny")))
    outer = asked.body
    related = re.search(r'Content-Type: multipart/related;boundary=(\w+);type="application/sdp"', outer)
    assert related is not None
    inner = outer.split(f"--{related[1]}")
    assert "Content-Type: application/sdp" in inner[1]
    icon = re.search(r"a=file-icon:cid:(\S+)", inner[1])
    assert icon is not None
    assert f"Content-ID: <{icon[1]}>\r\n" in inner[2] and inner[2].endswith("\r\n\r\ntiny\r\n")
    assert "Content-Disposition: icon\r\n" in inner[2]
    receiver.handset.answer(asked, "603 Decline")
    assert receiver.handset.receive().start.startswith("ACK ")
    transfer = receiver.result()
    assert (transfer.accepted, transfer.status, transfer.sent) == (False, 603, None)


def test_the_handset_takes_none_of_the_streams(receiver: FileReceiver) -> None:
    receiver.begin()
    copied = [f"{name}:{receiver.row(name)}" for name in ("file-selector", "file-transfer-id")]
    answer = sdp("msrp://127.0.0.1:9/ue2;tcp", "active", *copied).replace("m=message 9", "m=message 0")
    assert accept(receiver.handset, receiver.asked, answer).start.startswith("ACK ")
    transfer = receiver.bye()
    assert (transfer.sent, transfer.problem) == (None, "declined")
    assert transfer.failure == "there is no MSRP session: declined (RFC 3264 6)"


def test_a_file_is_cut_off(receiver: FileReceiver) -> None:
    receiver.begin(cut=3000)
    msrp = receiver.accept()
    content, heads = take_octets(msrp)
    assert (len(content), heads[-1][-7:]) == (3000, "Flag: #")
    transfer = receiver.bye()
    assert (transfer.delivered, transfer.failure) == (False, "no answer: the source ended early")
    msrp.close()


def test_the_rest_of_a_file(receiver: FileReceiver) -> None:
    asked = receiver.begin(start=4097, contribution_id="c-1")
    assert asked.header("Contribution-ID") == "c-1"
    assert receiver.row("file-range") == "4097-4099"
    assert "size:4099" in receiver.row("file-selector")
    msrp = receiver.accept("file-range:4097-4099")
    content, heads = take_octets(msrp)
    assert (content, "Byte-Range: 1-3/3" in heads[0]) == (b"end", True)
    assert receiver.bye().delivered
    msrp.close()


def test_a_handset_that_stops_a_file(receiver: FileReceiver) -> None:
    receiver.begin()
    msrp = receiver.accept()
    while b"\r\n-------" not in msrp.buffer:
        msrp.buffer += msrp.socket.recv(65535)
    msrp.answer(msrp.buffer.partition(b"\r\n\r\n")[0].decode(), "413 Stop Sending")
    transfer = receiver.bye()
    assert (transfer.delivered, transfer.sent.status, transfer.failure) == (False, 413, "413: Stop Sending")
    msrp.close()


def test_an_offer_that_lies(receiver: FileReceiver) -> None:
    receiver.begin(announce=lambda told: replace(told, selector=replace(told.selector, size=5)))
    assert "size:5 " in receiver.row("file-selector")
    receiver.handset.answer(receiver.asked, "486 Busy Here")
    assert receiver.handset.receive().start.startswith("ACK ")
    assert receiver.result().status == 486


def test_a_file_in_cpim_of_the_far_party(receiver: FileReceiver, ue: str, far: str) -> None:
    asked = receiver.begin(wrapped=True, message_id="ours-2")
    assert asked.header("Content-Type") == "application/sdp"
    msrp = receiver.accept()
    content, heads = take_octets(msrp)
    assert "Content-Type: message/cpim" in heads[0]
    head, mime, octets = content.split(b"\r\n\r\n", 2)
    assert (b"imdn.Message-ID: ours-2" in head, mime, octets) == (
        True, b"Content-Type: image/jpeg\r\nContent-Length: 4099", PHOTO,
    )  # fmt: skip
    assert receiver.bye().delivered
    msrp.close()


def test_the_far_party_gives_up_before_the_answer(bench: Any, receiver: FileReceiver) -> None:
    asked = receiver.begin(wait=False)
    transfer = receiver.result()
    lines = [f"Via: {value}" for value in asked.all("Via")]
    names = ("From", "Call-ID", "CSeq")
    ringing = ["SIP/2.0 180 Ringing", *lines, *(f"{name}: {asked.header(name)}" for name in names)]
    ringing += [f"To: {asked.header('To')};tag=ue", f"Contact: <{receiver.handset.contact}>"]
    receiver.handset.send("\r\n".join([*ringing, "Content-Length: 0", "", ""]))
    giving_up = bench.begin(bench.peer.file_transfers.cancel(transfer))
    cancel = receiver.handset.receive()
    assert cancel.start.startswith("CANCEL ")
    receiver.handset.answer(cancel)
    receiver.handset.answer(asked, "487 Request Terminated")
    assert receiver.handset.receive().start.startswith("ACK ")
    assert giving_up().status == 487
    bench.call(transfer.over.wait())


# -- the far party pulls


def test_the_far_party_pulls_a_file(bench: Any, receiver: FileReceiver, ue: str) -> None:
    selector = FileSelector(hashes=(FileHash("sha-1", SHA1),))
    pulling = bench.begin(bench.peer.file_transfers.pull(ue, selector))
    asked = receiver.handset.receive()
    rows = asked.body.split("\r\n")
    assert f"a=file-selector:hash:sha-1:{HASH}" in rows and "a=recvonly" in rows
    assert "file-disposition" not in asked.body
    receiver.asked = asked
    own = "msrp://127.0.0.1:9/ue2;tcp"
    told = f"file-selector:type:image/jpeg hash:sha-1:{HASH}"
    answer = sdp(own, "active", told, f"file-transfer-id:{receiver.row('file-transfer-id')}",
        types="image/jpeg", wrapped="*", direction="sendonly")  # fmt: skip
    assert accept(receiver.handset, asked, answer).start.startswith("ACK ")
    transfer = pulling()
    assert transfer.accepted
    msrp = MsrpClient(own, path_of(asked))
    assert msrp.chunk(PHOTO, 1, 4099, message=1, kind="image/jpeg").endswith("200 OK")
    file = bench.call(bench.peer.file_transfers.wait_file(timeout=5, transfer=transfer))
    assert (file.sha1, file.faults) == (SHA1.hex(), ())
    msrp.close()


def test_a_part_the_far_party_pulls(bench: Any, receiver: FileReceiver, ue: str) -> None:
    pulling = bench.begin(
        bench.peer.file_transfers.pull(ue, FileSelector(name="p.jpg"), span=FileRange(4097, 4099))
    )
    receiver.asked = receiver.handset.receive()
    assert receiver.row("file-range") == "4097-4099"
    receiver.handset.answer(receiver.asked, "488 Not Acceptable Here")
    assert receiver.handset.receive().start.startswith("ACK ")
    assert pulling().status == 488
