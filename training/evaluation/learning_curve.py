"""Would more customers make it better? The recipe refitted on shares of them, measured on the same test rows."""

import numpy as np

from features.arrays import Floats
from training.dataset.examples import Examples
from training.evaluation.diagnostics import MOST_LEARNT, LearningPoint, Subject, ranked, thinned
from training.fit.predictor import Recipes, fit_predictor, fit_rungs
from training.metrics import metrics
from training.metrics.bootstrap import draws, figures_of
from training.selection.validation import shortage_for_any

POINTS = 3  # beside all customers, who made what was tested
Figure = list[float | None]


def curve(subject: Subject) -> tuple[tuple[LearningPoint, ...], Figure]:
    """Losses on the test rows by the share of customers learnt from, ascending, and that of the baseline."""
    test, rows = subject.test, subject.rows.at(subject.split.reporting)
    sample, rank = thinned(test), ranked(rows)
    weights = draws(test.customer[sample], subject.question.seed)

    def loss(predicted: Floats) -> Figure:
        losses = subject.question.losses(test, predicted, subject.evaluation.cap)[sample]
        return figures_of({"loss": metrics.mean}, losses, losses, weights)["loss"]

    points = []
    for share in shares(len(rows)):
        fewer = rows[rank < share]
        if not shortage_for_any(fewer, ""):
            points.append(_learnt(share, fewer, loss(_predicted(subject, fewer, test))))
    points.append(_learnt(1.0, rows, loss(subject.evaluation.model)))
    return tuple(points), loss(subject.evaluation.baseline)


def shares(rows: int) -> tuple[float, ...]:
    """Shares of the customers, each twice the one before, ascending: a half of them, or less where rows are many.

    >>> shares(10_000), shares(320_000)
    ((0.125, 0.25, 0.5), (0.03125, 0.0625, 0.125))
    """
    largest = next(halves for halves in range(1, 64) if rows / 2**halves <= MOST_LEARNT)
    return tuple(0.5**halves for halves in range(largest + POINTS - 1, largest - 1, -1))


def _predicted(subject: Subject, rows: Examples, test: Examples) -> Floats:
    """What the recipe, fitted on these rows, predicts for the test."""
    context, question, start = subject.context, subject.question, subject.split.test
    rungs = fit_rungs(question, Recipes(subject.recipe), rows)
    predictor = fit_predictor(question, rungs, rows, first=context.first, start=start, calibrator=subject.calibrator)
    return predictor.adjusted_prediction(test.values, question.features.position, start).mean


def _learnt(share: float, rows: Examples, loss: Figure) -> LearningPoint:
    return LearningPoint(share, len(np.unique(rows.customer.astype(np.str_))), len(rows), loss)
