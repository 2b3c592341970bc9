"""One horizon of a task, from panels to the answer that serves: choose, report, refit (law 4)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from features.arrays import Floats
from features.config.tasks import TaskConfig
from features.timeline import DAY_US, days, iso
from models.predictor.calibrators import Calibrator
from models.predictor.predictor import Predictor
from training.audit.audit import accepted, audit, settle
from training.audit.case import AuditInput
from training.context import TrainingContext
from training.dataset.examples import Examples, PanelRequest, base_values, build_examples
from training.dataset.split import SHORTEST_LEAD, Split
from training.evaluation.diagnose import diagnose
from training.evaluation.diagnostics import Diagnostics, Subject
from training.evaluation.evaluate import Evaluation, Trial, evaluate, residuals, with_intervals
from training.fit.baselines import cap_of, constant
from training.fit.calibration import calibrator
from training.fit.intervals import shortest
from training.fit.predictor import Recipes, Rungs, fit_predictor, fit_rungs
from training.fit.purchase_process import Processes, processes
from training.fit.recipe import Question
from training.request import study_name
from training.selection.choose import Choice, choose
from training.tuning.budget import Budget, Place, study_address

PERCENTILES = np.linspace(0.0, 100.0, 1001)


@dataclass(frozen=True, eq=False)
class Trained:
    """An answer with how it came about; `tested` is None where no rows were left to test on, `studied` also where
    nobody asked for it. `quiet` chose what says the chance of silence beside money; `accepted` are checks of the audit
    that failed and that the TOML accepts.
    """

    question: Question
    predictor: Predictor
    split: Split
    choice: Choice
    evaluation: Evaluation | None
    rows: Mapping[str, int]
    prior: Mapping[str, float]
    quiet: Choice | None = None
    diagnostics: Diagnostics | None = None
    accepted: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class _Reported:
    """What was found before what serves is fitted; `quiet` makes the chance of silence beside money, `base` are the
    values of those who will be scored.
    """

    split: Split
    choice: Choice
    quiet: Choice | None
    tested: Evaluation | None
    base: Floats
    warnings: tuple[str, ...]
    minutes: float | None


def train_horizon(context: TrainingContext, task: TaskConfig, split: Split) -> Trained:
    """The answer for the split's horizon."""
    question, rows = panel_rows(context, task, split)
    base = base_values(context.parts, task, context.features, context.as_of, context.config.train.max_rows)
    context.tell(f"{task.name}, {split.horizon_days} days: audit")
    warnings, taken = _audited(context, task, split, rows, base)
    parts = split_rows(rows, split)
    context.tell(f"{task.name}, {split.horizon_days} days: choosing on {len(parts['choosing']):,} rows")
    choice = choose(question, parts["choosing"], parts["validation"], search_budget(context, task, split))
    quiet = None
    if question.is_money:
        quiet = choose(question.silence, parts["choosing"].silence, parts["validation"].silence, None)
    context.tell(f"{task.name}, {split.horizon_days} days: testing on {len(parts['test']):,} rows")
    tested = evaluate_choice(context, question, (choice, quiet), parts, split)
    context.tell(f"{task.name}, {split.horizon_days} days: fitting what serves on {len(parts['serving']):,} rows")
    reported = _Reported(split, choice, quiet, tested, base, warnings, context.budget.minutes)
    answer, prior = _final_fit(context, question, reported, parts["serving"])
    counts = {name: len(part) for name, part in parts.items()}
    del parts
    studied = _diagnostics(context, question, reported, answer, rows) if context.diagnose else None
    return Trained(question, answer, split, choice, tested, counts, prior, quiet, studied, taken)


def panel_rows(context: TrainingContext, task: TaskConfig, split: Split) -> tuple[Question, Examples]:
    """The question of the split's horizon, and the rows of all its cutoffs."""
    config = context.config
    question = Question(
        task, split.fitted_days, context.features, config.seed, config.train.threads, _processes(context, task, split)
    )
    asked = PanelRequest(task, split.fitted_days, context.features, context.end, config.train.max_rows)
    context.tell(f"{task.name}, {split.horizon_days} days: panel of {len(split.cutoffs)} cutoffs")
    return question, examples(context.parts, asked, split.cutoffs)


def split_rows(rows: Examples, split: Split) -> dict[str, Examples]:
    """The rows of each purpose."""
    return {
        "choosing": rows.at(split.choosing),
        "validation": rows.at([split.validation]),
        "reporting": rows.at(split.reporting),
        "test": rows.at([split.test]),
        "serving": rows.at(split.serving),
    }


def search_budget(context: TrainingContext, task: TaskConfig, split: Split) -> Budget:
    """What may be tried, beginning with what serves now, and the study that keeps it."""
    doing = f"{task.name}, {split.horizon_days} days: choosing, after trial"
    return replace(
        context.budget,
        champion=context.champions.get((task.name, split.horizon_days)),
        place=Place(study_address(context.config), study_name(context, task, split)),
        told=lambda number, _loss: context.tell(f"{doing} {number + 1}"),
    )


def _audited(
    context: TrainingContext, task: TaskConfig, split: Split, rows: Examples, base: Floats
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What an audit has to say, and which failed checks were accepted; AuditError where no fit may follow."""
    case = AuditInput(
        task=task,
        parts=context.parts,
        features=context.features,
        rows=rows,
        split=split,
        base=base,
        as_of=context.as_of,
        end=context.end,
        max_rows=context.config.train.max_rows,
        seed=context.config.seed,
    )
    found, accept = audit(case), context.config.train.accept
    return settle(case, found, accept), accepted(found, accept)


def _processes(context: TrainingContext, task: TaskConfig, split: Split) -> Processes:
    """A purchase process for all rows that something is fitted on, and for those of the period before the choice."""
    horizon = days(split.fitted_days)
    newest = [cutoffs[-1] for cutoffs in (split.choosing, split.reporting, split.serving) if cutoffs]
    before = [cutoff for cutoff in split.choosing if cutoff + horizon in split.choosing]
    instants = {cutoff + horizon for cutoff in (*newest, *before[-1:])}
    return processes(context.parts, task, split.fitted_days, context.config.log.timezone, instants)


def evaluate_choice(
    context: TrainingContext,
    question: Question,
    choices: tuple[Choice, Choice | None],
    parts: Mapping[str, Examples],
    split: Split,
) -> Evaluation | None:
    """Recipe and baseline refitted up to a horizon before the test; intervals learnt where the choice was made."""
    choice, quiet = choices
    rows = parts["reporting"]
    if not len(parts["test"]) or not len(rows):
        return None
    found = None if choice.later is None else calibrator(choice.later)
    chosen = Rungs(choice.rung, constant(question.task, parts["choosing"]), None if quiet is None else quiet.rung)
    before = answered(question, chosen, parts["choosing"], first=context.first, start=split.validation)
    rungs = refitted(question, chosen_recipes(choice, quiet), rows)
    trial = Trial(
        predictor=answered(question, rungs, rows, first=context.first, start=split.test, calibrator=found),
        residuals=residuals(question, before, parts["validation"]),
        threshold=choice.threshold,
        cap=cap_of(rows),
        best_grade="C" if split.extrapolated or choice.recipe.rung == "rule" else "A",
    )
    return evaluate(question, trial, parts["test"])


def chosen_recipes(choice: Choice, quiet: Choice | None) -> Recipes:
    """The recipes that were chosen."""
    return Recipes(choice.recipe, None if quiet is None else quiet.recipe)


def _final_fit(
    context: TrainingContext, question: Question, reported: _Reported, rows: Examples
) -> tuple[Predictor, Mapping[str, float]]:
    """The recipe refitted on every cutoff up to a horizon before the end, over the base as it is now."""
    split, tested = reported.split, reported.tested
    rungs = refitted(question, chosen_recipes(reported.choice, reported.quiet), rows)
    plain = answered(question, rungs, rows, first=context.first, start=context.as_of, calibrator=_calibrator(reported))
    answer = replace(
        with_intervals(question, plain, *(tested.residuals if tested else ())),
        horizon_days=split.horizon_days,
        grade=tested.grade if tested else "D",
        metrics=tested.metrics if tested else {},
        baseline_metrics=tested.baseline_metrics if tested else {},
        notes=_notes(reported),
        flags=("extrapolated",) if split.extrapolated else (),
        longer=question.expectations(rows) if split.extrapolated and question.is_money else None,
        power=_power(question, rows, reported),
    )
    said = answer.say(reported.base, context.features.position, context.as_of)
    base = tuple(np.percentile(said.score, PERCENTILES).tolist()) if len(reported.base) else ()
    return replace(answer, base=base), _prior(answer, rows, said.score, said.baseline)


def _diagnostics(
    context: TrainingContext, question: Question, reported: _Reported, answer: Predictor, rows: Examples
) -> Diagnostics | None:
    """What pictures show beside the test."""
    split, choice, tested = reported.split, reported.choice, reported.tested
    if tested is None:
        return None
    context.tell(f"{question.task.name}, {split.horizon_days} days: studying what was tested")
    found = None if choice.later is None else calibrator(choice.later)
    return diagnose(Subject(context, question, choice.recipe, answer.rung, rows, split, tested, found))


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


def _prior(answer: Predictor, rows: Examples, scores: Floats, baselines: Floats) -> Mapping[str, float]:
    """What a customer nobody knows gets: the base's average, and the interval of a customer drawn from it."""
    fitted = np.array([rows.outcome.mean() if len(rows) else 0.0 if answer.is_money else 0.5])
    score = float(scores.mean() if len(scores) else answer.carried(fitted)[0])
    if answer.is_money:
        ends = shortest(rows.outcome) if len(rows) else (0.0, 0.0)
    else:
        low, high = answer.interval.interval(fitted if answer.horizon_days != answer.fitted_days else np.array([score]))
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
