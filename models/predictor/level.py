"""How the level of a probability moves with time: season and drift that no feature of a customer tells.

The level is a shift of the log-odds, or of the logarithm of money, that all customers share. `training.fit.level`
learns and forecasts it; here it is a table over the dates at which scores may be asked for.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit, logit

from features.arrays import Floats
from features.timeline import DAY_US
from models.predictor.calibrators import PROBABILITY_FLOOR

# The mean over a standard normal as a sum of five weighted values (Gauss-Hermite).
POINTS = (0.0, *(sign * math.sqrt(5 + inner_sign * math.sqrt(10)) for inner_sign in (-1, 1) for sign in (-1, 1)))
WEIGHTS = (8 / 15, *((7 - sign * 2 * math.sqrt(10)) / 60 for sign in (-1, 1) for _ in range(2)))


@dataclass(frozen=True)
class Level:
    """Shifts with their standard deviations, at `start_us` (µs UTC) and every `step_days` after it.

    Between two dates it runs straight; before the first and after the last it stays.
    """

    start_us: int
    step_days: float
    shift: tuple[float, ...]
    std: tuple[float, ...]

    def at(self, as_of_us: int | None = None) -> tuple[float, float]:
        """Shift and standard deviation at an instant (µs UTC; default: the first date)."""
        dates = np.arange(len(self.shift)) * self.step_days
        day = 0.0 if as_of_us is None else (as_of_us - self.start_us) / DAY_US
        return float(np.interp(day, dates, self.shift)), float(np.interp(day, dates, self.std))

    def moved(self, probability: Floats, as_of_us: int | None = None) -> Floats:
        """Probabilities on the level of an instant, averaged over what it may be."""
        shift, std = self.at(as_of_us)
        log_odds = logit(np.clip(probability, PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR)) + shift
        terms = (w * expit(log_odds + std * point) for point, w in zip(POINTS, WEIGHTS, strict=True))
        return np.asarray(sum(terms))

    def factor(self, as_of_us: int | None = None) -> float:
        """What money of an instant is multiplied by: the mean of the exponential of a normal shift."""
        shift, std = self.at(as_of_us)
        return math.exp(shift + std**2 / 2)

    def pack(self) -> dict[str, Any]:
        """Plain JSON from which `unpack_level` makes the same."""
        return {"start_us": self.start_us, "step_days": self.step_days, "shift": self.shift, "doubt": self.std}


def unpack_level(plain: Mapping[str, Any] | None) -> Level | None:
    """The level that `pack` wrote; None stays None."""
    if plain is None:
        return None
    return Level(plain["start_us"], plain["step_days"], tuple(plain["shift"]), tuple(plain["doubt"]))
