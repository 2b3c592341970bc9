"""Rungs made by a recipe from rows of a question."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from features.arrays import Floats
from models.btyd.expectations import Ahead, Expectations
from models.ladder.average import Average
from models.ladder.hurdle import Hurdle, Orders
from models.ladder.lightgbm import Sample, TreeTrainer, sample
from models.ladder.logistic import log_odds
from models.ladder.purchase_process import NEVER, PurchaseProcess
from models.ladder.rules import Scaled
from models.ladder.rung import Rung
from models.ladder.trees import Probability
from models.prediction import EPS
from training.dataset.examples import Examples
from training.fit.baselines import cap_of, history, past_of, rule
from training.fit.level import missing_shift
from training.fit.logistic import LOGISTIC_SPECS, FittedLogistic, LogisticSpec, fit_logistic
from training.fit.recipe import HURDLE, Question, Recipe


def fit_rung(question: Question, recipe: Recipe, rows: Examples, linear: FittedLogistic | None = None) -> Rung:
    """A rung by the recipe, fitted on these rows; the rule where they hold no money or no process for it.

    `linear` is the first logistic of these rows, whose effects of dates trees take, where there is one already.
    """
    made: Rung | None = None
    if recipe.rung in ("average", "lightgbm") and not question.is_money:
        linear = linear or logistic(question, rows, LOGISTIC_SPECS[0])
    match recipe.rung:
        case "average":
            made = averaged(question, [fit_rung(question, member, rows, linear) for member in recipe.members])
        case "logistic":
            known = linear if recipe.logistic == LOGISTIC_SPECS[0] else None
            made = (known or logistic(question, rows, recipe.logistic)).rung
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


def logistic(question: Question, rows: Examples, spec: LogisticSpec) -> FittedLogistic:
    """The penalised logistic of these rows; their process is its offset where there is one and `spec` asks for it."""
    process = btyd(question, rows) if spec.offset else None
    return fit_logistic(rows, question.features.position, process, spec.penalty)


def _lightgbm(question: Question, recipe: Recipe, rows: Examples, linear: FittedLogistic) -> Probability:
    read = question.expectations(rows) if recipe.expectations else None
    init_score = fit_init_score(question, rows, linear, with_process=recipe.offset)
    (grower,), (part,) = tree_trainers(question), booster_samples(question, rows, read, init_score=init_score.rows)
    return Probability(grower.grow(part, recipe.parameters, recipe.trees[0]), read, init_score.base, init_score.process)


@dataclass(frozen=True, eq=False)
class InitScore:
    """Log-odds that trees start from: of every row of the fit (`rows`); and what serves, without the effects of dates:
    `base`, or those of the `process`.
    """

    rows: Floats
    base: float
    process: PurchaseProcess | None


def fit_init_score(question: Question, rows: Examples, linear: FittedLogistic, *, with_process: bool) -> InitScore:
    """The effects of the cutoffs, on top of the base rate or of the log-odds of the process."""
    effects = linear.at(rows.cutoff)
    if with_process and linear.rung.process is not None:
        process = linear.rung.process
        return InitScore(log_odds(process, rows.values, question.features.position) + effects, 0.0, process)
    rate = (float(rows.outcome.sum()) + 1) / (len(rows) + 2)
    base = float(np.log(rate / (1 - rate)))
    return InitScore(base + effects, base, None)


def later_init_score(question: Question, init_score: InitScore, linear: FittedLogistic, later: Examples) -> Floats:
    """The same log-odds for later rows, with the shift that the logistic needs there."""
    shift = missing_shift(later.outcome, question.predict(linear.rung, later).mean)
    offset = np.full(len(later), init_score.base + shift)
    if init_score.process is None:
        return offset
    return np.asarray(offset + log_odds(init_score.process, later.values, question.features.position))


def tree_trainers(question: Question) -> tuple[TreeTrainer, ...]:
    """One for each booster: of the probability and, for money, of the orders after the first and of all."""
    first = TreeTrainer("binary", question.seed, question.threads)
    count = replace(first, objective="poisson")
    return (first, count, count) if question.is_money else (first,)


def booster_samples(
    question: Question,
    rows: Examples,
    read: Expectations | None,
    like: list[Sample] | None = None,
    init_score: Floats | None = None,
) -> list[Sample]:
    """The rows of each booster: all for the probability, those with an order for the orders after the first, and all
    for the orders that a process begins, if there is one.

    `init_score` is what the log-odds of the probability start from.
    """
    values, ahead = _widened(question, rows, read)
    bins: list[Sample | None] = [*like] if like else [None, None, None]
    if not question.is_money:
        return [sample(values, rows.outcome, init_score=init_score, like=bins[0])]
    hurdle = _hurdle_parts(question, rows, values, bins)
    return hurdle if ahead is None else [*hurdle, _orders_part(rows, values, ahead, bins[-1])]


def _widened(question: Question, rows: Examples, read: Expectations | None) -> tuple[Floats, Ahead | None]:
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
        sample(values[bought], _countable(some.labels.count - 1), init_score=np.log(pace), like=like[1]),
    ]


def _orders_part(rows: Examples, values: Floats, ahead: Ahead, like: Sample | None = None) -> Sample:
    init_score = np.log(np.maximum(np.nan_to_num(ahead.orders, nan=NEVER), EPS))
    return sample(values, rows.labels.count, init_score=init_score, like=like)


def _countable(count: Floats) -> Floats:
    """Where nothing was ever counted, half of one spread over all: no rate of nothing can be learnt."""
    return count if count.any() else count + 0.5 / max(len(count), 1)


def _hurdle(question: Question, recipe: Recipe, rows: Examples) -> Rung | None:
    past = history(question.task, question.fitted_days, rows)
    if past is None:
        return None
    read = question.expectations(rows) if recipe.expectations else None
    values, _ = _widened(question, rows, read)
    grown = zip(tree_trainers(question)[:HURDLE], _hurdle_parts(question, rows, values), recipe.trees, strict=True)
    buys, more = (grower.grow(part, recipe.parameters, trees) for grower, part, trees in grown)
    raw = Hurdle(buys, more, past, expectations=read)
    return replace(raw, correction=_correction(question, raw, rows))


def _poisson(question: Question, recipe: Recipe, rows: Examples) -> Rung | None:
    read = question.expectations(rows)
    values, ahead = _widened(question, rows, read)
    if read is None or ahead is None:
        return None
    part, grower = _orders_part(rows, values, ahead), tree_trainers(question)[-1]
    raw = Orders(grower.grow(part, recipe.parameters, recipe.trees[0]), read)
    return replace(raw, correction=_correction(question, raw, rows))


def btyd(question: Question, rows: Examples) -> PurchaseProcess | None:
    """The process of these rows as a rung, if they have one."""
    read = question.expectations(rows)
    if read is None:
        return None
    never = np.isnan(rows.values[:, question.features.position[read.days]])
    without_orders = float((rows.labels.count[never] == 0).sum())
    raw = PurchaseProcess(read, question.task.outcome, (without_orders + 1) / (int(never.sum()) + 2))
    return replace(raw, correction=_correction(question, raw, rows)) if question.is_money else raw


def _correction(question: Question, raw: Rung, rows: Examples) -> float:
    """Money that counts over money expected, within a factor of two of the rate; amounts count up to the cap."""
    cap, rate = cap_of(rows), question.task.rate
    expected = float(np.minimum(question.predict(raw, rows).mean * rate, cap).sum())
    return rate * float(np.clip(np.minimum(rows.outcome, cap).sum() / expected, 0.5, 2.0)) if expected > 0 else rate
