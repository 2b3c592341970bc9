"""Figures that several checks share, and how they are told to a person."""

from collections.abc import Sequence

import numpy as np

from features.arrays import Floats
from features.config.tasks import TaskConfig
from features.language.feature import Feature, Stream
from features.timeline import DAY_US, moment
from models.tasks import outcome_stream
from training.audit.case import AuditInput
from training.metrics import metrics

LOWEST = -1e300  # where a missing value stands


def own_stream(task: TaskConfig) -> Stream:
    """The event that the task waits for; where the event is a loss, what keeps a customer."""
    return Stream(tuple(sorted(set(task.active_event)))) if task.churn_event else outcome_stream(task)


def own_recency(case: AuditInput) -> Floats | None:
    """Days since the task's own event by the panel, NaN for never; None where the panel has no such column."""
    name = Feature("recency", own_stream(case.task)).name
    column = case.features.position.get(name)
    return None if column is None else case.rows.values[:, column]


def above(truth: Floats, column: Floats) -> float:
    """AUROC of one column, a missing value standing lowest; NaN with one class only."""
    filled = np.where(np.isnan(column), LOWEST, column)
    return float(metrics.auroc(truth, filled, np.ones((1, len(truth))))[0])


def by_chance(positives: float, negatives: float) -> float:
    """Standard error of an AUROC where nothing is to be told (Mann & Whitney, 1947)."""
    return float(np.sqrt((positives + negatives + 1) / (12 * max(positives, 1) * max(negatives, 1))))


def percent(share: float) -> str:
    """A share for a person.

    >>> percent(0.5), percent(0.997), percent(1.0), percent(0.002)
    ('50 %', '99.7 %', '100 %', '0.2 %')
    """
    digits = 0 if 0.01 <= share <= 0.99 or share in (0.0, 1.0) else 1
    return f"{share * 100:.{digits}f} %"


def named(events: Sequence[str]) -> str:
    """Events for a person.

    >>> named(("view", "cart", "buy"))
    "'view', 'cart' or 'buy'"
    """
    quoted = [f"'{event}'" for event in events]
    return " or ".join([", ".join(quoted[:-1]), quoted[-1]]) if len(quoted) > 1 else "".join(quoted)


def day(instant: int) -> str:
    """The day of an instant, for a person."""
    return moment(instant).date().isoformat()


def length(duration_us: float) -> str:
    """A length of time for a person.

    >>> length(DAY_US), length(12.4 * DAY_US)
    ('1 day', '12 days')
    """
    number = max(round(duration_us / DAY_US), 1)
    return f"{number:,} day" + ("s" if number > 1 else "")
