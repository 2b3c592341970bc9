"""`build(journeys, rows, features) -> Panel`: the numbers of every (customer, cutoff)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from features import kernel
from features.errors import ConfigError
from features.journeys import Floats, Ints, Journeys, Profile
from features.timeline import EVER_US, days
from features.windows import Feature, FeatureSet, Stream

WHAT = {
    "count": kernel.COUNT,
    "refunds": kernel.REFUNDS,
    "sum": kernel.SUM,
    "mean": kernel.MEAN,
    "max": kernel.MAX,
    "distinct": kernel.DISTINCT,
    "recency": kernel.RECENCY,
    "tenure": kernel.TENURE,
    "gap_mean": kernel.GAP_MEAN,
    "gap_std": kernel.GAP_STD,
}
ATTRIBUTES = ("attribute", "attribute_is")
NO_OCCURRENCE = np.zeros(0, np.int32)
T = TypeVar("T")
Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True)
class Rows:
    """Which (customer, cutoff) a panel has: indices into journeys, cutoffs in µs UTC; fastest grouped by customer."""

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
    values = np.empty((len(rows), len(features)))  # the kernel writes every cell
    plan = _plan(features)
    where = np.ascontiguousarray(rows.customer, np.int64), np.ascontiguousarray(rows.cutoff, np.int64)
    if len(rows) and len(plan.blocks):
        kernel.fill(where, _columns(journeys, plan), _streams(journeys, plan), plan.blocks, plan.figures, values)
    if len(rows) and plan.attributes:
        kernel.attributes(where, *_attributes(journeys.profile, plan), values)
    return Panel(rows, values, features)


@dataclass(frozen=True)
class _Plan:
    """A feature set in the form the kernel reads (`blocks` and `figures` are explained there), for all journeys."""

    streams: tuple[Stream, ...]
    numbers: tuple[str, ...]
    categories: tuple[str, ...]
    blocks: Ints
    figures: Ints
    attributes: tuple[tuple[int, Feature], ...]  # each with its place in the panel


@lru_cache(maxsize=64)
def _plan(features: FeatureSet) -> _Plan:
    read = [(place, feature) for place, feature in enumerate(features.features) if feature.what in WHAT]
    streams = _once(feature.stream for _, feature in read)
    numbers = _once(feature.column for _, feature in read if _source(feature) == kernel.NUMBERS)
    counted = _once(feature.column for _, feature in read if _source(feature) == kernel.CATEGORIES)
    filters = [column for stream in streams for column, _ in stream.where]
    columns = {kernel.OCCURRENCES: ("",), kernel.NUMBERS: numbers, kernel.CATEGORIES: counted}
    wanted: dict[tuple[int, int, int], list[tuple[int, int, int]]] = {}
    for place, feature in read:
        source = _source(feature)
        block = streams.index(feature.stream), source, columns[source].index(feature.column or "")
        window_us = days(feature.window_days) if feature.window_days else EVER_US
        wanted.setdefault(block, []).append((WHAT[feature.what], window_us, place))
    return _Plan(
        streams,
        numbers,
        _once([*counted, *filters]),
        *_walks(wanted),
        tuple((place, feature) for place, feature in enumerate(features.features) if feature.what in ATTRIBUTES),
    )


def _walks(wanted: Mapping[tuple[int, int, int], list[tuple[int, int, int]]]) -> tuple[Ints, Ints]:
    """Blocks and their figures as the kernel walks them: by stream; windows ascending, then the whole stream."""
    blocks: list[tuple[int, ...]] = []
    figures: list[tuple[int, int, int]] = []
    for block in sorted(wanted):
        windowed = sorted((figure for figure in wanted[block] if figure[0] < kernel.RECENCY), key=lambda f: f[1])
        whole = [figure for figure in wanted[block] if figure[0] >= kernel.RECENCY]
        first, middle = len(figures), len(figures) + len(windowed)
        figures += windowed + whole
        blocks.append((*block, first, middle, len(figures)))
    return np.array(blocks, np.int64).reshape(-1, 6), np.array(figures, np.int64).reshape(-1, 3)


def _source(feature: Feature) -> int:
    if feature.what == "distinct":
        return kernel.CATEGORIES
    return kernel.NUMBERS if feature.column else kernel.OCCURRENCES


def _once(items: Iterable[T | None]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(item for item in items if item is not None))


def _columns(journeys: Journeys, plan: _Plan) -> tuple[NDArray[np.generic], ...]:
    numbers = [_column(journeys.numbers, name, "number") for name in plan.numbers]
    categories = [_column(journeys.categories, name, "category").codes for name in plan.categories]
    return (
        journeys.starts,
        journeys.time,
        journeys.known,
        journeys.event.codes,
        journeys.value,
        NO_OCCURRENCE if journeys.occurrence is None else journeys.occurrence,
        _stacked(numbers, np.float64),
        _stacked(categories, np.int32),
    )


def _streams(journeys: Journeys, plan: _Plan) -> tuple[NDArray[np.generic], ...]:
    events = np.zeros((len(plan.streams), len(journeys.event.names)), np.bool_)
    conditions = max((len(stream.where) for stream in plan.streams), default=0)
    column = np.full((len(plan.streams), conditions), -1, np.int64)
    code = np.full((len(plan.streams), conditions), -1, np.int64)
    for index, stream in enumerate(plan.streams):
        events[index] = not stream.events
        for event in map(journeys.event.code, stream.events):
            if event >= 0:
                events[index, event] = True
        for condition, (name, level) in enumerate(stream.where):
            column[index, condition] = plan.categories.index(name)
            code[index, condition] = journeys.categories[name].code(level)
    return events, column, code


def _attributes(profile: Profile, plan: _Plan) -> tuple[tuple[NDArray[np.generic], ...], Ints]:
    numbers, categories = list(profile.numbers), list(profile.categories)
    wanted = np.full((len(plan.attributes), 4), -1, np.int64)
    for index, (place, feature) in enumerate(plan.attributes):
        name = feature.column or ""
        if feature.what == "attribute":
            wanted[index] = kernel.NUMBER, numbers.index(name) if name in numbers else -1, -1, place
        elif name in categories:
            code = profile.categories[name].code(feature.level or "")
            wanted[index] = kernel.LEVEL, categories.index(name), code, place
        else:
            wanted[index] = kernel.LEVEL, -1, -1, place
    columns = (
        profile.starts,
        profile.known,
        _stacked(list(profile.numbers.values()), np.float64),
        _stacked([category.codes for category in profile.categories.values()], np.int32),
    )
    return columns, wanted


def _stacked(columns: list[NDArray[Scalar]], kind: type[Scalar]) -> NDArray[Scalar]:
    """The columns as rows of one array; a single one is not copied."""
    if len(columns) == 1:
        return columns[0].reshape(1, -1)
    return np.stack(columns) if columns else np.zeros((0, 0), kind)


def _column(columns: Mapping[str, T], name: str, kind: str) -> T:
    try:
        return columns[name]
    except KeyError:
        raise ConfigError(
            f"expected the {kind} column '{name}' in the store, found none; add it to [log] and ingest again"
        ) from None
