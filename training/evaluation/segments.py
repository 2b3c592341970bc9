"""Parts of the customers on which a model may do harm that its average hides: by how often and how lately they came.

Both are read at the row's own cutoff, so that a segment is something one could have known then.
"""

import numpy as np
from numpy.typing import NDArray

from features.arrays import Floats
from features.config.tasks import TaskConfig
from features.journeys import Journeys
from features.language.feature import Feature
from features.language.feature_set import FeatureSet
from features.panel.build import Rows, build
from models.grades import activity
from training.context import TrainingContext
from training.dataset.examples import Examples
from training.metrics.metrics import edges

Mask = NDArray[np.bool_]
Segment = tuple[str, Mask]  # its name for a person, and which rows belong to it

SELDOM, OFTEN = 1, 5  # times active: once, 2 to 4 times, 5 times or more
LATELY = ("most lately", "less lately", "longest ago")


def segments(context: TrainingContext, task: TaskConfig, rows: Examples) -> list[Segment]:
    """Every segment that has rows, with its mask (n_rows,); each row is in one segment of either kind.

    Often: active ever once, 2 to 4 times, 5 times or more (`models.grades.activity`). Lately: thirds of these very rows
    by the days since the customer was last active. A customer who never was is in a segment of its own.
    """
    often, since = _read(context, task, rows)
    kinds = [*_by_count(often), *_by_recency(since)]
    return [(name, mask) for name, mask in kinds if mask.any()]


def _by_count(often: Floats) -> list[Segment]:
    return [
        ("never active", often < SELDOM),
        ("active once", often == SELDOM),
        (f"active {SELDOM + 1} to {OFTEN - 1} times", (often > SELDOM) & (often < OFTEN)),
        (f"active {OFTEN} times or more", often >= OFTEN),
    ]


def _by_recency(since: Floats) -> list[Segment]:
    """Thirds, equal recencies together; NaN is of those who never were active."""
    ends = edges(since[~np.isnan(since)], len(LATELY))
    third = np.where(np.isnan(since), -1, np.searchsorted(ends, since, side="left"))
    names = LATELY if len(ends) == len(LATELY) - 1 else LATELY[::2]  # two groups: the first and the last
    texts = [_span(name, since, third == place) for place, name in enumerate(names)]
    return [(text, third == place) for place, text in enumerate(texts)]


def _span(name: str, since: Floats, mask: Mask) -> str:
    if not mask.any():
        return name
    return f"active {name} ({since[mask].min():.0f} to {since[mask].max():.0f} days ago)"


def _read(context: TrainingContext, task: TaskConfig, rows: Examples) -> tuple[Floats, Floats]:
    """How often each row's customer had been active, and how many days ago last; NaN for one who is in no journey."""
    often = activity(task)
    wanted = FeatureSet((often, Feature("recency", often.stream)), context.config.log.timezone)
    values = np.full((len(rows), len(wanted)), np.nan)
    customers = rows.customer.astype(np.str_)
    for part in context.parts():
        inside, place = _found(part, customers)
        values[inside] = build(part, Rows(place, rows.cutoff[inside]), wanted).values
    return values[:, 0], values[:, 1]


def _found(part: Journeys, customers: NDArray[np.str_]) -> tuple[Mask, NDArray[np.int64]]:
    """Which of these customers have their journey here, and where."""
    known = part.customers.astype(np.str_)
    if not len(known):
        return np.zeros(len(customers), np.bool_), np.zeros(0, np.int64)
    order = np.argsort(known)
    place = order[np.minimum(np.searchsorted(known[order], customers), len(known) - 1)]
    inside = known[place] == customers
    return inside, place[inside]
