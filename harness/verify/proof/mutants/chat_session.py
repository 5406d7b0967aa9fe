"""The SDP of chat sessions spoiled one by one: CPM, and RFC 4975 14 for TLS."""

from __future__ import annotations

from harness.verify.proof.changes import edit, edits
from harness.verify.proof.mutant import HANDSET, NETWORK, Mutant

AUDIO = "a=sendrecv\r\nm=audio {} RTP/AVP 0\r\n"
SECOND = (
    "a=sendrecv\r\nm=message 9 TCP/MSRP *\r\na=path:msrp://10.0.0.5:9/h8Fd2Sa6Pq0Wm4Ec9Xz5;tcp\r\n"
    "a=setup:active\r\na=accept-types:message/cpim application/im-iscomposing+xml\r\n"
    "a=accept-wrapped-types:text/plain message/imdn+xml\r\n"
)
OVER_TLS = ((0, "TCP/MSRP", "TCP/TLS/MSRP"), (0, "msrp://", "msrps://"))

MUTANTS = [
    Mutant(
        "session.icsi",
        NETWORK,
        "session_mt",
        lambda s: s.everywhere("oma.cpm.session", "oma.cpm.systemmsg", 0, 1, 2),
    ),
    Mutant("session.sdp.media", HANDSET, "refused_mo", edit(0, "TCP/MSRP *", "TCP/BFCP *")),
    Mutant(
        "session.sdp.media.single",
        HANDSET,
        "session_mo",
        edits((0, "a=sendrecv\r\n", AUDIO.format(4000)), (3, "a=sendrecv\r\n", AUDIO.format(0))),
    ),
    Mutant(
        "session.sdp.media.single",
        HANDSET,
        "session_mo",
        edits(
            (0, "a=sendrecv\r\n", SECOND),
            (3, "a=sendrecv\r\n", "a=sendrecv\r\nm=message 0 TCP/MSRP *\r\n"),
        ),
    ),
    Mutant(
        "session.sdp.accept-types",
        HANDSET,
        "session_mo",
        edit(0, " application/im-iscomposing+xml", ""),
    ),
    Mutant("session.sdp.wrapped-types", HANDSET, "session_mo", edit(0, " message/imdn+xml", "")),
    Mutant("session.sdp.direction", NETWORK, "session_mo", edit(3, "a=sendrecv", "a=recvonly")),
    Mutant("session.sdp.direction", HANDSET, "session_mt", edit(2, "a=sendrecv", "a=sendonly")),
    Mutant("session.sdp.cosmetic", HANDSET, "session_mo", edit(0, "s=-", "s=SS VOIP")),
    Mutant("session.tls", HANDSET, "session_mo", edit(0, "a=path:msrp:", "a=path:msrps:")),
    Mutant("session.tls.other", NETWORK, "session_mo", edit(3, "a=path:msrp:", "a=path:msrps:")),
    Mutant("session.tls.fingerprint", HANDSET, "refused_mo", edits(*OVER_TLS)),
    Mutant("session.sdp.media", NETWORK, "cancelled_mt", edit(0, "TCP/MSRP *", "TCP/BFCP *")),
    Mutant(
        "session.tls.other",
        HANDSET,
        "session_mo",
        edit(0, "a=path:msrp:", "a=path:msrps://relay.example.org:2855/jUi787sQ2wE4rT6yU8iO;tcp msrp:"),
    ),
    Mutant(
        "session.icsi",
        HANDSET,
        "session_mo",
        lambda s: s.everywhere("oma.cpm.session", "oma.cpm.systemmsg", 0, 1, 2, 3),
        ("ims.p-preferred-service.value",),
        "the service that is named has no session",
    ),
]
