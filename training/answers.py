"""One horizon of a task, from panels to the answer that serves: choose, report, refit (law 4)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from features.config import Config, TaskConfig
from features.journeys import Floats
from features.timeline import DAY_US, days, iso
from features.windows import FeatureSet
from models.answer import Adjusted, Answer, Quiet
from models.boosted import Growth
from models.calibration import Calibrator
from models.rungs import Rung
from training.audit.case import Case
from training.audit.verdict import audit, settle
from training.calibrate import calibrator
from training.evaluate import Tested, Trial, evaluate, informed, landed, seen
from training.expectations import Processes, processes
from training.fit import Choice, choose
from training.levels import level, money_level
from training.panels import Asked, Examples, Parts, base_values, examples
from training.recipe import Question, Recipe, make
from training.rules import cap_of, constant
from training.split import SHORTEST_LEAD, Split
from training.spread import NOTHING_SEEN, amounts, probability_spread, shortest
from training.tune import Budget

PERCENTILES = np.linspace(0.0, 100.0, 1001)


@dataclass(frozen=True, eq=False)
class Setting:
    """What all tasks of a training share. `first` is where history starts, `end` where labels end (µs UTC); `reasons`
    say why each feature is there; `champions` is how the trees grew that serve now, by task and horizon.
    """

    config: Config
    parts: Parts
    features: FeatureSet
    reasons: Mapping[str, str]
    as_of: int
    first: int
    end: int
    budget: Budget
    tell: Callable[[str], None]
    champions: Mapping[tuple[str, int], Growth] = field(default_factory=dict)


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
    """What was found before what serves is fitted; `quiet` makes the chance of silence beside money, `base` are the
    values of those who will be scored.
    """

    split: Split
    choice: Choice
    quiet: Choice | None
    tested: Tested | None
    base: Floats
    warnings: tuple[str, ...]
    minutes: float | None


def train_answer(setting: Setting, task: TaskConfig, split: Split) -> Trained:
    """The answer for the split's horizon."""
    config = setting.config
    question = Question(
        task, split.fitted_days, setting.features, config.seed, config.train.threads, _processes(setting, task, split)
    )
    asked = Asked(task, split.fitted_days, setting.features, setting.end, config.train.max_rows)
    setting.tell(f"{task.name}, {split.horizon_days} days: panel of {len(split.cutoffs)} cutoffs")
    rows = examples(setting.parts, asked, split.cutoffs)
    base = base_values(setting.parts, task, setting.features, setting.as_of, config.train.max_rows)
    setting.tell(f"{task.name}, {split.horizon_days} days: audit")
    warnings = _audited(setting, task, split, rows, base)
    parts = {
        "choosing": rows.at(split.choosing),
        "validation": rows.at([split.validation]),
        "reporting": rows.at(split.reporting),
        "test": rows.at([split.test]),
        "serving": rows.at(split.serving),
    }
    setting.tell(f"{task.name}, {split.horizon_days} days: choosing on {len(parts['choosing']):,} rows")
    choice = choose(question, parts["choosing"], parts["validation"], _budget(setting, task, split))
    quiet = None
    if question.is_money:
        quiet = choose(question.silence, parts["choosing"].silence, parts["validation"].silence, None)
    setting.tell(f"{task.name}, {split.horizon_days} days: testing on {len(parts['test']):,} rows")
    tested = _tested(setting, question, (choice, quiet), parts, split)
    setting.tell(f"{task.name}, {split.horizon_days} days: fitting what serves on {len(parts['serving']):,} rows")
    reported = _Reported(split, choice, quiet, tested, base, warnings, setting.budget.minutes)
    answer, prior = _serving(setting, question, reported, parts["serving"])
    return Trained(question, answer, split, choice, tested, {name: len(part) for name, part in parts.items()}, prior)


def _budget(setting: Setting, task: TaskConfig, split: Split) -> Budget:
    """What may be tried, beginning with what serves now."""
    return replace(setting.budget, champion=setting.champions.get((task.name, split.horizon_days)))


def _audited(setting: Setting, task: TaskConfig, split: Split, rows: Examples, base: Floats) -> tuple[str, ...]:
    """What an audit has to say; AuditError where no fit may follow."""
    case = Case(
        task=task,
        parts=setting.parts,
        features=setting.features,
        rows=rows,
        split=split,
        base=base,
        as_of=setting.as_of,
        end=setting.end,
        max_rows=setting.config.train.max_rows,
        seed=setting.config.seed,
    )
    return settle(case, audit(case), setting.config.train.accept)


def _processes(setting: Setting, task: TaskConfig, split: Split) -> Processes:
    """A purchase process for all rows that something is fitted on, and for those of the period before the choice."""
    horizon = days(split.fitted_days)
    newest = [cutoffs[-1] for cutoffs in (split.choosing, split.reporting, split.serving) if cutoffs]
    before = [cutoff for cutoff in split.choosing if cutoff + horizon in split.choosing]
    instants = {cutoff + horizon for cutoff in (*newest, *before[-1:])}
    return processes(setting.parts, task, split.fitted_days, setting.config.log.timezone, instants)


def _tested(
    setting: Setting,
    question: Question,
    choices: tuple[Choice, Choice | None],
    parts: Mapping[str, Examples],
    split: Split,
) -> Tested | None:
    """Recipe and baseline refitted up to a horizon before the test; intervals learnt where the choice was made."""
    choice, quiet = choices
    rows = parts["reporting"]
    if not len(parts["test"]) or not len(rows):
        return None
    found = None if choice.later is None else calibrator(choice.later)
    chosen = _Rungs(choice.rung, constant(question.task, parts["choosing"]), None if quiet is None else quiet.rung)
    before = _answer(setting, question, chosen, parts["choosing"], (None, split.validation))
    trial = Trial(
        answer=_answer(setting, question, _refitted(question, choices, rows), rows, (found, split.test)),
        seen=seen(question, before, parts["validation"]),
        threshold=choice.threshold,
        cap=cap_of(rows),
        best_grade="C" if split.extrapolated or choice.recipe.rung == "rule" else "A",
    )
    return evaluate(question, trial, parts["test"])


@dataclass(frozen=True)
class _Rungs:
    """What an answer speaks by; `quiet` is for money only."""

    rung: Rung
    baseline: Rung
    quiet: Rung | None


def _refitted(question: Question, choices: tuple[Choice, Choice | None], rows: Examples) -> _Rungs:
    """The recipes that were chosen, and the baseline, made from these rows."""
    choice, quiet = choices
    silent = None if quiet is None else make(question.silence, quiet.recipe, rows.silence)
    return _Rungs(make(question, choice.recipe, rows), _baseline(question, choice.recipe, rows), silent)


def _answer(
    setting: Setting, question: Question, rungs: _Rungs, rows: Examples, later: tuple[Calibrator | None, int]
) -> Answer:
    """What the rungs that were fitted on these rows say for the fitted horizon, from an instant on; with a calibrator.

    How far the truth lies from it is not known yet.
    """
    task, fitted = question.task, question.fitted_days
    mean = question.predict(rungs.rung, rows).mean
    plain = Answer(
        horizon_days=fitted,
        fitted_days=fitted,
        kind=task.kind,
        outcome="silence" if task.kind == "churn" and not task.churn_event else "event",
        rung=rungs.rung,
        baseline=rungs.baseline,
        spread=probability_spread(NOTHING_SEEN),
        base=(),
        grade="D",
        adjusted=_adjusted(setting, question, mean, rows, later),
    )
    if rungs.quiet is None:
        return plain
    p_none = question.predict(rungs.quiet, rows).mean
    fitted_on = landed(rows, mean, p_none)
    shape = amounts(fitted_on.outcome, fitted_on.mean, fitted_on.p_none)
    adjusted = _adjusted(setting, question.silence, p_none, rows.silence, (None, later[1]))
    return replace(plain, quiet=Quiet(rungs.quiet, adjusted), amounts=shape)


def _adjusted(
    setting: Setting, question: Question, mean: Floats, rows: Examples, later: tuple[Calibrator | None, int]
) -> Adjusted:
    """The calibrator, and the level from an instant on, learnt from what a rung says of the rows it is fitted on."""
    found, start = later
    if not len(rows):
        return Adjusted()
    said = Adjusted(found).apply(mean)
    past = {"horizon_days": question.fitted_days, "first": setting.first, "start": start}
    if question.is_money:
        return Adjusted(level=money_level(rows, said, cap=cap_of(rows), **past))
    return Adjusted(found, level(rows, said, **past))


def _serving(
    setting: Setting, question: Question, reported: _Reported, rows: Examples
) -> tuple[Answer, Mapping[str, float]]:
    """The recipe refitted on every cutoff up to a horizon before the end, over the base as it is now."""
    split, tested = reported.split, reported.tested
    rungs = _refitted(question, (reported.choice, reported.quiet), rows)
    plain = _answer(setting, question, rungs, rows, (_calibrator(reported), setting.as_of))
    answer = replace(
        informed(question, plain, *(tested.seen if tested else ())),
        horizon_days=split.horizon_days,
        grade=tested.grade if tested else "D",
        metrics=tested.metrics if tested else {},
        baseline_metrics=tested.baseline_metrics if tested else {},
        notes=_notes(reported),
        flags=("extrapolated",) if split.extrapolated else (),
        longer=question.expectations(rows) if split.extrapolated and question.is_money else None,
        power=_power(question, rows, reported),
    )
    said = answer.say(reported.base, setting.features.position, setting.as_of)
    base = tuple(np.percentile(said.score, PERCENTILES).tolist()) if len(reported.base) else ()
    return replace(answer, base=base), _prior(answer, rows, said.score, said.baseline)


def _power(question: Question, rows: Examples, reported: _Reported) -> float | None:
    """By which the chance of silence carries over to a longer horizon: what a process says of the base on average."""
    process = question.expectations(rows)
    if process is None or not reported.split.extrapolated or not len(reported.base):
        return None
    power, _ = process.longer(reported.base, question.features.position, reported.split.horizon_days)
    known = power[~np.isnan(power)]
    return float(known.mean()) if len(known) else None


def _calibrator(reported: _Reported) -> Calibrator | None:
    """Learnt from all rows that the recipe has been held against."""
    later, tested = reported.choice.later, reported.tested
    if later is None:
        return None
    return calibrator(later if tested is None or tested.later is None else later + tested.later)


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


def _notes(reported: _Reported) -> tuple[str, ...]:
    split = reported.split
    notes = [reported.choice.reason]
    if reported.quiet is not None:
        notes.append(f"whether anybody buys at all is said by the {reported.quiet.recipe.rung}")
    if split.extrapolated:
        enough = split.first + round(split.horizon_days * (3 + SHORTEST_LEAD) * DAY_US)
        notes.append(
            f"fitted on {split.fitted_days} days and carried over to {split.horizon_days}, because the log holds less "
            f"than three horizons of history; it will on {iso(enough)[:10]}"
        )
    if reported.tested is None:
        notes.append("too little history for a test on later rows, so the grade is D")
    if reported.minutes is not None and reported.choice.trials:
        notes.append(f"trees were searched for {reported.minutes:g} minutes, so another run may find others")
    return (*notes, *reported.warnings)
