"""Figures of two versions beside each other, each as its run in MLflow holds it.

Nothing is computed here: a figure is three metrics of one run (`test_auroc`, `test_auroc_low`, `test_auroc_high`), and
keeps their names. Intervals hold 90 %.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from models.registry.past_runs import PastRun
from training.compare.figure_kinds import KINDS, KNOWN, MAIN, Kind

MISSING = "–"


@dataclass(frozen=True)
class Figure:
    """One figure of a run; `metric` is the name of its value there. An end that was not measured is None."""

    run_id: str
    metric: str
    value: float
    low: float | None
    high: float | None

    @property
    def whole(self) -> bool:
        """Whether there is an interval."""
        return self.low is not None and self.high is not None and self.low < self.high


@dataclass(frozen=True)
class Pair:
    """A figure of a version and of its named baseline on the same rows."""

    model: Figure | None
    baseline: Figure | None


@dataclass(frozen=True)
class Row:
    """One figure at one horizon, a pair for each side; `better` is the side whose interval lies apart, if one does."""

    horizon_days: int | None
    kind: Kind
    pairs: tuple[Pair, ...]
    better: int | None

    @property
    def main(self) -> bool:
        """Whether it belongs to those that tell most."""
        return self.kind in KINDS[:MAIN]

    @property
    def metric(self) -> str:
        """What MLflow calls it in the runs of the sides; the names differ when they were asked other horizons."""
        models = [pair.model.metric for pair in self.pairs if pair.model]
        baselines = [pair.baseline.metric for pair in self.pairs if pair.baseline]
        return ", ".join(dict.fromkeys(models or baselines))

    @property
    def comparable(self) -> bool:
        """Whether each of two sides has an interval, and it is known what is better."""
        models = [pair.model for pair in self.pairs]
        return len(models) == 2 and self.kind.best != "none" and all(one is not None and one.whole for one in models)


def rows(sides: Sequence[PastRun | None]) -> tuple[Row, ...]:
    """Every figure that any of the runs holds, by horizon, those that tell most first.

    One is better than the other only where both were tested in one period: seasons are better and worse, too.
    """
    endings = _endings(sides)
    horizons = sorted({days for one in endings for days in one}, key=lambda days: days or 0)
    found = []
    for days in horizons:
        ends = [one.get(days) for one in endings]
        for key in _keys(sides, ends):
            pairs = tuple(_pair(side, key, end) for side, end in zip(sides, ends, strict=True))
            if any(pair.model or pair.baseline for pair in pairs):
                kind = KNOWN.get(key) or Kind(key, key.replace("_", " "), "", "none")
                found.append(Row(days, kind, pairs, _better(kind, pairs) if _in_one_period(sides, ends) else None))
    return tuple(found)


def shown(value: float | None) -> str:
    """As many digits as a person reads.

    >>> [shown(value) for value in (0.81234, 0.0041234, 12.3456, 123.456, 12345.6, None)]
    ['0.812', '0.0041', '12.35', '123.5', '12,346', '–']
    """
    if value is None:
        return MISSING
    size = abs(value)
    form = (
        ".3g" if size >= 1e9 else ",.0f" if size >= 1000 else ".1f" if size >= 100 else ".2f" if size >= 10 else ".3f"
    )
    return f"{value:{'.2g' if 0 < size < 0.01 else form}}"


def _endings(sides: Sequence[PastRun | None]) -> list[dict[int | None, str]]:
    """For each side its horizons in days (None: not told) with the end that their metrics' names have."""
    found = [_horizons(side) for side in sides]
    alone = [next(iter(one)) for one in found if len(one) == 1]
    if len(alone) == 2 and None in alone:  # what is not told is what the other was asked
        days = next((one for one in alone if one is not None), None)
        found = [{days: next(iter(one.values()))} for one in found]
    return found


def _horizons(side: PastRun | None) -> dict[int | None, str]:
    if side is None:
        return {}
    endings = {match[0] for name in side.params if (match := re.search(r"(?<=^rung)_\d+d$", name))}
    if endings:
        return {int(end[1:-1]): end for end in sorted(endings)}
    told = side.params.get("split.horizon_days") or side.params.get("task.horizon_days") or ""
    return {int(told) if told.isdecimal() else None: ""}


def _keys(sides: Sequence[PastRun | None], ends: Sequence[str | None]) -> list[str]:
    """The keys of all figures of one horizon: known ones in their order, then the others as they were logged."""
    found = [
        key
        for side, end in zip(sides, ends, strict=True)
        if side is not None and end is not None
        for key in _keys_of(side.metrics, end)
    ]
    return list(dict.fromkeys([key for key in KNOWN if key in found] + sorted(found)))


def _keys_of(metrics: Mapping[str, float], end: str) -> Iterable[str]:
    for name in metrics:
        match = re.fullmatch(rf"(?:test|baseline)_(.+?){re.escape(end)}", name)
        if match and not re.search(r"_(low|high)$|_\d+d$", match[1]):
            yield match[1]


def _pair(side: PastRun | None, key: str, end: str | None) -> Pair:
    if side is None or end is None:
        return Pair(None, None)
    return Pair(_figure(side, f"test_{key}{end}"), _figure(side, f"baseline_{key}{end}"))


def _figure(side: PastRun, metric: str) -> Figure | None:
    value, low, high = (side.metrics.get(f"{metric}{end}") for end in ("", "_low", "_high"))
    return None if value is None else Figure(side.id, metric, value, low, high)


def _in_one_period(sides: Sequence[PastRun | None], ends: Sequence[str | None]) -> bool:
    tests = {
        side.params.get(f"split.test{end}") for side, end in zip(sides, ends, strict=True) if side and end is not None
    }
    return len(tests) == 1


def _better(kind: Kind, pairs: Sequence[Pair]) -> int | None:
    models = [pair.model for pair in pairs]
    if len(models) != 2 or kind.best == "none" or any(one is None or not one.whole for one in models):
        return None
    (low, high), (other_low, other_high) = (_badness(kind, one) for one in models if one is not None)
    return 0 if high < other_low else 1 if other_high < low else None


def _badness(kind: Kind, figure: Figure) -> tuple[float, float]:
    """The interval on a scale where less is better."""
    low, high = figure.low or 0.0, figure.high or 0.0
    if kind.best == "down":
        return low, high
    if kind.best == "up":
        return -high, -low
    ends = sorted((abs(low - kind.target), abs(high - kind.target)))
    return (0.0 if low <= kind.target <= high else ends[0]), ends[1]
