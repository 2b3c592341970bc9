"""Small bundles for the tests of scoring: real LightGBM fits on made-up rows, over the features of
`tests.support.strategies`.
"""

from collections.abc import Mapping
from typing import Any

import lightgbm as lgb
import numpy as np

from features.arrays import Floats
from features.config.tasks import TaskConfig
from features.language.feature import Feature, Stream
from features.language.feature_set import FeatureSet
from models.bundle import Bundle
from models.ladder.hurdle import History, Hurdle
from models.ladder.lightgbm import QUIET, Trees
from models.ladder.rules import Binned, Scaled
from models.ladder.trees import Probability
from models.predictor.actions import Actions
from models.predictor.adjusted import Adjusted
from models.predictor.intervals import PredictionInterval
from models.predictor.level import Level
from models.predictor.outcome_distribution import OutcomeDistribution
from models.predictor.predictor import NoPurchase, Predictor
from tests.support.strategies import START

PURCHASES = Stream(("purchase",))
RECENCY, COUNT, VALUE = Feature("recency", PURCHASES), Feature("count", PURCHASES), Feature("mean", PURCHASES)
FEATURES = FeatureSet(
    (
        RECENCY,
        COUNT,
        VALUE,
        Feature("count", PURCHASES, None, 30),
        Feature("count", Stream(), None, 365),
        Feature("sum", PURCHASES, None, 365),
        Feature("distinct", Stream(), "channel"),
        Feature("count", Stream((), (("channel", "web"),)), None, 30),
        Feature("attribute", column="age"),
        Feature("attribute_is", column="plan", level="paid"),
    )
)
PROBABILITY = PredictionInterval((0.5,), (-0.1, -0.05), (0.05, 0.1))
MONEY = OutcomeDistribution(
    (10.0,), ((-0.5, 0.0, 0.0), (0.0, 0.0, 0.0)), ((0.0, 0.8, 4.0), (0.25, 0.9, 2.0)), (), ((0.0, 0.5, 1.0),), 1.0
)
LOW, HIGH = tuple(np.linspace(0.1, 0.9, 101).tolist()), tuple(np.linspace(0.0, 80.0, 101).tolist())


def trees(seed: int, objective: str = "binary", *, rounds: int = 12) -> Trees:
    """A booster that reads every feature, on 400 made-up rows."""
    rng = np.random.default_rng(seed)
    values: Floats = np.where(rng.random((400, len(FEATURES))) < 0.1, np.nan, rng.gamma(1.0, 8.0, (400, len(FEATURES))))
    signal = np.nan_to_num(values).sum(axis=1) - 8 * len(FEATURES) + rng.normal(0, 10, 400)
    label = signal > 0 if objective == "binary" else np.maximum(signal / 50, 0)
    parameters = {
        **QUIET,
        "objective": objective,
        "num_leaves": 7,
        "min_data_in_leaf": 10,
        "seed": seed,
        "num_threads": 1,
    }
    booster = lgb.train(parameters, lgb.Dataset(values, label.astype(float)), rounds)
    return Trees.from_text(booster.model_to_string())


def churn(horizons: tuple[int, ...] = (90,), **facts: Any) -> Bundle:
    task = task_config(name="churn", kind="churn", event="purchase", horizons_days=horizons)
    rule = Binned(RECENCY.name, (30.0, 90.0), (0.2, 0.4, 0.6, 0.9))
    answers = (probability(trees(horizon), horizon, "churn", "silence", rule) for horizon in horizons)
    return Bundle(task, FEATURES, tuple(answers), None, known_facts(facts))


def buys(horizons: tuple[int, ...] = (30,), **facts: Any) -> Bundle:
    task = task_config(name="buys_again", kind="propensity", event="purchase", horizons_days=horizons)
    rule = Binned(COUNT.name, (1.0, 3.0), (0.1, 0.2, 0.5, 0.3))
    answers = (probability(trees(horizon + 1), horizon, "propensity", "event", rule) for horizon in horizons)
    return Bundle(task, FEATURES, tuple(answers), None, known_facts(facts))


def value(horizon: int = 90, **facts: Any) -> Bundle:
    task = task_config(name="value", kind="cltv", event="purchase", horizon_days=horizon)
    history = History(COUNT.name, RECENCY.name, (COUNT.name,), ("purchase_value_sum_365d",), 12.0, horizon)
    rung = Hurdle(trees(5), trees(6, "poisson"), history)
    quiet = NoPurchase(
        Binned(RECENCY.name, (30.0, 90.0), (0.2, 0.4, 0.6, 0.9)), Adjusted(level=Level(START, 7.0, (0.1,), (0.2,)))
    )
    answer = Predictor(
        horizon,
        horizon,
        "cltv",
        "event",
        rung,
        Scaled(VALUE.name, 0.5),
        PROBABILITY,
        HIGH,
        "B",
        flags=("extrapolated",),
        adjusted=Adjusted(level=Level(START, 7.0, (0.1, 0.3), (0.2, 0.3))),
        distribution=MONEY,
        no_purchase=quiet,
    )
    return Bundle(task, FEATURES, (answer,), None, known_facts(facts))


def probability(rung: Trees, horizon: int, kind: str, outcome: str, rule: Binned) -> Predictor:
    return Predictor(horizon, horizon, kind, outcome, Probability(rung), rule, PROBABILITY, LOW, "A")


def task_config(**keys: Any) -> TaskConfig:
    return TaskConfig.model_validate(keys)


def known_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    plain = {
        "trained_as_of_us": START,
        "log_position": 1,
        "end_us": START,
        "code_version": "test",
        "seed": 7,
        "survey": {},
    }
    prior = {"90": {"score": 0.5, "low": 0.4, "high": 0.6, "baseline": 0.45}}
    return plain | {"prior": prior} | dict(facts)


def offer(**facts: Any) -> Bundle:
    task = task_config(
        name="offer",
        kind="next_action",
        event="email",
        action="channel",
        nothing="none",
        reward="purchase",
        horizon_days=14,
    )
    actions = Actions(
        horizon_days=14,
        nothing="none",
        actions=("mens", "none", "womens"),
        value=(1.5, 1.0, 1.25),
        gain=(0.5, 0.0, 0.25),
        low=(0.25, 0.0, -0.125),
        high=(0.75, 0.0, 0.5),
        count=(100, 100, 100),
        costs=(0.1, 0.0, 0.1),
        grade="C",
    )
    return Bundle(task, FEATURES, (), actions, known_facts(facts))


OFFER = {
    "kind": "next_action",
    "event": "email",
    "action": "campaign",
    "nothing": "none",
    "reward": "purchase",
    "horizon_days": 14,
}


def two_actions() -> Actions:
    """What a mail gains over doing nothing, as tracking and the model card show it."""
    return Actions(
        horizon_days=14,
        nothing="none",
        actions=("mens", "none"),
        value=(1.6, 1.0),
        gain=(0.6, 0.0),
        low=(0.3, 0.0),
        high=(0.9, 0.0),
        count=(100, 90),
        costs=(0.1, 0.0),
        grade="C",
        metrics={"policy_value": [1.6, 1.3, 1.9]},
        notes=("chosen on earlier decisions, measured on later",),
    )
