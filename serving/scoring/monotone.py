"""Predictions over nested horizons that agree: a longer horizon never makes an event less likely."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from models.prediction import EPS
from models.predictor.predictor import PredictedScore, Predictor


def monotone(predictors: Sequence[Predictor], predictions: Sequence[PredictedScore]) -> list[PredictedScore]:
    """The same predictions, with probabilities that never contradict each other over horizons.

    That something happens is never less likely within a longer horizon, that nothing happens never more likely. Money
    itself may fall, because it may be sent back.
    """
    if len(predictors) < 2:
        return list(predictions)
    if predictors[0].is_money:
        return _monotone_orders(predictions)
    accumulate = np.minimum.accumulate if predictors[0].outcome == "silence" else np.maximum.accumulate
    score, low, high = (
        accumulate(np.stack([getattr(prediction, name) for prediction in predictions]))
        for name in ("score", "low", "high")
    )
    return [
        replace(
            prediction,
            score=score[index],
            low=low[index],
            high=high[index],
            percentile=predictor.percentile(score[index]),
        )
        for index, (predictor, prediction) in enumerate(zip(predictors, predictions, strict=True))
    ]


def _monotone_orders(predictions: Sequence[PredictedScore]) -> list[PredictedScore]:
    """No order is never more likely within a longer horizon, and orders are never fewer."""
    agreeing: list[PredictedScore] = []
    for prediction in predictions:
        parts = dict(prediction.parts)
        for name, better in (("p_none", np.fmin), ("next_order_days", np.fmin), ("orders", np.fmax)):
            if agreeing and name in parts and name in agreeing[-1].parts:
                parts[name] = better(agreeing[-1].parts[name], parts[name])
        if "order_value" in parts:
            parts["order_value"] = prediction.score / np.maximum(parts["orders"], EPS)
        agreeing.append(replace(prediction, parts=parts))
    return agreeing
