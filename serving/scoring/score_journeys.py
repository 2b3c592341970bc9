"""The one scoring path: batch, HTTP and notebooks all come through `score_journeys`.

It takes the journeys as of one instant, decides who belongs to which population, builds the panel once per set of
features, and lets every bundle predict. Nothing here knows how many customers there are or where they came from.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from features.arrays import Floats, Ints, Strings
from features.errors import RequestError
from features.journeys import Journeys
from features.language.feature_set import FeatureSet
from features.panel.build import Panel, Rows, build
from features.timeline import DAY_US, FOREVER, iso
from models.grades import is_stale, is_thin, valid_us
from models.predictor.actions import Actions
from models.predictor.outcome_distribution import LEVELS
from models.predictor.predictor import PredictedScore, Predictor
from models.score_record import (
    EXTRAPOLATED,
    FLAGS,
    FROM_THE_FUTURE,
    NEW_CUSTOMER,
    NOT_IN_POPULATION,
    STALE_FEATURES,
    THIN_DATA,
)
from models.tasks import is_member
from serving.contract.score_id import ScoreId
from serving.scoring.monotone import monotone
from serving.scoring.prior import prior_prediction
from serving.scoring.reasons import strongest_reasons
from serving.scoring.scores import NUMBERS, Head, HeadScores, Ranked, Reasons, Scores
from serving.scoring.served_model import ServedBundle

DETAILS = ("p_none", "orders", "order_value")  # parts of a prediction that the contract knows

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class ScoringOptions:
    """As of when, from which state of the log, with reasons or not, and whether models from the future may predict.

    `own_events` says that the request carried events of its own, `log_end_us` up to when the log is complete.
    """

    as_of_us: int
    log_position: int
    own_events: bool = False
    reasons: bool = False
    model_from_the_future: bool = False
    log_end_us: int = FOREVER


def score_journeys(journeys: Journeys, served: Sequence[ServedBundle], options: ScoringOptions) -> Scores:
    """Scores of all customers of the journeys, in their order, by every bundle.

    Raises:
        RequestError: a bundle was trained after the as-of and nobody allowed that.
    """
    for model in served:
        _check_trained_before(model, options)
    visible = journeys.as_of(options.as_of_us)
    rows = Rows.grid(len(visible), np.array([options.as_of_us], np.int64))
    statuses = _customer_statuses(visible, rows, served, options)
    predicting = [(model, status) for model, status in zip(served, statuses, strict=True) if model.bundle.predictors]
    members = (
        np.logical_or.reduce([status.member for _, status in predicting])
        if predicting
        else np.zeros(len(visible), np.bool_)
    )
    member_rows = rows if members.all() else rows[members]
    sets = {model.bundle.features.fingerprint: model.bundle.features for model, _ in predicting}
    panels = {fingerprint: build(visible, member_rows, features) for fingerprint, features in sets.items()}
    by_head: list[HeadScores] = []
    for model, status in zip(served, statuses, strict=True):
        if model.bundle.actions is not None:
            by_head.append(_action_scores(model, model.bundle.actions, status, options))
        else:
            panel = panels[model.bundle.features.fingerprint]
            by_head += _predictor_scores(model, _select(panel, status.member[members]), status, options)
    return Scores(journeys.customers, options.as_of_us, tuple(by_head))


def score_known_customers(journeys: Journeys, served: Sequence[ServedBundle], options: ScoringOptions) -> Scores:
    """Scores of those customers of a bucket of whom anything is known at the as-of."""
    visible = journeys.as_of(options.as_of_us)
    known = np.flatnonzero(known_customers(visible))
    return score_journeys(visible if len(known) == len(visible) else visible.select(known), served, options)


def known_customers(visible: Journeys) -> Mask:
    """Who has an event or a profile in these journeys."""
    return np.asarray((np.diff(visible.starts) > 0) | (np.diff(visible.profile.starts) > 0))


def score_panel(
    customers: Strings, panel: Panel, population: Panel, model: ServedBundle, options: ScoringOptions
) -> Scores:
    """Scores of the rows of a panel of the bundle's features, a customer each, all as of the same instant.

    `population` holds the columns of `model.population_features` for the same rows. A panel is complete up to its
    cutoff.
    """
    _check_trained_before(model, options)
    unknown, known_until_us = (
        np.zeros(len(customers), np.bool_),
        np.full(len(customers), options.as_of_us, np.int64),
    )
    status = _customer_status(model, population, unknown, known_until_us)
    if model.bundle.actions is not None:
        return Scores(customers, options.as_of_us, (_action_scores(model, model.bundle.actions, status, options),))
    by_head = _predictor_scores(model, _select(panel, status.member), status, options)
    return Scores(customers, options.as_of_us, tuple(by_head))


@dataclass(frozen=True, eq=False)
class _CustomerStatus:
    """Who is in a task's population, whom nobody knows, whose data are thin, and up to when (µs) each is known."""

    member: Mask
    unknown: Mask
    thin: Mask
    known_until_us: Ints

    @property
    def scored(self) -> Mask:
        """Who gets a score: members by the model, strangers by the prior."""
        return self.member | self.unknown

    def scatter(self, values: Floats, prior: Floats | None = None) -> Floats:
        """Members' values at their places among all customers, the prior (one row) at unknown ones', else NaN."""
        if len(values) == len(self.member):
            return values
        everyone = np.full((len(self.member), *values.shape[1:]), np.nan)
        everyone[self.member] = values
        if prior is not None and self.unknown.any():
            everyone[self.unknown] = prior
        return everyone


def _check_trained_before(model: ServedBundle, options: ScoringOptions) -> None:
    trained = model.bundle.trained_as_of_us
    if trained > options.as_of_us and not options.model_from_the_future:
        raise RequestError(
            f"expected a model of '{model.name}' trained at or before {iso(options.as_of_us)}, found one trained as of "
            f"{iso(trained)}, which has seen what came after; train with --as-of {iso(options.as_of_us)}, or allow it "
            "with model_from_the_future"
        )


def _customer_statuses(
    visible: Journeys, rows: Rows, served: Sequence[ServedBundle], options: ScoringOptions
) -> list[_CustomerStatus]:
    """Of each bundle; the features that decide them are computed for all bundles at once."""
    unknown, known_until_us = ~known_customers(visible), _known_until_us(visible, options)
    population = build(visible, rows, _population_features(tuple(served)))
    return [_customer_status(model, population, unknown, known_until_us) for model in served]


def _customer_status(model: ServedBundle, population: Panel, unknown: Mask, known_until_us: Ints) -> _CustomerStatus:
    task = model.bundle.task
    member = np.asarray(is_member(task, population) & ~unknown)
    return _CustomerStatus(member, unknown, is_thin(task, population), known_until_us)


def _known_until_us(visible: Journeys, options: ScoringOptions) -> Ints:
    """Up to when each customer is known, by the log's end or by their own newest event if that is later, µs UTC."""
    has_events, known_until_us = np.diff(visible.starts) > 0, np.full(len(visible), options.log_end_us, np.int64)
    newest_us = visible.time[visible.starts[1:][has_events] - 1]
    known_until_us[has_events] = np.maximum(newest_us, options.log_end_us)
    return known_until_us


@lru_cache(maxsize=64)
def _population_features(served: tuple[ServedBundle, ...]) -> FeatureSet:
    first, *others = (model.population_features for model in served)
    return first.union(*others)


def _select(panel: Panel, member: Mask) -> Panel:
    if member.all():
        return panel
    return replace(panel, rows=panel.rows[member], values=panel.values[member])


def _predictor_scores(
    model: ServedBundle, panel: Panel, status: _CustomerStatus, options: ScoringOptions
) -> list[HeadScores]:
    """The bundle's predictions for its members, by horizon, spread over all customers."""
    predictors = model.bundle.predictors
    values, position = panel.values, panel.features.position
    predictions = monotone(
        predictors, [predictor.predict(values, position, options.as_of_us) for predictor in predictors]
    )
    priors = (
        monotone(predictors, [prior_prediction(model, predictor) for predictor in predictors])
        if status.unknown.any()
        else predictions
    )
    return [
        _head_scores(model, predictor, (prediction, prior), panel, status, options)
        for predictor, prediction, prior in zip(predictors, predictions, priors, strict=True)
    ]


def _head_scores(
    model: ServedBundle,
    predictor: Predictor,
    prediction_and_prior: tuple[PredictedScore, PredictedScore],
    panel: Panel,
    status: _CustomerStatus,
    options: ScoringOptions,
) -> HeadScores:
    prediction, prior = prediction_and_prior
    details = {name: status.scatter(values) for name, values in prediction.parts.items() if name in DETAILS}
    quantiles = prediction.quantiles
    if "next_order_days" in prediction.parts:
        next_order_us = np.round(status.scatter(prediction.parts["next_order_days"]) * DAY_US)
        details["next_order_at"] = options.as_of_us + next_order_us
    if quantiles is not None:
        details["median"] = status.scatter(quantiles[:, LEVELS.index(0.5)])
    return HeadScores(
        head=_head(model, predictor.horizon_days, predictor.rung.name, predictor.grade, options),
        numbers={name: status.scatter(getattr(prediction, name), getattr(prior, name)) for name in NUMBERS},
        flags=_flags(model, predictor, status, options),
        details=details,
        levels=LEVELS,
        quantiles=None if quantiles is None else status.scatter(quantiles),
        reasons=_reasons(predictor, panel, status) if options.reasons else None,
    )


def _action_scores(
    model: ServedBundle, actions: Actions, status: _CustomerStatus, options: ScoringOptions
) -> HeadScores:
    """Actions for everybody in the population, and for those nobody knows."""
    chosen = actions.predict(len(status.member))
    return HeadScores(
        head=_head(model, actions.horizon_days, actions.rung, actions.grade, options),
        numbers={name: np.where(status.scored, getattr(chosen, name), np.nan) for name in NUMBERS},
        flags=_flags(model, actions, status, options),
        ranked=Ranked(actions.actions, chosen),
    )


def _reasons(predictor: Predictor, panel: Panel, status: _CustomerStatus) -> Reasons:
    of_members = strongest_reasons(predictor.rung, panel)
    feature = np.full((len(status.member), of_members.feature.shape[1]), -1, np.int64)
    feature[status.member] = of_members.feature
    raises = np.zeros(feature.shape, np.bool_)
    raises[status.member] = of_members.raises
    return replace(of_members, feature=feature, raises=raises, value=status.scatter(of_members.value))


@lru_cache(maxsize=1024)
def _head(model: ServedBundle, horizon_days: int, rung: str, grade: str, options: ScoringOptions) -> Head:
    task = model.bundle.task
    score_id = ScoreId(
        task.name, horizon_days, model.bundle.digest, options.as_of_us, options.log_position, options.own_events
    )
    return Head(
        task=task.name,
        kind=task.kind,
        horizon_days=horizon_days,
        model_version=model.version,
        rung=rung,
        grade=grade,
        expires_at_us=options.as_of_us + valid_us(horizon_days),
        score_id=str(score_id),
    )


def _flags(
    model: ServedBundle, predictor: Predictor | Actions, status: _CustomerStatus, options: ScoringOptions
) -> Mask:
    scored = status.scored
    raised = {
        NEW_CUSTOMER: status.unknown,
        NOT_IN_POPULATION: ~scored,
        THIN_DATA: status.thin & status.member,
        STALE_FEATURES: is_stale(status.known_until_us, options.as_of_us, predictor.horizon_days),
        EXTRAPOLATED: scored & (EXTRAPOLATED in predictor.flags),
        FROM_THE_FUTURE: scored & (model.bundle.trained_as_of_us > options.as_of_us),
    }
    return np.array([raised[flag] for flag in FLAGS]).T
