"""The BG/NBD and MBG/NBD: a customer may lapse after each purchase, with probability p ~ Beta(a, b); λ ~ Gamma(r, α).

With `from_first` False it is the BG/NBD (Fader, Hardie and Lee 2005, doi:10.1287/mksc.1040.0098), where nobody lapses
before coming back once; with True the MBG/NBD (Batislam, Denizel and Filiztekin 2007,
doi:10.1016/j.ijresmar.2006.12.005).
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import betaln, digamma, hyp2f1

from features.arrays import Floats
from models.btyd.likelihood import maximised
from models.btyd.process import SCALES, SHAPES, SINGULAR, STARTS, Expected, Past, in_mean_ages, in_units, log_arrivals

LARGE, TERMS = 100.0, 150


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
        return np.asarray(log_arrivals(self.r, self.alpha, past.x) + alive + np.logaddexp(0.0, self._log_odds(past)))

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


def fit_bg_nbd(past: Past, *, from_first: bool = False) -> BgNbd | None:
    """The likeliest BG/NBD (or MBG/NBD), None where the likelihood has no top; time is scaled while fitting."""
    rows, unit = in_mean_ages(past)
    share = rows.weight / rows.weight.sum()

    def objective(parameters: Floats) -> tuple[float, Floats]:
        model = BgNbd(*in_units(parameters, (1.0, 1.0, 1.0, 1.0)), from_first)
        return float(share @ model.log_likelihood(rows)), np.array([share @ slope for slope in model.slopes(rows)])

    best = maximised(objective, STARTS, (SHAPES, SCALES, SHAPES, SHAPES))
    return None if best is None else BgNbd(*in_units(best, (1.0, unit, 1.0, 1.0)), from_first)


def _series(a: float, b: float, c: Floats, z: Floats) -> Floats:
    """`2F1(a, b; c; z)` for 0 <= z < 1; SciPy's overflows where c is large, and there its power series ends soon."""
    large = c > LARGE
    total = hyp2f1(a, b, np.where(large, 1.0, c), np.where(large, 0.0, z))
    if large.any():
        term, large_c = np.ones(len(z)), np.where(large, c, np.inf)
        for n in range(TERMS):
            term = term * ((a + n) * (b + n) / (n + 1)) * z / (large_c + n)
            total = total + term
    return np.asarray(total)
