"""How outcomes of money lie around their mean: the distribution that medians, quantiles and intervals are read from.

An outcome is nothing or less with the chance `p_none`, else an amount. Customers of like mean share the shape of either
part, as ratios: to the mean of all, and to the mean of those who buy. What the two parts give is made to come true on
later rows (conformal prediction of a distribution; Chernozhukov, Wüthrich and Zhu 2021,
doi:10.1073/pnas.2107794118), again among customers of like mean: `used` says which level to read for a level asked for.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.special import ndtri

from features.arrays import Floats, Ints
from models.prediction import EPS

LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
COVERAGE = 0.9  # of outcomes lie in an interval
INTERVAL_STARTS = 11  # where an interval may begin
STARTS = np.linspace(0.0, 1.0 - COVERAGE, INTERVAL_STARTS)
LEVELS_READ = np.concatenate([STARTS, STARTS + COVERAGE, LEVELS])
FINE = 1e-6  # ratios are kept to so much
MAX_P_NONE = 0.99  # nobody is surer to buy nothing

Table = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class OutcomeDistribution:
    """Group `i` of `edges` holds `edges[i-1] < mean <= edges[i]`, of `used_edges` alike.

    Rows of `none`, `some` and `used` are groups, columns evenly spaced levels from 0 to 1: ratios of outcomes not above
    0 to the mean, of those above 0 to the mean of who buys, and the levels to read. Means count at least as `floor`.
    """

    edges: tuple[float, ...]
    none: Table
    some: Table
    used_edges: tuple[float, ...]
    used: Table
    floor: float

    def predict(self, context: "PredictionContext") -> tuple[Floats, Floats, Floats]:
        """The shortest interval that holds 90 % of outcomes, its ends by row, and quantiles at `LEVELS`, (n, n_levels).

        All from one reading: of a single customer the calls cost more than the work.
        """
        table = self.quantiles(LEVELS_READ, context)
        low, high, quantiles = (
            table[:, :INTERVAL_STARTS],
            table[:, INTERVAL_STARTS : 2 * INTERVAL_STARTS],
            table[:, 2 * INTERVAL_STARTS :],
        )
        best = np.argmin(high - low, axis=1)[:, None]
        return np.take_along_axis(low, best, axis=1)[:, 0], np.take_along_axis(high, best, axis=1)[:, 0], quantiles

    def quantiles(self, levels: Floats, context: "PredictionContext") -> Floats:
        """Quantiles of the outcomes at these levels (k,), shape (n, k)."""
        return self._read(np.broadcast_to(levels, (len(context.mean), len(levels))), context)

    def rank(self, outcome: Floats, mean: Floats, p_none: Floats, place: Floats) -> Floats:
        """The level at which each outcome lies before it is made to come true, 0-1.

        `place` in (0, 1) says where between the levels of equal outcomes, as all that bought nothing.
        """
        unit, chance = self.units(mean, p_none)
        group = np.searchsorted(self._edges[0], mean, side="left")
        some = outcome > 0
        ratio = np.where(some, outcome / unit[:, 1], outcome / unit[:, 0])
        within = np.empty(len(outcome))
        for table, part in ((self._tables[0], ~some), (self._tables[1], some)):
            for number in np.unique(group[part]):
                rows = part & (group == number)
                low, high = _place(table[number], ratio[rows])
                within[rows] = low + (high - low) * place[rows]
        return np.where(some, chance + (1.0 - chance) * within, chance * within)

    def pack(self) -> dict[str, Any]:
        """Plain JSON from which `unpack_outcome_distribution` makes the same."""
        return asdict(self)

    @cached_property
    def _edges(self) -> tuple[Floats, Floats]:
        return np.asarray(self.edges, np.float64), np.asarray(self.used_edges, np.float64)

    @cached_property
    def _tables(self) -> tuple[Floats, Floats, Floats]:
        none, some, used = (np.asarray(table, np.float64) for table in (self.none, self.some, self.used))
        return none, some, used

    def units(self, mean: Floats, p_none: Floats) -> tuple[Floats, Floats]:
        """What ratios of either part are to, (n, 2), and the chance of nothing."""
        chance = np.minimum(p_none, MAX_P_NONE)
        unit = np.maximum(mean, self.floor)
        return np.stack([unit, unit / (1.0 - chance)], axis=1), chance

    def _read(self, levels: Floats, context: "PredictionContext") -> Floats:
        mean = context.mean
        none, some, used = self._tables
        level = _at(used, self._edges[1].searchsorted(mean, side="left"), levels)
        unit, chance = self.units(mean, context.p_none)
        unit = unit * (np.asarray(context.factor) * np.exp(-(context.level_std**2) / 2)).reshape(-1, 1)
        group = self._edges[0].searchsorted(mean, side="left")
        nothing = chance[:, None]
        below = np.minimum(level / np.maximum(nothing, 1.0 - MAX_P_NONE), 1.0)
        above = np.clip((level - nothing) / (1.0 - nothing), 0.0, 1.0)
        amount = _at(some, group, above)
        if context.level_std:
            amount = _widened(amount, _at(some, group, np.full((len(mean), 1), 0.5)), above, context.level_std)
        nothing_much = _at(none, group, below) * unit[:, :1]
        return np.asarray(np.where(level <= nothing, nothing_much, amount * unit[:, 1:]))


@dataclass(frozen=True)
class PredictionContext:
    """What a predictor expects of n customers within the fitted horizon: their mean and, within the horizon asked for,
    the chance that they buy nothing.

    `factor` carries the mean over to the horizon asked for, `level_std` is the standard deviation of the level that all
    share, in the logarithm of money.
    """

    mean: Floats
    p_none: Floats
    factor: Floats | float = 1.0
    level_std: float = 0.0


def unpack_outcome_distribution(plain: Mapping[str, Any] | None) -> OutcomeDistribution | None:
    """What `pack` wrote; None stays None."""
    if plain is None:
        return None
    none, some, used = (tuple(tuple(row) for row in plain[name]) for name in ("none", "some", "used"))
    return OutcomeDistribution(tuple(plain["edges"]), none, some, tuple(plain["used_edges"]), used, plain["floor"])


def _widened(amount: Floats, middle: Floats, level: Floats, level_std: float) -> Floats:
    """Quantiles of amounts whose level is not known: variances of logarithms add up, as of normal ones."""
    middle = np.maximum(middle, FINE)
    least = middle * EPS
    apart = np.log(np.maximum(amount, least) / middle)
    wider = np.hypot(apart, level_std * ndtri(np.clip(level, 1e-3, 1 - 1e-3)))
    return np.asarray(np.where(amount > least, middle * np.exp(np.sign(level - 0.5) * wider), amount))


def _at(table: Floats, group: Ints, level: Floats) -> Floats:
    """Values of the groups' rows at these levels (n, k), straight between the columns."""
    last = table.shape[1] - 1
    place = level * last
    left = np.minimum(place.astype(np.int64), last - 1)
    share = place - left
    row = group[:, None]
    return np.asarray(table[row, left] * (1.0 - share) + table[row, left + 1] * share)


def _place(column: Floats, values: Floats) -> tuple[Floats, Floats]:
    """The lowest and the highest level at which an ascending column has each value."""
    grid = np.linspace(0.0, 1.0, len(column))
    lowest = 1.0 - np.interp(-values, -column[::-1], grid)
    return lowest, np.maximum(np.interp(values, column, grid), lowest)
