"""The score record as a plain table: the numbers of `details` in columns beside the score."""

import numpy as np
import pandas as pd
from peer_features import Floats

KEPT = ("score", "low", "high", "rung", "grade")
DETAILS = ("p_none", "orders", "order_value", "median")


def flat(frame: pd.DataFrame) -> pd.DataFrame:
    """Scores with the numbers of their details and each quantile (`quantile 0.05`) in a column, index customer_id."""
    details = [{} if one is None else one for one in frame["details"]]
    told = frame[list(KEPT)].assign(**{name: _column(details, name) for name in DETAILS})
    levels = [_levels(one) for one in details]
    quantiles = pd.DataFrame(levels, index=frame.index, dtype=float)
    return pd.concat([told, quantiles], axis=1).set_index(frame["customer_id"])


def _column(details: list[dict[str, object]], name: str) -> Floats:
    return np.array([one.get(name) for one in details], np.float64)


def _levels(details: dict[str, object]) -> dict[str, float]:
    quantiles = details.get("quantiles")
    return {} if quantiles is None else {f"quantile {one['level']:g}": one["value"] for one in quantiles}
