"""A question as training asks it, and rungs made by a recipe from any of its rows."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from features.arrays import Floats
from features.config.tasks import TaskConfig
from features.language.feature_set import FeatureSet
from features.timeline import days
from models.btyd.expectations import Ahead, Expectations
from models.ladder.average import Average
from models.ladder.hurdle import Hurdle, Orders
from models.ladder.lightgbm import Sample, TreeParameters, TreeTrainer, sample, unpack_tree_parameters
from models.ladder.logistic import log_odds
from models.ladder.purchase_process import NEVER, PurchaseProcess
from models.ladder.rules import Scaled
from models.ladder.rung import Rung
from models.ladder.trees import Probability
from models.prediction import TINY, Prediction
from training.dataset.examples import Examples
from training.fit.baselines import cap_of, history, past_of, rule
from training.fit.level import missing_shift
from training.fit.logistic import LEANS, Fitted, Lean, fit_logistic
from training.fit.purchase_process import Processes
from training.metrics.metrics import log_losses


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

    @property
    def silence(self) -> "Question":
        """Of money: whether anybody buys at all."""
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

    Trees take a growth, the number of trees of each booster, whether they read what a process expects, and whether they
    start from it. A logistic takes what it leans on. An average is of trees and the most unlike logistics; of money, of
    process, hurdle and, with three boosters, poisson.
    """

    rung: str
    growth: TreeParameters = field(default_factory=TreeParameters)
    trees: tuple[int, ...] = ()
    expectations: bool = False
    start: bool = False
    lean: Lean = LEANS[0]

    def describe(self) -> Mapping[str, object]:
        """The choice by name."""
        told: dict[str, object] = {"rung": self.rung}
        if self.rung == "logistic":
            told |= {"penalty": self.lean.penalty, "logistic_start": self.lean.start}
        if not self.trees:
            return told
        process = {"expectations": self.expectations, "start": self.start}
        return {**told, **process, "trees": "+".join(map(str, self.trees)), **self.growth.describe()}

    @property
    def members(self) -> tuple["Recipe", ...]:
        """Those of an average: trees, and what is simpler than they are."""
        if len(self.trees) > 1:
            hurdle, orders = self.trees[:HURDLE], self.trees[HURDLE:]
            more = [replace(self, rung="poisson", trees=orders)] if orders else []
            return Recipe("btyd"), replace(self, rung="hurdle", trees=hurdle), *more
        leans = (LEANS[0], LEANS[-1]) if self.expectations else LEANS[:1]
        return *(Recipe("logistic", lean=lean) for lean in leans), replace(self, rung="lightgbm")

    def pack(self) -> dict[str, Any]:
        """Plain JSON from which `unpack_recipe` makes the same."""
        return asdict(self) | {"growth": self.growth.pack(), "trees": list(self.trees)}


def unpack_recipe(plain: Mapping[str, Any]) -> Recipe:
    """The recipe that `pack` wrote."""
    parts = {
        "growth": unpack_tree_parameters(plain["growth"]),
        "trees": tuple(plain["trees"]),
        "lean": Lean(**plain["lean"]),
    }
    return Recipe(**{**plain, **parts})


HURDLE = 2  # boosters


def make(question: Question, recipe: Recipe, rows: Examples, linear: Fitted | None = None) -> Rung:
    """A rung by the recipe, fitted on these rows; the rule where they hold no money or no process for it.

    `linear` is the first logistic of these rows, whose effects of dates trees take, where there is one already.
    """
    made: Rung | None = None
    if recipe.rung in ("average", "lightgbm") and not question.is_money:
        linear = linear or logistic(question, rows, LEANS[0])
    match recipe.rung:
        case "average":
            made = averaged(question, [make(question, one, rows, linear) for one in recipe.members])
        case "logistic":
            known = linear if recipe.lean == LEANS[0] else None
            made = (known or logistic(question, rows, recipe.lean)).rung
        case "lightgbm" if linear is not None:
            made = _lightgbm(question, recipe, rows, linear)
        case "hurdle":
            made = _hurdle(question, recipe, rows)
        case "poisson":
            made = _poisson(question, recipe, rows)
        case "btyd":
            made = btyd(question, rows)
    return made or rule(question.task, question.fitted_days, rows, question.features)


def averaged(question: Question, rungs: Sequence[Rung]) -> Average | None:
    """An average of these; None where one of them is but the rule for money, which says nothing of orders."""
    if any(isinstance(rung, Scaled) for rung in rungs):
        return None
    return Average(tuple(rungs), odds=not question.is_money)


def logistic(question: Question, rows: Examples, lean: Lean) -> Fitted:
    """The penalised logistic of these rows, from what their process expects, if they have one and it leans on it."""
    start = btyd(question, rows) if lean.start else None
    return fit_logistic(rows, question.features.position, start, lean.penalty)


def _lightgbm(question: Question, recipe: Recipe, rows: Examples, linear: Fitted) -> Probability:
    read = question.expectations(rows) if recipe.expectations else None
    begin = beginning(question, rows, linear, start=recipe.start)
    (grower,), (part,) = growers(question), parts(question, rows, read, begin=begin.rows)
    return Probability(grower.grow(part, recipe.growth, recipe.trees[0]), read, begin.base, begin.start)


@dataclass(frozen=True, eq=False)
class Beginning:
    """Log-odds that trees start from: of every row, and the same without the effects of dates, which is what serves."""

    rows: Floats
    base: float
    start: PurchaseProcess | None


def beginning(question: Question, rows: Examples, linear: Fitted, *, start: bool) -> Beginning:
    """The effects of the cutoffs on top of the base rate, or of the process."""
    effects = linear.at(rows.cutoff)
    if start and linear.rung.start is not None:
        process = linear.rung.start
        return Beginning(log_odds(process, rows.values, question.features.position) + effects, 0.0, process)
    rate = (float(rows.outcome.sum()) + 1) / (len(rows) + 2)
    base = float(np.log(rate / (1 - rate)))
    return Beginning(base + effects, base, None)


def continued(question: Question, begun: Beginning, linear: Fitted, later: Examples) -> Floats:
    """The same start for later rows, with the shift that the logistic needs there."""
    shift = missing_shift(later.outcome, question.predict(linear.rung, later).mean)
    given = np.full(len(later), begun.base + shift)
    if begun.start is None:
        return given
    return np.asarray(given + log_odds(begun.start, later.values, question.features.position))


def growers(question: Question) -> tuple[TreeTrainer, ...]:
    """One for each booster: of the probability and, for money, of the orders after the first and of all."""
    first = TreeTrainer("binary", question.seed, question.threads)
    count = replace(first, objective="poisson")
    return (first, count, count) if question.is_money else (first,)


def parts(
    question: Question,
    rows: Examples,
    read: Expectations | None,
    like: list[Sample] | None = None,
    begin: Floats | None = None,
) -> list[Sample]:
    """The rows of each booster: all for the probability, those with an order for the orders after the first, and all
    for the orders that a process begins, if there is one.

    `begin` is where the probability's log-odds start.
    """
    values, ahead = _wide(question, rows, read)
    bins: list[Sample | None] = [*like] if like else [None, None, None]
    if not question.is_money:
        return [sample(values, rows.outcome, start=begin, like=bins[0])]
    hurdle = _hurdle_parts(question, rows, values, bins)
    return hurdle if ahead is None else [*hurdle, _orders_part(rows, values, ahead, bins[-1])]


def _wide(question: Question, rows: Examples, read: Expectations | None) -> tuple[Floats, Ahead | None]:
    """The values that trees read, and what a process expects of the rows, which is among them."""
    if read is None:
        return rows.values, None
    ahead = read.ahead(rows.values, question.features.position)
    return ahead.beside(rows.values), ahead


def _hurdle_parts(
    question: Question, rows: Examples, values: Floats, like: Sequence[Sample | None] = (None, None)
) -> list[Sample]:
    bought = rows.labels.count > 0
    some = rows[bought]
    pace = past_of(question.task, question.fitted_days, 1.0).pace(some.values, question.features.position)
    return [
        sample(values, bought.astype(np.float64), like=like[0]),
        sample(values[bought], _countable(some.labels.count - 1), start=np.log(pace), like=like[1]),
    ]


def _orders_part(rows: Examples, values: Floats, ahead: Ahead, like: Sample | None = None) -> Sample:
    begun = np.log(np.maximum(np.nan_to_num(ahead.orders, nan=NEVER), TINY))
    return sample(values, rows.labels.count, start=begun, like=like)


def _countable(count: Floats) -> Floats:
    """Where nothing was ever counted, half of one spread over all: no rate of nothing can be learnt."""
    return count if count.any() else count + 0.5 / max(len(count), 1)


def _hurdle(question: Question, recipe: Recipe, rows: Examples) -> Rung | None:
    past = history(question.task, question.fitted_days, rows)
    if past is None:
        return None
    read = question.expectations(rows) if recipe.expectations else None
    values, _ = _wide(question, rows, read)
    grown = zip(growers(question)[:HURDLE], _hurdle_parts(question, rows, values), recipe.trees, strict=True)
    buys, more = (grower.grow(part, recipe.growth, trees) for grower, part, trees in grown)
    raw = Hurdle(buys, more, past, expectations=read)
    return replace(raw, correction=_correction(question, raw, rows))


def _poisson(question: Question, recipe: Recipe, rows: Examples) -> Rung | None:
    read = question.expectations(rows)
    values, ahead = _wide(question, rows, read)
    if read is None or ahead is None:
        return None
    part, grower = _orders_part(rows, values, ahead), growers(question)[-1]
    raw = Orders(grower.grow(part, recipe.growth, recipe.trees[0]), read)
    return replace(raw, correction=_correction(question, raw, rows))


def btyd(question: Question, rows: Examples) -> PurchaseProcess | None:
    """The process of these rows as a rung, if they have one."""
    read = question.expectations(rows)
    if read is None:
        return None
    never = np.isnan(rows.values[:, question.features.position[read.days]])
    silent = float((rows.labels.count[never] == 0).sum())
    raw = PurchaseProcess(read, question.task.outcome, (silent + 1) / (int(never.sum()) + 2))
    return replace(raw, correction=_correction(question, raw, rows)) if question.is_money else raw


def _correction(question: Question, raw: Rung, rows: Examples) -> float:
    """Money that counts over money expected, within a factor of two of the rate; amounts count up to the cap."""
    cap, rate = cap_of(rows), question.task.rate
    said = float(np.minimum(question.predict(raw, rows).mean * rate, cap).sum())
    return rate * float(np.clip(np.minimum(rows.outcome, cap).sum() / said, 0.5, 2.0)) if said > 0 else rate
