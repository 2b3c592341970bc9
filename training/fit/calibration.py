"""Which calibrator makes a rung's probabilities come true on rows that neither has seen: none, Beta or Venn-Abers.

What is calibrated is the form of the probabilities; their level belongs to the calendar (`training.fit.level`). So
every period is put on its own level first.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression, minimize
from scipy.special import expit

from features.arrays import Floats, Ints, Strings
from models.predictor.calibrators import PROBABILITY_FLOOR, Beta, Calibrator, VennAbers
from training.dataset.sampling import stable_hash
from training.metrics.metrics import log_losses

FEWEST_ROWS, FEWEST_OF_RARER = 300, 50
MOST_ROWS, KNOTS = 20_000, 64
CALIBRATION_FOLDS = 4
PRIOR = 5.0  # how strongly Beta leans to leaving things as they are
SURE_BY = 1.0  # standard errors
CALIBRATOR_DIGITS = 9


@dataclass(frozen=True, eq=False)
class Later:
    """Rows later than those fitted on: what came, what was said (on the level of its period), and of whom and when."""

    truth: Floats
    said: Floats
    customer: Strings
    period: Ints

    def __len__(self) -> int:
        return len(self.truth)

    def __add__(self, other: "Later") -> "Later":
        period = np.concatenate([self.period, other.period + self.period.max(initial=-1) + 1])
        truth, predicted, customer = (
            np.concatenate([getattr(self, name), getattr(other, name)]) for name in ("truth", "said", "customer")
        )
        return Later(truth, predicted, customer, period)


def calibrator(later: Later) -> Calibrator | None:
    """The one with the lowest log-loss on periods it has not seen, None where none helps beyond noise."""
    rarer = min(later.truth.sum(), len(later) - later.truth.sum())
    if len(later) < FEWEST_ROWS or rarer < FEWEST_OF_RARER:
        return None
    plain = log_losses(later.truth, later.said)
    saved = {name: plain - _held_out(later, fit) for name, fit in FITS.items()}
    best = max(saved, key=lambda name: float(saved[name].mean()))
    error = float(saved[best].std(ddof=1) / np.sqrt(len(later)))
    return FITS[best](later.truth, later.said) if saved[best].mean() > SURE_BY * error else None


def _held_out(later: Later, fit: Callable[[Floats, Floats], Calibrator]) -> Floats:
    """Losses of each row under a calibrator fitted on the other periods, or on other customers where there is one."""
    part = later.period
    if part.max() == 0:
        part = (stable_hash(later.customer) >> np.uint64(32)).astype(np.int64) % CALIBRATION_FOLDS
    losses = np.empty(len(later))
    for fold in np.unique(part):
        in_fold: NDArray[np.bool_] = part == fold
        made = fit(later.truth[~in_fold], later.said[~in_fold])
        losses[in_fold] = log_losses(later.truth[in_fold], made.calibrated(later.said[in_fold]))
    return losses


def fit_beta(truth: Floats, predicted: Floats) -> Beta:
    """The likeliest, leaning to a = b = 1, c = 0."""
    p = np.clip(predicted, PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR)
    log_p, minus_log_q = np.log(p), -np.log1p(-p)

    def loss(parameters: Floats) -> tuple[float, Floats]:
        a, b, c = parameters
        total = a * log_p + b * minus_log_q + c
        missed = expit(total) - truth
        lean = parameters - np.array([1.0, 1.0, 0.0])
        value = float((np.logaddexp(0.0, total) - truth * total).sum() + PRIOR * (lean**2).sum() / 2)
        return value, np.array([missed @ log_p, missed @ minus_log_q, missed.sum()]) + PRIOR * lean

    bounds = [(0.0, None), (0.0, None), (None, None)]
    optimum = minimize(loss, np.array([1.0, 1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=bounds)
    a, b, c = (round(float(parameter), CALIBRATOR_DIGITS) for parameter in optimum.x)
    return Beta(a, b, c)


def fit_venn_abers(truth: Floats, predicted: Floats) -> VennAbers:
    """Two isotonic fits at each of some quantiles of what was predicted."""
    step = -(-len(truth) // MOST_ROWS)
    known, group, count = np.unique(predicted[::step], return_inverse=True, return_counts=True)
    positives = np.asarray(np.bincount(group, truth[::step]), np.float64)
    knots = np.unique(np.quantile(predicted[::step], np.linspace(0.0, 1.0, KNOTS), method="nearest"))
    places = np.searchsorted(known, knots).tolist()
    with_zero, with_one = (
        np.array([_isotonic(positives, count, place, label) for place in places]) for label in (0.0, 1.0)
    )
    return VennAbers(_table(knots), _table(with_zero), _table(with_one))


def _table(column: Floats) -> tuple[float, ...]:
    return tuple(round(value, CALIBRATOR_DIGITS) for value in column.tolist())


def _isotonic(positives: Floats, count: Ints, place: int, label: float) -> float:
    """The isotonic fit at one of the different predictions, with one more row of this label there."""
    total, rows = positives.copy(), count.astype(np.float64)
    total[place] += label
    rows[place] += 1
    return float(isotonic_regression(total / rows, weights=rows).x[place])


FITS: Mapping[str, Callable[[Floats, Floats], Calibrator]] = MappingProxyType(
    {"beta": fit_beta, "venn-abers": fit_venn_abers}
)
