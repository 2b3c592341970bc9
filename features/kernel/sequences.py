"""In which order: the last events, transitions, and the furthest stage of a funnel.

Occurrences only, refunds left out. `events` holds the event of each; the row of `roles` that a figure names says what
part each event plays in it.
"""

import math

from features.kernel.compile import compiled, in_window
from features.kernel.opcodes import FUNNEL, LAST_1, TRANSITIONS

FROM, TO = 1, 2  # roles in a transition, which an event to itself plays both


@compiled
def sequence(times, values, events, cutoff, roles, figures, out):
    """Whether the last event but so many is the one asked for, how often one followed another, how far it went."""
    for figure in range(len(figures)):
        opcode, window, column = figures[figure, 0], figures[figure, 1], figures[figure, 2]
        role = roles[figures[figure, 3]]
        if opcode == TRANSITIONS:
            out[column] = _transitions(times, values, events, cutoff, window, role)
        elif opcode == FUNNEL:
            out[column] = _stage(times, values, events, cutoff, window, role)
        else:
            out[column] = _last_but(opcode - LAST_1, values, events, role)


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
    transitions, later, inside = 0, -1, False
    for index in range(len(times) - 1, -1, -1):
        if values[index] < 0:
            continue
        if later >= 0:
            if not inside:
                break
            transitions += (role[events[index]] & FROM) != 0 and (role[events[later]] & TO) != 0
        later, inside = index, in_window(times[index], cutoff, window)
    return float(transitions)


@compiled
def _stage(times, values, events, cutoff, window, role):
    furthest = 0
    index = len(times) - 1
    while index >= 0 and in_window(times[index], cutoff, window):
        if not values[index] < 0:
            furthest = max(furthest, role[events[index]])
        index -= 1
    return float(furthest)
