"""A question as training asks it, and rungs made by a recipe from any of its rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from features.config import TaskConfig
from features.journeys import Floats
from features.timeline import days
from features.windows import FeatureSet
from models.boosted import Grower, Growth, Sample, sample
from models.expectations import Expectations
from models.prediction import Prediction
from models.rungs import Average, Hurdle, Probability, Rung
from models.silence import Btyd
from training.expectations import Processes
from training.metrics import log_losses
from training.panels import Examples
from training.rules import history, rule


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
        return self.task.kind == "cltv"

    @property
    def trees(self) -> str:
        """What the rung of trees is called."""
        return "hurdle" if self.is_money else "lightgbm"

    def expectations(self, rows: Examples) -> Expectations | None:
        """Those of the process that was fitted when the last label of these rows ended, if one was."""
        instant = int(rows.cutoff.max(initial=0)) + days(self.fitted_days)
        return self.processes.fitted.get(instant)

    def predict(self, rung: Rung, rows: Examples) -> Prediction:
        """What a rung says about these rows, for the fitted horizon."""
        return rung.predict(rows.values, self.features.position)

    def losses(self, rows: Examples, predicted: Floats, cap: float) -> Floats:
        """Each row's loss: log-loss, or squared error with outcomes cut at `cap` so that no single customer decides."""
        if self.is_money:
            return np.asarray((np.minimum(rows.outcome, cap) - predicted) ** 2)
        return log_losses(rows.outcome, predicted)


@dataclass(frozen=True)
class Recipe:
    """How to make the rung: "rule", "btyd", trees ("lightgbm" or "hurdle"), or the "average" of trees and process.

    Trees take a growth, the number of trees of each booster, and whether they read what the process expects.
    """

    rung: str
    growth: Growth = field(default_factory=Growth)
    trees: tuple[int, ...] = ()
    expectations: bool = False

    def describe(self) -> Mapping[str, object]:
        """The choice by name."""
        if not self.trees:
            return {"rung": self.rung}
        counts = "+".join(map(str, self.trees))
        return {"rung": self.rung, "expectations": self.expectations, "trees": counts, **self.growth.describe()}


def make(question: Question, recipe: Recipe, rows: Examples) -> Rung:
    """A rung by the recipe, fitted on these rows; the rule where they hold no money or no process for it."""
    match recipe.rung:
        case "average":
            trees = make(question, replace(recipe, rung=question.trees), rows)
            return Average((trees, make(question, Recipe("btyd"), rows)), odds=not question.is_money)
        case "lightgbm":
            read = question.expectations(rows) if recipe.expectations else None
            (grower,), (part,) = growers(question), parts(question, rows, read)
            return Probability(grower.grow(part, recipe.growth, recipe.trees[0]), read)
        case "hurdle":
            return _hurdle(question, recipe, rows) or rule(question.task, question.fitted_days, rows, question.features)
        case "btyd":
            return _btyd(question, rows) or rule(question.task, question.fitted_days, rows, question.features)
        case _:
            return rule(question.task, question.fitted_days, rows, question.features)


def growers(question: Question) -> tuple[Grower, ...]:
    """One for each booster: of the probability and, for money, of the orders after the first."""
    first = Grower("binary", question.seed, question.threads)
    return (first, replace(first, objective="poisson")) if question.is_money else (first,)


def parts(
    question: Question, rows: Examples, read: Expectations | None, like: list[Sample] | None = None
) -> list[Sample]:
    """The rows of each booster: all for the probability, those with an order for the orders after the first."""
    values = rows.values if read is None else read.widened(rows.values, question.features.position)
    bins: list[Sample | None] = [*like] if like else [None, None]
    if not question.is_money:
        return [sample(values, rows.outcome, like=bins[0])]
    bought = rows.labels.count > 0
    past = history(question.task, question.fitted_days, rows)
    some = rows[bought]
    pace = np.ones(len(some)) if past is None else past.pace(some.values, question.features.position)
    return [
        sample(values, bought.astype(np.float64), like=bins[0]),
        sample(values[bought], some.labels.count - 1, start=np.log(pace), like=bins[1]),
    ]


def _hurdle(question: Question, recipe: Recipe, rows: Examples) -> Rung | None:
    past = history(question.task, question.fitted_days, rows)
    if past is None:
        return None
    read = question.expectations(rows) if recipe.expectations else None
    grown = zip(growers(question), parts(question, rows, read), recipe.trees, strict=True)
    buys, more = (grower.grow(part, recipe.growth, trees) for grower, part, trees in grown)
    raw = Hurdle(buys, more, past, expectations=read)
    return replace(raw, correction=_correction(question, raw, rows))


def _btyd(question: Question, rows: Examples) -> Rung | None:
    read = question.expectations(rows)
    if read is None:
        return None
    never = np.isnan(rows.values[:, question.features.position[read.days]])
    silent = float((rows.labels.count[never] == 0).sum())
    asked = "money" if question.is_money else "silence" if question.task.kind == "churn" else "event"
    raw = Btyd(read, asked, (silent + 1) / (int(never.sum()) + 2))
    return replace(raw, correction=_correction(question, raw, rows)) if question.is_money else raw


def _correction(question: Question, raw: Rung, rows: Examples) -> float:
    """Money that came over money expected, within a factor of two."""
    said = float(question.predict(raw, rows).mean.sum())
    return float(np.clip(rows.outcome.sum() / said, 0.5, 2.0)) if said > 0 else 1.0
