"""What really happened, read by plain SQL from the published file and independent of the product's own code."""

from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas as pd


@dataclass(frozen=True)
class Question:
    """Who is asked about and what counts.

    Key `events` with the orders named by `order`; `money` are the events whose value is summed (default: the key
    events). `active` are the events that make a customer active: () is any event, None the key events. `others` are
    events with aggregates of their own, `categories` and `numbers` columns that aggregates read.
    """

    file: Path
    events: tuple[str, ...]
    horizon_days: float
    active_days: float
    order: str | None = None
    money: tuple[str, ...] = ()
    valued: bool = True
    active: tuple[str, ...] | None = None
    others: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()


def rfm(question: Question, cutoff: str) -> pd.DataFrame:
    """RFM and BTYD statistics of every customer seen up to the cutoff (events on it are known), index customer_id.

    `active` marks the population: who had one of the active events within `active_days`.
    """
    seen = f"from '{question.file}' where timestamp <= timestamp '{cutoff}'"
    return _frame(f"""
        with bought as (
            select customer_id, timestamp, value, {_order(question)} as order_id
            {seen} and event_type in {_list(question.events)}),
        orders as (
            select customer_id, order_id, min(timestamp) as began, {_value(question)} as value
            from bought group by all),
        days as (select customer_id, began::date as day, sum(value) as value from orders group by all),
        by_day as (
            select customer_id, count(*) as days_bought, min(day) as first, max(day) as last, avg(value) as day_value
            from days group by all),
        by_order as (
            select customer_id, count(*) as frequency, avg(value) as monetary,
                min(began) as first_at, max(began) as last_at
            from orders group by all),
        population as (
            select distinct customer_id {seen} and {_active(question)}
            and timestamp > timestamp '{cutoff}' - interval '{question.active_days * 86400} seconds')
        select customer_id, frequency, monetary, days_bought, day_value,
            epoch(timestamp '{cutoff}' - last_at) / 86400 as recency_days,
            epoch(timestamp '{cutoff}' - first_at) / 86400 as tenure_days,
            days_bought - 1 as x, (last - first)::double as t_x, (timestamp '{cutoff}'::date - first)::double as t,
            population.customer_id is not null as active
        from (select distinct customer_id {seen})
            left join population using (customer_id)
            left join by_order using (customer_id)
            left join by_day using (customer_id)
        order by customer_id
        """)


def outcome(question: Question, cutoff: str) -> pd.DataFrame:
    """Per customer with an event in `(cutoff, cutoff + horizon]`: `orders` of key events and net `money`."""
    return _frame(f"""
        with ahead as (
            select customer_id, event_type, value, {_order(question)} as order_id from '{question.file}'
            where timestamp > timestamp '{cutoff}'
              and timestamp <= timestamp '{cutoff}' + interval '{question.horizon_days * 86400} seconds')
        select customer_id,
            count(distinct order_id) filter (where event_type in {_list(question.events)}) as orders,
            coalesce(sum(value) filter (where event_type in {_list(question.money or question.events)}), 0) as money
        from ahead group by customer_id order by customer_id
        """)


def start(question: Question) -> str:
    """When history starts: the day by which one event in a thousand has happened."""
    query = f"select quantile_cont(timestamp, 0.001)::date from '{question.file}'"
    return str(duckdb.execute(query).fetchall()[0][0])


def _frame(query: str) -> pd.DataFrame:
    frame: pd.DataFrame = duckdb.execute(query).df()
    return frame.set_index("customer_id")


def _order(question: Question) -> str:
    return question.order or "epoch_us(timestamp)"


def _value(question: Question) -> str:
    return "coalesce(sum(value), 0)" if question.valued else "0.0"


def _active(question: Question) -> str:
    events = question.events if question.active is None else question.active
    return f"event_type in {_list(events)}" if events else "true"


def _list(names: tuple[str, ...]) -> str:
    return "(" + ", ".join(f"'{name}'" for name in names) + ")"
