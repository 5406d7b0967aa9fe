"""MSRP messages and their chunks spoiled one by one: RFC 4975 7.1, 7.3 and 9."""

from __future__ import annotations

from harness.verify.proof.changes import (
    FAR_TEXT,
    OPEN,
    TEXT,
    at,
    both,
    chunk,
    chunked,
    instead,
    sub,
    text_of,
    tid,
    uninterrupted,
)
from harness.verify.proof.flows.msrp import FAR_PATH, UE_PATH, answered, content, ok
from harness.verify.proof.mutant import HANDSET, NETWORK, Mutant
from harness.verify.proof.script import Step

# Rule, what the text of the far end has, and what instead of it.
OF_THE_NETWORK = [
    ("msrp.content-type.last", "Content-Type: message/cpim", "Content-Type: message/cpim\r\nX-New: yes"),
    ("msrp.no-cte", "Content-Type", "Content-Transfer-Encoding: binary\r\nContent-Type"),
    ("msrp.message-id.present", "Message-ID: Nw3kQ2mP9sLw\r\n", ""),
    ("msrp.byte-range.syntax", "1-319/319", "1-319"),
    ("msrp.byte-range.first-chunk", "Byte-Range: 1-319/319\r\n", ""),
    ("msrp.byte-range.exact", "1-319/319", "1-320/*"),
    ("msrp.byte-range.end-total", "1-319/319", "1-*/400"),
    ("msrp.byte-range.end-total", "-------eX2kU2mP9sLw$", "-------eX2kU2mP9sLw+"),
    ("msrp.body.delimiter-crlf", "1-319/319", "1-321/321"),
    ("msrp.reports.values", "Content-Type", "Failure-Report: never\r\nContent-Type"),
]

MUTANTS = [
    *(Mutant(rule, NETWORK, "chat", sub(FAR_TEXT, old, new)) for rule, old, new in OF_THE_NETWORK),
    Mutant("msrp.start-line", HANDSET, "chat", at(10, Step(True, "hello there\r\n\r\n", msrp=1))),
    Mutant("msrp.start-line", NETWORK, "chat", at(10, Step(False, "msrp aX7kQ2mP9sLw SEND\r\n\r\n", msrp=1))),
    Mutant("msrp.start-line", HANDSET, "chat", sub(18, "MSRP gX4kW2mP9sLw SEND", "MSRP gX4kW2mP9sLw Send")),
    Mutant("msrp.tid.syntax", HANDSET, "chat", tid(18, "-X4kW2mP9sLw")),
    Mutant("msrp.tid.syntax", HANDSET, "chat", both(sub(18, "MSRP gX4k", "MSRP g_4k"), lambda s: s.drop(19))),
    Mutant("msrp.tid.syntax", HANDSET, "chat", tid(18, "g" * 33)),
    Mutant("msrp.tid.entropy", HANDSET, "chat", tid(18, "gX4kW2mP9s")),
    Mutant("msrp.tid.entropy", NETWORK, "chat", tid(12, "a786hjs2")),
    Mutant("msrp.tid.pattern", NETWORK, "chat", both(tid(10, "n04s00i7t0+94"), tid(12, "n04s00i7t0+95"))),
    Mutant(
        "msrp.tid.pattern",
        HANDSET,
        "chat",
        both(
            tid(OPEN, "f0aa3bc4de5f"),
            instead(
                *answered(
                    *[
                        content(True, f"{n:02x}aa3bc4de5f", f"Id{n}kQ2mP9sLw", text_of(200))
                        for n in (80, 161, 242, 7, 96, 51, 189)
                    ]
                )
            ),
        ),
    ),
    Mutant(
        "msrp.tid.unique",
        HANDSET,
        "chat",
        instead(
            content(True, "hA1kQ2mP9sL1", "Id1kQ2mP9sLw", text_of(200)),
            content(True, "hA1kQ2mP9sL1", "Id2kQ2mP9sLw", text_of(200)),
            ok(content(True, "hA1kQ2mP9sL1", "", "")),
            ok(content(True, "hA1kQ2mP9sL1", "", "")),
        ),
    ),
    Mutant(
        "msrp.path-first",
        HANDSET,
        "chat",
        sub(
            TEXT,
            f"To-Path: {FAR_PATH}\r\nFrom-Path: {UE_PATH}",
            f"From-Path: {UE_PATH}\r\nTo-Path: {FAR_PATH}",
        ),
    ),
    Mutant("msrp.path-first", NETWORK, "chat", sub(9, "To-Path", "Message-ID: Ue1kQ2mP9sLw\r\nTo-Path")),
    Mutant(
        "msrp.path-first", NETWORK, "chat", sub(FAR_TEXT, "Message-ID", f"To-Path: {UE_PATH}\r\nMessage-ID")
    ),
    Mutant(
        "msrp.content-type.last",
        HANDSET,
        "chat",
        sub(
            TEXT,
            "Message-ID: Ue1kQ2mP9sLw\r\nByte-Range: 1-319/319\r\nContent-Type: message/cpim",
            "Message-ID: Ue1kQ2mP9sLw\r\nContent-Type: message/cpim\r\nByte-Range: 1-319/319",
        ),
    ),
    Mutant(
        "msrp.no-mime-without-body",
        HANDSET,
        "chat",
        sub(OPEN, "-------", "Content-Type: text/plain\r\n-------"),
    ),
    Mutant("msrp.no-mime-without-body", HANDSET, "chat", sub(OPEN, "-------", "\r\n-------")),
    Mutant(
        "msrp.no-cte",
        HANDSET,
        "chat",
        sub(TEXT, "Content-Type", "Content-Transfer-Encoding: binary\r\nContent-Type"),
    ),
    Mutant("msrp.message-id.present", HANDSET, "chat", sub(TEXT, "Message-ID: Ue1kQ2mP9sLw\r\n", "")),
    Mutant(
        "msrp.message-id.present", HANDSET, "chat", sub(TEXT, "Message-ID: Ue1kQ2mP9sLw", "Message-ID: Ue1")
    ),
    Mutant(
        "msrp.message-id.present", HANDSET, "chat", sub(OPEN, "Message-ID: 0pEn7kQ2mP9s", "Message-ID: <a@b>")
    ),
    Mutant("msrp.message-id.bodiless", HANDSET, "chat", sub(OPEN, "Message-ID: 0pEn7kQ2mP9s\r\n", "")),
    Mutant("msrp.byte-range.syntax", HANDSET, "chat", sub(TEXT, "1-319/319", "1-319")),
    Mutant("msrp.byte-range.syntax", HANDSET, "chat", sub(TEXT, "1-319/319", "0-318/*")),
    Mutant("msrp.byte-range.first-chunk", HANDSET, "chat", sub(TEXT, "Byte-Range: 1-319/319\r\n", "")),
    Mutant(
        "msrp.byte-range.required",
        HANDSET,
        "chat",
        both(instead(*chunked(2048, 200)), sub(10, "Byte-Range: 2049-2248/2248\r\n", "")),
    ),
    Mutant(
        "msrp.byte-range.continuity",
        HANDSET,
        "chat",
        both(instead(*chunked(2048, 200)), sub(10, "2049-2248/2248", "2050-2249/*"), sub(8, "/2248", "/*")),
    ),
    Mutant(
        "msrp.byte-range.continuity",
        NETWORK,
        "chat",
        instead(
            *answered(
                chunk(1, 1, 2048, "3000", "+", handset=False, body=text_of(2058)[:2048]),
                chunk(2, 2049, 10, "2058", "$", handset=False),
            )
        ),
    ),
    Mutant("msrp.byte-range.exact", HANDSET, "chat", sub(TEXT, "1-319/319", "1-320/*")),
    Mutant("msrp.byte-range.end-total", HANDSET, "chat", sub(TEXT, "1-319/319", "1-*/400")),
    Mutant("msrp.byte-range.end-total", HANDSET, "chat", sub(TEXT, "1-319/319", "1-*/300")),
    Mutant(
        "msrp.byte-range.end-total",
        HANDSET,
        "chat",
        sub(TEXT, "-------bX8kR2mP9sLw$", "-------bX8kR2mP9sLw+"),
    ),
    Mutant(
        "msrp.byte-range.end-total",
        HANDSET,
        "chat",
        instead(*answered(chunk(1, 1, 200, "*", "$", body=text_of(200)), chunk(2, 201, 100, "*", "$"))),
    ),
    Mutant(
        "msrp.byte-range.end-total",
        HANDSET,
        "chat",
        instead(*answered(chunk(1, 1, 200, "300", "#"), chunk(2, 201, 100, "300", "$"))),
    ),
    Mutant(
        "msrp.byte-range.end-total",
        HANDSET,
        "chat",
        both(sub(OPEN, "-------aX7kQ2mP9sLw$", "-------aX7kQ2mP9sLw+")),
    ),
    Mutant(
        "msrp.chunk-2048",
        HANDSET,
        "chat",
        instead(*answered(chunk(1, 1, 2049, "2049", "$", body=text_of(2049)))),
    ),
    Mutant("msrp.chunk-small", HANDSET, "chat", instead(*chunked(500, 500, 500))),
    Mutant(
        "msrp.message-id.same-over-chunks",
        HANDSET,
        "chat",
        instead(
            *answered(
                content(True, "hA1kQ2mP9sL1", "Id1kQ2mP9sLw", text_of(200)),
                content(True, "hA2kQ2mP9sL1", "Id1kQ2mP9sLw", text_of(201)),
            )
        ),
    ),
    Mutant(
        "msrp.message-id.same-over-chunks",
        HANDSET,
        "chat",
        instead(
            *answered(
                content(True, "hA1kQ2mP9sL1", "Id1kQ2mP9sLw", text_of(200)),
                content(True, "hA2kQ2mP9sL1", "Id1kQ2mP9sLw", text_of(200)),
            )
        ),
    ),
    Mutant(
        "msrp.message-id.same-over-chunks",
        HANDSET,
        "chat",
        instead(*answered(chunk(2, 2049, 100, "2148", "$"))),
    ),
    Mutant(
        "msrp.reports.same-over-chunks",
        HANDSET,
        "chat",
        both(instead(*chunked(2048, 200)), sub(10, "Content-Type", "Success-Report: yes\r\nContent-Type")),
    ),
    Mutant(
        "msrp.reports.values",
        HANDSET,
        "chat",
        sub(TEXT, "Content-Type", "Success-Report: partial\r\nContent-Type"),
    ),
    Mutant(
        "msrp.reports.values",
        HANDSET,
        "chat",
        sub(TEXT, "Content-Type", "Failure-Report: Yes\r\nContent-Type"),
    ),
    Mutant(
        "msrp.reports.values",
        HANDSET,
        "chat",
        sub(TEXT, "Content-Type", "Failure-Report: yes\r\nFailure-Report: yes\r\nContent-Type"),
    ),
    Mutant(
        "msrp.end-line",
        HANDSET,
        "chat",
        both(
            instead(
                content(True, "hA1kQ2mP9sL1", "Id1kQ2mP9sLw", text_of(200)),
                *answered(content(True, "hA2kQ2mP9sL1", "Id2kQ2mP9sLw", text_of(200))),
            ),
            sub(8, "\r\n-------h", "\r\n------h"),
        ),
    ),
    Mutant(
        "msrp.end-line",
        HANDSET,
        "chat",
        both(
            instead(
                content(True, "hA1kQ2mP9sL1", "Id1kQ2mP9sLw", text_of(200)),
                *answered(content(True, "hA2kQ2mP9sL1", "Id2kQ2mP9sLw", text_of(200))),
            ),
            sub(8, "-------hA1", "-------hA7"),
        ),
    ),
    Mutant("msrp.body.delimiter-crlf", HANDSET, "chat", sub(TEXT, "1-319/319", "1-321/321")),
    Mutant(
        "msrp.body.delimiter-crlf",
        HANDSET,
        "chat",
        both(
            instead(content(True, "hA1kQ2mP9sL1", "Id1kQ2mP9sLw", text_of(200))),
            sub(8, "x\r\n-------", "x-------"),
        ),
    ),
    Mutant(
        "msrp.end-line.not-in-body",
        HANDSET,
        "chat",
        both(
            instead(
                *answered(
                    content(
                        True,
                        "hA1kQ2mP9sL1",
                        "Id1kQ2mP9sLw",
                        text_of(200) + "\r\n-------hA1kQ2mP9sL1$\r\nand more",
                    )
                )
            )
        ),
    ),
    Mutant(
        "msrp.message.whole",
        HANDSET,
        "chat",
        both(
            instead(content(True, "hA1kQ2mP9sL1", "Id1kQ2mP9sLw", text_of(200))),
            sub(8, "\r\n-------hA1kQ2mP9sL1$\r\n", ""),
        ),
    ),
    Mutant("msrp.send.interrupt", HANDSET, "chat", instead(*uninterrupted(4.0))),
    Mutant(
        "msrp.resend-same-id",
        HANDSET,
        "resent_chat",
        lambda s: s.everywhere("Message-ID: Ue1kQ2mP9sLw", "Message-ID: Ue9kQ2mP9sLw", 15),
    ),
    Mutant(
        "msrp.message-id.present",
        HANDSET,
        "chat",
        sub(TEXT, "Message-ID: Ue1kQ2mP9sLw", "Message-ID: Ue1kQ2mP9sLw\r\nMessage-ID: Ue9kQ2mP9sLw"),
    ),
    Mutant(
        "msrp.byte-range.syntax",
        HANDSET,
        "chat",
        sub(TEXT, "Byte-Range: 1-319/319", "Byte-Range: 1-319/319\r\nByte-Range: 1-319/319"),
    ),
    Mutant("msrp.tid.syntax", NETWORK, "chat", tid(FAR_TEXT, "-X2kU2mP9sLw")),
    Mutant(
        "msrp.chunk-2048",
        NETWORK,
        "chat",
        instead(*answered(chunk(1, 1, 2049, "2049", "$", handset=False, body=text_of(2049)))),
    ),
]
