"""The named baselines, fitted: recency for churn and propensity, past money for cltv, and the base rate under them."""

import numpy as np

from features.arrays import Floats
from features.config.tasks import TaskConfig
from features.language.feature import Feature, Stream
from features.language.feature_set import FeatureSet
from models.ladder.hurdle import History
from models.ladder.rules import Binned, Scaled
from models.ladder.rung import Rung
from models.tasks import outcome_stream, worth
from training.dataset.examples import Examples
from training.fit.purchase_process import repeats
from training.metrics.metrics import edges

RECENCY_GROUPS = 10
SHRINK = 20.0  # rows that the average of all weighs in each group
YEAR_DAYS = 365
CAP = 0.995  # amounts above this quantile of paying rows count as that much where a single one could decide


def needed(task: TaskConfig, fitted_days: int) -> FeatureSet:
    """What rules, hurdles and processes read; they must be among the features of a training."""
    if task.is_money:
        stream = outcome_stream(task)
        windows = (fitted_days, YEAR_DAYS, 0)
        counts = [Feature("count", stream, None, window) for window in windows]
        sums = [worth(task, window) for window in windows]
        own = [*counts, *sums, Feature("tenure", stream), *repeats(task)]
    else:
        own = [_recency(task), *repeats(task)]
    return FeatureSet(tuple(dict.fromkeys(own)))


def rule(task: TaskConfig, fitted_days: int, rows: Examples, features: FeatureSet) -> Rung:
    """The named baseline of the task's kind."""
    if task.is_money:
        past = worth(task, fitted_days).name
        before = float(np.nansum(rows.values[:, features.position[past]]))
        return Scaled(past, max(float(rows.outcome.sum()) / before, 0.0) if before > 0 else 1.0)
    return recency_rule(_recency(task).name, rows, features)


def recency_rule(feature: str, rows: Examples, features: FeatureSet) -> Binned:
    """The rate among customers with a like recency, each group's shrunk towards the overall rate."""
    x = rows.values[:, features.position[feature]]
    present = ~np.isnan(x)
    ends = edges(x[present], RECENCY_GROUPS)
    group = np.where(present, np.searchsorted(ends, x, side="left"), len(ends) + 1)
    return Binned(feature, tuple(ends.tolist()), tuple(_shrunk(rows.outcome, group, len(ends) + 2).tolist()))


def constant(task: TaskConfig, rows: Examples) -> Rung:
    """The average for everybody (one half, or no money, before any row): what a rule itself is judged against."""
    if task.is_money:
        mean = float(rows.outcome.mean()) if len(rows) else 0.0
        return Binned(Feature("tenure", outcome_stream(task)).name, (), (mean, mean), name="constant")
    rate = (float(rows.outcome.sum()) + 1) / (len(rows) + 2)
    return Binned(_recency(task).name, (), (rate, rate), name="constant")


def cap_of(rows: Examples) -> float:
    """The amount that only one paying row in 200 exceeds."""
    paid = rows.outcome[rows.outcome > 0]
    return float(np.quantile(paid, CAP)) if len(paid) else 0.0


def history(task: TaskConfig, fitted_days: int, rows: Examples) -> History | None:
    """What a hurdle reads of the past; None when the rows hold no money to learn from."""
    cap = cap_of(rows)
    orders, money = float(rows.labels.count.sum()), float(np.clip(rows.outcome, -cap, cap).sum()) / task.rate
    return past_of(task, fitted_days, money / orders) if orders > 0 and money > 0 else None


def past_of(task: TaskConfig, fitted_days: int, typical: float) -> History:
    """The same where the typical money of an order is known, or does not matter."""
    stream = outcome_stream(task)
    counts = tuple(Feature("count", stream, None, window).name for window in (0, YEAR_DAYS))
    sums = tuple(worth(task, window).name for window in (0, YEAR_DAYS))
    return History(counts[0], Feature("tenure", stream).name, counts, sums, typical, float(fitted_days))


def _recency(task: TaskConfig) -> Feature:
    """Of the event itself; where the event is the loss of a contract, of what keeps it alive."""
    stream = Stream(tuple(sorted(task.active_event))) if task.churn_event else outcome_stream(task)
    return Feature("recency", stream)


def _shrunk(outcome: Floats, group: Floats, groups: int) -> Floats:
    count, total = np.bincount(group, minlength=groups), np.bincount(group, outcome, minlength=groups)
    rate = (outcome.sum() + 1) / (len(outcome) + 2)
    return np.asarray((total + SHRINK * rate) / (count + SHRINK))
