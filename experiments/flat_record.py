"""The score record as a plain table: the numbers of `details` in columns beside the score."""

from typing import Any

import numpy as np
import pandas as pd

from experiments.peers.sql_features import Floats

KEPT = ("score", "low", "high", "rung", "grade")
DETAILS = ("p_none", "orders", "order_value", "median")


def flat(frame: pd.DataFrame) -> pd.DataFrame:
    """Scores with the numbers of their details and each quantile (`quantile 0.05`) in a column, index customer_id."""
    details = [{} if record is None else record for record in frame["details"]]
    plain = frame[list(KEPT)].assign(**{name: _column(details, name) for name in DETAILS})
    levels = [_levels(record) for record in details]
    quantiles = pd.DataFrame(levels, index=frame.index, dtype=float)
    return pd.concat([plain, quantiles], axis=1).set_index(frame["customer_id"])


def _column(details: list[dict[str, Any]], name: str) -> Floats:
    return np.array([record.get(name) for record in details], np.float64)


def _levels(details: dict[str, Any]) -> dict[str, float]:
    quantiles = details.get("quantiles")
    return {} if quantiles is None else {f"quantile {quantile['level']:g}": quantile["value"] for quantile in quantiles}
