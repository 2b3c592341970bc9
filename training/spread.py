"""How far outcomes lie from predictions, learnt on rows later than those fitted on, in groups of like predictions."""

from dataclasses import dataclass, replace

import numpy as np

from features.journeys import Floats, Ints
from models.amounts import INSIDE, Amounts, Table
from models.answer import Spread
from training.metrics import edges

GROUPS = 10
LEAST_ROWS = 50  # of a group
GRID = np.linspace(0.0, 1.0, 101)
DIGITS = 6  # models.amounts.FINE
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


NOTHING_SEEN = Missed(np.zeros(0), np.zeros(0), np.zeros(0, np.int64))


def probability_spread(missed: Missed) -> Spread:
    """The 90 % interval of a rate: its sampling error, joined with how far the worse period missed like rows."""
    truth, predicted = missed.truth, missed.predicted
    if not len(truth):
        return Spread((), (-1.0,), (1.0,))
    ends, groups = _groups(predicted)
    half = []
    for group in groups:
        count = group.sum()
        rate = (float(truth[group].sum()) + 0.5) / (count + 1)
        periods = [group & (missed.period == one) for one in np.unique(missed.period[group])]
        worst = max(abs(float(truth[rows].mean() - predicted[rows].mean())) for rows in periods)
        half.append(float(np.hypot(Z * np.sqrt(rate * (1 - rate) / count), worst)))
    return Spread(ends, tuple(-one for one in half), tuple(half))


@dataclass(frozen=True, eq=False)
class Ranked:
    """Where outcomes of rows later than those fitted on lie in what was said of them, with the means said."""

    mean: Floats
    rank: Floats

    def __add__(self, other: "Ranked") -> "Ranked":
        return Ranked(np.concatenate([self.mean, other.mean]), np.concatenate([self.rank, other.rank]))


NOTHING_RANKED = Ranked(np.zeros(0), np.zeros(0))


def amounts(outcome: Floats, mean: Floats, p_none: Floats) -> Amounts:
    """The shape of outcomes around what is said of them, as it is among rows fitted on."""
    floor = max(float(np.mean(np.maximum(mean, 0.0))) / 100 if len(mean) else 0.0, 1e-9)
    paid = outcome > 0
    ends = edges(mean[paid], int(np.clip(paid.sum() // LEAST_ROWS, 1, GROUPS))) if paid.any() else np.zeros(0)
    plain = Amounts(tuple(ends.tolist()), (), (), (), (tuple(GRID.tolist()),), floor)
    unit, _ = plain.units(mean, p_none)
    group = np.searchsorted(ends, mean, side="left")
    none, some = (
        _table([(outcome / unit[:, side])[part & (group == one)] for one in range(len(ends) + 1)], unseen)
        for side, part, unseen in ((0, ~paid, np.zeros(len(GRID))), (1, paid, UNSEEN))
    )
    return replace(plain, none=none, some=some)


UNSEEN = -np.log1p(-np.minimum(GRID, 0.995))  # amounts before any was seen: exponential


def conformal(found: Amounts, later: Ranked) -> Amounts:
    """The same, made to come true among later rows of like mean: n of them leave n + 1 places for the next."""
    if not len(later.mean):
        return found
    ends, groups = _groups(later.mean)
    ranks = [np.concatenate([[0.0], later.rank[rows], [1.0]]) for rows in groups]
    return replace(found, used_edges=ends, used=_table(ranks, GRID))


def _table(samples: list[Floats], unseen: Floats) -> Table:
    """Quantiles of each sample on the grid."""
    rows = (np.quantile(one, GRID) if len(one) else unseen for one in samples)
    return tuple(tuple(round(value, DIGITS) for value in row.tolist()) for row in rows)


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
