"""Figures of two versions beside each other, each as its run in MLflow holds it.

Nothing is computed here: a figure is three metrics of one run (`test_auroc`, `test_auroc_low`, `test_auroc_high`), and
keeps their names. Intervals hold 90 %.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from models.registry.past_runs import PastRun
from training.compare.figure_kinds import KINDS, KNOWN, MAIN, Kind
from training.tracking.metric_names import ENDS, MetricName, compose, parse, recorded_horizons, suffix

MISSING = "–"
WHOSE = ("test", "baseline")  # as names of metrics say it: the model's figure on the test, and its baseline's


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
        return (
            len(models) == 2 and self.kind.best != "none" and all(model is not None and model.whole for model in models)
        )


def rows(sides: Sequence[PastRun | None]) -> tuple[Row, ...]:
    """Every figure that any of the runs holds, by horizon, those that tell most first.

    One is better than the other only where both were tested in one period: seasons are better and worse, too.
    """
    by_side = _horizons(sides)
    rows = []
    for days in sorted({days for horizons in by_side for days in horizons}, key=lambda days: days or 0):
        runs = tuple(
            _Run(side, horizons[days]) if side and days in horizons else None
            for side, horizons in zip(sides, by_side, strict=True)
        )
        for figure in _names(runs):
            pairs = tuple(Pair(*(run.figure(whose, figure) if run else None for whose in WHOSE)) for run in runs)
            kind = KNOWN.get(figure) or Kind(figure, figure.replace("_", " "), "", "none")
            if any(pair.model or pair.baseline for pair in pairs):
                rows.append(Row(days, kind, pairs, _better(kind, pairs) if _in_one_period(runs) else None))
    return tuple(rows)


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


@dataclass(frozen=True)
class _Run:
    """A run at one of its horizons, which is None in names where it is the only one."""

    run: PastRun
    horizon_days: int | None

    def figure(self, whose: str, name: str) -> Figure | None:
        """One of its figures, if it holds it."""
        metrics = [compose(MetricName(whose, name, self.horizon_days, end)) for end in ENDS]
        value, low, high = map(self.run.metrics.get, metrics)
        return None if value is None else Figure(self.run.id, metrics[0], value, low, high)

    @property
    def figures(self) -> list[str]:
        """What its figures are called."""
        names = [name for name in map(parse, self.run.metrics) if name and not name.end]
        return [name.figure for name in names if name.horizon_days == self.horizon_days]


def _horizons(sides: Sequence[PastRun | None]) -> list[dict[int | None, int | None]]:
    """For each side its horizons in days (None: not recorded) with how its names say them."""
    by_side = [recorded_horizons(side.tags, side.params) if side else {} for side in sides]
    single = [next(iter(horizons)) for horizons in by_side if len(horizons) == 1]
    if len(single) == 2 and None in single:  # a horizon that was not recorded is taken to be the other's
        recorded = next((days for days in single if days is not None), None)
        by_side = [{recorded: next(iter(horizons.values()))} for horizons in by_side]
    return by_side


def _names(runs: Sequence[_Run | None]) -> list[str]:
    """The names of all figures of one horizon: known ones in their order, then the others by name."""
    names = [name for run in runs if run for name in run.figures]
    return list(dict.fromkeys([name for name in KNOWN if name in names] + sorted(names)))


def _in_one_period(runs: Sequence[_Run | None]) -> bool:
    return len({run.run.params.get(f"split.test{suffix(run.horizon_days)}") for run in runs if run}) == 1


def _better(kind: Kind, pairs: Sequence[Pair]) -> int | None:
    models = [pair.model for pair in pairs]
    if len(models) != 2 or kind.best == "none" or not all(model and model.whole for model in models):
        return None
    (low, high), (other_low, other_high) = (_badness(kind, model) for model in models if model is not None)
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
