"""Out-of-time figures of a rung beside the named baseline, on rows later than all that chose or fitted it."""

from dataclasses import dataclass, field, replace

import numpy as np

from features.arrays import Floats, Strings
from models.ladder.rung import Rung
from models.predictor.outcome_distribution import LEVELS
from models.predictor.predictor import PredictedScore, Predictor
from training.dataset.examples import Examples
from training.fit.calibration import LaterPredictions
from training.fit.intervals import (
    NO_MONEY_RESIDUALS,
    NO_PROBABILITY_RESIDUALS,
    MoneyResiduals,
    ProbabilityResiduals,
    conformal,
    money_residuals,
    probability_interval,
)
from training.fit.level import levelled
from training.fit.recipe import Question
from training.metrics import metrics
from training.metrics.bootstrap import MONEY, Figures, draws, figures_of, probability_figures
from training.metrics.grade import grade

Residuals = ProbabilityResiduals | MoneyResiduals


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Figures, and arrays with one entry per test row; `residuals` are what validation and test rows tell of intervals.

    `later` holds the predictions of the rung on the level of the test, for a calibrator; None for money. `customer`
    says whose the rows are.
    """

    residuals: tuple[Residuals, ...]
    cap: float
    metrics: Figures
    baseline_metrics: Figures
    grade: str
    truth: Floats
    model: Floats
    baseline: Floats
    low: Floats
    high: Floats
    later: LaterPredictions | None = None
    customer: Strings = field(default_factory=lambda: np.zeros(0, object))


def residuals(question: Question, predictor: Predictor, rows: Examples) -> Residuals:
    """Outcomes of rows of one cutoff, on which nothing was fitted, beside what the predictor expects of them.

    Predictions of money are moved to the level that the outcomes had: the level's own error is known by itself.
    """
    expected = predictor.adjusted_prediction(rows.values, question.features.position, _as_of(rows))
    if predictor.distribution is None:
        return ProbabilityResiduals(rows.outcome, expected.mean, np.zeros(len(rows), np.int64))
    return money_residuals(rows, expected.mean, expected.parts["p_none"])


def with_intervals(question: Question, predictor: Predictor, *row_residuals: Residuals) -> Predictor:
    """The predictor with intervals learnt from residuals on later rows."""
    if predictor.distribution is not None:
        money = (residual for residual in row_residuals if isinstance(residual, MoneyResiduals))
        return replace(
            predictor, distribution=conformal(predictor.distribution, sum(money, NO_MONEY_RESIDUALS), question.seed)
        )
    probabilities = (residual for residual in row_residuals if isinstance(residual, ProbabilityResiduals))
    return replace(predictor, interval=probability_interval(sum(probabilities, NO_PROBABILITY_RESIDUALS)))


def _as_of(rows: Examples) -> int:
    return int(rows.cutoff.max(initial=0))


@dataclass(frozen=True)
class Trial:
    """What is to be tested: a predictor as it would serve, and what was learnt on the validation rows (residuals,
    threshold, cap).
    """

    predictor: Predictor
    residuals: Residuals
    threshold: float
    cap: float
    best_grade: str = "A"


def evaluate(question: Question, trial: Trial, rows: Examples) -> Evaluation:
    """All figures with their intervals over customers, and the grade."""
    weights = draws(rows.customer, question.seed)
    predictor = with_intervals(question, trial.predictor, trial.residuals)
    prediction = predictor.predict(rows.values, question.features.position, _as_of(rows))
    figures = _figures(question, trial, rows, prediction.score, weights) | _skill(
        question, trial, rows, prediction, weights
    )
    if prediction.quantiles is not None:
        figures |= _interval_figures(rows, prediction, prediction.quantiles, weights)
    happened = int((rows.labels.count > 0).sum())
    return Evaluation(
        residuals=(trial.residuals, residuals(question, trial.predictor, rows)),
        cap=trial.cap,
        metrics=figures,
        baseline_metrics=_figures(question, trial, rows, prediction.baseline, weights),
        grade=grade(
            figures["skill"][1],
            customers=len(rows),
            minority=min(happened, len(rows) - happened),
            at_most=trial.best_grade,
        ),
        truth=rows.outcome,
        model=prediction.score,
        baseline=prediction.baseline,
        low=prediction.low,
        high=prediction.high,
        later=None if question.is_money else _form(question, predictor.rung, rows),
        customer=rows.customer,
    )


def _form(question: Question, rung: Rung, rows: Examples) -> LaterPredictions:
    """Predictions of the rung, uncalibrated and moved to the level that the outcomes had."""
    predicted = levelled(rows.outcome, question.predict(rung, rows).mean, rows.cutoff)
    return LaterPredictions(rows.outcome, predicted, rows.customer, np.zeros(len(rows), np.int64))


def _figures(question: Question, trial: Trial, rows: Examples, predicted: Floats, weights: Floats) -> Figures:
    if question.is_money:
        return figures_of(MONEY, rows.outcome, predicted, weights)
    return probability_figures(rows.outcome, predicted, trial.threshold, weights)


def _interval_figures(rows: Examples, prediction: PredictedScore, quantiles: Floats, weights: Floats) -> Figures:
    """Coverage and Winkler score of the 90 % interval, coverage of the middle 80 and 50 %, how far the median is off,
    and by how much the chance to buy nothing is.
    """
    truth = rows.outcome
    inside = {
        "coverage_90": ((truth >= prediction.low) & (truth <= prediction.high)).astype(np.float64),
        "coverage_80": _between(quantiles, truth, 0.1),
        "coverage_50": _between(quantiles, truth, 0.25),
        "winkler_90": metrics.winkler(truth, prediction.low, prediction.high),
        "mae_median": np.abs(truth - quantiles[:, LEVELS.index(0.5)]),
        "p_none_bias": prediction.parts["p_none"] - (rows.labels.count == 0),
    }
    return {name: figures_of({name: metrics.mean}, values, values, weights)[name] for name, values in inside.items()}


def _between(quantiles: Floats, truth: Floats, level: float) -> Floats:
    low, high = (quantiles[:, LEVELS.index(edge)] for edge in (level, 1 - level))
    return ((truth >= low) & (truth <= high)).astype(np.float64)


def _skill(question: Question, trial: Trial, rows: Examples, prediction: PredictedScore, weights: Floats) -> Figures:
    own, other = (question.losses(rows, predicted, trial.cap) for predicted in (prediction.score, prediction.baseline))
    return figures_of({"skill": metrics.share_saved}, other, own, weights) | {
        "loss": figures_of({"loss": metrics.mean}, own, own, weights)["loss"]
    }
