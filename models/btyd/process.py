"""Buy till you die: when customers come back, from how often (x), how recently (t_x) and for how long (age) they have.

Each customer buys at random moments at an own rate λ until an unseen lapse; rates and lapses differ by customer. What
is to be expected of one follows from three numbers in days: `x` repeat days, `t_x` from the first day to the last, and
`age` from the first day to now (T in the papers), `0 <= t_x <= age`. All arrays are float64 of shape (n,); every
formula is elementwise and in logarithms, so a row has the same bits alone and among many and nothing overflows.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.special import gammaln

from features.arrays import Floats

MOST_FITTED = 50_000  # customers: four parameters are known to a few hundredths then
SINGULAR = 1e-6  # formulas have removable poles at 1 and 0, which parameters keep this far from
Four = tuple[float, float, float, float]
STARTS = ((0.6, 0.6, 0.6, 1.6), (0.2, 0.1, 0.4, 3.0))  # time in units of the mean age
SHAPES = (1e-3, 20.0)  # beyond, customers are as good as equal
SCALES = (1e-4, 1e4)


@dataclass(frozen=True)
class Past:
    """What is known of n customers: `x`, `t_x` and `age` in days, and how many customers each row stands for."""

    x: Floats
    t_x: Floats
    age: Floats
    weight: Floats

    @staticmethod
    def of(x: Floats, t_x: Floats, age: Floats) -> "Past":
        """One customer a row."""
        x, t_x, age = (np.ascontiguousarray(column, np.float64) for column in (x, t_x, age))
        return Past(x, t_x, age, np.ones(len(x)))

    def __len__(self) -> int:
        return len(self.x)

    def summed(self, most: int = MOST_FITTED) -> "Past":
        """Equal customers in one row; of more than `most` every k-th in the order of x, t_x and age."""
        order = np.lexsort((self.age, self.t_x, self.x))
        table = np.stack([self.x, self.t_x, self.age])[:, order]
        weight = self.weight[order]
        new = np.ones(len(self), np.bool_)
        new[1:] = (table[:, 1:] != table[:, :-1]).any(axis=0)
        total = np.add.reduceat(weight, np.flatnonzero(new)) if len(self) else weight
        x, t_x, age = table[:, new]
        if total.sum() <= most:
            return Past(x, t_x, age, total)
        step = total.sum() / most
        drawn = np.diff(np.floor(np.cumsum(total) / step + 0.5), prepend=0.0)
        return Past(x[drawn > 0], t_x[drawn > 0], age[drawn > 0], drawn[drawn > 0] * step)


@dataclass(frozen=True)
class Expected:
    """What is to be expected of each customer.

    `p_alive` is the chance of not having lapsed by `age`, `orders` the expected purchases in `(age, age + days]`, and
    `p_none` the chance of no purchase there.
    """

    p_alive: Floats
    orders: Floats
    p_none: Floats


class Process(Protocol):
    """What all processes answer."""

    def log_likelihood(self, past: Past) -> Floats:
        """Of each row, once."""

    def expect(self, past: Past, days: float) -> Expected:
        """What the next `days` are expected to bring."""


def in_mean_ages(past: Past) -> tuple[Past, float]:
    """Equal rows summed and time in units of the mean age, and that unit in days."""
    rows = past.summed()
    unit = max(float(np.average(rows.age, weights=rows.weight)), 1e-9) if len(rows) else 1.0
    return Past(rows.x, rows.t_x / unit, rows.age / unit, rows.weight), unit


def in_units(parameters: Floats, units: Four) -> Four:
    """Four fitted parameters, each in its unit."""
    first, second, third, fourth = (parameters * np.array(units)).tolist()
    return first, second, third, fourth


def log_arrivals(r: float, alpha: float, x: Floats) -> Floats:
    """`ln Γ(r+x) / Γ(r) + r ln α`."""
    return np.asarray(gammaln(r + x) - gammaln(r) + r * np.log(alpha))
