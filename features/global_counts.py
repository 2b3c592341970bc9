"""What all customers together had done, as it was known at the end of every day: what comparisons read.

An event enters on the day (UTC) on which it became visible, and a cutoff reads only days that were over: what anybody
does or is learnt of later changes nothing, and a customer's fresh events are not in it. Values of a category are told
apart by a hash of 16 bits, so that the size is bounded for any catalogue; values that share one are counted together.
A count key holds 8 bytes for every value and day with a row: never more than the log has rows, nor than 65,536 a day.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from features.arrays import Ints
from features.errors import StoreError
from features.timeline import FOREVER

GROUPS = 2**16  # of a count key: hashes, or weeks
MOST_DAYS = 2**20  # days that a packed key can tell apart
SLICE_KEYS = 8_000_000  # keys that are summed up at a time, about
MOST_COUNTED = 2**31 - 1


@dataclass(frozen=True, order=True)
class CountKey:
    """What is counted, in groups.

    `rows`: rows with one of `events` (empty: any), by the hash of their value of `column`; `all`: the same rows in one
    group. `customers`: customers, by the week of their first event that is no refund; `occurrences`: what these did of
    `events`, each from its first row that is no refund.
    """

    about: Literal["all", "customers", "occurrences", "rows"]
    column: str = ""
    events: tuple[str, ...] = ()


@dataclass(frozen=True)
class GroupCounts:
    """What some customers add to the global counts: `counts` (none is 0) by sorted `keys`, packed by `packed_keys`."""

    keys: Ints
    counts: Ints


@dataclass(frozen=True, eq=False)
class GlobalCounts:
    """Running totals: of group `g` of count key number `k` the days `days[i]` with what was counted up to their end,
    `totals[i]`, for `starts[k × GROUPS + g] <= i < starts[k × GROUPS + g + 1]`. What came after `until` is left out.
    """

    count_keys: tuple[CountKey, ...]
    starts: Ints
    days: NDArray[np.int32]
    totals: NDArray[np.int32]
    until: int = FOREVER

    def as_of(self, instant: int) -> "GlobalCounts":
        """As if that instant were now."""
        return replace(self, until=min(self.until, instant))


def packed_keys(count_key: int, group: Ints | int, days: Ints) -> Ints:
    """The number of the count key, group and day in one number, in this order."""
    keys: Ints = (count_key * GROUPS + group) * MOST_DAYS + days
    return keys


def summed(keys: Ints, counts: Ints) -> GroupCounts:
    """Every key once, in order, with its sum; those that cancel out are gone."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    first = np.flatnonzero(np.diff(ordered, prepend=-1))
    sums = np.add.reduceat(counts[order], first) if len(first) else np.zeros(0, np.int64)
    return GroupCounts(ordered[first][sums != 0], sums[sums != 0])


def together(parts: Sequence[GroupCounts], count_keys: tuple[CountKey, ...]) -> GlobalCounts:
    """The global counts of all parts; their keys are in memory a slice at a time."""
    groups = len(count_keys) * GROUPS
    edges = np.linspace(0, groups, 2 + sum(len(part.keys) for part in parts) // SLICE_KEYS).astype(np.int64)
    cuts = [np.searchsorted(part.keys, edges * MOST_DAYS) for part in parts]
    starts, days, totals = [np.zeros(1, np.int64)], [np.zeros(0, np.int32)], [np.zeros(0, np.int32)]
    for number, (low, high) in enumerate(pairwise(edges.tolist())):
        slices = [(part, slice(cut[number], cut[number + 1])) for part, cut in zip(parts, cuts, strict=True)]
        keys, counts = [part.keys[rows] for part, rows in slices], [part.counts[rows] for part, rows in slices]
        merged = summed(_joined(keys), _joined(counts))
        group = merged.keys // MOST_DAYS
        starts.append(starts[-1][-1] + np.cumsum(np.bincount(group - low, minlength=high - low)))
        days.append((merged.keys % MOST_DAYS).astype(np.int32))
        totals.append(_running(group, merged.counts))
    return GlobalCounts(count_keys, np.concatenate(starts), np.concatenate(days), np.concatenate(totals))


def _joined(arrays: list[Ints]) -> Ints:
    return np.concatenate([np.zeros(0, np.int64), *arrays])


def _running(group: Ints, counts: Ints) -> NDArray[np.int32]:
    """The running total within each group."""
    running = np.cumsum(counts)
    first = np.flatnonzero(np.diff(group, prepend=-1))
    totals = running - np.repeat((running - counts)[first], np.diff(first, append=len(group)))
    if totals.max(initial=0) > MOST_COUNTED:
        raise StoreError(
            f"expected at most {MOST_COUNTED:,} of one value, found {totals.max():,}; compare by another column"
        )
    return totals.astype(np.int32)
