"""Files inside CPIM, with a transfer encoding and without: size and hash of what is in them (RFC 5547)."""

from __future__ import annotations

import base64

import pytest

from harness.verify.engine import Verifier
from harness.verify.proof.flows.files import OCTETS, PICTURE, chunks, push, without_part, wrapped
from harness.verify.proof.flows.msrp import answered, send
from harness.verify.proof.script import Script, Step

TOO_LARGE = 4 * 1024 * 1024  # octets of a CPIM object that is read as a whole


def coded(content: str, encoding: str) -> str:
    """The file inside CPIM under a Content-Transfer-Encoding."""
    return wrapped(content).replace(
        "Content-Type: image/jpeg", f"Content-Transfer-Encoding: {encoding}\r\nContent-Type: image/jpeg"
    )


def based(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def sent(cpim: str, announced: bytes = OCTETS) -> Script:
    return without_part(push(*chunks(cpim, "message/cpim"), announced=announced))


def judged(script: Script) -> tuple[list[str], list[tuple[str, str]]]:
    """Findings on the file, and what was left open of it with the last words of why."""
    verifier = Verifier()
    verifier.judge(script.timeline())
    rules = [each.rule for each in verifier.findings if each.rule.startswith(("ft.selector", "internal"))]
    return rules, [(each.rule, each.why) for each in verifier.open if each.rule.startswith("ft.selector")]


@pytest.mark.parametrize(
    ("cpim", "expected"),
    [
        (coded(based(OCTETS), "base64"), []),
        (coded(based(b"!" + OCTETS[1:]), "base64"), ["ft.selector.hash-verify"]),
        (coded(based(OCTETS[:-1]), "base64"), ["ft.selector.size"]),
        (coded(PICTURE, "8BIT"), []),
        (coded(PICTURE, "7bit"), []),
        (coded(PICTURE, "binary"), []),
        (coded(PICTURE[:-1] + "!", "8bit"), ["ft.selector.hash-verify"]),
        (coded(PICTURE[:-1], "8bit"), ["ft.selector.size"]),
    ],
)
def test_what_is_inside_counts(cpim: str, expected: list[str]) -> None:
    assert judged(sent(cpim)) == (expected, [])


WHY = "the wrapped file is transfer-encoded, and too large or not fit to be decoded"
KIND = "Content-Type: message/cpim"


def test_an_encoding_that_cannot_be_undone_leaves_the_file_open() -> None:
    unknown = coded(PICTURE, "x-own")
    assert judged(sent(unknown)) == ([], [("ft.selector.size", WHY)])
    broken = coded("no base64 at all!!", "base64")
    assert judged(sent(broken)) == ([], [("ft.selector.size", WHY)])
    for cpim in (unknown, broken):  # whose size nobody told
        script = sent(cpim)
        for index in (0, 3):
            script.everywhere(f" size:{len(OCTETS)}", "", index)
            script.body(index, script.steps[index].text.partition("\r\n\r\n")[2])
        found, left = judged(script)
        assert [rule for rule in found if rule != "ft.selector.rcs-set"] == []
        assert left == [("ft.selector.hash-verify", WHY)]


def test_an_encoded_file_too_large_to_be_read_at_once_is_left_open() -> None:
    octets = b"0123456789abcdef" * (TOO_LARGE // 16)
    cpim = coded(based(octets), "base64")
    rows = ["Message-ID: FilekQ2mP9sLw", f"Byte-Range: 1-*/{len(cpim)}", "Content-Type: message/cpim"]
    whole = send(True, "hA0kQ2mP9sL1", *rows, body=cpim).text
    pieces = [Step(True, whole[at : at + 60_000], 0.001, msrp=1) for at in range(0, len(whole), 60_000)]
    (reply,) = answered(send(True, "hA0kQ2mP9sL1", *rows, body="x"))[1:]
    assert judged(without_part(push(*pieces, reply, announced=octets))) == ([], [("ft.selector.size", WHY)])


def test_headers_of_cpim_in_several_chunks_are_no_octets_of_the_file() -> None:
    cpim, steps = wrapped(PICTURE), []
    data = cpim.encode()
    for number, at in enumerate(range(0, len(data), 50)):
        end = min(at + 50, len(data))
        rows = (
            "Message-ID: FilekQ2mP9sLw",
            f"Byte-Range: {at + 1}-{end}/{len(data)}",
            "Content-Type: message/cpim",
        )
        text = data[at:end].decode("utf-8", "surrogateescape")
        steps.append(
            send(True, f"h{number}kQ2mP9sL1", *rows, body=text, flag="$" if end == len(data) else "+")
        )
    assert judged(without_part(push(*answered(*steps)))) == ([], [])


def test_where_the_file_ends_by_no_two_accounts_alike_is_left_open() -> None:
    script = sent(wrapped(PICTURE[:-1]))
    total = len(wrapped(PICTURE[:-1]).encode())
    for index, step in enumerate(script.steps):
        if step.msrp:
            script.everywhere(f"/{total}\r\n", f"/{total + 7}\r\n", index)
    rules, left = judged(script)
    assert (rules, left) == (
        [],
        [("ft.selector.size", "end-line and Byte-Range do not agree on where the file ends")],
    )
