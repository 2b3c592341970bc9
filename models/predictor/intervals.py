"""Intervals of a prediction: how far outcomes lay from predictions like it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from features.arrays import Floats

Z = 1.645  # standard deviations on either side hold 90 % of a normal


@dataclass(frozen=True)
class PredictionInterval:
    """How far the truth lies from a probability, learnt out of time in groups of like predictions.

    Group `i` holds `edges[i-1] < mean <= edges[i]`; the 90 % interval of the rate is `mean + low[i], mean + high[i]`,
    cut to [0, 1].
    """

    edges: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]

    def interval(self, mean: Floats) -> tuple[Floats, Floats]:
        """The 90 % interval around every prediction."""
        edges, low, high = self._arrays
        group = edges.searchsorted(mean, side="left")
        return clip(mean + low[group], 1.0), clip(mean + high[group], 1.0)

    def widened(self, mean: Floats, level_std: float) -> tuple[Floats, Floats]:
        """The 90 % interval of probabilities whose level has this standard deviation in log-odds, too."""
        low, high = self.interval(mean)
        half_width = Z * level_std * mean * (1.0 - mean)
        return clip(mean - np.hypot(mean - low, half_width), 1.0), clip(mean + np.hypot(high - mean, half_width), 1.0)

    @cached_property
    def _arrays(self) -> tuple[Floats, Floats, Floats]:
        edges, low, high = (np.asarray(column, np.float64) for column in (self.edges, self.low, self.high))
        return edges, low, high


def clip(values: Floats, highest: float) -> Floats:
    """The values within `[0, highest]`; NumPy's own takes several times as long for one row."""
    return np.minimum(np.maximum(values, 0.0), highest)
