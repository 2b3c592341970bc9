"""Which: how many values of a category, how evenly spread, and how many of them not for the first time."""

import math

from features.kernel.compile import compiled, in_window
from features.kernel.opcodes import ENTROPY, TOP_SHARE


@compiled
def distinct(times, newer, cutoff, figures, out):
    """Number of different values: a row counts when no visible row after it has the same."""
    different = 0
    index = len(times) - 1
    for figure in range(len(figures)):
        while index >= 0 and in_window(times[index], cutoff, figures[figure, 1]):
            different += newer[index] >= len(times)
            index -= 1
        out[figures[figure, 2]] = different


@compiled
def variety(times, newer, again, cutoff, figures, root, tally, out):
    """Share of the commonest value, entropy in nats, and the share of rows whose value was there before.

    `root` is the newest visible row with the same value, and `tally` counts there.
    """
    seen, repeated, top = 0, 0, 0
    index = len(times) - 1
    for figure in range(len(figures)):
        opcode, window, column = figures[figure, 0], figures[figure, 1], figures[figure, 2]
        while index >= 0 and in_window(times[index], cutoff, window):
            fresh = newer[index] >= len(times)
            root[index] = index if fresh else root[newer[index]]
            tally[root[index]] = 1 if fresh else tally[root[index]] + 1
            top = max(top, tally[root[index]])
            repeated += again[index] > 0
            seen += 1
            index -= 1
        if not seen:
            out[column] = math.nan
        elif opcode == TOP_SHARE:
            out[column] = top / seen
        elif opcode == ENTROPY:
            out[column] = _entropy(index + 1, seen, root, tally)
        else:
            out[column] = repeated / seen


@compiled
def _entropy(first, seen, root, tally):
    total = 0.0
    for index in range(first + seen - 1, first - 1, -1):
        if root[index] == index:
            share = tally[index] / seen
            total -= share * math.log(share)
    return total
