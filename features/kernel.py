"""The compiled pass over (customer, cutoff): the numba door.

`fill` walks the visible rows of each customer backward from the cutoff, once per block. A block is one stream with
one column; while the walk crosses from one window into the next wider one, the running figures are written down for
the narrower. Sums run from the newest row to the oldest on every host, so batch and online agree to the bit.
"""

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
import numpy as np

from features import timeline
from features.files import digest, text_digest
from features.timeline import DAY_US

# numba's cache does not see a change in an imported function, so the cache folder carries the digest of both sources.
_HERE = Path(__file__)
_SOURCES = text_digest(digest(_HERE) + digest(Path(timeline.__file__)))[:16]
_CACHE = Path(os.environ.get("NUMBA_CACHE_DIR", _HERE.parent / "__pycache__")) / f"kernel-{_SOURCES}"
numba.config.CACHE_DIR = str(_CACHE)  # type: ignore[attr-defined]

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compile a function once, keep it on disk, and release the interpreter lock while it runs."""
    return _compiler(function)  # type: ignore[no-any-return]


def _reads(kind: str, dimensions: int) -> Any:
    """The type of an input array: read-only, so that mapped files and plain arrays run the same machine code."""
    return numba.types.Array(getattr(numba.types, kind), dimensions, "C", readonly=True)


def _tuple(*kinds: tuple[str, int]) -> Any:
    return numba.types.Tuple(tuple(_reads(kind, dimensions) for kind, dimensions in kinds))


_OPTIONS: dict[str, Any] = {"nogil": True, "cache": True, "error_model": "numpy"}
_compiler = numba.njit(**_OPTIONS)
_INT, _FLOAT = ("int64", 1), ("float64", 1)
_ROWS = _tuple(_INT, _INT)
_COLUMNS = _tuple(_INT, _INT, _INT, ("int32", 1), _FLOAT, ("int32", 1), ("float64", 2), ("int32", 2))
_STREAMS = _tuple(("bool_", 2), ("int64", 2), ("int64", 2))
_BLOCKS = _tuple(_INT, _INT, _INT, ("int64", 3), ("int64", 2))
_FILL = numba.types.void(_ROWS, _COLUMNS, _STREAMS, _BLOCKS, _reads(*_INT), numba.types.float64[:, ::1])
_LATEST = numba.types.int64[::1](*(_reads(*_INT) for _ in range(4)))

visible = compiled(timeline.visible)
in_window = compiled(timeline.in_window)

COUNT, REFUNDS, SUM, MEAN, MAX, DISTINCT = range(6)  # columns of `slots`: figures per window
RECENCY, TENURE, GAP_MEAN, GAP_STD = range(4)  # columns of `whole`: figures of the whole stream
OCCURRENCES, NUMBERS, CATEGORIES = range(3)  # what a block reads


@compiled
def _sizes(row_customer, starts, occurrence, categories):
    longest, occurrences, codes = 0, 0, 0
    for row in range(len(row_customer)):
        first, end = starts[row_customer[row]], starts[row_customer[row] + 1]
        if row > 0 and row_customer[row] == row_customer[row - 1]:
            continue
        longest = max(longest, end - first)
        for position in range(first, end):
            if len(occurrence):
                occurrences = max(occurrences, occurrence[position] + 1)
            for column in range(len(categories)):
                codes = max(codes, categories[column, position] + 1)
    return longest, occurrences, codes


@compiled
def _pick(first, end, event, categories, streams, stream, picked):
    events, column, code = streams
    found = 0
    for position in range(first, end):
        wanted = events[stream, event[position]]
        for condition in range(column.shape[1]):
            if wanted and column[stream, condition] >= 0:
                wanted = categories[column[stream, condition], position] == code[stream, condition]
        if wanted:
            picked[found] = position
            found += 1
    return found


@compiled
def _collapse(picked, found, time, known, value, occurrence, cutoff, stamp, last_seen, place, times, values):
    """Visible rows as occurrences: first time, summed value. Returns how many."""
    count = 0
    for index in range(found):
        position = picked[index]
        if not visible(time[position], known[position], cutoff):
            continue
        if len(occurrence):
            number = occurrence[position]
            if last_seen[number] == stamp:
                held = place[number]
                if math.isnan(values[held]):
                    values[held] = value[position]
                elif not math.isnan(value[position]):
                    values[held] += value[position]
                continue
            last_seen[number] = stamp
            place[number] = count
        times[count] = time[position]
        values[count] = value[position]
        count += 1
    return count


@compiled
def _present(picked, found, time, known, number, cutoff, times, values):
    """Visible rows that hold the number. Returns how many."""
    count = 0
    for index in range(found):
        position = picked[index]
        if visible(time[position], known[position], cutoff) and not math.isnan(number[position]):
            times[count] = time[position]
            values[count] = number[position]
            count += 1
    return count


@compiled
def _walk(times, values, count, cutoff, windows, refunds_apart, slots, out):
    """Count, refunds, sum, mean and max over every window; a negative value is a refund where `refunds_apart`."""
    seen, refunds, valued, total, gross, largest = 0, 0, 0, 0.0, 0.0, -math.inf
    window = 0
    for index in range(count - 1, -1, -1):
        while not in_window(times[index], cutoff, windows[window]):
            _write(seen, refunds, valued, total, gross, largest, slots[window], out)
            window += 1
        amount = values[index]
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
    while window < len(windows):
        _write(seen, refunds, valued, total, gross, largest, slots[window], out)
        window += 1


@compiled
def _write(seen, refunds, valued, total, gross, largest, slots, out):
    if slots[COUNT] >= 0:
        out[slots[COUNT]] = seen
    if slots[REFUNDS] >= 0:
        out[slots[REFUNDS]] = refunds
    if slots[SUM] >= 0:
        out[slots[SUM]] = total
    if slots[MEAN] >= 0:
        out[slots[MEAN]] = gross / valued if valued else math.nan
    if slots[MAX] >= 0:
        out[slots[MAX]] = largest if valued else math.nan


@compiled
def _whole(times, values, count, cutoff, whole, out):
    """Recency, tenure and gaps in days over the occurrences that are no refunds; spread is Welford's, n - 1."""
    gaps, mean, squares = 0, 0.0, 0.0
    newest, previous = 0, 0
    seen = 0
    for index in range(count - 1, -1, -1):
        if values[index] < 0:
            continue
        if seen == 0:
            newest = times[index]
        else:
            gap = (previous - times[index]) / DAY_US
            gaps += 1
            step = gap - mean
            mean += step / gaps
            squares += step * (gap - mean)
        previous = times[index]
        seen += 1
    if whole[RECENCY] >= 0:
        out[whole[RECENCY]] = (cutoff - newest) / DAY_US if seen else math.nan
    if whole[TENURE] >= 0:
        out[whole[TENURE]] = (cutoff - previous) / DAY_US if seen else math.nan
    if whole[GAP_MEAN] >= 0:
        out[whole[GAP_MEAN]] = mean if gaps else math.nan
    if whole[GAP_STD] >= 0:
        out[whole[GAP_STD]] = math.sqrt(squares / (gaps - 1)) if gaps > 1 else math.nan


@compiled
def _distinct(picked, found, time, known, codes, cutoff, windows, stamp, last_seen, slots, out):
    """Number of different values of a category over every window."""
    different = 0
    window = 0
    for index in range(found - 1, -1, -1):
        position = picked[index]
        if not visible(time[position], known[position], cutoff):
            continue
        while not in_window(time[position], cutoff, windows[window]):
            if slots[window, DISTINCT] >= 0:
                out[slots[window, DISTINCT]] = different
            window += 1
        code = codes[position]
        if code >= 0 and last_seen[code] != stamp:
            last_seen[code] = stamp
            different += 1
    while window < len(windows):
        if slots[window, DISTINCT] >= 0:
            out[slots[window, DISTINCT]] = different
        window += 1


@numba.njit(_FILL, **_OPTIONS)
def fill(rows, columns, streams, blocks, windows, out):
    """Fill `out` (n_rows × n_features, float64) for panel rows grouped by customer.

    rows: (customer, cutoff) int64. columns: (starts, time, known, event, value, occurrence, numbers[k, n],
    categories[k, n]); an empty `occurrence` means every row is one. streams: (events[s, e] bool, column[s, k],
    code[s, k]); column -1 is no filter. blocks: (stream, source, column, slots[b, w, 6], whole[b, 4]); -1 is not
    wanted. windows: int64 µs, ascending, the last one wider than any history.
    """
    row_customer, row_cutoff = rows
    starts, time, known, event, value, occurrence, numbers, categories = columns
    block_stream, block_source, block_column, slots, whole = blocks
    longest, occurrences, codes = _sizes(row_customer, starts, occurrence, categories)
    picked = np.empty(longest, np.int64)  # rows of the current customer in the current stream
    times = np.empty(longest, np.int64)
    values = np.empty(longest, np.float64)
    last_seen = np.full(
        max(occurrences, codes), -1, np.int64
    )  # stamp of the walk that met an occurrence or a code last
    place = np.empty(occurrences, np.int64)
    stamp = -1
    for block in range(len(block_stream)):
        customer, found = -1, 0
        for row in range(len(row_customer)):
            if row_customer[row] != customer:
                customer = row_customer[row]
                found = _pick(
                    starts[customer], starts[customer + 1], event, categories, streams, block_stream[block], picked
                )
            cutoff = row_cutoff[row]
            stamp += 1
            if block_source[block] == OCCURRENCES:
                count = _collapse(
                    picked, found, time, known, value, occurrence, cutoff, stamp, last_seen, place, times, values
                )
                _walk(times, values, count, cutoff, windows, True, slots[block], out[row])
                _whole(times, values, count, cutoff, whole[block], out[row])
            elif block_source[block] == NUMBERS:
                count = _present(picked, found, time, known, numbers[block_column[block]], cutoff, times, values)
                _walk(times, values, count, cutoff, windows, False, slots[block], out[row])
            else:
                codes_of = categories[block_column[block]]
                _distinct(
                    picked, found, time, known, codes_of, cutoff, windows, stamp, last_seen, slots[block], out[row]
                )


@numba.njit(_LATEST, **_OPTIONS)
def latest(starts, known, row_customer, row_cutoff):
    """For every panel row the newest profile row known at its cutoff, or -1 (int64, n_rows)."""
    found = np.full(len(row_customer), -1, np.int64)
    for row in range(len(row_customer)):
        customer = row_customer[row]
        for position in range(starts[customer], starts[customer + 1]):
            if visible(known[position], known[position], row_cutoff[row]):
                found[row] = position
    return found
