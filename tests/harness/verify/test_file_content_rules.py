"""Files and large messages as they come over MSRP: sizes, hashes, types, one file in a session."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from harness.verify.catalogue import load_checks
from harness.verify.engine import Verifier
from harness.verify.proof.flows.media import FAR_ANSWER, TRANSFER_ID, UE_OFFER, body, large_mo, push_mo
from harness.verify.proof.flows.msrp import answered, closed, content, opened, send
from harness.verify.proof.messages import FAR, UE, answer, imdn_body, in_dialog, mt_message, text_body
from harness.verify.proof.script import Script, Step

PICTURE = "\u00ff\u00d8 octets of a picture. " * 100
OCTETS = PICTURE.encode()
FILE_ID, CONTRIBUTION = "Fil1aB2cD3eF4gH5iJ6k", "0b0f8f6e-1111-4aaa-8bbb-000000000010"


def sha1(octets: bytes) -> str:
    return "sha-1:" + ":".join(f"{octet:02X}" for octet in hashlib.sha1(octets).digest())


def selector(octets: bytes = OCTETS) -> str:
    return f'file-selector:name:"a.jpg" type:image/jpeg size:{len(octets)} hash:{sha1(octets)}'


def cpim_headers() -> str:
    head = text_body(UE, FAR, FILE_ID).partition("\r\n\r\n")[0]
    return f"{head}\r\n\r\nContent-Type: image/jpeg\r\nContent-Length: 0\r\n\r\n"


def with_cpim_part(script: Script) -> Script:
    """The INVITE with the CPIM headers of the file beside the SDP."""
    description = script.steps[0].text.partition("\r\n\r\n")[2]
    script.everywhere("Content-Type: application/sdp", 'Content-Type: multipart/mixed;boundary="b1"', 0)
    return script.body(
        0,
        f"--b1\r\nContent-Type: message/cpim\r\n\r\n{cpim_headers()}\r\n"
        f"--b1\r\nContent-Type: application/sdp\r\n\r\n{description}\r\n--b1--",
    )


def chunks(
    octets: str, kind: str = "image/jpeg", message_id: str = "FilekQ2mP9sLw", mark: str = "h", first: int = 1
) -> list[Step]:
    """A file of the handset in chunks of 2048 octets, each with its 200."""
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
    head = text_body(UE, FAR, FILE_ID).rpartition("\r\n\r\n")[0]
    return (
        head.replace("text/plain;charset=UTF-8", "image/jpeg").replace(
            "Content-Length: 12", f"Content-Length: {len(octets.encode())}"
        )
        + "\r\n\r\n"
        + octets
    )


def push(
    *media: Step,
    announced: bytes = OCTETS,
    accept: str = "message/cpim image/jpeg",
    file_range: str = "",
    extra: str = "",
) -> Script:
    """The handset sends a file: INVITE 0, 200 3, the opening SEND 6, the file from 8 on, BYE, the end."""
    parts = (f"file-range:{file_range}",) if file_range else ()
    offer = body(UE_OFFER, "sendonly", selector(announced), TRANSFER_ID, *parts)
    taken = body(
        FAR_ANSWER,
        "recvonly",
        selector(announced),
        TRANSFER_ID,
        *parts,
        *filter(None, [extra]),
        accept=accept,
    )
    script = push_mo().body(0, offer).body(3, taken)
    bye = in_dialog("BYE", 2, "bye", "Supported: timer")
    opening = answered(send(True, "aX7kQ2mP9sLw", "Message-ID: 0pEn7kQ2mP9s"))
    script.steps[5:] = [opened(), *opening, *media, bye, answer(bye, "200 OK", ""), closed()]
    return with_cpim_part(script)


def without_part(script: Script) -> Script:
    text = script.steps[0].text
    description = re.search(r"v=0\r\n.*?(?=\r\n--b1--)", text, re.DOTALL)[0]
    script.everywhere('multipart/mixed;boundary="b1"', "application/sdp", 0)
    return script.body(0, description)


def found(script: Script, profile: str = "rcs51") -> Verifier:
    verifier = Verifier(profile)
    verifier.judge(script.timeline())
    return verifier


def rules_of(verifier: Verifier):
    return list(dict.fromkeys((each.rule, each.party.value) for each in verifier.findings))


def offered_again(script: Script, transfer_id: str = TRANSFER_ID, port: int = 9) -> list[Step]:
    """An offer and answer in the dialog."""
    update = in_dialog("UPDATE", 2, "upd", "Content-Type: application/sdp")
    side = (UE_OFFER[0], UE_OFFER[1], port, UE_OFFER[3])
    offer = (
        body(side, "sendonly", selector(), transfer_id)
        .replace("o=- 1 1", "o=- 1 2")
        .replace(f":{port}/", ":9/")
    )
    far = (FAR_ANSWER[0], FAR_ANSWER[1], FAR_ANSWER[2] if port else 0, FAR_ANSWER[3])
    taken = (
        body(far, "recvonly", selector(), transfer_id, accept="message/cpim image/jpeg")
        .replace(":0/", ":20000/")
        .replace("o=- 1 1", "o=- 1 2" if transfer_id != TRANSFER_ID or not port else "o=- 1 1")
    )
    reply = answer(update, "200 OK", "", ("Content-Type: application/sdp",))
    made = Script([update, reply]).body(0, offer).body(1, taken)
    return made.steps


LEGAL: dict[str, Callable[[], Script]] = {
    "bare": lambda: push(*chunks(PICTURE)),
    "wrapped": lambda: without_part(push(*chunks(wrapped(PICTURE), "message/cpim"))),
    "resumed": lambda: push(
        *chunks(PICTURE[1000:]), file_range=f"{len(OCTETS) - len(PICTURE[1000:].encode()) + 1}-{len(OCTETS)}"
    ),
    "one octet": lambda: push(*chunks("x"), announced=b"x"),
    "given up": lambda: push(*given_up()),
    "an unknown hash": lambda: push(*chunks(PICTURE)).everywhere("hash:sha-1", "hash:sha-999", 0, 3),
}


def given_up() -> list[Step]:
    steps = chunks(PICTURE)[:2]
    return answered(replace(steps[0], text=re.sub(r"\+\r\n\Z", "#\r\n", steps[0].text)))


@pytest.mark.parametrize("name", sorted(LEGAL))
def test_a_file_as_announced_breaks_no_rule(name):
    for profile in ("rcs51", "ietf"):
        verifier = found(LEGAL[name](), profile)
        ours = [
            each
            for each in verifier.findings
            if each.rule.startswith(("ft.", "msrp.", "internal", "imdn.", "cpim."))
        ]
        assert [str(each) for each in ours] == []


FLIPPED = PICTURE[:-1] + "!"
BROKEN = {
    "ft.selector.size": lambda: push(*chunks(PICTURE[:-1])),
    "ft.selector.hash-verify": lambda: push(*chunks(FLIPPED)),
    "ft.range.vs-byte-range": lambda: push(
        *chunks("x" * 50, first=51), announced=b"y" * 100, file_range="51-100"
    ),
    "ft.max-size": lambda: push(*chunks(PICTURE), extra="max-size:2048"),
    "ft.accept-types": lambda: push(*chunks(PICTURE), accept="message/cpim"),
    "ft.single-file": lambda: push(*chunks(PICTURE), *chunks(PICTURE, message_id="NextkQ2mP9sLw", mark="i")),
    "ft.cpim-part": lambda: without_part(push(*chunks(PICTURE))),
}


@pytest.mark.parametrize("rule", sorted(BROKEN))
def test_a_broken_rule_is_found_and_nothing_else(rule):
    assert rules_of(found(BROKEN[rule]())) == [(rule, "handset")]


def test_a_wrapped_file_is_measured_and_hashed_without_its_wrapper():
    flipped = without_part(push(*chunks(wrapped(FLIPPED), "message/cpim")))
    assert rules_of(found(flipped)) == [("ft.selector.hash-verify", "handset")]
    short = without_part(push(*chunks(wrapped(PICTURE[:-1]), "message/cpim")))
    assert rules_of(found(short)) == [("ft.selector.size", "handset")]


def test_of_a_part_nobody_knows_the_hash():
    rest = PICTURE[1000:]
    script = push(*chunks(rest), file_range=f"{len(OCTETS) - len(rest.encode()) + 1}-{len(OCTETS)}")
    for index in (0, 3):
        script.everywhere(f" size:{len(OCTETS)}", "", index)
        script.body(index, script.steps[index].text.partition("\r\n\r\n")[2])
    assert "ft.selector.hash-verify" not in dict(rules_of(found(script)))


def test_a_large_file_in_many_packets_is_hashed_where_it_is():
    octets = "0123456789abcdef" * 65_536 * 3
    data = content(True, "hA1kQ2mP9sL1", "FilekQ2mP9sLw", octets, "image/jpeg").text.replace(
        f"1-{len(octets)}/", "1-*/"
    )
    pieces = [Step(True, data[at : at + 60_000], 0.001, msrp=1) for at in range(0, len(data), 60_000)]
    (reply,) = answered(content(True, "hA1kQ2mP9sL1", "", ""))[1:]
    for announced, expected in ((octets, []), (octets[:-1] + "x", ["ft.selector.hash-verify"])):
        assert [
            rule for rule, _ in rules_of(found(push(*pieces, reply, announced=announced.encode())))
        ] == expected


def test_a_refresh_with_the_same_id_moves_no_file_again():
    again = offered_again(push())
    script = push(*chunks(PICTURE)[:2], *again, *chunks(PICTURE)[2:])
    assert not [
        each for each in found(script).findings if each.rule.startswith(("ft.id", "ft.single", "msrp."))
    ]
    script = push(*chunks(PICTURE), *again, *chunks(PICTURE, message_id="NextkQ2mP9sLw", mark="i"))
    rules = {each.rule for each in found(script).findings}
    assert {"ft.id.unchanged", "ft.id.after-completion"} <= rules and "ft.single-file" not in rules


def test_a_new_id_makes_a_new_transfer_in_the_session():
    again = offered_again(push(), "file-transfer-id:another9s8d7f6g5h4j3k2l1")
    script = push(*chunks(PICTURE), *again, *chunks(PICTURE, message_id="NextkQ2mP9sLw", mark="i"))
    assert not [each for each in found(script).findings if each.rule.startswith(("ft.", "msrp."))]


def test_after_the_end_the_id_may_be_offered_with_port_0():
    closing = push(*chunks(PICTURE), *offered_again(push(), port=0))
    assert "ft.id.after-completion" not in {each.rule for each in found(closing).findings}
    open_ = push(*chunks(PICTURE), *offered_again(push()))
    told = [each for each in found(open_).findings if each.rule == "ft.id.after-completion"]
    assert [(each.party.value, each.where.label[:6]) for each in told] == [("handset", "UPDATE")]


def test_a_resumed_transfer_has_an_id_of_its_own():
    script, other = push(*chunks(PICTURE)), push(*chunks(PICTURE, mark="i"))
    for index, step in enumerate(other.steps):
        text = step.text
        for old, new in (
            ("inv9d8f", "zzz9d8f"),
            ("z9hG4bK", "z9hG4bKzz"),
            ("k3Jx8", "k4Jx8"),
            ("p4Mz6", "p5Mz6"),
            ("aX7k", "aX8k"),
        ):
            text = text.replace(old, new)
        other.steps[index] = replace(step, text=text, msrp=2 if step.msrp else 0)
    script.steps += other.steps
    told = [each for each in found(script).findings if each.rule.startswith("ft.id")]
    assert [(each.rule, each.party.value) for each in told] == [("ft.id.new", "handset")]


def test_who_sends_a_file_ends_the_session():
    script = push(*chunks(PICTURE))
    at = next(index for index, step in enumerate(script.steps) if step.text.startswith("BYE"))
    script.steps[at:] = []
    assert ("ft.bye-after", "handset") in rules_of(found(script.wait(31)))
    assert "ft.bye-after" not in dict(rules_of(found(push(*chunks(PICTURE)).wait(31))))


def test_a_notification_names_an_id_the_file_was_given():

    for message_id, expected in ((FILE_ID, []), ("Oth1aB2cD3eF4gH5iJ6k", [("ft.imdn-id", "network")])):
        script = push(*chunks(PICTURE))
        told = mt_message(
            "b", CONTRIBUTION, imdn_body(FAR, UE, "Not1aB2cD3eF4gH5iJ6k", message_id, "delivery", "delivered")
        )
        script.steps += [told, answer(told, "200 OK", "ueb1")]
        assert [each for each in rules_of(found(script)) if each[0].startswith("ft.")] == expected


LARGE = text_body(UE, FAR, FILE_ID, "x" * 2500)


def large(*media: Step) -> Script:
    script = large_mo()
    bye = in_dialog("BYE", 2, "bye", "Supported: timer")
    opening = answered(send(True, "aX7kQ2mP9sLw", "Message-ID: 0pEn7kQ2mP9s"))
    script.steps[5:] = [opened(), *opening, *media, bye, answer(bye, "200 OK", ""), closed()]
    return script


def test_a_large_message_has_its_size_and_is_alone():
    assert rules_of(found(large(*chunks(LARGE, "message/cpim")))) == []
    whole = large(*chunks(LARGE, "message/cpim")).everywhere("size:2500", f"size:{len(LARGE)}", 0)
    assert [each for each in rules_of(found(whole)) if each[0].startswith("large.")] == []
    short = large(*chunks(LARGE[:-5].replace("Length: 2500", "Length: 2495"), "message/cpim"))
    assert rules_of(found(short)) == [("large.size-matches", "handset")]
    second = chunks(LARGE.replace(FILE_ID, "Oth1aB2cD3eF4gH5iJ6k"), "message/cpim", "NextkQ2mP9sLw", "i")
    assert rules_of(found(large(*chunks(LARGE, "message/cpim"), *second))) == [
        ("large.one-message", "handset")
    ]


def test_each_rule_has_its_test():
    declared = {check.id for check in load_checks() if check.function.__module__.endswith("file_content")}
    apart = {
        "ft.id.after-completion",
        "ft.id.unchanged",
        "ft.id.new",
        "ft.bye-after",
        "ft.imdn-id",
        "large.one-message",
        "large.size-matches",
    }
    assert declared == set(BROKEN) | apart
