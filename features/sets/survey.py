"""What a log holds, as of an instant: the facts from which the default features are derived."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from features.arrays import Floats
from features.journeys import Category, Journeys


@dataclass(frozen=True)
class LogSummary:
    """Counts over journeys. Summaries of disjoint customers add up with `+`."""

    customers: int = 0
    rows: int = 0
    events: Counter[str] = field(default_factory=Counter)  # rows of each event
    valued: Counter[str] = field(default_factory=Counter)  # rows with a value
    refunds: Counter[str] = field(default_factory=Counter)  # rows with a negative value
    categories: Mapping[str, Counter[str]] = field(default_factory=dict)
    numbers: Counter[str] = field(default_factory=Counter)  # rows that hold the number
    profile_numbers: Counter[str] = field(default_factory=Counter)
    profile_categories: Mapping[str, Counter[str]] = field(default_factory=dict)
    first_us: int | None = None
    last_us: int | None = None

    def __add__(self, other: "LogSummary") -> "LogSummary":
        return LogSummary(
            customers=self.customers + other.customers,
            rows=self.rows + other.rows,
            events=self.events + other.events,
            valued=self.valued + other.valued,
            refunds=self.refunds + other.refunds,
            categories=_merge(self.categories, other.categories),
            numbers=self.numbers + other.numbers,
            profile_numbers=self.profile_numbers + other.profile_numbers,
            profile_categories=_merge(self.profile_categories, other.profile_categories),
            first_us=min((time for time in (self.first_us, other.first_us) if time is not None), default=None),
            last_us=max((time for time in (self.last_us, other.last_us) if time is not None), default=None),
        )


def survey(parts: Iterable[Journeys]) -> LogSummary:
    """The summary of all parts together."""
    return sum((_survey(journeys) for journeys in parts), LogSummary())


def _survey(journeys: Journeys) -> LogSummary:
    event, value = journeys.event, journeys.value
    return LogSummary(
        customers=len(journeys),
        rows=journeys.rows,
        events=_counts(event),
        valued=_counts(event[~np.isnan(value)]),
        refunds=_counts(event[value < 0]),
        categories={name: _counts(column) for name, column in journeys.categories.items()},
        numbers=_present(journeys.numbers),
        profile_numbers=_present(journeys.profile.numbers),
        profile_categories={name: _counts(column) for name, column in journeys.profile.categories.items()},
        first_us=int(journeys.time.min()) if journeys.rows else None,
        last_us=int(journeys.time.max()) if journeys.rows else None,
    )


def _counts(column: Category) -> Counter[str]:
    counts = np.bincount(column.codes[column.codes >= 0], minlength=len(column.names))
    return Counter({str(name): int(count) for name, count in zip(column.names, counts, strict=True) if count})


def _present(numbers: Mapping[str, Floats]) -> Counter[str]:
    return Counter({name: int(np.count_nonzero(~np.isnan(column))) for name, column in numbers.items()})


def _merge(left: Mapping[str, Counter[str]], right: Mapping[str, Counter[str]]) -> dict[str, Counter[str]]:
    return {name: left.get(name, Counter()) + right.get(name, Counter()) for name in {**left, **right}}
