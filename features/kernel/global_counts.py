"""Compared with everybody: how common the values of a customer's rows are, and what became of those who came with them.

Everything but the last division is whole numbers, so the order of adding changes no bit.
"""

import math

import numpy as np

from features.kernel.compile import (
    COLUMNS,
    CROWD,
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
    crowd: tuple[Array, Array, Array, int, int],
    blocks: Array,
    figures: Array,
    out: Array,
) -> None:
    """Fill what is said of the values in a customer's rows; `rows`, `columns`, `streams` and `out` as in `walk.fill`.

    cells: int32 [k, n], the hash of each row's value, -1 for none. crowd: (starts, spans, totals, groups of a topic,
    until). blocks: int64 [b, 7], each (stream, which of `cells`, topics of all rows in one, of rows by value, and of
    the event's rows by value, where its figures begin and end). figures: int64 [f, 3], each (number, window in µs,
    column of `out`), windows ascending within a block.
    """
    _values(rows, columns, streams, cells, crowd, blocks, figures, out)


def cohorts(
    rows: tuple[Array, Array],
    columns: tuple[Array, ...],
    crowd: tuple[Array, Array, Array, int, int],
    wanted: Array,
    out: Array,
) -> None:
    """Fill averages of cohorts. wanted: int64 [a, 3], each (topic of customers, of occurrences, column of `out`)."""
    _cohorts(rows, columns, crowd, wanted, out)


@compiled
def total(crowd, topic, group, cutoff):
    """What a group had come to when the last span before the cutoff was over."""
    starts, spans, totals, groups, until = crowd
    first = starts[topic * groups + group]
    low, high = first, starts[topic * groups + group + 1]
    now = min(cutoff, until)
    while low < high:
        middle = (low + high) // 2
        if over(np.int64(spans[middle]) * DAY_US, now):
            low = middle + 1
        else:
            high = middle
    return np.int64(totals[low - 1]) if low > first else np.int64(0)


@compiled
def _block(first, end, columns, streams, cells, crowd, cutoff, block, figures, out):
    _, time, known, _, _, _, _, _ = columns
    stream, cell, every, of_value, of_event, figure, last = block
    everybody = total(crowd, every, 0, cutoff)
    seen, rows, hits = 0, 0, 0
    index = end - 1
    for place in range(figure, last):
        while index >= first and in_window(time[index], cutoff, figures[place, 1]):
            group = cells[cell, index]
            if group >= 0 and visible(time[index], known[index], cutoff) and belongs(index, columns, streams, stream):
                seen += 1
                rows += total(crowd, of_value, group, cutoff)
                if of_event != of_value:
                    hits += total(crowd, of_event, group, cutoff)
            index -= 1
        out[figures[place, 2]] = math.nan
        if figures[place, 0] == POPULARITY and seen * everybody > 0:
            out[figures[place, 2]] = rows / (seen * everybody)
        elif figures[place, 0] == EVENT_SHARE and rows > 0:
            out[figures[place, 2]] = hits / rows


@entry(ROWS, COLUMNS, STREAMS, reads("int32", 2), CROWD, TABLE, TABLE, OUT)
def _values(rows, columns, streams, cells, crowd, blocks, figures, out):
    customers, cutoffs = rows
    starts = columns[0]
    for row in range(len(customers)):
        first, end = starts[customers[row]], starts[customers[row] + 1]
        for block in range(len(blocks)):
            _block(first, end, columns, streams, cells, crowd, cutoffs[row], blocks[block], figures, out[row])


@entry(ROWS, COLUMNS, CROWD, TABLE, OUT)
def _cohorts(rows, columns, crowd, wanted, out):
    customers, cutoffs = rows
    starts, time, known, _, value, _, _, _ = columns
    for row in range(len(customers)):
        came = -1
        for index in range(starts[customers[row] + 1] - 1, starts[customers[row]] - 1, -1):
            if visible(time[index], known[index], cutoffs[row]) and not value[index] < 0:
                came = span(time[index], WEEK_US)
        for asked in range(len(wanted)):
            people = total(crowd, wanted[asked, 0], came, cutoffs[row]) if came >= 0 else 0
            place = wanted[asked, 2]
            out[row, place] = total(crowd, wanted[asked, 1], came, cutoffs[row]) / people if people > 0 else math.nan
