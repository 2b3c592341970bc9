"""A question as training asks it, and a recipe: how a rung is made from any rows of that question."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from features.arrays import Floats
from features.config.tasks import TaskConfig
from features.language.feature_set import FeatureSet
from features.timeline import days
from models.btyd.expectations import Expectations
from models.ladder.lightgbm import TreeParameters, unpack_tree_parameters
from models.ladder.rung import Rung
from models.prediction import Prediction
from training.dataset.examples import Examples
from training.fit.logistic import LOGISTIC_SPECS, LogisticSpec
from training.fit.purchase_process import Processes
from training.metrics.metrics import log_losses

HURDLE = 2  # boosters


@dataclass(frozen=True)
class Question:
    """One task at one horizon, and what every fit of it needs."""

    task: TaskConfig
    fitted_days: int
    features: FeatureSet
    seed: int
    threads: int
    processes: Processes = field(default_factory=Processes)

    @property
    def is_money(self) -> bool:
        """Asked for money rather than for a probability."""
        return self.task.is_money

    @property
    def tree_rung(self) -> str:
        """The name of the rung of trees."""
        return "hurdle" if self.is_money else "lightgbm"

    def expectations(self, rows: Examples) -> Expectations | None:
        """Those of the process that was fitted when the last label of these rows ended, if one was."""
        instant = int(rows.cutoff.max(initial=0)) + days(self.fitted_days)
        return self.processes.fitted.get(instant)

    def predict(self, rung: Rung, rows: Examples) -> Prediction:
        """What a rung predicts for these rows, for the fitted horizon."""
        return rung.predict(rows.values, self.features.position)

    @property
    def no_purchase(self) -> "Question":
        """Beside money: whether a customer buys nothing at all."""
        return replace(self, task=self.task.model_copy(update={"kind": "churn"}))

    def losses(self, rows: Examples, predicted: Floats, cap: float) -> Floats:
        """Each row's loss: log-loss, or squared error with amounts cut at `cap` so that no single customer decides."""
        if self.is_money:
            return np.asarray((np.minimum(rows.outcome, cap) - np.minimum(predicted, cap)) ** 2)
        return log_losses(rows.outcome, predicted)


@dataclass(frozen=True)
class Recipe:
    """How to make the rung: "rule", "btyd", "logistic", trees ("lightgbm", of money "hurdle" or "poisson"), or an
    "average" of unlike ones.

    Trees take `parameters`, the number of `trees` of each booster, whether they read what a process expects, and
    whether its log-odds are their `offset`. A logistic takes its `logistic` specification. An average is of trees and
    the most unlike logistics; of money, of process, hurdle and, with three boosters, poisson.
    """

    rung: str
    parameters: TreeParameters = field(default_factory=TreeParameters)
    trees: tuple[int, ...] = ()
    expectations: bool = False
    offset: bool = False
    logistic: LogisticSpec = LOGISTIC_SPECS[0]

    def describe(self) -> Mapping[str, object]:
        """The choice by name."""
        choice: dict[str, object] = {"rung": self.rung}
        if self.rung == "logistic":
            choice |= {"penalty": self.logistic.penalty, "logistic_start": self.logistic.offset}
        if not self.trees:
            return choice
        process = {"expectations": self.expectations, "start": self.offset}
        return {**choice, **process, "trees": "+".join(map(str, self.trees)), **self.parameters.describe()}

    @property
    def members(self) -> tuple["Recipe", ...]:
        """Those of an average: trees, and what is simpler than they are."""
        if len(self.trees) > 1:
            hurdle, orders = self.trees[:HURDLE], self.trees[HURDLE:]
            more = [replace(self, rung="poisson", trees=orders)] if orders else []
            return Recipe("btyd"), replace(self, rung="hurdle", trees=hurdle), *more
        specs = (LOGISTIC_SPECS[0], LOGISTIC_SPECS[-1]) if self.expectations else LOGISTIC_SPECS[:1]
        return *(Recipe("logistic", logistic=spec) for spec in specs), replace(self, rung="lightgbm")

    def pack(self) -> dict[str, Any]:
        """Plain JSON from which `unpack_recipe` makes the same."""
        return {
            "rung": self.rung,
            "growth": self.parameters.pack(),
            "trees": list(self.trees),
            "expectations": self.expectations,
            "start": self.offset,
            "lean": {"penalty": self.logistic.penalty, "start": self.logistic.offset},
        }


def unpack_recipe(plain: Mapping[str, Any]) -> Recipe:
    """The recipe that `pack` wrote."""
    logistic = plain["lean"]
    return Recipe(
        rung=plain["rung"],
        parameters=unpack_tree_parameters(plain["growth"]),
        trees=tuple(plain["trees"]),
        expectations=plain["expectations"],
        offset=plain["start"],
        logistic=LogisticSpec(penalty=logistic["penalty"], offset=logistic["start"]),
    )
