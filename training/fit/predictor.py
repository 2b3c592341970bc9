"""A predictor made by recipes from rows of one's own: what an evaluation refits, and what serves."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from features.arrays import Floats
from models.ladder.rung import Rung
from models.predictor.adjusted import Adjusted
from models.predictor.calibrators import Calibrator
from models.predictor.predictor import NoPurchase, Predictor
from training.dataset.examples import Examples
from training.fit.baselines import cap_of, constant
from training.fit.intervals import NO_PROBABILITY_RESIDUALS, money_residuals, outcome_distribution, probability_interval
from training.fit.level import level, money_level
from training.fit.recipe import Question, Recipe, unpack_recipe
from training.fit.rungs import fit_rung


@dataclass(frozen=True)
class Recipes:
    """How a predictor is made; `no_purchase` makes the chance of buying nothing, beside money."""

    rung: Recipe
    no_purchase: Recipe | None = None

    def pack(self) -> dict[str, Any]:
        """Plain JSON from which `unpack_recipes` makes the same."""
        return {"rung": self.rung.pack(), "quiet": None if self.no_purchase is None else self.no_purchase.pack()}


def unpack_recipes(plain: Mapping[str, Any]) -> Recipes:
    """What `pack` wrote."""
    no_purchase = plain["quiet"]
    return Recipes(unpack_recipe(plain["rung"]), None if no_purchase is None else unpack_recipe(no_purchase))


@dataclass(frozen=True)
class Rungs:
    """The fitted rungs of a predictor; `no_purchase` is for money only."""

    rung: Rung
    baseline: Rung
    no_purchase: Rung | None


def fit_rungs(question: Question, recipes: Recipes, rows: Examples) -> Rungs:
    """What the recipes make of these rows, and the baseline beside it."""
    no_purchase = (
        None if recipes.no_purchase is None else fit_rung(question.no_purchase, recipes.no_purchase, rows.no_purchase)
    )
    return Rungs(fit_rung(question, recipes.rung, rows), _baseline(question, recipes.rung, rows), no_purchase)


def fit_predictor(
    question: Question,
    rungs: Rungs,
    rows: Examples,
    *,
    first: int,
    start: int,
    calibrator: Calibrator | None = None,
) -> Predictor:
    """The predictor of rungs that were fitted on these rows, for the fitted horizon, from the instant `start` on; the
    log begins at `first` (both µs UTC).

    Its intervals are learnt later, by `training.evaluation.evaluate.with_intervals`.
    """
    task, fitted = question.task, question.fitted_days
    mean = question.predict(rungs.rung, rows).mean
    plain = Predictor(
        horizon_days=fitted,
        fitted_days=fitted,
        kind=task.kind,
        outcome="silence" if task.outcome == "silence" else "event",
        rung=rungs.rung,
        baseline=rungs.baseline,
        interval=probability_interval(NO_PROBABILITY_RESIDUALS),
        base=(),
        grade="D",
        adjusted=_adjusted(question, mean, rows, calibrator, first=first, start=start),
    )
    if rungs.no_purchase is None:
        return plain
    p_none = question.predict(rungs.no_purchase, rows).mean
    fitted_on = money_residuals(rows, mean, p_none)
    shape = outcome_distribution(fitted_on.outcome, fitted_on.mean, fitted_on.p_none)
    adjusted = _adjusted(question.no_purchase, p_none, rows.no_purchase, None, first=first, start=start)
    return replace(plain, no_purchase=NoPurchase(rungs.no_purchase, adjusted), distribution=shape)


def _adjusted(
    question: Question, mean: Floats, rows: Examples, calibrator: Calibrator | None, *, first: int, start: int
) -> Adjusted:
    """The calibrator, and the level from an instant on, learnt from what a rung says of the rows it is fitted on."""
    if not len(rows):
        return Adjusted()
    predicted = Adjusted(calibrator).apply(mean)
    past = {"horizon_days": question.fitted_days, "first": first, "start": start}
    if question.is_money:
        return Adjusted(level=money_level(rows, predicted, cap=cap_of(rows), **past))
    return Adjusted(calibrator, level(rows, predicted, **past))


def _baseline(question: Question, recipe: Recipe, rows: Examples) -> Rung:
    """The named baseline: the rule, or what is the same for everybody where the rule itself serves."""
    if recipe.rung == "rule":
        return constant(question.task, rows)
    return fit_rung(question, Recipe("rule"), rows)
