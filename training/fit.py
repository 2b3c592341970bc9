"""Which recipe serves best: candidates fitted on earlier rows and judged on later ones."""

from dataclasses import dataclass, replace

import numpy as np

from features.timeline import days
from models.boosted import Growth, Stop
from models.rungs import Average, Rung
from training.metrics import best_threshold
from training.panels import Examples
from training.recipe import Question, Recipe, growers, make, parts
from training.rules import history
from training.tune import FEWEST_IN_LEAF, Table, search

FEWEST_ROWS = 200
FEWEST_OF_RARER = 20
CAP = 0.995  # amounts above this quantile of the training rows count as that much when losses are compared
NOISE = 1.0  # standard errors that a rung must be better by


@dataclass(frozen=True)
class Choice:
    """The recipe that served the later rows best, and why.

    `rung` is made by it from the earlier rows, `threshold` has the best F1 on the later, `trials` is what was tried.
    """

    recipe: Recipe
    rung: Rung
    reason: str
    threshold: float = 0.5
    trials: Table = ()


def choose(question: Question, earlier: Examples, later: Examples, trials: int) -> Choice:
    """Fit candidates on the earlier rows and judge them on the later ones."""
    baseline = make(question, Recipe("rule"), earlier)
    missing = lacking(earlier, "to learn from") or lacking(later, "to choose by")
    if question.is_money and history(question.task, question.fitted_days, earlier) is None:
        missing = missing or "no money came in, so the rule serves"
    if missing:
        return Choice(Recipe("rule"), baseline, missing, _threshold(question, baseline, later))
    recipes, table = _candidates(question, earlier, later, trials)
    recipe = _best(question, recipes, [(earlier, later), *_before(question, earlier)])
    model = make(question, recipe, earlier)
    better, error = _advantage(question, earlier, later, model, baseline)
    without = f"; {question.processes.missing}" if question.processes.missing else ""
    if better > NOISE * error:
        reason = f"{_called(recipe)} beats the rule by {better:.4g} ± {error:.2g} on later rows{without}"
        return Choice(recipe, model, reason, _threshold(question, model, later), table)
    reason = (
        f"{_called(recipe)} does not beat the rule beyond noise on later rows ({better:.4g} ± {error:.2g}){without}"
    )
    return Choice(Recipe("rule"), baseline, reason, _threshold(question, baseline, later), table)


def _called(recipe: Recipe) -> str:
    return f"{recipe.rung} with what a purchase process expects" if recipe.expectations else recipe.rung


def _threshold(question: Question, rung: Rung, later: Examples) -> float:
    return 0.5 if question.is_money else best_threshold(later.outcome, question.predict(rung, later).mean)


def lacking(rows: Examples, purpose: str) -> str:
    """What these rows lack for trees, as a sentence; empty when they are enough."""
    happened = rows.labels.count > 0
    rarer = int(min(happened.sum(), (~happened).sum()))
    if len(rows) >= FEWEST_ROWS and rarer >= FEWEST_OF_RARER:
        return ""
    return (
        f"trees need at least {FEWEST_ROWS} rows and {FEWEST_OF_RARER} of the rarer outcome {purpose}, "
        f"found {len(rows)} and {rarer}, so the rule serves"
    )


def cap_of(rows: Examples) -> float:
    """The amount that only one paying row in 200 exceeds."""
    paid = rows.outcome[rows.outcome > 0]
    return float(np.quantile(paid, CAP)) if len(paid) else 0.0


def _candidates(question: Question, earlier: Examples, later: Examples, trials: int) -> tuple[list[Recipe], Table]:
    """Trees, and with a process also trees that read it, the process itself, and averages; one growth for all trees."""
    read = question.expectations(earlier)
    tuned, table = _tuned(question, earlier, later, trials, with_process=read is not None)
    if read is None:
        return [tuned], table
    plain = replace(tuned, expectations=False, trees=_counted(question, earlier, later, tuned.growth))
    return [tuned, plain, Recipe("btyd"), *(replace(one, rung="average") for one in (tuned, plain))], table


def _best(question: Question, recipes: list[Recipe], periods: list[tuple[Examples, Examples]]) -> Recipe:
    """The recipe with the lowest loss over the periods, each of equal weight: seasons differ more than rungs do."""
    if len(recipes) == 1:
        return recipes[0]
    total = np.zeros(len(recipes))
    for earlier, later in periods:
        made: dict[Recipe, Rung] = {}
        for recipe in recipes:
            made[recipe] = _made(question, recipe, earlier, made)
        losses = [_loss(question, made[recipe], earlier, later) for recipe in recipes]
        total += np.array(losses) / losses[0]
    return recipes[int(np.argmin(total))]


def _made(question: Question, recipe: Recipe, rows: Examples, made: dict[Recipe, Rung]) -> Rung:
    """The rung, an average of those made before."""
    if recipe.rung != "average":
        return make(question, recipe, rows)
    members = made[replace(recipe, rung=question.trees)], made[Recipe("btyd")]
    return Average(members, odds=not question.is_money)


def _loss(question: Question, rung: Rung, earlier: Examples, later: Examples) -> float:
    return float(question.losses(later, question.predict(rung, later).mean, cap_of(earlier)).mean())


def _before(question: Question, rows: Examples) -> list[tuple[Examples, Examples]]:
    """The period before, if the rows reach so far back: the newest that lie a horizon before others, and those."""
    cutoffs = np.unique(rows.cutoff)
    horizon = days(question.fitted_days)
    followed = np.flatnonzero(np.isin(cutoffs + horizon, cutoffs))
    if not len(followed):
        return []
    earlier, later = rows.at(cutoffs[: followed[-1] + 1]), rows.at([cutoffs[followed[-1]] + horizon])
    enough = not (lacking(earlier, "") or lacking(later, ""))
    return [(earlier, later)] if enough and question.expectations(earlier) is not None else []


def _tuned(
    question: Question, earlier: Examples, later: Examples, trials: int, *, with_process: bool
) -> tuple[Recipe, Table]:
    """Trees with the growth and number that serve the later rows best; a hurdle's second booster grows as the first."""
    read = question.expectations(earlier) if with_process else None
    rows = parts(question, earlier, read)
    after = parts(question, later, read, like=rows)
    boosters = growers(question)

    def tried(growth: Growth, stop: Stop) -> tuple[int, float]:
        return boosters[0].count_trees(rows[0], after[0], growth, stop)

    found = search(tried, _start(len(earlier)), trials=trials, seed=question.seed)
    pairs = zip(boosters[1:], rows[1:], after[1:], strict=True)
    others = [grower.count_trees(one, other, found.growth)[0] for grower, one, other in pairs]
    return Recipe(question.trees, found.growth, (found.trees, *others), with_process), found.trials


def _counted(question: Question, earlier: Examples, later: Examples, growth: Growth) -> tuple[int, ...]:
    """How many trees of this growth serve the later rows best, without a process."""
    rows = parts(question, earlier, None)
    after = parts(question, later, None, like=rows)
    pairs = zip(growers(question), rows, after, strict=True)
    return tuple(grower.count_trees(one, other, growth)[0] for grower, one, other in pairs)


def _start(rows: int) -> Growth:
    """A growth that is good as it stands: small trees, leaves of at least a 300th of the rows."""
    return Growth(min_rows=int(np.clip(rows // 300, FEWEST_IN_LEAF, 100)))


def _advantage(
    question: Question, earlier: Examples, later: Examples, model: Rung, baseline: Rung
) -> tuple[float, float]:
    """Mean of the paired differences of loss, above 0 where the model is better, and its standard error."""
    cap = cap_of(earlier)
    one, other = (question.losses(later, question.predict(rung, later).mean, cap) for rung in (model, baseline))
    return float(np.mean(other - one)), float(np.std(other - one, ddof=1) / np.sqrt(len(later)))
