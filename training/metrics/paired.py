"""How far two models lie apart on the same rows; intervals by a bootstrap that draws customers for both at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from features.arrays import Floats, Strings
from models.predictor.outcome_distribution import COVERAGE
from training.metrics.bootstrap import CELLS, resampled
from training.metrics.metrics import edges

DRAWS = 2000  # enough for the ends of a 99 % interval
SIMULATED = 1000
BINS = 15  # of equally many rows, for the calibration error
SUM_FLOOR = 1e-12


@dataclass(frozen=True)
class Interval:
    """A figure between the ends of its interval."""

    value: float
    low: float
    high: float

    @property
    def figures(self) -> dict[str, float]:
        """Value, low and high by name."""
        return {"value": self.value, "low": self.low, "high": self.high}


@dataclass(frozen=True, eq=False)
class Sums:
    """Columns of rows summed over all rows (`total`, (k,)) and over each draw of customers (`drawn`, (draws, k))."""

    total: Floats
    drawn: Floats

    @staticmethod
    def of(customers: Strings, columns: Sequence[Floats], seed: int) -> "Sums":
        """The sums of these columns, each (n_rows,)."""
        stacked = np.column_stack(list(columns))
        return Sums(stacked.sum(axis=0), resampled(customers, stacked, seed, DRAWS))

    @property
    def all(self) -> Floats:
        """The sums of all rows first, then those of the draws: (1 + draws, k)."""
        return np.concatenate([self.total[None, :], self.drawn])


def interval(figures: Floats, level: float = 0.9) -> Interval:
    """The first of these figures, between the quantiles of the others that hold so much of them."""
    low, high = np.quantile(figures[1:], ((1 - level) / 2, (1 + level) / 2))
    return Interval(float(figures[0]), float(low), float(high))


def relative_loss(customers: Strings, own: Floats, other: Floats, seed: int, level: float = 0.9) -> Interval:
    """By which share the mean of `own` losses lies above that of the `other` ones."""
    own_sums, other_sums = Sums.of(customers, [own, other], seed).all.T
    return interval((own_sums - other_sums) / np.maximum(other_sums, SUM_FLOOR * len(own)), level)


@dataclass(frozen=True)
class Error:
    """How far off two models are, the difference, and how far off a perfect one would be by chance (95 % quantile)."""

    own: float
    other: float
    more: Interval
    by_chance: float


def calibration_error(customers: Strings, truth: Floats, own: Floats, other: Floats, seed: int) -> Error:
    """ECE of probabilities; by chance: were outcomes drawn from the probabilities of `own`."""
    ones = np.ones(len(truth))
    own_bins, other_bins = _by_bin(truth, own), _by_bin(truth, other)
    sums = Sums.of(customers, [ones, *own_bins, *other_bins], seed).all
    first, second = sums[:, 1 : 1 + len(own_bins)], sums[:, 1 + len(own_bins) :]
    errors = [np.abs(part).sum(axis=1) / sums[:, 0] for part in (first, second)]
    return Error(float(errors[0][0]), float(errors[1][0]), interval(errors[0] - errors[1]), _perfect(own, seed))


def _by_bin(truth: Floats, predicted: Floats) -> list[Floats]:
    """A column for each bin: what its rows missed."""
    group, missed = _bins(predicted), truth - predicted
    return [np.where(group == number, missed, 0.0) for number in range(int(group.max(initial=0)) + 1)]


def _bins(predicted: Floats) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.searchsorted(edges(predicted, BINS), predicted, side="left").astype(np.int64)


def _perfect(predicted: Floats, seed: int) -> float:
    rng, ordered = np.random.default_rng(seed), np.sort(predicted)
    starts = np.flatnonzero(np.diff(_bins(ordered), prepend=-1))
    step, errors = max(1, CELLS // max(len(predicted), 1)), []
    for start in range(0, SIMULATED, step):
        outcome = rng.random((min(step, SIMULATED - start), len(predicted))) < ordered
        errors.append(np.abs(np.add.reduceat(outcome - ordered, starts, axis=1)).sum(axis=1) / len(predicted))
    return float(np.quantile(np.concatenate(errors), 0.95))


def bias(customers: Strings, truth: Floats, own: Floats, other: Floats, seed: int) -> Error | None:
    """How far the sum of money that is predicted lies from that of the outcomes, as a share of it; by chance: around
    its own mean. None where the outcomes sum to nothing, in the rows or in every draw: there is no share of nothing.
    """
    sums = Sums.of(customers, [truth, own, other], seed).all.T
    total = np.where(np.abs(sums[0]) > SUM_FLOOR, sums[0], np.nan)
    own_bias, other_bias = (predicted / total - 1 for predicted in sums[1:])
    defined = ~np.isnan(total)
    if not defined[0] or not defined[1:].any():
        return None
    own_bias, other_bias = own_bias[defined], other_bias[defined]
    return _error(own_bias, other_bias, float(np.quantile(np.abs(own_bias[1:] - own_bias[0]), 0.95)))


def missed_coverage(customers: Strings, own: Floats, other: Floats, seed: int) -> Error:
    """How far the share of outcomes inside the 90 % interval lies from 90 %; `own` and `other` are 1 inside, else 0."""
    sums = Sums.of(customers, [np.ones(len(own)), own, other], seed).all.T
    own_gap, other_gap = (inside / sums[0] - COVERAGE for inside in sums[1:])
    chance = 1.96 * float(np.sqrt(COVERAGE * (1 - COVERAGE) / len(own)))
    return _error(own_gap, other_gap, chance)


def _error(own: Floats, other: Floats, chance: float) -> Error:
    own_error, other_error = np.abs(own), np.abs(other)
    return Error(float(own_error[0]), float(other_error[0]), interval(own_error - other_error), chance)
