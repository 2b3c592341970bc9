"""Scores, column by column: what the one scoring path returns, before it becomes JSON or Parquet.

`HeadScores` holds what one head (a task and a horizon) predicts for `n` customers; `Scores` holds one per head over the
same customers. NaN is null. Fields of `Head` and of a prediction that are fields of the score record too enter it by
their name; the others stand in `_record`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from math import isnan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.arrays import Floats, Ints, Strings
from features.language.feature import AnyFeature
from features.timeline import moment
from models.predictor.actions import RankedActions
from models.predictor.predictor import BAND_EDGES, BANDS, PredictedScore
from models.score_record import FLAGS, ScoreRecord


@dataclass(frozen=True)
class Head:
    """What is the same for every customer of one task and horizon."""

    task: str
    kind: str
    horizon_days: int
    model_version: str
    rung: str
    grade: str
    expires_at_us: int
    score_id: str


FIELDS = tuple(ScoreRecord.model_fields)
HEAD_FIELDS = tuple(field.name for field in fields(Head) if field.name in ScoreRecord.model_fields)
NUMBERS = tuple(field.name for field in fields(PredictedScore) if field.name in ScoreRecord.model_fields)


@dataclass(frozen=True, eq=False)
class Ranked:
    """A next_action head's actions and what was chosen among them for each of the n customers."""

    actions: tuple[str, ...]
    chosen: RankedActions


@dataclass(frozen=True, eq=False)
class Reasons:
    """Reasons of each row, the strongest first: number of the feature (-1: no more), direction, value; each (n, r)."""

    features: tuple[AnyFeature, ...]
    feature: Ints
    raises: NDArray[np.bool_]
    value: Floats


@dataclass(frozen=True, eq=False)
class HeadScores:
    """What one head predicts for n customers; arrays of shape (n,) unless said otherwise."""

    head: Head
    numbers: Mapping[str, Floats]  # by name of NUMBERS
    flags: NDArray[np.bool_]  # (n, len(FLAGS))
    details: Mapping[str, Floats] = field(default_factory=dict)  # fields of Details; instants in µs UTC
    levels: tuple[float, ...] = ()
    quantiles: Floats | None = None  # (n, len(levels))
    ranked: Ranked | None = None
    reasons: Reasons | None = None

    @property
    def scored(self) -> NDArray[np.bool_]:
        """Who has a score."""
        return ~np.isnan(self.numbers["score"])


@dataclass(frozen=True, eq=False)
class Scores:
    """Every head over the same customers, as of one instant; records run by customer, then by head."""

    customers: Strings
    as_of_us: int
    by_head: tuple[HeadScores, ...]

    def __len__(self) -> int:
        return len(self.customers) * len(self.by_head)

    def records(self) -> Iterator[dict[str, Any]]:
        """The score records as plain values, in the order of the contract's fields."""
        as_of = moment(self.as_of_us)
        for row, customer in enumerate(self.customers):
            for head_scores in self.by_head:
                yield _record(customer, as_of, head_scores, row)


def _record(customer: str, as_of: datetime, head_scores: HeadScores, row: int) -> dict[str, Any]:
    head, numbers = head_scores.head, {name: _number(values[row]) for name, values in head_scores.numbers.items()}
    score, percentile, reasons = numbers["score"], numbers["percentile"], head_scores.reasons
    ranked = head_scores.ranked if score is not None else None
    ranking = None if ranked is None else [ranked.actions[action] for action in ranked.chosen.order[row]]
    values = {
        **{name: getattr(head, name) for name in HEAD_FIELDS},
        **numbers,
        "customer_id": customer,
        "as_of": as_of,
        "details": None if score is None else _details(head_scores, row),
        "band": None if percentile is None else BANDS[int(np.searchsorted(BAND_EDGES, percentile, side="right"))],
        "action": None if ranking is None else ranking[0],
        "action_probability": None if ranked is None else _number(ranked.chosen.probability[row]),
        "ranking": ranking,
        "reasons": None if reasons is None or score is None else _reasons(reasons, row),
        "expires_at": moment(head.expires_at_us),
        "flags": [flag for flag, raised in zip(FLAGS, head_scores.flags[row].tolist(), strict=True) if raised],
    }
    return {name: values[name] for name in FIELDS}


def _details(head_scores: HeadScores, row: int) -> dict[str, Any] | None:
    details: dict[str, Any] = {name: _number(values[row]) for name, values in head_scores.details.items()}
    if details.get("next_order_at") is not None:
        details["next_order_at"] = moment(details["next_order_at"])
    if head_scores.quantiles is not None:
        values = head_scores.quantiles[row].tolist()
        if not isnan(values[0]):
            details["quantiles"] = [
                {"level": level, "value": value} for level, value in zip(head_scores.levels, values, strict=True)
            ]
    if head_scores.ranked is not None:
        details["actions"] = _actions(head_scores.ranked, row)
    return {name: value for name, value in details.items() if value is not None} or None


def _actions(ranked: Ranked, row: int) -> list[dict[str, Any]]:
    return [
        {
            "action": name,
            "value": _number(ranked.chosen.value[row, action]),
            "gain": _number(ranked.chosen.gain[row, action]),
            "low": _number(ranked.chosen.gain_low[row, action]),
            "high": _number(ranked.chosen.gain_high[row, action]),
        }
        for action, name in enumerate(ranked.actions)
    ]


def _reasons(reasons: Reasons, row: int) -> list[dict[str, Any]]:
    strongest = zip(
        reasons.feature[row].tolist(), reasons.raises[row].tolist(), reasons.value[row].tolist(), strict=True
    )
    return [
        {
            "feature": reasons.features[feature].name,
            "direction": "raises" if raises else "lowers",
            "text": f"{reasons.features[feature].text}: {'none' if isnan(value) else f'{value:.4g}'}",
            "can_act": False,  # no feature knows yet which events the shop itself causes
        }
        for feature, raises, value in strongest
        if feature >= 0
    ]


def _number(value: np.float64) -> float | None:
    number = float(value)
    return None if isnan(number) else number
