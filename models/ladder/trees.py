"""A probability by trees, alone or on top of what a purchase process expects."""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from features.arrays import Floats
from models.btyd.expectations import Expectations, packed
from models.ladder.lightgbm import Trees
from models.ladder.logistic import log_odds
from models.ladder.purchase_process import PurchaseProcess
from models.prediction import Packed, Position, Prediction


@dataclass(frozen=True, eq=False)
class Probability:
    """Boosted trees under a logistic link; with `expectations` they read those of a process as further columns.

    Trees correct an offset: the log-odds `base` of all, or with `process` those that it predicts.
    """

    trees: Trees
    expectations: Expectations | None = None
    base: float = 0.0
    process: PurchaseProcess | None = None
    name: str = "lightgbm"

    def predict(self, values: Floats, position: Position) -> Prediction:
        """The probability of the outcome."""
        total = self.trees.raw(widened(self.expectations, values, position)) + self.base
        if self.process is not None:
            total = total + log_odds(self.process, values, position)
        return Prediction(np.asarray(expit(total)))

    def moved(self, values: Floats, position: Position) -> Floats:
        """How far each feature moved the log-odds, (n, n_features); TreeSHAP, so slow."""
        moved = contributions(self.trees, self.expectations, values, position)
        return moved if self.process is None else moved + self.process.moved(values, position)

    def pack(self) -> Packed:
        """The trees' text beside JSON."""
        start = None if self.process is None else self.process.pack()[0]
        plain = {"rung": "probability", "name": self.name, "base": self.base, "start": start}
        return {**plain, **packed(self.expectations)}, {"trees": self.trees.text}


def widened(expectations: Expectations | None, values: Floats, position: Position) -> Floats:
    """The values with what the expectations add, the same without any; (n, n_features + added)."""
    return values if expectations is None else expectations.widened(values, position)


def contributions(trees: Trees, expectations: Expectations | None, values: Floats, position: Position) -> Floats:
    """What each feature of the panel adds to the log-odds or the log of money, (n, n_features)."""
    shares = trees.contributions(widened(expectations, values, position))[:, :-1]
    return shares if expectations is None else expectations.folded(shares, position)
