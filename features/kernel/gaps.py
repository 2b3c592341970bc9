"""When: the whole stream's recency, tenure and gaps, over the occurrences that are no refunds."""

import math

from features.kernel.compile import compiled
from features.kernel.opcodes import GAP_CV, GAP_MAX, GAP_MEAN, GAP_STD, RECENCY, TENURE
from features.timeline import DAY_US


@compiled
def rhythm(times, values, cutoff, figures, out):
    """Recency, tenure and gaps in days; the spread is over n - 1, the silence is the recency over the average gap."""
    newest, oldest = len(times) - 1, 0
    while newest >= 0 and values[newest] < 0:
        newest -= 1
    while oldest < newest and values[oldest] < 0:
        oldest += 1
    for figure in range(len(figures)):
        opcode, column = figures[figure, 0], figures[figure, 2]
        if newest < 0:
            out[column] = math.nan
        elif opcode == RECENCY:
            out[column] = (cutoff - times[newest]) / DAY_US
        elif opcode == TENURE:
            out[column] = (cutoff - times[oldest]) / DAY_US
        else:
            times_, values_ = times[oldest : newest + 1], values[oldest : newest + 1]
            out[column] = _gap(opcode, times_, values_, cutoff)


@compiled
def _gap(opcode, times, values, cutoff):
    """A figure of the gaps between the first and the last row, which are no refunds."""
    gaps = -1
    for value in values:
        gaps += not value < 0
    if not gaps:
        return math.nan
    span = times[-1] - times[0]
    if opcode == GAP_MEAN:
        return span / (gaps * DAY_US)
    if opcode == GAP_STD:
        return _spread(times, values, gaps) / DAY_US
    if opcode == GAP_MAX:
        return _longest(times, values) / DAY_US
    if opcode == GAP_CV:
        return _spread(times, values, gaps) / (span / gaps) if span else math.nan
    return (cutoff - times[-1]) * gaps / span if span else math.nan


@compiled
def _spread(times, values, gaps):
    if gaps < 2:
        return math.nan
    mean = (times[-1] - times[0]) / gaps
    squares, later = 0.0, times[-1]
    for index in range(len(times) - 2, -1, -1):
        if not values[index] < 0:
            squares += (later - times[index] - mean) ** 2
            later = times[index]
    return math.sqrt(squares / (gaps - 1))


@compiled
def _longest(times, values):
    longest, later = 0, times[-1]
    for index in range(len(times) - 2, -1, -1):
        if not values[index] < 0:
            longest = max(longest, later - times[index])
            later = times[index]
    return longest
