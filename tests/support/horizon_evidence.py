"""A horizon as a training leaves it, with figures that a test sets itself."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from features.arrays import Floats
from features.config.load import parse
from features.language.feature_set import FeatureSet
from features.timeline import days, instant
from models.ladder.rules import Binned
from models.predictor.intervals import PredictionInterval
from models.predictor.predictor import Predictor
from training.dataset.split import Split
from training.evaluation.diagnostics import Diagnostics
from training.evaluation.evaluate import Evaluation
from training.fit.recipe import Question, Recipe
from training.horizon import Trained
from training.selection.choose import Candidate, Choice
from training.tracking.evidence import HorizonEvidence

RULE = Binned("purchase_recency", (30.0,), (0.2, 0.8, 0.5))
CHURN = {"log": {"value": "value"}, "tasks": {"churn": {"kind": "churn", "event": "purchase", "horizon_days": 90}}}


def horizon_evidence(
    horizon_days: int,
    *,
    test: str,
    rows: Mapping[str, int],
    candidates: tuple[Candidate, ...],
    trials: Sequence[Mapping[str, object]] = (),
    importances: Mapping[str, float] | None = None,
    diagnostics: Diagnostics | None = None,
    evaluation: Evaluation | None = None,
) -> HorizonEvidence:
    """A horizon that was tested at the date `test`, with trees of five rounds as its choice."""
    cutoff = instant(test, "UTC")
    recipe = Recipe("lightgbm", trees=(5,))
    trained = Trained(
        question=Question(parse(CHURN, folder=Path()).task("churn"), horizon_days, FeatureSet(()), seed=7, threads=1),
        predictor=Predictor(
            horizon_days=horizon_days,
            fitted_days=horizon_days,
            kind="churn",
            outcome="silence",
            rung=RULE,
            baseline=RULE,
            interval=PredictionInterval((), (0.0,), (0.1,)),
            base=(0.0, 1.0),
            grade="B",
        ),
        split=Split(
            horizon_days=horizon_days,
            fitted_days=horizon_days,
            first=0,
            end=cutoff + days(horizon_days),
            choosing=(),
            validation=cutoff - days(horizon_days),
            reporting=(),
            test=cutoff,
            serving=(),
        ),
        choice=Choice(
            recipe,
            RULE,
            "trees were best",
            trials=tuple(map(dict, trials)),
            candidates=candidates,
            importances=importances,
        ),
        evaluation=evaluation or predictions(np.zeros(3), np.zeros(3)),
        rows=rows,
        diagnostics=diagnostics,
    )
    assert trained.evaluation is not None
    return HorizonEvidence(trained, trained.evaluation)


def predictions(truth: Floats, model: Floats) -> Evaluation:
    """An evaluation that holds these predictions, and nothing else that is of interest."""
    return Evaluation(
        residuals=(),
        cap=1.0,
        metrics={},
        baseline_metrics={},
        grade="B",
        truth=truth,
        model=model,
        baseline=np.round(model, 1),
        low=model * 0,
        high=model * 3,
    )
