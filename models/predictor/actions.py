"""Next best action, first rung: what each action is worth on average, and the best one for everybody.

`Actions.predict` is the scoring path of a next_action task: the same for every customer, because personalised
effects are not learnt yet.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from features.arrays import Floats, Ints
from models.prediction import Packed


@dataclass(frozen=True)
class RankedActions:
    """Actions for n customers: `order` (n, n_actions) holds action numbers, the best first; the rest is (n,
    n_actions) by action number.

    `probability` (n,) is the probability with which the first action is chosen; `score`, `low`, `high` and `baseline`
    are (n,).
    """

    score: Floats
    low: Floats
    high: Floats
    percentile: Floats
    baseline: Floats
    order: Ints
    probability: Floats
    value: Floats
    gain: Floats
    gain_low: Floats
    gain_high: Floats


@dataclass(frozen=True, eq=False)
class Actions:
    """What a next_action task's bundle predicts.

    Per action, in the order of `actions` (sorted): `value` is the mean reward after its cost; `gain` is value against
    `nothing`, with its 90 % interval `low`, `high` (all 0 for `nothing` itself); `count` decisions tell it.
    `probability` is with which each is chosen; a first rung puts 1 on the best. `metrics` are out-of-time (or, where
    all decisions share one instant, cross-fitted) figures, each `{name: [value, low, high]}`.
    """

    horizon_days: int
    nothing: str
    actions: tuple[str, ...]
    value: tuple[float, ...]
    gain: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    count: tuple[int, ...]
    costs: tuple[float, ...]
    grade: str
    rung: str = "best constant"
    metrics: Mapping[str, Any] = field(default_factory=dict)
    baseline_metrics: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()

    @cached_property
    def ranking(self) -> tuple[int, ...]:
        """Action numbers, the best first; of equal gains `nothing` stands before the others, then the alphabet
        decides.
        """
        doing = [name != self.nothing for name in self.actions]
        return tuple(
            sorted(
                range(len(self.actions)), key=lambda action: (-self.gain[action], doing[action], self.actions[action])
            )
        )

    @property
    def best(self) -> str:
        """The action for everybody."""
        return self.actions[self.ranking[0]]

    def predict(self, rows: int) -> RankedActions:
        """What to do with each of `rows` customers."""
        best = self.ranking[0]
        column = {
            name: np.broadcast_to(np.asarray(getattr(self, name), np.float64), (rows, len(self.actions)))
            for name in ("value", "gain", "low", "high")
        }
        return RankedActions(
            score=column["gain"][:, best],
            low=column["low"][:, best],
            high=column["high"][:, best],
            percentile=np.full(rows, 50.0),  # everybody is alike
            baseline=column["gain"][:, best],  # the named baseline is the best constant action
            order=np.broadcast_to(np.asarray(self.ranking, np.int64), (rows, len(self.actions))),
            probability=np.ones(rows),
            value=column["value"],
            gain=column["gain"],
            gain_low=column["low"],
            gain_high=column["high"],
        )

    def pack(self) -> Packed:
        """Plain JSON from which `unpack_actions` makes the same; no texts."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}, {}


def unpack_actions(plain: Mapping[str, Any], texts: Mapping[str, str]) -> Actions:  # noqa: ARG001
    """The actions that `pack` wrote."""
    fields: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in plain.items()}
    return Actions(**fields)
