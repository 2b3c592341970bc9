"""Out-of-time figures of a rung beside the named baseline, on rows later than all that chose or fitted it."""

from dataclasses import dataclass

import numpy as np

from features.journeys import Floats
from models.answer import Adjusted, Spread
from models.rungs import Rung
from training import metrics
from training.bootstrap import MONEY, Figures, draws, figures_of, probability_figures
from training.calibrate import Later
from training.grade import grade
from training.levels import levelled
from training.panels import Examples
from training.recipe import Question
from training.spread import LEVELS, Missed, money_spread, probability_spread


@dataclass(frozen=True, eq=False)
class Tested:
    """Figures, and arrays with one entry per test row; `spread` is learnt on validation and test rows.

    `later` holds what the rung said on the level of the test, for a calibrator; None for money.
    """

    spread: Spread
    cap: float
    metrics: Figures
    baseline_metrics: Figures
    grade: str
    truth: Floats
    model: Floats
    baseline: Floats
    low: Floats
    high: Floats
    later: Later | None = None


def missed(question: Question, rung: Rung, adjusted: Adjusted, rows: Examples) -> Missed:
    """What is said about rows of one cutoff on which nothing was fitted, and what came."""
    return Missed(rows.outcome, _said(question, rung, adjusted, rows), np.zeros(len(rows), np.int64))


def _said(question: Question, rung: Rung, adjusted: Adjusted, rows: Examples) -> Floats:
    return adjusted.apply(question.predict(rung, rows).mean, int(rows.cutoff.max(initial=0)))


def spread_of(question: Question, seen: Missed) -> Spread:
    """How far outcomes lie from predictions."""
    return money_spread(seen) if question.is_money else probability_spread(seen)


@dataclass(frozen=True)
class Trial:
    """What is to be tested: a rung with what adjusts it, the baseline, and what was learnt on the validation rows
    (spread, threshold, cap).
    """

    rung: Rung
    adjusted: Adjusted
    baseline: Rung
    seen: Missed
    threshold: float
    cap: float
    best_grade: str = "A"


def evaluate(question: Question, tried: Trial, rows: Examples) -> Tested:
    """All figures with their intervals over customers, and the grade."""
    weights = draws(rows.customer, question.seed)
    model = _said(question, tried.rung, tried.adjusted, rows)
    baseline = question.predict(tried.baseline, rows).mean
    spread = spread_of(question, tried.seen)
    doubt = tried.adjusted.doubt(int(rows.cutoff.max(initial=0)))
    low, high = spread.widened(model, doubt) if doubt else spread.interval(model)
    figures = _figures(question, tried, rows, model, weights, spread) | _skill(
        question, tried, rows, (model, baseline), weights
    )
    happened = int((rows.labels.count > 0).sum())
    return Tested(
        spread=spread_of(question, tried.seen + missed(question, tried.rung, tried.adjusted, rows)),
        cap=tried.cap,
        metrics=figures,
        baseline_metrics=_figures(question, tried, rows, baseline, weights),
        grade=grade(
            figures["skill"][1],
            customers=len(rows),
            rarer=min(happened, len(rows) - happened),
            at_most=tried.best_grade,
        ),
        truth=rows.outcome,
        model=model,
        baseline=baseline,
        low=low,
        high=high,
        later=None if question.is_money else _form(question, tried.rung, rows),
    )


def _form(question: Question, rung: Rung, rows: Examples) -> Later:
    """What the rung says, uncalibrated and on the level that came."""
    said = levelled(rows.outcome, question.predict(rung, rows).mean, rows.cutoff)
    return Later(rows.outcome, said, rows.customer, np.zeros(len(rows), np.int64))


def _figures(
    question: Question, tried: Trial, rows: Examples, predicted: Floats, weights: Floats, spread: Spread | None = None
) -> Figures:
    if not question.is_money:
        return probability_figures(rows.outcome, predicted, tried.threshold, weights)
    figures = figures_of(MONEY, rows.outcome, predicted, weights)
    return figures | _interval_figures(spread, rows, predicted, weights) if spread else figures


def _interval_figures(spread: Spread, rows: Examples, predicted: Floats, weights: Floats) -> Figures:
    """Coverage and width of the 90 % interval, coverage of the middle 80 %, and how far the median is off."""
    truth, quantiles = rows.outcome, spread.quantile(predicted)
    low, high = spread.interval(predicted)
    middle = quantiles[:, LEVELS.index(0.1)], quantiles[:, LEVELS.index(0.9)]
    inside = {
        "coverage_90": ((truth >= low) & (truth <= high)).astype(np.float64),
        "coverage_80": ((truth >= middle[0]) & (truth <= middle[1])).astype(np.float64),
        "winkler_90": metrics.winkler(truth, low, high),
        "mae_median": np.abs(truth - quantiles[:, LEVELS.index(0.5)]),
    }
    return {name: figures_of({name: metrics.mean}, values, values, weights)[name] for name, values in inside.items()}


def _skill(
    question: Question, tried: Trial, rows: Examples, predictions: tuple[Floats, Floats], weights: Floats
) -> Figures:
    own, other = (question.losses(rows, predicted, tried.cap) for predicted in predictions)
    return figures_of({"skill": metrics.share_saved}, other, own, weights) | {
        "loss": figures_of({"loss": metrics.mean}, own, own, weights)["loss"]
    }
