"""RFC 3339 date-times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.bodies.timestamp import format_timestamp, parse_timestamp
from harness.errors import BodySyntaxError


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2015-02-17T06:54:27Z", datetime(2015, 2, 17, 6, 54, 27, tzinfo=UTC)),
        ("2015-02-17T06:54:27.8730740Z", datetime(2015, 2, 17, 6, 54, 27, tzinfo=UTC)),
        ("2000-12-13T13:40:00-08:00", datetime(2000, 12, 13, 21, 40, tzinfo=UTC)),
        ("2014-11-11T19:00:06-00:00", datetime(2014, 11, 11, 19, 0, 6, tzinfo=UTC)),
        ("1990-12-31T23:59:60Z", datetime(1991, 1, 1, tzinfo=UTC)),
        ("2015-02-17t06:54:27z", datetime(2015, 2, 17, 6, 54, 27, tzinfo=UTC)),
    ],
)
def test_instants(text: str, instant: datetime) -> None:
    stamp = parse_timestamp(text)
    assert stamp.instant == instant
    assert stamp.lower_case is text.islower()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2015-02-17 06:54:27Z",
        "2015-02-17T06:54Z",
        "2015-02-17T06:54:27",
        "2015-02-17T06:54:27+0100",
        "2015-02-17T06:54:27.Z",
        "2015-02-30T06:54:27Z",
        "2015-13-01T06:54:27Z",
        "2015-02-17T24:00:00Z",
        "2015-02-17T06:60:00Z",
        "2015-02-17T06:54:61Z",
        "2015-02-17T06:54:27+24:00",
        "0000-01-01T00:00:00Z",
        "9999-12-31T23:59:59-23:59",
        "２015-02-17T06:54:27Z",
        "2015-02-17T06:54:27Z ",
    ],
)
def test_what_is_no_date_time(text: str) -> None:
    with pytest.raises(BodySyntaxError):
        parse_timestamp(text)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2015-02-17T06:54:27Z", "2015-02-17T07:54:27+01:00", True),
        ("2015-02-17T06:54:27.873Z", "2015-02-17T06:54:27Z", True),
        ("2015-02-17T06:54:27.873Z", "2015-02-17T06:54:27.8739Z", True),
        ("2015-02-17T06:54:27.873Z", "2015-02-17T06:54:27.874Z", False),
        ("2015-02-17T06:54:27Z", "2015-02-17T06:54:28Z", False),
    ],
)
def test_instants_are_compared_at_the_coarser_precision(one: str, other: str, same: bool) -> None:
    assert parse_timestamp(one).same_instant(parse_timestamp(other)) is same


@given(st.datetimes(timezones=st.just(UTC)), st.integers(0, 6))
def test_what_is_written_is_read_back(moment: datetime, digits: int) -> None:
    step = 10 ** (6 - digits)
    expected = moment.replace(microsecond=moment.microsecond // step * step)
    assert parse_timestamp(format_timestamp(moment, digits)).moment == expected


def test_another_zone_is_written_in_utc() -> None:
    east = timezone(timedelta(hours=2))
    assert format_timestamp(datetime(2026, 1, 1, 1, tzinfo=east), 3) == "2025-12-31T23:00:00.000Z"


@given(st.text(max_size=40))
def test_no_text_raises_anything_but_our_own_error(text: str) -> None:
    try:
        parse_timestamp(text)
    except BodySyntaxError:
        return
