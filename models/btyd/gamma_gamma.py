"""Gamma-Gamma: what the next order of a customer is worth, from the mean of those so far.

Order values of a customer are Gamma(p, ν), ν differs by customer as Gamma(q, v) and is independent of how often one
buys (Fader, Hardie and Lee 2005, "RFM and CLV", doi:10.1509/jmkr.2005.42.4.415; Fader and Hardie 2013, "The Gamma-Gamma
Model of Monetary Value", equations 1a and 5).
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import digamma, gammaln

from features.arrays import Floats
from models.btyd.likelihood import maximised

BOUNDS = ((1e-3, 1e3), (1.05, 1e3), (1e-4, 1e4))  # at q of 1 or below order values have no mean


@dataclass(frozen=True)
class GammaGamma:
    """The three parameters; v in money."""

    p: float
    q: float
    v: float

    def log_likelihood(self, count: Floats, mean: Floats) -> Floats:
        """Of a customer's mean (> 0) over `count` orders (> 0)."""
        p, q, v = self.p, self.q, self.v
        shape = p * count
        log_normaliser = gammaln(shape + q) - gammaln(shape) - gammaln(q) + q * np.log(v)
        return np.asarray(
            log_normaliser + (shape - 1) * np.log(mean) + shape * np.log(count) - (shape + q) * np.log(count * mean + v)
        )

    def order_value(self, count: Floats, mean: Floats) -> Floats:
        """Expected value of the next order: the own mean drawn to that of all; without orders that of all."""
        return np.asarray(self.p * (self.v + count * mean) / (self.p * count + self.q - 1))

    def slopes(self, count: Floats, mean: Floats) -> tuple[Floats, Floats, Floats]:
        """Derivatives of each row's log-likelihood in p, q and v."""
        p, q, v = self.p, self.q, self.v
        total = np.log(count * mean + v)
        both = digamma(p * count + q)
        return (
            count * (both - digamma(p * count) + np.log(mean) + np.log(count) - total),
            both - digamma(q) + np.log(v) - total,
            q / v - (p * count + q) / (count * mean + v),
        )


def fit_gamma_gamma(count: Floats, mean: Floats) -> GammaGamma | None:
    """The likeliest, from the numbers of orders and their mean values (all above 0); None: no top was found."""
    unit = float(np.mean(mean)) if len(mean) else 1.0
    scaled = mean / unit

    def objective(parameters: Floats) -> tuple[float, Floats]:
        model = GammaGamma(*parameters.tolist())
        likelihood = float(np.mean(model.log_likelihood(count, scaled)))
        return likelihood, np.array([slope.mean() for slope in model.slopes(count, scaled)])

    best = maximised(objective, [(1.6, 2.7, 1.0)], BOUNDS) if len(mean) else None
    return None if best is None else GammaGamma(float(best[0]), float(best[1]), float(best[2] * unit))
