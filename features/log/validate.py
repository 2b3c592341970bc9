"""One source file taken into the workspace: every row checked, good and bad kept apart, nothing lost.

A taken file holds the good rows in the form of `features.log.staging`. What a bad row held lies in the quarantine file
(Parquet) as JSON text, beside file, row number and reason, which names the column and what is wrong with it. Times are
µs UTC; `order` and `identity` are 63-bit keys: of the order, and of the id, else (below zero) of the text.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn

import pyarrow as pa
import pyarrow.compute as pc

from features.config.sections import Config
from features.errors import LogError
from features.log import staging
from features.log.cells import AHEAD_US, CONTROL, EMPTY
from features.log.cells_sql import (
    sql_blank,
    sql_control,
    sql_is_filled,
    sql_key,
    sql_level,
    sql_numeric,
    sql_text,
    sql_time,
)
from features.log.columns import ColumnReader, checked_rows, read_customer, read_number, read_text, read_time
from features.log.files.open_file import open_file
from features.log.files.relation import ROW, Relation
from features.log.types import TIMES
from features.system import duck
from features.system.files import atomic_write
from features.timeline import DAY_US
from features.timezones import UTC_NAMES, local_days

SourceKind = Literal["log", "profile"]
PIECE_ROWS = 250_000  # of the checked rows as they come
MOST_BAD = 500_000  # a file with more bad rows than this, and fewer good ones, is another kind of file


@dataclass(frozen=True)
class Source:
    """A file to take: where it lies, whether log or profile, and the number of the ingest that brings its rows."""

    path: Path
    kind: SourceKind
    arrival: int


@dataclass(frozen=True)
class RowCounts:
    """Rows of a source file, and how many of them were quarantined, by reason."""

    rows: int
    quarantined: Mapping[str, int]

    @property
    def good(self) -> int:
        """Rows that passed every check."""
        return self.rows - sum(self.quarantined.values())


def validate_file(
    connection: duck.Connection,
    source: Source,
    config: Config,
    staged: Path,
    quarantine: Path,
    now_us: int,
    kinds: Mapping[str, str] | None = None,
) -> RowCounts:
    """Check every row of a file into `staged`, and write those that fail to `quarantine` unless there are none.

    `kinds` are the `attribute_kinds` of a profile of which this file is a part.
    """
    required = log_columns(config) if source.kind == "log" else profile_columns(config)
    opened = open_file(connection, source.path, required, source.kind)
    _prepare(connection, config.log.timezone, now_us)
    with duck.reading(str(source.path)):
        if source.kind == "log":
            readings = _log_readings(opened, config, now_us)
        else:
            kinds = attribute_kinds(connection, opened, config) if kinds is None else kinds
            readings = _profile_readings(opened, config, kinds, now_us)
        column = required["customer"]
        good = _set_apart(connection, checked_rows(opened, readings, source.arrival, config), column, source.path)
        rows = staging.write(staged, good)
    _list_broken_lines(connection, opened.header_lines)
    opened.refuse_lost_lines(connection)
    counts = _counts(connection, rows)
    if counts.quarantined:
        with duck.reading(str(source.path)), atomic_write(quarantine) as temporary:
            duck.copy(connection, _quarantined(opened, source.path), temporary)
    return counts


def log_columns(config: Config) -> dict[str, str]:
    """Key of the TOML → source column, of all that is read from the log."""
    log = config.log
    single = {"customer": log.customer, "time": log.time, "event": log.event, "value": log.value, "order": log.order}
    more = {"known": log.known, "id": log.id, "text": log.text}
    named = {key: column for key, column in {**single, **more}.items() if column is not None}
    categories = {f"category {column}": column for column in config.stored_categories}
    return {**named, **categories, **{f"number {column}": column for column in config.stored_numbers}}


def profile_columns(config: Config) -> dict[str, str]:
    """Key of the TOML → source column, of what must be in a profile."""
    profile = config.profile
    return {"customer": profile.customer} | ({"known": profile.known} if profile.known else {})


def _log_readings(opened: Relation, config: Config, now_us: int) -> list[ColumnReader]:
    log, cells = config.log, opened.cells
    readings = [
        read_customer(log.customer, cells[log.customer]),
        read_time("time", log.time, cells[log.time], now_us, required=True),
        read_text("event", log.event, cells[log.event], required=True),
    ]
    readings += [read_number("value", log.value, cells[log.value])] if log.value else []
    readings += [
        read_text(key, column, cells[column], sql=sql)
        for key, column, sql in (("order", log.order, sql_key), ("id", log.id, sql_key), ("text", log.text, sql_text))
        if column
    ]
    readings += [read_time("known", log.known, cells[log.known], now_us)] if log.known else []
    readings += [
        read_text(f"category.{column}", column, cells[column], sql=sql_level) for column in config.stored_categories
    ]
    readings += [read_number(f"number.{column}", column, cells[column]) for column in config.stored_numbers]
    return readings


def _profile_readings(opened: Relation, config: Config, kinds: Mapping[str, str], now_us: int) -> list[ColumnReader]:
    profile, cells = config.profile, opened.cells
    readings = [read_customer(profile.customer, cells[profile.customer])]
    readings += [read_time("known", profile.known, cells[profile.known], now_us)] if profile.known else []
    for column, kind in kinds.items():
        cell = cells[column]
        if kind == "time":
            readings.append(ColumnReader({f"number.{column}": f"({sql_time(cell)}) / {DAY_US}.0"}))
        elif kind == "number":
            readings.append(read_number(f"number.{column}", column, cell))
        else:
            readings.append(read_text(f"category.{column}", column, cell, sql=sql_level))
    return readings


def attribute_kinds(connection: duck.Connection, opened: Relation, config: Config) -> dict[str, str]:
    """Attribute → `number`, `time` (as days since 1970) or `category`; those null throughout are left out."""
    columns = [column for column in opened.cells if column not in (config.profile.customer, config.profile.known)]
    is_filled = {column: sql_is_filled(opened.cells[column]) for column in columns}
    aggregates = [
        f"bool_or({filled}), bool_and({sql_numeric(opened.cells[column])}) FILTER ({filled})"
        for column, filled in is_filled.items()
    ]
    if not aggregates:
        return {}
    aggregated = duck.rows(connection, f"SELECT {', '.join(aggregates)} FROM ({opened.query})")[0]
    kinds = {}
    for column, used, numeric in zip(columns, aggregated[::2], aggregated[1::2], strict=True):
        if used:
            timed = opened.cells[column].kind in TIMES
            kinds[column] = "time" if timed else "number" if numeric else "category"
    return kinds


def _prepare(connection: duck.Connection, timezone: str, now_us: int) -> None:
    connection.execute(
        """CREATE OR REPLACE TABLE bad (row BIGINT, reason VARCHAR);
        DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans"""
    )
    if timezone not in UTC_NAMES:
        connection.register("local_days", local_days(timezone, (now_us + AHEAD_US) // DAY_US + 3))


def _set_apart(connection: duck.Connection, checked: str, customer: str, path: Path) -> Iterator[pa.Table]:
    """The good rows as they come, while the bad ones go into the table `bad`; `customer` is the source's column."""
    cursor = connection.cursor()
    good = bad = 0
    for batch in duck.stream(connection, checked, PIECE_ROWS):
        piece = _with_odd_characters(cursor, batch, customer)
        reason = piece.column("reason")
        rows = piece.drop_columns(["row", "reason"])
        good, bad = good + reason.null_count, bad + len(piece) - reason.null_count
        if reason.null_count == len(piece):
            yield rows
            continue
        cursor.register("piece", piece.select(["row", "reason"]))
        cursor.execute("INSERT INTO bad FROM piece WHERE reason IS NOT NULL")
        if bad >= MOST_BAD and bad > good:
            _give_up(cursor, path, good, bad)
        yield rows.filter(pc.is_null(reason))


def _give_up(connection: duck.Connection, path: Path, good: int, bad: int) -> NoReturn:
    reasons = duck.rows(
        connection, "SELECT reason, count(*) n FROM bad GROUP BY reason ORDER BY n DESC, reason LIMIT 3"
    )
    commonest = "; ".join(f"{count} × {reason}" for reason, count in reasons)
    raise LogError(
        f"{path}: expected mostly good rows, found {bad:,} bad beside {good:,} good before it was given up: "
        f"{commonest}. Correct the columns or the timezone in the TOML, or take the file out of the source"
    )


def _with_odd_characters(connection: duck.Connection, piece: pa.Table, customer: str) -> pa.Table:
    """The same rows, with a reason for customers of blanks or control characters: hardly any have to be asked."""
    if pc.all(pc.ascii_is_printable(piece.column("customer")), min_count=0).as_py():
        return piece
    connection.register("piece", piece)
    blank, control = (f"{customer}: {reason}" for reason in (EMPTY, CONTROL))
    odd = (
        f"WHEN {sql_blank('customer')} THEN {duck.text(blank)} WHEN {sql_control('customer')} THEN {duck.text(control)}"
    )
    return duck.table(connection, f"SELECT * REPLACE (coalesce(reason, CASE {odd} END) AS reason) FROM piece")


def _list_broken_lines(connection: duck.Connection, header_lines: int) -> None:
    """A table of the lines that are no rows at all, `row` counted as if they were."""
    connection.execute(
        """CREATE OR REPLACE TEMP TABLE broken_lines (row BIGINT, reason VARCHAR, raw VARCHAR, before BIGINT);
        CREATE TABLE IF NOT EXISTS reject_errors (line BIGINT, line_byte_position BIGINT, error_type VARCHAR,
        csv_line VARCHAR, scan_id BIGINT);"""
    )
    connection.execute(
        f"""INSERT INTO broken_lines SELECT row, reason, raw, row - row_number() OVER (ORDER BY row) FROM (
        SELECT line - {header_lines} AS row, 'broken line: ' || lower(min(error_type)::VARCHAR) AS reason,
        to_json(ltrim(min(csv_line), chr(10)))::VARCHAR AS raw FROM reject_errors GROUP BY line)"""
    )


def _counts(connection: duck.Connection, good: int) -> RowCounts:
    reasons = duck.rows(
        connection,
        """SELECT reason, count(*) FROM (SELECT reason FROM bad UNION ALL SELECT reason FROM broken_lines)
        GROUP BY reason ORDER BY count(*) DESC, reason""",
    )
    quarantined = {str(reason): int(str(count)) for reason, count in reasons}
    return RowCounts(good + sum(quarantined.values()), quarantined)


def _quarantined(opened: Relation, path: Path) -> str:
    """The query that gives the quarantine file: broken lines push the numbers of later rows on."""
    pushed = "(SELECT count(*) FROM broken_lines WHERE before < b.row)"
    return (
        f"SELECT {duck.text(str(path))} AS file, row, reason, raw FROM ("
        f"SELECT b.row + {pushed} AS row, b.reason, {opened.raw} AS raw FROM ({opened.query}) s "
        f"JOIN bad b ON b.row = s.{ROW} "
        "UNION ALL SELECT row, reason, raw FROM broken_lines) ORDER BY row"
    )
