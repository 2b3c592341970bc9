"""What is searched: the hyper-parameters of a growth and the ranges around a start."""

from collections.abc import Mapping

import numpy as np
from optuna.trial import BaseTrial

from models.ladder.lightgbm import TreeParameters

FEWEST_IN_LEAF = 20  # rows: no leaf speaks of a few people
LEAVES = (3, 48)
RANGES: Mapping[str, tuple[float, float]] = {
    "leaves": LEAVES,
    "feature_share": (0.1, 0.8),
    "row_share": (0.4, 1.0),
    "l2": (0.1, 200.0),
}


def suggested(trial: BaseTrial, start: TreeParameters) -> TreeParameters:
    """The growth that a trial tries; it learns at the rate of the start."""
    return TreeParameters(
        leaves=trial.suggest_int("leaves", *LEAVES, log=True),
        min_rows=trial.suggest_int("min_rows", *_leaf_sizes(start), log=True),
        feature_share=trial.suggest_float("feature_share", *RANGES["feature_share"]),
        row_share=trial.suggest_float("row_share", *RANGES["row_share"]),
        l2=trial.suggest_float("l2", *RANGES["l2"], log=True),
        rate=start.rate,
    )


def within(growth: TreeParameters, start: TreeParameters) -> dict[str, float]:
    """The hyper-parameters of a growth, inside of what is searched from this start."""
    ranges = {**RANGES, "min_rows": _leaf_sizes(start)}
    found = growth.describe()
    return {name: type(found[name])(np.clip(found[name], *ends)) for name, ends in ranges.items()}


def _leaf_sizes(start: TreeParameters) -> tuple[int, int]:
    return max(FEWEST_IN_LEAF, start.min_rows // 4), start.min_rows * 8
