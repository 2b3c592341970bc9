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
SUREST = 1e-3  # of what it starts from


@dataclass(frozen=True, eq=False)
class Standardizer:
    """How columns become comparable: sign(x) · ln(1 + |x|), centred and scaled, cut at `WIDEST`; NaN is the centre.

    `centre` and `spread` have one entry per column.
    """

    centre: Floats
    spread: Floats

    def scaled(self, values: Floats) -> Floats:
        """Columns of `values` (n, n_columns), C-contiguous, on a common scale."""
        logarithms = np.copysign(np.log1p(np.abs(values)), values)
        units = (np.where(np.isnan(logarithms), self.centre, logarithms) - self.centre) / self.spread
        return np.ascontiguousarray(np.minimum(np.maximum(units, -WIDEST), WIDEST))


@dataclass(frozen=True, eq=False)
class Logistic:
    """Log-odds as a start plus weighted columns.

    `columns` names the features that are read. With `start`, a process as a rung, its log-odds come on top of all, and
    what it expects follows the features as further columns. `weights` has one entry for each of these, then one for
    each of `blanks`, the places of columns whose absence (NaN) speaks for itself.
    """

    columns: tuple[str, ...]
    scale: Standardizer
    blanks: tuple[int, ...]
    weights: Floats
    intercept: float
    start: PurchaseProcess | None = None
    name: str = "logistic"

    def predict(self, values: Floats, position: Position) -> Prediction:
        """The probability of the outcome; rows are summed one by one, in one order."""
        columns, offset = reading(self.columns, self.start, values, position)
        total = np.add.reduce(self._design(columns) * self.weights, axis=1) + self.intercept + offset
        return Prediction(np.asarray(expit(total)))

    def moved(self, values: Floats, position: Position) -> Floats:
        """How far each feature moved the log-odds, (n, n_features)."""
        columns, _ = reading(self.columns, self.start, values, position)
        parts = self._design(columns) * self.weights
        for extra, place in enumerate(self.blanks):
            parts[:, place] += parts[:, columns.shape[1] + extra]
        moved = np.zeros(values.shape)
        for place, name in enumerate((*self.columns, *self._shown())):
            moved[:, position[name]] += parts[:, place]
        return moved if self.start is None else moved + self.start.moved(values, position)

    def pack(self) -> Packed:
        """Plain JSON; no texts."""
        plain: dict[str, Any] = {
            "columns": self.columns,
            "centre": self.scale.centre.tolist(),
            "spread": self.scale.spread.tolist(),
            "blanks": self.blanks,
            "weights": self.weights.tolist(),
            "intercept": self.intercept,
            "start": None if self.start is None else self.start.pack()[0],
        }
        return {"rung": "logistic", "name": self.name, **plain}, {}

    def _design(self, columns: Floats) -> Floats:
        blank = np.isnan(columns[:, list(self.blanks)]).astype(np.float64)
        return np.ascontiguousarray(np.concatenate([self.scale.scaled(columns), blank], axis=1))

    def _shown(self) -> tuple[str, ...]:
        """The features that the further columns speak of."""
        return () if self.start is None else (*self.start.expectations.shown, self.start.expectations.silence)


def reading(
    columns: Sequence[str], start: PurchaseProcess | None, values: Floats, position: Position
) -> tuple[Floats, Floats | float]:
    """The columns that a linear rung reads, and the log-odds that it starts from."""
    feature_values = values[:, [position[name] for name in columns]]
    if start is None:
        return feature_values, 0.0
    ahead = start.expectations.ahead(values, position)
    offset = _sober(start.said(ahead).mean)
    return np.column_stack([feature_values, *ahead.columns, np.where(np.isnan(ahead.p_none), np.nan, offset)]), offset


def log_odds(start: PurchaseProcess, values: Floats, position: Position) -> Floats:
    """What a process says of every row, in log-odds that are never too sure."""
    return _sober(start.predict(values, position).mean)


def _sober(probability: Floats) -> Floats:
    return np.asarray(logit(np.clip(probability, SUREST, 1 - SUREST)))


def unpack_logistic(plain: Mapping[str, Any]) -> Logistic:
    """The rung that `pack` wrote."""
    centre, spread, weights = (np.asarray(plain[name], np.float64) for name in ("centre", "spread", "weights"))
    return Logistic(
        columns=tuple(plain["columns"]),
        scale=Standardizer(centre, spread),
        blanks=tuple(plain["blanks"]),
        weights=weights,
        intercept=plain["intercept"],
        start=None if plain["start"] is None else unpack_purchase_process(plain["start"]),
        name=plain["name"],
    )
