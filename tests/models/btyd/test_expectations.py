"""What a process expects as columns of trees, as a rung of its own, and averaged with trees; how it is fitted."""

import json
from dataclasses import replace

import lightgbm as lgb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logit

from features.arrays import Floats
from features.config.tasks import TaskConfig
from features.language.feature import Feature, Stream
from features.language.feature_set import FeatureSet
from features.panel.build import Panel, Rows
from models.btyd.bg_nbd import BgNbd
from models.btyd.expectations import Expectations
from models.btyd.gamma_gamma import GammaGamma
from models.ladder.average import Average, gains, moved
from models.ladder.hurdle import History, Hurdle, Orders
from models.ladder.lightgbm import QUIET, Trees
from models.ladder.packing import unpack
from models.ladder.purchase_process import PurchaseProcess
from models.ladder.rung import Rung
from models.ladder.trees import Probability
from models.predictor.intervals import PredictionInterval
from models.predictor.predictor import Predictor, unpack_predictor
from serving.scoring.reasons import strongest_reasons
from training.dataset.examples import Examples
from training.dataset.labels import Labels
from training.fit.purchase_process import FEWEST_RETURNED, processes, repeats
from training.fit.recipe import Question, Recipe
from training.fit.rungs import fit_rung

TASK = TaskConfig.model_validate({"name": "value", "kind": "cltv", "event": "purchase", "horizon_days": 90})
PURCHASES = Stream(("purchase",))
FEATURES = FeatureSet((*repeats(TASK), Feature("count", PURCHASES), Feature("tenure", PURCHASES)))
NAMES, POSITION = FEATURES.names, FEATURES.position
PROCESS = BgNbd(0.6, 20.0, 0.8, 2.5)
SILENCE = Expectations(NAMES[0], NAMES[1], NAMES[2], NAMES[3], 90.0, PROCESS)
MONEY = replace(SILENCE, money=NAMES[4], order_value=GammaGamma(6.0, 4.0, 15.0))
HISTORY = History(NAMES[5], NAMES[6], (NAMES[5],), (NAMES[4],), 20.0, 90.0)


def customers(count: int, seed: int = 1) -> Floats:
    """Rows of FEATURES; every seventh customer never bought."""
    rng = np.random.default_rng(seed)
    age, days = np.floor(rng.uniform(0, 400, count)), rng.poisson(rng.gamma(1.0, 4.0, count)).astype(np.float64)
    span = np.where(days > 0, np.floor(age * rng.random(count)), 0.0)
    money = rng.gamma(2.0, 15.0, count) * (days + 1) - 20  # some sent back more than they bought
    rows = np.column_stack([days, span, age, age - span, money, days + 1, age])
    rows[::7] = [np.nan, np.nan, np.nan, np.nan, 0.0, 0.0, np.nan]
    return rows


def trees(read: Expectations, objective: str) -> Trees:
    rows = read.widened(customers(600), POSITION)
    label = np.random.default_rng(2).random(600) < np.where(np.isnan(rows[:, -1]), 0.2, np.minimum(rows[:, 8], 1.0))
    parameters = {**QUIET, "objective": objective, "num_leaves": 6, "min_data_in_leaf": 20, "num_threads": 1}
    return Trees.from_text(lgb.train(parameters, lgb.Dataset(rows, label.astype(float)), 15).model_to_string())


LOGISTIC = Probability(trees(SILENCE, "binary"), SILENCE)
HURDLE = Hurdle(trees(MONEY, "binary"), trees(MONEY, "poisson"), HISTORY, expectations=MONEY)
PROBABLE, VALUE = PurchaseProcess(SILENCE, "silence", 0.9), PurchaseProcess(MONEY, "money", 0.9, 1.2)
ORDERS = Orders(trees(MONEY, "poisson"), MONEY, 1.1)
RUNGS: tuple[Rung, ...] = (
    LOGISTIC,
    HURDLE,
    PROBABLE,
    replace(PROBABLE, outcome="event"),
    VALUE,
    Average((LOGISTIC, PROBABLE), odds=True),
    Average((HURDLE, VALUE, ORDERS), odds=False),
    ORDERS,
)
IDS = ("trees", "hurdle", "silence", "event", "money", "average of odds", "average of money", "orders")


@pytest.mark.parametrize("rung", RUNGS, ids=IDS)
def test_a_row_alone_has_the_bits_it_has_among_many(rung: Rung) -> None:
    rows = customers(1000, seed=3)
    together = rung.predict(rows, POSITION)
    for row in range(0, 1000, 37):
        alone = rung.predict(rows[row : row + 1], POSITION)
        assert alone.mean.tobytes() == together.mean[row : row + 1].tobytes()
        for name, part in alone.parts.items():
            assert part.tobytes() == together.parts[name][row : row + 1].tobytes()


@pytest.mark.parametrize("rung", RUNGS, ids=IDS)
def test_a_rung_comes_back_from_json_and_texts_as_it_was(rung: Rung) -> None:
    plain, texts = rung.pack()
    again = unpack(json.loads(json.dumps(plain)), texts)
    rows = customers(200, seed=4)
    assert again.predict(rows, POSITION).mean.tobytes() == rung.predict(rows, POSITION).mean.tobytes()
    assert again.pack() == (plain, texts)


@pytest.mark.parametrize("rung", RUNGS, ids=IDS)
def test_every_rung_has_reasons_among_the_features_of_the_panel(rung: Rung) -> None:
    rows = customers(50, seed=5)
    assert moved(rung, rows, POSITION).shape == rows.shape
    assert np.isfinite(moved(rung, rows, POSITION)).all()
    panel = Panel(Rows(np.arange(50), np.zeros(50, np.int64)), rows, FEATURES)
    assert (strongest_reasons(rung, panel).feature[1:6] >= 0).any(axis=1).all()


def test_what_moved_trees_is_all_there_after_folding() -> None:
    rows = customers(40, seed=6)
    wide = SILENCE.widened(rows, POSITION)
    average = LOGISTIC.trees.contributions(wide)[:, -1]
    assert moved(LOGISTIC, rows, POSITION).sum(axis=1) + average == pytest.approx(LOGISTIC.trees.raw(wide))
    assert gains(LOGISTIC, POSITION)["trees"].sum() == pytest.approx(LOGISTIC.trees.importance().sum())


def test_what_moved_a_process_adds_up_from_a_customer_who_came_just_now() -> None:
    rows = customers(40, seed=7)[1:7]
    first = np.array([[0.0, 0, 0, 0, 0, 1, 0]])
    steps = moved(PROBABLE, rows, POSITION).sum(axis=1)
    start, end = (logit(PROBABLE.predict(some, POSITION).mean) for some in (first, rows))
    assert steps == pytest.approx(end - start)
    silent = moved(PROBABLE, rows, POSITION)[:, POSITION[SILENCE.silence]]
    assert (silent >= 0).all()  # silence never speaks for coming back


def test_who_never_bought_gets_the_rate_of_those_like_it_and_nobody_a_nan() -> None:
    rows = customers(70)
    assert PROBABLE.predict(rows, POSITION).mean[::7] == pytest.approx(0.9)
    prediction = VALUE.predict(rows, POSITION)
    assert prediction.mean[0] == pytest.approx(0.1 * 1.2 * 6 * 15 / 3)
    for rung in RUNGS:
        assert np.isfinite(rung.predict(rows, POSITION).mean).all()
    assert (prediction.mean >= 0).all()


@given(st.integers(0, 60), st.floats(0, 1), st.integers(0, 900), st.floats(-500, 5000))
def test_probabilities_are_probabilities_and_silence_agrees_with_the_event(
    days: int, share: float, age: int, money: float
) -> None:
    span = float(round(age * share)) if days else 0.0
    row = np.array([[days, span, age, age - span, money, days + 1, age]], np.float64)
    silence, event = (
        replace(PROBABLE, outcome=outcome).predict(row, POSITION).mean for outcome in ("silence", "event")
    )
    assert 0 <= silence <= 1
    assert silence + event == pytest.approx(1)
    prediction = VALUE.predict(row, POSITION)
    assert prediction.parts["p_none"] == pytest.approx(silence)
    assert prediction.mean == pytest.approx(prediction.parts["orders"] * prediction.parts["order_value"])


@pytest.mark.parametrize("rung", RUNGS[2:5], ids=IDS[2:5])
def test_a_process_carries_over_to_what_it_says_of_the_longer_horizon(rung: PurchaseProcess) -> None:
    kind, outcome = ("cltv", "event") if rung.outcome == "money" else ("churn", rung.outcome)
    spread = PredictionInterval((), (0.0,), (0.0,))
    answer = Predictor(270, 90, kind, outcome, rung, rung, spread, (0.0,), "C", longer=rung.expectations)
    rows = customers(70)
    bought = ~np.isnan(rows[:, 0])
    wanted = replace(rung, expectations=replace(rung.expectations, horizon_days=270.0)).predict(rows, POSITION)
    prediction = answer.predict(rows, POSITION)
    assert prediction.score[bought] == pytest.approx(wanted.mean[bought])
    for name, part in wanted.parts.items():
        assert prediction.parts[name][bought] == pytest.approx(part[bought])
    alone = answer.predict(rows[3:4], POSITION)
    assert alone.score.tobytes() == prediction.score[3:4].tobytes()
    again = unpack_predictor(json.loads(json.dumps(answer.pack()[0])), {})
    assert again.predict(rows, POSITION).score.tobytes() == prediction.score.tobytes()


def test_a_chance_carries_over_by_one_power_that_leaves_the_order_of_customers_alone() -> None:
    spread, rows = PredictionInterval((), (0.0,), (0.0,)), customers(70)
    answer = Predictor(270, 90, "churn", "silence", PROBABLE, PROBABLE, spread, (0.0,), "C", power=2.2)
    prediction, fitted = answer.predict(rows, POSITION), PROBABLE.predict(rows, POSITION).mean
    assert prediction.score == pytest.approx(fitted**2.2)
    again = unpack_predictor(json.loads(json.dumps(answer.pack()[0])), {})
    assert again.predict(rows, POSITION).score.tobytes() == prediction.score.tobytes()


def test_too_few_who_came_back_give_no_process_and_a_sentence() -> None:
    fits = processes(list, TASK, 90, "UTC", {1})
    assert not fits.fitted
    assert f"{FEWEST_RETURNED} customers who came back, found 0" in fits.missing


def test_an_end_of_contract_is_no_purchase_process() -> None:
    keys = {"name": "ends", "kind": "churn", "churn_event": "cancel", "active_event": "renew", "horizon_days": 28}
    ends = TaskConfig.model_validate(keys)
    assert not repeats(ends)
    assert "not about coming back" in processes(list, ends, 28, "UTC", {1}).missing


def test_a_recipe_without_its_process_gives_the_rule() -> None:
    rows = customers(40)
    wanted = FeatureSet((*FEATURES.features, Feature("sum", PURCHASES, None, 90)))
    values = np.column_stack([rows, rows[:, 4]])
    labels = Labels(np.ones(40), np.ones(40))
    given_rows = Examples(np.array([f"c{i}" for i in range(40)], object), np.zeros(40, np.int64), values, labels)
    question = Question(TASK, 90, wanted, 7, 1)
    assert fit_rung(question, Recipe("btyd"), given_rows).name == "rule"
