"""What turns a rung's probability into one that comes true as often as it says, whatever the level of the season.

A calibrator is learnt on later rows than the rung and kept only where it helped out of time
(`training.fit.calibration`).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from scipy.special import expit

from features.arrays import Floats
from features.errors import BundleError

PROBABILITY_FLOOR = 1e-6  # log-odds are taken of nothing nearer to 0 or 1


class Calibrator(Protocol):
    """Ascending in what it is given."""

    @property
    def name(self) -> str:
        """What reports call it."""

    def calibrated(self, probability: Floats) -> Floats:
        """Probabilities that come true."""

    def pack(self) -> dict[str, Any]:
        """Plain JSON from which `unpack_calibrator` makes the same."""


@dataclass(frozen=True)
class Beta:
    """Log-odds `a ln p - b ln(1 - p) + c` (Kull, Silva Filho and Flach 2017, doi:10.1214/17-EJS1338SI); a, b >= 0."""

    a: float
    b: float
    c: float
    name: str = "beta"

    def calibrated(self, probability: Floats) -> Floats:
        """By the formula."""
        p = np.clip(probability, PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR)
        return np.asarray(expit(self.a * np.log(p) - self.b * np.log1p(-p) + self.c))

    def pack(self) -> dict[str, Any]:
        """The parameters."""
        return {"calibrator": self.name, **{key: value for key, value in asdict(self).items() if key != "name"}}


@dataclass(frozen=True)
class VennAbers:
    """Two isotonic fits, with the row itself taken as 0 and as 1, tabled over `knots` (ascending).

    Inductive Venn-Abers prediction (Vovk and Petej 2014, arXiv:1211.0025); `p1 / (1 - p0 + p1)` minimises the worse
    log-loss of the two.
    """

    knots: tuple[float, ...]
    zero: tuple[float, ...]
    one: tuple[float, ...]
    name: str = "venn-abers"

    def calibrated(self, probability: Floats) -> Floats:
        """Between two knots straight."""
        knots, merged = self._table
        return np.interp(probability, knots, merged)

    @cached_property
    def _table(self) -> tuple[Floats, Floats]:
        p0, p1 = (np.asarray(side, np.float64) for side in (self.zero, self.one))
        return np.asarray(self.knots, np.float64), p1 / (1.0 - p0 + p1)

    def pack(self) -> dict[str, Any]:
        """The table."""
        return {"calibrator": self.name, "knots": self.knots, "zero": self.zero, "one": self.one}


def unpack_calibrator(plain: Mapping[str, Any] | None) -> Calibrator | None:
    """The calibrator that `pack` wrote; None stays None."""
    if plain is None:
        return None
    fields: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in plain.items() if key != "calibrator"
    }
    match plain["calibrator"]:
        case "beta":
            return Beta(**fields)
        case "venn-abers":
            return VennAbers(**fields)
        case unknown:
            raise BundleError(f"the bundle holds the calibrator '{unknown}', which this version does not know; upgrade")
