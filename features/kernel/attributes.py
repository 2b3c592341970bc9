"""What needs no walk: attributes of the profile as known at a cutoff, and the season of the cutoff itself."""

import math

from features.kernel.calendar import season
from features.kernel.compile import OUT, PROFILE, ROWS, TABLE, ZONE, Array, entry, visible

NUMBER, LEVEL = range(2)  # kinds of attribute


def seasons(rows: tuple[Array, Array], zone: tuple[Array, Array], wanted: Array, out: Array) -> None:
    """Fill what depends on the cutoff alone. wanted: int64 [a, 2], each (number, column of `out`)."""
    _seasons(rows, zone, wanted, out)


@entry(ROWS, ZONE, TABLE, OUT)
def _seasons(rows, zone, wanted, out):
    row_cutoff = rows[1]
    for row in range(len(row_cutoff)):
        for figure in range(len(wanted)):
            out[row, wanted[figure, 1]] = season(row_cutoff[row], zone, wanted[figure, 0])


def attributes(rows: tuple[Array, Array], profile: tuple[Array, ...], wanted: Array, out: Array) -> None:
    """Fill attributes of `out` from the newest profile row known at each cutoff.

    profile: (starts, known, numbers[k, n], categories[k, n]). wanted: int64 [a, 4], each (kind, column, code, column of
    `out`); column -1 is not in this profile.
    """
    _attributes(rows, profile, wanted, out)


@entry(ROWS, PROFILE, TABLE, OUT)
def _attributes(rows, profile, wanted, out):
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
