"""Rules: a rate for each group of one feature, or a multiple of it."""

from dataclasses import asdict, dataclass

import numpy as np

from features.arrays import Floats
from models.ladder.rung import zero_for_nan
from models.prediction import Packed, Position, Prediction


@dataclass(frozen=True)
class Binned:
    """A rule: the average outcome of customers with a like value of one feature.

    `edges` are ascending; bin `i` holds `edges[i-1] < x <= edges[i]`. `means` has one more entry than there are bins:
    the last is for NaN.
    """

    feature: str
    edges: tuple[float, ...]
    means: tuple[float, ...]
    name: str = "rule"

    def predict(self, values: Floats, position: Position) -> Prediction:
        """The mean of each row's bin."""
        column = values[:, position[self.feature]]
        bins = np.where(
            np.isnan(column), len(self.means) - 1, np.searchsorted(np.asarray(self.edges), column, side="left")
        )
        return Prediction(np.asarray(self.means, np.float64)[bins])

    def pack(self) -> Packed:
        """Plain JSON; no texts."""
        return {"rung": "binned", **asdict(self)}, {}


@dataclass(frozen=True)
class Scaled:
    """A rule for money: one feature times a factor (`last year's value, adjusted to the total`); NaN counts as 0."""

    feature: str
    factor: float
    name: str = "rule"

    def predict(self, values: Floats, position: Position) -> Prediction:
        """Feature times factor."""
        return Prediction(zero_for_nan(values[:, position[self.feature]]) * self.factor)

    def pack(self) -> Packed:
        """Plain JSON; no texts."""
        return {"rung": "scaled", **asdict(self)}, {}
