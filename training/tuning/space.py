"""What is searched: the hyper-parameters of trees and the ranges around a start."""

from collections.abc import Mapping

import numpy as np
from optuna.trial import BaseTrial

from models.ladder.lightgbm import TreeParameters

FEWEST_IN_LEAF = 20  # rows: no leaf speaks of a few people
LEAVES = (3, 48)
RANGES: Mapping[str, tuple[float, float]] = {
    "num_leaves": LEAVES,
    "feature_fraction": (0.1, 0.8),
    "bagging_fraction": (0.4, 1.0),
    "lambda_l2": (0.1, 200.0),
}


def suggest(trial: BaseTrial, start: TreeParameters) -> TreeParameters:
    """The parameters that a trial tries; it learns at the rate of the start."""
    return TreeParameters(
        num_leaves=trial.suggest_int("num_leaves", *LEAVES, log=True),
        min_data_in_leaf=trial.suggest_int("min_data_in_leaf", *_leaf_sizes(start), log=True),
        feature_fraction=trial.suggest_float("feature_fraction", *RANGES["feature_fraction"]),
        bagging_fraction=trial.suggest_float("bagging_fraction", *RANGES["bagging_fraction"]),
        lambda_l2=trial.suggest_float("lambda_l2", *RANGES["lambda_l2"], log=True),
        learning_rate=start.learning_rate,
    )


def clipped(parameters: TreeParameters, start: TreeParameters) -> dict[str, float]:
    """The hyper-parameters, inside of what is searched from this start."""
    ranges = {**RANGES, "min_data_in_leaf": _leaf_sizes(start)}
    values = parameters.describe()
    return {name: type(values[name])(np.clip(values[name], *ends)) for name, ends in ranges.items()}


def _leaf_sizes(start: TreeParameters) -> tuple[int, int]:
    return max(FEWEST_IN_LEAF, start.min_data_in_leaf // 4), start.min_data_in_leaf * 8
