"""One horizon of a task, from panels to the predictor that serves: choose, report, refit (law 4)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from features.arrays import Floats
from features.config.tasks import TaskConfig
from features.timeline import DAY_US, days, iso
from models.predictor.calibrators import Calibrator
from models.predictor.predictor import Predictor
from training.audit.audit import accepted, audit, settle
from training.audit.case import AuditInput
from training.context import Phase, TrainingContext
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
from training.metrics.bootstrap import REPLICATES, replicates_for
from training.request import study_name
from training.selection.choose import Choice, choose
from training.tuning.budget import Budget, StudyLocation, study_address

PERCENTILES = np.linspace(0.0, 100.0, 1001)


@dataclass(frozen=True, eq=False)
class Trained:
    """A predictor with how it came about; `evaluation` is None where no rows were left to test on, `diagnostics` also
    where nobody asked for them. `no_purchase` chose what predicts, beside money, whether a customer buys nothing;
    `accepted` are checks of the audit that failed and that the TOML accepts; `prior` is what an unknown customer gets.
    """

    question: Question
    predictor: Predictor
    split: Split
    choice: Choice
    evaluation: Evaluation | None
    rows: Mapping[str, int]
    prior: Mapping[str, float] = field(default_factory=dict)
    no_purchase: Choice | None = None
    diagnostics: Diagnostics | None = None
    accepted: tuple[str, ...] = ()


def train_horizon(context: TrainingContext, task: TaskConfig, split: Split) -> Trained:
    """The predictor for the split's horizon."""
    heading = f"{task.name}, {split.horizon_days} days"
    question, rows = panel_rows(context, task, split)
    base = base_values(context.parts, task, context.features, context.as_of, context.config.train.max_rows)
    context.on_progress(Phase.AUDIT, f"{heading}: auditing the data")
    warnings, accepted_checks = _audited(context, task, split, rows, base)
    parts = split_rows(rows, split)
    context.on_progress(Phase.CHOICE, f"{heading}: choosing a model on {len(parts['choosing']):,} rows")
    choice = choose(question, parts["choosing"], parts["validation"], search_budget(context, task, split))
    no_purchase = None
    if question.is_money:
        no_purchase = choose(question.no_purchase, parts["choosing"].no_purchase, parts["validation"].no_purchase, None)
    context.on_progress(Phase.TEST, f"{heading}: {_testing(len(parts['test']))}")
    evaluation = evaluate_choice(context, question, (choice, no_purchase), parts, split)
    context.on_progress(Phase.FIT, f"{heading}: fitting the final model on {len(parts['serving']):,} rows")
    trained = Trained(
        question=question,
        predictor=_final_fit(context, question, (choice, no_purchase), evaluation, parts["serving"]),
        split=split,
        choice=choice,
        evaluation=evaluation,
        rows={name: len(part) for name, part in parts.items()},
        no_purchase=no_purchase,
        accepted=accepted_checks,
    )
    trained = _completed(context, trained, parts["serving"], base, warnings)
    del parts
    return replace(trained, diagnostics=_diagnostics(context, trained, rows)) if context.diagnose else trained


def _testing(rows: int) -> str:
    """What the log says of a test, with the number of bootstrap replicates where it is not the usual one."""
    replicates = replicates_for(rows)
    fewer = (
        ""
        if replicates == REPLICATES
        else f", intervals by {replicates} bootstrap replicates instead of {REPLICATES:,}"
    )
    return f"testing on {rows:,} rows{fewer}"


def panel_rows(context: TrainingContext, task: TaskConfig, split: Split) -> tuple[Question, Examples]:
    """The question of the split's horizon, and the rows of all its cutoffs."""
    config = context.config
    question = Question(
        task, split.fitted_days, context.features, config.seed, config.train.threads, _processes(context, task, split)
    )
    request = PanelRequest(task, split.fitted_days, context.features, context.end, config.train.max_rows)
    context.on_progress(
        Phase.PANEL, f"{task.name}, {split.horizon_days} days: computing features at {len(split.cutoffs)} cutoffs"
    )
    return question, build_examples(context.parts, request, split.cutoffs)


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
    heading = f"{task.name}, {split.horizon_days} days"
    return replace(
        context.budget,
        champion=context.champions.get((task.name, split.horizon_days)),
        study=StudyLocation(study_address(context.config), study_name(context, task, split)),
        on_trial=lambda number, _loss: context.on_progress(
            Phase.CHOICE, f"{heading}: trial {number + 1} of the search is done"
        ),
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
    findings, accept = audit(case), context.config.train.accept
    return settle(case, findings, accept), accepted(findings, accept)


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
    choice, no_purchase = choices
    rows = parts["reporting"]
    if not len(parts["test"]) or not len(rows):
        return None
    learnt = None if choice.later is None else calibrator(choice.later)
    chosen = Rungs(
        choice.rung, constant(question.task, parts["choosing"]), None if no_purchase is None else no_purchase.rung
    )
    before = fit_predictor(question, chosen, parts["choosing"], first=context.first, start=split.validation)
    rungs = fit_rungs(question, chosen_recipes(choice, no_purchase), rows)
    trial = Trial(
        predictor=fit_predictor(question, rungs, rows, first=context.first, start=split.test, calibrator=learnt),
        residuals=residuals(question, before, parts["validation"]),
        threshold=choice.threshold,
        cap=cap_of(rows),
        best_grade="C" if split.extrapolated or choice.recipe.rung == "rule" else "A",
    )
    return evaluate(question, trial, parts["test"])


def chosen_recipes(choice: Choice, no_purchase: Choice | None) -> Recipes:
    """The recipes that were chosen."""
    return Recipes(choice.recipe, None if no_purchase is None else no_purchase.recipe)


def _final_fit(
    context: TrainingContext,
    question: Question,
    choices: tuple[Choice, Choice | None],
    evaluation: Evaluation | None,
    rows: Examples,
) -> Predictor:
    """The recipe refitted on every cutoff up to a horizon before the end, with intervals."""
    choice, no_purchase = choices
    rungs = fit_rungs(question, chosen_recipes(choice, no_purchase), rows)
    learnt = _calibrator(choice, evaluation)
    fitted = fit_predictor(question, rungs, rows, first=context.first, start=context.as_of, calibrator=learnt)
    return with_intervals(question, fitted, *(evaluation.residuals if evaluation else ()))


def _completed(
    context: TrainingContext, trained: Trained, rows: Examples, base: Floats, warnings: tuple[str, ...]
) -> Trained:
    """With all that the predictor says of itself, and what its customers of today get; `base` are their values."""
    question, split, evaluation = trained.question, trained.split, trained.evaluation
    predictor = replace(
        trained.predictor,
        horizon_days=split.horizon_days,
        grade=evaluation.grade if evaluation else "D",
        metrics=evaluation.metrics if evaluation else {},
        baseline_metrics=evaluation.baseline_metrics if evaluation else {},
        notes=(*_notes(trained, context.budget.minutes), *warnings),
        flags=("extrapolated",) if split.extrapolated else (),
        longer=question.expectations(rows) if split.extrapolated and question.is_money else None,
        power=_power(question, rows, split, base),
    )
    prediction = predictor.predict(base, context.features.position, context.as_of)
    percentiles = tuple(np.percentile(prediction.score, PERCENTILES).tolist()) if len(base) else ()
    prior = _prior(predictor, rows, prediction.score, prediction.baseline)
    return replace(trained, predictor=replace(predictor, base=percentiles), prior=prior)


def _diagnostics(context: TrainingContext, trained: Trained, rows: Examples) -> Diagnostics | None:
    """What pictures show beside the test."""
    question, split, choice = trained.question, trained.split, trained.choice
    if trained.evaluation is None:
        return None
    heading = f"{question.task.name}, {split.horizon_days} days"
    context.on_progress(Phase.DIAGNOSTICS, f"{heading}: measuring periods, segments and the learning curve")
    learnt = None if choice.later is None else calibrator(choice.later)
    rung = trained.predictor.rung
    return diagnose(Subject(context, question, choice.recipe, rung, rows, split, trained.evaluation, learnt))


def _power(question: Question, rows: Examples, split: Split, base: Floats) -> float | None:
    """By which the chance of silence carries over to a longer horizon: what a process says of the base on average."""
    process = question.expectations(rows)
    if process is None or not split.extrapolated or not len(base):
        return None
    power, _ = process.longer(base, question.features.position, split.horizon_days)
    defined = power[~np.isnan(power)]
    return float(defined.mean()) if len(defined) else None


def _calibrator(choice: Choice, evaluation: Evaluation | None) -> Calibrator | None:
    """Learnt from all rows that the recipe has been held against."""
    if choice.later is None:
        return None
    tested = None if evaluation is None else evaluation.later
    return calibrator(choice.later if tested is None else choice.later + tested)


def _prior(predictor: Predictor, rows: Examples, scores: Floats, baselines: Floats) -> Mapping[str, float]:
    """What a customer nobody knows gets: the base's average, and the interval of a customer drawn from it."""
    fitted = np.array([rows.outcome.mean() if len(rows) else 0.0 if predictor.is_money else 0.5])
    score = float(scores.mean() if len(scores) else predictor.extrapolated(fitted)[0])
    if predictor.is_money:
        ends = shortest(rows.outcome) if len(rows) else (0.0, 0.0)
    else:
        low, high = predictor.interval.interval(
            fitted if predictor.horizon_days != predictor.fitted_days else np.array([score])
        )
        ends = float(low[0]), float(high[0])
    low_end, high_end = predictor.extrapolated(np.array(ends)).tolist()
    baseline = float(baselines.mean()) if len(baselines) else score
    return {"score": score, "low": min(low_end, score), "high": max(high_end, score), "baseline": baseline}


def _notes(trained: Trained, minutes: float | None) -> tuple[str, ...]:
    split = trained.split
    notes = [trained.choice.reason]
    if trained.no_purchase is not None:
        notes.append(f"whether anybody buys at all is said by the {trained.no_purchase.recipe.rung}")
    if split.extrapolated:
        enough = split.first + round(split.horizon_days * (3 + SHORTEST_LEAD) * DAY_US)
        notes.append(
            f"fitted on {split.fitted_days} days and carried over to {split.horizon_days}, because the log holds less "
            f"than three horizons of history; it will on {iso(enough)[:10]}"
        )
    if trained.evaluation is None:
        notes.append("too little history for a test on later rows, so the grade is D")
    if minutes is not None and trained.choice.trials:
        notes.append(f"trees were searched for {minutes:g} minutes, so another run may find others")
    return tuple(notes)
