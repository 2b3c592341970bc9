"""What an audit looks at and what it finds: one horizon of a task, just before anything is fitted."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from features.arrays import Floats, Ints
from features.config.tasks import TaskConfig
from features.language.feature_set import FeatureSet
from training.dataset.examples import Examples, Parts
from training.dataset.split import Split


@dataclass(frozen=True, eq=False)
class AuditInput:
    """One horizon of a task as training is about to fit it.

    `parts` walks all journeys as of `as_of`; `rows` are the stacked examples of every cutoff of `split`, `base` the
    feature values (n, n_features) of the population that will be scored; labels end at `end` (µs UTC).
    """

    task: TaskConfig
    parts: Parts
    features: FeatureSet
    rows: Examples
    split: Split
    base: Floats
    as_of: int
    end: int
    max_rows: int = 400_000
    seed: int = 7

    @property
    def horizon_days(self) -> int:
        """The horizon that is fitted."""
        return self.split.fitted_days

    @property
    def happened(self) -> Floats:
        """Every row's label as 0 or 1; of money whether anything was bought."""
        return (self.rows.labels.count > 0).astype(np.float64) if self.task.is_money else self.rows.outcome

    @property
    def by_silence(self) -> bool:
        """Whether a 1 says that something did not happen."""
        return self.task.outcome == "silence"

    def some(self, most: int) -> Ints:
        """At most so many rows, spread evenly over cutoffs and customers."""
        return spread_evenly(len(self.rows), most)


@dataclass(frozen=True)
class Finding:
    """What one check (a name of `features.config.sections.CHECKS`) has to say to a person; `refuses` where no fit
    may follow.
    """

    check: str
    sentence: str
    refuses: bool = True
    figures: Mapping[str, float] = field(default_factory=dict)


def spread_evenly(count: int, most: int) -> Ints:
    """At most `most` of the numbers below `count`, evenly spread.

    >>> spread_evenly(3, 5).tolist(), spread_evenly(100, 3).tolist()
    ([0, 1, 2], [0, 50, 99])
    """
    return np.arange(count) if count <= most else np.linspace(0, count - 1, most).round().astype(np.int64)
