"""What recipes are judged by: earlier rows to learn from, later ones to be measured on, in one period or two."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from features.timeline import days
from models.ladder.rung import Rung
from training.dataset.examples import Examples
from training.fit.logistic import LOGISTIC_SPECS, FittedLogistic
from training.fit.recipe import Question, Recipe
from training.fit.rungs import averaged, fit_rung, logistic

TREES_MIN_ROWS, TREES_MIN_MINORITY = 200, 20  # for trees
LEARN_MIN_ROWS, LEARN_MIN_MINORITY = 30, 5  # for anything but the rule


@dataclass(frozen=True, eq=False)
class Period:
    """Earlier rows and rows a horizon later, with the rungs made of the earlier ones so far."""

    earlier: Examples
    later: Examples
    fitted: dict[Recipe, Rung] = field(default_factory=dict)
    linear: list[FittedLogistic] = field(default_factory=list)  # the logistic whose effects of dates all trees take

    def rungs(self, question: Question, recipes: Sequence[Recipe]) -> list[Rung]:
        """The rungs of these recipes; an average is one of those made already."""
        return [self._rung(question, recipe) for recipe in recipes]

    def effects(self, question: Question) -> FittedLogistic | None:
        """The logistic from which trees take the effects of dates; none for money."""
        if not self.linear and not question.is_money:
            self.linear.append(logistic(question, self.earlier, LOGISTIC_SPECS[0]))
        return self.linear[0] if self.linear else None

    def _rung(self, question: Question, recipe: Recipe) -> Rung:
        if recipe not in self.fitted:
            self.fitted[recipe] = self._make(question, recipe)
        return self.fitted[recipe]

    def _make(self, question: Question, recipe: Recipe) -> Rung:
        match recipe.rung:
            case "average":
                average = averaged(question, self.rungs(question, recipe.members))
                return average or fit_rung(question, Recipe("rule"), self.earlier)
            case "lightgbm":
                return fit_rung(question, recipe, self.earlier, self.effects(question))
            case "logistic" if recipe.logistic == LOGISTIC_SPECS[0]:
                fitted = self.effects(question)
                return fitted.rung if fitted else fit_rung(question, recipe, self.earlier)
            case _:
                return fit_rung(question, recipe, self.earlier)


def periods(question: Question, earlier: Examples, later: Examples) -> list[Period]:
    """These rows, and the period before if they reach so far back.

    That one ends with the newest of the earlier rows that lie a horizon before others; those others are its later rows.
    """
    latest = [Period(earlier, later)]
    cutoffs = np.unique(earlier.cutoff)
    horizon = days(question.fitted_days)
    followed = np.flatnonzero(np.isin(cutoffs + horizon, cutoffs))
    if not len(followed):
        return latest
    first = Period(earlier.at(cutoffs[: followed[-1] + 1]), earlier.at([cutoffs[followed[-1]] + horizon]))
    enough = not (shortage(first.earlier, "") or shortage(first.later, ""))
    same = question.expectations(first.earlier) is not None or not question.processes.fitted
    return [*latest, first] if enough and same else latest


def shortage(rows: Examples, purpose: str) -> str:
    """What these rows lack for trees, as a sentence; empty when they are enough."""
    return _lacking(rows, "trees need", purpose, TREES_MIN_ROWS, TREES_MIN_MINORITY)


def shortage_for_any(rows: Examples, purpose: str) -> str:
    """What these rows lack for anything but the rule."""
    return _lacking(rows, "more than a rule needs", purpose, LEARN_MIN_ROWS, LEARN_MIN_MINORITY)


def _lacking(rows: Examples, who: str, purpose: str, min_rows: int, min_minority: int) -> str:
    happened = rows.labels.count > 0
    minority = int(min(happened.sum(), (~happened).sum()))
    if len(rows) >= min_rows and minority >= min_minority:
        return ""
    needs = f"{who} at least {min_rows} rows and {min_minority} of the rarer outcome {purpose}"
    return f"{needs}, found {len(rows)} and {minority}"
