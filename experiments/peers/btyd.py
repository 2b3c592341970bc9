"""The peers that every model has to beat, each in its textbook form.

Recency rule, RFM with logistic regression or LightGBM, BG/NBD, MBG/NBD and Pareto/NBD with Gamma-Gamma.

Every function takes RFM tables as `truth.rfm` makes them (one row per customer, index customer_id): `recency_days`,
`frequency` (orders), `monetary` (mean order value), `tenure_days`, `x`, `t_x`, `t` (BTYD statistics in days).
"""

from collections.abc import Callable
from functools import partial

import lightgbm as lgb
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from models.btyd.bg_nbd import BgNbd, fit_bg_nbd
from models.btyd.gamma_gamma import fit_gamma_gamma
from models.btyd.pareto_nbd import ParetoNbd, fit_pareto_nbd
from models.btyd.process import Past

Floats = NDArray[np.float64]
PROCESSES: dict[str, Callable[[Past], BgNbd | ParetoNbd | None]] = {
    "BG/NBD": fit_bg_nbd,
    "MBG/NBD": partial(fit_bg_nbd, from_first=True),
    "Pareto/NBD": fit_pareto_nbd,
}
RFM = ["recency_days", "frequency", "monetary", "tenure_days"]


def recency_rule(table: pd.DataFrame) -> Floats:
    """Rank by days since the last purchase: the longer, the surer the churn."""
    return table["recency_days"].to_numpy(float)


def rfm_logistic(train: pd.DataFrame, y: Floats, table: pd.DataFrame) -> Floats:
    """Logistic regression on the logarithm of RFM and tenure."""
    model = make_pipeline(FunctionTransformer(np.log1p), StandardScaler(), LogisticRegression(max_iter=1000))
    model.fit(train[RFM].clip(lower=0), y)
    return np.asarray(model.predict_proba(table[RFM].clip(lower=0))[:, 1], np.float64)


def rfm_lightgbm(train: pd.DataFrame, y: Floats, table: pd.DataFrame) -> Floats:
    """LightGBM with its defaults at 100 trees on RFM and tenure."""
    model = lgb.LGBMClassifier(
        n_estimators=100, learning_rate=0.05, num_leaves=15, random_state=0, n_jobs=2, verbosity=-1
    )
    return np.asarray(model.fit(train[RFM], y).predict_proba(table[RFM]))[:, 1]


def btyd(table: pd.DataFrame, horizon_days: float, process: str = "BG/NBD") -> pd.DataFrame:
    """A process × Gamma-Gamma, fitted on all who ever bought: `p_buys`, `orders` and `money` ahead."""
    table = table[table["t"].notna()]
    past = Past.of(*(table[name].to_numpy(float) for name in ("x", "t_x", "t")))
    model = PROCESSES[process](past)
    if model is None:
        raise _no_top(process)
    expected = model.expect(past, horizon_days)
    frame = pd.DataFrame({"p_buys": 1 - expected.p_none, "orders": expected.orders}, index=table.index)
    if "monetary" in table and (table["monetary"] > 0).any():
        count, mean = table["days_bought"].to_numpy(float), table["day_value"].to_numpy(float)
        paid = mean > 0
        value = np.zeros(len(table))
        spending = fit_gamma_gamma(count[paid], mean[paid])
        if spending is None:
            raise _no_top("Gamma-Gamma")
        value[paid] = spending.order_value(count[paid], mean[paid])
        frame["money"] = frame["orders"] * value
    return frame


def _no_top(name: str) -> ValueError:
    return ValueError(f"expected a likelihood of {name} with a top, found none; look at the customers' statistics")
