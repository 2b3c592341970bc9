"""What is done to a rung's prediction before it is a score: the calibrator, then the level of the date."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from features.arrays import Floats
from models.predictor.calibrators import Calibrator, unpack_calibrator
from models.predictor.level import Level, unpack_level


@dataclass(frozen=True)
class Adjusted:
    """What makes a rung's predictions come true: a calibrator of probabilities, and the level of the date."""

    calibrator: Calibrator | None = None
    level: Level | None = None

    def apply(self, mean: Floats, as_of_us: int | None = None) -> Floats:
        """Probabilities for an instant (µs UTC; default: the one the level starts at)."""
        if self.calibrator is not None:
            mean = self.calibrator.calibrated(mean)
        return mean if self.level is None else self.level.moved(mean, as_of_us)

    def factor(self, as_of_us: int | None = None) -> float:
        """What money of an instant is multiplied by."""
        return 1.0 if self.level is None else self.level.factor(as_of_us)

    def level_std(self, as_of_us: int | None = None) -> float:
        """Standard deviation of the level, in log-odds or the logarithm of money."""
        return 0.0 if self.level is None else self.level.at(as_of_us)[1]

    def pack(self) -> dict[str, Any]:
        """Plain JSON from which `unpack_adjusted` makes the same."""
        parts = {"calibrator": self.calibrator, "level": self.level}
        return {name: part.pack() for name, part in parts.items() if part is not None}


def unpack_adjusted(plain: Mapping[str, Any]) -> Adjusted:
    """What `pack` wrote."""
    return Adjusted(unpack_calibrator(plain.get("calibrator")), unpack_level(plain.get("level")))
