"""Intervals hold what they promise on rows like those they were learnt on; grades say how sure one is."""

import numpy as np
import pytest

from features.journeys import Floats
from training.grade import grade
from training.spread import LEVELS, Missed, money_spread, probability_spread, shortest


def once(truth: Floats, predicted: Floats) -> Missed:
    """Rows of one period."""
    return Missed(truth, predicted, np.zeros(len(truth), np.int64))


def test_a_money_interval_holds_nine_in_ten_of_new_outcomes() -> None:
    rng = np.random.default_rng(1)
    predicted = rng.gamma(1.0, 50.0, 8000)
    truth = np.where(rng.random(8000) < 0.4, 0.0, predicted * rng.gamma(2.0, 0.8, 8000))
    spread = money_spread(once(truth[:4000], predicted[:4000]))
    low, high = spread.interval(predicted[4000:])
    inside = (truth[4000:] >= low) & (truth[4000:] <= high)
    assert inside.mean() == pytest.approx(0.9, abs=3 * np.sqrt(0.09 / 4000) + 0.01)
    median = spread.quantile(predicted[4000:])[:, LEVELS.index(0.5)]
    assert (truth[4000:] <= median).mean() == pytest.approx(0.5, abs=0.04)


def test_the_shortest_interval_stands_where_outcomes_are_dense() -> None:
    assert shortest(np.r_[np.zeros(95), np.arange(1.0, 6.0)]) == (0.0, 0.0)
    assert shortest(np.array([3.0])) == (3.0, 3.0)


def test_the_interval_of_a_probability_narrows_with_more_rows() -> None:
    rng = np.random.default_rng(2)
    widths = []
    for rows in (200, 20_000):
        predicted = rng.random(rows)
        truth = (rng.random(rows) < predicted).astype(np.float64)
        low, high = probability_spread(once(truth, predicted)).interval(np.array([0.5]))
        assert low[0] < 0.5 < high[0]
        widths.append(float(high[0] - low[0]))
    assert widths[1] < widths[0] / 3


def test_a_miscalibrated_probability_has_an_interval_that_reaches_the_truth() -> None:
    predicted = np.full(5000, 0.3)
    truth = (np.arange(5000) % 2).astype(np.float64)
    _, high = probability_spread(once(truth, predicted)).interval(predicted[:1])
    assert high[0] >= 0.5


def test_the_worse_of_two_periods_decides_how_wide_a_probability_is() -> None:
    predicted, truth = np.full(2000, 0.5), (np.arange(2000) % 2).astype(np.float64)
    season = once(np.minimum(truth + (np.arange(2000) % 5 == 0), 1.0), predicted)
    low, high = probability_spread(once(truth, predicted) + season).interval(predicted[:1])
    assert high[0] >= season.truth.mean()
    assert low[0] <= 1 - season.truth.mean()


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_few_rows_give_a_wide_interval_and_no_crash(rows: int) -> None:
    low, high = probability_spread(once(np.ones(rows), np.full(rows, 0.5))).interval(np.array([0.5]))
    assert high[0] - low[0] > 0.5
    money = money_spread(once(np.ones(rows), np.full(rows, 2.0)))
    assert money.quantile(np.array([2.0])).shape == (1, len(LEVELS))


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
    assert grade(skill_low, customers=customers, rarer=rarer, at_most=at_most) == wanted
