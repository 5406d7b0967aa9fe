"""What a side may leave out of what it says it can do (RFC 3261 11.2, 13.2.1, 13.3.1.4)."""

from __future__ import annotations


def test_an_empty_supported_and_an_allow_in_rows_are_enough(flow, judged):
    script = flow("session_mt").sub(
        2, "Supported: timer\r\nSession-Expires: 1800;refresher=uac\r\n", "Supported:\r\n"
    )
    script.sub(2, "Require: timer\r\n", "").sub(2, "INVITE,ACK,", "INVITE\r\nAllow: ACK , ")
    assert judged(script) == []


def test_a_proxy_answers_options_without_allow(flow, judged):
    script = flow("options_mt")
    script.steps = [step.__class__(not step.handset, step.text) for step in script.steps]
    script.without(1, "Allow").without(1, "Contact")
    assert ("sip.allow.in-2xx", "network") not in judged(script)
