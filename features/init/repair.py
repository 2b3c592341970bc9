"""What to do about a file that holds no log as it stands, and one command that writes a file that does.

The command reads dates in an order of their own and numbers that count from 1970 as timestamps, names the event where
no column does, and multiplies price by quantity.
"""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from features.init import vocabulary
from features.init.column_profile import ColumnProfile
from features.init.roles import Roles, best_column, is_unit_price, money_column, quantity_column
from features.init.vocabulary import fit
from features.log.files.paths import format_of
from features.system import duck

EPOCHS = {"seconds": (3e8, 1e6), "milliseconds": (3e11, 1e3), "microseconds": (3e14, 1.0), "nanoseconds": (3e17, 1e-3)}
READERS = {
    "parquet": "read_parquet($${}$$)",
    "csv": "read_csv($${}$$, header=true, all_varchar=true)",
    "json": "read_json($${}$$, format=$$newline_delimited$$)",
}
NO_CUSTOMER = "Call the column that says who did it `customer_id`."
NO_TIME = "Call the column that says when `timestamp`; it has to hold timestamps or ISO 8601 text."
NO_EVENT = "Call the column that says what happened (view, purchase, return, …) `event_type`, or add one."


@dataclass(frozen=True)
class TimeReading:
    """How a column can be read as times: SQL under the column's own name, and a sentence about it."""

    sql: str
    message: str


def advice(connection: duck.Connection, path: Path, columns: Sequence[ColumnProfile], column_roles: Roles) -> str:
    """Sentences that say what to do about the missing roles of a file, of which `connection` holds the `sample`."""
    reading = _as_time(connection, columns) if column_roles.time is None else None
    messages = [
        *([NO_CUSTOMER] if column_roles.customer is None else []),
        *([reading.message if reading else NO_TIME] if column_roles.time is None else []),
        *([NO_EVENT] if column_roles.event is None else []),
    ]
    if column_roles.customer is not None and (column_roles.time is not None or reading):
        command = _command(path, columns, reading, needs_event=column_roles.event is None)
        messages.append(f"This writes a file that can be used: {command}")
    return " ".join(messages)


def _command(path: Path, columns: Sequence[ColumnProfile], reading: TimeReading | None, *, needs_event: bool) -> str:
    event = [_event(columns)] if needs_event else []
    chosen = ", ".join([f"* REPLACE ({reading.sql})" if reading else "*", *event, *_value(columns)])
    target = path.with_name(f"{path.name.partition('.')[0]}_ready.parquet")
    source = READERS[format_of(path)].format(path)
    query = f"COPY (SELECT {chosen} FROM {source}) TO $${target}$$ (FORMAT parquet)"
    script = f'import duckdb; duckdb.execute(r"""{query}""")'
    return f"python -c {shlex.quote(script)}"


def _event(columns: Sequence[ColumnProfile]) -> str:
    """A purchase where there is money or a quantity, a return where that is negative."""
    amounts = [
        column
        for column in (money_column(columns), quantity_column(columns), _unit_price(columns))
        if column is not None
    ]
    event = "$$purchase$$" if amounts else "$$event$$"
    if amounts and amounts[0].negative:
        event = f"CASE WHEN {_number(amounts[0])} < 0 THEN $$return$$ ELSE {event} END"
    taken = any(column.name.lower() == "event_type" for column in columns)
    return f"{event} AS {'event' if taken else 'event_type'}"


def _value(columns: Sequence[ColumnProfile]) -> list[str]:
    """Money, where only the price of one piece is known."""
    pieces, price = quantity_column(columns), _unit_price(columns)
    taken = money_column(columns) is not None or any(column.name.lower() == "value" for column in columns)
    return [] if taken or not pieces or not price else [f"{_number(pieces)} * {_number(price)} AS value"]


def _unit_price(columns: Sequence[ColumnProfile]) -> ColumnProfile | None:
    return best_column(
        columns, lambda column: fit(column.name, vocabulary.VALUE) * (column.is_number and is_unit_price(column))
    )


def _number(column: ColumnProfile) -> str:
    return f"TRY_CAST({duck.name(column.name)} AS DOUBLE)"


def _as_time(connection: duck.Connection, columns: Sequence[ColumnProfile]) -> TimeReading | None:
    """How the column that sounds most like a time can be read as one; None when none can."""
    for column in sorted(columns, key=lambda column: -fit(column.name, vocabulary.TIME)):
        if column.filled and column.slashed >= 0.9 * column.filled:
            return _as_dates(connection, column)
        if column.is_number and fit(column.name, vocabulary.TIME) >= 0.5:
            reading = _as_count(column)
            if reading:
                return reading
    return None


def _as_count(column: ColumnProfile) -> TimeReading | None:
    name, low, high = duck.name(column.name), column.low or 0.0, column.high or 0.0
    if column.is_whole and low >= 1900_01_01 and high <= 2100_12_31:
        sql = f"try_strptime({name}::VARCHAR, $$%Y%m%d$$) AS {name}"
        return TimeReading(sql, f"'{column.name}' holds days as numbers, such as {low:.0f}.")
    for unit, (least, factor) in EPOCHS.items():
        if least <= low and high < 100 * least:
            sql = f"make_timestamp(round({_number(column)} * {factor})::BIGINT) AS {name}"
            return TimeReading(sql, f"'{column.name}' holds numbers, it seems {unit} since 1970, and no timestamps.")
    return None


def _as_dates(connection: duck.Connection, column: ColumnProfile) -> TimeReading:
    query = f"SELECT DISTINCT t{column.place} FROM sample WHERE t{column.place} IS NOT NULL"
    formats = _formats([str(text) for (text,) in duck.rows(connection, query)])
    name, listed = duck.name(column.name), ", ".join(f"$${time_format}$$" for time_format in formats)
    message = (
        f"'{column.name}' holds dates that are no ISO 8601; they look like {formats[0]}, which the command below says."
    )
    return TimeReading(f"try_strptime({name}, [{listed}]) AS {name}", message)


def _formats(texts: Sequence[str]) -> list[str]:
    """How dates are written: day first with dots, or when a first number is above 12; else month first.

    >>> _formats(["13.2.2024 8:15"]), _formats(["12/1/10"]), _formats(["2010/12/1"])
    (['%d.%m.%Y %H:%M:%S', '%d.%m.%Y %H:%M', '%d.%m.%Y'], ['%m/%d/%y'], ['%Y/%m/%d'])
    """
    dates = [match.groups() for text in texts if (match := re.match(r"(\d+)([./-])(\d+)[./-](\d+)(.*)", text))]
    mark, year = dates[0][1], "%Y" if len(dates[0][3]) == 4 else "%y"
    first, second = (max(int(date[part]) for date in dates) for part in (0, 2))
    order = ["%m", "%d", year]
    if first > 31:
        order = ["%Y", "%m", "%d"]
    elif first > 12 or (mark == "." and second <= 12):
        order = ["%d", "%m", year]
    clocks = "".join(date[4] for date in dates).strip().lower()
    tails = [" %I:%M:%S %p", " %I:%M %p"] if "m" in clocks else [" %H:%M:%S", " %H:%M"] if clocks else []
    return [mark.join(order) + tail for tail in (*tails, "")]
