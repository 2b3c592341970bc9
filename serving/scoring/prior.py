"""The score of a customer nobody knows."""

from collections.abc import Mapping

import numpy as np

from models.predictor.outcome_distribution import PredictionContext
from models.predictor.predictor import PredictedScore, Predictor
from serving.scoring.served_model import ServedBundle


def prior_prediction(model: ServedBundle, predictor: Predictor) -> PredictedScore:
    """What a customer nobody knows gets, in one row: the average of the base at training."""
    prior: Mapping[str, float] | None = model.bundle.facts.get("prior", {}).get(str(predictor.horizon_days))
    if prior is None:
        mean = np.array([np.mean(predictor.base) if predictor.base else np.nan])
        if predictor.distribution is None:
            low, high = predictor.interval.interval(mean)
        else:
            low, high, _ = predictor.distribution.predict(PredictionContext(mean, 0.0 * mean))
        return PredictedScore(mean, low, high, predictor.percentile(mean), mean, {})
    score, low, high, baseline = (np.array([prior[name]]) for name in ("score", "low", "high", "baseline"))
    return PredictedScore(score, low, high, predictor.percentile(score), baseline, {})
