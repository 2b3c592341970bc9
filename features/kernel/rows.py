"""The rows of a stream, prepared for the walks: which they are, netted into occurrences, with a number or a category.

`columns` and `streams` are explained at `walk.fill`. Scratch is (place, members, picked, times, newer, local, tally,
values): `place` and `members` are a sparse set, `picked` the rows of the stream, and the rest is what is prepared,
oldest first.
"""

import math

from features.kernel.compile import compiled, visible


@compiled
def held_at(place, members, count, key):
    """Where a sparse set holds a key, else -1; `place` may hold anything at all (Briggs and Torczon, 1993)."""
    position = place[key]
    return position if 0 <= position < count and members[position] == key else -1


@compiled
def are_steady(first, end, columns, scratch):
    """Whether what a cutoff sees of these rows is always a prefix of them, and all rows of an order or none."""
    _, time, known, _, _, occurrence, _, _ = columns
    place, members, _, times, _, _, _, _ = scratch
    count = 0
    for row in range(first, end):
        if not visible(time[row], known[row], time[row]):
            return False  # learnt of late
        if len(occurrence):
            position = held_at(place, members, count, occurrence[row])
            if position < 0:
                place[occurrence[row]], members[count], times[count] = count, occurrence[row], time[row]
                count += 1
            elif times[position] != time[row]:
                return False
    return True


@compiled
def pick(first, end, columns, streams, stream, scratch):
    """Rows of the stream. Returns how many."""
    picked = scratch[2]
    count = 0
    for row in range(first, end):
        picked[count] = row  # without a branch, which would mostly be guessed wrong
        count += belongs(row, columns, streams, stream)
    return count


@compiled
def belongs(row, columns, streams, stream):
    """Whether a row is of the stream."""
    event, categories = columns[3], columns[7]
    events, column, code, _ = streams
    wanted = events[stream, event[row]]
    for condition in range(column.shape[1]):
        if wanted and column[stream, condition] >= 0:
            wanted = categories[column[stream, condition], row] == code[stream, condition]
    return wanted


@compiled
def net(picked, columns, cutoff, scratch):
    """Visible rows as occurrences: first time, summed value, and in `newer` the event. Returns how many."""
    _, time, known, event, value, occurrence, _, _ = columns
    place, members, _, times, newer, _, _, values = scratch
    count = 0
    for row in picked:
        if not visible(time[row], known[row], cutoff):
            continue
        if len(occurrence):
            position = held_at(place, members, count, occurrence[row])
            if position >= 0:
                if math.isnan(values[position]):
                    values[position] = value[row]
                elif not math.isnan(value[row]):
                    values[position] += value[row]
                continue
            place[occurrence[row]], members[count] = count, occurrence[row]
        times[count], values[count], newer[count] = time[row], value[row], event[row]
        count += 1
    return count


@compiled
def present(picked, columns, column, cutoff, scratch):
    """Visible rows that hold the number. Returns how many."""
    _, time, known, _, _, _, numbers, _ = columns
    _, _, _, times, _, _, _, values = scratch
    count = 0
    for row in picked:
        if visible(time[row], known[row], cutoff) and not math.isnan(numbers[column, row]):
            times[count], values[count] = time[row], numbers[column, row]
            count += 1
    return count


@compiled
def labelled(picked, columns, column, cutoff, scratch):
    """Visible rows that hold the category; `newer` is the next one with the same value, and `values` is 1 where there
    is one before. Returns how many.
    """
    _, time, known, _, _, _, _, categories = columns
    place, members, _, times, newer, _, _, values = scratch
    count = 0
    for row in picked:
        code = categories[column, row]
        if visible(time[row], known[row], cutoff) and code >= 0:
            position = held_at(place, members, count, code)
            if position >= 0:
                newer[position] = count
            place[code], members[count] = count, code
            times[count], newer[count], values[count] = time[row], len(newer), position >= 0
            count += 1
    return count


@compiled
def localise(times, zone, local):
    """Local times, in µs since 1970 began there."""
    for index in range(len(times)):
        local[index] = local_time(times[index], zone)


@compiled
def local_time(time, zone):
    """The local time of an instant: `zone` is (first instants, offsets from there on), both in µs."""
    starts, offsets = zone
    low, high = 0, len(starts)
    while high - low > 1:
        middle = (low + high) // 2
        if time < starts[middle]:
            high = middle
        else:
            low = middle
    return time + offsets[low]
