"""The steps by which a task's answers get better: what each needs, what is there of it, and when it is all there."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import ceil

import numpy as np

from features.arrays import Ints
from features.config.tasks import TaskConfig
from features.timeline import DAY_US, days, in_window, iso
from models.grades import MIN_CUSTOMERS, MIN_MINORITY
from training.dataset.split import SHORTEST_LEAD
from training.fit.actions import FEW, Logged
from training.readiness.forecast import OutcomeCounts, SplitCounts, TaskCounts, pace_days
from training.selection.validation import LEARN_MIN_MINORITY, LEARN_MIN_ROWS, TREES_MIN_MINORITY, TREES_MIN_ROWS

READY, NEVER = "there", "not at this pace"
FULL, LEARNT, TREES, TEST = "the full horizon", "a learnt model", "trees", "a test"
GRADED, BEST = "a grade above D", "grades A and B"
DECIDED, AGAINST, OWN = "a gain", "a gain over '{}'", "each action's own error"
Need = tuple[int, int]  # rows, and of the rarer outcome
FOR_TREES: tuple[str, Need] = (TREES, (TREES_MIN_ROWS, TREES_MIN_MINORITY))
RUNGS: tuple[tuple[str, Need], ...] = (
    (LEARNT, (LEARN_MIN_ROWS, LEARN_MIN_MINORITY)),
    FOR_TREES,
)  # the least demanding first
TO_GRADE: Need = (MIN_CUSTOMERS, MIN_MINORITY)


@dataclass(frozen=True)
class Step:
    """Something that a task's answers gain: what is there of it, what it needs, and when that is there."""

    name: str
    there: str
    needed: str
    when: str

    @property
    def is_ready(self) -> bool:
        """Nothing is missing."""
        return self.when == READY


def steps(task: TaskConfig, task_counts: TaskCounts) -> tuple[Step, ...]:
    """The steps of a churn, propensity or cltv task."""
    pays = not task.is_money or task_counts.money > 0

    def learns(need: Need) -> Callable[[SplitCounts], bool]:
        return lambda counts: pays and all(_holds(counts.parts[part], need) for part in ("learning", "choosing"))

    def is_best(counts: SplitCounts) -> bool:
        return _is_full(counts) and learns(RUNGS[0][1])(counts) and _is_graded(counts)

    def poorer(need: Need) -> OutcomeCounts:
        return min(parts["learning"], parts["choosing"], key=lambda counts: _share(counts, need))

    parts = task_counts.current.parts
    history = (task_counts.split.end - task_counts.split.first) // DAY_US
    wanted = ceil(round(task_counts.split.horizon_days * (3 + SHORTEST_LEAD), 6))
    return (
        _step(task_counts, FULL, f"{history:,} days", f"{wanted:,} days", _is_full),
        *(
            _step(task_counts, rung, _counts(poorer(need)) if pays else "no money", _needed(need), learns(need))
            for rung, need in RUNGS
        ),
        _step(task_counts, TEST, f"{parts['test'].rows:,.0f} rows", "1 row", _is_tested),
        _step(task_counts, GRADED, _counts(parts["test"]), _needed(TO_GRADE), _is_graded),
        _step(task_counts, BEST, "", "all of the above" if pays else "money", is_best),
    )


def steps_of_actions(task: TaskConfig, logged: Logged, end: int) -> tuple[Step, ...]:
    """The steps of a next_action task, by its decisions whose reward window has been seen to its end."""
    counts = dict(zip(logged.names, np.bincount(logged.action, minlength=len(logged.names)).tolist(), strict=True))
    nothing, fewest = task.nothing or "", min(counts, key=counts.__getitem__, default="")
    by_action = {name: logged.cutoff[logged.action == number] for number, name in enumerate(logged.names)}
    until, span_days = end - days(task.horizons_days[0]), pace_days(task.horizons_days[0])

    def when(needs: Iterable[tuple[Ints, int]]) -> str:
        waits = [_wait(cutoffs, needed, until, span_days) for cutoffs, needed in needs]
        return NEVER if None in waits else _date(end, max(wait or 0 for wait in waits))

    none, (_, first) = np.zeros(0, np.int64), np.unique(logged.customer, return_index=True)
    customers, rewarded = logged.cutoff[first], logged.cutoff[logged.rewarded]  # sorted by customer, then by cutoff
    graded = [(customers, MIN_CUSTOMERS), (rewarded, MIN_MINORITY), (by_action.get(nothing, none), 1)]
    own = [(cutoffs, FEW) for cutoffs in by_action.values()] or [(none, FEW)]
    rarest = f"{counts[fewest]:,} of '{fewest}'" if counts else "no decision"
    return (
        Step(DECIDED, f"{len(logged):,} decisions", "1 decision", when([(logged.cutoff, 1)])),
        Step(
            AGAINST.format(nothing),
            f"{counts.get(nothing, 0):,} of it",
            "1 of it",
            when([(by_action.get(nothing, none), 1)]),
        ),
        Step(OWN, rarest, f"{FEW} of each", when(own)),
        Step(
            GRADED,
            f"{len(customers):,} customers, {len(rewarded):,} rewarded",
            f"{MIN_CUSTOMERS} customers, {MIN_MINORITY} rewarded",
            when(graded),
        ),
    )


def _wait(cutoffs: Ints, needed: int, until: int, span_days: int) -> float | None:
    """Days until there are so many, by how many came in the last `span_days`; None for never."""
    pace = int(in_window(cutoffs, until, days(span_days)).sum()) / span_days
    missing = needed - len(cutoffs)
    return 0.0 if missing <= 0 else missing / pace if pace else None


def _date(end: int, wait: float) -> str:
    return iso(end + ceil(wait) * DAY_US)[:10] if wait else READY


def _step(task_counts: TaskCounts, name: str, there: str, needed: str, reached: Callable[[SplitCounts], bool]) -> Step:
    if reached(task_counts.current):
        return Step(name, there, needed, READY)
    end = task_counts.when(reached)
    return Step(name, there, needed, NEVER if end is None else iso(end)[:10])


def _is_full(counts: SplitCounts) -> bool:
    return not counts.split.extrapolated


def _is_tested(counts: SplitCounts) -> bool:
    return counts.parts["test"].rows >= 1 and counts.parts["refitting"].rows >= 1


def _is_graded(counts: SplitCounts) -> bool:
    return _is_tested(counts) and _holds(counts.parts["test"], TO_GRADE)


def _holds(counts: OutcomeCounts, need: Need) -> bool:
    return counts.rows >= need[0] and counts.minority >= need[1]


def _share(counts: OutcomeCounts, need: Need) -> float:
    return min(counts.rows / need[0], counts.minority / need[1])


def _counts(counted: OutcomeCounts) -> str:
    return f"{counted.rows:,.0f} rows, {counted.minority:,.0f} of the rarer outcome"


def _needed(need: Need) -> str:
    return f"{need[0]} rows, {need[1]} of the rarer outcome"
