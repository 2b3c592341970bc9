"""`build(journeys, rows, features) -> Panel`: the numbers of every (customer, cutoff)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from features import kernel
from features.errors import ConfigError
from features.journeys import Category, Floats, Ints, Journeys
from features.timeline import BEGINNING, days
from features.windows import Feature, FeatureSet, Stream

WINDOWED = {
    "count": kernel.COUNT,
    "refunds": kernel.REFUNDS,
    "sum": kernel.SUM,
    "mean": kernel.MEAN,
    "max": kernel.MAX,
    "distinct": kernel.DISTINCT,
}
WHOLE = {"recency": kernel.RECENCY, "tenure": kernel.TENURE, "gap_mean": kernel.GAP_MEAN, "gap_std": kernel.GAP_STD}
EVER_US = -BEGINNING
T = TypeVar("T")


@dataclass(frozen=True)
class Rows:
    """Which (customer, cutoff) a panel has: indices into the journeys, cutoffs in µs UTC; grouped by customer."""

    customer: Ints
    cutoff: Ints

    def __len__(self) -> int:
        return len(self.customer)

    def __getitem__(self, mask: NDArray[np.bool_] | Ints) -> "Rows":
        return Rows(self.customer[mask], self.cutoff[mask])

    @staticmethod
    def grid(customers: int, cutoffs: Ints) -> "Rows":
        """Every customer at every cutoff, grouped by customer."""
        return Rows(
            np.repeat(np.arange(customers, dtype=np.int64), len(cutoffs)),
            np.tile(np.asarray(cutoffs, np.int64), customers),
        )

    def shifted(self, duration_us: int) -> "Rows":
        """The same customers, looking from a later instant."""
        return replace(self, cutoff=self.cutoff + duration_us)


@dataclass(frozen=True)
class Panel:
    """Rows × features: `values` is float64 of shape (n_rows, n_features), NaN where a feature has nothing to say."""

    rows: Rows
    values: Floats
    features: FeatureSet

    def __len__(self) -> int:
        return len(self.rows)

    def column(self, name: str) -> Floats:
        """One feature over all rows."""
        return self.values[:, self.features.position[name]]


def build(journeys: Journeys, rows: Rows, features: FeatureSet) -> Panel:
    """The panel of these rows: every feature as it was known at the row's cutoff."""
    values = np.full((len(rows), len(features)), np.nan)
    plan = _plan(features)
    if len(rows):
        kernel.fill(
            (rows.customer, rows.cutoff),
            _columns(journeys, plan),
            _streams(journeys, plan),
            plan.blocks,
            plan.windows,
            values,
        )
        _attributes(journeys, rows, features, values)
    return Panel(rows, values, features)


@dataclass(frozen=True)
class _Plan:
    """A feature set in the form the kernel reads; the same for all journeys."""

    streams: tuple[Stream, ...]
    numbers: tuple[str, ...]
    categories: tuple[str, ...]
    windows: Ints
    blocks: tuple[Ints, Ints, Ints, Ints, Ints]


@lru_cache(maxsize=64)
def _plan(features: FeatureSet) -> _Plan:
    wanted = [
        (column, feature)
        for column, feature in enumerate(features.features)
        if feature.what in WINDOWED or feature.what in WHOLE
    ]
    streams = tuple(dict.fromkeys(feature.stream for _, feature in wanted))
    filters = [column for stream in streams for column, _ in stream.where]
    numbers = tuple(dict.fromkeys(f.column for _, f in wanted if f.column and f.what != "distinct"))
    categories = tuple(dict.fromkeys([*(f.column for _, f in wanted if f.column and f.what == "distinct"), *filters]))
    windows = sorted({feature.window_days for _, feature in wanted if feature.window_days})
    keys = list(dict.fromkeys(_block_key(feature) for _, feature in wanted))
    slots = np.full((len(keys), len(windows) + 1, len(WINDOWED)), -1, np.int64)
    whole = np.full((len(keys), len(WHOLE)), -1, np.int64)
    for column, feature in wanted:
        block = keys.index(_block_key(feature))
        if feature.what in WHOLE:
            whole[block, WHOLE[feature.what]] = column
        else:
            window = windows.index(feature.window_days) if feature.window_days else len(windows)
            slots[block, window, WINDOWED[feature.what]] = column
    places = {kernel.OCCURRENCES: ("",), kernel.NUMBERS: numbers, kernel.CATEGORIES: categories}
    blocks = (
        np.array([streams.index(stream) for stream, _, _ in keys], np.int64),
        np.array([source for _, source, _ in keys], np.int64),
        np.array([places[source].index(column or "") for _, source, column in keys], np.int64),
        slots,
        whole,
    )
    return _Plan(streams, numbers, categories, np.array([*(days(w) for w in windows), EVER_US], np.int64), blocks)


def _block_key(feature: Feature) -> tuple[Stream, int, str | None]:
    if feature.column is None:
        return feature.stream, kernel.OCCURRENCES, None
    return feature.stream, kernel.CATEGORIES if feature.what == "distinct" else kernel.NUMBERS, feature.column


def _columns(journeys: Journeys, plan: _Plan) -> tuple[NDArray[np.generic], ...]:
    numbers = [_column(journeys.numbers, name, "number") for name in plan.numbers]
    categories = [_column(journeys.categories, name, "category").codes for name in plan.categories]
    occurrence = np.zeros(0, np.int32) if journeys.occurrence is None else journeys.occurrence
    return (
        journeys.starts,
        journeys.time,
        journeys.known,
        journeys.event.codes,
        journeys.value,
        occurrence,
        np.stack(numbers) if numbers else np.zeros((0, journeys.rows)),
        np.stack(categories) if categories else np.zeros((0, journeys.rows), np.int32),
    )


def _streams(journeys: Journeys, plan: _Plan) -> tuple[NDArray[np.generic], ...]:
    events = np.zeros((len(plan.streams), len(journeys.event.names)), np.bool_)
    conditions = max((len(stream.where) for stream in plan.streams), default=0)
    column = np.full((len(plan.streams), conditions), -1, np.int64)
    code = np.full((len(plan.streams), conditions), -1, np.int64)
    for index, stream in enumerate(plan.streams):
        events[index] = True if not stream.events else np.isin(journeys.event.names, np.array(stream.events, object))
        for condition, (name, level) in enumerate(stream.where):
            column[index, condition] = plan.categories.index(name)
            code[index, condition] = journeys.categories[name].code(level)
    return events, column, code


def _column(columns: Mapping[str, T], name: str, kind: str) -> T:
    try:
        return columns[name]
    except KeyError:
        raise ConfigError(
            f"expected the {kind} column '{name}' in the store, found none; add it to [log] and ingest again"
        ) from None


def _attributes(journeys: Journeys, rows: Rows, features: FeatureSet, values: Floats) -> None:
    wanted = [
        (column, feature)
        for column, feature in enumerate(features.features)
        if feature.what in ("attribute", "attribute_is")
    ]
    if not wanted:
        return
    profile = journeys.profile
    newest = kernel.latest(profile.starts, profile.known, rows.customer, rows.cutoff)
    has = newest >= 0
    for column, feature in wanted:
        name = feature.column or ""
        if feature.what == "attribute" and name in profile.numbers:
            values[has, column] = profile.numbers[name][newest[has]]
        elif feature.what == "attribute_is" and name in profile.categories:
            values[has, column] = _is_level(profile.categories[name], newest[has], feature.level or "")


def _is_level(category: Category, positions: Ints, level: str) -> Floats:
    codes = category.codes[positions]
    return np.where(codes < 0, np.nan, codes == category.code(level))
