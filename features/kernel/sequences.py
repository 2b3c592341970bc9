"""In which order: the last events, transitions, the furthest stage of a funnel, and sessions.

Occurrences only, refunds left out. `events` holds the event of each; the row of `roles` that a figure names says what
part each event plays in it.
"""

import math

from features.kernel.compile import compiled, in_window
from features.kernel.opcodes import BOUNCES, COUNTED, DEPTH, FUNNEL, LAST_1, TRANSITIONS
from features.timeline import SECOND_US

FROM, TO = 1, 2  # roles in a transition, which an event to itself plays both
SESSION_US = 30 * 60 * SECOND_US  # a longer silence ends a session


@compiled
def sequence(times, values, events, cutoff, roles, figures, out):
    """Whether the last event but so many is the one asked for, how often one followed another, how far it went."""
    for figure in range(len(figures)):
        what, window, column = figures[figure, 0], figures[figure, 1], figures[figure, 2]
        role = roles[figures[figure, 3]]
        if what == TRANSITIONS:
            out[column] = _transitions(times, values, events, cutoff, window, role)
        elif what == FUNNEL:
            out[column] = _stage(times, values, events, cutoff, window, role)
        else:
            out[column] = _last_but(what - LAST_1, values, events, role)


@compiled
def _last_but(skipped, values, events, role):
    for index in range(len(values) - 1, -1, -1):
        if not values[index] < 0:
            if not skipped:
                return float(role[events[index]])
            skipped -= 1
    return math.nan


@compiled
def _transitions(times, values, events, cutoff, window, role):
    """Neighbours of which the later one lies in the window."""
    found, later, inside = 0, -1, False
    for index in range(len(times) - 1, -1, -1):
        if values[index] < 0:
            continue
        if later >= 0:
            if not inside:
                break
            found += (role[events[index]] & FROM) != 0 and (role[events[later]] & TO) != 0
        later, inside = index, in_window(times[index], cutoff, window)
    return float(found)


@compiled
def _stage(times, values, events, cutoff, window, role):
    furthest = 0
    index = len(times) - 1
    while index >= 0 and in_window(times[index], cutoff, window):
        if not values[index] < 0:
            furthest = max(furthest, role[events[index]])
        index -= 1
    return float(furthest)


@compiled
def sessions(times, values, cutoff, figures, out):
    """Sessions among the occurrences of a window: how many, their average minutes and size, the share with only one."""
    ended, length, rows, bounces = 0, 0, 0, 0
    end, start, size = 0, 0, 0  # of the session that the walk is in
    index = len(times) - 1
    for figure in range(len(figures)):
        what, window, column = figures[figure, 0], figures[figure, 1], figures[figure, 2]
        while index >= 0 and in_window(times[index], cutoff, window):
            if not values[index] < 0:
                if size and start - times[index] > SESSION_US:
                    ended, length, bounces, size = ended + 1, length + end - start, bounces + (size == 1), 0
                end = end if size else times[index]
                start, size, rows = times[index], size + 1, rows + 1
            index -= 1
        count = ended + (size > 0)
        if what == COUNTED:
            out[column] = count
        elif not count:
            out[column] = math.nan
        elif what == DEPTH:
            out[column] = rows / count
        elif what == BOUNCES:
            out[column] = (bounces + (size == 1)) / count
        else:
            out[column] = (length + end - start) / (count * 60 * SECOND_US)
