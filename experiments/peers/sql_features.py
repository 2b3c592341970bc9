"""What an analyst would write by hand: 60 to 110 window aggregates in one statement of DuckDB, at up to six cutoffs.

`past` gives the panel that peers learn from: cutoffs a step apart, the newest a horizon before the as-of, all labels
known by then. Where history holds less than three horizons, a shorter one is learnt and carried over (`carried`).
"""

from dataclasses import dataclass, replace
from itertools import pairwise

import duckdb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from experiments import truth
from experiments.questions import Case
from experiments.truth import Question

Floats = NDArray[np.float64]
CUTOFFS = 6
LONGEST_STEP_DAYS = 30.0
DAYS = (7, 14, 30, 60, 90, 180, 365)  # windows of a log of months
HOURS = (0.25, 0.5, 1, 2, 3, 5)  # and of a log of days
SHORT_LOG_DAYS = 30


@dataclass(frozen=True)
class Past:
    """Rows of all cutoffs under each other, ascending; `cutoff` numbers them, `horizon_days` is what labels read.

    Rows of `earlier` lie at least a horizon before those of `newest`: what is chosen is fitted on the first and judged
    on the second.
    """

    values: Floats
    label: Floats
    cutoff: NDArray[np.int64]
    horizon_days: float
    cutoffs: tuple[str, ...]
    earlier: NDArray[np.bool_]
    newest: NDArray[np.bool_]

    def among(self, rows: NDArray[np.bool_]) -> "Past":
        """The same of these rows alone."""
        parts = {name: getattr(self, name)[rows] for name in ("values", "label", "cutoff", "earlier", "newest")}
        return replace(self, **parts)


def cutoffs(case: Case) -> tuple[float, tuple[str, ...]]:
    """The horizon that history holds three times, and up to six cutoffs, ascending."""
    span = history_days(case)
    horizon = min(case.question.horizon_days, span // 3 if span > SHORT_LOG_DAYS else span / 3)
    step = min(horizon, LONGEST_STEP_DAYS, (span - horizon * 4 / 3) / (CUTOFFS - 1))
    end = pd.Timestamp(case.cutoff)
    ladder = [str(end - pd.Timedelta(days=horizon + step * back)) for back in range(CUTOFFS)]
    return horizon, tuple(reversed(ladder))


def history_days(case: Case) -> float:
    """From the start of the log to the cutoff."""
    return _days_between(truth.start(case.question), case.cutoff)


def past(case: Case, tables: list[pd.DataFrame], horizon: float, instants: tuple[str, ...]) -> Past:
    """The panel of these tables, one for each cutoff, with their labels."""
    labels = [
        case.label(table.index, cutoff, horizon).to_numpy() for table, cutoff in zip(tables, instants, strict=True)
    ]
    number = np.concatenate([np.full(len(table), place) for place, table in enumerate(tables)])
    early = [_days_between(cutoff, instants[-1]) >= horizon - 1e-6 for cutoff in instants]
    values = np.concatenate([table.to_numpy(float) for table in tables])
    newest = number == len(tables) - 1
    return Past(values, np.concatenate(labels), number, horizon, instants, np.array(early)[number], newest)


def carried(case: Case, said: Floats, fitted_days: float) -> Floats:
    """What was said for the fitted horizon, for the one asked for: by the same hazard or rate."""
    ratio = case.question.horizon_days / fitted_days
    if case.is_amount:
        return said * ratio
    return said**ratio if case.kind == "silence" else 1 - (1 - said) ** ratio


def members(question: Question, cutoff: str) -> pd.Index:
    """The population at a cutoff."""
    table = truth.rfm(question, cutoff)
    return table.index[table["active"]]


def aggregates(question: Question, cutoff: str) -> pd.DataFrame:
    """The window aggregates of the population at a cutoff, a row for each customer."""
    frame: pd.DataFrame = duckdb.execute(_statement(question, cutoff)).df()
    return frame.set_index("customer_id").reindex(members(question, cutoff)).astype(float)


def _statement(question: Question, cutoff: str) -> str:
    columns = "".join(f", {name}" for name in (*question.categories, *question.numbers))
    age = f"epoch(timestamp '{cutoff}' - timestamp) / 86400 as age"
    spans = HOURS if _is_short(question) else DAYS
    return f"""
        with seen as (
            select customer_id, timestamp, event_type, {"coalesce(value, 0)" if question.valued else "0.0"} as value,
                {question.order or "epoch_us(timestamp)"} as order_id{columns}, {age}
            from '{question.file}' where timestamp <= timestamp '{cutoff}'),
        orders as (
            select customer_id, order_id, min(timestamp) as began, max(age) as age, sum(value) as value,
                count(*) as lines
            from seen where event_type in {_names(question.events)} group by all),
        spaced as (
            select *, lag(age) over past - age as gap, row_number() over (
                partition by customer_id order by began desc, order_id) as back
            from orders window past as (partition by customer_id order by began, order_id)),
        by_order as (select customer_id, {", ".join(_of_orders(spans, valued=question.valued))}
            from spaced group by customer_id),
        by_row as (select customer_id, {", ".join(_of_rows(question, spans))} from seen group by customer_id)
        select *, recency / nullif(gap_mean, 0) as recency_over_gap, recency / nullif(gap_max, 0) as recency_over_max,
            orders_all / (tenure + 1) as pace, {", ".join(_trends(spans))}
        from by_row left join by_order using (customer_id)"""


def _of_orders(spans: tuple[float, ...], *, valued: bool) -> list[str]:
    """Aggregates over orders."""
    wanted = ["count(*) as orders_all", "min(age) as recency", "max(age) as tenure", "avg(lines) as lines_mean"]
    wanted += [f"count(*) filter (where age < {days}) as orders_{_name(days)}" for days in spans]
    wanted += [f"count(distinct began::date) filter (where age < {days}) as days_{_name(days)}" for days in spans[2:]]
    wanted += [f"{what}(gap) as gap_{what}" for what in ("min", "max", "median", "stddev")] + ["avg(gap) as gap_mean"]
    wanted += [f"max(gap) filter (where back = {back}) as gap_back_{back}" for back in (1, 2, 3)]
    wanted += ["count(distinct began::date) as days_all", "count(distinct date_trunc('month', began)) as months_all"]
    wanted += ["avg(isodow(began)) as weekday_mean", "avg(hour(began)) as hour_mean", "stddev(hour(began)) as hour_sd"]
    wanted += [f"max(age) filter (where back = {back}) as recency_{back}" for back in (2, 3)]
    if valued:
        wanted += [f"sum(value) filter (where age < {days}) as value_{_name(days)}" for days in spans]
        wanted += [f"{what}(value) as value_{what}" for what in ("sum", "avg", "max", "min", "stddev", "median")]
        wanted += [f"max(value) filter (where back = {back}) as value_back_{back}" for back in (1, 2, 3)]
    return wanted


def _of_rows(question: Question, spans: tuple[float, ...]) -> list[str]:
    """Aggregates over all rows of the log."""
    wanted = ["min(age) as recency_any", "max(age) as tenure_any", "count(*) as rows_all"]
    wanted += [f"count(*) filter (where age < {days}) as rows_{_name(days)}" for days in spans]
    for event in question.others:
        is_it = f"event_type = '{event}'"
        wanted += [f"count(*) filter (where {is_it} and age < {days}) as {event}_{_name(days)}" for days in spans[2:]]
        wanted += [f"min(age) filter (where {is_it}) as {event}_recency", f"avg(({is_it})::int) as {event}_share"]
        wanted += [f"sum(value) filter (where {is_it}) as {event}_value"] if question.valued else []
    for column in question.categories:
        wanted += [
            f"count(distinct {column}) filter (where age < {days}) as {column}_{_name(days)}" for days in spans[2:]
        ]
        wanted += [f"count(distinct {column}) as {column}_all"]
    for column in question.numbers:
        wanted += [f"avg({column}) as {column}_mean", f"max({column}) as {column}_max"]
        wanted += [f"sum({column}) filter (where age < {days}) as {column}_{_name(days)}" for days in spans[-3:]]
    if question.money:
        wanted += [f"sum(value) filter (where age < {days}) as net_{_name(days)}" for days in spans[-3:]]
    return wanted


def _trends(spans: tuple[float, ...]) -> list[str]:
    """The share of the longer window's orders that fell into the shorter."""
    pairs = pairwise(spans[2:])
    return [f"orders_{_name(short)} / nullif(orders_{_name(long)}, 0) as trend_{_name(short)}" for short, long in pairs]


def _is_short(question: Question) -> bool:
    """Whether the log is one of days."""
    last = duckdb.execute(f"select max(timestamp) from '{question.file}'").fetchall()[0][0]
    return _days_between(truth.start(question), str(last)) < SHORT_LOG_DAYS


def _days_between(one: str, other: str) -> float:
    return (pd.Timestamp(other) - pd.Timestamp(one)) / pd.Timedelta(days=1)


def _name(days: float) -> str:
    return f"{days:g}d".replace(".", "_")


def _names(names: tuple[str, ...]) -> str:
    return "(" + ", ".join(f"'{name}'" for name in names) + ")"
