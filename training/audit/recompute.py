"""Labels and membership once more, from raw rows and by other code than the panel's: what a regression can not bend.

The definitions are those of the words: rows of one customer, event and order are one occurrence, which has the time of
its first visible row and the sum of its values; a negative sum is a refund and no occurrence.
"""

from dataclasses import dataclass

import numpy as np

from features.arrays import Bools, Floats, Ints
from features.config.tasks import TaskConfig
from features.journeys import NO_ORDER, Journeys
from features.language.feature import Bound
from features.timeline import BEGINNING, FOREVER, days, in_window, visible

FEWEST_WRONG = 3  # one row in thousands may differ by how sums are rounded
WRONG_SHARE = 0.002


@dataclass(frozen=True, eq=False)
class OccurrencesAt:
    """What customers had done at each instant; matrices of shape (n_occurrences, n_instants), occurrences by owner.

    `first` is the first visible row (`FOREVER` where none is), `value` the sum of the visible values.
    """

    customers: int
    owner: Ints
    instants: Ints
    first: Ints
    value: Floats

    @property
    def genuine(self) -> Bools:
        """Seen, and no refund."""
        return (self.first < FOREVER) & ~(self.value < 0)

    def inside(self, window_us: int) -> Bools:
        """Seen, and begun in the window before the instant."""
        return np.asarray((self.first < FOREVER) & in_window(self.first, self.instants, window_us))

    def per_customer(self, weights: Floats | Bools) -> Floats:
        """Sums of shape (n_customers, n_instants)."""
        running = np.concatenate([np.zeros((1, len(self.instants))), np.cumsum(weights, axis=0, dtype=np.float64)])
        starts = np.searchsorted(self.owner, np.arange(self.customers + 1))
        return np.asarray(running[starts[1:]] - running[starts[:-1]])

    def newest(self) -> Ints:
        """The last genuine one of each customer at each instant, `BEGINNING` where there is none."""
        last = np.full((self.customers, len(self.instants)), BEGINNING)
        np.maximum.at(last, self.owner, np.where(self.genuine, self.first, BEGINNING))
        return last


def labels(task: TaskConfig, journeys: Journeys, cutoffs: Ints, horizon_days: int) -> Floats:
    """Labels of shape (n_customers, n_cutoffs) over `(cutoff, cutoff + horizon]`, each event known as it happened."""
    return labels_over(task, journeys, cutoffs, days(horizon_days), days(horizon_days))


def labels_over(task: TaskConfig, journeys: Journeys, cutoffs: Ints, ahead_us: int, length_us: int) -> Floats:
    """Labels over the window of this length that ends so long after each cutoff."""
    events = task.churn_event or task.event
    then = cutoffs + ahead_us
    seen = occurrences(journeys, events, task.where, then, hindsight=True, bounds=task.bounds, amount=task.amount)
    inside = seen.inside(length_us)
    if task.is_money:
        return seen.per_customer(np.where(inside, seen.value, 0.0)) * task.rate
    happened = seen.per_customer(inside & seen.genuine) > 0
    silent = task.outcome == "silence"
    return np.asarray(happened != silent, np.float64)


def members(task: TaskConfig, journeys: Journeys, cutoffs: Ints) -> Bools:
    """Who the task asks about, of shape (n_customers, n_cutoffs)."""
    active = occurrences(journeys, task.active_event, {}, cutoffs)
    population = active.per_customer(active.inside(days(task.active_days)) & active.genuine) > 0
    if task.ended_by:
        ended = occurrences(journeys, task.ended_by, {}, cutoffs).newest()
        population &= ~((ended > BEGINNING) & (ended >= active.newest()))
    if task.never:
        did = occurrences(journeys, task.never, {}, cutoffs)
        population &= did.per_customer(did.genuine) == 0
    return population


def occurrences(
    journeys: Journeys,
    events: tuple[str, ...],
    where: dict[str, str],
    instants: Ints,
    *,
    hindsight: bool = False,
    bounds: tuple[Bound, ...] = (),
    amount: str | None = None,
) -> OccurrencesAt:
    """Those of the named events (all when none is named) as they were visible at the instants.

    With an `amount` each row is one by itself, at its own time, and its `value` is that column.
    """
    rows = np.flatnonzero(matching(journeys, events, where, bounds))
    owner, order = _ordered(journeys, rows)
    rows, owner = rows[order], owner[order]
    new = _new_occurrence(journeys, rows, owner) if amount is None else np.ones(len(rows), np.bool_)
    time, known = journeys.time[rows], journeys.known[rows]
    value = (journeys.value if amount is None else journeys.number(amount))[rows]
    seen = visible(time[:, None], (time if hindsight else known)[:, None], instants)
    starts = np.flatnonzero(new)
    if not len(rows):
        nothing = np.zeros((0, len(instants)))
        return OccurrencesAt(len(journeys), owner, instants, nothing.astype(np.int64), nothing)
    first = np.minimum.reduceat(np.where(seen, time[:, None], FOREVER), starts, axis=0)
    total = np.add.reduceat(np.where(seen, np.nan_to_num(value, nan=0.0)[:, None], 0.0), starts, axis=0)
    return OccurrencesAt(len(journeys), owner[starts], instants, first, total)


def matching(
    journeys: Journeys, events: tuple[str, ...], where: dict[str, str], bounds: tuple[Bound, ...] = ()
) -> Bools:
    """Rows of these events (of any, when none is named) that have every value that `where` asks for, within bounds."""
    names = journeys.event.names
    fits = np.isin(names.astype(str), events) if events else np.ones(len(names), bool)
    matches = fits[journeys.event.codes] if len(names) else np.zeros(journeys.rows, bool)
    for column, level in where.items():
        category = journeys.category(column)
        wanted = np.append(category.names.astype(str) == level, False)  # code -1, a null, reads the last
        matches = matches & wanted[category.codes]
    for name, how, bound in bounds:
        number = journeys.value if name is None else journeys.number(name)
        matches = matches & (number >= bound if how == ">=" else number <= bound)
    return np.asarray(matches)


def _ordered(journeys: Journeys, rows: Ints) -> tuple[Ints, Ints]:
    """Owners, and the order that brings the rows of an occurrence together."""
    owner = journeys.owner[rows]
    if journeys.order is None:
        return owner, np.arange(len(rows))
    return owner, np.lexsort((rows, journeys.order[rows], journeys.event.codes[rows], owner))


def _new_occurrence(journeys: Journeys, rows: Ints, owner: Ints) -> Bools:
    new = np.ones(len(rows), np.bool_)
    if journeys.order is None or not len(rows):
        return new
    order, event = journeys.order[rows], journeys.event.codes[rows]
    same = (owner[1:] == owner[:-1]) & (order[1:] == order[:-1]) & (event[1:] == event[:-1])
    new[1:] = ~same | (order[1:] == NO_ORDER)
    return new
