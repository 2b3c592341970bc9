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

CALIBRATION_MIN_ROWS, CALIBRATION_MIN_MINORITY = 300, 50
MOST_ROWS, KNOTS = 20_000, 64
CALIBRATION_FOLDS = 4
PRIOR = 5.0  # weight of the penalty that draws Beta towards changing nothing
SAVING_MIN_ERRORS = 1.0  # standard errors by which a calibrator must lower the log-loss
CALIBRATOR_DIGITS = 9


@dataclass(frozen=True, eq=False)
class LaterPredictions:
    """Outcomes and predictions of rows later than those fitted on, each period on its own level; of whom and when."""

    truth: Floats
    predicted: Floats
    customer: Strings
    period: Ints

    def __len__(self) -> int:
        return len(self.truth)

    def __add__(self, other: "LaterPredictions") -> "LaterPredictions":
        period = np.concatenate([self.period, other.period + self.period.max(initial=-1) + 1])
        truth, predicted, customer = (
            np.concatenate([getattr(self, name), getattr(other, name)]) for name in ("truth", "predicted", "customer")
        )
        return LaterPredictions(truth, predicted, customer, period)


def calibrator(later: LaterPredictions) -> Calibrator | None:
    """The one with the lowest log-loss on periods it has not seen, None where none helps beyond noise."""
    minority = min(later.truth.sum(), len(later) - later.truth.sum())
    if len(later) < CALIBRATION_MIN_ROWS or minority < CALIBRATION_MIN_MINORITY:
        return None
    uncalibrated = log_losses(later.truth, later.predicted)
    saved = {name: uncalibrated - _out_of_fold_losses(later, fit) for name, fit in FITS.items()}
    best = max(saved, key=lambda name: float(saved[name].mean()))
    error = float(saved[best].std(ddof=1) / np.sqrt(len(later)))
    return FITS[best](later.truth, later.predicted) if saved[best].mean() > SAVING_MIN_ERRORS * error else None


def _out_of_fold_losses(later: LaterPredictions, fit: Callable[[Floats, Floats], Calibrator]) -> Floats:
    """Each row's loss under a calibrator fitted on the other periods; of one period, on other customers."""
    part = later.period
    if part.max() == 0:
        part = (stable_hash(later.customer) >> np.uint64(32)).astype(np.int64) % CALIBRATION_FOLDS
    losses = np.empty(len(later))
    for fold in np.unique(part):
        in_fold: NDArray[np.bool_] = part == fold
        fitted = fit(later.truth[~in_fold], later.predicted[~in_fold])
        losses[in_fold] = log_losses(later.truth[in_fold], fitted.calibrated(later.predicted[in_fold]))
    return losses


def fit_beta(truth: Floats, predicted: Floats) -> Beta:
    """The penalised maximum likelihood, drawn towards a = b = 1, c = 0, which changes nothing."""
    p = np.clip(predicted, PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR)
    log_p, minus_log_q = np.log(p), -np.log1p(-p)

    def loss(parameters: Floats) -> tuple[float, Floats]:
        a, b, c = parameters
        total = a * log_p + b * minus_log_q + c
        residual = expit(total) - truth
        deviation = parameters - np.array([1.0, 1.0, 0.0])
        value = float((np.logaddexp(0.0, total) - truth * total).sum() + PRIOR * (deviation**2).sum() / 2)
        return value, np.array([residual @ log_p, residual @ minus_log_q, residual.sum()]) + PRIOR * deviation

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
