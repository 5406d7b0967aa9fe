"""CPIM objects of a MESSAGE and of a chat, spoiled one by one (RFC 3862, RFC 4975 13, RFC 5438 7.1.1)."""

from __future__ import annotations

import base64

from harness.verify.proof.changes import FAR_TEXT, TEXT
from harness.verify.proof.cpim_changes import in_chat, in_pager, in_text
from harness.verify.proof.flows.written import TEXT as WRITTEN
from harness.verify.proof.flows.written import WRAPPER, in_chunks
from harness.verify.proof.messages import ANONYMOUS, FAR, UE
from harness.verify.proof.mutant import HANDSET, NETWORK, Mutant
from harness.verify.proof.script import Script, crlf

NS = "NS: imdn <urn:ietf:params:imdn>\r\n"
BODY_FROM = f"\r\n\r\nFrom: <{UE}>\r\n"
ENCODED = base64.b64encode(WRITTEN.encode()).decode()
OTHER = "tel:+491700000009"
DATE = "DateTime: 2023-11-14T22:13:20Z"
CHAT_FROM, CHAT_TO = f"From: <{ANONYMOUS}>\r\n", f"To: <{ANONYMOUS}>\r\n"
NO_MIME = "display\r\n\r\nContent-Type"


def each_wrapped(script: Script) -> Script:
    """Each of the two chunks a CPIM object of its own, counted on through both."""
    head = f"{WRAPPER}\r\n{crlf('Content-Type: text/plain', 'Content-Length: 0000')}\r\n"
    piece = head.replace("0000", str(2 * 2048 - len(head))).ljust(2048, "x")
    script.steps[8:12] = in_chunks(piece, piece)
    return script


def text(rule: str, old: str, new: str, *more: tuple[str, str], **beside: object) -> Mutant:
    """A text of the handset with other octets in it."""
    return Mutant(rule, HANDSET, "pager_mo", in_text((old, new), *more), **beside)  # type: ignore[arg-type]


STRUCTURE = [
    text("cpim.structure", NO_MIME, "display\r\n\r\nhello\r\nContent-Type"),
    text("cpim.structure", "Content-Length: 12\r\n\r\nhello, world", "Content-Length: 0"),
    text("cpim.structure", f"To: <{FAR}>\r\nDateTime", f"To: <{FAR}>\nDateTime"),
    text("cpim.structure", NO_MIME, "display\r\n\nContent-Type"),
    text("cpim.structure", BODY_FROM, f"\r\n\r\n\r\nFrom: <{UE}>\r\n"),
    Mutant("cpim.structure", HANDSET, "pager_mo", lambda s: in_text()(s).body(0, "hello, world")),
    Mutant("cpim.structure", NETWORK, "chat", in_chat(FAR_TEXT, (NO_MIME, "display\r\n\nContent-Type"))),
    text("cpim.structure.rfc5438-form", NO_MIME, "display\r\nContent-Type"),
    text("cpim.content-type.present", "Content-Type: text/plain;charset=UTF-8\r\n", ""),
]
HEADERS = [
    text("cpim.header.colon-space", "DateTime: ", "DateTime:"),
    text("cpim.header.colon-space", "DateTime: ", "DateTime:  "),
    text("cpim.header.colon-space", "DateTime: ", "Subject: a \r\nDateTime: "),
    text("cpim.header.colon-space", "DateTime: ", "Subject: a\r\n b\r\nDateTime: "),
    text("cpim.header.colon-space", "DateTime: ", "Sub ject: a\r\nDateTime: "),
    text("cpim.header.colon-space", "DateTime: ", "no header\r\nDateTime: "),
    Mutant("cpim.header.colon-space", NETWORK, "chat", in_chat(FAR_TEXT, ("DateTime: ", "DateTime:"))),
    Mutant(
        "cpim.header.utf8",
        HANDSET,
        "pager_mo",
        lambda s: in_text(("DateTime: ", "Subject: ~\r\nDateTime: "))(s).everywhere("~", "\udcff", 0),
    ),
    text("cpim.header.utf8", "DateTime: ", "Süb: a\r\nDateTime: "),
    text("cpim.header.no-control", "DateTime: ", "Subject: a\x07b\r\nDateTime: "),
    text("cpim.header.escape", "DateTime: ", "Subject: a\\x\r\nDateTime: "),
    text("cpim.header.escape", "DateTime: ", "Subject: \\u0041\r\nDateTime: "),
    text("cpim.header.escape", BODY_FROM, f'\r\n\r\nFrom: "a"b" <{UE}>\r\n'),
    text("cpim.header.case", BODY_FROM, f"\r\n\r\nfrom: <{UE}>\r\n"),
    text("cpim.header.case", "DateTime: ", "Datetime: "),
    text("cpim.header.case", "\r\nNS: ", "\r\nns: "),
    text("cpim.header.case", "imdn.Message-ID", "imdn.Message-Id"),
    text("cpim.ns.declared", NS, ""),
    text("cpim.ns.declared", NS, "", ("display\r\n", f"display\r\n{NS}")),
    text("cpim.ns.declared", "<urn:ietf:params:imdn>", "<urn:example:other>"),
    Mutant(
        "cpim.single-occurrence", HANDSET, "chat", in_chat(TEXT, (NS, f"Subject: a\r\nSubject: b\r\n{NS}"))
    ),
]
ADDRESSES = [
    text("cpim.from-to.present", BODY_FROM, "\r\n\r\n"),
    text("cpim.from-to.present", BODY_FROM, f"\r\n\r\nFrom: {UE}\r\n"),
    text("cpim.from-to.present", BODY_FROM, "\r\n\r\nFrom: <+491700000001>\r\n"),
    text("cpim.from-to.uri-brackets", BODY_FROM, f"\r\n\r\nFrom: A (B) <{UE}>\r\n"),
    text("cpim.from-to.uri-brackets", DATE, f"cc: {FAR}\r\n{DATE}"),
    Mutant("cpim.from-to.present", HANDSET, "chat", in_chat(TEXT, (CHAT_FROM, ""))),
    Mutant("cpim.from-to.present", HANDSET, "chat", in_chat(TEXT, (CHAT_TO, ""))),
    Mutant("cpim.from-to.present", NETWORK, "chat", in_chat(FAR_TEXT, (CHAT_FROM, CHAT_FROM * 2))),
    text("cpim.from-to.present.sip", BODY_FROM, f"{BODY_FROM}From: <{UE}>\r\n"),
    text("cpim.from-to.present.sip", f"{BODY_FROM}To: <{FAR}>\r\n", BODY_FROM),
    Mutant("cpim.anonymous-1to1", HANDSET, "chat", in_chat(TEXT, (CHAT_TO, f"To: <{FAR}>\r\n"))),
    Mutant("cpim.anonymous-1to1", NETWORK, "chat", in_chat(FAR_TEXT, (CHAT_TO, f"To: <{UE}>\r\n"))),
    text("cpim.anonymous-pager", BODY_FROM, f"\r\n\r\nFrom: <{OTHER}>\r\n"),
    text("cpim.anonymous-pager", f"{BODY_FROM}To: <{FAR}>", f"{BODY_FROM}To: <{OTHER}>"),
    Mutant(
        "cpim.anonymous-pager",
        NETWORK,
        "pager_mt",
        in_text((f"\r\n\r\nFrom: <{FAR}>\r\n", f"\r\n\r\nFrom: <{OTHER}>\r\n")),
    ),
    Mutant(
        "cpim.anonymous-mixed",
        NETWORK,
        "pager_mo",
        in_pager(2, (f"\r\n\r\nFrom: <{FAR}>", f"\r\n\r\nFrom: <{ANONYMOUS}>")),
    ),
]
DATES = [
    text("cpim.datetime.present", f"{DATE}\r\n", ""),
    text("cpim.datetime.rfc3339", DATE, "DateTime: 2023-11-14 22:13:20Z"),
    text("cpim.datetime.rfc3339", DATE, "DateTime: 2023-11-14T22:13:20"),
    text("cpim.datetime.rfc3339", DATE, "DateTime: 2023-11-31T22:13:20Z"),
    text("cpim.datetime.rfc3339", DATE, "DateTime: 2023-11-14t22:13:20Z"),
    text("cpim.datetime.plausible", DATE, "DateTime: 2023-11-13T22:03:20Z"),
    Mutant("cpim.datetime.plausible", NETWORK, "pager_mt", in_text((DATE, "DateTime: 2023-11-14T22:23:20Z"))),
    Mutant(
        "cpim.datetime.plausible",
        HANDSET,
        "pager_mt",
        in_pager(4, ("DateTime: 2023-11-14T22:13:21Z", "DateTime: 2023-11-14T22:13:18Z")),
    ),
]
CONTENT = [
    text("cpim.content-length.exact", "Content-Length: 12\r\n\r\nhello", "Content-Length: 9\r\n\r\nhello"),
    text("cpim.content-length.exact", "Content-Length: 12\r\n\r\nhello", "Content-Length: x\r\n\r\nhello"),
    text("cpim.content-length.exact", "hello, world", "hello, world\r\n"),
    text("cpim.content-length.present", "Content-Length: 12\r\n\r\nhello", "\r\nhello"),
    text("cpim.content-type.charset", "charset=UTF-8", "charset=ISO-8859-1"),
    text(
        "cpim.content-type.charset",
        ";charset=UTF-8",
        "",
        ("Content-Length: 12\r\n\r\nhello", "Content-Length: 13\r\n\r\nhell\u00f6"),
    ),
    Mutant(
        "cpim.content-type.charset",
        HANDSET,
        "pager_mo",
        lambda s: in_text(("hello, world", "hell~, world"))(s).everywhere("hell~", "hell\udcf6", 0),
    ),
    text(
        "cpim.cte",
        "Content-Length: 12\r\n\r\nhello",
        "Content-Transfer-Encoding: x-own\r\nContent-Length: 12\r\n\r\nhello",
    ),
    Mutant(
        "cpim.cte", HANDSET, "pager_named", in_text((ENCODED, "A"), (f"Length: {len(ENCODED)}", "Length: 1"))
    ),
    Mutant("cpim.whole-before-chunk", HANDSET, "chat_in_chunks", each_wrapped),
]
REQUIRED = [
    Mutant(
        "cpim.require",
        HANDSET,
        "pager_named",
        in_text(("Require: imdn.Message-ID", "Require: imdn.Message-ID,")),
    ),
    Mutant(
        "cpim.require", HANDSET, "pager_named", in_text(("Require: imdn.Message-ID", "Require: my.Feature"))
    ),
    Mutant(
        "cpim.require",
        NETWORK,
        "pager_named",
        in_pager(0, ("Require: imdn.Message-ID", "NS: my <urn:example:my>\r\nRequire: my.Feature")),
    ),
]
MUTANTS = [*STRUCTURE, *HEADERS, *ADDRESSES, *DATES, *CONTENT, *REQUIRED]
