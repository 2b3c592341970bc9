"""LightGBM as a careful analyst would tune it: trials of Optuna on the newest labelled cutoff, refitted on all.

Trials are fitted on cutoffs whose labels end before the newest cutoff, and judged there; the chosen growth and its
number of trees are then fitted on every cutoff. No class weights, no resampling.
"""

from collections.abc import Callable, Mapping
from typing import Any

import lightgbm as lgb
import numpy as np
import optuna

from experiments.peers.sql_features import Floats, Past

TRIALS = 30
MOST_TREES = 2000
PATIENCE = 30
THREADS = 1
FIXED: Mapping[str, Any] = {
    "verbosity": -1,
    "deterministic": True,
    "force_row_wise": True,
    "feature_pre_filter": False,
    "bagging_freq": 1,
    "seed": 0,
    "num_threads": THREADS,
}
Chosen = tuple[dict[str, Any], int]  # parameters, number of trees


def tuned(past: Past, values: Floats, objective: str = "binary", trials: int = TRIALS) -> Floats:
    """What the tuned booster says of `values` (n, n_features): a probability, or money."""
    label = past.label if objective != "tweedie" else np.maximum(past.label, 0.0)
    parameters, trees = _searched(past, label, objective, trials)
    booster = lgb.train(parameters, lgb.Dataset(past.values, label), trees)
    return np.asarray(booster.predict(values), np.float64)


def _searched(past: Past, label: Floats, objective: str, trials: int) -> Chosen:
    """The parameters with the lowest loss at the newest cutoff: log-loss, or squared error for money."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0), direction="minimize")
    earlier = lgb.Dataset(past.values[past.earlier], label[past.earlier], free_raw_data=False, params=dict(FIXED))
    newest = lgb.Dataset(past.values[past.newest], label[past.newest], reference=earlier, free_raw_data=False)
    measured = "binary_logloss" if objective == "binary" else "rmse"

    def tried(trial: optuna.Trial) -> float:
        parameters = {**FIXED, "objective": objective, "metric": measured, **_suggested(trial)}
        callbacks: list[Callable[..., Any]] = [lgb.early_stopping(PATIENCE, verbose=False)]
        booster = lgb.train(parameters, earlier, MOST_TREES, valid_sets=[newest], callbacks=callbacks)
        trial.set_user_attr("parameters", parameters)
        trial.set_user_attr("trees", max(booster.best_iteration, 1))
        return float(booster.best_score["valid_0"][measured])

    study.optimize(tried, n_trials=trials)
    return study.best_trial.user_attrs["parameters"], study.best_trial.user_attrs["trees"]


def _suggested(trial: optuna.Trial) -> dict[str, float]:
    return {
        "learning_rate": trial.suggest_float("learning_rate", 0.03, 0.2, log=True),
        "num_leaves": trial.suggest_int("num_leaves", 4, 64, log=True),
        "min_data_in_leaf": trial.suggest_int("min_data_in_leaf", 10, 300, log=True),
        "feature_fraction": trial.suggest_float("feature_fraction", 0.2, 1.0),
        "bagging_fraction": trial.suggest_float("bagging_fraction", 0.5, 1.0),
        "lambda_l2": trial.suggest_float("lambda_l2", 1e-2, 100.0, log=True),
    }
