"""Rungs, fitted: which recipe (chosen on later rows), and a rung made by that recipe from any rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from features.config import TaskConfig
from features.journeys import Floats
from features.windows import FeatureSet
from models.boosted import Grower, Growth, Sample, Stop, sample
from models.rungs import Hurdle, Prediction, Probability, Rung
from training.metrics import best_threshold, log_losses
from training.panels import Examples
from training.rules import history, rule
from training.tune import FEWEST_IN_LEAF, Table, search

FEWEST_ROWS = 200
FEWEST_OF_RARER = 20
CAP = 0.995  # amounts above this quantile of the training rows count as that much when losses are compared
NOISE = 1.0  # standard errors that trees must be better by


@dataclass(frozen=True)
class Question:
    """One task at one horizon, and what every fit of it needs."""

    task: TaskConfig
    fitted_days: int
    features: FeatureSet
    seed: int
    threads: int

    @property
    def is_money(self) -> bool:
        """Asked for money rather than for a probability."""
        return self.task.kind == "cltv"

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
    """How to make the rung: "rule", "lightgbm" or "hurdle", with the number of trees of each booster."""

    rung: str
    growth: Growth = field(default_factory=Growth)
    trees: tuple[int, ...] = ()

    def describe(self) -> Mapping[str, object]:
        """The choice by name."""
        if self.rung == "rule":
            return {"rung": self.rung}
        return {"rung": self.rung, "trees": "+".join(map(str, self.trees)), **self.growth.describe()}


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
    recipe, table = _boosted(question, earlier, later, trials)
    model = make(question, recipe, earlier)
    better, error = _advantage(question, earlier, later, model, baseline)
    if better > NOISE * error:
        reason = f"{recipe.rung} beats the rule by {better:.4g} ± {error:.2g} on later rows"
        return Choice(recipe, model, reason, _threshold(question, model, later), table)
    reason = f"{recipe.rung} does not beat the rule beyond noise on later rows ({better:.4g} ± {error:.2g})"
    return Choice(Recipe("rule"), baseline, reason, _threshold(question, baseline, later), table)


def _threshold(question: Question, rung: Rung, later: Examples) -> float:
    return 0.5 if question.is_money else best_threshold(later.outcome, question.predict(rung, later).mean)


def make(question: Question, recipe: Recipe, rows: Examples) -> Rung:
    """A rung by the recipe, fitted on these rows."""
    past = history(question.task, question.fitted_days, rows) if recipe.rung == "hurdle" else None
    match recipe.rung:
        case "lightgbm":
            grower = Grower("binary", question.seed, question.threads)
            return Probability(grower.grow(sample(rows.values, rows.outcome), recipe.growth, recipe.trees[0]))
        case "hurdle" if past is not None:
            buys, more = (
                grower.grow(part, recipe.growth, trees)
                for grower, part, trees in zip(_growers(question), _parts(question, rows), recipe.trees, strict=True)
            )
            raw = Hurdle(buys, more, past)
            said = float(question.predict(raw, rows).mean.sum())
            return replace(raw, correction=float(np.clip(rows.outcome.sum() / said, 0.5, 2.0)))
        case _:
            return rule(question.task, question.fitted_days, rows, question.features)


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


def _boosted(question: Question, earlier: Examples, later: Examples, trials: int) -> tuple[Recipe, Table]:
    """Trees with the growth and number that serve the later rows best; a hurdle's second booster grows as the first."""
    growers = _growers(question)
    binned = [(part, _like(question, later, part, index)) for index, part in enumerate(_parts(question, earlier))]

    def tried(growth: Growth, stop: Stop) -> tuple[int, float]:
        return growers[0].count_trees(*binned[0], growth, stop)

    found = search(tried, _start(len(earlier)), trials=trials, seed=question.seed)
    others = [grower.count_trees(*pair, found.growth)[0] for grower, pair in zip(growers[1:], binned[1:], strict=True)]
    return Recipe("hurdle" if question.is_money else "lightgbm", found.growth, (found.trees, *others)), found.trials


def _start(rows: int) -> Growth:
    """A growth that is good as it stands: small trees, leaves of at least a 300th of the rows."""
    return Growth(min_rows=int(np.clip(rows // 300, FEWEST_IN_LEAF, 100)))


def _growers(question: Question) -> tuple[Grower, ...]:
    first = Grower("binary", question.seed, question.threads)
    return (first, replace(first, objective="poisson")) if question.is_money else (first,)


def _parts(question: Question, rows: Examples) -> list[Sample]:
    return [_like(question, rows, None, index) for index in range(len(_growers(question)))]


def _like(question: Question, rows: Examples, like: Sample | None, index: int) -> Sample:
    """The rows of booster `index`: all rows for the probability, those with an order for the orders after the first."""
    if not question.is_money:
        return sample(rows.values, rows.outcome, like=like)
    bought = rows.labels.count > 0
    if index == 0:
        return sample(rows.values, bought.astype(np.float64), like=like)
    some = rows[bought]
    past = history(question.task, question.fitted_days, rows)
    pace = np.ones(len(some)) if past is None else past.pace(some.values, question.features.position)
    return sample(some.values, some.labels.count - 1, start=np.log(pace), like=like)


def _advantage(
    question: Question, earlier: Examples, later: Examples, model: Rung, baseline: Rung
) -> tuple[float, float]:
    """Mean of the paired differences of loss, above 0 where the model is better, and its standard error."""
    cap = cap_of(earlier)
    one, other = (question.losses(later, question.predict(rung, later).mean, cap) for rung in (model, baseline))
    return float(np.mean(other - one)), float(np.std(other - one, ddof=1) / np.sqrt(len(later)))
