"""A request's own events merged into a stored journey, as if they had been ingested: same checks, order and keys.

What cannot be seen from one customer stays out: an id that another customer's event carries.
"""

import difflib
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.config.sections import Config
from features.errors import RequestError, did_you_mean
from features.journeys import NO_ORDER, Category, Journeys, Profile
from features.log import cells
from features.log.validate import log_columns
from features.store.ordering import insert_names, sort_rows

ARRIVED = np.int32(2**31 - 1)  # after every ingest: these rows were never taken


@dataclass(frozen=True)
class RequestEvent:
    """One checked event, by the columns of the store."""

    time: int
    known: int
    event: str
    value: float
    order: int
    identity: int
    categories: Mapping[str, str | None]
    numbers: Mapping[str, float]


def merge(
    stored: Journeys | None,
    customer: str,
    events: Sequence[Mapping[str, Any]],
    config: Config,
    now_us: int | None = None,
) -> Journeys:
    """One customer's journey with `events` (by the column names of the log's source) in it.

    `stored` holds that customer or nobody. With `now_us`, events more than a day after it are refused as at ingest.
    Raises RequestError that names the event's index and field.
    """
    name = _checked(cells.customer, customer, "customer_id")
    rows = [_row(event, f"events[{index}]", name, config, now_us) for index, event in enumerate(events)]
    journey = _nobody(config) if stored is None else stored
    if not rows and len(journey):
        return journey
    joined = _joined(journey, name, rows)
    by_time = joined.reordered(np.argsort(joined.time, kind="stable"))
    if config.log.id is not None:
        by_time = _one_event_an_id(by_time)
    merged, _ = sort_rows(by_time, drop_equal=config.log.drop_duplicates)
    return merged


def _row(event: Mapping[str, Any], location: str, customer: str, config: Config, now_us: int | None) -> RequestEvent:
    """An event checked by the rules of the log."""
    log = config.log
    if not isinstance(event, Mapping):
        raise RequestError(f"{location}: expected an object with the columns of the log, got {cells.raw_json(event)}")
    _refuse_strangers(event, location, customer, config)
    time = _time(event, log.time, location, log.timezone, now_us)
    name = _text(event, log.event, location)
    if time is None or name is None:
        missing = log.time if time is None else log.event
        raise RequestError(f"{location}.{missing}: {cells.EMPTY}; every event needs it")
    if time < 0:
        raise RequestError(f"{location}.{log.time}: {cells.EARLY}, got {event[log.time]!r}")
    known = _time(event, log.known, location, log.timezone, now_us) if log.known else None
    text = _text(event, log.text, location)
    numbers = {column: _number(event, column, location) for column in config.stored_numbers}
    if log.text_length:
        numbers[log.text_length] = float("nan") if text is None else float(len(text))
    return RequestEvent(
        time=time,
        known=time if known is None else max(known, time),
        event=name,
        value=_number(event, log.value, location),
        order=_key(_text(event, log.order, location, cells.key)),
        identity=_identity(_text(event, log.id, location, cells.key), text),
        categories={column: _text(event, column, location, cells.level) for column in config.stored_categories},
        numbers=numbers,
    )


def _refuse_strangers(event: Mapping[str, Any], location: str, customer: str, config: Config) -> None:
    """A misspelt column would be a silent null, another customer's event silently this one's; unread columns pass."""
    columns = set(log_columns(config).values())
    for key in event.keys() - columns:
        if difflib.get_close_matches(str(key), columns - event.keys(), n=1, cutoff=0.8):
            raise RequestError(f"{location}: unknown column '{key}'; {did_you_mean(str(key), columns - event.keys())}")
    owner = event.get(config.log.customer, customer)
    if _checked(cells.customer, owner, f"{location}.{config.log.customer}") != customer:
        raise RequestError(f"{location}.{config.log.customer}: expected '{customer}' or nothing, got {owner!r}")


def _text(event: Mapping[str, Any], column: str | None, location: str, rule: Any = cells.text) -> str | None:
    return None if column is None else _checked(rule, event.get(column), f"{location}.{column}")


def _number(event: Mapping[str, Any], column: str | None, location: str) -> float:
    """The number, NaN for null and 0 for -0."""
    number = None if column is None else _checked(cells.number, event.get(column), f"{location}.{column}")
    return float("nan") if number is None else number + 0.0


def _time(event: Mapping[str, Any], column: str, location: str, timezone: str, now_us: int | None) -> int | None:
    time: int | None = _checked(lambda value: cells.time(value, timezone), event.get(column), f"{location}.{column}")
    if time is not None and now_us is not None and time > now_us + cells.AHEAD_US:
        raise RequestError(f"{location}.{column}: {cells.LATE}, got {event[column]!r}")
    return time


def _checked(rule: Any, value: Any, location: str) -> Any:
    try:
        return rule(value)
    except ValueError as reason:
        raise RequestError(f"{location}: {reason}, got {cells.raw_json(value)}") from None


def _key(text: str | None) -> int:
    """The 63-bit key that the taken file holds for the same text."""
    if text is None:
        return NO_ORDER
    return int.from_bytes(hashlib.md5(text.encode(), usedforsecurity=False).digest()[8:], "little") >> 1


def _identity(id_: str | None, text: str | None) -> int:
    """Of the id, else (below zero) of the text."""
    if id_ is not None:
        return _key(id_)
    return NO_ORDER if text is None else -1 - _key(text)


def _nobody(config: Config) -> Journeys:
    """No customer and no row, with the columns of the store."""
    empty, empty_category = np.zeros(0, np.int64), Category(np.zeros(0, np.int32), np.zeros(0, object))
    numbers = [*config.stored_numbers, *([config.log.text_length] if config.log.text_length else [])]
    return Journeys(
        customers=np.zeros(0, object),
        starts=np.zeros(1, np.int64),
        time=empty,
        known=empty,
        event=empty_category,
        value=np.zeros(0),
        occurrence=None,
        order=empty if config.log.order else None,
        arrival=np.zeros(0, np.int32),
        categories=dict.fromkeys(config.stored_categories, empty_category),
        numbers={name: np.zeros(0) for name in numbers},
        profile=Profile.empty(0),
        identity=empty if config.log.id or config.log.text else None,
    )


def _joined(stored: Journeys, customer: str, rows: Sequence[RequestEvent]) -> Journeys:
    """The stored rows, then the fresh ones, in no order yet."""
    count = stored.rows + len(rows)
    profile = stored.profile if len(stored) else replace(stored.profile, starts=np.zeros(2, np.int64))
    return replace(
        stored,
        customers=np.array([customer], dtype=object),
        starts=np.array([0, count], np.int64),
        time=_append(stored.time, [row.time for row in rows]),
        known=_append(stored.known, [row.known for row in rows]),
        event=_append_names(stored.event, [row.event for row in rows]),
        value=_append(stored.value, [row.value for row in rows]),
        occurrence=None,
        order=None if stored.order is None else _append(stored.order, [row.order for row in rows]),
        arrival=_append(stored.arrival, [ARRIVED] * len(rows)),
        categories={
            name: _append_names(column, [row.categories[name] for row in rows])
            for name, column in stored.categories.items()
        },
        numbers={name: _append(column, [row.numbers[name] for row in rows]) for name, column in stored.numbers.items()},
        profile=profile,
        identity=None if stored.identity is None else _append(stored.identity, [row.identity for row in rows]),
    )


def _append(column: NDArray[Any], values: Sequence[Any]) -> NDArray[Any]:
    return np.concatenate([column, np.array(values, column.dtype)])


def _append_names(column: Category, values: Sequence[str | None]) -> Category:
    """The column with more values; names that nobody has yet find their place among the sorted ones."""
    unseen = sorted({value for value in values if value is not None and column.code(value) < 0})
    names, moved = insert_names(column.names, unseen)
    codes = np.where(column.codes < 0, np.int32(-1), moved[column.codes]) if len(moved) else column.codes
    extended = Category(codes, names)
    added = [-1 if value is None else extended.code(value) for value in values]
    return Category(_append(codes.astype(np.int32), added), names)


def _one_event_an_id(journey: Journeys) -> Journeys:
    """Of rows with one id the one known first stays, then the smallest by all columns, as at ingest."""
    arranged, _ = sort_rows(journey, drop_equal=False)
    identity = np.zeros(0, np.int64) if arranged.identity is None else arranged.identity
    by_id = np.lexsort((np.arange(len(identity)), arranged.known, identity))
    ids = identity[by_id]
    again = np.zeros(len(ids), bool)
    again[1:] = (ids[1:] == ids[:-1]) & (ids[1:] >= 0)
    keep = np.ones(arranged.rows, bool)
    keep[by_id[again]] = False
    return arranged if keep.all() else arranged.keep(keep)
