"""Gradient-boosted trees: the LightGBM door.

A fitted booster travels as LightGBM's own text. That loader is not memory-safe, so text may only come from a bundle whose digests were checked.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import lightgbm as lgb
import numpy as np

from features.journeys import Floats

Stop = Callable[[int, float], bool]  # (iteration, validation loss so far) -> stop now
QUIET: Mapping[str, Any] = {"verbosity": -1, "deterministic": True, "force_row_wise": True, "feature_pre_filter": False}


@dataclass(frozen=True, eq=False)
class Trees:
    """A fitted booster; `text` is LightGBM's model text."""

    text: str
    booster: lgb.Booster

    @staticmethod
    def from_text(text: str) -> "Trees":
        """The booster that `text` describes; the text must come from a checked bundle."""
        return Trees(text, lgb.Booster(model_str=text))

    @property
    def count(self) -> int:
        """Number of trees."""
        return int(self.booster.num_trees())

    def raw(self, values: Floats) -> Floats:
        """The sum over all trees (before any link) for `values` of shape (n, n_features); the same bits for one row as for many."""
        if not len(values):
            return np.zeros(0)
        return np.asarray(self.booster.predict(values, raw_score=True, num_threads=1), np.float64)

    def importance(self) -> Floats:
        """Total gain of each feature, in column order."""
        return np.asarray(self.booster.feature_importance("gain"), np.float64)

    def contributions(self, values: Floats) -> Floats:
        """TreeSHAP values of shape (n, n_features + 1); the last column is the expectation. Milliseconds a row."""
        return np.asarray(self.booster.predict(values, pred_contrib=True, num_threads=1), np.float64)
