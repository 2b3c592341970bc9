"""The one file that compares times with cutoffs (law 1).

All times are int64 microseconds since 1970-01-01 UTC. Every function here works on scalars, on NumPy arrays and
inside compiled code alike, so batch, online and labels share the very same comparison. Nothing else in the project
compares a time with a cutoff.
"""

import contextlib
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from features.errors import ConfigError

SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US
WEEK_US = 7 * DAY_US
EVER_DAYS = 0  # the window without a beginning
BEGINNING = -(2**62)  # earlier than any event; also when undated facts were known
FOREVER = 2**62  # later than any event
EVER_US = FOREVER  # longer than any history

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def visible(time: Any, known: Any, cutoff: Any) -> Any:
    """What happened and was known at the cutoff; an event exactly on the cutoff is known."""
    return (time <= cutoff) & (known <= cutoff)


def in_window(time: Any, cutoff: Any, window_us: Any) -> Any:
    """Inside `(cutoff - window, cutoff]`, for a time that is already `visible`."""
    return time > cutoff - window_us


def between(time: Any, start: Any, end: Any) -> Any:
    """Inside `(start, end]`."""
    return (time > start) & (time <= end)


def seen_from(time: Any, known: Any) -> Any:
    """The first cutoff that sees the event."""
    return np.maximum(time, known)


def span(instant: Any, length_us: Any) -> Any:
    """The number n of the span `((n - 1) × length, n × length]` that holds the instant."""
    return -(-instant // length_us)


def over(end: Any, cutoff: Any) -> Any:
    """A span that ends, inclusively, at `end` has nothing left to come at the cutoff."""
    return end <= cutoff


def censored(cutoff: Any, horizon_us: Any, end: Any) -> Any:
    """The label window `(cutoff, cutoff + horizon]` runs past the end of what the log can tell."""
    return cutoff + horizon_us > end


def before(cutoff: Any) -> Any:
    """The last instant before `cutoff`: where a decision taken at that very instant looks at the world from."""
    return cutoff - 1


def instant(text: str | date, timezone: str = "UTC") -> int:
    """Microseconds of an ISO date or date-time (or of a `date` or `datetime`); a date means its first instant there.

    A naive time is local to `timezone`; one that does not exist, or exists twice, takes the later offset.

    >>> instant("1970-01-02")
    86400000000
    >>> instant("1970-01-01T01:00:00", "Europe/Paris")
    0
    """
    local = _read(text) if isinstance(text, str) else text
    if not isinstance(
        local, datetime
    ):  # fold 0: where midnight is skipped or comes twice, the day begins with the turn
        local = datetime(local.year, local.month, local.day, tzinfo=zone(timezone))
    elif local.tzinfo is None:
        local = local.replace(tzinfo=zone(timezone), fold=1)
    return (local - EPOCH) // timedelta(microseconds=1)


def zone(name: str) -> ZoneInfo:
    """The time zone of that IANA name; raises ConfigError."""
    try:
        return ZoneInfo(name)
    except (ValueError, KeyError, OSError):
        raise ConfigError(f"expected an IANA time zone such as 'UTC' or 'Europe/Paris', got '{name}'") from None


def _read(text: str) -> date:
    for read in (date.fromisoformat, datetime.fromisoformat):
        with contextlib.suppress(ValueError):
            return read(text)
    raise ConfigError(f"expected an ISO date or time such as '2011-09-10' or '2011-09-10T08:00:00Z', got '{text}'")


def moment(time_us: int) -> datetime:
    """The instant as an aware UTC datetime."""
    return EPOCH + timedelta(microseconds=int(time_us))


def iso(time_us: int) -> str:
    """The instant as ISO 8601 text in UTC.

    >>> iso(86400000000)
    '1970-01-02T00:00:00Z'
    """
    return moment(time_us).isoformat().replace("+00:00", "Z")


def days(duration_days: float) -> int:
    """Microseconds of a number of days; a day is 86,400 s."""
    return round(duration_days * DAY_US)
