"""The job done by DuckDB SQL, as one would write it and as one would after some profiling.

Both join events with the cutoffs after them, turn the two into an age in µs and filter by it; an age of exactly a
window is outside it. Distinct products are counted from the newest age of each product, which is several times faster
than `count(DISTINCT product) FILTER (…)`.
"""

from collections.abc import Sequence
from pathlib import Path

import duckdb

from benchmarks.feature_job.job import COLUMNS, COUNT_DAYS, DISTINCT_DAYS, EVENTS, SUM_DAYS, Job
from features.timeline import DAY_US

Connection = duckdb.DuckDBPyConnection

THREADS = 2


def connect(spill: Path) -> Connection:
    """An in-memory database with DuckDB's own memory limit (80 % of the machine's)."""
    connection = duckdb.connect()
    connection.execute(f"SET threads = {THREADS}; SET preserve_insertion_order = false; SET temp_directory = '{spill}'")
    return connection


def one_pass(job: Job, connection: Connection) -> None:
    """The table `panel`, by one pass of filtered aggregates, and one for the products."""
    counts = [_over(days, f"count(*) FILTER (event = {code} AND {{}})") for code in _CODES for days in COUNT_DAYS]
    recencies = [f"min(age) FILTER (event = {code}) / {DAY_US}" for code in _CODES]
    sums = [f"coalesce({_over(days, 'sum(value) FILTER ({})')}, 0)" for days in SUM_DAYS]
    _panel(
        connection,
        f"SELECT customer_id, cutoff, {_named([*counts, *recencies, *sums])} FROM {_aged(job)} GROUP BY ALL",
        job,
    )


def tuned(job: Job, connection: Connection) -> None:
    """The table `panel`, aggregated by event first, which spares most of the filters."""
    counts = [f"{_over(days, 'count(*) FILTER ({})')} AS count_{days}" for days in COUNT_DAYS]
    sums = [f"{_over(days, 'sum(value) FILTER ({})')} AS sum_{days}" for days in SUM_DAYS]
    by_event = ", ".join(["min(age) AS age", *counts, *sums])
    connection.execute(
        f"CREATE TEMP TABLE by_event AS SELECT customer_id, cutoff, event, {by_event} FROM {_aged(job)} GROUP BY ALL"
    )
    counts = [f"coalesce(any_value(count_{days}) FILTER (event = {code}), 0)" for code in _CODES for days in COUNT_DAYS]
    recencies = [f"any_value(age) FILTER (event = {code}) / {DAY_US}" for code in _CODES]
    sums = [f"coalesce(sum(sum_{days}), 0)" for days in SUM_DAYS]
    _panel(
        connection,
        f"SELECT customer_id, cutoff, {_named([*counts, *recencies, *sums])} FROM by_event GROUP BY ALL",
        job,
    )


def _panel(connection: Connection, plain: str, job: Job) -> None:
    distinct = [
        f"{_over(days, 'count(*) FILTER ({})')} AS {name}" for days, name in zip(DISTINCT_DAYS, _DISTINCT, strict=True)
    ]
    newest = (
        f"SELECT customer_id, cutoff, product, min(age) AS age FROM {_aged(job)} "
        f"WHERE product IS NOT NULL AND {_over(max(DISTINCT_DAYS), '{}')} GROUP BY ALL"
    )
    products = f"SELECT customer_id, cutoff, {', '.join(distinct)} FROM ({newest}) GROUP BY ALL"
    filled = ", ".join(f"coalesce({name}, 0) AS {name}" for name in _DISTINCT)
    connection.execute(
        f"CREATE TEMP TABLE panel AS SELECT p.*, {filled} "
        f"FROM ({plain}) p LEFT JOIN ({products}) USING (customer_id, cutoff)"
    )


_CODES = range(len(EVENTS))
_DISTINCT = COLUMNS[-len(DISTINCT_DAYS) :]


def _aged(job: Job) -> str:
    """Every event with every cutoff that sees it."""
    files = ", ".join(f"'{file}'" for file in job.log)
    codes = " ".join(f"WHEN '{event}' THEN {code}" for code, event in enumerate(EVENTS))
    coded = f"*, (CASE event_type {codes} END)::TINYINT AS event, epoch_us(timestamp) AS time"
    events = f"SELECT {coded} FROM read_parquet([{files}])"
    return (
        f"(SELECT customer_id, cutoff, event, cutoff - time AS age, product, value "
        f"FROM ({events}), (SELECT unnest({job.cutoffs.tolist()}) AS cutoff) WHERE time <= cutoff)"
    )


def _over(days: int, aggregate: str) -> str:
    return aggregate.format(f"age < {days * DAY_US}")


def _named(expressions: Sequence[str]) -> str:
    return ", ".join(f"{sql} AS {name}" for sql, name in zip(expressions, COLUMNS, strict=False))
