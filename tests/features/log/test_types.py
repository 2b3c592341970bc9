"""Every type of DuckDB and of Arrow is read as text, number or time, or refused as no single value."""

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from features.log import cells, cells_sql
from features.log.cells_sql import Cell
from features.log.types import KINDS, kind_of
from features.system import duck
from features.timeline import instant
from tests.support.log_files import config, opened, run

AT = instant("2024-01-01T10:00:00.5")
DUCKDB = [  # the type, a value of it, its text, its number, its time
    ("VARCHAR", "'anna'", "anna", None, None),
    ("ENUM('a', 'b')", "'a'", "a", None, None),
    ("UUID", "'fcbff0fb-8795-4f5c-9142-b10997076dc6'", "fcbff0fb-8795-4f5c-9142-b10997076dc6", None, None),
    ("BLOB", r"'\xAAab'", r"\xAAab", None, None),
    ("BIT", "'0101'", "0101", None, None),
    ("TIME", "'10:00:01.5'", "10:00:01.5", None, None),
    ("TIME_NS", "'10:00:01.123456789'", "10:00:01.123456789", None, None),
    ("TIMETZ", "'10:00:01+02'", "10:00:01+02", None, None),
    ("INTERVAL", "'36 hours'", "36:00:00", None, None),
    ("TINYINT", "5", "5", 5.0, None),
    ("SMALLINT", "-5", "-5", -5.0, None),
    ("INTEGER", "5", "5", 5.0, None),
    ("BIGINT", "9223372036854775807", "9223372036854775807", 2.0**63, None),
    ("UTINYINT", "5", "5", 5.0, None),
    ("USMALLINT", "5", "5", 5.0, None),
    ("UINTEGER", "5", "5", 5.0, None),
    ("UBIGINT", "18446744073709551615", "18446744073709551615", 2.0**64, None),
    ("HUGEINT", "18446744073709551617", "18446744073709551617", 2.0**64, None),
    ("UHUGEINT", "18446744073709551617", "18446744073709551617", 2.0**64, None),
    ("BIGNUM", "'123456789012345678901234567890123456789012'", "123456789012345678901234567890123456789012",
     123456789012345678901234567890123456789012.0, None),
    ("DECIMAL(12,2)", "12.50", "12.5", 12.5, None),
    ("DECIMAL(12,0)", "100", "100", 100.0, None),
    ("DECIMAL(38,10)", "'12345678901234567890.5'", "12345678901234567890.5", 12345678901234567890.5, None),
    ("FLOAT", "1.5", "1.5", 1.5, None),
    ("DOUBLE", "12001.0", "12001", 12001.0, None),
    ("BOOLEAN", "true", "true", 1.0, None),
    ("DATE", "'2024-01-01'", "2024-01-01", None, instant("2024-01-01")),
    ("TIMESTAMP", "'2024-01-01 10:00:00.5'", "2024-01-01 10:00:00.5", None, AT),
    ("TIMESTAMP_S", "'2024-01-01 10:00:00'", "2024-01-01 10:00:00", None, AT - 500_000),
    ("TIMESTAMP_MS", "'2024-01-01 10:00:00.5'", "2024-01-01 10:00:00.5", None, AT),
    ("TIMESTAMP_US", "'2024-01-01 10:00:00.5'", "2024-01-01 10:00:00.5", None, AT),
    ("TIMESTAMP_NS", "'2024-01-01 10:00:00.5000001'", "2024-01-01 10:00:00.5000001", None, AT),
    ("TIMESTAMPTZ", "'2024-01-01 12:00:00.5+02'", "2024-01-01 10:00:00.5+00", None, AT),
    ("TIMESTAMPTZ_NS", "'2024-01-01 12:00:00.5000001+02'", "2024-01-01 10:00:00.5000001+00", None, AT),
]  # fmt: skip
NOT_SINGLE = {
    "INTEGER[]": "[1]", "INTEGER[1]": "[1]", "STRUCT(a INTEGER)": "{'a': 1}", "STRUCT(a INTEGER)[]": "[{'a': 1}]",
    "MAP(VARCHAR, INTEGER)": "MAP {'a': 1}", "UNION(a INTEGER)": "union_value(a := 1)", "VARIANT": "1",
    "GEOMETRY": "'POINT (1 2)'", "TUPLE(INTEGER, INTEGER)": "row(1, 2)",
}  # fmt: skip


def read(type_name: str, value: str) -> list[Any]:
    """The type as DuckDB writes it, and what its value is: filled, nested, text, number, speaks for numbers, time."""
    with duck.connect(Path(".cache") / "rules") as connection:
        query = f"SELECT ({value})::{type_name} AS v" if not type_name.startswith("TUPLE") else f"SELECT {value} AS v"
        described = str(duck.rows(connection, f"DESCRIBE {query}")[0][1])
        cell = Cell("v", described)
        rules = [cells_sql.sql_is_filled, cells_sql.sql_nested, cells_sql.sql_text, cells_sql.sql_number]
        rules += [cells_sql.sql_numeric, cells_sql.sql_time]
        parts = ", ".join(rule(Cell("v::VARCHAR", "VARCHAR") if cell.type[:4] == "ENUM" else cell) for rule in rules)
        return [described, *duck.rows(connection, f"SELECT {parts} FROM ({query})")[0]]


@pytest.mark.parametrize(("type_name", "value", "text", "number", "time"), DUCKDB, ids=[row[0] for row in DUCKDB])
def test_a_type_of_duckdb_is_text_number_or_time(
    type_name: str, value: str, text: str, number: float | None, time: int | None
) -> None:
    assert read(type_name, value)[1:] == [True, False, text, number, number is not None, time]


@pytest.mark.parametrize("type_name", NOT_SINGLE)
def test_a_type_of_many_values_is_no_single_one(type_name: str) -> None:
    assert read(type_name, NOT_SINGLE[type_name])[1:] == [True, True, None, None, False, None]


def test_every_type_that_duckdb_has_is_in_the_table() -> None:
    with duck.connect(Path(".cache") / "rules") as connection:
        names = {str(name).upper() for (name,) in duck.rows(connection, "SELECT logical_type FROM duckdb_types()")}
        assert names - KINDS.keys() == set()
        described = {read(type_name, value)[0] for type_name, value, *_ in DUCKDB}
    assert {kind_of(name) for name in described} | {kind_of(name) for name in NOT_SINGLE} == set(KINDS.values())


@pytest.mark.parametrize("kind", ["TIMESTAMP", "TIMESTAMP_NS", "TIMESTAMPTZ", "TIMESTAMPTZ_NS", "DATE"])
def test_an_infinite_time_is_none(kind: str) -> None:
    assert read(kind, "'infinity'")[-1] is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("12.50"), "12.5"),
        (Decimal(100), "100"),
        (Decimal("1E+3"), "1000"),
        (2**64 + 1, "18446744073709551617"),
        (dt.date(2024, 1, 1), "2024-01-01"),
        (dt.time(10, 0, 1), "10:00:01"),
    ],
)
def test_a_value_of_python_is_the_same_text(value: Any, text: str) -> None:
    assert cells.text(value) == text


def test_ids_of_any_number_of_digits_are_ids(tmp_path: Path) -> None:
    ids = [sign * (2**power + more) for power in (53, 63, 64, 200) for more in range(10) for sign in (1, -1)]
    lines = [f'{{"who": {number}, "at": "2025-01-01", "what": "buy", "money": 1}}\n' for number in ids]
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "a.jsonl").write_text("".join(lines))
    shop = config(tmp_path)
    report = run(shop)
    assert (report.rows, report.quarantined) == (len(ids), {})
    assert {name for bucket in opened(shop).buckets() for name in bucket.customers} == {str(number) for number in ids}


def test_decimal_ids_of_json_that_a_double_would_make_one_are_refused(tmp_path: Path) -> None:
    ids = ["12345678901234567890.5", "12345678901234567890.6", "9007199254740993.0", "1.5", "1e3", "12001.0"]
    lines = [f'{{"who": {number}, "at": "2025-01-01", "what": "buy", "money": 1}}\n' for number in ids]
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "a.jsonl").write_text("".join(lines))
    shop = config(tmp_path)
    assert run(shop).quarantined == {f"who: {cells.INEXACT}": 3}
    names = {name for bucket in opened(shop).buckets() for name in bucket.customers}
    assert names == {"1.5", "1000", "12001"} == {cells.customer(float(number)) for number in ids[3:]}
    for number in ids[:3]:
        with pytest.raises(ValueError, match="more than 15 digits"):
            cells.customer(float(number))
