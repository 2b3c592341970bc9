"""Does it hold over time? The chosen recipe, refitted as of earlier cutoffs and measured a horizon later."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from features.timeline import days, iso
from training.dataset.examples import Examples
from training.dataset.split import Split
from training.evaluation.diagnostics import MOST_LEARNT, SliceFigures, Subject, ranked, slice_figures
from training.fit.predictor import Recipes, fit_predictor, fit_rungs
from training.fit.purchase_process import processes
from training.fit.recipe import Question
from training.selection.validation import shortage_for_any

MOST_PERIODS = 4


def periods(subject: Subject) -> tuple[SliceFigures, ...]:
    """Figures at the test and at cutoffs a horizon apart before it, the oldest first.

    The recipe was chosen on the period before the test, so only the test itself saw nothing of it; earlier fits go
    without the calibrator, which was learnt later.
    """
    split, tested = subject.split, subject.evaluation
    slices = [slice_figures(subject.question, iso(split.test)[:10], subject.test, tested.model, tested.baseline)]
    for cutoff in _earlier(subject.rows, split):
        period = _period(subject, cutoff)
        if period is None:
            break
        slices.append(period)
    return tuple(reversed(slices))


def _period(subject: Subject, cutoff: int) -> SliceFigures | None:
    """Figures at an earlier cutoff; None where too little lies before it."""
    rows, split, recipes = subject.rows, subject.split, Recipes(subject.recipe)
    test, before = rows.at([cutoff]), rows[rows.cutoff <= cutoff - days(split.fitted_days)]
    if len(before) > MOST_LEARNT:
        before = before[ranked(before) < MOST_LEARNT / len(before)]
    if shortage_for_any(before, "") or shortage_for_any(test, ""):
        return None
    question = _as_of(subject, before)
    if subject.question.processes.fitted and question.expectations(before) is None:
        return None
    rungs = fit_rungs(question, recipes, before)
    answer = fit_predictor(question, rungs, before, first=subject.context.first, start=cutoff)
    predicted = answer.adjusted_prediction(test.values, question.features.position, cutoff).mean
    return slice_figures(question, iso(cutoff)[:10], test, predicted, question.predict(rungs.baseline, test).mean)


def _earlier(rows: Examples, split: Split) -> Iterator[int]:
    """The newest cutoffs of the panel that lie a horizon or more before each other and the test."""
    cutoffs, newest = np.unique(rows.cutoff), split.test
    for _ in range(MOST_PERIODS - 1):
        before = cutoffs[cutoffs <= newest - days(split.fitted_days)]
        if not len(before):
            return
        newest = int(before[-1])
        yield newest


def _as_of(subject: Subject, rows: Examples) -> Question:
    """The question with the purchase process as it was when the last label of these rows ended."""
    context, question = subject.context, subject.question
    if not question.processes.fitted or question.expectations(rows) is not None:
        return question
    instant = int(rows.cutoff.max()) + days(question.fitted_days)
    timezone = context.config.log.timezone
    return replace(
        question, processes=processes(context.parts, question.task, question.fitted_days, timezone, {instant})
    )
