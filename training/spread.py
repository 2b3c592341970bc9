"""How far outcomes lie from predictions, learnt on rows later than those fitted on, in groups of like predictions."""

from dataclasses import dataclass

import numpy as np

from features.journeys import Floats, Ints
from models.answer import Spread
from training.metrics import edges

GROUPS = 10
LEAST_ROWS = 50  # of a group
LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
INSIDE = 0.9
Z = 1.645


@dataclass(frozen=True, eq=False)
class Missed:
    """Predictions and what came, on rows later than those fitted on; `period` numbers their cutoffs."""

    truth: Floats
    predicted: Floats
    period: Ints

    def __add__(self, other: "Missed") -> "Missed":
        period = np.concatenate([self.period, other.period + self.period.max(initial=-1) + 1])
        truth, predicted = (np.concatenate([getattr(self, n), getattr(other, n)]) for n in ("truth", "predicted"))
        return Missed(truth, predicted, period)


def probability_spread(missed: Missed) -> Spread:
    """The 90 % interval of a rate: its sampling error, joined with how far the worse period missed like rows."""
    truth, predicted = missed.truth, missed.predicted
    if not len(truth):
        return Spread("probability", (), (-1.0,), (1.0,))
    ends, groups = _groups(predicted)
    half = []
    for group in groups:
        count = group.sum()
        rate = (float(truth[group].sum()) + 0.5) / (count + 1)
        periods = [group & (missed.period == one) for one in np.unique(missed.period[group])]
        worst = max(abs(float(truth[rows].mean() - predicted[rows].mean())) for rows in periods)
        half.append(float(np.hypot(Z * np.sqrt(rate * (1 - rate) / count), worst)))
    return Spread("probability", ends, tuple(-one for one in half), tuple(half))


def money_spread(missed: Missed) -> Spread:
    """The shortest interval of outcome over prediction that holds 90 % of each group, and quantiles of the same."""
    truth, predicted = missed.truth, missed.predicted
    if not len(truth):
        quantiles = tuple(2 * level for level in LEVELS)
        return Spread("money", (), (0.0,), (10.0,), LEVELS, (quantiles,), 1.0)
    floor = max(float(np.mean(np.maximum(predicted, 0.0))) / 100, 1e-9)
    ends, groups = _groups(predicted)
    ratios = [truth[group] / np.maximum(predicted[group], floor) for group in groups]
    low, high = zip(*(shortest(ratio) for ratio in ratios), strict=True)
    held = tuple(tuple(float(one) for one in np.quantile(ratio, LEVELS)) for ratio in ratios)
    return Spread("money", ends, low, high, LEVELS, held, floor)


def shortest(values: Floats) -> tuple[float, float]:
    """The shortest interval that holds 90 % of values like these, with one more to come (conformal: (n + 1) · 90 %).

    >>> shortest(np.array([0.0] * 18 + [5.0, 9.0]))
    (0.0, 5.0)
    """
    ordered = np.sort(values)
    inside = min(int(np.ceil((len(ordered) + 1) * INSIDE)), len(ordered))
    widths = ordered[inside - 1 :] - ordered[: len(ordered) - inside + 1]
    start = int(np.argmin(widths))
    return float(ordered[start]), float(ordered[start + inside - 1])


def _groups(predicted: Floats) -> tuple[tuple[float, ...], list[np.ndarray[tuple[int], np.dtype[np.bool_]]]]:
    ends = edges(predicted, int(np.clip(len(predicted) // LEAST_ROWS, 1, GROUPS)))
    number = np.searchsorted(ends, predicted, side="left")
    return tuple(ends.tolist()), [number == one for one in range(len(ends) + 1)]
