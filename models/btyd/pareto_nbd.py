"""The Pareto/NBD: a customer may lapse at any moment, at the rate μ ~ Gamma(s, β); λ ~ Gamma(r, α).

Schmittlein, Morrison and Colombo 1987, doi:10.1287/mnsc.33.1.1.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import hyp2f1

from features.arrays import Floats
from models.btyd.likelihood import by_differences, maximised
from models.btyd.process import SCALES, SHAPES, SINGULAR, STARTS, Expected, Past, in_mean_ages, in_units, log_arrivals

Rates = Floats | float


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
        return np.asarray(log_arrivals(self.r, self.alpha, past.x) + alive + np.logaddexp(0.0, self._log_odds(past)))

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


def fit_pareto_nbd(past: Past) -> ParetoNbd | None:
    """The likeliest Pareto/NBD, None where the likelihood has no top."""
    rows, unit = in_mean_ages(past)
    share = rows.weight / rows.weight.sum()
    objective = by_differences(
        lambda p: float(share @ ParetoNbd(*in_units(p, (1.0, 1.0, 1.0, 1.0))).log_likelihood(rows))
    )
    best = maximised(objective, STARTS[:1], (SHAPES, SCALES, SHAPES, SCALES))
    return None if best is None else ParetoNbd(*in_units(best, (1.0, unit, 1.0, unit)))


def _lapse_odds(r: Rates, s: float, since: tuple[Floats, Floats], quiet: Rates) -> Floats:
    """Log-odds of a lapse within a quiet spell that began when the rates were Gamma(r, A) and Gamma(s, B).

    The lapse at v after the last purchase weighs `s (A+v)^-r (B+v)^-(s+1)`. Its integral to infinity is, by Euler's
    transformation, `(A+v)^-r (B+v)^-s g / (r+s)` with the `g` of `_tail`, which lies between 1 and (r+s)/s.
    """
    a, b = since
    fall = r * np.log1p(quiet / a) + s * np.log1p(quiet / b)
    before, after = _tail(r, s, a, b), _tail(r, s, a + quiet, b + quiet)
    with np.errstate(divide="ignore"):  # no quiet spell, no odds
        log_share = np.log(np.maximum(1 - np.exp(-fall) * after / before, 0.0))
    return np.asarray(np.log(s / (r + s)) + fall + np.log(before) + log_share)


def _tail(r: Rates, s: float, a: Floats, b: Floats) -> Floats:
    above = hyp2f1(1.0, r, r + s + 1, np.maximum(a - b, 0.0) / a)
    below = (a / b) * hyp2f1(1.0, s + 1, r + s + 1, np.maximum(b - a, 0.0) / b)
    return np.asarray(np.where(a >= b, above, below))


def _nothing(r: Floats, alpha: Floats, s: float, beta: Floats, days: float) -> Floats:
    """`ln P(no purchase within days)` of customers alive with rates Gamma(r, α) and Gamma(s, β)."""
    alive = -r * np.log1p(days / alpha) - s * np.log1p(days / beta)
    return np.asarray(alive + np.logaddexp(0.0, _lapse_odds(r, s, (alpha, beta), days)))
