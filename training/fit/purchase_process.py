"""Purchase processes, fitted on everybody ever seen.

Training rows hold only the task's population, which lapsed customers have left: a process fitted on them would think
that nobody lapses. So it looks at all customers, one row each, at the instant when the last label of the training rows
ended. It reads no label, and four parameters remember no customer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from features.arrays import Floats
from features.config.tasks import TaskConfig
from features.language.feature import Feature
from features.language.feature_set import FeatureSet
from features.panel.build import Rows, build
from models.btyd.bg_nbd import fit_bg_nbd
from models.btyd.expectations import Expectations
from models.btyd.gamma_gamma import GammaGamma, fit_gamma_gamma
from models.btyd.process import Past
from models.tasks import outcome_stream, worth
from training.dataset.examples import Parts

FEWEST_RETURNED = 50
ALIKE = 1e6  # orders that the average of all weighs where customers are alike


@dataclass(frozen=True)
class Processes:
    """Expectations by the instant that they were fitted at (µs UTC); `missing` says why there are none."""

    fitted: Mapping[int, Expectations] = field(default_factory=dict)
    missing: str = ""


def repeats(task: TaskConfig) -> tuple[Feature, ...]:
    """What expectations read: x, t_x and T, days since the last occurrence and, for money, the sum of it so far."""
    if task.churn_event or not task.definition.has_purchase_process:
        return ()  # an end of contract is no purchase process
    stream = outcome_stream(task)
    read = [Feature("repeat_days", stream), Feature("repeat_span", stream), Feature("repeat_age", stream)]
    read.append(Feature("recency", stream))
    return (*read, worth(task)) if task.is_money else tuple(read)


def processes(parts: Parts, task: TaskConfig, horizon_days: int, timezone: str, instants: set[int]) -> Processes:
    """Fits for all of these instants, or for none and why."""
    features = FeatureSet(repeats(task), timezone)
    if not features or not instants:
        return Processes(missing="no purchase process: the task is about an end, not about coming back")
    fitted = {}
    for instant in sorted(instants):
        process = _fitted(_everybody(parts, features, instant), features, horizon_days)
        if isinstance(process, str):
            return Processes(missing=f"no purchase process: {process}")
        fitted[instant] = process
    return Processes(fitted)


def _everybody(parts: Parts, features: FeatureSet, instant: int) -> Floats:
    """The numbers of all who came at least once by then."""
    now = np.array([instant], np.int64)
    seen = [build(part, Rows.grid(len(part), now), features).values for part in parts()]
    values = np.concatenate([np.zeros((0, len(features))), *seen])
    return np.asarray(values[~np.isnan(values[:, 0])], np.float64)


def _fitted(values: Floats, features: FeatureSet, horizon_days: int) -> Expectations | str:
    days, span, age_name, silence, *money = features.names
    x, t_x, age = values.T[:3]
    returned = int((x > 0).sum())
    if returned < FEWEST_RETURNED:
        return f"it needs {FEWEST_RETURNED} customers who came back, found {returned}"
    past = Past.of(x, t_x, age).summed()
    models = [model for model in (fit_bg_nbd(past), fit_bg_nbd(past, from_first=True)) if model is not None]
    if not models:
        return "the likelihood of BG/NBD has no top on this log"
    best = max(models, key=lambda model: float(past.weight @ model.log_likelihood(past)))
    expectations = Expectations(days, span, age_name, silence, float(horizon_days), best)
    if not money:
        return expectations
    return replace(expectations, money=money[0], order_value=_order_value(x + 1, values[:, 4]))


def _order_value(count: Floats, money: Floats) -> GammaGamma:
    """The likeliest; where there is none, as with one price for all, that of an order on average, for everybody."""
    paid = money > 0
    average = float(money[paid].sum() / count[paid].sum()) if paid.any() else 0.0
    return fit_gamma_gamma(count[paid], money[paid] / count[paid]) or GammaGamma(1.0, 1.0 + ALIKE, average * ALIKE)
