"""Sessions of services other than chat, hand-written after RFC 5547 and CPM: INVITE 180 200 ACK BYE 200."""

from __future__ import annotations

from collections.abc import Callable

from harness.verify.proof.flows.sip import options_mt, session_mo, session_mt
from harness.verify.proof.script import Script, crlf

SELECTOR = (
    'file-selector:name:"My cool picture.jpg" type:image/jpeg size:32349 '
    "hash:sha-1:72:24:5F:E8:65:3D:DA:F3:71:36:2F:86:D4:71:91:3E:E4:A2:CE:2E"
)
TRANSFER_ID = "file-transfer-id:vBnG916bdberum2fFEABR1FR3ExZMUrd"
UE_OFFER, UE_ANSWER = (
    ("10.0.0.5", "active", 9, "k3Jx8Qw2Zr7Lt5Yv9Bn1"),
    (
        "10.0.0.5",
        "active",
        9,
        "k3Jx8Qw2Zr7Lt5Yv9Bn1",
    ),
)
FAR_OFFER = ("10.0.0.1", "actpass", 20000, "p4Mz6Hs8Dc2Vf0Gk7Ja3")
FAR_ANSWER = ("10.0.0.1", "passive", 20000, "p4Mz6Hs8Dc2Vf0Gk7Ja3")


def body(side: tuple[str, str, int, str], *attributes: str, accept: str = "message/cpim") -> str:
    host, setup, port, session = side
    return crlf(
        "v=0",
        f"o=- 1 1 IN IP4 {host}",
        "s=-",
        f"c=IN IP4 {host}",
        "t=0 0",
        f"m=message {port} TCP/MSRP *",
        f"a=path:msrp://{host}:{port}/{session};tcp",
        f"a=setup:{setup}",
        f"a=accept-types:{accept}",
        "a=accept-wrapped-types:*",
        *(f"a={each}" for each in attributes),
    )


def of_service(script: Script, service: str, offer: str, answer: str, accepted: int) -> Script:
    """The session with another service in its headers, and other descriptions in INVITE and 200."""
    script.everywhere("oma.cpm.session", f"oma.cpm.{service}")
    return script.body(0, offer).body(accepted, answer)


def push_mo() -> Script:
    """The handset sends a file: INVITE 0, 200 3, BYE 7."""
    offer = body(
        UE_OFFER,
        "sendonly",
        SELECTOR,
        TRANSFER_ID,
        "file-disposition:attachment",
        'file-date:creation:"Mon, 15 May 2006 15:01:31 +0300"',
        "file-range:1-32349",
    )
    answer = body(FAR_ANSWER, "recvonly", SELECTOR, TRANSFER_ID, "file-range:1-32349")
    return of_service(session_mo(), "filetransfer", offer, answer, 3)


def push_mt() -> Script:
    """The handset is sent a file: INVITE 0, 200 2, BYE 4."""
    offer = body(FAR_OFFER, "sendonly", SELECTOR, TRANSFER_ID)
    return of_service(
        session_mt(), "filetransfer", offer, body(UE_ANSWER, "recvonly", SELECTOR, TRANSFER_ID), 2
    )


def push_refused_mt() -> Script:
    """push_mt, the handset taking no file: port 0 in its answer."""
    return push_mt().sub(2, "message 9", "message 0")


def files_in_options() -> Script:
    """The handset tells in its 200 (1) to OPTIONS that it takes files (RFC 5547 8.5)."""
    described = body(UE_OFFER, "sendrecv", "file-selector").replace("message 9", "message 0")
    return options_mt().line(1, "Content-Type: application/sdp").body(1, described)


def pull_mo() -> Script:
    """The handset fetches a file: INVITE 0, 200 3, BYE 7."""
    wanted = f"file-selector:{SELECTOR[SELECTOR.index('hash:') :]}"
    offer = body(UE_OFFER, "recvonly", wanted, TRANSFER_ID)
    found = f"{wanted.replace('hash:', 'type:image/jpeg hash:')}"
    return of_service(
        session_mo(), "filetransfer", offer, body(FAR_ANSWER, "sendonly", found, TRANSFER_ID), 3
    )


def large_mo() -> Script:
    """The handset sends a large message: INVITE 0, 200 3, BYE 7."""
    offer = body(UE_OFFER, "sendonly", "file-selector:size:2500")
    return of_service(session_mo(), "largemsg", offer, body(FAR_ANSWER, "recvonly"), 3)


def large_mt() -> Script:
    """The handset is sent a large message: INVITE 0, 200 2, BYE 4."""
    offer = body(FAR_OFFER, "sendonly", "file-selector:size:2500")
    return of_service(session_mt(), "largemsg", offer, body(UE_ANSWER, "recvonly"), 2)


def deferred_mo() -> Script:
    """The handset fetches deferred messages: INVITE 0, 200 3, BYE 7."""
    return of_service(session_mo(), "deferred", body(UE_OFFER, "recvonly"), body(FAR_ANSWER, "sendonly"), 3)


MEDIA_FLOWS: dict[str, Callable[[], Script]] = {
    "push_mo": push_mo,
    "push_mt": push_mt,
    "push_refused_mt": push_refused_mt,
    "files_in_options": files_in_options,
    "pull_mo": pull_mo,
    "large_mo": large_mo,
    "large_mt": large_mt,
    "deferred_mo": deferred_mo,
}
