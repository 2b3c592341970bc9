"""Metrics against scikit-learn and SciPy, against weights, and against the order of rows."""

from functools import partial

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn import metrics as oracle
from sklearn.linear_model import LogisticRegression

from features.arrays import Floats
from training.metrics import bootstrap, metrics
from training.metrics.metrics import Metric

ONES = np.ones((1, 400))
AT = 0.4
PROBABILITY: dict[str, Metric] = {
    **bootstrap.RANKING,
    "precision": partial(metrics.precision, threshold=AT),
    "recall": partial(metrics.recall, threshold=AT),
    "f1": partial(metrics.f1, threshold=AT),
}


def probabilities() -> tuple[Floats, Floats]:
    rng = np.random.default_rng(1)
    predicted = rng.integers(1, 20, 400) / 20  # many ties
    return (rng.random(400) < predicted**1.5).astype(np.float64), predicted


def amounts() -> tuple[Floats, Floats]:
    rng = np.random.default_rng(2)
    predicted = np.round(rng.gamma(1.0, 20.0, 400), -1) + 1
    return np.where(rng.random(400) < 0.5, 0.0, np.round(predicted * rng.gamma(1.0, 1.0, 400), -1)), predicted


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("auroc", oracle.roc_auc_score),
        ("average_precision", oracle.average_precision_score),
        ("log_loss", oracle.log_loss),
        ("precision", lambda y, p: oracle.precision_score(y, p >= AT)),
        ("recall", lambda y, p: oracle.recall_score(y, p >= AT)),
        ("f1", lambda y, p: oracle.f1_score(y, p >= AT)),
        ("brier_skill", lambda y, p: 1 - oracle.brier_score_loss(y, p) / (y.mean() * (1 - y.mean()))),
    ],
)
def test_a_probability_metric_is_the_one_of_the_books(name: str, known: Metric) -> None:
    truth, predicted = probabilities()
    assert PROBABILITY[name](truth, predicted, ONES)[0] == pytest.approx(known(truth, predicted))  # type: ignore[call-arg]


def test_spearman_and_rmse_are_those_of_the_books() -> None:
    truth, predicted = amounts()
    assert metrics.spearman(truth, predicted, ONES)[0] == pytest.approx(spearmanr(truth, predicted).statistic)
    assert metrics.rmse(truth, predicted, ONES)[0] == pytest.approx(oracle.root_mean_squared_error(truth, predicted))


@pytest.mark.parametrize(("name", "metric"), [*PROBABILITY.items(), *bootstrap.MONEY.items()])
def test_a_row_counted_twice_is_a_row_written_twice(name: str, metric: Metric) -> None:
    if name in ("ece", "decile_mape", "lift_at_10"):
        pytest.skip("its groups are made once, from the rows as they are")
    truth, predicted = probabilities() if name in PROBABILITY else amounts()
    counts = np.random.default_rng(3).integers(0, 4, 400)
    written = np.repeat(np.arange(400), counts)
    twice = metric(truth[written], predicted[written], np.ones((1, len(written))))
    assert metric(truth, predicted, counts[None].astype(np.float64))[0] == pytest.approx(twice[0])


@pytest.mark.parametrize(("name", "metric"), [*PROBABILITY.items(), *bootstrap.MONEY.items()])
def test_permuting_rows_changes_nothing(name: str, metric: Metric) -> None:
    truth, predicted = probabilities() if name in PROBABILITY else amounts()
    order = np.random.default_rng(4).permutation(400)
    assert metric(truth[order], predicted[order], ONES)[0] == pytest.approx(metric(truth, predicted, ONES)[0])


def test_a_perfect_ranking_has_a_gini_of_one_and_a_constant_none() -> None:
    truth, _ = amounts()
    assert metrics.normalised_gini(truth, truth, ONES)[0] == pytest.approx(1)
    assert metrics.normalised_gini(truth, np.full(400, 3.0), ONES)[0] == pytest.approx(0)
    assert metrics.normalised_gini(truth, -truth, ONES)[0] == pytest.approx(-1)


def test_the_gini_is_that_of_all_ways_to_break_ties_on_average() -> None:
    truth, predicted = np.array([0.0, 10.0, 0.0, 30.0]), np.array([1.0, 1.0, 1.0, 2.0])
    broken = [
        metrics.normalised_gini(truth, predicted + jitter, np.ones((1, 4)))[0]
        for jitter in ([0.2, 0.1, 0.3, 0], [0.1, 0.2, 0.3, 0], [0.1, 0.3, 0.2, 0])
    ]
    assert metrics.normalised_gini(truth, predicted, np.ones((1, 4)))[0] == pytest.approx(np.mean(broken))


def test_a_perfectly_calibrated_score_has_no_calibration_error_beyond_chance() -> None:
    rng = np.random.default_rng(5)
    predicted = rng.random(20_000)
    truth = (rng.random(20_000) < predicted).astype(np.float64)
    _, low, high = metrics.calibration_slope(truth, predicted)
    assert metrics.ece(truth, predicted, np.ones((1, 20_000)))[0] < 0.015
    assert low is not None
    assert high is not None
    assert low < 1 < high
    assert metrics.calibration_slope(truth, predicted / 2 + 0.25)[0] > 1.2  # type: ignore[operator]


def test_the_calibration_slope_is_that_of_a_logistic_regression() -> None:
    truth, predicted = probabilities()
    log_odds = np.log(predicted / (1 - predicted))[:, None]
    known = LogisticRegression(C=np.inf).fit(log_odds, truth).coef_[0, 0]
    assert metrics.calibration_slope(truth, predicted)[0] == pytest.approx(known, rel=1e-3)


def test_the_lift_counts_ties_at_the_border_by_their_share() -> None:
    truth, predicted = np.array([1.0, *[0.0] * 9]), np.full(10, 0.3)
    assert metrics.lift_at_tenth(truth, predicted, np.ones((1, 10)))[0] == pytest.approx(1)


def test_the_best_threshold_has_the_best_f1() -> None:
    truth, predicted = probabilities()
    best = metrics.best_threshold(truth, predicted)
    tried = [metrics.f1(truth, predicted, ONES, threshold=one)[0] for one in np.unique(predicted)]
    assert metrics.f1(truth, predicted, ONES, threshold=best)[0] == pytest.approx(max(tried))


def test_one_class_gives_no_ranking_and_no_crash() -> None:
    customers = np.array([f"c{i}" for i in range(5)], object)
    figures = bootstrap.probability_figures(np.zeros(5), np.full(5, 0.2), 0.5, bootstrap.draws(customers, 1))
    assert figures["auroc"] == [None, None, None]
    assert figures["log_loss"][0] == pytest.approx(-np.log(0.8))
    assert figures["calibration_slope"] == [None, None, None]


def test_no_rows_give_no_figures() -> None:
    nobody = bootstrap.draws(np.zeros(0, object), 1)
    figures = bootstrap.figures_of(bootstrap.MONEY, np.zeros(0), np.zeros(0), nobody)
    assert figures["rmse"] == [None, None, None]


def test_the_bootstrap_interval_is_as_wide_as_theory_says() -> None:
    rng = np.random.default_rng(6)
    truth = rng.normal(0, 1, 2000)
    customers = np.array([f"c{i}" for i in range(2000)], object)
    _, low, high = bootstrap.figures_of({"mae": metrics.mae}, truth, np.zeros(2000), bootstrap.draws(customers, 1))[
        "mae"
    ]
    theory = 2 * 1.645 * np.abs(truth).std() / np.sqrt(2000)
    assert low is not None
    assert high is not None
    assert high - low == pytest.approx(theory, rel=0.1)


def test_rows_of_one_customer_are_drawn_together() -> None:
    drawn = bootstrap.draws(np.array(["a", "b", "a", "b"], object), 1)
    assert (drawn[:, 0] == drawn[:, 2]).all()
    assert (drawn[:, :2].sum(axis=1) == 2).all()


def test_many_rows_are_drawn_as_often_as_is_announced() -> None:
    customers = np.array(["a", "b"] * 15_000, object)
    assert len(bootstrap.draws(customers, 1)) == bootstrap.replicates_for(30_000) == 666
