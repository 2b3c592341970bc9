"""Figures with their 90 % intervals, by a bootstrap over customers: who has several rows is drawn with all of them."""

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType

import numpy as np

from features.arrays import Floats, Strings
from training.metrics import metrics
from training.metrics.metrics import Metric

Figures = dict[str, list[float | None]]  # name: [value, low, high]; None where a metric says nothing
REPLICATES = 1000
LEAST_REPLICATES = 100  # where rows are many: five times `CELLS` weights of all rows are held
CELLS = 4_000_000  # of weights computed on at once

RANKING: Mapping[str, Metric] = MappingProxyType(
    {
        "auroc": metrics.auroc,
        "average_precision": metrics.average_precision,
        "log_loss": metrics.log_loss,
        "brier_skill": metrics.brier_skill,
        "ece": metrics.ece,
        "lift_at_10": metrics.lift_at_tenth,
    }
)
AT_THRESHOLD = MappingProxyType({"precision": metrics.precision, "recall": metrics.recall, "f1": metrics.f1})
MONEY: Mapping[str, Metric] = MappingProxyType(
    {
        "rmse": metrics.rmse,
        "mae": metrics.mae,
        "spearman": metrics.spearman,
        "gini": metrics.normalised_gini,
        "decile_mape": metrics.decile_mape,
        "bias": metrics.bias,
    }
)


def probability_figures(truth: Floats, predicted: Floats, threshold: float, weights: Floats) -> Figures:
    """All figures of churn and propensity; `weights` are bootstrap draws."""
    at = {name: partial(metric, threshold=threshold) for name, metric in AT_THRESHOLD.items()}
    figures = figures_of({**RANKING, **at}, truth, predicted, weights)
    figures["calibration_slope"] = metrics.calibration_slope(truth, predicted)
    return figures | {"threshold": [threshold, threshold, threshold]}


def figures_of(metrics: Mapping[str, Metric], truth: Floats, predicted: Floats, weights: Floats) -> Figures:
    """Every metric as [value, low, high]; None where it says nothing."""
    if not len(truth):
        return {name: [None, None, None] for name in metrics}
    order = np.argsort(predicted, kind="stable")  # sums by score need no sorting then, replicate after replicate
    truth, predicted, weights = truth[order], predicted[order], weights[:, order]
    return {name: _figure(metric, truth, predicted, weights) for name, metric in metrics.items()}


def replicates_for(rows: int) -> int:
    """How many replicates `draws` makes of so many rows: above 20,000 fewer, so that memory stays bounded.

    >>> replicates_for(20_000), replicates_for(40_000), replicates_for(1_000_000)
    (1000, 500, 100)
    """
    return int(np.clip(5 * CELLS // max(rows, 1), LEAST_REPLICATES, REPLICATES))


def draws(customers: Strings, seed: int) -> Floats:
    """Bootstrap weights (b, n): how often each row's customer was drawn. Rows of one customer are drawn together.

    b is `replicates_for(n)`.
    """
    who, code = np.unique(customers.astype(np.str_), return_inverse=True)
    replicates = replicates_for(len(customers))
    rng = np.random.default_rng(seed)
    counts = np.stack([np.bincount(rng.integers(0, len(who), len(who)), minlength=len(who)) for _ in range(replicates)])
    return np.asarray(counts[:, code], np.float32) if len(who) else np.zeros((replicates, 0), np.float32)


def resampled(customers: Strings, columns: Floats, seed: int, replicates: int = REPLICATES) -> Floats:
    """Sums of the columns (n, k) over draws of customers, (replicates, k): what is compared is drawn together."""
    who, code = np.unique(customers.astype(np.str_), return_inverse=True)
    per_customer = np.stack([np.bincount(code, column, minlength=len(who)) for column in columns.T], axis=1)
    rng, step = np.random.default_rng(seed), max(1, CELLS // max(len(who), 1))
    sums = []
    for start in range(0, replicates, step):
        drawn = rng.integers(0, len(who), (min(step, replicates - start), len(who)))
        sums.append(
            np.stack([np.bincount(draw, minlength=len(who)) for draw in drawn]).astype(np.float64) @ per_customer
        )
    return np.concatenate(sums)


def _figure(metric: Metric, truth: Floats, predicted: Floats, weights: Floats) -> list[float | None]:
    value = float(metric(truth, predicted, np.ones((1, len(truth))))[0])
    chunk = max(1, CELLS // len(truth))
    parts = [
        metric(truth, predicted, weights[start : start + chunk].astype(np.float64))
        for start in range(0, len(weights), chunk)
    ]
    drawn = np.concatenate(parts)
    drawn = drawn[~np.isnan(drawn)]
    if np.isnan(value) or not len(drawn):
        return [None, None, None]
    low, high = np.quantile(drawn, (0.05, 0.95))
    return [value, float(low), float(high)]
