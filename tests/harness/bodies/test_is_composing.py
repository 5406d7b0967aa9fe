"""Who is writing: the documents of RFC 3994 5 and 6."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.bodies.is_composing import IsComposing, parse_is_composing, write_is_composing
from harness.errors import BodySyntaxError

ACTIVE = b"""<?xml version="1.0" encoding="UTF-8"?>
<isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing"
xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
xsi:schemaLocation="urn:ietf:params:xml:ns:im-composing
iscomposing.xsd">
  <state>active</state>
  <contenttype>text/plain</contenttype>
  <refresh>90</refresh>
</isComposing>"""
IDLE = b"""<?xml version="1.0" encoding="UTF-8"?>
<isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing">
  <state>idle</state>
  <lastactive>2003-01-27T10:43:00Z</lastactive>
  <contenttype>audio</contenttype>
</isComposing>"""


def test_the_examples_of_the_rfc() -> None:
    active, idle = parse_is_composing(ACTIVE), parse_is_composing(IDLE)
    assert active == IsComposing("active", content_type="text/plain", refresh=90)
    assert (active.active, active.lasts) == (True, 90)
    assert idle == IsComposing("idle", "2003-01-27T10:43:00Z", "audio")
    assert (idle.active, idle.lasts) == (False, 120)


@pytest.mark.parametrize("state", ["paused", "Active", ""])
def test_a_state_nobody_knows_is_idle(state: str) -> None:
    assert not parse_is_composing(ACTIVE.replace(b"active", state.encode())).active


def test_foreign_elements_are_left_out() -> None:
    foreign = ACTIVE.replace(b"</isComposing>", b'<x:y xmlns:x="urn:x"/></isComposing>')
    assert parse_is_composing(foreign) == parse_is_composing(ACTIVE)


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<isComposing/>",
        ACTIVE.replace(b"<state>active</state>", b""),
        ACTIVE.replace(b"90", b"0"),
        ACTIVE.replace(b"90", b"soon"),
        ACTIVE.replace(b"?>", b'?><!DOCTYPE isComposing [<!ENTITY a "b">]>'),
    ],
)
def test_what_is_no_status_is_refused(document: bytes) -> None:
    with pytest.raises(BodySyntaxError):
        parse_is_composing(document)


def test_elements_stand_in_the_order_of_the_schema() -> None:
    written = write_is_composing(IsComposing("active", "2003-01-27T10:43:00Z", "text/plain", 60)).decode()
    places = [written.index(f"<{name}>") for name in ("state", "lastactive", "contenttype", "refresh")]
    assert places == sorted(places)
    assert 'xmlns="urn:ietf:params:xml:ns:im-iscomposing"' in written


words = st.none() | st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1)


@given(st.sampled_from(["active", "idle"]), words, words, st.none() | st.integers(1, 2**32 - 1))
def test_what_is_written_is_read(state: str, last: str | None, kind: str | None, refresh: int | None) -> None:
    document = IsComposing(state, last, kind, refresh)
    assert parse_is_composing(write_is_composing(document)) == document


@given(st.binary())
def test_no_input_raises_anything_else(data: bytes) -> None:
    try:
        parse_is_composing(data)
    except BodySyntaxError:
        return
