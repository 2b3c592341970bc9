"""Intervals hold what they promise on rows like those they were learnt on; grades say how sure one is."""

import json
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from features.arrays import Floats
from models.predictor.outcome_distribution import (
    LEVELS,
    OutcomeDistribution,
    PredictionContext,
    unpack_outcome_distribution,
)
from training.fit.intervals import (
    MoneyResiduals,
    ProbabilityResiduals,
    conformal,
    outcome_distribution,
    probability_interval,
    shortest,
)
from training.metrics.grade import grade


def once(truth: Floats, predicted: Floats) -> ProbabilityResiduals:
    """Rows of one period."""
    return ProbabilityResiduals(truth, predicted, np.zeros(len(truth), np.int64))


def paying(rows: int, seed: int) -> tuple[Floats, Floats, Floats]:
    """Outcomes, their mean and the chance of nothing, as they were drawn."""
    rng = np.random.default_rng(seed)
    p_none, amount = rng.uniform(0.05, 0.95, rows), rng.gamma(2.0, 30.0, rows)
    truth = np.where(rng.random(rows) < p_none, 0.0, amount * rng.gamma(8.0, 0.125, rows))
    return truth, (1 - p_none) * amount, p_none


def covered(found: OutcomeDistribution, truth: Floats, mean: Floats, p_none: Floats) -> NDArray[np.bool_]:
    low, high, _ = found.predict(PredictionContext(mean, p_none))
    return np.asarray((truth >= low) & (truth <= high))


def test_intervals_and_quantiles_of_money_hold_what_they_promise_in_every_group() -> None:
    found = outcome_distribution(*paying(20_000, 1))
    found = conformal(found, MoneyResiduals(*paying(4000, 2)), 0)
    truth, mean, p_none = paying(20_000, 3)
    around = PredictionContext(mean, p_none)
    low, high, _ = found.predict(around)
    inside = (truth >= low) & (truth <= high)
    for group in range(10):
        rows = (np.argsort(np.argsort(mean)) * 10 // len(mean)) == group
        assert inside[rows].mean() == pytest.approx(0.9, abs=0.035)
    quantiles = found.quantiles(np.array(LEVELS), around)
    assert (np.diff(quantiles, axis=1) >= 0).all()
    surely = p_none < 0.2  # the others' quantiles are 0 up to that level
    for level, column in zip(LEVELS, quantiles.T, strict=True):
        if level > 0.2:
            assert (truth[surely] <= column[surely]).mean() == pytest.approx(level, abs=0.03)


def test_what_is_said_too_narrow_is_made_to_come_true_on_later_rows() -> None:
    truth, mean, p_none = paying(20_000, 1)
    narrow = outcome_distribution(np.where(truth > 0, mean / (1 - p_none), 0.0), mean, p_none)
    found, new = conformal(narrow, MoneyResiduals(*paying(4000, 2)), 0), paying(20_000, 3)
    sure = new[2] < 0.2
    assert covered(narrow, *new)[sure].mean() < 0.5
    assert covered(found, *new)[sure].mean() > 0.86
    assert covered(found, *new).mean() == pytest.approx(0.9, abs=0.02)


@pytest.mark.parametrize("price", [9.9, 10.0, 10.5, 20.0])
def test_one_price_for_all_that_changed_is_followed(price: float) -> None:
    rng = np.random.default_rng(6)
    p_none = rng.uniform(0.02, 0.2, 3000)
    bought: Floats = (rng.random(3000) > p_none).astype(np.float64)
    found = outcome_distribution(10.0 * bought, 10 * (1 - p_none), p_none)
    found = conformal(found, MoneyResiduals(price * bought, 10 * (1 - p_none), p_none), 0)
    around = PredictionContext(10 * (1 - p_none), p_none)
    assert covered(found, price * bought, around.mean, p_none).mean() > 0.88
    assert found.quantiles(np.array([0.5]), around) == pytest.approx(price, rel=0.01)


def test_who_surely_buys_has_no_zero_in_the_interval_and_who_surely_does_not_nothing_else() -> None:
    found = outcome_distribution(*paying(20_000, 1))
    low, high, _ = found.predict(PredictionContext(np.array([60.0, 0.5]), np.array([0.01, 0.95])))
    assert low[0] > 5
    assert high[0] > 60
    assert (low[1], high[1]) == (0.0, 0.0)


def test_doubt_of_the_level_widens_intervals_and_leaves_their_middle() -> None:
    found, around = outcome_distribution(*paying(20_000, 1)), PredictionContext(np.array([60.0]), np.array([0.0]))
    plain, doubted = (found.quantiles(np.array(LEVELS), replace(around, level_std=doubt))[0] for doubt in (0.0, 0.5))
    assert doubted[LEVELS.index(0.5)] == pytest.approx(plain[LEVELS.index(0.5)] * np.exp(-(0.5**2) / 2))
    assert doubted[-1] > plain[-1]
    assert doubted[0] < plain[0]


def test_refunds_beyond_purchases_are_in_the_distribution() -> None:
    truth, mean, p_none = paying(20_000, 1)
    refunded = np.where((truth == 0) & (np.arange(20_000) % 5 == 0), -20.0, truth)
    found = outcome_distribution(refunded, mean, p_none)
    low, _, _ = found.predict(PredictionContext(np.array([30.0]), np.array([0.6])))
    assert found.quantiles(np.array([0.02]), PredictionContext(np.array([30.0]), np.array([0.6])))[0, 0] < 0
    assert low[0] <= 0


def test_amounts_are_the_same_after_they_were_packed_and_alone() -> None:
    truth, mean, p_none = paying(500, 1)
    found = conformal(outcome_distribution(truth, mean, p_none), MoneyResiduals(*paying(300, 2)), 0)
    again = unpack_outcome_distribution(json.loads(json.dumps(found.pack())))
    assert again == found
    around, one = (
        PredictionContext(mean, p_none, level_std=0.2),
        PredictionContext(mean[7:8], p_none[7:8], level_std=0.2),
    )
    assert found.predict(around)[1][7:8].tobytes() == found.predict(one)[1].tobytes()
    assert unpack_outcome_distribution(None) is None


def test_the_shortest_interval_stands_where_outcomes_are_dense() -> None:
    assert shortest(np.r_[np.zeros(95), np.arange(1.0, 6.0)]) == (0.0, 0.0)
    assert shortest(np.array([3.0])) == (3.0, 3.0)


def test_the_interval_of_a_probability_narrows_with_more_rows() -> None:
    rng = np.random.default_rng(2)
    widths = []
    for rows in (200, 20_000):
        predicted = rng.random(rows)
        truth = (rng.random(rows) < predicted).astype(np.float64)
        low, high = probability_interval(once(truth, predicted)).interval(np.array([0.5]))
        assert low[0] < 0.5 < high[0]
        widths.append(float(high[0] - low[0]))
    assert widths[1] < widths[0] / 3


def test_a_miscalibrated_probability_has_an_interval_that_reaches_the_truth() -> None:
    predicted = np.full(5000, 0.3)
    truth = (np.arange(5000) % 2).astype(np.float64)
    _, high = probability_interval(once(truth, predicted)).interval(predicted[:1])
    assert high[0] >= 0.5


def test_the_worse_of_two_periods_decides_how_wide_a_probability_is() -> None:
    predicted, truth = np.full(2000, 0.5), (np.arange(2000) % 2).astype(np.float64)
    season = once(np.minimum(truth + (np.arange(2000) % 5 == 0), 1.0), predicted)
    low, high = probability_interval(once(truth, predicted) + season).interval(predicted[:1])
    assert high[0] >= season.truth.mean()
    assert low[0] <= 1 - season.truth.mean()


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_few_rows_give_a_wide_interval_and_no_crash(rows: int) -> None:
    low, high = probability_interval(once(np.ones(rows), np.full(rows, 0.5))).interval(np.array([0.5]))
    assert high[0] - low[0] > 0.5
    money = outcome_distribution(np.ones(rows), np.full(rows, 2.0), np.full(rows, 0.5))
    money = conformal(money, MoneyResiduals(np.ones(rows), np.full(rows, 2.0), np.full(rows, 0.5)), 0)
    quantiles = money.quantiles(np.array(LEVELS), PredictionContext(np.array([2.0]), np.array([0.5])))
    assert np.isfinite(quantiles).all()
    assert quantiles[0, -1] > 0


@pytest.mark.parametrize(
    ("skill_low", "customers", "rarer", "at_most", "wanted"),
    [
        (0.10, 500, 50, "A", "A"),
        (0.05, 500, 50, "A", "B"),
        (0.01, 500, 50, "A", "C"),
        (0.0, 500, 50, "A", "D"),
        (0.2, 500, 50, "C", "C"),
        (-0.2, 500, 50, "C", "D"),
        (0.2, 99, 50, "A", "D"),
        (0.2, 500, 9, "A", "D"),
        (None, 500, 50, "A", "D"),
    ],
)
def test_the_grade_follows_the_lower_end_of_the_skill(
    skill_low: float | None, customers: int, rarer: int, at_most: str, wanted: str
) -> None:
    assert grade(skill_low, customers=customers, minority=rarer, at_most=at_most) == wanted
