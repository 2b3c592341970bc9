"""What is held against what was said of money: Pareto/NBD × Gamma-Gamma on the same customers, and what came."""

from dataclasses import dataclass

import numpy as np

from benchmarks.known_truth.verdict import GRADES
from experiments.results.paired import Ahead, ahead
from features.arrays import Floats
from training.metrics import metrics

COVERS = (0.885, 0.915)  # of the 90 % interval, over everybody
LEAST_COVERED = 0.80  # of every tenth by predicted value
SILENT = 0.9  # a tenth of whom more buy nothing cannot be covered by less: it is judged from below only


@dataclass(frozen=True, eq=False)
class Worth:
    """Of each customer of the population: the money that came, what ours said with its interval, what they said."""

    came: Floats
    said: Floats
    low: Floats
    high: Floats
    theirs: Floats
    rung: str
    grade: str


@dataclass(frozen=True)
class MoneyVerdict:
    """Of one shop. `rmse_share` is by which share our RMSE is below theirs; coverage is of the 90 % interval."""

    rmse: Ahead
    gini: Ahead
    rmse_share: float
    bias: float
    covered: float
    covered_busy: float  # without the tenths of whom over 90 % bought nothing
    worst_tenth: float
    answered: bool
    rung: str
    grade: str
    customers: int

    @property
    def covers(self) -> bool:
        """Whether the interval holds as many as it says."""
        return self.covered >= COVERS[0] and self.covered_busy <= COVERS[1]


def judged_money(worth: Worth) -> MoneyVerdict:
    """All that is asked of values."""
    inside = ((worth.low <= worth.came) & (worth.came <= worth.high)).astype(np.float64)
    ends = metrics.edges(worth.said, 10)
    tenth = np.searchsorted(ends, worth.said, side="left")
    tenths = [tenth == one for one in range(len(ends) + 1)]
    tenths = [rows for rows in tenths if rows.sum() >= len(rows) / 20]  # equal values stand together
    busy = [rows for rows in tenths if np.mean(worth.came[rows] == 0) <= SILENT] or tenths
    ones, theirs = np.ones((1, len(inside))), {"": worth.theirs}
    rmse = ahead("RMSE", metrics.rmse, worth.came, worth.said, theirs)[""]
    return MoneyVerdict(
        rmse=rmse,
        gini=ahead("Gini", metrics.normalised_gini, worth.came, worth.said, theirs)[""],
        rmse_share=rmse.by / float(metrics.rmse(worth.came, worth.theirs, ones)[0]),
        bias=float(metrics.bias(worth.came, worth.said, ones)[0]),
        covered=float(inside.mean()),
        covered_busy=float(inside[np.any(busy, axis=0)].mean()),
        worst_tenth=min(float(inside[rows].mean()) for rows in tenths),
        answered=_answered(worth),
        rung=worth.rung,
        grade=worth.grade,
        customers=len(inside),
    )


def _answered(worth: Worth) -> bool:
    """Everybody has a value, an interval and the answer a grade; the mean may lie outside a shortest interval."""
    finite = np.isfinite(np.stack([worth.said, worth.low, worth.high])).all()
    return bool(finite and (worth.low <= worth.high).all() and worth.grade in GRADES)
