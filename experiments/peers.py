"""The peers that every model has to beat, each in its textbook form.

Recency rule, RFM with logistic regression or LightGBM, BG/NBD with Gamma-Gamma.

Every function takes RFM tables as `truth.rfm` makes them (one row per customer, index customer_id): `recency_days`,
`frequency` (orders), `monetary` (mean order value), `tenure_days`, `x`, `t_x`, `t` (BTYD statistics in days).
"""

from dataclasses import dataclass

import lightgbm as lgb
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import betaln, gammaln, hyp2f1
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

Floats = NDArray[np.float64]
RFM = ["recency_days", "frequency", "monetary", "tenure_days"]


def recency_rule(table: pd.DataFrame) -> Floats:
    """Rank by days since the last purchase: the longer, the surer the churn."""
    return table["recency_days"].to_numpy(float)


def rfm_logistic(train: pd.DataFrame, y: Floats, table: pd.DataFrame) -> Floats:
    """Logistic regression on the logarithm of RFM and tenure."""
    model = make_pipeline(FunctionTransformer(np.log1p), StandardScaler(), LogisticRegression(max_iter=1000))
    return model.fit(train[RFM].clip(lower=0), y).predict_proba(table[RFM].clip(lower=0))[:, 1]


def rfm_lightgbm(train: pd.DataFrame, y: Floats, table: pd.DataFrame) -> Floats:
    """LightGBM with its defaults at 100 trees on RFM and tenure."""
    model = lgb.LGBMClassifier(
        n_estimators=100, learning_rate=0.05, num_leaves=15, random_state=0, n_jobs=2, verbosity=-1
    )
    return np.asarray(model.fit(train[RFM], y).predict_proba(table[RFM]))[:, 1]


@dataclass(frozen=True)
class BgNbd:
    """BG/NBD (Fader, Hardie and Lee 2005, doi:10.1287/mksc.1040.0098), time in days."""

    r: float
    alpha: float
    a: float
    b: float

    @staticmethod
    def fit(x: Floats, t_x: Floats, t: Floats) -> "BgNbd":
        """Maximum likelihood from statistics in days; times are scaled to a mean of one while fitting."""
        unit = float(np.mean(t))

        def loss(theta: Floats) -> float:
            return -float(np.mean(_log_likelihood(np.exp(theta), x, t_x / unit, t / unit)))

        starts = ([0.0, 0.0, 0.0, 0.0], [-1.0, -1.0, -1.0, 1.0])
        best = min(
            (minimize(loss, np.array(s), method="L-BFGS-B", bounds=[(-8, 8)] * 4) for s in starts),
            key=lambda fit: fit.fun,
        )
        r, alpha, a, b = np.exp(best.x)
        return BgNbd(r, alpha * unit, a, b)

    def p_alive(self, x: Floats, t_x: Floats, t: Floats) -> Floats:
        """Probability that the customer has not lapsed."""
        log_odds = (self.r + x) * np.log((self.alpha + t) / (self.alpha + t_x)) + np.log(
            self.a / (self.b + np.maximum(x, 1) - 1)
        )
        return np.where(x == 0, 1.0, 1 / (1 + np.exp(log_odds)))

    def p_buys(self, horizon: float, x: Floats, t_x: Floats, t: Floats) -> Floats:
        """Probability of at least one purchase within the horizon: alive, and the next purchase comes in time."""
        return self.p_alive(x, t_x, t) * (1 - ((self.alpha + t) / (self.alpha + t + horizon)) ** (self.r + x))

    def orders(self, horizon: float, x: Floats, t_x: Floats, t: Floats) -> Floats:
        """Expected purchases within the horizon."""
        r, alpha, a, b = self.r, self.alpha, self.a, self.b
        z = horizon / (alpha + t + horizon)
        growth = 1 - ((alpha + t) / (alpha + t + horizon)) ** (r + x) * hyp2f1(r + x, b + x, a + b + x - 1, z)
        return (a + b + x - 1) / (a - 1) * growth * self.p_alive(x, t_x, t)


def _log_likelihood(theta: Floats, x: Floats, t_x: Floats, t: Floats) -> Floats:
    r, alpha, a, b = theta
    common = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
    alive = betaln(a, b + x) - betaln(a, b) - (r + x) * np.log(alpha + t)
    lapsed = betaln(a + 1, b + np.maximum(x, 1) - 1) - betaln(a, b) - (r + x) * np.log(alpha + t_x)
    return common + np.where(x > 0, np.logaddexp(alive, lapsed), alive)


@dataclass(frozen=True)
class GammaGamma:
    """Gamma-Gamma for the mean order value (Fader and Hardie 2013, "The Gamma-Gamma Model of Monetary Value")."""

    p: float
    q: float
    v: float

    @staticmethod
    def fit(count: Floats, mean: Floats) -> "GammaGamma":
        """Maximum likelihood from the number of orders and their mean value (> 0)."""
        unit = float(np.mean(mean))

        def loss(theta: Floats) -> float:
            p, q, v = np.exp(theta)
            m = mean / unit
            ll = gammaln(p * count + q) - gammaln(p * count) - gammaln(q) + q * np.log(v)
            ll += (p * count - 1) * np.log(m) + p * count * np.log(count) - (p * count + q) * np.log(count * m + v)
            return -float(np.mean(ll))

        best = minimize(loss, np.zeros(3), method="L-BFGS-B", bounds=[(-8, 8)] * 3)
        p, q, v = np.exp(best.x)
        return GammaGamma(p, q, v * unit)

    def order_value(self, count: Floats, mean: Floats) -> Floats:
        """Expected value of the next order, shrunk to that of all customers."""
        return self.p * (self.v + count * mean) / (self.p * count + self.q - 1)


def btyd(table: pd.DataFrame, horizon_days: float) -> pd.DataFrame:
    """BG/NBD × Gamma-Gamma fitted on all who ever bought: `p_buys`, `orders` and `money` within the horizon."""
    table = table[table["t"].notna()]
    x, t_x, t = (table[name].to_numpy(float) for name in ("x", "t_x", "t"))
    model = BgNbd.fit(x, t_x, t)
    frame = pd.DataFrame(
        {"p_buys": model.p_buys(horizon_days, x, t_x, t), "orders": model.orders(horizon_days, x, t_x, t)},
        index=table.index,
    )
    if "monetary" in table and (table["monetary"] > 0).any():
        count, mean = table["days_bought"].to_numpy(float), table["day_value"].to_numpy(float)
        paid = mean > 0
        value = np.zeros(len(table))
        value[paid] = GammaGamma.fit(count[paid], mean[paid]).order_value(count[paid], mean[paid])
        frame["money"] = frame["orders"] * value
    return frame
