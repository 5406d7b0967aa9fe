"""Session descriptions spoiled one by one: RFC 8866, RFC 3264, RFC 4975 8, RFC 6135 and RFC 6714."""

from __future__ import annotations

from harness.bodies.sdp_attributes import certificate_fingerprint
from harness.cpm.profiles import Profile
from harness.verify.proof.changes import FAR_TEXT, both, edit, edits, sub
from harness.verify.proof.flows.msrp import FAR_PATH, UE_PATH
from harness.verify.proof.flows.negotiation import (
    CEMA,
    CERTIFICATES,
    FAR_ID,
    UE_ID,
    also,
    elsewhere,
    offered_again,
    sessions,
    shown_certificate,
)
from harness.verify.proof.mutant import HANDSET, NETWORK, Mutant
from harness.verify.proof.script import Script

UE_LINE, FAR_LINE = f"a=path:{UE_PATH}\r\n", f"a=path:{FAR_PATH}\r\n"
TYPES = "a=accept-types:message/cpim application/im-iscomposing+xml\r\n"
WRAPPED = "a=accept-wrapped-types:text/plain message/imdn+xml\r\n"


def falls_back_in_vain(script: Script) -> Script:
    """The answer has no msrp-cema, connects itself and names a middlebox: the handset offers CEMA again."""
    also(0, "a=msrp-cema")(script)
    edits(
        (0, "a=setup:active", "a=setup:actpass"),
        (0, "message 9", "message 8881"),
        (0, "10.0.0.5:9/", "10.0.0.5:8881/"),
        (3, "a=setup:passive", "a=setup:active"),
        (3, "c=IN IP4 10.0.0.1", "c=IN IP4 10.0.0.99"),
    )(script)
    return offered_again(script)


PASSIVE_ANSWER = (
    (2, "a=setup:active", "a=setup:passive"),
    (2, "message 9", "message 8881"),
    (2, "10.0.0.5:9/", "10.0.0.5:8881/"),
)
IN_PLACE_OF = "the address that was put into the answer is not that of its path, which CEMA alone allows"

MUTANTS = [
    Mutant(
        "sdp.order",
        HANDSET,
        "session_mo",
        edit(0, "s=-\r\nc=IN IP4 10.0.0.5\r\n", "c=IN IP4 10.0.0.5\r\ns=-\r\n"),
    ),
    Mutant("sdp.order", NETWORK, "session_mo", also(3, "x=1")),
    Mutant("sdp.order", HANDSET, "session_mo", also(0, "")),
    Mutant("sdp.order", HANDSET, "session_mo", edit(0, "m=message", "i=one\r\ni=two\r\nm=message")),
    Mutant("sdp.required", HANDSET, "session_mo", edit(0, "t=0 0\r\n", "")),
    Mutant("sdp.required", NETWORK, "session_mt", edit(0, "v=0\r\n", "v=1\r\n")),
    Mutant("sdp.required", HANDSET, "session_mo", edit(0, "s=-\r\n", "s=-\r\ns=x\r\n")),
    Mutant("sdp.required", HANDSET, "session_mo", edit(0, "c=IN IP4 10.0.0.5\r\n", "")),
    Mutant("sdp.required", HANDSET, "session_mo", lambda s: s.body(0, "nothing of the kind\r\n")),
    Mutant("sdp.s-not-empty", HANDSET, "session_mo", edit(0, "s=-\r\n", "s=\r\n")),
    Mutant("sdp.s-not-empty", NETWORK, "session_mt", edit(0, "s=-\r\n", "s=\r\n")),
    Mutant("sdp.crlf", HANDSET, "session_mo", edit(0, "t=0 0\r\n", "t=0 0\n")),
    Mutant("sdp.crlf", NETWORK, "session_mo", edit(3, "t=0 0\r\n", "t=0 0\n")),
    Mutant("sdp.o-numeric", HANDSET, "session_mo", edit(0, "o=- 1 1 IN IP4", "o=- 1a 1 IN IP4")),
    Mutant("sdp.o-numeric", NETWORK, "session_mo", edit(3, "o=- 1 1 IN IP4", "o=- 1 1 IN IP6")),
    Mutant(
        "sdp.o-numeric",
        NETWORK,
        "session_mo",
        edit(3, "o=- 1 1 IN IP4", "o=- 9223372036854775808 1 IN IP4"),
    ),
    Mutant("sdp.direction-once", HANDSET, "session_mo", also(0, "a=sendrecv")),
    Mutant("sdp.direction-once", NETWORK, "session_mt", also(0, "a=sendrecv")),
    Mutant("sdp.m.message", HANDSET, "session_mo", edit(0, "TCP/MSRP *", "TCP/MSRP 0")),
    Mutant("sdp.m.message", NETWORK, "session_mt", edit(0, "TCP/MSRP *", "TCP/MSRP * 0")),
    Mutant("sdp.m.message", NETWORK, "session_mt", edit(0, "m=message 20000", "m=message twenty")),
    # -- a=path
    Mutant("sdp.path.present", HANDSET, "session_mo", edit(0, UE_LINE, "")),
    Mutant("sdp.path.present", HANDSET, "session_mo", edit(0, UE_LINE, "a=path\r\n")),
    Mutant("sdp.path.present", NETWORK, "session_mo", edit(3, FAR_LINE, "")),
    Mutant("sdp.path.one-line", HANDSET, "session_mo", edit(0, UE_LINE, UE_LINE + UE_LINE)),
    Mutant("sdp.path.one-line", NETWORK, "session_mo", edit(3, FAR_LINE, FAR_LINE + FAR_LINE)),
    Mutant("sdp.path.uri", HANDSET, "session_mo", edit(0, f"10.0.0.5:9/{UE_ID};tcp", "10.0.0.5:9;tcp")),
    Mutant("sdp.path.uri", HANDSET, "session_mo", edit(0, "10.0.0.5:9/", "10.0.0.5/")),
    Mutant("sdp.path.uri", NETWORK, "session_mo", edit(3, "Ja3;tcp", "Ja3")),
    Mutant("sdp.path.uri", NETWORK, "session_mo", edit(3, "Ja3;tcp", "Ja3;udp")),
    Mutant("sdp.path.uri", NETWORK, "session_mo", edit(3, "a=path:msrp://", "a=path:http://")),
    Mutant("sdp.path.uri", NETWORK, "session_mo", edit(3, "a=path:msrp://10", "a=path:msrp://me:secret@10")),
    Mutant("sdp.path.uri", NETWORK, "session_mo", edit(3, "20000/p4Mz", "20000/p4M$")),
    Mutant("sdp.path.unique", HANDSET, "session_mo", lambda s: sessions(s, UE_ID, UE_ID, ended=False)),
    Mutant("sdp.path.session-id-entropy", HANDSET, "session_mo", edit(0, UE_ID, "k3Jx8Qw2Zr7Lt")),
    Mutant("sdp.path.session-id-entropy", NETWORK, "session_mt", edit(0, FAR_ID, "iau39soe2843z")),
    Mutant(
        "sdp.path.session-id-pattern",
        HANDSET,
        "session_mo",
        lambda s: sessions(s, "k3Jx8Qw2Zr7Lt5Yv100", "k3Jx8Qw2Zr7Lt5Yv101"),
    ),
    Mutant(
        "sdp.path.session-id-pattern",
        HANDSET,
        "session_mo",
        lambda s: sessions(s, "a3f09c4be17d528", "07be41d96ca2f35", "c94e20a7b81f63d"),
    ),
    Mutant(
        "sdp.path.session-id-pattern",
        HANDSET,
        "session_mo",
        lambda s: sessions(s, "31415926535897932", "27182818284590452", "14142135623730950"),
    ),
    Mutant(
        "sdp.path.real-address",
        NETWORK,
        "session_mo",
        edits((3, "message 20000", "message 9"), (3, "msrp://10.0.0.1:20000", "msrp://10.0.0.1:9")),
    ),
    Mutant(
        "sdp.path.real-address",
        NETWORK,
        "session_mo",
        edits((3, "msrp://10.0.0.1", "msrp://0.0.0.0"), (3, "c=IN IP4 10.0.0.1", "c=IN IP4 0.0.0.0")),
    ),
    Mutant("sdp.path.real-address", HANDSET, "session_mo", edit(0, "a=setup:active", "a=setup:actpass")),
    # -- types and sizes
    Mutant("sdp.accept-types.present", HANDSET, "session_mo", edit(0, TYPES, "")),
    Mutant(
        "sdp.accept-types.present", HANDSET, "session_mo", edit(0, "message/cpim app", "message/cpim, app")
    ),
    Mutant(
        "sdp.accept-types.present", NETWORK, "session_mo", edit(3, "message/cpim app", "message/cpim  app")
    ),
    Mutant(
        "sdp.accept-types.cpim", HANDSET, "session_mo", edit(0, ":message/cpim app", ":multipart/mixed app")
    ),
    Mutant(
        "sdp.accept-types.cpim", NETWORK, "session_mo", edit(3, ":message/cpim app", ":multipart/mixed app")
    ),
    Mutant(
        "sdp.accept-types.cpim.ft",
        HANDSET,
        "push_mt",
        edit(2, "a=accept-types:message/cpim\r\n", "a=accept-types:image/jpeg multipart/mixed\r\n"),
    ),
    Mutant(
        "sdp.accept-wrapped.needs-container",
        NETWORK,
        "session_mo",
        edit(3, "types:text/plain", "types:message/cpim text/plain"),
    ),
    Mutant(
        "sdp.accept-wrapped.needs-container",
        HANDSET,
        "session_mo",
        edit(0, TYPES, "a=accept-types:text/html application/im-iscomposing+xml\r\n"),
        ("sdp.accept-types.cpim",),
        "without a container message/cpim is not accepted either",
    ),
    Mutant(
        "sdp.types.intersection",
        NETWORK,
        "session_mo",
        edits((3, TYPES, "a=accept-types:text/plain message/imdn+xml\r\n"), (3, WRAPPED, "")),
        ("sdp.accept-types.cpim",),
        "the type in common that is left out is message/cpim",
    ),
    Mutant("sdp.max-size", NETWORK, "session_mo", also(3, "a=max-size:2 MB")),
    Mutant("sdp.max-size", HANDSET, "session_mo", also(0, "a=max-size:")),
    Mutant("sdp.max-size.other", HANDSET, "chat", also(3, "a=max-size:300")),
    # -- a=setup
    Mutant("sdp.setup.present", HANDSET, "session_mo", edit(0, "a=setup:active\r\n", "")),
    Mutant("sdp.setup.present", NETWORK, "session_mo", edit(3, "a=setup:passive\r\n", "")),
    Mutant("sdp.setup.offer-values", NETWORK, "session_mt", edit(0, "a=setup:actpass", "a=setup:passive")),
    Mutant("sdp.setup.offer-values", NETWORK, "session_mt", edit(0, "a=setup:actpass", "a=setup:holdconn")),
    Mutant("sdp.setup.offer-values", NETWORK, "session_mt", edit(0, "a=setup:actpass", "a=setup:both")),
    Mutant(
        "sdp.setup.offer-values.cema",
        NETWORK,
        "session_mt",
        both(edit(0, "a=setup:actpass", "a=setup:passive"), also(0, "a=msrp-cema"), also(2, "a=msrp-cema")),
        ("sdp.setup.offer-values",),
        "what may not be offered with CEMA may not be offered at all",
        profile=Profile.IETF,
    ),
    Mutant("sdp.setup.pair", NETWORK, "session_mo", edit(3, "a=setup:passive", "a=setup:active")),
    Mutant("sdp.setup.pair", NETWORK, "session_mo", edit(3, "a=setup:passive", "a=setup:both")),
    Mutant(
        "sdp.setup.pair",
        HANDSET,
        "session_mt",
        edits(
            (2, "a=setup:active", "a=setup:actpass"),
            (2, "message 9", "message 8881"),
            (2, "10.0.0.5:9/", "10.0.0.5:8881/"),
        ),
    ),
    Mutant("sdp.setup.connection-attr", HANDSET, "session_mo", also(0, "a=connection:new")),
    Mutant("sdp.setup.connection-attr", NETWORK, "session_mo", also(3, "a=connection:existing")),
    Mutant(
        "sdp.setup.ue-behind-nat",
        HANDSET,
        "session_mo",
        both(
            edits(
                (0, "a=setup:active", "a=setup:actpass"),
                (0, "message 9", "message 8881"),
                (0, "10.0.0.5:9/", "192.168.1.7:8881/"),
                (0, "c=IN IP4 10.0.0.5", "c=IN IP4 192.168.1.7"),
            ),
            lambda s: s.everywhere("10.0.0.5:5060;branch", "192.168.1.7:5060;branch"),
        ),
    ),
    # -- addresses
    Mutant("sdp.m.port-path", NETWORK, "session_mo", edit(3, "m=message 20000", "m=message 20001")),
    Mutant("sdp.m.port9-active", HANDSET, "session_mo", edit(0, "10.0.0.5:9/", "10.0.0.5:8881/")),
    Mutant("sdp.m.port-nonzero", HANDSET, "refused_mo", edit(0, "message 9", "message 0")),
    Mutant("sdp.c.matches-path", NETWORK, "session_mo", edit(3, "c=IN IP4 10.0.0.1", "c=IN IP4 10.0.0.2")),
    Mutant("sdp.c.matches-path", HANDSET, "session_mo", edit(0, "msrp://10.0.0.5", "msrp://[2001:db8::5]")),
    # -- msrp-cema
    Mutant("sdp.cema.attr", HANDSET, "session_mo", also(0, "a=msrp-cema:yes")),
    Mutant("sdp.cema.attr", NETWORK, "session_mo", also(3, "a=msrp-cema:yes")),
    Mutant("sdp.cema.attr", HANDSET, "session_mo", edit(0, "a=setup:active\r\n", "a=msrp-cema\r\n")),
    Mutant(
        "sdp.cema.answerer-mismatch",
        HANDSET,
        "session_mt",
        both(edit(0, "c=IN IP4 10.0.0.1", "c=IN IP4 10.0.0.99"), also(2, "a=msrp-cema")),
        ("sdp.c.matches-path",),
        "the address that was put into the offer is not that of its path, which CEMA alone allows",
    ),
    Mutant(
        "sdp.cema.fallback", HANDSET, "session_mo", falls_back_in_vain, ("sdp.c.matches-path",), IN_PLACE_OF
    ),
    Mutant("sdp.cema.connect-address", HANDSET, "chat", elsewhere),
    Mutant("sdp.cema.connect-address", HANDSET, "chat", lambda s: elsewhere(s, "10.0.0.1:20001")),
    Mutant(
        "sdp.cema.connect-address",
        HANDSET,
        "chat",
        both(CEMA, edit(3, "c=IN IP4 10.0.0.1", "c=IN IP4 10.0.0.99")),
    ),
    Mutant("sdp.cema.session-match", NETWORK, "chat", sub(FAR_TEXT, "10.0.0.1:20000", "10.9.9.9:3541")),
    # -- TLS
    Mutant(
        "sdp.fingerprint",
        HANDSET,
        "chat_over_tls",
        lambda s: shown_certificate(s, b"another certificate"),
    ),
    Mutant(
        "sdp.fingerprint",
        HANDSET,
        "chat_over_tls",
        edit(0, f"a=fingerprint:{certificate_fingerprint(CERTIFICATES[0])}\r\n", ""),
        ("session.tls.fingerprint",),
        "no fingerprint was announced at all",
    ),
    # -- an offer with its answer
    Mutant("sdp.t-equal", NETWORK, "session_mo", edit(3, "t=0 0", "t=1 0")),
    Mutant("sdp.t-equal", HANDSET, "session_mt", edit(2, "t=0 0", "t=1 0")),
    Mutant(
        "sdp.o-differs", NETWORK, "session_mo", edit(3, "o=- 1 1 IN IP4 10.0.0.1", "o=- 1 1 IN IP4 10.0.0.5")
    ),
    Mutant(
        "sdp.o-differs", HANDSET, "session_mt", edit(2, "o=- 1 1 IN IP4 10.0.0.5", "o=- 1 1 IN IP4 10.0.0.1")
    ),
    Mutant(
        "sdp.m-count",
        NETWORK,
        "session_mo",
        edit(3, "a=sendrecv\r\n", "a=sendrecv\r\nm=audio 0 RTP/AVP 0\r\n"),
    ),
    Mutant(
        "sdp.m-count",
        HANDSET,
        "session_mt",
        edit(2, "a=sendrecv\r\n", "a=sendrecv\r\nm=audio 0 RTP/AVP 0\r\n"),
    ),
    Mutant(
        "sdp.m-proto-equal",
        HANDSET,
        "session_mt",
        edits(
            (2, "TCP/MSRP", "TCP/TLS/MSRP"),
            (2, "msrp://", "msrps://"),
            (2, "a=setup", f"a=fingerprint:sha-1 {':'.join(['4A'] * 20)}\r\na=setup"),
        ),
    ),
    Mutant(
        "sdp.direction-pair",
        NETWORK,
        "session_mo",
        both(offered_again, edits((5, "a=sendrecv", "a=recvonly"), (5, "o=- 1 1", "o=- 1 2"))),
    ),
    Mutant("sdp.o-version", HANDSET, "session_mo", both(offered_again, edit(5, "o=- 1 1", "o=- 1 3"))),
    Mutant("sdp.o-version", HANDSET, "session_mo", both(offered_again, edit(5, "o=- 1 1", "o=- 2 1"))),
    Mutant("sdp.o-version", NETWORK, "session_mo", both(offered_again, also(6, "a=x-more:1"))),
    # -- the same of the other side
    Mutant(
        "sdp.setup.offer-values",
        HANDSET,
        "session_mo",
        edits(
            (0, "a=setup:active", "a=setup:passive"),
            (0, "message 9", "message 8881"),
            (0, "10.0.0.5:9/", "10.0.0.5:8881/"),
            (3, "a=setup:passive", "a=setup:active"),
        ),
    ),
    Mutant(
        "sdp.m.port-path",
        HANDSET,
        "session_mo",
        edits(
            (0, "a=setup:active", "a=setup:actpass"),
            (0, "message 9", "message 8881"),
            (0, "10.0.0.5:9/", "10.0.0.5:8882/"),
        ),
    ),
    Mutant(
        "sdp.m.port9-active",
        NETWORK,
        "session_mt",
        edits((0, "a=setup:actpass", "a=setup:active"), (0, "message 20000", "message 9"), *PASSIVE_ANSWER),
    ),
    Mutant("sdp.m.port-nonzero", NETWORK, "cancelled_mt", edit(0, "message 20000", "message 0")),
    Mutant(
        "sdp.m-proto-equal",
        NETWORK,
        "session_mo",
        edits(
            (3, "TCP/MSRP", "TCP/TLS/MSRP"),
            (3, "msrp://", "msrps://"),
            (3, "a=setup", f"a=fingerprint:sha-1 {':'.join(['4A'] * 20)}\r\na=setup"),
        ),
    ),
    Mutant(
        "sdp.cema.answerer-mismatch",
        NETWORK,
        "session_mo",
        both(
            edits(
                (0, "a=setup:active", "a=setup:actpass"),
                (0, "message 9", "message 8881"),
                (0, "10.0.0.5:9/", "10.0.0.5:8881/"),
                (0, "c=IN IP4 10.0.0.5", "c=IN IP4 10.0.0.99"),
            ),
            also(3, "a=msrp-cema"),
        ),
        ("sdp.c.matches-path",),
        "the address that was put into the offer is not that of its path, which CEMA alone allows",
    ),
    Mutant("sdp.max-size.other", NETWORK, "chat", also(0, "a=max-size:300")),
]
