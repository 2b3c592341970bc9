"""What a cell of the log may hold, as SQL over one column of a file; `features.log.cells` says the same in Python."""

from collections.abc import Collection
from dataclasses import dataclass

from features.log.cells import EMPTY, ID_BYTES, LOCAL_TIME, LONG, NUMBER_TEXT, PLACED_TIME, SURE_DIGITS
from features.log.ids import BLANK, NULL_LEVELS, NULL_NUMBERS, NULL_WORDS, SQL_WHOLE, SQL_WHOLE_FLOAT
from features.log.types import NUMBERS, TIMES, CellKind, kind_of
from features.system.duck import text as quoted


@dataclass(frozen=True)
class Cell:
    """A column of a source file: its SQL, its DuckDB type, and for JSON the SQL that tells the value's JSON type."""

    sql: str
    type: str
    json: str = ""

    @property
    def kind(self) -> CellKind:
        """How its type is read."""
        return kind_of(self.type)


def sql_text(cell: Cell, nulls: Collection[str] = NULL_WORDS) -> str:
    """The cell as text; NULL for a null and for what is no single value."""
    if cell.json:
        digits = f"regexp_full_match({cell.sql}, '-?[0-9]+')"  # whole, and too large for a BIGINT
        written = f"CASE WHEN {digits} THEN {cell.sql} ELSE {_natural(f'try_cast({cell.sql} AS DOUBLE)')} END"
        single = f"CASE WHEN NOT {sql_nested(cell)} THEN {_without_nulls(cell.sql, nulls)} END"
        return f"CASE {cell.json} WHEN 'DOUBLE' THEN {written} ELSE {single} END"
    if cell.kind is CellKind.NOT_SINGLE:
        return "NULL::VARCHAR"
    if cell.kind is CellKind.FLOAT:
        return _natural(cell.sql)
    if cell.kind is CellKind.DECIMAL:
        return f"rtrim(rtrim({cell.sql}::VARCHAR, '0'), '.')"
    if cell.kind is CellKind.TEXT:
        return _without_nulls(cell.sql if cell.type == "VARCHAR" else f"{cell.sql}::VARCHAR", nulls)
    return f"{cell.sql}::VARCHAR"


def sql_level(cell: Cell) -> str:
    """The cell as a level of a category."""
    return sql_text(cell, NULL_LEVELS)


def sql_key(cell: Cell) -> str:
    """The cell as an id."""
    text = sql_text(cell)
    if cell.type != "VARCHAR" and cell.kind is not CellKind.FLOAT:
        return text
    return f"CASE WHEN {_may_be_whole(text)} THEN {_whole(text)} ELSE {text} END"


def sql_nested(cell: Cell) -> str:
    """Whether the cell holds a list or an object."""
    if cell.json:
        return f"coalesce({cell.json} IN ('OBJECT', 'ARRAY'), false)"
    return f"({cell.sql} IS NOT NULL)" if cell.kind is CellKind.NOT_SINGLE else "false"


def sql_inexact(cell: Cell) -> str:
    """Whether the cell is a decimal number of JSON with more digits than are kept, so that two of them may be one."""
    if not cell.json:
        return "false"
    digits = f"ltrim(regexp_replace({sql_text(cell)}, 'e.*|[^0-9]', '', 'g'), '0')"
    decimal = f"{cell.json} = 'DOUBLE' AND NOT regexp_full_match({cell.sql}, '-?[0-9]+')"
    return f"coalesce(CASE WHEN {decimal} THEN length({digits}) > {SURE_DIGITS} END, false)"


def sql_number(cell: Cell) -> str:
    """The cell as a DOUBLE, which may be infinite; NULL for a null and for what is no number."""
    if cell.kind in NUMBERS:
        return f"{cell.sql}::INTEGER::DOUBLE" if cell.kind is CellKind.BOOLEAN else f"{cell.sql}::DOUBLE"
    if cell.type != "VARCHAR":
        return "NULL::DOUBLE"
    parsed = f"CASE WHEN {_is_number_text(cell)} THEN try_cast(trim({cell.sql}) AS DOUBLE) END"
    return f"CASE lower({cell.sql}) WHEN 'true' THEN 1.0 WHEN 'false' THEN 0.0 ELSE {parsed} END"


def sql_numeric(cell: Cell) -> str:
    """Whether the cell speaks for a column of numbers, by its type or by its text; `01234` is a code and no number."""
    if cell.type == "VARCHAR":
        written = f"{_is_number_text(cell)} AND NOT regexp_matches({cell.sql}, '^[+-]?0[0-9]')"
        return f"({written} OR lower({cell.sql}) IN ('true', 'false'))"
    return "true" if cell.kind in NUMBERS else "false"


def sql_is_filled(cell: Cell) -> str:
    """Whether the cell holds anything."""
    return f"({_without_nulls(cell.sql, NULL_NUMBERS) if cell.type == 'VARCHAR' else cell.sql} IS NOT NULL)"


def sql_time(cell: Cell) -> str:
    """The cell as µs since 1970, of local time where `sql_is_local`; NULL for a null and for what is no time."""
    if cell.type == "VARCHAR":
        return _sql_text_time(cell)
    if cell.kind in TIMES:
        moment = f"try_cast({cell.sql} AS {'TIMESTAMPTZ' if cell.kind is CellKind.PLACED_TIME else 'TIMESTAMP'})"
        return f"CASE WHEN isfinite({moment}) THEN epoch_us({moment}) END"
    return "NULL::BIGINT"


def sql_is_local(cell: Cell) -> str:
    """Whether the cell's time carries no offset."""
    if cell.type == "VARCHAR":
        return f"coalesce({_is_string(cell)} AND regexp_full_match({cell.sql}, {quoted(LOCAL_TIME.pattern)}), false)"
    return "false" if cell.kind is CellKind.PLACED_TIME else "true"


def sql_is_date(cell: Cell) -> str:
    """Whether the cell, if it is a time at all, is a date alone: it means the first instant of that day."""
    return (
        f"coalesce(length({cell.sql}) = 10, false)"
        if cell.type == "VARCHAR"
        else str(cell.kind is CellKind.DATE).lower()
    )


def sql_bad_customer(alias: str) -> list[tuple[str, str]]:
    """Conditions on a text, each with the reason it is no id of a customer, but for `sql_control`."""
    blank = f"CASE WHEN {alias} < '!' THEN trim({alias}) = '' ELSE false END"  # few begin with a space
    return [(f"{alias} IS NULL OR {blank}", EMPTY), (f"strlen({alias}) > {ID_BYTES}", LONG)]


def sql_blank(alias: str) -> str:
    """Whether a text holds nothing but spaces of any width. Costly, like `sql_control`."""
    return f"regexp_full_match({alias}, {quoted(BLANK.pattern)})"


def sql_control(alias: str) -> str:
    """Whether a text holds control characters. Costly: not to be asked of what is printable ASCII."""
    return f"regexp_matches({alias}, '[\\x00-\\x1f\\x{{7f}}-\\x{{9f}}]')"


def _sql_text_time(cell: Cell) -> str:
    local = f"epoch_us(try_cast({cell.sql} AS TIMESTAMP))"
    pattern = quoted(PLACED_TIME.pattern)
    part = f"regexp_extract({cell.sql}, {pattern}, 1)"
    offset = f"substr({cell.sql}, length({part}) + 1)"
    digits = f"rpad(regexp_replace({offset}, '[^0-9]', '', 'g'), 4, '0')"
    minutes = f"(substr({digits}, 1, 2)::BIGINT * 60 + substr({digits}, 3, 2)::BIGINT)"
    signed = f"CASE WHEN contains({offset}, '-') THEN -{minutes} ELSE {minutes} END"
    placed = f"epoch_us(try_cast({part} AS TIMESTAMP)) - ({signed}) * 60000000"
    cases = f"WHEN regexp_full_match({cell.sql}, {quoted(LOCAL_TIME.pattern)}) THEN {local}"
    cases += f" WHEN regexp_full_match({cell.sql}, {pattern}) THEN {placed}"
    return f"CASE WHEN NOT {_is_string(cell)} THEN NULL {cases} END"


def _is_number_text(cell: Cell) -> str:
    return f"regexp_full_match({cell.sql}, {quoted(NUMBER_TEXT.pattern)})"


def _is_string(cell: Cell) -> str:
    return f"({cell.json} = 'VARCHAR')" if cell.json else "true"


def _natural(double: str) -> str:
    is_whole = f"abs({double}) < 1e15 AND {double} = trunc({double})"
    written = f"CASE WHEN {is_whole} THEN ({double})::BIGINT::VARCHAR ELSE ({double})::VARCHAR END"
    return f"CASE WHEN NOT isnan({double}) THEN {written} END"


def _without_nulls(sql: str, nulls: Collection[str]) -> str:
    """Text, where it is neither empty nor a word for nothing; most texts are too long to be one."""
    words = ", ".join(map(quoted, nulls))
    return (
        f"CASE WHEN strlen({sql}) > {max(map(len, nulls))} OR ({sql} <> '' AND {sql} NOT IN ({words})) THEN {sql} END"
    )


def _may_be_whole(sql: str) -> str:
    return f"contains({sql}, '.0')"  # cheap, and hardly ever true


def _whole(sql: str) -> str:
    return f"regexp_replace({sql}, {quoted(SQL_WHOLE_FLOAT)}, {quoted(SQL_WHOLE)})"
