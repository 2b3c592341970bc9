"""One horizon of a task, from panels to the answer that serves: choose, report, refit (law 4)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from features.config import Config, TaskConfig
from features.journeys import Floats
from features.timeline import DAY_US, days, iso
from features.windows import FeatureSet
from models.answer import Answer
from models.rungs import Rung
from training.evaluate import Tested, Trial, evaluate, missed, spread_of
from training.expectations import Processes, processes
from training.fit import Choice, cap_of, choose
from training.panels import Asked, Examples, Parts, base_values, examples
from training.recipe import Question, Recipe, make
from training.rules import constant
from training.split import SHORTEST_LEAD, Split
from training.spread import Missed, shortest

NOTHING_SEEN = Missed(np.zeros(0), np.zeros(0), np.zeros(0, np.int64))
PERCENTILES = np.linspace(0.0, 100.0, 1001)


@dataclass(frozen=True, eq=False)
class Setting:
    """What all tasks of a training share. `first` is where history starts, `end` where labels end (µs UTC); `reasons`
    say why each feature is there.
    """

    config: Config
    parts: Parts
    features: FeatureSet
    reasons: Mapping[str, str]
    as_of: int
    first: int
    end: int
    trials: int
    tell: Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Trained:
    """An answer with how it came about; `tested` is None where no rows were left to test on."""

    question: Question
    answer: Answer
    split: Split
    choice: Choice
    tested: Tested | None
    rows: Mapping[str, int]
    prior: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class _Reported:
    choice: Choice
    tested: Tested | None


def train_answer(setting: Setting, task: TaskConfig, split: Split) -> Trained:
    """The answer for the split's horizon."""
    config = setting.config
    question = Question(
        task, split.fitted_days, setting.features, config.seed, config.train.threads, _processes(setting, task, split)
    )
    asked = Asked(task, split.fitted_days, setting.features, setting.end, config.train.max_rows)
    setting.tell(f"{task.name}, {split.horizon_days} days: panel of {len(split.cutoffs)} cutoffs")
    rows = examples(setting.parts, asked, split.cutoffs)
    parts = {
        "choosing": rows.at(split.choosing),
        "validation": rows.at([split.validation]),
        "reporting": rows.at(split.reporting),
        "test": rows.at([split.test]),
        "serving": rows.at(split.serving),
    }
    setting.tell(f"{task.name}, {split.horizon_days} days: choosing on {len(parts['choosing']):,} rows")
    choice = choose(question, parts["choosing"], parts["validation"], setting.trials)
    setting.tell(f"{task.name}, {split.horizon_days} days: testing on {len(parts['test']):,} rows")
    tested = _tested(question, choice, parts, extrapolated=split.extrapolated)
    setting.tell(f"{task.name}, {split.horizon_days} days: fitting what serves on {len(parts['serving']):,} rows")
    answer, prior = _serving(setting, question, _Reported(choice, tested), split, parts["serving"])
    return Trained(question, answer, split, choice, tested, {name: len(part) for name, part in parts.items()}, prior)


def _processes(setting: Setting, task: TaskConfig, split: Split) -> Processes:
    """A purchase process for all rows that something is fitted on, and for those of the period before the choice."""
    horizon = days(split.fitted_days)
    newest = [cutoffs[-1] for cutoffs in (split.choosing, split.reporting, split.serving) if cutoffs]
    before = [cutoff for cutoff in split.choosing if cutoff + horizon in split.choosing]
    instants = {cutoff + horizon for cutoff in (*newest, *before[-1:])}
    return processes(setting.parts, task, split.fitted_days, setting.config.log.timezone, instants)


def _tested(question: Question, choice: Choice, parts: Mapping[str, Examples], *, extrapolated: bool) -> Tested | None:
    """Recipe and baseline refitted up to a horizon before the test; spread learnt where the choice was made."""
    if not len(parts["test"]) or not len(parts["reporting"]):
        return None
    trial = Trial(
        rung=make(question, choice.recipe, parts["reporting"]),
        baseline=_baseline(question, choice.recipe, parts["reporting"]),
        seen=missed(question, choice.rung, parts["validation"]),
        threshold=choice.threshold,
        cap=cap_of(parts["reporting"]),
        best_grade="C" if extrapolated or choice.recipe.rung == "rule" else "A",
    )
    return evaluate(question, trial, parts["test"])


def _serving(
    setting: Setting, question: Question, trained: _Reported, split: Split, rows: Examples
) -> tuple[Answer, Mapping[str, float]]:
    """The recipe refitted on every cutoff up to a horizon before the end, over the base as it is now."""
    task, recipe, tested = question.task, trained.choice.recipe, trained.tested
    answer = Answer(
        horizon_days=split.horizon_days,
        fitted_days=split.fitted_days,
        kind=task.kind,
        outcome="silence" if task.kind == "churn" and not task.churn_event else "event",
        rung=make(question, recipe, rows),
        baseline=_baseline(question, recipe, rows),
        spread=tested.spread if tested else spread_of(question, NOTHING_SEEN),
        base=(),
        grade=tested.grade if tested else "D",
        metrics=tested.metrics if tested else {},
        baseline_metrics=tested.baseline_metrics if tested else {},
        notes=_notes(split, trained),
        flags=("extrapolated",) if split.extrapolated else (),
        longer=question.expectations(rows) if split.extrapolated else None,
    )
    values = base_values(setting.parts, task, setting.features, setting.as_of, setting.config.train.max_rows)
    said = answer.say(values, setting.features.position)
    base = tuple(np.percentile(said.score, PERCENTILES).tolist()) if len(values) else ()
    return replace(answer, base=base), _prior(answer, rows, said.score, said.baseline)


def _baseline(question: Question, recipe: Recipe, rows: Examples) -> Rung:
    """The named baseline: the rule, or what is the same for everybody where the rule itself serves."""
    if recipe.rung == "rule":
        return constant(question.task, rows)
    return make(question, Recipe("rule"), rows)


def _prior(answer: Answer, rows: Examples, scores: Floats, baselines: Floats) -> Mapping[str, float]:
    """What a customer nobody knows gets: the base's average, and the interval of a customer drawn from it."""
    fitted = np.array([rows.outcome.mean() if len(rows) else 0.0 if answer.kind == "cltv" else 0.5])
    score = float(scores.mean() if len(scores) else answer.carried(fitted)[0])
    if answer.kind == "cltv":
        ends = shortest(rows.outcome) if len(rows) else (0.0, 0.0)
    else:
        low, high = answer.spread.interval(fitted if answer.horizon_days != answer.fitted_days else np.array([score]))
        ends = float(low[0]), float(high[0])
    low_end, high_end = answer.carried(np.array(ends)).tolist()
    baseline = float(baselines.mean()) if len(baselines) else score
    return {"score": score, "low": min(low_end, score), "high": max(high_end, score), "baseline": baseline}


def _notes(split: Split, trained: _Reported) -> tuple[str, ...]:
    notes = [trained.choice.reason]
    if split.extrapolated:
        enough = split.first + round(split.horizon_days * (3 + SHORTEST_LEAD) * DAY_US)
        notes.append(
            f"fitted on {split.fitted_days} days and carried over to {split.horizon_days}, because the log holds less "
            f"than three horizons of history; it will on {iso(enough)[:10]}"
        )
    if trained.tested is None:
        notes.append("too little history for a test on later rows, so the grade is D")
    return tuple(notes)
