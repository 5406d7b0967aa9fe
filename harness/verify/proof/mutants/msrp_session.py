"""MSRP responses, REPORTs and sessions spoiled one by one: RFC 4975 5.4, 7.1.2, 7.2 and 8, RFC 6135."""

from __future__ import annotations

from dataclasses import replace

from harness.verify.proof.changes import (
    FAR_TEXT,
    OPEN,
    REPORT,
    TEXT,
    asking,
    at,
    both,
    chunked,
    edit,
    instead,
    path,
    report,
    silent,
    sub,
    text_of,
)
from harness.verify.proof.flows.msrp import (
    FAR_PATH,
    RELAY,
    RELAYED_PATH,
    UE_PATH,
    answered,
    content,
    ok,
    opened,
    send,
)
from harness.verify.proof.mutant import HANDSET, NETWORK, Mutant
from harness.verify.proof.script import Step

of_no_session = both(
    path(TEXT, "k3Jx8Qw2Zr7Lt5Yv9Bn1", "h8Fd2Sa6Pq0Wm4Ec9Xz5"),
    path(TEXT, "p4Mz6Hs8Dc2Vf0Gk7Ja3", "w2Rt9Yb4Nc7Lx1Vq6Ks8"),
)
"""The text of the handset under paths that no SDP names, on the connection of the session."""

MUTANTS = [
    Mutant(
        "msrp.to-path.matches-sdp",
        HANDSET,
        "chat",
        path(TEXT, "p4Mz6Hs8Dc2Vf0Gk7Ja3", "p4Mz6Hs8Dc2Vf0Gk7Ja4"),
    ),
    Mutant(
        "msrp.to-path.matches-sdp", NETWORK, "chat", path(FAR_TEXT, FAR_PATH, FAR_PATH.replace("Ja3", "Ja4"))
    ),
    Mutant(
        "msrp.to-path.matches-sdp",
        HANDSET,
        "chat",
        both(
            sub(TEXT, f"To-Path: {FAR_PATH}", f"To-Path: msrp://r.example.org:2855/x;tcp {FAR_PATH}"),
            sub(9, f"From-Path: {FAR_PATH}", "From-Path: msrp://r.example.org:2855/x;tcp"),
        ),
    ),
    Mutant("msrp.response.paths", HANDSET, "chat", sub(15, f"To-Path: {FAR_PATH}", f"To-Path: {UE_PATH}")),
    Mutant(
        "msrp.response.paths",
        HANDSET,
        "chat",
        sub(15, f"From-Path: {UE_PATH}", f"From-Path: {UE_PATH.replace(':9/', ':10/')}"),
    ),
    Mutant(
        "msrp.response.paths",
        NETWORK,
        "chat",
        sub(9, f"From-Path: {FAR_PATH}", "From-Path: msrp://10.0.0.1:20000/other;tcp"),
    ),
    Mutant(
        "msrp.response.tid",
        NETWORK,
        "chat",
        both(
            sub(9, "MSRP bX8kR2mP9sLw", "MSRP bX8kR2mP9sLx"),
            sub(9, "-------bX8kR2mP9sLw", "-------bX8kR2mP9sLx"),
        ),
    ),
    Mutant("msrp.response.flag", NETWORK, "chat", sub(9, "-------bX8kR2mP9sLw$", "-------bX8kR2mP9sLw+")),
    Mutant(
        "msrp.response.flag",
        NETWORK,
        "chat",
        sub(9, "-------bX8", "Content-Type: text/plain\r\n\r\nhi\r\n-------bX8"),
    ),
    Mutant("msrp.response.codes", NETWORK, "chat", sub(9, "200 OK", "299 Fine")),
    Mutant(
        "msrp.response.required",
        NETWORK,
        "chat",
        both(lambda s: s.drop(9), lambda s: s.drop(19, 20, 21), silent()),
    ),
    Mutant(
        "msrp.response.required",
        NETWORK,
        "chat",
        sub(TEXT, "Content-Type", "Failure-Report: no\r\nContent-Type"),
    ),
    Mutant(
        "msrp.response.required",
        NETWORK,
        "chat",
        sub(TEXT, "Content-Type", "Failure-Report: partial\r\nContent-Type"),
    ),
    Mutant("msrp.response.required", NETWORK, "chat", lambda s: s.copy(9, 10)),
    Mutant("msrp.response.latency", NETWORK, "chat", lambda s: s.change(9, after=12.0)),
    Mutant(
        "msrp.report.form", NETWORK, "chat", both(asking, at(10, report), sub(10, "000 200 OK", "200 OK"))
    ),
    Mutant(
        "msrp.report.form",
        NETWORK,
        "chat",
        both(asking, at(10, report), sub(10, "Status: 000 200 OK\r\n", "")),
    ),
    Mutant(
        "msrp.report.form",
        NETWORK,
        "chat",
        both(asking, at(10, report), sub(10, "Status", "Success-Report: no\r\nStatus")),
    ),
    Mutant("msrp.report.form", NETWORK, "chat", both(asking, at(10, report), sub(10, "w$", "w+"))),
    Mutant(
        "msrp.report.form",
        NETWORK,
        "chat",
        both(at(10, report), sub(10, "000 200 OK", "000 408"), sub(10, "Byte-Range: 1-319/319\r\n", "")),
    ),
    Mutant(
        "msrp.report.byte-range",
        NETWORK,
        "chat",
        both(asking, at(10, report), sub(10, "Byte-Range: 1-319/319\r\n", "")),
    ),
    Mutant("msrp.report.only-if-asked", NETWORK, "chat", at(10, report)),
    Mutant(
        "msrp.report.only-if-asked",
        NETWORK,
        "chat",
        both(
            sub(TEXT, "Content-Type", "Failure-Report: no\r\nContent-Type"),
            lambda s: s.drop(9),
            at(9, report),
            sub(9, "000 200 OK", "000 408"),
        ),
    ),
    Mutant("msrp.report.no-response", HANDSET, "chat", both(asking, at(10, report, ok(report)))),
    Mutant("msrp.report.coverage", NETWORK, "chat", both(asking, lambda s: s.change(20, after=3.0))),
    Mutant(
        "msrp.report.coverage",
        NETWORK,
        "chat",
        both(asking, at(10, report), sub(10, "1-319/319", "2-319/319"), lambda s: s.change(21, after=3.0)),
    ),
    Mutant(
        "msrp.report.no-response",
        HANDSET,
        "chat",
        both(
            asking,
            at(
                10,
                report,
                Step(
                    True,
                    REPORT.replace(UE_PATH, "x")
                    .replace(FAR_PATH, UE_PATH)
                    .replace(": x", f": {FAR_PATH}")
                    .replace("rX4k", "rX5k"),
                    msrp=1,
                ),
            ),
        ),
    ),
    Mutant(
        "msrp.open.first-send",
        NETWORK,
        "chat",
        both(
            lambda s: s.drop(6, 7), at(6, *answered(send(False, "cX1kS2mP9sLw", "Message-ID: 1pEn7kQ2mP9s")))
        ),
    ),
    Mutant("msrp.open.first-send", HANDSET, "chat", sub(OPEN, "SEND", "GREET")),
    Mutant("msrp.open.first-send.delay", HANDSET, "chat", lambda s: s.change(6, after=3.0)),
    Mutant("msrp.open.empty-byte-range", HANDSET, "chat", sub(OPEN, "1-0/0", "0-0/0")),
    Mutant("msrp.open.direction", NETWORK, "chat", both(lambda s: s.drop(5), at(5, opened(handset=False)))),
    Mutant(
        "msrp.open.session-bound",
        NETWORK,
        "chat",
        both(
            at(10, opened()),
            lambda s: s.change(10, msrp=2),
            at(
                11,
                *[
                    replace(step, msrp=2)
                    for step in answered(send(True, "zX1kS2mP9sLw", "Message-ID: 2pEn7kQ2mP9s"))
                ],
            ),
        ),
    ),
    Mutant(
        "msrp.type.allowed",
        HANDSET,
        "chat",
        instead(*answered(content(True, "hA1kQ2mP9sL1", "Id1kQ2mP9sLw", "hi", "text/plain"))),
    ),
    Mutant(
        "msrp.type.allowed",
        NETWORK,
        "chat",
        instead(
            *answered(
                content(
                    False, "hA1kQ2mP9sL1", "Id1kQ2mP9sLw", text_of(200).replace("text/plain", "image/jpeg")
                )
            )
        ),
    ),
    Mutant(
        "msrp.close-after-bye",
        HANDSET,
        "chat",
        at(
            22,
            *(
                replace(step, after=2.0)
                for step in answered(content(True, "hA1kQ2mP9sL1", "Id1kQ2mP9sLw", text_of(200)))
            ),
        ),
    ),
    Mutant(
        "msrp.413-stop",
        HANDSET,
        "chat",
        both(
            instead(*chunked(2048, 2048, 200)),
            sub(11, "200 OK", "413 Enough"),
            lambda s: s.change(12, after=3.0),
        ),
    ),
    Mutant(
        "msrp.direction",
        HANDSET,
        "chat",
        edit(3, "a=sendrecv", "a=sendonly"),
        ("session.sdp.direction",),
        "a chat goes both ways: the direction that is answered is against it",
    ),
    Mutant(
        "msrp.keepalive",
        HANDSET,
        "chat",
        at(20, *answered(content(True, "kX1kS2mP9sLw", "2pEn7kQ2mP9s", "\r\n", "message/cpim"))),
        ("cpim.structure",),
        "line ends are no CPIM message",
    ),
    Mutant(
        "msrp.relay.use-path",
        HANDSET,
        "relayed_chat",
        both(
            sub(TEXT, f"To-Path: {RELAY} {RELAYED_PATH}", f"To-Path: {RELAYED_PATH}"),
            sub(9, f"From-Path: {RELAY}", f"From-Path: {RELAYED_PATH}"),
        ),
    ),
    Mutant(
        "msrp.response.extra-headers",
        NETWORK,
        "chat",
        sub(9, "-------bX8", "Message-ID: Nw1kQ2mP9sLw\r\n-------bX8"),
    ),
    Mutant(
        "msrp.response.extra-headers",
        HANDSET,
        "chat",
        sub(15, "-------eX2", "Byte-Range: 1-100/319\r\n-------eX2"),
    ),
    Mutant(
        "msrp.to-path.matches-sdp",
        HANDSET,
        "chat",
        both(of_no_session, sub(9, "200 OK", "481 No such session")),
    ),
    Mutant(
        "msrp.open.session-bound",
        NETWORK,
        "chat",
        of_no_session,
        ("msrp.to-path.matches-sdp",),
        "it is the request that is of no session",
    ),
    Mutant(
        "msrp.response.tid",
        HANDSET,
        "chat",
        at(10, replace(opened(), msrp=2), replace(ok(content(False, "qX2kU2mP9sLw", "", "")), msrp=2)),
    ),
    Mutant(
        "msrp.response.paths",
        NETWORK,
        "chat",
        sub(9, f"From-Path: {FAR_PATH}", f"From-Path: {RELAY} {FAR_PATH}"),
    ),
    Mutant(
        "msrp.response.flag",
        NETWORK,
        "chat",
        sub(9, "-------bX8", f"Content-Type: text/plain\r\n\r\n{'x' * 1_100_000}\r\n-------bX8"),
    ),
    Mutant("msrp.response.flag", HANDSET, "chat", sub(15, "-------eX2kU2mP9sLw$", "-------eX2kU2mP9sLw+")),
    Mutant("msrp.response.codes", HANDSET, "chat", sub(15, "200 OK", "299 Fine")),
    Mutant("msrp.response.latency", HANDSET, "chat", lambda s: s.change(15, after=12.0)),
    Mutant(
        "msrp.response.required",
        HANDSET,
        "chat",
        sub(FAR_TEXT, "Content-Type", "Failure-Report: no\r\nContent-Type"),
    ),
]
