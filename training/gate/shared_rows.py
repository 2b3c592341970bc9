"""Champion and challenger side by side on rows whose label windows neither was fitted on.

- "fair": the champion was trained no later than the challenger's test cutoff, so it knows nothing of the test window;
  the challenger's side is its test, made by its recipe refitted up to a horizon before.
- "refitted": the champion may have learnt from that window. Then its recipe, which its bundle records, is refitted as
  the challenger's was for its test: on the same rows of the same cutoffs, by its own features, with calibrator and
  intervals learnt in the same way. So equal recipes tie to the bit.
- where neither can be done there is no match, and what the two recorded of themselves is all there is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from features.arrays import Floats
from features.errors import BundleError, ConfigError
from features.language.feature_set import FeatureSet
from features.panel.comparisons import count_keys
from models.bundle import Bundle, equipped
from models.predictor.predictor import Predictor
from training.context import Phase, TrainingContext
from training.dataset.examples import Examples, PanelRequest, build_examples
from training.evaluation.evaluate import Evaluation
from training.fit.baselines import needed
from training.fit.predictor import unpack_recipes
from training.fit.recipe import Question
from training.horizon import Trained, evaluate_choice, split_rows
from training.selection.choose import Choice, as_chosen


@dataclass(frozen=True, eq=False)
class Scored:
    """What one of the two says of every row, for the fitted horizon, with its 90 % interval; `best_grade` caps it."""

    mean: Floats
    low: Floats
    high: Floats
    best_grade: str


@dataclass(frozen=True, eq=False)
class Match:
    """Both at one horizon, on the same rows of one cutoff (µs UTC); `baseline` is what the challenger's named baseline
    says, `method` "fair" or "refitted".
    """

    horizon_days: int
    cutoff: int
    method: str
    question: Question
    rows: Examples
    challenger: Scored
    champion: Scored
    baseline: Floats
    cap: float

    def losses(self, predicted: Floats) -> Floats:
        """Each row's loss."""
        return self.question.losses(self.rows, predicted, self.cap)


def readable(context: TrainingContext, champion: Bundle) -> Bundle | None:
    """The champion with its module of features; None where what it read cannot be computed any more."""
    try:
        known = equipped(champion, context.features)
    except BundleError:
        return None
    return known if set(count_keys(known.features)) <= set(count_keys(context.features)) else None


def match(context: TrainingContext, champion: Bundle, trained: Trained) -> Match | None:
    """The two at the horizon of this answer; None where they cannot be compared on rows."""
    other = next(
        (predictor for predictor in champion.predictors if predictor.horizon_days == trained.split.horizon_days), None
    )
    known = readable(context, champion)
    if trained.evaluation is None or other is None or known is None or not len(trained.evaluation.customer):
        return None
    try:
        if champion.trained_as_of_us <= trained.split.test and other.fitted_days == trained.split.fitted_days:
            return _fair(context, known, other, trained, trained.evaluation)
        return _refitted(context, known, trained, trained.evaluation)
    except ConfigError:  # a column that the champion reads has left the store
        return None


def _fair(
    context: TrainingContext, champion: Bundle, other: Predictor, trained: Trained, tested: Evaluation
) -> Match | None:
    rows = _rows(context, champion.features, trained, [trained.split.test])
    rows = rows[np.isin(rows.customer.astype(np.str_), tested.customer.astype(np.str_))]
    predictor = replace(other, horizon_days=other.fitted_days)  # not carried over: the label window is the fitted one
    prediction = predictor.predict(rows.values, champion.features.position, trained.split.test)
    best = _best(other.rung.name, extrapolated="extrapolated" in other.flags)
    return _matched(trained, tested, rows, Scored(prediction.score, prediction.low, prediction.high, best), "fair")


def _refitted(context: TrainingContext, champion: Bundle, trained: Trained, tested: Evaluation) -> Match | None:
    """The champion's recipe tested as the challenger's was; None where its bundle does not record it."""
    recorded = champion.facts.get("recipes", {}).get(str(trained.split.horizon_days))
    if recorded is None:
        return None
    heading = f"{champion.task.name}, {trained.split.horizon_days} days"
    context.on_progress(Phase.REFIT_CHAMPION, f"{heading}: refitting the champion's recipe")
    recipes = unpack_recipes(recorded)
    features = champion.features.union(needed(champion.task, trained.split.fitted_days))
    question = replace(trained.question, task=champion.task, features=features)
    parts = split_rows(_rows(context, features, trained, trained.split.cutoffs), trained.split)
    choice = as_chosen(question, recipes.rung, parts["choosing"], parts["validation"])
    no_purchase: Choice | None = None
    if recipes.no_purchase is not None:
        no_purchase = as_chosen(
            question.no_purchase, recipes.no_purchase, parts["choosing"].no_purchase, parts["validation"].no_purchase
        )
    other = evaluate_choice(context, question, (choice, no_purchase), parts, trained.split)
    if other is None:
        return None
    best = _best(recipes.rung.rung, extrapolated=trained.split.extrapolated)
    return _matched(trained, tested, parts["test"], Scored(other.model, other.low, other.high, best), "refitted")


def _rows(context: TrainingContext, features: FeatureSet, trained: Trained, cutoffs: Sequence[int]) -> Examples:
    request = PanelRequest(
        trained.question.task, trained.split.fitted_days, features, context.end, context.config.train.max_rows
    )  # fewer cutoffs give at least the same customers
    return build_examples(context.parts, request, cutoffs)


def _matched(trained: Trained, tested: Evaluation, rows: Examples, champion: Scored, method: str) -> Match | None:
    if not np.array_equal(rows.customer, tested.customer):
        return None
    best = _best(trained.choice.recipe.rung, extrapolated=trained.split.extrapolated)
    return Match(
        horizon_days=trained.split.horizon_days,
        cutoff=trained.split.test,
        method=method,
        question=trained.question,
        rows=rows,
        challenger=Scored(tested.model, tested.low, tested.high, best),
        champion=champion,
        baseline=tested.baseline,
        cap=tested.cap,
    )


def _best(rung: str, *, extrapolated: bool) -> str:
    """The best grade there is for it, as in `training.horizon`."""
    return "C" if extrapolated or rung == "rule" else "A"
