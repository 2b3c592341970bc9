"""Scores, column by column: what the one scoring path returns, before it becomes JSON or Parquet.

A `Judged` holds what one head (a task and a horizon) says about `n` customers; `Scores` holds one per head over the
same customers. NaN is null.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import isnan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.arrays import Floats, Ints, Strings
from features.language.feature import AnyFeature
from features.timeline import moment
from models.predictor.actions import RankedActions
from models.predictor.predictor import BAND_EDGES, BANDS
from models.score_record import FLAGS

NUMBERS = ("score", "low", "high", "percentile", "baseline")  # of the score record, that depend on the customer


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


@dataclass(frozen=True, eq=False)
class Ranked:
    """A next_action head's actions and what was chosen among them for each of the n customers."""

    actions: tuple[str, ...]
    chosen: RankedActions


@dataclass(frozen=True, eq=False)
class Why:
    """Reasons of each row, the strongest first: number of the feature (-1: no more), direction, value; each (n, r)."""

    features: tuple[AnyFeature, ...]
    feature: Ints
    raises: NDArray[np.bool_]
    value: Floats


@dataclass(frozen=True, eq=False)
class Judged:
    """What one head says about n customers; arrays of shape (n,) unless said otherwise."""

    head: Head
    numbers: Mapping[str, Floats]  # by name of NUMBERS
    flags: NDArray[np.bool_]  # (n, len(FLAGS))
    parts: Mapping[str, Floats] = field(default_factory=dict)  # fields of Details; instants in µs UTC
    levels: tuple[float, ...] = ()
    quantiles: Floats | None = None  # (n, len(levels))
    ranked: Ranked | None = None
    why: Why | None = None

    @property
    def scored(self) -> NDArray[np.bool_]:
        """Who has a score."""
        return ~np.isnan(self.numbers["score"])


@dataclass(frozen=True, eq=False)
class Scores:
    """Every head over the same customers, as of one instant; records run by customer, then by head."""

    customers: Strings
    as_of_us: int
    judged: tuple[Judged, ...]

    def __len__(self) -> int:
        return len(self.customers) * len(self.judged)

    def records(self) -> Iterator[dict[str, Any]]:
        """The score records as plain values, in the order of the contract's fields."""
        as_of = moment(self.as_of_us)
        for row, customer in enumerate(self.customers):
            for judged in self.judged:
                yield _record(customer, as_of, judged, row)


def _record(customer: str, as_of: datetime, judged: Judged, row: int) -> dict[str, Any]:
    head, numbers = judged.head, {name: _number(values[row]) for name, values in judged.numbers.items()}
    score, percentile = numbers["score"], numbers["percentile"]
    ranked = judged.ranked if score is not None else None
    ranking = None if ranked is None else [ranked.actions[action] for action in ranked.chosen.order[row]]
    return {
        "customer_id": customer,
        "task": head.task,
        "kind": head.kind,
        "horizon_days": head.horizon_days,
        "as_of": as_of,
        "score": score,
        "low": numbers["low"],
        "high": numbers["high"],
        "details": None if score is None else _details(judged, row),
        "percentile": percentile,
        "band": None if percentile is None else BANDS[int(np.searchsorted(BAND_EDGES, percentile, side="right"))],
        "action": None if ranking is None else ranking[0],
        "action_probability": None if ranked is None else _number(ranked.chosen.probability[row]),
        "ranking": ranking,
        "reasons": None if judged.why is None or score is None else _reasons(judged.why, row),
        "baseline": numbers["baseline"],
        "model_version": head.model_version,
        "rung": head.rung,
        "grade": head.grade,
        "expires_at": moment(head.expires_at_us),
        "flags": [flag for flag, raised in zip(FLAGS, judged.flags[row].tolist(), strict=True) if raised],
        "score_id": head.score_id,
    }


def _details(judged: Judged, row: int) -> dict[str, Any] | None:
    details: dict[str, Any] = {name: _number(values[row]) for name, values in judged.parts.items()}
    if details.get("next_order_at") is not None:
        details["next_order_at"] = moment(details["next_order_at"])
    if judged.quantiles is not None:
        values = judged.quantiles[row].tolist()
        if not isnan(values[0]):
            details["quantiles"] = [
                {"level": level, "value": value} for level, value in zip(judged.levels, values, strict=True)
            ]
    if judged.ranked is not None:
        details["actions"] = _actions(judged.ranked, row)
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


def _reasons(why: Why, row: int) -> list[dict[str, Any]]:
    found = zip(why.feature[row].tolist(), why.raises[row].tolist(), why.value[row].tolist(), strict=True)
    return [
        {
            "feature": why.features[feature].name,
            "direction": "raises" if raises else "lowers",
            "text": f"{why.features[feature].text}: {'none' if isnan(value) else f'{value:.4g}'}",
            "can_act": False,  # no feature says yet which events are the firm's own doing
        }
        for feature, raises, value in found
        if feature >= 0
    ]


def _number(value: np.float64) -> float | None:
    number = float(value)
    return None if isnan(number) else number
