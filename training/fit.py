"""Which recipe serves best: candidates fitted on earlier rows and judged on later ones.

Probabilities are judged by their form: the level of every later period is given to all of them, because the calendar
answers for that (`training.levels`), and a season would decide otherwise.
"""

from dataclasses import dataclass, replace

import numpy as np

from features.journeys import Floats
from models.boosted import Growth
from models.rungs import Rung
from training.calibrate import Later
from training.growing import grown
from training.judging import Period, cap_of, lacking, lacking_any, periods
from training.levels import levelled
from training.logistic import LEANS
from training.metrics import best_threshold, log_losses
from training.panels import Examples
from training.recipe import Question, Recipe, make
from training.rules import history
from training.tune import Budget, Table

NOISE = 1.0  # standard errors by which money must beat the rule
DOUBT = 0.5  # … by which a rung must beat a simpler one


@dataclass(frozen=True)
class Choice:
    """The recipe that served the later rows best, and why.

    `rung` is made by it from the earlier rows, `threshold` has the best F1 on the later, `trials` is what was tried.
    `later` holds what the recipe said of later rows, period by period (None for money, and where nothing was judged),
    `growth` is the best found for trees, whether they serve or not.
    """

    recipe: Recipe
    rung: Rung
    reason: str
    threshold: float = 0.5
    trials: Table = ()
    later: Later | None = None
    growth: Growth | None = None


@dataclass(frozen=True, eq=False)
class _Judged:
    """What each recipe said on the later rows of all periods, (n_recipes, n_rows), its losses, and whose and when."""

    recipes: list[Recipe]
    said: Floats
    losses: Floats
    later: Later

    @property
    def mean(self) -> Floats:
        """Mean loss of each recipe."""
        return np.asarray(self.losses.mean(axis=1))

    def saved(self, place: int) -> tuple[float, float]:
        """By how much a recipe's loss is below that of the first, the rule, and the standard error of that."""
        return _mean_and_error(self.losses[0] - self.losses[place])


def choose(question: Question, earlier: Examples, later: Examples, budget: Budget) -> Choice:
    """Fit candidates on the earlier rows and judge them on the later ones."""
    return (_choose_money if question.is_money else _choose)(question, earlier, later, budget)


def called(recipe: Recipe) -> str:
    """A recipe in words."""
    use = "from a process on" if recipe.start else "with what a purchase process expects" if recipe.expectations else ""
    return f"{recipe.rung} {use}".strip()


def _choose(question: Question, earlier: Examples, later: Examples, budget: Budget) -> Choice:
    missing = lacking_any(earlier, "to learn from") or lacking_any(later, "to choose by")
    if missing:
        return Choice(Recipe("rule"), make(question, Recipe("rule"), earlier), f"{missing}, so the rule serves")
    held = periods(question, earlier, later)
    judged = _judged(question, _simple(question, earlier), held)
    table: Table = ()
    growth = None
    if not (lacking(earlier, "") or lacking(later, "")):
        trees, table = grown(question, earlier, later, held[0].effects(question), budget)
        growth = trees[0].growth
        averages = [replace(one, rung="average") for one in trees]
        judged = _judged(question, [*judged.recipes, *averages, *trees], held)
    place = _simplest_of_the_best(judged)
    recipe = judged.recipes[place]
    seen = replace(judged.later, said=judged.said[place])
    threshold = best_threshold(seen.truth[: len(later)], seen.said[: len(later)])
    return Choice(
        recipe, held[0].made[recipe], _reason(question, judged, place, earlier), threshold, table, seen, growth
    )


def _simple(question: Question, rows: Examples) -> list[Recipe]:
    """The ladder below trees; without a process none serves, and no logistic starts from one."""
    if question.expectations(rows) is None:
        return [Recipe("rule"), *(Recipe("logistic", lean=lean) for lean in LEANS if lean.start)]
    return [Recipe("rule"), Recipe("btyd"), *(Recipe("logistic", lean=lean) for lean in LEANS)]


def _judged(question: Question, recipes: list[Recipe], held: list[Period]) -> _Judged:
    """Every recipe on the later rows of every period, each period on its own level."""
    rows = [period.later for period in held]
    said = []
    for period in held:
        came, cutoff = period.later.outcome, period.later.cutoff
        raw = (question.predict(rung, period.later).mean for rung in period.rungs(question, recipes))
        said.append(np.stack([levelled(came, one, cutoff) for one in raw]))
    truth, customer = (np.concatenate([getattr(one, name) for one in rows]) for name in ("outcome", "customer"))
    number = np.concatenate([np.full(len(one), place) for place, one in enumerate(rows)])
    everything = np.concatenate(said, axis=1)
    losses = np.stack([log_losses(truth, one) for one in everything])
    return _Judged(recipes, everything, losses, Later(truth, everything[0], customer, number))


def _simplest_of_the_best(judged: _Judged) -> int:
    """The first recipe that is not worse than the best by more than `DOUBT` standard errors of the difference."""
    behind = judged.losses - judged.losses[int(np.argmin(judged.mean))]
    error = behind.std(axis=1, ddof=1) / np.sqrt(behind.shape[1])
    return int(np.flatnonzero(behind.mean(axis=1) <= DOUBT * error)[0])


def _reason(question: Question, judged: _Judged, place: int, earlier: Examples) -> str:
    if place:
        return _told(question, judged.recipes[place], judged.saved(place), lacking(earlier, "to learn from"))
    nearest = int(np.argmin(judged.mean[1:])) + 1
    missing = lacking(earlier, "to learn from")
    return _told(question, judged.recipes[nearest], judged.saved(nearest), missing, beats=False)


def _told(
    question: Question, recipe: Recipe, saved: tuple[float, float], missing: str = "", *, beats: bool = True
) -> str:
    """Why a recipe serves or does not, with what else could not be tried."""
    rest = "".join(f"; {one}" for one in (question.processes.missing, missing) if one)
    by = "{:.4g} ± {:.2g}".format(*saved)
    if beats:
        return f"{called(recipe)} beats the rule by {by} on later rows{rest}"
    return f"{called(recipe)} does not beat the rule beyond noise on later rows ({by}){rest}"


def _choose_money(question: Question, earlier: Examples, later: Examples, budget: Budget) -> Choice:
    """Trees, and with a process also trees without it, the process itself and averages; one growth for all trees."""
    missing = lacking(earlier, "to learn from") or lacking(later, "to choose by")
    if history(question.task, question.fitted_days, earlier) is None:
        missing = missing or "no money came in"
    if missing:
        return Choice(Recipe("rule"), make(question, Recipe("rule"), earlier), f"{missing}, so the rule serves")
    held = periods(question, earlier, later)
    trees, table = grown(question, earlier, later, None, budget)
    recipes = [trees[0]]
    if trees[0].expectations:
        recipes += [*trees[1:], Recipe("btyd"), *(replace(one, rung="average") for one in trees)]
    # Each period weighs the same: seasons differ more than rungs do.
    losses = [_money_losses(question, recipes, period) for period in held]
    ratios = sum(np.array([one.mean() for one in each]) / each[0].mean() for each in losses)
    recipe = recipes[int(np.argmin(ratios))]
    model, rule = held[0].rungs(question, [recipe, Recipe("rule")])
    own, other = _money_losses(question, [recipe, Recipe("rule")], held[0])
    saved, error = _mean_and_error(other - own)
    beats = saved > NOISE * error
    reason = _told(question, recipe, (saved, error), beats=beats)
    served = (recipe, model) if beats else (Recipe("rule"), rule)
    return Choice(*served, reason, trials=table, growth=trees[0].growth)


def _money_losses(question: Question, recipes: list[Recipe], period: Period) -> list[Floats]:
    cap = cap_of(period.earlier)
    rungs = period.rungs(question, recipes)
    return [question.losses(period.later, question.predict(rung, period.later).mean, cap) for rung in rungs]


def _mean_and_error(differences: Floats) -> tuple[float, float]:
    """The mean, and its standard error."""
    return float(differences.mean()), float(differences.std(ddof=1) / np.sqrt(len(differences)))
