"""The level of a probability or of money over time, learnt from what a rung missed at past cutoffs, and forecast.

At each cutoff that a rung was fitted on, the shift of the log-odds is found that makes its mean come true; of money the
logarithm of what came over what was said. These shifts are taken as a Gaussian process over time with four parts
(Rasmussen and Williams 2006, chapters 2 and 5): a season that comes back after a year, a drift that is forgotten within
months, a mean, and an error of early cutoffs, at which customers of long standing look new because the log had only
begun. How large each part is, is averaged over a grid by its likelihood, so that a log that shows no season gets none.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit

from features.arrays import Floats, Ints
from features.timeline import DAY_US
from models.predictor.calibrators import PROBABILITY_FLOOR
from models.predictor.level import Level
from training.dataset.examples import Examples

SEASON_DAYS = 365.25
SEASON_WIDTHS = (20.0, 35.0)  # days over which a season changes
DRIFT_WIDTHS = (30.0, 90.0)  # days
SIZES = (0.03, 0.1, 0.2, 0.4, 0.8)  # standard deviations of season and of drift, in log-odds
EARLY_SIZES, EARLY_DAYS = (0.0, 0.5, 1.5), 60.0
MEAN_SIZE = 0.2
STEP_DAYS, AHEAD_DAYS = 7.0, 371.0
ROUNDS, FURTHEST = 4, 1.0  # steps towards the shifts, and how far one may go, in log-odds
LEVEL_DIGITS = 9


@dataclass(frozen=True)
class Shifts:
    """By cutoff: its day, the shift of the log-odds, its sampling variance, and its days since the log began."""

    day: Floats
    shift: Floats
    variance: Floats
    age: Floats


def level(rows: Examples, predicted: Floats, *, horizon_days: int, first: int, start: int) -> Level | None:
    """The level from `start` (µs UTC) on, learnt from what was `predicted` of rows; None for fewer than two cutoffs.

    `first` is where the log begins.
    """
    return _forecast_from(start, shifts(rows, predicted, horizon_days=horizon_days, first=first))


def money_level(
    rows: Examples, predicted: Floats, *, horizon_days: int, first: int, start: int, cap: float
) -> Level | None:
    """The same of money; amounts above the cap count as that much."""
    return _forecast_from(start, money_shifts(rows, predicted, horizon_days=horizon_days, first=first, cap=cap))


def _forecast_from(start: int, past: Shifts) -> Level | None:
    if len(past.day) < 2:
        return None
    dates = start / DAY_US + np.arange(0.0, AHEAD_DAYS, STEP_DAYS)
    mean, std = forecast(past, dates)
    columns = (tuple(round(value, LEVEL_DIGITS) for value in column.tolist()) for column in (mean, std))
    return Level(start, STEP_DAYS, *columns)


def shifts(rows: Examples, predicted: Floats, *, horizon_days: int, first: int) -> Shifts:
    """By how many log-odds the rows of each cutoff miss; labels less than a horizon apart overlap, so each counts for
    less. `first` is where the log begins.

    Of few rows with a rare outcome one cutoff says next to nothing, and what it misses by itself leans to one half. So
    each shift is Newton's step from where all cutoffs together put it (Rasmussen and Williams 2006, section 3.4).
    """
    instants = np.unique(rows.cutoff)
    overlap = _overlap(instants, horizon_days)
    parts = [(rows.outcome[part], predicted[part]) for part in (rows.cutoff == instant for instant in instants)]
    day, age = instants / DAY_US, (instants - first) / DAY_US
    near = np.array([missing_shift(*part) for part in parts])
    for _ in range(ROUNDS):
        level_of_all, _ = forecast(Shifts(day, *_steps(parts, near, overlap), age), day, age)
        near = near + np.clip(level_of_all - near, -FURTHEST, FURTHEST)
    return Shifts(day, *_steps(parts, near, overlap), age)


def money_shifts(rows: Examples, predicted: Floats, *, horizon_days: int, first: int, cap: float) -> Shifts:
    """By which factor, in logarithms, the money of each cutoff misses; amounts above the cap count as that much.

    Half an order of usual size is added to outcomes and to predictions. The variance is that of a ratio of sums (the
    delta method), and not below what so few customers who paid can tell.
    """
    instants = np.unique(rows.cutoff)
    outcome, expected = np.minimum(rows.outcome, cap), np.minimum(predicted, cap)
    little = max(float(rows.outcome.sum()) / max(float(rows.labels.count.sum()), 1.0), 1e-9) / 2
    shift, variance = np.zeros(len(instants)), np.zeros(len(instants))
    for place, part in enumerate(rows.cutoff == instant for instant in instants):
        total = max(float(outcome[part].sum()), 0.0) + little
        ratio = total / (max(float(expected[part].sum()), 0.0) + little)
        squared_error = float(((outcome[part] - ratio * expected[part]) ** 2).sum()) / total**2
        shift[place] = np.log(ratio)
        variance[place] = max(squared_error, 1 / (1 + float((outcome[part] > 0).sum())))
    return Shifts(instants / DAY_US, shift, variance * _overlap(instants, horizon_days), (instants - first) / DAY_US)


def _overlap(instants: Ints, horizon_days: int) -> float:
    """How many cutoffs look at the same days."""
    apart = float(np.median(np.diff(instants))) / DAY_US if len(instants) > 1 else float(horizon_days)
    return max(1.0, horizon_days / apart)


def missing_shift(outcome: Floats, predicted: Floats) -> float:
    """The shift of the log-odds that makes the mean prediction come true, half a row of each outcome added."""
    rate = (outcome.sum() + 0.5) / (len(outcome) + 1)
    log_odds = _log_odds(predicted)
    return float(brentq(lambda by: expit(log_odds + by).mean() - rate, -40.0, 40.0))


def _steps(parts: list[tuple[Floats, Floats]], near: Floats, overlap: float) -> tuple[Floats, Floats]:
    """By cutoff the shift one step of Newton's from `near`, and its sampling variance."""
    moved = [expit(_log_odds(predicted) + by) for (_, predicted), by in zip(parts, near, strict=True)]
    residual = np.array([float((outcome - p).sum()) for (outcome, _), p in zip(parts, moved, strict=True)])
    information = np.maximum([float((p * (1 - p)).sum()) for p in moved], 1e-3)
    return near + residual / information, overlap / information


def forecast(past: Shifts, days: Floats, age: Floats | float = np.inf) -> tuple[Floats, Floats]:
    """Mean and standard deviation of the shift on each of these days, so many days after the log began."""
    between, ahead = (np.abs(dates[:, None] - past.day[None, :]) for dates in (past.day, days))
    decay, day_decay = (np.exp(-ages / EARLY_DAYS) for ages in (past.age, np.broadcast_to(age, len(days))))
    early = np.outer(decay, decay), np.outer(day_decay, decay), day_decay**2
    posteriors = [
        _posteriors(past, _kernels(between, widths), _kernels(ahead, widths), early)
        for widths in product(SEASON_WIDTHS, DRIFT_WIDTHS)
    ]
    likelihood, mean, variance = (np.concatenate(parts) for parts in zip(*posteriors, strict=True))
    weight = np.exp(likelihood - likelihood.max())
    weight /= weight.sum()
    average = weight @ mean
    return average, np.sqrt(np.maximum(weight @ (variance + mean**2) - average**2, 0.0))


def _kernels(gap: Floats, widths: tuple[float, float]) -> tuple[Floats, Floats]:
    """Season and drift of unit size between days so far apart."""
    season, drift = widths
    chord = np.sin(np.pi * gap / SEASON_DAYS) / np.sin(np.pi * season / SEASON_DAYS)
    return np.exp(-(chord**2) / 2), np.exp(-((gap / drift) ** 2) / 2)


def _posteriors(
    past: Shifts, between: tuple[Floats, Floats], ahead: tuple[Floats, Floats], early: tuple[Floats, Floats, Floats]
) -> tuple[Floats, Floats, Floats]:
    """For every size of the parts: log-likelihood of the shifts (up to a constant), mean and variance on each day.

    Season and drift of unit size `between` cutoffs and from days `ahead` to cutoffs; `early` has both, and of each day.
    """
    sizes = np.array(list(product(SIZES, SIZES, EARLY_SIZES))) ** 2
    season, drift, start = (column[:, None, None] for column in sizes.T)
    mean = MEAN_SIZE**2
    noise = np.diag(past.variance + 1e-8)
    covariance = season * between[0] + drift * between[1] + start * early[0] + mean + noise
    reach = season * ahead[0] + drift * ahead[1] + start * early[1] + mean
    root = np.linalg.cholesky(covariance)
    shift = np.broadcast_to(past.shift[:, None], (len(sizes), len(past.shift), 1))
    solved = np.linalg.solve(covariance, np.concatenate([shift, reach.swapaxes(1, 2)], axis=2))
    spent = (past.shift * solved[:, :, 0]).sum(axis=1) / 2
    likelihood = -spent - np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
    prior = (season + drift + mean)[:, :, 0] + start[:, :, 0] * early[2]
    explained = (reach.swapaxes(1, 2) * solved[:, :, 1:]).sum(axis=1)
    return likelihood, (reach @ solved[:, :, :1])[:, :, 0], prior - explained


def _log_odds(predicted: Floats) -> Floats:
    return np.asarray(logit(np.clip(predicted, PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR)))


def levelled(outcome: Floats, predicted: Floats, cutoff: Ints) -> Floats:
    """Predictions, shifted so that the mean of each cutoff comes true: their form without their level."""
    moved = np.empty(len(predicted))
    for instant in np.unique(cutoff):
        part = cutoff == instant
        moved[part] = expit(_log_odds(predicted[part]) + missing_shift(outcome[part], predicted[part]))
    return moved


def levelled_money(rows: Examples, predicted: Floats, cap: float) -> Floats:
    """The same of money, by a factor; amounts above the cap count as that much."""
    moved = predicted.copy()
    for instant in np.unique(rows.cutoff):
        part = rows.cutoff == instant
        expected, outcome = (float(np.minimum(amount[part], cap).sum()) for amount in (predicted, rows.outcome))
        if expected > 0 and outcome > 0:
            moved[part] *= outcome / expected
    return moved
