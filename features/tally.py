"""What the store holds, counted bucket by bucket while it is written."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from features.journeys import Ints, Journeys
from features.manifest import Statistics
from features.timeline import DAY_US


@dataclass(frozen=True)
class Tally:
    """Counts of one bucket; `days` are the UTC days (since 1970) with an event."""

    rows: int
    customers: int
    first: int | None
    newest: int | None
    newest_known: int | None
    equal_rows: int
    events: Counter[str] = field(default_factory=Counter)
    days: Ints = field(default_factory=lambda: np.zeros(0, np.int64))


def tally(journeys: Journeys, equal_rows: int) -> Tally:
    """The counts of one bucket."""
    counts = np.bincount(journeys.event.codes, minlength=len(journeys.event.names))
    events = Counter({str(name): int(count) for name, count in zip(journeys.event.names, counts, strict=True) if count})
    if not journeys.rows:
        return Tally(0, len(journeys), None, None, None, equal_rows)
    first, newest, known = int(journeys.time.min()), int(journeys.time.max()), int(journeys.known.max())
    days = first // DAY_US + np.flatnonzero(np.bincount(journeys.time // DAY_US - first // DAY_US))
    return Tally(journeys.rows, len(journeys), first, newest, known, equal_rows, events, days)


def statistics(tallies: Sequence[Tally], *, repeated_ids: int, equal_dropped: bool) -> Statistics:
    """The counts of the whole store."""
    days = np.unique(np.concatenate([each.days for each in tallies] or [np.zeros(0, np.int64)]))
    gaps = np.diff(days) - 1
    longest = int(np.argmax(gaps)) if len(gaps) and gaps.max() > 0 else None
    events = sum((each.events for each in tallies), Counter())
    return Statistics(
        rows=sum(each.rows for each in tallies),
        customers=sum(each.customers for each in tallies),
        first=min((each.first for each in tallies if each.first is not None), default=None),
        newest=max((each.newest for each in tallies if each.newest is not None), default=None),
        newest_known=max((each.newest_known for each in tallies if each.newest_known is not None), default=None),
        events=dict(sorted(events.items(), key=lambda item: (-item[1], item[0]))),
        repeated_ids=repeated_ids,
        equal_rows=sum(each.equal_rows for each in tallies),
        equal_dropped=equal_dropped,
        days_without=int(gaps.sum()),
        longest_gap_days=0 if longest is None else int(gaps[longest]),
        longest_gap_from=None if longest is None else int(days[longest] + 1) * DAY_US,
    )
