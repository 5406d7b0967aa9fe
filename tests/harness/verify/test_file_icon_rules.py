"""Thumbnails: other layouts than that of RFC 5547 9.1 that tie an icon to its SDP."""

from __future__ import annotations

import pytest

from harness.verify.proof.flows.files import ICON_PART, RELATED, SDP_PART, with_icon
from harness.verify.proof.flows.media import push_mo
from tests.harness.verify.judging import found, rules_of


@pytest.mark.parametrize(
    ("kind", "parts"),
    [
        (RELATED.replace('"application/sdp"', "APPLICATION/SDP"), (SDP_PART, ICON_PART)),
        (f'{RELATED};start="<sdp1@alicepc.example.com>"', (ICON_PART, SDP_PART)),
    ],
)
def test_an_icon_related_to_its_sdp_is_right(kind, parts):
    assert rules_of(found(with_icon(push_mo(), kind, parts), "ietf")) == []
