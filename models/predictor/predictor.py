"""One horizon of a bundle: a rung, the named baseline beside it, and what turns a prediction into a score.

A probability goes from the rung through the calibrator to the level of the date that it is asked for.

`Predictor.predict` is the heart of the scoring path: the same code for one customer over HTTP and for the whole base.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from features.arrays import Floats
from features.config.task_kinds.registry import TASK_KINDS
from models.btyd.expectations import Expectations, unpack_expectations
from models.ladder.packing import unpack
from models.ladder.rung import Rung
from models.prediction import EPS, Packed, Position, Prediction
from models.predictor.adjusted import Adjusted, unpack_adjusted
from models.predictor.intervals import PredictionInterval, clip
from models.predictor.outcome_distribution import OutcomeDistribution, PredictionContext, unpack_outcome_distribution

BANDS = ("low", "medium", "high", "very high")
BAND_EDGES = (50.0, 80.0, 95.0)  # of the percentile


@dataclass(frozen=True)
class NoPurchase:
    """Whether a customer buys at all, beside the money: a rung for the chance of silence, and what adjusts it."""

    rung: Rung
    adjusted: Adjusted

    def predict(self, values: Floats, position: Position, as_of_us: int | None = None) -> Floats:
        """The chance that nothing is bought within `fitted_days` of the as-of."""
        return self.adjusted.apply(self.rung.predict(values, position).mean, as_of_us)


@dataclass(frozen=True)
class PredictedScore:
    """One column per field of the score record that depends on the row."""

    score: Floats
    low: Floats
    high: Floats
    percentile: Floats
    baseline: Floats
    parts: Mapping[str, Floats]
    quantiles: Floats | None = None


@dataclass(frozen=True, eq=False)
class Predictor:
    """One horizon of a task.

    `fitted_days` is the horizon the rung was fitted on; when it is shorter than `horizon_days`, its predictions are
    extrapolated (law 5): the chance of silence by `power`, the same for all, because what a process says of one
    customer's pace would be counted twice; money by the process `longer`; without these by hazard and rate. `outcome`
    says which way the probability points: "event" (something happens) or "silence" (churn by inactivity). Money has a
    `distribution` instead of an `interval`, and `no_purchase` beside its rung. `base` are ascending scores of the base
    at training at evenly spaced percentiles 0..100. `metrics` and `baseline_metrics` are out-of-time figures, each
    `{name: [value, low, high]}`; `notes` are sentences for a person.
    """

    horizon_days: int
    fitted_days: int
    kind: str
    outcome: str
    rung: Rung
    baseline: Rung
    interval: PredictionInterval
    base: tuple[float, ...]
    grade: str
    metrics: Mapping[str, Any] = field(default_factory=dict)
    baseline_metrics: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    longer: Expectations | None = None
    power: float | None = None
    adjusted: Adjusted = field(default_factory=Adjusted)
    distribution: OutcomeDistribution | None = None
    no_purchase: NoPurchase | None = None

    @property
    def is_money(self) -> bool:
        """Whether amounts are predicted instead of probabilities."""
        return TASK_KINDS[self.kind].predicts_money

    def adjusted_prediction(self, values: Floats, position: Position, as_of_us: int | None = None) -> Prediction:
        """What the rung predicts for `fitted_days` from the as-of, calibrated and on the level of that date."""
        prediction = self.rung.predict(values, position)
        if not self.is_money:
            return Prediction(self.adjusted.apply(prediction.mean, as_of_us), prediction.parts)
        factor = self.adjusted.factor(as_of_us)
        mean, parts = prediction.mean * factor, dict(prediction.parts)
        if self.no_purchase is not None:
            parts["p_none"] = self.no_purchase.predict(values, position, as_of_us)
        if "orders" in parts:
            parts["orders"] = parts["orders"] * factor
        return Prediction(mean, parts)

    def predict(self, values: Floats, position: Position, as_of_us: int | None = None) -> PredictedScore:
        """Score every row of a panel: `values` (n, n_features) with feature columns at `position`.

        `as_of_us` is the instant of all rows (µs UTC); default: that of the training.
        """
        prediction = self.adjusted_prediction(values, position, as_of_us)
        power, factor = self._extrapolation(values, position)
        by = factor if self.is_money else power
        score = self.extrapolated(prediction.mean, by)
        parts = {name: self._extrapolated_part(name, part, power, factor) for name, part in prediction.parts.items()}
        if "orders" in parts:
            parts |= _consistent(score, parts["orders"], parts["p_none"])
        if self.is_money and "p_none" in parts:
            parts["next_order_days"] = _as_likely_as_not(parts["p_none"], self.horizon_days)
        interval, quantiles = self._interval(prediction, parts, by, as_of_us)
        return PredictedScore(
            score=score,
            low=interval[0],
            high=interval[1],
            percentile=self.percentile(score),
            baseline=self.extrapolated(self.baseline.predict(values, position).mean, by),
            parts=parts,
            quantiles=quantiles,
        )

    def _interval(
        self, prediction: Prediction, parts: Mapping[str, Floats], by: Floats, as_of_us: int | None
    ) -> tuple[tuple[Floats, Floats], Floats | None]:
        """The 90 % interval and, of money, quantiles of the outcome at `LEVELS`, shape (n, n_levels)."""
        mean, level_std = prediction.mean, self.adjusted.level_std(as_of_us)
        if self.distribution is not None:
            context = PredictionContext(
                mean, parts["p_none"], by if self.horizon_days != self.fitted_days else 1.0, level_std
            )
            low, high, quantiles = self.distribution.predict(context)
            return (low, high), quantiles
        low, high = self.interval.widened(mean, level_std) if level_std else self.interval.interval(mean)
        return (self.extrapolated(low, by), self.extrapolated(high, by)), None

    def extrapolated(self, prediction: Floats, by: Floats | None = None) -> Floats:
        """A `prediction` for `fitted_days`, extrapolated to `horizon_days`.

        `by` is the power of the chance of silence, or the factor of money; without it hazard and rate stay as they are.
        """
        if self.horizon_days == self.fitted_days:
            return prediction
        if self.is_money:
            return prediction * (self.horizon_days / self.fitted_days if by is None else by)
        ratio = (self.power or self.horizon_days / self.fitted_days) if by is None else by
        return np.asarray(prediction**ratio if self.outcome == "silence" else 1.0 - (1.0 - prediction) ** ratio)

    def _extrapolation(self, values: Floats, position: Position) -> tuple[Floats, Floats]:
        """Per row the power and the factor that extrapolate: the horizons' ratio, unless a process says otherwise."""
        same = np.full(len(values), self.horizon_days / self.fitted_days)
        shared = None if self.power is None else np.full(len(values), self.power)
        if self.longer is None or self.horizon_days == self.fitted_days:
            return same if shared is None else shared, same
        power, factor = self.longer.longer(values, position, self.horizon_days)
        process_power = np.where(np.isnan(power), same, power)
        return process_power if shared is None else shared, np.where(np.isnan(factor), same, factor)

    def _extrapolated_part(self, name: str, part: Floats, power: Floats, factor: Floats) -> Floats:
        if self.horizon_days == self.fitted_days:
            return part
        return np.asarray(part**power if name == "p_none" else part * factor if name == "orders" else part)

    def percentile(self, score: Floats) -> Floats:
        """Share of the base at training with a lower score, ties counted half, 0-100."""
        below, upto = self._base.searchsorted(score, side="left"), self._base.searchsorted(score, side="right")
        return clip((below + upto) / 2 / max(len(self._base), 1) * 100.0, 100.0)

    @cached_property
    def _base(self) -> Floats:
        return np.asarray(self.base, np.float64)

    def pack(self) -> Packed:
        """Plain JSON and named texts from which `unpack_predictor` makes the same."""
        plain, texts = self.rung.pack()
        baseline, baseline_texts = self.baseline.pack()
        fields = {key: getattr(self, key) for key in _PLAIN} | {"spread": asdict(self.interval)}
        fields["adjusted"] = self.adjusted.pack()
        if self.longer is not None:
            fields["longer"] = self.longer.pack()
        if self.distribution is not None:
            fields["amounts"] = self.distribution.pack()
        named = {f"rung-{name}": text for name, text in texts.items()} | {
            f"baseline-{name}": text for name, text in baseline_texts.items()
        }
        if self.no_purchase is not None:
            no_purchase, no_purchase_texts = self.no_purchase.rung.pack()
            fields["quiet"] = {"rung": no_purchase, "adjusted": self.no_purchase.adjusted.pack()}
            named |= {f"quiet-{name}": text for name, text in no_purchase_texts.items()}
        return {**fields, "rung": plain, "baseline": baseline}, named


def _consistent(mean: Floats, orders: Floats, p_none: Floats) -> dict[str, Floats]:
    """Orders are at least the chance of one, and their money adds up to the mean."""
    orders = np.maximum(orders, 1.0 - p_none)
    return {"orders": orders, "order_value": mean / np.maximum(orders, EPS)}


def _as_likely_as_not(p_none: Floats, horizon_days: int) -> Floats:
    """Days until an order is as likely to have come as not, at an even pace; NaN where that lies beyond the horizon."""
    pace = -np.log(np.maximum(p_none, EPS))
    return np.where(p_none <= 0.5, horizon_days * np.log(2.0) / np.maximum(pace, EPS), np.nan)


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


def unpack_predictor(plain: Mapping[str, Any], texts: Mapping[str, str]) -> Predictor:
    """The predictor that `pack` wrote."""
    fields: dict[str, Any] = {
        key: tuple(plain[key]) if isinstance(plain[key], list) else plain[key] for key in _PLAIN if key in plain
    }
    rung_texts, baseline_texts, no_purchase_texts = (
        _named(f"{part}-", texts) for part in ("rung", "baseline", "quiet")
    )
    no_purchase = plain.get("quiet")
    parts: dict[str, Any] = {
        "rung": unpack(plain["rung"], rung_texts),
        "baseline": unpack(plain["baseline"], baseline_texts),
        "interval": PredictionInterval(*(tuple(plain["spread"][name]) for name in ("edges", "low", "high"))),
        "longer": unpack_expectations(plain.get("longer")),
        "adjusted": unpack_adjusted(plain.get("adjusted", {})),
        "distribution": unpack_outcome_distribution(plain.get("amounts")),
        "no_purchase": None
        if no_purchase is None
        else NoPurchase(unpack(no_purchase["rung"], no_purchase_texts), unpack_adjusted(no_purchase["adjusted"])),
    }
    return Predictor(**fields, **parts)


def _named(start: str, texts: Mapping[str, str]) -> dict[str, str]:
    return {name.removeprefix(start): text for name, text in texts.items() if name.startswith(start)}
