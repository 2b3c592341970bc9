"""Local time as a table, so that SQL places a naive time exactly where `features.timeline.instant` places it."""

from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise

import numpy as np
import pyarrow as pa

from features.timeline import DAY_US, SECOND_US, instant

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
