"""The one order of rows: customer, time, then all columns, so that the order rows came in changes nothing.

Nulls stand first. The store and the merge of a request's events both call `sort_rows`: they are equal to the bit.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.arrays import Strings
from features.journeys import Journeys, Profile, number_occurrences

Column = NDArray[Any]


def sort_rows(journeys: Journeys, *, drop_equal: bool) -> tuple[Journeys, int]:
    """The same rows in their one order, with occurrences numbered, and how many equal another one.

    Rows come grouped by customer and ordered by time. Rows are equal when all but their arrival is; with `drop_equal`
    the first to arrive stays.
    """
    owner = journeys.owner
    columns = _columns(journeys)
    order = _order_of_ties(owner, journeys.time, columns)
    if order is not None:
        journeys, columns = journeys.reordered(order), [column[order] for column in columns]
    equal = _equals_previous(owner, journeys.time, columns[:-1])
    if drop_equal and equal.any():
        journeys = journeys.keep(~equal)
        owner = journeys.owner
    if journeys.order is None:
        return journeys, int(equal.sum())
    numbers = number_occurrences(owner, journeys.event.codes, journeys.order)
    return replace(journeys, occurrence=numbers), int(equal.sum())


def sort_profile(owner: NDArray[Any], profile: Profile) -> Profile:
    """Every row of a profile once, in order of customer, `known` and all columns; `owner` tells whose each row is."""
    codes = [category.codes for category in profile.categories.values()]
    columns = [owner, profile.known, *codes, *map(_nulls_first, profile.numbers.values())]
    order = np.lexsort(columns[::-1])
    is_new = np.ones(len(order), bool)
    is_new[1:] = np.logical_or.reduce([column[order][1:] != column[order][:-1] for column in columns])
    rows = order[is_new]
    return Profile(
        starts=np.searchsorted(owner[rows], np.arange(len(profile.starts))),
        known=profile.known[rows],
        categories={name: category[rows] for name, category in profile.categories.items()},
        numbers={name: column[rows] for name, column in profile.numbers.items()},
    )


def insert_names(names: Strings, unseen: list[str]) -> tuple[Strings, NDArray[np.int32]]:
    """Sorted `names` with sorted `unseen` ones among them, and the new code of every old one."""
    if not unseen:
        return names, np.arange(len(names), dtype=np.int32)
    added = np.array(unseen, dtype=object)
    places = np.searchsorted(names, added) if len(names) else np.zeros(len(added), np.int64)
    codes = np.arange(len(names)) + np.searchsorted(places, np.arange(len(names)), side="right")
    return np.insert(names, places, added), codes.astype(np.int32)


def _columns(journeys: Journeys) -> list[Column]:
    """The columns that order rows of one customer and time, the first first; the last is arrival."""
    order = [] if journeys.order is None else [journeys.order]
    identity = [] if journeys.identity is None else [journeys.identity]
    return [
        journeys.known,
        journeys.event.codes,
        _nulls_first(journeys.value),
        *order,
        *(column.codes for column in journeys.categories.values()),
        *(_nulls_first(column) for column in journeys.numbers.values()),
        *identity,
        journeys.arrival,
    ]


def _nulls_first(values: Column) -> Column:
    missing = np.isnan(values)
    return np.where(missing, -np.inf, values) if missing.any() else values


def _order_of_ties(owner: Column, time: Column, columns: list[Column]) -> NDArray[np.int64] | None:
    """The order of rows by all columns, or None when it is the order they are in: only ties of time are looked at."""
    tied = (owner[1:] == owner[:-1]) & (time[1:] == time[:-1])
    if not tied.any():
        return None
    within = np.zeros(len(owner), bool)
    within[1:] |= tied
    within[:-1] |= tied
    rows = np.flatnonzero(within)
    group = np.cumsum(np.concatenate([[True], ~tied]))[rows]
    order = np.arange(len(owner))
    order[rows] = rows[np.lexsort((*(column[rows] for column in reversed(columns)), group))]
    return order


def _equals_previous(owner: Column, time: Column, columns: list[Column]) -> NDArray[np.bool_]:
    """Whether a row equals the one before it in every column."""
    equal = np.zeros(len(owner), bool)
    rows = 1 + np.flatnonzero((owner[1:] == owner[:-1]) & (time[1:] == time[:-1]))
    for column in columns:
        rows = rows[column[rows] == column[rows - 1]]
    equal[rows] = True
    return equal
