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
    held = _nobody(config) if stored is None else stored
    if not rows and len(held):
        return held
    joined = _joined(held, name, rows)
    by_time = joined.reordered(np.argsort(joined.time, kind="stable"))
    if config.log.id is not None:
        by_time = _one_event_an_id(by_time)
    merged, _ = sort_rows(by_time, drop_equal=config.log.drop_duplicates)
    return merged


def _row(event: Mapping[str, Any], where: str, customer: str, config: Config, now_us: int | None) -> RequestEvent:
    """An event checked by the rules of the log."""
    log = config.log
    if not isinstance(event, Mapping):
        raise RequestError(f"{where}: expected an object with the columns of the log, got {cells.raw_json(event)}")
    _refuse_strangers(event, where, customer, config)
    time = _time(event, log.time, where, log.timezone, now_us)
    name = _text(event, log.event, where)
    if time is None or name is None:
        missing = log.time if time is None else log.event
        raise RequestError(f"{where}.{missing}: {cells.EMPTY}; every event needs it")
    if time < 0:
        raise RequestError(f"{where}.{log.time}: {cells.EARLY}, got {event[log.time]!r}")
    known = _time(event, log.known, where, log.timezone, now_us) if log.known else None
    text = _text(event, log.text, where)
    numbers = {column: _number(event, column, where) for column in config.stored_numbers}
    if log.text_length:
        numbers[log.text_length] = float("nan") if text is None else float(len(text))
    return RequestEvent(
        time=time,
        known=time if known is None else max(known, time),
        event=name,
        value=_number(event, log.value, where),
        order=_key(_text(event, log.order, where)),
        identity=_identity(_text(event, log.id, where), text),
        categories={column: _text(event, column, where) for column in config.stored_categories},
        numbers=numbers,
    )


def _refuse_strangers(event: Mapping[str, Any], where: str, customer: str, config: Config) -> None:
    """A misspelt column would be a silent null, another customer's event silently this one's; unread columns pass."""
    columns = set(log_columns(config).values())
    for key in event.keys() - columns:
        if difflib.get_close_matches(str(key), columns - event.keys(), n=1, cutoff=0.8):
            raise RequestError(f"{where}: unknown column '{key}'; {did_you_mean(str(key), columns - event.keys())}")
    owner = event.get(config.log.customer, customer)
    if _checked(cells.customer, owner, f"{where}.{config.log.customer}") != customer:
        raise RequestError(f"{where}.{config.log.customer}: expected '{customer}' or nothing, got {owner!r}")


def _text(event: Mapping[str, Any], column: str | None, where: str) -> str | None:
    return None if column is None else _checked(cells.text, event.get(column), f"{where}.{column}")


def _number(event: Mapping[str, Any], column: str | None, where: str) -> float:
    """The number, NaN for null and 0 for -0."""
    found = None if column is None else _checked(cells.number, event.get(column), f"{where}.{column}")
    return float("nan") if found is None else found + 0.0


def _time(event: Mapping[str, Any], column: str, where: str, timezone: str, now_us: int | None) -> int | None:
    found: int | None = _checked(lambda value: cells.time(value, timezone), event.get(column), f"{where}.{column}")
    if found is not None and now_us is not None and found > now_us + cells.AHEAD_US:
        raise RequestError(f"{where}.{column}: {cells.LATE}, got {event[column]!r}")
    return found


def _checked(rule: Any, value: Any, where: str) -> Any:
    try:
        return rule(value)
    except ValueError as reason:
        raise RequestError(f"{where}: {reason}, got {cells.raw_json(value)}") from None


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
    none, nowhere = np.zeros(0, np.int64), Category(np.zeros(0, np.int32), np.zeros(0, object))
    numbers = [*config.stored_numbers, *([config.log.text_length] if config.log.text_length else [])]
    return Journeys(
        customers=np.zeros(0, object),
        starts=np.zeros(1, np.int64),
        time=none,
        known=none,
        event=nowhere,
        value=np.zeros(0),
        occurrence=None,
        order=none if config.log.order else None,
        arrival=np.zeros(0, np.int32),
        categories=dict.fromkeys(config.stored_categories, nowhere),
        numbers={name: np.zeros(0) for name in numbers},
        profile=Profile.empty(0),
        identity=none if config.log.id or config.log.text else None,
    )


def _joined(held: Journeys, customer: str, rows: Sequence[RequestEvent]) -> Journeys:
    """The stored rows, then the fresh ones, in no order yet."""
    count = held.rows + len(rows)
    profile = held.profile if len(held) else replace(held.profile, starts=np.zeros(2, np.int64))
    return replace(
        held,
        customers=np.array([customer], dtype=object),
        starts=np.array([0, count], np.int64),
        time=_append(held.time, [row.time for row in rows]),
        known=_append(held.known, [row.known for row in rows]),
        event=_append_names(held.event, [row.event for row in rows]),
        value=_append(held.value, [row.value for row in rows]),
        occurrence=None,
        order=None if held.order is None else _append(held.order, [row.order for row in rows]),
        arrival=_append(held.arrival, [ARRIVED] * len(rows)),
        categories={
            name: _append_names(column, [row.categories[name] for row in rows])
            for name, column in held.categories.items()
        },
        numbers={name: _append(column, [row.numbers[name] for row in rows]) for name, column in held.numbers.items()},
        profile=profile,
        identity=None if held.identity is None else _append(held.identity, [row.identity for row in rows]),
    )


def _append(column: NDArray[Any], values: Sequence[Any]) -> NDArray[Any]:
    return np.concatenate([column, np.array(values, column.dtype)])


def _append_names(column: Category, values: Sequence[str | None]) -> Category:
    """The column with more values; names that nobody has yet find their place among the sorted ones."""
    unseen = sorted({value for value in values if value is not None and column.code(value) < 0})
    names, moved = insert_names(column.names, unseen)
    codes = np.where(column.codes < 0, np.int32(-1), moved[column.codes]) if len(moved) else column.codes
    whole = Category(codes, names)
    added = [-1 if value is None else whole.code(value) for value in values]
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
