"""The SDP of file transfers spoiled one by one: RFC 5547 6 to 8."""

from __future__ import annotations

from harness.verify.proof.changes import Change, both, edit
from harness.verify.proof.flows.media import SELECTOR
from harness.verify.proof.mutant import HANDSET, NETWORK, Mutant
from harness.verify.proof.script import Script

ID = "vBnG916bdberum2fFEABR1FR3ExZMUrd"
SELECTOR_LINE = f"a={SELECTOR}\r\n"
HASH = SELECTOR[SELECTOR.index("hash:") :]
LOWER = f"hash:sha-1:{HASH[11:].lower()}"
RANGE = "a=file-range:1-32349\r\n"


def offered_again(selector: str) -> Change:
    """Another selector under the same id, in an offer within the session."""

    def change(script: Script) -> Script:
        for index, source in ((5, 0), (6, 3)):
            description = script.steps[source].text.partition("\r\n\r\n")[2]
            description = description.replace("o=- 1 1", "o=- 1 2").replace(SELECTOR, selector)
            script.line(index, "Content-Type: application/sdp").body(index, description)
        return script

    return change


MUTANTS = [
    Mutant(
        "ft.icsi",
        NETWORK,
        "push_mt",
        lambda s: s.everywhere("oma.cpm.filetransfer", "oma.cpm.systemmsg", 0, 1, 2, 3),
    ),
    Mutant("ft.push.direction", NETWORK, "push_mo", edit(3, "a=recvonly", "a=sendrecv")),
    Mutant("ft.push.direction", HANDSET, "push_mt", edit(2, "a=recvonly", "a=sendonly")),
    Mutant("ft.pull.direction", NETWORK, "pull_mo", edit(3, "a=sendonly", "a=recvonly")),
    Mutant("ft.selector.present", NETWORK, "push_mo", edit(3, SELECTOR_LINE, "")),
    Mutant("ft.selector.present", NETWORK, "push_mo", edit(3, SELECTOR_LINE, 2 * SELECTOR_LINE)),
    Mutant("ft.selector.rcs-set", NETWORK, "push_mt", edit(0, " size:32349", "")),
    Mutant("ft.selector.syntax", NETWORK, "push_mo", edit(3, "type:image/jpeg", "type:image")),
    Mutant("ft.selector.syntax", NETWORK, "push_mo", edit(3, "type:image/jpeg", "type:image/jpeg  ")),
    Mutant("ft.selector.syntax", NETWORK, "push_mo", edit(3, "size:32349", "size:32349 size:32349")),
    Mutant("ft.selector.syntax", NETWORK, "push_mo", edit(3, "size:32349", "size:032349")),
    Mutant("ft.selector.syntax", NETWORK, "pull_mo", edit(3, ":CE:2E", ":CE")),
    Mutant("ft.selector.hex-case", NETWORK, "push_mo", edit(3, HASH, LOWER)),
    Mutant("ft.selector.copied", NETWORK, "push_mo", edit(3, "size:32349", "size:32350")),
    Mutant("ft.selector.copied", HANDSET, "push_mt", edit(2, "type:image/jpeg ", "")),
    Mutant(
        "ft.id.present",
        NETWORK,
        "push_mo",
        edit(3, "a=file-transfer-id:vBnG916bdberum2fFEABR1FR3ExZMUrd\r\n", ""),
    ),
    Mutant("ft.id.present", HANDSET, "push_mt", edit(2, ID, "another")),
    Mutant(
        "ft.disposition",
        NETWORK,
        "push_mo",
        edit(3, "a=recvonly", "a=file-disposition:attachment\r\na=recvonly"),
    ),
    Mutant(
        "ft.disposition", HANDSET, "push_mo", edit(0, "disposition:attachment", "disposition:attachment; x")
    ),
    Mutant("ft.disposition.value", HANDSET, "push_mo", edit(0, "disposition:attachment", "disposition:icon")),
    Mutant("ft.date", HANDSET, "push_mo", edit(0, "+0300", "GMT")),
    Mutant("ft.date", HANDSET, "push_mo", edit(0, "Mon, 15", "Tue, 15")),
    Mutant("ft.date", HANDSET, "push_mo", edit(0, "creation:", "made:")),
    Mutant(
        "ft.date",
        NETWORK,
        "push_mo",
        edit(3, "a=recvonly", 'a=file-date:creation:"Mon, 15 May 2006 15:01:31 +0300"\r\na=recvonly'),
    ),
    Mutant(
        "ft.icon.push-answer",
        NETWORK,
        "push_mo",
        edit(3, "a=recvonly", "a=file-icon:cid:id2@example.com\r\na=recvonly"),
    ),
    Mutant("ft.range.form", NETWORK, "push_mo", edit(3, RANGE, "")),
    Mutant("ft.range.form", NETWORK, "push_mo", edit(3, RANGE, "a=file-range:1-32348\r\n")),
    Mutant("ft.range.form", NETWORK, "push_mo", edit(3, RANGE, "a=file-range:0-32349\r\n")),
    Mutant(
        "ft.range.answer-only",
        HANDSET,
        "push_mt",
        edit(2, "a=recvonly", "a=file-range:1-32349\r\na=recvonly"),
    ),
    Mutant("ft.push.direction", NETWORK, "push_mt", edit(0, "a=sendonly", "a=sendrecv")),
    Mutant(
        "ft.selector.present",
        NETWORK,
        "push_mt",
        both(
            edit(0, f" type:image/jpeg size:32349 {HASH}", ""),
            edit(2, f" type:image/jpeg size:32349 {HASH}", ""),
        ),
        ("ft.selector.rcs-set",),
        "a name alone is not what clients of RCS tell of a file either",
    ),
    Mutant(
        "ft.selector.name-safe",
        NETWORK,
        "push_mt",
        both(
            edit(0, "My cool picture.jpg", "../My cool.jpg"), edit(2, "My cool picture.jpg", "../My cool.jpg")
        ),
    ),
    Mutant(
        "ft.selector.on-reject",
        HANDSET,
        "push_refused_mt",
        edit(2, "size:32349", "size:1"),
    ),
    Mutant(
        "ft.id.random",
        NETWORK,
        "push_mt",
        both(
            edit(0, ID, "0123456789"),
            edit(2, ID, "0123456789"),
        ),
    ),
    Mutant(
        "ft.accept-types.value",
        HANDSET,
        "push_mt",
        edit(2, "a=accept-wrapped-types:*", "a=accept-wrapped-types:text/plain"),
    ),
    Mutant(
        "ft.id.selector-change",
        HANDSET,
        "push_mo",
        offered_again(SELECTOR.replace("cool picture", "other picture")),
    ),
    Mutant(
        "ft.id.selector-change",
        HANDSET,
        "push_mo",
        offered_again(SELECTOR.replace("size:32349", "size:32350")),
    ),
    Mutant(
        "ft.selector.no-folding",
        HANDSET,
        "push_mo",
        edit(0, " size:32349", "\r\n size:32349"),
        beside=("ft.selector.rcs-set", "sdp.order"),
        why="What goes on is no line of SDP, and the selectors in it are not read.",
    ),
    Mutant(
        "ft.selector.present",
        HANDSET,
        "files_in_options",
        edit(1, "a=file-selector\r\n", "a=file-selector:size:1\r\n"),
    ),
    Mutant(
        "ft.selector.present",
        NETWORK,
        "push_mo",
        edit(3, SELECTOR_LINE, "a=file-selector\r\n"),
        ("ft.selector.copied",),
        "a selector without any has none of those of the offer",
    ),
    Mutant(
        "ft.selector.name-safe",
        NETWORK,
        "push_mt",
        both(edit(0, "My cool", "My\\cool"), edit(2, "My cool", "My\\cool")),
    ),
    # -- the same of the other side
    Mutant("ft.pull.direction", NETWORK, "pull_mo", edit(3, "a=sendonly", "a=sendrecv")),
    Mutant(
        "ft.selector.rcs-set",
        HANDSET,
        "push_mo",
        both(edit(0, " size:32349", ""), edit(3, " size:32349", "")),
    ),
    Mutant("ft.selector.syntax", HANDSET, "push_mt", edit(2, "size:32349", "size:032349")),
    Mutant("ft.selector.hex-case", HANDSET, "push_mt", edit(2, HASH, LOWER)),
    Mutant(
        "ft.selector.name-safe",
        HANDSET,
        "push_mo",
        both(edit(0, "My cool picture.jpg", ".."), edit(3, "My cool picture.jpg", "..")),
    ),
    Mutant(
        "ft.id.random",
        HANDSET,
        "push_mo",
        both(edit(0, ID, "0123456789"), edit(3, ID, "0123456789")),
    ),
    Mutant("ft.range.form", HANDSET, "push_mo", edit(0, RANGE, "a=file-range:0-32349\r\n")),
    Mutant(
        "ft.disposition", HANDSET, "push_mt", edit(2, "a=recvonly", "a=file-disposition:render\r\na=recvonly")
    ),
    Mutant(
        "ft.icon.push-answer",
        HANDSET,
        "push_mt",
        edit(2, "a=recvonly", "a=file-icon:cid:id2@example.com\r\na=recvonly"),
    ),
]
