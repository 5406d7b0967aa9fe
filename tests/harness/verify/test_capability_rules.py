"""What a side says it can do: one slip, one finding (RFC 3261 11.2, 13.2.1, 13.3.1.4)."""

from __future__ import annotations

import pytest

H, N = "handset", "network"

TABLE = [
    ("sip.allow.in-invite", H, "session_mo", lambda s: s.without(0, "Allow")),
    ("sip.allow.in-invite", N, "session_mt", lambda s: s.without(0, "Allow")),
    ("sip.allow.in-2xx", N, "session_mo", lambda s: s.without(3, "Allow")),
    ("sip.allow.in-2xx", H, "session_mt", lambda s: s.without(2, "Allow")),
    (
        "sip.allow.in-2xx",
        H,
        "session_mt",
        lambda s: s.sub(2, "Allow: INVITE,ACK,CANCEL,BYE", "Allow: INVITE"),
    ),
    ("sip.allow.in-2xx", H, "options_mt", lambda s: s.without(1, "Allow")),
    (
        "sip.supported.invite",
        N,
        "session_mt",
        lambda s: s.without(0, "Supported").sub(2, "=uac", "=uas").sub(2, "Require: timer\r\n", ""),
    ),
    ("sip.supported.invite", H, "session_mt", lambda s: s.without(2, "Supported")),
    ("ims.p-early-media", H, "session_mo", lambda s: s.line(0, "P-Early-Media: supported")),
    ("imdn.feature-tag", N, "pager_mo", lambda s: s.sub(2, "oma.cpm.msg", "oma.cpm.filetransfer")),
]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row[0]}-{row[1]}-{row[2]}")
def test_a_slip_gives_its_finding_alone(row, flow, judged):
    rule, party, name, spoil = row
    assert judged(spoil(flow(name))) == [(rule, party)]


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
    assert ("sip.allow.in-2xx", N) not in judged(script)
