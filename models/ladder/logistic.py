"""A penalised logistic regression on all features: the rung between a purchase process and trees.

It starts from what a purchase process expects, where there is one, and says by how much the features speak for more or
less: with little data little.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit, logit

from features.arrays import Floats
from models.ladder.purchase_process import PurchaseProcess, unpack_purchase_process
from models.prediction import Packed, Position, Prediction

WIDEST = 5.0  # standard deviations: nobody stands further out
OFFSET_FLOOR = 1e-3  # the process is never surer than this


@dataclass(frozen=True, eq=False)
class Standardizer:
    """How columns become comparable: sign(x) · ln(1 + |x|), centred and scaled, cut at `WIDEST`.

    `mean` and `scale` (the standard deviation) have one entry per column; NaN counts as the mean.
    """

    mean: Floats
    scale: Floats

    def standardized(self, values: Floats) -> Floats:
        """Columns of `values` (n, n_columns), C-contiguous, on a common scale."""
        logarithms = np.copysign(np.log1p(np.abs(values)), values)
        units = (np.where(np.isnan(logarithms), self.mean, logarithms) - self.mean) / self.scale
        return np.ascontiguousarray(np.minimum(np.maximum(units, -WIDEST), WIDEST))


@dataclass(frozen=True, eq=False)
class Logistic:
    """Log-odds as an offset plus weighted columns.

    `columns` names the features that are read. With a `process`, its log-odds are the offset (else 0), and what it
    expects follows the features as further columns. `weights` has one entry for each of these, then one for
    each of `blanks`, the places of columns whose absence (NaN) speaks for itself.
    """

    columns: tuple[str, ...]
    standardizer: Standardizer
    blanks: tuple[int, ...]
    weights: Floats
    intercept: float
    process: PurchaseProcess | None = None
    name: str = "logistic"

    def predict(self, values: Floats, position: Position) -> Prediction:
        """The probability of the outcome; rows are summed one by one, in one order."""
        columns, offset = reading(self.columns, self.process, values, position)
        total = np.add.reduce(self._design(columns) * self.weights, axis=1) + self.intercept + offset
        return Prediction(np.asarray(expit(total)))

    def moved(self, values: Floats, position: Position) -> Floats:
        """How far each feature moved the log-odds, (n, n_features)."""
        columns, _ = reading(self.columns, self.process, values, position)
        parts = self._design(columns) * self.weights
        for extra, place in enumerate(self.blanks):
            parts[:, place] += parts[:, columns.shape[1] + extra]
        moved = np.zeros(values.shape)
        for place, name in enumerate((*self.columns, *self._shown())):
            moved[:, position[name]] += parts[:, place]
        return moved if self.process is None else moved + self.process.moved(values, position)

    def pack(self) -> Packed:
        """Plain JSON; no texts."""
        plain: dict[str, Any] = {
            "columns": self.columns,
            "centre": self.standardizer.mean.tolist(),
            "spread": self.standardizer.scale.tolist(),
            "blanks": self.blanks,
            "weights": self.weights.tolist(),
            "intercept": self.intercept,
            "start": None if self.process is None else self.process.pack()[0],
        }
        return {"rung": "logistic", "name": self.name, **plain}, {}

    def _design(self, columns: Floats) -> Floats:
        blank = np.isnan(columns[:, list(self.blanks)]).astype(np.float64)
        return np.ascontiguousarray(np.concatenate([self.standardizer.standardized(columns), blank], axis=1))

    def _shown(self) -> tuple[str, ...]:
        """The features that the further columns speak of."""
        return () if self.process is None else (*self.process.expectations.shown, self.process.expectations.silence)


def reading(
    columns: Sequence[str], process: PurchaseProcess | None, values: Floats, position: Position
) -> tuple[Floats, Floats | float]:
    """The columns that a linear rung reads, and its offset: the log-odds of the process."""
    feature_values = values[:, [position[name] for name in columns]]
    if process is None:
        return feature_values, 0.0
    ahead = process.expectations.ahead(values, position)
    offset = _clipped_log_odds(process.predict_ahead(ahead).mean)
    return np.column_stack([feature_values, *ahead.columns, np.where(np.isnan(ahead.p_none), np.nan, offset)]), offset


def log_odds(process: PurchaseProcess, values: Floats, position: Position) -> Floats:
    """What a process says of every row, in log-odds that are never too sure."""
    return _clipped_log_odds(process.predict(values, position).mean)


def _clipped_log_odds(probability: Floats) -> Floats:
    return np.asarray(logit(np.clip(probability, OFFSET_FLOOR, 1 - OFFSET_FLOOR)))


def unpack_logistic(plain: Mapping[str, Any]) -> Logistic:
    """The rung that `pack` wrote."""
    mean, scale, weights = (np.asarray(plain[name], np.float64) for name in ("centre", "spread", "weights"))
    return Logistic(
        columns=tuple(plain["columns"]),
        standardizer=Standardizer(mean, scale),
        blanks=tuple(plain["blanks"]),
        weights=weights,
        intercept=plain["intercept"],
        process=None if plain["start"] is None else unpack_purchase_process(plain["start"]),
        name=plain["name"],
    )
