"""Files as they come over MSRP: what is legal, or cannot be told."""

from __future__ import annotations

import pytest

from harness.verify.proof.flows.files import LARGE, OCTETS, PICTURE, chunks, large, notified, push
from harness.verify.proof.flows.msrp import answered, content
from harness.verify.proof.messages import FAR, UE, answer, mo_message, text_body
from harness.verify.proof.script import Step
from tests.harness.verify.judging import found, rules_of


@pytest.mark.parametrize("profile", ["ietf", "rcs51", "up2"])
def test_a_file_of_one_octet(profile):
    assert rules_of(found(push(*chunks("x"), announced=b"x"), profile)) == []


@pytest.mark.parametrize("profile", ["ietf", "rcs51", "up2"])
def test_a_hash_nobody_knows_is_not_compared(profile):
    script = push(*chunks(PICTURE)).everywhere("hash:sha-1", "hash:sha-999", 0, 3)
    for index in (0, 3):
        script.body(index, script.steps[index].text.partition("\r\n\r\n")[2])
    assert rules_of(found(script, profile)) == []


def test_a_large_message_may_be_announced_with_its_wrapper():
    script = large(*chunks(LARGE, "message/cpim")).sub(0, "size:2500", f"size:{len(LARGE)}")
    assert rules_of(found(script)) == []


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


def test_a_report_of_no_message_may_mean_a_text_that_came_after_the_file():
    script = notified(push(*chunks(PICTURE)), "Oth1aB2cD3eF4gH5iJ6k")
    assert ("ft.imdn-id", "network") in rules_of(found(script))
    asked = mo_message(
        "d", "0b0f8f6e-1111-4aaa-8bbb-00000000000d", text_body(UE, FAR, "Msg4aB2cD3eF4gH5iJ6k")
    )
    script.steps[-2:-2] = [asked, answer(asked, "200 OK", "net4")]
    verifier = found(script)
    assert "ft.imdn-id" not in dict(rules_of(verifier))
    assert "another message of the conversation may be meant" in {each.why for each in verifier.open}
