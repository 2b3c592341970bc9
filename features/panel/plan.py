"""A feature set in the form that the kernel reads: tables of streams, blocks and what to compute in each."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np

from features.arrays import Ints
from features.kernel.opcodes import FIGURES, GROUPS, SEASONS
from features.kernel.walk import CATEGORIES, NUMBERS, OCCURRENCES
from features.language.feature import Bound, Feature, Stream
from features.language.feature_set import FeatureSet
from features.language.functions import FunctionFeature
from features.language.kinds import COMPARED, HOURS, KINDS, PROFILE, WEEKDAYS

T = TypeVar("T")


@dataclass(frozen=True)
class PanelPlan:
    """A feature set in the form the kernel reads (`blocks` and `figures` are explained there), for all journeys."""

    streams: tuple[Stream, ...]
    numbers: tuple[str, ...]
    categories: tuple[str, ...]
    bounds: tuple[Bound, ...]  # each becomes one more category, 1 where it holds
    roles: tuple[Feature, ...]  # a row of roles each
    blocks: Ints
    figures: Ints
    attributes: tuple[tuple[int, Feature], ...]  # each with its place in the panel
    calendar: Ints
    compared: tuple[tuple[int, Feature], ...]
    customs: tuple[tuple[int, FunctionFeature], ...]


Block = tuple[int, int, int]  # stream, source, column
Figure = tuple[int, int, int, int, int]  # group, window, number, place in the panel, argument


@lru_cache(maxsize=64)
def plan_of(features: FeatureSet) -> PanelPlan:
    """The plan of a feature set."""
    placed = [(place, feature) for place, feature in enumerate(features.features) if isinstance(feature, Feature)]
    read = [(place, feature) for place, feature in placed if feature.kind in FIGURES]
    compared = tuple((place, feature) for place, feature in placed if feature.kind in COMPARED)
    streams = _once(feature.stream for _, feature in (*read, *compared))
    numbers = _once(feature.column for _, feature in read if _source(feature) == NUMBERS)
    counted = _once(feature.column for _, feature in read if _source(feature) == CATEGORIES)
    filters = [column for stream in streams for column, _ in stream.where]
    roles = _once(feature for _, feature in read if KINDS[feature.kind].level in ("event", "steps"))
    columns = {OCCURRENCES: ("",), NUMBERS: numbers, CATEGORIES: counted}
    wanted: dict[Block, list[Figure]] = {}
    for place, feature in read:
        source = _source(feature)
        block = streams.index(feature.stream), source, columns[source].index(feature.column or "")
        group, number = FIGURES[feature.kind]
        wanted.setdefault(block, []).append((group, feature.window_us, number, place, _argument(feature, roles)))
    return PanelPlan(
        streams,
        numbers,
        _once([*counted, *filters]),
        _once(bound for stream in streams for bound in stream.bounds),
        roles,
        *_walks(wanted),
        tuple((place, feature) for place, feature in placed if feature.kind in PROFILE),
        _table([(SEASONS[feature.kind], place) for place, feature in placed if feature.kind in SEASONS], 2),
        compared,
        tuple(
            (place, feature) for place, feature in enumerate(features.features) if isinstance(feature, FunctionFeature)
        ),
    )


def _walks(wanted: Mapping[Block, list[Figure]]) -> tuple[Ints, Ints]:
    """Blocks and their figures as the kernel walks them: by stream; by group, windows ascending."""
    blocks: list[tuple[int, ...]] = []
    figures: list[Figure] = []
    for block in sorted(wanted):
        groups = [figure[0] for figure in sorted(wanted[block])]
        blocks.append((*block, *(len(figures) + bisect_left(groups, group) for group in range(GROUPS + 1))))
        figures += sorted(wanted[block])
    ordered = [(number, window, place, argument) for _, window, number, place, argument in figures]
    return _table(blocks, 4 + GROUPS), _table(ordered, 4)


def _table(rows: Sequence[tuple[int, ...]], columns: int) -> Ints:
    return np.array(rows, np.int64).reshape(-1, columns)


def _source(feature: Feature) -> int:
    wanted = KINDS[feature.kind].column
    return CATEGORIES if wanted == "category" else NUMBERS if wanted == "amount" and feature.column else OCCURRENCES


def _argument(feature: Feature, roles: tuple[Feature, ...]) -> int:
    """What a figure's number leaves open: which quarter of the day, weekday, or row of roles."""
    level = KINDS[feature.kind].level
    if level in ("event", "steps"):
        return roles.index(feature)
    return {"hours": HOURS, "weekday": WEEKDAYS}[level].index(feature.level or "") if level != "none" else 0


def _once(items: Iterable[T | None]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(item for item in items if item is not None))
