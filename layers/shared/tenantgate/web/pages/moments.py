"""Points in time for a page: in UTC, and relative to now, so that no reader has to convert them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
# Before the year 2, or after 9998, a time zone could move a date out of the calendar.
_EARLIEST, _LATEST = -62_000_000_000, 253_000_000_000


class Moment(NamedTuple):
    """A point in time. `iso` is for programs (`<time datetime>`), `text` and `relative` are for people."""

    iso: str
    text: str
    relative: str


def moment(seconds: float, *, now: float) -> Moment | None:
    """Describe epoch seconds, seen at `now`; None for a time outside the calendar."""
    if not _EARLIEST < seconds < _LATEST:
        return None
    at = datetime.fromtimestamp(int(seconds), UTC)
    return Moment(at.isoformat(), at.strftime("%Y-%m-%d %H:%M:%S UTC"), relative(int(seconds) - int(now)))


def relative(seconds: int) -> str:
    """Say when something is, was or ends: `in 59 min`, `2 h 5 min ago`, `now`. Rounded down, to never promise more."""
    if seconds == 0:
        return "now"
    duration = _duration(abs(seconds))
    return f"in {duration}" if seconds > 0 else f"{duration} ago"


def _duration(seconds: int) -> str:
    if seconds < _MINUTE:
        return f"{seconds} s"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE} min"
    if seconds < _DAY:
        hours, minutes = seconds // _HOUR, seconds % _HOUR // _MINUTE
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days = seconds // _DAY
    return "1 day" if days == 1 else f"{days} days"
