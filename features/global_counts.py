"""What all customers together had done, as it was known at the end of every day: what comparisons read.

An event enters on the day (UTC) on which it became visible, and a cutoff reads only days that were over: what anybody
does or is learnt of later changes nothing, and a customer's fresh events are not in it. Values of a category are told
apart by a hash of 16 bits, so that the size is bounded for any catalogue; values that share one are counted together.
A topic holds 8 bytes for every value and day with a row: never more than the log has rows, nor than 65,536 a day.
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

GROUPS = 2**16  # of a topic: hashes, or weeks
SPANS = 2**20  # days that a key can tell apart
SLICE = 8_000_000  # keys that are summed up at a time, about
MOST = 2**31 - 1


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
    """What some customers add to a crowd: `counts` (none is 0) by sorted `keys` of topic, group and day."""

    keys: Ints
    counts: Ints


@dataclass(frozen=True, eq=False)
class GlobalCounts:
    """Running totals: of group `g` of topic number `t` the days `spans[i]` with what was counted up to their end,
    `totals[i]`, for `starts[t × GROUPS + g] <= i < starts[t × GROUPS + g + 1]`. What came after `until` is not told.
    """

    topics: tuple[CountKey, ...]
    starts: Ints
    spans: NDArray[np.int32]
    totals: NDArray[np.int32]
    until: int = FOREVER

    def as_of(self, instant: int) -> "GlobalCounts":
        """As if that instant were now."""
        return replace(self, until=min(self.until, instant))


def keys_of(topic: int, group: Ints | int, spans: Ints) -> Ints:
    """Topic, group and day in one number, in this order."""
    keys: Ints = (topic * GROUPS + group) * SPANS + spans
    return keys


def summed(keys: Ints, counts: Ints) -> GroupCounts:
    """Every key once, in order, with its sum; those that cancel out are gone."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    first = np.flatnonzero(np.diff(ordered, prepend=-1))
    sums = np.add.reduceat(counts[order], first) if len(first) else np.zeros(0, np.int64)
    return GroupCounts(ordered[first][sums != 0], sums[sums != 0])


def together(parts: Sequence[GroupCounts], topics: tuple[CountKey, ...]) -> GlobalCounts:
    """The crowd of all parts; their keys are in memory a slice at a time."""
    groups = len(topics) * GROUPS
    edges = np.linspace(0, groups, 2 + sum(len(part.keys) for part in parts) // SLICE).astype(np.int64)
    cuts = [np.searchsorted(part.keys, edges * SPANS) for part in parts]
    starts, spans, totals = [np.zeros(1, np.int64)], [np.zeros(0, np.int32)], [np.zeros(0, np.int32)]
    for number, (low, high) in enumerate(pairwise(edges.tolist())):
        pieces = [(part, slice(cut[number], cut[number + 1])) for part, cut in zip(parts, cuts, strict=True)]
        keys, counts = [part.keys[piece] for part, piece in pieces], [part.counts[piece] for part, piece in pieces]
        whole = summed(_joined(keys), _joined(counts))
        group = whole.keys // SPANS
        starts.append(starts[-1][-1] + np.cumsum(np.bincount(group - low, minlength=high - low)))
        spans.append((whole.keys % SPANS).astype(np.int32))
        totals.append(_running(group, whole.counts))
    return GlobalCounts(topics, np.concatenate(starts), np.concatenate(spans), np.concatenate(totals))


def _joined(arrays: list[Ints]) -> Ints:
    return np.concatenate([np.zeros(0, np.int64), *arrays])


def _running(group: Ints, counts: Ints) -> NDArray[np.int32]:
    """The running total within each group."""
    running = np.cumsum(counts)
    first = np.flatnonzero(np.diff(group, prepend=-1))
    totals = running - np.repeat((running - counts)[first], np.diff(first, append=len(group)))
    if totals.max(initial=0) > MOST:
        raise StoreError(f"expected at most {MOST:,} of one value, found {totals.max():,}; compare by another column")
    return totals.astype(np.int32)
