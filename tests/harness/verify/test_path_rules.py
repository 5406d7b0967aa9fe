"""Session URIs from one session to another, and where a side connects to: one slip, one finding."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.verify.engine import Verifier
from harness.verify.proof.flows.msrp import FAR_PATH, chat
from harness.verify.proof.flows.sip import session_mo
from harness.verify.proof.script import Script

H, N = "handset", "network"
OWN_ID, FAR_ID = "k3Jx8Qw2Zr7Lt5Yv9Bn1", "p4Mz6Hs8Dc2Vf0Gk7Ja3"


def sessions(*own_ids: str, ended: bool = True) -> Script:
    """Sessions of the handset one after another, each with its own session-id; all ended by BYE, or none."""
    steps = []
    for number, session_id in enumerate(own_ids):
        script = session_mo().sub(0, OWN_ID, session_id).sub(3, FAR_ID, f"{FAR_ID}{number * 7919:x}")
        if not ended:
            script.drop(7, 8)
        for step in script.steps:
            text = step.text.replace("z9hG4bK", f"z9hG4bKs{number}").replace(
                "Call-ID: inv", f"Call-ID: s{number}inv"
            )
            text = text.replace("ueinv81c2", f"ueinv{number}").replace("faransw42", f"faransw{number}")
            text = text.replace("000000000010\r\n", f"0000000001{number:02}\r\n")
            steps.append(replace(step, text=text))
    return Script(steps)


def judged_as(script, profile="rcs51"):
    verifier = Verifier(profile)
    found = {(item.rule, item.party.value) for item in verifier.judge(script.timeline())}
    return found, [item.rule for item in verifier.open]


@pytest.mark.parametrize("profile", ["ietf", "rcs51", "up2"])
def test_random_session_ids_give_nothing(profile):
    ids = ("k3Jx8Qw2Zr7Lt5Yv9Bn1", "h8Fd2Sa6Pq0Wm4Ec9Xz5", "b7Vn1Gt5Yr3Jk9Lp2Ho6")
    assert judged_as(sessions(*ids), profile) == (set(), [])


@pytest.mark.parametrize(
    "ids",
    [
        ("k3Jx8Qw2Zr7Lt5Yv100", "k3Jx8Qw2Zr7Lt5Yv101"),
        ("a3f09c4be17d528", "07be41d96ca2f35", "c94e20a7b81f63d"),
        ("31415926535897932", "27182818284590452", "14142135623730950"),
    ],
)
def test_session_ids_that_can_be_guessed(ids):
    assert judged_as(sessions(*ids)) == ({("sdp.path.session-id-pattern", H)}, [])


def test_hexadecimal_ids_of_80_bits_are_long_enough():
    ids = ("a3f09c4be17d528a3f09", "07be41d96ca2f3507be4", "c94e20a7b81f63dc94e2")
    assert judged_as(sessions(*ids)) == (set(), [])


def test_a_uri_belongs_to_one_session_at_a_time():
    assert judged_as(sessions(OWN_ID, OWN_ID)) == (set(), [])
    assert judged_as(sessions(OWN_ID, OWN_ID, ended=False))[0] == {("sdp.path.unique", H)}


# -- where a side connects ----------------------------------------------------------------------------------


def moved(script, address="10.0.0.77:20000", index=3):
    """The answer names another place than the one the handset connects to (10.0.0.1:20000)."""
    host, _, port = address.rpartition(":")
    script.everywhere(FAR_PATH, FAR_PATH.replace("10.0.0.1:20000", address))
    text = script.steps[index].text
    text = text.replace("c=IN IP4 10.0.0.1", f"c=IN IP4 {host}").replace("message 20000", f"message {port}")
    script.steps[index] = replace(script.steps[index], text=text)
    return script.body(index, text.partition("\r\n\r\n")[2])


def test_who_connects_elsewhere_than_the_path_says():
    assert judged_as(moved(chat())) == ({("sdp.cema.connect-address", H)}, [])
    assert judged_as(moved(chat(), "10.0.0.1:20001")) == ({("sdp.cema.connect-address", H)}, [])


def with_cema(script, host):
    """Both sides speak CEMA, and a middlebox has put its address into the answer."""
    script.sub(0, "a=sendrecv", "a=msrp-cema\r\na=sendrecv").sub(3, "a=sendrecv", "a=msrp-cema\r\na=sendrecv")
    return script.sub(3, "c=IN IP4 10.0.0.1", f"c=IN IP4 {host}")


def test_with_cema_the_address_of_the_answer_counts():
    script = moved(chat()).sub(3, "c=IN IP4 10.0.0.77", "c=IN IP4 10.0.0.1")
    assert judged_as(with_cema(script, "10.0.0.1")) == (set(), [])
    assert judged_as(with_cema(chat(), "10.0.0.99"))[0] == {("sdp.cema.connect-address", H)}


def test_a_name_is_not_looked_up():
    script = chat().everywhere(FAR_PATH, FAR_PATH.replace("10.0.0.1", "bob.example.com"))
    script.body(3, script.steps[3].text.partition("\r\n\r\n")[2])
    assert judged_as(script) == (set(), ["sdp.c.matches-path", "sdp.cema.connect-address"])


def test_a_connection_of_another_hop_is_not_judged():
    script = moved(chat()).everywhere("10.0.0.5:9/", "10.0.0.55:9/")
    script.sub(0, "c=IN IP4 10.0.0.5", "c=IN IP4 10.0.0.55")
    script.body(0, script.steps[0].text.partition("\r\n\r\n")[2])
    assert judged_as(script) == (set(), ["sdp.cema.connect-address"])


def test_a_message_above_max_size():
    script = chat().sub(3, "a=sendrecv", "a=max-size:300\r\na=sendrecv")
    assert judged_as(script) == ({("sdp.max-size.other", H)}, [])
    assert judged_as(chat().sub(3, "a=sendrecv", "a=max-size:3000\r\na=sendrecv")) == (set(), [])
