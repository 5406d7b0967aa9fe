"""Session URIs from one session to another, and where a side connects to: what is legal, or not told."""

from __future__ import annotations

from harness.verify.engine import Verifier
from harness.verify.proof.flows.msrp import FAR_PATH, chat
from harness.verify.proof.flows.negotiation import UE_ID, elsewhere, sessions
from harness.verify.proof.flows.sip import session_mo


def judged_as(script, profile="rcs51"):
    verifier = Verifier(profile)
    found = {(item.rule, item.party.value) for item in verifier.judge(script.timeline())}
    return found, [item.rule for item in verifier.open]


def test_hexadecimal_ids_of_80_bits_are_long_enough():
    ids = ("a3f09c4be17d528a3f09", "07be41d96ca2f3507be4", "c94e20a7b81f63dc94e2")
    assert judged_as(sessions(session_mo(), *ids)) == (set(), [])


def test_a_uri_belongs_to_one_session_at_a_time():
    assert judged_as(sessions(session_mo(), UE_ID, UE_ID)) == (set(), [])


# -- where a side connects ----------------------------------------------------------------------------------


def test_a_name_is_not_looked_up():
    script = chat().everywhere(FAR_PATH, FAR_PATH.replace("10.0.0.1", "bob.example.com"))
    script.body(3, script.steps[3].text.partition("\r\n\r\n")[2])
    assert judged_as(script) == (set(), ["sdp.c.matches-path", "sdp.cema.connect-address"])


def test_a_connection_of_another_hop_is_not_judged():
    script = elsewhere(chat()).everywhere("10.0.0.5:9/", "10.0.0.55:9/")
    script.sub(0, "c=IN IP4 10.0.0.5", "c=IN IP4 10.0.0.55")
    script.body(0, script.steps[0].text.partition("\r\n\r\n")[2])
    assert judged_as(script) == (set(), ["sdp.cema.connect-address"])


def test_a_message_up_to_max_size():
    assert judged_as(chat().sub(3, "a=sendrecv", "a=max-size:3000\r\na=sendrecv")) == (set(), [])
