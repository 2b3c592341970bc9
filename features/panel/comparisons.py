"""Features that compare a customer with everybody: which counts of the crowd they read, and their numbers."""

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

NUMBERS = {"popularity": POPULARITY, "event_share": EVENT_SHARE}

Placed = tuple[tuple[int, Feature], ...]  # each with its place in the panel


def topics(*sets: FeatureSet) -> tuple[CountKey, ...]:
    """What the crowd has to count for these features, in order; nothing for most."""
    features = [feature for one in sets for feature in one.declared if feature.kind in COMPARED]
    return tuple(sorted({topic for feature in features for topic in _topics(feature)}))


def compare(
    rows: tuple[Ints, Ints],
    columns: tuple[Array, ...],
    streams: tuple[Array, ...],
    journeys: Journeys,
    asked: tuple[tuple[Stream, ...], Placed],
    out: Floats,
) -> None:
    """Fill the columns of the features `asked`, which come with all streams; the rest as in `kernel.walk.fill`.

    Raises StoreError when the journeys come without what everybody did.
    """
    named, placed = asked
    crowd = _crowd(journeys, placed)
    wanted, blocks, figures, of_cohorts = _plan(named, placed, crowd.topics)
    told = crowd.starts, crowd.spans, crowd.totals, GROUPS, crowd.until
    if len(figures):
        hashed = np.stack([cells(journeys, column) for column in wanted])
        values(rows, columns, streams, hashed, told, blocks, figures, out)
    if len(of_cohorts):
        cohorts(rows, columns, told, of_cohorts, out)


def _topics(feature: Feature) -> tuple[CountKey, ...]:
    """What a feature reads: customers and what they did, or all rows, those of each value and of these the event's."""
    if feature.kind == "cohort_count":
        return CountKey("customers"), CountKey("occurrences", events=tuple(sorted(feature.stream.events)))
    column = feature.column or ""
    every = CountKey("all", column), CountKey("rows", column)
    return (*every, CountKey("rows", column, (feature.level,))) if feature.level else every


def _crowd(journeys: Journeys, placed: Placed) -> GlobalCounts:
    crowd = journeys.crowd
    told = set() if crowd is None else set(crowd.topics)
    missing = [feature.name for _, feature in placed if not told.issuperset(_topics(feature))]
    if crowd is None or missing:
        raise StoreError(
            f"expected journeys that know what everybody did, as '{missing[0]}' asks, found them without; "
            "open the store by `store.with_crowd(topics(features))`"
        )
    return crowd


@lru_cache(maxsize=64)
def _plan(
    streams: tuple[Stream, ...], placed: Placed, counted: tuple[CountKey, ...]
) -> tuple[tuple[str, ...], Ints, Ints, Ints]:
    """The columns to hash, and blocks, figures and cohorts as `kernel.crowd` reads them."""
    of_cohorts = [
        (*map(counted.index, _topics(feature)), place) for place, feature in placed if feature.kind == "cohort_count"
    ]
    of_values = [(place, feature) for place, feature in placed if feature.kind in NUMBERS]
    wanted = tuple(dict.fromkeys(feature.column or "" for _, feature in of_values))
    blocks: dict[tuple[int, ...], list[tuple[int, int, int]]] = {}
    for place, feature in of_values:
        read = [counted.index(topic) for topic in _topics(feature)]
        block = streams.index(feature.stream), wanted.index(feature.column or ""), *read[:2], read[-1]
        blocks.setdefault(block, []).append((feature.window_us, NUMBERS[feature.kind], place))
    return wanted, *_tables(blocks), np.array(of_cohorts, np.int64).reshape(-1, 3)


def _tables(blocks: Mapping[tuple[int, ...], Sequence[tuple[int, int, int]]]) -> tuple[Ints, Ints]:
    rows: list[tuple[int, ...]] = []
    figures: list[tuple[int, int, int]] = []
    for block, found in blocks.items():
        rows.append((*block, len(figures), len(figures) + len(found)))
        figures += [(number, window_us, place) for window_us, number, place in sorted(found)]
    return np.array(rows, np.int64).reshape(-1, 7), np.array(figures, np.int64).reshape(-1, 3)
