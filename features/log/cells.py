"""What a cell of the log may hold: as SQL for whole files, as Python for the events of one request.

Both say the same about the same cell, which tests hold against each other. An empty text is a null everywhere, because
CSV knows no other.

- Text: as it stands; a number becomes text the natural way (12346, not 12346.0).
- Number: finite; as text in decimal or exponent notation; true is 1 and false 0.
- Time: a timestamp, a date (its first instant) or ISO 8601 text such as `2011-09-10`, `2011-09-10 08:15` or
  `2011-09-10T08:15:00.5+02:00`. Without offset it is local in `[log] timezone`. A bare number is never a time: whether
  it counts seconds or milliseconds would be a guess.
"""

import json
import math
import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from features.system.duck import text as quoted
from features.timeline import DAY_US, instant

ID_BYTES = 256
AHEAD_US = DAY_US  # how far after the clock an event may lie

EMPTY = "empty"
NESTED = "not a single value"
CONTROL = "holds control characters"
LONG = f"longer than {ID_BYTES} bytes"
NOT_TIME = "not an ISO 8601 date or time"
EARLY = "before 1970"
LATE = "more than a day in the future"
NOT_NUMBER = "not a finite number"

_DATE = r"\d{4}-\d{2}-\d{2}"
_CLOCK = r"[T ](?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,9})?)?"
_OFFSET = r" ?(?:Z|[+-](?:[01]\d|2[0-3])(?::?[0-5]\d)?)"
_NUMBER = r"[ ]*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[ ]*"
_LOCAL_TIME = re.compile(f"{_DATE}(?:{_CLOCK})?", re.ASCII)
_PLACED_TIME = re.compile(f"({_DATE}{_CLOCK}){_OFFSET}", re.ASCII)
_FRACTION = re.compile(r"(\.\d{6})\d+")
_NUMBER_TEXT = re.compile(_NUMBER, re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


# --- Python: one value of a request's event; ValueError holds the reason -------------------------------------------


def text(value: Any) -> str | None:
    """The value as text; None for a null."""
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if -(2**63) <= value < 2**64 else text(float(value))
    if isinstance(value, float):
        return str(int(value)) if abs(value) < 1e15 and value == int(value) else repr(value)
    raise ValueError(NESTED)


def number(value: Any) -> float | None:
    """The value as a finite float; None for a null."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        lowered = value.lower()
        if lowered in ("true", "false"):
            return float(lowered == "true")
        if not _NUMBER_TEXT.fullmatch(value):
            raise ValueError(NOT_NUMBER)
    try:
        parsed = float(value)
    except (TypeError, OverflowError):
        raise ValueError(NOT_NUMBER) from None
    if not math.isfinite(parsed):
        raise ValueError(NOT_NUMBER)
    return parsed


def time(value: Any, timezone: str) -> int | None:
    """The value as µs UTC; None for a null."""
    if value is None or value == "":
        return None
    if isinstance(value, date):
        return instant(value, timezone)
    if not isinstance(value, str):
        raise ValueError(NOT_TIME)  # noqa: TRY004  one kind of error for every reason
    try:
        if len(value) == len("2011-09-10") and _LOCAL_TIME.fullmatch(value):
            return instant(date.fromisoformat(value), timezone)
        if _LOCAL_TIME.fullmatch(value):
            return instant(datetime.fromisoformat(_FRACTION.sub(r"\1", value)), timezone)
        placed = _PLACED_TIME.fullmatch(value)
        if placed is None:
            raise ValueError
        local = instant(datetime.fromisoformat(_FRACTION.sub(r"\1", placed.group(1))))
    except ValueError:
        raise ValueError(NOT_TIME) from None
    return local - _offset_us(value[placed.end(1) :])


def customer(value: Any) -> str:
    """The value as the id of a customer."""
    found = text(value)
    if found is None or not found.strip(" "):
        raise ValueError(EMPTY)
    try:
        length = len(found.encode())
    except UnicodeEncodeError:
        raise ValueError("not valid Unicode") from None
    if length > ID_BYTES:
        raise ValueError(LONG)
    if _CONTROL.search(found):
        raise ValueError(CONTROL)
    return found


def _offset_us(offset: str) -> int:
    digits = re.sub(r"\D", "", offset).ljust(4, "0")
    minutes = int(digits[:2]) * 60 + int(digits[2:4])
    return (-minutes if "-" in offset else minutes) * 60_000_000


# --- SQL: one column of a file -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cell:
    """A column of a source file: its SQL, its DuckDB type, and for JSON the SQL that tells the value's JSON type."""

    sql: str
    type: str
    json: str = ""


def sql_text(cell: Cell) -> str:
    """The cell as text; NULL for a null and for what is no single value."""
    if cell.json:
        natural = _natural(f"try_cast({cell.sql} AS DOUBLE)")
        single = f"CASE WHEN NOT {sql_nested(cell)} THEN nullif({cell.sql}, '') END"
        return f"CASE {cell.json} WHEN 'DOUBLE' THEN {natural} ELSE {single} END"
    if _is_nested(cell.type):
        return "NULL::VARCHAR"
    if _is_fractional(cell.type):
        return _natural(cell.sql if cell.type == "FLOAT" else f"{cell.sql}::DOUBLE")
    return f"nullif({cell.sql}::VARCHAR, '')"


def sql_nested(cell: Cell) -> str:
    """Whether the cell holds a list or an object."""
    if cell.json:
        return f"coalesce({cell.json} IN ('OBJECT', 'ARRAY'), false)"
    return f"({cell.sql} IS NOT NULL)" if _is_nested(cell.type) else "false"


def sql_number(cell: Cell) -> str:
    """The cell as a DOUBLE, which may be infinite; NULL for a null and for what is no number."""
    if cell.type == "BOOLEAN":
        return f"{cell.sql}::INTEGER::DOUBLE"
    if _is_numeric(cell.type):
        return f"{cell.sql}::DOUBLE"
    if cell.type != "VARCHAR":
        return "NULL::DOUBLE"
    parsed = f"CASE WHEN regexp_full_match({cell.sql}, {quoted(_NUMBER)}) THEN try_cast(trim({cell.sql}) AS DOUBLE) END"
    return f"CASE lower({cell.sql}) WHEN 'true' THEN 1.0 WHEN 'false' THEN 0.0 ELSE {parsed} END"


def sql_numeric(cell: Cell) -> str:
    """Whether the cell speaks for a column of numbers, by its type or by its text; `01234` is a code and no number."""
    if cell.type == "VARCHAR":
        written = f"regexp_full_match({cell.sql}, {quoted(_NUMBER)}) AND NOT regexp_matches({cell.sql}, '^[+-]?0[0-9]')"
        return f"({written} OR lower({cell.sql}) IN ('true', 'false'))"
    return "true" if cell.type == "BOOLEAN" or _is_numeric(cell.type) else "false"


def sql_given(cell: Cell) -> str:
    """Whether the cell holds anything."""
    return f"({cell.sql} IS NOT NULL AND {cell.sql} <> '')" if cell.type == "VARCHAR" else f"({cell.sql} IS NOT NULL)"


def sql_time(cell: Cell) -> str:
    """The cell as µs since 1970, of local time where `sql_is_local`; NULL for a null and for what is no time."""
    if cell.type == "VARCHAR":
        return _sql_text_time(cell)
    if cell.type == "DATE" or cell.type.startswith("TIMESTAMP"):
        kind = "TIMESTAMPTZ" if "WITH TIME ZONE" in cell.type else "TIMESTAMP"
        moment = f"try_cast({cell.sql} AS {kind})"
        return f"CASE WHEN isfinite({moment}) THEN epoch_us({moment}) END"
    return "NULL::BIGINT"


def sql_is_local(cell: Cell) -> str:
    """Whether the cell's time carries no offset."""
    if cell.type == "VARCHAR":
        return f"coalesce({_is_string(cell)} AND regexp_full_match({cell.sql}, {quoted(_LOCAL_TIME.pattern)}), false)"
    return "false" if "WITH TIME ZONE" in cell.type else "true"


def sql_is_date(cell: Cell) -> str:
    """Whether the cell, if it is a time at all, is a date alone: it means the first instant of that day."""
    return f"coalesce(length({cell.sql}) = 10, false)" if cell.type == "VARCHAR" else str(cell.type == "DATE").lower()


def sql_bad_customer(alias: str) -> list[tuple[str, str]]:
    """Conditions on a text, each with the reason it is no id of a customer, but for `sql_control`."""
    blank = f"CASE WHEN {alias} < '!' THEN trim({alias}) = '' ELSE false END"  # few begin with a space
    return [(f"{alias} IS NULL OR {blank}", EMPTY), (f"strlen({alias}) > {ID_BYTES}", LONG)]


def sql_control(alias: str) -> str:
    """Whether a text holds control characters. Costly: not to be asked of what is printable ASCII."""
    return f"regexp_matches({alias}, '[\\x00-\\x1f\\x{{7f}}-\\x{{9f}}]')"


def _sql_text_time(cell: Cell) -> str:
    local = f"epoch_us(try_cast({cell.sql} AS TIMESTAMP))"
    pattern = quoted(_PLACED_TIME.pattern)
    part = f"regexp_extract({cell.sql}, {pattern}, 1)"
    offset = f"substr({cell.sql}, length({part}) + 1)"
    digits = f"rpad(regexp_replace({offset}, '[^0-9]', '', 'g'), 4, '0')"
    minutes = f"(substr({digits}, 1, 2)::BIGINT * 60 + substr({digits}, 3, 2)::BIGINT)"
    signed = f"CASE WHEN contains({offset}, '-') THEN -{minutes} ELSE {minutes} END"
    placed = f"epoch_us(try_cast({part} AS TIMESTAMP)) - ({signed}) * 60000000"
    cases = f"WHEN regexp_full_match({cell.sql}, {quoted(_LOCAL_TIME.pattern)}) THEN {local}"
    cases += f" WHEN regexp_full_match({cell.sql}, {pattern}) THEN {placed}"
    return f"CASE WHEN NOT {_is_string(cell)} THEN NULL {cases} END"


def _is_string(cell: Cell) -> str:
    return f"({cell.json} = 'VARCHAR')" if cell.json else "true"


def _natural(double: str) -> str:
    whole = f"abs({double}) < 1e15 AND {double} = trunc({double})"
    written = f"CASE WHEN {whole} THEN ({double})::BIGINT::VARCHAR ELSE ({double})::VARCHAR END"
    return f"CASE WHEN NOT isnan({double}) THEN {written} END"


def _is_fractional(kind: str) -> bool:
    return kind in ("FLOAT", "DOUBLE") or (kind.startswith("DECIMAL") and not kind.endswith(",0)"))


def _is_numeric(kind: str) -> bool:
    return kind.endswith("INT") or kind in ("INTEGER", "UINTEGER") or kind.startswith("DECIMAL") or _is_fractional(kind)


def _is_nested(kind: str) -> bool:
    return kind.endswith("]") or kind.startswith(("STRUCT", "MAP", "UNION", "LIST", "VARIANT", "JSON"))


def raw_json(event: Any) -> str:
    """An event as JSON text, for messages."""
    return json.dumps(event, ensure_ascii=False, default=str)[:200]
