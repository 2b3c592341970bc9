"""SQL for files and Python for requests say the same about every cell."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.log import cells, cells_sql
from features.log.cells_sql import Cell
from features.log.ids import NULL_NUMBERS
from features.system import duck

CELLS = [
    None, "", " ", "anna", "😀", "a\tb", "a\u0085b", "x" * 256, "x" * 257, "é" * 129, "😀" * 64, "😀" * 65,
    0, 12346, 12346.0, -0.0, 4.5, 1e15, 1e16, 1e22, 1e-5, 2**53 + 1, 2**63, 2**64 - 1, 2**64, 10**30, -(10**30),
    0.1 + 0.2, 1234567.12345678, 1234567.123456789, 1.2345678901234567e19, True, False,
    [], [1], {"a": 1}, "12.50", " 12.5 ", "+5", ".5", "5.", "1e5", "1e400", "-1E-3", "1_000", "1,5", "abc", "nan",
    "NaN", "inf", "-Infinity", "0x10", "TRUE", "false", "١٢", "1577836800",
    "2020-01-01", "2020-02-30", "2020-01-01T10:00", "2020-01-01 10:00:00", "2020-01-01T10:00:00.5",
    "2020-01-01T10:00:00.123456789", "2020-01-01T10:00:00Z", "2020-01-01T10:00:00+02:00", "2020-01-01T10:00:00 -0330",
    "2020-01-01T10:00+05", "2020-01-01T24:00", "2020-01-01T10:60", "20200101", "2020-1-1", "01/02/2020",
    "\u00a0 \u3000", "\u00a0a", "12001.0", "12001.000", "-5.0", "-0.0", "0.0", "00123", "00123.0", "1.0.0", "1.50",
    "1000043.1700000043", ".0", "1.0 ", "12345678901234567890.0", "1e3", "1.0e3", "1.0\n", "NaT",
    "null", "NULL", "None", "<NA>", "\\N", "N/A", "NA", "none",
    "2020-01-01+02:00", "2020-01-01T10:00:00+24:00", "2020-01-01T10:00:00 ", "1969-12-31", "0001-01-01", "9999-12-31",
    "2020-03-29T02:30:00", "2020-10-25T02:30:00", "2020-W01-1", "2020-01-01t10:00", "２０２０-01-01",
]  # fmt: skip


def sql(expression: Callable[[Cell], str], values: list[Any]) -> list[Any]:
    """What an expression makes of JSON values, one by one."""
    cell = Cell("v", "VARCHAR", "t")
    with duck.connect(Path(".cache") / "rules") as connection:
        connection.execute("CREATE TABLE cells (i INTEGER, line VARCHAR)")
        connection.executemany(
            "INSERT INTO cells VALUES (?, ?)", [[i, json.dumps({"v": v})] for i, v in enumerate(values)]
        )
        query = "SELECT i, json_extract_string(line, ['/v'])[1] AS v, json_type(line, ['/v'])[1] AS t FROM cells"
        return [row[0] for row in duck.rows(connection, f"SELECT {expression(cell)} FROM ({query}) ORDER BY i")]


def python(rule: Callable[[Any], Any], value: Any) -> Any:
    try:
        return rule(value)
    except ValueError:
        return None


@pytest.mark.parametrize(
    ("expression", "rule"),
    [
        (cells_sql.sql_text, cells.text),
        (cells_sql.sql_level, cells.level),
        (cells_sql.sql_key, cells.key),
        (cells_sql.sql_time, lambda value: cells.time(value, "UTC")),
    ],
    ids=["text", "level", "key", "time"],
)
def test_sql_and_python_read_a_cell_alike(expression: Callable[[Cell], str], rule: Callable[[Any], Any]) -> None:
    from_sql = sql(expression, CELLS)
    assert dict(zip(map(repr, CELLS), from_sql, strict=True)) == {repr(value): python(rule, value) for value in CELLS}


def test_sql_and_python_read_a_number_alike() -> None:
    finite = [
        None if value is None or not math.isfinite(value) else value for value in sql(cells_sql.sql_number, CELLS)
    ]
    assert dict(zip(map(repr, CELLS), finite, strict=True)) == {repr(v): python(cells.number, v) for v in CELLS}


def test_sql_and_python_refuse_the_same_customers() -> None:
    def reason(cell: Cell) -> str:
        text = f"({cells_sql.sql_key(cell)})"
        checks = [(cells_sql.sql_nested(cell), cells.NESTED), (cells_sql.sql_inexact(cell), cells.INEXACT)]
        checks += cells_sql.sql_bad_customer(text)
        checks += [(cells_sql.sql_blank(text), cells.EMPTY), (cells_sql.sql_control(text), cells.CONTROL)]
        return "CASE " + " ".join(f"WHEN {bad} THEN '{why}'" for bad, why in checks) + " END"

    def refusal(value: Any) -> str | None:
        try:
            cells.customer(value)
        except ValueError as error:
            return str(error)
        return None

    assert dict(zip(map(repr, CELLS), sql(reason, CELLS), strict=True)) == {
        repr(value): refusal(value) for value in CELLS
    }


@settings(max_examples=8)
@given(
    st.lists(
        st.one_of(st.text(max_size=6), st.floats(allow_nan=False, allow_infinity=False), st.integers()), min_size=30
    )
)
def test_any_text_and_number_is_read_alike(values: list[Any]) -> None:
    values = [value for value in values if not isinstance(value, str) or value.isascii() or value.isprintable()]
    assert sql(cells_sql.sql_text, values) == [python(cells.text, value) for value in values]


@settings(max_examples=8)
@given(st.lists(st.from_regex(r"[+-]?0{0,2}[0-9]{1,18}(\.[0-9]{0,3}0{0,3})?", fullmatch=True), min_size=30))
def test_any_digits_are_the_same_id_for_files_and_requests(texts: list[str]) -> None:
    assert sql(cells_sql.sql_key, texts) == [cells.key(text) for text in texts]


@settings(max_examples=8)
@given(st.lists(st.integers(-(10**15), 10**15), min_size=30))
def test_a_whole_number_is_one_id_however_it_is_written(numbers: list[int]) -> None:
    ids = [str(number) for number in numbers]
    spellings: list[list[Any]] = [
        ids,
        numbers,
        [float(number) for number in numbers],
        [f"{number}.0" for number in numbers],
    ]
    for spelling in spellings:
        assert sql(cells_sql.sql_key, spelling) == [cells.key(value) for value in spelling] == ids


def test_every_word_for_nothing_is_null_as_id_number_and_time_on_both_sides() -> None:
    words = [*NULL_NUMBERS, ""]
    assert not any(sql(cells_sql.sql_is_filled, words))
    assert {python(cells.number, word) for word in words} == set(sql(cells_sql.sql_number, words)) == {None}
    assert {cells.time(word, "UTC") for word in words} == set(sql(cells_sql.sql_time, words)) == {None}
    assert sql(cells_sql.sql_key, words) == [None if word != "NA" else "NA" for word in words]
    assert sql(cells_sql.sql_level, ["None", "NA", "nan"]) == ["None", "NA", None]


def test_a_time_that_is_twice_or_never_takes_the_later_offset() -> None:
    twice, never = "2020-10-25T02:30:00", "2020-03-29T02:30:00"
    assert cells.time(twice, "Europe/Paris") == cells.time("2020-10-25T02:30:00+01:00", "UTC")
    assert cells.time(never, "Europe/Paris") == cells.time("2020-03-29T02:30:00+02:00", "UTC")
