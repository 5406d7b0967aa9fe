"""Date and time as RFC 3339 section 5.6 writes it: CPIM DateTime and the datetime of an IMDN."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from harness.errors import BodySyntaxError

_CLAUSE = "RFC 3339 5.6"
_FORM = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})[Tt](?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
    r"(?:\.(?P<fraction>[0-9]+))?(?P<zone>[Zz]|[+-][0-9]{2}:[0-9]{2})"
)


@dataclass(frozen=True, slots=True)
class Timestamp:
    """A point of time as it was written.

    instant: in UTC, whole seconds. fraction: the digits after the point, as many as were written ("" if
    none). lower_case: t or z in lower case, legal to read, not to generate.
    """

    text: str
    instant: datetime
    fraction: str
    lower_case: bool

    @property
    def moment(self) -> datetime:
        """The instant with its fraction, cut to microseconds."""
        return self.instant.replace(microsecond=int((self.fraction + "000000")[:6]))

    def same_instant(self, other: Timestamp) -> bool:
        """Whether both mean one instant, at the precision of the coarser one."""
        digits = min(len(self.fraction), len(other.fraction))
        return self.instant == other.instant and self.fraction[:digits] == other.fraction[:digits]


def parse_timestamp(text: str, offset: int = 0) -> Timestamp:
    """Read an RFC 3339 date-time. Raises BodySyntaxError for another form or a day that does not exist."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise BodySyntaxError("date-time", text, offset, _CLAUSE)
    hour, minute, second = (int(match[name]) for name in ("hour", "minute", "second"))
    if hour > 23 or minute > 59 or second > 60:
        raise BodySyntaxError("date-time", text, offset, _CLAUSE, "no such time of day")
    zone = match["zone"]
    try:
        day = datetime.strptime(match["date"], "%Y-%m-%d").replace(tzinfo=UTC)
        instant = day + timedelta(hours=hour, minutes=minute, seconds=second) - _zone_offset(zone)
    except (ValueError, OverflowError) as error:
        raise BodySyntaxError("date-time", text, offset, _CLAUSE, "no such day or zone") from error
    return Timestamp(text, instant, match["fraction"] or "", "t" in text or "z" in text)


def format_timestamp(moment: datetime, digits: int = 0) -> str:
    """Write an aware datetime as RFC 3339 in UTC with `digits` (0 to 6) digits of fraction."""
    utc = moment.astimezone(UTC)
    fraction = f".{utc.microsecond:06d}"[: digits + 1] if digits else ""
    return f"{utc.strftime('%Y-%m-%dT%H:%M:%S').zfill(19)}{fraction}Z"


def _zone_offset(zone: str) -> timedelta:
    if zone in "Zz":
        return timedelta()
    hours, minutes = int(zone[1:3]), int(zone[4:6])
    if hours > 23 or minutes > 59:
        raise ValueError(zone)
    size = timedelta(hours=hours, minutes=minutes)
    return -size if zone[0] == "-" else size


def later_than(text: str, now: datetime) -> str:
    """Now, and in any case a second later than the timestamp says; one that cannot be read does not count."""
    try:
        moment = parse_timestamp(text).moment + timedelta(seconds=1)
    except (BodySyntaxError, OverflowError):
        moment = now
    return format_timestamp(max(now, moment))
