"""Features that compare a customer with everybody: which global counts they read, and their numbers."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

from features.arrays import Floats, Ints
from features.errors import StoreError
from features.global_counts import GROUPS, CountKey, GlobalCounts
from features.journeys import Journeys
from features.kernel.compile import Array
from features.kernel.global_counts import EVENT_SHARE, POPULARITY, cohorts, values
from features.language.feature import Feature, Stream
from features.language.feature_set import FeatureSet
from features.language.kinds import COMPARED
from features.store.global_counts import cells

OPCODES = {"popularity": POPULARITY, "event_share": EVENT_SHARE}

Placed = tuple[tuple[int, Feature], ...]  # each with its place in the panel


def count_keys(*sets: FeatureSet) -> tuple[CountKey, ...]:
    """What has to be counted over all customers for these features, in order; nothing for most."""
    features = [feature for feature_set in sets for feature in feature_set.declared if feature.kind in COMPARED]
    return tuple(sorted({key for feature in features for key in _count_keys(feature)}))


def compare(
    rows: tuple[Ints, Ints],
    columns: tuple[Array, ...],
    streams: tuple[Array, ...],
    journeys: Journeys,
    compared: tuple[tuple[Stream, ...], Placed],
    out: Floats,
) -> None:
    """Fill the columns of the features `compared`, which come with all streams; the rest as in `kernel.walk.fill`.

    Raises StoreError when the journeys come without global counts.
    """
    all_streams, placed = compared
    counts = _global_counts(journeys, placed)
    hashed_columns, blocks, operations, cohort_table = _plan(all_streams, placed, counts.count_keys)
    tables = counts.starts, counts.days, counts.totals, GROUPS, counts.until
    if len(operations):
        hashed = np.stack([cells(journeys, column) for column in hashed_columns])
        values(rows, columns, streams, hashed, tables, blocks, operations, out)
    if len(cohort_table):
        cohorts(rows, columns, tables, cohort_table, out)


def _count_keys(feature: Feature) -> tuple[CountKey, ...]:
    """What a feature reads: customers and what they did, or all rows, those of each value and of these the event's."""
    if feature.kind == "cohort_count":
        return CountKey("customers"), CountKey("occurrences", events=tuple(sorted(feature.stream.events)))
    column = feature.column or ""
    of_all_events = CountKey("all", column), CountKey("rows", column)
    return (*of_all_events, CountKey("rows", column, (feature.level,))) if feature.level else of_all_events


def _global_counts(journeys: Journeys, placed: Placed) -> GlobalCounts:
    counts = journeys.global_counts
    present = set() if counts is None else set(counts.count_keys)
    missing = [feature.name for _, feature in placed if not present.issuperset(_count_keys(feature))]
    if counts is None or missing:
        raise StoreError(
            f"expected journeys with global counts, which the feature '{missing[0]}' reads, found none; "
            "open the store by `store.with_global_counts(count_keys(features))`"
        )
    return counts


@lru_cache(maxsize=64)
def _plan(
    streams: tuple[Stream, ...], placed: Placed, counted: tuple[CountKey, ...]
) -> tuple[tuple[str, ...], Ints, Ints, Ints]:
    """The columns to hash, and blocks, operations and cohorts as `kernel.global_counts` reads them."""
    of_cohorts = [(place, feature) for place, feature in placed if feature.kind == "cohort_count"]
    cohort_table = [(*map(counted.index, _count_keys(feature)), place) for place, feature in of_cohorts]
    of_values = [(place, feature) for place, feature in placed if feature.kind in OPCODES]
    hashed_columns = tuple(dict.fromkeys(feature.column or "" for _, feature in of_values))
    blocks: dict[tuple[int, ...], list[tuple[int, int, int]]] = {}
    for place, feature in of_values:
        read = [counted.index(key) for key in _count_keys(feature)]
        block = streams.index(feature.stream), hashed_columns.index(feature.column or ""), *read[:2], read[-1]
        blocks.setdefault(block, []).append((feature.window_us, OPCODES[feature.kind], place))
    return hashed_columns, *_tables(blocks), np.array(cohort_table, np.int64).reshape(-1, 3)


def _tables(blocks: Mapping[tuple[int, ...], Sequence[tuple[int, int, int]]]) -> tuple[Ints, Ints]:
    rows: list[tuple[int, ...]] = []
    operations: list[tuple[int, int, int]] = []
    for block, of_block in blocks.items():
        rows.append((*block, len(operations), len(operations) + len(of_block)))
        operations += [(opcode, window_us, place) for window_us, opcode, place in sorted(of_block)]
    return np.array(rows, np.int64).reshape(-1, 7), np.array(operations, np.int64).reshape(-1, 3)
