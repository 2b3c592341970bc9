"""Journeys in memory: every customer's events in time order, column by column.

One `Journeys` holds a bucket of the store or a single customer; everything downstream reads only this. Customers
stand in UTF-8 order. Row `i` of customer `c` lies in `starts[c] <= i < starts[c + 1]`; rows of a customer are ordered
by time and, at equal times, by all columns.
"""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from features.arrays import Floats, Ints, Strings
from features.errors import ConfigError
from features.global_counts import GlobalCounts
from features.timeline import BEGINNING, visible

Column = TypeVar("Column")


@dataclass(frozen=True)
class Category:
    """A dictionary-coded column: `codes` (int32, -1 is null) into `names`, sorted and local to these journeys."""

    codes: NDArray[np.int32]
    names: Strings

    def code(self, name: str) -> int:
        """The code of a name, or -2 when no row here has it (so that it equals no row, not even a null)."""
        position = bisect_left(self.names, name)
        return position if position < len(self.names) and self.names[position] == name else -2

    def __getitem__(self, rows: Any) -> "Category":
        return replace(self, codes=self.codes[rows])


@dataclass(frozen=True)
class Profile:
    """Attributes over time: row `i` of customer `c` (`starts[c] <= i < starts[c + 1]`) holds from `known[i]` on."""

    starts: Ints
    known: Ints
    categories: Mapping[str, Category]
    numbers: Mapping[str, Floats]

    @staticmethod
    def empty(customers: int) -> "Profile":
        """No attribute of anybody."""
        return Profile(np.zeros(customers + 1, np.int64), np.zeros(0, np.int64), {}, {})


@dataclass(frozen=True)
class Journeys:
    """Customers and their events.

    `value` is NaN where the log has none. `occurrence` numbers the occurrences of a customer from 0 (rows of one
    order share a number); None means that every row is an occurrence of its own. `order` is a 64-bit key of the order
    (None without an order column); `arrival` is the number of the ingest that brought the row; `identity` is a 64-bit
    key of the event's id, or of its text where it has no id (None where the log has neither column). `global_counts` is
    what all customers together did, where it was asked for.
    """

    customers: Strings
    starts: Ints
    time: Ints
    known: Ints
    event: Category
    value: Floats
    occurrence: NDArray[np.int32] | None
    order: NDArray[np.int64] | None
    arrival: NDArray[np.int32]
    categories: Mapping[str, Category]
    numbers: Mapping[str, Floats]
    profile: Profile
    identity: NDArray[np.int64] | None = None
    global_counts: GlobalCounts | None = None

    def __len__(self) -> int:
        return len(self.customers)

    @property
    def rows(self) -> int:
        """Number of events."""
        return len(self.time)

    @property
    def owner(self) -> Ints:
        """The index of the customer of every row."""
        return np.repeat(np.arange(len(self), dtype=np.int64), np.diff(self.starts))

    def number(self, name: str) -> Floats:
        """A number column; ConfigError when there is none of that name."""
        return _column(self.numbers, name, "number")

    def category(self, name: str) -> Category:
        """A category column; ConfigError when there is none of that name."""
        return _column(self.categories, name, "category")

    def as_of(self, instant: int) -> "Journeys":
        """The same customers, with only what was visible at `instant`: as if that instant were now."""
        seen = visible(self.time, self.known, instant)
        visible_journeys = self if seen.all() else self.keep(seen)
        global_counts = None if self.global_counts is None else self.global_counts.as_of(instant)
        return replace(visible_journeys, profile=_profile_as_of(self.profile, instant), global_counts=global_counts)

    def hindsight(self) -> "Journeys":
        """The same events, each known from the moment it happened, as a label counts them; without global counts."""
        return replace(self, known=self.time, global_counts=None)

    def select(self, customers: Ints) -> "Journeys":
        """Only the customers at these indices, in that order, with their rows."""
        rows, starts = _rows_of(self.starts, customers)
        profile_rows, profile_starts = _rows_of(self.profile.starts, customers)
        profile = replace(_profile_rows(self.profile, profile_rows), starts=profile_starts)
        return replace(self.reordered(rows), customers=self.customers[customers], starts=starts, profile=profile)

    def index_of(self, customer: str) -> int | None:
        """The index of a customer, or None."""
        position = bisect_left(self.customers, customer)
        return position if position < len(self) and self.customers[position] == customer else None

    def customer_at(self, index: int) -> "Journeys":
        """Only the customer at this index, without copying a row."""
        start, end = int(self.starts[index]), int(self.starts[index + 1])
        first, last = int(self.profile.starts[index]), int(self.profile.starts[index + 1])
        profile = _profile_rows(self.profile, slice(first, last))
        return replace(
            self.reordered(slice(start, end)),
            customers=self.customers[index : index + 1],
            starts=np.array([0, end - start], np.int64),
            profile=replace(profile, starts=np.array([0, last - first], np.int64)),
        )

    def keep(self, mask: NDArray[np.bool_]) -> "Journeys":
        """The same customers, with only the rows where `mask` is true."""
        kept_before = np.concatenate([[0], np.cumsum(mask)])
        return replace(self.reordered(np.flatnonzero(mask)), starts=kept_before[self.starts])

    def reordered(self, rows: Any) -> "Journeys":
        """The rows at these indices, in that order; `starts` stays as it is, for the caller to set right."""
        return replace(
            self,
            time=self.time[rows],
            known=self.known[rows],
            event=self.event[rows],
            value=self.value[rows],
            occurrence=None if self.occurrence is None else self.occurrence[rows],
            order=None if self.order is None else self.order[rows],
            arrival=self.arrival[rows],
            identity=None if self.identity is None else self.identity[rows],
            categories={name: column[rows] for name, column in self.categories.items()},
            numbers={name: column[rows] for name, column in self.numbers.items()},
        )


def number_occurrences(owner: Ints, event: NDArray[np.int32], order: NDArray[np.int64]) -> NDArray[np.int32]:
    """Number the occurrences of each customer from 0 in order of first appearance.

    Rows of one customer, event and order key are one occurrence; a row with order key `NO_ORDER` is one of its own.
    Rows must be grouped by customer (`owner` non-decreasing).
    """
    count = len(owner)
    unique = np.where(order == NO_ORDER, np.arange(count), -1)
    ranked = np.lexsort((np.arange(count), unique, order, event, owner))
    keys = (owner[ranked], event[ranked], order[ranked], unique[ranked])
    new = np.ones(count, bool)
    new[1:] = np.logical_or.reduce([key[1:] != key[:-1] for key in keys]) if count else True
    group = np.cumsum(new) - 1
    first_row = ranked[new]  # lexsort is stable, so the first row of a group is its earliest
    is_first = np.zeros(count, bool)
    is_first[first_row] = True
    running = np.cumsum(is_first)
    starts_of_owner = np.concatenate([[0], running])[np.searchsorted(owner, owner, side="left")]
    number_of_group = running[first_row] - 1 - starts_of_owner[first_row]
    numbers = np.empty(count, np.int32)
    numbers[ranked] = number_of_group[group]
    return numbers


NO_ORDER = BEGINNING


def _column(columns: Mapping[str, Column], name: str, kind: str) -> Column:
    try:
        return columns[name]
    except KeyError:
        raise ConfigError(
            f"expected the {kind} column '{name}' in the store, found none; add it to [log] and ingest again"
        ) from None


def _rows_of(starts: Ints, customers: Ints) -> tuple[Ints, Ints]:
    lengths = starts[customers + 1] - starts[customers]
    new_starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    rows = np.repeat(starts[customers] - new_starts[:-1], lengths) + np.arange(new_starts[-1])
    return rows, new_starts


def _profile_rows(profile: Profile, rows: Any) -> Profile:
    return replace(
        profile,
        known=profile.known[rows],
        categories={name: column[rows] for name, column in profile.categories.items()},
        numbers={name: column[rows] for name, column in profile.numbers.items()},
    )


def _profile_as_of(profile: Profile, instant: int) -> Profile:
    seen = visible(profile.known, profile.known, instant)
    if seen.all():
        return profile
    kept_before = np.concatenate([[0], np.cumsum(seen)])
    return replace(_profile_rows(profile, np.flatnonzero(seen)), starts=kept_before[profile.starts])
