"""Which recipe serves best: candidates fitted on earlier rows and judged on later ones.

All are judged by their form: the level of every later period is given to them, because the calendar answers for that
(`training.fit.level`), and a season would decide otherwise.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from features.arrays import Floats
from models.ladder.lightgbm import TreeParameters
from models.ladder.rung import Rung
from training.dataset.examples import Examples
from training.fit.baselines import cap_of, history
from training.fit.calibration import LaterPredictions
from training.fit.level import levelled, levelled_money
from training.fit.logistic import LOGISTIC_SPECS
from training.fit.recipe import HURDLE, Question, Recipe
from training.fit.rungs import fit_rung
from training.metrics.metrics import best_threshold
from training.selection.trees import search_trees, tree_recipes
from training.selection.validation import Period, periods, shortage, shortage_for_any
from training.tuning.budget import Budget
from training.tuning.search import SearchResult, Table

TIE_ERRORS = 0.5  # standard errors by which a rung must beat a simpler one


@dataclass(frozen=True)
class Candidate:
    """One recipe as the later rows saw it: its mean loss, and by how much that lies below the rule's, with the standard
    error of that. Losses of money are shares of the rule's. Without figures where nothing could be judged.
    """

    name: str
    recipe: Mapping[str, object]
    chosen: bool
    loss: float | None = None
    saved: float | None = None
    error: float | None = None


@dataclass(frozen=True)
class Choice:
    """The recipe that served the later rows best, and why.

    `rung` is made by it from the earlier rows, `threshold` has the best F1 on the later, `trials` is what was tried.
    `later` holds its predictions of later rows, period by period (None for money, and where nothing was judged),
    `parameters` are the best found for trees, whether they serve or not; `candidates` is every recipe with its figures.
    """

    recipe: Recipe
    rung: Rung
    reason: str
    threshold: float = 0.5
    trials: Table = ()
    later: LaterPredictions | None = None
    parameters: TreeParameters | None = None
    candidates: tuple[Candidate, ...] = ()
    importances: Mapping[str, float] | None = None


@dataclass(frozen=True, eq=False)
class _Validation:
    """Predictions of each recipe for later rows of all periods, (n_recipes, n_rows), their losses, whose and when."""

    recipes: list[Recipe]
    predicted: Floats
    losses: Floats
    later: LaterPredictions

    @property
    def mean(self) -> Floats:
        """Mean loss of each recipe."""
        return np.asarray(self.losses.mean(axis=1))

    def saved(self, place: int) -> tuple[float, float]:
        """By how much a recipe's loss is below that of the first, the rule, and the standard error of that."""
        return _mean_and_error(self.losses[0] - self.losses[place])


def choose(question: Question, earlier: Examples, later: Examples, budget: Budget | None) -> Choice:
    """Fit candidates on the earlier rows and judge them on the later ones; without a budget nothing with trees."""
    missing = _missing(question, earlier, later)
    if missing:
        alone = (Candidate("rule", Recipe("rule").describe(), chosen=True),)
        reason = f"{missing}, so the rule serves"
        return Choice(Recipe("rule"), fit_rung(question, Recipe("rule"), earlier), reason, candidates=alone)
    validation_periods = periods(question, earlier, later)
    recipes = _simple(question, earlier)
    search_result, parameters = None, None
    if budget is not None and _are_enough_for_trees(earlier, later):
        linear = validation_periods[0].effects(question)
        search_result = search_trees(question, earlier, later, linear, budget)
        trees = tree_recipes(question, earlier, later, linear, search_result.parameters)
        parameters = trees[0].parameters
        recipes = _with_trees(question, recipes, trees)
    validation = _validate(question, recipes, validation_periods)
    place = _first_of_the_best(validation, rule_last=question.is_money)
    recipe = validation.recipes[place]
    reason = _reason(question, validation, place, earlier)
    made = Choice(
        recipe,
        validation_periods[0].fitted[recipe],
        reason,
        parameters=parameters,
        candidates=_candidates(validation, place),
    )
    if search_result is not None:
        made = replace(made, trials=search_result.trials, importances=search_result.importances)
    if question.is_money:
        return made
    seen = replace(validation.later, predicted=validation.predicted[place])
    threshold = best_threshold(seen.truth[: len(later)], seen.predicted[: len(later)])
    return replace(made, threshold=threshold, later=seen)


def tune(question: Question, earlier: Examples, later: Examples, budget: Budget) -> SearchResult | None:
    """What `choose` would search, and nothing of what it does with it; None where it would search nothing."""
    if _missing(question, earlier, later) or not _are_enough_for_trees(earlier, later):
        return None
    return search_trees(question, earlier, later, Period(earlier, later).effects(question), budget)


def as_chosen(question: Question, recipe: Recipe, earlier: Examples, later: Examples) -> Choice:
    """The choice as it would be if the ladder held this recipe alone."""
    if _missing(question, earlier, later):
        return Choice(recipe, fit_rung(question, recipe, earlier), "")
    validation_periods = periods(question, earlier, later)
    validation = _validate(question, [recipe], validation_periods)
    made = Choice(recipe, validation_periods[0].fitted[recipe], "")
    return (
        made if question.is_money else replace(made, later=replace(validation.later, predicted=validation.predicted[0]))
    )


def _candidates(validation: _Validation, chosen: int) -> tuple[Candidate, ...]:
    """Every recipe with its figures, in the order of preference."""
    means = validation.mean.tolist()
    return tuple(
        Candidate(_full_name(recipe), recipe.describe(), place == chosen, means[place], *validation.saved(place))
        for place, recipe in enumerate(validation.recipes)
    )


def _full_name(recipe: Recipe) -> str:
    """A recipe in words that no other of the ladder has."""
    if recipe.rung == "average" and len(recipe.trees) > 1:
        return (
            "average of process and hurdle" if len(recipe.trees) == HURDLE else "average of process, hurdle and orders"
        )
    if recipe.rung != "logistic":
        return recipe_name(recipe)
    start = "on top of a purchase process" if recipe.logistic.offset else "on its own"
    return f"logistic {start}, penalty {recipe.logistic.penalty:g}"


def _missing(question: Question, earlier: Examples, later: Examples) -> str:
    """What there is too little of for anything but the rule; empty when there is enough."""
    missing = shortage_for_any(earlier, "to learn from") or shortage_for_any(later, "to choose by")
    if not missing and question.is_money and history(question.task, question.fitted_days, earlier) is None:
        return "no money came in"
    return missing


def _are_enough_for_trees(earlier: Examples, later: Examples) -> bool:
    return not (shortage(earlier, "") or shortage(later, ""))


def recipe_name(recipe: Recipe) -> str:
    """A recipe in words."""
    if recipe.offset:
        return f"{recipe.rung} on top of a purchase process"
    return f"{recipe.rung} with what a purchase process expects" if recipe.expectations else recipe.rung


def _simple(question: Question, rows: Examples) -> list[Recipe]:
    """The ladder below trees; without a process none serves, and no logistic starts from one."""
    process = question.expectations(rows) is not None
    below = [Recipe("rule"), Recipe("btyd")] if process else [Recipe("rule")]
    if question.is_money:
        return below
    return [*below, *(Recipe("logistic", logistic=spec) for spec in LOGISTIC_SPECS if process or spec.offset)]


def _with_trees(question: Question, simple: list[Recipe], trees: list[Recipe]) -> list[Recipe]:
    """The whole ladder, what is to be preferred first: simpler ones, and averages before trees alone.

    Of money averages come first, of hurdle and process and what trees make of its orders: each alone is far behind on
    some log, because a few customers decide.
    """
    averages = [replace(recipe, rung="average") for recipe in trees]
    if not question.is_money:
        return [*simple, *averages, *trees]
    if not trees[0].expectations:
        return [*simple, *trees]
    two = replace(averages[0], trees=averages[0].trees[:HURDLE])
    _, hurdle, poisson = averages[0].members
    return [simple[0], two, *averages, *simple[1:], poisson, hurdle, *trees[1:]]


def _validate(question: Question, recipes: list[Recipe], validation_periods: list[Period]) -> _Validation:
    """Every recipe on the later rows of every period, each period on its own level.

    Losses of money are shares of the rule's in their period, so that a season of much money does not decide alone.
    """
    rows = [period.later for period in validation_periods]
    predictions, losses = [], []
    for period in validation_periods:
        raw = [question.predict(rung, period.later).mean for rung in period.rungs(question, recipes)]
        cap = cap_of(period.earlier)
        level = [_on_its_level(question, period.later, mean, cap) for mean in raw]
        period_losses = np.stack([question.losses(period.later, predicted, cap) for predicted in level])
        usual = float(period_losses[0].mean()) if question.is_money else 1.0
        predictions.append(np.stack(level))
        losses.append(period_losses / usual if usual > 0 else period_losses)
    truth, customer = (np.concatenate([getattr(part, name) for part in rows]) for name in ("outcome", "customer"))
    number = np.concatenate([np.full(len(part), place) for place, part in enumerate(rows)])
    everything = np.concatenate(predictions, axis=1)
    return _Validation(
        recipes, everything, np.concatenate(losses, axis=1), LaterPredictions(truth, everything[0], customer, number)
    )


def _on_its_level(question: Question, rows: Examples, predicted: Floats, cap: float) -> Floats:
    return levelled_money(rows, predicted, cap) if question.is_money else levelled(rows.outcome, predicted, rows.cutoff)


def _first_of_the_best(validation: _Validation, *, rule_last: bool) -> int:
    """The first recipe that is not worse than the best by more than `DOUBT` standard errors of the difference.

    The rule for money sees one window and no lapse: it serves where all else is worse.
    """
    behind = validation.losses - validation.losses[int(np.argmin(validation.mean))]
    error = behind.std(axis=1, ddof=1) / np.sqrt(behind.shape[1])
    good = np.flatnonzero(behind.mean(axis=1) <= TIE_ERRORS * error)
    return int(good[1] if rule_last and len(good) > 1 and good[0] == 0 else good[0])


def _reason(question: Question, validation: _Validation, place: int, earlier: Examples) -> str:
    missing = shortage(earlier, "to learn from")
    if place:
        return _explanation(question, validation.recipes[place], validation.saved(place), missing)
    if len(validation.recipes) == 1:
        lacks = "; ".join(reason for reason in (question.processes.missing, missing) if reason)
        return f"{lacks}, so the rule serves"
    nearest = int(np.argmin(validation.mean[1:])) + 1
    return _explanation(question, validation.recipes[nearest], validation.saved(nearest), missing, beats=False)


def _explanation(
    question: Question, recipe: Recipe, saved: tuple[float, float], missing: str = "", *, beats: bool = True
) -> str:
    """Why a recipe serves or does not, with what else could not be tried."""
    rest = "".join(f"; {reason}" for reason in (question.processes.missing, missing) if reason)
    if question.is_money:
        by = "{:.1%} ± {:.1%} of the rule's squared errors".format(*saved)
        return f"{recipe_name(recipe)} saves {by} on later rows{'' if beats else ', so the rule serves'}{rest}"
    by = "{:.4g} ± {:.2g}".format(*saved)
    if beats:
        return f"{recipe_name(recipe)} beats the rule by {by} on later rows{rest}"
    return f"{recipe_name(recipe)} does not beat the rule beyond noise on later rows ({by}){rest}"


def _mean_and_error(differences: Floats) -> tuple[float, float]:
    """The mean, and its standard error."""
    return float(differences.mean()), float(differences.std(ddof=1) / np.sqrt(len(differences)))
