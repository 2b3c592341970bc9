"""What the store holds, counted bucket by bucket while it is written; the log's statistics are the sum.

Only repeated ids, which meet across buckets, are counted over the whole log.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from features.arrays import Ints
from features.journeys import Journeys
from features.timeline import DAY_US


@dataclass(frozen=True)
class BucketStatistics:
    """Counts of one bucket: times in µs UTC, `days` are spans `[first, end)` of UTC days since 1970 with an event."""

    rows: int
    customers: int
    profile_rows: int
    first: int | None
    newest: int | None
    newest_known: int | None
    events: Mapping[str, int]
    equal_rows: int
    days: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class StoreStatistics:
    """What was found: times in µs UTC, `events` counts rows by event, gaps are whole UTC days without any event."""

    rows: int
    customers: int
    first: int | None
    newest: int | None
    newest_known: int | None
    events: Mapping[str, int]
    repeated_ids: int
    equal_rows: int
    equal_dropped: bool
    days_without: int
    longest_gap_days: int
    longest_gap_from: int | None


def bucket_statistics(journeys: Journeys, equal_rows: int) -> BucketStatistics:
    """The counts of one bucket, of whose rows `equal_rows` equal another one."""
    counts = np.bincount(journeys.event.codes, minlength=len(journeys.event.names))
    day, has_rows = journeys.time // DAY_US, journeys.rows > 0
    start = int(day.min()) if has_rows else 0
    return BucketStatistics(
        rows=journeys.rows,
        customers=len(journeys),
        profile_rows=len(journeys.profile.known),
        first=int(journeys.time.min()) if has_rows else None,
        newest=int(journeys.time.max()) if has_rows else None,
        newest_known=int(journeys.known.max()) if has_rows else None,
        events={str(name): int(count) for name, count in zip(journeys.event.names, counts, strict=True) if count},
        equal_rows=equal_rows,
        days=_spans(start + np.flatnonzero(np.bincount(day - start))),
    )


def statistics(tallies: Sequence[BucketStatistics], *, repeated_ids: int, equal_dropped: bool) -> StoreStatistics:
    """The counts of the whole store."""
    days = days_with_events(tallies)
    gaps = np.diff(days) - 1
    longest = int(np.argmax(gaps)) if len(gaps) and gaps.max() > 0 else None
    events: Counter[str] = Counter()
    for bucket in tallies:
        events.update(bucket.events)
    return StoreStatistics(
        rows=sum(bucket.rows for bucket in tallies),
        customers=sum(bucket.customers for bucket in tallies),
        first=min((bucket.first for bucket in tallies if bucket.first is not None), default=None),
        newest=max((bucket.newest for bucket in tallies if bucket.newest is not None), default=None),
        newest_known=max((bucket.newest_known for bucket in tallies if bucket.newest_known is not None), default=None),
        events=dict(sorted(events.items(), key=lambda entry: (-entry[1], entry[0]))),
        repeated_ids=repeated_ids,
        equal_rows=sum(bucket.equal_rows for bucket in tallies),
        equal_dropped=equal_dropped,
        days_without=int(gaps.sum()),
        longest_gap_days=0 if longest is None else int(gaps[longest]),
        longest_gap_from=None if longest is None else int(days[longest] + 1) * DAY_US,
    )


def days_with_events(tallies: Sequence[BucketStatistics]) -> Ints:
    """The UTC days since 1970 with an event in any bucket, ascending."""
    spans = [span for bucket in tallies for span in bucket.days]
    start = min((first for first, _ in spans), default=0)
    seen = np.zeros(max((end for _, end in spans), default=0) - start, bool)
    for first, end in spans:
        seen[first - start : end - start] = True
    return start + np.flatnonzero(seen)


def _spans(days: Ints) -> tuple[tuple[int, int], ...]:
    """Ascending days as spans without a gap."""
    parts = np.split(days, np.flatnonzero(np.diff(days) > 1) + 1)
    return tuple((int(part[0]), int(part[-1]) + 1) for part in parts if len(part))
