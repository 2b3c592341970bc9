"""Local time as tables: for SQL, so that it places a naive time exactly where `features.timeline.instant` places it,
and for the kernel, which asks for the local time of an instant.
"""

from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.timeline import BEGINNING, DAY_US, SECOND_US, instant, zone

UTC_NAMES = frozenset(
    {"UTC", "Etc/UTC", "Zulu", "Etc/Zulu", "GMT", "Etc/GMT", "Universal", "Etc/Universal", "Etc/UCT", "UCT"}
)
BEFORE_DAYS = 2  # the table begins this long before 1970, whose local beginning may lie a day away

_LOCAL_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  local times are what this module is about


@lru_cache(maxsize=4)
def local_days(timezone: str, days: int) -> pa.Table:
    """One row a local day up to `days` after 1970 began: the offset is `earlier` until `turn` (local µs), then `later`.

    `first` is the offset that takes the day's midnight to its first instant. All offsets are in µs.
    """
    first = -BEFORE_DAYS
    midnights = [_offset(day * DAY_US, timezone) for day in range(first, days + 2)]
    turns = [
        (day + 1) * DAY_US if earlier == later else _turn(day * DAY_US, later, timezone)
        for day, (earlier, later) in enumerate(pairwise(midnights), first)
    ]
    return pa.table(
        {
            "day": np.arange(first, days + 1, dtype=np.int64),
            "turn": np.array(turns, np.int64),
            "earlier": np.array(midnights[:-1], np.int64),
            "later": np.array(midnights[1:], np.int64),
            "first": np.array([_first(day, timezone) for day in range(first, days + 1)], np.int64),
        }
    )


@lru_cache(maxsize=4)
def offsets(timezone: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """From which instants on, ascending, local time is how far ahead of UTC, µs; the last holds for ever.

    >>> starts, ahead = offsets("Europe/Paris")
    >>> ahead[:2] // 3_600_000_000, len(starts) > 200
    (array([1, 2]), True)
    """
    tz = zone(timezone)

    def ahead(second: int) -> int:
        return int((datetime.fromtimestamp(second, tz).utcoffset() or timedelta()).total_seconds())

    starts, ahead_s = [BEGINNING], [ahead(0)]
    for day in range(0 if timezone in UTC_NAMES else YEARS * 366):
        low, high = day * DAY_S, (day + 1) * DAY_S
        if ahead(high) == ahead_s[-1]:
            continue
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if ahead(middle) == ahead_s[-1] else (low, middle)
        starts.append(high * SECOND_US)
        ahead_s.append(ahead(high))
    return np.array(starts, np.int64), np.array(ahead_s, np.int64) * SECOND_US


YEARS = 130  # from 1970 on; what rules will hold later nobody knows
DAY_S = DAY_US // SECOND_US


def _offset(local_us: int, timezone: str) -> int:
    return local_us - instant(_LOCAL_EPOCH + timedelta(microseconds=local_us), timezone)


def _first(day: int, timezone: str) -> int:
    return day * DAY_US - instant(date(1970, 1, 1) + timedelta(days=day), timezone)


def _turn(midnight_us: int, later: int, timezone: str) -> int:
    """The first local second of a day at which the later offset holds."""
    low, high = 0, DAY_US // SECOND_US
    while low < high:
        middle = (low + high) // 2
        if _offset(midnight_us + middle * SECOND_US, timezone) == later:
            high = middle
        else:
            low = middle + 1
    return midnight_us + low * SECOND_US
