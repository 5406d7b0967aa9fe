"""Thumbnails: the layout of RFC 5547 9.1, and what is wrong with others."""

from __future__ import annotations

import pytest

from harness.verify.engine import Verifier
from harness.verify.proof.flows.media import push_mo

ICON_LINE = "a=file-icon:cid:id2%40alicepc.example.com\r\na=sendonly"
RELATED = 'Content-Type: multipart/related; type="application/sdp"; boundary="boundary71"'
SDP_PART = "Content-Type: application/sdp\r\nContent-ID: <sdp1@alicepc.example.com>"
ICON_PART = (
    "Content-Type: image/jpeg\r\nContent-Transfer-Encoding: binary\r\n"
    "Content-ID: <id2@alicepc.example.com>\r\nContent-Disposition: icon"
)


def with_icon(kind=RELATED, parts=(SDP_PART, ICON_PART), line=ICON_LINE):
    """The offer of a file with its icon; the part that is SDP gets the offer."""
    script = push_mo().sub(0, "a=sendonly", line)
    offer = script.steps[0].text.partition("\r\n\r\n")[2]
    body = "".join(
        f"--boundary71\r\n{part}\r\n\r\n{offer if 'application/sdp' in part else 'JPEG'}\r\n"
        for part in parts
    )
    script.sub(0, "Content-Type: application/sdp", kind)
    return script.body(0, f"{body}--boundary71--\r\n")


def judged_as(script, profile="ietf"):
    verifier = Verifier(profile)
    return {(item.rule, item.severity.value, item.fails) for item in verifier.judge(script.timeline())}


@pytest.mark.parametrize(
    ("kind", "parts"),
    [
        (RELATED, (SDP_PART, ICON_PART)),
        (RELATED.replace('"application/sdp"', "APPLICATION/SDP"), (SDP_PART, ICON_PART)),
        (f'{RELATED};start="<sdp1@alicepc.example.com>"', (ICON_PART, SDP_PART)),
    ],
)
def test_an_icon_related_to_its_sdp_is_right(kind, parts):
    assert judged_as(with_icon(kind, parts)) == set()


@pytest.mark.parametrize(
    "script",
    [
        lambda: with_icon("Content-Type: multipart/mixed;boundary=boundary71"),
        lambda: with_icon(parts=(ICON_PART, SDP_PART)),
        lambda: with_icon(RELATED.replace('type="application/sdp"; ', "")),
        lambda: with_icon(parts=(SDP_PART, ICON_PART.replace("id2@", "id3@"))),
        lambda: with_icon(line=ICON_LINE.replace("cid:", "http:")),
        lambda: push_mo().sub(0, "a=sendonly", ICON_LINE),
    ],
)
def test_an_icon_that_is_not_tied_to_its_sdp_fails_by_the_letter(script):
    made = script()
    assert judged_as(made) == {("ft.icon", "MUST", True)}
    assert judged_as(made, "rcs51") == {("ft.icon", "SHOULD", False)}


def test_an_icon_says_what_it_is():
    bare = ICON_PART.replace("\r\nContent-Disposition: icon", "")
    assert judged_as(with_icon(parts=(SDP_PART, bare))) == {("ft.icon.disposition", "INFO", False)}
