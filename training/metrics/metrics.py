"""How good predictions are, each figure with its 90 % bootstrap interval.

A metric is a function of `truth` (n,), `predicted` (n,) and `weights` (b, n), and returns one number per row of
weights: a row of ones gives the figure itself, rows of draws its bootstrap replicates. Rows of equal prediction are
treated as one: permuting them changes nothing. NaN means that the metric says nothing there (such as AUROC with one
class).
"""

from collections.abc import Callable

import numpy as np
from scipy.special import expit, logit

from features.arrays import Floats, Ints
from models.prediction import EPS

Metric = Callable[[Floats, Floats, Floats], Floats]


def auroc(truth: Floats, predicted: Floats, weights: Floats) -> Floats:
    """Chance that a positive stands above a negative, ties half.

    >>> auroc(np.array([0.0, 1.0, 1.0]), np.array([0.2, 0.2, 0.9]), np.ones((1, 3))).tolist()
    [0.75]
    """
    positive, negative = _by_score(truth, predicted, weights)
    below = np.cumsum(negative, axis=1) - negative / 2
    return _ratio((positive * below).sum(axis=1), positive.sum(axis=1) * negative.sum(axis=1))


def average_precision(truth: Floats, predicted: Floats, weights: Floats) -> Floats:
    """Area under the precision-recall steps."""
    positive, negative = (part[:, ::-1] for part in _by_score(truth, predicted, weights))
    true_positives = np.cumsum(positive, axis=1)
    precision = _ratio(true_positives, true_positives + np.cumsum(negative, axis=1), nothing=0.0)
    return _ratio((positive * precision).sum(axis=1), positive.sum(axis=1))


def log_loss(truth: Floats, predicted: Floats, weights: Floats) -> Floats:
    """Mean of -log of the probability given to what happened (nats)."""
    return _mean(log_losses(truth, predicted), weights)


def log_losses(truth: Floats, predicted: Floats) -> Floats:
    """Each row's -log of the probability given to what happened (nats)."""
    p = np.clip(predicted, EPS, 1 - EPS)
    return np.asarray(-np.where(truth > 0, np.log(p), np.log1p(-p)))


def brier_skill(truth: Floats, predicted: Floats, weights: Floats) -> Floats:
    """1 - Brier score / Brier score of always saying the base rate of these very rows."""
    rate = _mean(truth, weights)
    return np.asarray(1 - _ratio(_mean((truth - predicted) ** 2, weights), rate * (1 - rate)))


def ece(truth: Floats, predicted: Floats, weights: Floats) -> Floats:
    """Expected calibration error over 15 bins of equally many rows."""
    group = np.searchsorted(edges(predicted, 15), predicted, side="left")
    return _ratio(np.abs(_summed((truth - predicted) * weights, group)).sum(axis=1), weights.sum(axis=1))


def lift_at_tenth(truth: Floats, predicted: Floats, weights: Floats) -> Floats:
    """Rate among the tenth with the highest predictions, over the rate of all; ties at the border share places."""
    order = np.argsort(predicted, kind="stable")
    border = predicted[order[-max(1, round(len(order) / 10))]]
    above, tied = predicted > border, predicted == border
    share = (max(1, round(len(order) / 10)) - above.sum()) / tied.sum()
    taken = weights * (above + share * tied)
    return _ratio(_ratio(taken @ truth, taken.sum(axis=1)), _mean(truth, weights))


def precision(truth: Floats, predicted: Floats, weights: Floats, *, threshold: float) -> Floats:
    """Share of positives among the rows at or above the threshold."""
    selected = weights * (predicted >= threshold)
    return _ratio(selected @ truth, selected.sum(axis=1))


def recall(truth: Floats, predicted: Floats, weights: Floats, *, threshold: float) -> Floats:
    """Share of the positives that stand at or above the threshold."""
    return _ratio((weights * (predicted >= threshold)) @ truth, weights @ truth)


def f1(truth: Floats, predicted: Floats, weights: Floats, *, threshold: float) -> Floats:
    """Harmonic mean of precision and recall."""
    selected = weights * (predicted >= threshold)
    return _ratio(2 * (selected @ truth), selected.sum(axis=1) + weights @ truth)


def best_threshold(truth: Floats, predicted: Floats) -> float:
    """The prediction from which on a row is called positive for the best F1; 0.5 where nothing is positive."""
    if not truth.sum():
        return 0.5
    levels, group = np.unique(predicted, return_inverse=True)
    positive, selected = (np.bincount(group, w)[::-1].cumsum()[::-1] for w in (truth, np.ones(len(truth))))
    return float(levels[np.argmax(2 * positive / (selected + truth.sum()))])


def calibration_slope(truth: Floats, predicted: Floats) -> list[float | None]:
    """Slope of a logistic regression of truth on the log-odds predicted, 1 when well spread: [slope, low, high] by
    Wald.
    """
    x = logit(np.clip(predicted, 1e-6, 1 - 1e-6))
    if not 0 < truth.sum() < len(truth) or np.ptp(x) == 0:
        return [None, None, None]
    design, coefficients = np.column_stack([np.ones(len(x)), x]), np.array([0.0, 1.0])
    for _ in range(25):
        mean = expit(design @ coefficients)
        information = (design * (mean * (1 - mean))[:, None]).T @ design + 1e-9 * np.eye(2)
        step = np.linalg.solve(information, design.T @ (truth - mean))
        coefficients = coefficients + np.clip(step, -2, 2)
    width = 1.645 * float(np.sqrt(np.linalg.inv(information)[1, 1]))
    slope = float(coefficients[1])
    return [slope, slope - width, slope + width]


def rmse(truth: Floats, predicted: Floats, weights: Floats) -> Floats:
    """Root of the mean squared error, in money."""
    return np.asarray(np.sqrt(_mean((truth - predicted) ** 2, weights)))


def mae(truth: Floats, predicted: Floats, weights: Floats) -> Floats:
    """Mean absolute error, in money."""
    return _mean(np.abs(truth - predicted), weights)


def bias(truth: Floats, predicted: Floats, weights: Floats) -> Floats:
    """Sum of predictions over the sum of outcomes, minus 1."""
    return np.asarray(_ratio(weights @ predicted, weights @ truth) - 1)


def spearman(truth: Floats, predicted: Floats, weights: Floats) -> Floats:
    """Correlation of ranks, ties averaged."""
    truth_rank, predicted_rank = _ranks(truth, weights), _ranks(predicted, weights)
    truth_rank, predicted_rank = (
        rank - (rank * weights).sum(axis=1, keepdims=True) / weights.sum(axis=1, keepdims=True)
        for rank in (truth_rank, predicted_rank)
    )
    spread = np.sqrt((weights * truth_rank**2).sum(axis=1) * (weights * predicted_rank**2).sum(axis=1))
    return _ratio((weights * truth_rank * predicted_rank).sum(axis=1), spread)


def normalised_gini(truth: Floats, predicted: Floats, weights: Floats) -> Floats:
    """Gini(predicted) / Gini(truth): how much of the best possible concentration of money the ranking finds; ties
    averaged.
    """
    return _ratio(_gini(truth, predicted, weights), _gini(truth, truth, weights))


def decile_mape(truth: Floats, predicted: Floats, weights: Floats) -> Floats:
    """Mean over tenths of the rows by prediction of |sum predicted - sum of outcomes| / |sum of outcomes|; empty sums
    left out.
    """
    group = np.searchsorted(edges(predicted, 10), predicted, side="left")
    outcome, prediction = _summed(truth * weights, group), _summed(predicted * weights, group)
    off = _ratio(np.abs(prediction - outcome), np.abs(outcome))
    counted = ~np.isnan(off)
    return _ratio(np.where(counted, off, 0.0).sum(axis=1), counted.sum(axis=1))


def winkler(truth: Floats, low: Floats, high: Floats) -> Floats:
    """Per row the width of the 90 % interval plus 20 times what the outcome lies outside it, in money."""
    outside = np.maximum(low - truth, 0.0) + np.maximum(truth - high, 0.0)
    return np.asarray(high - low + 20 * outside)


def mean(truth: Floats, predicted: Floats, weights: Floats) -> Floats:  # noqa: ARG001  a metric takes both
    """Mean of what was measured per row."""
    return _mean(truth, weights)


def share_saved(truth: Floats, predicted: Floats, weights: Floats) -> Floats:
    """1 - mean of `predicted` / mean of `truth`, for losses of a model and of its baseline."""
    return np.asarray(1 - _ratio(_mean(predicted, weights), _mean(truth, weights)))


def edges(predicted: Floats, groups: int) -> Floats:
    """Upper ends of all but the last of up to `groups` equally large groups; equal predictions stay together."""
    if not len(predicted):
        return np.zeros(0)
    ends = np.unique(np.quantile(predicted, np.arange(1, groups) / groups, method="lower"))
    return np.asarray(ends[ends < predicted.max()])


def _by_score(truth: Floats, predicted: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Weight of positives and of negatives at every different prediction, ascending: (b, n_levels) each."""
    _, group = np.unique(predicted, return_inverse=True)
    return _summed(weights * (truth > 0), group), _summed(weights * (truth <= 0), group)


def _summed(values: Floats, group: Ints) -> Floats:
    """Sums of the columns of `values` (b, n) by group number; every group up to the highest must be there."""
    if (np.diff(group) < 0).any():
        order = np.argsort(group, kind="stable")
        values, group = values[:, order], group[order]
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    return np.asarray(np.add.reduceat(values, starts, axis=1) if len(starts) < len(group) else values)


def _ranks(values: Floats, weights: Floats) -> Floats:
    """Mid-ranks of every row among the weighted rows, (b, n)."""
    _, group = np.unique(values, return_inverse=True)
    mass = _summed(weights, group)
    return np.asarray((np.cumsum(mass, axis=1) - mass / 2)[:, group])


def _gini(truth: Floats, by: Floats, weights: Floats) -> Floats:
    _, group = np.unique(by, return_inverse=True)
    people, money = _summed(weights, group)[:, ::-1], _summed(weights * truth, group)[:, ::-1]
    cumulative = np.cumsum(money, axis=1) - money / 2
    area = _ratio((people * cumulative).sum(axis=1), people.sum(axis=1) * money.sum(axis=1))
    return np.asarray(2 * area - 1)


def _mean(values: Floats, weights: Floats) -> Floats:
    return np.asarray((weights @ values) / weights.sum(axis=1))


def _ratio(above: Floats, below: Floats, nothing: float = np.nan) -> Floats:
    return np.asarray(np.divide(above, below, out=np.full(np.shape(above), nothing), where=np.asarray(below) != 0))
