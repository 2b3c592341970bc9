"""Columns of a source file as SQL: how each is read, what makes it bad, and the query of the taken file they make."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from features.config.sections import Config
from features.log.cells import AHEAD_US, EARLY, EMPTY, INEXACT, LATE, NESTED, NOT_NUMBER, NOT_TIME
from features.log.cells_sql import (
    Cell,
    sql_bad_customer,
    sql_inexact,
    sql_is_date,
    sql_is_filled,
    sql_is_local,
    sql_key,
    sql_nested,
    sql_number,
    sql_text,
    sql_time,
)
from features.log.files.relation import ROW, Relation
from features.system import duck
from features.timeline import BEGINNING, DAY_US
from features.timezones import BEFORE_DAYS, UTC_NAMES


@dataclass(frozen=True)
class ColumnReader:
    """How a column comes to be: `parsed` is SQL over the source by alias, `checks` pair bad conditions with reasons.

    An alias that starts with `#` serves the checks alone.
    """

    parsed: Mapping[str, str]
    checks: tuple[tuple[str, str], ...] = ()


def read_customer(column: str, cell: Cell) -> ColumnReader:
    """The id of a customer, control characters in it apart."""
    reading = read_text("customer", column, cell, sql=sql_key)
    bad = tuple((condition, f"{column}: {reason}") for condition, reason in sql_bad_customer("customer"))
    return ColumnReader(reading.parsed, reading.checks + bad)


def read_text(
    alias: str, column: str, cell: Cell, *, required: bool = False, sql: Callable[[Cell], str] = sql_text
) -> ColumnReader:
    """A text, which may be null unless `required`; `sql` may read it as an id or a level."""
    nested, name = sql_nested(cell), duck.name(alias)
    parsed = {alias: sql(cell)} | ({} if nested == "false" else {f"#{alias} nested": nested})
    checks = [] if nested == "false" else [(duck.name(f"#{alias} nested"), f"{column}: {NESTED}")]
    if cell.json and alias in ("customer", "order", "id"):
        parsed |= {f"#{alias} inexact": sql_inexact(cell)}
        checks.append((duck.name(f"#{alias} inexact"), f"{column}: {INEXACT}"))
    return ColumnReader(parsed, (*checks, *([(f"{name} IS NULL", f"{column}: {EMPTY}")] if required else [])))


def read_number(alias: str, column: str, cell: Cell) -> ColumnReader:
    """A finite number or null."""
    name, is_filled = duck.name(alias), duck.name(f"#{alias} given")
    bad = f"{is_filled} AND ({name} IS NULL OR NOT isfinite({name}))"
    return ColumnReader(
        {alias: sql_number(cell), f"#{alias} given": sql_is_filled(cell)}, ((bad, f"{column}: {NOT_NUMBER}"),)
    )


def read_time(alias: str, column: str, cell: Cell, now_us: int, *, required: bool = False) -> ColumnReader:
    """A time that is not far after `now_us`; a required one is not before 1970 either."""
    is_filled = duck.name(f"#{alias} given")
    parsed = {
        alias: sql_time(cell),
        f"#{alias} local": sql_is_local(cell),
        f"#{alias} dated": sql_is_date(cell),
        f"#{alias} given": sql_is_filled(cell),
    }
    checks = [(f"{is_filled} AND {alias} IS NULL", NOT_TIME), (f"{alias} > {now_us + AHEAD_US}", LATE)]
    if required:
        checks = [(f"NOT {is_filled}", EMPTY), *checks, (f"{alias} < 0", EARLY)]
    return ColumnReader(parsed, tuple((condition, f"{column}: {reason}") for condition, reason in checks))


def checked_rows(opened: Relation, readings: Iterable[ColumnReader], arrival: int, config: Config) -> str:
    """The query that gives the taken file."""
    parsed = {alias: sql for reading in readings for alias, sql in reading.parsed.items()}
    parsed |= {f"#broken {number}": condition for number, (condition, _) in enumerate(opened.checks)}
    checks = [(duck.name(f"#broken {number}"), reason) for number, (_, reason) in enumerate(opened.checks)]
    checks += [check for reading in readings for check in reading.checks]
    columns = ", ".join(f"{sql} AS {duck.name(alias)}" for alias, sql in parsed.items())
    query = f"SELECT {ROW} AS row, {columns} FROM ({opened.query})"
    for alias in ("time", "known"):
        query = _in_utc(query, alias, config.log.timezone) if alias in parsed else query
    cases = " ".join(f"WHEN {condition} THEN {duck.text(reason)}" for condition, reason in checks)
    query = f"SELECT *, CASE {cases} END AS reason FROM ({query})"
    source_columns = [_final(alias) for alias in parsed if not alias.startswith("#") and alias != "known"]
    added_columns = [*_known(parsed), *_identity(parsed), f"{arrival}::INTEGER AS arrival", "row", "reason"]
    return f"SELECT {', '.join([*source_columns, *added_columns])} FROM ({query})"


def _in_utc(query: str, alias: str, timezone: str) -> str:
    """The same query with `alias` in UTC where it was local."""
    if timezone in UTC_NAMES:
        return query
    shift, local, dated = BEFORE_DAYS * DAY_US, duck.name(f"#{alias} local"), duck.name(f"#{alias} dated")
    inside = f"{local} AND {alias} BETWEEN -{shift} AND (SELECT max(turn) FROM local_days)"
    day = f"CASE WHEN {inside} THEN ({alias} + {shift}) // {DAY_US} - {BEFORE_DAYS} END"
    offset = f"coalesce(CASE WHEN {dated} THEN first WHEN {alias} >= turn THEN later ELSE earlier END, 0)"
    return (
        f"SELECT q.* REPLACE ({alias} - {offset} AS {alias}) FROM ({query}) q LEFT JOIN local_days d ON d.day = {day}"
    )


def _final(alias: str) -> str:
    name = duck.name(alias)
    return f"{_key(name)} AS {name}" if alias == "order" else name


def _known(parsed: Mapping[str, str]) -> list[str]:
    """When we learnt of it, never before it happened; attributes without a date were always known.

    Without a column for it an event was known at its time, which need not be written twice.
    """
    time = "time" if "time" in parsed else str(BEGINNING)
    if "known" in parsed:
        return [f"greatest(coalesce(known, {time}), {time}) AS known"]
    return [] if "time" in parsed else [f"{time}::BIGINT AS known"]


def _identity(parsed: Mapping[str, str]) -> list[str]:
    """The key of the id, else (below zero) of the text."""
    keys = [sql for column, sql in (("id", _key("id")), ("text", f"-1 - {_key('text')}")) if column in parsed]
    return [f"coalesce({', '.join(keys)}) AS identity"] if keys else []


def _key(sql: str) -> str:
    return f"(md5_number_lower({sql}) >> 1)::BIGINT"
