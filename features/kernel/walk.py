"""The walk over customers, their blocks and their cutoffs.

A block is one stream with one column and the figures wanted of it. For each customer and block `fill` prepares the
rows (netted into occurrences, or those that hold the number or the category), then walks them for each cutoff from
the newest visible one backward; where the walk crosses the edge of a window, that window's figures are written.
Mostly a cutoff sees a prefix of a customer's rows; then one preparation serves all cutoffs. The arithmetic is the same
either way, and sums run from the newest to the oldest on every host, so batch and online agree to the bit.
"""

import numpy as np

from features.kernel.amounts import amounts, changes, more
from features.kernel.calendar import active_days, repeats
from features.kernel.compile import (
    COLUMNS,
    OUT,
    ROWS,
    SCRATCH,
    STREAMS,
    TABLE,
    ZONE,
    Array,
    compiled,
    entry,
    visible,
)
from features.kernel.diversity import distinct, variety
from features.kernel.gaps import rhythm
from features.kernel.opcodes import (
    AMOUNTS,
    CHANGES,
    DAYS,
    DISTINCT,
    MORE,
    REPEATS,
    RHYTHM,
    SEQUENCE,
    SESSIONS,
    VARIETY,
)
from features.kernel.rows import are_steady, labelled, localise, net, pick, present
from features.kernel.sequences import sequence
from features.kernel.sessions import sessions
from features.timeline import FOREVER

OCCURRENCES, NUMBERS, CATEGORIES = range(3)  # what a block reads
FIRST_GROUP = 3  # column of `blocks` from which on it says where the figures of each group begin


def fill(
    rows: tuple[Array, Array],
    columns: tuple[Array, ...],
    streams: tuple[Array, ...],
    zone: tuple[Array, Array],
    blocks: Array,
    figures: Array,
    out: Array,
) -> None:
    """Fill `out` (n_rows × n_features, float64) for panel rows grouped by customer.

    rows: (customer, cutoff) int64. columns: (starts, time, known, event, value, occurrence, numbers[k, n],
    categories[k, n]); an empty `occurrence` means every row is one. streams: (events[s, e] bool, column[s, k],
    code[s, k], roles[r, e]); column -1 is no filter. zone: (first instants, offsets) of local time, µs. blocks: int64
    [b, 4 + GROUPS], each (stream, source, column, where the figures of every group begin, and their end), those of a
    stream side by side. figures: int64 [f, 4], each (number, window in µs, column of `out`, argument), windows
    ascending within a group.
    """
    starts, occurrence, categories = columns[0], columns[5], columns[7]
    longest = int(np.diff(starts).max(initial=0))
    keys = 1 + max(int(occurrence.max(initial=-1)), int(categories.max(initial=-1)))
    scratch = *(np.empty(size, np.int64) for size in (keys, *[longest + 1] * 6)), np.empty(longest + 1)
    _fill(rows, columns, streams, zone, blocks, figures, scratch, out)


@compiled
def _prepare(source, picked, columns, column, until, zone, days, scratch):
    """The rows of a block as they are known at `until`. Returns how many."""
    if source == OCCURRENCES:
        prepared = net(picked, columns, until, scratch)
        if days:
            localise(scratch[3][:prepared], zone, scratch[5])
    elif source == NUMBERS:
        prepared = present(picked, columns, column, until, scratch)
    else:
        prepared = labelled(picked, columns, column, until, scratch)
    return prepared


@compiled
def _of(group, block):
    return slice(block[FIRST_GROUP + group], block[FIRST_GROUP + group + 1])


@compiled
def _walk(picked_count, columns, roles, zone, block, cutoffs, steady, figures, scratch, out):
    """The figures of one block of one customer at every cutoff."""
    source, days = block[1], block[FIRST_GROUP + DAYS] < block[FIRST_GROUP + REPEATS + 1]
    prepared, seen = 0, 0
    for row in range(len(cutoffs)):
        cutoff = cutoffs[row]
        if row == 0 or not steady:
            until = FOREVER if steady else cutoff
            prepared = _prepare(source, scratch[2][:picked_count], columns, block[2], until, zone, days, scratch)
        if not steady or (row > 0 and cutoff < cutoffs[row - 1]):
            seen = 0
        times = scratch[3]
        while seen < prepared and visible(times[seen], times[seen], cutoff):
            seen += 1
        if source == CATEGORIES:
            _categories(seen, cutoff, block, figures, scratch, out[row])
        else:
            _amounts(seen, cutoff, source == OCCURRENCES, block, figures, scratch, out[row])
        if source == OCCURRENCES:
            _occurrences(seen, cutoff, roles, zone, block, figures, scratch, out[row])


@compiled
def _categories(seen, cutoff, block, figures, scratch, out):
    _, _, _, times, newer, root, tally, again = scratch
    distinct(times[:seen], newer[:seen], cutoff, figures[_of(DISTINCT, block)], out)
    wanted = figures[_of(VARIETY, block)]
    if len(wanted):
        variety(times[:seen], newer[:seen], again[:seen], cutoff, wanted, root, tally, out)


@compiled
def _amounts(seen, cutoff, refunds_apart, block, figures, scratch, out):
    times, values = scratch[3][:seen], scratch[7][:seen]
    amounts(times, values, cutoff, figures[_of(AMOUNTS, block)], refunds_apart, out)
    wanted = figures[_of(MORE, block)]
    if len(wanted):
        more(times, values, cutoff, wanted, refunds_apart, out)
    wanted = figures[_of(CHANGES, block)]
    if len(wanted):
        changes(times, values, cutoff, wanted, refunds_apart, out)


@compiled
def _occurrences(seen, cutoff, roles, zone, block, figures, scratch, out):
    times, events, local, values = scratch[3][:seen], scratch[4][:seen], scratch[5][:seen], scratch[7][:seen]
    rhythm(times, values, cutoff, figures[_of(RHYTHM, block)], out)
    wanted = figures[_of(DAYS, block)]
    if len(wanted):
        active_days(times, values, local, cutoff, zone, wanted, out)
    wanted = figures[_of(REPEATS, block)]
    if len(wanted):
        repeats(values, local, cutoff, zone, wanted, out)
    wanted = figures[_of(SEQUENCE, block)]
    if len(wanted):
        sequence(times, values, events, cutoff, roles, wanted, out)
    wanted = figures[_of(SESSIONS, block)]
    if len(wanted):
        sessions(times, values, cutoff, wanted, out)


@entry(ROWS, COLUMNS, STREAMS, ZONE, TABLE, TABLE, SCRATCH, OUT)
def _fill(rows, columns, streams, zone, blocks, figures, scratch, out):
    """`fill` with scratch."""
    row_customer, row_cutoff = rows
    starts = columns[0]
    first_row = 0
    while first_row < len(row_customer):
        customer = row_customer[first_row]
        end_row = first_row + 1
        while end_row < len(row_customer) and row_customer[end_row] == customer:
            end_row += 1
        first, end = starts[customer], starts[customer + 1]
        cutoffs, lines = row_cutoff[first_row:end_row], out[first_row:end_row]
        steady = are_steady(first, end, columns, scratch)
        picked_count = 0
        for block in range(len(blocks)):
            if block == 0 or blocks[block, 0] != blocks[block - 1, 0]:
                picked_count = pick(first, end, columns, streams, blocks[block, 0], scratch)
            _walk(picked_count, columns, streams[3], zone, blocks[block], cutoffs, steady, figures, scratch, lines)
        first_row = end_row
