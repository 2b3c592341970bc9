"""What a log holds for a question, and what it will hold when it goes on at the pace of its last horizon.

Nothing is fitted: members and labels are counted at the cutoffs that a training would take (`training.dataset.split`).
What a later training would find is told from its own split: members at cutoffs that lie in the past are known, those at
later ones follow the pace, and outcomes happen as often as they do now (over a longer horizon, by hazard).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from features.arrays import Floats, Ints
from features.config.tasks import TaskConfig
from features.journeys import Journeys
from features.language.feature_set import FeatureSet
from features.panel.build import Rows, build
from features.timeline import DAY_US, days
from models.grades import activity, is_thin
from models.tasks import population
from training.dataset.examples import Parts
from training.dataset.labels import compute_labels
from training.dataset.split import Split, split

GRID = 24  # spans between the instants at which members are counted
SHORTEST_PACE = 28  # days
DAILY, WEEKLY = 2 * 365, 8 * 52  # instants to come that are looked at: ten years


@dataclass(frozen=True)
class OutcomeCounts:
    """Rows with a known outcome, and on how many of them the event happened."""

    rows: float
    happened: float

    @property
    def minority(self) -> float:
        """Rows with the rarer outcome."""
        return min(self.happened, self.rows - self.happened)


@dataclass(frozen=True)
class SplitCounts:
    """What a training finds at some instant: its split, and by part (`PARTS`) the rows it has."""

    split: Split
    parts: Mapping[str, OutcomeCounts]


PARTS: Mapping[str, Callable[[Split], tuple[int, ...]]] = {
    "learning": lambda division: division.choosing,
    "choosing": lambda division: (division.validation,),
    "refitting": lambda division: division.reporting,
    "test": lambda division: (division.test,),
}


@dataclass(frozen=True, eq=False)
class TaskCounts:
    """What is counted for a task and a horizon at `as_of` (µs UTC): members of the population at ascending `instants`.

    `current` is what a training finds now; `orders` and `money` are what came in the test's window; `thin` are members
    now with thin data.
    """

    split: Split
    as_of: int
    instants: Ints
    members: Floats
    current: SplitCounts
    orders: int
    money: float
    thin: int

    @property
    def population(self) -> int:
        """Members of the population now."""
        return int(self.members[-1])

    @property
    def pace_days(self) -> int:
        """The last horizon, or four weeks, as far as there is history: what the pace is taken from."""
        return max(min(pace_days(self.split.horizon_days), (self.as_of - self.split.first) // DAY_US), 1)

    @property
    def population_before(self) -> float:
        """Members at the beginning of that span, between the instants at which they were counted."""
        return float(np.interp(self.as_of - days(self.pace_days), self.instants, self.members))

    @property
    def pace(self) -> float:
        """By how many members a day the population grows."""
        return (self.population - self.population_before) / self.pace_days

    def when(self, reached: Callable[[SplitCounts], bool]) -> int | None:
        """The first instant to come at which a training finds that; None when it will not, at this pace."""
        return next((end for end, counts in self._to_come if reached(counts)), None)

    @cached_property
    def _to_come(self) -> list[tuple[int, SplitCounts]]:
        start = max(self.split.end, self.as_of - DAY_US)
        steps = [*range(1, DAILY + 1), *range(DAILY + 7, DAILY + 7 * WEEKLY + 1, 7)]
        return [(end, self._then(end)) for end in (start + step * DAY_US for step in steps)]

    def _then(self, end: int) -> SplitCounts:
        later = split(self.split.horizon_days, self.split.first, end)
        ratio = later.fitted_days / self.split.fitted_days
        return SplitCounts(later, {name: self._expected(cutoffs(later), ratio) for name, cutoffs in PARTS.items()})

    def _expected(self, cutoffs: tuple[int, ...], ratio: float) -> OutcomeCounts:
        rows = float(self._members_at(np.array(cutoffs, np.int64)).sum())
        return OutcomeCounts(rows, rows * (1 - (1 - self._rate) ** ratio))

    def _members_at(self, instants: Ints) -> Floats:
        to_come = np.maximum(instants - self.as_of, 0) / DAY_US * self.pace
        return np.maximum(np.interp(instants, self.instants, self.members) + to_come, 0.0)

    @cached_property
    def _rate(self) -> float:
        """How often the event happens, in the test and a horizon before it: one of them may be a poor month."""
        newest = [self.current.parts[part] for part in ("choosing", "test")]
        rows = sum(counts.rows for counts in newest)
        return sum(counts.happened for counts in newest) / rows if rows else 0.0


def pace_days(horizon_days: int) -> int:
    """How many days the pace of a horizon is taken from: what came in a shorter time is mostly chance."""
    return max(horizon_days, SHORTEST_PACE)


def count_task(parts: Parts, task: TaskConfig, division: Split, now: int) -> TaskCounts:
    """Count members and labels for the horizon of the split."""
    grid = np.linspace(division.first, now, GRID + 1).astype(np.int64)
    instants = np.unique(np.concatenate([grid, np.array(division.cutoffs, np.int64)]))
    counts, thin = np.zeros((len(COUNTS), len(instants))), 0
    for part in parts():
        rows = Rows.grid(len(part), instants)
        rows = rows[population(task, part, rows)]
        counts += _count_journeys(task, part, rows, division, instants)
        thin += _thin(task, part, rows[rows.cutoff == now])
    places = {name: np.isin(instants, cutoffs(division)) for name, cutoffs in PARTS.items()}
    members, happened, orders, money = counts
    return TaskCounts(
        split=division,
        as_of=now,
        instants=instants,
        members=members,
        current=SplitCounts(division, {name: _row_counts(members[at], happened[at]) for name, at in places.items()}),
        orders=int(orders[places["test"]].sum()),
        money=float(money[places["test"]].sum()),
        thin=thin,
    )


COUNTS = ("members", "happened", "orders", "money")


def _count_journeys(task: TaskConfig, part: Journeys, rows: Rows, division: Split, instants: Ints) -> Floats:
    """`COUNTS` at every instant, the last three where labels are wanted."""
    labelled = rows[np.isin(rows.cutoff, division.cutoffs)]
    labels = compute_labels(task, part, labelled, division.fitted_days)
    place, members = np.searchsorted(instants, labelled.cutoff), np.searchsorted(instants, rows.cutoff)
    sums = [np.bincount(place, weights, len(instants)) for weights in (labels.count > 0, labels.count, labels.outcome)]
    return np.stack([np.bincount(members, minlength=len(instants)), *sums])


def _thin(task: TaskConfig, part: Journeys, members: Rows) -> int:
    return int(is_thin(task, build(part, members, FeatureSet((activity(task),)))).sum())


def _row_counts(rows: Floats, happened: Floats) -> OutcomeCounts:
    return OutcomeCounts(float(rows.sum()), float(happened.sum()))
