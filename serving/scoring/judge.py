"""The one scoring path: batch, HTTP and notebooks all come through `judge`.

It sees the journeys as of one instant, asks who belongs to which population, builds the panel once per set of features,
and lets every bundle say what it has to say. Nothing here knows how many customers there are or where they came from.
"""

from collections.abc import Mapping, Sequence
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
from models.predictor.outcome_distribution import LEVELS, PredictionContext
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
from serving.scoring.reasons import why
from serving.scoring.scores import NUMBERS, Head, Judged, Ranked, Scores, Why
from serving.scoring.served_model import Served

DETAILS = ("p_none", "orders", "order_value")  # parts of a prediction that the contract knows

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class ScoringOptions:
    """What is asked: as of when, of which state of the log, with reasons or not, and whether later models may answer.

    `own_events` says that the request carried events of its own, `told_until_us` up to when the log tells of the world.
    """

    as_of_us: int
    log_position: int
    own_events: bool = False
    reasons: bool = False
    model_from_the_future: bool = False
    told_until_us: int = FOREVER


def judge(journeys: Journeys, served: Sequence[Served], asked: ScoringOptions) -> Scores:
    """Scores of all customers of the journeys, in their order, by every bundle.

    Raises:
        RequestError: a bundle was trained after the as-of and nobody allowed that.
    """
    for one in served:
        _check_trained_before(one, asked)
    seen = journeys.as_of(asked.as_of_us)
    rows = Rows.grid(len(seen), np.array([asked.as_of_us], np.int64))
    everybody = _who(seen, rows, served, asked)
    modelled = [(one, who) for one, who in zip(served, everybody, strict=True) if one.bundle.predictors]
    anyone = np.logical_or.reduce([who.member for _, who in modelled]) if modelled else np.zeros(len(seen), np.bool_)
    asked_about = rows if anyone.all() else rows[anyone]
    sets = {one.bundle.features.fingerprint: one.bundle.features for one, _ in modelled}
    panels = {fingerprint: build(seen, asked_about, features) for fingerprint, features in sets.items()}
    judged: list[Judged] = []
    for one, who in zip(served, everybody, strict=True):
        if one.bundle.actions is not None:
            judged.append(_acted(one, one.bundle.actions, who, asked))
        else:
            panel = panels[one.bundle.features.fingerprint]
            judged += _answered(one, _only(panel, who.member[anyone]), who, asked)
    return Scores(journeys.customers, asked.as_of_us, tuple(judged))


def judge_everyone(journeys: Journeys, served: Sequence[Served], asked: ScoringOptions) -> Scores:
    """Scores of those customers of a bucket of whom anything is known at the as-of."""
    seen = journeys.as_of(asked.as_of_us)
    known = np.flatnonzero(known_customers(seen))
    return judge(seen if len(known) == len(seen) else seen.select(known), served, asked)


def known_customers(seen: Journeys) -> Mask:
    """Who has an event or a profile in these journeys."""
    return np.asarray((np.diff(seen.starts) > 0) | (np.diff(seen.profile.starts) > 0))


def judge_panel(customers: Strings, panel: Panel, asking: Panel, served: Served, asked: ScoringOptions) -> Scores:
    """Scores of the rows of a panel of the bundle's features, a customer each, all as of the same instant.

    `asking` holds the columns of `served.asking` for the same rows. A panel tells of customers up to its cutoff.
    """
    _check_trained_before(served, asked)
    everybody, told = np.zeros(len(customers), np.bool_), np.full(len(customers), asked.as_of_us, np.int64)
    who = _whom(served, asking, everybody, told)
    if served.bundle.actions is not None:
        return Scores(customers, asked.as_of_us, (_acted(served, served.bundle.actions, who, asked),))
    judged = _answered(served, _only(panel, who.member), who, asked)
    return Scores(customers, asked.as_of_us, tuple(judged))


@dataclass(frozen=True, eq=False)
class _Who:
    """Which customers a task asks about, which nobody knows, whose data are thin, and up to when they are told of."""

    member: Mask
    unknown: Mask
    thin: Mask
    told: Ints

    def scatter(self, values: Floats, prior: Floats | None = None) -> Floats:
        """Members' values at their places among all customers, the prior (one row) at unknown ones', else NaN."""
        if len(values) == len(self.member):
            return values
        everyone = np.full((len(self.member), *values.shape[1:]), np.nan)
        everyone[self.member] = values
        if prior is not None and self.unknown.any():
            everyone[self.unknown] = prior
        return everyone


def _check_trained_before(served: Served, asked: ScoringOptions) -> None:
    trained = served.bundle.trained_as_of_us
    if trained > asked.as_of_us and not asked.model_from_the_future:
        raise RequestError(
            f"expected a model of '{served.name}' trained at or before {iso(asked.as_of_us)}, found one trained as of "
            f"{iso(trained)}, which has seen what came after; train with --as-of {iso(asked.as_of_us)}, or allow it "
            "with model_from_the_future"
        )


def _who(seen: Journeys, rows: Rows, served: Sequence[Served], asked: ScoringOptions) -> list[_Who]:
    """For each bundle whom it asks about; what decides that is computed for all bundles at once."""
    unknown, told = ~known_customers(seen), _told(seen, asked)
    asking = build(seen, rows, _asking(tuple(served)))
    return [_whom(one, asking, unknown, told) for one in served]


def _whom(served: Served, asking: Panel, unknown: Mask, told: Ints) -> _Who:
    task = served.bundle.task
    return _Who(np.asarray(is_member(task, asking) & ~unknown), unknown, is_thin(task, asking), told)


def _told(seen: Journeys, asked: ScoringOptions) -> Ints:
    """Up to when the log or the customer's own newest event tells of each customer, µs UTC."""
    some, told = np.diff(seen.starts) > 0, np.full(len(seen), asked.told_until_us, np.int64)
    told[some] = np.maximum(seen.time[seen.starts[1:][some] - 1], asked.told_until_us)
    return told


@lru_cache(maxsize=64)
def _asking(served: tuple[Served, ...]) -> FeatureSet:
    first, *others = (one.asking for one in served)
    return first.union(*others)


def _only(panel: Panel, member: Mask) -> Panel:
    if member.all():
        return panel
    return replace(panel, rows=panel.rows[member], values=panel.values[member])


def _answered(served: Served, panel: Panel, who: _Who, asked: ScoringOptions) -> list[Judged]:
    """What the bundle says of its members, by horizon, spread over all customers."""
    answers = served.bundle.predictors
    said = monotone(
        answers, [answer.predict(panel.values, panel.features.position, asked.as_of_us) for answer in answers]
    )
    priors = monotone(answers, [prior_of(served, answer) for answer in answers]) if who.unknown.any() else said
    return [
        _judged(served, answer, (one, prior), panel, who, asked)
        for answer, one, prior in zip(answers, said, priors, strict=True)
    ]


def _judged(
    served: Served,
    answer: Predictor,
    spoken: tuple[PredictedScore, PredictedScore],
    panel: Panel,
    who: _Who,
    asked: ScoringOptions,
) -> Judged:
    said, prior = spoken
    parts = {name: who.scatter(values) for name, values in said.parts.items() if name in DETAILS}
    quantiles = said.quantiles
    if "next_order_days" in said.parts:
        parts["next_order_at"] = asked.as_of_us + np.round(who.scatter(said.parts["next_order_days"]) * DAY_US)
    if quantiles is not None:
        parts["median"] = who.scatter(quantiles[:, LEVELS.index(0.5)])
    return Judged(
        head=_head(served, answer.horizon_days, answer.rung.name, answer.grade, asked),
        numbers={name: who.scatter(getattr(said, name), getattr(prior, name)) for name in NUMBERS},
        flags=_flags(served, answer, who, asked),
        parts=parts,
        levels=LEVELS,
        quantiles=None if quantiles is None else who.scatter(quantiles),
        why=_why(answer, panel, who) if asked.reasons else None,
    )


def _acted(served: Served, actions: Actions, who: _Who, asked: ScoringOptions) -> Judged:
    """Actions for everybody the task asks about, and for those nobody knows."""
    chosen = actions.predict(len(who.member))
    scored = who.member | who.unknown
    return Judged(
        head=_head(served, actions.horizon_days, actions.rung, actions.grade, asked),
        numbers={name: np.where(scored, getattr(chosen, name), np.nan) for name in NUMBERS},
        flags=_flags(served, actions, who, asked),
        ranked=Ranked(actions.actions, chosen),
    )


def _why(answer: Predictor, panel: Panel, who: _Who) -> Why:
    reasons = why(answer.rung, panel)
    feature = np.full((len(who.member), reasons.feature.shape[1]), -1, np.int64)
    feature[who.member] = reasons.feature
    raises = np.zeros(feature.shape, np.bool_)
    raises[who.member] = reasons.raises
    return replace(reasons, feature=feature, raises=raises, value=who.scatter(reasons.value))


def prior_of(served: Served, answer: Predictor) -> PredictedScore:
    """What a customer nobody knows gets, in one row: the average of the base at training."""
    prior: Mapping[str, float] | None = served.bundle.facts.get("prior", {}).get(str(answer.horizon_days))
    if prior is None:
        mean = np.array([np.mean(answer.base) if answer.base else np.nan])
        amounts = answer.distribution
        low, high = (
            answer.interval.interval(mean)
            if amounts is None
            else amounts.predict(PredictionContext(mean, 0.0 * mean))[:2]
        )
        return PredictedScore(mean, low, high, answer.percentile(mean), mean, {})
    score, low, high, baseline = (np.array([prior[name]]) for name in ("score", "low", "high", "baseline"))
    return PredictedScore(score, low, high, answer.percentile(score), baseline, {})


@lru_cache(maxsize=1024)
def _head(served: Served, horizon: int, rung: str, grade: str, asked: ScoringOptions) -> Head:
    task = served.bundle.task
    made_from = ScoreId(task.name, horizon, served.bundle.digest, asked.as_of_us, asked.log_position, asked.own_events)
    return Head(
        task=task.name,
        kind=task.kind,
        horizon_days=horizon,
        model_version=served.version,
        rung=rung,
        grade=grade,
        expires_at_us=asked.as_of_us + valid_us(horizon),
        score_id=str(made_from),
    )


def _flags(served: Served, answer: Predictor | Actions, who: _Who, asked: ScoringOptions) -> Mask:
    scored = who.member | who.unknown
    raised = {
        NEW_CUSTOMER: who.unknown,
        NOT_IN_POPULATION: ~scored,
        THIN_DATA: who.thin & who.member,
        STALE_FEATURES: is_stale(who.told, asked.as_of_us, answer.horizon_days),
        EXTRAPOLATED: scored & (EXTRAPOLATED in answer.flags),
        FROM_THE_FUTURE: scored & (served.bundle.trained_as_of_us > asked.as_of_us),
    }
    return np.array([raised[flag] for flag in FLAGS]).T
