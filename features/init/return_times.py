"""How often customers come back, and how often the label of a task was 1: what horizons are proposed from.

All of it is estimated over the occurrences of some customers, in memory. Days are those of UTC.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from features.arrays import Bools, Floats, Ints
from features.init.mapping import Mapping
from features.init.relations import JOURNEYS_VIEW
from features.system import duck
from features.timeline import DAY_US, FOREVER, before, censored, days, in_window, visible

LATE_RETURNS = 0.10  # share of returns that come after a silence that means churn
STRAY = 0.005  # at most so much of the rows may lie apart from the rest, on either side
NEAR = 0.1  # of the span: what lies within it is no stray
AT_RISK = 20  # customers, below which a curve is not read on


@dataclass(frozen=True)
class Occurrences:
    """The occurrences of some customers, sorted by customer and time."""

    customer: Ints  # 0, 1, …
    time: Ints  # µs
    event: Ints  # place in `names`, the commonest first
    value: Floats  # money, refunds negative, NaN for none
    names: tuple[str, ...]
    start: int  # µs: the robust beginning and end
    end: int
    strays: int  # rows outside
    one_in: int  # these are 1 customer in n

    @property
    def customers(self) -> int:
        """How many customers there are."""
        return int(self.customer[-1]) + 1

    @property
    def history_days(self) -> float:
        """Days from beginning to end."""
        return (self.end - self.start) / DAY_US

    def of(self, events: Iterable[str]) -> Bools:
        """Which are of one of the events, and no refunds; all events when none is named."""
        places = [self.names.index(event) for event in events]
        selected = np.isin(self.event, places) if places else np.ones(len(self.event), bool)
        return selected & ~(self.value < 0)


@dataclass(frozen=True)
class LabelCounts:
    """Customers eligible at one cutoff, and those of them whose label was 1 within the horizon."""

    eligible: int
    positive: int

    @property
    def share(self) -> float:
        """The base rate."""
        return self.positive / self.eligible if self.eligible else 0.0


def read_occurrences(connection: duck.Connection, mapping: Mapping, places: dict[str, int], one_in: int) -> Occurrences:
    """Read the view of `relations.sample_journeys`; `places` gives the number of every column."""
    order = f"coalesce(t{places[mapping.order]}, uuid()::VARCHAR)" if mapping.order else "uuid()"
    netted = "hash(customer) AS customer, min(time) AS time, event, sum(value) AS value"
    grouped = f"SELECT {netted} FROM {JOURNEYS_VIEW} GROUP BY hash(customer), event, {order}"
    plain = f"SELECT hash(customer) AS customer, time, event, value FROM {JOURNEYS_VIEW}"
    table = duck.table(connection, f"FROM ({grouped if mapping.order else plain}) ORDER BY customer, time, event")
    time = table["time"].to_numpy()
    start, end = robust_span(time)
    names, event, rows = np.unique(table["event"].to_numpy().astype(str), return_inverse=True, return_counts=True)
    commonest = np.argsort(-rows, kind="stable")
    return Occurrences(
        customer=np.unique(table["customer"].to_numpy(), return_inverse=True)[1],
        time=time,
        event=np.argsort(commonest)[event],
        value=table["value"].to_numpy().astype(np.float64),
        names=tuple(str(name) for name in names[commonest]),
        start=start,
        end=end,
        strays=int(np.count_nonzero((time < start) | (time > end))),
        one_in=one_in,
    )


def robust_span(time: Ints) -> tuple[int, int]:
    """First and last instant, without the few rows that lie far from the rest.

    >>> robust_span(np.array([0] * 3 + [10**6 + i for i in range(1000)]))
    (1000000, 1000999)
    """
    low, high = (int(edge) for edge in np.quantile(time, [STRAY, 1 - STRAY], method="nearest"))
    reach = round(NEAR * (high - low))
    within = time[(time >= low - reach) & (time <= high + reach)]
    return int(within.min()), int(within.max())


def silence_days(log: Occurrences, events: Iterable[str]) -> int:
    """The silence since one of the events after which fewer than `LATE_RETURNS` of all returns come, at least a day.

    Kaplan-Meier over the gaps between days with the events, because a customer's last gap ends with the log and not
    with a return. Who was not seen to return within the longest gaps is taken never to.
    """
    gaps, open_gaps = _gaps(log, events)
    length = int(max(gaps.max(initial=0), open_gaps.max(initial=0))) + 1
    ended, lost = np.bincount(gaps, minlength=length), np.bincount(open_gaps, minlength=length)
    left = np.cumsum(ended + lost)
    at_risk = left[-1] - np.concatenate([[0], left[:-1]])
    silent = np.cumprod(1 - ended / np.maximum(at_risk, 1))
    readable = max(int(np.count_nonzero(at_risk >= max(AT_RISK, 0.005 * left[-1]))), 1)
    never = silent[readable - 1]
    return max(int(np.argmax(silent - never < LATE_RETURNS * (1 - never))), 1)


def count_returning(log: Occurrences, events: Iterable[str]) -> int:
    """How many customers have one of the events on a second day."""
    customer, _ = _days(log, events)
    return int(np.count_nonzero(np.bincount(customer, minlength=1) > 1))


def count_customers(log: Occurrences, events: Iterable[str]) -> int:
    """How many customers have one of the events."""
    return len(np.unique(log.customer[log.of(events)]))


def count_labels(
    log: Occurrences, event: Iterable[str], active: Iterable[str], spans_days: tuple[int, int], horizons_back: int
) -> LabelCounts:
    """Who did `event` within the horizon among those `active`, at the cutoff `horizons_back` horizons before the end.

    `spans_days` is (active_days, horizon_days).
    """
    active_days, horizon_days = spans_days
    cutoff = log.end - horizons_back * days(horizon_days)
    eligible = _has_event(log, log.of(active), cutoff, active_days)
    positive = _has_event(log, log.of(event), cutoff + days(horizon_days), horizon_days)
    return LabelCounts(int(eligible.sum()) * log.one_in, int((eligible & positive).sum()) * log.one_in)


def count_contract_ends(
    log: Occurrences, ends: Iterable[str], active: Iterable[str], spans_days: tuple[int, int], horizons_back: int
) -> LabelCounts:
    """As `answers`, of those whose last active event was not followed by an end."""
    active_days, horizon_days = spans_days
    cutoff = log.end - horizons_back * days(horizon_days)
    ended, renewed = (_last_times(log, log.of(events), cutoff) for events in (ends, active))
    eligible = _has_event(log, log.of(active), cutoff, active_days) & (renewed > ended)
    positive = _has_event(log, log.of(ends), cutoff + days(horizon_days), horizon_days)
    return LabelCounts(int(eligible.sum()) * log.one_in, int((eligible & positive).sum()) * log.one_in)


def count_rewarded(log: Occurrences, event: str, reward: Iterable[str], horizon_days: int) -> LabelCounts:
    """How many of the decisions whose horizon is over saw a reward within it."""
    cutoff, following = _next_reward(log, event, reward)
    full = ~censored(cutoff, days(horizon_days), log.end)
    end = cutoff + days(horizon_days)
    rewarded_in_time = full & visible(following, following, end) & in_window(following, end, days(horizon_days))
    return LabelCounts(int(full.sum()) * log.one_in, int(rewarded_in_time.sum()) * log.one_in)


def follow_up_days(log: Occurrences, event: str) -> float:
    """Days that at least half of an event's rows are followed by in the log."""
    return (log.end - float(np.median(log.time[log.of([event])]))) / DAY_US


def _gaps(log: Occurrences, events: Iterable[str]) -> tuple[Ints, Ints]:
    """Days between one day with the events and the next; and from each customer's last to the end of the log."""
    customer, day = _days(log, events)
    same = customer[1:] == customer[:-1]
    last = np.append(~same, True)[: len(customer)]
    return np.diff(day)[same], np.maximum(log.end // DAY_US - day[last], 0)


def _days(log: Occurrences, events: Iterable[str]) -> tuple[Ints, Ints]:
    """Customer and day of every day with one of the events, strays left out."""
    chosen = log.of(events) & (log.time >= log.start) & (log.time <= log.end)
    customer, day = log.customer[chosen], log.time[chosen] // DAY_US
    new = np.append(True, (customer[1:] != customer[:-1]) | (day[1:] != day[:-1]))[: len(customer)]
    return customer[new], day[new]


def _has_event(log: Occurrences, chosen: Bools, cutoff: int, window_days: int) -> Bools:
    in_span = chosen & visible(log.time, log.time, cutoff) & in_window(log.time, cutoff, days(window_days))
    return np.bincount(log.customer[in_span], minlength=log.customers) > 0


def _last_times(log: Occurrences, chosen: Bools, cutoff: int) -> Ints:
    """Time of each customer's last chosen occurrence at the cutoff, 0 for none."""
    known_rows = chosen & visible(log.time, log.time, cutoff)
    last = np.zeros(log.customers, np.int64)
    last[log.customer[known_rows]] = log.time[known_rows]  # in order of time, so that the last one stays
    return last


def _next_reward(log: Occurrences, event: str, reward: Iterable[str]) -> tuple[Ints, Ints]:
    """The cutoff of each decision and the customer's next reward after it, `FOREVER` for none."""
    rows = np.concatenate([np.flatnonzero(log.of([event])), np.flatnonzero(log.of(reward))])
    pays = np.arange(len(rows)) >= np.count_nonzero(log.of([event]))
    order = np.lexsort((pays, log.time[rows], log.customer[rows]))
    rows, pays = rows[order], pays[order]
    nearest = np.where(pays, np.arange(len(rows)), len(rows))
    nearest = np.minimum.accumulate(nearest[::-1])[::-1]
    reward_row = np.append(rows, -1)[nearest]
    same_customer = (reward_row >= 0) & (log.customer[reward_row] == log.customer[rows])
    following = np.where(same_customer, log.time[reward_row], FOREVER)
    return before(log.time[rows][~pays]), following[~pays]
