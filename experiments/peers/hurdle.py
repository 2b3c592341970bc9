"""Money as the chance that any comes, times how much it is then: two tuned boosters on the same aggregates."""

from dataclasses import replace

from experiments.peers import tuned_lightgbm
from experiments.peers.sql_features import Floats, Past

AMOUNT = "gamma"


def tuned(past: Past, values: Floats) -> Floats:
    """Expected money of `values` (n, n_features)."""
    paid = past.label > 0
    chance = tuned_lightgbm.tuned(replace(past, label=paid.astype(float)), values)
    return chance * tuned_lightgbm.tuned(past.among(paid), values, AMOUNT)
