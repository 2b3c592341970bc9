"""How far outcomes lie from predictions, learnt on rows later than those fitted on, in groups of like predictions."""

from dataclasses import dataclass, replace

import numpy as np

from features.arrays import Floats, Ints
from models.predictor.intervals import PredictionInterval, Z
from models.predictor.outcome_distribution import COVERAGE, OutcomeDistribution, Table
from training.dataset.examples import Examples
from training.fit.baselines import cap_of
from training.fit.level import levelled, levelled_money
from training.metrics.metrics import edges

INTERVAL_GROUPS = 10
LEAST_ROWS = 50  # of a group
GRID = np.linspace(0.0, 1.0, 101)
BEYOND = 3.0  # times the largest amount seen
QUANTILE_DIGITS = 6  # models.predictor.outcome_distribution.FINE


@dataclass(frozen=True, eq=False)
class ProbabilityResiduals:
    """Outcomes and predictions of rows later than those fitted on; `period` numbers their cutoffs."""

    truth: Floats
    predicted: Floats
    period: Ints

    def __add__(self, other: "ProbabilityResiduals") -> "ProbabilityResiduals":
        period = np.concatenate([self.period, other.period + self.period.max(initial=-1) + 1])
        truth, predicted = (np.concatenate([getattr(self, n), getattr(other, n)]) for n in ("truth", "predicted"))
        return ProbabilityResiduals(truth, predicted, period)


NO_PROBABILITY_RESIDUALS = ProbabilityResiduals(np.zeros(0), np.zeros(0), np.zeros(0, np.int64))


def probability_interval(residuals: ProbabilityResiduals) -> PredictionInterval:
    """The 90 % interval of a rate: its sampling error, joined with how far the worse period missed like rows."""
    truth, predicted = residuals.truth, residuals.predicted
    if not len(truth):
        return PredictionInterval((), (-1.0,), (1.0,))
    ends, groups = _groups(predicted)
    half = []
    for group in groups:
        count = group.sum()
        rate = (float(truth[group].sum()) + 0.5) / (count + 1)
        periods = [group & (residuals.period == period) for period in np.unique(residuals.period[group])]
        worst = max(abs(float(truth[rows].mean() - predicted[rows].mean())) for rows in periods)
        half.append(float(np.hypot(Z * np.sqrt(rate * (1 - rate) / count), worst)))
    return PredictionInterval(ends, tuple(-half_width for half_width in half), tuple(half))


@dataclass(frozen=True, eq=False)
class MoneyResiduals:
    """Money of rows later than those fitted on, with the predicted mean and chance of nothing, moved to the level that
    the outcomes had.
    """

    outcome: Floats
    mean: Floats
    p_none: Floats

    def __add__(self, other: "MoneyResiduals") -> "MoneyResiduals":
        names = ("outcome", "mean", "p_none")
        return MoneyResiduals(*(np.concatenate([getattr(self, name), getattr(other, name)]) for name in names))


NO_MONEY_RESIDUALS = MoneyResiduals(np.zeros(0), np.zeros(0), np.zeros(0))


def money_residuals(rows: Examples, mean: Floats, p_none: Floats) -> MoneyResiduals:
    """Money beside its predictions, moved to the level that the outcomes had."""
    levelled_p_none = levelled(rows.no_purchase.outcome, p_none, rows.cutoff)
    return MoneyResiduals(rows.outcome, levelled_money(rows, mean, cap_of(rows)), levelled_p_none)


def outcome_distribution(outcome: Floats, mean: Floats, p_none: Floats) -> OutcomeDistribution:
    """The distribution of outcomes around such predictions."""
    floor = max(float(np.mean(np.maximum(mean, 0.0))) / 100 if len(mean) else 0.0, 1e-9)
    paid = outcome > 0
    ends = edges(mean[paid], int(np.clip(paid.sum() // LEAST_ROWS, 1, INTERVAL_GROUPS))) if paid.any() else np.zeros(0)
    plain = OutcomeDistribution(tuple(ends.tolist()), (), (), (), (tuple(GRID.tolist()),), floor)
    unit, _ = plain.units(mean, p_none)
    group = np.searchsorted(ends, mean, side="left")
    within = [group == number for number in range(len(ends) + 1)]
    none = [_quantiles((outcome / unit[:, 0])[~paid & rows], np.zeros(len(GRID))) for rows in within]
    some = [_quantiles((outcome / unit[:, 1])[paid & rows], UNSEEN) for rows in within]
    for row in some:  # room for what was not seen
        row[0], row[-1] = 0.0, BEYOND * row[-1]
    return replace(plain, none=_table(none), some=_table(some))


UNSEEN = -np.log1p(-np.minimum(GRID, 0.995))  # amounts before any was seen: exponential


def conformal(distribution: OutcomeDistribution, later: MoneyResiduals, seed: int) -> OutcomeDistribution:
    """The same, made to come true among later rows of like mean: n of them leave n + 1 places for the next.

    Where enough of them paid, their shape takes the place of that of rows fitted on.
    """
    if not len(later.mean):
        return distribution
    if (later.outcome > 0).sum() >= LEAST_ROWS:
        distribution = outcome_distribution(later.outcome, later.mean, later.p_none)
    rank = distribution.rank(
        later.outcome, later.mean, later.p_none, np.random.default_rng(seed).random(len(later.mean))
    )
    ends, groups = _groups(later.mean)
    ranks = [np.quantile(np.concatenate([[0.0], rank[rows], [1.0]]), GRID) for rows in groups]
    return replace(distribution, used_edges=ends, used=_table(ranks))


def _quantiles(sample: Floats, unseen: Floats) -> Floats:
    return np.quantile(sample, GRID) if len(sample) else unseen.copy()


def _table(rows: list[Floats]) -> Table:
    return tuple(tuple(round(value, QUANTILE_DIGITS) for value in row.tolist()) for row in rows)


def shortest(values: Floats) -> tuple[float, float]:
    """The shortest interval that holds 90 % of values like these, with one more to come (conformal: (n + 1) · 90 %).

    >>> shortest(np.array([0.0] * 18 + [5.0, 9.0]))
    (0.0, 5.0)
    """
    ordered = np.sort(values)
    inside = min(int(np.ceil((len(ordered) + 1) * COVERAGE)), len(ordered))
    widths = ordered[inside - 1 :] - ordered[: len(ordered) - inside + 1]
    start = int(np.argmin(widths))
    return float(ordered[start]), float(ordered[start + inside - 1])


def _groups(predicted: Floats) -> tuple[tuple[float, ...], list[np.ndarray[tuple[int], np.dtype[np.bool_]]]]:
    ends = edges(predicted, int(np.clip(len(predicted) // LEAST_ROWS, 1, INTERVAL_GROUPS)))
    number = np.searchsorted(ends, predicted, side="left")
    return tuple(ends.tolist()), [number == place for place in range(len(ends) + 1)]
