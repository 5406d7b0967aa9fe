"""Files and large messages of the handset with what goes over MSRP, icons, and files sent as a link.

Hand-written after RFC 5547 8 and 9.1, RFC 4975 5.1 and the documents of clients (RCC.07).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace

from harness.verify.proof.flows.media import FAR_ANSWER, TRANSFER_ID, UE_OFFER, body, large_mo, push_mo
from harness.verify.proof.flows.msrp import answered, closed, opened, send
from harness.verify.proof.flows.sip import pager_mo, pager_mt, session_mo
from harness.verify.proof.messages import FAR, UE, answer, imdn_body, in_dialog, mt_message, text_body
from harness.verify.proof.script import Script, Step, crlf

PICTURE = "\u00ff\u00d8 octets of a picture. " * 100
OCTETS = PICTURE.encode()
FILE_ID = "Fil1aB2cD3eF4gH5iJ6k"
ASKS = "imdn.Disposition-Notification: positive-delivery, display\r\n"
OTHER_ID = "file-transfer-id:another9s8d7f6g5h4j3k2l1"


def selector(octets: bytes = OCTETS) -> str:
    digest = ":".join(f"{octet:02X}" for octet in hashlib.sha1(octets, usedforsecurity=False).digest())
    return f'file-selector:name:"a.jpg" type:image/jpeg size:{len(octets)} hash:sha-1:{digest}'


def with_cpim_part(script: Script) -> Script:
    """The INVITE with the CPIM headers of the file beside the SDP."""
    description = script.steps[0].text.partition("\r\n\r\n")[2]
    head = text_body(UE, FAR, FILE_ID).replace(ASKS, "").partition("\r\n\r\n")[0]
    headers = f"{head}\r\n\r\nContent-Type: image/jpeg\r\nContent-Length: 0\r\n\r\n"
    script.everywhere("Content-Type: application/sdp", 'Content-Type: multipart/mixed;boundary="b1"', 0)
    return script.body(
        0,
        f"--b1\r\nContent-Type: message/cpim\r\n\r\n{headers}\r\n"
        f"--b1\r\nContent-Type: application/sdp\r\n\r\n{description}\r\n--b1--",
    )


def without_part(script: Script) -> Script:
    """The INVITE with the SDP alone."""
    description = script.steps[0].text.partition("Content-Type: application/sdp\r\n\r\n")[2]
    script.everywhere('multipart/mixed;boundary="b1"', "application/sdp", 0)
    return script.body(0, description.removesuffix("\r\n--b1--"))


def chunks(
    octets: str, kind: str = "image/jpeg", message_id: str = "FilekQ2mP9sLw", mark: str = "h", first: int = 1
) -> list[Step]:
    """Content of the handset in chunks of 2048 octets, each with its 200, counted from `first`."""
    data, steps = octets.encode(), []
    for number, at in enumerate(range(0, len(data), 2048)):
        piece = data[at : at + 2048]
        start, end = at + first, at + first + len(piece) - 1
        flag = "$" if at + 2048 >= len(data) else "+"
        total = "*" if first > 1 else str(len(data))
        lines = (f"Message-ID: {message_id}", f"Byte-Range: {start}-{end}/{total}", f"Content-Type: {kind}")
        text = piece.decode("utf-8", "surrogateescape")
        steps.append(send(True, f"{mark}A{number}kQ2mP9sL1", *lines, body=text, flag=flag))
    return answered(*steps)


def wrapped(octets: str) -> str:
    """The file inside CPIM."""
    head = text_body(UE, FAR, FILE_ID).replace(ASKS, "").rpartition("\r\n\r\n")[0]
    head = head.replace("text/plain;charset=UTF-8", "image/jpeg")
    return head.replace("Content-Length: 12", f"Content-Length: {len(octets.encode())}") + f"\r\n\r\n{octets}"


def carrying(script: Script, *media: Step) -> Script:
    """A session of the handset with its connection: its opening SEND 6, content from 8 on, BYE, 200."""
    number = 2 + sum(step.text.startswith("UPDATE") for step in media)
    bye = in_dialog("BYE", number, "bye", "Supported: timer")
    opening = answered(send(True, "aX7kQ2mP9sLw", "Message-ID: 0pEn7kQ2mP9s"))
    script.steps[5:] = [opened(), *opening, *media, bye, answer(bye, "200 OK", ""), closed()]
    return script


def push(
    *media: Step,
    announced: bytes = OCTETS,
    accept: str = "message/cpim image/jpeg",
    file_range: str = "",
    extra: str = "",
) -> Script:
    """The handset sends a file. extra: another attribute of the answer."""
    parts = (f"file-range:{file_range}",) if file_range else ()
    attributes = (selector(announced), TRANSFER_ID, *parts)
    offer = body(UE_OFFER, "sendonly", *attributes)
    taken = body(FAR_ANSWER, "recvonly", *attributes, *filter(None, [extra]), accept=accept)
    return with_cpim_part(carrying(push_mo().body(0, offer).body(3, taken), *media))


def notified(script: Script, message_id: str = FILE_ID) -> Script:
    """The handset asks for it, and the far end reports the file delivered, by MESSAGE."""
    line = f"imdn.Message-ID: {FILE_ID}\r\n"
    script.sub(0, line, f"{line}imdn.Disposition-Notification: positive-delivery\r\n")
    report = imdn_body(FAR, UE, "Not1aB2cD3eF4gH5iJ6k", message_id, "delivery", "delivered")
    told = mt_message("b", "0b0f8f6e-1111-4aaa-8bbb-00000000000b", report)
    script.steps += [told, answer(told, "200 OK", "ueb1")]
    return script


def offered_again(transfer_id: str = TRANSFER_ID, port: int = 9) -> list[Step]:
    """An offer and answer in the dialog. port 0 closes the stream."""
    offer = body(UE_OFFER, "sendonly", selector(), transfer_id).replace("o=- 1 1", "o=- 1 2")
    taken = body(FAR_ANSWER, "recvonly", selector(), transfer_id, accept="message/cpim image/jpeg")
    if transfer_id != TRANSFER_ID or not port:
        taken = taken.replace("o=- 1 1", "o=- 1 2")
    if not port:
        offer, taken = offer.replace("message 9", "message 0"), taken.replace("message 20000", "message 0")
    script = Script(session_mo().steps[5:7])
    for index, description in enumerate((offer, taken)):
        script.line(index, "Content-Type: application/sdp").body(index, description)
    return script.steps


def given_up() -> list[Step]:
    """The first chunk of the file, which ends with #."""
    first = chunks(PICTURE)[0]
    return answered(replace(first, text=re.sub(r"\+\r\n\Z", "#\r\n", first.text)))


def sent_twice(script: Script) -> Script:
    """The session of a file twice, the second under ids of its own but for file-transfer-id."""
    other = Script(list(script.steps))
    for old, new in (
        ("inv9d8f", "zzz9d8f"),
        ("z9hG4bK", "z9hG4bKzz"),
        ("k3Jx8Qw2Zr7Lt5Yv9Bn1", "h8Fd2Sa6Pq0Wm4Ec9Xz5"),
        ("p4Mz6Hs8Dc2Vf0Gk7Ja3", "w2Rt9Yb4Nc7Lx1Vq6Ks8"),
        ("aX7k", "aX8k"),
        ("hA", "iA"),
        ("FilekQ2m", "FilekQ3m"),
        (FILE_ID, "Fil2aB2cD3eF4gH5iJ6k"),
        ("000000000010", "000000000020"),
    ):
        other.everywhere(old, new)
    other.steps = [replace(step, msrp=2) if step.msrp else step for step in other.steps]
    return Script([*script.steps, *other.steps])


# -- large messages -----------------------------------------------------------------------------------------

LARGE = text_body(UE, FAR, FILE_ID, "x" * 2500).replace(ASKS, "")


def large(*media: Step) -> Script:
    """The handset sends a large message."""
    return carrying(large_mo(), *media)


# -- icons --------------------------------------------------------------------------------------------------

ICON_LINE = "a=file-icon:cid:id2%40alicepc.example.com\r\na=sendonly"
RELATED = 'Content-Type: multipart/related; type="application/sdp"; boundary="boundary71"'
SDP_PART = "Content-Type: application/sdp\r\nContent-ID: <sdp1@alicepc.example.com>"
ICON_PART = (
    "Content-Type: image/jpeg\r\nContent-Transfer-Encoding: binary\r\n"
    "Content-ID: <id2@alicepc.example.com>\r\nContent-Disposition: icon"
)


def with_icon(
    script: Script,
    kind: str = RELATED,
    parts: tuple[str, ...] = (SDP_PART, ICON_PART),
    line: str = ICON_LINE,
) -> Script:
    """push_mo with the icon of its file in the layout of RFC 5547 9.1."""
    script.sub(0, "a=sendonly", line)
    offer = script.steps[0].text.partition("\r\n\r\n")[2]
    pieces = (f"{part}\r\n\r\n{offer if 'application/sdp' in part else 'JPEG'}\r\n" for part in parts)
    script.sub(0, "Content-Type: application/sdp", kind)
    return script.body(0, "".join(f"--boundary71\r\n{piece}" for piece in pieces) + "--boundary71--\r\n")


# -- links --------------------------------------------------------------------------------------------------

LINK = (
    '<?xml version="1.0" encoding="UTF-8"?>\r\n<file xmlns="urn:gsma:params:xml:ns:rcs:rcs:fthttp" '
    'xmlns:e="urn:gsma:params:xml:ns:rcs:rcs:up:fthttpext">'
    '<file-info type="thumbnail"><file-size>7427</file-size><content-type>image/jpeg</content-type>'
    '<data url="https://ft.example.org/t" until="2023-12-14T22:13:20Z"/></file-info>'
    '<file-info type="file"><file-size>183524</file-size><file-name>a.jpg</file-name>'
    "<content-type>image/jpeg</content-type>"
    '<data url="https://ft.example.org/f" until="2023-12-14T22:13:20Z"/>'
    "<e:branded-url>https://x.example.org/f</e:branded-url></file-info></file>"
)


def link(document: str = LINK, *, handset: bool = True) -> Script:
    """A file sent as a link in pager mode: MESSAGE 0, 200 1."""
    script = (pager_mo() if handset else pager_mt()).drop(2, 3, 4, 5)
    sender, recipient = (UE, FAR) if handset else (FAR, UE)
    head = crlf(f"From: <{sender}>", f"To: <{recipient}>", "DateTime: 2023-11-14T22:13:20Z")
    mime = crlf("Content-Type: application/vnd.gsma.rcs-ft-http+xml", f"Content-Length: {len(document)}")
    if handset:
        script.line(0, f"Accept-Contact: {BY_HTTP}")
    return script.body(0, f"{head}\r\n{mime}\r\n{document}")


BY_HTTP = '*;+g.3gpp.iari-ref="urn%3Aurn-7%3A3gpp-application.ims.iari.rcs.fthttp";require;explicit'
FILE_FLOWS: dict[str, Callable[[], Script]] = {
    "file_mo": lambda: notified(push(*chunks(PICTURE))),
    "file_limited_mo": lambda: push(*chunks(PICTURE), extra="max-size:20971520"),
    "file_wrapped_mo": lambda: without_part(push(*chunks(wrapped(PICTURE), "message/cpim"))),
    "file_resumed_mo": lambda: push(*chunks("x" * 50), announced=b"x" * 100, file_range="51-100"),
    "file_given_up_mo": lambda: push(*given_up()),
    "file_closed_mo": lambda: push(*chunks(PICTURE), *offered_again(port=0)),
    "file_refreshed_mo": lambda: push(*chunks(PICTURE)[:2], *offered_again(), *chunks(PICTURE)[2:]),
    "files_mo": lambda: push(
        *chunks(PICTURE), *offered_again(OTHER_ID), *chunks(PICTURE, message_id="NextkQ2mP9sLw", mark="i")
    ),
    "large_sent_mo": lambda: large(*chunks(LARGE, "message/cpim")),
    "icon_mo": lambda: with_icon(push_mo()),
    "link_mo": link,
    "link_mt": lambda: link(handset=False),
}
