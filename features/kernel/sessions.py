"""Sessions: occurrences with no longer silence between them; how many, how long, how deep, and bounces."""

import math

from features.kernel.compile import compiled, in_window
from features.kernel.opcodes import BOUNCES, COUNTED, DEPTH
from features.timeline import SECOND_US

SESSION_US = 30 * 60 * SECOND_US  # a longer silence ends a session


@compiled
def sessions(times, values, cutoff, figures, out):
    """Sessions among the occurrences of a window: how many, their average minutes and size, the share with only one."""
    ended, length, rows, bounces = 0, 0, 0, 0
    end, start, size = 0, 0, 0  # of the session that the walk is in
    index = len(times) - 1
    for figure in range(len(figures)):
        opcode, window, column = figures[figure, 0], figures[figure, 1], figures[figure, 2]
        while index >= 0 and in_window(times[index], cutoff, window):
            if not values[index] < 0:
                if size and start - times[index] > SESSION_US:
                    ended, length, bounces, size = ended + 1, length + end - start, bounces + (size == 1), 0
                end = end if size else times[index]
                start, size, rows = times[index], size + 1, rows + 1
            index -= 1
        count = ended + (size > 0)
        if opcode == COUNTED:
            out[column] = count
        elif not count:
            out[column] = math.nan
        elif opcode == DEPTH:
            out[column] = rows / count
        elif opcode == BOUNCES:
            out[column] = (bounces + (size == 1)) / count
        else:
            out[column] = (length + end - start) / (count * 60 * SECOND_US)
