"""Answers over nested horizons that agree: a longer one never says less."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from models.prediction import TINY
from models.predictor.predictor import PredictedScore, Predictor


def monotone(answers: Sequence[Predictor], said: Sequence[PredictedScore]) -> list[PredictedScore]:
    """The same, with probabilities that never contradict each other over horizons.

    That something happens is never less likely within a longer horizon, that nothing happens never more likely. Money
    itself may fall, because it may be sent back.
    """
    if len(answers) < 2:
        return list(said)
    if answers[0].is_money:
        return _monotone_orders(said)
    accumulate = np.minimum.accumulate if answers[0].outcome == "silence" else np.maximum.accumulate
    score, low, high = (accumulate(np.stack([getattr(one, name) for one in said])) for name in ("score", "low", "high"))
    return [
        replace(one, score=score[i], low=low[i], high=high[i], percentile=answer.percentile(score[i]))
        for i, (answer, one) in enumerate(zip(answers, said, strict=True))
    ]


def _monotone_orders(said: Sequence[PredictedScore]) -> list[PredictedScore]:
    """No order is never more likely within a longer horizon, and orders are never fewer."""
    told: list[PredictedScore] = []
    for one in said:
        parts = dict(one.parts)
        for name, better in (("p_none", np.fmin), ("next_order_days", np.fmin), ("orders", np.fmax)):
            if told and name in parts and name in told[-1].parts:
                parts[name] = better(told[-1].parts[name], parts[name])
        if "order_value" in parts:
            parts["order_value"] = one.score / np.maximum(parts["orders"], TINY)
        told.append(replace(one, parts=parts))
    return told
