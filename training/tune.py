"""The Optuna door: which growth of trees gives the lowest loss on later rows.

The study lives in memory and in one process; its sampler and pruner are pinned, because a new release of Optuna changes
its defaults. Equal seeds give equal trials.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import optuna

from models.boosted import Growth, Stop

Objective = Callable[[Growth, Stop], tuple[int, float]]  # -> (number of trees, loss)
REPORT_EVERY = 10  # trees
FEWEST_IN_LEAF = 20  # rows: no leaf speaks of a few people
Table = tuple[dict[str, object], ...]


@dataclass(frozen=True)
class Budget:
    """How much may be tried: so many trials, or as many as begin within the minutes. Minutes make a training that
    nobody can repeat, which its bundle says. `champion` is the growth that serves now, tried after the start.
    """

    trials: int
    minutes: float | None = None
    champion: Growth | None = None


@dataclass(frozen=True)
class Found:
    """The best growth, its number of trees and its loss; `trials` is the table of what was tried."""

    growth: Growth
    trees: int
    loss: float
    trials: Table


def search(objective: Objective, start: Growth, *, budget: Budget, seed: int) -> Found:
    """Try `start`, then the champion's growth, then others near the best (TPE); without trials `start` is taken."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=5, multivariate=True, constant_liar=False)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=3, n_warmup_steps=2 * REPORT_EVERY)
    study = optuna.create_study(sampler=sampler, pruner=pruner, direction="minimize")
    study.enqueue_trial(_searched(start))
    if budget.champion is not None and (budget.trials > 1 or budget.minutes):
        study.enqueue_trial(_within(budget.champion, start))

    def tried(trial: optuna.Trial) -> float:
        trees, loss = objective(_suggested(trial, start), _stop(trial))
        if trial.should_prune():
            raise optuna.TrialPruned
        trial.set_user_attr("trees", trees)
        return loss

    seconds = None if budget.minutes is None else 60 * budget.minutes
    study.optimize(tried, n_trials=max(budget.trials, 1) if seconds is None else None, timeout=seconds)
    best = study.best_trial
    return Found(
        _suggested(optuna.trial.FixedTrial(best.params), start),
        best.user_attrs["trees"],
        study.best_value,
        _table(study),
    )


def _searched(growth: Growth) -> dict[str, float]:
    return {name: value for name, value in growth.describe().items() if name != "rate"}


def _within(growth: Growth, start: Growth) -> dict[str, float]:
    """Its hyper-parameters, where they lie inside of what is searched from this start."""
    found = _searched(growth)
    return found | {"min_rows": int(np.clip(growth.min_rows, *_leaf_sizes(start)))}


def _leaf_sizes(start: Growth) -> tuple[int, int]:
    return max(FEWEST_IN_LEAF, start.min_rows // 4), start.min_rows * 8


def _suggested(trial: optuna.trial.BaseTrial, start: Growth) -> Growth:
    return Growth(
        leaves=trial.suggest_int("leaves", 3, 48, log=True),
        min_rows=trial.suggest_int("min_rows", *_leaf_sizes(start), log=True),
        feature_share=trial.suggest_float("feature_share", 0.1, 0.8),
        row_share=trial.suggest_float("row_share", 0.4, 1.0),
        l2=trial.suggest_float("l2", 0.1, 200.0, log=True),
        rate=start.rate,
    )


def _stop(trial: optuna.Trial) -> Stop:
    best = float("inf")

    def stop(trees: int, loss: float) -> bool:
        nonlocal best
        best = min(best, loss)
        if trees % REPORT_EVERY:
            return False
        trial.report(best, trees)
        return trial.should_prune()

    return stop


def _table(study: optuna.Study) -> Table:
    rows = [
        {
            "trial": trial.number,
            "state": trial.state.name.lower(),
            "loss": trial.value,
            "trees": trial.user_attrs.get("trees"),
            **trial.params,
        }
        for trial in study.trials
    ]
    return tuple(rows)
