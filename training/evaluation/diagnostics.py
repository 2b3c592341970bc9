"""What a person who looks at a training wants to see beside its test: would more customers help, does it hold over
time, is anybody served badly, and what moves the scores.

All of it is made of the recipe that was chosen; nothing here decides anything. Rows and customers are sampled by a
stable hash where they are many, so that looking costs a modest share of training.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from features.arrays import Floats, Ints
from models.ladder.average import moved
from models.ladder.rung import Rung
from models.predictor.calibrators import Calibrator
from training.context import TrainingContext
from training.dataset.examples import Examples
from training.dataset.sampling import stable_hash
from training.dataset.split import Split
from training.evaluation.evaluate import Evaluation
from training.fit.recipe import Question, Recipe
from training.metrics import metrics
from training.metrics.bootstrap import Figures, draws, figures_of
from training.metrics.metrics import Metric

MOST_ROWS = 20_000  # that figures of a part are computed on
MOST_LEARNT = 40_000  # that a recipe is refitted on
MOST_EXPLAINED = 1_000  # rows: TreeSHAP takes milliseconds a row
STRONGEST = 15  # features
PROBABILITY: Mapping[str, Metric] = {"auroc": metrics.auroc, "log_loss": metrics.log_loss}
MONEY: Mapping[str, Metric] = {"gini": metrics.normalised_gini, "rmse": metrics.rmse}


@dataclass(frozen=True, eq=False)
class Subject:
    """One horizon of a task after its test: the chosen recipe, the rung that serves, and all rows of the panel."""

    context: TrainingContext
    question: Question
    recipe: Recipe
    rung: Rung
    rows: Examples
    split: Split
    evaluation: Evaluation
    calibrator: Calibrator | None

    @property
    def test(self) -> Examples:
        """The rows it was tested on, as `tested` has them."""
        return self.rows.at([self.split.test])


@dataclass(frozen=True)
class SliceFigures:
    """Figures of some rows: a period (`name` is its date) or a segment; `outcome` is their average."""

    name: str
    rows: int
    outcome: float
    model: Figures
    baseline: Figures


@dataclass(frozen=True)
class LearningPoint:
    """What the recipe makes of a share of the customers: its loss on the test rows, [value, low, high]."""

    share: float
    customers: int
    rows: int
    loss: list[float | None]


@dataclass(frozen=True, eq=False)
class Attributions:
    """By how much features moved the scores of test rows, of the strongest features, the strongest first.

    `feature` numbers the columns of the panel; `values` and `shifts` are (n_rows, n_strongest), in log-odds, in the
    logarithm of money or, of a rule, in the score itself.
    """

    feature: Ints
    values: Floats
    shifts: Floats


@dataclass(frozen=True, eq=False)
class Diagnostics:
    """One horizon's study; what could not be made is empty."""

    learning: tuple[LearningPoint, ...] = ()
    learning_baseline: tuple[float | None, ...] = ()
    periods: tuple[SliceFigures, ...] = ()
    segments: tuple[SliceFigures, ...] = ()
    attributions: Attributions | None = None


def slice_figures(question: Question, name: str, rows: Examples, model: Floats, baseline: Floats) -> SliceFigures:
    """Figures of both on these rows, with their intervals over customers."""
    sample = thinned(rows)
    weights = draws(rows.customer[sample], question.seed)
    measures = MONEY if question.is_money else PROBABILITY
    own, other = (
        figures_of(measures, rows.outcome[sample], predicted[sample], weights) for predicted in (model, baseline)
    )
    return SliceFigures(name, len(rows), float(rows.outcome.mean()) if len(rows) else 0.0, own, other)


def attributions(subject: Subject) -> Attributions | None:
    """What moves what serves on some of the test rows; None where nothing does."""
    rows = subject.test
    values = rows.values[thinned(rows, MOST_EXPLAINED)]
    shift = moved(subject.rung, values, subject.question.features.position)
    strength = np.abs(shift).mean(axis=0) if len(shift) else np.zeros(shift.shape[1])
    order = np.argsort(-strength, kind="stable")[:STRONGEST]
    order = order[strength[order] > 0]
    return Attributions(order, values[:, order], shift[:, order]) if len(order) else None


def thinned(rows: Examples, most: int = MOST_ROWS) -> Ints:
    """At most so many row numbers, the same whatever else is in the log."""
    if len(rows) <= most:
        return np.arange(len(rows))
    return np.sort(np.argsort(stable_hash(rows.customer), kind="stable")[:most])


def ranked(rows: Examples) -> Floats:
    """Each row's customer as a share of all, [0, 1), in an order of its own: small shares lie within large."""
    hashed = stable_hash(rows.customer) * np.uint64(0xD6E8FEB86659FD93)  # not the order that sampled panels are cut by
    every, place = np.unique(hashed, return_inverse=True)
    return np.asarray(place / max(len(every), 1), np.float64)
