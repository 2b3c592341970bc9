"""The rungs of the ladder behind one interface: `predict(values, position) -> Prediction`, and a plain form to store.

A rung reads a panel's `values` (n_rows × n_features, float64) by feature name through `position`. `pack` gives plain
JSON and named texts; `unpack` takes them back. Nothing here fits anything: that is the work of `training`.
"""

from typing import Protocol

import numpy as np

from features.arrays import Floats
from models.prediction import Packed, Position, Prediction


class Rung(Protocol):
    """One model of a task's ladder."""

    @property
    def name(self) -> str:
        """The rung's name, as the score record shows it."""

    def predict(self, values: Floats, position: Position) -> Prediction:
        """What the rung says about every row."""

    def pack(self) -> Packed:
        """Plain JSON and named texts from which `unpack` makes the same rung."""


def zero_for_nan(column: Floats) -> Floats:
    """With 0 for NaN; NumPy's own takes ten times as long for one row."""
    return np.where(np.isnan(column), 0.0, column)
