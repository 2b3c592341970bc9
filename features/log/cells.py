"""What a cell of the log may hold, and what a request's value means by it; ValueError holds the reason of a bad one.

`features.log.cells_sql` says the same of whole files, and tests compare the two. An empty text is a null everywhere,
because CSV knows no other.

- Text: as it stands; a number becomes text the natural way (12346, not 12346.0), a whole one with all its digits. Ids
  and words that stand for a null: `features.log.ids`.
- Number: finite; as text in decimal or exponent notation; true is 1 and false 0.
- Time: a timestamp, a date (its first instant) or ISO 8601 text such as `2011-09-10`, `2011-09-10 08:15` or
  `2011-09-10T08:15:00.5+02:00`. Without offset it is local in `[log] timezone`. A bare number is never a time: whether
  it counts seconds or milliseconds would be a guess.
"""

import json
import math
import re
from collections.abc import Container
from datetime import date, datetime
from datetime import time as clock
from decimal import Decimal
from typing import Any
from uuid import UUID

from features.log.ids import BLANK, NULL_LEVELS, NULL_NUMBERS, NULL_WORDS, fold, whole
from features.timeline import DAY_US, instant

ID_BYTES = 256
SURE_DIGITS = 15  # of a decimal number, that a double keeps
AHEAD_US = DAY_US  # how far after the clock an event may lie

EMPTY = "empty"
NESTED = "not a single value"
CONTROL = "holds control characters"
LONG = f"longer than {ID_BYTES} bytes"
INEXACT = "a decimal number of more than 15 digits, of which not all are kept: write it as text"
NOT_TIME = "not an ISO 8601 date or time"
EARLY = "before 1970"
LATE = "more than a day in the future"
NOT_NUMBER = "not a finite number"

_DATE = r"\d{4}-\d{2}-\d{2}"
_CLOCK = r"[T ](?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,9})?)?"
_OFFSET = r" ?(?:Z|[+-](?:[01]\d|2[0-3])(?::?[0-5]\d)?)"
_NUMBER = r"[ ]*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[ ]*"
LOCAL_TIME = re.compile(f"{_DATE}(?:{_CLOCK})?", re.ASCII)
PLACED_TIME = re.compile(f"({_DATE}{_CLOCK}){_OFFSET}", re.ASCII)
_FRACTION = re.compile(r"(\.\d{6})\d+")
NUMBER_TEXT = re.compile(_NUMBER, re.ASCII)
_DIGITS = re.compile(r"e.*|[^0-9]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def text(value: Any, nulls: Container[str] = NULL_WORDS) -> str | None:
    """The value as text; None for a null."""
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, str):
        return None if value in nulls else value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, date, clock, UUID)):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if abs(value) < 1e15 and value == int(value) else repr(value)
    if isinstance(value, Decimal):
        return _decimal_text(value)
    raise ValueError(NESTED)


def level(value: Any) -> str | None:
    """The value as a level of a category; None for a null."""
    return text(value, NULL_LEVELS)


def key(value: Any) -> str | None:
    """The value as an id; None for a null."""
    id_ = text(value)
    return None if id_ is None else whole(id_)


def number(value: Any) -> float | None:
    """The value as a finite float; None for a null."""
    if is_null(value):
        return None
    if isinstance(value, str):
        lowered = value.lower()
        if lowered in ("true", "false"):
            return float(lowered == "true")
        if not NUMBER_TEXT.fullmatch(value):
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
    if is_null(value):
        return None
    if isinstance(value, date):
        return instant(value, timezone)
    if not isinstance(value, str):
        raise ValueError(NOT_TIME)  # noqa: TRY004  one kind of error for every reason
    try:
        if len(value) == len("2011-09-10") and LOCAL_TIME.fullmatch(value):
            return instant(date.fromisoformat(value), timezone)
        if LOCAL_TIME.fullmatch(value):
            return instant(datetime.fromisoformat(_FRACTION.sub(r"\1", value)), timezone)
        placed = PLACED_TIME.fullmatch(value)
        if placed is None:
            raise ValueError
        local = instant(datetime.fromisoformat(_FRACTION.sub(r"\1", placed.group(1))))
    except ValueError:
        raise ValueError(NOT_TIME) from None
    return local - _offset_us(value[placed.end(1) :])


def is_null(value: Any) -> bool:
    """Whether the value of a number or a time is missing."""
    return value is None or (isinstance(value, str) and (value == "" or value in NULL_NUMBERS))


def customer(value: Any, *, folded: bool = False) -> str:
    """The value as the id of a customer; `folded` as `[log] fold_ids` says."""
    customer_id = key(value)
    if customer_id is None or BLANK.fullmatch(customer_id):
        raise ValueError(EMPTY)
    if isinstance(value, float) and len(_DIGITS.sub("", customer_id).lstrip("0")) > SURE_DIGITS:
        raise ValueError(INEXACT)
    try:
        length = len(customer_id.encode())
    except UnicodeEncodeError:
        raise ValueError("not valid Unicode") from None
    if length > ID_BYTES:
        raise ValueError(LONG)
    customer_id = fold(customer_id) if folded else customer_id
    if not customer_id:
        raise ValueError(EMPTY)
    if _CONTROL.search(customer_id):
        raise ValueError(CONTROL)
    return customer_id


def _decimal_text(value: Decimal) -> str:
    """All digits, without the zeros that only say how many places a column has."""
    written = f"{value:f}"
    return written.rstrip("0").rstrip(".") if "." in written else written


def _offset_us(offset: str) -> int:
    digits = re.sub(r"\D", "", offset).ljust(4, "0")
    minutes = int(digits[:2]) * 60 + int(digits[2:4])
    return (-minutes if "-" in offset else minutes) * 60_000_000


def raw_json(event: Any) -> str:
    """An event as JSON text, for messages."""
    return json.dumps(event, ensure_ascii=False, default=str)[:200]
