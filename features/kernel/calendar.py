"""On which days: active days, hours and weekdays, streaks, and the statistics of repeat buying, all in local time."""

import math

from features.kernel.compile import compiled, in_window
from features.kernel.opcodes import (
    ACTIVE_DAYS,
    HOUR_SHARE,
    REPEAT_AGE,
    REPEAT_DAYS,
    REPEAT_SPAN,
    REPEAT_VALUE,
    SEASON_SIN,
    STREAK_LAST,
    STREAK_LONGEST,
    WEEKDAY,
    WEEKDAY_SHARE,
)
from features.kernel.rows import local_time
from features.timeline import DAY_US

QUARTER_US = DAY_US // 4
MONDAY = 3  # 1970 began on a Thursday
YEAR_DAYS = 365.2425  # the mean of the Gregorian calendar
FAR_DAY = -(2**40)


@compiled
def active_days(times, values, local, cutoff, zone, figures, out):
    """Active days, their share of the days since the first or since the window began, and shares of hours and weekdays.

    A share belongs to its own figure, so it takes a walk of its own.
    """
    today, first = local_time(cutoff, zone) // DAY_US, 0
    while first < len(times) and values[first] < 0:
        first += 1
    index, days, newest = len(times) - 1, 0, FAR_DAY
    for figure in range(len(figures)):
        opcode, window, column = figures[figure, 0], figures[figure, 1], figures[figure, 2]
        if opcode in (HOUR_SHARE, WEEKDAY_SHARE):
            out[column] = _share(opcode, times, values, local, cutoff, window, figures[figure, 3])
            continue
        while index >= 0 and in_window(times[index], cutoff, window):
            day = local[index] // DAY_US
            if not values[index] < 0 and day != newest:
                days += 1
                newest = day
            index -= 1
        if opcode == ACTIVE_DAYS:
            out[column] = days
        elif first == len(times):
            out[column] = math.nan
        else:
            began = local[first] // DAY_US
            if not in_window(times[first], cutoff, window):
                began = max(began, local_time(cutoff - window + 1, zone) // DAY_US)
            out[column] = days / (today - began + 1)


@compiled
def _share(opcode, times, values, local, cutoff, window, wanted):
    """Of the occurrences in the window, the share in one quarter of the day or on one weekday (Monday is 0)."""
    seen, matching = 0, 0
    index = len(times) - 1
    while index >= 0 and in_window(times[index], cutoff, window):
        if not values[index] < 0:
            seen += 1
            day = local[index] // DAY_US
            matching += (
                (local[index] - day * DAY_US) // QUARTER_US if opcode == HOUR_SHARE else (day + MONDAY) % 7
            ) == wanted
        index -= 1
    return matching / seen if seen else math.nan


@compiled
def repeats(values, local, cutoff, zone, figures, out):
    """Repeat days (active days after the first), their span, age and money, and the longest and the last streak."""
    days, day, newest = 0, FAR_DAY, 0  # the last `day` that the walk comes to is the first
    money, of_day, streak, longest, last = 0.0, 0.0, 0, 0, 0
    for index in range(len(values) - 1, -1, -1):
        if values[index] < 0:
            continue
        if local[index] // DAY_US != day:
            streak = streak + 1 if days and local[index] // DAY_US == day - 1 else 1
            day = local[index] // DAY_US
            newest = day if not days else newest
            days += 1
            last = streak if streak == days else last
            longest = max(longest, streak)
            money += of_day
            of_day = 0.0
        of_day += 0.0 if math.isnan(values[index]) else values[index]
    for figure in range(len(figures)):
        opcode, column = figures[figure, 0], figures[figure, 2]
        if opcode == STREAK_LONGEST:
            out[column] = longest
        elif opcode == STREAK_LAST:
            out[column] = last
        elif not days or (opcode == REPEAT_VALUE and days == 1):
            out[column] = math.nan
        elif opcode == REPEAT_DAYS:
            out[column] = days - 1
        elif opcode == REPEAT_SPAN:
            out[column] = newest - day
        elif opcode == REPEAT_AGE:
            out[column] = local_time(cutoff, zone) // DAY_US - day
        else:
            out[column] = money / (days - 1)


@compiled
def season(cutoff, zone, opcode):
    """Where the cutoff stands in the year (sine and cosine) or in the week (Monday is 0)."""
    days = local_time(cutoff, zone) / DAY_US
    if opcode == WEEKDAY:
        return (math.floor(days) + MONDAY) % 7
    angle = 2.0 * math.pi * (days / YEAR_DAYS - math.floor(days / YEAR_DAYS))
    return math.sin(angle) if opcode == SEASON_SIN else math.cos(angle)
