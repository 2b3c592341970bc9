"""The search: trials one after the other until the budget is used, by this process and whoever shares the study.

A search that was killed goes on where it was: it finds what one without a kill would have found, because what a trial
tries and when it is given up follow from the trials that were finished before it. With several processes at once the
order is chance; together they finish at least the budget, and at most one trial more for each.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import FixedTrial, FrozenTrial, TrialState

from models.ladder.lightgbm import Stop, TreeParameters
from training.tuning.budget import Budget
from training.tuning.sampler import SeededTPE
from training.tuning.space import clipped, suggest
from training.tuning.storage import give_up_lost, is_hiccup, is_taken_away, open_study

Objective = Callable[[TreeParameters, Stop], tuple[int, float]]  # -> (number of trees, loss)
Table = tuple[dict[str, object], ...]
REPORT_EVERY = 10  # trees
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
STATES = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}
ENOUGH = 8  # complete trials, to say what mattered
HICCUPS = 6  # of the database, one after the other, before a search ends with the error


@dataclass(frozen=True)
class SearchResult:
    """The best parameters, their number of trees and loss; `trials` is the table of what was tried: number, state
    (complete, pruned or failed), loss, trees, seconds, what began it (start, champion or nothing), hyper-parameters.

    `importances` says how much each hyper-parameter had to do with being among the best quarter (PED-ANOVA,
    https://arxiv.org/abs/2304.10255); the sum is 1. None after few trials.
    """

    parameters: TreeParameters
    trees: int
    loss: float
    trials: Table
    importances: Mapping[str, float] | None = None


def search(objective: Objective, start: TreeParameters, *, budget: Budget, seed: int) -> SearchResult:
    """Try `start`, then the champion's parameters, then others near the best (TPE); without trials `start` is taken."""
    began = {"start": start} | ({"champion": budget.champion} if budget.champion else {})
    shared = budget.study is not None and budget.study.shared
    turns = SeededTPE([clipped(parameters, start) for parameters in began.values()], seed, shared=shared)

    def run_trial(study: optuna.Study, trial: optuna.Trial) -> float:
        if turns.turn < len(began) and "began" not in trial.user_attrs:
            trial.set_user_attr("began", list(began)[turns.turn])
        watch = _Watch(study)
        trees, loss = objective(suggest(trial, start), watch.stop)
        if watch.stopped:
            trial.report(*watch.last)
            raise optuna.TrialPruned
        trial.set_user_attr("grown", {"trees": trees, "curve": watch.curve})
        return loss

    with open_study(budget.study, turns) as study:
        _until_done(study, partial(run_trial, study), budget, shared=shared)
        return _result(study, start)


def _until_done(
    study: optuna.Study, run_trial: Callable[[optuna.Trial], float], budget: Budget, *, shared: bool
) -> None:
    hiccups = 0
    measured: int | None = None  # the trial whose objective ended, or was ended by others, until that is written

    def objective(trial: optuna.Trial) -> float:
        nonlocal measured
        try:
            loss = run_trial(trial)
        except (optuna.TrialPruned, UpdateFinishedTrialError):
            measured = trial.number
            raise
        measured = trial.number
        return loss

    def written(_: optuna.Study, trial: FrozenTrial) -> None:
        nonlocal measured
        measured = None
        budget.on_trial(trial.number, trial.value)

    while True:
        try:
            measured = None
            give_up_lost(study, retry=shared)
            if _is_done(study, budget):
                return
            study.optimize(objective, n_trials=1, callbacks=[written])
            hiccups = 0
        except Exception as error:
            if is_taken_away(error, study, measured):
                continue
            hiccups += 1
            if hiccups > HICCUPS or not is_hiccup(error):
                raise
            time.sleep(0.5 * hiccups)


def _is_done(study: optuna.Study, budget: Budget) -> bool:
    """Whether all that finished, whoever did it, uses up the budget."""
    finished = study.get_trials(deepcopy=False, states=FINISHED)
    if budget.minutes is None:
        return len(finished) >= max(budget.trials, 1)
    return bool(finished) and sum(map(_seconds, finished)) >= 60 * budget.minutes


class _Watch:
    """Whether a trial is worse than the median of those that were complete when it began.

    It is kept in memory and written once: a query every ten trees would cost more than the trees.
    """

    def __init__(self, study: optuna.Study) -> None:
        self._seen = optuna.create_study()
        for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
            curve = dict(trial.user_attrs["grown"]["curve"])
            self._seen.add_trial(optuna.create_trial(value=trial.value, intermediate_values=curve))
        self._pruner = optuna.pruners.MedianPruner(n_startup_trials=3, n_warmup_steps=2 * REPORT_EVERY)
        self._own = optuna.create_trial(state=TrialState.RUNNING)
        self._best = float("inf")
        self.stopped = False

    @property
    def curve(self) -> list[tuple[int, float]]:
        """The lowest loss so far at every tenth tree."""
        return list(self._own.intermediate_values.items())

    @property
    def last(self) -> tuple[float, int]:
        """The lowest loss, and at how many trees the trial was given up."""
        trees, loss = self.curve[-1]
        return loss, trees

    def stop(self, trees: int, loss: float) -> bool:
        """Whether the trial is given up at so many trees."""
        self._best = min(self._best, loss)
        if trees % REPORT_EVERY == 0:
            self._own.intermediate_values[trees] = self._best
            self.stopped = self._pruner.prune(self._seen, self._own)
        return self.stopped


def _result(study: optuna.Study, start: TreeParameters) -> SearchResult:
    trials = study.get_trials(deepcopy=False)
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    best = min(complete, key=lambda trial: (trial.value, trial.number))
    parameters = suggest(FixedTrial(best.params), start)
    table = tuple(_row(trial) for trial in trials if trial.state.is_finished())
    trees, loss = best.user_attrs["grown"]["trees"], float(best.value or 0.0)
    return SearchResult(parameters, trees, loss, table, _importances(study, len(complete)))


def _row(trial: FrozenTrial) -> dict[str, object]:
    return {
        "trial": trial.number,
        "state": STATES[trial.state],
        "loss": trial.value,
        "trees": trial.user_attrs.get("grown", {}).get("trees"),
        "seconds": _seconds(trial),
        "began": trial.user_attrs.get("began", ""),
        **trial.params,
    }


def _seconds(trial: FrozenTrial) -> float:
    return trial.duration.total_seconds() if trial.duration else 0.0


def _importances(study: optuna.Study, complete: int) -> Mapping[str, float] | None:
    if complete < ENOUGH:
        return None
    return get_param_importances(study, evaluator=PedAnovaImportanceEvaluator(target_quantile=0.25))
