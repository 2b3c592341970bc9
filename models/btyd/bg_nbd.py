"""Buy till you die: when customers come back, from how often (x), how recently (t_x) and for how long (age) they have.

Each customer buys at random moments at an own rate λ until an unseen lapse; rates and lapses differ by customer. What
is to be expected of one follows from three numbers in days: `x` repeat days, `t_x` from the first day to the last, and
`age` from the first day to now (T in the papers), `0 <= t_x <= age`. All arrays are float64 of shape (n,); every
formula is elementwise and in logarithms, so a row has the same bits alone and among many and nothing overflows.

- `BgNbd`: λ ~ Gamma(r, α); after each purchase a lapse with probability p ~ Beta(a, b). With `from_first` False it
  is the BG/NBD (Fader, Hardie and Lee 2005, doi:10.1287/mksc.1040.0098), where nobody lapses before coming back once;
  with True the MBG/NBD (Batislam, Denizel and Filiztekin 2007, doi:10.1016/j.ijresmar.2006.12.005).
- `ParetoNbd`: λ as above; a lapse at any moment, at the rate μ ~ Gamma(s, β) (Schmittlein, Morrison and Colombo 1987,
  doi:10.1287/mnsc.33.1.1).
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.special import betaln, digamma, gammaln, hyp2f1

from features.arrays import Floats
from models.btyd.likelihood import by_differences, maximised

MOST_FITTED = 50_000  # customers: four parameters are known to a few hundredths then
LARGE, TERMS = 100.0, 150
SINGULAR = 1e-6  # formulas have removable poles at 1 and 0, which parameters keep this far from


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
        x, t_x, age = (np.ascontiguousarray(one, np.float64) for one in (x, t_x, age))
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


@dataclass(frozen=True)
class BgNbd:
    """BG/NBD, or MBG/NBD with `from_first`; α in days."""

    r: float
    alpha: float
    a: float
    b: float
    from_first: bool = False

    def log_likelihood(self, past: Past) -> Floats:
        """Equation (6) of the BG/NBD paper, (5) of the MBG/NBD's; for counts of any size."""
        alive = betaln(self.a, self.b + self._chances(past)) - betaln(self.a, self.b) - self._rate(past, past.age)
        return np.asarray(_arrivals(self.r, self.alpha, past.x) + alive + np.logaddexp(0.0, self._log_odds(past)))

    def expect(self, past: Past, days: float) -> Expected:
        """Equations (8) and (10) of doi:10.1287/mksc.1040.0098, (11) of doi:10.1016/j.ijresmar.2006.12.005.

        The hypergeometric series is taken under Euler's transformation, where its terms are small. No purchase comes
        after a lapse, or when the gamma mixture of e^(-λ days) has it so.
        """
        a = 1 + SINGULAR if abs(self.a - 1) < SINGULAR else self.a
        top = a + self.b + self._chances(past) - 1
        top = np.where(np.abs(top) < SINGULAR, SINGULAR, top)
        shrunk = -np.log1p(days / (self.alpha + past.age))  # ln of the share of the rate that is left after the span
        series = _series(a + self.b + self._extra - 1 - self.r, a - 1, top, -np.expm1(shrunk))
        alive = np.exp(-np.logaddexp(0.0, self._log_odds(past)))
        orders = top / (a - 1) * (1 - np.exp((a - 1) * shrunk) * series) * alive
        return Expected(alive, orders, 1 + alive * np.expm1((self.r + past.x) * shrunk))

    def slopes(self, past: Past) -> tuple[Floats, Floats, Floats, Floats]:
        """Derivatives of each row's log-likelihood in r, α, a and b."""
        r, alpha, a, b = self.r, self.alpha, self.a, self.b
        chances = self._chances(past)
        lapsed = 1 - np.exp(-np.logaddexp(0.0, self._log_odds(past)))
        reached = (1 - lapsed) / (alpha + past.age) + lapsed / (alpha + past.t_x)
        logs = (1 - lapsed) * np.log(alpha + past.age) + lapsed * np.log(alpha + past.t_x)
        ends = digamma(a + b) - digamma(a + b + chances)
        return (
            digamma(r + past.x) - digamma(r) + np.log(alpha) - logs,
            r / alpha - (r + past.x) * reached,
            ends + lapsed / a,
            ends - digamma(b) + digamma(b + chances) - lapsed / (b + np.maximum(chances, 1) - 1),
        )

    @property
    def _extra(self) -> int:
        return int(self.from_first)

    def _chances(self, past: Past) -> Floats:
        """How often the customer could have lapsed, and has not if alive."""
        return past.x + self._extra

    def _rate(self, past: Past, until: Floats) -> Floats:
        return np.asarray((self.r + past.x) * np.log(self.alpha + until))

    def _log_odds(self, past: Past) -> Floats:
        """Of having lapsed right after the last purchase; never where there was no chance to."""
        chances = self._chances(past)
        quiet = (self.r + past.x) * np.log1p((past.age - past.t_x) / (self.alpha + past.t_x))
        return np.asarray(
            np.where(chances > 0, np.log(self.a / (self.b + np.maximum(chances, 1) - 1)) + quiet, -np.inf)
        )


@dataclass(frozen=True)
class ParetoNbd:
    """Pareto/NBD; α and β in days."""

    r: float
    alpha: float
    s: float
    beta: float

    def log_likelihood(self, past: Past) -> Floats:
        """Equation (A1) of doi:10.1287/mnsc.33.1.1 as an alive part times one plus the odds of having lapsed."""
        alive = -(self.r + past.x) * np.log(self.alpha + past.age) - self.s * np.log1p(past.age / self.beta)
        return np.asarray(_arrivals(self.r, self.alpha, past.x) + alive + np.logaddexp(0.0, self._log_odds(past)))

    def expect(self, past: Past, days: float) -> Expected:
        """Equations (11) to (13) and (22) of doi:10.1287/mnsc.33.1.1.

        Expected orders are the mean of λ (1 - e^(-μ days)) / μ if alive. No purchase comes after a lapse, or when a new
        customer of the rates that are left would not buy within an age of `days`.
        """
        rate, alpha, beta = self.r + past.x, self.alpha + past.age, self.beta + past.age
        s = self.s - 1 if abs(self.s - 1) > SINGULAR else SINGULAR
        alive = np.exp(-np.logaddexp(0.0, self._log_odds(past)))
        orders = alive * rate / alpha * (beta / s) * -np.expm1(-s * np.log1p(days / beta))
        return Expected(alive, orders, 1 + alive * np.expm1(_nothing(rate, alpha, self.s, beta, days)))

    def _log_odds(self, past: Past) -> Floats:
        rate = self.r + past.x
        return _lapse_odds(rate, self.s, (self.alpha + past.t_x, self.beta + past.t_x), past.age - past.t_x)


def fit_bg_nbd(past: Past, *, from_first: bool = False) -> BgNbd | None:
    """The likeliest BG/NBD (or MBG/NBD), None where the likelihood has no top; time is scaled while fitting."""
    rows, unit = _scaled(past)
    share = rows.weight / rows.weight.sum()

    def objective(parameters: Floats) -> tuple[float, Floats]:
        model = BgNbd(*_plain(parameters, (1.0, 1.0, 1.0, 1.0)), from_first)
        return float(share @ model.log_likelihood(rows)), np.array([share @ slope for slope in model.slopes(rows)])

    best = maximised(objective, STARTS, (SHAPES, SCALES, SHAPES, SHAPES))
    return None if best is None else BgNbd(*_plain(best, (1.0, unit, 1.0, 1.0)), from_first)


def fit_pareto_nbd(past: Past) -> ParetoNbd | None:
    """The likeliest Pareto/NBD, None where the likelihood has no top."""
    rows, unit = _scaled(past)
    share = rows.weight / rows.weight.sum()
    objective = by_differences(
        lambda p: float(share @ ParetoNbd(*_plain(p, (1.0, 1.0, 1.0, 1.0))).log_likelihood(rows))
    )
    best = maximised(objective, STARTS[:1], (SHAPES, SCALES, SHAPES, SCALES))
    return None if best is None else ParetoNbd(*_plain(best, (1.0, unit, 1.0, unit)))


STARTS = ((0.6, 0.6, 0.6, 1.6), (0.2, 0.1, 0.4, 3.0))  # time in units of the mean age
SHAPES = (1e-3, 20.0)  # beyond, customers are as good as equal
SCALES = (1e-4, 1e4)


def _scaled(past: Past) -> tuple[Past, float]:
    rows = past.summed()
    unit = max(float(np.average(rows.age, weights=rows.weight)), 1e-9) if len(rows) else 1.0
    return Past(rows.x, rows.t_x / unit, rows.age / unit, rows.weight), unit


Four = tuple[float, float, float, float]


def _plain(parameters: Floats, units: Four) -> Four:
    first, second, third, fourth = (parameters * np.array(units)).tolist()
    return first, second, third, fourth


def _arrivals(r: float, alpha: float, x: Floats) -> Floats:
    """`ln Γ(r+x) / Γ(r) + r ln α`."""
    return np.asarray(gammaln(r + x) - gammaln(r) + r * np.log(alpha))


Rates = Floats | float


def _lapse_odds(r: Rates, s: float, since: tuple[Floats, Floats], quiet: Rates) -> Floats:
    """Log-odds of a lapse within a quiet spell that began when the rates were Gamma(r, A) and Gamma(s, B).

    The lapse at v after the last purchase weighs `s (A+v)^-r (B+v)^-(s+1)`. Its integral to infinity is, by Euler's
    transformation, `(A+v)^-r (B+v)^-s g / (r+s)` with the `g` of `_tail`, which lies between 1 and (r+s)/s.
    """
    a, b = since
    fall = r * np.log1p(quiet / a) + s * np.log1p(quiet / b)
    before, after = _tail(r, s, a, b), _tail(r, s, a + quiet, b + quiet)
    with np.errstate(divide="ignore"):  # no quiet spell, no odds
        gone = np.log(np.maximum(1 - np.exp(-fall) * after / before, 0.0))
    return np.asarray(np.log(s / (r + s)) + fall + np.log(before) + gone)


def _series(a: float, b: float, c: Floats, z: Floats) -> Floats:
    """`2F1(a, b; c; z)` for 0 <= z < 1; SciPy's overflows where c is large, and there its power series ends soon."""
    large = c > LARGE
    total = hyp2f1(a, b, np.where(large, 1.0, c), np.where(large, 0.0, z))
    if large.any():
        term, held = np.ones(len(z)), np.where(large, c, np.inf)
        for n in range(TERMS):
            term = term * ((a + n) * (b + n) / (n + 1)) * z / (held + n)
            total = total + term
    return np.asarray(total)


def _tail(r: Rates, s: float, a: Floats, b: Floats) -> Floats:
    above = hyp2f1(1.0, r, r + s + 1, np.maximum(a - b, 0.0) / a)
    below = (a / b) * hyp2f1(1.0, s + 1, r + s + 1, np.maximum(b - a, 0.0) / b)
    return np.asarray(np.where(a >= b, above, below))


def _nothing(r: Floats, alpha: Floats, s: float, beta: Floats, days: float) -> Floats:
    """`ln P(no purchase within days)` of customers alive with rates Gamma(r, α) and Gamma(s, β)."""
    alive = -r * np.log1p(days / alpha) - s * np.log1p(days / beta)
    return np.asarray(alive + np.logaddexp(0.0, _lapse_odds(r, s, (alpha, beta), days)))
