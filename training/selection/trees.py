"""How trees grow best: the parameters and number of trees that serve later rows, with or without a process."""

from dataclasses import replace

import numpy as np

from models.ladder.lightgbm import Sample, Stop, TreeParameters
from training.dataset.examples import Examples
from training.fit.logistic import FittedLogistic
from training.fit.recipe import Question, Recipe
from training.fit.rungs import booster_samples, fit_init_score, later_init_score, tree_trainers
from training.tuning.budget import Budget
from training.tuning.search import SearchResult, search
from training.tuning.space import FEWEST_IN_LEAF

FINE_RATE = 0.06  # what serves learns at half the rate of the search: better, and slower


def search_trees(
    question: Question, earlier: Examples, later: Examples, linear: FittedLogistic | None, budget: Budget
) -> SearchResult:
    """What was tried, and the best parameters of the first booster; a hurdle's second takes the same.

    `linear` is the logistic of the earlier rows; there is none for money.
    """
    rows, after = _samples(question, earlier, later, linear, _first(question, earlier))
    booster = tree_trainers(question)[0]

    def objective(parameters: TreeParameters, stop: Stop) -> tuple[int, float]:
        return booster.count_trees(rows[0], after[0], parameters, stop)

    return search(objective, start_parameters(len(earlier)), budget=budget, seed=question.seed)


def tree_recipes(
    question: Question, earlier: Examples, later: Examples, linear: FittedLogistic | None, parameters: TreeParameters
) -> list[Recipe]:
    """Recipes of trees that differ in how they use a process, all of the parameters that a search found."""
    finer = replace(_first(question, earlier), parameters=replace(parameters, learning_rate=FINE_RATE))
    tuned = _counted(question, earlier, later, linear, finer)
    if not tuned.expectations:
        return [tuned]
    other = replace(tuned, expectations=False) if linear is None else replace(tuned, offset=True)
    return [tuned, _counted(question, earlier, later, linear, other)]


def _first(question: Question, earlier: Examples) -> Recipe:
    """The recipe whose parameters are searched."""
    return Recipe(question.tree_rung, expectations=question.expectations(earlier) is not None)


def _counted(
    question: Question, earlier: Examples, later: Examples, linear: FittedLogistic | None, recipe: Recipe
) -> Recipe:
    """The recipe with as many trees of its parameters as serve the later rows best."""
    rows, after = _samples(question, earlier, later, linear, recipe)
    pairs = zip(tree_trainers(question), rows, after, strict=False)  # orders of all only where a process begins them
    return replace(
        recipe,
        trees=tuple(
            trainer.count_trees(sample, later_sample, recipe.parameters)[0] for trainer, sample, later_sample in pairs
        ),
    )


def _samples(
    question: Question, earlier: Examples, later: Examples, linear: FittedLogistic | None, recipe: Recipe
) -> tuple[list[Sample], list[Sample]]:
    """Earlier and later rows of each booster, on the bins of the earlier."""
    read = question.expectations(earlier) if recipe.expectations else None
    if linear is None:
        rows = booster_samples(question, earlier, read)
        return rows, booster_samples(question, later, read, like=rows)
    init_score = fit_init_score(question, earlier, linear, with_process=recipe.offset)
    rows = booster_samples(question, earlier, read, init_score=init_score.rows)
    return rows, booster_samples(
        question, later, read, like=rows, init_score=later_init_score(question, init_score, linear, later)
    )


def start_parameters(rows: int) -> TreeParameters:
    """Parameters that are good as they stand: small trees, leaves of at least a 300th of the rows."""
    return TreeParameters(min_data_in_leaf=int(np.clip(rows // 300, FEWEST_IN_LEAF, 100)))
