"""What came of it: the label of every (customer, cutoff), read with hindsight and by the same kernel as the features.

A label looks at `(cutoff, cutoff + horizon]`. The kernel stands at `cutoff + horizon` and looks back over a window as
long as the horizon, so both ends are decided by the one time comparison. The journeys given here are as of the
training's instant: what happened or was learnt of later is in no label. An order belongs to the instant of its first
row; a refund enters sums and is no occurrence.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.arrays import Floats, Ints
from features.config.tasks import TaskConfig
from features.journeys import Journeys
from features.language.feature import Feature
from features.language.feature_set import FeatureSet
from features.panel.build import Rows, build
from features.timeline import before, censored, days
from models.tasks import outcome_stream, worth


@dataclass(frozen=True)
class Labels:
    """Per row: `outcome` is 0 or 1 (churn, propensity), money (cltv) or the reward (next action); `count` is the
    number of occurrences.
    """

    outcome: Floats
    count: Floats

    def __len__(self) -> int:
        return len(self.outcome)

    def __getitem__(self, rows: NDArray[np.bool_] | Ints | slice) -> "Labels":
        return Labels(self.outcome[rows], self.count[rows])


def compute_labels(task: TaskConfig, journeys: Journeys, rows: Rows, horizon_days: int) -> Labels:
    """The labels of these rows; the caller leaves out rows whose window is censored."""
    stream = outcome_stream(task)
    count, total = Feature("count", stream, None, horizon_days), worth(task, horizon_days)
    seen = build(journeys.hindsight(), rows.shifted(days(horizon_days)), FeatureSet((count, total)))
    happened, value = seen.column(count.name), seen.column(total.name)
    return Labels(_outcome(task, happened, value), happened)


def has_whole_window(rows: Rows, horizon_days: int, end: int) -> NDArray[np.bool_]:
    """Which rows have their whole label window inside what the log can tell, which ends at `end`."""
    return ~np.asarray(censored(rows.cutoff, days(horizon_days), end))


@dataclass(frozen=True)
class Decisions:
    """Actions taken: `rows` look at the world from one µs before each, `action` names it (None: not recorded).

    `probability` is the logged probability of what was done, NaN where there is none.
    """

    rows: Rows
    action: NDArray[np.object_]
    probability: Floats


def decisions(task: TaskConfig, journeys: Journeys) -> Decisions:
    """Every decision of the task's event, in the order of the journeys."""
    taken = np.isin(journeys.event.names.astype(object), np.array(task.event, object))[journeys.event.codes]
    positions = np.flatnonzero(taken)
    column = journeys.categories[task.action or ""][positions]
    names = np.array([*column.names, None], object)  # code -1 reads the last entry
    logged = journeys.numbers[task.probability][positions] if task.probability else np.full(len(positions), np.nan)
    rows = Rows(journeys.owner[positions], before(journeys.time[positions]))
    return Decisions(rows, names[column.codes], logged)


def _outcome(task: TaskConfig, happened: Floats, value: Floats) -> Floats:
    match task.outcome:
        case "silence":
            return np.asarray(happened == 0, np.float64)
        case "event":
            return np.asarray(happened > 0, np.float64)
        case "reward":
            return happened if task.reward_unit == "count" else value
        case "money":
            return value * task.rate
