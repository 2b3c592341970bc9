"""How much and how it changes: figures of windows over occurrences and their money, or over numbers.

Each walk goes from the newest row to the oldest and stops at the windows' edges on the way. Where `refunds_apart`, a
negative value is a refund: no occurrence, but part of sums.
"""

import math

from features.kernel.compile import compiled, in_window
from features.kernel.opcodes import (
    COUNT,
    COUNT_ACCELERATION,
    COUNT_RATIO,
    COUNT_SLOPE,
    FIRST,
    GROSS,
    LAST,
    MEAN,
    MIN,
    REFUNDS,
    STD,
    SUM,
    SUM_RATIO,
    SUM_SLOPE,
)


@compiled
def amounts(times, values, cutoff, figures, refunds_apart, out):
    """Count, refunds, sum, mean and max."""
    seen, refunds, valued, total, gross, largest = 0, 0, 0, 0.0, 0.0, -math.inf
    index = len(times) - 1
    for figure in range(len(figures)):
        opcode, window, column = figures[figure, 0], figures[figure, 1], figures[figure, 2]
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
        if opcode == COUNT:
            out[column] = seen
        elif opcode == REFUNDS:
            out[column] = refunds
        elif opcode == SUM:
            out[column] = total
        elif opcode == MEAN:
            out[column] = gross / valued if valued else math.nan
        else:
            out[column] = largest if valued else math.nan


@compiled
def more(times, values, cutoff, figures, refunds_apart, out):
    """Min, standard deviation over n - 1 (Welford, 1962), last, first, and the sums of each sign."""
    valued, mean, squares, gross, refunded = 0, 0.0, 0.0, 0.0, 0.0
    smallest, newest, oldest = math.nan, math.nan, math.nan
    index = len(times) - 1
    for figure in range(len(figures)):
        opcode, window, column = figures[figure, 0], figures[figure, 1], figures[figure, 2]
        while index >= 0 and in_window(times[index], cutoff, window):
            amount = values[index]
            index -= 1
            if refunds_apart and amount < 0:
                refunded -= amount
            elif not math.isnan(amount):
                valued += 1
                deviation = amount - mean
                mean += deviation / valued
                squares += deviation * (amount - mean)
                gross += amount
                smallest = amount if valued == 1 else min(smallest, amount)
                newest = amount if valued == 1 else newest
                oldest = amount
        if opcode == MIN:
            out[column] = smallest
        elif opcode == STD:
            out[column] = math.sqrt(squares / (valued - 1)) if valued > 1 else math.nan
        elif opcode == LAST:
            out[column] = newest
        elif opcode == FIRST:
            out[column] = oldest
        else:
            out[column] = gross if opcode == GROSS else refunded


@compiled
def changes(times, values, cutoff, figures, refunds_apart, out):
    """Ratio, slope and acceleration, of occurrences or of what is no refund, between parts of equal length."""
    for figure in range(len(figures)):
        opcode, window, column = figures[figure, 0], figures[figure, 1], figures[figure, 2]
        counts = opcode in (COUNT_RATIO, COUNT_SLOPE, COUNT_ACCELERATION)
        slope, ratio = opcode in (COUNT_SLOPE, SUM_SLOPE), opcode in (COUNT_RATIO, SUM_RATIO)
        length, parts = window // 4 if slope else window, 4 if slope else 2 if ratio else 3
        newest, before, earlier, first = 0.0, 0.0, 0.0, 0.0
        part = 0
        for index in range(len(times) - 1, -1, -1):
            while part < parts and not in_window(times[index], cutoff, (part + 1) * length):
                part += 1
            if part == parts:
                break
            amount = values[index]
            if (refunds_apart and amount < 0) or (math.isnan(amount) and not counts):
                continue
            amount = 1.0 if counts else amount
            newest += amount if part == 0 else 0.0
            before += amount if part == 1 else 0.0
            earlier += amount if part == 2 else 0.0
            first += amount if part == 3 else 0.0
        if ratio:
            out[column] = newest / (newest + before) if newest + before else math.nan
        elif slope:  # least squares over four equal quarters
            out[column] = (1.5 * newest + 0.5 * before - 0.5 * earlier - 1.5 * first) / 5.0
        else:
            out[column] = newest - 2.0 * before + earlier
