"""The compiled pass over (customer, cutoff): the numba door.

A block is one stream with one column and the figures wanted of it. For each customer and block `fill` prepares the
rows (netted into occurrences, or those that hold the number or the category), then walks them for each cutoff from
the newest visible one backward; where the walk crosses the edge of a window, that window's figures are written.
Mostly a cutoff sees a prefix of a customer's rows; then one preparation serves all cutoffs. The arithmetic is the same
either way, and sums run from the newest to the oldest on every host, so batch and online agree to the bit.
"""

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
import numpy as np
from numpy.typing import NDArray

from features import timeline
from features.files import digest, text_digest
from features.timeline import DAY_US, FOREVER

# numba's cache does not see a change in an imported function, so the cache folder carries the digest of both sources.
_HERE = Path(__file__)
_SOURCES = text_digest(digest(_HERE) + digest(Path(timeline.__file__)))[:16]
_CACHE = Path(os.environ.get("NUMBA_CACHE_DIR", _HERE.parent / "__pycache__")) / f"kernel-{_SOURCES}"
numba.config.CACHE_DIR = str(_CACHE)  # type: ignore[attr-defined]
# `_nrt` off: reference counts take two thirds of the time; without them nothing is made inside, so scratch is given
_OPTIONS: dict[str, Any] = {"nogil": True, "cache": True, "error_model": "numpy", "_nrt": False}

F = TypeVar("F", bound=Callable[..., Any])
Array = NDArray[Any]


def compiled(function: F) -> F:
    """Compile a function once, keep it on disk, and release the interpreter lock while it runs."""
    return numba.njit(**_OPTIONS, forceinline=True)(function)  # type: ignore[no-any-return]


def _reads(kind: str, dimensions: int = 1) -> Any:
    """The type of an input array: read-only, so that mapped files and plain arrays run the same machine code."""
    return numba.types.Array(getattr(numba.types, kind), dimensions, "C", readonly=True)


def _all(*kinds: Any) -> Any:
    return numba.types.Tuple(kinds)


_INT, _CODE, _FLOAT = _reads("int64"), _reads("int32"), _reads("float64")
_TABLE = _reads("int64", 2)
_OUT = numba.types.float64[:, ::1]
_ROWS = _all(_INT, _INT)
_COLUMNS = _all(_INT, _INT, _INT, _CODE, _FLOAT, _CODE, _reads("float64", 2), _reads("int32", 2))
_STREAMS = _all(_reads("bool_", 2), _TABLE, _TABLE)
_SCRATCH = _all(*[numba.types.int64[::1]] * 5, numba.types.float64[::1])
_PROFILE = _all(_INT, _INT, _reads("float64", 2), _reads("int32", 2))

visible = compiled(timeline.visible)
in_window = compiled(timeline.in_window)

OCCURRENCES, NUMBERS, CATEGORIES = range(3)  # what a block reads
COUNT, REFUNDS, SUM, MEAN, MAX, DISTINCT = range(6)  # figures of a window
RECENCY, TENURE, GAP_MEAN, GAP_STD = range(6, 10)  # figures of the whole stream
NUMBER, LEVEL = range(2)  # kinds of attribute


def fill(
    rows: tuple[Array, Array],
    columns: tuple[Array, ...],
    streams: tuple[Array, ...],
    blocks: Array,
    figures: Array,
    out: Array,
) -> None:
    """Fill `out` (n_rows × n_features, float64) for panel rows grouped by customer.

    rows: (customer, cutoff) int64. columns: (starts, time, known, event, value, occurrence, numbers[k, n],
    categories[k, n]); an empty `occurrence` means every row is one. streams: (events[s, e] bool, column[s, k],
    code[s, k]); column -1 is no filter. blocks: int64 [b, 6], each (stream, source, column, first figure, first figure
    of the whole stream, end of figures), those of a stream side by side. figures: int64 [f, 3], each (what, window in
    µs, column of `out`), windows ascending within a block.
    """
    starts, occurrence, categories = columns[0], columns[5], columns[7]
    longest = int(np.diff(starts).max(initial=0))
    keys = 1 + max(int(occurrence.max(initial=-1)), int(categories.max(initial=-1)))
    place, members, picked, times, newer = (np.empty(size, np.int64) for size in (keys, *[longest + 1] * 4))
    scratch = place, members, picked, times, newer, np.empty(longest + 1)
    _fill(rows, columns, streams, blocks, figures, scratch, out)


@compiled
def _held(place, members, count, key):
    """Where a sparse set holds a key, else -1; `place` may hold anything at all (Briggs and Torczon, 1993)."""
    held = place[key]
    return held if 0 <= held < count and members[held] == key else -1


@compiled
def _steady(first, end, columns, scratch):
    """Whether what a cutoff sees of these rows is always a prefix of them, and all rows of an order or none."""
    _, time, known, _, _, occurrence, _, _ = columns
    place, members, _, times, _, _ = scratch
    count = 0
    for row in range(first, end):
        if not visible(time[row], known[row], time[row]):
            return False  # learnt of late
        if len(occurrence):
            held = _held(place, members, count, occurrence[row])
            if held < 0:
                place[occurrence[row]], members[count], times[count] = count, occurrence[row], time[row]
                count += 1
            elif times[held] != time[row]:
                return False
    return True


@compiled
def _pick(first, end, columns, streams, stream, scratch):
    """Rows of the stream. Returns how many."""
    event, categories = columns[3], columns[7]
    events, column, code = streams
    picked = scratch[2]
    found = 0
    for row in range(first, end):
        wanted = events[stream, event[row]]
        for condition in range(column.shape[1]):
            if wanted and column[stream, condition] >= 0:
                wanted = categories[column[stream, condition], row] == code[stream, condition]
        picked[found] = row  # without a branch, which would mostly be guessed wrong
        found += wanted
    return found


@compiled
def _net(picked, columns, cutoff, scratch):
    """Visible rows as occurrences: first time, summed value. Returns how many."""
    _, time, known, _, value, occurrence, _, _ = columns
    place, members, _, times, _, values = scratch
    count = 0
    for row in picked:
        if not visible(time[row], known[row], cutoff):
            continue
        if len(occurrence):
            held = _held(place, members, count, occurrence[row])
            if held >= 0:
                if math.isnan(values[held]):
                    values[held] = value[row]
                elif not math.isnan(value[row]):
                    values[held] += value[row]
                continue
            place[occurrence[row]], members[count] = count, occurrence[row]
        times[count], values[count] = time[row], value[row]
        count += 1
    return count


@compiled
def _present(picked, columns, column, cutoff, scratch):
    """Visible rows that hold the number. Returns how many."""
    _, time, known, _, _, _, numbers, _ = columns
    _, _, _, times, _, values = scratch
    count = 0
    for row in picked:
        if visible(time[row], known[row], cutoff) and not math.isnan(numbers[column, row]):
            times[count], values[count] = time[row], numbers[column, row]
            count += 1
    return count


@compiled
def _labelled(picked, columns, column, cutoff, scratch):
    """Visible rows that hold the category, and for each the next one with the same value. Returns how many."""
    _, time, known, _, _, _, _, categories = columns
    place, members, _, times, newer, _ = scratch
    count = 0
    for row in picked:
        code = categories[column, row]
        if visible(time[row], known[row], cutoff) and code >= 0:
            held = _held(place, members, count, code)
            if held >= 0:
                newer[held] = count
            place[code], members[count] = count, code
            times[count], newer[count] = time[row], len(newer)
            count += 1
    return count


@compiled
def _amounts(times, values, cutoff, figures, refunds_apart, out):
    """Count, refunds, sum, mean and max; where `refunds_apart`, a negative value is a refund and enters only sums."""
    seen, refunds, valued, total, gross, largest = 0, 0, 0, 0.0, 0.0, -math.inf
    index = len(times) - 1
    for figure in range(len(figures)):
        what, window, column = figures[figure, 0], figures[figure, 1], figures[figure, 2]
        while index >= 0 and in_window(times[index], cutoff, window):
            amount = values[index]
            index -= 1
            if refunds_apart and amount < 0:
                refunds += 1
                total += amount
                continue
            seen += 1
            if not math.isnan(amount):
                valued += 1
                total += amount
                gross += amount
                largest = max(largest, amount)
        if what == COUNT:
            out[column] = seen
        elif what == REFUNDS:
            out[column] = refunds
        elif what == SUM:
            out[column] = total
        elif what == MEAN:
            out[column] = gross / valued if valued else math.nan
        else:
            out[column] = largest if valued else math.nan


@compiled
def _distinct(times, newer, cutoff, figures, out):
    """Number of different values: a row counts when no visible row after it has the same."""
    different = 0
    index = len(times) - 1
    for figure in range(len(figures)):
        while index >= 0 and in_window(times[index], cutoff, figures[figure, 1]):
            different += newer[index] >= len(times)
            index -= 1
        out[figures[figure, 2]] = different


@compiled
def _whole(times, values, cutoff, figures, out):
    """Recency, tenure and gaps in days over the occurrences that are no refunds; the spread is over n - 1."""
    newest, oldest = len(times) - 1, 0
    while newest >= 0 and values[newest] < 0:
        newest -= 1
    while oldest < newest and values[oldest] < 0:
        oldest += 1
    for figure in range(len(figures)):
        what, column = figures[figure, 0], figures[figure, 2]
        if newest < 0:
            out[column] = math.nan
        elif what == RECENCY:
            out[column] = (cutoff - times[newest]) / DAY_US
        elif what == TENURE:
            out[column] = (cutoff - times[oldest]) / DAY_US
        elif what == GAP_MEAN:
            gaps = _gaps(values[oldest : newest + 1])
            out[column] = (times[newest] - times[oldest]) / (gaps * DAY_US) if gaps else math.nan
        else:
            out[column] = _spread(times[oldest : newest + 1], values[oldest : newest + 1])


@compiled
def _gaps(values):
    gaps = -1
    for value in values:
        gaps += not value < 0
    return gaps


@compiled
def _spread(times, values):
    gaps = _gaps(values)
    if gaps < 2:
        return math.nan
    mean = (times[-1] - times[0]) / gaps
    squares, later = 0.0, times[-1]
    for index in range(len(times) - 2, -1, -1):
        if not values[index] < 0:
            squares += (later - times[index] - mean) ** 2
            later = times[index]
    return math.sqrt(squares / (gaps - 1)) / DAY_US


@compiled
def _walk(found, columns, block, cutoffs, steady, figures, scratch, out):
    """The figures of one block of one customer at every cutoff."""
    _, _, picked, times, newer, values = scratch
    source, column = block[1], block[2]
    windowed, whole = figures[block[3] : block[4]], figures[block[4] : block[5]]
    prepared, seen = 0, 0
    for row in range(len(cutoffs)):
        cutoff = cutoffs[row]
        if row == 0 or not steady:
            until = FOREVER if steady else cutoff
            if source == OCCURRENCES:
                prepared = _net(picked[:found], columns, until, scratch)
            elif source == NUMBERS:
                prepared = _present(picked[:found], columns, column, until, scratch)
            else:
                prepared = _labelled(picked[:found], columns, column, until, scratch)
        if not steady or (row > 0 and cutoff < cutoffs[row - 1]):
            seen = 0
        while seen < prepared and visible(times[seen], times[seen], cutoff):
            seen += 1
        if source == CATEGORIES:
            _distinct(times[:seen], newer[:seen], cutoff, windowed, out[row])
        else:
            _amounts(times[:seen], values[:seen], cutoff, windowed, source == OCCURRENCES, out[row])
            _whole(times[:seen], values[:seen], cutoff, whole, out[row])


@numba.njit(numba.types.void(_ROWS, _COLUMNS, _STREAMS, _TABLE, _TABLE, _SCRATCH, _OUT), **_OPTIONS)
def _fill(rows, columns, streams, blocks, figures, scratch, out):
    """`fill` with scratch: place[any key], members, rows of the stream, and what is prepared: times, newer, values."""
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
        steady = _steady(first, end, columns, scratch)
        found = 0
        for block in range(len(blocks)):
            if block == 0 or blocks[block, 0] != blocks[block - 1, 0]:
                found = _pick(first, end, columns, streams, blocks[block, 0], scratch)
            _walk(found, columns, blocks[block], cutoffs, steady, figures, scratch, lines)
        first_row = end_row


@numba.njit(numba.types.void(_ROWS, _PROFILE, _TABLE, _OUT), **_OPTIONS)
def attributes(rows, profile, wanted, out):
    """Fill attributes of `out` from the newest profile row known at each cutoff.

    profile: (starts, known, numbers[k, n], categories[k, n]). wanted: int64 [a, 4], each (kind, column, code, column of
    `out`); column -1 is not in this profile.
    """
    row_customer, row_cutoff = rows
    starts, known, numbers, categories = profile
    for row in range(len(row_customer)):
        newest = -1
        for position in range(starts[row_customer[row]], starts[row_customer[row] + 1]):
            if visible(known[position], known[position], row_cutoff[row]):
                newest = position
        for attribute in range(len(wanted)):
            kind, column, code, place = wanted[attribute]
            out[row, place] = math.nan
            if newest >= 0 and column >= 0:
                if kind == NUMBER:
                    out[row, place] = numbers[column, newest]
                elif categories[column, newest] >= 0:
                    out[row, place] = categories[column, newest] == code
