"""Compared with everybody: how common the values of a customer's rows are, and what became of those who came with them.

Everything but the last division is whole numbers, so the order of adding changes no bit.
"""

import math

import numpy as np

from features.kernel.compile import (
    COLUMNS,
    COUNTS,
    OUT,
    ROWS,
    STREAMS,
    TABLE,
    Array,
    compiled,
    entry,
    in_window,
    over,
    reads,
    span,
    visible,
)
from features.kernel.rows import belongs
from features.timeline import DAY_US, WEEK_US

POPULARITY, EVENT_SHARE = range(2)


def values(
    rows: tuple[Array, Array],
    columns: tuple[Array, ...],
    streams: tuple[Array, ...],
    cells: Array,
    counts: tuple[Array, Array, Array, int, int],
    blocks: Array,
    figures: Array,
    out: Array,
) -> None:
    """Fill how common the values in a customer's rows are; `rows`, `columns`, `streams` and `out` as in `walk.fill`.

    cells: int32 [k, n], the hash of each row's value, -1 for none. counts: (starts, days, totals, groups of a
    count key, until). blocks: int64 [b, 7], each (stream, which of `cells`, the numbers of three count keys (all rows
    in one group, rows by value, the event's rows by value), where its figures begin and end). figures: int64 [f, 3],
    each (number, window in µs, column of `out`), windows ascending within a block.
    """
    _values(rows, columns, streams, cells, counts, blocks, figures, out)


def cohorts(
    rows: tuple[Array, Array],
    columns: tuple[Array, ...],
    counts: tuple[Array, Array, Array, int, int],
    averages: Array,
    out: Array,
) -> None:
    """Fill averages of cohorts. averages: int64 [a, 3], each (count key of customers, of occurrences, column of
    `out`).
    """
    _cohorts(rows, columns, counts, averages, out)


@compiled
def total(counts, key, group, cutoff):
    """What was counted of a group when the last day before the cutoff was over."""
    starts, days, totals, groups, until = counts
    first = starts[key * groups + group]
    low, high = first, starts[key * groups + group + 1]
    instant = min(cutoff, until)
    while low < high:
        middle = (low + high) // 2
        if over(np.int64(days[middle]) * DAY_US, instant):
            low = middle + 1
        else:
            high = middle
    return np.int64(totals[low - 1]) if low > first else np.int64(0)


@compiled
def _block(first, end, columns, streams, cells, counts, cutoff, block, figures, out):
    _, time, known, _, _, _, _, _ = columns
    stream, cell, of_all, of_value, of_event, start, stop = block
    everybody = total(counts, of_all, 0, cutoff)
    seen, rows, hits = 0, 0, 0
    index = end - 1
    for operation in range(start, stop):
        while index >= first and in_window(time[index], cutoff, figures[operation, 1]):
            group = cells[cell, index]
            if group >= 0 and visible(time[index], known[index], cutoff) and belongs(index, columns, streams, stream):
                seen += 1
                rows += total(counts, of_value, group, cutoff)
                if of_event != of_value:
                    hits += total(counts, of_event, group, cutoff)
            index -= 1
        out[figures[operation, 2]] = math.nan
        if figures[operation, 0] == POPULARITY and seen * everybody > 0:
            out[figures[operation, 2]] = rows / (seen * everybody)
        elif figures[operation, 0] == EVENT_SHARE and rows > 0:
            out[figures[operation, 2]] = hits / rows


@entry(ROWS, COLUMNS, STREAMS, reads("int32", 2), COUNTS, TABLE, TABLE, OUT)
def _values(rows, columns, streams, cells, counts, blocks, figures, out):
    customers, cutoffs = rows
    starts = columns[0]
    for row in range(len(customers)):
        first, end = starts[customers[row]], starts[customers[row] + 1]
        for block in range(len(blocks)):
            _block(first, end, columns, streams, cells, counts, cutoffs[row], blocks[block], figures, out[row])


@entry(ROWS, COLUMNS, COUNTS, TABLE, OUT)
def _cohorts(rows, columns, counts, averages, out):
    customers, cutoffs = rows
    starts, time, known, _, value, _, _, _ = columns
    for row in range(len(customers)):
        cohort = -1
        for index in range(starts[customers[row] + 1] - 1, starts[customers[row]] - 1, -1):
            if visible(time[index], known[index], cutoffs[row]) and not value[index] < 0:
                cohort = span(time[index], WEEK_US)
        for average in range(len(averages)):
            of_customers, of_occurrences, place = averages[average]
            people = total(counts, of_customers, cohort, cutoffs[row]) if cohort >= 0 else 0
            out[row, place] = total(counts, of_occurrences, cohort, cutoffs[row]) / people if people > 0 else math.nan
