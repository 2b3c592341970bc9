"""What a bundle says about one horizon: a rung, the named baseline beside it, and what turns a prediction into a score.

A probability goes from the rung through the calibrator to the level of the date that it is asked for.

`Answer.say` is the heart of the scoring path: the same code for one customer over HTTP and for the whole base.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from features.journeys import Floats
from models.calendar import Level, unpack_level
from models.calibration import Calibrator, unpack_calibrator
from models.expectations import Expectations, unpack_expectations
from models.prediction import Packed, Position, Prediction
from models.rungs import Rung, unpack

BANDS = ("low", "medium", "high", "very high")
BAND_EDGES = (50.0, 80.0, 95.0)  # of the percentile
Z = 1.645  # standard deviations on either side hold 90 % of a normal


@dataclass(frozen=True)
class Spread:
    """How far the truth lies from a prediction, learnt out of time in groups of like predictions.

    Group `i` holds `edges[i-1] < mean <= edges[i]`. kind "probability": the interval of the rate is `mean + low[i],
    mean + high[i]`, cut to [0, 1]. kind "money": `quantiles[i]` are quantiles at `levels` of outcome / max(mean,
    floor); the interval is `low[i], high[i]` times the same.
    """

    kind: str
    edges: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    levels: tuple[float, ...] = ()
    quantiles: tuple[tuple[float, ...], ...] = ()
    floor: float = 0.0

    def interval(self, mean: Floats) -> tuple[Floats, Floats]:
        """The 90 % interval around every prediction."""
        edges, low, high, _ = self._arrays
        group = edges.searchsorted(mean, side="left")
        if self.kind == "probability":
            return _clip(mean + low[group], 1.0), _clip(mean + high[group], 1.0)
        unit = np.maximum(mean, self.floor)
        return unit * low[group], unit * high[group]

    def quantile(self, mean: Floats) -> Floats:
        """Quantiles of the outcome at `levels`, shape (n, n_levels); money only."""
        edges, _, _, quantiles = self._arrays
        return np.maximum(mean, self.floor)[:, None] * quantiles[edges.searchsorted(mean, side="left")]

    def widened(self, mean: Floats, doubt: float) -> tuple[Floats, Floats]:
        """The 90 % interval of probabilities whose level has this standard deviation in log-odds, too."""
        low, high = self.interval(mean)
        own = Z * doubt * mean * (1.0 - mean)
        return _clip(mean - np.hypot(mean - low, own), 1.0), _clip(mean + np.hypot(high - mean, own), 1.0)

    @cached_property
    def _arrays(self) -> tuple[Floats, Floats, Floats, Floats]:
        edges, low, high = (np.asarray(one, np.float64) for one in (self.edges, self.low, self.high))
        return edges, low, high, np.asarray(self.quantiles, np.float64).reshape(len(low), len(self.levels))


@dataclass(frozen=True)
class Adjusted:
    """What makes a rung's probability come true: a calibrator, and the level of the date. Money stays as it is."""

    calibrator: Calibrator | None = None
    level: Level | None = None

    def apply(self, mean: Floats, as_of_us: int | None = None) -> Floats:
        """Probabilities for an instant (µs UTC; default: the one the level starts at)."""
        if self.calibrator is not None:
            mean = self.calibrator.calibrated(mean)
        return mean if self.level is None else self.level.moved(mean, as_of_us)

    def doubt(self, as_of_us: int | None = None) -> float:
        """Standard deviation of the level, in log-odds."""
        return 0.0 if self.level is None else self.level.at(as_of_us)[1]

    def pack(self) -> dict[str, Any]:
        """Plain JSON from which `unpack_adjusted` makes the same."""
        parts = {"calibrator": self.calibrator, "level": self.level}
        return {name: part.pack() for name, part in parts.items() if part is not None}


def unpack_adjusted(plain: Mapping[str, Any]) -> Adjusted:
    """What `pack` wrote."""
    return Adjusted(unpack_calibrator(plain.get("calibrator")), unpack_level(plain.get("level")))


@dataclass(frozen=True)
class Said:
    """One column per field of the score record that depends on the row."""

    score: Floats
    low: Floats
    high: Floats
    percentile: Floats
    baseline: Floats
    parts: Mapping[str, Floats]
    quantiles: Floats | None = None


@dataclass(frozen=True, eq=False)
class Answer:
    """One horizon of a task.

    `fitted_days` is the horizon the rung was fitted on; when it is shorter than `horizon_days`, what is said is carried
    over (law 5): the chance of silence by `power`, the same for all, because what a process says of one customer's pace
    would be counted twice; money by the process `longer`. Without them by hazard and rate. `outcome`
    says which way the probability points: "event" (something happens) or "silence" (churn by inactivity). `base` are
    ascending scores of the base at training at evenly spaced percentiles 0..100. `metrics` and `baseline_metrics` are
    out-of-time figures, each `{name: [value, low, high]}`; `notes` are sentences for a person.
    """

    horizon_days: int
    fitted_days: int
    kind: str
    outcome: str
    rung: Rung
    baseline: Rung
    spread: Spread
    base: tuple[float, ...]
    grade: str
    metrics: Mapping[str, Any] = field(default_factory=dict)
    baseline_metrics: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    longer: Expectations | None = None
    power: float | None = None
    adjusted: Adjusted = field(default_factory=Adjusted)

    def expected(self, values: Floats, position: Position, as_of_us: int | None = None) -> Prediction:
        """What is expected of every row within `fitted_days` of the as-of."""
        prediction = self.rung.predict(values, position)
        return Prediction(self.adjusted.apply(prediction.mean, as_of_us), prediction.parts)

    def say(self, values: Floats, position: Position, as_of_us: int | None = None) -> Said:
        """Score every row of a panel: `values` (n, n_features) with feature columns at `position`.

        `as_of_us` is the instant of all rows (µs UTC); default: that of the training.
        """
        prediction = self.expected(values, position, as_of_us)
        doubt = self.adjusted.doubt(as_of_us)
        low, high = self.spread.widened(prediction.mean, doubt) if doubt else self.spread.interval(prediction.mean)
        power, factor = self._stretch(values, position)
        by = factor if self.kind == "cltv" else power
        score = self.carried(prediction.mean, by)
        quantiles = self.spread.quantile(prediction.mean).T if self.spread.levels else None
        return Said(
            score=score,
            low=self.carried(low, by),
            high=self.carried(high, by),
            percentile=self.percentile(score),
            baseline=self.carried(self.baseline.predict(values, position).mean, by),
            parts={name: _carried_part(name, part, power, factor) for name, part in prediction.parts.items()},
            quantiles=None if quantiles is None else self.carried(quantiles, by).T,
        )

    def carried(self, said: Floats, by: Floats | None = None) -> Floats:
        """What is said for `fitted_days`, carried over to `horizon_days`.

        `by` is the power of the chance of silence, or the factor of money; without it hazard and rate stay as they are.
        """
        if self.horizon_days == self.fitted_days:
            return said
        ratio = (self.power or self.horizon_days / self.fitted_days) if by is None else by
        if self.kind == "cltv":
            return said * ratio
        return np.asarray(said**ratio if self.outcome == "silence" else 1.0 - (1.0 - said) ** ratio)

    def _stretch(self, values: Floats, position: Position) -> tuple[Floats, Floats]:
        """Per row the power and the factor that carry over; where no process speaks the ratio of the horizons."""
        same = np.full(len(values), self.horizon_days / self.fitted_days)
        if self.power is not None:
            return np.full(len(values), self.power), same
        if self.longer is None or self.horizon_days == self.fitted_days:
            return same, same
        power, factor = self.longer.longer(values, position, self.horizon_days)
        return np.where(np.isnan(power), same, power), np.where(np.isnan(factor), same, factor)

    def percentile(self, score: Floats) -> Floats:
        """Share of the base at training with a lower score, ties counted half, 0-100."""
        below, upto = self._base.searchsorted(score, side="left"), self._base.searchsorted(score, side="right")
        return _clip((below + upto) / 2 / max(len(self._base), 1) * 100.0, 100.0)

    @cached_property
    def _base(self) -> Floats:
        return np.asarray(self.base, np.float64)

    def pack(self) -> Packed:
        """Plain JSON and named texts from which `unpack_answer` makes the same answer."""
        plain, texts = self.rung.pack()
        baseline, baseline_texts = self.baseline.pack()
        rest = {key: getattr(self, key) for key in _PLAIN} | {"spread": asdict(self.spread)}
        rest["adjusted"] = self.adjusted.pack()
        if self.longer is not None:
            rest["longer"] = self.longer.pack()
        named = {f"rung-{name}": text for name, text in texts.items()} | {
            f"baseline-{n}": t for n, t in baseline_texts.items()
        }
        return {**rest, "rung": plain, "baseline": baseline}, named


def _carried_part(name: str, part: Floats, power: Floats, factor: Floats) -> Floats:
    return np.asarray(part**power if name == "p_none" else part * factor if name == "orders" else part)


def _clip(values: Floats, highest: float) -> Floats:
    return np.minimum(np.maximum(values, 0.0), highest)


_PLAIN = (
    "horizon_days",
    "fitted_days",
    "kind",
    "outcome",
    "base",
    "grade",
    "metrics",
    "baseline_metrics",
    "notes",
    "flags",
    "power",
)


def unpack_answer(plain: Mapping[str, Any], texts: Mapping[str, str]) -> Answer:
    """The answer that `pack` wrote."""
    given: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in plain.items()}
    own = {name.removeprefix("rung-"): text for name, text in texts.items() if name.startswith("rung-")}
    other = {name.removeprefix("baseline-"): text for name, text in texts.items() if name.startswith("baseline-")}
    spread: dict[str, Any] = {
        key: tuple(tuple(v) if isinstance(v, list) else v for v in value) if isinstance(value, list) else value
        for key, value in plain["spread"].items()
    }
    return Answer(
        **(
            given
            | {
                "rung": unpack(plain["rung"], own),
                "baseline": unpack(plain["baseline"], other),
                "spread": Spread(**spread),
                "longer": unpack_expectations(plain.get("longer")),
                "adjusted": unpack_adjusted(plain.get("adjusted", {})),
            }
        )
    )


def bands(percentile: Floats) -> list[str]:
    """The band of every percentile: low, medium, high or very high."""
    return [BANDS[index] for index in np.searchsorted(BAND_EDGES, percentile, side="right")]
