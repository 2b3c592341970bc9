"""How columns of a log hang together, told by SQL over the whole journeys of some customers.

All functions read the view `JOURNEYS_VIEW`: `customer`, `time` (µs), `event`, `value` and the columns of
`features.init.column_profile`, in rows that have the first three.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from features.init.column_profile import ColumnProfile, File, create_sample
from features.init.roles import Roles
from features.log.cells_sql import sql_text
from features.system import duck
from features.timeline import DAY_US

JOURNEYS_VIEW = "sampled_journeys"
JOURNEY_ROWS = 2_000_000  # rows of whole journeys, about, that are sampled
ONE_CUSTOMER = 0.98  # of ids belong to one customer, or they are no ids of orders


@dataclass(frozen=True)
class Grouping:
    """What an id-like column does to rows: it groups those of one customer and event."""

    one_customer: float  # share of ids that belong to one customer
    per_customer: float = 0.0  # different ids of a customer
    rows_each: float = 0.0  # average rows of a group
    one_time: float = 0.0  # share of groups all at one time
    one_day: float = 0.0  # share of groups within 24 hours
    moments: float = 0.0  # different (customer, event, time) for each group


def sample_journeys(
    connection: duck.Connection,
    files: Sequence[File],
    columns: Sequence[ColumnProfile],
    column_roles: Roles,
    value: ColumnProfile | None,
) -> int:
    """Make the view of the whole journeys of 1 customer in n; returns n."""
    one_in = max(-(-sum(file.rows for file in files) // JOURNEY_ROWS), 1)
    places = {role: column.place for role, column in column_roles.present.items()}
    keys = [sql_text(file.relation.cells[columns[places["customer"]].name]) for file in files]
    conditions = [f"hash({key}) % {one_in} = 0" if one_in > 1 else "true" for key in keys]
    column_letters = {column.name: f"t{'n' * (column == value)}{'m' * column.is_time}" for column in columns}
    create_sample(connection, files, column_letters, "journeys", conditions)
    roles = {"customer": f"t{places['customer']}", "time": f"m{places['time']}", "event": f"t{places['event']}"}
    listed = ", ".join(f"{cell} AS {role}" for role, cell in roles.items())
    money = f"n{value.place}" if value else "NULL::DOUBLE"
    complete = " AND ".join(f"{cell} IS NOT NULL" for cell in roles.values())
    rows = f"SELECT {listed}, {money} AS value, * FROM journeys WHERE {complete}"
    connection.execute(f"CREATE OR REPLACE TEMP VIEW {JOURNEYS_VIEW} AS {rows}")
    return one_in


def measure_grouping(connection: duck.Connection, column: ColumnProfile) -> Grouping:
    """How a column groups rows of a customer and event; the rest is 0 when customers share its ids."""
    key, keyed = f"t{column.place}", f"FROM {JOURNEYS_VIEW} WHERE t{column.place} IS NOT NULL"
    ids, pairs, customers, moments = (
        duck.number(connection, f"SELECT count(DISTINCT hash({columns})) {keyed}")
        for columns in (key, f"customer, {key}", "customer", "customer, event, time")
    )
    one_customer = ids / pairs if pairs else 0.0
    if one_customer < ONE_CUSTOMER:
        return Grouping(one_customer)
    groups = f"SELECT count(*) AS n, max(time) - min(time) AS lasts {keyed} GROUP BY hash(customer, event, {key})"
    aggregates = (
        f"count(*) AS groups, avg(n) AS each, avg((lasts = 0)::INT) AS one, avg((lasts <= {DAY_US})::INT) AS day"
    )
    counts = duck.table(connection, f"SELECT {aggregates} FROM ({groups})").to_pylist()[0]
    return Grouping(
        one_customer=one_customer,
        per_customer=pairs / customers,
        rows_each=counts["each"],
        one_time=counts["one"],
        one_day=counts["day"],
        moments=moments / counts["groups"],
    )


def follows_time(connection: duck.Connection, column: ColumnProfile) -> bool:
    """Whether the levels of a column come one after the other, as the sheets of a yearly export do."""
    query = f"""SELECT coalesce(bool_and(low >= before), false), count(*) FROM (
        SELECT low, lag(high) OVER (ORDER BY low) AS before FROM (
        SELECT quantile_disc(time, 0.05) AS low, quantile_disc(time, 0.95) AS high FROM {JOURNEYS_VIEW}
        WHERE t{column.place} IS NOT NULL GROUP BY t{column.place}))"""
    ordered, levels = duck.rows(connection, query)[0]
    return bool(ordered) and int(str(levels)) > 1


def later_share(connection: duck.Connection, column: ColumnProfile) -> float:
    """Share of rows whose time in this column is not before the time of the event."""
    moment = f"m{column.place}"
    return _ratio(
        connection, f"SELECT coalesce(avg(({moment} >= time)::INT), 0) FROM {JOURNEYS_VIEW} WHERE {moment} IS NOT NULL"
    )


def unique_share(connection: duck.Connection, column: ColumnProfile) -> float:
    """Different values for each row that has one: 1 when none repeats."""
    text = f"t{column.place}"
    return _ratio(connection, f"SELECT count(DISTINCT {text}) / greatest(count({text}), 1) FROM {JOURNEYS_VIEW}")


def rows_by_event(connection: duck.Connection, column: ColumnProfile) -> list[tuple[str, int, int]]:
    """Event, its rows that hold something in this column, and all its rows; those with most first."""
    counted = f"count(t{column.place}) AS filled, count(*)"
    event_rows = duck.rows(
        connection, f"SELECT event, {counted} FROM {JOURNEYS_VIEW} GROUP BY event ORDER BY filled DESC, event"
    )
    return [(str(event), int(str(filled)), int(str(rows))) for event, filled, rows in event_rows]


def _ratio(connection: duck.Connection, query: str) -> float:
    return float(str(duck.rows(connection, query)[0][0]))
